//! Items of a list of mappings: known keys with values that fit, everything else to the report. A text in place of a
//! mapping is an address.

use super::check;
use super::error::{Diagnostics, Location};
use super::keys::{Key, Kind, alike, listed};
use super::table::endpoint;
use crate::domain::yaml::{Located, Name, Node};
use serde_json::{Map, Value, json};

/// Another spelling of an item's key.
const ALIAS: (&str, &str) = ("timeout", endpoint::TIMEOUT_S.path);

/// The key of an item that is a text alone.
const PLAIN: &str = endpoint::BASE_URL.path;

/// The value of a key, none when something is wrong with its items; `node` is where it stands, if it was not JSON.
pub(super) fn checked(
    key: &Key,
    value: Value,
    node: Option<&Located>,
    place: &Location,
    report: &mut Diagnostics,
) -> Option<Value> {
    let (Kind::Mappings(known), Value::Array(_)) = (key.kind, &value) else { return Some(value) };
    let written = node.filter(|node| matches!(node.node, Node::List(_))).cloned();
    let list = written.unwrap_or_else(|| Located::from_json(&value));
    let Node::List(items) = &list.node else { return Some(value) };
    let mut reading = ItemReader { key, known, place, report };
    let read: Vec<_> = items.iter().enumerate().map(|(number, node)| reading.item(number, node)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
}

/// What is known while a list is read.
struct ItemReader<'a> {
    key: &'a Key,
    known: &'static [Key],
    place: &'a Location,
    report: &'a mut Diagnostics,
}

