//! How Parquet files are written: for analytics, and so that the Hub knows their types and keeps what two versions share once.

use arrow::datatypes::{DataType, Field, Fields, Schema};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{CdcOptions, WriterProperties};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Most rows and bytes of a row group: what one thread of an analysis reads at a time.
pub(super) const GROUP_ROWS: usize = 10_000;
pub(super) const GROUP_BYTES: usize = 64 << 20;
const ZSTD_LEVEL: i32 = 3;

/// The extension type of columns that hold JSON texts (<https://arrow.apache.org/docs/format/CanonicalExtensions.html>).
const JSON: &str = "arrow.json";

/// A column of JSON texts.
pub(crate) fn json_text(name: &str) -> Field {
    let told = [("ARROW:extension:name", JSON), ("ARROW:extension:metadata", "")];
    let told = told.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Field::new(name, DataType::Utf8, false).with_metadata(HashMap::from(told))
}

/// Properties of a file with this schema that is told so in its key-value metadata: zstd, statistics and indexes of pages, pages cut by
/// their content (<https://huggingface.co/docs/hub/datasets-libraries>), and the types as the `datasets` library spells them.
///
/// # Errors
/// None that depend on the file.
pub(crate) fn properties(schema: &Schema, told: &[(&str, &str)]) -> Result<WriterProperties, ParquetError> {
    let cut = CdcOptions::default();
    let cuts = json!({
        "min_chunk_size": cut.min_chunk_size, "max_chunk_size": cut.max_chunk_size, "norm_level": cut.norm_level,
    });
    let own = [("content_defined_chunking", cuts.to_string()), ("huggingface", info(schema).to_string())];
    let told = told.iter().map(|(key, value)| (*key, (*value).to_owned())).chain(own);
    let told = told.map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_content_defined_chunking(Some(cut))
        .set_key_value_metadata(Some(told))
        .build())
}

/// What `datasets` reads under the key `huggingface`.
fn info(schema: &Schema) -> Value {
    json!({"info": {"features": features(schema.fields())}})
}

fn features(fields: &Fields) -> Value {
    fields.iter().map(|field| (field.name().clone(), feature(field))).collect()
}

/// A type as `datasets` spells it: a list of structures is a `List` of a dictionary of features.
fn feature(field: &Field) -> Value {
    let value = |name: &str| json!({"dtype": name, "_type": "Value"});
    match field.data_type() {
        _ if field.extension_type_name() == Some(JSON) => json!({"_type": "Json"}),
        DataType::Struct(fields) => features(fields),
        DataType::List(item) => json!({"feature": feature(item), "_type": "List"}),
        DataType::Utf8 => value("string"),
        DataType::Boolean => value("bool"),
        DataType::Timestamp(_, Some(zone)) => value(&format!("timestamp[us, tz={zone}]")),
        other => value(&other.to_string().to_lowercase()),
    }
}
