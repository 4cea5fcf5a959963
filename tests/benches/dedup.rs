//! How fast questions are ruled on, and what it costs to hold those that are settled.
//!
//! `cargo bench --bench dedup -- [HELD PROCESSES WORKERS NEW]`, by default 0, 1 and 10 million held questions on one worker, on two,
//! and on two that are connected as processes of a run are, and half a million new ones on each, every time in a process of its
//! own. Where there are several workers, lone claims are those that another worker rules on. Linux only: memory is read from `/proc`.

use dlgforge::cluster::Mesh;
use dlgforge::domain::{Attempt, Fingerprint, LanguageIndex, Rank, TurnIndex, Wave};
use dlgforge::operators::dedup::{Claim, Claimant, dedup};
use std::cell::Cell;
use std::net::TcpListener;
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Exchange, Input, Inspect, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::worker::Worker;
use xxhash_rust::xxh3::xxh3_128;

/// Claims of a worker at a tick, while there are many.
const OUTSTANDING: u64 = 512;
/// Ticks of one claim each, after those of many.
const LONE: u64 = 5000;
/// Ticks whose claims may still change.
const LOOKAHEAD: u64 = 16;

/// Memory of this process, in bytes.
fn resident() -> u64 {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    PAGE * statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number of pages")
}

/// The fingerprint of the question with this number: spread evenly, as those of texts are.
fn fingerprint(question: u64) -> Fingerprint {
    Fingerprint(xxh3_128(&question.to_le_bytes()))
}

fn rank(tick: u64, index: u64) -> Rank {
    let wave = Wave(tick as u32);
    Rank { language: LanguageIndex(0), wave, turn: TurnIndex(1), attempt: Attempt(0), index: index as u32 }
}

/// The ends of the dataflow on one worker.
struct Ends {
    index: u64,
    peers: u64,
    claims: InputHandleVec<u64, Claim>,
    watermarks: InputHandleVec<u64, Rank>,
    /// Tells the workers to move on to a tick.
    nudges: InputHandleVec<u64, u64>,
    nudged: Rc<Cell<u64>>,
    ruled: ProbeHandle<u64>,
}

impl Ends {
    fn new(worker: &mut Worker, earlier: Arc<[Fingerprint]>) -> Self {
        let (index, peers) = (worker.index() as u64, worker.peers() as u64);
        let nudged = Rc::new(Cell::new(0));
        let reached = nudged.clone();
        worker.dataflow(|scope| {
            let (claims, claimed) = scope.new_input();
            let (watermarks, marked) = scope.new_input();
            let (nudges, told) = scope.new_input::<Vec<u64>>();
            told.broadcast().inspect(move |tick| reached.set(reached.get().max(*tick)));
            let verdicts = dedup(claimed, marked, earlier);
            let (ruled, _) = verdicts.exchange(|((_, (claimant, _)), _, _)| claimant.home).probe();
            Self { index, peers, claims, watermarks, nudges, nudged, ruled }
        })
    }

    /// Makes so many claims at the present tick and moves on to the next.
    fn claim(&mut self, count: u64) {
        let tick = *self.claims.time();
        for number in 0..count {
            let index = number * self.peers + self.index;
            let question = (tick * OUTSTANDING) * self.peers + index;
            let claimant = Claimant { rank: rank(tick, index), home: self.index };
            self.claims.send(((fingerprint(question), claimant), tick, 1));
        }
        self.reach(tick + 1);
    }

    fn reach(&mut self, tick: u64) {
        self.claims.advance_to(tick);
        self.claims.flush();
        self.watermarks.send(rank(tick.saturating_sub(LOOKAHEAD), 0));
        self.watermarks.flush();
    }

    /// Works until every claim before the present tick is ruled on.
    fn wait(&self, worker: &mut Worker) {
        while self.ruled.less_than(self.claims.time()) {
            worker.step_or_park(None);
        }
    }

