//! What becomes of a configuration of the Python original here, key by key.

mod facts;

use super::error::{Diagnostics, Location};
use super::folders::Folders;
use super::reading::leaves;
use super::{Flags, Settings, SettingsError, dotenv, keys};
use crate::domain::yaml::tree;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a key of the original is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It means something else here, or has nothing to say: look at it.
    Differs,
    /// It does what it did, and more is kept of what it promises.
    Better,
    /// It does what it did.
    Same,
    /// The original does not know it.
    New,
}

/// A key that the project gives, in its file or in the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedKey {
    /// The key as it is called here.
    pub key: &'static str,
    /// The key or the variable as the project spells it.
    pub written: String,
    /// Where it is given, such as `config.yaml:3:5`.
    pub place: String,
    /// How it is taken.
    pub verdict: Verdict,
    /// What is to be known of it; empty where nothing is.
    pub note: &'static str,
}

/// What becomes of a project's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// The keys that it gives, in the order in which they should be looked at: each verdict in the order of the file.
    pub keys: Vec<MovedKey>,
    /// What keeps it from being used as it is, each with its place and what to do.
    pub refused: Vec<String>,
    /// Keys that it leaves out and whose defaults are others here, with how.
    pub defaults: Vec<(&'static str, &'static str)>,
    /// What is said of it when it is used.
    pub warnings: Vec<String>,
    /// The output folder, where the configuration can be used.
    pub outputs: Option<PathBuf>,
    /// The folder that relative paths of the configuration start at.
    #[serde(skip)]
    pub root: PathBuf,
}

impl Migration {
    /// Of this configuration; `env` as of [`Settings::load`].
    ///
    /// # Errors
    /// When the file can't be read, or is no YAML.
    pub fn of(flags: &Flags, env: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let (refused, settings) = match Settings::load(flags, env) {
            Ok(settings) => (Vec::new(), Some(settings)),
            Err(SettingsError::Invalid(problems)) => (problems.each().map(|one| one.to_string()).collect(), None),
            Err(error) => return Err(error),
        };
        let (warnings, outputs) = settings.map(|settings| (settings.warnings, settings.output.folder)).unzip();
        let root = Folders::of(&flags.config, flags.root.as_deref())?.root;
        let mut keys = given(flags, env)?;
        keys.sort_by_key(|key| key.verdict);
        let is_given = |path: &str| keys.iter().any(|one| one.key == path);
        let defaults = facts::DEFAULTS.iter().copied().filter(|(path, _)| !is_given(path)).collect();
        Ok(Self { keys, refused, defaults, warnings: warnings.unwrap_or_default(), outputs, root })
    }
}

/// The keys that the file and the environment give.
fn given(flags: &Flags, env: &BTreeMap<String, String>) -> Result<Vec<MovedKey>, SettingsError> {
    let folders = Folders::of(&flags.config, flags.root.as_deref())?;
    let (env, _) = dotenv::load(&folders.root, env)?;
    let text = std::fs::read_to_string(&flags.config)
        .map_err(|source| SettingsError::Unreadable { path: flags.config.clone(), source })?;
    // What is wrong is told of where the settings are loaded.
    let report = &mut Diagnostics::default();
    let name = flags.config.display().to_string();
    let source = Location::File { name: name.as_str().into(), line: 0, column: 0 };
    let root = tree(&text).ok();
    let read = root.as_ref().map(|root| leaves(root, &source, report)).unwrap_or_default();
    let moved = |key: &'static str, written: String, place: String| {
        let (verdict, note) = facts::of(key);
        MovedKey { key, written, place, verdict, note }
    };
    let of_file = read.into_iter().map(|leaf| moved(leaf.key.path, leaf.written, leaf.entry.place.to_string()));
    let variables = keys::all().flat_map(|key| key.env.iter().chain(key.old_env).map(move |name| (key, *name)));
    let set = variables.filter(|(_, name)| env.get(*name).is_some_and(|value| !value.trim().is_empty()));
    let of_env =
        set.map(|(key, name)| moved(key.path, name.to_owned(), Location::Environment(name.to_owned()).to_string()));
    Ok(of_file.chain(of_env).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_is_told_of_is_one_and_has_one_word_of_it() {
        let told: Vec<_> = facts::FACTS.iter().flat_map(|(keys, _, _)| *keys).collect();
        for path in &told {
            assert!(keys::find(&path.replace('*', "user")).is_some(), "{path}");
            assert_eq!(told.iter().filter(|other| other == &path).count(), 1, "{path}");
        }
        assert_eq!(told.len(), 113, "as many as the original has");
        assert!(facts::DEFAULTS.iter().all(|(path, _)| keys::find(path).is_some()));
        assert!(facts::FACTS.iter().all(|(_, verdict, note)| (*verdict == Verdict::Same) == note.is_empty()));
    }

    #[test]
    fn a_project_is_told_of_key_by_key() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        std::fs::create_dir(folder.path().join("knowledge")).unwrap();
        let text = "run:\n  n_turns: 3\n  batch_size: 4\n  seed: 7\nretrieval:\n  chunk_size: 500\n\
                    llm:\n  temperature: 1\n  agents:\n    qa_generator: {provider: builtin}\nstore: {backend: postgres}\n";
        std::fs::write(&config, text).unwrap();
        let flags = Flags { config: config.clone(), ..Flags::default() };
        let env = BTreeMap::from([("KB_DEFAULT_K".to_owned(), "3".to_owned())]);
        let told = Migration::of(&flags, &env).unwrap();
        let of = |key: &str| told.keys.iter().find(|one| one.key == key).unwrap();
        assert_eq!(
            (of("run.turns.exact").written.as_str(), of("run.turns.exact").verdict),
            ("run.n_turns", Verdict::Same)
        );
        assert_eq!((of("run.batch_size").verdict, of("run.seed").verdict), (Verdict::Better, Verdict::New));
        let chunk = of("tools.retrieval.chunking.chunk_size");
        assert_eq!((chunk.written.as_str(), chunk.verdict), ("retrieval.chunk_size", Verdict::Differs));
        assert!(chunk.place.ends_with("config.yaml:6:15") && chunk.note.contains("characters"), "{chunk:?}");
        assert_eq!(of("tools.retrieval.top_k").place, "environment variable KB_DEFAULT_K");
        assert_eq!(of("llm.agents.user.provider").written, "llm.agents.qa_generator.provider");
        assert!(told.refused.iter().any(|why| why.contains("`llm.temperature`")), "{:?}", told.refused);
        assert_eq!(told.outputs, None);
        let verdicts: Vec<_> = told.keys.iter().map(|key| key.verdict).collect();
        assert!(verdicts.is_sorted(), "{verdicts:?}");
    }
}
