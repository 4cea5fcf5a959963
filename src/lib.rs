//! dlgforge turns a folder of documents into a dataset of grounded multi-turn conversations.

pub mod cli;
#[path = "../dataflows/mod.rs"]
pub mod dataflows;

pub mod knowledge;
pub mod llm;
pub mod operators;
pub mod output;
pub mod plan;

pub mod run;
pub mod settings;
pub mod stages;
pub mod tools;
pub mod words;
