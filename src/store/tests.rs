//! What a store means, as one test over every implementation; then what only the embedded one has: files that break.

use super::journal::Found;
use super::*;
use crate::domain::{Agent, Attempt, Fingerprint, LanguageIndex, Slot, Stage, Tier, TurnIndex, Turns, Usage, Wave};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

fn place(language: u16, index: u32, stage: Stage, round: u16) -> Place {
    let slot = Slot { language: LanguageIndex(language), index };
    Place { slot, turn: TurnIndex(1), attempt: Attempt(0), stage, round }
}

fn entry(place: Place, digest: u128, body: &[u8], tokens: Option<u64>) -> Entry {
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

fn run(id: &str) -> Run {
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

fn fact(text: &str) -> Fact {
    Fact { endpoint: "http://127.0.0.1/v1".into(), text: text.into() }
}

/// What every store must do. `reopened` is the same store as another process would find it.
fn conformance<S: Store>(store: S, reopened: impl Fn(S) -> S) {
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
        unfinished: vec![(Slot { language: LanguageIndex(1), index: 1 }, Fingerprint(u128::MAX))],
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

    let store = reopened(store);
    assert_eq!(store.unfinished().unwrap(), [("b".to_owned(), Fingerprint(u128::MAX))]);
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
}

/// A store that takes its time to keep replies, and keeps none after so many groups.
struct Faulty<S> {
    store: S,
    good: u64,
    pause: Duration,
    appends: AtomicU64,
    /// Replies that are durable.
    durable: Arc<AtomicU64>,
}

impl<S> Faulty<S> {
    fn of(store: S) -> Self {
        Self { store, good: u64::MAX, pause: Duration::ZERO, appends: AtomicU64::new(0), durable: Arc::default() }
    }
}

impl<S: Replies> Replies for Faulty<S> {
    fn append(&self, run: &str, replies: &[Entry]) -> Result<(), StoreError> {
        if self.appends.fetch_add(1, Ordering::SeqCst) >= self.good {
            return Err(StoreError::Pack { cause: "no".into() });
        }
        std::thread::sleep(self.pause);
        self.store.append(run, replies)?;
        self.durable.fetch_add(replies.len() as u64, Ordering::SeqCst);
        Ok(())
    }
    fn recall(&self, run: &str, place: &Place, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.recall(run, place, digest)
    }
    fn discard(&self, run: &str, place: &Place, digest: Digest) -> Result<(), StoreError> {
        self.store.discard(run, place, digest)
    }
    fn replied(&self, run: &str) -> Result<Vec<Slot>, StoreError> {
        self.store.replied(run)
    }
}

fn fresh() -> (TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    (folder, store)
}

#[test]
fn every_store_keeps_what_it_is_given() {
    let (folder, store) = fresh();
    conformance(store, |store| {
        drop(store);
        Sqlite::open(folder.path()).unwrap()
    });
}

#[cfg(unix)]
#[test]
fn a_store_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, store) = fresh();
    store.begin(&run("r")).unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("store"), 0o700);
    for name in ["runs.sqlite", "runs.sqlite-wal", "journal.sqlite", "journal.sqlite-wal"] {
        assert_eq!(mode(&format!("store/{name}")), 0o600, "{name}");
    }
}

