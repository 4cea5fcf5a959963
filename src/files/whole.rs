//! Whole files and their names: written under a temporary name, then moved into place.

use super::FilesError;
use crate::store::Mark;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a claim is tried, and how far apart.
const CLAIMS: u32 = 5;
const CLAIM_EVERY: Duration = Duration::from_millis(50);

/// A file (or a folder of documents) a run has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Path relative to the project's root where it lies below it, else to the output folder; a folder ends in `/`.
    pub path: String,
    /// Rows (for a folder: documents) this run added; none for files that have no rows.
    pub rows: Option<u64>,
    /// Bytes this run added.
    pub bytes: u64,
}

/// A path as outputs record it, with `/` between parts: relative to the first of `bases` it lies below, else only its
/// last part. Never absolute.
pub(crate) fn shown(path: &Path, bases: [&Path; 2]) -> String {
    let relative = bases.iter().find_map(|base| path.strip_prefix(base).ok());
    let relative = relative.unwrap_or_else(|| Path::new(path.file_name().unwrap_or(OsStr::new("."))));
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// The name a file has while it is written: hidden, in the same folder.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

/// Replaces a small file in one step; on return its content is on disk, its name after [`sync_folder`].
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), FilesError> {
    let temporary = temporary(path);
    let mut file = create(&temporary)?;
    file.write_all(content).map_err(FilesError::io("write", &temporary))?;
    settle(file, &temporary, path)
}

/// Writes a small file in one step, with the folders that it lies in; on return it is on disk under its name.
///
/// # Errors
/// When it can't be written; what had the name before is still there then.
pub fn write(path: &Path, content: &[u8]) -> Result<(), FilesError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(folder)?;
    replace(path, content)?;
    sync_folder(folder)
}

/// Brings a temporary file's content to disk and gives it its name.
pub(crate) fn settle(file: File, temporary: &Path, path: &Path) -> Result<(), FilesError> {
    file.sync_all().map_err(FilesError::io("sync", temporary))?;
    rename(temporary, path)
}

/// Creates a file, or empties it.
pub(crate) fn create(path: &Path) -> Result<File, FilesError> {
    File::create(path).map_err(FilesError::io("create", path))
}

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), FilesError> {
    fs::create_dir_all(path).map_err(FilesError::io("create folder", path))
}

/// Claims a folder for as long as the returned handle lives, against every other run that claims it. None, with a
/// warning, where the file system has no such locks.
pub(crate) fn claim_folder(folder: &Path) -> Result<Option<File>, FilesError> {
    let handle = File::open(folder).map_err(FilesError::io("open", folder))?;
    for patience in (0..CLAIMS).rev() {
        match handle.try_lock() {
            Ok(()) => return Ok(Some(handle)),
            // Somebody may just be looking.
            Err(TryLockError::WouldBlock) if patience > 0 => std::thread::sleep(CLAIM_EVERY),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(cause)) => {
                tracing::warn!("{} can't be locked ({cause}): make sure no other run writes there", folder.display());
                return Ok(None);
            }
        }
    }
    Err(FilesError::Busy { folder: folder.to_owned() })
}

/// Whether a run has claimed a folder at this moment.
pub(crate) fn is_claimed(folder: &Path) -> Result<bool, FilesError> {
    let handle = File::open(folder).map_err(FilesError::io("open", folder))?;
    Ok(matches!(handle.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Gives a file its final name, replacing what had it.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FilesError> {
    fs::rename(from, to).map_err(FilesError::io("move a finished file to", to))
}

/// Brings the names in a folder to disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), FilesError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(FilesError::io("sync folder", folder))
}

/// Removes the hidden files of an output folder's subfolder that nobody has recorded: a process that died left them.
pub(crate) fn clear_leftovers(folder: &Path, recorded: &BTreeMap<String, Mark>, name: &str) -> Result<(), FilesError> {
    let entries = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(FilesError::io("list", folder))?,
    };
    for entry in entries {
        let path = entry.map_err(FilesError::io("list", folder))?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let ours = [".tmp", ".rows", ".slots"].iter().any(|ending| file.ends_with(ending));
        if file.starts_with('.') && ours && !recorded.contains_key(&format!("{name}/{file}")) {
            fs::remove_file(&path).map_err(FilesError::io("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_shown_absolute() {
        for (path, expected) in [
            ("/project/outputs/turns.jsonl", "outputs/turns.jsonl"),
            ("/elsewhere/out/conversations/a.json", "conversations/a.json"),
            ("/private/topics.yaml", "topics.yaml"),
            ("/projects/topics.yaml", "topics.yaml"),
            ("data/topics.yaml", "topics.yaml"),
            ("/", "."),
        ] {
            assert_eq!(shown(Path::new(path), [Path::new("/project"), Path::new("/elsewhere/out")]), expected);
        }
    }

    #[test]
    fn replacing_leaves_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = claim_folder(folder.path()).unwrap();
        assert!(first.is_some());
        assert!(matches!(claim_folder(folder.path()), Err(FilesError::Busy { .. })));
        drop(first);
        assert!(claim_folder(folder.path()).unwrap().is_some());
    }

    #[test]
    fn only_hidden_files_that_nobody_recorded_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".a.parquet.tmp", ".b.rows", ".c.rows", ".d.slots", "e.tmp", ".f", "g.parquet"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let recorded = BTreeMap::from([("parquet/.c.rows".to_owned(), Mark { length: 0, rows: 0, tail: 0 })]);
        clear_leftovers(folder.path(), &recorded, "parquet").unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".c.rows", ".f", "e.tmp", "g.parquet"]);
    }

    #[test]
    fn a_claim_is_seen_and_outlasts_a_look() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_claimed(folder.path()).unwrap());
        let claim = claim_folder(folder.path()).unwrap();
        assert!(is_claimed(folder.path()).unwrap());
        drop(claim);
    }
}
