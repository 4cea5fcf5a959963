//! What a store keeps, as plain rows.

use crate::domain::{Agent, Digest, Fingerprint, HeldClaim, LanguageIndex, Place, Slot, Turns, Usage, Wave};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on, or its process has died.
    Running,
    /// It was asked to stop.
    Interrupted,
    /// Something kept it from going on.
    Failed,
    /// Every language has its conversations.
    Completed,
    /// It ended without them: more attempts would not help.
    Short,
}

impl State {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Running, "running"),
        (Self::Interrupted, "interrupted"),
        (Self::Failed, "failed"),
        (Self::Completed, "completed"),
        (Self::Short, "short"),
    ];

    /// The name it is kept and shown under.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }

    /// Whether its process may have left files longer than they were recorded.
    pub fn is_untidy(self) -> bool {
        matches!(self, Self::Running | Self::Failed)
    }

    /// Whether there is nothing left to do.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Short)
    }
}

/// A run as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id, unique in the output folder.
    pub id: String,
    /// How far it has come.
    pub state: State,
    /// Everything its data follow from beside the replies, by the name of a setting or file.
    pub manifest: BTreeMap<String, String>,
    /// Its configuration file, relative to the root.
    pub config: String,
    /// How much of the ledger its conversations know of beside their own, in bytes: what was there when it began.
    pub ledger: u64,
    /// When it began, and when its state was last recorded: UTC.
    pub began: String,
    /// When it was last changed, as [`Run::began`] tells time.
    pub updated: String,
}

impl Run {
    /// What the ids of passes of the judge begin with: no run of conversations has such an id, for it is part of file names.
    pub const PASS: &str = "judge/";

    /// Whether it is a pass of the judge over the conversations of other runs.
    pub fn is_pass(&self) -> bool {
        self.id.starts_with(Self::PASS)
    }
}

/// What a run has learned of an endpoint, such as that it takes no tools.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// The root of its API.
    pub endpoint: String,
    /// What is so, for people: the rest of a sentence about the endpoint.
    pub text: String,
}

/// A model's reply, or what a search of the web found, to be kept in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it was asked for.
    pub place: Place,
    /// What was asked, as a digest of the request.
    pub digest: Digest,
    /// The reply, compressed as the journal keeps it.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Who replied, and what it cost; none when it was taken over from another run, and of a search.
    pub paid: Option<Paid>,
}

/// A reply of the journal, read back for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReply {
    /// Where it was asked for.
    pub place: Place,
    /// The reply as it came; empty where it is damaged.
    pub body: Vec<u8>,
    /// Tokens read and written, as far as they are known.
    pub tokens: (Option<u64>, Option<u64>),
    /// Its price in billionths of a USD, where it is known.
    pub nanousd: Option<u64>,
}

/// Who made a reply, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The agent whose model replied.
    pub agent: Agent,
    /// Name of the model, `provider/model`.
    pub model: Arc<str>,
    /// Its tokens, and the tier in which it was served.
    pub usage: Usage,
    /// From the first try to the reply, in microseconds.
    pub latency_us: u64,
    /// Its price in billionths of a USD; none when it is unknown.
    pub nanousd: Option<u64>,
}

/// What replies have cost in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Replies that were paid for.
    pub calls: u64,
    /// Tokens read, as far as endpoints report them.
    pub prompt_tokens: u64,
    /// Tokens written, as far as endpoints report them.
    pub completion_tokens: u64,
    /// Those of the tokens read that came from a cache.
    pub cached_tokens: u64,
    /// Those of the tokens written that were thoughts.
    pub reasoning_tokens: u64,
    /// Replies whose endpoint did not report tokens.
    pub unreported: u64,
    /// Sum of their latencies, in microseconds.
    pub latency_us: u64,
    /// What they cost, as far as it is known, in billionths of a USD.
    pub nanousd: u64,
    /// Replies of unknown price.
    pub unpriced: u64,
}

