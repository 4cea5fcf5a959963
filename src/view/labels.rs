//! `labels.jsonl`: what a person thinks of conversations, a line for each time that one was labelled; the last line of a conversation counts.

use super::ViewError;
use crate::files::FilesError;
use jiff::{Timestamp, Unit};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file's name in the output folder.
const NAME: &str = "labels.jsonl";
/// The version of its lines.
const VERSION: u32 = 1;
/// Characters of a note.
const NOTE: usize = 10_000;

/// What is thought of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// It is good to train on.
    Keep,
    /// It is not to be trained on.
    Reject,
}

impl Choice {
    fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Reject => "reject",
        }
    }
}

/// A line of the file. It is written by hand too: the version and the time may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The version of lines of this kind.
    #[serde(default = "current")]
    version: u32,
    /// The conversation that it is about.
    pub conversation_id: String,
    /// What is thought of it; none where a label was taken back.
    #[serde(default)]
    pub label: Option<Choice>,
    /// What is to be said of it; may be empty.
    #[serde(default)]
    pub note: String,
    /// When it was written, in UTC; may be empty.
    #[serde(default)]
    pub labelled_at: String,
}

fn current() -> u32 {
    VERSION
}

/// When the file was written and how long it was then; none before it was read.
pub(super) type Stamp = Option<(SystemTime, u64)>;

/// The labels of an output folder, read again where the file has changed.
pub struct Labels {
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
        let path = outputs.join(NAME);
        let made = reader.execute_batch(
            "CREATE TEMP TABLE label (id TEXT PRIMARY KEY, label TEXT NOT NULL, note TEXT NOT NULL) WITHOUT ROWID",
        );
        made.map_err(ViewError::index(&path))?;
        Ok(Self { path, read: None, labels: BTreeMap::new() })
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
        let labels = if stamp.1 == 0 { BTreeMap::new() } else { self.lines()? };
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

    fn lines(&self) -> Result<BTreeMap<String, Label>, ViewError> {
        let text = fs::read_to_string(&self.path).map_err(FilesError::io("read", &self.path))?;
        let mut labels = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |detail: String| ViewError::Label { path: self.path.clone(), line: number, detail };
            let label: Label = serde_json::from_str(line).map_err(|cause| wrong(cause.to_string()))?;
            if label.version > VERSION {
                return Err(wrong(format!("it is of version {}, and this release knows {VERSION}", label.version)));
            }
            labels.insert(label.conversation_id.clone(), label);
        }
        Ok(labels)
    }

    /// Adds a label of now to the file, which is on disk then.
    ///
    /// # Errors
    /// When the note is too long, or the file can't be written.
    pub fn add(&self, conversation_id: &str, label: Option<Choice>, note: &str) -> Result<Label, ViewError> {
        if note.chars().count() > NOTE {
            return Err(ViewError::Question(format!("the note is longer than {NOTE} characters")));
        }
        let now = Timestamp::now().round(Unit::Second).unwrap_or_default();
        let label = Label {
            version: VERSION,
            conversation_id: conversation_id.to_owned(),
            label,
            note: note.to_owned(),
            labelled_at: now.to_string(),
        };
        let cause = |cause| FilesError::Encode { what: "label", cause };
        let line = serde_json::to_string(&label).map_err(cause)?;
        self.append(&line).map_err(FilesError::io("write", &self.path))?;
        Ok(label)
    }

    /// Adds a whole line, on a line of its own even where the last one was left without an end.
    fn append(&self, line: &str) -> std::io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        file.lock().or_else(|cause| if cause.kind() == ErrorKind::Unsupported { Ok(()) } else { Err(cause) })?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let begin = if last == *b"\n" { "" } else { "\n" };
        file.write_all(format!("{begin}{line}\n").as_bytes())?;
        file.sync_all()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_and_lines_by_hand_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let reader = Connection::open_in_memory().unwrap();
        let mut labels = Labels::of(folder.path(), &reader).unwrap();
        labels.refresh(&reader).unwrap();
        fs::write(folder.path().join(NAME), "{\"conversation_id\": \"a\", \"note\": \"by hand\"}").unwrap();
        labels.add("a", Some(Choice::Reject), "no \u{202e}\n").unwrap();
        labels.add("b", Some(Choice::Keep), "").unwrap();
        labels.add("b", None, "taken back").unwrap();
        labels.refresh(&reader).unwrap();
        assert_eq!(labels.get("a").unwrap().label, Some(Choice::Reject));
        assert_eq!((labels.get("b").unwrap().label, labels.get("b").unwrap().note.as_str()), (None, "taken back"));
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap().lines().count(), 4);
        let rejected: u32 =
            reader.query_row("SELECT count(*) FROM label WHERE label = 'reject'", [], |row| row.get(0)).unwrap();
        assert_eq!(rejected, 1);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let reader = Connection::open_in_memory().unwrap();
        let mut labels = Labels::of(folder.path(), &reader).unwrap();
        for (line, expected) in [
            ("{\"conversation_id\": \"a\", \"label\": \"maybe\"}", "labels.jsonl:2: unknown variant `maybe`"),
            ("{\"conversation_id\": \"a\", \"version\": 2}", "labels.jsonl:2: it is of version 2"),
        ] {
            fs::write(folder.path().join(NAME), format!("\n{line}\n")).unwrap();
            let error = labels.refresh(&reader).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
