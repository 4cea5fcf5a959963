//! The graph of a run with stages that are plain functions, held against a loop that says what a run means: every
//! conversation equal, for any load, any latencies and any number of workers.
//! Would catch: a verdict, a history or a snapshot that depends on timing, a watermark that runs ahead of work it does
//! not know, a conversation lost or opened twice, an order that depends on timing, a hang.

mod load;
mod oracle;
mod run;

use dlgforge::domain::{TooClose, Turn};
use load::{CALM, Load, Near, Pace, Questions};
use oracle::oracle;
use run::{Course, check, follow};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn accepts_the_total_in_every_language() {
    let tally = check(CALM);
    assert_eq!((tally.accepted(), tally.dropped()), (60, 0));
}

#[test]
fn ends_when_nearly_everything_is_a_duplicate() {
    for workers in 1..=4 {
        let load = Load { questions: Questions::Pool(7), total: 100, workers, ..CALM };
        let tally = check(load);
        assert!(tally.dropped() >= 16 && tally.accepted() <= 7);
        assert!(tally.drops["dedup_exhausted"] >= 16);
    }
}

#[test]
fn questions_of_earlier_runs_are_duplicates() {
    let questions = Questions::Pool(4);
    let load = Load { questions, earlier: 2, total: 2, languages: 1, turns: 1, retries: 30, ..CALM };
    check(load);
    let asked: Vec<_> = oracle(&load).conversations.into_iter().flat_map(|made| made.conversation.turns).collect();
    let mut asked: Vec<_> = asked.iter().map(|turn| turn.question.reply.user_message.trim().to_lowercase()).collect();
    asked.sort();
    assert_eq!(asked, ["question 2?", "question 3?"]);
}

/// A reply of many questions is asked for once, however many of them were asked before; one that died with its stage was not.
#[test]
fn candidates_take_the_place_of_duplicates() {
    let ladders = Load { questions: Questions::Ladders(4), retries: 20, turns: 2, languages: 1, lookahead: 8, ..CALM };
    let crowded = Load { questions: Questions::Pool(40), total: 100, retries: 5, ..CALM };
    for (candidates, faults, processes, workers) in [(2, 0, 1, 1), (30, 0, 1, 4), (5, 40, 1, 2), (5, 0, 2, 2)] {
        check(Load { total: 64, pace: Pace::Last(4), candidates, faults, processes, workers, ..ladders });
        let tally = check(Load { candidates, faults, processes, workers, ..crowded });
        assert!(tally.duplicates > 100 && tally.dropped() > 0, "{tally:?}");
    }
}

/// A question that falls lets the next but one stand.
#[test]
fn near_duplicates_are_rejected_along_chains() {
    for (processes, workers) in [(1, 1), (1, 2), (1, 4), (2, 1), (2, 2)] {
        for (seed, questions) in [(1, Questions::Chain(40)), (2, Questions::Clusters(60)), (3, Questions::Chain(500))] {
            let near = [Near::Words, Near::Meaning][seed as usize % 2];
            let load = Load { near, earlier: 3, retries: 6, total: 60, ..CALM };
            let tally = check(Load { seed, questions, processes, workers, faults: [0, 40][workers % 2], ..load });
            assert!(tally.duplicates > 20, "{tally:?}");
        }
    }
}

/// It is rejected wherever it is asked, claims nothing, and what is left of its reply takes its place.
#[test]
fn what_is_held_out_is_asked_by_nobody() {
    for (processes, workers, candidates, questions) in [
        (1, 1, 1, Questions::Pool(1000)),
        (1, 4, 3, Questions::Pool(60)),
        (2, 2, 1, Questions::Chain(80)),
        (2, 1, 4, Questions::Ladders(4)),
    ] {
        let load =
            Load { held_out: 3, retries: 2, total: 80, near: Near::Words, processes, workers, candidates, ..CALM };
        let load = Load { questions, ..load };
        let tally = check(load);
        assert!(tally.duplicates > 20 && tally.drops["contaminated"] > 0, "{tally:?}");
        let turns = oracle(&load).conversations.into_iter().flat_map(|made| made.conversation.turns);
        let of =
            |turn: &Arc<Turn>| turn.near_duplicates.iter().any(|one| matches!(one.neighbour, TooClose::HeldOut(_)));
        let (asked, avoided): (Vec<_>, Vec<_>) = turns.partition(|turn| turn.question.held_out.is_some());
        assert!(asked.is_empty() && avoided.iter().any(of));
    }
}

#[test]
fn users_end_conversations_that_then_count() {
    for (seed, workers, processes, questions) in
        [(1, 1, 1, Questions::Pool(u64::MAX)), (2, 4, 1, Questions::Pool(300)), (3, 2, 2, Questions::Ladders(4))]
    {
        let load = Load { seed, workers, processes, questions, ends: 3, faults: 40, retries: 12, ..CALM };
        check(load);
        let made = oracle(&load).conversations;
        let is_short = |one: &&dlgforge::operators::InFlight| one.turns.len() < usize::from(one.target_turns);
        let completed = made.iter().filter(|one| one.outcome == Some(dlgforge::domain::Outcome::Completed));
        assert!(completed.filter(is_short).count() > 8);
    }
}

#[test]
fn a_stage_that_fails_or_dies_costs_its_conversation_only() {
    let load = Load { faults: 40, ..CALM };
    let tally = check(load);
    assert_eq!(tally.accepted(), 60);
    assert!(tally.drops["lost"] > 0 && tally.drops["model_failed"] > 0, "{tally:?}");
}

