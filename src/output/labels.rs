//! `labels.jsonl`: what a person thinks of conversations, a line for each time that one was labelled; the last line of a conversation counts.

use super::OutputError;
use crate::files::FilesError;
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The version of its lines.
const VERSION: u32 = 1;

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
    /// Its name in the file.
    pub fn as_str(self) -> &'static str {
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

/// The file of an output folder.
pub fn labels_file(outputs: &Path) -> PathBuf {
    outputs.join("labels.jsonl")
}

/// The labels of an output folder, by conversation; none where nobody has labelled any.
///
/// # Errors
/// When the file can't be read, or a line of it is no label.
pub fn labels(outputs: &Path) -> Result<BTreeMap<String, Label>, OutputError> {
    let path = labels_file(outputs);
    let file = match File::open(&path) {
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(BTreeMap::new());
        }
        opened => opened.map_err(FilesError::io("open", &path))?,
    };
    let mut labels = BTreeMap::new();
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(FilesError::io("read", &path))?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |detail: String| OutputError::Label { path: path.clone(), line: number, detail };
        let label: Label = serde_json::from_str(&line).map_err(|cause| wrong(cause.to_string()))?;
        if label.version > VERSION {
            return Err(wrong(format!("it is of version {}, and this release knows {VERSION}", label.version)));
        }
        labels.insert(label.conversation_id.clone(), label);
    }
    Ok(labels)
}

/// Adds a label of now to the file of an output folder, which is on disk then.
///
/// # Errors
/// When the file can't be written.
pub fn add_label(
    outputs: &Path,
    conversation_id: &str,
    label: Option<Choice>,
    note: &str,
) -> Result<Label, OutputError> {
    let now = Timestamp::now().round(Unit::Second).unwrap_or_default();
    let label = Label {
        version: VERSION,
        conversation_id: conversation_id.to_owned(),
        label,
        note: note.to_owned(),
        labelled_at: now.to_string(),
    };
    let line = serde_json::to_string(&label).map_err(|cause| FilesError::Encode { what: "label", cause })?;
    let path = labels_file(outputs);
    append(&path, &line).map_err(FilesError::io("write", &path))?;
    Ok(label)
}

/// Adds a whole line, on a line of its own even where the last one was left without an end.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_last_line_counts_and_lines_by_hand_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(labels(folder.path()).unwrap(), BTreeMap::new());
        fs::write(labels_file(folder.path()), "{\"conversation_id\": \"a\", \"note\": \"by hand\"}").unwrap();
        add_label(folder.path(), "a", Some(Choice::Reject), "no \u{202e}\n").unwrap();
        add_label(folder.path(), "b", Some(Choice::Keep), "").unwrap();
        add_label(folder.path(), "b", None, "taken back").unwrap();
        let labels = labels(folder.path()).unwrap();
        assert_eq!(labels["a"].label, Some(Choice::Reject));
        assert_eq!((labels["b"].label, labels["b"].note.as_str()), (None, "taken back"));
        assert_eq!(fs::read_to_string(labels_file(folder.path())).unwrap().lines().count(), 4);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (line, expected) in [
            ("{\"conversation_id\": \"a\", \"label\": \"maybe\"}", "labels.jsonl:2: unknown variant `maybe`"),
            ("{\"conversation_id\": \"a\", \"version\": 2}", "labels.jsonl:2: it is of version 2"),
        ] {
            fs::write(labels_file(folder.path()), format!("\n{line}\n")).unwrap();
            let error = labels(folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
