//! How an output folder is exported and pushed.

use super::Destination;
use std::path::PathBuf;

/// How an output folder is exported and pushed: `saving.hf_push`, and what the command line says instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushOptions {
    /// The output folder that is exported.
    pub source: PathBuf,
    /// The file of the output folder that must have rows.
    pub source_file: String,
    /// The folder of the export.
    pub export_folder: PathBuf,
    /// The licence of the dataset as the Hub spells it, such as `cc-by-4.0`; empty where none is told.
    pub license: String,
    /// Whether the state of runs is exported too.
    pub include_run_state: bool,
    /// The path of the statistics in the export; none where there are to be none.
    pub stats_file: Option<String>,
    /// The path of the folder of plots in the export; none where there are to be none.
    pub plots_folder: Option<String>,
    /// Where the export is pushed to.
    pub to: Destination,
}
