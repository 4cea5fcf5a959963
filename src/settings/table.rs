//! The table of every key: each is declared here and nowhere else.
//!
//! A line is the name by which the program asks for the key, the type of its value, whether a run's data follow from it
//! (`fixed`, `through`, else `free`) and its path; then its bounds, the environment variables that override it, and
//! former names. Defaults and explanations are in `config/default.yaml`, which has exactly these keys. A key that
//! nobody asks for does not compile, but for those without a name, which are accepted and change nothing.

use super::asking::recorded;
use super::choices::{
    CoverageMode, JudgeMode, NearMethod, OnFail, ReplyForm, RerankerBackend, ServiceTier, StoreBackend, Trace, TurnMode,
};
use super::cluster::{ClusterBackend, Launcher};
use super::keys::{Key, Limit};
use super::sources;
use super::told::{extra, on_fail, optional, output_dir, required};
use super::types::{Endpoints, Mapping, OneOf, Setting, Text, Texts, word_of};
use crate::domain::task::RetrievalMode;
use crate::domain::{Agent, Normalisation, QuestionMode, Register, minhash};
use crate::knowledge;
use crate::knowledge::embeddings::{Backend, Device};
use crate::output::logs::LogLevel;
use crate::plan::{Distribution, MatchLanguage, NearScope};
use crate::publish::RepoType;
use crate::stages::Granularity;
use crate::traffic;

/// Every key, by area.
pub(super) const TABLE: &[&[Key]] = &[
    RUN,
    CLUSTER,
    RAY,
    SPAWN_COORDINATOR,
    STORE,
    POSTGRES,
    LLM,
    servers::SERVING,
    servers::VLLM,
    servers::LLAMACPP,
    USER,
    QUESTIONS,
    ASSISTANT,
    ANSWERS,
    JUDGE_AGENT,
    KNOWLEDGE,
    COVERAGE,
    WEB_SEARCH,
    RETRIEVAL,
    INDEX_AND_RERANKING,
    REST,
    checks::CHECKS,
    checks::CALIBRATION,
    SAVING,
    HUB,
    LOGS,
];

/// Declares keys that the program asks for.
macro_rules! keys {
    ($group:ident: $($name:ident: $type:ty = $new:ident($path:literal $(, $told:expr)?) $(, $with:ident($value:expr))*;)+) => {
        $(#[deny(dead_code)] pub(in crate::settings) const $name: Setting<$type> = Setting::new($path);)+
        pub(in crate::settings) const $group: &[Key] = &[$(Key::$new::<$type>($path $(, $told)?)$(.$with($value))*),+];
    };
}

/// A key that every agent has, by which its value is asked for; in the order of [`Agent::ALL`].
pub(super) struct OfAgent<T>([Setting<T>; 3]);

impl<T> OfAgent<T> {
    /// The key of one of them.
    pub const fn of(&self, agent: Agent) -> Setting<T> {
        self.0[agent as usize]
    }
}

/// Declares keys that every agent has.
macro_rules! agent_keys {
    ($($keys:tt)+) => {
        keys_by_agent! { $($keys)+ }
        keys_of_agent! { USER, Agent::User, "llm.agents.user.", "LLM_USER_", "LLM_QA_GENERATOR_": $($keys)+ }
        keys_of_agent! { ASSISTANT, Agent::Assistant, "llm.agents.assistant.", "LLM_ASSISTANT_", "LLM_KB_RESPONDER_": $($keys)+ }
        keys_of_agent! { JUDGE_AGENT, Agent::Judge, "llm.agents.judge.", "LLM_JUDGE_", "LLM_QA_JUDGE_": $($keys)+ }
    };
}

macro_rules! keys_by_agent {
    ($($name:ident: $type:ty = $new:ident($key:literal $(, $told:expr)?)
        $(, limit($limit:expr))? $(, env($env:literal))? $(, old_env($old_env:literal))?;)+) => {
        $(#[deny(dead_code)] pub(in crate::settings) const $name: OfAgent<$type> = OfAgent([
            Setting::new(concat!("llm.agents.user.", $key)),
            Setting::new(concat!("llm.agents.assistant.", $key)),
            Setting::new(concat!("llm.agents.judge.", $key)),
        ]);)+
    };
}

macro_rules! keys_of_agent {
    ($list:ident, $agent:expr, $under:literal, $prefix:literal, $old_prefix:literal:
        $($name:ident: $type:ty = $new:ident($key:literal $(, $told:expr)?)
        $(, limit($limit:expr))? $(, env($env:literal))? $(, old_env($old_env:literal))?;)+) => {
        const $list: &[Key] = &[$(
            Key::$new::<$type>(concat!($under, $key) $(, $agent, $told)?)
                $(.limit($limit))?
                $(.env(&[concat!($prefix, $env)]))?
                $(.old_env(&[concat!($old_prefix, $old_env)]))?
        ),+];
    };
}

