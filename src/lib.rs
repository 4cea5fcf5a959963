//! dlgforge turns a folder of documents into a dataset of grounded multi-turn conversations.
//!
//! # A run
//!
//! ```text
//! cli ─▶ settings ─▶ run: prepare ─▶ open ─▶ execute ───────────────────────────────▶ conclude ─▶ summary
//!                         documents   store    │                                        files
//!                         prompts     ledger   ▼
//!                         models             dataflows::generate, on every worker thread
//!                                              slots ─▶ ask ─▶ accept ─▶ answer ─▶ judge ─▶ advance ─▶ settle ─▶ record
//!                                                       │        ▲         │         │                           │
//!                                                       │      dedup       │         │                           ▼
//!                                              tasks:  stages ─▶ llm (journal) ─▶ providers ─▶ traffic ─▶ HTTP  output
//! ```
//!
//! [`cli`] reads what the user typed, [`settings`] what it means, [`run`] carries it out. It *prepares* (the [`knowledge`]
//! base, prompts, the [`plan`], models), *opens* the run in its folder (new, or one that goes on), *executes* it, and
//! *concludes* (the last files, the summary). What happens on the way is told to listeners, among them the terminal,
//! the log, events as JSON and metrics; rooms that know nothing of runs tell a [`domain::Observer`] that they are made with.
//!
//! The graph is [`dataflows::generate()`], read from top to bottom; its verbs are [`operators`], the data that flows is
//! [`domain`]. A stage makes a prompt and reads the reply; every reply goes through the journal of the [`store`] before the
//! graph sees it. A writer thread hands settled conversations to [`output`], which tells what they say in [`files`], and has the store admit them. A run that goes
//! on is the same graph, with what is settled counted and the journal answering first.
//!
//! Where several processes make a run, the graph runs over all of them ([`cluster`]): the first has the store, the files, the traffic
//! and the budget, which the others ask for over a line; conversations stay where their slots put them, and cross when they are
//! settled. Shards of a run know nothing of each other: each is a run of its own whose slots and waves have other numbers, and
//! `run::merge` accepts what they asked once more, without a graph.
//!
//! Conversations that are there are judged by a graph of its own, [`dataflows::judge()`]: they are read back as data, their verdicts
//! go through the journal, and the files that tell of verdicts are written anew, all together.
//!
//! Output folders are looked at in a browser: [`view`] keeps an index beside the files and serves pages to this machine alone.
//!
//! Tables that are there are exported by a third graph, [`dataflows::export()`]: [`publish`] reads them part by part, keeps and splits
//! rows and renders them for trainers; the first worker writes, in order. Statistics, the card and a push to the Hub start from the same
//! rows.
//!
//! # Words
//!
//! - A **slot** is the place of a conversation in the run: its language and its number there.
//! - A **wave** is `run.batch_size` slots of a language that know the same of the conversations before them.
//! - A **rank** is the place of a question in the order in which questions would be decided one after the other: language, wave,
//!   turn, attempt, slot.
//! - A **claim** is a question, by its fingerprint, at its rank: it wins if no claim of the same fingerprint ranks lower, and, where
//!   near-duplicates are looked for, if no question that wins, ranks lower and is too close to it does.
//! - A **tick** is a moment of the graph's logical clock; an event moves it, not time.
//! - A **verdict** says whether a claim wins, as of a tick; it may change when a claim of lower rank comes late, and then the
//!   conversation is rolled back to that question: its **epoch** ends and the next begins.
//! - The **watermark** is the lowest rank that any open conversation may still claim: what ranks below it can't change.
//! - A conversation is **settled** when it has ended and nothing can change it any more: it leaves the graph, in slot order.
//! - It is **admitted** when the store has recorded how long every file is with its rows in it: a crash takes nothing back of it.
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
//! | which endpoint takes a request and when, and which of them are up | [`traffic`], one for all models of all processes |
//! | which model servers of the run are alive | [`servers`], each behind a process that ends it with the run |
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
//!
//! # To add …
//!
//! - **a provider**: a row of `providers/provider.rs`; a protocol of its own is a file in `providers/wire/`.
//! - **a setting**: its declaration in `settings/` with its comment in `config/default.yaml`, and the field of the options that
//!   uses it.
//! - **a kind of model server** that runs start: a variant of [`servers::Engine`] with its command line.
//! - **a launcher** of processes: a file in `run/launch/`, a variant of [`settings::Launcher`] with its word.
//! - **a tool** of the assistant: a [`tools::Tool`], put into the toolbox where `run/inputs.rs` builds it.
//! - **a retriever**: a [`knowledge::Retriever`], chosen in `run/inputs.rs`.
//! - **a format of exports**: a file in `publish/formats/`, and a line in its list.
//! - **an output format**: a file in `output/` with the type of its rows, and a line in the list of `output/formats.rs`.
//! - **a figure of the statistics**: a field of the report in `publish/stats/report.rs`, and what counts it; a plot is a row in `publish/plots.rs`.
//! - **a page of the browser**: a script in `view/pages/` with its line in the list of `view/server`, and its name in `view.js`.
//! - **a document type**: a file in `knowledge/formats/`, a `Format` with its endings, and its line in `parts`.
//! - **a question mode**: a variant of [`domain::QuestionMode`], its text in the prompts of the user model and of the judge, where
//!   it may stand in `plan/quotas.rs`, and what the built-in model says in it.
//! - **a check** of messages: a file in `stages/faults/`, called in `stages/checks.rs`.
//! - **a label** of turns: a variant of [`domain::findings::Label`], told in `stages/labels/`, with texts in its table.
//! - **a listener**: a [`run::Listener`], named in `commands/report.rs`.
//! - **an event**: a variant of the `Event` of the room where it happens, its line in `run/log_lines.rs`, if it has one, and its object in
//!   `run/event_lines.rs`.

/// Fixtures are shared with the tests of the folder `tests`, which know the library by its name.
#[cfg(test)]
extern crate self as dlgforge;

pub mod builtin;
pub mod cli;
pub mod cluster;
#[path = "../dataflows/mod.rs"]
pub mod dataflows;
pub mod domain;
pub mod files;
pub mod knowledge;
pub mod llm;
pub mod operators;
pub mod output;
pub mod pages;
pub mod plan;
pub mod providers;
pub mod publish;
pub mod run;
pub mod servers;
pub mod settings;
pub mod stages;
pub mod store;
pub mod tools;
pub mod traffic;
pub mod view;
