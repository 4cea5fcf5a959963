//! Why a command could not be carried out.

use super::launch::LaunchError;
use super::publishing::PublishError;
use crate::cluster::ClusterError;
use crate::domain::Agent;
use crate::files::FilesError;
use crate::knowledge::KnowledgeError;
use crate::knowledge::embeddings::FetchError;
use crate::llm::ModelError;
use crate::output::OutputError;
use crate::plan::PlanError;
use crate::providers::AttachError;
use crate::publish::ExportError;
use crate::servers::ServerError;
use crate::stages::PromptError;
use crate::store::StoreError;
use crate::view::ViewError;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The knowledge base can't be used.
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
    /// What embedding needs can't be had.
    #[error(transparent)]
    Fetch(FetchError),
    /// Personas or topics can't be used.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Questions are to be compared by vectors that nothing makes.
    #[error(
        "coverage.near_duplicates.method is `embedding`, and there is no embedding model: get one with `dlgforge fetch embeddings`, or \
         set tools.retrieval.embeddings.backend to `openai` and its base_url to a server; or set the method to `minhash`, which needs \
         none"
    )]
    NoEmbedder,
    /// A file of texts that are held out can't be used.
    #[error("use {} for coverage.decontaminate: {detail}", .file.display())]
    HeldOut {
        /// The file that they stand in.
        file: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Attached model servers can't be used.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The run's own model servers can't be used.
    #[error(transparent)]
    Servers(#[from] ServerError),
    /// A prompt template can't be used.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// A model can't be set up.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file of the output folder can't be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Something can't be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// An output folder can't be exported for the Hub, or pushed.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// An export could not be made.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// An output folder can't be shown.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The state of runs can't be read or kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The size of a wave is not that of the run to go on with.
    #[error("Batch size mismatch for resume: requested={requested}, state={state}.")]
    BatchSize {
        /// The value that `run.batch_size` has now.
        requested: String,
        /// That of the run.
        state: String,
    },
    /// The run to go on with was begun by a version that wrote other files.
    #[error(
        "run {id} was begun by dlgforge {version}, whose files have format {then} and not {now}: go on with it by the version \
         that began it, or start a new run, with `run.reuse_from: {id}` to take over its replies"
    )]
    Format {
        /// The id of the run that was begun.
        id: String,
        /// The version that began it.
        version: String,
        /// The format of its files.
        then: String,
        /// The format that this version writes.
        now: String,
    },
    /// The run to go on with would not give the same data any more.
    #[error(
        "run {0} can't go on, for what its data follow from has changed: {1}; change it back, or start a new run, with \
         `run.reuse_from: {0}` to take over the replies that still fit"
    )]
    Changed(String, String),
    /// The run to go on with is no run of models.
    #[error("run {0} is what `dlgforge merge` made of shards: go on with it by that, or start a new run")]
    Merged(String),
    /// There is no such conversation.
    #[error("{0}")]
    Unexplained(String),
    /// The conversations of a folder can't be judged.
    #[error("the conversations can't be judged: {0}")]
    Unjudgeable(String),
    /// Shards can't be merged.
    #[error("shards can't be merged:\n{}", .0.iter().map(|wrong| format!("  {wrong}")).collect::<Vec<_>>().join("\n"))]
    Shards(Vec<String>),
    /// What the run has settled does not fit its settings.
    #[error("run {0} can't go on: the store in `store/` of its output folder holds what it can't have settled ({1})")]
    Inconsistent(Arc<str>, String),
    /// The run had to stop; it can go on.
    #[error("{cause}; what was done is kept: {again}")]
    Stopped {
        /// What made it stop.
        cause: Box<RunError>,
        /// The command by which it goes on.
        again: String,
    },
    /// A newer release began the folder.
    #[error(
        "the questions of run {0} in this folder are compared by `{1}` (coverage.normalisation), which this release does \
         not know; use the release that made it, or set saving.output_dir to another folder"
    )]
    Normalisation(String, String),
    /// Two languages would share conversation ids.
    #[error("run.target_languages: `{0}` and `{1}` both become `{2}` in conversation ids; rename one")]
    LanguagesCollide(Arc<str>, Arc<str>, String),
    /// Two runs of a folder would share conversation ids.
    #[error(
        "run.run_id: conversations of `{run_id}` would have the ids of those of run `{earlier}` in this folder \
         ({shared}-0000 and on); choose another run_id, or another saving.output_dir"
    )]
    IdsCollide {
        /// The run that can't begin.
        run_id: String,
        /// The run that is there.
        earlier: String,
        /// What ids of both have before their number.
        shared: String,
    },
    /// The built-in model does not speak a language.
    #[error(
        "run.target_languages: the built-in model does not speak `{0}` (it has English, French, Arabic, Spanish and \
         German); set llm.agents.{1}.provider and model to one that does"
    )]
    Speechless(Arc<str>, Agent),
    /// Conversations of a language must be about documents in it, and there are none.
    #[error(
        "coverage.match_language: `require` wants documents in every language of run.target_languages, and `knowledge/` has none \
         in `{0}`; add one, remove the language, or set it to `prefer`"
    )]
    Unmatched(Arc<str>),
    /// The built-in model quotes, and there is nothing to quote in a language.
    #[error(
        "run.target_languages: the built-in model quotes documents in the language of a conversation, and `knowledge/` has none \
         in `{0}`; add one, remove the language, or set llm.agents.{1}.provider and model to one that translates"
    )]
    Unread(Arc<str>, Agent),
    /// There is no folder for what is needed for a while.
    #[error("failed to make a temporary folder: {0}")]
    Scratch(std::io::Error),
    /// The folder that a preview was to keep its conversations in can't take them.
    #[error("--save: {0}")]
    Unsaved(String),
    /// A pilot without its conversations.
    #[error("the pilot did not make its conversations, so there is nothing to go by: {0}")]
    Unpiloted(String),
    /// The processes of the run can't work together.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The processes of the run can't be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// No threads for tasks.
    #[error("failed to start the task runtime: {0}")]
    Runtime(std::io::Error),
    /// A worker did not start, or did not end as it should.
    #[error("a worker failed: {0}")]
    Workers(String),
}
