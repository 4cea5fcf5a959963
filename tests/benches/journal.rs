//! What durability costs: replies kept a second and how long each waits for it, with 1, 64 and 1,024 in flight; a plain
//! append and sync of the same bytes to a file in the same folder beside it.
//!
//! `cargo bench --bench journal -- [REPLIES [FOLDER]]`, by default 20,000 replies for each, in the system's folder for
//! temporary files. Replies are 4 kB of words, as models write them. Where `DLGFORGE_POSTGRES_DSN` has the connection string of a
//! server, it keeps them as well, in turns with SQLite.

use dlgforge::domain::{Attempt, Digest, LanguageIndex, Place, Slot, Stage, TurnIndex};
use dlgforge::store::postgres::{Dsn, Options};
use dlgforge::store::{Backend, DSN_VARIABLE, Journal, open};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// A reply of 4 kB: its text twice, as in an endpoint's response and what was read of it.
fn reply(number: u32) -> Vec<u8> {
    let words = ["water", "rivers", "cycle", "rain", "springs", "delta", "estuary", "sediment", "glacier", "basin"];
    let mut draw = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let text: String = std::iter::repeat_with(|| {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        format!("{}{} ", words[(draw % 10) as usize], draw % 97)
    })
    .take(220)
    .collect();
    format!("{{\"text\": \"{text}\", \"raw\": {{\"content\": \"{text}\"}}}}").into_bytes()
}

fn place(index: u32) -> Place {
    let slot = Slot { language: LanguageIndex(0), index };
    Place { slot, turn: TurnIndex(1), attempt: Attempt(0), stage: Stage::Ask, round: 0 }
}

async fn keep(journal: Arc<Journal>, in_flight: u32, replies: u32) {
    let next = Arc::new(AtomicU32::new(0));
    let keepers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (journal, next) = (journal.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= replies {
                        return;
                    }
                    journal.keep(place(number), Digest(1), reply(number), None).await.expect("it is kept");
                }
            })
        })
        .collect();
    for keeper in keepers {
        keeper.await.expect("no panic");
    }
}

/// Appends and syncs a second, one after the other.
fn plain(folder: &Path, replies: u32) -> f64 {
    let mut file = std::fs::File::create(folder.join("plain")).expect("a file");
    let began = Instant::now();
    for number in 0..replies {
        file.write_all(&reply(number)).and_then(|()| file.sync_data()).expect("a sync");
    }
    f64::from(replies) / began.elapsed().as_secs_f64()
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let replies: u32 = given.first().and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let above = given.get(1).map_or_else(std::env::temp_dir, Into::into);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let server = std::env::var(DSN_VARIABLE).ok().map(|dsn| Options {
        dsn: Dsn::parse(&dsn).expect("a connection string"),
        least: 1,
        most: 8,
        statement_timeout: None,
    });
    let backends = || [Some(Backend::Sqlite), server.clone().map(|server| Backend::Postgres(Box::new(server)))];
    println!(
        "   store in flight   replies/s   groups   durable after, ms: median    99 %   bytes each (of {})",
        reply(0).len()
    );
    for (in_flight, backend) in [1, 64, 1024].into_iter().flat_map(|in_flight| backends().map(|one| (in_flight, one))) {
        let Some(backend) = backend else { continue };
        let folder = tempfile::tempdir_in(&above).expect("a folder");
        let replies = if in_flight == 1 { replies / 10 } else { replies };
        let store = open(folder.path(), &backend).expect("a store");
        let journal = Arc::new(Journal::start(store, "r".into(), None, |error| panic!("{error}")));
        let began = Instant::now();
        runtime.block_on(keep(journal.clone(), in_flight, replies));
        let rate = f64::from(replies) / began.elapsed().as_secs_f64();
        let delays = journal.end();
        drop(journal);
        let [median, most] = [0.5, 0.99].map(|share| delays.quantile(share).as_secs_f64() * 1e3);
        let bytes = std::fs::metadata(folder.path().join("store/journal.sqlite"))
            .map_or_else(|_| "-".to_owned(), |file| (file.len() / u64::from(replies)).to_string());
        let name = if matches!(backend, Backend::Sqlite) { "sqlite" } else { "postgres" };
        println!("{name:>8} {in_flight:>9} {rate:>11.0} {:>8} {median:>29.2} {most:>7.2} {bytes:>12}", delays.groups);
    }
    let folder = tempfile::tempdir_in(&above).expect("a folder");
    println!("a plain append and sync, one after the other: {:.0}/s", plain(folder.path(), replies / 10));
}
