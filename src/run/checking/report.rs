//! What a check has found: for people, and as JSON whose keys stay.

use super::super::layout::row;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The version of the JSON: another one where a key goes or means something else.
const VERSION: u32 = 1;

/// Warnings of a group that people are shown; the JSON has all of them.
const SHOWN: usize = 12;

/// How a finding stands in the way of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is as it should be.
    Ok,
    /// A run goes ahead, and may not be what is wanted.
    Warning,
    /// A run would not go ahead, or stop.
    Problem,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One finding of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands in the way of a run.
    pub level: Level,
    /// What was found, and what to do about it.
    pub text: String,
}

/// What was found of one part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The name of the part.
    pub name: &'static str,
    /// What was found of it.
    pub findings: Vec<Finding>,
}

impl Group {
    /// Nothing found yet of the part of this name.
    pub fn new(name: &'static str) -> Self {
        Self { name, findings: Vec::new() }
    }

    /// Takes note of what is as it should be.
    pub fn ok(&mut self, text: impl fmt::Display) {
        self.add(Level::Ok, text);
    }

    /// Takes note of what should be looked at.
    pub fn warn(&mut self, text: impl fmt::Display) {
        self.add(Level::Warning, text);
    }

    /// Takes note of what keeps a run from its end.
    pub fn problem(&mut self, text: impl fmt::Display) {
        self.add(Level::Problem, text);
    }

    /// Takes note of something.
    pub fn add(&mut self, level: Level, text: impl fmt::Display) {
        self.findings.push(Finding { level, text: text.to_string() });
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// The figures of a check; none where they could not be had.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Figures {
    /// Documents with text in them.
    pub documents: Option<usize>,
    /// Chunks that they are cut into.
    pub chunks: Option<usize>,
    /// How many documents are in each language, by its code; `unknown` for those that do not tell.
    pub languages: BTreeMap<String, usize>,
    /// Whether a run would have nothing to add to the index.
    pub index_is_current: Option<bool>,
    /// Conversations that the run is to have, over all languages.
    pub conversations: Option<u64>,
    /// Turns that it would have, about.
    pub turns: Option<u64>,
    /// Calls of models that it would make, about.
    pub calls: Option<u64>,
    /// Tokens that they would read and write, about.
    pub tokens: Option<u64>,
    /// What they would cost in USD, about; none where some price is unknown.
    pub usd: Option<f64>,
    /// The least time that they would take, in seconds; none where no reply was timed.
    pub seconds: Option<f64>,
    /// Bytes that its files would take, about.
    pub bytes: Option<u64>,
    /// Bytes that are free where they would lie.
    pub free_bytes: Option<u64>,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// The version of these keys.
    version: u32,
    /// The configuration as it was named.
    config: String,
    /// How many problems there are.
    problems: usize,
    /// How many warnings there are.
    warnings: usize,
    /// What was found, by part of the run.
    groups: Vec<Group>,
    /// The figures behind it.
    figures: Figures,
}

impl CheckReport {
    /// The findings about a run by this configuration; parts of which there are none are left out.
    pub fn new(config: String, mut groups: Vec<Group>, figures: Figures) -> Self {
        groups.retain(|group| !group.findings.is_empty());
        let count = |level| groups.iter().map(|group| group.count(level)).sum();
        let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
        Self { version: VERSION, config, problems, warnings, groups, figures }
    }

    /// Whether nothing was found that keeps a run from its end.
    pub fn is_clear(&self) -> bool {
        self.problems == 0
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.groups {
            writeln!(f, "{}", group.name)?;
            let mut warnings = 0;
            for Finding { level, text } in &group.findings {
                warnings += usize::from(*level == Level::Warning);
                if *level != Level::Warning || warnings <= SHOWN {
                    row(f, level.as_str(), text)?;
                }
            }
            if warnings > SHOWN {
                row(f, "", &format!("and {} more warnings, which --json tells", warnings - SHOWN))?;
            }
        }
        let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        let (problems, warnings) = (count(self.problems, "problem"), count(self.warnings, "warning"));
        writeln!(f, "{}: {problems}, {warnings}", self.config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_and_warnings_count_and_only_so_many_warnings_are_shown() {
        let mut group = Group::new("documents");
        group.ok("8 documents");
        (0..20).for_each(|number| group.warn(format!("skipped: {number}.pdf")));
        group.problem("none in `de`");
        let report = CheckReport::new("c.yaml".to_owned(), vec![Group::new("judge"), group], Figures::default());
        let told = report.to_string();
        assert!(!report.is_clear() && told.ends_with("c.yaml: 1 problem, 20 warnings\n"), "{told}");
        assert!(told.contains("11.pdf") && !told.contains("12.pdf") && told.contains("and 8 more warnings"), "{told}");
        assert!(
            told.starts_with("documents\n  ok             8 documents\n") && told.contains("problem        none in")
        );
        let json = serde_json::to_value(&report).unwrap_or_default();
        assert_eq!((&json["version"], &json["problems"], &json["warnings"]), (&1.into(), &1.into(), &20.into()));
        assert_eq!(json["groups"][0]["findings"][21]["level"], "problem");
        assert_eq!(json["groups"].as_array().map(Vec::len), Some(1), "a part without findings is left out");
    }
}
