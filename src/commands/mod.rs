//! What each command does: settings of what was typed, the work, and what is told of it.

pub mod check;
pub mod dataset;
pub mod documents;
pub mod generate;
pub mod preview;
pub mod project;
mod report;
pub mod view;

use dlgforge::domain::causes::causes;
use dlgforge::domain::terminal::{shown, shown_json};
use dlgforge::output::logs;
use dlgforge::run::{Host, Listeners, Obey, RunError, Terminal};
use dlgforge::servers::Serving;
use dlgforge::settings::{Flags, Settings};
use dlgforge::store::DSN_VARIABLE;
use report::Report;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn environment() -> BTreeMap<String, String> {
    let unicode = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(unicode).collect()
}

fn settings(flags: &Flags) -> Result<Settings, String> {
    own(Settings::load(flags, &environment()).map_err(|error| causes(&error))?)
}

/// The settings with this program where they start it as another process.
fn own(mut settings: Settings) -> Result<Settings, String> {
    settings.knowledge.reading.program = Some(this_program()?);
    if let Serving::Managed(servers) = &mut settings.serving {
        servers.program = Some(this_program()?);
    }
    Ok(settings)
}

fn this_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("failed to find its own program: {error}"))
}

/// Runs something that the terminal and the log listen to, and that signals stop.
fn hosted<T>(
    settings: &Settings,
    limit: Option<Duration>,
    report: &Report,
    work: impl FnOnce(&Host) -> Result<T, RunError>,
) -> Result<T, String> {
    let terminal = Arc::new(report.terminal());
    let (told, console) = report.console(&terminal);
    let _logs = logs::start(&settings.logs, settings.log_level, told, console).map_err(|error| causes(&error))?;
    for warning in &settings.warnings {
        tracing::warn!(target: "dlgforge.config", "{warning}");
    }
    let obey = listen(&terminal, limit)?;
    let host = Host { listeners: Listeners::new(report.listeners(terminal)?), obey };
    let done = work(&host);
    host.listeners.end();
    done.map_err(|error| causes(&error))
}

/// Has the process obey signals, and end in time.
fn listen(terminal: &Terminal, limit: Option<Duration>) -> Result<Obey, String> {
    dlgforge::run::listen(terminal.console(), limit).map_err(|error| format!("failed to listen to signals: {error}"))
}

/// The connection string of the server that has the state of runs, where the environment names one.
fn dsn() -> Option<String> {
    environment().remove(DSN_VARIABLE)
}

/// Says what is under way.
fn tell(line: &str) {
    _ = writeln!(std::io::stderr(), "{}", shown(line));
}

/// Prints JSON, which a terminal only shows.
fn say_json(text: &str) {
    _ = writeln!(std::io::stdout(), "{}", shown_json(text.trim_end()));
}

/// A value as JSON for people too.
fn pretty(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string_pretty(value).map_err(|error| error.to_string())
}

/// Prints. A reader that has gone away (`| head`) does not make the command a failure.
fn say(text: &impl std::fmt::Display) {
    _ = write!(std::io::stdout(), "{}", shown(&text.to_string()));
}
