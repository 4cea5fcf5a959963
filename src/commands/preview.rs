//! Commands that show conversations: those that are made to be looked at, and those that are there.

use super::report::Report;
use super::{dsn, hosted, pretty, say_json, settings};
use dlgforge::cli::{PreviewArgs, ReportArgs, ShowArgs};
use dlgforge::domain::QuestionMode;
use dlgforge::domain::causes::causes;
use dlgforge::domain::terminal::shown;
use dlgforge::run::{Preview, Terminal, Transcript, Trial};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

pub fn preview(args: &PreviewArgs) -> Result<ExitCode, String> {
    let mut settings = settings(&args.flags())?;
    if args.mode.as_deref() == Some(QuestionMode::Underspecified.as_str()) {
        // Every turn that a next one can clarify.
        settings.plan.modes.insert(QuestionMode::Underspecified, 1.0);
    }
    let trial = Trial::new(&settings, args.conversations, args.save.as_deref()).map_err(|error| causes(&error))?;
    let (tried, workers) = (trial.settings.clone(), usize::from(args.run.workers));
    let report = Report::of(&ReportArgs::default(), 0)?;
    let preview = hosted(&tried, None, &report, |host| trial.run(workers, host))?;
    // Whoever drops a lot wants to see why, and not all of it.
    let mut dropped_left = args.conversations as usize;
    for conversation in &preview.conversations {
        let is_dropped = !conversation.drop_reason.is_empty();
        if !is_dropped || dropped_left > 0 {
            dropped_left -= usize::from(is_dropped);
            put(&format!("{}\n", text(conversation)));
        }
    }
    put(&shown(&preview.to_string()));
    let Preview { complaint, signal, .. } = preview;
    match complaint {
        Some(complaint) => Err(complaint),
        None => Ok(signal.map_or(ExitCode::SUCCESS, |signal| ExitCode::from(signal.exit_code()))),
    }
}

pub fn show(args: &ShowArgs) -> Result<ExitCode, String> {
    let ShowArgs { conversation, outputs, json } = args;
    let logs = outputs.parent().unwrap_or(Path::new("")).join("logs");
    let shown = dlgforge::run::show(outputs, dsn().as_deref(), conversation, &logs).map_err(|error| causes(&error))?;
    if *json {
        say_json(&pretty(&shown)?);
    } else {
        put(&text(&shown));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(conversation: &Transcript) -> String {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_shown = set("TERM").is_some_and(|term| term != "dumb") && set("NO_COLOR").is_none();
    conversation.text(Terminal::columns(), is_shown && std::io::stdout().is_terminal())
}

/// Prints what has no control characters but those of colours.
fn put(text: &str) {
    // A reader that has gone away is no failure.
    _ = write!(std::io::stdout(), "{text}");
}
