//! What the user typed of exports, statistics and pushes.

use super::{CONFIG, Overrides};
use crate::settings::{PushFlags, RepoType, Token};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;

/// Arguments of `dlgforge export`, in any order.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The output folder of runs; or a folder or file with one of its tables, Parquet or JSON Lines.
    #[arg(default_value = "outputs")]
    pub source: PathBuf,
    /// The folder to write, by default `export` in the source folder. What an export has made there is replaced; anything else is
    /// left as it is, with an error.
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// What to write, each in a folder of its name: parquet, arrow, jsonl (tables); sharegpt, openai, trl, trl-dpo, trl-kto,
    /// llamafactory, llamafactory-dpo, axolotl, chatml, alpaca, traces (for training). Several with commas.
    #[arg(long = "format", value_name = "NAME", required = true, value_delimiter = ',')]
    pub formats: Vec<String>,
    /// The table of parquet, arrow and jsonl: conversations, turns, preferences, dropped or calls.
    #[arg(long, value_name = "NAME", default_value = "conversations")]
    pub table: String,
    /// Rows of which this is true, such as "judge_score >= 7 and n_turns > 2", over the columns of the table.
    #[arg(long = "where", value_name = "CONDITION")]
    pub condition: Option<String>,
    /// Rows with a `judge_score` of at least so much.
    #[arg(long, value_name = "SCORE")]
    pub min_score: Option<f64>,
    /// Rows in one of these languages. Several with commas.
    #[arg(long = "language", value_name = "NAME", value_delimiter = ',')]
    pub languages: Vec<String>,
    /// Conversations with a turn of one of these modes, such as `unanswerable`. Several with commas.
    #[arg(long = "mode", value_name = "NAME", value_delimiter = ',')]
    pub modes: Vec<String>,
    /// Conversations that people have labelled so in `labels.jsonl`, as `dlgforge view` writes it: keep, reject, or none for those that nobody
    /// has. Several with commas.
    #[arg(long = "label", value_name = "NAME", value_delimiter = ',', value_parser = ["keep", "reject", "none"])]
    pub labels: Vec<String>,
    /// Splits with their shares, such as train=0.9,validation=0.05,test=0.05. Which one a conversation is in does not depend on
    /// the others, so that it stays there while the dataset grows.
    #[arg(long, value_name = "NAME=SHARE,...")]
    pub split: Option<String>,
    /// By what is split. document: no document that was shown in one split was shown in another; conversations that were shown
    /// documents of several splits are left out, which may be half of them where each is shown many. held-out: they are in the one
    /// of these splits that is named last, so that each conversation of test was shown a document that train has never seen, beside
    /// others that it may have; a share of 0.01 of the documents may be a quarter of the conversations. conversation: each by itself; all are kept.
    #[arg(long, value_name = "WHAT", value_enum, default_value = "document")]
    pub split_by: SplitWay,
    /// Where what the assistant thought goes: none, reasoning_content, thinking or think_tags; by default where the format's
    /// readers look for it.
    #[arg(long, value_name = "WHERE")]
    pub reasoning: Option<String>,
    /// Marks answers of turns with a lower score as not to be learned.
    #[arg(long, value_name = "SCORE")]
    pub mask_below: Option<f64>,
    /// The system message: `persona` for the manner that the assistant model was told to answer in, or a text.
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Leaves out tools, their calls and results.
    #[arg(long)]
    pub no_tools: bool,
    /// Worker threads, 1 to 256.
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
}

/// By what conversations are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SplitWay {
    /// By the documents that were shown.
    Document,
    /// By the documents that were shown, the last split first.
    HeldOut,
    /// By the conversation itself.
    Conversation,
}

/// Arguments of `dlgforge import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The output folder of a project of the Python original.
    pub original: PathBuf,
    /// The output folder to write, which has nothing yet.
    #[arg(default_value = "outputs")]
    pub outputs: PathBuf,
}

/// Arguments of `dlgforge stats`, in any order.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// The output folder whose conversations are counted.
    #[arg(default_value = "outputs")]
    pub outputs: PathBuf,
    /// Tells too how near messages are to each other in meaning, by the embedding model of this configuration file, or of a folder
    /// with a config.yaml (`tools.retrieval.embeddings`); by config.yaml where none is named.
    #[arg(long, value_name = "CONFIG", num_args = 0..=1, default_missing_value = CONFIG)]
    pub embeddings: Option<PathBuf>,
    /// Prints the JSON of `dataset_stats.json` instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `dlgforge push`, in any order.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The configuration file, or a folder with a config.yaml.
    #[arg(default_value = CONFIG)]
    pub config: PathBuf,
    /// What is said otherwise.
    #[command(flatten)]
    pub overrides: Overrides,
    /// The repository, OWNER/NAME; without it `saving.hf_push.repo_id`.
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo_id: Option<String>,
    /// What the repository is for; without it `saving.hf_push.repo_type`.
    #[arg(long, value_name = "TYPE", value_parser = repo_types())]
    pub repo_type: Option<RepoType>,
    /// The output folder that is exported, from the current directory; without it `saving.output_dir`.
    #[arg(long, value_name = "FOLDER")]
    pub source_dir: Option<PathBuf>,
    /// The folder of the export, from the current directory; without it `saving.hf_push.export_dir`.
    #[arg(long, value_name = "FOLDER")]
    pub export_dir: Option<PathBuf>,
    /// Exports the state of runs too.
    #[arg(long)]
    pub include_run_state: bool,
    /// The token of the Hub; better set HF_TOKEN, as others may see command lines.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The message of the commits; without it `saving.hf_push.commit_message`.
    #[arg(long, value_name = "TEXT")]
    pub commit_message: Option<String>,
    /// Pushes the export folder as it is.
    #[arg(long)]
    pub no_export: bool,
    /// Makes the export alone.
    #[arg(long)]
    pub no_push: bool,
    /// Removes files of the repository that the export lacks, all but .gitattributes.
    #[arg(long)]
    pub clean_remote: bool,
}

impl PushArgs {
    /// The part that settings are made of.
    pub fn flags(&self) -> PushFlags {
        PushFlags {
            repo_id: self.repo_id.clone(),
            repo_type: self.repo_type,
            source_dir: self.source_dir.clone(),
            export_dir: self.export_dir.clone(),
            include_run_state: self.include_run_state,
            token: Token::new(self.token.as_deref().unwrap_or_default()),
            commit_message: self.commit_message.clone(),
            clean_remote: self.clean_remote,
        }
    }
}

fn repo_types() -> impl TypedValueParser<Value = RepoType> {
    let of = |name: String| RepoType::ALL.into_iter().find(|of| of.name() == name).unwrap_or_default();
    PossibleValuesParser::new(RepoType::ALL.map(RepoType::name)).map(of)
}
