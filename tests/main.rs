//! All integration tests, in one binary.

mod bodies;
mod budget;
mod coverage;
mod determinism;
mod documents;
mod durability;
mod endpoint;
mod endpoints;
mod errors;
mod estimate;
mod events;
mod generation;
mod graph;
mod grounding;
mod interrupt;
mod limits;
mod mutants;
mod outputs;
mod promises;
mod quickstart;
mod resume;
mod retrieval;
mod routing;
mod secrets;
mod support;
mod tidy;
