//! Old and new spellings in one file: which counts, and what the old turn keys stand for.

use super::error::{Diagnostics, Location};
use super::keys::Key;
use super::layers::{Entry, Layer};
use super::renames::Wins;
use super::table::{QUESTION, TURNS_EXACT, TURNS_MAX, TURNS_MIN, TURNS_MODE};
use serde_json::Value;

/// A value as a file or flag gives it.
#[derive(Debug)]
pub(super) struct Leaf {
    pub key: &'static Key,
    /// The path as written.
    pub written: String,
    pub entry: Entry,
    /// Set for an old spelling.
    pub old: Option<Wins>,
}

/// One layer out of the values of one file or flag.
pub(super) fn settle(leaves: Vec<Leaf>, defaults: &Layer, report: &mut Diagnostics) -> Layer {
    refuse_two_questions(&leaves, report);
    let mode = turn_mode(&leaves, defaults, report);
    let mut layer = Layer::new();
    let (old, new): (Vec<_>, Vec<_>) = leaves.into_iter().partition(|leaf| leaf.old.is_some());
    for leaf in new {
        layer.insert(leaf.key.path, leaf.entry);
    }
    for leaf in old.into_iter().filter(|leaf| !leaf.entry.value.is_null()) {
        let path = leaf.key.path;
        let given = layer.get(path).map(|entry| &entry.value);
        let spoken_for = given.is_some_and(|value| !value.is_null() && Some(value) != default(defaults, path));
        if spoken_for && given != Some(&leaf.entry.value) {
            report.warn(match leaf.old {
                Some(Wins::Old) => format!("`{path}` is not used: `{}` is given too.", leaf.written),
                _ => format!("`{}` is not used: `{path}` is given too.", leaf.written),
            });
        }
        if !spoken_for || leaf.old == Some(Wins::Old) {
            layer.insert(path, leaf.entry);
        }
    }
    if let Some(mode) = mode {
        layer.insert(TURNS_MODE.path, mode);
    }
    layer
}

fn default<'a>(defaults: &'a Layer, path: &str) -> Option<&'a Value> {
    defaults.get(path).map(|entry| &entry.value)
}

fn old_value<'a>(leaves: &'a [Leaf], path: &str) -> Option<&'a Leaf> {
    leaves.iter().find(|leaf| leaf.old.is_some() && leaf.key.path == path && !leaf.entry.value.is_null())
}

fn refuse_two_questions(leaves: &[Leaf], report: &mut Diagnostics) {
    let mut questions = leaves
        .iter()
        .filter(|leaf| leaf.old.is_some() && leaf.key.path == QUESTION.path && !leaf.entry.value.is_null());
    if let (Some(first), Some(second)) = (questions.next(), questions.next())
        && first.entry.value != second.entry.value
    {
        report.problem(
            QUESTION.path,
            second.entry.place.clone(),
            "`run.seed_question` and `run.question_seed` are both set to different values; use `run.data.seeding.question`."
                .to_owned(),
        );
    }
}

/// The turn mode that the old turn keys stand for.
fn turn_mode(leaves: &[Leaf], defaults: &Layer, report: &mut Diagnostics) -> Option<Entry> {
    let exact = old_value(leaves, TURNS_EXACT.path);
    let bounds = [TURNS_MIN, TURNS_MAX].map(|key| old_value(leaves, key.path));
    let bound = bounds.into_iter().flatten().next();
    match (exact, bound) {
        (Some(exact), Some(_)) => {
            let all = bounds.into_iter().flatten().chain([exact]);
            if !all.into_iter().all(|leaf| repeats(leaf, leaves, defaults)) {
                report.problem(TURNS_MODE.path, exact.entry.place.clone(), BOTH_TURN_MODES.to_owned());
            }
            None
        }
        (Some(exact), None) => Some(mode("exact", &exact.entry.place)),
        (None, Some(bound)) => Some(mode("range", &bound.entry.place)),
        (None, None) => None,
    }
}

/// A turn mode given at a place.
pub(super) fn mode(mode: &str, place: &Location) -> Entry {
    Entry { value: mode.into(), place: place.clone() }
}

/// The message when both turn modes are asked for.
pub(super) const BOTH_TURN_MODES: &str =
    "Both `run.n_turns` and `run.min_turns`/`run.max_turns` are set; use only one turn mode.";

