//! The `dlgforge` command: parse, run, exit code.

use clap::Parser;
use dlgforge::cli::{
    Cli, Command, EstimateArgs, ExplainArgs, ExportArgs, FetchArgs, GuardArgs, IndexArgs, JudgeArgs, MergeArgs,
    Overrides, PushArgs, RunArgs, SearchArgs, SeedsMigrateArgs, SplitWay, StatsArgs, StatusArgs, WorkerArgs,
};
use dlgforge::cluster::LOST;
use dlgforge::domain::causes::causes;
use dlgforge::domain::terminal::shown;
use dlgforge::knowledge::embeddings::Origin;
use dlgforge::output::{Table, logs};
use dlgforge::publish::filter::Filter;
use dlgforge::publish::formats::{FormatOptions, Reasoning, SystemMessage};
use dlgforge::publish::split::{Split, SplitBy};
use dlgforge::run::{
    ExportOptions, Host, Launch, Listener, Listeners, LogLines, Obey, Part, PassEnd, PassOptions, Passed, Ran, RunEnd,
    RunError, Steps, Terminal,
};
use dlgforge::servers::{GuardOptions, Serving};
use dlgforge::settings::{ClusterSettings, Flags, KnowledgeSettings, PublishSettings, SeedFiles, Settings};
use dlgforge::store::{DSN_VARIABLE, Run, State};
use mimalloc::MiMalloc;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// A call allocates some thousand times, on one thread, what another one frees.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    end_with_workers();
    allow_open_files();
    let cli = Cli::parse();
    let (name, result) = match &cli.command {
        Command::Run(args) => ("run", run(args, None)),
        Command::Worker(args) => ("worker", worker(args)),
        Command::Merge(args) => ("merge", merge(args)),
        Command::Judge(args) => ("judge", judge(args)),
        Command::Explain(args) => ("explain", explain(args)),
        Command::Export(args) => ("export", export(args)),
        Command::Stats(args) => ("stats", stats(args)),
        Command::Estimate(args) => ("estimate", estimate(args)),
        Command::Index(args) => ("index", index(args)),
        Command::Search(args) => ("search", search(args)),
        Command::Fetch(args) => ("fetch", fetch(args)),
        Command::Push(args) => ("push", push(args)),
        Command::Status(args) => ("status", status(args)),
        Command::SeedsMigrate(args) => ("seeds-migrate", seeds_migrate(args)),
        Command::GuardServer(args) => ("guard-server", guard_server(args)),
        Command::ReadDocuments => ("read-documents", read_documents()),
        command => return later(command),
    };
    dlgforge::knowledge::leave();
    result.unwrap_or_else(|mut message| {
        if message.contains("Too many open files") {
            message.push_str("; raise the limit on open files (`ulimit -n`), or lower run.concurrency");
        }
        // A reader that has gone away misses it.
        _ = writeln!(std::io::stderr(), "dlgforge {name} failed: {}", shown(&message));
        ExitCode::FAILURE
    })
}

fn later(command: &Command) -> ExitCode {
    let (name, instead) = command.later().unwrap_or_default();
    _ = writeln!(std::io::stderr(), "dlgforge {name}: not supported yet; {instead}");
    ExitCode::from(2)
}

fn environment() -> BTreeMap<String, String> {
    let unicode = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(unicode).collect()
}

fn settings(flags: &Flags) -> Result<Settings, String> {
    let mut settings = Settings::load(flags, &environment()).map_err(|error| causes(&error))?;
    settings.knowledge.reading.program = Some(this_program()?);
    if let Serving::Managed(servers) = &mut settings.serving {
        servers.program = Some(this_program()?);
    }
    Ok(settings)
}

fn this_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("failed to find its own program: {error}"))
}

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

fn index(args: &IndexArgs) -> Result<ExitCode, String> {
    let (settings, terminal) = knowledge(&args.config, &args.overrides)?;
    let indexed = dlgforge::run::index(&settings, &terminal).map_err(|error| causes(&error))?;
    drop(terminal);
    say(&indexed);
    Ok(ExitCode::SUCCESS)
}

