//! The words that keys take, each with what it stands for.

use super::cluster::{ClusterBackend, Launcher};
use super::keys::Choice;
use super::types::Choices;
use crate::domain::task::RetrievalMode;
use crate::domain::{Jury, Measure, Normalisation};
use crate::knowledge;
use crate::knowledge::embeddings::{Backend, Device};
use crate::output::logs::LogLevel;
use crate::plan::{Distribution, MatchLanguage, NearScope};
use crate::publish::RepoType;
use crate::stages::Granularity;
use crate::traffic;

macro_rules! choices {
    ($($type:ty: $($value:ident = $word:literal $(or $alias:literal)*),+;)+) => {
        $(impl Choices for $type {
            const CHOICES: &'static [Choice] = &[$(Choice { word: $word, aliases: &[$($alias),*] }),+];
            const VALUES: &'static [Self] = &[$(Self::$value),+];
        })+
    };
}

choices! {
    ServingMode: Api = "api" or "openai", VllmAttach = "vllm_attach", VllmManaged = "vllm_managed",
        LlamacppManaged = "llamacpp_managed";
    StoreBackend: Sqlite = "sqlite", Postgres = "postgres" or "postgresql";
    TurnMode: Exact = "exact", Range = "range";
    Distribution: Uniform = "uniform", Poisson = "poisson" or "pois", Exponential = "exponential" or "exp";
    traffic::Strategy: WeightedLeastInflight = "weighted_least_inflight", RoundRobin = "round_robin",
        LowestLatency = "lowest_latency";
    ServiceTier: Auto = "auto", Default = "default", Flex = "flex", FlexThenStandard = "flex_then_standard",
        Priority = "priority";
    Trace: Light = "light", Full = "full";
    ReplyForm: Json = "json", Text = "text";
    CoverageMode: Balanced = "balanced", Off = "off";
    NearMethod: Off = "off", MinHash = "minhash", Embedding = "embedding" or "embeddings";
    NearScope: Run = "run", Folder = "folder";
    MatchLanguage: Prefer = "prefer" or "own", Require = "require", Off = "off" or "any";
    Normalisation: Full = "full", Contract = "contract";
    RetrievalMode: First = "first", Tool = "tool", Both = "both";
    knowledge::Strategy: Structure = "structure", Characters = "characters";
    JudgeMode: Online = "online", Offline = "offline";
    Granularity: Turn = "turn" or "per_turn" or "turns",
        Conversation = "conversation" or "per_conversation" or "conv" or "conversation_level";
    OnFail: Keep = "keep", Drop = "drop", Repair = "repair", Regenerate = "regenerate";
    OnLowAuc: Warn = "warn", Refuse = "refuse";
    Jury: Mean = "mean", Median = "median", Majority = "majority";
    Backend: Auto = "auto" or "sentence_transformers", Lexical = "lexical", Fastembed = "fastembed", OpenAi = "openai";
    Device: Auto = "auto", Cpu = "cpu", Cuda = "cuda";
    knowledge::Ranking: Hybrid = "hybrid", Vector = "vector";
    RerankerBackend: Auto = "auto" or "qwen3", Fastembed = "fastembed", Http = "http", Cmd = "cmd";
    ClusterBackend: Timely = "timely", Ray = "ray";
    Launcher: Local = "local", Manual = "manual", Slurm = "slurm", Kubernetes = "kubernetes" or "k8s", Ray = "ray";
    RepoType: Dataset = "dataset", Model = "model", Space = "space";
    LogLevel: Info = "info", Debug = "debug";
}

/// Whose the model servers are: `llm.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServingMode {
    /// Endpoints are asked wherever they are.
    Api,
    /// They are servers that run already, and are looked at before the run.
    VllmAttach,
    /// The run starts vLLM.
    VllmManaged,
    /// The run starts llama.cpp's server.
    LlamacppManaged,
}

/// What the user model's replies are: `llm.agents.user.reply`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyForm {
    /// JSON, as of a model that follows instructions.
    Json,
    /// The message alone, as of a model that was trained to be the user.
    Text,
}

/// What ranks passages again: `tools.retrieval.reranker.backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RerankerBackend {
    /// The one that is named: `cmd`, else `base_url`, else a model in this process.
    Auto,
    /// A model in this process.
    Fastembed,
    /// A server.
    Http,
    /// A program.
    Cmd,
}

/// What keeps the state of runs: `store.backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreBackend {
    /// Files in the output folder.
    Sqlite,
    /// A database of a PostgreSQL server.
    Postgres,
}

/// How the number of turns is chosen: `run.turns.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnMode {
    /// Every conversation has `run.turns.exact` turns.
    Exact,
    /// They have from `run.turns.min` to `run.turns.max`.
    Range,
}

/// The service tiers that an agent asks for: `llm.agents.<agent>.service_tier`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceTier {
    /// As the provider sees fit.
    Auto,
    /// At once and at the list price, whatever the account is set to.
    Default,
    /// Cheaper, when there is room.
    Flex,
    /// When there is room, else as standard.
    FlexThenStandard,
    /// Before the requests of others, at a higher price.
    Priority,
}

/// What the assistant writes down beside its answer: `llm.agents.assistant.trace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    /// Passages used, confidence, what is not known.
    Light,
    /// Premises and steps too.
    Full,
}

/// How near-duplicates of questions are found: `coverage.near_duplicates.method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NearMethod {
    /// Not at all.
    Off,
    /// By the words and characters that they share.
    MinHash,
    /// By their vectors.
    Embedding,
}

impl NearMethod {
    /// The method that compares so.
    pub fn of(measure: Measure) -> Self {
        match measure {
            Measure::MinHash(_) => Self::MinHash,
            Measure::Cosine(_) => Self::Embedding,
        }
    }
}

/// How documents are chosen to be asked about: `coverage.doc_coverage_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CoverageMode {
    /// Documents that few questions were asked about come first.
    Balanced,
    /// Passages are drawn at random.
    Off,
}

/// Whether and when conversations are judged: `judge.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JudgeMode {
    /// Conversations are judged while they are made.
    Online,
    /// They are not judged.
    Offline,
}

/// What becomes of what the judge does not accept: `judge.accept.on_fail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFail {
    /// The verdict is noted.
    Keep,
    /// The conversation is dropped.
    Drop,
    /// The answer is asked for again; where that does not help, the conversation is dropped.
    Repair,
    /// The turn is made once more; where that does not help, the conversation is dropped.
    Regenerate,
}

/// What becomes of a run whose judge does not tell answers from spoiled ones: `judge.on_low_auc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnLowAuc {
    /// The run goes on, and its user is warned.
    Warn,
    /// The run stops below it.
    Refuse,
}
