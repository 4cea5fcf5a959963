//! What is said of how people ask and write.

use super::*;
use crate::domain::{QuestionMode, Register};
use crate::plan::Words;
use std::collections::BTreeMap;

fn coverage(text: &str, set: &[&str]) -> Result<Settings, String> {
    load(&format!("{BUILTIN}\ncoverage: {{{text}}}\n"), &[], set)
}

#[test]
fn shares_are_read_by_name() {
    let settings = coverage(
        "modes: {followup: 0.3, unanswerable: 0.05}, registers: {terse: 0.2}, words: {mean: 14}",
        &["run.turns.max=3"],
    )
    .unwrap();
    let modes = BTreeMap::from([(QuestionMode::Followup, 0.3), (QuestionMode::Unanswerable, 0.05)]);
    assert_eq!(settings.plan.modes, modes);
    assert_eq!(settings.plan.style.registers, BTreeMap::from([(Register::Terse, 0.2)]));
    assert_eq!(settings.plan.style.words, Some(Words { mean: 14.0, sigma: 0.5 }));
    let fixed: BTreeMap<_, _> = settings.fixed().collect();
    assert_eq!(fixed["coverage.modes"], "followup 0.3, unanswerable 0.05");
    let bare = load(BUILTIN, &[], &[]).unwrap();
    assert!(bare.plan.modes.is_empty() && bare.plan.style == Default::default());
    let fixed: BTreeMap<_, _> = bare.fixed().collect();
    for key in ["coverage.modes", "coverage.registers", "coverage.words.mean", "coverage.words.sigma"] {
        assert_eq!(fixed[key], "", "{key}: older runs go on");
    }
}

#[test]
fn shares_that_cannot_be_met_are_refused() {
    for (text, set, expected) in [
        (
            "modes: {unanswered: 0.1}",
            "run.turns.max=3",
            "`coverage.modes`: `unanswered` is not one of `followup`, `adjacent`",
        ),
        ("modes: {clarification: 0.1}", "run.turns.max=3", "`clarification` is not one of"),
        ("modes: {seeded: 0.1}", "run.turns.max=3", "`seeded` is not one of"),
        (
            "modes: {followup: 1.5}",
            "run.turns.max=3",
            "`coverage.modes.followup` must be a share from 0 to 1, such as 0.1, and is `1.5`",
        ),
        ("modes: {followup: much}", "run.turns.max=3", "`coverage.modes.followup` must be a share from 0 to 1"),
        ("modes: {followup: 0.7, challenge: 0.4}", "run.turns.max=3", "the shares add up to 1.100"),
        ("modes: {underspecified: 0.6}", "run.turns.max=3", "the shares add up to 1.200"),
        (
            "modes: {followup: 0.1, adjacent: 0.1, fresh: 0.1, off_topic: 0.1}",
            "run.turns.max=3",
            "the shares add up to 0.400 and no mode is left for the other turns",
        ),
        (
            "modes: {underspecified: 0.1}",
            "run.turns.mode=exact run.turns.exact=1",
            "`coverage.modes.underspecified` needs conversations of two turns or more, but none has more than 1",
        ),
        (
            "modes: {sharded: 0.1}",
            "run.data.seeding.question=Tea?",
            "`coverage.modes.sharded` takes whole conversations, but `run.data.seeding.question` opens each of them",
        ),
        ("registers: {rude: 0.1}", "run.turns.max=3", "`coverage.registers`: `rude` is not one of `terse`, `chatty`"),
        ("registers: {terse: 0.6, formal: 0.6}", "run.turns.max=3", "`coverage.registers`: the shares add up to 1.200"),
        ("words: {mean: 0}", "run.turns.max=3", "`coverage.words.mean`"),
    ] {
        let error = coverage(text, &set.split(' ').collect::<Vec<_>>()).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    for text in [
        "modes: {unanswerable: 1}",
        "modes: {followup: 0.25, adjacent: 0.25, fresh: 0.25, off_topic: 0.25}",
        "modes: {underspecified: 0.5}",
    ] {
        assert!(coverage(text, &["run.turns.max=3"]).is_ok(), "{text}");
    }
    assert!(coverage("modes: {unanswerable: 0.5}", &["run.turns.mode=exact", "run.turns.exact=1"]).is_ok());
}
