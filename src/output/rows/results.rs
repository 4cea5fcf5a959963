//! What the calls of a turn returned, each passage once.

use super::json::Text;
use crate::domain::{Json, Page, ToolEvent};
use crate::files::spaced_text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Characters by which a passage is named that stands above.
const NAMED_BY: usize = 60;

/// An item of `tool_events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Called<'a> {
    pub(crate) id: Text<'a>,
    pub(crate) name: Text<'a>,
    pub(crate) arguments: Cow<'a, Value>,
    /// What it returned. With `saving.raw` as it came; else without the text made of it (`rendered`), and passages that an
    /// earlier call of the turn returned are named alone (no `content`).
    pub(crate) result: Value,
}

/// The calls of a turn, each with what the model reads of its result. With `raw`, the model reads each result as JSON; else it reads the text made of it, where a passage
/// that an earlier call of the turn returned is named by its beginning: as when it was asked, it has that passage already.
pub(crate) fn called<'e>(events: &'e [ToolEvent], raw: bool) -> Vec<(Called<'e>, String)> {
    let mut seen = BTreeSet::new();
    let called = |event: &'e ToolEvent| {
        let (id, name, arguments) = (&event.id, &event.name, &event.arguments);
        let mut result = event.result.value();
        let shown = if raw { None } else { once(&mut result, &mut seen) };
        let shown = shown.unwrap_or_else(|| spaced_text(&result));
        (Called { id: id.into(), name: name.into(), arguments: Cow::Borrowed(arguments), result }, shown)
    };
    events.iter().map(called).collect()
}

/// Takes the text out of a result, and the contents of passages that were seen before; what the model reads. None where the
/// result has no such text, as an error.
fn once(result: &mut Value, seen: &mut BTreeSet<(String, u64)>) -> Option<String> {
    let object = result.as_object_mut().filter(|object| object.get("rendered").is_some_and(Value::is_string))?;
    let Some(Value::String(rendered)) = object.shift_remove("rendered") else { return None };
    let Some(Value::Array(passages)) = object.get_mut("results") else { return Some(rendered) };
    let known: Vec<bool> =
        passages.iter().map(|passage| place(passage).is_some_and(|place| !seen.insert(place))).collect();
    if !known.contains(&true) {
        return Some(rendered);
    }
    let line = |(passage, known): (&mut Value, bool)| {
        let content = passage["content"].as_str().unwrap_or_default();
        let source = passage["source"].as_str().unwrap_or_default();
        if !known {
            return format!("[{source}] {content}");
        }
        let beginning: String = content.chars().take(NAMED_BY).collect();
        let line = format!("[{source}] {}… (as above)", beginning.trim_end().replace('\n', " "));
        passage.as_object_mut().map(|passage| passage.shift_remove("content"));
        line
    };
    Some(passages.iter_mut().zip(known).map(line).collect::<Vec<_>>().join("\n"))
}

/// How the result of a call is told from what an item of `tool_events` has of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolResult<'a> {
    /// The item has it as it was.
    Same,
    /// The item lacks the text made of it, a line for each passage, and passages that stand above.
    Lines,
    /// It is another one: this.
    Whole(Cow<'a, Json>),
}

/// The contents of passages, by document and number.
type Contents = BTreeMap<(String, u64), Value>;

/// How the results of calls are told from what their items have of them.
pub(crate) fn kept<'e>(events: &'e [ToolEvent], called: &[Called]) -> Vec<ToolResult<'e>> {
    let mut contents = Contents::new();
    let of = |(event, called): (&'e ToolEvent, &Called)| {
        learn(&mut contents, &called.result);
        let is_it = |result: Value| Json::from(result) == event.result;
        if called.result.get("rendered").is_some() || !event.result.text().contains("\"rendered\"") {
            return ToolResult::Same;
        }
        match with_lines(called.result.clone(), &contents).is_some_and(is_it) {
            true => ToolResult::Lines,
            false => ToolResult::Whole(Cow::Borrowed(&event.result)),
        }
    };
    events.iter().zip(called).map(of).collect()
}

/// The results of calls, as they were; none where there are not as many as calls, or one can't be told.
pub(crate) fn restored(called: &[Called], kept: &[ToolResult]) -> Option<Vec<Json>> {
    let mut contents = Contents::new();
    let of = |(called, kept): (&Called, &ToolResult)| {
        learn(&mut contents, &called.result);
        match kept {
            ToolResult::Same => Some(Json::from(&called.result)),
            ToolResult::Lines => with_lines(called.result.clone(), &contents).map(Json::from),
            ToolResult::Whole(result) => Some(result.clone().into_owned()),
        }
    };
    (called.len() == kept.len()).then(|| called.iter().zip(kept).map(of).collect())?
}

fn learn(contents: &mut Contents, result: &Value) {
    for passage in result["results"].as_array().into_iter().flatten() {
        if let (Some(place), Some(content)) = (place(passage), passage.get("content")) {
            contents.entry(place).or_insert_with(|| content.clone());
        }
    }
}

fn place(passage: &Value) -> Option<(String, u64)> {
    Some((passage["source"].as_str()?.to_owned(), passage["chunk_index"].as_u64()?))
}

