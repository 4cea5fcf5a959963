//! The row of a conversation, read where it lies.

use super::ViewError;
use super::index::Place;
use crate::files::FilesError;
use crate::publish::source::Source;
use arrow::json::LineDelimitedWriter;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// The row of the conversation of this id: as it stands in the training files, or with the columns of the table.
///
/// # Errors
/// When it can't be read, or there is another one by now.
pub fn read(place: Place, id: &str) -> Result<Value, ViewError> {
    let row = match place {
        Place::Line { path, start, length } => {
            let mut text = Vec::new();
            let read = File::open(&path).and_then(|mut file| {
                file.seek(SeekFrom::Start(start))?;
                file.take(length).read_to_end(&mut text)
            });
            read.map_err(FilesError::io("read", &path))?;
            serde_json::from_slice(&text).map_err(|_| ViewError::Changed)?
        }
        Place::Row { path, table, part, row } => {
            let source = Source::open(&path, table)?;
            let part = source.parts().get(part).cloned().ok_or(ViewError::Changed)?;
            let (mut before, mut text) = (0, Vec::new());
            for batch in part.read(&source.schema())? {
                if (before..before + batch.num_rows()).contains(&row) {
                    let mut writer = LineDelimitedWriter::new(&mut text);
                    let written = writer.write(&batch.slice(row - before, 1)).and_then(|()| writer.finish());
                    written.map_err(|_| ViewError::Changed)?;
                }
                before += batch.num_rows();
            }
            serde_json::from_slice(&text).map_err(|_| ViewError::Changed)?
        }
    };
    let told = |row: &Value| row["conversation_id"] == id;
    if told(&row) || told(&row["metadata"]) { Ok(row) } else { Err(ViewError::Changed) }
}
