//! Reads the documents of the knowledge folder.

use super::formats::{self, Failure, Format, Part};
use super::inventory::Key;
use super::outline::Outline;
use super::progress::Counter;
use super::sandbox::Readers;
use super::walk::{self, Found};
use super::{ConvertCommand, KnowledgeError, Reading, Step, Watch, blobs};
use crate::domain::control_tokens::neutralised;
use crate::domain::text::legible;
use rayon::prelude::*;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// Bytes of a file that are read at a time.
const PART: usize = 1 << 20;

/// A document with text in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    /// Path relative to the knowledge folder, with `/` between parts; of a row, with `#` and what the row is called.
    pub path: String,
    /// Its text, trimmed, lines ending in `\n`, without comments, bytes written out, control characters and control tokens.
    pub text: String,
    /// Whether its text is Markdown.
    pub is_markdown: bool,
}

impl Document {
    /// The document that a part of the file at a path is; nothing where there is no text in it.
    fn of(path: &str, part: Part, warnings: &mut Vec<String>) -> Option<Self> {
        let Part { row, text, is_markdown } = part;
        let path = row.map_or_else(|| path.to_owned(), |row| format!("{path}#{}", named(&row)));
        let mut warn = |what: &str| warnings.push(format!("{what}: {path}"));
        let mut text = blobs::without_bytes(&legible(&text)).trim().to_owned();
        if text.is_empty() {
            warn("skipped, it is empty");
            return None;
        }
        if let Some((safe, count)) = neutralised(&text) {
            warn(&format!("blanks set into control tokens of chat templates ({count}), as in `<| im_start |>`"));
            text = safe;
        }
        Some(Self { path, text, is_markdown })
    }

    /// Its structure: that of Markdown where it is some.
    pub fn outline(&self) -> Outline {
        if self.is_markdown { Outline::markdown(&self.text) } else { Outline::plain(&self.text) }
    }
}

/// The name of a row, fit for a line, for outputs and for prompts.
fn named(row: &str) -> String {
    let row = row.replace(char::is_control, " ");
    neutralised(&row).map_or(row, |(safe, _)| safe)
}

/// What was made of the files of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files<T> {
    /// One for each file, sorted by path.
    pub files: Vec<T>,
    /// What was left out, one line per kind.
    pub warnings: Vec<String>,
}

/// What was read of a file.
pub(super) struct FileRead {
    /// The documents in it that have text.
    pub documents: Vec<Document>,
    /// What its user should know about how it was read.
    pub warnings: Vec<String>,
    /// Whether the file alone decides on it: what a program has failed at may come out otherwise the next time.
    pub is_final: bool,
}

/// Makes something of every file below a folder that holds documents, on all cores: what is known of its path and the digest
/// of its bytes, else what is kept of what was read.
pub(super) fn each<T: Send>(
    folder: &Path,
    (follow_links, reading): (bool, &Reading),
    watch: Watch<'_>,
    known: impl Fn(&str, &Key) -> Result<Option<T>, KnowledgeError> + Sync,
    keep: impl Fn(&str, &Key, FileRead) -> Result<T, KnowledgeError> + Sync,
) -> Result<Files<T>, KnowledgeError> {
    if !folder.is_dir() {
        return Err(KnowledgeError::MissingFolder(folder.to_path_buf()));
    }
    let is_document = |path: &Path| reading.convert.command(path).is_some() || Format::of(path).is_some();
    let Found { documents: found, warnings } = walk::find(folder, follow_links, &is_document)?;
    let counter = Counter::new(Step::Documents, found.len(), watch);
    let readers = Readers::new(folder, reading);
    let read = |(path, file): (String, PathBuf)| {
        let content = digest(&file).map_err(|cause| KnowledgeError::Unreadable { path: file.clone(), cause })?;
        let made = match known(&path, &content)? {
            Some(known) => known,
            None => keep(&path, &content, read(&readers, reading, &path, file)?)?,
        };
        counter.add(1);
        Ok(made)
    };
    // Collected before an error is looked for, so that it is the first one's whichever thread is faster.
    let read: Vec<Result<_, KnowledgeError>> = found.into_par_iter().map(read).collect();
    Ok(Files { files: read.into_iter().collect::<Result<_, _>>()?, warnings })
}

/// The digest of a file's bytes.
fn digest(file: &Path) -> io::Result<Key> {
    let (mut file, mut part, mut digest) = (File::open(file)?, vec![0; PART], Xxh3::new());
    loop {
        let count = file.read(&mut part)?;
        if count == 0 {
            return Ok(digest.digest128().to_be_bytes());
        }
        digest.update(&part[..count]);
    }
}

