//! The types of columns with verdicts.

use super::{always, list, maybe, text};
use arrow::datatypes::DataType;

/// The verdict of one judge of a jury, if it made one.
pub(super) fn vote() -> DataType {
    let fields = [
        text("model"),
        maybe("score", DataType::UInt8),
        list("reasons", DataType::Utf8),
        text("notes"),
        maybe("question_ok", DataType::Boolean),
        maybe("answer_ok", DataType::Boolean),
    ];
    DataType::Struct(fields.into_iter().collect())
}

/// The verdict of the judge, or of a jury.
pub(super) fn verdict() -> DataType {
    let fields = [
        always("score", DataType::UInt8),
        list("reasons", DataType::Utf8),
        text("notes"),
        always("question_ok", DataType::Boolean),
        always("answer_ok", DataType::Boolean),
    ];
    DataType::Struct(fields.into_iter().collect())
}
