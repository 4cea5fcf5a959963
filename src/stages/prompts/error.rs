//! Why prompts can't be used.

use std::io;
use std::path::PathBuf;

/// Why prompts can't be used. The texts follow "failed to".
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A prompt file or the folder can't be read, or is not UTF-8.
    #[error("read {} (`prompts.folder` names a folder of .j2 files in UTF-8)", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the folder replaces no prompt.
    #[error("use prompt {}: no prompt has this name; the nearest is {nearest}", path.display())]
    Name {
        /// The file that replaces nothing.
        path: PathBuf,
        /// The shipped name most like it.
        nearest: &'static str,
    },
    /// A template is broken, or can't be rendered.
    #[error("use prompt {file}, line {line}: {detail}")]
    Template {
        /// The file, or the name of a shipped template.
        file: String,
        /// Number of the line in it, from 1.
        line: usize,
        /// What is wrong there.
        detail: String,
    },
    /// A template names a variable that it doesn't have.
    #[error("use prompt {file}, line {line}: unknown variable `{variable}`; there are {}", known.join(", "))]
    Variable {
        /// The file, or the name of a shipped template.
        file: String,
        /// Number of the line in it, from 1.
        line: usize,
        /// The variable that no prompt of this kind has.
        variable: String,
        /// What it could be.
        known: Vec<String>,
    },
}
