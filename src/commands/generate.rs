//! Commands that make conversations, or judge them.

use super::report::Report;
use super::{dsn, environment, hosted, say, settings};
use dlgforge::cli::{EstimateArgs, JudgeArgs, MergeArgs, ReportArgs, RunArgs, WorkerArgs};
use dlgforge::domain::causes::causes;
use dlgforge::domain::terminal::shown;
use dlgforge::run::{Host, Launch, Listeners, Obey, Part, PassEnd, PassOptions, Passed, Ran, RunEnd};
use dlgforge::settings::{ClusterSettings, Flags, Settings};
use dlgforge::store::{Run, State};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

pub fn worker(args: &WorkerArgs) -> Result<ExitCode, String> {
    let number = || dlgforge::run::number(&environment());
    let number = args.process.or_else(number).ok_or("say which process this is: --process N, from 0")?;
    run(&args.run, Some(number))
}

/// Makes a run, or the part of it that is this process's: of a run that several processes make, the one without a part starts
/// them, all or the one of this number.
pub fn run(args: &RunArgs, process: Option<usize>) -> Result<ExitCode, String> {
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
    let report = Report::of(&args.report, part.as_ref().map_or(0, |part| part.process))?;
    let work = |host: &Host| Ok((dlgforge::run::run(&settings, workers, part.as_ref(), host)?, host.obey.clone()));
    let (ran, obey) = hosted(&settings, limit, &report, work)?;
    told_and_pushed(&settings, ran, &obey, &report)
}

/// Makes one run of shards.
pub fn merge(args: &MergeArgs) -> Result<ExitCode, String> {
    let mut flags = args.overrides.flags(&args.config);
    if let Some(into) = &args.into {
        let into = std::path::absolute(into).map_err(|error| format!("--into: {error}"))?;
        flags.set.push(format!("saving.output_dir={:?}", into.display().to_string()));
    }
    let settings = settings(&flags)?;
    let report = Report::of(&args.report, 0)?;
    let work = |host: &Host| Ok((dlgforge::run::merge(&settings, &args.shards, 1, host)?, host.obey.clone()));
    let (ran, obey) = hosted(&settings, args.time_limit, &report, work)?;
    told_and_pushed(&settings, ran, &obey, &report)
}

/// Judges the conversations of an output folder.
pub fn judge(args: &JudgeArgs) -> Result<ExitCode, String> {
    let settings = settings(&Flags { judging: true, ..args.run.flags(None, None) })?;
    let JudgeArgs { only_unjudged, sample, calibrate, run_id, time_limit, run, report } = args;
    let report = Report::of(report, 0)?;
    let (sample, calibrate) = (*sample, *calibrate);
    let options = PassOptions { only_unjudged: *only_unjudged, sample, run: run_id.clone(), calibrate };
    let workers = usize::from(run.workers);
    let work = |host: &Host| dlgforge::run::judge(&settings, &options, workers, host);
    let summary = match hosted(&settings, *time_limit, &report, work)? {
        Passed::Made(summary) => summary,
        Passed::Nothing(why) => {
            report.summary(&why);
            return Ok(ExitCode::SUCCESS);
        }
    };
    report.summary(&summary);
    match (summary.complaint(), &summary.end) {
        (Some(complaint), _) => Err(complaint),
        (None, PassEnd::Interrupted(signal)) => Ok(ExitCode::from(signal.exit_code())),
        (None, _) => Ok(ExitCode::SUCCESS),
    }
}

/// Tells what came of a run, and pushes it where that is enabled: a whole run, that nobody stopped.
fn told_and_pushed(settings: &Settings, ran: Ran, obey: &Obey, report: &Report) -> Result<ExitCode, String> {
    let made = matches!(&ran, Ran::Made(summary) if !matches!(summary.end, RunEnd::Interrupted(_)));
    let ended = ended(ran, report);
    if settings.pushes && made && settings.shard.is_none() {
        dlgforge::run::push_after_run(&settings.push, dsn().as_deref(), obey, &|line| report.tell(line))
            .iter()
            .for_each(|pushed| report.summary(pushed));
    }
    ended
}

/// Tells what came of a run, and how the process ends.
fn ended(ran: Ran, report: &Report) -> Result<ExitCode, String> {
    let summary = match ran {
        Ran::Made(summary) => summary,
        Ran::Over(run) => return over(&run, report),
        Ran::Part => return Ok(ExitCode::SUCCESS),
    };
    report.summary(&summary);
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

fn over(run: &Run, report: &Report) -> Result<ExitCode, String> {
    let id = &run.id;
    if run.state == State::Completed {
        report.summary(&format!("run {id} is complete: nothing to do"));
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

pub fn estimate(args: &EstimateArgs) -> Result<ExitCode, String> {
    let settings = settings(&args.run.flags(None, None))?;
    let workers = usize::from(args.run.workers);
    let report = Report::of(&ReportArgs::default(), 0)?;
    say(&hosted(&settings, None, &report, |host| dlgforge::run::estimate(&settings, args.pilot, workers, host))?);
    Ok(ExitCode::SUCCESS)
}
