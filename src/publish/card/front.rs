//! The front matter of a card: what the Hub shows, finds and loads the dataset by.

use super::CardFacts;
use super::public::{public, scalar};
use crate::domain::Language;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What every dataset of the program is.
const TAGS: [&str; 5] = ["synthetic", "rag", "multi-turn", "conversational", "dlgforge"];

/// The YAML between the lines of dashes, with them.
pub(super) fn matter(facts: &CardFacts<'_>) -> String {
    let mut yaml = String::from("---\n");
    let mut put = |key: &str, values: Vec<String>| {
        if !values.is_empty() {
            _ = writeln!(yaml, "{key}:");
            values.iter().for_each(|value| _ = writeln!(yaml, "- {}", scalar(&public(value, facts.secrets))));
        }
    };
    let codes = languages(facts);
    let several = codes.len() > 1;
    put("language", codes.into_iter().collect());
    put("multilinguality", vec![if several { "multilingual" } else { "monolingual" }.to_owned()]);
    put("annotations_creators", vec!["machine-generated".to_owned()]);
    put("language_creators", vec!["machine-generated".to_owned()]);
    put("source_datasets", vec!["original".to_owned()]);
    put("task_categories", facts.task_categories.iter().map(|task| (*task).to_owned()).collect());
    put("size_categories", vec![size(facts.stats.records)]);
    let mut seen = BTreeSet::new();
    let tags = TAGS.iter().chain(facts.tags).filter(|tag| !tag.trim().is_empty() && seen.insert(**tag));
    put("tags", tags.map(|tag| (*tag).to_owned()).collect());
    for (key, value) in [("pretty_name", super::title(facts)), ("license", facts.license)] {
        if !value.is_empty() {
            _ = writeln!(yaml, "{key}: {}", scalar(&public(value, facts.secrets)));
        }
    }
    yaml + &configs(facts) + "---\n"
}

fn configs(facts: &CardFacts<'_>) -> String {
    if facts.configs.is_empty() {
        return String::new();
    }
    let mut yaml = String::from("configs:\n");
    for (number, config) in facts.configs.iter().enumerate() {
        let said = |text| scalar(&public(text, facts.secrets));
        _ = writeln!(yaml, "- config_name: {}", said(config.name));
        if number == 0 {
            yaml += "  default: true\n";
        }
        yaml += "  data_files:\n";
        for split in &config.splits {
            _ = writeln!(yaml, "  - split: {}\n    path: {}", said(split.name), said(split.path));
        }
    }
    yaml
}

/// ISO 639-1 codes in order, those of languages that have one.
fn languages(facts: &CardFacts<'_>) -> BTreeSet<String> {
    let codes = facts.stats.languages.keys().filter_map(|spelled| Language::of(spelled).code);
    codes.map(|code| code.to_string()).collect()
}

/// The category of the Hub that a number of rows lies in.
fn size(rows: u64) -> String {
    const BOUNDS: [(u64, &str); 10] = [
        (1_000, "1K"),
        (10_000, "10K"),
        (100_000, "100K"),
        (1_000_000, "1M"),
        (10_000_000, "10M"),
        (100_000_000, "100M"),
        (1_000_000_000, "1B"),
        (10_000_000_000, "10B"),
        (100_000_000_000, "100B"),
        (1_000_000_000_000, "1T"),
    ];
    match BOUNDS.iter().position(|(bound, _)| rows < *bound) {
        Some(0) => "n<1K".to_owned(),
        Some(at) => format!("{}<n<{}", BOUNDS[at - 1].1, BOUNDS[at].1),
        None => "n>1T".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_categories_of_the_hub() {
        for (rows, expected) in [
            (0, "n<1K"),
            (999, "n<1K"),
            (1_000, "1K<n<10K"),
            (5_120, "1K<n<10K"),
            (1_000_000, "1M<n<10M"),
            (u64::MAX, "n>1T"),
        ] {
            assert_eq!(size(rows), expected);
        }
    }
}
