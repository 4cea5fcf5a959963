//! What the models of one run share: counters, connections, and what is known about each endpoint.

use super::Provider;
use super::address::shown;
use super::capabilities::Capabilities;
use super::check::Check;
use super::facts::Facts;
use super::queues::Queues;
use crate::domain::causes::causes;
use crate::domain::{Agent, Observer};
use crate::llm::halt::Halt;
use crate::llm::{self, Meter, ModelError, Prices};
use crate::store::{Fact, Spent, Store, StoreError};
use crate::traffic::budget::{BudgetLedger, Cost};
use crate::traffic::desk::{Answering, Desk};
use crate::traffic::{self, Budget, RouteId, Traffic};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long all endpoints may be down, where nobody says.
const MAX_OUTAGE: Duration = Duration::from_secs(600);

/// Who hears what happens between a run and its models; nobody by default.
#[derive(Debug, Clone, Default)]
pub struct Observers {
    /// Hears what becomes of calls.
    pub calls: Observer<llm::Event>,
    /// Hears of endpoints and of the budget.
    pub traffic: Observer<traffic::Event>,
}

/// One per run; given to every [`connect`](super::connect).
pub struct Shared {
    /// What the calls of all models cost.
    pub meter: Arc<Meter>,
    /// What tokens of each model cost.
    pub prices: Arc<Prices>,
    /// Told when the run has to stop.
    pub halt: Arc<Halt>,
    pub(super) budget: Budget,
    pub(super) ledger: Option<Arc<BudgetLedger>>,
    pub(super) traffic: Traffic,
    /// For plain HTTP and for TLS, made when the first endpoint needs one.
    clients: Mutex<BTreeMap<bool, Client>>,
    /// By base URL and model.
    capabilities: Mutex<BTreeMap<(String, String), Arc<Capabilities>>>,
    /// What was learned of endpoints.
    facts: Arc<Facts>,
    /// The check before the first request, if there is to be one.
    pub(super) check: Option<Arc<Check>>,
    /// The queues of endpoints, if they are to be watched.
    pub(super) queues: Option<Arc<Queues>>,
    /// Who hears what becomes of calls.
    pub(super) calls: Observer<llm::Event>,
    /// The way of each agent to its endpoints.
    ways: Mutex<Vec<Way>>,
}

/// The way of an agent to its endpoints.
struct Way {
    agent: Agent,
    /// The names of their models.
    models: Vec<Arc<str>>,
    route: RouteId,
}

impl Shared {
    /// Nothing counted, connected or learned yet.
    pub fn new(prices: Prices, budget: Budget, max_outage: Duration, observers: Observers) -> Self {
        let Observers { calls, traffic } = observers;
        let halt = Arc::new(Halt::default());
        Self {
            meter: Arc::default(),
            prices: Arc::new(prices),
            budget,
            ledger: budget.is_set().then(|| Arc::new(BudgetLedger::new(budget, halt.clone(), traffic.clone()))),
            facts: Arc::new(Facts::new(traffic.clone())),
            traffic: Traffic::new(halt.clone(), max_outage, traffic),
            halt,
            clients: Mutex::default(),
            capabilities: Mutex::default(),
            check: None,
            queues: None,
            calls,
            ways: Mutex::default(),
        }
    }

    /// The same, with a check of all endpoints before the first request. They may be down for so long at other times.
    pub fn checking(self, max_outage: Duration) -> Self {
        Self { check: Some(Arc::new(Check::new(max_outage))), ..self }
    }

    /// The same, with an eye on the queues of the endpoints, which are vLLM servers or may be.
    pub fn watching_queues(self) -> Self {
        Self { queues: Some(Arc::default()), ..self }
    }

    /// The same, with no more than so many requests in flight at a time: those of all processes that ask here.
    pub fn at_most(self, requests: u32) -> Self {
        self.traffic.at_most(requests);
        self
    }

    /// Takes note of the run: what it spent before it was resumed, and on which agents, and where that and what is learned of
    /// endpoints is kept.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn open(&self, store: &Arc<dyn Store>, run: &Arc<str>) -> Result<(), StoreError> {
        let (keeps, of) = (store.clone(), run.clone());
        self.keep_facts(move |fact| keeps.learn(&of, fact));
        let spent = store.spent(run)?;
        for Way { agent, models, route } in &*lock(&self.ways) {
            let is_its =
                |spent: &Spent| spent.agent == agent.as_str() && models.iter().any(|model| **model == *spent.model);
            if spent.iter().any(is_its) {
                self.traffic.has_replied_before(*route);
            }
        }
        self.ledger.iter().try_for_each(|ledger| ledger.open(store.clone(), run))
    }

    /// Takes note of what others have spent of the run's budget.
    pub fn add_spending(&self, spent: Cost) {
        self.ledger.iter().for_each(|ledger| ledger.add(spent));
    }

    /// Takes note of an agent's way to its endpoints, with the names of their models.
    pub(super) fn add_way(&self, agent: Agent, models: Vec<Arc<str>>, route: RouteId) {
        lock(&self.ways).push(Way { agent, models, route });
    }

    /// Has another process, which makes the run with this one, decide about the budget, and about traffic where both ask the
    /// same endpoints.
    pub fn ask_at(&self, desk: &Desk, have_endpoints_in_common: bool) {
        if have_endpoints_in_common {
            self.traffic.ask_at(desk.clone());
        }
        self.ledger.iter().for_each(|ledger| ledger.ask_at(desk.clone()));
    }

    /// What answers the processes that ask here.
    pub fn answering(&self) -> Answering {
        Answering::new(self.traffic.clone(), self.ledger.clone())
    }

    /// Takes note of how what is learned of endpoints is kept.
    pub fn keep_facts(&self, keep: impl Fn(&Fact) -> Result<(), StoreError> + Send + Sync + 'static) {
        self.facts.keep_by(Box::new(keep));
    }

    /// An HTTP client. Its idle connections are not limited: as many are kept as were ever in flight together.
    ///
    /// # Errors
    /// When `tls` is needed and the system has no certificates.
    pub(super) fn client(&self, tls: bool) -> Result<Client, ModelError> {
        let mut clients = lock(&self.clients);
        if let Some(client) = clients.get(&tls) {
            return Ok(client.clone());
        }
        let client = match builder().build() {
            // Plain HTTP does without certificates, which minimal systems don't have.
            Err(_) if !tls => builder().tls_certs_only([]).build(),
            built => built,
        };
        let client = client.map_err(|error| {
            ModelError::Settings(format!("HTTP client: {}; install the system's CA certificates", causes(&error)))
        })?;
        clients.insert(tls, client.clone());
        Ok(client)
    }

    /// What is known about the endpoint at this base URL with this model.
    pub(super) fn capabilities(&self, base: &Url, model: &str, provider: &Provider) -> Arc<Capabilities> {
        let mut all = lock(&self.capabilities);
        let new = || Arc::new(Capabilities::new(shown(base), model, provider, self.facts.clone()));
        all.entry((base.as_str().to_owned(), model.to_owned())).or_insert_with(new).clone()
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new(Prices::default(), Budget::default(), MAX_OUTAGE, Observers::default())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn builder() -> ClientBuilder {
    Client::builder().user_agent(concat!("dlgforge/", env!("CARGO_PKG_VERSION"))).redirect(Policy::none())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    /// Minimal containers have no certificates; models beside the program are reached over plain HTTP.
    #[test]
    fn plain_http_needs_no_certificates() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "providers::router::tests::a_reply_is_read_and_counted"])
            .env("SSL_CERT_FILE", "/nonexistent")
            .env("SSL_CERT_DIR", "/nonexistent")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}
