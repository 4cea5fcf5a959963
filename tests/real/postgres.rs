//! The store of a server, against one: what every store must do, and what only this one can do wrong.

#[path = "../../src/store/tests/conformance.rs"]
#[expect(clippy::unwrap_used, reason = "tests")]
mod conformance;
#[path = "postgres/cut.rs"]
mod cut;
#[path = "postgres/runs.rs"]
mod runs;
#[path = "postgres/server.rs"]
mod server;

use conformance::{become_durable_together, entry, keeps_what_it_is_given, place, run};
use cut::Cutter;
use dlgforge::domain::{Digest, Stage};
use dlgforge::store::{Backend, Entry, Sqlite, Store, StoreError, find, look, open};
use server::{PASSWORD, Server, opened, options};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn error(opened: Result<Arc<dyn Store>, StoreError>) -> String {
    let error = opened.err().expect("it is refused").to_string();
    assert!(!error.contains(PASSWORD), "{error}");
    error
}

fn replies(from: u32, count: u32) -> Vec<Entry> {
    let reply = |index| entry(place(0, index, Stage::Ask, 0), 1, b"reply", Some(1));
    (from..from + count).map(reply).collect()
}

#[test]
fn it_keeps_what_it_is_given() {
    let server = Server::start();
    let folder = folder();
    keeps_what_it_is_given(&|| opened(folder.path(), &server.dsn()).expect("a store"));
    let looked = find(folder.path(), Some(&server.dsn())).expect("a look").expect("a store");
    assert_eq!(looked.runs().expect("runs").len(), 2);
    assert!(looked.begin(&run("c")).is_err_and(|error| error.to_string().contains("to be looked at")));
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_come_together_become_durable_together() {
    let server = Server::start();
    let folder = folder();
    become_durable_together(&|| opened(folder.path(), &server.dsn()).expect("a store")).await;
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_done_twice() {
    const GROUPS: u32 = 40;
    let server = Server::start();
    let (folder, cutter) = (folder(), Cutter::to(server.port(), true));
    let store = opened(folder.path(), &server.dsn_through(cutter.port())).expect("a store");
    store.begin(&run("r")).expect("a run");
    assert_eq!(store.begin(&run("r")), Err(StoreError::RunExists("r".into())));
    for group in 0..GROUPS {
        store.append("r", &replies(group * 3, 3)).expect("it is kept");
    }
    assert!(cutter.cut() >= u64::from(GROUPS) / 2, "{} commits were cut", cutter.cut());
    let spent = store.spent("r").expect("what it cost");
    assert_eq!(spent.iter().map(|spent| spent.cost.calls).sum::<u64>(), u64::from(GROUPS) * 3);
    let charges = store.charges("r").expect("what it cost");
    assert_eq!(charges.iter().map(|charge| charge.cost.calls).sum::<u64>(), u64::from(GROUPS) * 3);
}

#[test]
fn a_server_that_dies_loses_nothing_and_counts_nothing_twice() {
    const WRITERS: u32 = 4;
    let server = Server::start();
    let folder = folder();
    let store = opened(folder.path(), &server.dsn()).expect("a store");
    store.begin(&run("r")).expect("a run");
    let (kept, over) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, kept, over) = (&store, &kept, &over);
            scope.spawn(move || {
                for group in 0.. {
                    let replies = replies(writer * 1_000_000 + group * 5, 5);
                    store.append("r", &replies).expect("it is kept");
                    kept.fetch_add(5, Ordering::SeqCst);
                    assert!(store.recall("r", &replies[4].place, Digest(1)).expect("a look").is_some());
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
        }
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(300));
            let before = kept.load(Ordering::SeqCst);
            server.kill();
            std::thread::sleep(Duration::from_millis(500));
            server.restart();
            let started = Instant::now();
            while kept.load(Ordering::SeqCst) < before + 100 {
                assert!(started.elapsed() < Duration::from_secs(30), "they go on");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        over.store(true, Ordering::SeqCst);
    });
    let kept = u64::from(kept.load(Ordering::SeqCst));
    let spent: u64 = store.spent("r").expect("what it cost").iter().map(|spent| spent.cost.calls).sum();
    assert_eq!(spent, kept);
    assert_eq!(server.sql("SELECT count(*) FROM dlgforge.replies"), kept.to_string());
}

#[test]
fn folders_of_one_database_are_apart_and_each_has_one_writer() {
    let server = Server::shared();
    let (first, second) = (folder(), folder());
    let dsn = server.dsn();
    let store = opened(first.path(), &dsn).expect("a store");
    store.begin(&run("r")).expect("a run");
    let other = opened(second.path(), &dsn).expect("a store");
    other.begin(&run("r")).expect("a run of that name in another folder");
    store.append("r", &replies(0, 1)).expect("it is kept");
    assert_eq!(other.recall("r", &replies(0, 1)[0].place, Digest(1)), Ok(None));
    let claimed = error(opened(first.path(), &dsn));
    assert!(claimed.contains("another run is writing it") && claimed.contains("/runs: "), "{claimed}");
    drop(store);
    opened(first.path(), &dsn).expect("it is free again");
}

#[test]
fn whoever_was_cut_off_while_another_one_claimed_the_folder_writes_nothing() {
    let server = Server::shared();
    let (folder, cutter) = (folder(), Cutter::to(server.port(), false));
    let store = opened(folder.path(), &server.dsn_through(cutter.port())).expect("a store");
    store.begin(&run("r")).expect("a run");
    cutter.close();
    let heir = opened(folder.path(), &server.dsn()).expect("it is free");
    cutter.open();
    let refused = store.append("r", &replies(0, 1)).expect_err("it has lost the claim").to_string();
    assert!(refused.contains("another process has claimed the output folder"), "{refused}");
    heir.append("r", &replies(0, 2)).expect("it is kept");
    assert!(store.begin(&run("s")).is_err());
    let spent = heir.spent("r").expect("what it cost");
    assert_eq!((spent[0].cost.calls, heir.runs().expect("runs").len()), (2, 1));
}

#[test]
fn what_does_not_fit_a_folder_is_refused_with_what_to_do() {
    let server = Server::shared();
    let (there, here) = (folder(), folder());
    let dsn = server.dsn();
    drop(opened(there.path(), &dsn).expect("a store"));
    drop(Sqlite::open(here.path()).expect("a store"));
    let told = error(opened(here.path(), &dsn));
    assert!(told.contains("it is kept in SQLite") && told.contains("`store.backend: sqlite`"), "{told}");
    let told = error(open(there.path(), &Backend::Sqlite));
    assert!(told.contains("it is kept in PostgreSQL") && told.contains("`store.backend: postgres`"), "{told}");
    assert_eq!(look(there.path(), &Backend::Sqlite).err().map(|error| error.to_string()), Some(told));
    let told = find(there.path(), None).err().expect("no server is named").to_string();
    let at = format!("127.0.0.1:{}/runs", server.port());
    assert!(told.contains(&at) && told.contains("DLGFORGE_POSTGRES_DSN is not set; set it to "), "{told}");
    let marker = fs::read_to_string(there.path().join("store/postgres.json")).expect("a file");
    assert!(marker.contains(&at) && !marker.contains(PASSWORD) && !marker.contains("dialog"), "{marker}");
    // The folder's state was made in a database that is not this one.
    fs::write(there.path().join("store/postgres.json"), r#"{"folder": "gone", "server": "elsewhere:1/d"}"#)
        .expect("a file");
    let told = error(opened(there.path(), &dsn));
    assert!(told.contains("none of the id in ") && told.contains("elsewhere:1/d"), "{told}");
    assert_eq!(find(there.path(), Some(&dsn)).err().map(|error| error.to_string()), Some(told));
}

#[test]
fn what_keeps_a_server_from_being_used_is_told_without_the_password() {
    let server = Server::shared();
    let at = |dsn: &str| error(opened(folder().path(), dsn));
    let wrong = at(&server.dsn().replace(PASSWORD, "wr0ng-word"));
    assert!(wrong.contains("password authentication failed") && wrong.contains("check user and password"), "{wrong}");
    let missing = at(&server.dsn().replace("/runs", "/nothing"));
    assert!(missing.contains("create the database") && missing.contains("(3D000)"), "{missing}");
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    let latin = at(&server.dsn().replace("/runs", "/latin"));
    assert!(latin.contains("encoding LATIN1"), "{latin}");
    let nobody = at(&server.dsn_through(crate::parts::free_port()));
    assert!(nobody.contains("Connection refused"), "{nobody}");
}

#[test]
fn a_schema_of_a_newer_release_is_left_alone() {
    let server = Server::start();
    let folder = folder();
    drop(opened(folder.path(), &server.dsn()).expect("a store"));
    server.sql("INSERT INTO dlgforge.migrations (step) VALUES (99)");
    let newer = error(opened(folder.path(), &server.dsn()));
    assert!(newer.contains("schema dlgforge") && newer.contains("format 99"), "{newer}");
    assert_eq!(find(folder.path(), Some(&server.dsn())).err().map(|error| error.to_string()), Some(newer));
}

#[test]
fn certificates_are_checked_where_that_is_asked_for() {
    let (server, alone) = (Server::shared(), Server::start());
    let root = server.certificate().display().to_string();
    let with = |host: &str, options: &str| {
        let dsn = server.dsn().replace("127.0.0.1", host);
        opened(folder().path(), &format!("{dsn}?{options}")).map(drop).map_err(|error| error.to_string())
    };
    for options in
        ["sslmode=disable", "sslmode=prefer", "sslmode=require", &format!("sslmode=verify-ca&sslrootcert={root}")]
    {
        assert_eq!(with("127.0.0.1", options), Ok(()), "{options}");
    }
    assert_eq!(with("localhost", &format!("sslmode=verify-full&sslrootcert={root}")), Ok(()));
    let named = with("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={root}")).expect_err("another name");
    assert!(named.contains("not valid for name"), "{named}");
    for mode in ["verify-ca", "verify-full"] {
        let signed = with("localhost", &format!("sslmode={mode}")).expect_err("nobody has signed it");
        assert!(signed.contains("invalid peer certificate"), "{signed}");
    }
    let missing = with("localhost", "sslmode=verify-full&sslrootcert=/nowhere.pem").expect_err("no such file");
    assert!(missing.contains("/nowhere.pem"), "{missing}");
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE ssl AND application_name = 'dlgforge'";
    let folder = folder();
    for (options, count) in [("sslmode=disable", "0"), ("sslmode=require", "1")] {
        let store = opened(folder.path(), &format!("{}?{options}", alone.dsn()));
        assert_eq!((alone.sql(encrypted).as_str(), store.is_ok()), (count, true), "{options}");
    }
}

#[test]
fn there_are_as_many_connections_as_the_settings_say_and_statements_end_in_time() {
    let server = Server::start();
    let folder = folder();
    let mut options = options(&server.dsn());
    (options.least, options.most, options.statement_timeout) = (2, 3, Some(Duration::from_millis(400)));
    let store = open(folder.path(), &Backend::Postgres(Box::new(options))).expect("a store");
    let count = || server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dlgforge'");
    assert_eq!(count(), "2", "those that stay open");
    store.begin(&run("r")).expect("a run");
    let mut holding = server.holding("BEGIN; LOCK TABLE dlgforge.runs; SELECT pg_sleep(1.5)");
    while server.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'") != "1" {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..9).map(|_| scope.spawn(|| store.runs())).collect();
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(count(), "3", "no more than may be");
        let refused = store.set_state("r", dlgforge::store::State::Failed, "t").map_err(|error| error.to_string());
        let told = readers.into_iter().filter_map(|reader| reader.join().expect("a reader").err());
        let told: Vec<_> = told.map(|error| error.to_string()).chain(refused.err()).collect();
        assert!(told.iter().any(|error| error.contains("store.postgres.statement_timeout_ms")), "{told:?}");
    });
    holding.wait().expect("it ends");
    assert_eq!(store.runs().expect("runs").len(), 1);
}

