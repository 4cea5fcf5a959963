//! Files of an output folder that are written anew: all of them, or none.
//!
//! The new files are made below a hidden folder, each at its path. When all are on disk that folder gets another name, in one
//! step: from then on they count. They are moved to their places and recorded at once, or by the next process that claims the
//! output folder.

use super::FilesError;
use super::whole;
use crate::store::{Revision, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where new files are made.
const STAGED: &str = ".rewrite.tmp";
/// Where they lie once they count.
const DECIDED: &str = ".rewrite";
/// What is to be done with them, in their folder.
const PLAN: &str = "plan.json";

/// What is to be done with new files.
#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    /// Their paths in the output folder.
    names: BTreeSet<String>,
    /// What the store is to record.
    revision: Revision,
}

/// New files, of which none counts before all do. What another process has left half done goes.
pub(crate) struct Rewrite {
    output: PathBuf,
    staged: PathBuf,
    names: BTreeSet<String>,
}

impl Rewrite {
    /// Begins in an output folder, which the process has claimed.
    ///
    /// # Errors
    /// When its folder can't be emptied or made.
    pub fn begin(output: &Path) -> Result<Self, FilesError> {
        let staged = output.join(STAGED);
        clear(&staged)?;
        whole::create_folder(&staged)?;
        Ok(Self { output: output.to_owned(), staged, names: BTreeSet::new() })
    }

    /// The folder that stands for the output folder.
    pub fn folder(&self) -> &Path {
        &self.staged
    }

    /// Where the new file of this path in the output folder is made, with the folders above it.
    ///
    /// # Errors
    /// When a folder can't be made.
    pub fn place(&mut self, name: &str) -> Result<PathBuf, FilesError> {
        let path = self.staged.join(name);
        path.parent().map_or(Ok(()), whole::create_folder)?;
        self.names.insert(name.to_owned());
        Ok(path)
    }

    /// Has all new files take the places of the old ones, and the store record what it is told of them.
    ///
    /// # Errors
    /// When a file can't be brought to disk or moved, or the store can't be written. What has been decided then is done when
    /// the output folder is claimed the next time.
    pub fn commit(mut self, revision: Revision, store: &dyn Store) -> Result<(), FilesError> {
        for path in self.names.iter().map(|name| self.staged.join(name)) {
            File::open(&path).and_then(|file| file.sync_all()).map_err(FilesError::io("sync", &path))?;
        }
        let plan = Plan { names: std::mem::take(&mut self.names), revision };
        let text = serde_json::to_vec(&plan)
            .map_err(|cause| FilesError::Encode { what: "plan of files that are written anew", cause })?;
        whole::replace(&self.staged.join(PLAN), &text)?;
        sync_folders(&self.staged, &plan.names)?;
        whole::rename(&self.staged, &self.output.join(DECIDED))?;
        whole::sync_folder(&self.output)?;
        finish(&self.output, store)
    }
}

/// What is not decided comes to nothing.
impl Drop for Rewrite {
    fn drop(&mut self) {
        // What can't be removed now is removed when the folder is claimed.
        _ = clear(&self.staged);
    }
}

/// Removes what a process had made and not decided.
///
/// # Errors
/// When it can't be removed.
pub(super) fn clear_staged(output: &Path) -> Result<(), FilesError> {
    clear(&output.join(STAGED))
}

