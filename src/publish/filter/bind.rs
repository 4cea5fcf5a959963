//! From a condition to what is evaluated: columns are found in a schema, and types agreed on, before there is a row.

use super::error::{Place, Problem};
use super::evaluate::{Column, Node, Source};
use super::syntax::{Operand, Test, Value};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, Scalar, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use std::sync::Arc;

/// What a value is to comparisons.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Class {
    Integer,
    Float,
    Text,
    Truth,
    Time,
    List(Box<Class>),
    Structure(Vec<String>),
    Other(DataType),
}

impl Class {
    fn of(kind: &DataType) -> Self {
        match kind {
            kind if kind.is_integer() => Self::Integer,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Dictionary(_, values) => Self::of(values),
            DataType::Boolean => Self::Truth,
            DataType::Timestamp(..) | DataType::Date32 => Self::Time,
            DataType::List(item) => Self::List(Box::new(Self::of(item.data_type()))),
            DataType::Struct(fields) => Self::Structure(names(fields)),
            other => Self::Other(other.clone()),
        }
    }

    /// The type that its values are compared in; none where they can't be compared.
    fn common(&self) -> Option<DataType> {
        match self {
            Self::Integer => Some(DataType::Int64),
            Self::Float => Some(DataType::Float64),
            Self::Text => Some(DataType::Utf8),
            Self::Truth => Some(DataType::Boolean),
            Self::Time => Some(DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))),
            Self::List(item) => Some(DataType::List(Arc::new(Field::new_list_field(item.common()?, true)))),
            Self::Structure(_) | Self::Other(_) => None,
        }
    }

    /// What is in a list of lists, or a value itself.
    fn innermost(&self) -> &Self {
        match self {
            Self::List(item) => item.innermost(),
            other => other,
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Integer | Self::Float => "a number".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Truth => "true or false".to_owned(),
            Self::Time => "a time".to_owned(),
            Self::List(item) => match item.innermost() {
                Self::Integer | Self::Float => "a list of numbers".to_owned(),
                Self::Text => "a list of texts".to_owned(),
                Self::Structure(_) => "a list of structures".to_owned(),
                _ => "a list".to_owned(),
            },
            Self::Structure(_) => "a structure".to_owned(),
            Self::Other(kind) => format!("of type {kind}, which filters can't compare"),
        }
    }

    /// What can be done with such a value that has this name.
    fn advice(&self, name: &str) -> String {
        match self {
            Self::Integer | Self::Float => "compare it with a number".to_owned(),
            Self::Text => "compare it with a text in single quotes".to_owned(),
            Self::Truth => "compare it with true or false".to_owned(),
            Self::Time => "compare it with a time, such as '2026-11-01' or '2026-11-01T08:30:00Z'".to_owned(),
            Self::List(item) => match (item.innermost(), self.example(name)) {
                (Self::Structure(fields), _) => format!("name a field of them: {}", fields.join(", ")),
                (_, Some(example)) => format!("test an element, as in `{example}`, or its length: `len({name})`"),
                (_, None) => format!("use its length, `len({name})`, or `is null`"),
            },
            Self::Structure(fields) => format!("name one of its fields: {}", fields.join(", ")),
            Self::Other(_) => "only `is null` can be asked of it".to_owned(),
        }
    }

    fn example(&self, name: &str) -> Option<String> {
        match self.innermost() {
            Self::Integer | Self::Float => Some(format!("7 in {name}")),
            Self::Text => Some(format!("'...' in {name}")),
            Self::Truth => Some(format!("true in {name}")),
            Self::Time => Some(format!("'2026-11-01' in {name}")),
            _ => None,
        }
    }
}

/// What to evaluate for a condition over tables of this schema.
pub(super) fn bind(test: &Test, schema: &Schema) -> Result<Node, Place> {
    let all = |tests: &[Test]| tests.iter().map(|test| bind(test, schema)).collect::<Result<_, _>>();
    Ok(match test {
        Test::All(tests) => Node::All(all(tests)?),
        Test::Any(tests) => Node::Any(all(tests)?),
        Test::Not(test) => Node::Not(Box::new(bind(test, schema)?)),
        Test::Compare(left, comparison, right) => {
            let [left, right] = same(typed(left, schema)?, typed(right, schema)?)?;
            Node::Compare(left, *comparison, right)
        }
        Test::Element { list, item } => element(typed(list, schema)?, typed(item, schema)?)?,
        Test::Like { value, pattern, caseless } => {
            let pattern = Scalar::new(StringArray::from(vec![pattern.as_str()]));
            let value = column(typed(value, schema)?, &Class::Text, "patterns are for columns of texts")?;
            Node::Like { value, pattern, caseless: *caseless }
        }
        Test::Null(value) => match typed(value, schema)?.value {
            Typed::Column(column) => Node::Null(Column { cast: None, ..column }),
            Typed::Literal(_) => {
                return Err(wrong(value.at, "it is a value".into(), "ask a column whether it is null".into()));
            }
        },
        Test::True(value) => {
            Node::True(column(typed(value, schema)?, &Class::Truth, "a column alone has to be true or false")?)
        }
    })
}

