//! The command that shows output folders in a browser.

use super::{dsn, say};
use dlgforge::cli::ViewArgs;
use dlgforge::domain::causes::causes;
use dlgforge::run::ViewOptions;
use std::io::Write;
use std::process::ExitCode;

pub fn view(args: &ViewArgs) -> Result<ExitCode, String> {
    let ViewArgs { outputs, port, logs } = args.clone();
    let tell = |address: &str| {
        say(&format!("open {address}\n"));
        // A reader that has gone away misses it.
        _ = std::io::stdout().flush();
    };
    dlgforge::run::view(ViewOptions { outputs, port, dsn: dsn(), logs }, &tell).map_err(|error| causes(&error))?;
    Ok(ExitCode::SUCCESS)
}