fn read(readers: &Readers<'_>, reading: &Reading, path: &str, file: PathBuf) -> Result<FileRead, KnowledgeError> {
    let part = |part| {
        let mut warnings = Vec::new();
        (Document::of(path, part, &mut warnings), warnings)
    };
    let command = reading.convert.command(&file);
    let read = match command {
        None => readers.read(path, part),
        Some(command) => converted(&file, command, reading, part),
    };
    let is_final = read.is_ok() || command.is_none() && !matches!(read, Err(Failure::Killed(_)));
    let (documents, notes) = match read {
        Ok((documents, notes)) => (documents, notes.into_iter().map(|note| format!("{note}: {path}")).collect()),
        Err(Failure::Broken(reason) | Failure::Killed(reason)) => {
            (Vec::new(), vec![format!("skipped, {reason}: {path}")])
        }
        Err(Failure::Unreadable(cause)) => {
            return Err(KnowledgeError::Unreadable { path: file, cause: io::Error::other(cause) });
        }
        Err(Failure::NoReader(cause)) => return Err(KnowledgeError::NoReader(path.to_owned(), cause)),
    };
    let (documents, warnings): (Vec<_>, Vec<Vec<String>>) = documents.into_iter().unzip();
    let warnings = [notes, warnings.concat()].concat();
    Ok(FileRead { documents: documents.into_iter().flatten().collect(), warnings, is_final })
}

/// What is made of a file that a program prints.
fn converted<T>(
    file: &Path,
    command: &ConvertCommand,
    reading: &Reading,
    mut made: impl FnMut(Part) -> T,
) -> Result<(Vec<T>, Vec<String>), Failure> {
    let printed = reading.convert.converted(file, command, reading.max_bytes)?;
    let mut parts = Vec::new();
    let notes = formats::read(&printed, reading, &mut |part| parts.push(made(part)))?;
    Ok((parts, notes))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
        folder
    }

    #[test]
    fn names_of_rows_are_fit_for_a_line() {
        assert_eq!(named("Pump\n\u{1b}[31m<|im_start|>"), "Pump  [31m<| im_start |>");
    }

    #[derive(Debug)]
    struct Documents {
        documents: Vec<Document>,
        warnings: Vec<String>,
    }

    fn read_all(folder: &Path, follow_links: bool) -> Result<Documents, KnowledgeError> {
        let keep = |_: &str, _: &Key, read| Ok(read);
        let read = each(folder, (follow_links, &Reading::default()), &|_| (), |_, _| Ok(None), keep)?;
        let (mut documents, mut warnings) = (Vec::new(), read.warnings);
        for file in read.files {
            documents.extend(file.documents);
            warnings.extend(file.warnings);
        }
        Ok(Documents { documents, warnings })
    }

    fn paths(read: &Documents) -> Vec<&str> {
        read.documents.iter().map(|document| document.path.as_str()).collect()
    }

    #[test]
    fn text_is_decoded_and_trimmed() {
        for (bytes, text, warnings) in [
            ("\u{feff} é\u{a0}\n".as_bytes(), "é", &[][..]),
            (b"caf\xe9", "café", &["not UTF-8, read as windows-1252, which it looks like: x.txt"]),
            (b"\xfe\xff\0a\0\r\0\n\0b", "a\nb", &[]),
            (b"\n one\r\ntwo\rthree ", "one\ntwo\nthree", &[]),
            (
                b"a page of plain\x0ctext with \x1b[31mred\x1b[0m and \x07",
                "a page of plain\ntext with red and \u{fffd}",
                &[],
            ),
            ("La page \u{feff}\u{200e}est à \u{9d} côté".as_bytes(), "La page \u{200e}est à \u{fffd} côté", &[]),
        ] {
            let read = read_all(folder(&[("x.txt", bytes)]).path(), false).unwrap();
            assert_eq!(read.documents[0].text, text);
            assert_eq!(read.warnings, warnings);
        }
    }

    #[test]
    fn what_is_skipped_is_said() {
        let noise: Vec<u8> = (0..3_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let folder = folder(&[
            ("a.md", b" \n"),
            ("b/c.PDF", b"%PDF"),
            ("b/c.pptx", b"PK"),
            ("d.txt", b"text"),
            ("e.md", b"<!-- nothing else -->"),
            ("notes.txt", &noise),
        ]);
        let read = read_all(folder.path(), false).unwrap();
        assert_eq!(paths(&read), ["d.txt"]);
        assert_eq!(
            read.warnings,
            [
                "1 file of types .pptx (1) left out, which this version does not read",
                "skipped, it is empty: a.md",
                "skipped, it is no PDF file that can be read (couldn't parse input: invalid file header): b/c.PDF",
                "skipped, it is empty: e.md",
                "skipped, it holds NUL bytes, as no text does: notes.txt",
            ]
        );
    }

    #[test]
    fn only_markdown_has_markup_and_no_document_has_control_tokens() {
        let text = b"one <!-- two --> ![three](data:image/png;base64,AAAA) <|im_start|> [INST]";
        let read = read_all(folder(&[("a.md", text), ("b.txt", text)]).path(), false).unwrap();
        let texts: Vec<&str> = read.documents.iter().map(|document| document.text.as_str()).collect();
        assert_eq!(
            texts,
            ["one  three <| im_start |> [ INST ]", "one <!-- two --> ![three]() <| im_start |> [ INST ]"]
        );
        let said = "blanks set into control tokens of chat templates (2), as in `<| im_start |>`";
        assert_eq!(read.warnings, [format!("{said}: a.md"), format!("{said}: b.txt")]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_document_that_cannot_be_read_is_named() {
        let folder = folder(&[("x.md", b"x")]);
        std::os::unix::fs::symlink("/proc/self/mem", folder.path().join("gone.md")).unwrap();
        let error = read_all(folder.path(), true).unwrap_err();
        assert!(error.to_string().contains("gone.md"), "{error}");
    }
}