fn search(args: &SearchArgs) -> Result<ExitCode, String> {
    let (settings, terminal) = knowledge(&args.config, &args.overrides)?;
    let k = args.k.map_or(settings.top_k, usize::from);
    let found = dlgforge::run::search(&settings, &args.query, k, &terminal).map_err(|error| causes(&error))?;
    drop(terminal);
    say(&found);
    Ok(ExitCode::SUCCESS)
}

fn fetch(args: &FetchArgs) -> Result<ExitCode, String> {
    let (settings, terminal) = knowledge(&args.config, &args.overrides)?;
    let from = args.from.clone().map(Origin::Folder);
    let fetched = dlgforge::run::fetch(&settings, from.as_ref()).map_err(|error| causes(&error))?;
    drop(terminal);
    say(&fetched);
    Ok(ExitCode::SUCCESS)
}

fn seeds_migrate(args: &SeedsMigrateArgs) -> Result<ExitCode, String> {
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

fn read_documents() -> Result<ExitCode, String> {
    dlgforge::knowledge::read_documents().map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn guard_server(args: &GuardArgs) -> Result<ExitCode, String> {
    let GuardArgs { stay, guarded_by, command } = args;
    let options = GuardOptions { stay: *stay, guarded_by: *guarded_by, command: command.clone() };
    dlgforge::servers::guard(&options).map(ExitCode::from).map_err(|error| error.to_string())
}

fn worker(args: &WorkerArgs) -> Result<ExitCode, String> {
    let number = || dlgforge::run::number(&environment());
    let number = args.process.or_else(number).ok_or("say which process this is: --process N, from 0")?;
    run(&args.run, Some(number))
}

/// Makes a run, or the part of it that is this process's: of a run that several processes make, the one without a part starts
/// them, all or the one of this number.
fn run(args: &RunArgs, process: Option<usize>) -> Result<ExitCode, String> {
    let settings = settings(&args.run.flags(args.resumed(), args.shard(&environment())?))?;
    if args.dry_run {
        return dry_run(&settings);
    }
    let (part, workers, limit) = match &settings.cluster {
        None if process.is_some() => {
            return Err("`run.distributed.enabled` is false: set it to true, or use `dlgforge run`".to_owned());
        }
        None => (None, usize::from(args.run.workers), args.time_limit),
        Some(cluster) => match Part::of(&environment()) {
            None => return supervise(cluster, process, args.time_limit),
            Some(part) => {
                if part.has_line() {
                    dlgforge::run::obey_supervisor();
                }
                let limit = part.limit;
                (Some(part), cluster.workers, limit)
            }
        },
    };
    let settings = of_part(settings, part.as_ref());
    let work = |host: &Host| Ok((dlgforge::run::run(&settings, workers, part.as_ref(), host)?, host.obey.clone()));
    let (ran, obey) = hosted(&settings, limit, work)?;
    told_and_pushed(&settings, ran, &obey)
}

/// Makes one run of shards.
fn merge(args: &MergeArgs) -> Result<ExitCode, String> {
    let mut flags = args.overrides.flags(&args.config);
    if let Some(into) = &args.into {
        let into = std::path::absolute(into).map_err(|error| format!("--into: {error}"))?;
        flags.set.push(format!("saving.output_dir={:?}", into.display().to_string()));
    }
    let settings = settings(&flags)?;
    let work = |host: &Host| Ok((dlgforge::run::merge(&settings, &args.shards, 1, host)?, host.obey.clone()));
    let (ran, obey) = hosted(&settings, args.time_limit, work)?;
    told_and_pushed(&settings, ran, &obey)
}

/// Judges the conversations of an output folder.
fn judge(args: &JudgeArgs) -> Result<ExitCode, String> {
    let settings = settings(&Flags { judging: true, ..args.run.flags(None, None) })?;
    let JudgeArgs { only_unjudged, sample, calibrate, run_id, time_limit, run } = args;
    let (sample, calibrate) = (*sample, *calibrate);
    let options = PassOptions { only_unjudged: *only_unjudged, sample, run: run_id.clone(), calibrate };
    let workers = usize::from(run.workers);
    let work = |host: &Host| dlgforge::run::judge(&settings, &options, workers, host);
    let summary = match hosted(&settings, *time_limit, work)? {
        Passed::Made(summary) => summary,
        Passed::Nothing(why) => {
            say(&format!("{why}\n"));
            return Ok(ExitCode::SUCCESS);
        }
    };
    say(&summary);
    match (summary.complaint(), &summary.end) {
        (Some(complaint), _) => Err(complaint),
        (None, PassEnd::Interrupted(signal)) => Ok(ExitCode::from(signal.exit_code())),
        (None, _) => Ok(ExitCode::SUCCESS),
    }
}

/// Tells what came of a run, and pushes it where that is enabled: a whole run, that nobody stopped.
fn told_and_pushed(settings: &Settings, ran: Ran, obey: &Obey) -> Result<ExitCode, String> {
    let made = matches!(&ran, Ran::Made(summary) if !matches!(summary.end, RunEnd::Interrupted(_)));
    let ended = ended(ran);
    if settings.pushes && made && settings.shard.is_none() {
        dlgforge::run::push_after_run(&settings.push, dsn().as_deref(), obey, &tell).iter().for_each(say);
    }
    ended
}

/// Tells what came of a run, and how the process ends.
fn ended(ran: Ran) -> Result<ExitCode, String> {
    let summary = match ran {
        Ran::Made(summary) => summary,
        Ran::Over(run) => return over(&run),
        Ran::Part => return Ok(ExitCode::SUCCESS),
    };
    say(&summary);
    match (summary.complaint(), &summary.end) {
        (Some(complaint), _) => Err(complaint),
        (None, RunEnd::Interrupted(signal)) => Ok(ExitCode::from(signal.exit_code())),
        (None, _) => Ok(ExitCode::SUCCESS),
    }
}

/// Starts the processes of a run, or the one that is named.
fn supervise(cluster: &ClusterSettings, process: Option<usize>, limit: Option<Duration>) -> Result<ExitCode, String> {
    let say = |line: String| _ = writeln!(std::io::stderr(), "{}", shown(&line));
    let launch = Launch::of(cluster, process, &environment(), &say).map_err(|error| causes(&error))?;
    let code = dlgforge::run::supervise(&launch, limit, &say).map_err(|error| causes(&error))?;
    Ok(ExitCode::from(code))
}

/// What a part of a run writes beside the outputs has a place of its own.
fn of_part(mut settings: Settings, part: Option<&Part>) -> Settings {
    if let Some(Part { process: process @ 1.., .. }) = part {
        settings.logs = settings.logs.join(format!("process-{process}"));
        settings.warnings.clear();
    }
    settings
}

/// Runs something that the terminal and the log listen to, and that signals stop.
fn hosted<T>(
    settings: &Settings,
    limit: Option<Duration>,
    work: impl FnOnce(&Host) -> Result<T, RunError>,
) -> Result<T, String> {
    let terminal = Arc::new(Terminal::default());
    let _logs = logs::start(&settings.logs, settings.log_level, terminal.console()).map_err(|error| causes(&error))?;
    for warning in &settings.warnings {
        tracing::warn!(target: "dlgforge.config", "{warning}");
    }
    let obey = listen(&terminal, limit)?;
    let listeners: [Arc<dyn Listener>; 2] = [terminal, Arc::new(LogLines)];
    work(&Host { listeners: Listeners::new(listeners), obey }).map_err(|error| causes(&error))
}

/// Has the process obey signals, and end in time.
fn listen(terminal: &Terminal, limit: Option<Duration>) -> Result<Obey, String> {
    dlgforge::run::listen(terminal.console(), limit).map_err(|error| format!("failed to listen to signals: {error}"))
}

fn over(run: &Run) -> Result<ExitCode, String> {
    let id = &run.id;
    if run.state == State::Completed {
        say(&format!("run {id} is complete: nothing to do\n"));
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("run {id} ended short of run.total_samples, and more attempts would not help: nothing to do"))
}

fn dry_run(settings: &Settings) -> Result<ExitCode, String> {
    for warning in &settings.warnings {
        _ = writeln!(std::io::stderr(), "{}", shown(warning));
    }
    say(&dlgforge::run::dry_run(settings, &Listeners::default()).map_err(|error| causes(&error))?);
    Ok(ExitCode::SUCCESS)
}

fn estimate(args: &EstimateArgs) -> Result<ExitCode, String> {
    let settings = settings(&args.run.flags(None, None))?;
    let workers = usize::from(args.run.workers);
    say(&hosted(&settings, None, |host| dlgforge::run::estimate(&settings, args.pilot, workers, host))?);
    Ok(ExitCode::SUCCESS)
}

fn explain(args: &ExplainArgs) -> Result<ExitCode, String> {
    let ExplainArgs { conversation, outputs, run, logs, json } = args;
    let beside = || outputs.parent().unwrap_or(Path::new("")).join("logs");
    let logs = logs.clone().unwrap_or_else(beside);
    let explained = dlgforge::run::explain(outputs, dsn().as_deref(), (conversation, run.as_deref()), &logs)
        .map_err(|error| causes(&error))?;
    if *json {
        say(&serde_json::to_string_pretty(&explained).map_err(|error| error.to_string())?);
        say(&"\n");
    } else {
        say(&explained);
    }
    Ok(ExitCode::SUCCESS)
}

fn export(args: &ExportArgs) -> Result<ExitCode, String> {
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
    let mut filter = Filter::languages(&args.languages).and(Filter::modes(&args.modes));
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
        split: split.map_err(|error| format!("--split: {error}"))?,
        training,
        workers: usize::from(args.workers),
    };
    say(&dlgforge::run::export(&options).map_err(|error| causes(&error))?);
    Ok(ExitCode::SUCCESS)
}

fn stats(args: &StatsArgs) -> Result<ExitCode, String> {
    let config = args.embeddings.as_ref().map(|config| {
        let flags = Flags { config: config.clone(), ..Flags::default() };
        KnowledgeSettings::load(&flags, &environment()).map_err(|error| causes(&error))
    });
    let embeddings = config.transpose()?.map(|settings| settings.knowledge.embeddings);
    let report = dlgforge::run::stats(&args.outputs, dsn().as_deref(), embeddings.as_ref());
    let report = report.map_err(|error| causes(&error))?;
    if args.json {
        say(&report.json());
        say(&"\n");
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
fn push(args: &PushArgs) -> Result<ExitCode, String> {
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

/// The connection string of the server that has the state of runs, where the environment names one.
fn dsn() -> Option<String> {
    environment().remove(DSN_VARIABLE)
}

/// Says what is under way.
fn tell(line: &str) {
    _ = writeln!(std::io::stderr(), "{}", shown(line));
}

fn status(args: &StatusArgs) -> Result<ExitCode, String> {
    let folder = args.outputs.display();
    if !args.outputs.is_dir() {
        return Err(format!("there is no folder {folder}; name the output folder of a project (`saving.output_dir`)"));
    }
    let reports = dlgforge::run::status(&args.outputs, dsn().as_deref()).map_err(|error| causes(&error))?;
    if reports.is_empty() {
        say(&format!("{folder} has no runs\n"));
    }
    reports.iter().for_each(say);
    Ok(ExitCode::SUCCESS)
}

/// Prints. A reader that has gone away (`| head`) does not make the command a failure.
fn say(text: &impl std::fmt::Display) {
    _ = write!(std::io::stdout(), "{}", shown(&text.to_string()));
}

/// A worker of the dataflow that panics leaves its peers waiting for it: end the process instead. Tasks may panic:
/// that costs one conversation.
fn end_with_workers() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        // So it tells that another process of the cluster is gone.
        if ["timely:recv", "timely:send"].iter().any(|link| name.starts_with(link)) {
            std::process::exit(LOST.into());
        }
        report(panic);
        if name.starts_with("timely:") {
            std::process::exit(101);
        }
    }));
}

/// Raises the limit on open files to the most that the system grants: every conversation under way may need a connection.
fn allow_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        // What the system refuses stays as it was.
        _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
