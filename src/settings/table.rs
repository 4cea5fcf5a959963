//! The table of every key: what it holds, which values it takes, which environment variables override it.
//!
//! Defaults are in `config/default.yaml`, which has exactly these keys.

use super::keys::Kind::{Boolean, Choice as OneOf, Integer, Mapping, Mappings, Number, Text, Texts};
use super::keys::{Choice, Key, Limit};

/// Every key, by area.
pub(super) const TABLE: &[&[Key]] =
    &[RUN, STORE, LLM, USER, ASSISTANT, ANSWERS, JUDGE_AGENT, KNOWLEDGE, COVERAGE, TOOLS, REST, SAVING];

const fn from(least: f64) -> Limit {
    Limit { least, exclusive: false, most: f64::INFINITY }
}

const fn between(least: f64, most: f64) -> Limit {
    Limit { least, exclusive: false, most }
}

const fn above_zero(most: f64) -> Limit {
    Limit { least: 0.0, exclusive: true, most }
}

const fn word(word: &'static str) -> Choice {
    Choice { word, aliases: &[] }
}

const fn spelled(word: &'static str, aliases: &'static [&'static str]) -> Choice {
    Choice { word, aliases }
}

const fn key(path: &'static str, kind: super::keys::Kind) -> Key {
    Key { path, kind, env: &[], old_env: &[] }
}

impl Key {
    const fn env(self, env: &'static [&'static str]) -> Self {
        Self { env, ..self }
    }

    const fn old_env(self, old_env: &'static [&'static str]) -> Self {
        Self { old_env, ..self }
    }
}

const COUNT: Limit = between(0.0, u32::MAX as f64);
const POSITIVE: Limit = above_zero(u32::MAX as f64);
const TURNS: Limit = above_zero(10_000.0);
const SHARE: Limit = between(0.0, 1.0);
const SIGNED: Limit = between(f64::NEG_INFINITY, u32::MAX as f64);
const MANY: Limit = above_zero(f64::INFINITY);
const A_DAY_IN_S: f64 = 86_400.0;
const A_YEAR_IN_S: f64 = 366.0 * A_DAY_IN_S;

const RUN: &[Key] = &[
    key("run.batch_size", Integer(POSITIVE)).env(&["BATCH_SIZE"]),
    key("run.lookahead", Integer(above_zero(1_000_000.0))),
    key("run.total_samples", Integer(COUNT)).env(&["TOTAL_SAMPLES"]),
    key("run.target_languages", Texts).env(&["TARGET_LANGUAGES"]).old_env(&["TARGET_LANGUAGE"]),
    key("run.run_id", Text).env(&["RUN_ID"]),
    key("run.resume_run_id", Text).env(&["RESUME_RUN_ID"]),
    key("run.reuse_from", Text).env(&["REUSE_FROM"]),
    key("run.seed", Integer(from(0.0))).env(&["RUN_SEED"]),
    key("run.budget.usd", Number(above_zero(f64::INFINITY))).env(&["RUN_BUDGET_USD"]),
    key("run.budget.tokens", Integer(MANY)).env(&["RUN_BUDGET_TOKENS"]),
    key("run.budget.calls", Integer(MANY)).env(&["RUN_BUDGET_CALLS"]),
    key("run.turns.mode", OneOf(&[word("exact"), word("range")])),
    key("run.turns.exact", Integer(TURNS)).env(&["N_TURNS"]),
    key("run.turns.min", Integer(TURNS)).env(&["MIN_TURNS"]),
    key("run.turns.max", Integer(TURNS)).env(&["MAX_TURNS"]),
    key(
        "run.turns.distribution",
        OneOf(&[word("uniform"), spelled("poisson", &["pois"]), spelled("exponential", &["exp"])]),
    )
    .env(&["TURN_COUNT_DISTRIBUTION"]),
    key("run.turns.mean", Number(above_zero(f64::INFINITY))).env(&["TURN_COUNT_MEAN"]),
    key("run.data.seeding.question", Text).env(&["QUESTION", "QUESTION_SEED"]),
    key("run.data.seeding.topics.path", Text).env(&["SEED_TOPICS_PATH"]),
    key("run.data.seeding.topics.enabled", Boolean).env(&["SEED_TOPICS_ENABLED"]),
    key("run.data.seeding.topics.variant", Text).env(&["SEED_TOPICS_VARIANT"]),
    key("run.data.seeding.topics.probability", Number(SHARE)).env(&["SEED_TOPICS_PROBABILITY"]),
    key("run.distributed.enabled", Boolean).env(&["DISTRIBUTED_ENABLED"]),
    key("run.distributed.backend", Text).env(&["DISTRIBUTED_BACKEND"]).old_env(&["DISTRIBUTED_EXECUTOR"]),
    key("run.distributed.spawn.coordinator", Boolean).env(&["DISTRIBUTED_SPAWN_COORDINATOR"]),
    key("run.distributed.spawn.workers", Boolean).env(&["DISTRIBUTED_SPAWN_WORKERS"]),
    key("run.distributed.ray.address", Text).env(&["RAY_ADDRESS"]),
    key("run.distributed.ray.auto_start_local", Boolean).env(&["RAY_AUTO_START_LOCAL"]),
    key("run.distributed.ray.namespace", Text).env(&["RAY_NAMESPACE"]),
    key("run.distributed.ray.actor.num_cpus", Number(from(0.0))).env(&["RAY_ACTOR_NUM_CPUS"]),
    key("run.distributed.ray.actor.num_gpus", Number(from(0.0))).env(&["RAY_ACTOR_NUM_GPUS"]),
    key("run.distributed.ray.actor.coordinator_num_cpus", Number(from(0.0))).env(&["RAY_COORDINATOR_NUM_CPUS"]),
    key("run.distributed.ray.actor.replicas_qa", Integer(POSITIVE)).env(&["RAY_REPLICAS_QA"]),
    key("run.distributed.ray.actor.replicas_complete", Integer(POSITIVE)).env(&["RAY_REPLICAS_COMPLETE"]),
];

