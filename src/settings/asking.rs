//! What people ask and how they write: shares of question modes and registers, and the length of messages.

use super::choices::ReplyForm;
use super::error::Diagnostics;
use super::keys::listed;
use super::table as keys;
use super::types::{Mapping, Setting};
use super::values::Values;
use crate::domain::{QuestionMode, Register};
use crate::plan::{Style, TurnOptions, Words};
use std::collections::BTreeMap;

const MODES: Setting<Mapping> = keys::MODES;

/// By how much shares may miss 1 and still count as 1.
const NEAR: f64 = 1e-9;

/// Modes that a share can be given to.
const SHARED: [QuestionMode; 10] = [
    QuestionMode::Followup,
    QuestionMode::Adjacent,
    QuestionMode::Fresh,
    QuestionMode::OffTopic,
    QuestionMode::Unanswerable,
    QuestionMode::Underspecified,
    QuestionMode::Sharded,
    QuestionMode::Nonstandalone,
    QuestionMode::Correction,
    QuestionMode::Challenge,
];

/// The names of the modes that `coverage.modes` can give a share to.
pub fn question_modes() -> impl Iterator<Item = &'static str> {
    SHARED.into_iter().map(QuestionMode::as_str)
}

/// `coverage.modes`: no more than there is room for, and none that can't happen.
pub(super) fn modes(values: &Values, turns: &TurnOptions, report: &mut Diagnostics) -> BTreeMap<QuestionMode, f64> {
    let modes = shares(values, MODES, &SHARED, QuestionMode::as_str, report);
    let given = |mode: &QuestionMode| modes.get(mode).copied().unwrap_or_default();
    let later = SHARED.iter().filter(|mode| given(mode) > 0.0 && **mode != QuestionMode::Unanswerable);
    for mode in later.filter(|_| turns.max < 2) {
        let text = format!(
            "`{MODES}.{}` needs conversations of two turns or more, but none has more than {}; raise `{}`, or leave the mode out",
            mode.as_str(),
            turns.max,
            keys::TURNS_MAX
        );
        report.conflict(&[MODES.path], values.place(MODES), text);
    }
    if given(&QuestionMode::Sharded) > 0.0 && !values.get(keys::QUESTION).trim().is_empty() {
        const QUESTION: &str = keys::QUESTION.path;
        let text = format!(
            "`{MODES}.sharded` takes whole conversations, but `{QUESTION}` opens each of them; leave one of the two out"
        );
        report.conflict(&[MODES.path, QUESTION], values.place(MODES), text);
    }
    if given(&QuestionMode::Sharded) > 0.0 && values.get(keys::REPLY) == ReplyForm::Text {
        const REPLY: &str = keys::REPLY.path;
        let text = format!(
            "`{MODES}.sharded` needs the whole need, which a plain text does not tell; leave it out, or set `{REPLY}: json`"
        );
        report.conflict(&[MODES.path, REPLY], values.place(MODES), text);
    }
    // The turn after an underspecified question has no room for another mode.
    let sum = modes.values().sum::<f64>() + given(&QuestionMode::Underspecified);
    if sum > 1.0 + NEAR {
        let text = format!(
            "`{MODES}`: the shares add up to {sum:.3}, that of `underspecified` counted twice for the turn that clarifies it; make \
             them 1 at most"
        );
        report.conflict(&[MODES.path], values.place(MODES), text);
    }
    if SHARED[..4].iter().all(|mode| modes.contains_key(mode)) && sum < 1.0 - NEAR {
        let text = format!(
            "`{MODES}`: the shares add up to {sum:.3} and no mode is left for the other turns; leave one of {} out, which takes \
             them, or make the shares 1",
            listed(SHARED[..4].iter().map(|mode| mode.as_str()))
        );
        report.conflict(&[MODES.path], values.place(MODES), text);
    }
    modes
}

/// `coverage.registers` and `coverage.words`.
pub(super) fn style(values: &Values, report: &mut Diagnostics) -> Style {
    const REGISTERS: Setting<Mapping> = keys::REGISTERS;
    let registers = shares(values, REGISTERS, &Register::ALL, Register::as_str, report);
    let sum: f64 = registers.values().sum();
    if sum > 1.0 + NEAR {
        let text = format!("`{REGISTERS}`: the shares add up to {sum:.3}; make them 1 at most");
        report.conflict(&[REGISTERS.path], values.place(REGISTERS), text);
    }
    let words = values.get(keys::WORDS_MEAN).map(|mean| Words { mean, sigma: values.get(keys::WORDS_SIGMA) });
    Style { registers, words }
}

/// Shares by name, as they are recorded: empty where there are none.
pub(super) fn recorded<T: Copy>(shares: &BTreeMap<T, f64>, name: fn(T) -> &'static str) -> String {
    shares.iter().map(|(key, share)| format!("{} {share}", name(*key))).collect::<Vec<_>>().join(", ")
}

fn shares<T: Copy + Ord>(
    values: &Values,
    setting: Setting<Mapping>,
    known: &[T],
    name: fn(T) -> &'static str,
    report: &mut Diagnostics,
) -> BTreeMap<T, f64> {
    let mut shares = BTreeMap::new();
    for (key, value) in values.get(setting) {
        let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
        let found = known.iter().find(|known| name(**known) == key);
        let wrong = match (found, share) {
            (Some(found), Some(share)) => {
                shares.insert(*found, share);
                continue;
            }
            (None, _) => {
                let names = listed(known.iter().map(|known| name(*known)));
                format!("`{setting}`: `{key}` is not one of {names}.")
            }
            (_, None) => format!("`{setting}.{key}` must be a share from 0 to 1, such as 0.1, and is `{value}`"),
        };
        report.conflict(&[setting.path], values.place(setting), wrong);
    }
    shares
}
