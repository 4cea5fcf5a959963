//! The labels of an output folder, read again where its file has changed, for lists to be filtered by.

use super::ViewError;
use crate::files::FilesError;
use crate::output::{Choice, Label, add_label, labels, labels_file};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Characters of a note.
const NOTE: usize = 10_000;

/// When the file was written and how long it was then; none before it was read.
pub(super) type Stamp = Option<(SystemTime, u64)>;

/// The labels of an output folder, read again where the file has changed.
pub struct Labels {
    outputs: PathBuf,
    path: PathBuf,
    read: Stamp,
    labels: BTreeMap<String, Label>,
}

impl Labels {
    /// Those of an output folder, with a temporary table `label` of a connection that will have them.
    ///
    /// # Errors
    /// When the table can't be made.
    pub fn of(outputs: &Path, reader: &Connection) -> Result<Self, ViewError> {
        let path = labels_file(outputs);
        let made = reader.execute_batch(
            "CREATE TEMP TABLE label (id TEXT PRIMARY KEY, label TEXT NOT NULL, note TEXT NOT NULL) WITHOUT ROWID",
        );
        made.map_err(ViewError::index(&path))?;
        Ok(Self { outputs: outputs.to_owned(), path, read: None, labels: BTreeMap::new() })
    }

    /// The label of a conversation, as it was read last.
    pub fn get(&self, conversation_id: &str) -> Option<&Label> {
        self.labels.get(conversation_id)
    }

    /// What the labels were read from.
    pub(super) fn stamp(&self) -> Stamp {
        self.read
    }

    /// Reads the file where it has changed, and hands the labels to the table of the connection.
    ///
    /// # Errors
    /// When it can't be read, or a line is no label; then the labels stay as they were.
    pub fn refresh(&mut self, reader: &Connection) -> Result<(), ViewError> {
        let stamp = match fs::metadata(&self.path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => (SystemTime::UNIX_EPOCH, 0),
            found => {
                let found = found.map_err(FilesError::io("look at", &self.path))?;
                (found.modified().unwrap_or(SystemTime::UNIX_EPOCH), found.len())
            }
        };
        if self.read == Some(stamp) {
            return Ok(());
        }
        let labels = if stamp.1 == 0 { BTreeMap::new() } else { labels(&self.outputs)? };
        let table = || -> rusqlite::Result<()> {
            let changed = reader.unchecked_transaction()?;
            changed.execute_batch("DELETE FROM label")?;
            for (id, Label { label, note, .. }) in &labels {
                let label = label.map_or("", Choice::as_str);
                changed.prepare_cached("INSERT INTO label VALUES (?1, ?2, ?3)")?.execute([id, label, note])?;
            }
            changed.commit()
        };
        table().map_err(ViewError::index(&self.path))?;
        (self.labels, self.read) = (labels, Some(stamp));
        Ok(())
    }

    /// Adds a label of now to the file, which is on disk then.
    ///
    /// # Errors
    /// When the note is too long, or the file can't be written.
    pub fn add(&self, conversation_id: &str, label: Option<Choice>, note: &str) -> Result<Label, ViewError> {
        if note.chars().count() > NOTE {
            return Err(ViewError::Question(format!("the note is longer than {NOTE} characters")));
        }
        Ok(add_label(&self.outputs, conversation_id, label, note)?)
    }
}
