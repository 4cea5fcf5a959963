//! The dataset's card: `README.md` with front matter as the Hub wants it, from what is known of the dataset.
//!
//! Texts that come from settings are told without secrets and without paths of the machine, whatever they hold.

mod front;
mod public;

use super::stats::Report;
use public::{code, is_secret, prose, public};
use std::fmt::Write;

/// What a card tells. Texts may be empty and lists too: then the card is silent about them.
#[derive(Debug, Clone, Copy)]
pub struct CardFacts<'a> {
    /// What people call the dataset; empty for the name in `repo_id`.
    pub pretty_name: &'a str,
    /// The repository, `owner/name`; empty where there is none yet.
    pub repo_id: &'a str,
    /// The licence as the Hub spells it, such as `cc-by-4.0`; empty where none was chosen.
    pub license: &'a str,
    /// What it is for, as the Hub spells it, such as `question-answering`.
    pub task_categories: &'a [&'a str],
    /// Tags beside those that all datasets of the program have.
    pub tags: &'a [&'a str],
    /// What can be loaded by name, the default first.
    pub configs: &'a [CardConfig<'a>],
    /// The other files, each a path in the repository and what it holds.
    pub contents: &'a [[&'a str; 2]],
    /// The columns of the default configuration: name, type and meaning.
    pub columns: &'a [[&'a str; 3]],
    /// Each role and the model that had it.
    pub models: &'a [[&'a str; 2]],
    /// Each prompt and the hash of its text.
    pub prompts: &'a [[&'a str; 2]],
    /// The seed of the run's random choices; empty where it is not known.
    pub seed: &'a str,
    /// Settings that matter to readers: key and value. Those that hold secrets by their names are left out.
    pub settings: &'a [[&'a str; 2]],
    /// Whether the built-in demonstration model made messages of it.
    pub is_demonstration: bool,
    /// How likely the judge gives an answer a higher score than a spoiled one, 0 to 1, where that was measured.
    pub judge_auc: Option<f64>,
    /// The statistics of the dataset.
    pub stats: &'a Report,
    /// The path of their file in the repository; empty where it is left out.
    pub stats_file: &'a str,
    /// Each plot's title and its path in the repository.
    pub plots: &'a [[&'a str; 2]],
    /// Texts that must not be published, wherever they stand.
    pub secrets: &'a [&'a str],
}

/// A part of the dataset that is loaded by its name.
#[derive(Debug, Clone)]
pub struct CardConfig<'a> {
    /// The name that `load_dataset` takes.
    pub name: &'a str,
    /// Its splits, in the order in which they are shown.
    pub splits: Vec<CardSplit<'a>>,
}

/// A split of a configuration.
#[derive(Debug, Clone)]
pub struct CardSplit<'a> {
    /// Its name, such as `train`.
    pub name: &'a str,
    /// Its files in the repository: a path, which may have wildcards.
    pub path: &'a str,
    /// Its rows, where they are known.
    pub rows: Option<u64>,
}

/// The text of `README.md`.
pub fn text(facts: &CardFacts<'_>) -> String {
    let said = |text: &str| prose(&public(text, facts.secrets));
    let mut card = front::matter(facts);
    _ = write!(card, "\n# {}\n\n{}", said(title(facts)), summary(facts));
    for (heading, body) in [
        ("Contents", contents(facts)),
        (
            "Columns",
            table(
                &["column", "type", "meaning"],
                facts.columns.iter().map(|[name, kind, meaning]| {
                    vec![code(&public(name, facts.secrets)), code(&public(kind, facts.secrets)), said(meaning)]
                }),
            ),
        ),
        ("How it was made", made(facts)),
        ("What was rejected", rejected(facts)),
        ("Statistics", statistics(facts)),
        ("Plots", plots(facts)),
        ("Limitations", limitations(facts)),
    ] {
        if !body.is_empty() {
            _ = write!(card, "\n## {heading}\n\n{body}");
        }
    }
    card
}

