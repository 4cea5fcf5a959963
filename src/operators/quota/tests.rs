//! Which conversations open, in which order, and when it is over.

use super::*;
use crate::domain::{SourceIndex, Used, fixtures};
use crate::operators::tally::{Dropped, Shortfall};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const TARGET: Target = Target { total: 5, languages: 2, batch_size: 3, concurrency: 3, lookahead: 2 };

fn quota(target: Target) -> Quota {
    numbered(target, Numbering::default(), [])
}

fn numbered(target: Target, numbering: Numbering, others: impl IntoIterator<Item = Completion>) -> Quota {
    let one = fixtures::catalogue([("0".to_owned(), "a.md".to_owned(), vec!["text"])]);
    Quota::numbered(target, vec![numbering; usize::from(target.languages)], Coverage::none(&one), others)
}

fn completion(opening: &Opening, dropped: Option<Dropped>) -> Completion {
    Completion {
        slot: opening.slot,
        wave: opening.wave,
        dropped,
        used: vec![],
        duplicates: 0,
        turns: crate::domain::Turns::default(),
    }
}

fn dropped() -> Option<Dropped> {
    Some(Dropped { reason: "dedup_exhausted".into(), detail: String::new() })
}

fn all(quota: &mut Quota) -> Vec<Opening> {
    std::iter::from_fn(|| quota.open(0)).collect()
}

/// Ends the conversations of a quota, all that can be open at a time, in an order of its own; what came of each slot,
/// with its wave and the questions known when it opened.
fn run(
    target: Target,
    order: usize,
    dropped_at: impl Fn(Slot) -> Option<Dropped>,
) -> (Quota, BTreeMap<Slot, (Wave, usize)>) {
    let (mut quota, mut open, mut opened) = (quota(target), Vec::new(), BTreeMap::new());
    let mut number = 0;
    while !quota.is_met() {
        open.extend(all(&mut quota));
        let mut lowest = quota.unopened();
        let opening: Opening = open.swap_remove((order * number + number / 3) % open.len());
        number += 1;
        let used = vec![Used { source: Some(SourceIndex(0)), ..fixtures::used("q") }];
        let known = opening.coverage.of_source(SourceIndex(0)).expect("the document").questions;
        opened.insert(opening.slot, (opening.wave, known as usize));
        quota.end(Completion { used, ..completion(&opening, dropped_at(opening.slot)) });
        assert!(quota.unopened() >= lowest, "what is not open yet never comes before what is");
        lowest = quota.unopened();
        assert!(open.iter().all(|opening| !all(&mut quota.clone()).contains(opening)), "{lowest:?}");
    }
    (quota, opened)
}

#[test]
fn replaces_what_is_dropped_until_the_total_is_accepted() {
    let dropped_at = |slot: Slot| if slot.index % 3 == 1 { dropped() } else { None };
    let (quota, opened) = run(TARGET, 0, dropped_at);
    assert_eq!(quota.tally().languages.iter().map(|language| language.accepted).collect::<Vec<_>>(), [5, 5]);
    assert_eq!(quota.tally().dropped() as usize, opened.len() - 10);
    assert_eq!(quota.unopened(), Rank::END);
    assert!(quota.tally().shortfalls(5).is_empty());
}

#[test]
fn which_conversations_there_are_and_what_they_know_does_not_depend_on_the_order_of_their_ends() {
    let dropped_at = |slot: Slot| if (slot.index * 7 + u32::from(slot.language.0)) % 5 < 2 { dropped() } else { None };
    for (batch_size, lookahead) in [(1, 1), (3, 2), (2, 16), (4, 3), (16, 1)] {
        let target = Target { total: 9, languages: 3, batch_size, concurrency: batch_size, lookahead };
        let (quota, opened) = run(target, 0, dropped_at);
        for order in 1..20 {
            let (other, also) = run(target, order, dropped_at);
            assert_eq!((other.tally(), &also), (quota.tally(), &opened), "{target:?}");
        }
    }
}

