//! `run.budget`: what a run may cost at most. Every request reserves the worst it can cost before it is sent.

mod recorder;

use super::desk::{Asked, Desk, Told};
use super::events::Event;
use crate::domain::Observer;
use crate::llm::halt::Halt;
use crate::llm::{ModelError, Usage};
pub use crate::store::Spending as Cost;
use crate::store::{self, Spent, Store, StoreError};
use recorder::Recorder;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Notify;

/// The caps of a run; none where there is none. What it spent before it was resumed counts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// The most that may be spent, in USD; none without a limit.
    pub usd: Option<f64>,
    /// Tokens, read and written.
    pub tokens: Option<u64>,
    /// Requests that may be charged: replies, and requests of which nobody knows what became.
    pub calls: Option<u64>,
}

impl Budget {
    /// Whether there is any cap.
    pub fn is_set(&self) -> bool {
        *self != Self::default()
    }

    /// The part of one of so many runs that have it together.
    #[must_use]
    pub fn shared_out(self, runs: u32) -> Self {
        let (usd, count) = (|usd| usd / f64::from(runs), |count| count / u64::from(runs));
        Self { usd: self.usd.map(usd), tokens: self.tokens.map(count), calls: self.calls.map(count) }
    }
}

/// The ledger of a run.
#[derive(Debug)]
pub struct BudgetLedger {
    budget: Budget,
    account: Arc<Mutex<Account>>,
    settled: Notify,
    halt: Arc<Halt>,
    recorder: OnceLock<Recorder>,
    /// Where another process keeps the ledger, if one does.
    desk: OnceLock<Desk>,
    observer: Observer<Event>,
}

/// What the requests of a run cost.
#[derive(Debug, Default)]
struct Account {
    /// By those that are over.
    spent: Cost,
    /// At most, by those that are out.
    out: Cost,
    /// At most, by those that wait to be sent.
    reserved: Cost,
    /// Whether a call was turned down for good; that stays so.
    is_capped: bool,
}

impl Account {
    /// The most that may be spent by now.
    fn at_most(&self) -> Cost {
        self.spent.plus(self.out)
    }
}

/// Part of the ledger that a request may use up. Given back when it is dropped.
pub struct Reservation {
    ledger: Arc<BudgetLedger>,
    /// Its number in the process that has the ledger, where that is another one.
    lent: Option<u64>,
    worst: Cost,
    /// What is spent of it.
    actual: Cost,
    is_out: bool,
}