    /// Claims one question at a time; how long each took, in order.
    fn ask_alone(&mut self, worker: &mut Worker) -> Vec<Duration> {
        let mut took = Vec::new();
        for _ in 0..LONE {
            let (asked, tick) = (Instant::now(), *self.claims.time());
            self.claim(1);
            self.nudges.send(*self.claims.time());
            self.nudges.flush();
            self.wait(worker);
            let question = fingerprint(tick * OUTSTANDING * self.peers);
            if self.peers == 1 || question.home() % self.peers != self.index {
                took.push(asked.elapsed());
            }
        }
        self.nudges.send(u64::MAX);
        self.nudges.flush();
        took.sort_unstable();
        took
    }

    /// Moves on when told to, as an idle worker does.
    fn follow(&mut self, worker: &mut Worker) {
        while self.nudged.get() < u64::MAX {
            if self.nudged.get() > *self.claims.time() {
                self.reach(self.nudged.get());
            }
            worker.step_or_park(None);
        }
    }
}

/// Runs `work` on so many workers of each of so many processes: all of them are this one, connected as those of a run are.
fn execute(processes: usize, workers: usize, work: impl Fn(&mut Worker) + Send + Sync + 'static) {
    let work = Arc::new(work);
    let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().expect("an address")).collect();
    std::thread::scope(|scope| {
        for (process, listener) in listeners.iter().enumerate() {
            let (work, addresses) = (work.clone(), &addresses);
            scope.spawn(move || {
                let mesh = Mesh::connect(process, listener, addresses, 1).expect("it connects");
                let guards = mesh.execute(workers, move |worker| work(worker)).expect("workers start");
                guards.join().into_iter().for_each(|worker| worker.expect("a worker ends well"));
            });
        }
    });
}

fn measure(held: u64, processes: usize, workers: usize, new: u64) {
    let before = resident();
    let mut earlier: Vec<Fingerprint> = (0..held).map(|question| fingerprint(u64::MAX - question)).collect();
    let started = Instant::now();
    // As the ledger is read.
    earlier.sort_unstable();
    earlier.dedup();
    let earlier: Arc<[Fingerprint]> = earlier.into();
    let (loading, loaded) = (started.elapsed(), resident());
    let (told, figures) = mpsc::channel();
    execute(processes, workers, move |worker| {
        let mut ends = Ends::new(worker, earlier.clone());
        let started = Instant::now();
        for _ in 0..new / OUTSTANDING {
            ends.claim(OUTSTANDING);
            ends.wait(worker);
        }
        let (many, grown) = (started.elapsed(), resident());
        if ends.index == 0 {
            told.send((many, grown, ends.ask_alone(worker))).expect("the benchmark listens");
        } else {
            ends.follow(worker);
        }
    });
    let (many, grown, alone) = figures.recv().expect("the first worker's figures");
    let claims = new as f64;
    let at = |share: f64| alone[(alone.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{held:>9} {processes:>9} {workers:>8} | {:>7.2} {:>9.1} | {:>9.0} {:>9.1} | {:>6.3} {:>6.3}",
        loading.as_secs_f64(),
        (loaded - before) as f64 / held.max(1) as f64,
        claims / many.as_secs_f64(),
        (grown - loaded) as f64 / (claims * (processes * workers) as f64),
        at(0.5),
        at(0.99),
    );
}

fn main() {
    let given: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if let [held, processes, workers, new] = given[..] {
        return measure(held, processes as usize, workers as usize, new);
    }
    println!("     held processes  workers | load, s  bytes of | claims/s,  bytes of | lone, ms");
    println!("questions            of each |        a held one | a worker a new one  | p50    p99");
    let itself = std::env::current_exe().expect("the benchmark's path");
    let shapes = [(1, 1), (1, 2), (2, 1)];
    let all = [0, 1_000_000, 10_000_000]
        .into_iter()
        .flat_map(|held| shapes.map(|(processes, workers)| [held, processes, workers]));
    for [held, processes, workers] in all {
        let given = [held, processes, workers, 512_000].map(|number: u64| number.to_string());
        let ended = Command::new(&itself).args(given).status();
        assert!(ended.expect("it runs").success());
    }
}
