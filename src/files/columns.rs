//! A large Parquet file whose columns are encoded by several threads.

use super::parquet::{GROUP_BYTES, GROUP_ROWS, properties};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter, add_encoded_arrow_schema_to_metadata};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;
use std::fs::File;
use std::mem;
use std::sync::Arc;

/// A Parquet file that grows batch by batch. Each row group is encoded on all threads of rayon's pool, some columns on each; its bytes
/// don't depend on how many these are, for columns know nothing of each other.
pub(crate) struct ColumnsWriter {
    file: SerializedFileWriter<File>,
    schema: SchemaRef,
    properties: WriterPropertiesPtr,
    /// The row group that is being made.
    open: Vec<Columns>,
    /// Its rows.
    rows: usize,
}

/// Some columns of a row group, as a file of their own in memory: content-defined chunks are made by writers of files alone.
struct Columns {
    /// Their places in the schema, in ascending order.
    places: Vec<usize>,
    writer: ArrowWriter<Vec<u8>>,
}

/// Columns of a row group that are complete.
struct Encoded {
    places: Vec<usize>,
    bytes: Bytes,
    metadata: ParquetMetaData,
}

impl ColumnsWriter {
    /// A file with these columns, which is told so in its metadata.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn new(file: File, schema: SchemaRef, told: &[(&str, &str)]) -> Result<Self, ParquetError> {
        let mut own = properties(&schema, told)?;
        let leaves = ArrowSchemaConverter::new().with_coerce_types(own.coerce_types()).convert(&schema)?;
        add_encoded_arrow_schema_to_metadata(&schema, &mut own);
        let own = Arc::new(own);
        let file = SerializedFileWriter::new(file, leaves.root_schema_ptr(), own.clone())?;
        Ok(Self { file, schema, properties: own, open: Vec::new(), rows: 0 })
    }

    /// Writes rows behind those that were written.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&mut self, mut batch: RecordBatch) -> Result<(), ParquetError> {
        while batch.num_rows() > 0 {
            let rows = batch.slice(0, batch.num_rows().min(GROUP_ROWS - self.rows));
            batch = batch.slice(rows.num_rows(), batch.num_rows() - rows.num_rows());
            self.add(&rows)?;
        }
        Ok(())
    }

    /// Adds rows to the row group that is open, for which there is room.
    fn add(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        if self.open.is_empty() {
            let shares = shares(rows, rayon::current_num_threads());
            self.open = shares.into_iter().map(|places| self.columns(places)).collect::<Result<_, _>>()?;
        }
        self.open.par_iter_mut().try_for_each(|columns| columns.writer.write(&rows.project(&columns.places)?))?;
        self.rows += rows.num_rows();
        let bytes: usize = self.open.iter().map(|columns| columns.writer.in_progress_size()).sum();
        if self.rows == GROUP_ROWS || bytes >= GROUP_BYTES { self.end_group() } else { Ok(()) }
    }

    fn columns(&self, places: Vec<usize>) -> Result<Columns, ParquetError> {
        // The row group ends with its rows, not where some of its columns are large.
        let own = WriterProperties::clone(&self.properties).into_builder();
        let own = own.set_max_row_group_row_count(None).set_max_row_group_bytes(None).build();
        let schema = Arc::new(self.schema.project(&places)?);
        Ok(Columns { places, writer: ArrowWriter::try_new(Vec::new(), schema, Some(own))? })
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let encoded: Vec<Encoded> =
            mem::take(&mut self.open).into_par_iter().map(Columns::encoded).collect::<Result<_, _>>()?;
        let mut leaves: Vec<(usize, &Bytes, ColumnCloseResult)> = encoded.iter().flat_map(Encoded::leaves).collect();
        leaves.sort_by_key(|(place, ..)| *place);
        let mut group = self.file.next_row_group()?;
        leaves.into_iter().try_for_each(|(_, bytes, leaf)| group.append_column(bytes, leaf))?;
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    /// Completes the file with its footer.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(mut self) -> Result<File, ParquetError> {
        if self.rows > 0 {
            self.end_group()?;
        }
        self.file.into_inner()
    }
}

impl Columns {
    fn encoded(mut self) -> Result<Encoded, ParquetError> {
        let metadata = self.writer.finish()?;
        let bytes = mem::take(self.writer.inner_mut());
        Ok(Encoded { places: self.places, bytes: bytes.into(), metadata })
    }
}

impl Encoded {
    /// The leaves of its columns: the place of the column, the bytes that it lies in, and what is known of it.
    fn leaves(&self) -> impl Iterator<Item = (usize, &Bytes, ColumnCloseResult)> {
        let (group, schema) = (self.metadata.row_group(0), self.metadata.file_metadata().schema_descr());
        let indexes = self.metadata.page_index_for_row_group(0);
        group.columns().iter().enumerate().map(move |(leaf, column)| {
            let known = ColumnCloseResult {
                bytes_written: column.compressed_size().unsigned_abs(),
                rows_written: group.num_rows().unsigned_abs(),
                metadata: column.clone(),
                bloom_filter: None,
                column_index: indexes.column_index(leaf).cloned(),
                offset_index: indexes.offset_index(leaf).cloned(),
            };
            (self.places[schema.get_column_root_idx(leaf)], &self.bytes, known)
        })
    }
}

