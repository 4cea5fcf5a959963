//! What the user typed of pages for the browser.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `dlgforge view`, in any order.
#[derive(Debug, Clone, Args)]
pub struct ViewArgs {
    /// The output folders to show; several to compare runs of them.
    #[arg(default_value = "outputs")]
    pub outputs: Vec<PathBuf>,
    /// The port of 127.0.0.1 to listen on; 0 for a free one.
    #[arg(long, value_name = "PORT", default_value = "0")]
    pub port: u16,
    /// The folder of the logs, which tell of roll-backs; by default `logs` beside each output folder.
    #[arg(long, value_name = "FOLDER")]
    pub logs: Option<PathBuf>,
}
