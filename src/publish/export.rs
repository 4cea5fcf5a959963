//! An export: which rows of a table go into which split, and what every format makes of them.

use super::content::{Batch, Content};
use super::filter::Bound;
use super::formats::{Choices, Format, MOST_IN_FOLDER, Rows};
use super::labelled::{Labels, labelled, with_labels};
use super::sink::{Sink, SinkForm, TableFormat};
use super::source::{Part, Source};
use super::split::{self, Split};
use super::view::{DIALOGUE_COLUMNS, PAIR_COLUMNS, dialogues, pairs};
use super::{Dialogue, ExportError};
use crate::files::{FilesError, Lines};
use crate::output::{Table, told_of_tables};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::json::LineDelimitedWriter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// A format of an export.
#[derive(Debug, Clone)]
pub enum ExportFormat {
    /// Files of the table itself.
    Table(TableFormat),
    /// Files that people train on, with what they do of what was asked for.
    Training(&'static Format, Choices),
}

impl ExportFormat {
    /// Its name, and that of its folder.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Table(format) => format.name(),
            Self::Training(format, _) => format.name,
        }
    }

    /// The table that it is made of; none where any serves.
    pub fn table(&self) -> Option<Table> {
        match self {
            Self::Table(_) => None,
            Self::Training(format, _) => match format.rows {
                Rows::Dialogues(_) | Rows::FileEach(_) => Some(Table::Conversations),
                Rows::Pairs(_) => Some(Table::Preferences),
            },
        }
    }

    /// The columns of the table that it reads; none where it reads all of them.
    fn columns(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Table(_) => None,
            Self::Training(format, _) => match format.rows {
                Rows::Dialogues(_) | Rows::FileEach(_) => Some(&DIALOGUE_COLUMNS),
                Rows::Pairs(_) => Some(&PAIR_COLUMNS),
            },
        }
    }
}

/// What is made of one table.
#[derive(Clone)]
pub struct Export {
    /// The table that is exported.
    pub source: Source,
    /// Which of its rows.
    pub filter: Bound,
    /// Into which splits they go; without it all go into `train`.
    pub split: Option<Split>,
    /// What is made of them, each with the name of its folder.
    pub formats: Vec<(&'static str, ExportFormat)>,
    /// The columns that are read.
    columns: SchemaRef,
    /// All columns, by the names that they have in the files.
    named: SchemaRef,
    told: Vec<(&'static str, String)>,
    /// What people think of its conversations, which its rows have as columns then.
    labels: Option<Labels>,
}

/// What the steps of an export hand on; an error ends it.
pub type Outcome<T> = Result<T, String>;

/// The rows of batches by the number of their split, and how many rows are in none.
pub type Assigned = (Vec<(usize, RecordBatch)>, u64);

/// What was made of a part of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rendered {
    /// For each format and split what is to be written.
    contents: Vec<((usize, usize), Content)>,
    /// Rows that are in none of the splits, because they would be in several.
    left_out: u64,
}

/// The files of a split in one format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenSplit {
    /// The folder in that of the export.
    pub folder: &'static str,
    /// The name of the split.
    pub split: String,
    /// The files in the folder; none where each conversation has one of its own, below a folder of the split's name.
    pub files: Vec<String>,
    /// Rows that they have.
    pub rows: u64,
}

/// What an export has written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// For each format and split, in order.
    pub files: Vec<WrittenSplit>,
    /// Rows that are in none of the splits, because they would be in several.
    pub left_out: u64,
}

/// The split that everything is in where none is asked for.
const TRAIN: &str = "train";

