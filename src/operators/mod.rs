//! Verbs on streams: the operators the pictures in `dataflows/` are made of. What to do comes in as a function.

pub mod accept;
pub mod advance;
pub mod call;
mod clock;
pub mod dedup;
pub mod quota;
pub mod record;
pub mod settle;
pub mod slots;

pub use accept::{Accepted, accept};
pub use advance::advance;
pub use call::{Desk, Stop, call};
pub use dedup::dedup;
pub use quota::{Opening, Outcome, Quota, Shortfall, Tally};
pub use record::record;
pub use settle::{Settlement, settle};
pub use slots::slots;

use timely::dataflow::StreamVec;

/// A stream of the graph: its logical time is a number without unit.
pub type Flow<'scope, D> = StreamVec<'scope, u64, D>;