impl Cost {
    /// Both costs together, field by field.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
            cached_tokens: self.cached_tokens + other.cached_tokens,
            reasoning_tokens: self.reasoning_tokens + other.reasoning_tokens,
            unreported: self.unreported + other.unreported,
            latency_us: self.latency_us + other.latency_us,
            nanousd: self.nanousd + other.nanousd,
            unpriced: self.unpriced + other.unpriced,
        }
    }
}

/// What became of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Its place among the conversations of its language.
    pub slot: Slot,
    /// The wave it belongs to.
    pub wave: Wave,
    /// The `drop_reason` of the outputs and what happened; none when it counts.
    pub dropped: Option<(String, String)>,
    /// Questions of it that were rejected as duplicates.
    pub duplicates: u32,
    /// Where the ledger tells of its questions, in bytes.
    pub ledger: Range<u64>,
    /// Bytes of its document; 0 when it has none.
    pub document: u64,
    /// What its turns came to. Earlier releases did not keep it: then nothing.
    pub turns: Turns,
}

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its length in bytes.
    pub length: u64,
    /// Its rows, where it has rows.
    pub rows: u64,
    /// XXH3-128 of its last bytes.
    pub tail: u128,
}

/// Whole waves that are settled, with the files that tell of them. All of the files' bytes are on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// When it was admitted, in UTC.
    pub at: String,
    /// The conversations, in slot order.
    pub settled: Vec<Settled>,
    /// The accepted questions of those conversations that none of their turns has, of each at least one: no file tells of them,
    /// and they stay claimed.
    pub unfinished: Vec<(Slot, Vec<Fingerprint>)>,
    /// Of those conversations, the accepted questions that near-duplicates are looked for of; none of one that has none.
    pub claims: Vec<(Slot, Vec<HeldClaim>)>,
    /// Files by their path in the output folder; none for one that is no longer needed.
    pub files: BTreeMap<String, Option<Mark>>,
    /// Whether the replies behind the conversations may go; they need not, and when is the store's business.
    pub drop_replies: bool,
    /// The state the run comes to by it, if it does.
    pub state: Option<State>,
}

/// What becomes of files that are written anew, and of the conversations that they tell of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Revision {
    /// When it was decided, in UTC.
    pub at: String,
    /// How the new files end, by their path in the output folder; those that are not recorded are not here.
    pub files: BTreeMap<String, Mark>,
    /// Conversations by their run and slot: the bytes of their new documents, and what their turns come to now.
    pub conversations: Vec<(String, Slot, u64, Turns)>,
    /// The run that comes to a state by it, if one does.
    pub state: Option<(String, State)>,
}

/// What a run has spent, or may have: an amount of what `run.budget` caps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spending {
    /// Billionths of a USD.
    pub nanousd: u64,
    /// Tokens, read and written.
    pub tokens: u64,
    /// Requests that were or may be charged.
    pub calls: u64,
}

impl Spending {
    /// Both amounts together, field by field.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    /// This amount less another one, at least nothing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    /// The larger of two amounts, in each of what is counted.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        self.each(other, u64::max)
    }

    fn each(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            nanousd: of(self.nanousd, other.nanousd),
            tokens: of(self.tokens, other.tokens),
            calls: of(self.calls, other.calls),
        }
    }
}

/// What the kept replies of one conversation have cost. Cached tokens, thoughts, latencies and unreported tokens are not
/// counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The conversation that they were made for.
    pub slot: Slot,
    /// What its replies cost.
    pub cost: Cost,
}

/// What the replies of a run that were made in one service tier, other than [`crate::domain::Tier::Standard`], have cost. Tokens and
/// latencies are not counted by tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiered {
    /// The name of the tier in which the replies were served.
    pub tier: String,
    /// What these replies cost, together.
    pub cost: Cost,
}

/// What one agent's model has cost for one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// Name of the agent, as it was stored.
    pub agent: String,
    /// Name of the model, `provider/model`.
    pub model: String,
    /// The language of its conversations.
    pub language: LanguageIndex,
    /// What its replies cost.
    pub cost: Cost,
}
