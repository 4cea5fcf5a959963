//! The folder of an export: built beside its place, put there whole, and replaced only where all of it is ours.
//!
//! A hidden file in it says so, and lists what was written. A folder with anything else is left as it is.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The hidden file that tells what an export has written.
const MARKER: &str = ".dlgforge-export";
/// Its first line; the paths of the files follow, a line each.
const HEAD: &str = "dlgforge export 1";

/// Why an export folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportFolderError {
    /// There is something in its place that no export has made.
    #[error(
        "{}: {} is of no export of dlgforge, so the folder is left as it is; move it away, or name another folder by --export-dir or \
         `saving.hf_push.export_dir`", .folder.display(), .found.display()
    )]
    Foreign {
        /// The folder that was to be replaced.
        folder: PathBuf,
        /// What was found there, as seen from the folder.
        found: PathBuf,
    },
    /// Another process builds an export for the same place.
    #[error("{}: another process builds it at this moment; wait for it, or name another folder by --export-dir", .0.display())]
    Busy(PathBuf),
    /// Something can't be read or written.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ExportFolderError + '_ {
    |cause| ExportFolderError::File { path: path.to_owned(), cause }
}

/// Has `build` fill an empty folder, and puts that in the place of the last export, or of nothing. Where `build` fails, the last
/// export is as it was.
///
/// # Errors
/// When there is something in the place that no export has made, when it can't be written, or when `build` fails.
pub fn replace<E: From<ExportFolderError>>(folder: &Path, build: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    expect_ours(folder)?;
    let [built, former] = ["partial", "former"].map(|what| beside(folder, what));
    let claim = claim(folder, &built)?;
    build(&built)?;
    let listed: String = contents(&built)?.iter().map(|path| format!("{path}\n")).collect();
    let marker = built.join(MARKER);
    fs::write(&marker, format!("{HEAD}\n{listed}")).map_err(failed(&marker))?;
    // What somebody has put there meanwhile is seen here.
    expect_ours(folder)?;
    clear(&former)?;
    if folder.exists() {
        fs::rename(folder, &former).map_err(failed(folder))?;
    }
    fs::rename(&built, folder).map_err(failed(folder))?;
    drop(claim);
    Ok(clear(&former)?)
}

/// A hidden folder in the same folder, so that it can be renamed.
fn beside(folder: &Path, what: &str) -> PathBuf {
    let name = folder.file_name().unwrap_or(OsStr::new("export")).to_string_lossy();
    folder.with_file_name(format!(".{name}.{what}"))
}

/// Makes the folder that is built, empty but for its marker, which is locked as long as the handle lives.
fn claim(folder: &Path, built: &Path) -> Result<File, ExportFolderError> {
    let marker = built.join(MARKER);
    if is_marked(built)? {
        // Else a process that died has left it.
        locked(folder, &File::open(&marker).map_err(failed(&marker))?)?;
    }
    clear(built)?;
    fs::create_dir_all(built).map_err(failed(built))?;
    fs::write(&marker, format!("{HEAD}\n")).map_err(failed(&marker))?;
    let claim = File::open(&marker).map_err(failed(&marker))?;
    locked(folder, &claim)?;
    Ok(claim)
}

fn locked(folder: &Path, file: &File) -> Result<(), ExportFolderError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ExportFolderError::Busy(folder.to_owned())),
        // A file system without locks has no claims.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Removes a folder that an export has begun or that was replaced, if there is one.
fn clear(folder: &Path) -> Result<(), ExportFolderError> {
    if is_marked(folder)? {
        return fs::remove_dir_all(folder).map_err(failed(folder));
    }
    match fs::remove_dir(folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        Err(_) => Err(foreign(folder, Path::new("what is in it"))),
        Ok(()) => Ok(()),
    }
}

fn foreign(folder: &Path, found: &Path) -> ExportFolderError {
    ExportFolderError::Foreign { folder: folder.to_owned(), found: found.to_owned() }
}

/// Whether a folder has the marker of an export.
fn is_marked(folder: &Path) -> Result<bool, ExportFolderError> {
    Ok(marked(folder)?.is_some())
}

/// The files that the marker of a folder lists; none where it has no marker.
fn marked(folder: &Path) -> Result<Option<BTreeSet<String>>, ExportFolderError> {
    let marker = folder.join(MARKER);
    let text = match fs::read_to_string(&marker) {
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        text => text.map_err(failed(&marker))?,
    };
    let mut lines = text.lines();
    Ok((lines.next() == Some(HEAD)).then(|| lines.map(str::to_owned).collect()))
}

