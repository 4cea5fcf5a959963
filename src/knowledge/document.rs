//! Reads the documents of the knowledge folder.

use super::encoding::{Decoded, decoded};
use super::outline::Outline;
use super::progress::Counter;
use super::walk::{self, Found};
use super::{KnowledgeError, Step, Watch, blobs};
use crate::domain::control_tokens::neutralised;
use rayon::prelude::*;
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

/// A document with text in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    /// Path relative to the knowledge folder, with `/` between parts.
    pub path: String,
    /// Its text, trimmed, lines ending in `\n`, without comments, bytes written out and control tokens.
    pub text: String,
}

impl Document {
    /// The document at a path; nothing where its bytes hold no text.
    pub fn read(path: String, bytes: &[u8], warnings: &mut Vec<String>) -> Option<Self> {
        let mut warn = |what: &str| warnings.push(format!("{what}: {path}"));
        let Decoded { text, note } = match decoded(bytes) {
            Ok(decoded) => decoded,
            Err(reason) => {
                warn(&format!("skipped, {reason}"));
                return None;
            }
        };
        note.iter().for_each(|note| warn(note));
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = if is_markdown(&path) { blobs::without_markup(&text) } else { Cow::Borrowed(text.as_str()) };
        let mut text = blobs::without_bytes(&text).trim().to_owned();
        if text.is_empty() {
            warn("skipped, it is empty");
            return None;
        }
        if let Some((safe, count)) = neutralised(&text) {
            warn(&format!("blanks set into control tokens of chat templates ({count}), as in `<| im_start |>`"));
            text = safe;
        }
        Some(Self { path, text })
    }

    /// Its structure: that of Markdown where its name says so.
    pub fn outline(&self) -> Outline {
        if is_markdown(&self.path) { Outline::markdown(&self.text) } else { Outline::plain(&self.text) }
    }
}

fn is_markdown(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".md")
}

/// What was made of the files of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files<T> {
    /// At least one, sorted by path, each with its path.
    pub files: Vec<(String, T)>,
    /// What was left out, one line per kind.
    pub warnings: Vec<String>,
}

/// Makes something of the bytes of every document below a folder, on all cores.
pub(super) fn each<T: Send>(
    folder: &Path,
    follow_links: bool,
    watch: Watch<'_>,
    made: impl Fn(&str, &[u8]) -> Result<T, KnowledgeError> + Sync,
) -> Result<Files<T>, KnowledgeError> {
    if !folder.is_dir() {
        return Err(KnowledgeError::MissingFolder(folder.to_path_buf()));
    }
    let Found { documents: found, warnings } = walk::find(folder, follow_links)?;
    let counter = Counter::new(Step::Documents, found.len(), watch);
    let read = |(path, file): (String, PathBuf)| {
        let bytes = fs::read(&file).map_err(|cause| KnowledgeError::Unreadable { path: file, cause })?;
        let made = made(&path, &bytes)?;
        counter.add(1);
        Ok((path, made))
    };
    // Collected before an error is looked for, so that it is the first one's whichever thread is faster.
    let read: Vec<Result<_, KnowledgeError>> = found.into_par_iter().map(read).collect();
    Ok(Files { files: read.into_iter().collect::<Result<_, _>>()?, warnings })
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

    struct Documents {
        documents: Vec<Document>,
        warnings: Vec<String>,
    }

    fn read_all(folder: &Path, follow_links: bool) -> Result<Documents, KnowledgeError> {
        let read = each(folder, follow_links, &|_| (), |path, bytes| {
            let mut warnings = Vec::new();
            Ok((Document::read(path.to_owned(), bytes, &mut warnings), warnings))
        })?;
        let (mut documents, mut warnings) = (Vec::new(), read.warnings);
        for (_, (document, more)) in read.files {
            documents.extend(document);
            warnings.extend(more);
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
            ("d.txt", b"text"),
            ("e.md", b"<!-- nothing else -->"),
            ("notes.txt", &noise),
        ]);
        let read = read_all(folder.path(), false).unwrap();
        assert_eq!(paths(&read), ["d.txt"]);
        assert_eq!(
            read.warnings,
            [
                "1 file of types .pdf (1) left out, which this version does not read",
                "skipped, it is empty: a.md",
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

    #[test]
    fn a_folder_without_text_is_an_error_that_says_why() {
        let stem = "No supported knowledge files found. Add at least one .txt, .md, or .pdf under knowledge/.";
        for (files, note) in [
            (&[][..], ""),
            (
                &[("x.docx", b"PK" as &[u8]), ("y.docx", b"PK"), ("z.html", b"<p>")],
                " There are: 3 files of types .docx (2), .html (1) left out, which this version does not read.",
            ),
            (
                &[("x.pdf", b"%PDF" as &[u8])],
                " There are: 1 file of types .pdf (1) left out, which this version does not read.",
            ),
            (
                &[("x.md", b"" as &[u8]), ("y.txt", b"\0\0")],
                " There are: skipped, it is empty: x.md; skipped, it holds NUL bytes, as no text does: y.txt.",
            ),
        ] {
            assert_eq!(read_all(folder(files).path(), false).unwrap_err().to_string(), format!("{stem}{note}"));
        }
        let empty: Vec<String> = (0..30).map(|n| format!("{n:02}.md")).collect();
        let empty: Vec<(&str, &[u8])> = empty.iter().map(|path| (path.as_str(), b"" as &[u8])).collect();
        let error = read_all(folder(&empty).path(), false).unwrap_err().to_string();
        assert!(error.ends_with("; skipped, it is empty: 07.md; and 22 more."), "{error}");
        let missing = folder(&[]).path().join("knowledge");
        assert_eq!(
            read_all(&missing, false).unwrap_err().to_string(),
            format!("Missing knowledge directory: {}", missing.display())
        );
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
