//! What an export is made of, and where it is pushed to: the configuration, and what the command line says instead.

use super::error::{Diagnostics, SettingsError};
use super::types::{Setting, Text};
use super::values::Values;
use super::{Flags, Layered, layered, resolve, table as keys};
use crate::output;
use crate::publish::{Destination, PushOptions, RepoType, Token};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The variables of the token, the first that is set wins.
const TOKENS: [&str; 2] = ["HF_TOKEN", "HUGGINGFACE_HUB_TOKEN"];

/// The root of the Hub where `HF_ENDPOINT` does not name another.
const HUB: &str = "https://huggingface.co";

/// What the command line says of a push; empty texts say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PushFlags {
    /// The repository, OWNER/NAME: `--repo-id`.
    pub repo_id: Option<String>,
    /// What the repository is for: `--repo-type`.
    pub repo_type: Option<RepoType>,
    /// The output folder, from the current directory: `--source-dir`.
    pub source_dir: Option<PathBuf>,
    /// The folder of the export, from the current directory: `--export-dir`.
    pub export_dir: Option<PathBuf>,
    /// Whether the state of runs is exported: `--include-run-state`.
    pub include_run_state: bool,
    /// The token of the Hub: `--token`.
    pub token: Token,
    /// The message of the commits: `--commit-message`.
    pub commit_message: Option<String>,
    /// Whether files of the repository go that the export lacks: `--clean-remote`.
    pub clean_remote: bool,
}

/// What an export and a push need to know, without a run: no model is needed for it.
#[derive(Debug, Clone)]
pub struct PublishSettings {
    /// How the output folder was written; its `folder` is the one that is exported.
    pub output: output::Options,
    /// How it is exported and pushed.
    pub push: PushOptions,
    /// What the user should know about the configuration, one line each.
    pub warnings: Vec<String>,
}

impl PublishSettings {
    /// Reads what the configuration says of exports and pushes; `env` is the environment, completed by the secrets of
    /// `<root>/.env`.
    ///
    /// # Errors
    /// When the file can't be read, or with every problem found in this part.
    pub fn load(flags: &Flags, env: &BTreeMap<String, String>, push: &PushFlags) -> Result<Self, SettingsError> {
        let Layered { folders, env, values, mut report } = layered(flags, env)?;
        let mut output = resolve::output_options(&values, &folders, &mut report);
        let push = options(&values, &output.folder, &env, push, &mut report);
        output.folder.clone_from(&push.source);
        Ok(Self { output, push, warnings: report.finish()? })
    }
}

