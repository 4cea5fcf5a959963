//! Layers of values: defaults, file, environment, flags; each read by the same table, later ones on top.

use super::error::{Diagnostics, Location, Problems, SettingsError};
use super::jury::Judges;
use super::reading::read;
use crate::domain::yaml::{Node, YamlError, tree};
use serde_json::Value;
use std::collections::BTreeMap;

/// A value of one key, and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub value: Value,
    pub place: Location,
}

/// Values by path; null asks for the default.
pub(super) type Layer = BTreeMap<&'static str, Entry>;

/// The text of `config/default.yaml`.
pub(super) const DEFAULT_YAML: &str = include_str!("../../config/default.yaml");

/// The defaults.
pub(super) fn defaults(report: &mut Diagnostics) -> Layer {
    match tree(DEFAULT_YAML) {
        Ok(root) => read(&root, &Location::Shipped, &Layer::new(), report),
        Err(error) => {
            report.problem("", Location::Shipped, error.text);
            Layer::new()
        }
    }
}

/// What the configuration file says, and what it says of the judges of a jury.
///
/// # Errors
/// When the file is no YAML or holds no mapping; everything else goes to the report.
pub(super) fn file(
    name: &str,
    text: &str,
    defaults: &Layer,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> Result<(Layer, Judges), SettingsError> {
    let source = Location::File { name: name.into(), line: 0, column: 0 };
    let broken = |error: YamlError| Problems::broken(error.text, source.at(error.line, error.column));
    let mut root = tree(text).map_err(|error| SettingsError::Invalid(broken(error)))?;
    if !matches!(root.node, Node::Mapping(_) | Node::Null) {
        return Err(SettingsError::NotAMapping);
    }
    root.report_duplicates("", &source, report);
    root.expand("", env, &source, report);
    let judges = Judges::take(&mut root, &source, defaults, report);
    Ok((read(&root, &source, defaults, report), judges))
}

/// What one `--set key.path=value` says.
pub(super) fn flag(text: &str, defaults: &Layer, report: &mut Diagnostics) -> Layer {
    let (path, value) = text.split_once('=').unwrap_or((text, ""));
    let path = path.trim();
    let source = Location::Flag(path.to_owned());
    if path.is_empty() || !text.contains('=') {
        report.problem(path, source, format!("`--set {path}` must have the form `--set key.path=value`"));
        return Layer::new();
    }
    match tree(value) {
        Ok(value) => read(&value.below(path), &source, defaults, report),
        Err(error) => {
            report.problem(path, source, format!("`{path}`: {}", error.text));
            Layer::new()
        }
    }
}

/// Puts a layer on top: mappings merge, everything else is replaced, null brings the default back.
pub(super) fn overlay(values: &mut Layer, layer: Layer, defaults: &Layer) {
    for (path, entry) in layer {
        let entry = match defaults.get(path) {
            Some(default) if entry.value.is_null() => default.clone(),
            _ => entry,
        };
        match (values.get_mut(path), entry.value) {
            (Some(Entry { value: Value::Object(old), place }), Value::Object(new)) if !new.is_empty() => {
                merge(old, new);
                *place = entry.place;
            }
            (_, value) => drop(values.insert(path, Entry { value, place: entry.place })),
        }
    }
}

fn merge(old: &mut serde_json::Map<String, Value>, new: serde_json::Map<String, Value>) {
    for (name, value) in new {
        match (old.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => drop(old.insert(name, value)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;
    use crate::settings::environment::environment;
    use crate::settings::keys;
    use serde_json::json;
    use std::collections::BTreeSet;

    /// File, environment and flags over the defaults.
    pub(in crate::settings) fn merged(
        text: &str,
        env: &[(&str, &str)],
        flags: &[&str],
    ) -> (Layer, Result<Vec<String>, String>) {
        let mut report = Diagnostics::default();
        let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let defaults = defaults(&mut report);
        let mut values = defaults.clone();
        overlay(&mut values, file("c.yaml", text, &defaults, &env, &mut report).unwrap().0, &defaults);
        let environment = environment(&env, &values, &mut report);
        overlay(&mut values, environment, &defaults);
        for text in flags {
            overlay(&mut values, flag(text, &defaults, &mut report), &defaults);
        }
        (values, report.finish().map_err(|error| error.to_string()))
    }

    #[test]
    fn the_defaults_are_complete_and_sound() {
        let mut report = Diagnostics::default();
        let defaults = defaults(&mut report);
        assert_eq!(report.finish().unwrap(), Vec::<String>::new());
        let known: BTreeSet<_> = keys::all().map(|key| key.path).collect();
        assert_eq!(defaults.keys().copied().collect::<BTreeSet<_>>(), known);
    }

    #[test]
    fn later_layers_win() {
        let file = "run: {batch_size: 2}";
        let env: &[(&str, &str)] = &[("BATCH_SIZE", "3")];
        for (text, env, flags, value) in [
            ("", &[][..], &[][..], 1),
            (file, &[], &[], 2),
            (file, env, &[], 3),
            (file, env, &["run.batch_size=4"], 4),
            (file, env, &["run.batch_size=4", "run.batch_size=5"], 5),
            (file, &[("BATCH_SIZE", "")], &[], 2),
            ("run: {batch_size: null}", &[], &[], 1),
            ("run: null", &[], &[], 1),
            (file, env, &["run.batch_size=null"], 1),
            (file, env, &["run="], 1),
        ] {
            let (values, outcome) = merged(text, env, flags);
            assert_eq!(outcome, Ok(vec![]), "{text} {flags:?}");
            assert_eq!(values["run.batch_size"].value, value, "{text} {env:?} {flags:?}");
        }
    }

    #[test]
    fn mappings_merge_and_lists_are_replaced() {
        let text = "llm: {agents: {user: {extra: {a: {b: 1, c: 2}, d: [1, 2]}}}}\njudge: {reasons: [x]}";
        let flags = ["llm.agents.user.extra.a.b=3", "llm.agents.user.extra.d=[4]", "judge.reasons=[y]"];
        let (values, outcome) = merged(text, &[], &flags);
        assert_eq!(outcome, Ok(vec![]));
        assert_eq!(values["llm.agents.user.extra"].value, json!({"a": {"b": 3, "c": 2}, "d": [4]}));
        assert_eq!(values["judge.reasons"].value, json!(["y"]));
    }

    #[test]
    fn only_mappings_are_configurations() {
        for text in ["[1]", "text", "5"] {
            let error = file("c.yaml", text, &Layer::new(), &BTreeMap::new(), &mut Diagnostics::default()).unwrap_err();
            assert_eq!(error.to_string(), "Config must be a YAML object.");
        }
    }
}
