//! Runs a load through the graph, and holds what comes out against the oracle.

use super::load::Load;
use super::oracle::{Outcome, oracle};
use dlgforge::dataflows::generate::{Order, generate};
use dlgforge::operators::quota::Target;
use dlgforge::operators::{Desk, Quota, Settlement, Stop, Tally};
use dlgforge::words::*;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Where the stages of all loads run.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime"));

/// Runs the graph, demands what the oracle says, and gives the last tally. A graph without end fails within two minutes.
pub fn check(load: Load) -> Tally {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || _ = done.send(run(load)));
    let (outcome, tally) = match ended.recv_timeout(Duration::from_secs(120)) {
        Ok(ran) => ran,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no end: {load:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the graph panicked: {load:?}"),
    };
    let expected = oracle(&load);
    let pairs = outcome.conversations.iter().zip(&expected.conversations);
    for (got, expected) in pairs {
        assert_eq!(got, expected, "{load:?}");
    }
    let slots = |outcome: &Outcome| outcome.conversations.iter().map(|one| one.slot).collect::<Vec<_>>();
    assert_eq!(slots(&outcome), slots(&expected), "{load:?}");
    assert_eq!(outcome, expected, "{load:?}");
    tally
}

fn run(load: Load) -> (Outcome, Tally) {
    let desk = Desk::new(RUNTIME.handle().clone(), load.seats, Stop::default());
    let (settled, settlements) = mpsc::channel();
    let (tallied, tallies) = mpsc::channel();
    let Load { total, languages, batch_size, lookahead, .. } = load;
    let quota = Quota::new(Target { total, languages, batch_size, lookahead }, load.coverage());
    let earlier: Arc<[Fingerprint]> = load.earlier().into_iter().collect();
    let stages = load.stages();
    timely::execute(timely::Config::process(load.workers), move |worker| {
        let order = Order { quota: quota.clone(), retries: Attempt(load.retries), earlier: earlier.clone() };
        let (index, settled, tallied) = (worker.index(), settled.clone(), tallied.clone());
        let report = move |tally: &Tally| tallied.send((index, tally.clone())).expect("the test listens");
        let write = move |settlement| settled.send((index, settlement)).expect("the test listens");
        worker.dataflow(|scope| generate(scope, order, stages.clone(), &desk, report, write));
    })
    .expect("workers start")
    .join()
    .into_iter()
    .for_each(|worker| worker.expect("a worker ends well"));

    let mut released = vec![Released::default(); load.workers];
    settlements.into_iter().for_each(|(worker, settlement)| released[worker].take(settlement));
    let mut conversations: Vec<_> = released.into_iter().flat_map(Released::end).collect();
    conversations.sort_by_key(|conversation| conversation.slot);
    let tally = tallies.into_iter().filter(|(worker, _)| *worker == 0).last().expect("the first worker reports").1;
    let languages = tally.languages.iter().map(|language| (language.opened, language.accepted, language.dropped));
    let (languages, duplicates, drops) = (languages.collect(), tally.duplicates, tally.drops.clone());
    (Outcome { conversations, languages, duplicates, drops }, tally)
}

/// What a worker has released.
#[derive(Debug, Clone, Default)]
struct Released {
    conversations: Vec<Conversation>,
    floor: (LanguageIndex, Wave),
    /// How many conversations are below the floor.
    below: usize,
}

impl Released {
    fn take(&mut self, settlement: Settlement) {
        match settlement {
            Settlement::Conversation(conversation) => {
                let last = self.conversations.last();
                assert!(last.is_none_or(|last| last.slot < conversation.slot), "each worker releases in slot order");
                assert!(self.floor <= place(&conversation), "released below the floor");
                // How often it was rolled back is the one thing that chance may decide.
                let incarnation = Incarnation::default();
                self.conversations.push(Conversation { incarnation, ..Arc::unwrap_or_clone(conversation) });
            }
            Settlement::Left(conversation) => panic!("left unsettled: {conversation:?}"),
            Settlement::Floor(Rank { language, wave, .. }) => {
                assert!(self.floor <= (language, wave), "a floor goes back");
                self.floor = (language, wave);
                let above = self.conversations[self.below..].iter().find(|one| place(one) >= self.floor);
                assert!(above.is_none(), "released above the floor's wave: {above:?}");
                self.below = self.conversations.len();
            }
        }
    }

    fn end(self) -> Vec<Conversation> {
        assert_eq!(self.below, self.conversations.len(), "the last floor is above all");
        self.conversations
    }
}

fn place(conversation: &Conversation) -> (LanguageIndex, Wave) {
    (conversation.slot.language, conversation.wave)
}