/// Replies that are kept one after the other, and by many at a time: the time of each, and how many a second.
#[test]
fn how_long_it_takes_to_keep_replies() {
    let server = Server::shared();
    let measure = |store: &Arc<dyn Store>, name: &str| {
        for size in [1, 64, 1024] {
            let (started, mut groups) = (Instant::now(), 0);
            while started.elapsed() < Duration::from_secs(1) {
                let replies: Vec<_> = replies(0, size)
                    .into_iter()
                    .map(|reply| Entry { digest: Digest(groups + 1), body: vec![7; 1500], ..reply })
                    .collect();
                store.append(&format!("r{size}"), &replies).expect("it is kept");
                groups += 1;
            }
            let took = started.elapsed().as_secs_f64();
            println!(
                "{name}: groups of {size}: {:.2} ms a group, {:.0} replies/s",
                1e3 * took / groups as f64,
                groups as f64 * f64::from(size) / took
            );
        }
    };
    let (files, rows) = (folder(), folder());
    measure(&opened(rows.path(), &server.dsn()).expect("a store"), "postgres");
    let sqlite: Arc<dyn Store> = Arc::new(Sqlite::open(files.path()).expect("a store"));
    measure(&sqlite, "sqlite");
    assert!(fs::exists(Path::new(rows.path()).join("store/postgres.json")).expect("a look"));
}