const COUNT: Limit = Limit::between(0.0, u32::MAX as f64);
/// More than a server takes, and as many lanes as are numbered.
const CONNECTIONS: Limit = Limit::between(0.0, 10_000.0);
const DAY_IN_MS: Limit = Limit::between(0.0, 86_400_000.0);
const POSITIVE: Limit = Limit::above_zero(u32::MAX as f64);
const TURNS: Limit = Limit::above_zero(10_000.0);
const SHARE: Limit = Limit::between(0.0, 1.0);
const SIGNED: Limit = Limit::between(f64::NEG_INFINITY, u32::MAX as f64);
const MANY: Limit = Limit::above_zero(f64::INFINITY);
const FROM_ZERO: Limit = Limit::from(0.0);
const SECONDS_OF_A_DAY: Limit = Limit::above_zero(86_400.0);
const UP_TO_A_DAY: Limit = Limit::between(f64::NEG_INFINITY, 86_400.0);
const SECONDS_OF_A_YEAR: Limit = Limit::above_zero(366.0 * 86_400.0);

keys! {
    RUN:
    BATCH_SIZE: u32 = fixed("run.batch_size", |s| s.batch_size.to_string()), limit(POSITIVE), env(&["BATCH_SIZE"]);
    CONCURRENCY: Option<u32> = free("run.concurrency"), limit(POSITIVE), env(&["CONCURRENCY"]);
    LOOKAHEAD: u32 = fixed("run.lookahead", |s| s.lookahead.to_string()), limit(Limit::above_zero(1_000_000.0));
    TOTAL_SAMPLES: u32 = fixed("run.total_samples", |s| s.total_samples.to_string()),
        limit(COUNT), env(&["TOTAL_SAMPLES"]);
    TARGET_LANGUAGES: Texts = fixed("run.target_languages", |s| serde_json::json!(s.languages).to_string()),
        env(&["TARGET_LANGUAGES"]), old_env(&["TARGET_LANGUAGE"]), under(&["run.target_language"]);
    RUN_ID: Text = free("run.run_id"), env(&["RUN_ID"]);
    RESUME_RUN_ID: Text = free("run.resume_run_id"), env(&["RESUME_RUN_ID"]);
    REUSE_FROM: Text = fixed("run.reuse_from", |s| s.reuse_from.clone().unwrap_or_default()), env(&["REUSE_FROM"]);
    SEED: Option<u64> = fixed("run.seed", |s| optional(s.plan.seed)), limit(FROM_ZERO), env(&["RUN_SEED"]);
    BUDGET_USD: Option<f64> = free("run.budget.usd"), limit(MANY), env(&["RUN_BUDGET_USD"]);
    BUDGET_TOKENS: Option<u64> = free("run.budget.tokens"), limit(MANY), env(&["RUN_BUDGET_TOKENS"]);
    BUDGET_CALLS: Option<u64> = free("run.budget.calls"), limit(MANY), env(&["RUN_BUDGET_CALLS"]);
    TURNS_MODE: OneOf<TurnMode> = through("run.turns.mode", TURNS_MIN.path);
    TURNS_EXACT: Option<u16> = through("run.turns.exact", TURNS_MIN.path),
        limit(TURNS), env(&["N_TURNS"]), over(&["run.n_turns"]);
    TURNS_MIN: u16 = fixed("run.turns.min", |s| s.plan.turns.min.to_string()),
        limit(TURNS), env(&["MIN_TURNS"]), over(&["run.min_turns"]);
    TURNS_MAX: u16 = fixed("run.turns.max", |s| s.plan.turns.max.to_string()),
        limit(TURNS), env(&["MAX_TURNS"]), over(&["run.max_turns"]);
    TURNS_DISTRIBUTION: OneOf<Distribution> = fixed("run.turns.distribution", |s| word_of(s.plan.turns.distribution).to_owned()),
        env(&["TURN_COUNT_DISTRIBUTION"]), over(&["run.turn_count_distribution"]);
    TURNS_MEAN: Option<f64> = fixed("run.turns.mean", |s| optional(s.plan.turns.mean)),
        limit(MANY), env(&["TURN_COUNT_MEAN"]), over(&["run.turn_count_mean"]);
    QUESTION: Text = fixed("run.data.seeding.question", |s| s.plan.question.clone()),
        env(&["QUESTION", "QUESTION_SEED"]), under(&["run.seed_question", "run.question_seed"]);
    TOPICS_PATH: Text = fixed("run.data.seeding.topics.path", |s| s.topics_path.clone()),
        env(&["SEED_TOPICS_PATH"]), over(&["run.seed_topics_path"]);
    TOPICS_ENABLED: bool = fixed("run.data.seeding.topics.enabled", |s| s.topics_enabled.to_string()),
        env(&["SEED_TOPICS_ENABLED"]), over(&["run.seed_topics_enabled"]);
    TOPICS_VARIANT: Text = fixed("run.data.seeding.topics.variant", |s| s.plan.topics_variant.clone()),
        env(&["SEED_TOPICS_VARIANT"]), over(&["run.seed_topics_variant"]);
    TOPICS_PROBABILITY: f64 = fixed("run.data.seeding.topics.probability", |s| s.plan.topics_probability.to_string()),
        limit(SHARE), env(&["SEED_TOPICS_PROBABILITY"]), over(&["run.seed_topics_probability"]);
}

