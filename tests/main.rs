//! All integration tests, in one binary.

mod determinism;
mod durability;
mod endpoint;
mod errors;
mod generation;
mod graph;
mod interrupt;
mod mutants;
mod outputs;
mod promises;
mod quickstart;
mod resume;
mod secrets;
mod support;
mod tidy;
