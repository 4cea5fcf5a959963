//! Verbs on streams: the operators the pictures in `dataflows/` are made of. What to do comes in as a function.

pub mod accept;
pub mod advance;
pub mod call;
mod clock;
pub mod crossing;
pub mod dedup;
pub mod events;
pub mod feed;
mod home;
mod in_flight;
pub mod in_order;
mod news;
pub mod quota;
pub mod record;
pub mod settle;
pub mod slots;
pub mod tally;
pub mod watermark;

pub use accept::{Inputs, Outputs, accept};
pub use advance::advance;
pub use call::{Executor, Stop, call};
pub use dedup::{Near, dedup};
pub use events::Event;
pub use feed::feed;
pub use home::Retries;
pub use in_flight::{Epoch, InFlight};
pub use in_order::in_order;
pub use quota::{Numbering, Opening, Quota, Target};
pub use record::record;
pub use settle::{Settlement, settle};
pub use slots::slots;
pub use tally::{Completion, Shortfall, Tally};
pub use watermark::{Report, Watermark};

use timely::dataflow::StreamVec;

/// A stream of the graph: its logical time is a number without unit.
pub type Flow<'scope, D> = StreamVec<'scope, u64, D>;
