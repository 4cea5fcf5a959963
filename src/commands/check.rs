//! The check before a run, and the state of runs while they go on.

use super::{dsn, environment, own, pretty, say, say_json, tell, this_program};
use dlgforge::cli::{CheckArgs, StatusArgs};
use dlgforge::domain::causes::causes;
use dlgforge::run::{CheckOptions, MigrationReport, Terminal};
use dlgforge::settings::{Flags, KnowledgeSettings, Migration, Settings};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

/// How far apart the state of runs is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// What has a terminal begin at its top, with nothing below.
const CLEAR: &str = "\x1b[H\x1b[2J";

pub fn check(args: &CheckArgs) -> Result<ExitCode, String> {
    let flags = args.overrides.flags(&args.config);
    if args.from_python {
        return from_python(args, &flags);
    }
    let settings = match Settings::load(&flags, &environment()) {
        Ok(settings) => Ok(own(settings)?),
        Err(error) => Err(error),
    };
    // The documents may be in order where something else is not.
    let knowledge = match &settings {
        Ok(settings) => Some(settings.knowledge.clone()),
        Err(_) => match KnowledgeSettings::load(&flags, &environment()) {
            Ok(mut settings) => {
                settings.knowledge.reading.program = Some(this_program()?);
                Some(settings.knowledge)
            }
            Err(_) => None,
        },
    };
    let options = CheckOptions {
        config: flags.config.display().to_string(),
        settings: settings.as_ref(),
        knowledge: knowledge.as_ref(),
        asks: !args.no_calls,
    };
    let terminal = Terminal::default();
    let _obey = dlgforge::run::listen(Box::new(|_| tell("stopped")), None)
        .map_err(|error| format!("failed to listen to signals: {error}"))?;
    let report = dlgforge::run::check(options, &terminal, &tell).map_err(|error| causes(&error))?;
    drop(terminal);
    if args.json {
        say_json(&pretty(&report)?);
    } else {
        say(&report);
    }
    Ok(if report.is_clear() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells what becomes of a project of the Python original.
fn from_python(args: &CheckArgs, flags: &Flags) -> Result<ExitCode, String> {
    let migration = Migration::of(flags, &environment()).map_err(|error| causes(&error))?;
    let report = MigrationReport::of(&args.config, migration);
    if args.json {
        say_json(&pretty(&report)?);
    } else {
        say(&report);
    }
    Ok(if report.is_clear() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub fn status(args: &StatusArgs) -> Result<ExitCode, String> {
    let folder = args.outputs.display();
    if !args.outputs.is_dir() {
        return Err(format!("there is no folder {folder}; name the output folder of a project (`saving.output_dir`)"));
    }
    let redraws = args.watch && !args.json && std::io::stdout().is_terminal();
    let mut shown = String::new();
    loop {
        let statuses = dlgforge::run::status(&args.outputs, dsn().as_deref()).map_err(|error| causes(&error))?;
        let now = match (args.json, args.watch) {
            (false, _) => statuses.to_string(),
            (true, false) => pretty(&statuses)?,
            (true, true) => serde_json::to_string(&statuses).map_err(|error| error.to_string())?,
        };
        if now != shown {
            if redraws {
                _ = write!(std::io::stdout(), "{CLEAR}");
            } else if !shown.is_empty() && !args.json {
                say(&"\n");
            }
            if args.json {
                say_json(&now);
            } else {
                say(&now);
            }
            _ = std::io::stdout().flush();
            shown = now;
        }
        if !args.watch || !statuses.is_running() {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(EVERY);
    }
}