keys! {
    CLUSTER:
    DISTRIBUTED_ENABLED: bool = free("run.distributed.enabled"), env(&["DISTRIBUTED_ENABLED"]);
    DISTRIBUTED_BACKEND: OneOf<ClusterBackend> = free("run.distributed.backend"),
        env(&["DISTRIBUTED_BACKEND"]), old_env(&["DISTRIBUTED_EXECUTOR"]), under(&["run.distributed.executor"]);
    LAUNCHER: OneOf<Launcher> = free("run.distributed.launcher"), env(&["DISTRIBUTED_LAUNCHER"]);
    PROCESSES: u16 = free("run.distributed.processes"), limit(Limit::between(1.0, 1024.0)), env(&["DISTRIBUTED_PROCESSES"]);
    CLUSTER_WORKERS: u16 = free("run.distributed.workers"), limit(Limit::between(1.0, 256.0)), env(&["DISTRIBUTED_WORKERS"]);
    HOSTS: Texts = free("run.distributed.hosts"), env(&["DISTRIBUTED_HOSTS"]);
    CLUSTER_PORT: u16 = free("run.distributed.port"), limit(Limit::between(1.0, 65_535.0)), env(&["DISTRIBUTED_PORT"]);
    CLUSTER_SECRET: Text = free("run.distributed.secret"), env(&["DLGFORGE_CLUSTER_SECRET"]);
    START_TIMEOUT: f64 = free("run.distributed.start_timeout_s"), limit(SECONDS_OF_A_DAY);
    RESTARTS: u32 = free("run.distributed.restarts"), limit(COUNT);
}

keys! {
    RAY:
    SPAWN_WORKERS: bool = free("run.distributed.spawn.workers"), env(&["DISTRIBUTED_SPAWN_WORKERS"]);
    RAY_ADDRESS: Text = free("run.distributed.ray.address"), env(&["RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"]);
    RAY_OR_LOCAL: bool = free("run.distributed.ray.auto_start_local"), env(&["RAY_AUTO_START_LOCAL"]);
    RAY_NAMESPACE: Text = free("run.distributed.ray.namespace"), env(&["RAY_NAMESPACE"]);
    RAY_CPUS: f64 = free("run.distributed.ray.actor.num_cpus"), limit(FROM_ZERO), env(&["RAY_ACTOR_NUM_CPUS"]);
    RAY_GPUS: f64 = free("run.distributed.ray.actor.num_gpus"), limit(FROM_ZERO), env(&["RAY_ACTOR_NUM_GPUS"]);
    RAY_FIRST_CPUS: f64 = free("run.distributed.ray.actor.coordinator_num_cpus"), limit(FROM_ZERO), env(&["RAY_COORDINATOR_NUM_CPUS"]);
    RAY_ASKING: u16 = free("run.distributed.ray.actor.replicas_qa"), limit(Limit::between(1.0, 500.0)), env(&["RAY_REPLICAS_QA"]);
    RAY_ANSWERING: u16 = free("run.distributed.ray.actor.replicas_complete"), limit(Limit::between(1.0, 500.0)),
        env(&["RAY_REPLICAS_COMPLETE"]);
}

/// Nobody asks for it: the first process always runs where the command does.
const SPAWN_COORDINATOR: &[Key] =
    &[Key::free::<bool>("run.distributed.spawn.coordinator").env(&["DISTRIBUTED_SPAWN_COORDINATOR"])];

keys! {
    STORE:
    STORE_BACKEND: OneOf<StoreBackend> = free("store.backend"), env(&["STORE_BACKEND"]);
    KEEP_CALLS: bool = free("store.keep_calls"), env(&["KEEP_CALLS"]);
    KEEP_REQUESTS: bool = free("store.keep_requests");
}

