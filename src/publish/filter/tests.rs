//! What filters mean: examples, errors, and random conditions over random rows beside an evaluator of one row at a time.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::Filter;
use arrow::array::*;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use proptest::option::of;
use proptest::prelude::*;
use std::fmt;
use std::sync::Arc;

/// A row as the evaluator of the tests sees it.
#[derive(Debug, Clone, Default)]
struct Row {
    n: Option<u16>,
    score: Option<f64>,
    language: Option<&'static str>,
    ok: Option<bool>,
    at: Option<i64>,
    who: Option<Option<&'static str>>,
    modes: Option<Vec<Option<&'static str>>>,
    labels: Vec<Vec<&'static str>>,
    said: Vec<Option<&'static str>>,
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

fn speaker() -> Fields {
    vec![Field::new("id", DataType::Utf8, true), Field::new("rôle", DataType::Utf8, true)].into()
}

fn schema() -> SchemaRef {
    let maybe = |name, kind| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        maybe("n_turns", DataType::UInt16),
        maybe("judge_score", DataType::Float64),
        maybe("language", DataType::Utf8),
        maybe("judge_accepted", DataType::Boolean),
        maybe("timestamp", DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))),
        maybe("personas", DataType::Struct(speaker())),
        maybe("question_modes", list(DataType::Utf8)),
        maybe("answer_labels", list(list(DataType::Utf8))),
        maybe("messages", list(DataType::Struct(speaker()))),
        maybe("raw", DataType::Binary),
    ]))
}

