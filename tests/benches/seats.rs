//! How busy seats are when conversations run ahead, against list scheduling of the very same conversations: the next
//! one takes the first free seat, and nobody waits for anybody. Stages only sleep.
//!
//! `cargo bench --bench seats -- [CONVERSATIONS [TURNS [SEATS [MEDIAN_MS]]]]`, by default `640 4 64 20`. Latencies are
//! log-normal, a function of slot, turn, attempt and stage; both schedules count them as they were measured.

#[path = "../support/plain.rs"]
mod plain;

use dlgforge::dataflows::generate::{Order, Stage, Stages, generate};
use dlgforge::domain::*;
use dlgforge::operators::{Executor, InFlight, Opening, Quota, Retries, Settlement, Stop, Tally, Target};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, LogNormal};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const HEAD: [&str; 2] = [
    "      look-                   | seats busy, %          ratio | makespan, s             | dupli roll- waste | verdict, ms",
    "sigma ahead workers      pool |   own  list lockstep to list |     own    list    lock | cates backs calls |   p50   p99",
];

#[derive(Clone, Copy)]
struct Load {
    conversations: u32,
    turns: u16,
    seats: u32,
    median_ms: f64,
    sigma: f64,
    lookahead: u32,
    workers: usize,
    /// Different questions there are.
    pool: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Ask,
    Answer,
}

/// When a call of a turn began and ended, the last time it was made.
type Log = Arc<Mutex<BTreeMap<(Slot, TurnIndex, Attempt, Call), (Instant, Instant)>>>;

/// A number drawn for a call.
fn draw(conversation: &Conversation, call: Call) -> u64 {
    let Rank { language, turn, attempt, index, .. } = conversation.rank();
    let place = [language.0 as u32, index, turn.0 as u32, attempt.0 as u32, call as u32];
    xxh3_64_with_seed(&place.map(u32::to_le_bytes).concat(), 7)
}

impl Load {
    fn latency(&self, conversation: &Conversation, call: Call) -> Duration {
        let distribution = LogNormal::new((self.median_ms / 1000.0).ln(), self.sigma).expect("a finite distribution");
        let mut draws = ChaCha8Rng::seed_from_u64(draw(conversation, call));
        Duration::from_secs_f64(distribution.sample(&mut draws))
    }

    /// A stage that sleeps, then does its work.
    fn stage<O: Send + 'static>(self, log: &Log, call: Call, work: fn(&Load, &Conversation) -> O) -> Stage<O> {
        let log = log.clone();
        Arc::new(move |conversation| {
            let log = log.clone();
            Box::pin(async move {
                let began = Instant::now();
                tokio::time::sleep(self.latency(&conversation, call)).await;
                let made = work(&self, &conversation);
                let key = (conversation.slot, conversation.turn_index(), conversation.round.attempt, call);
                log.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (began, Instant::now()));
                Ok(made)
            })
        })
    }

    fn stages(self, log: &Log) -> Stages {
        let open =
            move |&Opening { slot, wave, .. }: &Opening| Conversation { wave, ..plain::conversation(slot, self.turns) };
        Stages {
            open: Arc::new(open),
            ask: self.stage(log, Call::Ask, question),
            answer: self.stage(log, Call::Answer, answer),
            judge: Arc::new(|_| Box::pin(async { Ok(Judged::Nothing) })),
        }
    }
}

fn question(load: &Load, conversation: &Conversation) -> Question {
    let text: Arc<str> = format!("Question {}?", draw(conversation, Call::Ask) % load.pool).into();
    let used = Used { chunk: None, source: None, question: text.clone(), seed: None, linked: vec![] };
    plain::question(&text, used)
}

fn answer(_: &Load, _: &Conversation) -> Answer {
    plain::answer("Yes.")
}

/// A run as it was: its conversations in slot order, when their calls were made, and how long it all took.
struct Made {
    conversations: Vec<Arc<InFlight>>,
    log: BTreeMap<(Slot, TurnIndex, Attempt, Call), (Instant, Instant)>,
    tally: Tally,
    took: Duration,
}

fn run(load: Load) -> Made {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    let executor = Executor::new(runtime.handle().clone(), load.seats as usize, Stop::default());
    let Load { conversations: total, seats, lookahead, .. } = load;
    let target = Target { total, languages: 1, batch_size: seats, concurrency: seats, lookahead };
    let quota = Quota::new(target, Coverage::default());
    let log = Log::default();
    let stages = load.stages(&log);
    let (settled, settlements) = mpsc::channel();
    let (tallied, tallies) = mpsc::channel();
    let began = Instant::now();
    let workers = timely::execute(timely::Config::process(load.workers), move |worker| {
        let order = Order {
            quota: quota.clone(),
            retries: Retries { duplicates: 3, regenerations: 0 },
            earlier: Arc::default(),
            near: None,
            threads: load.workers,
        };
        let (settled, tallied, stages) = (settled.clone(), tallied.clone(), stages.clone());
        let report = move |tally: &Tally| tallied.send(tally.clone()).expect("the benchmark listens");
        let render = move |settlement| settled.send(settlement).expect("the benchmark listens");
        let recording = (render, |_, ()| {});
        worker.dataflow(|scope| generate(scope, order, stages, &executor, Observer::default(), report, recording));
    });
    workers.expect("workers start").join().into_iter().for_each(|worker| worker.expect("a worker ends well"));
    let took = began.elapsed();
    let conversations = settlements.into_iter().filter_map(|settlement| match settlement {
        Settlement::Conversation(conversation) => Some((conversation.slot, conversation)),
        Settlement::Floor(_) | Settlement::Left(_) => None,
    });
    let conversations = conversations.collect::<BTreeMap<_, _>>().into_values().collect();
    let log = std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
    Made { conversations, log, tally: tallies.into_iter().last().expect("a tally"), took }
}