/// What the card is headed by.
fn title<'a>(facts: &CardFacts<'a>) -> &'a str {
    let name = facts.repo_id.rsplit('/').next().unwrap_or_default();
    [facts.pretty_name, name].into_iter().find(|name| !name.is_empty()).unwrap_or("Synthetic QA Dataset")
}

fn summary(facts: &CardFacts<'_>) -> String {
    let Report { records, languages, turn_count, .. } = facts.stats;
    let languages: Vec<_> = languages.keys().map(|name| prose(&public(name, facts.secrets))).collect();
    let turns = match (turn_count.min, turn_count.max) {
        (Some(min), Some(max)) if min == max => format!(" of {min} turns"),
        (Some(min), Some(max)) => format!(" of {min} to {max} turns"),
        _ => String::new(),
    };
    let of = if languages.is_empty() { String::new() } else { format!(" ({})", languages.join(", ")) };
    format!("{records} synthetic conversations{turns}{of}, grounded in documents. Made with dlgforge.\n")
}

fn contents(facts: &CardFacts<'_>) -> String {
    let mut list = String::new();
    let named = |text: &str| code(&public(text, facts.secrets));
    for config in facts.configs {
        for split in &config.splits {
            let rows = split.rows.map_or(String::new(), |rows| format!(", {rows} rows"));
            _ = writeln!(
                list,
                "- {}: configuration {}, split {}{rows}",
                named(split.path),
                named(config.name),
                named(split.name)
            );
        }
    }
    let stats = [facts.stats_file, "statistics"];
    let files = facts.contents.iter().chain((!facts.stats_file.is_empty()).then_some(&stats));
    files.for_each(|[path, what]| _ = writeln!(list, "- {}: {}", named(path), prose(&public(what, facts.secrets))));
    if let (false, Some(config)) = (facts.repo_id.is_empty(), facts.configs.first()) {
        let said = |text| public(text, facts.secrets).replace(['"', '\\', '`'], "");
        let (repo, name) = (said(facts.repo_id), said(config.name));
        _ = write!(
            list,
            "\n```python\nfrom datasets import load_dataset\n\nrows = load_dataset(\"{repo}\", \"{name}\")\n```\n"
        );
    }
    list
}

fn made(facts: &CardFacts<'_>) -> String {
    let pair =
        |[name, value]: &[&str; 2]| vec![code(&public(name, facts.secrets)), code(&public(value, facts.secrets))];
    let open = facts.settings.iter().filter(|[key, _]| !is_secret(key));
    let seed = (!facts.seed.is_empty()).then_some(["run.seed", facts.seed]);
    let parts = [
        table(&["role", "model"], facts.models.iter().map(pair)),
        table(&["prompt", "hash"], facts.prompts.iter().map(pair)),
        table(&["setting", "value"], seed.iter().chain(open).map(pair)),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return String::new();
    }
    "One model asked as a user would, one answered from passages that were retrieved from the documents, turn by turn. A question \
     that had been asked was asked anew.\n\n"
        .to_owned()
        + &parts.join("\n")
}

fn rejected(facts: &CardFacts<'_>) -> String {
    let Some(run) = &facts.stats.run else { return String::new() };
    let mut list = format!("- Questions rejected as duplicates: {}\n", run.duplicates_rejected);
    for (reason, count) in &run.dropped {
        _ = writeln!(list, "- Conversations dropped, {}: {count}", code(&public(reason, facts.secrets)));
    }
    if run.dropped.is_empty() {
        list += "- No conversation was dropped.\n";
    }
    list
}

