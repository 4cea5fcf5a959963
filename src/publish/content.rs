//! What an export's rows are on their way from a worker that rendered them to the one that writes them.

use crate::files::Lines;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Content {
    /// Rows of a table.
    Rows(Batch),
    /// Lines of text.
    Lines(Lines),
    /// Lines of files of their own, with their names.
    Files(Vec<(String, Lines)>),
}

/// A batch of rows, which crosses processes as a stream of Arrow IPC.
#[derive(Debug, Clone)]
pub(crate) struct Batch(pub RecordBatch);

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let encoded = || -> Result<Vec<u8>, ArrowError> {
            let mut writer = StreamWriter::try_new(Vec::new(), &self.0.schema())?;
            writer.write(&self.0)?;
            writer.into_inner()
        };
        serde_bytes::serialize(&encoded().map_err(serde::ser::Error::custom)?, serializer)
    }
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        let mut batches = StreamReader::try_new(&*bytes, None).map_err(serde::de::Error::custom)?;
        let batch = batches.next().ok_or_else(|| serde::de::Error::custom("no batch"))?;
        batch.map(Self).map_err(serde::de::Error::custom)
    }
}
