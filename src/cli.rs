//! What the user typed.

use crate::settings::{Flags, Resume};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Turns a folder of documents into a dataset of grounded multi-turn conversations.
#[derive(Debug, Parser)]
#[command(name = "dlgforge", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate conversations.
    Run(RunArgs),
    /// Tell what runs an output folder has, how far they are, and how to go on with them.
    Status(StatusArgs),
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The output folder.
    #[arg(default_value = "outputs")]
    pub outputs: PathBuf,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration file.
    pub config: PathBuf,
    /// Overrides a key of the configuration, such as `run.batch_size=8`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Goes on with a run of the output folder, by default the last one, where it was left.
    #[arg(long, value_name = "RUN_ID", num_args = 0..=1, default_missing_value = "")]
    pub resume: Option<String>,
    /// Tells how many calls the run would make, and how many replies the journal has for it; asks and writes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The project's root, which relative paths start from; by default the configuration file's folder, or its parent
    /// when that folder is called `config`.
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Worker threads of the dataflow, 1 to 256; model calls do not need any.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
}

impl RunArgs {
    /// The part that settings are made of.
    pub fn flags(&self) -> Flags {
        let resume = self.resume.as_deref().map(str::trim);
        let resume = resume.map(|id| if id.is_empty() { Resume::Last } else { Resume::Run(id.to_owned()) });
        Flags { config: self.config.clone(), set: self.set.clone(), resume, root: self.root.clone() }
    }
}
