//! The configuration as a JSON Schema (draft 7, which editors read), from the table and from `config/default.yaml`.

use super::jury::{API_KEY_ENV, JUDGE};
use super::keys::{self, Choice, Key, Kind, Limit};
use super::layers::DEFAULT_YAML;
use super::reference::doc;
use super::renames::{self, Rename};
use crate::domain::jury::JUDGES;
use crate::domain::yaml::{Located, tree};
use serde_json::{Map, Value, json};

/// Part of a text that a variable of the environment replaces, so that any text may become what is wanted.
const VARIABLE: &str = r"\$\{";

/// What a configuration file may hold: every key with its type, bounds, words, default and comment, former spellings as deprecated ones,
/// and nothing else. Texts with `${NAME}` pass everywhere, for what replaces them is not known.
///
/// ```
/// let schema = dlgforge::settings::schema();
/// let seed = &schema["properties"]["run"]["properties"]["seed"];
/// assert_eq!((&seed["type"][0], &seed["minimum"]), (&"integer".into(), &0.into()));
/// ```
pub fn schema() -> Value {
    let root = tree(DEFAULT_YAML);
    let mut schema = root.map_or(Value::Null, |root| section("", &root));
    for Rename { old, new, .. } in renames::all() {
        let now = format!("#/properties/{}", new.replace('.', "/properties/"));
        let told = format!("is now called {new}");
        put(&mut schema, old, json!({"allOf": [{"$ref": now}], "deprecated": true, "deprecationMessage": told}));
    }
    if let Some(judge) = at(&mut schema, JUDGE) {
        *judge = one_or_several(judge);
    }
    let told = [
        ("$schema", "http://json-schema.org/draft-07/schema#"),
        ("title", "dlgforge"),
        ("description", "The configuration of a dlgforge project."),
    ];
    let told = told.map(|(name, value)| (name.to_owned(), Value::from(value)));
    told.into_iter().chain(schema.as_object().cloned().into_iter().flatten()).collect()
}

/// A mapping with the keys that the defaults have below a path.
fn section(path: &str, node: &Located) -> Value {
    let mut properties = Map::new();
    for (name, value) in node.entries() {
        let path = if path.is_empty() { name.text.clone() } else { format!("{path}.{}", name.text) };
        let mut below = match keys::find(&path) {
            Some(key) => of_key(key, value),
            None => section(&path, value),
        };
        let doc = [&above(name.line), &doc(name.line, keys::find(&path).map_or(&[], |key| key.env))]
            .into_iter()
            .filter(|text| !text.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join("\n\n");
        if !doc.is_empty() {
            below["description"] = doc.into();
        }
        properties.insert(name.text.clone(), below);
    }
    json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

/// What a key holds, with its default.
fn of_key(key: &Key, default: &Located) -> Value {
    let mut schema = of_kind(key.kind);
    schema["default"] = default.to_json();
    schema
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Boolean => json!({
            "type": ["boolean", "string", "null"], "pattern": written(&["true", "false", "yes", "no", "on", "off"]),
        }),
        Kind::Integer(limit) => number("integer", limit),
        Kind::Number(limit) => number("number", limit),
        Kind::Text => json!({"type": ["string", "null"]}),
        Kind::Choice(choices) => {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            let all = |Choice { word, aliases }: &Choice| [&[*word][..], *aliases].concat();
            let all: Vec<&str> = choices.iter().flat_map(all).collect();
            json!({"anyOf": [{"enum": words}, {"type": ["string", "null"], "pattern": written(&all)}]})
        }
        Kind::Texts => json!({"type": ["array", "string", "null"], "items": {"type": "string"}}),
        Kind::Mapping => json!({"type": ["object", "string", "null"], "pattern": VARIABLE}),
        Kind::Mappings(known) => {
            let properties: Map<String, Value> =
                known.iter().map(|key| (key.path.to_owned(), of_kind(key.kind))).collect();
            let item = json!({"type": ["object", "string"], "properties": properties, "additionalProperties": false});
            json!({"type": ["array", "string", "null"], "pattern": VARIABLE, "items": item})
        }
    }
}

fn number(name: &str, Limit { least, exclusive, most }: Limit) -> Value {
    let mut schema = json!({"type": [name, "string", "null"], "pattern": VARIABLE});
    let least = (if exclusive { "exclusiveMinimum" } else { "minimum" }, least);
    for (name, bound) in [least, ("maximum", most)] {
        if bound.is_finite() {
            schema[name] = if bound.fract() == 0.0 { json!(bound as i64) } else { json!(bound) };
        }
    }
    schema
}

/// A pattern for these words, compared without case, and for what a variable replaces.
fn written(words: &[&str]) -> String {
    let either = |letter: char| match letter.is_ascii_lowercase() {
        true => format!("[{letter}{}]", letter.to_ascii_uppercase()),
        false => letter.to_string(),
    };
    let words: Vec<String> = words.iter().map(|word| word.chars().map(either).collect()).collect();
    format!(r"^\s*({})\s*$|{VARIABLE}", words.join("|"))
}

/// The judge of a configuration, or the judges of a jury, each of which may name the variable of its own key.
fn one_or_several(judge: &Value) -> Value {
    let mut of_jury = judge.clone();
    of_jury["properties"][API_KEY_ENV] = json!({
        "type": "string", "description": "the environment variable that holds the key of this judge",
    });
    json!({"anyOf": [judge, {"type": "array", "minItems": 1, "maxItems": JUDGES, "items": of_jury}]})
}

/// What stands at a dotted path.
fn at<'a>(schema: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(schema, |schema, name| schema.get_mut("properties")?.get_mut(name))
}

