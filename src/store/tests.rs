//! What only the embedded store has: files that break. What every store means is in `conformance`.

mod conformance;

use super::*;
use crate::domain::Stage;
use conformance::{become_durable_together, entry, fact, keeps_what_it_is_given, place, run};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

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
    let folder = tempfile::tempdir().unwrap();
    keeps_what_it_is_given(&|| Arc::new(Sqlite::open(folder.path()).unwrap()));
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
    let folder = tempfile::tempdir().unwrap();
    become_durable_together(&|| Arc::new(Sqlite::open(folder.path()).unwrap())).await;
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
