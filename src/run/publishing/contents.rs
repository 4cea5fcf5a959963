//! What an export that is pushed has in it: rows as Parquet, statistics, plots, the card, and the state of runs.

use super::super::RunError;
use super::super::dataset::{Dataset, statistics};
use super::super::exporting::carried_out;
use super::{EITHER, PublishError, copy};
use crate::output::Table;
use crate::publish::card::{self, CardConfig, CardFacts, CardSplit};
use crate::publish::export::{Export, ExportFormat, Written};
use crate::publish::filter::Filter;
use crate::publish::source::Source;
use crate::publish::stats::Report;
use crate::publish::{ExportError, PushOptions, TableFormat, plots};
use std::fs;
use std::path::Path;

/// The folder with the state of runs, in the output folder and in the export.
const RUN_STATE: &str = "run_state";

/// The folder and the configuration of pairs of answers.
const PAIRS: &str = "preferences";

/// Fills the folder of an export: the rows of the file as Parquet, pairs of answers where there are some, statistics, plots, the card,
/// and the state of runs.
pub(super) fn fill(options: &PushOptions, dsn: Option<&str>, file: &Path, built: &Path) -> Result<(), RunError> {
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
        made.map_err(|cause| PublishError::Copy { path: path.clone(), cause })
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
    Ok(write("README.md", &card_of(options, (&source, &dataset), &report, &written, &drawn))?)
}

/// A table as Parquet files in a folder of the export.
fn parquet_of(source: Source, folder: &'static str, built: &Path) -> Result<Written, RunError> {
    let all = Filter::default().bind(&source.schema()).map_err(|error| ExportError::Option(error.to_string()))?;
    let formats = vec![(folder, ExportFormat::Table(TableFormat::Parquet))];
    carried_out(Export::new(source, all, None, formats, None), built, 1)
}

/// The card of the export, from what its folder and its runs tell.
fn card_of(
    options: &PushOptions,
    (source, dataset): (&Source, &Dataset),
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
    let (configs, mut columns) = (Vec::from_iter(configs), Table::told_columns());
    let renamed = source.renamed();
    columns.iter_mut().for_each(|[name, ..]| *name = renamed.get(name).unwrap_or(name).clone());
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

fn copy_run_state(state: &Path, to: &Path) -> Result<(), PublishError> {
    if !state.is_dir() {
        return Ok(());
    }
    let failed = |cause| PublishError::Copy { path: state.to_owned(), cause };
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