keys! {
    POSTGRES:
    POSTGRES_DSN: Text = free("store.postgres.dsn"), env(&["DLGFORGE_POSTGRES_DSN", "POSTGRES_DSN"]);
    MIN_POOL_SIZE: u32 = free("store.postgres.min_pool_size"), limit(CONNECTIONS);
    MAX_POOL_SIZE: u32 = free("store.postgres.max_pool_size"), limit(CONNECTIONS);
    STATEMENT_TIMEOUT_MS: u32 = free("store.postgres.statement_timeout_ms"), limit(DAY_IN_MS);
}

keys! {
    LLM:
    PRICES: Text = free("llm.prices");
    MAX_OUTAGE: f64 = free("llm.max_outage"), limit(SECONDS_OF_A_YEAR);
    ROUTING_STRATEGY: OneOf<traffic::Strategy> = free("llm.routing.strategy"), env(&["LLM_ROUTING_STRATEGY"]);
    ROUTING_ENDPOINTS: Endpoints = through("llm.routing.endpoints", sources::ENDPOINT_MODELS),
        env(&["LLM_ROUTING_ENDPOINTS_JSON"]);
}

pub(super) mod checks;
pub(super) mod servers;

/// The keys of an item of `llm.routing.endpoints`.
pub(super) mod endpoint {
    use super::{Key, MANY, POSITIVE, SECONDS_OF_A_DAY, Setting, Text};

    keys! {
        KEYS:
        NAME: Text = free("name");
        PROVIDER: Text = free("provider");
        BASE_URL: Text = free("base_url");
        API_KEY: Text = free("api_key");
        API_KEY_ENV: Text = free("api_key_env");
        MODEL: Text = free("model");
        WEIGHT: f64 = free("weight"), limit(MANY);
        MAX_IN_FLIGHT: u32 = free("max_in_flight"), limit(POSITIVE);
        TIMEOUT_S: f64 = free("timeout_s"), limit(SECONDS_OF_A_DAY);
        RPM: u32 = free("rpm"), limit(POSITIVE);
        TPM: u64 = free("tpm"), limit(MANY);
    }
}

agent_keys! {
    PROVIDER: Text = of_agent("provider", |agent| agent.provider.clone()), env("PROVIDER"), old_env("PROVIDER");
    MODEL: Text = of_agent("model", |agent| agent.model.clone()), env("MODEL"), old_env("MODEL");
    BASE_URL: Text = free("base_url"), env("BASE_URL"), old_env("BASE_URL");
    TEMPERATURE: Option<f64> = of_agent("temperature", |agent| optional(agent.temperature)),
        limit(FROM_ZERO), env("TEMPERATURE"), old_env("TEMPERATURE");
    MAX_TOKENS: Option<u64> = of_agent("max_tokens", |agent| optional(agent.max_tokens)),
        limit(POSITIVE), env("MAX_TOKENS"), old_env("MAX_TOKENS");
    TOP_P: Option<f64> = of_agent("top_p", |agent| optional(agent.top_p)), limit(SHARE), env("TOP_P"), old_env("TOP_P");
    TIMEOUT: f64 = free("timeout"), limit(SECONDS_OF_A_DAY), env("TIMEOUT"), old_env("TIMEOUT");
    MAX_RETRIES: u32 = free("max_retries"), limit(COUNT), env("MAX_RETRIES"), old_env("MAX_RETRIES");
    RPM: Option<u32> = free("rpm"), limit(POSITIVE), env("RPM"), old_env("RPM");
    TPM: Option<u64> = free("tpm"), limit(MANY), env("TPM"), old_env("TPM");
    SERVICE_TIER: OneOf<ServiceTier> = free("service_tier"), env("SERVICE_TIER");
    EXTRA: Mapping = of_agent("extra", extra);
}

keys! {
    ANSWERS:
    TRACE: OneOf<Trace> = fixed("llm.agents.assistant.trace", |s| if s.answers.full_trace { "full" } else { "light" }.to_owned()),
        env(&["LLM_ASSISTANT_TRACE"]);
}

keys! {
    QUESTIONS:
    REPLY: OneOf<ReplyForm> = fixed("llm.agents.user.reply", |s| optional(s.asks.text.as_ref().map(|_| "text")));
    END: Text = fixed("llm.agents.user.end", |s| optional(s.asks.text.as_ref()));
}

