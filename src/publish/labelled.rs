//! What people think of conversations, as two more columns of tables: `label` and `label_note`.

use crate::output::{Choice, Label};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The labels of an output folder, by conversation.
pub type Labels = Arc<BTreeMap<String, Label>>;

/// What conversations are called that nobody has labelled, where labels are asked for.
pub const NONE: &str = "none";

/// A schema with the columns of labels, both texts, which are null where there is none.
pub fn labelled(schema: &Schema) -> SchemaRef {
    let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
    let fields = schema.fields().iter().cloned().chain([text("label"), text("label_note")]);
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// The rows of a table with the labels of their conversations.
///
/// # Errors
/// When the batch can't be made, which its columns do not allow.
pub fn with_labels(batch: &RecordBatch, labels: &Labels) -> Result<RecordBatch, ArrowError> {
    let ids = batch.column_by_name("conversation_id").and_then(|column| column.as_string_opt::<i32>());
    let label = |row| ids.filter(|ids| ids.is_valid(row)).and_then(|ids| labels.get(ids.value(row)));
    let rows = 0..batch.num_rows();
    let choices: StringArray = rows.clone().map(|row| label(row)?.label.map(Choice::as_str)).collect();
    let notes: StringArray = rows.map(|row| Some(label(row)?.note.as_str()).filter(|note| !note.is_empty())).collect();
    let mut columns = batch.columns().to_vec();
    columns.extend([Arc::new(choices) as ArrayRef, Arc::new(notes)]);
    RecordBatch::try_new(labelled(&batch.schema()), columns)
}