/// The result with the contents that stand above, and the text made of it.
fn with_lines(mut result: Value, contents: &Contents) -> Option<Value> {
    let mut lines = Vec::new();
    for passage in result.get_mut("results")?.as_array_mut()? {
        if let Ok(page) = serde_json::from_value::<Page>(passage.clone()) {
            lines.push(page.line());
            continue;
        }
        if passage.get("content").is_none() {
            let content = contents.get(&place(passage)?)?.clone();
            passage.as_object_mut()?.insert("content".to_owned(), content);
        }
        lines.push(format!("[{}] {}", passage["source"].as_str()?, passage["content"].as_str()?));
    }
    result.as_object_mut()?.insert("rendered".to_owned(), lines.join("\n").into());
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(result: Value) -> ToolEvent {
        ToolEvent { id: "a".into(), name: "vector_db_search".into(), arguments: json!({}), result: result.into() }
    }

    fn passage(source: &str, chunk: u32, content: &str) -> Value {
        json!({"source": source, "chunk_index": chunk, "content": content})
    }

    #[test]
    fn a_passage_stands_once_in_a_turn() {
        let long = "Bees\nlive in hives, and hives stand in gardens, in fields and on roofs of the town.";
        let (first, again, new) =
            (passage("bees.md", 7, long), passage("bees.md", 7, long), passage("bees.md", 8, "Wax."));
        let rendered = format!("[bees.md] {long}");
        let events = [
            event(json!({"query": "q", "results": [first], "rendered": rendered})),
            event(json!({"query": "r", "results": [again, new], "rendered": format!("{rendered}\n[bees.md] Wax.")})),
        ];
        let found = called(&events, false);
        assert_eq!(found[0].0.result, json!({"query": "q", "results": [passage("bees.md", 7, long)]}));
        assert_eq!(found[0].1, rendered);
        let named = json!({"source": "bees.md", "chunk_index": 7});
        assert_eq!(found[1].0.result, json!({"query": "r", "results": [named, passage("bees.md", 8, "Wax.")]}));
        let expected =
            "[bees.md] Bees live in hives, and hives stand in gardens, in fields an… (as above)\n[bees.md] Wax.";
        assert_eq!(found[1].1, expected);
        let raw = called(&events, true);
        assert_eq!((&raw[1].0.result, raw[1].1.clone()), (&events[1].result.value(), spaced_text(&raw[1].0.result)));
    }

    #[test]
    fn results_are_told_from_what_is_kept_of_them() {
        let (bees, wax) = (passage("bees.md", 7, "Bees\nlive."), passage("bees.md", 8, "Wax."));
        let rendered = "[bees.md] Bees\nlive.";
        let page = json!({"title": "t", "link": "l", "snippet": "s"});
        let events = [
            event(json!({"query": "q", "results": [bees], "rendered": rendered})),
            event(json!({"query": "r", "results": [wax, bees], "rendered": format!("[bees.md] Wax.\n{rendered}")})),
            event(json!({"query": "s", "results": [bees], "rendered": "Something else."})),
            event(json!({"query": "t", "results": [], "rendered": "Nothing."})),
            event(json!({"rendered": rendered, "results": [bees]})),
            event(json!({"error": "no such tool"})),
            event(json!([1])),
            event(json!({"query": "u", "results": [page], "rendered": "- t (l): s"})),
            event(json!({"query": "u", "results": [page], "rendered": "- t (l): another"})),
        ];
        let results: Vec<Json> = events.iter().map(|event| event.result.clone()).collect();
        for raw in [false, true] {
            let called: Vec<Called> = called(&events, raw).into_iter().map(|(called, _)| called).collect();
            let kept = kept(&events, &called);
            assert_eq!(restored(&called, &kept), Some(results.clone()), "raw {raw}");
            let is_whole = |kept: &ToolResult| matches!(kept, ToolResult::Whole(_));
            let whole: Vec<usize> = (0..events.len()).filter(|at| is_whole(&kept[*at])).collect();
            assert_eq!(whole, if raw { vec![] } else { vec![2, 3, 4, 8] }, "raw {raw}");
            assert_eq!(kept[0], if raw { ToolResult::Same } else { ToolResult::Lines });
            assert_eq!(restored(&called[1..], &kept), None);
        }
    }

    #[test]
    fn other_results_are_shown_as_they_are() {
        let results = [
            (json!({"error": "no such tool"}), json!({"error": "no such tool"}), r#"{"error": "no such tool"}"#),
            (json!({"results": [], "rendered": "Nothing."}), json!({"results": []}), "Nothing."),
            (json!([1]), json!([1]), "[1]"),
            (json!({"rendered": 7}), json!({"rendered": 7}), r#"{"rendered": 7}"#),
        ];
        for (result, kept, shown) in results {
            let events = [event(result)];
            let found = called(&events, false);
            assert_eq!((&found[0].0.result, found[0].1.as_str()), (&kept, shown));
        }
        // A page of the web has no number: it is not told from another one of its name.
        let page = json!({"title": "t", "link": "l", "snippet": "s"});
        let search = event(json!({"query": "q", "results": [page], "rendered": "- t (l): s"}));
        let events = [search.clone(), search];
        let found = called(&events, false);
        assert_eq!((found[1].1.as_str(), &found[1].0.result["results"][0]["snippet"]), ("- t (l): s", &json!("s")));
    }
}
