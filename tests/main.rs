//! All integration tests, in one binary.

mod determinism;
mod endpoint;
mod errors;
mod generation;
mod graph;
mod interrupt;
mod mutants;
mod outputs;
mod promises;
mod quickstart;
mod secrets;
mod support;
mod tidy;
