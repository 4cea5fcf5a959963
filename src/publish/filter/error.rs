//! What can be wrong with the text of a filter, and where.

use strsim::normalized_damerau_levenshtein as likeness;
use thiserror::Error;

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("read the filter `{text}`: at character {at}: {problem}")]
pub struct FilterError {
    /// The text of the condition.
    pub text: String,
    /// The character of the text that it begins at, from 1.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at a place of a filter's text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// The text is no condition.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What would be right there.
        expected: &'static str,
        /// What is there instead.
        found: String,
    },
    /// A text or a name in quotes does not end.
    #[error("the quote that opens here is not closed; a quote within quotes is doubled")]
    Unclosed,
    /// It nests too deep.
    #[error("more than {0} brackets and `not` are open; write the condition flatter")]
    Deep(usize),
    /// The table has no such column.
    #[error("no column `{name}`{}; the table has {}", nearest(name, columns), columns.join(", "))]
    Column {
        /// The name that is not there.
        name: String,
        /// The columns that are there, in their order.
        columns: Vec<String>,
    },
    /// A structure has no such field.
    #[error("`{column}` has no field `{name}`{}; it has {}", nearest(name, fields), fields.join(", "))]
    Field {
        /// The path of the structure.
        column: String,
        /// The name that is not there.
        name: String,
        /// The fields that are there, in their order.
        fields: Vec<String>,
    },
    /// Values can't be used so.
    #[error("{what}; {instead}")]
    Type {
        /// What a value is.
        what: String,
        /// What can be written of it.
        instead: String,
    },
}

/// A problem at a character, from 1, of a text that is not known there.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    /// The character that it begins at.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

impl Place {
    /// The problem of this text.
    pub fn of(self, text: &str) -> FilterError {
        FilterError { text: text.to_owned(), at: self.at, problem: self.problem }
    }
}

/// Names nearest to one that is not there, nearest first, as an error tells them; a name like none was perhaps meant as a text.
fn nearest(name: &str, known: &[String]) -> String {
    const LIKE: f64 = 0.5;
    const MOST: usize = 3;
    let name = name.to_lowercase();
    let mut near: Vec<_> = known.iter().map(|other| (likeness(&name, &other.to_lowercase()), other)).collect();
    near.retain(|(like, _)| *like >= LIKE);
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let names: Vec<_> = near.iter().take(MOST).map(|(_, name)| format!("`{name}`")).collect();
    if names.is_empty() {
        "; a text is in single quotes".to_owned()
    } else {
        format!("; near it: {}", names.join(", "))
    }
}
