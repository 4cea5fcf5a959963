//! Arguments of the commands that show conversations.

use super::RunTarget;
use crate::settings::Flags;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `dlgforge preview`, in any order.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// The run to try out, by its configuration file and root.
    #[command(flatten)]
    pub run: RunTarget,
    /// Conversations to make, in all. Every language gets as many, so there may be a few more; where there are more languages,
    /// the first ones get one each. They are paid for.
    #[arg(short = 'n', value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub conversations: u32,
    /// Makes them in this language, instead of `run.target_languages`.
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<String>,
    /// Has every turn that may be of this mode be of it, instead of `coverage.modes`: such as followup, unanswerable, sharded.
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
    /// The seed that every random choice follows from, instead of `run.seed`; the same makes the same again.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Keeps the output folder here, with its logs in it; else nothing is kept. Neither `saving.output_dir` nor what was asked
    /// there is looked at.
    #[arg(long, value_name = "FOLDER")]
    pub save: Option<PathBuf>,
}

impl PreviewArgs {
    /// The part that settings are made of.
    pub fn flags(&self) -> Flags {
        let mut flags = self.run.flags(None, None);
        // JSON is YAML, whatever stands in the word.
        let quoted = |word: &str| serde_json::Value::from(word).to_string();
        flags.set.extend(self.language.iter().map(|word| format!("run.target_languages=[{}]", quoted(word))));
        flags.set.extend(self.seed.map(|seed| format!("run.seed={seed}")));
        // A turn that is left open takes the next one, which clarifies it.
        let share = |mode: &str| if mode == "underspecified" { "0.5" } else { "1" };
        let modes = self.mode.iter().map(|mode| format!("coverage.modes={{{}: {}}}", quoted(mode), share(mode)));
        flags.set.extend(modes);
        flags
    }
}

/// Arguments of `dlgforge show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The id of the conversation; its number in the last run, `12`, or `fr/12` where there are several languages; `last`, or
    /// `random`.
    pub conversation: String,
    /// The output folder that has it, or an export.
    #[arg(default_value = "outputs")]
    pub outputs: PathBuf,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}
