//! The files of a folder as a push sees them: what they are called in the repository, their digests, and their bytes.

use super::error::HubError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The most files that the Hub takes of a folder.
const FILES_OF_A_FOLDER: usize = 10_000;
/// Bytes that are read at a time.
const READ: usize = 256 * 1024;
/// Bytes of the beginning of a file by which the Hub finds out what it is.
const SAMPLE: u64 = 512;

/// The card, which comes last: it tells of the other files.
const CARD: &str = "README.md";

/// A file to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LocalFile {
    /// Its path in the repository.
    pub path: String,
    /// Where the file lies.
    pub at: PathBuf,
    /// Its length in bytes.
    pub size: u64,
}

/// The files of a folder and those below, by path, the card last. Hidden files and links are left out.
///
/// # Errors
/// When the folder can't be read, has nothing, or more than the Hub takes.
pub(super) fn list(folder: &Path) -> Result<Vec<LocalFile>, HubError> {
    let mut files = Vec::new();
    add(folder, "", &mut files)?;
    if files.is_empty() {
        return Err(HubError::Empty(folder.to_owned()));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in &files {
        *counts.entry(file.path.rsplit_once('/').map_or("", |(folder, _)| folder)).or_default() += 1;
    }
    if let Some((folder, files)) = counts.into_iter().find(|(_, files)| *files > FILES_OF_A_FOLDER) {
        return Err(HubError::Crowded { folder: folder.to_owned(), files, most: FILES_OF_A_FOLDER });
    }
    files.sort_by(|a, b| (a.path == CARD, &a.path).cmp(&(b.path == CARD, &b.path)));
    Ok(files)
}

fn add(folder: &Path, prefix: &str, files: &mut Vec<LocalFile>) -> Result<(), HubError> {
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let at = entry.path();
        let name = entry.file_name().into_string().map_err(|_| HubError::Name(at.clone()))?;
        let kind = entry.file_type().map_err(failed(&at))?;
        let path = format!("{prefix}{name}");
        if name.starts_with('.') {
            continue;
        } else if kind.is_dir() {
            add(&at, &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let size = entry.metadata().map_err(failed(&at))?.len();
            files.push(LocalFile { path, at, size });
        }
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> HubError + '_ {
    |cause| HubError::File { path: path.to_owned(), cause }
}

impl LocalFile {
    /// Its first 512 bytes.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn sample(&self) -> Result<Vec<u8>, HubError> {
        let mut sample = Vec::new();
        self.open()?.take(SAMPLE).read_to_end(&mut sample).map_err(failed(&self.at))?;
        Ok(sample)
    }

    /// All bytes of the file.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn content(&self) -> Result<Vec<u8>, HubError> {
        fs::read(&self.at).map_err(failed(&self.at))
    }

    /// The SHA-256 of its bytes in hexadecimal digits, by which the Hub knows large files.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn sha256(&self) -> Result<String, HubError> {
        self.digest(Sha256::new())
    }

    /// The name that git has for it, by which the Hub knows small files: the SHA-1 of `blob LENGTH`, a zero byte, and its bytes.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn git_oid(&self) -> Result<String, HubError> {
        self.digest(Sha1::new_with_prefix(format!("blob {}\0", self.size)))
    }

    fn digest<D: Digest>(&self, mut digest: D) -> Result<String, HubError> {
        let mut file = self.open()?;
        let mut buffer = vec![0; READ];
        loop {
            match file.read(&mut buffer).map_err(failed(&self.at))? {
                0 => break,
                read => digest.update(&buffer[..read]),
            }
        }
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// These of its bytes as the body of a request, which is read as it is sent.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn body(&self, range: Range<u64>) -> Result<reqwest::Body, HubError> {
        let mut file = self.open()?;
        file.seek(SeekFrom::Start(range.start)).map_err(failed(&self.at))?;
        Ok(reqwest::Body::wrap(Part { file, left: range.end - range.start }))
    }

    fn open(&self) -> Result<File, HubError> {
        File::open(&self.at).map_err(failed(&self.at))
    }
}

/// Bytes of a file that are still to be sent. They are read where they are sent: a local file is quicker than the network.
struct Part {
    file: File,
    left: u64,
}

impl Body for Part {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let length = usize::try_from(self.left).unwrap_or(READ).min(READ);
        let mut buffer = vec![0; length];
        let read = self.file.read_exact(&mut buffer);
        self.left -= length as u64;
        Poll::Ready(Some(read.map(|()| Frame::data(buffer.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_names_and_digests_that_git_and_lfs_have() {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in [
            ("README.md", "hello\n"),
            ("data/b.txt", ""),
            ("data/a.txt", "مرحبا, ça va\n"),
            ("z.txt", "z"),
            (".hidden", "x"),
            (".cache/x", "x"),
        ] {
            fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
            fs::write(folder.path().join(path), content).unwrap();
        }
        let files = list(folder.path()).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, ["data/a.txt", "data/b.txt", "z.txt", "README.md"]);
        // `printf 'hello\n' | git hash-object --stdin`, and `git hash-object -t blob /dev/null`.
        assert_eq!(files[3].git_oid().unwrap(), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(files[1].git_oid().unwrap(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(files[3].sha256().unwrap(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(files[0].sample().unwrap(), "مرحبا, ça va\n".as_bytes());
    }

    #[test]
    fn a_folder_without_files_and_one_with_too_many_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(list(folder.path()), Err(HubError::Empty(_))));
        fs::create_dir(folder.path().join("data")).unwrap();
        for number in 0..=FILES_OF_A_FOLDER {
            fs::write(folder.path().join(format!("data/{number}")), "").unwrap();
        }
        let error = list(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("`data` has 10001 files, and the Hub takes 10000 of a folder"), "{error}");
    }
}
