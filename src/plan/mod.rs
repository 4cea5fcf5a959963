//! From a seed to a plan: personas, turn counts, question modes, seed topics, coverage. Pure functions of the run's
//! seed, the place in the run and a coverage snapshot.

mod asking;
mod brief;
mod candidates;
mod coverage;
mod draw;
mod error;
#[cfg(test)]
pub(crate) mod fixtures;
mod modes;
mod passages;
pub mod personas;
mod quotas;
mod sampled;
mod seeds;
mod shares;
mod topic_file;
mod topic_forms;
mod topic_node;
pub mod topics;
mod turns;
mod words;

pub use asking::Asking;
pub use brief::{Brief, ConversationPlan, Plan};
pub use error::PlanError;
pub use sampled::sampled;
pub use shares::places;

use crate::domain::{Catalogue, Measure, Normalisation, Persona, QuestionMode, Register};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Settings of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `run.seed`: everything random follows from it.
    pub seed: u64,
    /// How many turns conversations have.
    pub turns: TurnOptions,
    /// `run.data.seeding.question`; may be empty.
    pub question: String,
    /// Seed topics to draw opening questions from.
    pub topics: TopicOptions,
    /// The run's languages, in order.
    pub languages: Vec<Arc<str>>,
    /// Conversations that one may not know of when it opens: those that open before it, after what it knows was settled, and
    /// those beside it.
    pub unknown: u32,
    /// Which documents to ask about.
    pub coverage: CoverageOptions,
    /// Who asks; empty when personas are off.
    pub user_personas: Vec<Arc<Persona>>,
    /// Who answers; empty when personas are off.
    pub assistant_personas: Vec<Arc<Persona>>,
    /// `coverage.modes`: shares of modes that are met over the run; empty where all are drawn as ever.
    pub modes: BTreeMap<QuestionMode, f64>,
    /// How people are to write.
    pub style: Style,
}

/// How people write, beside what their personas say of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Style {
    /// `coverage.registers`: shares of the conversations; the persons of the others write as they like.
    pub registers: BTreeMap<Register, f64>,
    /// `coverage.words`: how long messages are; as long as the model likes where none.
    pub words: Option<Words>,
}

/// How many words messages have: log-normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Words {
    /// Arithmetic mean, 1 or more.
    pub mean: f64,
    /// Standard deviation of the logarithm of the count.
    pub sigma: f64,
}

/// `run.turns`: how many turns conversations have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TurnOptions {
    /// Fewest turns (`exact` mode: both bounds are `run.turns.exact`).
    pub min: u16,
    /// Most turns of a conversation.
    pub max: u16,
    /// How counts spread between them.
    pub distribution: Distribution,
    /// Mean before clamping; the midpoint when none.
    pub mean: Option<f64>,
}

/// How turns are drawn: `run.turns.distribution`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Every count is as likely.
    Uniform,
    /// Poisson's, clamped to the range.
    Poisson,
    /// Exponential, rounded and clamped.
    Exponential,
}

/// What `run.data.seeding.topics` says, with its file read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicOptions {
    /// Variant to use; decided by the language when empty.
    pub variant: String,
    /// How likely an opening question is seeded; 0 when topics are off.
    pub probability: f64,
    /// The topics; none when off or when there is no file.
    pub topics: Option<Arc<topics::Topics>>,
}

/// `coverage`: how evenly passages are asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoverageOptions {
    /// Whether documents are balanced (`coverage.doc_coverage_mode` other than `off`).
    pub balanced: bool,
    /// How often balance is ignored.
    pub epsilon: f64,
    /// Share of documents kept once all are used, in [0.05, 1].
    pub fraction: f64,
    /// Which documents a conversation may be about.
    pub match_language: MatchLanguage,
    /// Share of the questions that need several passages.
    pub linked: f64,
    /// When two questions are near-duplicates; none where they are not looked for.
    pub near: Option<NearDuplicates>,
    /// Further attempts after a rejected question.
    pub dedup_retries: u16,
    /// Which questions are the same.
    pub normalisation: Normalisation,
    /// Different questions that one reply of the user model holds.
    pub candidates: u16,
}

/// `coverage.near_duplicates`: when two questions are too close, and which are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearDuplicates {
    /// When two questions are near-duplicates.
    pub measure: Measure,
    /// With which questions those of the run are compared.
    pub scope: NearScope,
}

/// With which questions those of a run are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearScope {
    /// With each other alone.
    Run,
    /// With those of all runs of the output folder.
    Folder,
}

/// Which documents a conversation may be about: `coverage.match_language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchLanguage {
    /// Those in its language; all, where there are none.
    Prefer,
    /// Those in its language: a run needs some in each of its languages.
    Require,
    /// All documents of the knowledge base.
    Off,
}

/// The languages of the documents that conversations in these languages are about; none among them for all documents.
pub fn document_languages(
    matched: MatchLanguage,
    catalogue: &Catalogue,
    languages: &[Arc<str>],
) -> BTreeSet<Option<Arc<str>>> {
    let documents = coverage::Documents::of(catalogue);
    languages.iter().map(|language| documents.group(matched, language).language).collect()
}
