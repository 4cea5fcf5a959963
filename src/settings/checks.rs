//! The checks of turns that need no model: which labels are not accepted, and what becomes of a turn that has one.

use super::choices::OnFail;
use super::error::Diagnostics;
use super::table::checks as keys;
use super::types::{OneOf, Setting, Texts};
use super::values::Values;
use crate::domain::findings::Label;
use crate::stages::CheckOptions;

/// `checks`; what is rejected must be a label. Whether texts are held out is told too.
pub(super) fn checks(values: &Values, decontaminates: bool, report: &mut Diagnostics) -> CheckOptions {
    const REJECT: Setting<Texts> = keys::CHECKS_REJECT;
    const ON_FAIL: Setting<OneOf<OnFail>> = keys::CHECKS_ON_FAIL;
    let mut reject = Vec::new();
    for name in values.get(REJECT).into_iter().map(str::trim).filter(|name| !name.is_empty()) {
        match Label::named(name) {
            Some(label) => reject.push(label),
            None => {
                let all = Label::ALL.map(Label::as_str).join(", ");
                let text = format!("`{REJECT}`: `{name}` is not one of the labels: {all}.");
                report.conflict(&[REJECT.path], values.place(REJECT), text);
            }
        }
    }
    reject.sort_unstable();
    reject.dedup();
    let on_fail = values.get(ON_FAIL);
    if reject.is_empty() && !decontaminates && on_fail != OnFail::Keep {
        report.warn(format!("`{ON_FAIL}` has no effect: `{REJECT}` names no label."));
    }
    let is_gate = !reject.is_empty();
    // What is contaminated is rejected whatever labels are, and asked for once more where nothing else is said.
    let repairs = match on_fail {
        OnFail::Repair => is_gate || decontaminates,
        OnFail::Keep => decontaminates,
        OnFail::Drop | OnFail::Regenerate => false,
    };
    let options = CheckOptions {
        drop: is_gate && on_fail != OnFail::Keep,
        drop_contaminated: decontaminates,
        repairs: if repairs { values.get(keys::CHECKS_REPAIRS) } else { 0 },
        reject,
        max_question_words: values.get(keys::MAX_QUESTION_WORDS),
        max_answer_words: values.get(keys::MAX_ANSWER_WORDS),
        min_overlap: values.get(keys::MIN_OVERLAP),
    };
    let unset = [
        (Label::LowOverlap, options.min_overlap == 0.0, keys::MIN_OVERLAP.path),
        (
            Label::TooLong,
            options.max_question_words.is_none() && options.max_answer_words.is_none(),
            keys::MAX_ANSWER_WORDS.path,
        ),
    ];
    for (label, _, key) in unset.into_iter().filter(|(label, is_unset, _)| *is_unset && options.reject.contains(label))
    {
        report.warn(format!("`{REJECT}`: no turn has `{}`, as `{key}` is not set.", label.as_str()));
    }
    options
}

/// The labels that are rejected, as they are told.
pub(super) fn named(options: &CheckOptions) -> String {
    options.reject.iter().map(|label| label.as_str()).collect::<Vec<_>>().join(", ")
}
