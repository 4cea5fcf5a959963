//! Exports an output folder and pushes the export to the Hub, on demand or after a run.

use super::RunError;
use super::dataset::{Dataset, statistics};
use super::exporting::carried_out;
use super::knowledge::waited;
use crate::domain::causes::causes;
use crate::output::Table;
use crate::publish::card::{self, CardConfig, CardFacts, CardSplit};
use crate::publish::export::{Export, ExportFormat, Written};
use crate::publish::filter::Filter;
use crate::publish::source::Source;
use crate::publish::stats::Report;
use crate::publish::{self, ExportError, HubError, PushOptions, Pushed, TableFormat, plots};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of conversations that stand in for each other: with verdicts, and without.
const EITHER: [&str; 2] = ["conversations_sharegpt_judged.jsonl", "conversations_sharegpt.jsonl"];

/// The folder with the state of runs, in the output folder and in the export.
const RUN_STATE: &str = "run_state";

/// The folder and the configuration of pairs of answers.
const PAIRS: &str = "preferences";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Whether the export is made; else the one that is there is pushed.
    pub export: bool,
    /// Whether it is pushed.
    pub push: bool,
}

/// What was done.
#[derive(Debug)]
pub struct Published {
    /// The folder of the export, where it was made.
    exported: Option<PathBuf>,
    /// What came of the push, if there was one.
    pushed: Option<Pushed>,
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exported.iter().try_for_each(|folder| writeln!(f, "exported   {}", folder.display()))?;
        self.pushed.iter().try_for_each(|pushed| write!(f, "{pushed}"))
    }
}

/// Exports an output folder and pushes the export; `told` hears what is under way, a line each. Where the state of runs is on a server,
/// `dsn` is its connection string.
///
/// # Errors
/// When there is nothing to export, when the export can't be made, or when the Hub does not take it.
pub fn push(
    options: &PushOptions,
    dsn: Option<&str>,
    steps: Steps,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Published, RunError> {
    if steps.push {
        // Before an export that would be for nothing.
        options.to.check()?;
    }
    let folder = &options.export_folder;
    if steps.export {
        let file = source_file(options)?;
        publish::replace(folder, |built| fill(options, dsn, &file, built))?;
    }
    let pushed = match steps.push {
        true => Some(waited(publish::push(folder, &options.to, told))??),
        false => None,
    };
    Ok(Published { exported: steps.export.then(|| folder.clone()), pushed })
}

/// Does the same after a run, where there are conversations and a repository is named. What goes wrong is a warning.
pub fn push_after_run(options: &PushOptions, dsn: Option<&str>, told: &(dyn Fn(&str) + Sync)) -> Option<Published> {
    let why = match push(options, dsn, Steps { export: true, push: true }, told) {
        Ok(published) => return Some(published),
        Err(RunError::Hub(HubError::NoRepoId)) => "`saving.hf_push.repo_id` names no repository".to_owned(),
        Err(error) => causes(&error),
    };
    told(&format!("the run was not pushed to the Hub: {why}; `dlgforge push` does it later"));
    None
}

/// The file that is to have rows: the one of the settings, or the other one of conversations where that has none.
fn source_file(options: &PushOptions) -> Result<PathBuf, RunError> {
    let PushOptions { source, source_file, .. } = options;
    if !source.is_dir() {
        return Err(RunError::NoSource(source.clone()));
    }
    let either = EITHER.into_iter().filter(|_| EITHER.contains(&source_file.as_str()));
    let named = Some(source_file.as_str()).filter(|name| !EITHER.contains(name));
    let mut files = named.into_iter().chain(either).map(|name| source.join(name));
    files
        .find(|file| fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() > 0))
        .ok_or_else(|| RunError::NoSourceFile { file: source_file.clone(), folder: source.clone() })
}

