//! The graph of a run with stages that are plain functions: what must hold for any latencies and any number of workers.
//! Would catch: a conversation lost or opened twice, a duplicate accepted, an order that depends on timing, a hang.

use dlgforge::dataflows::generate::{Order, Stage, Stages, generate};
use dlgforge::operators::{Desk, Opening, Quota, Settlement, Stop, Tally};
use dlgforge::words::reply::{Confidence, Difficulty, Intent, ReasoningTrace};
use dlgforge::words::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
struct Load {
    seed: u64,
    workers: usize,
    total: u32,
    languages: u16,
    batch_size: u32,
    turns: u16,
    retries: u16,
    /// Different questions there are; collisions are frequent when small.
    pool: u64,
    /// Every so-many-th call of a stage panics; 0 for never.
    panics: u64,
}

struct Outcome {
    conversations: Vec<Conversation>,
    tally: Tally,
}

fn mix(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(seed, |hash, part| {
        let mixed = (hash ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 29)
    })
}

fn key(conversation: &Conversation) -> [u64; 4] {
    let Rank { language, turn, attempt, index, .. } = conversation.rank();
    [u64::from(language.0), u64::from(index), u64::from(turn.0), u64::from(attempt.0)]
}

fn stage<O: Send + 'static>(load: Load, tag: u64, work: fn(&Load, &Conversation) -> O) -> Stage<O> {
    Arc::new(move |conversation| {
        Box::pin(async move {
            let hash = mix(load.seed, &[&key(&conversation)[..], &[tag]].concat());
            if hash.is_multiple_of(3) {
                tokio::time::sleep(Duration::from_micros(hash % 3000)).await;
            }
            if load.panics > 0 && hash % load.panics == 1 {
                std::panic::resume_unwind(Box::new("a stage that dies"));
            }
            Ok(work(&load, &conversation))
        })
    })
}

fn question(load: &Load, conversation: &Conversation) -> Question {
    let text: Arc<str> = format!("Question {}?", mix(load.seed, &key(conversation)) % load.pool).into();
    Question {
        mode: QuestionMode::Fresh,
        seed_topic: String::new(),
        seed_question: String::new(),
        reply: UserReply {
            user_message: text.to_string(),
            intent: Intent::Clarify,
            difficulty: Difficulty::Easy,
            grounding_facts: vec![],
            coverage_target: String::new(),
            notes_for_assistant: vec![],
        },
        used: Used { chunk: None, source: None, question: text, seed: None },
        agent: "test".into(),
        reasoning: None,
        raw: serde_json::Value::Null,
        calls: 1,
    }
}

fn answer(_: &Load, _: &Conversation) -> Answer {
    let reasoning_trace = ReasoningTrace {
        question: String::new(),
        retrieval_queries: Default::default(),
        evidence: vec![],
        premises: vec![],
        thinking: vec![],
        confidence: Confidence::High,
        known_limits: vec![],
    };
    Answer {
        reply: AssistantReply { assistant_message: "Yes.".into(), reasoning_trace, did_web_search: false },
        tool_events: vec![],
        agent: "test".into(),
        reasoning: None,
        raw: serde_json::Value::Null,
        calls: 1,
    }
}

fn stages(load: Load) -> Stages {
    let open = move |Opening { slot, wave, coverage }| Conversation {
        slot,
        wave,
        id: format!("{}-{}", slot.language, slot.index).into(),
        language: "xx".into(),
        target_turns: 1 + (mix(load.seed, &[u64::from(slot.index)]) % u64::from(load.turns)) as u16,
        user_persona: Arc::default(),
        assistant_persona: Arc::default(),
        coverage,
        turns: vec![],
        round: Round::default(),
        incarnation: Incarnation::default(),
        judgement: None,
        ending: None,
    };
    Stages {
        open: Arc::new(open),
        ask: stage(load, 1, question),
        answer: stage(load, 2, answer),
        judge: stage(load, 3, |_, _| Judged::Nothing),
    }
}

/// Runs the graph; panics when it does not end within a minute.
fn run(load: Load, earlier: &[&str]) -> Outcome {
    let (done, ended) = mpsc::channel();
    let earlier: Vec<Fingerprint> = earlier.iter().map(|question| Fingerprint::of(question)).collect();
    std::thread::spawn(move || done.send(run_to_end(load, earlier)));
    ended.recv_timeout(Duration::from_secs(60)).expect("the graph ends")
}

