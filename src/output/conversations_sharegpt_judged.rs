//! `conversations_sharegpt_judged.jsonl`: the rows of `conversations_sharegpt.jsonl` with what the judge says.

use super::conversations_sharegpt::row;
use super::formats::Format;
use super::rows::{JudgeColumn, Parts};
use crate::files::{FilesError, Lines, joined};
use std::borrow::Cow;
use std::collections::BTreeMap;

pub(super) const FORMAT: Format = Format { name: "conversations_sharegpt_judged", needed: false, rows };

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    if parts.is_trained_on()
        && let Cow::Owned(row) = judged(parts)?
    {
        lines.push_text(&row);
    }
    Ok(())
}

/// The text of a conversation's row with verdicts; the row itself where it was neither judged nor to be judged.
pub(super) fn judged<'p>(parts: &'p Parts) -> Result<Cow<'p, [u8]>, FilesError> {
    let row = row(parts)?;
    let Some(judge) = JudgeColumn::of(parts) else { return Ok(Cow::Borrowed(row)) };
    let column = BTreeMap::from([(&parts.options.columns.judge, judge)]);
    joined("row of conversations_sharegpt_judged", row, &column).map(Cow::Owned)
}
