//! The pictures: each file is one graph, top to bottom.

pub mod generate;

pub use generate::generate;
