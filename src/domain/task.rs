//! What a model is asked to do, as data: the variables of the prompt templates, and what the built-in model reads.

use super::corpus::Passage;
use super::reply::{Intent, UserReply};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a question relates to what was said before, and what answers it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionMode {
    /// Starts from a given seed question.
    Seeded,
    /// Opens a new subject.
    #[default]
    Fresh,
    /// Digs deeper into the last answer.
    Followup,
    /// Moves to a neighbouring subject.
    Adjacent,
    /// Leaves the subject altogether.
    OffTopic,
    /// Asks for what is near a passage and not in it: the right answer says so.
    Unanswerable,
    /// Leaves open what must be known to answer it: the right answer asks back.
    Underspecified,
    /// Tells what an underspecified question left open.
    Clarification,
    /// Tells one piece of a need that the messages of the conversation make up together.
    Sharded,
    /// Goes on from the last answer in words that only the conversation explains.
    Nonstandalone,
    /// Corrects a detail of what the person said, or changes their mind.
    Correction,
    /// Doubts the last answer, which may well be right.
    Challenge,
}

impl QuestionMode {
    /// All modes, in the order of their declaration.
    pub const ALL: [Self; 12] = [
        Self::Seeded,
        Self::Fresh,
        Self::Followup,
        Self::Adjacent,
        Self::OffTopic,
        Self::Unanswerable,
        Self::Underspecified,
        Self::Clarification,
        Self::Sharded,
        Self::Nonstandalone,
        Self::Correction,
        Self::Challenge,
    ];

    /// The name used in prompts and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seeded => "seeded",
            Self::Fresh => "fresh",
            Self::Followup => "followup",
            Self::Adjacent => "adjacent",
            Self::OffTopic => "off_topic",
            Self::Unanswerable => "unanswerable",
            Self::Underspecified => "underspecified",
            Self::Clarification => "clarification",
            Self::Sharded => "sharded",
            Self::Nonstandalone => "nonstandalone",
            Self::Correction => "correction",
            Self::Challenge => "challenge",
        }
    }

    /// The mode of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// Whether it is drawn for every question: the others are asked only where `coverage.modes` gives them a share.
    pub fn is_usual(self) -> bool {
        matches!(self, Self::Seeded | Self::Fresh | Self::Followup | Self::Adjacent | Self::OffTopic)
    }

    /// Whether the message goes on from the last exchange, where there is one.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Followup | Self::Adjacent) || self.needs_history()
    }

    /// Whether the message, where it is not the first, is understood only from what was said before it.
    pub fn needs_history(self) -> bool {
        matches!(self, Self::Clarification | Self::Sharded | Self::Nonstandalone | Self::Correction | Self::Challenge)
    }

    /// Whether the message need not ask anything.
    pub fn may_state(self) -> bool {
        self.needs_history() && self != Self::Nonstandalone
    }
}

/// In which way a person writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Register {
    /// As few words as will do.
    Terse,
    /// Talkative, with more than is needed.
    Chatty,
    /// In haste, with typing errors.
    Typos,
    /// Politely, in whole and correct sentences.
    Formal,
}

impl Register {
    /// All registers, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Terse, Self::Chatty, Self::Typos, Self::Formal];

    /// The name used in settings, prompts and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terse => "terse",
            Self::Chatty => "chatty",
            Self::Typos => "typos",
            Self::Formal => "formal",
        }
    }
}

/// One model call's task. Each variant's fields are exactly the variables of its prompt template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Task {
    /// The user model asks (`prompts/ask.*`).
    Ask(AskTask),
    /// The assistant model answers (`prompts/answer.*`).
    Answer(AnswerTask),
    /// The judge scores one turn (`prompts/judge_turn.*`).
    JudgeTurn(JudgeTurnTask),
    /// The judge scores a whole conversation (`prompts/judge_conversation.*`).
    JudgeConversation(JudgeConversationTask),
}

/// Variables of the user model's prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskTask {
    /// One line per message, `Turn <n> - User: <text>` / `Turn <n> - Assistant: <text>`, with further lines of a message
    /// indented; a fixed sentence when empty. The request holds the same as chat messages.
    pub public_conversation_history: String,
    /// The assistant's last message; a fixed sentence when there is none.
    pub last_assistant_message: String,
    /// Rendered persona; may be empty.
    pub user_persona: String,
    /// The persona in a few words, without the sentence on its style; may be empty.
    pub user_manner: String,
    /// How the question relates to what was said.
    pub question_mode: QuestionMode,
    /// Passages to choose from, most fitting first.
    pub passages: Vec<Passage>,
    /// Whether the question is to need all of the passages.
    pub linked: bool,
    /// Questions already asked about these passages, oldest first; none after a rejected question.
    pub recent_user_questions: Vec<Arc<str>>,
    /// Topic of the seed question; empty when there is none.
    pub seed_topic: String,
    /// The seed question; empty when there is none.
    pub seed_question: String,
    /// This turn, from 1.
    pub turn_index: u16,
    /// Turns planned for the conversation.
    pub n_turns: u16,
    /// `run.data.seeding.question`; may be empty.
    pub question: String,
    /// How often the question of this turn was rejected as a duplicate.
    pub attempt: u16,
    /// What the person wants, where the last question was rejected: another angle.
    pub angle: Option<Intent>,
    /// A number drawn for this question from the run's seed: the built-in model's only source of variety.
    pub variety: u64,
    /// Name of the language to write in, such as `French`.
    pub target_language: String,
    /// What the person wants to know in all, where they tell it piece by piece and have begun to; else empty.
    pub whole_need: String,
    /// How the person writes; none where it is not given.
    pub register: Option<Register>,
    /// About how many words the message is to have; none where it is not given.
    pub words: Option<u16>,
    /// How many different questions to write, of which one is asked.
    pub candidates: u16,
}

