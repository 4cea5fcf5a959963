//! The pictures: each file is one graph, top to bottom.

pub mod export;
pub mod generate;
pub mod judge;

pub use export::export;
pub use generate::generate;
pub use judge::judge;