keys! {
    KNOWLEDGE:
    FOLLOW_LINKS: bool = through("knowledge.follow_links", sources::KNOWLEDGE), env(&["KB_FOLLOW_LINKS"]);
    TEXT_COLUMN: Text = through("knowledge.text_column", sources::KNOWLEDGE);
    ID_COLUMN: Text = through("knowledge.id_column", sources::KNOWLEDGE);
    MAX_SIZE_MB: f64 = through("knowledge.max_size_mb", sources::KNOWLEDGE), limit(Limit::above_zero(1e6));
    MAX_PAGES: usize = through("knowledge.max_pages", sources::KNOWLEDGE), limit(MANY);
    READING_TIMEOUT_S: u64 = through("knowledge.timeout_s", sources::KNOWLEDGE), limit(SECONDS_OF_A_DAY);
    MAX_MEMORY_MB: f64 = through("knowledge.max_memory_mb", sources::KNOWLEDGE), limit(Limit::between(100.0, 1e6));
}

keys! {
    COVERAGE:
    DOC_COVERAGE_MODE: OneOf<CoverageMode> = fixed(
        "coverage.doc_coverage_mode", |s| if s.plan.coverage.balanced { "balanced" } else { "off" }.to_owned()
    ), env(&["DOC_COVERAGE_MODE"]);
    DOC_COVERAGE_EPSILON: f64 = fixed("coverage.doc_coverage_epsilon", |s| s.plan.coverage.epsilon.to_string()),
        limit(SHARE), env(&["DOC_COVERAGE_EPSILON"]);
    DOC_COVERAGE_FRACTION: f64 = fixed("coverage.doc_coverage_fraction", |s| s.plan.coverage.fraction.to_string()),
        limit(SIGNED), env(&["DOC_COVERAGE_FRACTION"]);
    MATCH_LANGUAGE: OneOf<MatchLanguage> = fixed(
        "coverage.match_language", |s| word_of(s.plan.coverage.match_language).to_owned()
    ), env(&["MATCH_LANGUAGE"]), old_env(&["DOCUMENT_LANGUAGE"]), under(&["coverage.document_language"]);
    LINKED: f64 = fixed("coverage.linked", |s| s.plan.coverage.linked.to_string()), limit(SHARE), env(&["COVERAGE_LINKED"]);
    QUESTION_DEDUP_RETRIES: u16 = fixed("coverage.question_dedup_retries", |s| s.plan.coverage.dedup_retries.to_string()),
        limit(Limit::between(0.0, 10_000.0)), env(&["QUESTION_DEDUP_RETRIES"]);
    NORMALISATION: OneOf<Normalisation> = fixed(
        "coverage.normalisation", |s| s.plan.coverage.normalisation.as_str().to_owned()
    ), env(&["COVERAGE_NORMALISATION"]);
    NEAR_METHOD: OneOf<NearMethod> = fixed(
        "coverage.near_duplicates.method", |s| optional(s.plan.coverage.near.map(|near| word_of(NearMethod::of(near.measure))))
    );
    NEAR_THRESHOLD: f64 = fixed(
        "coverage.near_duplicates.threshold", |s| optional(s.plan.coverage.near.map(|near| near.measure.threshold().share()))
    ), limit(Limit::between(*minhash::THRESHOLDS.start(), *minhash::THRESHOLDS.end()));
    NEAR_SCOPE: OneOf<NearScope> = fixed(
        "coverage.near_duplicates.scope", |s| optional(s.plan.coverage.near.map(|near| word_of(near.scope)))
    );
    DECONTAMINATE: Texts = through("coverage.decontaminate", sources::HELD_OUT);
    DECONTAMINATE_NGRAM: u16 = fixed(
        "coverage.decontaminate_ngram", |s| optional(Some(s.held_out.ngram).filter(|_| !s.held_out.files.is_empty()))
    ), limit(Limit::between(4.0, 50.0));
    REQUIRE_RETRIEVAL: bool = fixed("coverage.require_retrieval", |s| s.answers.require_retrieval.to_string()),
        env(&["REQUIRE_RETRIEVAL"]);
    QUESTION_CANDIDATES: u16 = fixed("coverage.candidates", |s| optional(Some(s.plan.coverage.candidates).filter(|count| *count > 1))),
        limit(Limit::between(1.0, 16.0));
    MODES: Mapping = fixed("coverage.modes", |s| recorded(&s.plan.modes, QuestionMode::as_str));
    REGISTERS: Mapping = fixed("coverage.registers", |s| recorded(&s.plan.style.registers, Register::as_str));
    WORDS_MEAN: Option<f64> = fixed(
        "coverage.words.mean", |s| s.plan.style.words.map(|words| words.mean.to_string()).unwrap_or_default()
    ), limit(Limit::between(1.0, 400.0));
    WORDS_SIGMA: f64 = fixed(
        "coverage.words.sigma", |s| s.plan.style.words.map(|words| words.sigma.to_string()).unwrap_or_default()
    ), limit(Limit::between(0.0, 3.0));
}