const STORE: &[Key] = &[
    key("store.backend", OneOf(&[word("sqlite"), word("postgres")])).env(&["STORE_BACKEND"]),
    key("store.keep_calls", Boolean).env(&["KEEP_CALLS"]),
    key("store.postgres.dsn", Text).env(&["POSTGRES_DSN"]),
    key("store.postgres.min_pool_size", Integer(COUNT)),
    key("store.postgres.max_pool_size", Integer(POSITIVE)),
    key("store.postgres.statement_timeout_ms", Integer(COUNT)),
];

const LLM: &[Key] = &[
    key("llm.mode", OneOf(&[spelled("api", &["openai"]), word("vllm_attach"), word("vllm_managed")]))
        .env(&["LLM_MODE"])
        .old_env(&["LLM_BACKEND"]),
    key("llm.prices", Text),
    key("llm.max_outage", Number(above_zero(A_YEAR_IN_S))),
    key("llm.routing.strategy", OneOf(STRATEGIES)).env(&["LLM_ROUTING_STRATEGY"]),
    key("llm.routing.endpoints", Mappings(ENDPOINT)).env(&["LLM_ROUTING_ENDPOINTS_JSON"]),
    key("llm.vllm.model", Text),
    key("llm.vllm.served_model_name", Text),
    key("llm.vllm.replicas", Integer(POSITIVE)),
    key("llm.vllm.num_gpus_per_replica", Number(from(0.0))),
    key("llm.vllm.host", Text),
    key("llm.vllm.advertise_host", Text),
    key("llm.vllm.port_start", Integer(between(1.0, 65_535.0))),
    key("llm.vllm.tensor_parallel_size", Integer(POSITIVE)),
    key("llm.vllm.gpu_memory_utilization", Number(SHARE)),
    key("llm.vllm.max_num_seqs", Integer(POSITIVE)),
    key("llm.vllm.health_timeout_s", Number(above_zero(A_DAY_IN_S))),
    key("llm.vllm.auto_stop_on_exit", Boolean),
];

/// How an endpoint is chosen.
pub(super) const STRATEGIES: &[Choice] =
    &[word("weighted_least_inflight"), word("round_robin"), word("lowest_latency")];

/// How soon a provider serves a request.
const SERVICE_TIERS: &[Choice] =
    &[word("auto"), word("default"), word("flex"), word("flex_then_standard"), word("priority")];

/// The keys of an item of `llm.routing.endpoints`.
pub(super) const ENDPOINT: &[Key] = &[
    key("name", Text),
    key("provider", Text),
    key("base_url", Text),
    key("api_key", Text),
    key("api_key_env", Text),
    key("model", Text),
    key("weight", Number(above_zero(f64::INFINITY))),
    key("max_in_flight", Integer(POSITIVE)),
    key("timeout_s", Number(above_zero(A_DAY_IN_S))),
    key("rpm", Integer(POSITIVE)),
    key("tpm", Integer(MANY)),
];

