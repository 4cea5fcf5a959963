//! Bar charts of statistics, as SVG that reads alike on light and on dark pages.

use super::stats::Report;
use crate::domain::terminal::shown;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Display;

/// The fill of bars.
const BAR: RGBColor = RGBColor(0x2f, 0x6f, 0xed);

/// Texts have it. It stands out from white and from the dark page of GitHub and the Hub alike.
const INK: RGBColor = RGBColor(0x76, 0x7c, 0x85);

/// The length of the longest bar, in pixels.
const LONGEST: f64 = 700.0;

/// From a bar's top to that of the next, in pixels.
const ROW: i32 = 28;

/// The height of the title, in pixels.
const TOP: i32 = 64;

/// The characters of the longest label.
const LABEL: usize = 48;

/// A chart of statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// What its file is called, without `.svg`.
    pub name: &'static str,
    /// What it shows, as its title says.
    pub title: &'static str,
    /// The text of the SVG file. It has no background and names no font but `sans-serif`.
    pub svg: String,
}

/// The charts of which the statistics have something to show.
pub fn all(report: &Report) -> Vec<Plot> {
    let counts =
        |rows: &mut dyn Iterator<Item = (String, u64)>| rows.map(|(label, count)| Row::counted(label, count)).collect();
    let scored = report.by_language.iter().filter_map(|(name, language)| Some((name, language.score_mean?)));
    let charts: [(_, _, Vec<Row>, _); 6] = [
        (
            "turn_count_distribution",
            "Conversations by number of turns",
            counts(&mut labelled(&report.turn_count.distribution)),
            None,
        ),
        (
            "judge_avg_score_distribution",
            "Conversations by mean score (0 to 10)",
            counts(&mut labelled(&report.judge.avg_score_distribution)),
            None,
        ),
        (
            "word_count_distribution",
            "Conversations by number of words",
            counts(&mut report.text.word_count_distribution.iter().map(|(bin, count)| (bin.to_string(), *count))),
            None,
        ),
        (
            "token_estimate_distribution",
            "Conversations by estimated tokens (a quarter of the characters)",
            counts(&mut report.text.token_estimate_distribution.iter().map(|(bin, count)| (bin.to_string(), *count))),
            None,
        ),
        (
            "language_mean_scores",
            "Mean score of conversations by language (0 to 10)",
            scored.map(|(name, mean)| Row { label: name.clone(), value: mean, told: format!("{mean:.2}") }).collect(),
            Some(10.0),
        ),
        (
            "mode_distribution",
            "Turns by question mode",
            counts(&mut report.by_mode.iter().map(|(mode, turns)| (mode.clone(), turns.turns))),
            None,
        ),
    ];
    let charts = charts.into_iter().filter(|(_, _, rows, _)| !rows.is_empty());
    charts.map(|(name, title, rows, most)| Plot { name, title, svg: bars(title, &rows, most) }).collect()
}

/// The entries of a distribution with texts for their numbers.
fn labelled<'a, K: Display + 'a>(
    counted: impl IntoIterator<Item = (&'a K, &'a u64)>,
) -> impl Iterator<Item = (String, u64)> {
    counted.into_iter().map(|(value, count)| (value.to_string(), *count))
}

/// A bar with its label, and its value as it is told.
struct Row {
    label: String,
    value: f64,
    told: String,
}

impl Row {
    fn counted(label: String, count: u64) -> Self {
        Self { label, value: count as f64, told: count.to_string() }
    }
}