/// A value with its class.
struct Side<'a> {
    at: usize,
    /// As the text has it.
    told: String,
    class: Class,
    value: Typed<'a>,
}

enum Typed<'a> {
    Column(Column),
    Literal(&'a Value),
}

fn typed<'a>(operand: &'a Operand, schema: &Schema) -> Result<Side<'a>, Place> {
    let at = operand.at;
    let side = |told: String, class, value| Ok(Side { at, told, class, value });
    match &operand.value {
        Value::Column(path) => {
            let (column, class) = find(path, at, schema)?;
            side(format!("`{}`", path.join(".")), class, Typed::Column(column))
        }
        Value::Length(path) => {
            let (column, class) = find(path, at, schema)?;
            let name = path.join(".");
            if !matches!(class, Class::List(_) | Class::Text) {
                return Err(wrong(
                    at,
                    format!("`{name}` is {}", class.told()),
                    "only lists and texts have a length".into(),
                ));
            }
            side(format!("`len({name})`"), Class::Integer, Typed::Column(Column { length: true, ..column }))
        }
        value @ Value::Integer(number) => side(format!("`{number}`"), Class::Integer, Typed::Literal(value)),
        value @ Value::Float(number) => side(format!("`{number}`"), Class::Float, Typed::Literal(value)),
        value @ Value::Text(text) => side(format!("'{text}'"), Class::Text, Typed::Literal(value)),
        value @ Value::Truth(truth) => side(format!("`{truth}`"), Class::Truth, Typed::Literal(value)),
    }
}

/// The column of this path, as it is stored, and its class.
fn find(path: &[String], at: usize, schema: &Schema) -> Result<(Column, Class), Place> {
    let missing = || Problem::Column { name: path[0].clone(), columns: names(schema.fields()) };
    let index = schema.index_of(&path[0]).map_err(|_| Place { at, problem: missing() })?;
    let mut kind = schema.field(index).data_type().clone();
    let mut fields = Vec::new();
    for (depth, name) in path.iter().enumerate().skip(1) {
        let above = path[..depth].join(".");
        let DataType::Struct(known) = within(&kind) else {
            return Err(wrong(
                at,
                format!("`{above}` is {}", Class::of(&kind).told()),
                "only structures have fields".into(),
            ));
        };
        let Some((field, found)) = known.find(name) else {
            let problem = Problem::Field { column: above, name: name.clone(), fields: names(known) };
            return Err(Place { at, problem });
        };
        let found = found.data_type().clone();
        kind = wrapped(&kind, found);
        fields.push(field);
    }
    let class = Class::of(&kind);
    Ok((Column { name: path[0].clone(), fields, cast: class.common(), length: false }, class))
}

/// What is in a list of lists, or the type itself.
fn within(kind: &DataType) -> &DataType {
    match kind {
        DataType::List(item) => within(item.data_type()),
        other => other,
    }
}

/// The type of a field of what is in lists: as many lists of it.
fn wrapped(kind: &DataType, field: DataType) -> DataType {
    match kind {
        DataType::List(item) => DataType::List(Arc::new(Field::new_list_field(wrapped(item.data_type(), field), true))),
        _ => field,
    }
}

/// Both sides of a comparison in one type.
fn same(left: Side<'_>, right: Side<'_>) -> Result<[Source; 2], Place> {
    if let (Typed::Literal(_), Typed::Literal(_)) = (&left.value, &right.value) {
        return Err(wrong(left.at, "both are values".into(), "compare a column with a value".into()));
    }
    // An error tells of the column, which can't change.
    let (subject, other) = if let Typed::Literal(_) = left.value { (&right, &left) } else { (&left, &right) };
    let common = match (&subject.class, &other.class) {
        (Class::Integer | Class::Float, Class::Float) | (Class::Float, Class::Integer) => Class::Float,
        (Class::Integer, Class::Integer) => Class::Integer,
        (Class::Truth, Class::Truth) => Class::Truth,
        (Class::Text, Class::Text) => Class::Text,
        (Class::Time, Class::Time) => Class::Time,
        (Class::Time, Class::Text) if matches!(other.value, Typed::Literal(_)) => Class::Time,
        _ => return Err(mismatch(subject)),
    };
    let kind = common.common().ok_or_else(|| mismatch(subject))?;
    Ok([left.source(&common, &kind)?, right.source(&common, &kind)?])
}