macro_rules! agent {
    ($role:literal, $env:literal, $stage:literal) => {
        &[
            agent!($role, "provider", Text, $env, $stage, "_PROVIDER"),
            agent!($role, "model", Text, $env, $stage, "_MODEL"),
            agent!($role, "base_url", Text, $env, $stage, "_BASE_URL"),
            agent!($role, "temperature", Number(from(0.0)), $env, $stage, "_TEMPERATURE"),
            agent!($role, "max_tokens", Integer(POSITIVE), $env, $stage, "_MAX_TOKENS"),
            agent!($role, "top_p", Number(SHARE), $env, $stage, "_TOP_P"),
            agent!($role, "timeout", Number(above_zero(A_DAY_IN_S)), $env, $stage, "_TIMEOUT"),
            agent!($role, "max_retries", Integer(COUNT), $env, $stage, "_MAX_RETRIES"),
            agent!($role, "rpm", Integer(POSITIVE), $env, $stage, "_RPM"),
            agent!($role, "tpm", Integer(MANY), $env, $stage, "_TPM"),
            key(concat!("llm.agents.", $role, ".service_tier"), OneOf(SERVICE_TIERS)).env(&[concat!(
                "LLM_",
                $env,
                "_SERVICE_TIER"
            )]),
            key(concat!("llm.agents.", $role, ".extra"), Mapping),
        ]
    };
    ($role:literal, $name:literal, $kind:expr, $env:literal, $stage:literal, $suffix:literal) => {
        key(concat!("llm.agents.", $role, ".", $name), $kind)
            .env(&[concat!("LLM_", $env, $suffix)])
            .old_env(&[concat!("LLM_", $stage, $suffix)])
    };
}

const USER: &[Key] = agent!("user", "USER", "QA_GENERATOR");
const ASSISTANT: &[Key] = agent!("assistant", "ASSISTANT", "KB_RESPONDER");
const ANSWERS: &[Key] =
    &[key("llm.agents.assistant.trace", OneOf(&[word("light"), word("full")])).env(&["LLM_ASSISTANT_TRACE"])];
const JUDGE_AGENT: &[Key] = agent!("judge", "JUDGE", "QA_JUDGE");

const KNOWLEDGE: &[Key] = &[key("knowledge.follow_links", Boolean).env(&["KB_FOLLOW_LINKS"])];

const COVERAGE: &[Key] = &[
    key("coverage.doc_coverage_mode", OneOf(&[word("balanced"), word("off")])).env(&["DOC_COVERAGE_MODE"]),
    key("coverage.doc_coverage_epsilon", Number(SHARE)).env(&["DOC_COVERAGE_EPSILON"]),
    key("coverage.doc_coverage_fraction", Number(SIGNED)).env(&["DOC_COVERAGE_FRACTION"]),
    key("coverage.document_language", OneOf(&[word("own"), word("any")])).env(&["DOCUMENT_LANGUAGE"]),
    key("coverage.question_dedup_retries", Integer(between(0.0, 10_000.0))).env(&["QUESTION_DEDUP_RETRIES"]),
    key("coverage.normalisation", OneOf(&[word("full"), word("contract")])).env(&["COVERAGE_NORMALISATION"]),
    key("coverage.require_retrieval", Boolean).env(&["REQUIRE_RETRIEVAL"]),
];

const TOOLS: &[Key] = &[
    key("tools.web_search.enabled", Boolean).env(&["ENABLE_WEB_TOOLS"]),
    key("tools.web_search.serper_num_results", Integer(POSITIVE)).env(&["SERPER_NUM_RESULTS"]),
    key("tools.web_search.serper_timeout", Integer(POSITIVE)).env(&["SERPER_TIMEOUT"]),
    key("tools.retrieval.mode", OneOf(&[word("first"), word("tool"), word("both")])).env(&["RETRIEVAL_MODE"]),
    key("tools.retrieval.top_k", Integer(POSITIVE)).env(&["KB_DEFAULT_K"]),
    key("tools.retrieval.chunking.strategy", OneOf(&[word("structure"), word("characters")]))
        .env(&["KB_CHUNK_STRATEGY"]),
    key("tools.retrieval.chunking.chunk_size", Integer(POSITIVE)).env(&["KB_CHUNK_SIZE"]),
    key("tools.retrieval.chunking.chunk_overlap", Integer(SIGNED)).env(&["KB_CHUNK_OVERLAP"]),
    key("tools.retrieval.index.persist_dir", Text).env(&["KB_PERSIST_DIR"]),
    key("tools.retrieval.index.rebuild", Boolean).env(&["KB_REBUILD_INDEX"]),
    key("tools.retrieval.index.skip_if_unchanged", Boolean).env(&["KB_SKIP_IF_UNCHANGED"]),
    key("tools.retrieval.embeddings.backend", OneOf(&[word("lexical"), word("sentence_transformers")]))
        .env(&["KB_EMBEDDING_BACKEND"]),
    key("tools.retrieval.embeddings.model", Text),
    key("tools.retrieval.embeddings.fallback_model", Text).env(&["FALLBACK_EMBEDDING_MODEL"]),
    key("tools.retrieval.embeddings.device", Text).env(&["KB_EMBEDDING_DEVICE"]),
    key("tools.retrieval.embeddings.fallback_on_cpu", Boolean).env(&["KB_FALLBACK_ON_CPU"]),
    key("tools.retrieval.embeddings.model_kwargs", Mapping).env(&["KB_EMBEDDING_MODEL_KWARGS_JSON"]),
    key("tools.retrieval.embeddings.tokenizer_kwargs", Mapping).env(&["KB_EMBEDDING_TOKENIZER_KWARGS_JSON"]),
    key("tools.retrieval.embeddings.encode_kwargs", Mapping).env(&["KB_EMBEDDING_ENCODE_KWARGS_JSON"]),
    key("tools.retrieval.reranker.enabled", Boolean),
    key("tools.retrieval.reranker.model", Text),
    key("tools.retrieval.reranker.candidates", Integer(POSITIVE)),
    key("tools.retrieval.reranker.batch_size", Integer(POSITIVE)),
    key("tools.retrieval.reranker.backend", Text),
    key("tools.retrieval.reranker.instruction", Text),
    key("tools.retrieval.reranker.max_length", Integer(POSITIVE)),
    key("tools.retrieval.reranker.cmd", Text),
];

