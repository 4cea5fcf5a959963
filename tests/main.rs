//! All integration tests, in one binary.

mod errors;
mod generation;
mod graph;
mod interrupt;
mod quickstart;
mod support;
mod tidy;