keys! {
    WEB_SEARCH:
    WEB_ENABLED: bool = through("tools.web_search.enabled", sources::WEB),
        env(&["ENABLE_WEB_TOOLS"]), under(&["tools.web_search_enabled"]);
    WEB_RESULTS: i64 = through("tools.web_search.serper_num_results", sources::WEB),
        limit(SIGNED), env(&["SERPER_NUM_RESULTS"]), under(&["tools.serper_num_results"]);
    WEB_TIMEOUT: f64 = free("tools.web_search.serper_timeout"),
        limit(UP_TO_A_DAY), env(&["SERPER_TIMEOUT"]), under(&["tools.serper_timeout"]);
    WEB_BASE_URL: Text = free("tools.web_search.base_url"), env(&["SERPER_BASE_URL"]);
    WEB_ALLOW: Texts = through("tools.web_search.allow", sources::WEB);
    WEB_DENY: Texts = through("tools.web_search.deny", sources::WEB);
}

keys! {
    RETRIEVAL:
    RETRIEVAL_MODE: OneOf<RetrievalMode> = fixed("tools.retrieval.mode", |s| s.answers.retrieval.as_str().to_owned()),
        env(&["RETRIEVAL_MODE"]);
    TOP_K: usize = fixed("tools.retrieval.top_k", |s| s.top_k.to_string()),
        limit(POSITIVE), env(&["KB_DEFAULT_K"]), under(&["tools.retrieval.default_k"]);
    CONVERT: Mapping = through("tools.retrieval.convert", sources::KNOWLEDGE);
    CONVERT_TIMEOUT_S: f64 = through("tools.retrieval.convert_timeout_s", sources::KNOWLEDGE), limit(SECONDS_OF_A_DAY);
    CHUNK_STRATEGY: OneOf<knowledge::Strategy> = fixed(
        "tools.retrieval.chunking.strategy", |s| s.knowledge.strategy.as_str().to_owned()
    ), env(&["KB_CHUNK_STRATEGY"]);
    CHUNK_SIZE: usize = fixed("tools.retrieval.chunking.chunk_size", |s| s.knowledge.chunk_size.to_string()),
        limit(POSITIVE), env(&["KB_CHUNK_SIZE"]), under(&["tools.retrieval.chunk_size"]);
    CHUNK_OVERLAP: Option<i64> = fixed(
        "tools.retrieval.chunking.chunk_overlap", |s| s.knowledge.chunk_overlap.to_string()
    ), limit(SIGNED), env(&["KB_CHUNK_OVERLAP"]), under(&["tools.retrieval.overlap"]);
    PERSIST_DIR: Text = free("tools.retrieval.index.persist_dir"), env(&["KB_PERSIST_DIR"]), under(&["tools.retrieval.persist_dir"]);
}

