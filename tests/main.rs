//! All integration tests, in one binary.

mod endpoint;
mod errors;
mod generation;
mod graph;
mod interrupt;
mod outputs;
mod quickstart;
mod support;
mod tidy;