fn run_to_end(load: Load, earlier: Vec<Fingerprint>) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    let desk = Desk::new(runtime.handle().clone(), load.batch_size as usize, Stop::default());
    let (settled, settlements) = mpsc::channel();
    let (tallied, tallies) = mpsc::channel();
    let quota = Quota::new(
        dlgforge::operators::Target {
            total: load.total,
            languages: load.languages,
            batch_size: load.batch_size,
            lookahead: 3,
        },
        Coverage::default(),
    );
    timely::execute(timely::Config::process(load.workers), move |worker| {
        let index = worker.index();
        let order = Order { quota: quota.clone(), retries: Attempt(load.retries), earlier: earlier.clone().into() };
        let (settled, tallied) = (settled.clone(), tallied.clone());
        let report = move |tally: &Tally| tallied.send((index, tally.clone())).expect("the test listens");
        let write = move |settlement| settled.send((index, settlement)).expect("the test listens");
        worker.dataflow(|scope| generate(scope, order, stages(load), &desk, report, write));
    })
    .expect("workers start")
    .join()
    .into_iter()
    .for_each(|worker| worker.expect("a worker ends well"));
    let mut by_worker: BTreeMap<usize, Vec<Conversation>> = BTreeMap::new();
    let mut floors: BTreeMap<usize, Rank> = BTreeMap::new();
    for (worker, settlement) in settlements {
        match settlement {
            Settlement::Conversation(conversation) => {
                assert!(
                    floors
                        .get(&worker)
                        .is_none_or(|floor| !floor.is_past(conversation.slot.language, conversation.wave)),
                    "released below its floor"
                );
                by_worker.entry(worker).or_default().push(Arc::unwrap_or_clone(conversation));
            }
            Settlement::Floor(floor) => _ = floors.insert(worker, floor),
        }
    }
    for conversations in by_worker.values() {
        assert!(conversations.is_sorted_by_key(|conversation| conversation.slot), "each worker releases in slot order");
    }
    let mut conversations: Vec<_> = by_worker.into_values().flatten().collect();
    conversations.sort_by_key(|conversation| conversation.slot);
    let tally = tallies.into_iter().filter(|(worker, _)| *worker == 0).last().map(|(_, tally)| tally);
    Outcome { conversations, tally: tally.expect("the first worker reports") }
}

fn check(load: Load, Outcome { conversations, tally }: &Outcome) {
    let mut slots = conversations.iter().map(|conversation| conversation.slot).collect::<Vec<_>>();
    for (at, language) in tally.languages.iter().enumerate() {
        let mine: Vec<u32> =
            slots.extract_if(.., |slot| slot.language.0 as usize == at).map(|slot| slot.index).collect();
        assert_eq!(mine, (0..language.opened).collect::<Vec<_>>(), "every slot ends once");
        assert_eq!(language.accepted + language.dropped, language.opened);
        assert!(language.accepted == load.total || load.pool < 1000 || load.panics > 0);
    }
    let mut seen = BTreeSet::new();
    for conversation in conversations {
        for turn in &conversation.turns {
            assert!(seen.insert(turn.question.reply.user_message.clone()), "a duplicate was accepted");
            assert!(turn.attempt.0 <= load.retries);
        }
        let complete = conversation.turns.len() == usize::from(conversation.target_turns);
        assert_eq!(conversation.ending == Some(Ending::Completed), complete, "{:?}", conversation.ending);
    }
    let rejected: u32 = conversations.iter().map(Conversation::duplicates).sum();
    assert_eq!(u64::from(rejected), tally.duplicates);
}

const CALM: Load = Load {
    seed: 1,
    workers: 2,
    total: 30,
    languages: 2,
    batch_size: 8,
    turns: 4,
    retries: 3,
    pool: u64::MAX,
    panics: 0,
};

#[test]
fn accepts_the_total_in_every_language() {
    let outcome = run(CALM, &[]);
    check(CALM, &outcome);
    assert_eq!((outcome.tally.accepted(), outcome.tally.dropped()), (60, 0));
}

#[test]
fn ends_when_nearly_everything_is_a_duplicate() {
    let load = Load { pool: 7, total: 100, ..CALM };
    let outcome = run(load, &[]);
    check(load, &outcome);
    assert!(outcome.tally.dropped() >= 16 && outcome.tally.accepted() <= 7);
    assert!(outcome.tally.drops.contains_key("dedup_exhausted"));
}

#[test]
fn questions_of_earlier_runs_are_duplicates() {
    let load = Load { pool: 3, total: 3, languages: 1, turns: 1, retries: 9, ..CALM };
    let outcome = run(load, &["question  1?"]);
    let asked: BTreeSet<_> = outcome
        .conversations
        .iter()
        .flat_map(|conversation| &conversation.turns)
        .collect::<Vec<_>>()
        .into_iter()
        .map(|turn| turn.question.reply.user_message.as_str())
        .collect();
    assert_eq!(asked, BTreeSet::from(["Question 0?", "Question 2?"]));
}

#[test]
fn a_stage_that_dies_costs_its_conversation_only() {
    let load = Load { panics: 20, ..CALM };
    let outcome = run(load, &[]);
    check(load, &outcome);
    assert_eq!(outcome.tally.accepted(), 60);
    assert!(outcome.tally.drops["lost"] > 0, "{:?}", outcome.tally);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn holds_for_any_load(
        seed: u64, workers in 1usize..5, total in 0u32..20, languages in 1u16..4, batch_size in 1u32..20,
        turns in 1u16..5, retries in 0u16..4, pool in prop_oneof![Just(3u64), Just(20), Just(200), Just(u64::MAX)],
    ) {
        let load = Load { seed, workers, total, languages, batch_size, turns, retries, pool, panics: 0 };
        check(load, &run(load, &[]));
    }
}
