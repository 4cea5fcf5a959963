//! The traffic of a run that several processes make: the first of them has it, and the others ask there. So every limit is one
//! for the whole run, and what one process leaves another one takes.

use super::budget::{BudgetLedger, Cost, Reservation};
use super::permit::Granted;
use super::{Failure, Permit, PermitRequest, Refusal, RouteId, TargetId, Traffic};
use crate::llm::ModelError;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bits of a call's number; above them stands the process that makes it.
const CALLS: u32 = 48;

/// What a process asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Asked {
    /// For leave to send a request; it waits for it.
    Acquire(RouteId, PermitRequest),
    /// To take note of what came of a request, by the number of its permit.
    Ended(u64, Ending),
    /// To take note that an endpoint is sent only part of a request.
    TakesLess(RouteId, TargetId),
    /// Whether all endpoints that can be expected to take a request have refused it.
    HasRefused(RouteId, PermitRequest),
    /// To set the worst case of a request aside.
    Reserve(Cost),
    /// To count a request as sent, by the number of its reservation.
    Sent(u64),
    /// To count what a request has cost.
    Settled(u64, Cost),
}

/// What came of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Ending {
    /// It was answered: its tokens, what it took, and what the headers of the response say of limits.
    Answered(Option<u64>, Duration, Headers),
    /// The endpoint has too much to do, and asks for so much time.
    Overloaded(Option<Duration>, Headers, String),
    /// There was no usable response.
    Failed(Failure, String),
    /// The endpoint will not take any request.
    Unusable(String),
    /// Something else answers there.
    Misled(String),
    /// The endpoint does not take this request.
    Refused(PermitRequest, String),
    /// Nothing is to be told of the endpoint.
    Abandoned,
}

/// Headers of a response, by name.
pub type Headers = Vec<(String, Vec<u8>)>;

/// The answer to a question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Told {
    /// What was asked is done.
    Done,
    /// Leave to send a request: its number, the endpoint, and whether that counts as one that takes all of it.
    Permit(u64, TargetId, bool),
    /// The number of a reservation.
    Reserved(u64),
    /// It is so, or not.
    Is(bool),
    /// What becomes of a request that was refused, and the request from now on.
    Refusal(Refusal, PermitRequest),
    /// The run has to stop, for this reason.
    Halted(String),
    /// The run goes on without the judge that was to be asked, for this reason.
    Gone(String),
}

/// An answer to come. The question is on its way already, and nobody needs to wait.
pub type Telling = Pin<Box<dyn Future<Output = Told> + Send>>;

/// Where a process asks.
#[derive(Clone)]
pub struct Desk(Arc<dyn Fn(Asked) -> Telling + Send + Sync>);

