//! Arguments of the commands that show conversations.

use super::RunTarget;
use crate::settings::{Flags, question_modes};
use clap::Args;
use clap::builder::PossibleValuesParser;
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
    /// Asks every question in this mode that may have it, instead of the shares of `coverage.modes`: most modes need a turn before.
    #[arg(long, value_name = "MODE", value_parser = PossibleValuesParser::new(question_modes()))]
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
        if let Some(mode) = &self.mode {
            let share = |other: &str| match (other == mode, mode.as_str()) {
                (false, _) => "0",
                // The next turn clarifies what it has left open, and counts.
                (true, "underspecified") => "0.5",
                (true, _) => "1",
            };
            let shares: Vec<_> = question_modes().map(|other| format!("{other}: {}", share(other))).collect();
            flags.set.push(format!("coverage.modes={{{}}}", shares.join(", ")));
        }
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
