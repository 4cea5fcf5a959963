//! How fast questions are ruled on, and what it costs to hold those that are settled.
//!
//! `cargo bench --bench dedup -- [HELD PROCESSES WORKERS NEW METHOD]`, by default 0, 1 and 10 million held questions on one worker, on
//! two, and on two that are connected as processes of a run are, and half a million new ones on each, every time in a process of its
//! own; METHOD is 0 for questions that are the same, 1 for near-duplicates by MinHash too, 2 for such questions of which most
//! collide: 3,000 in all, of which three at a time are the same in other words, and 3 for near-duplicates by vectors of 384 numbers. Where there are several workers, lone claims are those
//! that another worker rules on; near-duplicates need `QUESTIONS=FILE`, with a question on each line. Linux only: memory is read from `/proc`.

use dlgforge::cluster::Mesh;
use dlgforge::domain::{
    Attempt, Cosine, Fingerprint, LanguageIndex, Measure, MinHash, Normalisation, Rank, SettledQuestions, Sketch,
    TurnIndex, Vector, Wave,
};
use dlgforge::operators::dedup::{Claim, Claimant, Near, dedup};
use std::cell::Cell;
use std::net::TcpListener;
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::{Duration, Instant};
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Exchange, Input, Inspect, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::worker::Worker;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

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

/// The questions of the file that `QUESTIONS` names, one a line.
static QUESTIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let path = std::env::var("QUESTIONS").expect("QUESTIONS=FILE, with a question on each line");
    std::fs::read_to_string(path).expect("a file of UTF-8").lines().map(str::to_owned).collect()
});

/// The words of the question with this number: one of the file, in which every third word is one of another, at its place.
fn text(question: u64) -> String {
    let drawn = xxh3_128(&question.to_le_bytes());
    let [one, other] = [drawn as u64, (drawn >> 64) as u64].map(|at| &QUESTIONS[at as usize % QUESTIONS.len()]);
    let other: Vec<&str> = other.split(' ').collect();
    let word = |(at, word)| if at % 3 == 2 { other.get(at).copied().unwrap_or(word) } else { word };
    one.split(' ').enumerate().map(word).collect::<Vec<_>>().join(" ")
}

/// When questions are near-duplicates.
fn measure_of(method: u64) -> Measure {
    if method == 3 { Measure::Cosine(Cosine::new(0.9)) } else { Measure::MinHash(MinHash::new(0.8)) }
}

/// A vector of a question: the sum of one for each word and of one that all have, so that two are alike by a half as those of models are.
fn vector(text: &str) -> Vector {
    let words = text.split(' ').map(|word| (xxh3_64(word.as_bytes()), 1.0));
    let common = (text.split(' ').count() as f32).sqrt();
    let mut sum = [0f32; 384];
    for (mut state, weight) in words.chain([(7, common)]) {
        for value in &mut sum {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *value += weight * ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5);
        }
    }
    Vector::of(&sum)
}

/// What near-duplicates of a question are found by; of a crowd, of which most collide.
fn sketch(measure: Measure, question: u64, is_crowd: bool) -> Arc<Sketch> {
    let minhash = match measure {
        Measure::Cosine(_) => {
            let text = text(question);
            return Sketch::of_vector(&text, vector(&text)).into();
        }
        Measure::MinHash(minhash) => minhash,
    };
    if !is_crowd {
        return minhash.sketch(&text(question)).into();
    }
    let question = xxh3_128(&question.to_le_bytes()) as u64 % 3000;
    let ways = ["Please, {}", "{} Please.", "{}"];
    let words = format!("{} {}", text(question / 3), text(question / 3 + 5000));
    minhash.sketch(&ways[(question % 3) as usize].replace("{}", &words)).into()
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
    measure: Option<Measure>,
    is_crowd: bool,
}

