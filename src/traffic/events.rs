//! What happens to endpoints and to the budget, told as it happens.

use super::budget::Cost;

/// What has happened to an endpoint, known by its name in messages, or to the budget of the run. The traffic waits for
/// whoever hears of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An endpoint counts as down: it is only asked from time to time.
    Down {
        /// The endpoint that is down.
        endpoint: String,
        /// What went wrong last.
        error: String,
    },
    /// An endpoint that was down answers again.
    Up {
        /// The endpoint that is up.
        endpoint: String,
    },
    /// An endpoint is given fewer requests at a time. It is told once in a while only.
    Slowed {
        /// The endpoint that has too much to do.
        endpoint: String,
        /// What it says, or how that shows.
        why: String,
        /// The most requests at a time that it is given now.
        limit: u32,
    },
    /// An endpoint is of no use to an agent, and not asked by it any more.
    LeftOut {
        /// The endpoint that is left out.
        endpoint: String,
        /// Why nothing can come of it.
        error: String,
    },
    /// It was learned what an endpoint does not take, or takes otherwise: its requests are written so from now on.
    Learned {
        /// The root of its API.
        endpoint: String,
        /// What is so of it, and what follows from that.
        text: String,
    },
    /// A request is over that counts against the budget. Only a run that has a budget tells of it.
    Spent {
        /// What it has cost, or may have.
        cost: Cost,
        /// What the run has spent with it.
        total: Cost,
    },
    /// The budget does not allow another call: the run stops. It is told once.
    CapReached {
        /// The cap that is reached, with its value.
        cap: String,
        /// What the run has spent.
        spent: Cost,
    },
}