#[test]
fn a_store_of_an_earlier_release_learns_too() {
    let (folder, store) = fresh();
    store.begin(&run("b")).unwrap();
    drop(store);
    let runs = rusqlite::Connection::open(folder.path().join("store/runs.sqlite")).unwrap();
    runs.execute_batch("DROP TABLE facts").unwrap();
    let journal = rusqlite::Connection::open(folder.path().join("store/journal.sqlite")).unwrap();
    journal.execute_batch("DROP TABLE tiers").unwrap();
    drop((runs, journal));
    let looked = Sqlite::look(folder.path()).unwrap().unwrap();
    assert_eq!((looked.learned("b").unwrap(), looked.tiers("b").unwrap()), (vec![], vec![]));
    drop(looked);
    let store = Sqlite::open(folder.path()).unwrap();
    store.append("b", &[entry(place(0, 0, Stage::Ask, 0), 1, b"one", Some(1))]).unwrap();
    assert_eq!(store.tiers("b").unwrap().len(), 1);
    store.learn("b", &fact("z")).unwrap();
    assert_eq!(Sqlite::look(folder.path()).unwrap().unwrap().learned("b").unwrap(), [fact("z")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_come_together_become_durable_together() {
    let (folder, store) = fresh();
    let journal = Arc::new(Journal::start(Arc::new(store), "r".into(), None, |error| panic!("{error}")));
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
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).unwrap());
    let found = |language| recall(&*store, "s", Some(&reuse), &place(language, 7, Stage::Ask, 0), Digest(1)).unwrap();
    let theirs = Recalled::Found(Found { reply: b"7".to_vec(), reused: true });
    assert_eq!(found(1), theirs, "the same language, at another position");
    assert_eq!((found(0), found(2)), (Recalled::Nothing, Recalled::Nothing));
}

#[tokio::test]
async fn a_reply_is_durable_when_its_keeper_goes_on() {
    let (_folder, store) = fresh();
    let store = Faulty { pause: Duration::from_millis(20), ..Faulty::of(store) };
    let durable = store.durable.clone();
    let journal = Journal::start(Arc::new(store), "r".into(), None, |error| panic!("{error}"));
    for number in 1..=3 {
        journal.keep(place(0, number as u32, Stage::Ask, 0), Digest(1), vec![], None).await.unwrap();
        assert_eq!(durable.load(Ordering::SeqCst), number);
    }
}

#[tokio::test]
async fn after_its_first_failure_the_journal_keeps_nothing() {
    let (_folder, store) = fresh();
    let told = Arc::new(AtomicU64::new(0));
    let counted = told.clone();
    let store = Faulty { good: 1, ..Faulty::of(store) };
    let journal =
        Journal::start(Arc::new(store), "r".into(), None, move |_| _ = counted.fetch_add(1, Ordering::SeqCst));
    let keep = |index| journal.keep(place(0, index, Stage::Ask, 0), Digest(1), b"reply".to_vec(), None);
    keep(0).await.unwrap();
    assert_eq!(keep(1).await, Err(StoreError::Pack { cause: "no".into() }));
    assert_eq!(keep(2).await, Err(StoreError::Stopped));
    assert_eq!((told.load(Ordering::SeqCst), journal.failure().is_some()), (1, true));
    let kept = journal.recall(&place(0, 0, Stage::Ask, 0), Digest(1), |_| Ok(())).unwrap();
    assert!(kept.is_some(), "what was kept stays");
}

/// A folder whose journal has so many replies of 2 kB that do not repeat themselves.
fn filled(replies: u32) -> TempDir {
    let (folder, store) = fresh();
    store.begin(&run("r")).unwrap();
    let mut packer = packing::Packer::new().unwrap();
    let mut noise = 1u64;
    let entries = (0..replies).map(|index| {
        let body = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 56) as u8
        });
        let body: Vec<u8> = body.take(2_000).collect();
        Entry { paid: None, ..entry(place(0, index, Stage::Ask, 0), 1, &packer.pack(&body).unwrap(), None) }
    });
    store.append("r", &entries.collect::<Vec<_>>()).unwrap();
    folder
}

fn kept(folder: &Path, replies: u32) -> usize {
    let store = Sqlite::open(folder).unwrap();
    assert_eq!(store.runs().unwrap().len(), 1, "no run is lost");
    let found = |index: &u32| store.recall("r", &place(0, *index, Stage::Ask, 0), Digest(1)).unwrap();
    (0..replies).filter(|index| found(index).is_some_and(|packed| packing::unpacked(&packed).is_ok())).count()
}

#[test]
fn a_journal_cut_anywhere_keeps_what_can_be_read() {
    const REPLIES: u32 = 60;
    let whole = filled(REPLIES);
    assert_eq!(kept(whole.path(), REPLIES), 60);
    let length = fs::metadata(whole.path().join("store/journal.sqlite")).unwrap().len();
    let mut counts = Vec::new();
    for share in 0..12 {
        let folder = filled(REPLIES);
        let path = folder.path().join("store/journal.sqlite");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(length * share / 12 + share * 37).unwrap();
        counts.push(kept(folder.path(), REPLIES));
        assert_eq!(kept(folder.path(), REPLIES), counts[counts.len() - 1], "it is mended once and for all");
    }
    assert!(counts.is_sorted() && counts[0] == 0 && counts[11] > 40, "{counts:?}");
}