#[test]
fn waves_open_and_know_by_the_wave_one_lookahead_before() {
    let mut quota = quota(Target { total: 9, languages: 2, batch_size: 3, concurrency: 3, lookahead: 2 });
    let place = |opening: &Opening| (opening.slot.language.0, opening.wave.0, opening.slot.index);
    let first = all(&mut quota);
    assert_eq!(
        first.iter().map(place).collect::<Vec<_>>(),
        [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 3), (0, 1, 4), (0, 1, 5)]
    );
    assert_eq!(quota.unopened(), Rank::lowest(LanguageIndex(0), Wave(2)));
    quota.end(completion(&first[1], dropped()));
    quota.end(completion(&first[0], None));
    assert!(quota.open(0).is_none(), "the first wave has not ended");
    quota.end(completion(&first[2], None));
    let third = all(&mut quota);
    assert_eq!(third.iter().map(place).collect::<Vec<_>>(), [(0, 2, 6), (0, 2, 7), (0, 2, 8)]);
    first[3..].iter().for_each(|opening| quota.end(completion(opening, None)));
    let fourth = all(&mut quota);
    assert_eq!(
        fourth.iter().map(place).collect::<Vec<_>>(),
        [(0, 3, 9), (1, 0, 0), (1, 0, 1), (1, 0, 2)],
        "a replacement, and the next language"
    );
}

#[test]
fn gives_a_language_up_after_drops_in_a_row_and_goes_on_with_the_next() {
    let dropped_at = |slot: Slot| if slot.language.0 == 0 { dropped() } else { None };
    let (quota, opened) =
        run(Target { total: 4, languages: 2, batch_size: 1, concurrency: 1, lookahead: 1 }, 0, dropped_at);
    let shortfall = Shortfall { language: LanguageIndex(0), accepted: 0, dropped: 16, consecutive_drops: 16 };
    assert_eq!(quota.tally().shortfalls(4), [shortfall]);
    assert_eq!((quota.tally().languages[1].accepted, opened.len()), (4, 20));
}

#[test]
fn opens_no_more_than_may_be_under_way() {
    let mut quota = quota(TARGET);
    assert!(quota.open(3).is_none() && quota.open(2).is_some());
}

#[test]
fn more_than_a_wave_may_be_under_way() {
    let opened = |concurrency| {
        let mut quota = quota(Target { concurrency, ..TARGET });
        (0..).map_while(|active| quota.open(active)).count()
    };
    assert_eq!([1, 2, 4, 100].map(opened), [1, 2, 4, 5], "as many as the waves within the look-ahead have");
}

#[test]
fn a_stop_opens_nothing_more_and_leaves_the_rest_wanted() {
    let mut quota = quota(Target { total: 10, batch_size: 2, ..TARGET });
    let open = [quota.open(0), quota.open(1), quota.open(0)].map(Option::unwrap);
    quota.stop();
    assert!(quota.open(0).is_none() && quota.is_stopped());
    open.iter().for_each(|opening| quota.end(completion(opening, None)));
    assert!(!quota.is_met());
    assert_eq!(quota.unopened(), Rank { index: 3, ..open[2].first_rank() }, "nothing from there on can be final");
}

#[test]
fn conversations_of_a_shard_are_those_of_a_run_under_other_numbers() {
    let numbering = Numbering { slots: Numbers { first: 2, step: 5 }, waves: Numbers { first: 3, step: 7 } };
    let (mut whole, mut shard) = (quota(TARGET), numbered(TARGET, numbering, []));
    while !whole.is_met() {
        let (one, other) = (whole.open(0).expect("it is not met"), shard.open(0).expect("as the other"));
        assert_eq!(other.slot, Slot { index: 2 + 5 * one.slot.index, ..one.slot });
        assert_eq!((other.wave, other.coverage.clone()), (Wave(3 + 7 * one.wave.0), one.coverage.clone()));
        let dropped = if one.slot.index % 3 == 1 { dropped() } else { None };
        let used = vec![Used { source: Some(SourceIndex(0)), ..fixtures::used("q") }];
        for (quota, opening) in [(&mut whole, &one), (&mut shard, &other)] {
            quota.end(Completion { used: used.clone(), ..completion(opening, dropped.clone()) });
        }
    }
    assert!(shard.is_met() && shard.open(0).is_none());
    assert_eq!(whole.tally(), shard.tally());
}