const REST: &[Key] = &[
    key("personas.enabled", Boolean),
    key("personas.path", Text),
    key("prompts.path", Text),
    key("judge.enabled", Boolean).env(&["JUDGE_ENABLED"]),
    key("judge.mode", OneOf(&[word("online"), word("offline")])).env(&["JUDGE_MODE"]),
    key(
        "judge.granularity",
        OneOf(&[
            spelled("turn", &["per_turn", "turns"]),
            spelled("conversation", &["per_conversation", "conv", "conversation_level"]),
        ]),
    )
    .env(&["JUDGE_GRANULARITY"]),
    key("judge.reasons", Texts),
    key("judge.accept.min_score", Integer(between(0.0, 10.0))).env(&["JUDGE_MIN_SCORE"]),
    key("judge.accept.require", Texts).env(&["JUDGE_REQUIRE"]),
    key("judge.accept.on_fail", OneOf(&[word("keep"), word("drop")])).env(&["JUDGE_ON_FAIL"]),
];

const SAVING: &[Key] = &[
    key("saving.output_dir", Text).env(&["OUTPUT_DIR"]),
    key("saving.files", Texts).env(&["SAVING_FILES"]),
    key("saving.raw", Boolean).env(&["SAVING_RAW"]),
    key("saving.keep_dropped_rows", Boolean).env(&["KEEP_DROPPED_ROWS"]),
    key("saving.output_columns.messages", Text),
    key("saving.output_columns.messages_with_tools", Text),
    key("saving.output_columns.tools", Text),
    key("saving.output_columns.metadata", Text),
    key("saving.output_columns.user_reasoning", Text),
    key("saving.output_columns.assistant_reasoning", Text),
    key("saving.output_columns.judge", Text),
    key("saving.hf_push.enabled", Boolean).env(&["HF_PUSH_ENABLED"]),
    key("saving.hf_push.auto_push_on_run", Boolean).env(&["HF_AUTO_PUSH_ON_RUN"]),
    key("saving.hf_push.repo_id", Text).env(&["HF_PUSH_REPO_ID"]),
    key("saving.hf_push.repo_type", OneOf(&[word("dataset"), word("model"), word("space")]))
        .env(&["HF_PUSH_REPO_TYPE"]),
    key("saving.hf_push.export_dir", Text).env(&["HF_PUSH_EXPORT_DIR"]),
    key("saving.hf_push.include_run_state", Boolean).env(&["HF_PUSH_INCLUDE_RUN_STATE"]),
    key("saving.hf_push.private", Boolean).env(&["HF_PUSH_PRIVATE"]),
    key("saving.hf_push.commit_message", Text).env(&["HF_PUSH_COMMIT_MESSAGE"]),
    key("saving.hf_push.source_file", Text).env(&["HF_PUSH_SOURCE_FILE"]),
    key("saving.hf_push.generate_stats", Boolean).env(&["HF_PUSH_GENERATE_STATS"]),
    key("saving.hf_push.stats_file", Text).env(&["HF_PUSH_STATS_FILE"]),
    key("saving.hf_push.generate_plots", Boolean).env(&["HF_PUSH_GENERATE_PLOTS"]),
    key("saving.hf_push.plots_dir", Text).env(&["HF_PUSH_PLOTS_DIR"]),
    key("saving.hf_push.clean_remote", Boolean),
];
