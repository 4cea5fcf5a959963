//! dlgforge turns a folder of documents into a dataset of grounded multi-turn conversations.

pub mod knowledge;
pub mod llm;
pub mod output;
pub mod plan;
pub mod settings;
pub mod stages;
pub mod tools;
pub mod words;