/// An element of a list that equals a value.
fn element(list: Side<'_>, item: Side<'_>) -> Result<Node, Place> {
    let Typed::Column(column) = list.value else {
        return Err(wrong(list.at, format!("{} is {}", list.told, list.class.told()), "write it in brackets".into()));
    };
    let Class::List(_) = list.class else {
        let instead = format!("compare it by `=`, or write values in brackets: `in ({})`", item.told);
        return Err(wrong(list.at, format!("{} is {} and no list", list.told, list.class.told()), instead));
    };
    if let Typed::Column(_) = item.value {
        let instead = "write a value before `in` and the name of a list".to_owned();
        return Err(wrong(item.at, format!("{} is a column", item.told), instead));
    }
    let name = list.told.trim_matches('`');
    let common = match (list.class.innermost(), &item.class) {
        (Class::Integer | Class::Float, Class::Float) | (Class::Float, Class::Integer) => Class::Float,
        (Class::Time, Class::Text) => Class::Time,
        (own, other) if own == other => other.clone(),
        _ => return Err(wrong(item.at, format!("`{name}` is {}", list.class.told()), list.class.advice(name))),
    };
    let kind = common.common().ok_or_else(|| wrong(item.at, list.told.clone(), list.class.advice(name)))?;
    let cast = relisted(&list.class, &common).common();
    Ok(Node::Element { list: Column { cast, ..column }, item: item.literal(&common, &kind)? })
}

/// Lists as deep, of another class.
fn relisted(class: &Class, item: &Class) -> Class {
    match class {
        Class::List(inner) => Class::List(Box::new(relisted(inner, item))),
        _ => item.clone(),
    }
}

/// A column that has to be of this class.
fn column(side: Side<'_>, class: &Class, rule: &str) -> Result<Column, Place> {
    match side.value {
        Typed::Column(column) if side.class == *class => Ok(column),
        Typed::Column(_) => {
            let advice = side.class.advice(side.told.trim_matches('`'));
            Err(wrong(side.at, format!("{} is {}", side.told, side.class.told()), format!("{rule}: {advice}")))
        }
        Typed::Literal(_) => Err(wrong(side.at, format!("{} is a value", side.told), rule.to_owned())),
    }
}

impl Side<'_> {
    fn source(self, class: &Class, kind: &DataType) -> Result<Source, Place> {
        Ok(match self.value {
            Typed::Column(column) => Source::Column(Column { cast: Some(kind.clone()), ..column }),
            Typed::Literal(_) => Source::Literal(self.literal(class, kind)?),
        })
    }

    /// The value that the text has, in the type of its class.
    fn literal(self, class: &Class, kind: &DataType) -> Result<Scalar<ArrayRef>, Place> {
        let array: ArrayRef = match self.value {
            Typed::Literal(Value::Integer(number)) => Arc::new(Int64Array::from(vec![*number])),
            // Zero has one sign: kernels order them.
            Typed::Literal(Value::Float(number)) => Arc::new(Float64Array::from(vec![*number + 0.0])),
            Typed::Literal(Value::Truth(truth)) => Arc::new(BooleanArray::from(vec![*truth])),
            Typed::Literal(Value::Text(text)) => Arc::new(StringArray::from(vec![text.as_str()])),
            Typed::Literal(Value::Column(_) | Value::Length(_)) | Typed::Column(_) => {
                return Err(wrong(self.at, format!("{} is a column", self.told), "write a value".into()));
            }
        };
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let cast = cast_with_options(&array, kind, &strict);
        cast.map(Scalar::new).map_err(|_| wrong(self.at, format!("{} is no time", self.told), class.advice("")))
    }
}

fn mismatch(side: &Side<'_>) -> Place {
    let name = side.told.trim_matches('`');
    wrong(side.at, format!("{} is {}", side.told, side.class.told()), side.class.advice(name))
}

fn wrong(at: usize, what: String, instead: String) -> Place {
    Place { at, problem: Problem::Type { what, instead } }
}

fn names(fields: &Fields) -> Vec<String> {
    fields.iter().map(|field| field.name().clone()).collect()
}
