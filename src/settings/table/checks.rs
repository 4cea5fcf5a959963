//! The keys of checks that need no model.

use super::{COUNT, Key, Limit, OneOf, SHARE, Setting, Texts, optional, word_of};
use crate::domain::{Agent, Jury};
use crate::settings::choices::{OnFail, OnLowAuc};
use crate::settings::{Settings, checks};

keys! {
    CHECKS:
    CHECKS_REJECT: Texts = fixed("checks.reject", |s| checks::named(&s.checks));
    CHECKS_ON_FAIL: OneOf<OnFail> = fixed("checks.on_fail", on_fail);
    CHECKS_REPAIRS: u16 = fixed("checks.repairs", |s| optional(Some(s.checks.repairs).filter(|repairs| *repairs > 0))),
        limit(Limit::between(1.0, 10.0));
    MAX_QUESTION_WORDS: Option<u32> = fixed("checks.max_question_words", |s| optional(s.checks.max_question_words)), limit(COUNT);
    MAX_ANSWER_WORDS: Option<u32> = fixed("checks.max_answer_words", |s| optional(s.checks.max_answer_words)), limit(COUNT);
    MIN_OVERLAP: f64 = fixed("checks.min_overlap", |s| optional(Some(s.checks.min_overlap).filter(|least| *least > 0.0))),
        limit(SHARE);
}

keys! {
    CALIBRATION:
    CALIBRATE: u32 = fixed("judge.calibrate", calibrated), limit(COUNT);
    MIN_AUC: f64 = free("judge.min_auc"), limit(SHARE);
    ON_LOW_AUC: OneOf<OnLowAuc> = free("judge.on_low_auc");
    JURY: OneOf<Jury> = fixed("judge.jury", jury);
}

/// Nothing where it is as by default: earlier releases did not calibrate.
fn calibrated(settings: &Settings) -> String {
    const DEFAULT: u32 = 8;
    let is_gate = settings.judge.is_gate() && settings.agents.get(Agent::Judge).is_some();
    optional(Some(settings.judge.calibrate).filter(|count| is_gate && *count != DEFAULT))
}

/// Nothing where there is no jury: earlier releases had none.
fn jury(settings: &Settings) -> String {
    let is_jury = settings.agents.all(Agent::Judge).len() > 1;
    optional(Some(settings.judge.jury.as_str()).filter(|_| is_jury))
}

/// Nothing where no label is rejected: earlier releases had no checks.
fn on_fail(settings: &Settings) -> String {
    let word = match &settings.checks {
        checks if checks.reject.is_empty() => return String::new(),
        checks if checks.repairs > 0 => OnFail::Repair,
        checks if checks.drop => OnFail::Drop,
        _ => OnFail::Keep,
    };
    word_of(word).to_owned()
}
