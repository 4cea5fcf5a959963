//! What can be wrong with a persona or topic file.

use crate::domain::yaml::YamlError;
use std::path::Path;
use std::{fs, io};

/// Why a file of personas or topics cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file or folder cannot be read.
    #[error("read {file}")]
    Read {
        /// Path of the file.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not YAML, or not of the expected form.
    #[error("parse {file}: {detail}")]
    Form {
        /// Path of the file.
        file: String,
        /// What is wrong, and where.
        detail: String,
    },
    /// A persona that the outputs could not tell from others.
    #[error("use {file}: line {line}: {problem}; give each persona of a side an `id` of its own")]
    Persona {
        /// Path of the file.
        file: String,
        /// Where the persona stands.
        line: u64,
        /// What is wrong with its id.
        problem: String,
    },
    /// A file of rows that gives no personas.
    #[error("use {file} for personas: {detail}")]
    Rows {
        /// Path of the file.
        file: String,
        /// What is wrong with it, and what to do.
        detail: String,
    },
    /// No seed question in the file or folder.
    #[error("use {file}: no seed question in it; write `variants`, then variant, topic and a list of questions")]
    NoQuestions {
        /// Path of the file.
        file: String,
    },
}

/// A file that is not YAML of the expected form.
pub(super) fn form(file: &str, error: &YamlError) -> PlanError {
    PlanError::Form { file: file.to_owned(), detail: error.to_string() }
}

/// The text of a file of the plan.
pub(super) fn text(path: &Path) -> Result<String, PlanError> {
    fs::read_to_string(path).map_err(|source| PlanError::Read { file: name(path), source })
}

/// A path as errors name it.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}