/// Variables of the assistant model's prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerTask {
    /// As in [`AskTask`], without the question to answer.
    pub public_conversation_history: String,
    /// Rendered persona; may be empty.
    pub assistant_persona: String,
    /// The persona in a few words, without the sentence on its style; may be empty.
    pub assistant_manner: String,
    /// This turn, from 1.
    pub turn_index: u16,
    /// Turns planned for the conversation.
    pub n_turns: u16,
    /// The question to answer.
    pub question: String,
    /// Name of the language to write in, such as `French`.
    pub target_language: String,
    /// Passages a search returns by default.
    pub retrieval_default_k: usize,
    /// `tools.retrieval.mode`: `first`, `tool` or `both`.
    pub retrieval_mode: RetrievalMode,
    /// Whether the web can be searched too.
    pub web_search: bool,
    /// What was retrieved so far.
    pub passages: Vec<Passage>,
    /// Whether premises and the steps of the reasoning are wanted too (`llm.agents.assistant.trace: full`).
    pub full_trace: bool,
    /// The user model's whole reply.
    pub user_reply: UserReply,
    /// The last answer to the question that the judge did not accept, where it has rejected one.
    pub rejected: Option<RejectedReply>,
}

/// What the assistant is shown of an answer that the judge did not accept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RejectedReply {
    /// The answer as it was given.
    pub message: String,
    /// The labels of its faults.
    pub reasons: Vec<String>,
    /// The words of the judge about it.
    pub notes: String,
}

/// When the knowledge base is searched for an answer: `tools.retrieval.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetrievalMode {
    /// Before the assistant model is asked.
    First,
    /// When the assistant model calls the search.
    Tool,
    /// Before it is asked, and again when it calls the search.
    Both,
}

impl RetrievalMode {
    /// The name used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Tool => "tool",
            Self::Both => "both",
        }
    }
}

/// A piece of evidence shown to the judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeEvidence {
    /// Where it comes from.
    pub source: String,
    /// The passage or quotation.
    pub content: String,
}

/// Variables of the judge's prompt for one turn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgeTurnTask {
    /// As in [`AskTask`], whole: the turn to judge is its last.
    pub public_conversation_history: String,
    /// Number of the turn to judge, from 1.
    pub turn_index: u16,
    /// Rendered persona of the user; may be empty.
    pub user_persona: String,
    /// Rendered persona of the assistant; may be empty.
    pub assistant_persona: String,
    /// The question of the turn to judge.
    pub judge_user_message: String,
    /// The answer, or `MISSING_ASSISTANT_MESSAGE`.
    pub judge_assistant_message: String,
    /// Passages that were retrieved, then what the model quoted, marked as found in them or not.
    pub judge_evidence: Vec<JudgeEvidence>,
    /// Numbers of the answer that stand neither in the passages nor in what was said before.
    pub unsupported_numbers: Vec<String>,
    /// What the answer cites that was not retrieved.
    pub unknown_citations: Vec<String>,
    /// Labels to choose from.
    pub judge_reasons: Vec<String>,
    /// Name of the language of the conversation.
    pub target_language: String,
    /// What the question was to be: it says what a right answer does.
    pub question_mode: QuestionMode,
    /// What the person wants to know in all, where they tell it piece by piece; else empty.
    pub whole_need: String,
    /// Whether the turn is the last that the conversation is planned to have.
    pub is_last: bool,
}

/// One turn as the judge of a whole conversation sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedTurn {
    /// Number of the turn, from 1.
    pub turn_index: u16,
    /// The question of this turn.
    pub user_message: String,
    /// The answer, or `MISSING_ASSISTANT_MESSAGE`.
    pub assistant_message: String,
    /// Numbers of the answer that stand neither in the passages nor in what was said before.
    pub unsupported_numbers: Vec<String>,
    /// What the answer cites that was not retrieved.
    pub unknown_citations: Vec<String>,
    /// What the question was to be: it says what a right answer does.
    pub question_mode: QuestionMode,
}

/// Variables of the judge's prompt for a whole conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgeConversationTask {
    /// As in [`AskTask`], whole.
    pub public_conversation_history: String,
    /// Rendered persona of the user; may be empty.
    pub user_persona: String,
    /// Rendered persona of the assistant; may be empty.
    pub assistant_persona: String,
    /// Number of turns the conversation has.
    pub judge_turn_count: usize,
    /// All its turns, in order.
    pub judge_conversation_turns: Vec<JudgedTurn>,
    /// Evidence of all turns, each piece once, at most 120 pieces.
    pub judge_conversation_evidence: Vec<JudgeEvidence>,
    /// Labels to choose from.
    pub judge_reasons: Vec<String>,
    /// Name of the language of the conversation.
    pub target_language: String,
    /// What the person wants to know in all, where they tell it piece by piece; else empty.
    pub whole_need: String,
}