/// Finishes what a process had decided and not done, if there is such.
///
/// # Errors
/// When a file can't be moved, or the store can't be written.
pub(super) fn finish(output: &Path, store: &dyn Store) -> Result<(), FilesError> {
    let (decided, path) = (output.join(DECIDED), output.join(DECIDED).join(PLAN));
    let text = match fs::read(&path) {
        // The plan goes last but for its folder.
        Err(cause) if cause.kind() == ErrorKind::NotFound => return clear(&decided),
        text => text.map_err(FilesError::io("read", &path))?,
    };
    let Plan { names, revision } =
        serde_json::from_slice(&text).map_err(|cause| FilesError::Decode { path: path.clone(), line: 1, cause })?;
    for name in &names {
        let (from, to) = (decided.join(name), output.join(name));
        to.parent().map_or(Ok(()), whole::create_folder)?;
        match fs::rename(&from, &to) {
            // It was moved before.
            Err(cause) if cause.kind() == ErrorKind::NotFound && to.exists() => {}
            moved => moved.map_err(FilesError::io("move a finished file to", &to))?,
        }
    }
    sync_folders(output, &names)?;
    store.revise(&revision)?;
    fs::remove_file(&path).map_err(FilesError::io("remove", &path))?;
    clear(&decided)
}

/// Brings the names of these files to disk, and of the folders they lie in.
fn sync_folders(root: &Path, names: &BTreeSet<String>) -> Result<(), FilesError> {
    let above = |name: &String| -> Vec<PathBuf> { Path::new(name).ancestors().skip(1).map(Path::to_owned).collect() };
    let folders: BTreeSet<PathBuf> = names.iter().flat_map(above).collect();
    folders.iter().try_for_each(|folder| whole::sync_folder(&root.join(folder)))
}

fn clear(folder: &Path) -> Result<(), FilesError> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(FilesError::io("remove", folder)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::{Mark, Sqlite};
    use std::collections::BTreeMap;

    const NAMES: [&str; 3] = ["rows.jsonl", "documents/a.json", "documents/000001/b.json"];

    fn made(output: &Path) -> (Rewrite, Revision) {
        let mut rewrite = Rewrite::begin(output).unwrap();
        NAMES.iter().for_each(|name| fs::write(rewrite.place(name).unwrap(), "new").unwrap());
        let files = BTreeMap::from([("rows.jsonl".to_owned(), Mark { length: 3, rows: 1, tail: u128::MAX })]);
        (rewrite, Revision { at: "t".into(), files, ..Revision::default() })
    }

    fn contents(output: &Path) -> Vec<String> {
        NAMES.iter().map(|name| fs::read_to_string(output.join(name)).unwrap_or_default()).collect()
    }

    #[test]
    fn new_files_take_the_places_of_old_ones_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path();
        let store = Sqlite::open(output).unwrap();
        fs::write(output.join(NAMES[0]), "old").unwrap();
        drop(made(output));
        assert!(!output.join(STAGED).exists());
        finish(output, &store).unwrap();
        assert_eq!(contents(output), ["old", "", ""], "nothing was decided");
        let (rewrite, revision) = made(output);
        rewrite.commit(revision.clone(), &store).unwrap();
        assert_eq!(contents(output), ["new"; 3]);
        assert_eq!(store.files().unwrap(), revision.files);
        assert!(!output.join(DECIDED).exists() && !output.join(STAGED).exists());
    }

    #[test]
    fn what_is_decided_is_done_by_whoever_comes_next() {
        for moved in 0..=NAMES.len() {
            let folder = tempfile::tempdir().unwrap();
            let output = folder.path();
            let store = Sqlite::open(output).unwrap();
            let (rewrite, revision) = made(output);
            // As a process leaves it that is killed after so many files.
            let plan = Plan { names: rewrite.names.clone(), revision: revision.clone() };
            fs::write(rewrite.staged.join(PLAN), serde_json::to_vec(&plan).unwrap()).unwrap();
            fs::rename(&rewrite.staged, output.join(DECIDED)).unwrap();
            fs::create_dir_all(output.join("documents/000001")).unwrap();
            for name in &NAMES[..moved] {
                fs::rename(output.join(DECIDED).join(name), output.join(name)).unwrap();
            }
            finish(output, &store).unwrap();
            assert_eq!(contents(output), ["new"; 3], "{moved}");
            assert_eq!(store.files().unwrap(), revision.files);
            finish(output, &store).unwrap();
            assert!(!output.join(DECIDED).exists());
        }
    }
}
