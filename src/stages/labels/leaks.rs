//! What a message names that only the program knows: where passages come from, and how replies are written down.

use super::super::faults::passage_number;
use crate::domain::Passage;

/// Fields of replies, which are words of no language.
const FIELDS: [&str; 11] = [
    "user_message",
    "assistant_message",
    "coverage_target",
    "grounding_facts",
    "notes_for_assistant",
    "reasoning_trace",
    "known_limits",
    "source_descriptor",
    "evidence_refs",
    "whole_need",
    "additionalProperties",
];

/// What a message names of paths of documents, ids of chunks, numbers of passages and fields of replies, unless one of the known
/// texts does.
pub(super) fn found(message: &str, passages: &[Passage], known: &[&str]) -> Vec<String> {
    let of_passage = |passage: &Passage| {
        let path = passage.source_path.as_str();
        let file = path.rsplit('/').next().unwrap_or(path);
        let names = [path, file].into_iter().filter(|name| name.contains('.')).map(str::to_owned);
        names.chain([passage.source_descriptor.clone(), passage.topic_id.clone()]).collect::<Vec<_>>()
    };
    // Addresses of pages of the web are there to be named.
    let documents = passages.iter().filter(|passage| !passage.source_path.contains("://"));
    let names = documents.flat_map(of_passage).chain(FIELDS.map(str::to_owned));
    let mut found: Vec<String> = Vec::new();
    for name in names.chain(ids(message)) {
        let is_new = !found.iter().any(|longer| longer.contains(&name));
        if !name.is_empty() && is_new && names_it(message, &name) && !known.iter().any(|text| text.contains(&name)) {
            found.push(name);
        }
    }
    found.extend(passage_number(message, known));
    found
}

/// Whether a text has a name, and not only as a part of a longer word.
fn names_it(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let around = [text[..at].chars().next_back(), text[at + name.len()..].chars().next()];
        !around.into_iter().flatten().any(char::is_alphanumeric)
    })
}

/// What looks like the id of a chunk: 32 hexadecimal digits, a hyphen and a number.
fn ids(message: &str) -> Vec<String> {
    let words = message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_id = |word: &&str| {
        word.split_once('-').is_some_and(|(digest, number)| {
            let is_hexadecimal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
            digest.len() == 32 && digest.bytes().all(is_hexadecimal) && number.parse::<u32>().is_ok()
        })
    };
    words.filter(is_id).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_program_knows_is_told() {
        let id = "00000000000000000000000000000abc-7";
        let passage = Passage {
            label: "P1".to_owned(),
            topic_id: "5f0c-1".to_owned(),
            source_path: "manuals/pump.md".to_owned(),
            source_descriptor: "pump.md#chunk1".to_owned(),
            title: "Pump".into(),
            text: "Run setup.py once, then prime the pump.".into(),
        };
        for (message, expected) in [
            ("See manuals/pump.md for that.", vec!["manuals/pump.md"]),
            ("It is in pump.md#chunk1.", vec!["pump.md", "pump.md#chunk1"]),
            ("{\"assistant_message\": \"Prime it.\"}", vec!["assistant_message"]),
            (&*format!("As {id} says, prime it."), vec![id]),
            ("Prime it, as [P2] says.", vec!["P2"]),
            ("The form has \"additionalProperties\": false.", vec!["additionalProperties"]),
            ("Make a heat-pump.mdx of it, or a 25f0c-12.", vec![]),
            ("Run setup.py and prime the pump, by the manuals, 5 times.", vec![]),
        ] {
            assert_eq!(found(message, std::slice::from_ref(&passage), &[&passage.text]), expected, "{message}");
        }
        let page = Passage {
            topic_id: "https://a.org/pump.html".to_owned(),
            source_path: "https://a.org/pump.html".to_owned(),
            source_descriptor: "https://a.org/pump.html".to_owned(),
            ..passage.clone()
        };
        assert!(found("See https://a.org/pump.html for that.", &[page], &[]).is_empty(), "an address may be told");
        assert!(found("See pump.md.", &[passage], &["What is in pump.md?"]).is_empty(), "the user has named it");
    }
}