keys! {
    INDEX_AND_RERANKING:
    REBUILD: bool = free("tools.retrieval.index.rebuild"), env(&["KB_REBUILD_INDEX"]), under(&["tools.retrieval.rebuild_index"]);
    SKIP_IF_UNCHANGED: bool = free("tools.retrieval.index.skip_if_unchanged"),
        env(&["KB_SKIP_IF_UNCHANGED"]), under(&["tools.retrieval.skip_if_unchanged"]);
    EMBEDDING_BACKEND: OneOf<Backend> = through("tools.retrieval.embeddings.backend", sources::EMBEDDINGS),
        env(&["KB_EMBEDDING_BACKEND"]), under(&["tools.retrieval.embedding_backend"]);
    EMBEDDING_MODEL: Text = through("tools.retrieval.embeddings.model", sources::EMBEDDINGS),
        under(&["tools.retrieval.embedding_model", "models.embedding_model"]);
    FALLBACK_EMBEDDING_MODEL: Text = through("tools.retrieval.embeddings.fallback_model", sources::EMBEDDINGS),
        env(&["FALLBACK_EMBEDDING_MODEL"]), under(&["models.fallback_embedding_model"]);
    RANKING: OneOf<knowledge::Ranking> = through("tools.retrieval.embeddings.ranking", sources::EMBEDDINGS);
    EMBEDDING_DEVICE: OneOf<Device> = free("tools.retrieval.embeddings.device"),
        env(&["KB_EMBEDDING_DEVICE"]), under(&["tools.retrieval.embedding_device"]);
    FALLBACK_ON_CPU: bool = free("tools.retrieval.embeddings.fallback_on_cpu"),
        env(&["KB_FALLBACK_ON_CPU"]), under(&["tools.retrieval.fallback_on_cpu"]);
    RUNTIME: Text = free("tools.retrieval.embeddings.runtime");
    EMBEDDING_BATCH_SIZE: usize = free("tools.retrieval.embeddings.batch_size"), limit(POSITIVE);
    EMBEDDING_MAX_LENGTH: Option<usize> = through("tools.retrieval.embeddings.max_length", sources::EMBEDDINGS), limit(POSITIVE);
    QUERY_PREFIX: Option<Text> = through("tools.retrieval.embeddings.query_prefix", sources::EMBEDDINGS);
    PASSAGE_PREFIX: Option<Text> = through("tools.retrieval.embeddings.passage_prefix", sources::EMBEDDINGS);
    EMBEDDING_BASE_URL: Text = free("tools.retrieval.embeddings.base_url");
    EMBEDDING_API_KEY_ENV: Text = free("tools.retrieval.embeddings.api_key_env");
    EMBEDDING_TIMEOUT: u64 = free("tools.retrieval.embeddings.timeout"), limit(SECONDS_OF_A_DAY);
    MODEL_KWARGS: Mapping = free("tools.retrieval.embeddings.model_kwargs"),
        env(&["KB_EMBEDDING_MODEL_KWARGS_JSON"]), under(&["tools.retrieval.embedding_model_kwargs"]);
    TOKENIZER_KWARGS: Mapping = free("tools.retrieval.embeddings.tokenizer_kwargs"),
        env(&["KB_EMBEDDING_TOKENIZER_KWARGS_JSON"]), under(&["tools.retrieval.embedding_tokenizer_kwargs"]);
    ENCODE_KWARGS: Mapping = free("tools.retrieval.embeddings.encode_kwargs"),
        env(&["KB_EMBEDDING_ENCODE_KWARGS_JSON"]), under(&["tools.retrieval.embedding_encode_kwargs"]);
    RERANKER_ENABLED: bool = through("tools.retrieval.reranker.enabled", sources::RERANKER), under(&["models.use_reranker"]);
    RERANKER_MODEL: Text = through("tools.retrieval.reranker.model", sources::RERANKER), under(&["models.reranker_model"]);
    CANDIDATES: usize = through("tools.retrieval.reranker.candidates", sources::RERANKER),
        limit(POSITIVE), under(&["models.reranker_candidates"]);
    RERANKER_BATCH_SIZE: usize = free("tools.retrieval.reranker.batch_size"),
        limit(POSITIVE), under(&["models.reranker_batch_size"]);
    RERANKER_BACKEND: OneOf<RerankerBackend> = through("tools.retrieval.reranker.backend", sources::RERANKER),
        under(&["models.reranker_backend"]);
    INSTRUCTION: Text = through("tools.retrieval.reranker.instruction", sources::RERANKER),
        under(&["models.reranker_instruction"]);
    RERANKER_MAX_LENGTH: usize = through("tools.retrieval.reranker.max_length", sources::RERANKER),
        limit(POSITIVE), under(&["models.reranker_max_length"]);
    RERANKER_CMD: Option<Text> = through("tools.retrieval.reranker.cmd", sources::RERANKER),
        under(&["models.qwen3_reranker_cmd"]);
    RERANKER_BASE_URL: Text = free("tools.retrieval.reranker.base_url");
    RERANKER_API_KEY_ENV: Text = free("tools.retrieval.reranker.api_key_env");
    RERANKER_TIMEOUT: u64 = free("tools.retrieval.reranker.timeout"), limit(SECONDS_OF_A_DAY);
}

keys! {
    REST:
    PERSONAS_ENABLED: bool = through("personas.enabled", sources::PERSONAS);
    PERSONAS_PATH: Text = through("personas.path", sources::PERSONAS);
    PERSONAS_COLUMN: Text = through("personas.column", sources::PERSONAS);
    PROMPTS_PATH: Text = through("prompts.path", sources::PROMPTS);
    JUDGE_ENABLED: bool = through("judge.enabled", JUDGE_MODE.path), env(&["JUDGE_ENABLED"]);
    JUDGE_MODE: OneOf<JudgeMode> = fixed(
        "judge.mode", |s| if s.agents.get(Agent::Judge).is_some() { "online" } else { "offline" }.to_owned()
    ), env(&["JUDGE_MODE"]);
    GRANULARITY: OneOf<Granularity> = fixed("judge.granularity", |s| s.judge.granularity.as_str().to_owned()),
        env(&["JUDGE_GRANULARITY"]);
    REASONS: Texts = fixed("judge.reasons", |s| s.judge.reasons.join(", "));
    MIN_SCORE: u8 = fixed("judge.accept.min_score", |s| s.judge.accept.min_score.to_string()),
        limit(Limit::between(0.0, 10.0)), env(&["JUDGE_MIN_SCORE"]);
    REQUIRE: Texts = fixed("judge.accept.require", required), env(&["JUDGE_REQUIRE"]);
    REJECT_REASONS: Texts = fixed("judge.accept.reject_reasons", |s| s.judge.accept.reject_reasons.join(", "));
    ON_FAIL: OneOf<OnFail> = fixed("judge.accept.on_fail", |s| on_fail(&s.judge.accept).to_owned()),
        env(&["JUDGE_ON_FAIL"]);
    REPAIRS: u16 = fixed("judge.accept.repairs", |s| optional(Some(s.judge.accept.repairs).filter(|repairs| *repairs > 0))),
        limit(Limit::between(1.0, 10.0));
    REGENERATIONS: u16 = fixed("judge.accept.regenerations",
        |s| optional(Some(s.judge.accept.regenerations).filter(|turns| *turns > 0))), limit(Limit::between(1.0, 10.0));
}

