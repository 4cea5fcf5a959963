//! Where a program is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The file of a program, by its path or by its name on this search path (`PATH`), if there is one that can be executed.
pub(super) fn find(program: &str, search: Option<&OsStr>) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_executable(path));
    }
    let folders = std::env::split_paths(search?).collect::<Vec<_>>();
    folders.into_iter().map(|folder| folder.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    #[cfg(unix)]
    let executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = true;
    metadata.is_file() && executable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name_or_by_path() {
        let search = OsStr::new("/nowhere:/bin");
        assert_eq!(find("sh", Some(search)), Some("/bin/sh".into()));
        assert_eq!(find("/bin/sh", None), Some("/bin/sh".into()));
        for (program, search) in
            [("sh", None), ("no-such-program", Some(search)), ("/etc/passwd", None), ("/bin", None)]
        {
            assert_eq!(find(program, search), None, "{program}");
        }
    }
}
