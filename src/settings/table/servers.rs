//! The keys of model servers, attached ones and those that a run starts.

use super::{COUNT, FROM_ZERO, Key, Limit, OneOf, POSITIVE, SECONDS_OF_A_DAY, Setting, Text, Texts};
use crate::settings::choices::ServingMode;

const PORT: Limit = Limit::between(1.0, 65_535.0);
const MEMORY: Limit = Limit::above_zero(1.0);

keys! {
    SERVING:
    MODE: OneOf<ServingMode> = free("llm.mode"), env(&["LLM_MODE"]), old_env(&["LLM_BACKEND"]), under(&["llm.backend"]);
}

keys! {
    VLLM:
    VLLM_COMMAND: Text = free("llm.vllm.command");
    VLLM_MODEL: Text = free("llm.vllm.model");
    VLLM_NAME: Text = free("llm.vllm.served_model_name");
    VLLM_REPLICAS: u16 = free("llm.vllm.replicas"), limit(Limit::above_zero(1_000.0));
    VLLM_GPUS: f64 = free("llm.vllm.num_gpus_per_replica"), limit(FROM_ZERO);
    VLLM_HOST: Text = free("llm.vllm.host");
    VLLM_ADVERTISE_HOST: Text = free("llm.vllm.advertise_host");
    VLLM_PORT_START: u16 = free("llm.vllm.port_start"), limit(PORT);
    TENSOR_PARALLEL_SIZE: u32 = free("llm.vllm.tensor_parallel_size"), limit(POSITIVE);
    GPU_MEMORY_UTILIZATION: f64 = free("llm.vllm.gpu_memory_utilization"), limit(MEMORY);
    MAX_NUM_SEQS: u32 = free("llm.vllm.max_num_seqs"), limit(POSITIVE);
    VLLM_ARGS: Texts = free("llm.vllm.args");
    VLLM_HEALTH_TIMEOUT_S: f64 = free("llm.vllm.health_timeout_s"), limit(SECONDS_OF_A_DAY);
    VLLM_AUTO_STOP: bool = free("llm.vllm.auto_stop_on_exit");
}

keys! {
    LLAMACPP:
    LLAMACPP_COMMAND: Text = free("llm.llamacpp.command");
    LLAMACPP_MODEL: Text = free("llm.llamacpp.model");
    LLAMACPP_NAME: Text = free("llm.llamacpp.served_model_name");
    LLAMACPP_REPLICAS: u16 = free("llm.llamacpp.replicas"), limit(Limit::above_zero(1_000.0));
    LLAMACPP_HOST: Text = free("llm.llamacpp.host");
    LLAMACPP_PORT_START: u16 = free("llm.llamacpp.port_start"), limit(PORT);
    CONTEXT: u32 = free("llm.llamacpp.context"), limit(COUNT);
    SLOTS: u32 = free("llm.llamacpp.slots"), limit(POSITIVE);
    THREADS: Option<u32> = free("llm.llamacpp.threads"), limit(POSITIVE);
    LLAMACPP_ARGS: Texts = free("llm.llamacpp.args");
    LLAMACPP_HEALTH_TIMEOUT_S: f64 = free("llm.llamacpp.health_timeout_s"), limit(SECONDS_OF_A_DAY);
    LLAMACPP_AUTO_STOP: bool = free("llm.llamacpp.auto_stop_on_exit");
}