/// Shares of the columns, at most so many, of about the same size in these rows.
fn shares(rows: &RecordBatch, most: usize) -> Vec<Vec<usize>> {
    let size = |place: &usize| rows.column(*place).to_data().get_slice_memory_size().unwrap_or_default();
    let mut columns: Vec<(usize, usize)> = (0..rows.num_columns()).map(|place| (size(&place), place)).collect();
    columns.sort_by(|one, other| other.cmp(one));
    let mut shares = vec![(0, Vec::new()); most.clamp(1, columns.len())];
    for (size, place) in columns {
        if let Some((sum, places)) = shares.iter_mut().min_by_key(|(sum, _)| *sum) {
            *sum += size;
            places.push(place);
        }
    }
    let ascending = |(_, mut places): (usize, Vec<usize>)| {
        places.sort_unstable();
        places
    };
    shares.into_iter().map(ascending).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int32Builder, ListBuilder, StringArray, StructArray, UInt32Array};
    use arrow::datatypes::Schema;
    use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
    use parquet::file::metadata::PageIndexPolicy;
    use rayon::ThreadPoolBuilder;

    /// Rows with a text, a number, a structure and a list, beginning with this one.
    fn rows(from: u32, count: u32) -> RecordBatch {
        let numbers = || from..from + count;
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(numbers().map(|n| format!("{n} ").repeat(40))));
        let own: ArrayRef = Arc::new(UInt32Array::from_iter(numbers().map(|n| (n % 3 > 0).then_some(n))));
        let mut lists = ListBuilder::new(Int32Builder::new());
        numbers().for_each(|n| lists.append_value((0..n % 5).map(|item| Some(item as i32))));
        let lists: ArrayRef = Arc::new(lists.finish());
        let inner: ArrayRef = Arc::new(
            StructArray::try_from(vec![("text", texts.clone()), ("list", lists.clone()), ("own", own.clone())])
                .unwrap(),
        );
        RecordBatch::try_from_iter_with_nullable([
            ("number", own, true),
            ("inner", inner, true),
            ("text", texts, false),
            ("list", lists, true),
        ])
        .unwrap()
    }

    fn written(batches: &[RecordBatch], threads: usize) -> Bytes {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        pool.install(|| {
            let mut writer =
                ColumnsWriter::new(file.reopen().unwrap(), batches[0].schema(), &[("told", "this")]).unwrap();
            batches.iter().for_each(|batch| writer.write(batch.clone()).unwrap());
            writer.finish().unwrap();
        });
        std::fs::read(file.path()).unwrap().into()
    }

    fn metadata(file: &Bytes) -> ArrowReaderMetadata {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        ArrowReaderMetadata::load(file, options).unwrap()
    }

    #[test]
    fn a_file_is_the_same_whatever_the_number_of_threads() {
        let batches = [rows(0, 900), rows(900, 2 * GROUP_ROWS as u32 + 7)];
        let one = written(&batches, 1);
        assert!([2, 3, 9].into_iter().all(|threads| written(&batches, threads) == one));
    }

    #[test]
    fn row_groups_are_full_and_rows_are_read_back() {
        let batches: Vec<_> = (0..30).map(|number| rows(number * 700, 700)).collect();
        let file = written(&batches, 2);
        let groups = metadata(&file);
        let counts: Vec<_> = groups.metadata().row_groups().iter().map(|group| group.num_rows() as usize).collect();
        assert_eq!(counts, [GROUP_ROWS, GROUP_ROWS, 1_000]);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(30_000).build().unwrap();
        let read: Vec<_> = reader.map(Result::unwrap).collect();
        assert_eq!(read, [rows(0, 21_000)]);
    }

    #[test]
    fn its_metadata_is_what_one_writer_makes_of_the_same_row_group() {
        let batch = rows(0, 5_000);
        let own = properties(&batch.schema(), &[("told", "this")]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(own)).unwrap();
        writer.write(&batch).unwrap();
        let expected = metadata(&writer.into_inner().unwrap().into());
        let found = metadata(&written(&[batch], 3));
        assert_eq!(found.metadata(), expected.metadata());
        assert!(found.metadata().page_index_for_row_group(0).column_index(0).is_some());
    }

    #[test]
    fn a_file_without_rows_has_its_columns() {
        let schema = Arc::new(Schema::empty());
        assert_eq!(metadata(&written(&[RecordBatch::new_empty(schema.clone())], 2)).schema().fields(), schema.fields());
        let none = rows(0, 0);
        assert_eq!(metadata(&written(std::slice::from_ref(&none), 2)).schema().fields(), none.schema().fields());
    }
}
