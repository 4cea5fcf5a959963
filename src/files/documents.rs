//! A folder of documents, each of which appears whole under its name.
//!
//! File systems and people are slow in folders of a hundred thousand files: so what has a high number lies in sub-folders.

use super::FilesError;
use super::whole::{self, WrittenFile, shown};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Documents that lie side by side; the first so many lie in the folder itself.
const SIDE_BY_SIDE: u32 = 1_000;

/// Where the document with a number (from 0) lies in its folder: `a.json` up to number 999, then `000001/b.json` and so on.
///
/// ```
/// use dlgforge::files::inside;
/// assert_eq!(inside(999, "a.json"), "a.json");
/// assert_eq!(inside(2_500, "b.json"), "000002/b.json");
/// ```
pub fn inside(number: u32, name: &str) -> String {
    match number / SIDE_BY_SIDE {
        0 => name.to_owned(),
        folder => format!("{folder:06}/{name}"),
    }
}

/// The documents of a run.
pub(crate) struct Documents {
    folder: PathBuf,
    /// Those that may not be on disk yet.
    unsynced: Vec<PathBuf>,
    /// Sub-folders that were made or found since the process began.
    folders: BTreeSet<PathBuf>,
    written: u64,
    bytes: u64,
}

impl Documents {
    /// In a folder, which is made where there is none.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn open(folder: PathBuf) -> Result<Self, FilesError> {
        whole::create_folder(&folder)?;
        Ok(Self { folder, unsynced: Vec::new(), folders: BTreeSet::new(), written: 0, bytes: 0 })
    }

    /// Writes a document, at its place [`inside`] the folder; its length in bytes.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&mut self, inside: &str, document: &[u8]) -> Result<u64, FilesError> {
        let path = self.folder.join(inside);
        if let Some(parent) = path.parent()
            && parent != self.folder
            && self.folders.insert(parent.to_owned())
        {
            whole::create_folder(parent)?;
        }
        // One name for all: a run that dies leaves at most one, which the next run reuses.
        let temporary = whole::temporary(&self.folder.join("document"));
        fs::write(&temporary, document).map_err(FilesError::io("write", &temporary))?;
        whole::rename(&temporary, &path)?;
        self.unsynced.push(path);
        self.written += 1;
        self.bytes += document.len() as u64;
        Ok(document.len() as u64)
    }

    /// Brings the documents to disk, and then their names.
    ///
    /// # Errors
    /// When one can't be brought to disk.
    pub fn sync(&mut self) -> Result<(), FilesError> {
        let mut folders = BTreeSet::new();
        for path in self.unsynced.drain(..) {
            File::open(&path).and_then(|file| file.sync_data()).map_err(FilesError::io("sync", &path))?;
            folders.extend(path.parent().map(Path::to_owned));
            // A sub-folder is a name of its own.
            folders.insert(self.folder.clone());
        }
        folders.iter().try_for_each(|folder| whole::sync_folder(folder))
    }

    /// Tells what was written.
    pub fn written(&self, bases: [&Path; 2]) -> WrittenFile {
        WrittenFile { path: shown(&self.folder, bases) + "/", rows: Some(self.written), bytes: self.bytes }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_high_number_lies_deeper() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("documents");
        let mut documents = Documents::open(folder.clone()).unwrap();
        for (number, expected) in [
            (0, "a.json"),
            (999, "a.json"),
            (1_000, "000001/a.json"),
            (1_999, "000001/a.json"),
            (u32::MAX, "4294967/a.json"),
        ] {
            let place = inside(number, "a.json");
            assert_eq!(place, expected);
            assert_eq!(documents.write(&place, b"{}").unwrap(), 2);
            documents.sync().unwrap();
            assert_eq!(fs::read(folder.join(expected)).unwrap(), b"{}");
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "no temporary file is left");
        let written = documents.written([root.path(), root.path()]);
        assert_eq!(written, WrittenFile { path: "documents/".into(), rows: Some(5), bytes: 10 });
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        let mut documents = Documents::open(root.path().to_owned()).unwrap();
        fs::write(root.path().join("000001"), "a file").unwrap();
        let error = documents.write(&inside(1_000, "a.json"), b"{}").unwrap_err().to_string();
        assert!(error.contains("000001"), "{error}");
    }
}