/// Its cost is a seat, and the lookahead.
#[test]
fn a_conversation_may_be_a_thousand_times_slower_than_the_rest() {
    let pace = Pace::Slow(1, 400);
    check(Load { pace, questions: Questions::Pool(300), total: 60, turns: 2, languages: 1, lookahead: 4, ..CALM });
}

/// Half of the first wave asks last, and each rung of the ladders that it takes throws the next conversation up to the
/// rung that another one holds.
#[test]
fn roll_backs_cascade_through_all_waves() {
    let seats = CALM.batch_size as usize;
    let ladders =
        Load { questions: Questions::Ladders(4), retries: 20, turns: 2, languages: 1, lookahead: 8, seats, ..CALM };
    for workers in [1, 2, 4] {
        let tally = check(Load { total: 64, pace: Pace::Last(4), workers, ..ladders });
        // When the last one asks, all but eight have ended on a rung too low.
        assert!(tally.rollbacks >= 56, "{tally:?}");
        assert_eq!((tally.accepted(), tally.duplicates), (64, 4 * (0..16).sum::<u64>()));
    }
}

#[test]
fn processes_make_what_one_makes() {
    for seed in 0..24 {
        let (processes, workers) = (2 + seed as usize % 3, 1 + seed as usize % 2);
        let questions = if seed % 3 == 0 { Questions::Ladders(4) } else { Questions::Pool(120) };
        let faults = [0, 40][seed as usize % 2];
        check(Load { seed, processes, workers, questions, faults, earlier: 2, retries: 8, ..CALM });
    }
}

#[test]
fn a_wave_may_be_a_single_conversation() {
    for lookahead in 1..=4 {
        for seed in 0..4 {
            let load = Load { seed, lookahead, batch_size: 1, total: 12, workers: 1 + seed as usize, ..CALM };
            check(Load { questions: Questions::Pool(60), ..load });
        }
    }
}

/// None gets a reply before all have asked.
#[test]
fn ten_thousand_conversations_are_under_way_at_a_time() {
    let crowd = 10_000;
    let load = Load { seats: crowd as usize, batch_size: crowd, total: crowd, languages: 1, turns: 1, ..CALM };
    let tally = check(Load { pace: Pace::Last(crowd), questions: Questions::Pool(100_000), retries: 12, ..load });
    assert!(tally.duplicates > 100, "{tally:?}");
    assert_eq!(tally.accepted(), crowd);
}

/// Cases of growing size, so that the first one that fails is small.
#[test]
fn holds_for_any_load() {
    let cases = std::env::var("GRAPH_CASES").map_or(3200, |cases| cases.parse().expect("a number"));
    let [next, rollbacks, early] = [0, 0, 0].map(AtomicU64::new);
    let check_next = || {
        while let Some(case) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|case| *case < cases) {
            let checked = std::panic::catch_unwind(|| follow(any_load(case, cases)));
            let Course { tally, early: earlier } = checked.unwrap_or_else(|panic| {
                next.store(cases, Ordering::Relaxed);
                std::panic::resume_unwind(panic)
            });
            rollbacks.fetch_add(tally.rollbacks, Ordering::Relaxed);
            early.fetch_add(earlier, Ordering::Relaxed);
        }
    };
    // The cases mostly wait: many at a time.
    std::thread::scope(|scope| (0..24).for_each(|_| _ = scope.spawn(check_next)));
    let rollbacks = rollbacks.into_inner();
    assert!(rollbacks > cases / 40, "{rollbacks} roll-backs");
    let early = early.into_inner();
    assert!(early > cases / 40, "{early} conversations that did not wait for their wave");
}

fn any_load(seed: u64, cases: u64) -> Load {
    let size = 3 + (12 * seed / cases) as u32;
    let mut rest = load::hash((seed, "load"));
    let mut below = |bound: u64| {
        let drawn = rest % bound;
        rest /= bound;
        drawn
    };
    let (total, turns, languages) = (below(u64::from(size)) as u32, 1 + below(4) as u16, 1 + below(3) as u16);
    let asked = u64::from(total) * u64::from(turns) * u64::from(languages);
    let pool = [4, asked / 4, asked / 3, asked / 2, asked, 2 * asked, u64::MAX][below(7) as usize];
    Load {
        seed,
        workers: 1 + below(4) as usize,
        seats: [2, 64, 64, 64][below(4) as usize],
        total,
        languages,
        batch_size: 1 + below(12) as u32,
        lookahead: 1 + below(4) as u32,
        turns,
        retries: below(6) as u16,
        questions: [
            Questions::Ladders(3),
            Questions::Pool(pool.max(4)),
            Questions::Pool(pool.max(4)),
            Questions::Chain(pool.clamp(4, 1 << 40)),
            Questions::Clusters(pool.clamp(4, 1 << 40)),
        ][below(5) as usize],
        near: [Near::Words, Near::Off, Near::Words, Near::Meaning][seed as usize % 4],
        earlier: [0, 0, 3][below(3) as usize],
        faults: [0, 0, 0, 30][below(4) as usize],
        pace: Pace::Free,
        stalls: [0, 8, 32][below(3) as usize],
        processes: [1, 1, 1, 1, 1, 1, 2, 3][below(8) as usize],
        regenerations: [0, 1, 3][below(3) as usize],
        candidates: [1, 1, 2, 5][below(4) as usize],
        ends: [0, 0, 4][below(3) as usize],
        held_out: [0, 0, 7][below(3) as usize],
    }
}