fn speakers<'a>(ids: impl Iterator<Item = Option<Option<&'a str>>>) -> StructArray {
    // Fields of structures that are null are there all the same.
    let (ids, there): (Vec<_>, Vec<_>) = ids.map(|id| (id.unwrap_or(Some("hidden")), id.is_some())).unzip();
    let ids: ArrayRef = Arc::new(StringArray::from(ids));
    StructArray::new(speaker(), vec![Arc::clone(&ids), ids], Some(there.into()))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let mut modes = ListBuilder::new(StringBuilder::new());
    let mut labels = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    for row in rows {
        modes.append_option(row.modes.clone());
        labels.append_value(row.labels.iter().map(|turn| Some(turn.iter().map(|label| Some(*label)))));
    }
    let said = speakers(rows.iter().flat_map(|row| row.said.iter().map(|id| Some(*id))));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(rows.iter().map(|row| row.said.len()));
    let item = Arc::new(Field::new_list_field(DataType::Struct(speaker()), true));
    let times: TimestampMicrosecondArray = rows.iter().map(|row| row.at).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.n).collect::<UInt16Array>()),
        Arc::new(rows.iter().map(|row| row.score).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.language).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.ok).collect::<BooleanArray>()),
        Arc::new(times.with_timezone("+00:00")),
        Arc::new(speakers(rows.iter().map(|row| row.who))),
        Arc::new(modes.finish()),
        Arc::new(labels.finish()),
        Arc::new(ListArray::new(item, offsets, Arc::new(said), None)),
        new_null_array(&DataType::Binary, rows.len()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn passes(filter: &Filter, rows: &[Row]) -> Vec<bool> {
    let bound = filter.bind(&schema()).unwrap();
    // A slice, whose lists do not begin at zero.
    let padded: Vec<_> = [&[Row::default(), example()], rows].concat();
    let mask = bound.mask(&batch(&padded).slice(2, rows.len())).unwrap();
    assert!(mask.nulls().is_none());
    mask.values().iter().collect()
}

/// 2026-11-27, 08:30 UTC.
const MORNING: i64 = 1_795_768_200_000_000;

fn example() -> Row {
    Row {
        n: Some(3),
        score: Some(7.5),
        language: Some("fr"),
        ok: Some(true),
        at: Some(MORNING),
        who: Some(Some("p1")),
        modes: Some(vec![Some("fresh"), Some("followup")]),
        labels: vec![vec![], vec!["l'été", "سؤال"]],
        said: vec![Some("user"), None, Some("tool")],
    }
}

#[test]
fn a_condition_is_true_or_not_of_a_row() {
    for (text, passes_it) in [
        ("judge_score >= 7 and n_turns > 2", true),
        ("judge_score >= 7 AND n_turns > 3", false),
        ("7.5 = judge_score", true),
        ("n_turns < 3.5", true),
        ("n_turns != 3", false),
        ("n_turns == 3", true),
        ("n_turns > -1e3", true),
        ("n_turns < judge_score", true),
        ("language = 'fr' or language = 'ar' and n_turns = 0", true),
        ("(language = 'fr' or language = 'ar') and n_turns = 0", false),
        ("not language = 'ar' and not (n_turns = 3 and judge_score = 1)", true),
        ("language in ('ar', 'fr')", true),
        ("language not in ('ar', 'fr')", false),
        ("language like 'f%'", true),
        ("language not like '_r'", false),
        ("language ilike 'FR'", true),
        ("language like 'FR'", false),
        ("judge_score between 7 and 8 and n_turns = 3", true),
        ("judge_score not between 7 and 8", false),
        ("judge_accepted", true),
        ("judge_accepted = false", false),
        ("personas.user_id = 'p1'", true),
        ("\"personas\".\"user_id\" is not null", true),
        ("'followup' in question_modes", true),
        ("'challenge' not in question_modes", true),
        ("'l''été' in answer_labels", true),
        ("'سؤال' in answer_labels", true),
        ("'tool' in messages.rôle", true),
        ("len(messages) > 2 and len(question_modes) = 2", true),
        ("len(language) = 2", true),
        ("messages is null", false),
        ("raw is null", true),
        ("timestamp >= '2026-11-27'", true),
        ("timestamp >= '2026-11-27 08:30:00'", true),
        ("timestamp > '2026-11-27T09:30:00+01:00'", false),
        ("'2026-12-01' > timestamp", true),
        ("timestamp < '9999-12-31'", true),
    ] {
        let text = text.replace("user_id", "id");
        assert_eq!(passes(&Filter::parse(&text).unwrap(), &[example()]), [passes_it], "{text}");
    }
}

#[test]
fn null_is_no_match_either_way() {
    let nothing = Row { n: Some(3), ..Row::default() };
    for (text, passes_it) in [
        ("judge_score >= 7", false),
        ("not judge_score >= 7", false),
        ("judge_score >= 7 or n_turns = 3", true),
        ("not (judge_score >= 7 and n_turns = 4)", true),
        ("language in ('fr')", false),
        ("language not in ('fr')", false),
        ("not judge_accepted", false),
        ("personas.id = 'hidden'", false),
        ("personas.id is null", true),
        ("'x' not in question_modes", false),
        ("'x' not in answer_labels", true),
        ("len(question_modes) is null", true),
        ("judge_score is null", true),
    ] {
        assert_eq!(passes(&Filter::parse(text).unwrap(), std::slice::from_ref(&nothing)), [passes_it], "{text}");
    }
}

#[test]
fn zero_has_one_sign() {
    let zero = Row { score: Some(0.0), ..example() };
    assert_eq!(passes(&Filter::parse("judge_score > -0.0").unwrap(), std::slice::from_ref(&zero)), [false]);
    assert_eq!(passes(&Filter::min_score(-0.0), &[zero]), [true]);
}

#[test]
fn shorthands_join() {
    let other = Row { language: Some("l'été"), modes: Some(vec![Some("seeded")]), ..example() };
    let rows = [example(), Row { score: None, ..example() }, other];
    let all = Filter::min_score(7.0).and(Filter::languages(&["fr", "ar"])).and(Filter::modes(&["followup", "x"]));
    assert_eq!(passes(&all, &rows), [true, false, false]);
    assert_eq!(passes(&Filter::languages(&["l'été"]), &rows), [false, false, true]);
    assert_eq!(passes(&Filter::modes(&["seeded"]), &rows), [false, false, true]);
    let none = Filter::languages(&[] as &[&str]).and(Filter::modes(&[] as &[&str]));
    assert!(none.bind(&schema()).unwrap().keeps_all() && passes(&none, &rows) == [true; 3]);
    assert!(!all.bind(&schema()).unwrap().keeps_all());
    for filter in [Filter::min_score(7.5), Filter::languages(&["l'été", "ar"]), Filter::modes(&["a", "b'"])] {
        let again = Filter::parse(&filter.clauses[0].text).unwrap();
        assert_eq!(passes(&again, &rows), passes(&filter, &rows), "{filter:?}");
    }
}

#[test]
fn errors_say_where_and_what_to_do() {
    let deep = format!("{}judge_accepted", "not ".repeat(101));
    let columns = "n_turns, judge_score, language, judge_accepted, timestamp, personas, question_modes, answer_labels, \
                   messages, raw";
    for (text, at, problem) in [
        ("", 1, "expected a value, found the end"),
        ("judge_score >=", 15, "expected a value, found the end"),
        ("judge_score 7", 13, "expected a comparison, `in`, `like`, `ilike`, `between` or `is`, found `7`"),
        ("n_turns = 3 language = 'fr'", 13, "expected `and`, `or` or the end, found `language`"),
        ("language = 'été", 12, "the quote that opens here is not closed; a quote within quotes is doubled"),
        ("language = 'été' & ok", 18, "expected a column, value, comparison or bracket, found `&`"),
        ("n_turns = 7x", 11, "expected a number, found `7x`"),
        ("(n_turns = 7", 13, "expected `and`, `or` or `)`, found the end"),
        ("n_turns in (1 2)", 15, "expected `,` or `)`, found `2`"),
        ("n_turns between 1 or 2", 19, "expected `and` with the upper end of `between`, found `or`"),
        ("n_turns not = 2", 13, "expected `in`, `like`, `ilike` or `between` after `not`, found `=`"),
        ("n_turns is 2", 12, "expected `null` or `not null`, found `2`"),
        ("language like fr", 15, "expected a pattern in single quotes, found `fr`"),
        ("personas. = 'p1'", 11, "expected a field, found `=`"),
        (&deep, 401, "more than 100 brackets and `not` are open; write the condition flatter"),
        (
            "judge_scor > 7",
            1,
            &format!("no column `judge_scor`; near it: `judge_score`, `judge_accepted`; the table has {columns}"),
        ),
        ("n_turns > 1 and q = 1", 17, &format!("no column `q`; a text is in single quotes; the table has {columns}")),
        ("personas.ids = 'x'", 1, "`personas` has no field `ids`; near it: `id`; it has id, rôle"),
        ("language.x = 'x'", 1, "`language` is a text; only structures have fields"),
        ("n_turns = 'three'", 1, "`n_turns` is a number; compare it with a number"),
        ("3 = language", 5, "`language` is a text; compare it with a text in single quotes"),
        ("judge_accepted > 3", 1, "`judge_accepted` is true or false; compare it with true or false"),
        (
            "timestamp > 'yesterday'",
            13,
            "'yesterday' is no time; compare it with a time, such as '2026-11-01' or '2026-11-01T08:30:00Z'",
        ),
        (
            "question_modes = 'x'",
            1,
            "`question_modes` is a list of texts; test an element, as in `'...' in question_modes`, or its length: \
             `len(question_modes)`",
        ),
        ("personas = 'x'", 1, "`personas` is a structure; name one of its fields: id, rôle"),
        ("'x' in messages", 1, "`messages` is a list of structures; name a field of them: id, rôle"),
        (
            "3 in question_modes",
            1,
            "`question_modes` is a list of texts; test an element, as in `'...' in question_modes`, \
             or its length: `len(question_modes)`",
        ),
        (
            "'fr' in language",
            9,
            "`language` is a text and no list; compare it by `=`, or write values in brackets: \
             `in ('fr')`",
        ),
        ("language in question_modes", 1, "`language` is a column; write a value before `in` and the name of a list"),
        ("raw = 'x'", 1, "`raw` is of type Binary, which filters can't compare; only `is null` can be asked of it"),
        ("n_turns like '3'", 1, "`n_turns` is a number; patterns are for columns of texts: compare it with a number"),
        (
            "language and n_turns = 3",
            1,
            "`language` is a text; a column alone has to be true or false: compare it with a \
             text in single quotes",
        ),
        ("1 = 1", 1, "both are values; compare a column with a value"),
        ("len(n_turns) = 1", 1, "`n_turns` is a number; only lists and texts have a length"),
    ] {
        let error = Filter::parse(text).and_then(|filter| filter.bind(&schema())).unwrap_err();
        assert_eq!((error.at, error.problem.to_string().as_str()), (at, problem), "{text}");
        assert_eq!(error.to_string(), format!("read the filter `{text}`: at character {at}: {problem}"));
    }
}

#[test]
fn a_batch_needs_the_columns_of_the_filter_alone() {
    let text = "len(messages) > 2 and not (personas.id is null or language in ('fr', 'ar')) or 3 < n_turns or n_turns < judge_score";
    let bound = Filter::parse(text).unwrap().bind(&schema()).unwrap();
    let columns: Vec<_> = bound.columns().collect();
    assert_eq!(columns, ["judge_score", "language", "messages", "n_turns", "personas"]);
    let batch = batch(&[example()]);
    let indices: Vec<_> = columns.iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
    assert_eq!(bound.mask(&batch.project(&indices).unwrap()).unwrap(), BooleanArray::from(vec![true]));
    let error = bound.mask(&batch.project(&indices[1..]).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "Schema error: no column `judge_score` in the batch");
}

/// A condition that the tests make, with its meaning for one row.
#[derive(Debug, Clone)]
enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Number { column: &'static str, sign: &'static str, to: f64 },
    Text { column: &'static str, sign: &'static str, to: &'static str },
    Time(&'static str, i64),
    Between(i8, i8),
    OneOf { column: &'static str, not: bool, of: Vec<&'static str> },
    Like { caseless: bool, pattern: String },
    Has { column: &'static str, not: bool, item: &'static str },
    Null(&'static str, bool),
    Ok,
    Columns(&'static str),
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |all: &[&str]| all.iter().map(|text| super::quoted(text)).collect::<Vec<_>>().join(", ");
        let joined = |all: &[Expr], word| all.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(word);
        let not = |not: &bool| if *not { "not " } else { "" };
        match self {
            Self::And(all) => f.write_str(&joined(all, " and ")),
            Self::Or(all) => f.write_str(&joined(all, " OR ")),
            Self::Not(one) => write!(f, "not ({one})"),
            Self::Number { column, sign, to } => write!(f, "{column} {sign} {to}"),
            Self::Text { column, sign, to } => write!(f, "{column} {sign} {}", super::quoted(to)),
            Self::Time(sign, day) => write!(f, "timestamp {sign} '2026-11-{day}'"),
            Self::Between(least, most) => write!(f, "judge_score between {least} and {most}"),
            Self::OneOf { column, not: no, of } => write!(f, "{column} {}in ({})", not(no), texts(of)),
            Self::Like { caseless, pattern } => {
                write!(f, "language {} {}", if *caseless { "ilike" } else { "like" }, super::quoted(pattern))
            }
            Self::Has { column, not: no, item } => write!(f, "{} {}in {column}", super::quoted(item), not(no)),
            Self::Null(column, no) => write!(f, "{column} is {}null", not(no)),
            Self::Ok => f.write_str("judge_accepted"),
            Self::Columns(sign) => write!(f, "n_turns {sign} judge_score"),
        }
    }
}

fn compares<T: PartialOrd>(one: T, sign: &str, other: T) -> bool {
    match sign {
        "=" => one == other,
        "!=" => one != other,
        "<" => one < other,
        "<=" => one <= other,
        ">" => one > other,
        _ => one >= other,
    }
}

/// Whether characters are like a pattern without `\`.
fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|at| like(&text[at..], rest)),
        Some((first, rest)) => {
            text.split_first().is_some_and(|(char, text)| (first == char || *first == '_') && like(text, rest))
        }
    }
}