impl Ends {
    fn new(worker: &mut Worker, earlier: Arc<[Fingerprint]>, near: Option<Near>, is_crowd: bool) -> Self {
        let (index, peers) = (worker.index() as u64, worker.peers() as u64);
        let nudged = Rc::new(Cell::new(0));
        let reached = nudged.clone();
        worker.dataflow(|scope| {
            let (claims, claimed) = scope.new_input();
            let (watermarks, marked) = scope.new_input();
            let (nudges, told) = scope.new_input::<Vec<u64>>();
            told.broadcast().inspect(move |tick| reached.set(reached.get().max(*tick)));
            let measure = near.as_ref().map(|near| near.measure);
            let verdicts = dedup(claimed, marked, earlier, near);
            let (ruled, _) = verdicts.exchange(|((_, (claimant, _)), _, _)| claimant.home).probe();
            Self { index, peers, claims, watermarks, nudges, nudged, ruled, measure, is_crowd }
        })
    }

    /// Makes so many claims at the present tick and moves on to the next.
    fn claim(&mut self, count: u64) {
        let tick = *self.claims.time();
        for number in 0..count {
            let index = number * self.peers + self.index;
            let question = (tick * OUTSTANDING) * self.peers + index;
            let claimant = Claimant { rank: rank(tick, index), home: self.index };
            let sketch = self.measure.map(|measure| sketch(measure, question, self.is_crowd));
            let fingerprint = match &sketch {
                Some(sketch) => Fingerprint::of(&sketch.text, Normalisation::Full),
                None => fingerprint(question),
            };
            self.claims.send(((fingerprint, claimant, sketch), tick, 1));
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

/// The held questions, in shares for the workers: each has the share of its own.
fn near(held: u64, shares: usize, measure: Measure) -> Near {
    let mut before: Vec<_> = (0..shares).map(|_| SettledQuestions::new(measure)).collect();
    std::thread::scope(|scope| {
        for (first, share) in before.iter_mut().enumerate() {
            scope.spawn(move || {
                for question in (first as u64..held).step_by(shares) {
                    share.insert(Rank::default(), &sketch(measure, u64::MAX - question, false));
                }
            });
        }
    });
    Near::new(measure, before)
}

fn measure(held: u64, processes: usize, workers: usize, new: u64, method: u64) {
    if method > 0 {
        LazyLock::force(&QUESTIONS);
    }
    let before = resident();
    let exact = if method == 0 { held } else { 0 };
    let mut earlier: Vec<Fingerprint> = (0..exact).map(|question| fingerprint(u64::MAX - question)).collect();
    let started = Instant::now();
    let near = (method > 0).then(|| near(held, processes * workers, measure_of(method)));
    // As the ledger is read.
    earlier.sort_unstable();
    earlier.dedup();
    let earlier: Arc<[Fingerprint]> = earlier.into();
    let (loading, loaded) = (started.elapsed(), resident());
    let (told, figures) = mpsc::channel();
    execute(processes, workers, move |worker| {
        let mut ends = Ends::new(worker, earlier.clone(), near.clone(), method == 2);
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
        "{method:>6} {held:>9} {processes:>9} {workers:>8} | {:>7.2} {:>9.1} | {:>9.0} {:>9.1} | {:>6.3} {:>6.3}",
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
    if let [held, processes, workers, new, method] = given[..] {
        return measure(held, processes as usize, workers as usize, new, method);
    }
    println!("method      held processes  workers | load, s  bytes of | claims/s,  bytes of | lone, ms");
    println!("       questions            of each |        a held one | a worker a new one  | p50    p99");
    let itself = std::env::current_exe().expect("the benchmark's path");
    let shapes = [(1, 1), (1, 2), (2, 1)];
    let held = [
        (0, 0),
        (0, 1_000_000),
        (0, 10_000_000),
        (1, 0),
        (1, 1_000_000),
        (1, 10_000_000),
        (2, 0),
        (3, 0),
        (3, 1_000_000),
        (3, 10_000_000),
    ];
    let all = held.into_iter().flat_map(|held| shapes.map(|shape| (held, shape)));
    for ((method, held), (processes, workers)) in all {
        let new = match (method, held) {
            (0, _) => 512_000,
            (3, 10_000_000) => 5_120,
            _ => 51_200,
        };
        let given = [held, processes, workers, new, method].map(|number: u64| number.to_string());
        let ended = Command::new(&itself).args(given).status();
        assert!(ended.expect("it runs").success());
    }
}
