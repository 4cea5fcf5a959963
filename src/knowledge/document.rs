//! Finds and reads the documents of the knowledge folder.

use super::KnowledgeError;
use super::outline::Outline;
use std::path::{Path, PathBuf};
use std::{fs, io};
use walkdir::WalkDir;

/// A document with text in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    /// Path relative to the knowledge folder, with `/` between parts.
    pub path: String,
    /// Its text, trimmed, lines ending in `\n`.
    pub text: String,
}

impl Document {
    /// Its structure: that of Markdown where its name says so.
    pub fn outline(&self) -> Outline {
        let is_markdown = self.path.to_ascii_lowercase().ends_with(".md");
        if is_markdown { Outline::markdown(&self.text) } else { Outline::plain(&self.text) }
    }
}

/// All documents of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Documents {
    /// At least one, sorted by path.
    pub documents: Vec<Document>,
    /// What was skipped or read in an unexpected way, one line per file.
    pub warnings: Vec<String>,
}

/// How a file is read, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    Text,
    Pdf,
}

/// Reads every document below a folder, links followed, each folder once.
pub(super) fn read_all(folder: &Path) -> Result<Documents, KnowledgeError> {
    if !folder.is_dir() {
        return Err(KnowledgeError::MissingFolder(folder.to_path_buf()));
    }
    let (mut documents, mut warnings) = (Vec::new(), Vec::new());
    let (mut empty, mut unsupported) = (0, 0);
    for (path, format, file) in find(folder, &mut warnings)? {
        if format == Format::Pdf {
            unsupported += 1;
            warnings.push(format!("not supported yet: {path}"));
            continue;
        }
        let bytes = fs::read(&file).map_err(|cause| KnowledgeError::Unreadable { path: file, cause })?;
        let text = decoded(bytes).unwrap_or_else(|latin| {
            warnings.push(format!("not UTF-8, read as Latin-1: {path}"));
            latin
        });
        let text = text.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned();
        if text.is_empty() {
            empty += 1;
            warnings.push(format!("skipped, it is empty: {path}"));
        } else {
            documents.push(Document { path, text });
        }
    }
    if documents.is_empty() {
        return Err(KnowledgeError::NothingToRead { empty, unsupported });
    }
    Ok(Documents { documents, warnings })
}

/// The documents' relative paths, sorted, each with its format and where it lies.
fn find(folder: &Path, warnings: &mut Vec<String>) -> Result<Vec<(String, Format, PathBuf)>, KnowledgeError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.loop_ancestor().is_some() => {
                let link = error.path().unwrap_or(folder);
                warnings.push(format!("skipped, it links back to a folder around it: {}", relative(folder, link)?));
                continue;
            }
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_path_buf();
                let cause = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
                return Err(KnowledgeError::Unreadable { path, cause });
            }
        };
        if let Some(format) = format(entry.path()).filter(|_| entry.file_type().is_file()) {
            found.push((relative(folder, entry.path())?, format, entry.into_path()));
        }
    }
    // By the whole path, not part by part: the catalogue is searched by path.
    found.sort();
    Ok(found)
}

fn format(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "txt" | "md" => Some(Format::Text),
        "pdf" => Some(Format::Pdf),
        _ => None,
    }
}

fn relative(folder: &Path, path: &Path) -> Result<String, KnowledgeError> {
    let parts = path.strip_prefix(folder).unwrap_or(path).iter();
    let parts: Option<Vec<&str>> = parts.map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| KnowledgeError::Name(path.to_path_buf()))
}

/// UTF-8 without its byte order mark; as an error the same bytes as Latin-1, in which every byte is a character.
fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => Err(error.as_bytes().iter().map(|&byte| char::from(byte)).collect()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
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

    fn paths(read: &Documents) -> Vec<&str> {
        read.documents.iter().map(|document| document.path.as_str()).collect()
    }

    #[test]
    fn documents_come_sorted_by_path_whatever_the_case_of_their_ending() {
        let folder = folder(&[("b.TXT", b"1"), ("a/z.Md", b"2"), ("a-b.md", b"3"), ("c.rst", b"4"), ("txt", b"5")]);
        let read = read_all(folder.path()).unwrap();
        assert_eq!(paths(&read), ["a-b.md", "a/z.Md", "b.TXT"]);
        assert!(read.warnings.is_empty());
    }

    #[test]
    fn text_is_decoded_and_trimmed() {
        for (bytes, text, warnings) in [
            ("\u{feff} é\u{a0}\n".as_bytes(), "é", vec![]),
            (b"caf\xe9", "café", vec!["not UTF-8, read as Latin-1: x.txt"]),
            (b"\n one\r\ntwo\rthree ", "one\ntwo\nthree", vec![]),
        ] {
            let read = read_all(folder(&[("x.txt", bytes)]).path()).unwrap();
            assert_eq!(
                (read.documents[0].text.as_str(), read.warnings),
                (text, warnings.iter().map(|w| (*w).to_owned()).collect())
            );
        }
    }

    #[test]
    fn what_is_skipped_is_said() {
        let folder = folder(&[("a.md", b" \n"), ("b/c.PDF", b"%PDF"), ("d.txt", b"text")]);
        let read = read_all(folder.path()).unwrap();
        assert_eq!(paths(&read), ["d.txt"]);
        assert_eq!(read.warnings, ["skipped, it is empty: a.md", "not supported yet: b/c.PDF"]);
    }

    #[test]
    fn a_folder_without_text_is_an_error_that_says_why() {
        let stem = "No supported knowledge files found. Add at least one .txt, .md, or .pdf under knowledge/.";
        for (files, note) in [
            (&[("x.json", b"{}" as &[u8])][..], ""),
            (&[("x.md", b"" as &[u8]), ("y.txt", b"\n")], " Empty files skipped: 2."),
            (&[("x.pdf", b"%PDF" as &[u8])], " Files skipped because .pdf is not supported yet: 1."),
        ] {
            assert_eq!(read_all(folder(files).path()).unwrap_err().to_string(), format!("{stem}{note}"));
        }
        let missing = folder(&[]).path().join("knowledge");
        assert_eq!(
            read_all(&missing).unwrap_err().to_string(),
            format!("Missing knowledge directory: {}", missing.display())
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_loops_end() {
        let (here, there) = (folder(&[("a/x.md", b"x")]), folder(&[("y.md", b"y")]));
        std::os::unix::fs::symlink(there.path(), here.path().join("other")).unwrap();
        std::os::unix::fs::symlink(here.path(), here.path().join("a/up")).unwrap();
        let read = read_all(here.path()).unwrap();
        assert_eq!(paths(&read), ["a/x.md", "other/y.md"]);
        assert_eq!(read.warnings, ["skipped, it links back to a folder around it: a/up"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_document_that_cannot_be_read_is_named() {
        let folder = folder(&[("x.md", b"x")]);
        std::os::unix::fs::symlink(folder.path().join("nowhere"), folder.path().join("gone.md")).unwrap();
        let error = read_all(folder.path()).unwrap_err();
        assert!(error.to_string().contains("gone.md"), "{error}");
    }
}
