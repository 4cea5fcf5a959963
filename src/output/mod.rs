//! What a run leaves behind: rows, files and their order.
//!
//! A [`Recorder`] takes finished conversations in slot order and turns each into rows of the JSON Lines files, one JSON
//! document and rows of the current Parquet shard. Every file is a pure function of the conversations, [`RunFacts`]
//! and the [`Stamp`].

mod columns;
mod error;
mod files;
mod folder;
mod json;
pub mod ledger;
pub mod logs;
mod recorder;
mod rows;
#[cfg(test)]
pub(crate) mod sample;
mod shards;
mod stamp;
mod state;
mod table;
mod tools;

pub use error::OutputError;
pub use files::WrittenFile;
pub use folder::Folder;
pub use recorder::{Begins, Recorder};
pub use stamp::Stamp;
pub use tools::Tools;

use std::path::PathBuf;
use std::sync::Arc;

/// What `saving` says, with paths made absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The output folder, absolute.
    pub folder: PathBuf,
    /// The project's root; recorded paths are relative to it where they lie below it, else to the output folder.
    pub root: PathBuf,
    /// Names of the ShareGPT columns.
    pub columns: Columns,
    /// Whether the files for training and Parquet hold dropped conversations too; else `dropped.jsonl` does.
    pub keep_dropped_rows: bool,
}

/// The names that `saving.output_columns` gives to columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Name of the column `messages`.
    pub messages: String,
    /// Name of the column `messages_with_tools`.
    pub messages_with_tools: String,
    /// Name of the column `tools`.
    pub tools: String,
    /// Name of the column `metadata`.
    pub metadata: String,
    /// Name of the column `user_reasoning`.
    pub user_reasoning: String,
    /// Name of the column `assistant_reasoning`.
    pub assistant_reasoning: String,
    /// Name of the column `judge`.
    pub judge: String,
}

/// What is the same for every conversation of a run: the source of the `inputs` object.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// Identifier of the run.
    pub run_id: Arc<str>,
    /// `run.seed`, given or drawn.
    pub seed: u64,
    /// Conversations to accept per language.
    pub total_samples: u32,
    /// Languages in the order of `run.target_languages`.
    pub languages: Vec<Arc<str>>,
    /// Conversations advanced at the same time; the size of a wave.
    pub batch_size: u32,
    /// The question of `run.data.seeding.question`; may be empty.
    pub question: String,
    /// Fewest turns of a conversation, 1 or more.
    pub min_turns: u16,
    /// Most turns of a conversation, its least or more.
    pub max_turns: u16,
    /// `uniform`, `poisson` or `exponential`.
    pub distribution: &'static str,
    /// `run.turns.mean`, 0 when not set.
    pub mean: f64,
    /// The path `run.data.seeding.topics.path` as it was configured.
    pub topics_path: String,
    /// The variant of `run.data.seeding.topics.variant`; may be empty.
    pub topics_variant: String,
    /// The share of `run.data.seeding.topics.probability`, from 0 to 1.
    pub topics_probability: f64,
    /// The switch `run.data.seeding.topics.enabled`, as it was resolved.
    pub topics_enabled: bool,
    /// Passages that a search returns: `tools.retrieval.top_k`.
    pub top_k: usize,
    /// What the assistant could call.
    pub tools: Tools,
    /// Name of the user model.
    pub user_agent: Arc<str>,
    /// Name of the assistant model.
    pub assistant_agent: Arc<str>,
    /// Whether there are personas and the models play them.
    pub persona_applied: bool,
    /// Whether conversations are judged.
    pub judge_enabled: bool,
    /// What verdicts are about: `turn` or `conversation`.
    pub judge_granularity: &'static str,
    /// Labels of `judge.reasons`, from which the judge chooses.
    pub judge_reasons: Vec<String>,
    /// The configuration file's folder relative to the root, such as `config` or `.`.
    pub config_dir: String,
}
