//! The check before the first request: whether somebody is there at every endpoint, and takes the key.
//!
//! What it asks for, the list of models, costs nothing, and any response at all will do: many servers have no such list.

use super::endpoint::{Endpoint, Found};
use crate::llm::ModelError;
use crate::llm::halt::Halt;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// How long nobody may be there, and how often that is looked at.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);

/// The check of one run's endpoints.
pub(super) struct Check {
    patience: Duration,
    max_outage: Duration,
    /// By agent; none is checked where there are none.
    agents: Mutex<Vec<Vec<Arc<Endpoint>>>>,
    passed: OnceCell<()>,
}

impl Check {
    /// Of endpoints that may be down for so long.
    pub fn new(max_outage: Duration) -> Self {
        Self { patience: PATIENCE.min(max_outage), max_outage, agents: Mutex::default(), passed: OnceCell::new() }
    }

    /// Adds the endpoints of an agent.
    pub fn add(&self, endpoints: impl Iterator<Item = Arc<Endpoint>>) {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner).push(endpoints.collect());
    }

    /// Waits for the check, or makes it.
    ///
    /// # Errors
    /// When an agent has no endpoint that can be asked: the run has to stop.
    pub async fn pass(&self, halt: &Halt) -> Result<(), ModelError> {
        self.passed.get_or_init(|| self.make(halt)).await;
        halt.reason().map_or(Ok(()), |reason| Err(ModelError::Halted(reason.to_owned())))
    }

    async fn make(&self, halt: &Halt) {
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (began, mut found) = (Instant::now(), BTreeMap::new());
        loop {
            self.look(&agents, &mut found).await;
            let is_lost = |agent: &Vec<Arc<Endpoint>>| {
                !agent.is_empty() && !agent.iter().any(|one| matches!(found[&one.site()], Found::There(_)))
            };
            let is_lost = agents.iter().any(is_lost);
            let may_come = found.values().any(|found| matches!(found, Found::Nobody(_)));
            let waits = is_lost && may_come && began.elapsed() < self.patience;
            if !waits {
                return self.tell(halt, is_lost, &agents, &found);
            }
            tokio::time::sleep(PAUSE.min(self.patience)).await;
        }
    }

    /// Looks once at every endpoint where nobody has been found yet, at all of them together.
    async fn look(&self, agents: &[Vec<Arc<Endpoint>>], found: &mut BTreeMap<String, Found>) {
        let sites: BTreeMap<String, &Arc<Endpoint>> = agents.iter().flatten().map(|one| (one.site(), one)).collect();
        let is_open = |site: &String| matches!(found.get(site), None | Some(Found::Nobody(_)));
        let open: Vec<_> = sites.into_iter().filter(|(site, _)| is_open(site)).collect();
        for ((site, endpoint), now) in open.iter().zip(join_all(open.iter().map(|(_, one)| one.look())).await) {
            if let (Found::Nobody(told), None) = (&now, found.get(site)) {
                tracing::warn!(target: "dlgforge.llm", "[llm] {}: down: {told}", endpoint.shown);
            }
            found.insert(site.clone(), now);
        }
    }

    fn tell(&self, halt: &Halt, is_lost: bool, agents: &[Vec<Arc<Endpoint>>], found: &BTreeMap<String, Found>) {
        let (mut told, mut seen, mut waited) = (Vec::new(), BTreeSet::new(), false);
        let mut hinted = BTreeSet::new();
        for endpoint in agents.iter().flatten() {
            match &found[&endpoint.site()] {
                Found::There(models) if hinted.insert((endpoint.site(), &endpoint.model)) => endpoint.hint(models),
                Found::There(_) => {}
                Found::Nobody(trouble) | Found::Refused(trouble) if seen.insert(endpoint.site()) => {
                    waited |= matches!(&found[&endpoint.site()], Found::Nobody(_));
                    told.push(format!("{}: {trouble}", endpoint.shown));
                }
                Found::Nobody(_) | Found::Refused(_) => {}
            }
        }
        let told = told.join("; ");
        if is_lost {
            let key = if self.patience == self.max_outage { " (`llm.max_outage`)" } else { "" };
            let waited =
                if waited { format!("no reply for {} s{key}: ", self.patience.as_secs_f64()) } else { String::new() };
            halt.halt(format!("{waited}{told}; `--no-check` leaves this check out"));
        } else if !told.is_empty() {
            tracing::warn!(target: "dlgforge.llm", "[llm] not all endpoints can be asked yet: {told}");
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("passed", &self.passed).finish_non_exhaustive()
    }
}
