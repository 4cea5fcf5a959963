//! Model servers that a run starts on this machine: `vllm serve`, or llama.cpp's `llama-server`.
//!
//! [`start`] starts all replicas, waits until each answers, and gives a [`Managed`] that keeps them alive: one that dies is
//! started again, ever less often, while the router asks the others. Between this process and each server stands a small
//! process of the same program (`guard`), which ends the server, and all that it has started, when it is told to or when
//! this process is gone, however that came.
//!
//! What differs between the two kinds of servers is their command line (`command`); what they serve is asked for as at any
//! endpoint, so that no data follow from who has started them.

mod command;
mod error;
mod events;
mod gpus;
mod guard;
mod lines;
mod options;
mod programs;
mod ready;
mod replica;
mod supervise;

pub use command::reserved;
pub use error::ServerError;
pub use events::Event;
pub use guard::{COMMAND, GuardOptions, guard};
pub use options::{Engine, ServedEndpoint, ServerOptions, Serving};
pub use supervise::{Managed, check, start};
