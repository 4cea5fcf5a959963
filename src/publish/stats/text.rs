//! Statistics as text for a terminal: tables, and the scores or else the numbers of turns as bars.

use super::groups::Turns;
use super::people::Agreement;
use super::report::{Diversity, Report, RoleDiversity};
use crate::domain::terminal::shown;
use std::collections::BTreeMap;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Lines have so many columns at least: what a table needs.
const NARROWEST: usize = 72;

/// Lines have so many columns at most: longer ones are hard to follow.
const WIDEST: usize = 120;

/// The widest that a label is.
const LABEL: usize = 22;

impl Report {
    /// The statistics for a terminal of so many columns, 72 to 120 of which are used. It holds no escape sequences.
    pub fn text(&self, columns: usize) -> String {
        let columns = columns.clamp(NARROWEST, WIDEST);
        let mut text = format!("{}\n\n", shortened(&self.source_file, columns));
        text += &facts(self, columns);
        let language = |(name, one): (&String, &super::Languages)| {
            let counts = [one.records, one.turns, one.words, one.tokens].map(grouped);
            std::iter::once(name.clone()).chain(counts).chain([scored(one.score_mean)]).collect()
        };
        let head = ["language", "conversations", "turns", "words", "tokens", "score"];
        text += &table(&head, self.by_language.iter().map(language).collect());
        text += &of_turns("question mode", &self.by_mode);
        text += &of_turns("difficulty", &self.by_difficulty);
        text += &diverse(&self.diversity);
        let (title, counted) = match self.judge.avg_score_distribution.is_empty() {
            true => ("conversations by number of turns", &self.turn_count.distribution),
            false => ("conversations by mean score", &self.judge.avg_score_distribution),
        };
        text + &bars(title, counted, columns)
    }
}

fn facts(report: &Report, columns: usize) -> String {
    let number = |number: Option<f64>| number.map_or("-".to_owned(), |number| grouped(number.round() as u64));
    let (words, tokens) = (&report.text, &report.tokens);
    let (judge, documents) = (&report.judge, &report.documents);
    let mut facts = vec![
        ("conversations", grouped(report.records)),
        ("turns", {
            let (min, max) = (report.turn_count.min.unwrap_or_default(), report.turn_count.max.unwrap_or_default());
            format!("{min} to {max}, mean {}", scored(report.turn_count.avg))
        }),
        (
            "words",
            format!(
                "mean {} a conversation, {} a message",
                number(words.avg_words_per_conversation),
                number(words.avg_words_per_message)
            ),
        ),
        (
            "tokens",
            format!(
                "{} ({}), mean {} a conversation; with tools {}",
                grouped(tokens.messages_total),
                tokens.tokenizer,
                number(tokens.messages_per_conversation_avg),
                grouped(tokens.with_tools_total)
            ),
        ),
    ];
    if judge.conversations_with_scores > 0 {
        let of = grouped(judge.conversations_with_scores);
        facts.push(("score", format!("mean {} of {of} conversations, 0 to 10", scored(judge.avg_score_mean))));
    }
    if documents.shown > 0 {
        let evenness = documents.evenness.map_or(String::new(), |evenness| format!(", evenness {evenness:.2}"));
        let (shown, turns) = (grouped(documents.shown), grouped(documents.turns_with_documents));
        facts.push(("documents", format!("{shown} shown in {turns} turns{evenness}")));
    }
    if !report.labels.is_empty() {
        let labels = report.labels.iter().map(|(label, count)| format!("{} {}", shown(label), grouped(*count)));
        facts.push(("labels", labels.collect::<Vec<_>>().join(", ")));
    }
    if let Some(people) = &report.people {
        let mut told = format!("{} kept, {} rejected by people", grouped(people.kept), grouped(people.rejected));
        if let Some(Agreement { min_score, labelled, agreed, kappa }) = &people.judge {
            let (agreed, labelled) = (grouped(*agreed), grouped(*labelled));
            told += &format!("; a score of at least {min_score} agrees with {agreed} of {labelled} (kappa {kappa:.2})");
        }
        facts.push(("labelled", told));
    }
    if let Some(run) = &report.run {
        let dropped = run.dropped.iter().map(|(reason, count)| format!("{} {}", shown(reason), grouped(*count)));
        let dropped: Vec<_> = dropped.collect();
        facts.push(("dropped", if dropped.is_empty() { "none".to_owned() } else { dropped.join(", ") }));
        facts.push(("duplicates", format!("{} rejected", grouped(run.duplicates_rejected))));
        facts.extend(run.cost_usd.map(|cost| ("cost", format!("{cost:.2} US dollars"))));
    }
    let mut text = String::new();
    for (label, fact) in facts {
        let mut line = format!("{label:<14}");
        for word in fact.split(' ') {
            if line.width() + 1 + word.width() > columns {
                text += &format!("{line}\n");
                line = " ".repeat(14);
            }
            line += &format!(" {word}");
        }
        text += &format!("{line}\n");
    }
    text + "\n"
}

fn of_turns(title: &str, groups: &BTreeMap<String, Turns>) -> String {
    let row = |(name, one): (&String, &Turns)| {
        let accepted = one.accepted_share.map_or("-".to_owned(), |share| format!("{:.0} %", 100.0 * share));
        vec![name.clone(), grouped(one.turns), scored(one.score_mean), accepted]
    };
    let known = groups.iter().filter(|(name, _)| !name.is_empty());
    table(&[title, "turns", "score", "accepted"], known.map(row).collect())
}