impl Desk {
    /// One that answers so.
    pub fn new(ask: impl Fn(Asked) -> Telling + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(super) fn ask(&self, asked: Asked) -> Telling {
        (self.0)(asked)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// What a process asks that does not want the answer to its question any more.
pub fn withdrawn(told: &Told) -> Option<Asked> {
    match told {
        Told::Permit(number, ..) => Some(Asked::Ended(*number, Ending::Abandoned)),
        Told::Reserved(number) => Some(Asked::Settled(*number, Cost::default())),
        _ => None,
    }
}

/// Answers the other processes.
pub struct Answering {
    traffic: Traffic,
    ledger: Option<Arc<BudgetLedger>>,
    numbers: AtomicU64,
    permits: Mutex<BTreeMap<u64, Granted>>,
    reservations: Mutex<BTreeMap<u64, Arc<tokio::sync::Mutex<Reservation>>>>,
}

impl Answering {
    /// By this traffic and this budget.
    pub fn new(traffic: Traffic, ledger: Option<Arc<BudgetLedger>>) -> Self {
        let (permits, reservations) = (Mutex::default(), Mutex::default());
        Self { traffic, ledger, numbers: AtomicU64::new(0), permits, reservations }
    }

    /// The answer to a question of a process.
    pub async fn answer(&self, process: usize, asked: Asked) -> Told {
        let own = |mut request: PermitRequest| {
            request.call |= (process as u64) << CALLS;
            request
        };
        match asked {
            Asked::Acquire(route, request) => match self.traffic.grant(route, own(request)).await {
                Ok(granted) => {
                    let number = self.numbers.fetch_add(1, Ordering::Relaxed);
                    let told = Told::Permit(number, granted.endpoint, granted.is_whole);
                    lock(&self.permits).insert(number, granted);
                    told
                }
                Err(error) => told_of(&error),
            },
            Asked::Ended(number, ending) => {
                let granted = lock(&self.permits).remove(&number);
                match granted {
                    Some(granted) => end(granted, ending).await,
                    None => Told::Done,
                }
            }
            Asked::TakesLess(route, target) => {
                self.traffic.takes_less(route, target);
                Told::Done
            }
            Asked::HasRefused(route, request) => Told::Is(self.traffic.has_refused(route, &own(request)).await),
            Asked::Reserve(worst) => {
                let Some(ledger) = &self.ledger else { return Told::Reserved(0) };
                match ledger.reserve(worst).await {
                    Ok(reservation) => {
                        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
                        let reservation = Arc::new(tokio::sync::Mutex::new(reservation));
                        lock(&self.reservations).insert(number, reservation);
                        Told::Reserved(number)
                    }
                    Err(error) => told_of(&error),
                }
            }
            Asked::Sent(number) => {
                let reservation = lock(&self.reservations).get(&number).cloned();
                let Some(reservation) = reservation else { return Told::Done };
                let sent = reservation.lock().await.sent().await;
                sent.map_or_else(|error| told_of(&error), |()| Told::Done)
            }
            Asked::Settled(number, cost) => {
                let reservation = lock(&self.reservations).remove(&number);
                if let Some(reservation) = reservation {
                    reservation.lock().await.cost(cost);
                }
                Told::Done
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn told_of(error: &ModelError) -> Told {
    match error {
        ModelError::Halted(reason) => Told::Halted(reason.clone()),
        ModelError::Gone(reason) => Told::Gone(reason.clone()),
        other => Told::Halted(other.to_string()),
    }
}

async fn end(granted: Granted, ending: Ending) -> Told {
    match ending {
        Ending::Answered(tokens, latency, headers) => granted.answered(tokens, latency, &read(&headers)),
        Ending::Overloaded(after, headers, error) => granted.overloaded(after, &read(&headers), &error),
        Ending::Failed(failure, error) => return Told::Is(granted.failed(failure, &error)),
        Ending::Unusable(error) => granted.unusable(&error),
        Ending::Misled(error) => return Told::Is(granted.misled(&error)),
        Ending::Refused(mut request, error) => {
            let refusal = granted.refused(&mut request, &error).await;
            return Told::Refusal(refusal, request);
        }
        Ending::Abandoned => {}
    }
    Told::Done
}

/// Headers that may tell of limits, to be sent on.
pub(super) fn written(headers: &HeaderMap) -> Headers {
    let telling = |name: &str| name.contains("limit") || name.contains("retry") || name == "date";
    let headers = headers.iter().filter(|(name, _)| telling(name.as_str()));
    headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

fn read(headers: &Headers) -> HeaderMap {
    let header = |(name, value): &(String, Vec<u8>)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    headers.iter().filter_map(header).collect()
}

/// A permit that another process has given.
pub(super) struct Lent {
    desk: Desk,
    number: u64,
    is_over: bool,
}

impl Lent {
    /// Asks there for a permit.
    ///
    /// # Errors
    /// When the run has to stop, or goes on without this judge.
    pub async fn acquire(desk: &Desk, route: RouteId, request: PermitRequest) -> Result<Permit, ModelError> {
        match desk.ask(Asked::Acquire(route, request)).await {
            Told::Permit(number, endpoint, is_whole) => {
                Ok(Permit::lent(Self { desk: desk.clone(), number, is_over: false }, endpoint, is_whole))
            }
            Told::Halted(reason) => Err(ModelError::Halted(reason)),
            Told::Gone(reason) => Err(ModelError::Gone(reason)),
            _ => Err(ModelError::Halted("the first process gives no permits".into())),
        }
    }

    /// Tells what came of the request; the answer need not be waited for.
    pub fn end(mut self, ending: Ending) -> Telling {
        self.is_over = true;
        self.desk.ask(Asked::Ended(self.number, ending))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_over {
            drop(self.desk.ask(Asked::Ended(self.number, Ending::Abandoned)));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::budget::Budget;
    use super::super::{EndpointLimits, Strategy};
    use super::*;
    use crate::domain::Observer;
    use tokio::sync::oneshot;

    fn traffic(max_in_flight: u32) -> (Traffic, RouteId) {
        let traffic = Traffic::new(Arc::default(), Duration::from_secs(600), Observer::default());
        let (identity, name) = ("a".to_owned(), "a".to_owned());
        let limits =
            EndpointLimits { identity, name, weight: 1.0, max_in_flight: Some(max_in_flight), per_minute: [None; 2] };
        let route = traffic.route(vec![limits], Strategy::default(), [None; 2]);
        (traffic, route)
    }

    /// A desk at which a process asks the one that answers.
    fn desk(answering: &Arc<Answering>, process: usize) -> Desk {
        let answering = answering.clone();
        Desk::new(move |asked| {
            let (answer, told) = oneshot::channel();
            let answering = answering.clone();
            tokio::spawn(async move {
                let decided = answering.answer(process, asked).await;
                if let Some(back) = answer.send(decided).err().and_then(|unwanted| withdrawn(&unwanted)) {
                    answering.answer(process, back).await;
                }
            });
            Box::pin(async move { told.await.unwrap() })
        })
    }

    fn request(call: u64) -> PermitRequest {
        PermitRequest { call, tokens: 10.0, avoid: None, refused: Vec::new() }
    }

    async fn settle() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn a_limit_is_one_for_all_processes() {
        let (here, route) = traffic(1);
        let answering = Arc::new(Answering::new(here.clone(), None));
        let [one, two] = [1, 2].map(|process| {
            let (traffic, _) = traffic(1);
            traffic.ask_at(desk(&answering, process));
            traffic
        });
        let permit = one.acquire(route, request(0)).await.unwrap();
        assert!(permit.is_whole && permit.endpoint == TargetId(0));
        let waiting = tokio::spawn(async move { two.acquire(route, request(0)).await });
        settle().await;
        assert!(!waiting.is_finished(), "another process has the only place");
        permit.answered(Some(20), Duration::from_millis(5), &HeaderMap::new());
        let permit = waiting.await.unwrap().unwrap();
        // Whoever waits and goes away leaves no place taken.
        let gone = tokio::spawn({
            let one = one.clone();
            async move { one.acquire(route, request(1)).await.map(drop) }
        });
        settle().await;
        gone.abort();
        drop(permit);
        settle().await;
        let permit = here.acquire(route, request(2)).await.unwrap();
        assert!(!permit.failed(Failure::Unusable, "HTTP 500").await);
        assert!(lock(&answering.permits).is_empty());
    }

    #[tokio::test]
    async fn a_judge_that_is_lost_is_so_for_all_processes() {
        let (here, route) = traffic(1);
        let names = [1, 2].map(|name| name.to_string());
        let limits = |name: &String| EndpointLimits {
            identity: name.clone(),
            name: name.clone(),
            weight: 1.0,
            max_in_flight: None,
            per_minute: [None; 2],
        };
        let others = names.each_ref().map(|name| here.route(vec![limits(name)], Strategy::default(), [None; 2]));
        [route, others[0], others[1]].into_iter().for_each(|route| here.is_of_jury(route));
        let answering = Arc::new(Answering::new(here, None));
        let (one, _) = traffic(1);
        one.ask_at(desk(&answering, 1));
        one.acquire(route, request(0)).await.unwrap().unusable("no key");
        settle().await;
        let error = one.acquire(route, request(1)).await.map(drop).unwrap_err();
        assert_eq!(error, ModelError::Gone("no key".to_owned()));
        one.acquire(others[1], request(2)).await.unwrap();
    }

    #[tokio::test]
    async fn a_budget_is_one_for_all_processes() {
        let budget = Budget { calls: Some(3), ..Budget::default() };
        let ledger = || Arc::new(BudgetLedger::new(budget, Arc::default(), Observer::default()));
        let (traffic, _) = traffic(1);
        let answering = Arc::new(Answering::new(traffic, Some(ledger())));
        let [one, two] = [1, 2].map(|process| {
            let ledger = ledger();
            ledger.ask_at(desk(&answering, process));
            ledger
        });
        let worst = Cost { calls: 1, tokens: 100, nanousd: 7 };
        for ledger in [&one, &two] {
            let mut reservation = ledger.reserve(worst).await.unwrap();
            reservation.sent().await.unwrap();
        }
        // One that is not sent costs nothing.
        drop(one.reserve(worst).await.unwrap());
        settle().await;
        let mut last = two.reserve(worst).await.unwrap();
        last.sent().await.unwrap();
        drop(last);
        settle().await;
        let error = one.reserve(worst).await.map(drop).unwrap_err().to_string();
        assert!(error.starts_with("run.budget.calls (3) does not allow another call: 3 calls, 300 tokens"), "{error}");
        assert!(lock(&answering.reservations).is_empty());
    }
}
