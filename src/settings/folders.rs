//! Where relative paths start: the root and the configuration's folder.

use super::error::SettingsError;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// The folders of a configuration, both absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folders {
    /// The root of the project, to which relative paths belong.
    pub root: PathBuf,
    /// The configuration file's folder.
    pub config: PathBuf,
}

impl Folders {
    /// The folders of a configuration file: its root is `root`, else its folder, else that folder's parent when the
    /// folder is called `config`.
    ///
    /// # Errors
    /// When the file or the root does not exist.
    pub fn of(config: &Path, root: Option<&Path>) -> Result<Self, SettingsError> {
        if !config.is_file() {
            return Err(SettingsError::NotFound(config.to_owned()));
        }
        let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let unreadable = |source| SettingsError::Unreadable { path: folder.to_owned(), source };
        let folder = folder.canonicalize().map_err(unreadable)?;
        let root = match root {
            Some(root) if root.is_dir() => {
                root.canonicalize().map_err(|source| SettingsError::Unreadable { path: root.to_owned(), source })?
            }
            Some(root) => return Err(SettingsError::NoRoot(root.to_owned())),
            None => match folder.parent() {
                Some(parent) if folder.file_name() == Some(OsStr::new("config")) => parent.to_owned(),
                _ => folder.clone(),
            },
        };
        Ok(Self { root, config: folder })
    }

    /// The configuration's folder as seen from the root, such as `config`, `.` or `../elsewhere`.
    pub fn config_dir(&self) -> String {
        let (root, config): (Vec<_>, Vec<_>) = (self.root.components().collect(), self.config.components().collect());
        let shared = root.iter().zip(&config).take_while(|(a, b)| a == b).count();
        let up = root[shared..].iter().map(|_| Component::ParentDir);
        let path: PathBuf = up.chain(config[shared..].iter().copied()).collect();
        if path.as_os_str().is_empty() { ".".to_owned() } else { path.to_string_lossy().replace('\\', "/") }
    }

    /// Where [`Folders::find`] has looked, for a message.
    pub fn tried(&self, path: &str) -> String {
        let [first, second] = [&self.root, &self.config].map(|folder| folder.join(path).display().to_string());
        if first == second { format!("file {first}") } else { format!("file {first}, nor {second}") }
    }

    /// The existing file or folder that a path means: as it is when absolute, else below the root, else below the
    /// configuration's folder.
    pub fn find(&self, path: &str) -> Option<PathBuf> {
        [&self.root, &self.config].into_iter().map(|folder| folder.join(path)).find(|path| path.exists())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_root_follows_from_the_file() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        for folder in ["config", "other/deep"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        for file in ["a.yaml", "config/a.yaml", "other/deep/a.yaml"] {
            fs::write(top.join(file), "").unwrap();
        }
        for (file, root, expected, config_dir) in [
            ("a.yaml", None, ".", "."),
            ("config/a.yaml", None, ".", "config"),
            ("config/../config/a.yaml", None, ".", "config"),
            ("other/deep/a.yaml", None, "other/deep", "."),
            ("other/deep/a.yaml", Some("."), ".", "other/deep"),
            ("config/a.yaml", Some("other"), "other", "../config"),
            ("config/a.yaml", Some("config"), "config", "."),
        ] {
            let root = root.map(|root| top.join(root));
            let folders = Folders::of(&top.join(file), root.as_deref()).unwrap();
            assert_eq!(folders.root, top.join(expected).canonicalize().unwrap(), "{file} {root:?}");
            assert_eq!(folders.config_dir(), config_dir, "{file} {root:?}");
        }
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let top = tempfile::tempdir().unwrap();
        let missing = top.path().join("a.yaml");
        let error = Folders::of(&missing, None).unwrap_err().to_string();
        assert_eq!(error, format!("Config file not found: {}", missing.display()));
        assert!(Folders::of(top.path(), None).is_err(), "a folder is no file");
        fs::write(&missing, "").unwrap();
        let error = Folders::of(&missing, Some(&top.path().join("no"))).unwrap_err().to_string();
        assert!(error.starts_with("root folder not found: "), "{error}");
    }

    #[test]
    fn paths_are_looked_up_at_the_root_first() {
        let top = tempfile::tempdir().unwrap();
        let folders = Folders { root: top.path().to_owned(), config: top.path().join("config") };
        fs::create_dir(&folders.config).unwrap();
        assert_eq!(folders.find("p.yaml"), None);
        fs::write(folders.config.join("p.yaml"), "").unwrap();
        assert_eq!(folders.find("p.yaml"), Some(folders.config.join("p.yaml")));
        fs::write(folders.root.join("p.yaml"), "").unwrap();
        assert_eq!(folders.find("p.yaml"), Some(folders.root.join("p.yaml")));
        let absolute = folders.config.join("p.yaml");
        assert_eq!(folders.find(absolute.to_str().unwrap()), Some(absolute));
    }
}
