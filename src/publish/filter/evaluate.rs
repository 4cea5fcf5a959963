//! Conditions over batches of rows, by Arrow's kernels: true, false or null for every row.

use super::syntax::Comparison;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Datum, Int64Array, ListArray, RecordBatch, Scalar, StringArray,
};
use arrow::compute::kernels::cmp;
use arrow::compute::kernels::length::length;
use arrow::compute::{CastOptions, and_kleene, cast, cast_with_options, ilike, is_null, like, not, nullif, or_kleene};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use std::sync::Arc;

/// A condition over the columns of a batch.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// All of these; true where there are none.
    All(Vec<Node>),
    /// Any of these, of which there is one.
    Any(Vec<Node>),
    /// This one is not true.
    Not(Box<Node>),
    /// Two sources of one type, of which one is a column, compare so.
    Compare(Source, Comparison, Source),
    /// A list, or one within it, has an element that equals the item.
    Element {
        list: Column,
        /// The item, of the type of its elements.
        item: Scalar<ArrayRef>,
    },
    /// A text is like a pattern.
    Like {
        value: Column,
        pattern: Scalar<StringArray>,
        /// Whether capitals and small letters are the same.
        caseless: bool,
    },
    /// A column is null.
    Null(Column),
    /// A column of truths is true.
    True(Column),
}

/// Where values come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The values of a column.
    Column(Column),
    /// One value for every row.
    Literal(Scalar<ArrayRef>),
}

/// A column, or a field of it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name in the batch.
    pub name: String,
    /// The numbers of the fields that lead into it.
    pub fields: Vec<usize>,
    /// The type that its values, or their lengths, are wanted in; none where any is right.
    pub cast: Option<DataType>,
    /// Whether its length is meant.
    pub length: bool,
}

impl Node {
    /// True, false or null for each row of a batch.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        match self {
            Self::All(nodes) => fold(nodes, batch, and_kleene),
            Self::Any(nodes) => fold(nodes, batch, or_kleene),
            Self::Not(node) => not(&node.evaluate(batch)?),
            Self::Compare(left, comparison, right) => {
                let compare = match comparison {
                    Comparison::Equal => cmp::eq,
                    Comparison::Unequal => cmp::neq,
                    Comparison::Less => cmp::lt,
                    Comparison::AtMost => cmp::lt_eq,
                    Comparison::More => cmp::gt,
                    Comparison::AtLeast => cmp::gt_eq,
                };
                compare(left.load(batch)?.as_ref(), right.load(batch)?.as_ref())
            }
            Self::Element { list, item } => element(&list.load(batch)?, item),
            Self::Like { value, pattern, caseless } => {
                (if *caseless { ilike } else { like })(&value.load(batch)?, pattern)
            }
            Self::Null(column) => is_null(&column.load(batch)?),
            Self::True(column) => Ok(column.load(batch)?.as_boolean().clone()),
        }
    }
}

impl Node {
    /// The columns that are read, some perhaps more than once.
    pub fn columns<'s>(&'s self) -> Vec<&'s str> {
        let of = |source: &'s Source| match source {
            Source::Column(column) => Some(column.name.as_str()),
            Source::Literal(_) => None,
        };
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().flat_map(Self::columns).collect(),
            Self::Not(node) => node.columns(),
            Self::Compare(left, _, right) => of(left).into_iter().chain(of(right)).collect(),
            Self::Element { list: column, .. } | Self::Like { value: column, .. } => vec![&column.name],
            Self::Null(column) | Self::True(column) => vec![&column.name],
        }
    }
}

fn fold(
    nodes: &[Node],
    batch: &RecordBatch,
    join: fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, ArrowError>,
) -> Result<BooleanArray, ArrowError> {
    let Some((first, rest)) = nodes.split_first() else { return Ok(vec![true; batch.num_rows()].into()) };
    rest.iter().try_fold(first.evaluate(batch)?, |mask, node| join(&mask, &node.evaluate(batch)?))
}

impl Source {
    fn load(&self, batch: &RecordBatch) -> Result<Box<dyn Datum>, ArrowError> {
        Ok(match self {
            Self::Column(column) => Box::new(column.load(batch)?),
            Self::Literal(scalar) => Box::new(scalar.clone()),
        })
    }
}

impl Column {
    fn load(&self, batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
        let missing = || ArrowError::SchemaError(format!("no column `{}` in the batch", self.name));
        let column = Arc::clone(batch.column_by_name(&self.name).ok_or_else(missing)?);
        let mut array = self.fields.iter().try_fold(column, |array, field| child(&array, *field))?;
        if self.length {
            array = lengths(&array)?;
        }
        match &self.cast {
            Some(kind) => cast_with_options(&array, kind, &CastOptions { safe: false, ..CastOptions::default() }),
            None => Ok(array),
        }
    }
}

/// A field of structures, which may be in lists; it is null where the structure is.
fn child(array: &ArrayRef, field: usize) -> Result<ArrayRef, ArrowError> {
    if let Some(list) = array.as_list_opt::<i32>() {
        let values = child(list.values(), field)?;
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        return Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), values, list.nulls().cloned())?));
    }
    let structure = array.as_struct();
    let values = structure.column(field);
    if structure.null_count() == 0 { Ok(Arc::clone(values)) } else { nullif(values, &is_null(structure)?) }
}

/// How many elements lists have, or characters texts.
fn lengths(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if array.as_list_opt::<i32>().is_some() {
        return length(array);
    }
    let texts = cast(array, &DataType::Utf8)?;
    let count = |text: &str| text.chars().count() as i64;
    Ok(Arc::new(texts.as_string::<i32>().iter().map(|text| text.map(count)).collect::<Int64Array>()))
}

/// Whether a list has an element that equals this one; null where none does and one is null, or the list is.
fn element(array: &ArrayRef, item: &Scalar<ArrayRef>) -> Result<BooleanArray, ArrowError> {
    let Some(list) = array.as_list_opt::<i32>() else { return cmp::eq(array, item) };
    let found = element(list.values(), item)?;
    let any = |row: usize| {
        let [from, to] = [row, row + 1].map(|at| list.value_offsets()[at] as usize);
        let elements = from..to;
        let is = |at: usize| found.is_valid(at) && found.value(at);
        match elements.clone().any(is) {
            _ if list.is_null(row) => None,
            false if elements.clone().any(|at| found.is_null(at)) => None,
            any => Some(any),
        }
    };
    Ok((0..list.len()).map(any).collect())
}