/// A round of a conversation: its calls that count, by turn and attempt; the answer belongs to the last attempt.
type Calls = BTreeMap<(TurnIndex, Call, Attempt), Duration>;

impl Made {
    fn calls(&self, conversation: &Conversation) -> Calls {
        let ended = conversation.outcome == Some(Outcome::Completed);
        let broken = (!ended).then_some((conversation.turn_index(), (conversation.round.attempt, false)));
        let made = conversation.turns.iter().map(|turn| (turn.index, (turn.attempt, true)));
        let last: BTreeMap<TurnIndex, (Attempt, bool)> = made.chain(broken).collect();
        let counts = |turn: &TurnIndex, attempt: &Attempt, call: &Call| match (last.get(turn), call) {
            (Some((last, _)), Call::Ask) => attempt <= last,
            (Some((last, answered)), Call::Answer) => *answered && attempt == last,
            (None, _) => false,
        };
        let mine = (conversation.slot, TurnIndex(0), Attempt(0), Call::Ask)..;
        self.log
            .range(mine)
            .take_while(|((slot, ..), _)| *slot == conversation.slot)
            .filter(|((_, turn, attempt, call), _)| counts(turn, attempt, call))
            .map(|((_, turn, attempt, call), (began, ended))| ((*turn, *call, *attempt), *ended - *began))
            .collect()
    }

    /// Times from the end of a question to the start of its answer, in order.
    fn verdicts(&self) -> Vec<Duration> {
        let answers = self.log.iter().filter(|((.., call), _)| *call == Call::Answer);
        let mut verdicts: Vec<Duration> = answers
            .filter_map(|((slot, turn, attempt, _), (began, _))| {
                let (_, asked) = self.log.get(&(*slot, *turn, *attempt, Call::Ask))?;
                began.checked_duration_since(*asked)
            })
            .collect();
        verdicts.sort_unstable();
        verdicts
    }
}

/// How long conversations take when the next one always takes the first free seat.
fn list_scheduled(conversations: &[Calls], seats: u32) -> Duration {
    let mut free: BinaryHeap<_> = (0..seats).map(|_| Reverse(Duration::ZERO)).collect();
    let ends = conversations.iter().map(|calls| {
        let Reverse(start) = free.pop().expect("a seat");
        let end = start + calls.values().sum::<Duration>();
        free.push(Reverse(end));
        end
    });
    ends.max().unwrap_or_default()
}

/// How long they take when all of a wave wait for the slowest call of every round.
fn lockstepped(waves: &BTreeMap<Wave, Vec<&Calls>>) -> Duration {
    let of_wave = |wave: &Vec<&Calls>| {
        let mut slowest = Calls::new();
        for (round, took) in wave.iter().flat_map(|calls| calls.iter()) {
            // Answers to questions of any attempt are one round.
            let attempt = if round.1 == Call::Ask { round.2 } else { Attempt(0) };
            let slowest = slowest.entry((round.0, round.1, attempt)).or_default();
            *slowest = (*slowest).max(*took);
        }
        slowest.into_values().sum::<Duration>()
    };
    waves.values().map(of_wave).sum()
}

fn print(load: Load) {
    let made = run(load);
    let calls: Vec<Calls> = made.conversations.iter().map(|conversation| made.calls(conversation)).collect();
    let mut waves: BTreeMap<Wave, Vec<&Calls>> = BTreeMap::new();
    for (conversation, calls) in made.conversations.iter().zip(&calls) {
        waves.entry(conversation.wave).or_default().push(calls);
    }
    let useful: Duration = calls.iter().flat_map(|calls| calls.values()).sum();
    let busy = |makespan: Duration| 100.0 * useful.as_secs_f64() / (f64::from(load.seats) * makespan.as_secs_f64());
    let (list, lockstep) = (list_scheduled(&calls, load.seats), lockstepped(&waves));
    let verdicts = made.verdicts();
    let at = |share: f64| verdicts[((verdicts.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let pool = if load.pool == u64::MAX { "unlimited".into() } else { load.pool.to_string() };
    let Tally { duplicates, rollbacks, wasted, .. } = made.tally;
    let [own_s, list_s, lock_s] = [made.took, list, lockstep].map(|makespan| makespan.as_secs_f64());
    println!(
        "{:>5} {:>5} {:>7} {pool:>9} | {:>5.1} {:>5.1} {:>8.1} {:>7.3} | {own_s:>7.2} {list_s:>7.2} {lock_s:>7.2} \
         | {duplicates:>5} {rollbacks:>5} {wasted:>5} | {:>5.2} {:>5.2}",
        load.sigma,
        load.lookahead,
        load.workers,
        busy(made.took),
        busy(list),
        busy(lockstep),
        list_s / own_s,
        at(0.5),
        at(0.99),
    );
}

fn main() {
    let given: Vec<f64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let or = |at: usize, default: f64| given.get(at).copied().unwrap_or(default);
    let (conversations, turns) = (or(0, 640.0) as u32, or(1, 4.0) as u16);
    let (seats, median_ms) = (or(2, 64.0) as u32, or(3, 20.0));
    println!("{conversations} conversations x {turns} turns, {seats} seats, median {median_ms} ms");
    HEAD.iter().for_each(|line| println!("{line}"));
    for sigma in [0.3, 1.0, 1.5] {
        for lookahead in [16, 4] {
            for workers in [1, 2, 4] {
                // Of the smaller pool a few percent of the questions collide.
                for pool in [u64::MAX, u64::from(conversations) * u64::from(turns) * 16] {
                    print(Load { conversations, turns, seats, median_ms, sigma, lookahead, workers, pool });
                }
            }
        }
    }
}
