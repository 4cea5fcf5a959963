//! The queues of vLLM servers, by their own account: while requests wait at one, it is given fewer at a time.

use super::endpoint::{Endpoint, Queue};
use crate::traffic::{RouteId, TargetId, Traffic};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often a queue is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The queues of a run that are watched, by tasks that end with this.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    /// The endpoints that have a task, by their address.
    sites: BTreeSet<String>,
    tasks: JoinSet<()>,
}

impl Queues {
    /// Watches the queues of a route's endpoints, in their order, where that is not done yet.
    pub fn watch<'a>(&self, traffic: &Traffic, route: RouteId, endpoints: impl Iterator<Item = &'a Arc<Endpoint>>) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, endpoint) in endpoints.enumerate() {
            if watched.sites.insert(endpoint.site()) {
                watched.tasks.spawn(follow(endpoint.clone(), traffic.clone(), route, TargetId(number)));
            }
        }
    }
}

/// Tells the traffic of a server's queue, again and again; a server that does not tell of it is left alone.
async fn follow(endpoint: Arc<Endpoint>, traffic: Traffic, route: RouteId, target: TargetId) {
    let mut is_known = false;
    loop {
        match endpoint.queue().await {
            Queue::Waiting(waiting) => {
                traffic.queued(route, target, waiting);
                is_known = true;
            }
            Queue::Unknown if !is_known => return,
            Queue::Unknown | Queue::Unreachable => {}
        }
        tokio::time::sleep(EVERY).await;
    }
}
