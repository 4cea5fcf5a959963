//! The columns of Parquet files for what was found in turns without a model.

use super::types::{always, list, maybe, maybe_text};
use arrow::datatypes::{DataType, Field};

/// Those of a turn, in the order of `turns.jsonl`.
pub(super) fn of_turn() -> [Field; 12] {
    [
        list("question_labels", DataType::Utf8),
        list("answer_labels", DataType::Utf8),
        always("checks_accepted", DataType::Boolean),
        maybe_text("question_language"),
        maybe_text("answer_language"),
        always("question_words", DataType::UInt32),
        always("answer_words", DataType::UInt32),
        maybe("evidence_overlap", DataType::Float64),
        list("unsupported_names", DataType::Utf8),
        list("pii", DataType::Utf8),
        list("leaks", DataType::Utf8),
        always("abstains", DataType::Boolean),
    ]
}
