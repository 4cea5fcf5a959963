//! The vocabulary: plain data that every room speaks, without I/O, async or timely.

pub mod agent;
pub mod calibration;
pub mod causes;
pub mod clock;
pub mod control_tokens;
pub mod conversation;
pub mod corpus;
pub mod cosine;
pub mod coverage;
pub mod delivered;
pub mod findings;
pub mod fingerprint;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod found;
pub mod held_out;
pub mod json;
pub mod jury;
pub mod language;
pub mod list;
pub mod minhash;
pub mod normalisation;
pub mod observer;
pub mod persona;
pub mod place;
pub mod question;
pub mod reply;
pub mod script;
pub mod settled;
pub mod settled_questions;
pub mod sketch;
pub mod slot;
pub mod task;
pub mod terminal;
pub mod text;
pub mod tier;
pub mod tool;
pub mod turns;
pub mod usage;
pub mod yaml;

pub use agent::{Agent, Agents};
pub use calibration::Calibration;
pub use conversation::{
    Acceptance, Answer, Conversation, DropReason, Failure, Judged, Judgement, Outcome, RejectedAnswer, Repaired, Round,
    ToolEvent, Turn,
};
pub use corpus::{Catalogue, Chunk, ChunkIndex, ChunkStore, Passage, Source, SourceIndex};
pub use cosine::{Cosine, Vector};
pub use coverage::{Balance, Coverage, Used, Uses};
pub use delivered::{Delivered, OfMode};
pub use findings::Findings;
pub use fingerprint::{Fingerprint, question_hash};
pub use found::{Found, Page, Scores, SearchHit};
pub use held_out::{HeldOut, Overlap};
pub use json::Json;
pub use jury::{Agreement, Jury, Vote};
pub use language::Language;
pub use minhash::MinHash;
pub use normalisation::Normalisation;
pub use observer::Observer;
pub use persona::Persona;
pub use place::{Digest, Place, Stage};
pub use question::{Candidate, NearDuplicate, Question, Ruling, TooClose};
pub use reply::{AssistantReply, JudgeReply, UserReply};
pub use script::Script;
pub use settled::{HeldClaim, SettledConversation};
pub use settled_questions::SettledQuestions;
pub use sketch::{Compared, Measure, Neighbour, Similarity, Sketch};
pub use slot::{Attempt, LanguageIndex, Numbers, Rank, Shard, Slot, Tick, TurnIndex, Wave};
pub use task::{QuestionMode, Register, Task};
pub use tier::Tier;
pub use tool::{ToolCall, ToolDefinition, made_up_id};
pub use turns::Turns;
pub use usage::Usage;