fn made(language: u16, index: u32, dropped: Option<Dropped>) -> Completion {
    let slot = Slot { language: LanguageIndex(language), index };
    completion(&Opening { slot, wave: Wave(index), coverage: Arc::default() }, dropped)
}

#[test]
fn the_rest_of_a_run_is_what_the_others_lack() {
    let others = (0..5).map(|index| made(0, index, None)).chain((0..40).map(|index| made(1, index, dropped())));
    let others = others.chain([made(1, 40, None), made(1, 41, None)]);
    let numbers = Numbers { first: 50, step: 1 };
    let mut rest = numbered(TARGET, Numbering { slots: numbers, waves: numbers }, others);
    let mut slots = Vec::new();
    while let Some(opening) = rest.open(0) {
        slots.push((opening.slot.language.0, opening.slot.index));
        rest.end(completion(&opening, None));
    }
    assert_eq!(slots, [(1, 50), (1, 51), (1, 52)]);
    assert!(rest.is_met() && rest.tally().shortfalls(5).is_empty());
}

#[test]
fn whatever_the_others_lack_the_rest_comes_to_its_end() {
    let mut draws = ChaCha8Rng::seed_from_u64(4);
    for case in 0..3000 {
        let mut draw = |below: u32| draws.next_u32() % below;
        let target = Target {
            total: 1 + draw(40),
            languages: 1 + draw(3) as u16,
            batch_size: 1 + draw(9),
            concurrency: 1 + draw(9),
            lookahead: 1 + draw(4),
        };
        let has: Vec<u32> = (0..target.languages).map(|_| draw(target.total + 1)).collect();
        let others =
            has.iter().zip(0..).flat_map(|(has, language)| (0..*has).map(move |index| made(language, index, None)));
        let numbers = Numbers { first: target.total, step: 1 };
        let mut rest = numbered(target, Numbering { slots: numbers, waves: numbers }, others);
        let mut open: Vec<Opening> = Vec::new();
        while !rest.is_met() {
            while let Some(opening) = rest.open(open.len() as u32) {
                open.push(opening);
            }
            assert!(!open.is_empty(), "case {case}: {target:?}, {has:?}: it waits for nothing");
            let ended = open.swap_remove(draw(open.len() as u32) as usize);
            rest.end(completion(&ended, if draw(4) == 0 { dropped() } else { None }));
        }
        assert!(rest.tally().shortfalls(target.total).is_empty(), "case {case}");
    }
}

#[test]
fn restored_outcomes_make_the_same_quota() {
    let numbers = Numbers { first: 1, step: 3 };
    [Numbering::default(), Numbering { slots: numbers, waves: numbers }].into_iter().for_each(restored_makes_the_same);
}

fn restored_makes_the_same(numbering: Numbering) {
    let quota = |target| numbered(target, numbering, []);
    let dropped_at = |slot: Slot| if slot.index % 4 == 1 { dropped() } else { None };
    let used = |slot: Slot| Used { source: Some(SourceIndex(0)), ..fixtures::used(&format!("{slot:?}")) };
    let mut whole = quota(TARGET);
    let mut settled = Vec::new();
    loop {
        let mut restored = quota(TARGET);
        assert_eq!(restored.restore(settled.clone()), None);
        let told = |quota: &Quota| {
            let rest: Vec<_> = std::iter::successors(quota.clone().open(0), |_| None).collect();
            (quota.tally().clone(), quota.unopened(), quota.is_met(), rest)
        };
        assert_eq!(told(&restored), told(&whole), "after {}", settled.len());
        if whole.is_met() {
            break;
        }
        assert_eq!(restored.due(), whole.clone().open(0).expect("it is not met").slot);
        let opening = whole.open(0).expect("the same one");
        let outcome = Completion { used: vec![used(opening.slot)], ..completion(&opening, dropped_at(opening.slot)) };
        settled.push(outcome.clone());
        whole.end(outcome);
    }
    let mut other = quota(Target { batch_size: 2, ..TARGET });
    assert_eq!(other.restore(settled.clone()), Some(settled[2].slot));
}
