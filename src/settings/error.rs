//! What is wrong with a configuration: every problem with its place, reported together.

use std::cmp::Ordering;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// The embedded `config/default.yaml`.
    Shipped,
    /// The configuration file.
    File {
        /// The file, as the user named it.
        name: Arc<str>,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
    },
    /// An environment variable.
    Environment(String),
    /// A `--set` flag; its key only, as its value may be a secret.
    Flag(String),
}

impl Location {
    /// The same source at another line and column; sources without lines stay as they are.
    pub(super) fn at(&self, line: u64, column: u64) -> Self {
        match self {
            Self::File { name, .. } => Self::File { name: Arc::clone(name), line, column },
            other => other.clone(),
        }
    }

    fn rank(&self) -> (u8, u64, u64) {
        match self {
            Self::Shipped => (0, 0, 0),
            Self::File { line, column, .. } => (1, *line, *column),
            Self::Environment(_) => (2, 0, 0),
            Self::Flag(_) => (3, 0, 0),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("default.yaml"),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(key) => write!(f, "--set {key}"),
        }
    }
}

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    text: String,
    place: Option<Location>,
    keys: Vec<String>,
}

impl Problem {
    fn order(&self, other: &Self) -> Ordering {
        match (&self.place, &other.place) {
            (Some(a), Some(b)) => a.rank().cmp(&b.rank()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} ({place})", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Every problem of a configuration, in the order of the file: lines first, then environment, flags, and what is
/// missing altogether.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return only.fmt(f);
        }
        write!(f, "{} problems in the configuration:", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Problems {
    /// Each of them, with its place.
    pub fn each(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    /// A file that can't be read as YAML: nothing else is known about it.
    pub(super) fn broken(text: String, place: Location) -> Self {
        Self(vec![Problem { text, place: Some(place), keys: Vec::new() }])
    }
}

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The path is not a regular file.
    #[error("Config file not found: {}", .0.display())]
    NotFound(PathBuf),
    /// `--root` is not a folder.
    #[error("root folder not found: {}; `--root` takes an existing folder", .0.display())]
    NoRoot(PathBuf),
    /// A file can't be read as text.
    #[error("read {}", .path.display())]
    Unreadable {
        /// The file that can't be read.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file holds something other than keys and values.
    #[error("Config must be a YAML object.")]
    NotAMapping,
    /// What the configuration says can't be carried out.
    #[error("{0}")]
    Invalid(Problems),
}

/// What reading the configuration has found so far.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    problems: Vec<Problem>,
    warnings: Vec<String>,
    secrets: Vec<String>,
}

impl Diagnostics {
    /// Keeps these texts out of everything that is told.
    pub fn hide<'a>(&mut self, secrets: impl IntoIterator<Item = &'a str>) {
        /// Shorter values are no secrets, and hiding them would garble messages.
        const SHORTEST: usize = 6;
        let secrets = secrets.into_iter().map(str::trim).filter(|secret| secret.len() >= SHORTEST);
        self.secrets.extend(secrets.map(str::to_owned));
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    fn redacted(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "<secret>"))
    }

    /// Notes what is wrong with one key.
    pub fn problem(&mut self, key: &str, place: Location, text: String) {
        self.problems.push(Problem { text, place: Some(place), keys: vec![key.to_owned()] });
    }

    /// Notes what is wrong between keys, unless one of them is wrong by itself: then its value is not known.
    pub fn conflict(&mut self, keys: &[&str], place: Option<Location>, text: String) {
        if keys.iter().any(|key| self.is_wrong(key)) {
            return;
        }
        self.problems.push(Problem { text, place, keys: keys.iter().map(|&key| key.to_owned()).collect() });
    }

    /// Whether something is wrong with a key, so that its value is not known.
    pub fn is_wrong(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.keys.iter().any(|wrong| wrong == key))
    }

    /// Notes something that works, but that the user should know.
    pub fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// The warnings, or every problem.
    pub fn finish(mut self) -> Result<Vec<String>, SettingsError> {
        if self.problems.is_empty() {
            return Ok(self.warnings.iter().map(|warning| self.redacted(warning)).collect());
        }
        let texts: Vec<_> = self.problems.iter().map(|problem| self.redacted(&problem.text)).collect();
        self.problems.iter_mut().zip(texts).for_each(|(problem, text)| problem.text = text);
        self.problems.sort_by(Problem::order);
        Err(SettingsError::Invalid(Problems(self.problems)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn line(line: u64) -> Location {
        Location::File { name: "c.yaml".into(), line, column: 3 }
    }

    #[test]
    fn one_problem_stands_alone() {
        let mut report = Diagnostics::default();
        report.problem("a", line(2), "`a` must be > 0.".into());
        assert_eq!(report.finish().unwrap_err().to_string(), "`a` must be > 0. (c.yaml:2:3)");
    }

    #[test]
    fn several_are_counted_and_sorted_by_place() {
        let mut report = Diagnostics::default();
        report.conflict(&[], None, "missing".into());
        report.problem("d", Location::Flag("d".into()), "flag".into());
        report.problem("c", Location::Environment("C".into()), "environment".into());
        report.problem("b", line(10), "late".into());
        report.problem("a", line(9), "early".into());
        assert_eq!(
            report.finish().unwrap_err().to_string(),
            "5 problems in the configuration:\n  early (c.yaml:9:3)\n  late (c.yaml:10:3)\n  \
             environment (environment variable C)\n  flag (--set d)\n  missing"
        );
    }

    #[test]
    fn a_conflict_does_not_repeat_a_problem_of_its_keys() {
        let mut report = Diagnostics::default();
        report.problem("a", line(1), "first".into());
        report.conflict(&["a", "b"], None, "second".into());
        assert_eq!(report.finish().unwrap_err().to_string(), "first (c.yaml:1:3)");
    }

    #[test]
    fn warnings_are_kept_once() {
        let mut report = Diagnostics::default();
        report.warn("w".into());
        report.warn("w".into());
        assert_eq!(report.finish().unwrap(), ["w"]);
    }
}
