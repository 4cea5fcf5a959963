//! Runs a load through the graph, and holds what comes out against the oracle.

use super::load::Load;
use super::oracle::{Made, oracle};
use dlgforge::cluster::Mesh;
use dlgforge::dataflows::generate::{Order, generate};
use dlgforge::domain::*;
use dlgforge::operators::quota::Target;
use dlgforge::operators::{Executor, InFlight, Near, Quota, Retries, Settlement, Stop, Tally};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::Duration;
use timely::communication::WorkerGuards;
use timely::worker::Worker;
use tokio::runtime::{Builder, Runtime};

/// Where the stages of all loads run.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime"));

/// Runs the graph, demands what the oracle says, and gives the last tally. A graph without end fails within two minutes.
pub fn check(load: Load) -> Tally {
    follow(load).tally
}

/// As [`check`]; gives how it went.
pub fn follow(load: Load) -> Course {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || _ = done.send(run(load)));
    let (outcome, course) = match ended.recv_timeout(Duration::from_secs(120)) {
        Ok(ran) => ran,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no end: {load:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the graph panicked: {load:?}"),
    };
    let expected = oracle(&load);
    let pairs = outcome.conversations.iter().zip(&expected.conversations);
    for (got, expected) in pairs {
        assert_eq!(got, expected, "{load:?}");
    }
    let slots = |outcome: &Made| outcome.conversations.iter().map(|one| one.slot).collect::<Vec<_>>();
    assert_eq!(slots(&outcome), slots(&expected), "{load:?}");
    assert_eq!(outcome, expected, "{load:?}");
    course
}

/// How a load went.
#[derive(Debug)]
pub struct Course {
    /// The last one.
    pub tally: Tally,
    /// Conversations that were released before their wave had ended.
    pub early: u64,
}

fn run(load: Load) -> (Made, Course) {
    let (settled, settlements) = mpsc::channel();
    let (tallied, tallies) = mpsc::channel();
    let Load { total, languages, batch_size, lookahead, .. } = load;
    let quota =
        Quota::new(Target { total, languages, batch_size, concurrency: load.seats as u32, lookahead }, load.coverage());
    let earlier: Arc<[Fingerprint]> = load.earlier().into_iter().collect();
    let near = load.measure().map(|measure| {
        let mut shares: Vec<_> = (0..load.processes * load.workers).map(|_| SettledQuestions::new(measure)).collect();
        for (number, text) in load.asked_before().iter().enumerate() {
            let share = number % shares.len();
            load.sketch(text).into_iter().for_each(|sketch| shares[share].insert(Rank::default(), &sketch));
        }
        Near::new(measure, shares)
    });
    let stages = load.stages();
    // What crosses between processes is where a settlement stands here.
    let kept = Arc::<Mutex<Vec<Settlement>>>::default();
    let graph = move |executor: &Executor, worker: &mut Worker| {
        let order = Order {
            quota: quota.clone(),
            retries: Retries { duplicates: load.retries, regenerations: load.regenerations },
            earlier: earlier.clone(),
            near: near.clone(),
            threads: load.workers,
        };
        let (index, settled, tallied) = (worker.index(), settled.clone(), tallied.clone());
        let report = move |tally: &Tally| tallied.send((index, tally.clone())).expect("the test listens");
        let (keeping, taking) = (kept.clone(), kept.clone());
        let render = move |settlement| {
            let mut kept = keeping.lock().expect("nobody panics with it");
            kept.push(settlement);
            kept.len() - 1
        };
        let write = move |worker, at: usize| {
            let settlement = taking.lock().expect("nobody panics with it")[at].clone();
            settled.send((worker, settlement)).expect("the test listens");
        };
        let (stages, observer) = (stages.clone(), Observer::default());
        worker.dataflow(|scope| generate(scope, order, stages, executor, observer, report, (render, write)));
    };
    match load.processes {
        1 => {
            let executor = executor(&load);
            finish(timely::execute(timely::Config::process(load.workers), move |worker| graph(&executor, worker)));
        }
        _ => connected(load, graph),
    }

    let mut released = vec![Released::default(); load.processes * load.workers];
    settlements.into_iter().for_each(|(worker, settlement)| released[worker].take(settlement));
    let early = released.iter().map(|released| released.early).sum();
    let mut conversations: Vec<_> = released.into_iter().flat_map(Released::end).collect();
    conversations.sort_by_key(|conversation| conversation.slot);
    let tally = tallies.into_iter().filter(|(worker, _)| *worker == 0).last().expect("the first worker reports").1;
    let languages = tally.languages.iter().map(|language| (language.opened, language.accepted, language.dropped));
    let (languages, duplicates, drops) = (languages.collect(), tally.duplicates, tally.drops.clone());
    (Made { conversations, languages, duplicates, drops }, Course { tally, early })
}

fn executor(load: &Load) -> Executor {
    Executor::new(RUNTIME.handle().clone(), load.seats, Stop::default())
}

/// Runs workers to their end.
fn finish(workers: Result<WorkerGuards<()>, String>) {
    let workers = workers.expect("workers start").join();
    workers.into_iter().for_each(|worker| worker.expect("a worker ends well"));
}

/// Runs processes of a cluster, here as threads: what crosses between them does so over connections.
fn connected(load: Load, graph: impl Fn(&Executor, &mut Worker) + Clone + Send + Sync + 'static) {
    let listeners: Vec<_> = (0..load.processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let addresses: Vec<_> = listeners.iter().map(|one| one.local_addr().expect("an address")).collect();
    std::thread::scope(|scope| {
        for (process, listener) in listeners.iter().enumerate() {
            let (addresses, graph) = (&addresses, graph.clone());
            scope.spawn(move || {
                let mesh = Mesh::connect(process, listener, addresses, 7).expect("a cluster");
                let executor = executor(&load);
                finish(mesh.execute(load.workers, move |worker| graph(&executor, worker)));
            });
        }
    });
}

/// What a worker has released.
#[derive(Debug, Clone, Default)]
struct Released {
    conversations: BTreeMap<Slot, InFlight>,
    /// Those that came after the last floor.
    above: Vec<Slot>,
    floor: Rank,
    /// How many came before all of their wave were final.
    early: u64,
}

impl Released {
    fn take(&mut self, settlement: Settlement) {
        match settlement {
            Settlement::Conversation(conversation) => {
                let slot = conversation.slot;
                assert!(self.floor.language <= slot.language, "released below the floor");
                // How often it was rolled back is the one thing that chance may decide.
                let InFlight { conversation, coverage, .. } = Arc::unwrap_or_clone(conversation);
                let before = self.conversations.insert(slot, InFlight::new(conversation, coverage));
                assert!(before.is_none(), "released twice: {before:?}");
                self.above.push(slot);
            }
            Settlement::Left(conversation) => panic!("left unsettled: {conversation:?}"),
            Settlement::Floor(floor) => {
                assert!(self.floor <= floor, "a floor goes back");
                self.floor = floor;
                for slot in self.above.drain(..) {
                    let conversation = &self.conversations[&slot];
                    assert!(conversation.is_final(floor), "released above the floor: {conversation:?}");
                    self.early += u64::from((slot.language, conversation.wave) == (floor.language, floor.wave));
                }
            }
        }
    }

    fn end(self) -> impl Iterator<Item = InFlight> {
        assert!(self.above.is_empty(), "the last floor is above all");
        self.conversations.into_values()
    }
}
