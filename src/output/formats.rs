//! The files of a run: a module for each, listed here. To add a file of rows, write its module and add a line to
//! [`FORMATS`].

use super::rows::Parts;
use super::{
    conversations, conversations_index, conversations_sharegpt, conversations_sharegpt_judged, coverage_ledger,
    dropped, parquet, preferences, run_state, synthetic_qa, turns,
};
use crate::files::{FilesError, Lines};
use serde::{Deserialize, Serialize};

/// A file of rows, one JSON text a line.
#[derive(Clone, Copy)]
pub(crate) struct Format {
    /// Its name in `saving.files`, and with `.jsonl` in the output folder.
    pub name: &'static str,
    /// Whether runs that go on or come later need it: then it is written whatever `saving.files` says.
    pub needed: bool,
    /// Adds the rows of a conversation that has turns.
    pub rows: fn(&Parts, &mut Lines) -> Result<(), FilesError>,
}

impl Format {
    /// Its name in the output folder.
    pub fn file_name(&self) -> String {
        format!("{}.jsonl", self.name)
    }
}

/// All files of rows, in the order in which they are written and told of.
pub(crate) const FORMATS: [Format; 8] = [
    synthetic_qa::FORMAT,
    conversations_index::FORMAT,
    conversations_sharegpt::FORMAT,
    conversations_sharegpt_judged::FORMAT,
    turns::FORMAT,
    preferences::FORMAT,
    coverage_ledger::FORMAT,
    dropped::FORMAT,
];

/// The files of rows that are written where `files` are asked for.
pub(crate) fn chosen(files: &Files) -> Vec<Format> {
    FORMATS.into_iter().filter(|format| format.needed || files.has(format.name)).collect()
}

/// `saving.files`: names of the files that are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub struct Files(Vec<&'static str>);

impl From<Files> for Vec<String> {
    fn from(files: Files) -> Self {
        files.0.into_iter().map(str::to_owned).collect()
    }
}

impl TryFrom<Vec<String>> for Files {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Self::named(&names).map_err(|unknown| format!("there is no file {unknown}"))
    }
}

impl Files {
    /// The name of the documents of conversations, from which all other files can be made.
    pub const CONVERSATIONS: &str = conversations::NAME;
    /// The name of the pairs of answers of which the judge has rejected one.
    pub const PREFERENCES: &str = preferences::NAME;

    /// Every name, in the order in which files are told of.
    pub fn names() -> Vec<&'static str> {
        let others = [parquet::NAME, conversations::NAME, run_state::NAME];
        FORMATS.iter().map(|format| format.name).chain(others).collect()
    }

    /// All files that there are, by their names.
    pub fn all() -> Self {
        Self(Self::names())
    }

    /// The files of these names; on an error the first name that is none.
    ///
    /// # Errors
    /// When a name is that of no file.
    pub fn named<'a>(names: &[&'a str]) -> Result<Self, &'a str> {
        let unknown = names.iter().map(|name| name.trim()).find(|name| !Self::names().contains(name));
        let is_named = |known: &&str| names.iter().any(|name| name.trim() == *known);
        unknown.map_or_else(|| Ok(Self(Self::names().into_iter().filter(is_named).collect())), Err)
    }

    /// The same without the file of this name.
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|known| *known != name);
        self
    }

    /// Whether a file is written because it is asked for.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// The names, separated by commas.
    pub fn listed(&self) -> String {
        self.0.join(", ")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn files_are_chosen_by_name() {
        let lean = Files::named(&["turns", " conversations_sharegpt "]).unwrap();
        let written: Vec<_> = chosen(&lean).iter().map(Format::file_name).collect();
        assert_eq!(
            written,
            ["conversations_sharegpt.jsonl", "turns.jsonl", "coverage_ledger.jsonl"],
            "the ledger is needed"
        );
        assert_eq!((lean.has("parquet"), lean.listed().as_str()), (false, "conversations_sharegpt, turns"));
        assert_eq!(Files::named(&["turns", "turn"]), Err("turn"));
        assert_eq!((Files::named(&[]).unwrap().listed().as_str(), chosen(&Files::named(&[]).unwrap()).len()), ("", 1));
        assert_eq!(Files::named(&Files::names()).unwrap(), Files::all());
    }
}
