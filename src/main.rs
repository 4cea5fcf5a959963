//! The `dlgforge` command: parse, run, exit code.

use clap::Parser;
use dlgforge::cli::{
    Cli, Command, EstimateArgs, ExplainArgs, FetchArgs, GuardArgs, IndexArgs, JudgeArgs, MergeArgs, Overrides,
    PushArgs, RunArgs, SearchArgs, StatusArgs, WorkerArgs,
};
use dlgforge::cluster::LOST;
use dlgforge::domain::causes::causes;
use dlgforge::domain::terminal::shown;
use dlgforge::knowledge::embeddings::Origin;
use dlgforge::output::logs;
use dlgforge::run::{
    Host, Launch, Listener, Listeners, LogLines, Obey, Part, PassEnd, PassOptions, Passed, Ran, RunEnd, RunError,
    Steps, Terminal,
};
use dlgforge::servers::{GuardOptions, Serving};
use dlgforge::settings::{ClusterSettings, Flags, KnowledgeSettings, PublishSettings, Settings};
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
        Command::Estimate(args) => ("estimate", estimate(args)),
        Command::Index(args) => ("index", index(args)),
        Command::Search(args) => ("search", search(args)),
        Command::Fetch(args) => ("fetch", fetch(args)),
        Command::Push(args) => ("push", push(args)),
        Command::Status(args) => ("status", status(args)),
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
        dlgforge::run::push_after_run(&settings.push, obey, &tell).iter().for_each(say);
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
    let dsn = environment().get(DSN_VARIABLE).cloned();
    let explained = dlgforge::run::explain(outputs, dsn.as_deref(), (conversation, run.as_deref()), &logs)
        .map_err(|error| causes(&error))?;
    if *json {
        say(&serde_json::to_string_pretty(&explained).map_err(|error| error.to_string())?);
        say(&"\n");
    } else {
        say(&explained);
    }
    Ok(ExitCode::SUCCESS)
}

/// Exports an output folder and pushes the export.
fn push(args: &PushArgs) -> Result<ExitCode, String> {
    let flags = args.overrides.flags(&args.config);
    let settings = PublishSettings::load(&flags, &environment(), &args.flags()).map_err(|error| causes(&error))?;
    let terminal = Terminal::default();
    logs::show(terminal.console());
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let steps = Steps { export: !args.no_export, push: !args.no_push };
    let published = dlgforge::run::push(&settings.push, steps, &tell).map_err(|error| causes(&error))?;
    drop(terminal);
    say(&published);
    Ok(ExitCode::SUCCESS)
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
    let reports = dlgforge::run::status(&args.outputs, environment().get(DSN_VARIABLE).map(String::as_str))
        .map_err(|error| causes(&error))?;
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
