//! `llm.agents.judge` as a list: the judges of a jury. Each item has the keys of the judge, and may name the variable that holds
//! its key. What the environment and flags say of the judge is said of each of them.

use super::check;
use super::error::{Diagnostics, Location};
use super::layers::Layer;
use super::reading::read;
use crate::domain::jury::JUDGES;
use crate::domain::yaml::{Located, Node};

/// The section that may be a list.
pub(super) const JUDGE: &str = "llm.agents.judge";

/// The key of an item that names the variable which holds its key.
pub(super) const API_KEY_ENV: &str = "api_key_env";

/// The judges of a jury, as a file gives them.
#[derive(Debug, Default)]
pub(super) struct Judges {
    /// The name of the variable that holds the key of the first one, whose values stand with all others of the file.
    pub first_key_variable: Option<String>,
    /// The values of each further one, and the name of the variable that holds its key.
    pub further: Vec<(Layer, Option<String>)>,
}

impl Judges {
    /// Those of a file's tree, which has the first one in the place of the list afterwards.
    pub fn take(root: &mut Located, source: &Location, defaults: &Layer, report: &mut Diagnostics) -> Self {
        let Some(section) = below(root, &mut JUDGE.split('.')) else { return Self::default() };
        let Node::List(items) = &mut section.node else { return Self::default() };
        let place = source.at(section.line, section.column);
        let mut items = std::mem::take(items);
        if items.is_empty() || items.len() > JUDGES {
            let text = format!("`{JUDGE}` is a list of {} judges; name 1 to {JUDGES} of them", items.len());
            report.problem(JUDGE, place, text);
            items.truncate(JUDGES);
        }
        let mut taken = items.into_iter().map(|mut item| {
            let variable = key_variable(&mut item, source, report);
            if !matches!(item.node, Node::Mapping(_)) {
                let text = format!("`{JUDGE}`: found {} in the list, wanted a mapping", check::found(&item));
                report.problem(JUDGE, source.at(item.line, item.column), text);
                item.node = Node::Null;
            }
            (item, variable)
        });
        let first = taken.next();
        let further: Vec<_> = taken.collect();
        let (first, first_key_variable) = first.unwrap_or((Located { node: Node::Null, ..*section }, None));
        *section = first;
        let layer = |(item, variable): (Located, _)| (read(&item.below(JUDGE), source, defaults, report), variable);
        Self { first_key_variable, further: further.into_iter().map(layer).collect() }
    }

    /// The values of a file with those of one judge in the place of the first one's.
    pub fn instead(file: &Layer, judge: Layer) -> Layer {
        let others = file.iter().filter(|(path, _)| !super::keys::is_below(path, JUDGE));
        others.map(|(path, entry)| (*path, entry.clone())).chain(judge).collect()
    }
}

/// What stands below these names.
fn below<'a>(root: &'a mut Located, names: &mut std::str::Split<'_, char>) -> Option<&'a mut Located> {
    let Some(name) = names.next() else { return Some(root) };
    let Node::Mapping(entries) = &mut root.node else { return None };
    below(entries.iter_mut().find(|(key, _)| key.text == name).map(|(_, value)| value)?, names)
}

/// Takes the name of a key's variable out of an item.
fn key_variable(item: &mut Located, source: &Location, report: &mut Diagnostics) -> Option<String> {
    let Node::Mapping(entries) = &mut item.node else { return None };
    let at = entries.iter().position(|(name, _)| name.text == API_KEY_ENV)?;
    let (name, value) = entries.remove(at);
    match value.node {
        Node::Text { text, .. } if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => {
            let text = format!(
                "`{JUDGE}`: `{API_KEY_ENV}` must hold the name of the variable that holds the key, such as OPENAI_API_KEY"
            );
            report.problem(JUDGE, source.at(name.line, name.column), text);
            None
        }
    }
}