fn has(list: &[Option<&str>], item: &str) -> Option<bool> {
    let found = list.contains(&Some(item));
    if !found && list.contains(&None) { None } else { Some(found) }
}

impl Expr {
    fn holds(&self, row: &Row) -> Option<bool> {
        let number = |column: &str| match column {
            "n_turns" => row.n.map(f64::from),
            "judge_score" => row.score,
            "len(question_modes)" => row.modes.as_ref().map(|modes| modes.len() as f64),
            _ => Some(row.said.len() as f64),
        };
        let text = |column: &str| if column == "language" { row.language } else { row.who.flatten() };
        match self {
            Self::And(all) => {
                let told: Vec<_> = all.iter().map(|one| one.holds(row)).collect();
                if told.contains(&Some(false)) {
                    Some(false)
                } else {
                    told.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
                }
            }
            Self::Or(all) => {
                let told: Vec<_> = all.iter().map(|one| one.holds(row)).collect();
                if told.contains(&Some(true)) {
                    Some(true)
                } else {
                    told.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
                }
            }
            Self::Not(one) => one.holds(row).map(|is| !is),
            Self::Number { column, sign, to } => number(column).map(|number| compares(number, sign, *to)),
            Self::Text { column, sign, to } => text(column).map(|text| compares(text, sign, to)),
            Self::Time(sign, day) => row.at.map(|at| compares(at, sign, midnight(*day))),
            Self::Between(least, most) => {
                row.score.map(|score| f64::from(*least) <= score && score <= f64::from(*most))
            }
            Self::OneOf { column, not, of } => text(column).map(|text| of.contains(&text) != *not),
            Self::Like { caseless, pattern } => row.language.map(|text| {
                let fold = |text: &str| if *caseless { text.to_lowercase() } else { text.to_owned() };
                let chars = |text: &str| fold(text).chars().collect::<Vec<_>>();
                like(&chars(text), &chars(pattern))
            }),
            Self::Has { column, not, item } => match *column {
                "question_modes" => row.modes.as_ref().and_then(|modes| has(modes, item)),
                "answer_labels" => Some(row.labels.iter().flatten().any(|label| label == item)),
                _ => has(&row.said, item),
            }
            .map(|is| is != *not),
            Self::Null(column, not) => {
                let null = match *column {
                    "judge_score" => row.score.is_none(),
                    "personas" => row.who.is_none(),
                    "personas.id" => row.who.flatten().is_none(),
                    _ => row.modes.is_none(),
                };
                Some(null != *not)
            }
            Self::Ok => row.ok,
            Self::Columns(sign) => row.n.zip(row.score).map(|(n, score)| compares(f64::from(n), sign, score)),
        }
    }
}

