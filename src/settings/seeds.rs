//! Where `dlgforge seeds-migrate` reads seed topics, and where it writes them.

use super::error::SettingsError;
use super::{Flags, Layered, layered, table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where topics are written where the configuration names no YAML file, from the root.
const TOPICS: &str = "data/seeds/topics.yaml";

/// A file of topics in the root, as the Python original's first releases had it.
const OLD_TOPICS: &str = "seed_topics.json";

/// Two files of seed topics, of which the first may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFiles {
    /// The file or folder that is read.
    pub source: PathBuf,
    /// The file that is written.
    pub destination: PathBuf,
    /// Whether runs with this configuration read that file.
    pub is_configured: bool,
    /// What the user should know about the configuration, one line each.
    pub warnings: Vec<String>,
}

impl SeedFiles {
    /// Reads what the configuration says of topics. The source is `source`, else the configured path where
    /// that is a JSON file, else `seed_topics.json` in the root where it is there, else the configured path. The destination is
    /// `destination`, else the configured path where that is a YAML file, else `data/seeds/topics.yaml` in the root. Relative
    /// paths of the two arguments start at the current folder; a source that is not there is looked for as configured paths are.
    ///
    /// # Errors
    /// When the file of the configuration can't be read, or with every problem found in it.
    pub fn load(
        flags: &Flags,
        env: &BTreeMap<String, String>,
        source: Option<&Path>,
        destination: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let Layered { folders, values, report, .. } = layered(flags, env)?;
        let path = values.get(table::TOPICS_PATH).trim();
        let is_named = !path.is_empty();
        let configured = if is_named { path } else { TOPICS };
        let warnings = report.finish()?;
        let below = |path: &Path| {
            let found = path.to_str().and_then(|path| folders.find(path));
            found.unwrap_or_else(|| folders.root.join(path))
        };
        let configured = below(Path::new(configured));
        let old = folders.root.join(OLD_TOPICS);
        let source = match source {
            Some(path) if path.exists() => path.to_owned(),
            Some(path) => below(path),
            None if has_ending(&configured, &["json"]) || !old.is_file() => configured.clone(),
            None => old,
        };
        let destination = match destination {
            Some(path) => path.to_owned(),
            None if has_ending(&configured, &["yaml", "yml"]) => configured.clone(),
            None => folders.root.join(TOPICS),
        };
        let is_configured = is_named && std::path::absolute(&destination).is_ok_and(|path| path == configured);
        Ok(Self { source, destination, is_configured, warnings })
    }
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|found| endings.iter().any(|ending| found.eq_ignore_ascii_case(ending)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_follow_from_arguments_and_the_configuration() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        fs::create_dir(top.join("config")).unwrap();
        for file in ["seed_topics.json", "config/near.yaml", "given.json"] {
            fs::write(top.join(file), "").unwrap();
        }
        for (configured, old, [source, destination], expected, is_configured) in [
            ("", true, ["", ""], ["seed_topics.json", "data/seeds/topics.yaml"], false),
            ("", false, ["", ""], ["data/seeds/topics.yaml", "data/seeds/topics.yaml"], false),
            ("a.json", true, ["", ""], ["a.json", "data/seeds/topics.yaml"], false),
            ("a.YML", true, ["", ""], ["seed_topics.json", "a.YML"], true),
            ("near.yaml", false, ["", ""], ["config/near.yaml", "config/near.yaml"], true),
            ("seeds", false, ["", ""], ["seeds", "data/seeds/topics.yaml"], false),
            ("a.yaml", true, ["given.json", ""], ["given.json", "a.yaml"], true),
            ("a.json", true, ["gone.json", "b.yaml"], ["gone.json", "b.yaml"], false),
        ] {
            let old_file = top.join("seed_topics.json");
            if old {
                fs::write(old_file, "").unwrap()
            } else {
                _ = fs::remove_file(old_file)
            }
            let config = top.join("config/c.yaml");
            fs::write(&config, format!("run: {{data: {{seeding: {{topics: {{path: '{configured}'}}}}}}}}")).unwrap();
            let given = |path: &str| (!path.is_empty()).then(|| top.join(path));
            let flags = Flags { config, ..Flags::default() };
            let (source, destination) = (given(source), given(destination));
            let files = SeedFiles::load(&flags, &BTreeMap::new(), source.as_deref(), destination.as_deref()).unwrap();
            assert_eq!([files.source, files.destination], expected.map(|path| top.join(path)), "{configured}");
            assert_eq!(files.is_configured, is_configured, "{configured}");
        }
    }
}