/// Any bit of the file may flip: the replies that can't be read are asked for again, and no others.
#[tokio::test]
async fn a_flipped_bit_costs_the_replies_it_is_in_and_no_run() {
    const REPLIES: u32 = 60;
    let path = |folder: &TempDir| folder.path().join("store/journal.sqlite");
    let whole = filled(REPLIES);
    let bytes = fs::read(path(&whole)).unwrap();
    let (mut rebuilt, mut places, mut gone) = (0, 0, 0);
    for at in (100..bytes.len()).step_by(bytes.len() / 97) {
        let folder = filled(REPLIES);
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(path(&folder), bytes).unwrap();
        let Ok(store) = Sqlite::open(folder.path()) else { panic!("byte {at}") };
        let journal = Journal::start(Arc::new(store), "r".into(), None, |error| panic!("{error}"));
        let mut lost = Vec::new();
        for index in 0..REPLIES {
            let at = place(0, index, Stage::Ask, 0);
            if journal.recall(&at, Digest(1), |reply| Ok(reply.len())).unwrap().is_none() {
                lost.push(at);
            }
        }
        (places, gone) = (places + 1, gone + lost.len());
        for at in lost {
            journal.keep(at, Digest(1), b"asked again".to_vec(), None).await.unwrap();
            let (reply, _) = journal.recall(&at, Digest(1), |reply| Ok(reply.to_vec())).unwrap().unwrap();
            assert_eq!(reply, b"asked again");
        }
        drop(journal);
        rebuilt += u32::from(fs::exists(path(&folder).with_extension("damaged-1.sqlite")).unwrap());
    }
    assert!(rebuilt > 0, "some hit what SQLite itself needs");
    assert!(gone < 4 * places, "{gone} replies are lost at {places} places");
}

#[test]
fn a_state_of_runs_that_is_cut_is_an_error_that_names_it() {
    let folder = filled(1);
    let path = folder.path().join("store/runs.sqlite");
    let whole = fs::read(&path).unwrap();
    for gone in [1, 512, 4096, 3 * 4096, whole.len() - 100] {
        fs::write(&path, &whole[..whole.len() - gone]).unwrap();
        for opened in [Sqlite::open(folder.path()).map(Some), Sqlite::look(folder.path())] {
            let error = opened.err().map(|error| error.to_string()).unwrap_or_default();
            let says = ["bytes", "malformed", "not a database"].iter().any(|words| error.contains(words));
            assert!(error.contains("runs.sqlite") && says, "{gone}: {error}");
        }
    }
}

#[test]
fn a_rebuilt_journal_takes_its_place_though_the_process_died_before() {
    let (folder, other) = (filled(20), filled(7));
    let path = folder.path().join("store/journal.sqlite");
    fs::rename(other.path().join("store/journal.sqlite"), path.with_extension("rescued.sqlite")).unwrap();
    fs::write(path.with_extension("sqlite-wal"), "left over").unwrap();
    assert_eq!(kept(folder.path(), 20), 7);
    let mut names: Vec<_> =
        fs::read_dir(folder.path().join("store")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["journal.damaged-1.sqlite", "journal.damaged-1.sqlite-wal", "journal.sqlite", "runs.sqlite"]);
}

#[test]
fn a_file_that_is_none_or_too_new_is_named() {
    let (folder, store) = fresh();
    drop(store);
    let runs = folder.path().join("store/runs.sqlite");
    let whole = fs::read(&runs).unwrap();
    for (content, expected) in
        [(b"not a database, but a text".repeat(99), "not a database"), (whole[..5_000].to_vec(), "malformed")]
    {
        fs::write(&runs, content).unwrap();
        let error = Sqlite::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains(&runs.display().to_string()) && error.contains(expected), "{error}");
    }
    fs::write(&runs, whole).unwrap();
    rusqlite::Connection::open(&runs).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Sqlite::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("format 99") && error.contains("runs.sqlite"), "{error}");
    assert!(Sqlite::look(Path::new("/nowhere")).unwrap().is_none());
}
