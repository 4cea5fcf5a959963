//! `dlgforge export`: carries out the graph of an export.

use super::RunError;
use crate::dataflows::export as graph;
use crate::dataflows::export::Steps;
use crate::operators::Stop;
use crate::output::{Table, labels, labels_file};
use crate::publish::export::{Assigned, Export, ExportFormat, Outcome, Rendered, Writing, Written, WrittenSplit};
use crate::publish::filter::Filter;
use crate::publish::formats::{Format, FormatOptions};
use crate::publish::labelled::{Labels, labelled};
use crate::publish::source::{Part, Source};
use crate::publish::split::Split;
use crate::publish::{self, ExportError, TableFormat};
use arrow::array::RecordBatch;
use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use timely::worker::Worker;
use timely::{CommunicationConfig, Config, WorkerConfig};

/// Parts of the table that each worker has in hand.
const AT_A_TIME: usize = 2;

/// What an export is made of, and what is made of it.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The output folder of runs, or a folder or file with a table.
    pub source: PathBuf,
    /// The folder of the export, which is replaced where an export has made it.
    pub to: PathBuf,
    /// The table, where none of the formats says it.
    pub table: Table,
    /// The names of the formats, each once.
    pub formats: Vec<String>,
    /// Which of the table's rows are exported.
    pub filter: Filter,
    /// Whether the filter asks for what people think of conversations.
    pub by_label: bool,
    /// Into which splits they go; all into `train` without it.
    pub split: Option<Split>,
    /// How rows for training are.
    pub training: FormatOptions,
    /// Threads that read and render, 1 or more; one that writes, and the pool's that encode columns of Parquet, are beside them.
    pub workers: usize,
}

/// What an export has written.
#[derive(Debug, Clone)]
pub struct Exported {
    to: PathBuf,
    written: Written,
}

/// Exports tables of an output folder.
///
/// # Errors
/// When an option can't be used, the tables can't be read, or the folder can't be written or is none that an export has made.
pub fn export(options: &ExportOptions) -> Result<Exported, RunError> {
    let mut formats: Vec<ExportFormat> = Vec::new();
    for name in &options.formats {
        let format = format_of(name.trim(), &options.training)?;
        if formats.iter().all(|known| known.name() != format.name()) {
            formats.push(format);
        }
    }
    let labels = labels(&options.source)?;
    if options.by_label && labels.is_empty() {
        return Err(unusable(&format!(
            "--label: {} has no labels of conversations; `dlgforge view` writes them, or a line such as \
             {{\"conversation_id\": \"…\", \"label\": \"keep\"}} each",
            labels_file(&options.source).display()
        )));
    }
    let labels = (!labels.is_empty()).then(|| Labels::new(labels));
    let mut exports = Vec::new();
    for table in Table::ALL {
        let own = formats.iter().filter(|format| format.table().unwrap_or(options.table) == table);
        let own: Vec<_> = own.map(|format| (format.name(), format.clone())).collect();
        if own.is_empty() {
            continue;
        }
        let source = Source::open(&options.source, table)?;
        let schema = if labels.is_some() { labelled(&source.schema()) } else { source.schema() };
        let filter = options.filter.bind(&schema).map_err(|error| unusable(&error))?;
        exports.push(Export::new(source, filter, options.split.clone(), own, labels.clone()));
    }
    let mut written = Written::default();
    publish::replace(&options.to, |to| {
        for export in exports {
            let more = carried_out(export, to, options.workers)?;
            written.files.extend(more.files);
            written.left_out += more.left_out;
        }
        Ok::<_, RunError>(())
    })?;
    Ok(Exported { to: options.to.clone(), written })
}

fn unusable(error: &dyn fmt::Display) -> RunError {
    RunError::Export(ExportError::Option(error.to_string()))
}

/// The format of a name, with what it does of what was asked for.
fn format_of(name: &str, training: &FormatOptions) -> Result<ExportFormat, RunError> {
    if let Some(format) = TableFormat::ALL.into_iter().find(|format| format.name() == name) {
        return Ok(ExportFormat::Table(format));
    }
    let tables = TableFormat::ALL.map(TableFormat::name).join("`, `");
    let format = Format::named(name).map_err(|error| unusable(&format!("{error}; or `{tables}`")))?;
    let choices = format.choices(training).map_err(|error| unusable(&error))?;
    Ok(ExportFormat::Training(format, choices))
}

/// Makes the export of one table in an empty folder.
pub(super) fn carried_out(export: Export, to: &Path, workers: usize) -> Result<Written, RunError> {
    let (parts, export, to) = (export.source.parts(), Arc::new(export), to.to_owned());
    let steps = steps(&export);
    let stop = Stop::default();
    // One more, which writes.
    let communication = CommunicationConfig::Process(workers + 1);
    let build = move |worker: &mut Worker| -> Result<Option<Written>, ExportError> {
        // The first worker alone writes.
        let writing = (worker.index() == 0).then(|| Writing::begin(export.clone(), to.clone())).transpose()?;
        let files = Rc::new(RefCell::new((writing, None)));
        let (steps, parts, halted, into) = (steps.clone(), parts.clone(), stop.clone(), files.clone());
        let write = move |rendered: Outcome<Rendered>| {
            let (writing, failure) = &mut *into.borrow_mut();
            let Some(open) = writing.as_mut().filter(|_| failure.is_none()) else { return };
            *failure = rendered.map_err(ExportError::Rows).and_then(|rendered| open.write(rendered)).err();
            if failure.is_some() {
                halted.now();
            }
        };
        worker.dataflow(|scope| graph(scope, parts, AT_A_TIME, steps, stop.clone(), write));
        while worker.has_dataflows() {
            worker.step_or_park(None);
        }
        let (writing, failure) = files.take();
        failure.map_or(Ok(()), Err)?;
        writing.map(Writing::finish).transpose()
    };
    let guards = timely::execute(Config { communication, worker: WorkerConfig::default() }, build);
    let ended = guards.map_err(RunError::Workers)?.join().into_iter();
    let ended: Vec<Option<Written>> =
        ended.map(|worker| Ok(worker.map_err(RunError::Workers)??)).collect::<Result<_, RunError>>()?;
    Ok(ended.into_iter().flatten().next().unwrap_or_default())
}

/// What the verbs of the graph mean.
fn steps(export: &Arc<Export>) -> Steps<Part, Outcome<Vec<RecordBatch>>, Outcome<Assigned>, Outcome<Rendered>> {
    let [reads, keeps, splits, renders] = [(); 4].map(|()| export.clone());
    Steps {
        read: Arc::new(move |part: Part| reads.read(&part)),
        keep: Arc::new(move |rows: Outcome<_>| rows.and_then(|rows| keeps.keep(rows))),
        split: Arc::new(move |rows: Outcome<_>| rows.and_then(|rows| splits.split(rows))),
        render: Arc::new(move |rows: Outcome<_>| rows.and_then(|rows| renders.render(rows))),
    }
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for WrittenSplit { folder, split, files, rows } in &self.written.files {
            let folder = self.to.join(folder);
            let files = match files.as_slice() {
                [] => folder.join(split).display().to_string() + "/",
                [file] => folder.join(file).display().to_string(),
                [first, ..] => format!("{} and {} more", folder.join(first).display(), files.len() - 1),
            };
            writeln!(f, "  {rows:>9} rows  {files}")?;
        }
        match self.written.left_out {
            0 => Ok(()),
            left_out => writeln!(
                f,
                "  {left_out:>9} rows  left out: their conversations were shown documents of several splits (--split-by held-out or \
                 conversation keeps them)"
            ),
        }
    }
}
