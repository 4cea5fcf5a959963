//! The `dlgforge` command.

fn main() {}
