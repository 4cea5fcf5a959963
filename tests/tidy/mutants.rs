//! Sources that prove the rules: each breaks one, or only looks as if it did.

/// A project of one file.
pub struct Mutant {
    /// The rule it is about.
    pub rule: &'static str,
    /// Where its file lies.
    pub path: &'static str,
    /// What its file holds.
    pub text: &'static str,
    /// Whether the rule must find something.
    pub broken: bool,
}

const fn broken(rule: &'static str, path: &'static str, text: &'static str) -> Mutant {
    Mutant { rule, path, text, broken: true }
}

const fn allowed(rule: &'static str, path: &'static str, text: &'static str) -> Mutant {
    Mutant { rule, path, text, broken: false }
}

/// A file of `domain`, which may import nothing of ours.
const DATUM: &str = "src/domain/slot.rs";

/// All that are written out.
pub const MUTANTS: &[Mutant] = &[
    broken("imports", DATUM, "use crate::llm;"),
    broken("imports", DATUM, "use crate::{domain::Slot, llm::{self, Chat}};"),
    broken("imports", DATUM, "use crate::llm as models;"),
    broken("imports", DATUM, "use crate::llm::*;"),
    broken("imports", DATUM, "use crate::*;"),
    broken("imports", DATUM, "use crate as all; fn f() { all::llm::chat() }"),
    broken("imports", DATUM, "use super::super::llm::Chat;"),
    broken("imports", DATUM, "mod inner { use super::super::super::{llm::Chat}; }"),
    broken("imports", DATUM, "pub use dlgforge::llm::Chat;"),
    broken("imports", DATUM, "fn f() { use crate::llm::chat; }"),
    broken("imports", DATUM, "fn f() -> usize { crate::llm::chat(1) }"),
    broken("imports", DATUM, "struct A(Vec<crate::llm::Chat>);"),
    broken("imports", DATUM, "impl crate::llm::Chat for A {}"),
    broken("imports", DATUM, "fn f(a: impl Fn(&dyn crate::llm::Chat)) {}"),
    broken("imports", DATUM, "#[derive(crate::llm::Chat)] struct A;"),
    broken("imports", DATUM, "fn f() { println!(\"{}\", crate::llm::chat()) }"),
    broken("imports", DATUM, "fn f() { vec![(1, [crate::llm::chat()])] }"),
    broken("imports", DATUM, "macro_rules! m { () => { use $crate::{domain::Slot, llm::{Chat}}; } }"),
    broken("imports", DATUM, "macro_rules! m { () => { use crate::llm::*; } }"),
    broken("imports", DATUM, "#[cfg(not(test))] use crate::llm::Chat;"),
    broken("imports", "src/domain/mod.rs", "pub use super::llm::Chat;"),
    broken("imports", "src/run.rs", "use super::cli;"),
    broken("imports", "dataflows/generate.rs", "use crate::settings;"),
    broken("imports", "src/main.rs", "use dlgforge::{cli, llm};"),
    allowed("imports", DATUM, "// use crate::llm;\n/* crate::llm::Chat */ fn f() {}"),
    allowed("imports", DATUM, "/// See [`crate::llm::Chat`].\npub struct A;"),
    allowed("imports", DATUM, "const A: &str = \"use crate::llm;\";"),
    allowed("imports", DATUM, "fn f() { print!(\"crate::llm::Chat\") }"),
    allowed("imports", DATUM, "use super::llm; use crate::domain::{self, llm::Chat};"),
    allowed("imports", DATUM, "use crate::domain::Slot as llm; fn f() { llm::new() }"),
    allowed("imports", DATUM, "fn f() { other::llm::chat(); self::llm::chat() }"),
    allowed("imports", DATUM, "mod llm {} fn f() { llm::chat() }"),
    allowed("imports", DATUM, "#[cfg(test)] mod tests { use crate::{llm::Chat, run}; }"),
    allowed("imports", DATUM, "struct A; impl A { #[cfg(test)] fn f() { crate::llm::chat() } }"),
    allowed("imports", DATUM, "fn f() { #[cfg(test)] crate::llm::chat(); }"),
    allowed("imports", DATUM, "#![cfg(test)] use crate::llm::Chat;"),
    allowed("imports", DATUM, "pub(in crate::domain) fn f() {}"),
    allowed("imports", "tests/domain.rs", "use crate::llm::Chat;"),
    allowed("imports", "dataflows/generate.rs", "use crate::{operators, domain::Slot};"),
    broken("places", "src/plan/draw.rs", "use timely::dataflow::Scope;"),
    broken("places", "src/plan/draw.rs", "use {timely::dataflow as flow};"),
    broken("places", "src/plan/draw.rs", "fn f(a: differential_dataflow::Collection<u8>) {}"),
    broken("places", "src/plan/draw.rs", "use timely as t;"),
    allowed("places", "src/plan/draw.rs", "/// As timely::dataflow has it.\nfn timely() { let timely = 1; }"),
    allowed("places", "src/plan/draw.rs", "mod a { pub mod timely {} } use a::timely::Scope;"),
    allowed("places", "src/operators/settle.rs", "use timely::dataflow::Scope;"),
    broken("places", "src/plan/draw.rs", "async fn f() {}"),
    broken("places", "src/plan/draw.rs", "fn f() { let a = async { 1 }; }"),
    broken("places", "src/plan/draw.rs", "fn f() { let a = async || 1; }"),
    broken("places", "src/plan/draw.rs", "trait A { async fn f(); }"),
    broken("places", "src/plan/draw.rs", "fn f() { a!(async move { 1 }) }"),
    broken("places", "src/operators/settle.rs", "async fn f() {}"),
    allowed("places", "src/plan/draw.rs", "// async fn f() {}\nfn f() { let a = \"async {}\"; }"),
    allowed("places", "src/plan/draw.rs", "#[cfg(test)] async fn f() {}"),
    allowed("places", "src/operators/call.rs", "async fn f() {}"),
    broken("places", "src/llm/router.rs", "use tokio::runtime::{Handle, Runtime};"),
    broken("places", "src/llm/router.rs", "fn f() { tokio::runtime::Builder::new_current_thread(); }"),
    broken("places", "src/llm/router.rs", "use tokio::runtime; fn f() { runtime::Runtime::new(); }"),
    broken("places", "src/llm/router.rs", "use tokio::runtime::*;"),
    broken("places", "src/main.rs", "#[tokio::main] fn main() {}"),
    allowed("places", "src/llm/router.rs", "use tokio::runtime::Handle; struct Runtime;"),
    allowed("places", "src/run/signals.rs", "use tokio::runtime::Runtime;"),
    broken("places", "src/llm/router.rs", "fn f() { std::thread::spawn(|| 1); }"),
    broken("places", "src/llm/router.rs", "use std::{thread as t}; fn f() { t::Builder::new(); }"),
    broken("places", "src/llm/router.rs", "use std::thread::{self, JoinHandle}; fn f() { thread::scope(|_| 1); }"),
    broken("places", "src/llm/router.rs", "use std::thread; fn f() { vec![thread::spawn(f)]; }"),
    allowed(
        "places",
        "src/llm/router.rs",
        "use std::thread::JoinHandle; fn f() { std::thread::sleep(A); tokio::spawn(b); }",
    ),
    allowed("places", "src/llm/router.rs", "// std::thread::spawn(f)\nfn spawn() { other::thread::spawn(1) }"),
    allowed("places", "src/store/journal.rs", "use std::thread; fn f() { thread::spawn(f); }"),
    broken("places", "src/run/writer.rs", "fn f() { std::process::exit(1) }"),
    broken("places", "src/run/writer.rs", "use std::process::{Command, abort};"),
    broken("places", "src/run/writer.rs", "use std::process; fn f() { process::exit(1) }"),
    allowed("places", "src/run/writer.rs", "/// Calls std::process::exit.\nuse std::process::ExitCode;"),
    allowed("places", "src/main.rs", "fn main() { std::process::exit(1) }"),
    broken("module documentation", "src/plan/draw.rs", "fn f() {}"),
    broken("module documentation", "tests/graph.rs", "// A graph.\nfn f() {}"),
    broken("module documentation", "tests/graph.rs", "/// A graph.\nfn f() {}"),
    allowed("module documentation", "src/plan/draw.rs", "//! Draws.\n\nfn f() {}"),
    broken("one path attribute", "src/plan/mod.rs", "#[path = \"../a.rs\"] mod a;"),
    broken("one path attribute", "src/lib.rs", "#[path = \"../a.rs\"] mod a; #[path = \"../b.rs\"] mod b;"),
    broken("one path attribute", "src/plan/mod.rs", "#[cfg_attr(unix, path = \"../a.rs\")] mod a;"),
    allowed(
        "one path attribute",
        "src/plan/mod.rs",
        "/// Where `path = a`.\nmod b; #[cfg(test)] #[path = \"../a.rs\"] mod a;",
    ),
    allowed("one path attribute", "src/lib.rs", "#[path = \"../a.rs\"] mod a;"),
    broken("rooms", "src/helpers/mod.rs", "fn f() {}"),
    broken("rooms", "src/helpers.rs", "fn f() {}"),
    allowed("rooms", "src/domain/helpers.rs", "fn f() {}"),
    allowed("rooms", "src/lib.rs", "mod domain;"),
];
