//! Sources that prove the rules: some break one, some only look as if they did.

/// Texts of one file.
pub struct Mutants {
    /// The rule they are about.
    pub rule: &'static str,
    /// Where the file lies.
    pub path: &'static str,
    /// Texts in which the rule must find something.
    pub broken: &'static [&'static str],
    /// Texts in which it must find nothing.
    pub allowed: &'static [&'static str],
}

/// A file of `domain`, which may import nothing of ours.
const DATUM: &str = "src/domain/slot.rs";

/// All that are written out.
pub const MUTANTS: &[Mutants] = &[
    Mutants {
        rule: "imports",
        path: DATUM,
        broken: &[
            "use crate::llm;",
            "use crate::{domain::Slot, llm::{self, Chat}};",
            "use crate::llm as models;",
            "use crate::llm::*;",
            "use crate::*;",
            "use crate as all; fn f() { all::llm::chat() }",
            "use super::super::llm::Chat;",
            "mod inner { use super::super::super::{llm::Chat}; }",
            "pub use dlgforge::llm::Chat;",
            "fn f() { use crate::llm::chat; }",
            "fn f() -> usize { crate::llm::chat(1) }",
            "struct A(Vec<crate::llm::Chat>);",
            "impl crate::llm::Chat for A {}",
            "fn f(a: impl Fn(&dyn crate::llm::Chat)) {}",
            "#[derive(crate::llm::Chat)] struct A;",
            "fn f() { println!(\"{}\", crate::llm::chat()) }",
            "fn f() { vec![(1, [crate::llm::chat()])] }",
            "macro_rules! m { () => { use $crate::{domain::Slot, llm::{Chat}}; } }",
            "macro_rules! m { () => { use crate::llm::*; } }",
            "#[cfg(not(test))] use crate::llm::Chat;",
        ],
        allowed: &[
            "// use crate::llm;\n/* crate::llm::Chat */ fn f() {}",
            "/// See [`crate::llm::Chat`].\npub struct A;",
            "const A: &str = \"use crate::llm;\";",
            "fn f() { print!(\"crate::llm::Chat\") }",
            "use super::llm; use crate::domain::{self, llm::Chat};",
            "use crate::domain::Slot as llm; fn f() { llm::new() }",
            "fn f() { other::llm::chat(); self::llm::chat() }",
            "mod llm {} fn f() { llm::chat() }",
            "#[cfg(test)] mod tests { use crate::{llm::Chat, run}; }",
            "struct A; impl A { #[cfg(test)] fn f() { crate::llm::chat() } }",
            "fn f() { #[cfg(test)] crate::llm::chat(); }",
            "#![cfg(test)] use crate::llm::Chat;",
            "pub(in crate::domain) fn f() {}",
        ],
    },
    Mutants { rule: "imports", path: "src/domain/mod.rs", broken: &["pub use super::llm::Chat;"], allowed: &[] },
    Mutants { rule: "imports", path: "src/run.rs", broken: &["use super::cli;"], allowed: &[] },
    Mutants {
        rule: "imports",
        path: "dataflows/generate.rs",
        broken: &["use crate::settings;"],
        allowed: &["use crate::{operators, domain::Slot};"],
    },
    Mutants { rule: "imports", path: "src/main.rs", broken: &["use dlgforge::{cli, llm};"], allowed: &[] },
    Mutants { rule: "imports", path: "tests/domain.rs", broken: &[], allowed: &["use crate::llm::Chat;"] },
    Mutants {
        rule: "places",
        path: "src/plan/draw.rs",
        broken: &[
            "use timely::dataflow::Scope;",
            "use {timely::dataflow as flow};",
            "fn f(a: differential_dataflow::Collection<u8>) {}",
            "use timely as t;",
            "async fn f() {}",
            "fn f() { let a = async { 1 }; }",
            "fn f() { let a = async || 1; }",
            "trait A { async fn f(); }",
            "fn f() { a!(async move { 1 }) }",
        ],
        allowed: &[
            "/// As timely::dataflow has it.\nfn timely() { let timely = 1; }",
            "mod a { pub mod timely {} } use a::timely::Scope;",
            "// async fn f() {}\nfn f() { let a = \"async {}\"; }",
            "#[cfg(test)] async fn f() {}",
        ],
    },
    Mutants {
        rule: "places",
        path: "src/operators/settle.rs",
        broken: &["async fn f() {}"],
        allowed: &["use timely::dataflow::Scope;"],
    },
    Mutants { rule: "places", path: "src/operators/call.rs", broken: &[], allowed: &["async fn f() {}"] },
    Mutants {
        rule: "places",
        path: "src/llm/router.rs",
        broken: &[
            "use tokio::runtime::{Handle, Runtime};",
            "fn f() { tokio::runtime::Builder::new_current_thread(); }",
            "use tokio::runtime; fn f() { runtime::Runtime::new(); }",
            "use tokio::runtime::*;",
            "fn f() { std::thread::spawn(|| 1); }",
            "use std::{thread as t}; fn f() { t::Builder::new(); }",
            "use std::thread::{self, JoinHandle}; fn f() { thread::scope(|_| 1); }",
            "use std::thread; fn f() { vec![thread::spawn(f)]; }",
        ],
        allowed: &[
            "use tokio::runtime::Handle; struct Runtime;",
            "use std::thread::JoinHandle; fn f() { std::thread::sleep(A); tokio::spawn(b); }",
            "// std::thread::spawn(f)\nfn spawn() { other::thread::spawn(1) }",
        ],
    },
    Mutants {
        rule: "places",
        path: "src/main.rs",
        broken: &["#[tokio::main] fn main() {}"],
        allowed: &["fn main() { std::process::exit(1) }"],
    },
    Mutants { rule: "places", path: "src/run/signals.rs", broken: &[], allowed: &["use tokio::runtime::Runtime;"] },
    Mutants {
        rule: "places",
        path: "src/store/journal.rs",
        broken: &[],
        allowed: &["use std::thread; fn f() { thread::spawn(f); }"],
    },
    Mutants {
        rule: "places",
        path: "src/run/writer.rs",
        broken: &[
            "fn f() { std::process::exit(1) }",
            "use std::process::{Command, abort};",
            "use std::process; fn f() { process::exit(1) }",
        ],
        allowed: &["/// Calls std::process::exit.\nuse std::process::ExitCode;"],
    },
    Mutants {
        rule: "module documentation",
        path: "src/plan/draw.rs",
        broken: &["fn f() {}"],
        allowed: &["//! Draws.\n\nfn f() {}"],
    },
    Mutants {
        rule: "module documentation",
        path: "tests/graph.rs",
        broken: &["// A graph.\nfn f() {}", "/// A graph.\nfn f() {}"],
        allowed: &[],
    },
    Mutants {
        rule: "one path attribute",
        path: "src/plan/mod.rs",
        broken: &["#[path = \"../a.rs\"] mod a;", "#[cfg_attr(unix, path = \"../a.rs\")] mod a;"],
        allowed: &["/// Where `path = a`.\nmod b; #[cfg(test)] #[path = \"../a.rs\"] mod a;"],
    },
    Mutants {
        rule: "one path attribute",
        path: "src/lib.rs",
        broken: &["#[path = \"../a.rs\"] mod a; #[path = \"../b.rs\"] mod b;"],
        allowed: &["#[path = \"../a.rs\"] mod a;"],
    },
    Mutants { rule: "rooms", path: "src/helpers/mod.rs", broken: &["fn f() {}"], allowed: &[] },
    Mutants { rule: "rooms", path: "src/helpers.rs", broken: &["fn f() {}"], allowed: &[] },
    Mutants { rule: "rooms", path: "src/domain/helpers.rs", broken: &[], allowed: &["fn f() {}"] },
    Mutants { rule: "rooms", path: "src/lib.rs", broken: &[], allowed: &["mod domain;"] },
    Mutants {
        rule: "sentences",
        path: DATUM,
        broken: &[
            "/// Which.\npub fn f() {}",
            "/// A slot of a run\npub const A: u8 = 1;",
            "/// The slot:\n///\n/// One of a run and no other.\npub enum A {}",
            "/// One slot of a run.\npub enum A { /// Its place.\nB }",
            "/// One slot of a run.\npub struct A { /// Its place.\npub a: u8 }",
            "/// One slot of a run.\npub trait A { /// Its place.\nfn a(); }",
            "impl A { /// Its place.\npub fn a() {} }",
            "impl A { /// Its place.\npub const A: u8 = 1; }",
            "mod a { /// Its place.\npub type A = u8; }",
        ],
        allowed: &[
            "/// One slot of a run,\n/// from 0.\n///\n/// More.\npub struct A { a: u8 }",
            "/// Which.\nfn f() {}\n/// Which.\npub(crate) fn g() {}\nenum A { /// Which.\nB }",
            "#[cfg(test)] pub mod a { /// Which.\npub fn f() {} }",
            "impl std::fmt::Debug for A { fn fmt() {} }",
        ],
    },
];
