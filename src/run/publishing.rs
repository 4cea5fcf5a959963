//! Exports an output folder and pushes the export to the Hub, on demand or after a run.

mod contents;

use super::knowledge::waited;
use super::{Obey, RunError};
use crate::domain::causes::causes;
use crate::operators::Stop;
use crate::publish::{self, ExportFolderError, HubError, PushOptions, Pushed};
use std::fmt;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files of conversations that stand in for each other: with verdicts, and without.
const EITHER: [&str; 2] = ["conversations_sharegpt_judged.jsonl", "conversations_sharegpt.jsonl"];

/// How often a push looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What a command is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Whether the export is made; else the one that is there is pushed.
    pub export: bool,
    /// Whether it is pushed.
    pub push: bool,
}

/// Why an output folder was not exported or pushed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The folder of the export can't be made.
    #[error(transparent)]
    Folder(#[from] ExportFolderError),
    /// The Hub does not take the export.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The process was asked to stop before all was pushed.
    #[error("stopped; what has arrived stays")]
    Stopped,
    /// There is no output folder to export.
    #[error("Source directory not found: {}", .0.display())]
    NoSource(PathBuf),
    /// The output folder lacks the file that is to have rows.
    #[error("{file} not found in {}; make a run first, or name another file by `saving.hf_push.source_file`", .folder.display())]
    NoSourceFile {
        /// The name of the file.
        file: String,
        /// The output folder that lacks it.
        folder: PathBuf,
    },
    /// A file can't be copied into the export.
    #[error("{}: {cause}", .path.display())]
    Copy {
        /// The file that is copied.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl From<ExportFolderError> for RunError {
    fn from(error: ExportFolderError) -> Self {
        PublishError::from(error).into()
    }
}

/// What a command has done.
#[derive(Debug)]
pub struct Published {
    /// The folder of the export, where it was made.
    exported: Option<PathBuf>,
    /// What came of the push, if there was one.
    pushed: Option<Pushed>,
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exported.iter().try_for_each(|folder| writeln!(f, "exported   {}", folder.display()))?;
        self.pushed.iter().try_for_each(|pushed| write!(f, "{pushed}"))
    }
}

/// Exports an output folder and pushes the export; `told` hears what is under way, a line each. Where the state of runs is on a server,
/// `dsn` is its connection string.
///
/// # Errors
/// When there is nothing to export, when the export can't be made, or when the Hub does not take it.
pub fn push(
    options: &PushOptions,
    dsn: Option<&str>,
    steps: Steps,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Published, RunError> {
    publish(options, dsn, steps, told, std::future::pending())
}

/// Does the same after a run, where there are conversations and a repository is named, until something asks the process to stop.
/// What goes wrong is a warning.
pub fn push_after_run(
    options: &PushOptions,
    dsn: Option<&str>,
    obey: &Obey,
    told: &(dyn Fn(&str) + Sync),
) -> Option<Published> {
    let signal = obey(Stop::default());
    let stopped = async {
        while signal.get().is_none() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let published = publish(options, dsn, Steps { export: true, push: true }, told, stopped);
    let warn =
        |error| told(&format!("the run was not pushed to the Hub: {}; `dlgforge push` does it later", causes(&error)));
    published.map_err(warn).ok()
}

fn publish(
    options: &PushOptions,
    dsn: Option<&str>,
    steps: Steps,
    told: &(dyn Fn(&str) + Sync),
    stopped: impl Future<Output = ()>,
) -> Result<Published, RunError> {
    if steps.push {
        // Before an export that would be for nothing.
        options.to.check().map_err(PublishError::from)?;
    }
    let folder = &options.export_folder;
    if steps.export {
        let file = source_file(options)?;
        publish::replace(folder, |built| contents::fill(options, dsn, &file, built))?;
    }
    let pushing = async {
        tokio::select! {
            pushed = publish::push(folder, &options.to, told) => pushed.map_err(PublishError::from),
            () = stopped => Err(PublishError::Stopped),
        }
    };
    let pushed = if steps.push { Some(waited(pushing)??) } else { None };
    Ok(Published { exported: steps.export.then(|| folder.clone()), pushed })
}

/// The file that is to have rows: the one of the settings, or the other one of conversations where that has none.
fn source_file(options: &PushOptions) -> Result<PathBuf, PublishError> {
    let PushOptions { source, source_file, .. } = options;
    if !source.is_dir() {
        return Err(PublishError::NoSource(source.clone()));
    }
    let either = EITHER.into_iter().filter(|_| EITHER.contains(&source_file.as_str()));
    let named = Some(source_file.as_str()).filter(|name| !EITHER.contains(name));
    let mut files = named.into_iter().chain(either).map(|name| source.join(name));
    files
        .find(|file| fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() > 0))
        .ok_or_else(|| PublishError::NoSourceFile { file: source_file.clone(), folder: source.clone() })
}

fn copy(from: &Path, to: &Path) -> Result<(), PublishError> {
    fs::copy(from, to).map(drop).map_err(|cause| PublishError::Copy { path: from.to_owned(), cause })
}
