//! The types of columns.

use crate::files::json_text;
use arrow::datatypes::{DataType, Field, TimeUnit};
use std::sync::Arc;

pub(super) fn always(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

pub(super) fn maybe(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

pub(super) fn text(name: &str) -> Field {
    always(name, DataType::Utf8)
}

pub(super) fn maybe_text(name: &str) -> Field {
    maybe(name, DataType::Utf8)
}

pub(super) fn moment(name: &str) -> Field {
    always(name, DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())))
}

pub(super) fn list(name: &str, item: DataType) -> Field {
    always(name, DataType::List(Arc::new(Field::new_list_field(item, false))))
}

/// The type of a list of texts.
pub(super) fn texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, false)))
}

pub(super) fn maybe_list(name: &str, item: DataType) -> Field {
    list(name, item).with_nullable(true)
}

pub(super) fn record<const N: usize>(texts: [&str; N]) -> DataType {
    DataType::Struct(texts.into_iter().map(text).collect())
}

/// A chat message with these fields besides its own; each message has those of its kind.
pub(super) fn message(more: &[Field]) -> DataType {
    let own = [text("role"), text("content"), maybe_text("agent")];
    DataType::Struct(own.iter().chain(more).cloned().collect())
}

pub(super) fn call() -> DataType {
    let function = [text("name"), json_text("arguments")];
    let fields = [text("id"), text("type"), always("function", DataType::Struct(function.into_iter().collect()))];
    DataType::Struct(fields.into_iter().collect())
}

/// A fact that a question is grounded on.
pub(super) fn fact() -> DataType {
    record(["fact", "source_descriptor"])
}

pub(super) fn trace() -> DataType {
    let premise = [text("id"), text("text"), list("evidence_refs", DataType::Utf8), text("assumption")];
    let queries = [list("vector_db_search", DataType::Utf8), list("web_search", DataType::Utf8)];
    let fields = [
        text("question"),
        always("retrieval_queries", DataType::Struct(queries.into_iter().collect())),
        list("evidence", record(["id", "cue", "content"])),
        list("premises", DataType::Struct(premise.into_iter().collect())),
        list("thinking", record(["text"])),
        text("confidence"),
        list("known_limits", DataType::Utf8),
    ];
    DataType::Struct(fields.into_iter().collect())
}

/// What of a passage or page tells where it is.
pub(super) fn place() -> Vec<Field> {
    let number = |name| always(name, DataType::UInt64);
    vec![text("id"), text("source"), text("heading"), number("char_start"), number("char_end")]
}

/// What was made of it.
pub(super) fn used() -> Vec<Field> {
    let score = fields(&[text("by"), always("score", DataType::Float32)]);
    vec![list("scores", score), list("evidence_ids", DataType::Utf8)]
}

/// The places of a conversation, each once, and turn by turn which of them were found.
pub(super) fn provenance() -> DataType {
    let turn = DataType::List(Arc::new(Field::new_list_field(DataType::UInt32, false)));
    fields(&[list("passages", fields(&place())), list("turns", turn)])
}

pub(super) fn fields(fields: &[Field]) -> DataType {
    DataType::Struct(fields.to_vec().into())
}

/// A type for people, such as `list of text`.
pub(super) fn told(field: &Field) -> String {
    match field.data_type() {
        _ if field.extension_type_name().is_some() => "JSON text".to_owned(),
        DataType::Utf8 => "text".to_owned(),
        DataType::List(item) => format!("list of {}", told(item)),
        DataType::Struct(_) => "structure".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}
