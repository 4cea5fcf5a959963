//! What a store means, as tests over every implementation: `tests/real` has this file, too, for the one that needs a server.

use crate::domain::{
    Agent, Attempt, Digest, Fingerprint, LanguageIndex, Place, Slot, Stage, Tier, TurnIndex, Turns, Usage, Wave,
};
use crate::store::journal::Found;
use crate::store::{
    Admission, Charge, Entry, Fact, Journal, Mark, Paid, Recalled, Reuse, Revision, Run, Settled, Spending, Spent,
    State, Store, StoreError, Tiered, recall,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A place in the second turn of a conversation.
pub fn place(language: u16, index: u32, stage: Stage, round: u16) -> Place {
    let slot = Slot { language: LanguageIndex(language), index };
    Place { slot, turn: TurnIndex(1), attempt: Attempt(0), stage, round }
}

/// A reply of so many tokens, which cost as many billionths of a USD; one of unknown size is of unknown price.
pub fn entry(place: Place, digest: u128, body: &[u8], tokens: Option<u64>) -> Entry {
    let paid = Paid {
        agent: Agent::User,
        model: "openai/x".into(),
        usage: Usage {
            prompt_tokens: tokens,
            completion_tokens: tokens.map(|tokens| tokens + 1),
            cached_tokens: tokens.map(|tokens| tokens / 2),
            tier: if tokens == Some(1) { Tier::Flex } else { Tier::Standard },
            ..Usage::default()
        },
        latency_us: 7,
        nanousd: tokens,
    };
    Entry { place, digest: Digest(digest), body: body.to_vec(), paid: Some(paid) }
}

/// A run that has begun.
pub fn run(id: &str) -> Run {
    let manifest = BTreeMap::from([("run.seed".to_owned(), "7".to_owned())]);
    let (config, began) = ("c.yaml".to_owned(), "t0".to_owned());
    Run { id: id.into(), state: State::Running, manifest, config, ledger: 3, updated: began.clone(), began }
}

fn settled(index: u32, dropped: Option<&str>) -> Settled {
    Settled {
        slot: Slot { language: LanguageIndex(1), index },
        wave: Wave(index / 2),
        dropped: dropped.map(|reason| (reason.to_owned(), "what happened".to_owned())),
        duplicates: index,
        ledger: 10..20,
        document: 5,
        turns: Turns { all: 3, unjudged: index.into(), ..Turns::default() },
    }
}

/// A fact about one endpoint.
pub fn fact(text: &str) -> Fact {
    Fact { endpoint: "http://127.0.0.1/v1".into(), text: text.into() }
}

/// Opens a store, the same one each time, as another process would find it.
pub type Open<'a> = &'a dyn Fn() -> Arc<dyn Store>;

/// What every store must do.
pub fn keeps_what_it_is_given(open: Open<'_>) {
    let store = open();
    assert_eq!(store.runs().unwrap(), []);
    store.begin(&run("b")).unwrap();
    store.begin(&run("a")).unwrap();
    assert_eq!(store.begin(&run("b")), Err(StoreError::RunExists("b".into())));
    assert_eq!(
        store.set_state("c", State::Failed, "t1").unwrap_err().to_string(),
        "find run \"c\": the store has only b, a"
    );
    store.set_state("b", State::Interrupted, "t1").unwrap();

    let here = place(0, 3, Stage::Answer, 1);
    let replies =
        [entry(here, 1, b"one", Some(10)), entry(here, 2, b"two", None), entry(here.next(), 1, b"three", Some(1))];
    store.append("b", &replies).unwrap();
    let taken_over = Entry { paid: None, ..entry(place(0, 3, Stage::Ask, 0), 9, b"another's", None) };
    store.append("b", &[entry(here, 1, b"late", Some(1)), taken_over]).unwrap();
    store.append("b", &[]).unwrap();

    [fact("z"), fact("y"), fact("z")].iter().for_each(|fact| store.learn("b", fact).unwrap());

    let mark = |length, tail| Mark { length, rows: length / 2, tail };
    let files = BTreeMap::from([("x".to_owned(), Some(mark(4, u128::MAX))), ("y".to_owned(), Some(mark(0, 0)))]);
    let first = Admission {
        at: "t2".into(),
        settled: vec![settled(1, Some("lost")), settled(0, None)],
        unfinished: vec![(Slot { language: LanguageIndex(1), index: 1 }, vec![Fingerprint(u128::MAX), Fingerprint(1)])],
        files,
        ..Admission::default()
    };
    store.admit("b", &first).unwrap();
    let files = BTreeMap::from([("x".to_owned(), Some(mark(6, 3))), ("y".to_owned(), None)]);
    store.admit("a", &Admission { at: "t3".into(), files, ..Admission::default() }).unwrap();
    // What is settled once is not settled again: all of an admission, or nothing.
    let files = BTreeMap::from([("x".to_owned(), Some(mark(9, 9)))]);
    let twice =
        Admission { at: "t4".into(), settled: vec![settled(2, None), settled(0, None)], files, ..Admission::default() };
    assert!(store.admit("b", &twice).is_err());

    drop(store);
    let store = open();
    assert_eq!(store.unfinished().unwrap(), [Fingerprint(u128::MAX), Fingerprint(1)].map(|one| ("b".to_owned(), one)));
    let runs =
        [Run { state: State::Interrupted, updated: "t2".into(), ..run("b") }, Run { updated: "t3".into(), ..run("a") }];
    assert_eq!(store.runs().unwrap(), runs);
    for (at, digest, expected) in [
        (here, 1, Some(b"one".to_vec())),
        (here, 2, Some(b"two".to_vec())),
        (here.next(), 1, Some(b"three".to_vec())),
        (here, 3, None),
        (place(1, 3, Stage::Answer, 1), 1, None),
        (place(0, 3, Stage::Judge, 1), 1, None),
        (place(0, 3, Stage::Ask, 0), 9, Some(b"another's".to_vec())),
    ] {
        assert_eq!(store.recall("b", &at, Digest(digest)).unwrap(), expected, "{at:?} {digest}");
    }
    assert_eq!(store.recall("a", &here, Digest(1)).unwrap(), None, "another run's");
    let [spent] = <[Spent; 1]>::try_from(store.spent("b").unwrap()).unwrap();
    // The reply that came late was paid for too.
    assert_eq!((spent.agent.as_str(), spent.model.as_str(), spent.cost.calls), ("user", "openai/x", 4));
    assert_eq!(
        (spent.cost.prompt_tokens, spent.cost.completion_tokens, spent.cost.unreported, spent.cost.latency_us),
        (12, 15, 1, 28)
    );
    assert_eq!((spent.cost.nanousd, spent.cost.unpriced), (12, 1));
    assert_eq!((spent.language, spent.cost.cached_tokens, spent.cost.reasoning_tokens), (LanguageIndex(0), 5, 0));
    assert_eq!(store.spent("a").unwrap(), []);
    let [flex] = <[Tiered; 1]>::try_from(store.tiers("b").unwrap()).unwrap();
    assert_eq!((flex.tier.as_str(), flex.cost.calls, flex.cost.nanousd, flex.cost.unpriced), ("flex", 2, 2, 0));
    assert_eq!(store.tiers("a").unwrap(), []);
    let [charge] = <[Charge; 1]>::try_from(store.charges("b").unwrap()).unwrap();
    assert_eq!((charge.slot, charge.cost.calls), (here.slot, 3));
    assert_eq!(
        (charge.cost.prompt_tokens, charge.cost.completion_tokens, charge.cost.nanousd, charge.cost.unpriced),
        (11, 13, 11, 1)
    );
    assert_eq!(store.charges("a").unwrap(), []);
    let of_slot = store.replies_of("b", here.slot).unwrap();
    let places: Vec<_> = of_slot.iter().map(|reply| reply.place).collect();
    assert_eq!(places, [place(0, 3, Stage::Ask, 0), here, here, here.next()]);
    assert!(of_slot.iter().any(|reply| (reply.tokens, reply.nanousd) == ((Some(10), Some(11)), Some(10))));
    assert_eq!(store.replies_of("a", here.slot).unwrap(), []);
    store.discard("b", &here, Digest(2)).unwrap();
    store.discard("b", &here, Digest(3)).unwrap();
    assert_eq!(store.recall("b", &here, Digest(2)).unwrap(), None);
    store.append("b", &[Entry { paid: None, ..entry(here, 2, b"again", None) }]).unwrap();
    assert_eq!(store.recall("b", &here, Digest(2)).unwrap(), Some(b"again".to_vec()));
    let spending = Spending { nanousd: 1, tokens: 20, calls: 3 };
    store.record_spending("b", spending.plus(spending)).unwrap();
    store.record_spending("b", spending).unwrap();
    assert_eq!((store.spending("b").unwrap(), store.spending("a").unwrap()), (spending, Spending::default()));
    assert_eq!(spending.minus(Spending { tokens: 21, ..spending }), Spending::default());
    assert_eq!(spending.at_least(Spending { tokens: 19, calls: 4, ..spending }), Spending { calls: 4, ..spending });
    assert_eq!((store.learned("b").unwrap(), store.learned("a").unwrap()), (vec![fact("z"), fact("y")], vec![]));
    assert_eq!(store.settled("b").unwrap(), [settled(0, None), settled(1, Some("lost"))]);
    assert_eq!(store.files().unwrap(), BTreeMap::from([("x".to_owned(), mark(6, 3))]));

    let gone = Slot { language: LanguageIndex(1), index: 5 };
    let theirs = place(1, 5, Stage::Ask, 0);
    store.append("b", &[entry(theirs, 1, b"to go", Some(1))]).unwrap();
    let settled = vec![Settled { slot: gone, ..settled(5, None) }];
    store
        .admit(
            "b",
            &Admission {
                at: "t5".into(),
                settled,
                drop_replies: true,
                state: Some(State::Completed),
                ..Admission::default()
            },
        )
        .unwrap();
    assert_eq!(store.recall("b", &theirs, Digest(1)).unwrap(), None);
    assert!(store.recall("b", &here, Digest(1)).unwrap().is_some());
    let spent: Vec<_> = store.spent("b").unwrap().iter().map(|one| (one.language.0, one.cost.calls)).collect();
    assert_eq!(spent, [(0, 4), (1, 1)], "what was paid stays paid");
    assert_eq!((store.runs().unwrap()[0].state, store.runs().unwrap()[1].state), (State::Completed, State::Running));

    let judged = Turns { all: 3, verdicts: 3, scores: 20, ..Turns::default() };
    let before = store.settled("b").unwrap();
    let revision = Revision {
        at: "t6".into(),
        files: BTreeMap::from([("x".to_owned(), mark(9, 1)), ("z".to_owned(), mark(2, 2))]),
        conversations: vec![("b".to_owned(), before[1].slot, 77, judged.clone())],
        state: Some(("a".to_owned(), State::Short)),
    };
    for _ in 0..2 {
        store.revise(&revision).unwrap();
        let expected = Settled { document: 77, turns: judged.clone(), ..before[1].clone() };
        assert_eq!(store.settled("b").unwrap(), [before[0].clone(), expected, before[2].clone()]);
        assert_eq!(store.files().unwrap(), revision.files);
        assert_eq!((store.runs().unwrap()[0].updated.as_str(), store.runs().unwrap()[1].state), ("t5", State::Short));
    }
}

/// Replies that come at the same time, from a runtime of several threads, are durable when whoever brought them goes on.
pub async fn become_durable_together(open: Open<'_>) {
    let journal = Arc::new(Journal::start(open(), "r".into(), None, |error| panic!("{error}")));
    let keep = |index: u32| {
        let journal = journal.clone();
        tokio::spawn(async move {
            let at = place(0, index, Stage::Ask, 0);
            journal.keep(at, Digest(1), index.to_string().into_bytes(), None).await.unwrap();
            // Another process would find it now.
            journal.recall(&at, Digest(1), |_| Ok(())).unwrap().unwrap().1
        })
    };
    for (index, found) in (0..200).map(keep).collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(found.await.unwrap(), Found { reply: index.to_string().into_bytes(), reused: false });
    }
    let delays = journal.end();
    assert_eq!(delays.replies, 200);
    assert!(delays.groups < 200, "{} groups", delays.groups);
    assert!(delays.quantile(0.5) <= delays.quantile(0.99) && !delays.quantile(0.5).is_zero());
    assert_eq!(journal.keep(place(0, 0, Stage::Ask, 0), Digest(2), vec![], None).await, Err(StoreError::Stopped));
    drop(journal);
    let reuse = Reuse { run: "r".into(), languages: vec![None, Some(LanguageIndex(0))] };
    let store = open();
    let found = |language| recall(&*store, "s", Some(&reuse), &place(language, 7, Stage::Ask, 0), Digest(1)).unwrap();
    let theirs = Recalled::Found(Found { reply: b"7".to_vec(), reused: true });
    assert_eq!(found(1), theirs, "the same language, at another position");
    assert_eq!((found(0), found(2)), (Recalled::Nothing, Recalled::Nothing));
    let none = Reuse { run: "q".into(), ..reuse.clone() };
    let at = place(1, 7, Stage::Ask, 0);
    assert_eq!(recall(&*store, "s", [&none, &reuse], &at, Digest(1)).unwrap(), theirs, "of the first one that has it");
}
