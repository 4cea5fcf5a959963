//! What a run leaves behind: what each of its files tells, and in which order.
//!
//! A [`Recorder`] takes finished conversations in slot order and hands each to the files that `saving.files` names: one
//! module for each, listed in `formats`, with the type of its rows, which is written and read back. Every file is a pure
//! function of the conversations, [`RunFacts`], [`Options`] and the [`Stamp`]. By default what is said of a conversation
//! stands once where it is needed, and its document is the place of all else; with `saving.raw` every file says everything,
//! as the Python original's do.
//!
//! Rows are read back by [`read`](crate::files::read), documents by their own `read`:
//!
//! ```
//! use dlgforge::files::read;
//! use dlgforge::output::TurnRow;
//!
//! let mut turns = 0;
//! read(std::path::Path::new("outputs/turns.jsonl"), u64::MAX, |_, _: TurnRow| turns += 1)?;
//! # Ok::<(), dlgforge::files::FilesError>(())
//! ```

mod conversations;
mod conversations_index;
mod conversations_sharegpt;
mod conversations_sharegpt_judged;
pub mod coverage_ledger;
mod dropped;
mod error;
mod formats;
mod labels;
pub mod logs;
mod original;
mod parquet;
mod past_run;
mod preferences;
mod recorder;
mod rejudged;
mod rendered;
mod rows;
mod run_state;
#[cfg(test)]
pub(crate) mod sample;
mod stamp;
mod synthetic_qa;
mod tools;
mod turns;

pub use conversations::{ConversationDocument, NAME as CONVERSATIONS};
pub use conversations_index::IndexRow;
pub use conversations_sharegpt::ShareGpt;
pub use error::OutputError;
pub use formats::Files;
pub use labels::{Choice, Label, add_label, labels, labels_file};
pub use original::row_of_original;
pub use parquet::{COLUMNS_KEY, Table, VERSION as TABLES_VERSION, VERSION_KEY};
pub(crate) use parquet::{conversation_lines, told as told_of_tables};
pub use past_run::{Judging, PastRun};
pub use preferences::{ChatMessage, PreferenceRow};
pub use recorder::{Begins, Recorder, clear_leftovers, expect_whole};
pub use rejudged::{Rejudged, SettledRun};
pub use rendered::{Entry, Rendered, Renderer};
pub use rows::{
    AssistantReasoning, Call, Called, CalledFunction, ConversationState, HistoryItem, Inputs, JudgeColumn, JudgedTurn,
    JudgementState, Message, Metadata, Personas, RawResult, ReadReplies, Shown, ToolMessage, ToolResult, TurnPayload,
    TurnState, UsedState, UserReasoning,
};
pub use run_state::{Head, RunStateDocument, SlotState};
pub use stamp::Stamp;
pub use synthetic_qa::{LastTurn, SyntheticQa, Whole};
pub use tools::Tools;
pub use turns::TurnRow;

use crate::domain::Normalisation;
use crate::files::shown;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Version of what the files tell and where they lie. A run goes on in the format in which it began; documents say theirs.
///
/// 1: everything everywhere, documents in one folder. 2: `saving.files`, `saving.raw`, sub-folders. 3: `linked_targets`, pages of
/// the web with ids of their own. 4: a folder for each kind of Parquet file.
pub const FORMAT_VERSION: u32 = 4;

/// What `saving` says, with paths made absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The output folder, absolute.
    pub folder: PathBuf,
    /// The project's root; recorded paths are relative to it where they lie below it, else to the output folder.
    pub root: PathBuf,
    /// Names of the ShareGPT columns.
    pub columns: Columns,
    /// Whether the files for training and Parquet hold dropped conversations too; else `dropped.jsonl` does.
    pub keep_dropped_rows: bool,
    /// The files that are written, beside those that a run needs to go on.
    pub files: Files,
    /// Whether every file tells everything, what the endpoints sent included.
    pub raw: bool,
}

impl Options {
    /// The same with paths of characters alone, as rows tell them: for another process.
    pub fn as_text(&self) -> Self {
        let [folder, root] = [&self.folder, &self.root].map(|path| path.to_string_lossy().into_owned().into());
        Self { folder, root, ..self.clone() }
    }

    /// What recorded paths are relative to.
    fn bases(&self) -> [&Path; 2] {
        [&self.root, &self.folder]
    }

    /// A configured path as the rows tell it: an absolute one would tell of the machine.
    fn without_root(&self, configured: &str) -> String {
        let path = Path::new(configured);
        if path.is_absolute() { shown(path, self.bases()) } else { configured.to_owned() }
    }
}

/// The names that `saving.output_columns` gives to columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Columns {
    /// What each column is, and its name in the files.
    fn pairs(&self) -> [(&'static str, &str); 7] {
        let Self { messages, messages_with_tools, tools, metadata, user_reasoning, assistant_reasoning, judge } = self;
        [
            ("messages", messages),
            ("messages_with_tools", messages_with_tools),
            ("tools", tools),
            ("metadata", metadata),
            ("user_reasoning", user_reasoning),
            ("assistant_reasoning", assistant_reasoning),
            ("judge", judge),
        ]
    }
}

/// What is the same for every conversation of a run: the source of the `inputs` object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Identifier of the run.
    pub run_id: Arc<str>,
    /// `run.seed`, given or drawn.
    pub seed: u64,
    /// How questions are compared.
    pub normalisation: Normalisation,
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
    pub distribution: Cow<'static, str>,
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
    pub judge_granularity: Cow<'static, str>,
    /// Labels of `judge.reasons`, from which the judge chooses.
    pub judge_reasons: Vec<String>,
    /// The configuration file's folder relative to the root, such as `config` or `.`.
    pub config_dir: String,
}