/// How the output folder is exported and pushed.
pub(super) fn options(
    values: &Values,
    output_folder: &Path,
    env: &BTreeMap<String, String>,
    flags: &PushFlags,
    report: &mut Diagnostics,
) -> PushOptions {
    let text = |flag: &Option<String>, key: Setting<Text>| {
        let flag = flag.as_deref().map(str::trim).filter(|flag| !flag.is_empty());
        flag.unwrap_or(values.get(key).trim()).to_owned()
    };
    let variable = |names: &[&str]| {
        let mut values = names.iter().filter_map(|name| env.get(*name)).map(|value| value.trim());
        values.find(|value| !value.is_empty()).unwrap_or_default().to_owned()
    };
    let named = |folder: &Option<PathBuf>| {
        let folder = folder.as_deref().filter(|folder| !folder.as_os_str().is_empty())?;
        Some(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()))
    };
    let mut inside = |is_wanted: bool, key: Setting<Text>| {
        let path = values.get(key).trim();
        let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if is_wanted && (path.is_empty() || !is_inside) {
            let text = format!("`{key}`: `{path}` must be a path inside the export, such as `{}`", key.name());
            report.conflict(&[key.path], values.place(key), text);
        }
        is_wanted.then(|| path.to_owned())
    };
    let stats_file = inside(values.get(keys::PUSH_STATS), keys::PUSH_STATS_FILE);
    let plots_folder = inside(values.get(keys::PUSH_PLOTS), keys::PUSH_PLOTS_DIR);
    let endpoint = variable(&["HF_ENDPOINT"]);
    let token = if flags.token.is_empty() { Token::new(&variable(&TOKENS)) } else { flags.token.clone() };
    PushOptions {
        source: named(&flags.source_dir).unwrap_or_else(|| output_folder.to_owned()),
        source_file: values.get(keys::PUSH_SOURCE_FILE).trim().to_owned(),
        export_folder: named(&flags.export_dir)
            .unwrap_or_else(|| output_folder.join(values.get(keys::PUSH_EXPORT_DIR).trim())),
        license: values.get(keys::PUSH_LICENSE).trim().to_owned(),
        include_run_state: flags.include_run_state || values.get(keys::PUSH_RUN_STATE),
        stats_file,
        plots_folder,
        to: Destination {
            endpoint: if endpoint.is_empty() { HUB.to_owned() } else { endpoint },
            token,
            repo_id: text(&flags.repo_id, keys::PUSH_REPO_ID),
            repo_type: flags.repo_type.unwrap_or(values.get(keys::PUSH_REPO_TYPE)),
            private: values.get(keys::PUSH_PRIVATE),
            commit_message: text(&flags.commit_message, keys::PUSH_MESSAGE),
            clean_remote: flags.clean_remote || values.get(keys::CLEAN_REMOTE),
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::fs;

    fn loaded(hf_push: &str, env: &[(&str, &str)], flags: &PushFlags) -> Result<(PathBuf, PushOptions), String> {
        let project = tempfile::tempdir().unwrap();
        let root = project.path().canonicalize().unwrap();
        let config = root.join("c.yaml");
        fs::write(&config, format!("saving: {{output_dir: out, hf_push: {hf_push}}}\n")).unwrap();
        fs::write(root.join(".env"), "HF_TOKEN=of_dotenv\n").unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let loaded = PublishSettings::load(&Flags { config, ..Flags::default() }, &env, flags);
        loaded.map(|settings| (root, settings.push)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let file = "{repo_id: me/file, repo_type: model, commit_message: File, private: false, clean_remote: true}";
        let (root, push) = loaded(file, &[("HF_PUSH_REPO_ID", "me/env")], &PushFlags::default()).unwrap();
        assert_eq!(push.source, root.join("out"));
        assert_eq!(push.export_folder, root.join("out/hf_export"));
        assert_eq!((push.stats_file, push.plots_folder, push.include_run_state), (None, None, false));
        let expected = Destination {
            endpoint: HUB.to_owned(),
            token: Token::new("of_dotenv"),
            repo_id: "me/env".to_owned(),
            repo_type: RepoType::Model,
            private: false,
            commit_message: "File".to_owned(),
            clean_remote: true,
        };
        assert_eq!(push.to, expected);
        let flags = PushFlags {
            repo_id: Some("me/flag".to_owned()),
            repo_type: Some(RepoType::Space),
            source_dir: Some("there".into()),
            export_dir: Some("/elsewhere".into()),
            include_run_state: true,
            token: Token::new("of_flag"),
            commit_message: Some(" ".to_owned()),
            clean_remote: false,
        };
        let env = [("HF_PUSH_REPO_ID", "me/env"), ("HF_TOKEN", "of_env"), ("HF_ENDPOINT", "http://h")];
        let (_, push) = loaded(file, &env, &flags).unwrap();
        assert_eq!(push.source, std::env::current_dir().unwrap().join("there"));
        assert_eq!((push.export_folder, push.include_run_state), ("/elsewhere".into(), true));
        let to = Destination {
            endpoint: "http://h".to_owned(),
            token: Token::new("of_flag"),
            repo_id: "me/flag".to_owned(),
            repo_type: RepoType::Space,
            ..expected
        };
        assert_eq!(push.to, to);
    }

    #[test]
    fn the_first_token_that_is_set_counts() {
        for (env, expected) in [
            (&[("HF_TOKEN", "a"), ("HUGGINGFACE_HUB_TOKEN", "b")][..], "a"),
            (&[("HF_TOKEN", " "), ("HUGGINGFACE_HUB_TOKEN", " b\n")], "b"),
            (&[], "of_dotenv"),
        ] {
            assert_eq!(loaded("{}", env, &PushFlags::default()).unwrap().1.to.token, Token::new(expected));
        }
    }

    #[test]
    fn what_an_export_writes_lies_inside() {
        let (_, push) = loaded("{generate_stats: true, generate_plots: true}", &[], &PushFlags::default()).unwrap();
        assert_eq!(
            (push.stats_file.as_deref(), push.plots_folder.as_deref()),
            (Some("dataset_stats.json"), Some("plots"))
        );
        for (keys, key) in [
            ("{generate_stats: true, stats_file: ../s.json}", "stats_file"),
            ("{generate_plots: true, plots_dir: /plots}", "plots_dir"),
        ] {
            let error = loaded(keys, &[], &PushFlags::default()).unwrap_err();
            assert!(error.contains(&format!("`saving.hf_push.{key}`: ")), "{error}");
        }
        assert!(loaded("{stats_file: ../s.json}", &[], &PushFlags::default()).is_ok(), "nothing is written there");
    }
}
