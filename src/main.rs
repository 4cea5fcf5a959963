//! The `dlgforge` command: parse, run, exit code.

use clap::Parser;
use dlgforge::cli::{Cli, Command, RunArgs};
use dlgforge::run::{End, INTERRUPTED};
use dlgforge::settings::Settings;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    end_with_workers();
    let cli = Cli::parse();
    let (name, result) = match &cli.command {
        Command::Run(args) => ("run", run(args)),
    };
    result.unwrap_or_else(|message| {
        // A reader that has gone away misses it.
        _ = writeln!(std::io::stderr(), "dlgforge {name} failed: {message}");
        ExitCode::FAILURE
    })
}

fn run(args: &RunArgs) -> Result<ExitCode, String> {
    let unicode = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let environment = std::env::vars_os().filter_map(unicode).collect();
    let settings = Settings::load(&args.flags(), &environment).map_err(|error| told(&error))?;
    let summary = dlgforge::run::run(&settings, usize::from(args.workers)).map_err(|error| told(&error))?;
    // A reader that has gone away (`| head`) does not make the run a failure.
    _ = write!(std::io::stdout(), "{summary}");
    match summary.complaint() {
        Some(complaint) => Err(complaint),
        None if summary.end == End::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// An error with its causes.
fn told(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A worker of the dataflow that panics leaves its peers waiting for it: end the process instead. Tasks may panic:
/// that costs one conversation.
fn end_with_workers() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if std::thread::current().name().is_some_and(|name| name.starts_with("timely:")) {
            std::process::exit(101);
        }
    }));
}
