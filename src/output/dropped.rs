//! `dropped.jsonl`: conversations that are not to be trained on, and why.

use super::conversations_sharegpt_judged::judged;
use super::formats::Format;
use super::rows::Parts;
use crate::domain::Outcome;
use crate::files::{FilesError, Lines, joined};
use serde::Serialize;

pub(super) const FORMAT: Format = Format { name: "dropped", needed: false, rows };

/// What a row of `dropped.jsonl` has beside that of the training files.
#[derive(Serialize)]
struct Why {
    drop_reason: &'static str,
    drop_detail: String,
}

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    if let Outcome::Dropped(reason) = parts.outcome
        && !parts.is_trained_on()
    {
        let why = Why { drop_reason: reason.as_str(), drop_detail: reason.detail() };
        lines.push_text(&joined("row of dropped", &judged(parts)?, &why)?);
    }
    Ok(())
}
