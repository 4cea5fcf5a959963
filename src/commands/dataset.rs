//! Commands that look at output folders, and write what others read of them.

use super::{dsn, environment, pretty, say, say_json, tell};
use dlgforge::cli::{ExplainArgs, ExportArgs, ImportArgs, PushArgs, SeedsMigrateArgs, SplitWay, StatsArgs};
use dlgforge::domain::causes::causes;
use dlgforge::domain::terminal::shown;
use dlgforge::output::{Table, logs};
use dlgforge::publish::filter::Filter;
use dlgforge::publish::formats::{FormatOptions, Reasoning, SystemMessage};
use dlgforge::publish::split::{Split, SplitBy};
use dlgforge::run::{ExportOptions, Steps, Terminal};
use dlgforge::settings::{Flags, KnowledgeSettings, PublishSettings, SeedFiles};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn explain(args: &ExplainArgs) -> Result<ExitCode, String> {
    let ExplainArgs { conversation, outputs, run, logs, json } = args;
    let beside = || outputs.parent().unwrap_or(Path::new("")).join("logs");
    let logs = logs.clone().unwrap_or_else(beside);
    let explained = dlgforge::run::explain(outputs, dsn().as_deref(), (conversation, run.as_deref()), &logs)
        .map_err(|error| causes(&error))?;
    if *json {
        say_json(&pretty(&explained)?);
    } else {
        say(&explained);
    }
    Ok(ExitCode::SUCCESS)
}

pub fn export(args: &ExportArgs) -> Result<ExitCode, String> {
    let named = |name: &str, known: Vec<&'static str>| format!("`{name}` is none; choose of {}", known.join(", "));
    let table = Table::ALL.into_iter().find(|table| table.name() == args.table);
    let table = table.ok_or_else(|| named(&args.table, Table::ALL.map(Table::name).into()));
    let reasoning = args.reasoning.as_deref().map(|name| {
        let known = Reasoning::ALL.into_iter().find(|place| place.name() == name);
        known.ok_or_else(|| format!("--reasoning: {}", named(name, Reasoning::ALL.map(Reasoning::name).into())))
    });
    let by = match args.split_by {
        SplitWay::Document => SplitBy::Document,
        SplitWay::HeldOut => SplitBy::HeldOut,
        SplitWay::Conversation => SplitBy::Conversation,
    };
    let split = args.split.as_deref().map(|text| Split::parse(text, by)).transpose();
    let mut filter =
        Filter::languages(&args.languages).and(Filter::modes(&args.modes)).and(Filter::labels(&args.labels));
    if let Some(score) = args.min_score {
        filter = filter.and(Filter::min_score(score));
    }
    if let Some(condition) = &args.condition {
        filter = filter.and(Filter::parse(condition).map_err(|error| format!("--where: {error}"))?);
    }
    let training = FormatOptions {
        reasoning: reasoning.transpose()?,
        mask_below: args.mask_below,
        system: match args.system.as_deref() {
            None => SystemMessage::None,
            Some("persona") => SystemMessage::Persona,
            Some(text) => SystemMessage::Text(text.to_owned()),
        },
        tools: !args.no_tools,
    };
    let options = ExportOptions {
        source: args.source.clone(),
        to: args.to.clone().unwrap_or_else(|| beside(&args.source)),
        table: table.map_err(|error| format!("--table: {error}"))?,
        formats: args.formats.clone(),
        filter,
        by_label: !args.labels.is_empty(),
        split: split.map_err(|error| format!("--split: {error}"))?,
        training,
        workers: usize::from(args.workers),
    };
    say(&dlgforge::run::export(&options).map_err(|error| causes(&error))?);
    Ok(ExitCode::SUCCESS)
}

/// Takes over what the original has made.
pub fn import(args: &ImportArgs) -> Result<ExitCode, String> {
    say(&dlgforge::run::import(&args.original, &args.outputs).map_err(|error| causes(&error))?);
    Ok(ExitCode::SUCCESS)
}

pub fn stats(args: &StatsArgs) -> Result<ExitCode, String> {
    let config = args.embeddings.as_ref().map(|config| {
        let flags = Flags { config: config.clone(), ..Flags::default() };
        KnowledgeSettings::load(&flags, &environment()).map_err(|error| causes(&error))
    });
    let embeddings = config.transpose()?.map(|settings| settings.knowledge.embeddings);
    let report = dlgforge::run::stats(&args.outputs, dsn().as_deref(), embeddings.as_ref());
    let report = report.map_err(|error| causes(&error))?;
    if args.json {
        say_json(&report.json());
    } else {
        say(&report.text(Terminal::columns()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where an export lies if nothing else is said: in the folder that its source is or lies in.
fn beside(source: &Path) -> PathBuf {
    let folder = if source.is_file() { source.parent().unwrap_or(Path::new("")) } else { source };
    folder.join("export")
}

/// Exports an output folder and pushes the export.
pub fn push(args: &PushArgs) -> Result<ExitCode, String> {
    let flags = args.overrides.flags(&args.config);
    let settings = PublishSettings::load(&flags, &environment(), &args.flags()).map_err(|error| causes(&error))?;
    let terminal = Terminal::default();
    logs::show(terminal.console());
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let steps = Steps { export: !args.no_export, push: !args.no_push };
    let published =
        dlgforge::run::push(&settings.push, dsn().as_deref(), steps, &tell).map_err(|error| causes(&error))?;
    drop(terminal);
    say(&published);
    Ok(ExitCode::SUCCESS)
}

pub fn seeds_migrate(args: &SeedsMigrateArgs) -> Result<ExitCode, String> {
    let SeedsMigrateArgs { config, overrides, source_file, dest_file, overwrite } = args;
    let files = SeedFiles::load(&overrides.flags(config), &environment(), source_file.as_deref(), dest_file.as_deref())
        .map_err(|error| causes(&error))?;
    let migrated = dlgforge::run::migrate_seeds(&files, *overwrite).map_err(|error| causes(&error))?;
    for warning in files.warnings.iter().chain(&migrated.warnings) {
        _ = writeln!(std::io::stderr(), "{}", shown(warning));
    }
    say(&migrated);
    Ok(ExitCode::SUCCESS)
}