/// Whether an old spelling only repeats what its new one says.
fn repeats(old: &Leaf, leaves: &[Leaf], defaults: &Layer) -> bool {
    let new = leaves.iter().find(|leaf| leaf.old.is_none() && leaf.key.path == old.key.path);
    let says = new.map(|leaf| &leaf.entry.value).filter(|value| !value.is_null());
    says.or_else(|| default(defaults, old.key.path)) == Some(&old.entry.value)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::keys;
    use crate::settings::layers::{defaults, file};
    use crate::settings::renames::{self, warning};
    use std::collections::BTreeMap;

    fn read(text: &str) -> (Layer, Result<Vec<String>, String>) {
        let mut report = Diagnostics::default();
        let defaults = defaults(&mut report);
        let layer = file("c.yaml", text, &defaults, &BTreeMap::new(), &mut report).unwrap().0;
        (layer, report.finish().map_err(|error| error.to_string()))
    }

    /// A value other than the default, by what the key holds.
    fn sample(key: &Key) -> (&'static str, Value) {
        match (key.path, key.kind) {
            ("run.turns.distribution", _) => ("exp", "exponential".into()),
            ("run.distributed.backend", _) => ("ray", "ray".into()),
            ("llm.mode", _) => ("vllm_attach", "vllm_attach".into()),
            ("tools.retrieval.embeddings.backend", _) => ("lexical", "lexical".into()),
            ("coverage.match_language", _) => ("require", "require".into()),
            ("tools.retrieval.embeddings.device", _) => ("cpu", "cpu".into()),
            ("tools.retrieval.reranker.backend", _) => ("http", "http".into()),
            (path, keys::Kind::Boolean) => {
                let mut report = Diagnostics::default();
                let on = defaults(&mut report)[path].value == Value::Bool(true);
                if on { ("false", false.into()) } else { ("true", true.into()) }
            }
            (_, keys::Kind::Integer(_)) => ("77", 77.into()),
            (_, keys::Kind::Number(_)) => ("0.75", 0.75.into()),
            (_, keys::Kind::Texts) => ("de", vec!["de"].into()),
            (_, keys::Kind::Mapping) => ("{a: 1}", serde_json::json!({"a": 1})),
            _ => ("other", "other".into()),
        }
    }

    #[test]
    fn every_old_key_sets_its_new_one_and_warns() {
        for rename in renames::all() {
            let Some(key) = keys::find(rename.new) else {
                assert!(keys::below(rename.new).next().is_some(), "{} leads nowhere", rename.old);
                continue;
            };
            let (text, value) = sample(key);
            let (layer, warnings) = read(&nested(rename.old, text));
            assert_eq!(layer[key.path].value, value, "{}", rename.old);
            assert_eq!(warnings.unwrap(), [warning(rename.old, rename.new)], "{}", rename.old);
        }
    }

    fn nested(path: &str, value: &str) -> String {
        let depth = path.split('.').count();
        path.split('.').enumerate().fold(String::new(), |text, (level, name)| {
            let end = if level + 1 == depth { format!(" {value}") } else { "\n".to_owned() };
            format!("{text}{}{name}:{end}", "  ".repeat(level))
        })
    }

    #[test]
    fn old_sections_set_their_new_ones() {
        for (text, path, value) in [
            ("ray: {address: here}", "run.distributed.ray.address", "here"),
            ("retrieval: {index: {persist_dir: here}}", "tools.retrieval.index.persist_dir", "here"),
            ("retrieval: {persist_dir: here}", "tools.retrieval.index.persist_dir", "here"),
            ("llm: {agents: {qa_generator: {model: m}}}", "llm.agents.user.model", "m"),
            ("llm: {agents: {kb_responder: {model: m}}}", "llm.agents.assistant.model", "m"),
            ("llm: {agents: {qa_judge: {model: m}}}", "llm.agents.judge.model", "m"),
        ] {
            let (layer, warnings) = read(text);
            assert_eq!(layer[path].value, value, "{text}");
            assert!(warnings.unwrap().iter().all(|warning| warning.starts_with("DEPRECATED: ")), "{text}");
        }
    }

    #[test]
    fn two_spellings_of_one_key() {
        for (text, path, value, note) in [
            (
                "run: {turns: {min: 3}, min_turns: 4}",
                "run.turns.min",
                4,
                Some("`run.turns.min` is not used: `run.min_turns` is given too."),
            ),
            ("run: {turns: {min: 4}, min_turns: 4}", "run.turns.min", 4, None),
            (
                "tools: {retrieval: {top_k: 6, default_k: 7}}",
                "tools.retrieval.top_k",
                6,
                Some("`tools.retrieval.default_k` is not used: `tools.retrieval.top_k` is given too."),
            ),
            ("tools: {retrieval: {top_k: 4, default_k: 7}}", "tools.retrieval.top_k", 7, None),
            ("tools: {retrieval: {top_k: null, default_k: 7}}", "tools.retrieval.top_k", 7, None),
        ] {
            let (layer, warnings) = read(text);
            assert_eq!(layer[path].value, value, "{text}");
            let notes: Vec<_> = warnings.unwrap().into_iter().filter(|w| !w.starts_with("DEPRECATED")).collect();
            assert_eq!(notes, note.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn old_turn_keys_set_the_mode() {
        for (text, mode) in [
            ("run: {n_turns: 3}", Some("exact")),
            ("run: {turns: {mode: range}, n_turns: 3}", Some("exact")),
            ("run: {min_turns: 3}", Some("range")),
            ("run: {turns: {mode: exact, exact: 2}, max_turns: 3}", Some("range")),
            ("run: {turns: {mode: exact, exact: 3}, n_turns: 3, min_turns: 2}", Some("exact")),
            ("run: {turn_count_mean: 3}", None),
        ] {
            let (layer, warnings) = read(text);
            assert!(warnings.is_ok(), "{text}");
            assert_eq!(layer.get("run.turns.mode").map(|entry| entry.value.as_str().unwrap()), mode, "{text}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for (text, error) in [
            ("run: {n_turns: 3, min_turns: 2, max_turns: 4}", format!("{BOTH_TURN_MODES} (c.yaml:1:16)")),
            ("run: {turns: {exact: 3}, n_turns: 3, max_turns: 4}", format!("{BOTH_TURN_MODES} (c.yaml:1:35)")),
            (
                "run: {seed_question: a, question_seed: b}",
                "`run.seed_question` and `run.question_seed` are both set to different values; use \
                 `run.data.seeding.question`. (c.yaml:1:40)"
                    .to_owned(),
            ),
        ] {
            assert_eq!(read(text).1.unwrap_err(), error, "{text}");
        }
    }
}