/// Fills the folder of an export: the rows of the file as Parquet, pairs of answers where there are some, statistics, plots, the card,
/// and the state of runs.
fn fill(options: &PushOptions, dsn: Option<&str>, file: &Path, built: &Path) -> Result<(), RunError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    // Their rows are in the tables of the runs too, which are read faster.
    let is_usual = EITHER.contains(&&*name);
    let source = Source::open(if is_usual { &options.source } else { file }, Table::Conversations)?;
    let mut written = parquet_of(source.clone(), "data", built)?;
    let pairs = Source::open(&options.source, Table::Preferences).ok().filter(|pairs| is_usual && pairs.has_rows());
    if let Some(pairs) = pairs {
        written.files.extend(parquet_of(pairs, PAIRS, built)?.files);
    }
    let dataset = Dataset::of(&options.source, dsn)?.unwrap_or_default();
    let report = statistics(&source, &name, Some(dataset.figures.clone()))?;
    let write = |path: &str, text: &str| {
        let path = built.join(path);
        let folder = path.parent().unwrap_or(built);
        let made = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        made.map_err(|cause| RunError::Copy { path: path.clone(), cause })
    };
    if let Some(file) = &options.stats_file {
        write(file, &report.json())?;
    }
    let mut drawn = Vec::new();
    if let Some(folder) = &options.plots_folder {
        for plot in plots::all(&report) {
            let path = format!("{folder}/{}.svg", plot.name);
            write(&path, &plot.svg)?;
            drawn.push([plot.title.to_owned(), path]);
        }
    }
    if options.include_run_state {
        copy_run_state(&options.source.join(RUN_STATE), &built.join(RUN_STATE))?;
    }
    write("README.md", &card_of(options, &dataset, &report, &written, &drawn))
}

/// A table as Parquet files in a folder of the export.
fn parquet_of(source: Source, folder: &'static str, built: &Path) -> Result<Written, RunError> {
    let all = Filter::default().bind(&source.schema()).map_err(|error| ExportError::Option(error.to_string()))?;
    let formats = vec![(folder, ExportFormat::Table(TableFormat::Parquet))];
    carried_out(Export::new(source, all, None, formats), built, 1)
}

/// The dataset's card.
fn card_of(
    options: &PushOptions,
    dataset: &Dataset,
    report: &Report,
    written: &Written,
    drawn: &[[String; 2]],
) -> String {
    let paths: Vec<String> =
        written.files.iter().map(|one| format!("{}/{}-*.parquet", one.folder, one.split)).collect();
    let configs = written.files.iter().zip(&paths).map(|(one, path)| CardConfig {
        name: if one.folder == PAIRS { PAIRS } else { "default" },
        splits: vec![CardSplit { name: &one.split, path, rows: Some(one.rows) }],
    });
    let (configs, columns) = (Vec::from_iter(configs), Table::told_columns());
    let columns: Vec<[&str; 3]> = columns.iter().map(|[name, kind, what]| [&**name, &**kind, &**what]).collect();
    let (models, prompts, settings, seed) = (dataset.models(), dataset.prompts(), dataset.settings(), dataset.seed());
    let models: Vec<[&str; 2]> = models.iter().map(|(agent, model)| [*agent, &**model]).collect();
    let prompts: Vec<[&str; 2]> = prompts.iter().map(|(name, digest)| [&**name, &**digest]).collect();
    let settings: Vec<[&str; 2]> = settings.iter().map(|(key, value)| [*key, &**value]).collect();
    let plots: Vec<[&str; 2]> = drawn.iter().map(|[title, path]| [&**title, &**path]).collect();
    let state = [["run_state/", "the state of every run: its slots, what they came to, and why some were dropped"]];
    let card = card::text(&CardFacts {
        pretty_name: "",
        repo_id: &options.to.repo_id,
        license: &options.license,
        task_categories: &["question-answering", "text-generation"],
        tags: &[],
        configs: &configs,
        contents: if options.include_run_state { &state } else { &[] },
        columns: &columns,
        models: &models,
        prompts: &prompts,
        seed: &seed,
        settings: &settings,
        is_demonstration: dataset.is_demonstration(),
        judge_auc: dataset.calibration.auc(),
        stats: report,
        stats_file: options.stats_file.as_deref().unwrap_or_default(),
        plots: &plots,
        secrets: &[],
    });
    options.to.token.redacted(&card)
}

fn copy_run_state(state: &Path, to: &Path) -> Result<(), RunError> {
    if !state.is_dir() {
        return Ok(());
    }
    let failed = |cause| RunError::Copy { path: state.to_owned(), cause };
    fs::create_dir(to).map_err(failed)?;
    for entry in fs::read_dir(state).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Hidden ones are of runs that are under way.
        if entry.path().is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), RunError> {
    fs::copy(from, to).map(drop).map_err(|cause| RunError::Copy { path: from.to_owned(), cause })
}