impl Export {
    /// The export of a table with these columns renamed.
    pub fn new(
        source: Source,
        filter: Bound,
        split: Option<Split>,
        formats: Vec<(&'static str, ExportFormat)>,
        labels: Option<Labels>,
    ) -> Self {
        let of_formats: Option<Vec<&[&str]>> = formats.iter().map(|(_, format)| format.columns()).collect();
        let columns = match of_formats {
            None => source.schema(),
            Some(lists) => {
                let more = filter.columns().chain(["conversation_id", "documents"]);
                let wanted: Vec<&str> = lists.into_iter().flatten().copied().chain(more).collect();
                source.columns(&wanted)
            }
        };
        let renamed = source.renamed();
        let named = source.table().named(&renamed);
        let named = if labels.is_some() { labelled(&named) } else { named };
        Self { filter, split, formats, columns, named, told: told_of_tables(&renamed), labels, source }
    }

    /// The names of the splits.
    pub fn splits(&self) -> Vec<&str> {
        self.split.as_ref().map_or_else(|| vec![TRAIN], |split| split.names().collect())
    }

    /// Reads a part of the table.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(&self, part: &Part) -> Outcome<Vec<RecordBatch>> {
        let batches = part.read(&self.columns).map_err(|error| error.to_string())?;
        let Some(labels) = &self.labels else { return Ok(batches) };
        let labelled = batches.iter().map(|batch| with_labels(batch, labels));
        labelled.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    /// The rows of batches that are asked for.
    ///
    /// # Errors
    /// When the filter can't be evaluated.
    pub fn keep(&self, batches: Vec<RecordBatch>) -> Outcome<Vec<RecordBatch>> {
        if self.filter.keeps_all() {
            return Ok(batches);
        }
        let kept = |batch: RecordBatch| filter_record_batch(&batch, &self.filter.mask(&batch)?);
        batches.into_iter().map(kept).collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    /// The rows of batches by their split, and how many are in none.
    ///
    /// # Errors
    /// When a batch can't be taken apart.
    pub fn split(&self, batches: Vec<RecordBatch>) -> Outcome<Assigned> {
        let Some(split) = &self.split else {
            return Ok((batches.into_iter().map(|batch| (0, batch)).collect(), 0));
        };
        let (mut parts, mut left_out) = (Vec::new(), 0);
        for batch in batches {
            let assigned = assigned(&batch, split);
            left_out += assigned.iter().filter(|one| **one == split::Assigned::LeftOut).count() as u64;
            for number in 0..split.names().count() {
                let mask: BooleanArray =
                    assigned.iter().map(|one| Some(*one == split::Assigned::Split(number))).collect();
                let own = filter_record_batch(&batch, &mask).map_err(|error| error.to_string())?;
                parts.push((number, own));
            }
        }
        Ok((parts, left_out))
    }

    /// What every format makes of the rows of each split.
    ///
    /// # Errors
    /// When rows can't be rendered.
    pub fn render(&self, (parts, left_out): Assigned) -> Outcome<Rendered> {
        let mut contents = Vec::new();
        for (split, batch) in parts.into_iter().filter(|(_, batch)| batch.num_rows() > 0) {
            for (number, (_, format)) in self.formats.iter().enumerate() {
                contents.push(((number, split), self.content(format, &batch)?));
            }
        }
        Ok(Rendered { contents, left_out })
    }

    fn content(&self, format: &ExportFormat, batch: &RecordBatch) -> Outcome<Content> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        match format {
            ExportFormat::Table(TableFormat::Jsonl) => {
                let batch = self.renamed(batch)?;
                let mut writer = LineDelimitedWriter::new(Vec::new());
                writer.write(&batch).and_then(|()| writer.finish()).map_err(|error| failed(&error))?;
                Ok(Content::Lines(Lines { bytes: writer.into_inner(), rows: batch.num_rows() as u64 }))
            }
            ExportFormat::Table(TableFormat::Parquet | TableFormat::Arrow) => {
                self.renamed(batch).map(Batch).map(Content::Rows)
            }
            ExportFormat::Training(format, choices) => match format.rows {
                Rows::Dialogues(rows) => {
                    let mut lines = Lines::default();
                    dialogues(batch)
                        .try_for_each(|one| rows(&one, choices, &mut lines))
                        .map_err(|error| failed(&error))?;
                    Ok(Content::Lines(lines))
                }
                Rows::Pairs(rows) => {
                    let mut lines = Lines::default();
                    pairs(batch).try_for_each(|one| rows(&one, choices, &mut lines)).map_err(|error| failed(&error))?;
                    Ok(Content::Lines(lines))
                }
                Rows::FileEach(rows) => {
                    let file = |one: Dialogue| {
                        let mut lines = Lines::default();
                        rows(&one, choices, &mut lines).map(|()| (file_name(one.id), lines))
                    };
                    let files: Result<Vec<_>, _> = dialogues(batch).map(file).collect();
                    let files = files.map_err(|error| failed(&error))?;
                    Ok(Content::Files(files.into_iter().filter(|(_, lines)| lines.rows > 0).collect()))
                }
            },
        }
    }

    /// The batch with the names that columns have in the files.
    fn renamed(&self, batch: &RecordBatch) -> Outcome<RecordBatch> {
        RecordBatch::try_new(self.named.clone(), batch.columns().to_vec()).map_err(|error| error.to_string())
    }
}

/// What the file of a conversation is called: its id, without what leads out of the folder where the table is somebody else's.
fn file_name(id: &str) -> String {
    let name = id.replace(|c: char| matches!(c, '/' | '\\') || c.is_control(), "_");
    name.trim_start_matches('.').to_owned()
}

/// The split of each row, by its conversation or by the documents that its conversation was shown.
fn assigned(batch: &RecordBatch, split: &Split) -> Vec<split::Assigned> {
    let ids = batch.column_by_name("conversation_id").and_then(|column| column.as_string_opt::<i32>());
    let lists = batch.column_by_name("documents").and_then(|column| column.as_list_opt::<i32>());
    let row = |row: usize| {
        let documents = lists.map(|lists| lists.value(row));
        let documents = documents.as_ref().and_then(|documents| documents.as_string_opt::<i32>());
        split.assign(
            ids.map_or("", |ids| ids.value(row)),
            documents.into_iter().flat_map(|texts| texts.iter().flatten()),
        )
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The files of an export that is under way.
pub struct Writing {
    export: Arc<Export>,
    folder: PathBuf,
    sinks: BTreeMap<(usize, usize), Sink>,
    left_out: u64,
}

impl Writing {
    /// Begins the files in the folder of an export.
    ///
    /// # Errors
    /// When a folder can't be made.
    pub fn begin(export: Arc<Export>, folder: PathBuf) -> Result<Self, ExportError> {
        let mut sinks = BTreeMap::new();
        for (number, (name, format)) in export.formats.iter().enumerate() {
            let form = match format {
                ExportFormat::Table(format) => SinkForm::Table(*format, export.named.clone(), export.told.clone()),
                ExportFormat::Training(format, _) => match format.rows {
                    Rows::Dialogues(_) | Rows::Pairs(_) => SinkForm::Lines,
                    Rows::FileEach(_) => SinkForm::Files(MOST_IN_FOLDER),
                },
            };
            for (split, split_name) in export.splits().into_iter().enumerate() {
                sinks.insert((number, split), Sink::new(folder.join(name), split_name, form.clone())?);
            }
        }
        Ok(Self { export, folder, sinks, left_out: 0 })
    }

    /// Writes what was made of the next part of the table.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(&mut self, rendered: Rendered) -> Result<(), ExportError> {
        self.left_out += rendered.left_out;
        for (place, content) in rendered.contents {
            if let Some(sink) = self.sinks.get_mut(&place) {
                sink.write(content)?;
            }
        }
        Ok(())
    }

    /// Completes the files of all splits, and writes those that go beside them.
    ///
    /// # Errors
    /// When one can't be completed.
    pub fn finish(self) -> Result<Written, ExportError> {
        let Self { export, folder, sinks, left_out } = self;
        let splits = export.splits();
        let mut written = Written { left_out, files: Vec::new() };
        for ((format, split), sink) in sinks {
            let (files, rows) = sink.finish()?;
            let split = splits[split].to_owned();
            written.files.push(WrittenSplit { folder: export.formats[format].0, split, files, rows });
        }
        for (name, format) in &export.formats {
            let ExportFormat::Training(format, choices) = format else { continue };
            let own = written.files.iter().filter(|split| split.folder == *name);
            let files: Vec<&str> = own.flat_map(|split| &split.files).map(String::as_str).collect();
            let folder = folder.join(name);
            let failed = |detail| ExportError::Write { path: folder.clone(), detail };
            for (file, content) in format.companions(&files, choices).map_err(|error| failed(error.to_string()))? {
                let path = folder.join(file);
                fs::write(&path, content).map_err(FilesError::io("write", &path))?;
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_leads_out_of_the_folder() {
        for (id, expected) in
            [("r-fr-0001", "r-fr-0001"), ("../../etc/x", "_.._etc_x"), ("a\\b\0", "a_b_"), (".hidden", "hidden")]
        {
            assert_eq!(file_name(id), expected);
        }
    }
}