impl ItemReader<'_> {
    fn item(&mut self, number: usize, node: &Located) -> Option<Value> {
        if let Node::Text { text, .. } = &node.node {
            return Some(json!({PLAIN: text}));
        }
        let (mut item, mut sound) = (Map::new(), true);
        for (name, value) in node.entries() {
            let path = format!("{}[{number}].{}", self.key.path, name.text);
            let read = match ALIAS {
                (alias, key) if name.text == alias && node.entries().iter().any(|(name, _)| name.text == key) => {
                    Err((name.line, name.column, format!("`{path}` stands for `{key}`, which is given too; keep one")))
                }
                _ => self.field(&path, name, value),
            };
            match read {
                Ok((known, value)) => drop(item.insert(known.to_owned(), value)),
                Err((line, column, wrong)) => {
                    // Values of JSON have no place of their own.
                    let place = if line == 0 { self.place.clone() } else { self.place.at(line, column) };
                    self.report.problem(self.key.path, place, wrong);
                    sound = false;
                }
            }
        }
        sound.then_some(Value::Object(item))
    }

    /// A key of an item with its value, or what is wrong at which line and column.
    fn field(&mut self, path: &str, name: &Name, value: &Located) -> Result<(&'static str, Value), (u64, u64, String)> {
        let known = || self.known.iter().map(|key| key.path);
        let text = if name.text == ALIAS.0 { ALIAS.1 } else { &name.text };
        let Some(key) = self.known.iter().find(|key| key.path == text) else {
            let meant = alike(&name.text, known()).map(|known| format!("did you mean `{known}`? ")).unwrap_or_default();
            let wrong = format!("unknown key `{path}`; {meant}Known are {}.", listed(known()));
            return Err((name.line, name.column, wrong));
        };
        if key.path == endpoint::API_KEY.path {
            match &value.node {
                Node::Text { text, .. } => self.report.hide([text.as_str()]),
                Node::Null => {}
                _ => return Err((value.line, value.column, format!("`{path}` must be text; put it in quotes"))),
            }
        }
        let checked = check::value(path, key.kind, value).map_err(|wrong| (value.line, value.column, wrong))?;
        Ok((key.path, checked))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::settings::layers::tests::merged;
    use serde_json::json;

    const PATH: &str = "llm.routing.endpoints";

    fn wrong(items: &str) -> String {
        merged(&format!("llm:\n  routing:\n    endpoints:\n{items}"), &[("N", "2")], &[]).1.unwrap_err()
    }

    #[test]
    fn items_keep_what_they_say() {
        let text = "llm: {routing: {endpoints: [{name: a, weight: 2, timeout: 1.5, rpm: '${N}'}, {model: null}, {}]}}";
        let (values, outcome) = merged(text, &[("N", "2")], &[]);
        assert_eq!(outcome, Ok(vec![]));
        let items = json!([{"name": "a", "weight": 2, "timeout_s": 1.5, "rpm": 2}, {"model": null}, {}]);
        assert_eq!(values[PATH].value, items);
        let list = "[{\"base_url\": \"http://h\", \"max_in_flight\": 3}]";
        let item = json!([{"base_url": "http://h", "max_in_flight": 3}]);
        let file = "llm: {routing: {endpoints: '${LIST}'}}".to_owned();
        for (text, env, flags) in [
            (text, &[("N", "1"), ("LLM_ROUTING_ENDPOINTS_JSON", list)][..], vec![]),
            ("", &[], vec![format!("{PATH}={list}")]),
            (&file, &[("LIST", list)], vec![]),
        ] {
            let flags: Vec<_> = flags.iter().map(String::as_str).collect();
            let (values, outcome) = merged(text, env, &flags);
            assert_eq!((&values[PATH].value, outcome), (&item, Ok(vec![])), "{text} {env:?} {flags:?}");
        }
    }

    #[test]
    fn an_address_is_an_item() {
        let items = json!([{"base_url": "http://h/v1"}, {"name": "b", "base_url": "http://i"}]);
        let list = "[http://h/v1, {name: b, base_url: http://i}]";
        let json = items.to_string().replacen("{\"base_url\":\"http://h/v1\"}", "\"http://h/v1\"", 1);
        for (text, env, flags) in [
            (format!("llm: {{routing: {{endpoints: {list}}}}}"), vec![], vec![]),
            (String::new(), vec![], vec![format!("{PATH}={list}")]),
            (String::new(), vec![("LLM_ROUTING_ENDPOINTS_JSON", json.as_str())], vec![]),
        ] {
            let flags: Vec<_> = flags.iter().map(String::as_str).collect();
            let (values, outcome) = merged(&text, &env, &flags);
            assert_eq!((&values[PATH].value, outcome), (&items, Ok(vec![])), "{text} {env:?} {flags:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_items_is_named() {
        let known = "Known are `name`, `provider`, `base_url`, `api_key`, `api_key_env`, `model`, `weight`, \
                     `max_in_flight`, `timeout_s`, `rpm`, `tpm`.";
        let unknown = format!("unknown key `{PATH}[1].weigth`; did you mean `weight`? {known} (c.yaml:5:10)");
        let foreign = format!("unknown key `{PATH}[0].zzz`; {known} (c.yaml:4:10)");
        for (item, error) in [
            ("weigth: 1", unknown.as_str()),
            ("weight: 0", "`llm.routing.endpoints[1].weight` must be > 0. (c.yaml:5:18)"),
            ("weight: heavy", "`llm.routing.endpoints[1].weight`: found text `heavy`, wanted a number (c.yaml:5:18)"),
            ("max_in_flight: 0", "`llm.routing.endpoints[1].max_in_flight` must be > 0. (c.yaml:5:25)"),
            ("rpm: 1.5", "`llm.routing.endpoints[1].rpm`: found the number 1.5, wanted an integer (c.yaml:5:15)"),
            ("tpm: -1", "`llm.routing.endpoints[1].tpm` must be > 0. (c.yaml:5:15)"),
            ("timeout_s: 86401", "`llm.routing.endpoints[1].timeout_s` must be <= 86400. (c.yaml:5:21)"),
            ("timeout: 0", "`llm.routing.endpoints[1].timeout` must be > 0. (c.yaml:5:19)"),
            (
                "name: 7",
                "`llm.routing.endpoints[1].name`: found the number 7, wanted text; put it in quotes (c.yaml:5:16)",
            ),
            ("api_key: 123456789", "`llm.routing.endpoints[1].api_key` must be text; put it in quotes (c.yaml:5:19)"),
            (
                "timeout: 1, timeout_s: 2",
                "`llm.routing.endpoints[1].timeout` stands for `timeout_s`, which is given too; keep one (c.yaml:5:10)",
            ),
        ] {
            assert_eq!(wrong(&format!("      - {{name: a}}\n      - {{{item}}}\n")), error, "{item}");
        }
        assert_eq!(wrong("      - {zzz: 1}\n"), foreign);
        let both = wrong("      - {rpm: 0}\n      - {name: a, tpm: 0}\n");
        assert!(both.starts_with("2 problems in the configuration:\n"), "{both}");
    }

    #[test]
    fn items_of_variables_have_its_place() {
        let env = [("LLM_ROUTING_ENDPOINTS_JSON", "[{\"weight\": 0}]")];
        let expected =
            "`llm.routing.endpoints[0].weight` must be > 0. (environment variable LLM_ROUTING_ENDPOINTS_JSON)";
        assert_eq!(merged("", &env, &[]).1.unwrap_err(), expected);
        let flag = format!("{PATH}=[{{weight: 0}}]");
        let expected = format!("`{PATH}[0].weight` must be > 0. (--set {PATH})");
        assert_eq!(merged("", &[], &[&flag]).1.unwrap_err(), expected);
    }
}