fn diverse(diversity: &Diversity) -> String {
    let row = |label: &str, of: fn(&RoleDiversity) -> Option<f64>| {
        let told = |role| of(role).map_or("-".to_owned(), |number| format!("{number:.3}"));
        vec![label.to_owned(), told(&diversity.user), told(&diversity.assistant)]
    };
    let mut rows = vec![
        row("distinct-1", |role| role.distinct_1.share),
        row("distinct-2", |role| role.distinct_2.share),
        row("distinct-3", |role| role.distinct_3.share),
        row("compression ratio", |role| role.compression_ratio),
        row("self-repetition", |role| role.self_repetition.score),
        row("near-duplicate share", |role| role.near_duplicates.share),
    ];
    if diversity.user.nearest_neighbour.is_some() {
        rows.push(row("nearest neighbour", |role| Some(role.nearest_neighbour.as_ref()?.mean_distance)));
    }
    table(&["diversity", "user", "assistant"], rows)
}

/// Rows under a head, the first column to the left and the others to the right; nothing without rows.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].width()).max().unwrap_or_default();
    let mut text = String::new();
    for row in &all {
        text += &padded(&shortened(&row[0], LABEL), LABEL);
        for (column, cell) in row.iter().enumerate().skip(1) {
            text += &" ".repeat(2 + width(column) - cell.width());
            text += cell;
        }
        text += "\n";
    }
    text + "\n"
}

/// A bar of blocks for each entry, the longest as long as the line lets it.
fn bars(title: &str, counted: &super::Distribution, columns: usize) -> String {
    let Some(most) = counted.values().max().filter(|most| **most > 0) else { return String::new() };
    let room = columns - 8 - 2 - grouped(*most).len();
    let mut text = format!("{title}\n");
    for (value, count) in counted {
        let eighths = (count * 8 * room as u64).div_ceil(*most) as usize;
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        text += &format!("{value:>6}  {}{rest} {}\n", "█".repeat(eighths / 8), grouped(*count));
    }
    text
}

/// A mean to two decimals.
fn scored(mean: Option<f64>) -> String {
    mean.map_or("-".to_owned(), |mean| format!("{mean:.2}"))
}

/// A number with a comma between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |at: usize| if at > 0 && (digits.len() - at).is_multiple_of(3) { "," } else { "" };
    digits.char_indices().map(|(at, digit)| format!("{}{digit}", comma(at))).collect()
}

/// A text in one line of so many columns, with `…` for what is left out.
fn shortened(text: &str, columns: usize) -> String {
    let text: String = shown(text).chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    if text.width() <= columns {
        return text;
    }
    let mut room = columns.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or_default();
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::super::{RunFigures, Statistics};
    use super::*;
    use crate::publish::{Dialogue, Exchange};

    fn report(scored: bool) -> Report {
        let turn = |mode, score| Exchange {
            user: "Où est la gare ?",
            assistant: "Au bout de la rue, à gauche.",
            mode,
            difficulty: "easy",
            score,
            accepted: score.map(|score| score > 5),
            sources: vec!["plan.md"],
            answer_labels: vec!["too_long"],
            ..Exchange::default()
        };
        let conversation = |language, score: Option<u8>| Dialogue {
            language,
            turns: vec![turn("direct", score), turn("follow_up", score)],
            score: score.map(f64::from),
            ..Dialogue::default()
        };
        let mut statistics = Statistics::default();
        let score = |score| scored.then_some(score);
        let languages = ["fr", "fr", "العربية", "a\u{1b}[31m very long name of a language"];
        let conversations: Vec<_> =
            languages.iter().zip([8, 8, 4, 9]).map(|(name, one)| conversation(*name, score(one))).collect();
        statistics.add(&conversations);
        let dropped = BTreeMap::from([("judge".to_owned(), 1_204)]);
        let run = RunFigures { dropped, duplicates_rejected: 12, cost_usd: Some(1.5), ..RunFigures::default() };
        statistics.report("conversations.jsonl", scored.then_some(run))
    }

    #[test]
    fn lines_are_as_wide_as_the_terminal_and_obey_nothing() {
        for (columns, widest) in [(0, NARROWEST), (80, 80), (500, WIDEST)] {
            let text = report(true).text(columns);
            assert!(!text.contains('\u{1b}'));
            let lines: Vec<usize> = text.lines().map(UnicodeWidthStr::width).collect();
            assert!(lines.iter().all(|width| *width <= widest), "{text}");
            assert!(lines.contains(&(widest - 1)), "{widest} {lines:?} {text}");
        }
    }

    #[test]
    fn what_is_known_is_told() {
        let text = report(true).text(80);
        for line in [
            "conversations  4",
            "dropped        judge 1,204",
            "cost           1.50 US dollars",
            "score          mean 7.25 of 4 conversations, 0 to 10",
            "conversations by mean score",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        assert!(text.contains("\nfr                                  2"), "{text}");
        let unscored = report(false).text(80);
        assert!(unscored.contains("conversations by number of turns\n     2  ███"), "{unscored}");
        assert!(!unscored.contains("dropped"), "{unscored}");
    }

    #[test]
    fn digits_are_in_groups_of_three() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }
}
