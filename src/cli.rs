//! What the user typed.

use crate::settings::Flags;
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
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration file.
    pub config: PathBuf,
    /// Overrides a key of the configuration, such as `run.batch_size=8`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
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
        Flags { config: self.config.clone(), set: self.set.clone(), root: self.root.clone() }
    }
}
