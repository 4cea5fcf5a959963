//! Filters of rows: a condition over the columns of a table, such as `judge_score >= 7 and n_turns > 2`.
//!
//! ```text
//! condition = conjunction { "or" conjunction }
//! conjunction = negation { "and" negation }
//! negation  = [ "not" ] ( "(" condition ")" | test )
//! test      = value ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value
//!           | value [ "not" ] "between" value "and" value
//!           | value [ "not" ] ( "like" | "ilike" ) text
//!           | value [ "not" ] "in" ( "(" value { "," value } ")" | column )
//!           | column "is" [ "not" ] "null"
//!           | column
//! value     = column | "len" "(" column ")" | number | text | "true" | "false"
//! column    = name { "." name }
//! ```
//!
//! Texts are in single quotes, of which one within a text is doubled; names that are no words are in double quotes. Words of the
//! language may be in capitals. `personas.user_id` is a field of a structure; in a list of structures it is the list of those
//! fields. `'followup' in question_modes` asks whether a list, or any list within it, has that element. `len` counts elements of
//! a list or characters of a text. A text that is compared with a time is one: a date, or a date and a time, in UTC unless it
//! says otherwise. In patterns `%` stands for any text, `_` for any character, and `\` takes that from what follows it.
//!
//! Logic is three-valued as in SQL: what compares with null is neither true nor false, and only rows of which the condition is
//! true pass.

mod bind;
mod error;
mod evaluate;
mod syntax;
#[cfg(test)]
mod tests;
mod words;

pub use error::{FilterError, Problem};

use super::labelled::NONE;
use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use evaluate::Node;
use std::collections::BTreeSet;
use syntax::Test;

/// Conditions that all have to be true of a row; the default has none, and every row passes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    clauses: Vec<Clause>,
}

/// A condition and its text, which errors name.
#[derive(Debug, Clone, PartialEq)]
struct Clause {
    text: String,
    test: Test,
}

/// A filter over the columns of a schema.
#[derive(Debug, Clone)]
pub struct Bound {
    node: Node,
}

impl Filter {
    /// The filter that this text tells; an error says where the text is wrong.
    ///
    /// ```
    /// # use dlgforge::publish::filter::Filter;
    /// assert!(Filter::parse("judge_score >= 7 and 'followup' in question_modes").is_ok());
    /// let error = Filter::parse("judge_score >= and n_turns > 2").unwrap_err();
    /// assert_eq!((error.at, error.problem.to_string().as_str()), (16, "expected a value, found `and`"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let test = syntax::parse(text).map_err(|place| place.of(text))?;
        Ok(Self { clauses: vec![Clause { text: text.to_owned(), test }] })
    }

    /// Rows whose `judge_score` is at least this one.
    pub fn min_score(score: f64) -> Self {
        let text = format!("judge_score >= {score}");
        Self { clauses: vec![Clause { text, test: Test::at_least("judge_score", score) }] }
    }

    /// Rows whose `language` is one of these; every row where there are none.
    pub fn languages(languages: &[impl AsRef<str>]) -> Self {
        let list = languages.iter().map(|language| quoted(language.as_ref())).collect::<Vec<_>>().join(", ");
        Self::any(languages, |language| Test::equal("language", language), format!("language in ({list})"))
    }

    /// Rows that have a turn of one of these modes; every row where there are none.
    pub fn modes(modes: &[impl AsRef<str>]) -> Self {
        let of = |mode: &dyn AsRef<str>| format!("{} in question_modes", quoted(mode.as_ref()));
        let text = modes.iter().map(|mode| of(mode)).collect::<Vec<_>>().join(" or ");
        Self::any(modes, |mode| Test::has_element("question_modes", mode), text)
    }

    /// Rows of conversations that people have labelled so: `keep`, `reject`, or `none` for those that nobody has; every row where no label
    /// is asked for.
    pub fn labels(labels: &[impl AsRef<str>]) -> Self {
        let has = |name: &str| match name {
            NONE => Test::null("label"),
            name => Test::equal("label", name),
        };
        let list = labels.iter().map(|label| quoted(label.as_ref())).collect::<Vec<_>>().join(", ");
        Self::any(labels, has, format!("label in ({list})"))
    }

    fn any(values: &[impl AsRef<str>], test: impl Fn(&str) -> Test, text: String) -> Self {
        let tests: Vec<_> = values.iter().map(|value| test(value.as_ref())).collect();
        let clause = (!tests.is_empty()).then_some(Clause { text, test: Test::Any(tests) });
        Self { clauses: clause.into_iter().collect() }
    }

    /// Rows that pass both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.clauses.extend(other.clauses);
        self
    }

    /// The filter over tables of this schema; an error tells of a column that the schema lacks, or of values whose types do not
    /// compare.
    pub fn bind(&self, schema: &Schema) -> Result<Bound, FilterError> {
        let bind = |clause: &Clause| bind::bind(&clause.test, schema).map_err(|place| place.of(&clause.text));
        let nodes = self.clauses.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Bound { node: Node::All(nodes) })
    }
}

impl Bound {
    /// The columns that it reads, each once, by name.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.node.columns().into_iter().collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether every row passes, whatever is in it.
    pub fn keeps_all(&self) -> bool {
        matches!(&self.node, Node::All(nodes) if nodes.is_empty())
    }

    /// Which rows of a batch pass, as true or false and never null. The batch has the columns of [`Bound::columns`], of the types
    /// that the filter was bound to; it may lack others. An error comes of a missing one, or of a number beyond 64 bits with a
    /// sign.
    pub fn mask(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let mask = self.node.evaluate(batch)?;
        Ok(if mask.nulls().is_some() { prep_null_mask_filter(&mask) } else { mask })
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
