//! The types of columns with verdicts.

use super::types::{always, list, maybe, text};
use arrow::datatypes::{DataType, Field};

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

/// The column `judge`: the verdicts on turns, their mean score, and the verdict on the whole.
pub(super) fn judged() -> DataType {
    let of_turn =
        [&[always("turn_index", DataType::UInt16)], &*verdict(), &[always("accepted", DataType::Boolean)]].concat();
    let of_turn = DataType::Struct(of_turn.into());
    let whole = DataType::Struct(verdict().into());
    let columns = [list("per_turn", of_turn), maybe("avg_score", DataType::Float64), maybe("conversation", whole)];
    DataType::Struct(columns.into_iter().collect())
}

/// The verdict of the judge, or of a jury.
fn verdict() -> Vec<Field> {
    vec![
        always("score", DataType::UInt8),
        list("reasons", DataType::Utf8),
        text("notes"),
        always("question_ok", DataType::Boolean),
        always("answer_ok", DataType::Boolean),
    ]
}