/// Demands that a folder is not there, or empty, or has nothing but what an export has written.
fn expect_ours(folder: &Path) -> Result<(), ExportFolderError> {
    match fs::symlink_metadata(folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(failed(folder)(cause)),
        Ok(found) if !found.is_dir() => return Err(foreign(folder, Path::new("what is there"))),
        Ok(_) => {}
    }
    let ours = marked(folder)?.unwrap_or_default();
    match contents(folder)?.into_iter().find(|path| !ours.contains(path)) {
        Some(path) => Err(foreign(folder, Path::new(&path))),
        None => Ok(()),
    }
}

/// The paths of all that is in a folder but its marker and the folders of other things, with `/` between parts.
fn contents(folder: &Path) -> Result<BTreeSet<String>, ExportFolderError> {
    let mut found = BTreeSet::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((at, prefix)) = open.pop() {
        for entry in fs::read_dir(&at).map_err(failed(&at))? {
            let entry = entry.map_err(failed(&at))?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(failed(&entry.path()))?.is_dir() {
                open.push((entry.path(), format!("{path}/")));
            } else if path != MARKER {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn export(folder: &Path, files: &[(&str, &str)]) -> Result<(), ExportFolderError> {
        replace(folder, |built| {
            for (path, text) in files {
                fs::create_dir_all(built.join(path).parent().unwrap()).unwrap();
                fs::write(built.join(path), text).unwrap();
            }
            Ok(())
        })
    }

    #[test]
    fn an_export_takes_the_place_of_the_last_one_and_of_nothing_else() {
        let project = tempfile::tempdir().unwrap();
        let folder = project.path().join("deep/hf_export");
        export(&folder, &[("README.md", "بطاقة"), ("data/a.parquet", "1")]).unwrap();
        export(&folder, &[("README.md", "carte"), ("data/b.parquet", "2")]).unwrap();
        assert_eq!(contents(&folder).unwrap().into_iter().collect::<Vec<_>>(), ["README.md", "data/b.parquet"]);
        assert_eq!(fs::read_to_string(folder.join(MARKER)).unwrap(), "dlgforge export 1\nREADME.md\ndata/b.parquet\n");
        let left: Vec<_> = fs::read_dir(project.path().join("deep")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["hf_export"], "nothing is left beside it");

        fs::write(folder.join("data/notes.txt"), "mine").unwrap();
        let error = export(&folder, &[("README.md", "x")]).unwrap_err().to_string();
        assert!(error.contains("data/notes.txt is of no export of dlgforge"), "{error}");
        assert_eq!(fs::read_to_string(folder.join("data/notes.txt")).unwrap(), "mine");
        assert_eq!(fs::read_to_string(folder.join("README.md")).unwrap(), "carte");
    }

    #[test]
    fn foreign_folders_files_and_links_are_left_as_they_are() {
        let project = tempfile::tempdir().unwrap();
        let [folder, file, link, empty] = ["folder", "file", "link", "empty"].map(|name| project.path().join(name));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("thesis.tex"), "mine").unwrap();
        fs::write(&file, "mine").unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        for place in [&folder, &file, &link] {
            let error = export(place, &[("README.md", "x")]).unwrap_err();
            assert!(matches!(error, ExportFolderError::Foreign { .. }), "{error}");
        }
        assert_eq!(fs::read_to_string(link.join("thesis.tex")).unwrap(), "mine");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        fs::create_dir(&empty).unwrap();
        export(&empty, &[("README.md", "x")]).unwrap();
    }

    #[test]
    fn what_a_build_leaves_undone_costs_nothing() {
        let project = tempfile::tempdir().unwrap();
        let folder = project.path().join("hf_export");
        export(&folder, &[("README.md", "first")]).unwrap();
        let failing = |built: &Path| {
            fs::write(built.join("half"), "").unwrap();
            Err(ExportFolderError::Busy(built.to_owned()))
        };
        replace(&folder, failing).unwrap_err();
        assert_eq!(fs::read_to_string(folder.join("README.md")).unwrap(), "first");
        let nested = replace(&folder, |_| export(&folder, &[]));
        assert!(matches!(nested, Err(ExportFolderError::Busy(_))), "two builds at a time");
        export(&folder, &[("README.md", "second")]).unwrap();
        assert_eq!(fs::read_to_string(folder.join("README.md")).unwrap(), "second");
        assert_eq!(fs::read_dir(project.path()).unwrap().count(), 1);
    }
}