fn statistics(facts: &CardFacts<'_>) -> String {
    let Report { records, turn_count, judge, text, tokens, diversity, documents, by_language, .. } = facts.stats;
    let mut list = format!("- Conversations: {records}\n");
    let mut put =
        |name: &str, value: Option<String>| value.iter().for_each(|value| _ = writeln!(list, "- {name}: {value}"));
    let number = |number: Option<f64>| number.map(|number| number.to_string());
    put(
        "Turns of a conversation",
        turn_count.avg.map(|avg| {
            let (min, max) = (turn_count.min.unwrap_or_default(), turn_count.max.unwrap_or_default());
            format!("{avg} on average, {min} to {max}")
        }),
    );
    put(
        "Conversations with a score",
        (judge.conversations_with_scores > 0).then(|| judge.conversations_with_scores.to_string()),
    );
    put("Mean score, 0 to 10", number(judge.avg_score_mean));
    put("Mean words of a conversation", number(text.avg_words_per_conversation));
    put("Mean tokens of a conversation, estimated", number(text.avg_tokens_per_conversation_estimate));
    put(&format!("Mean tokens of a conversation ({})", tokens.tokenizer), number(tokens.messages_per_conversation_avg));
    put("Documents shown to the assistant", (documents.shown > 0).then(|| documents.shown.to_string()));
    for (name, role) in [("questions", &diversity.user), ("answers", &diversity.assistant)] {
        put(&format!("Distinct-2 of {name}"), number(role.distinct_2.share));
        put(&format!("Compression ratio of {name}"), number(role.compression_ratio));
        put(
            &format!("Near-duplicates among {name}"),
            role.near_duplicates.share.map(|share| format!("{:.2} %", 100.0 * share)),
        );
    }
    if !facts.stats_file.is_empty() {
        _ = writeln!(list, "\nMore is in {}.", code(&public(facts.stats_file, facts.secrets)));
    }
    if by_language.len() > 1 {
        let rows = by_language.iter().map(|(name, one)| {
            let score = one.score_mean.map_or(String::new(), |mean| mean.to_string());
            let name = prose(&public(name, facts.secrets));
            vec![name, one.records.to_string(), one.turns.to_string(), one.tokens.to_string(), score]
        });
        list += "\n";
        list += &table(&["language", "conversations", "turns", "tokens", "mean score"], rows);
    }
    list
}

fn plots(facts: &CardFacts<'_>) -> String {
    let plot = |[title, path]: &[&str; 2]| {
        let path = public(path, facts.secrets).replace(['(', ')', '<', '>', ' '], "");
        format!("![{}]({path})\n", prose(&public(title, facts.secrets)))
    };
    facts.plots.iter().map(plot).collect::<Vec<_>>().join("\n")
}

fn limitations(facts: &CardFacts<'_>) -> String {
    let judge = &facts.stats.judge;
    let scored = judge.conversations_with_scores > 0;
    let auc = facts.judge_auc.map(|auc| {
        format!("Scores are those of a model. It gave an answer a higher score than a spoiled one with a probability of {auc:.2}, where 0.5 is chance.")
    });
    let uncalibrated =
        "Scores are those of a model, and nobody has measured how well it tells good answers from bad ones.".to_owned();
    let lines = [
        Some("All messages were written by models: none is a person's, and nobody has checked what they state. An answer may be wrong although \
              its passages are right.".to_owned()),
        facts.is_demonstration.then(|| {
            "Messages were made by the built-in demonstration model, which quotes the documents word for word and does not think: they show \
             what a dataset looks like, and are not for training.".to_owned()
        }),
        Some("Answers may quote the documents, whose own licences hold for what is quoted.".to_owned()),
        if scored { auc.or(Some(uncalibrated)) } else { Some("No judge has scored it.".to_owned()) },
        Some("Questions are what models think that people ask: they are less varied than people's.".to_owned()),
    ];
    lines.into_iter().flatten().map(|line| format!("- {line}\n")).collect()
}

/// Rows of cells under a head; nothing without rows.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<String> = rows.map(|cells| format!("| {} |\n", cells.join(" | "))).collect();
    match rows.is_empty() {
        true => String::new(),
        false => format!("| {} |\n|{}\n{}", head.join(" | "), " --- |".repeat(head.len()), rows.concat()),
    }
}

#[cfg(test)]
mod tests;