keys! {
    SAVING:
    OUTPUT_DIR: Text = fixed("saving.output_dir", output_dir), env(&["OUTPUT_DIR"]);
    FILES: Texts = fixed("saving.files", |s| s.output.files.listed()), env(&["SAVING_FILES"]);
    RAW: bool = fixed("saving.raw", |s| s.output.raw.to_string()), env(&["SAVING_RAW"]);
    KEEP_DROPPED_ROWS: bool = fixed("saving.keep_dropped_rows", |s| s.output.keep_dropped_rows.to_string()),
        env(&["KEEP_DROPPED_ROWS"]);
    MESSAGES: Text = fixed("saving.output_columns.messages", |s| s.output.columns.messages.clone());
    MESSAGES_WITH_TOOLS: Text = fixed(
        "saving.output_columns.messages_with_tools", |s| s.output.columns.messages_with_tools.clone()
    ), under(&["saving.output_columns.message_with_tools"]);
    TOOLS: Text = fixed("saving.output_columns.tools", |s| s.output.columns.tools.clone());
    METADATA: Text = fixed("saving.output_columns.metadata", |s| s.output.columns.metadata.clone());
    USER_REASONING: Text = fixed("saving.output_columns.user_reasoning", |s| s.output.columns.user_reasoning.clone());
    ASSISTANT_REASONING: Text = fixed(
        "saving.output_columns.assistant_reasoning", |s| s.output.columns.assistant_reasoning.clone()
    );
    JUDGE: Text = fixed("saving.output_columns.judge", |s| s.output.columns.judge.clone());
}

keys! {
    HUB:
    PUSH_ENABLED: bool = free("saving.hf_push.enabled"), env(&["HF_PUSH_ENABLED"]);
    PUSH_AFTER_RUN: bool = free("saving.hf_push.auto_push_on_run"), env(&["HF_AUTO_PUSH_ON_RUN"]);
    PUSH_REPO_ID: Text = free("saving.hf_push.repo_id"), env(&["HF_PUSH_REPO_ID"]);
    PUSH_REPO_TYPE: OneOf<RepoType> = free("saving.hf_push.repo_type"), env(&["HF_PUSH_REPO_TYPE"]);
    PUSH_EXPORT_DIR: Text = free("saving.hf_push.export_dir"), env(&["HF_PUSH_EXPORT_DIR"]);
    PUSH_RUN_STATE: bool = free("saving.hf_push.include_run_state"), env(&["HF_PUSH_INCLUDE_RUN_STATE"]);
    PUSH_PRIVATE: bool = free("saving.hf_push.private"), env(&["HF_PUSH_PRIVATE"]);
    PUSH_MESSAGE: Text = free("saving.hf_push.commit_message"), env(&["HF_PUSH_COMMIT_MESSAGE"]);
    PUSH_LICENSE: Text = free("saving.hf_push.license");
    PUSH_SOURCE_FILE: Text = free("saving.hf_push.source_file"), env(&["HF_PUSH_SOURCE_FILE"]);
    PUSH_STATS: bool = free("saving.hf_push.generate_stats"), env(&["HF_PUSH_GENERATE_STATS"]);
    PUSH_STATS_FILE: Text = free("saving.hf_push.stats_file"), env(&["HF_PUSH_STATS_FILE"]);
    PUSH_PLOTS: bool = free("saving.hf_push.generate_plots"), env(&["HF_PUSH_GENERATE_PLOTS"]);
    PUSH_PLOTS_DIR: Text = free("saving.hf_push.plots_dir"), env(&["HF_PUSH_PLOTS_DIR"]);
    CLEAN_REMOTE: bool = free("saving.hf_push.clean_remote");
}

keys! {
    LOGS:
    LOG_LEVEL: OneOf<LogLevel> = free("logs.level"), env(&["LOGS_LEVEL"]);
}
