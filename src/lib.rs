//! dlgforge turns a folder of documents into a dataset of grounded multi-turn conversations.
//!
//! # How a run goes
//!
//! [`cli`] reads what the user typed, [`settings`] what it means, [`run`] carries it out: it reads the [`knowledge`]
//! base, sets up models ([`llm`], [`providers`]), prompts ([`stages`]) and the [`plan`], and builds one graph on every worker thread.
//! The graph is [`dataflows::generate()`], top to bottom; its verbs are [`operators`], the data that flows are [`domain`].
//! Every reply goes through the journal of the [`store`] first; a writer thread hands settled conversations to [`output`],
//! and has the store admit them. A run that goes on is the same graph, with what is settled counted and the journal
//! answering first.
//!
//! # Who owns which truth
//!
//! | truth | owner |
//! |---|---|
//! | which conversations there are, and how many are still wanted | [`operators::quota`], on the first worker |
//! | which question was first | [`operators::dedup()`], a differential collection exchanged by fingerprint |
//! | what can't change any more | [`operators::watermark`], on the first worker, from reports of every home |
//! | a conversation | its home, [`operators::accept()`], which keeps its path until it is final |
//! | what models have replied | the journal of the [`store`]: durable before the graph sees it |
//! | what is settled, which questions stay taken, which bytes of which file count | the [`store`], by one transaction for each admission |
//! | what an endpoint can't do | the capabilities of [`providers`], learned from its refusals and kept by the [`store`] |
//! | which endpoint takes a request and when, and which of them are up | [`traffic`], one for all models |
//! | what may still be spent | the budget of [`traffic`], which every request reserves from |
//! | how many calls are out | the permits of [`operators::Executor`], taken inside the tasks |
//! | the order of rows | [`operators::settle()`] on each worker, the writer thread over all of them |
//! | every random choice | [`plan`], from the run's seed and the place in the run |
//!
//! # Two sides of an operator
//!
//! Timely workers are threads that never block; model calls are tokio tasks. They meet in [`operators::call()`] alone: a
//! request starts a task, the task's end wakes the worker, and every request has exactly one outcome, also when its
//! task panics. A failure is data: it ends one conversation and is counted.
//!
//! # Not overly generic
//!
//! There are as many graphs as there are commands, written out by hand; a trait has two implementations or it does not
//! exist; a room owns its options and never sees the whole configuration.

pub mod builtin;
pub mod cli;
#[path = "../dataflows/mod.rs"]
pub mod dataflows;
pub mod domain;
pub mod knowledge;
pub mod llm;
pub mod operators;
pub mod output;
pub mod plan;
pub mod providers;
pub mod run;
pub mod settings;
pub mod stages;
pub mod store;
pub mod tools;
pub mod traffic;