impl BudgetLedger {
    /// Nothing spent yet; when the budget is used up, the run is halted.
    pub fn new(budget: Budget, halt: Arc<Halt>, observer: Observer<Event>) -> Self {
        Self {
            budget,
            account: Arc::default(),
            settled: Notify::new(),
            halt,
            recorder: OnceLock::new(),
            desk: OnceLock::new(),
            observer,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what the run spent before, and of where to record what it spends.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn open(&self, store: Arc<dyn Store>, run: &Arc<str>) -> Result<(), StoreError> {
        self.add(spent_by(&*store, run)?);
        self.recorder.get_or_init(|| Recorder::start(store, run.clone(), self.account.clone()));
        Ok(())
    }

    /// Takes note of what others have spent of the same budget.
    pub fn add(&self, spent: Cost) {
        let mut account = self.lock();
        account.spent = account.spent.plus(spent);
    }

    /// What is over, if so much more were used.
    fn over(&self, used: Cost) -> Option<String> {
        let Budget { usd, tokens, calls } = self.budget;
        let nanousd = usd.map(|usd| (usd * 1e9) as u64);
        if nanousd.is_some_and(|most| used.nanousd > most) {
            return usd.map(|usd| format!("run.budget.usd ({usd})"));
        }
        if tokens.is_some_and(|most| used.tokens > most) {
            return tokens.map(|most| format!("run.budget.tokens ({most})"));
        }
        calls.filter(|most| used.calls > *most).map(|most| format!("run.budget.calls ({most})"))
    }

    /// Has another process, which makes the run with this one, keep the ledger from now on.
    pub fn ask_at(&self, desk: Desk) {
        _ = self.desk.set(desk);
    }

    /// Sets the worst case of a request aside. Where that is only possible once others are settled, it waits for them.
    ///
    /// # Errors
    /// When the ledger does not allow it whatever others turn out to cost: the run stops.
    pub async fn reserve(self: &Arc<Self>, worst: Cost) -> Result<Reservation, ModelError> {
        let reservation =
            |lent| Reservation { ledger: self.clone(), lent, worst, actual: Cost::default(), is_out: false };
        if let Some(desk) = self.desk.get() {
            return match desk.ask(Asked::Reserve(worst)).await {
                Told::Reserved(number) => Ok(reservation(Some(number))),
                Told::Halted(reason) => Err(ModelError::Halted(reason)),
                _ => Err(ModelError::Halted("the first process keeps no budget".into())),
            };
        }
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            {
                let mut account = self.lock();
                let Some(what) = self.over(account.at_most().plus(account.reserved).plus(worst)) else {
                    account.reserved = account.reserved.plus(worst);
                    return Ok(reservation(None));
                };
                if account.reserved.plus(account.out) == Cost::default() {
                    let spent = account.spent;
                    let is_news = !std::mem::replace(&mut account.is_capped, true);
                    drop(account);
                    if is_news {
                        self.observer.tell(|| Event::CapReached { cap: what.clone(), spent });
                    }
                    let Cost { nanousd, tokens, calls } = spent;
                    let spent = nanousd as f64 / 1e9;
                    return Err(self.halt.halt(format!(
                        "{what} does not allow another call: {calls} calls, {tokens} tokens and {spent:.4} USD are spent"
                    )));
                }
            }
            if let Some(reason) = self.halt.reason() {
                return Err(ModelError::Halted(reason.to_owned()));
            }
            settled.await;
        }
    }
}

/// What replies tell that they cost.
/// What a run may have spent so far.
///
/// # Errors
/// When the store can't be read.
pub fn spent_by(store: &dyn Store, run: &str) -> Result<Cost, StoreError> {
    // While it had no budget, nothing but the journal tells what it spent.
    Ok(store.spending(run)?.at_least(told(&store.spent(run)?)))
}

fn told(spent: &[Spent]) -> Cost {
    spent.iter().fold(Cost::default(), |sum, one| {
        let store::Cost { prompt_tokens, completion_tokens, nanousd, calls, .. } = one.cost;
        sum.plus(Cost { nanousd, tokens: prompt_tokens + completion_tokens, calls })
    })
}

impl Reservation {
    /// The request goes out, and may be charged: whatever happens to it and to this process from here on, it counts as its
    /// worst case until it is known to cost less.
    ///
    /// # Errors
    /// When that can't be recorded: it must not be sent, and the run stops.
    pub async fn sent(&mut self) -> Result<(), ModelError> {
        if let Some((number, desk)) = self.lent.zip(self.ledger.desk.get()) {
            (self.is_out, self.actual) = (true, self.worst);
            return match desk.ask(Asked::Sent(number)).await {
                Told::Halted(reason) => {
                    self.actual = Cost::default();
                    Err(ModelError::Halted(reason))
                }
                _ => Ok(()),
            };
        }
        {
            let mut account = self.ledger.lock();
            account.reserved = account.reserved.minus(self.worst);
            account.out = account.out.plus(self.worst);
        }
        (self.is_out, self.actual) = (true, self.worst);
        let Some(recorder) = self.ledger.recorder.get() else { return Ok(()) };
        recorder.recorded().await.map_err(|error| {
            self.actual = Cost::default();
            self.ledger.halt.halt(format!("what a request may cost can't be recorded: failed to {error}"))
        })
    }

    /// The request is not charged.
    pub fn spared(&mut self) {
        self.actual = Cost::default();
    }

