//! The words that keys take, each with what it stands for.

use super::keys::Choice;
use super::types::Choices;
use crate::domain::Normalisation;
use crate::domain::task::RetrievalMode;
use crate::knowledge;
use crate::plan::Distribution;
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
    TurnMode: Exact = "exact", Range = "range";
    Distribution: Uniform = "uniform", Poisson = "poisson" or "pois", Exponential = "exponential" or "exp";
    traffic::Strategy: WeightedLeastInflight = "weighted_least_inflight", RoundRobin = "round_robin",
        LowestLatency = "lowest_latency";
    ServiceTier: Auto = "auto", Default = "default", Flex = "flex", FlexThenStandard = "flex_then_standard",
        Priority = "priority";
    Trace: Light = "light", Full = "full";
    CoverageMode: Balanced = "balanced", Off = "off";
    DocumentLanguage: Own = "own", Any = "any";
    Normalisation: Full = "full", Contract = "contract";
    RetrievalMode: First = "first", Tool = "tool", Both = "both";
    knowledge::Strategy: Structure = "structure", Characters = "characters";
    JudgeMode: Online = "online", Offline = "offline";
    Granularity: Turn = "turn" or "per_turn" or "turns",
        Conversation = "conversation" or "per_conversation" or "conv" or "conversation_level";
    OnFail: Keep = "keep", Drop = "drop";
}

/// `run.turns.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnMode {
    /// Every conversation has `run.turns.exact` turns.
    Exact,
    /// They have from `run.turns.min` to `run.turns.max`.
    Range,
}

/// `llm.agents.<role>.service_tier`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceTier {
    /// As the provider sees fit.
    Auto,
    /// As standard.
    Default,
    /// When there is room.
    Flex,
    /// When there is room, else as standard.
    FlexThenStandard,
    /// Before others.
    Priority,
}

/// `llm.agents.assistant.trace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    /// Passages used, confidence, what is not known.
    Light,
    /// Premises and steps too.
    Full,
}

/// `coverage.doc_coverage_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CoverageMode {
    /// Documents take turns.
    Balanced,
    /// Passages are drawn at random.
    Off,
}

/// `coverage.document_language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentLanguage {
    /// Conversations are about documents in their language.
    Own,
    /// They are about all documents.
    Any,
}

/// `judge.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JudgeMode {
    /// Conversations are judged while they are made.
    Online,
    /// They are not judged.
    Offline,
}

/// `judge.accept.on_fail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFail {
    /// The verdict is noted.
    Keep,
    /// The conversation is dropped.
    Drop,
}
