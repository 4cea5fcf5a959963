//! Commands that read documents, and those that other processes of the program are.

use super::{environment, listen, say, this_program};
use dlgforge::cli::{FetchArgs, GuardArgs, IndexArgs, Overrides, SearchArgs};
use dlgforge::domain::causes::causes;
use dlgforge::knowledge::embeddings::Origin;
use dlgforge::output::logs;
use dlgforge::run::Terminal;
use dlgforge::servers::GuardOptions;
use dlgforge::settings::KnowledgeSettings;
use std::path::Path;
use std::process::ExitCode;

/// What the knowledge base is read by, with the terminal that shows how far that is.
fn knowledge(config: &Path, overrides: &Overrides) -> Result<(KnowledgeSettings, Terminal), String> {
    let mut settings =
        KnowledgeSettings::load(&overrides.flags(config), &environment()).map_err(|error| causes(&error))?;
    settings.knowledge.reading.program = Some(this_program()?);
    let terminal = Terminal::default();
    logs::show(terminal.console());
    listen(&terminal, None)?;
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok((settings, terminal))
}

pub fn index(args: &IndexArgs) -> Result<ExitCode, String> {
    let (settings, terminal) = knowledge(&args.config, &args.overrides)?;
    let indexed = dlgforge::run::index(&settings, &terminal).map_err(|error| causes(&error))?;
    drop(terminal);
    say(&indexed);
    Ok(ExitCode::SUCCESS)
}

pub fn search(args: &SearchArgs) -> Result<ExitCode, String> {
    let (settings, terminal) = knowledge(&args.config, &args.overrides)?;
    let k = args.k.map_or(settings.top_k, usize::from);
    let found = dlgforge::run::search(&settings, &args.query, k, &terminal).map_err(|error| causes(&error))?;
    drop(terminal);
    say(&found);
    Ok(ExitCode::SUCCESS)
}

pub fn fetch(args: &FetchArgs) -> Result<ExitCode, String> {
    let (settings, terminal) = knowledge(&args.config, &args.overrides)?;
    let from = args.from.clone().map(Origin::Folder);
    let fetched = dlgforge::run::fetch(&settings, from.as_ref()).map_err(|error| causes(&error))?;
    drop(terminal);
    say(&fetched);
    Ok(ExitCode::SUCCESS)
}

pub fn read_documents() -> Result<ExitCode, String> {
    dlgforge::knowledge::read_documents().map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

pub fn guard_server(args: &GuardArgs) -> Result<ExitCode, String> {
    let GuardArgs { stay, guarded_by, command } = args;
    let options = GuardOptions { stay: *stay, guarded_by: *guarded_by, command: command.clone() };
    dlgforge::servers::guard(&options).map(ExitCode::from).map_err(|error| error.to_string())
}