/// A row for each bar, which is as long as its value is of the most; without it, of the greatest value.
fn bars(title: &str, rows: &[Row], most: Option<f64>) -> String {
    let labels: Vec<_> = rows.iter().map(|row| shortened(&shown(&row.label))).collect();
    let widest = labels.iter().map(|label| label.chars().count()).max().unwrap_or_default();
    let left = (7 * widest + 24).clamp(140, 360) as i32;
    let most = most.unwrap_or_else(|| rows.iter().map(|row| row.value).fold(0.0, f64::max));
    let height = TOP + ROW * rows.len() as i32 + 36;
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (left as u32 + 840, height as u32)).into_drawing_area();
    let text = |text: &str, at: (i32, i32), size: i32, side: HPos| {
        let style = ("sans-serif", size).into_font().color(&INK).pos(Pos::new(side, VPos::Center));
        area.draw(&Text::new(text.to_owned(), at, style)).expect("a text takes what is drawn");
    };
    text(title, (24, 32), 22, HPos::Left);
    for (number, (row, label)) in rows.iter().zip(&labels).enumerate() {
        let top = TOP + ROW * number as i32;
        let middle = top + ROW / 2;
        let end = left + if most > 0.0 { (LONGEST * row.value / most).round() as i32 } else { 0 };
        text(label, (left - 10, middle), 16, HPos::Right);
        let bar = Rectangle::new([(left, top + 4), (end.max(left + 1), top + ROW - 4)], BAR.filled());
        area.draw(&bar).expect("a text takes what is drawn");
        text(&row.told, (end + 8, middle), 16, HPos::Left);
    }
    area.present().expect("a text takes what is drawn");
    drop(area);
    svg
}

/// A label that the widest margin has room for.
fn shortened(label: &str) -> String {
    match label.char_indices().nth(LABEL - 1) {
        Some((end, _)) if label.chars().count() > LABEL => format!("{}…", &label[..end]),
        _ => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::Statistics;
    use super::super::{Dialogue, Exchange};
    use super::*;

    /// Of a colour, by WCAG 2.2.
    fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(one: RGBColor, other: RGBColor) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn report(language: &str) -> Report {
        let turn = Exchange { index: 1, user: "q", assistant: "a <b> & c", mode: "direct", ..Exchange::default() };
        let conversation = |score| Dialogue { language, turns: vec![turn.clone()], score, ..Dialogue::default() };
        let mut statistics = Statistics::default();
        statistics.add(&[conversation(Some(6.5)), conversation(None)]);
        statistics.report("a.jsonl", None)
    }

    #[test]
    fn colours_stand_out_on_light_and_on_dark_pages() {
        for page in [WHITE, RGBColor(0x0d, 0x11, 0x17)] {
            assert!(contrast(BAR, page) >= 3.0 && contrast(INK, page) >= 4.0, "{page:?} {}", contrast(INK, page));
        }
    }

    #[test]
    fn only_what_there_is_is_shown() {
        let names = |report: &Report| all(report).iter().map(|plot| plot.name).collect::<Vec<_>>();
        assert!(names(&Statistics::default().report("a.jsonl", None)).is_empty());
        let mut report = report("fr");
        assert_eq!(names(&report).len(), 6);
        report.judge.avg_score_distribution.clear();
        report.by_language.values_mut().for_each(|language| language.score_mean = None);
        assert_eq!(
            names(&report),
            ["turn_count_distribution", "word_count_distribution", "token_estimate_distribution", "mode_distribution"]
        );
    }

    #[test]
    fn labels_have_room() {
        for (label, expected) in [("é".repeat(48), "é".repeat(48)), ("é".repeat(49), "é".repeat(47) + "…")] {
            assert_eq!(shortened(&label), expected);
        }
    }

    #[test]
    fn labels_are_texts_in_any_script_and_nothing_else() {
        for (language, expected) in [
            ("العربية (مصر)", "العربية (مصر)"),
            ("</text><script>", "&lt;/text&gt;&lt;script&gt;"),
            ("a\u{1b}b", "a\\u{1b}b"),
        ] {
            let plots = all(&report(language));
            let plot = plots.iter().find(|plot| plot.name == "language_mean_scores").expect("a plot");
            assert!(plot.svg.contains(expected) && plot.svg.contains("6.50"), "{}", plot.svg);
        }
    }
}
