//! What the three models answer with. The JSON Schemas sent to endpoints are derived from these types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the user wants from the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Have something made clear.
    Clarify,
    /// Learn how to do something.
    HowTo,
    /// Find out why something does not work.
    Troubleshoot,
    /// Weigh things against each other.
    Compare,
    /// Explore a boundary case.
    EdgeCase,
    /// See an example of something.
    ExampleRequest,
    /// Get help with a decision.
    DecisionSupport,
    /// Learn limits and conditions.
    Constraints,
    /// Not told: the user model's replies are plain text.
    Unknown,
}

impl Intent {
    /// All that a user model may tell, in the order of their names in the contract.
    pub const ALL: [Self; 8] = [
        Self::Clarify,
        Self::HowTo,
        Self::Troubleshoot,
        Self::Compare,
        Self::EdgeCase,
        Self::ExampleRequest,
        Self::DecisionSupport,
        Self::Constraints,
    ];
}

/// How hard the question is to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// Not told: the user model's replies are plain text.
    Unknown,
    /// One fact answers it.
    Easy,
    /// Several facts must be joined.
    Medium,
    /// Needs reasoning beyond the facts.
    Hard,
}

impl Difficulty {
    /// All that a user model may tell, the easiest first.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Medium, Self::Hard];
}

/// A fact of the chosen passage that the question builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroundingFact {
    /// The fact, in the language of the passage.
    pub fact: String,
    /// Which passage it comes from.
    pub source_descriptor: String,
}

/// The user model's reply: the next question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserReply {
    /// The question, in the target language.
    pub user_message: String,
    /// What the user wants.
    pub intent: Intent,
    /// How hard it is.
    pub difficulty: Difficulty,
    /// Facts it builds on.
    pub grounding_facts: Vec<GroundingFact>,
    /// `topic_id` of the passage it is about.
    pub coverage_target: String,
    /// Hints for the assistant.
    pub notes_for_assistant: Vec<String>,
    /// What the user wants to know in all, where this message is the first piece of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub whole_need: String,
}

/// The searches the assistant made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RetrievalQueries {
    /// Queries to the knowledge base.
    pub vector_db_search: Vec<String>,
    /// Queries to the web.
    pub web_search: Vec<String>,
}

/// A passage the answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Short label, such as `E1`.
    pub id: String,
    /// What the passage is.
    pub cue: String,
    /// The sentences of the passage that count.
    pub content: String,
}

/// A step from evidence towards the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Premise {
    /// Short label, such as `P1`.
    pub id: String,
    /// What is concluded, in a sentence.
    pub text: String,
    /// Labels of the evidence it rests on.
    pub evidence_refs: Vec<String>,
    /// What is assumed without evidence; empty when nothing is.
    #[serde(default)]
    pub assumption: String,
}

/// One step of the assistant's reasoning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Thought {
    /// What was thought in this step.
    pub text: String,
}

/// How sure the assistant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The evidence barely supports the answer.
    Low,
    /// The evidence supports part of it.
    Medium,
    /// The evidence supports all of it.
    High,
}

/// How the assistant came to its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasoningTrace {
    /// The question as the assistant understood it.
    pub question: String,
    /// The searches that were made, by tool.
    pub retrieval_queries: RetrievalQueries,
    /// Passages that the answer rests on, with what they say.
    pub evidence: Vec<Evidence>,
    /// Steps from the evidence.
    pub premises: Vec<Premise>,
    /// Steps that lead from the premises to the answer.
    pub thinking: Vec<Thought>,
    /// How sure it is.
    pub confidence: Confidence,
    /// What the evidence does not tell.
    pub known_limits: Vec<String>,
}

/// The assistant model's reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssistantReply {
    /// The answer, in the target language.
    pub assistant_message: String,
    /// How it came about.
    pub reasoning_trace: ReasoningTrace,
    /// Whether the web was searched.
    pub did_web_search: bool,
}

/// The judge model's reply, for a turn or for a whole conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JudgeReply {
    /// From 0 (useless) to 10 (flawless).
    #[schemars(range(min = 0, max = 10))]
    pub score: u8,
    /// What is wrong, from the labels of `judge.reasons`.
    pub reasons: Vec<String>,
    /// A remark on the whole, for people.
    pub notes: String,
    /// Whether the question is sound.
    pub question_ok: bool,
    /// Whether the answer is sound.
    pub answer_ok: bool,
}
