//! The folder whose files replace shipped templates.

use super::{PromptError, SHIPPED};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The templates of a folder and of `text` within it by name, each of which must replace a shipped one.
pub(super) fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, PromptError> {
    let mut files = BTreeMap::new();
    let within = Some(folder.join("text")).filter(|within| within.is_dir());
    for (folder, prefix) in [(folder.to_owned(), "")].into_iter().chain(within.map(|within| (within, "text/"))) {
        let unreadable = |source| PromptError::Read { path: folder.clone(), source };
        for entry in folder.read_dir().map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".j2") {
                files.insert(format!("{prefix}{name}"), path);
            }
        }
    }
    for (name, path) in &files {
        if SHIPPED.iter().all(|(shipped, _)| shipped != name) {
            return Err(PromptError::Name { path: path.clone(), nearest: nearest(name) });
        }
    }
    Ok(files)
}

fn nearest(name: &str) -> &'static str {
    let likeness = |shipped: &str| strsim::jaro_winkler(shipped, name);
    SHIPPED
        .map(|(shipped, _)| shipped)
        .into_iter()
        .fold(SHIPPED[0].0, |best, shipped| if likeness(shipped) > likeness(best) { shipped } else { best })
}

/// The text of a template of the user's own.
pub(super) fn read(path: &Path) -> Result<String, PromptError> {
    std::fs::read_to_string(path).map_err(|source| PromptError::Read { path: path.to_owned(), source })
}
