//! How commands that take a while tell how they come along.

use clap::{Args, ValueEnum};

/// How a command tells how it comes along.
#[derive(Debug, Clone, Default, Args)]
pub struct ReportArgs {
    /// How progress is shown.
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub progress: Progress,
    /// Says nothing but errors and the first line of the summary; no progress either, unless `--progress` asks for it.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Shows on standard error all that the log has under `logs.level: debug`: requests, replies, searches.
    #[arg(short, long)]
    pub verbose: bool,
    /// Serves figures for Prometheus over HTTP at this port of this machine (0 for a free one), or at an address with a port. Each
    /// process of a run that several make has the next port.
    #[arg(long, value_name = "PORT|ADDRESS:PORT")]
    pub metrics: Option<String>,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Progress {
    /// A bar where standard error is a terminal, else a line now and then.
    #[default]
    Auto,
    /// A bar on standard error, which must be a terminal.
    Bar,
    /// A line now and then, on standard error.
    Plain,
    /// A JSON object for each event, a line each on standard output; the summary goes to standard error.
    Json,
    /// No progress at all.
    None,
}