fn midnight(day: i64) -> i64 {
    const DAY: i64 = 86_400_000_000;
    MORNING / DAY * DAY + (day - 27) * DAY
}

const TEXTS: [&str; 7] = ["", "fr", "FR", "l'été", "L'ÉTÉ", "سؤال", "a\nb"];
const SIGNS: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&TEXTS[..])
}

fn half() -> impl Strategy<Value = f64> {
    (-4_i8..6).prop_map(|half| f64::from(half) / 2.0)
}

fn row() -> impl Strategy<Value = Row> {
    let texts = || prop::collection::vec(text(), 0..3);
    let maybe = || prop::collection::vec(of(text()), 0..3);
    let lists = (of(maybe()), prop::collection::vec(texts(), 0..3), maybe());
    let at = of((25_i64..29, 0_i64..2).prop_map(|(day, more)| midnight(day) + more));
    let plain = (of(0_u16..4), of(half()), of(text()), of(any::<bool>()), at, of(of(text())));
    (plain, lists).prop_map(|((n, score, language, ok, at, who), (modes, labels, said))| {
        // Zero has one sign in data.
        let score = score.map(|score| score + 0.0);
        Row { n, score, language, ok, at, who, modes, labels, said }
    })
}

fn expr() -> impl Strategy<Value = Expr> {
    let sign = || prop::sample::select(&SIGNS[..]);
    let number = prop::sample::select(&["n_turns", "judge_score", "len(messages)", "len(question_modes)"][..]);
    let column = || prop::sample::select(&["language", "personas.id"][..]);
    let lists = prop::sample::select(&["question_modes", "answer_labels", "messages.id"][..]);
    let nulls = prop::sample::select(&["judge_score", "personas", "personas.id", "question_modes"][..]);
    let pattern = prop::collection::vec(prop::sample::select(&["%", "_", "f", "R", "é", "É", "'", "ؤ", "b"][..]), 0..4);
    let of = prop::collection::vec(text(), 1..3);
    let leaf = prop_oneof![
        (number, sign(), half()).prop_map(|(column, sign, to)| Expr::Number { column, sign, to }),
        (column(), sign(), text()).prop_map(|(column, sign, to)| Expr::Text { column, sign, to }),
        (sign(), 25_i64..29).prop_map(|(sign, day)| Expr::Time(sign, day)),
        (-2_i8..3, -2_i8..3).prop_map(|(least, most)| Expr::Between(least, most)),
        (column(), any::<bool>(), of).prop_map(|(column, not, of)| Expr::OneOf { column, not, of }),
        (any::<bool>(), pattern).prop_map(|(caseless, parts)| Expr::Like { caseless, pattern: parts.concat() }),
        (lists, any::<bool>(), text()).prop_map(|(column, not, item)| Expr::Has { column, not, item }),
        (nulls, any::<bool>()).prop_map(|(column, not)| Expr::Null(column, not)),
        sign().prop_map(Expr::Columns),
        Just(Expr::Ok),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some().prop_map(Expr::And),
            some().prop_map(Expr::Or),
            inner.clone().prop_map(|one| Expr::Not(Box::new(one))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_conditions_mean_what_they_mean_row_by_row(expr in expr(), rows in prop::collection::vec(row(), 0..20)) {
        let filter = Filter::parse(&expr.to_string()).unwrap();
        let expected: Vec<_> = rows.iter().map(|row| expr.holds(row) == Some(true)).collect();
        prop_assert_eq!(passes(&filter, &rows), expected, "{}", expr);
    }

    #[test]
    fn any_text_is_a_filter_or_an_error(text in "[a-z0-9'\"(). =<>,-]{0,40}|\\PC{0,20}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.at >= 1 && error.at <= text.chars().count() + 1);
        }
    }
}
