//! What the user typed of checks and of the state of runs.

use super::{CONFIG, Overrides};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `dlgforge check`, in any order.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file, or a folder with a config.yaml.
    #[arg(default_value = CONFIG)]
    pub config: PathBuf,
    /// What is said otherwise.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Asks no model: endpoints are only looked at. Else each is asked for a few tokens, which costs a call.
    #[arg(long)]
    pub no_calls: bool,
    /// Tells of each key of a project of the Python original whether it does here what it did there, and what to type next; nothing is
    /// asked for. The project is the configuration, the environment and the output folder that it names.
    #[arg(long)]
    pub from_python: bool,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `dlgforge status`, in any order.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The output folder whose runs are shown.
    #[arg(default_value = "outputs")]
    pub outputs: PathBuf,
    /// Shows them anew every two seconds, until none is running. Where the output is no terminal, only what has changed is printed.
    #[arg(long)]
    pub watch: bool,
    /// Prints one JSON object instead of text; with --watch one a line.
    #[arg(long)]
    pub json: bool,
}
