//! `run.budget`: what a run may cost at most. Every request reserves the worst it can cost before it is sent.

use super::halt::Halt;
use super::{ModelError, Usage};
use crate::store::StoreError;
use crate::store::{Spent, Store};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Notify;

/// The caps of a run; none where there is none. What it spent before it was resumed counts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// USD.
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
}

/// An amount of what a budget caps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cost {
    /// Billionths of a USD.
    pub nanousd: u64,
    pub tokens: u64,
    pub calls: u64,
}

impl Cost {
    fn plus(self, other: Self) -> Self {
        Self {
            nanousd: self.nanousd.saturating_add(other.nanousd),
            tokens: self.tokens.saturating_add(other.tokens),
            calls: self.calls.saturating_add(other.calls),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            nanousd: self.nanousd.saturating_sub(other.nanousd),
            tokens: self.tokens.saturating_sub(other.tokens),
            calls: self.calls.saturating_sub(other.calls),
        }
    }
}

/// The purse of a run.
#[derive(Debug)]
pub(super) struct Purse {
    budget: Budget,
    account: Mutex<Account>,
    settled: Notify,
    halt: Arc<Halt>,
    /// Where what no reply tells of is kept, and the run.
    store: OnceLock<Kept>,
}

struct Kept(Arc<dyn Store>, Arc<str>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

#[derive(Debug, Default)]
struct Account {
    spent: Cost,
    reserved: Cost,
}

/// Part of the purse that a request may use up. Given back when it is dropped.
pub(super) struct Reservation {
    purse: Arc<Purse>,
    worst: Cost,
    /// What is spent of it.
    actual: Cost,
    /// What of that no reply tells of.
    untold: Cost,
}

impl Purse {
    pub fn new(budget: Budget, halt: Arc<Halt>) -> Self {
        Self { budget, account: Mutex::default(), settled: Notify::new(), halt, store: OnceLock::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what the run spent before, and of where to keep what no reply will tell of.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn open(&self, store: Arc<dyn Store>, run: &Arc<str>) -> Result<(), StoreError> {
        let (nanousd, tokens, calls) = store.untold(run)?;
        self.spent_before(&store.spent(run)?, Cost { nanousd, tokens, calls });
        _ = self.store.set(Kept(store, run.clone()));
        Ok(())
    }

    fn spent_before(&self, spent: &[Spent], untold: Cost) {
        let sum = spent.iter().fold(Cost::default(), |sum, one| {
            let tokens = one.prompt_tokens + one.completion_tokens;
            sum.plus(Cost { nanousd: one.cost_nanousd, tokens, calls: one.calls })
        });
        let mut account = self.lock();
        account.spent = account.spent.plus(sum).plus(untold);
    }

    /// Keeps what no reply tells of.
    fn keep(&self, untold: Cost) {
        let Some(Kept(store, run)) = self.store.get().filter(|_| untold != Cost::default()) else { return };
        if let Err(error) = store.charge(run, untold.nanousd, untold.tokens, untold.calls) {
            self.halt.halt(format!("what a request may have cost can't be kept: failed to {error}"));
        }
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

    /// Sets the worst case of a request aside. Where that is only possible once others are settled, it waits for them.
    ///
    /// # Errors
    /// When the purse does not allow it whatever others turn out to cost: the run stops.
    pub async fn reserve(self: &Arc<Self>, worst: Cost) -> Result<Reservation, ModelError> {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            {
                let mut account = self.lock();
                let Some(what) = self.over(account.spent.plus(account.reserved).plus(worst)) else {
                    account.reserved = account.reserved.plus(worst);
                    return Ok(Reservation {
                        purse: self.clone(),
                        worst,
                        actual: Cost::default(),
                        untold: Cost::default(),
                    });
                };
                if account.reserved == Cost::default() {
                    let Cost { nanousd, tokens, calls } = account.spent;
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

impl Reservation {
    /// The request may be charged: whatever happens to it from here on, it counts as its worst case.
    pub fn sent(&mut self) {
        (self.actual, self.untold) = (self.worst, self.worst);
    }

    /// The request is not charged.
    pub fn spared(&mut self) {
        (self.actual, self.untold) = (Cost::default(), Cost::default());
    }

    /// The request cost this; what is not known counts as the worst case.
    pub fn settle(&mut self, usage: &Usage, nanousd: Option<u64>) {
        let tokens = usage.prompt_tokens.zip(usage.completion_tokens).map(|(read, written)| read + written);
        self.actual = Cost {
            nanousd: nanousd.unwrap_or(self.worst.nanousd),
            tokens: tokens.unwrap_or(self.worst.tokens),
            calls: 1,
        };
        self.untold = Cost {
            nanousd: if nanousd.is_some() { 0 } else { self.worst.nanousd },
            tokens: if tokens.is_some() { 0 } else { self.worst.tokens },
            calls: 0,
        };
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut account = self.purse.lock();
        account.reserved = account.reserved.minus(self.worst);
        account.spent = account.spent.plus(self.actual);
        drop(account);
        self.purse.keep(self.untold);
        self.purse.settled.notify_waiters();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn purse(calls: u64) -> (Arc<Purse>, Arc<Halt>) {
        let halt = Arc::new(Halt::default());
        (Arc::new(Purse::new(Budget { calls: Some(calls), tokens: Some(1000), usd: Some(1e-3) }, halt.clone())), halt)
    }

    fn worst(tokens: u64) -> Cost {
        Cost { nanousd: tokens * 10, tokens, calls: 1 }
    }

    #[tokio::test]
    async fn what_is_not_used_goes_to_others_and_the_cap_holds() {
        let (purse, halt) = purse(9);
        let mut first = purse.reserve(worst(700)).await.unwrap();
        first.sent();
        let waiting = tokio::spawn({
            let purse = purse.clone();
            async move { purse.reserve(worst(700)).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        first.settle(&Usage { prompt_tokens: Some(100), completion_tokens: Some(50), ..Usage::default() }, Some(5));
        drop(first);
        waiting.await.unwrap().unwrap();
        assert_eq!(purse.lock().spent, Cost { nanousd: 5, tokens: 150, calls: 1 });
        // A reply that does not say what it cost, and a request of which nothing is known, cost their worst.
        let mut second = purse.reserve(worst(300)).await.unwrap();
        second.settle(&Usage::default(), None);
        drop(second);
        let mut third = purse.reserve(worst(300)).await.unwrap();
        third.sent();
        drop(third);
        // One that is known not to be charged costs nothing.
        let mut fourth = purse.reserve(worst(200)).await.unwrap();
        fourth.sent();
        fourth.spared();
        drop(fourth);
        assert_eq!(purse.lock().spent.tokens, 750);
        let error = purse.reserve(worst(300)).await.map(drop).unwrap_err().to_string();
        assert_eq!(
            error,
            "run.budget.tokens (1000) does not allow another call: 3 calls, 750 tokens and 0.0000 USD are spent"
        );
        assert_eq!(halt.reason(), Some(error.as_str()));
    }

    #[tokio::test]
    async fn what_no_reply_tells_of_outlasts_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(crate::store::Sqlite::open(folder.path()).unwrap());
        for _ in 0..2 {
            let (purse, _) = purse(9);
            purse.open(store.clone(), &"r".into()).unwrap();
            // One that never came back, one that does not say what it cost, one that does.
            purse.reserve(worst(100)).await.unwrap().sent();
            purse.reserve(worst(100)).await.unwrap().settle(&Usage::default(), None);
            let usage = Usage { prompt_tokens: Some(1), completion_tokens: Some(1), ..Usage::default() };
            purse.reserve(worst(100)).await.unwrap().settle(&usage, Some(1));
        }
        let (purse, _) = purse(9);
        purse.open(store.clone(), &"r".into()).unwrap();
        assert_eq!(purse.lock().spent, Cost { nanousd: 4000, tokens: 400, calls: 2 });
        assert_eq!(store.untold("another").unwrap(), (0, 0, 0));
    }

    #[tokio::test]
    async fn every_cap_holds_and_what_was_spent_before_counts() {
        for (worst, name) in [
            (Cost { nanousd: 1_000_001, tokens: 1, calls: 1 }, "run.budget.usd (0.001)"),
            (Cost { nanousd: 1, tokens: 1001, calls: 1 }, "run.budget.tokens (1000)"),
            (Cost { nanousd: 1, tokens: 1, calls: 3 }, "run.budget.calls (2)"),
        ] {
            let (purse, _) = purse(2);
            let error = purse.reserve(worst).await.map(drop).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
        let (purse, _) = purse(2);
        let spent = Spent {
            role: "user".into(),
            model: "m".into(),
            language: crate::words::LanguageIndex(0),
            calls: 2,
            prompt_tokens: 1,
            completion_tokens: 1,
            cached_tokens: 0,
            reasoning_tokens: 0,
            untold: 0,
            latency_us: 1,
            cost_nanousd: 1,
            unpriced: 0,
        };
        purse.spent_before(&[spent], Cost::default());
        assert!(purse.reserve(worst(1)).await.is_err());
    }
}