/// Puts something at a dotted path, which is not there yet.
fn put(schema: &mut Value, path: &str, value: Value) {
    let (above, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut here = schema;
    for name in above.split('.').filter(|name| !name.is_empty()) {
        here = &mut here["properties"][name];
        if here.is_null() {
            *here = json!({
                "type": ["object", "null"], "properties": {}, "additionalProperties": false, "deprecated": true,
            });
        }
    }
    here["properties"][name] = value;
}

/// The comment in the lines above a line, from 1, with line breaks; empty at the top, where the file itself is explained.
fn above(line: u64) -> String {
    let lines: Vec<&str> = DEFAULT_YAML.lines().take(line as usize - 1).collect();
    let comments = lines.iter().rev().map_while(|line| line.trim_start().strip_prefix('#'));
    let mut comments: Vec<&str> = comments.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    comments.reverse();
    comments.join("\n")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(path: &str) -> Value {
        at(&mut schema(), path).unwrap().clone()
    }

    #[test]
    fn the_shipped_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/schema.json");
        let current = format!("{:#}\n", schema());
        if std::env::var_os("DLGFORGE_GOLDEN").is_some() {
            std::fs::write(path, &current).unwrap();
        }
        let shipped = std::fs::read_to_string(path).unwrap();
        assert!(shipped == current, "config/schema.json is old: DLGFORGE_GOLDEN=1 writes it anew");
    }

    #[test]
    fn a_key_has_its_type_bounds_default_and_comment() {
        let retries = of("coverage.question_dedup_retries");
        assert_eq!(
            retries,
            json!({
                "type": ["integer", "string", "null"], "pattern": VARIABLE, "minimum": 0, "maximum": 10_000, "default": 3,
                "description": "further attempts after a question was asked before",
            })
        );
        assert_eq!(of("run.turns.exact")["exclusiveMinimum"], 0);
        assert_eq!(of("run.turns.distribution")["anyOf"][0]["enum"], json!(["uniform", "poisson", "exponential"]));
        assert!(
            of("llm.routing.endpoints")["description"].as_str().unwrap().contains("\n  max_in_flight: most requests")
        );
    }

    #[test]
    fn former_spellings_are_known_as_such() {
        assert_eq!(of("run.n_turns")["deprecationMessage"], "is now called run.turns.exact");
        assert_eq!(of("models.reranker_model")["deprecated"], true);
        assert_eq!(of("retrieval")["deprecated"], true);
    }

    #[test]
    fn words_are_compared_without_case() {
        assert_eq!(written(&["on", "b_2"]), r"^\s*([oO][nN]|[bB]_2)\s*$|\$\{");
    }

    #[test]
    fn every_key_is_there() {
        let mut schema = schema();
        // Its keys are those of either form.
        let judge = at(&mut schema, JUDGE).unwrap();
        *judge = judge["anyOf"][0].clone();
        for key in keys::all() {
            assert!(at(&mut schema, key.path).is_some_and(|found| found["description"].is_string()), "{}", key.path);
        }
    }
}