    /// The request cost this; what is not known counts as the worst case.
    pub fn settle(&mut self, usage: &Usage, nanousd: Option<u64>) {
        let tokens = usage.prompt_tokens.zip(usage.completion_tokens).map(|(read, written)| read + written);
        self.actual = Cost {
            nanousd: nanousd.unwrap_or(self.worst.nanousd),
            tokens: tokens.unwrap_or(self.worst.tokens),
            calls: 1,
        };
    }
}

impl Reservation {
    /// The request cost this.
    pub(super) fn cost(&mut self, actual: Cost) {
        self.actual = actual;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some((number, desk)) = self.lent.zip(self.ledger.desk.get()) {
            drop(desk.ask(Asked::Settled(number, self.actual)));
            return;
        }
        let mut account = self.ledger.lock();
        let held = if self.is_out { &mut account.out } else { &mut account.reserved };
        *held = held.minus(self.worst);
        account.spent = account.spent.plus(self.actual);
        let (cost, total) = (self.actual, account.spent);
        drop(account);
        if cost != Cost::default() {
            self.ledger.observer.tell(|| Event::Spent { cost, total });
        }
        self.ledger.settled.notify_waiters();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ledger(calls: u64) -> (Arc<BudgetLedger>, Arc<Halt>) {
        let halt = Arc::new(Halt::default());
        (
            Arc::new(BudgetLedger::new(
                Budget { calls: Some(calls), tokens: Some(1000), usd: Some(1e-3) },
                halt.clone(),
                Observer::default(),
            )),
            halt,
        )
    }

    fn worst(tokens: u64) -> Cost {
        Cost { nanousd: tokens * 10, tokens, calls: 1 }
    }

    #[tokio::test]
    async fn what_is_not_used_goes_to_others_and_the_cap_holds() {
        let (ledger, halt) = ledger(9);
        let mut first = ledger.reserve(worst(700)).await.unwrap();
        first.sent().await.unwrap();
        let waiting = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.reserve(worst(700)).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        first.settle(&Usage { prompt_tokens: Some(100), completion_tokens: Some(50), ..Usage::default() }, Some(5));
        drop(first);
        waiting.await.unwrap().unwrap();
        assert_eq!(ledger.lock().spent, Cost { nanousd: 5, tokens: 150, calls: 1 });
        // A reply that does not say what it cost, and a request of which nothing is known, cost their worst.
        let mut second = ledger.reserve(worst(300)).await.unwrap();
        second.settle(&Usage::default(), None);
        drop(second);
        let mut third = ledger.reserve(worst(300)).await.unwrap();
        third.sent().await.unwrap();
        drop(third);
        // One that is known not to be charged costs nothing.
        let mut fourth = ledger.reserve(worst(200)).await.unwrap();
        fourth.sent().await.unwrap();
        fourth.spared();
        drop(fourth);
        assert_eq!(ledger.lock().spent.tokens, 750);
        let error = ledger.reserve(worst(300)).await.map(drop).unwrap_err().to_string();
        assert_eq!(
            error,
            "run.budget.tokens (1000) does not allow another call: 3 calls, 750 tokens and 0.0000 USD are spent"
        );
        assert_eq!(halt.reason(), Some(error.as_str()));
    }

    #[tokio::test]
    async fn what_may_be_spent_is_recorded_before_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(crate::store::Sqlite::open(folder.path()).unwrap());
        for before in [0, 2] {
            let (ledger, _) = ledger(9);
            ledger.open(store.clone(), &"r".into()).unwrap();
            assert_eq!(ledger.lock().spent.calls, before);
            // One that waits to be sent, one that never came back, one that does not say what it cost, one that does.
            let waiting = ledger.reserve(worst(100)).await.unwrap();
            let mut lost = ledger.reserve(worst(100)).await.unwrap();
            lost.sent().await.unwrap();
            let cost = |tokens: u64| Cost { nanousd: tokens * 10, tokens, calls: tokens / 100 };
            assert_eq!(store.spending("r").unwrap(), ledger.lock().spent.plus(cost(100)));
            ledger.reserve(worst(100)).await.unwrap().settle(&Usage::default(), None);
            let usage = Usage { prompt_tokens: Some(1), completion_tokens: Some(1), ..Usage::default() };
            ledger.reserve(worst(100)).await.unwrap().settle(&usage, Some(1));
            let mut spared = ledger.reserve(worst(100)).await.unwrap();
            spared.sent().await.unwrap();
            spared.spared();
            drop((waiting, lost, spared));
            if before == 0 {
                // A process that dies here has recorded the most it may have spent, and the next one starts with that.
                store.record_spending("r", Cost { nanousd: 2000, tokens: 200, calls: 2 }).unwrap();
                std::mem::forget(ledger);
            }
        }
        assert_eq!(store.spending("r").unwrap(), Cost { nanousd: 4001, tokens: 402, calls: 5 });
        assert_eq!(store.spending("another").unwrap(), Cost::default());
    }

    #[tokio::test]
    async fn every_cap_holds_and_what_was_spent_before_counts() {
        for (worst, name) in [
            (Cost { nanousd: 1_000_001, tokens: 1, calls: 1 }, "run.budget.usd (0.001)"),
            (Cost { nanousd: 1, tokens: 1001, calls: 1 }, "run.budget.tokens (1000)"),
            (Cost { nanousd: 1, tokens: 1, calls: 3 }, "run.budget.calls (2)"),
        ] {
            let (ledger, _) = ledger(2);
            let error = ledger.reserve(worst).await.map(drop).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
        let (ledger, _) = ledger(2);
        let spent = Spent {
            agent: "user".into(),
            model: "m".into(),
            language: crate::domain::LanguageIndex(0),
            cost: store::Cost {
                calls: 2,
                prompt_tokens: 1,
                completion_tokens: 1,
                nanousd: 1,
                ..store::Cost::default()
            },
        };
        ledger.lock().spent = told(&[spent]);
        assert!(ledger.reserve(worst(1)).await.is_err());
    }
}
