//! A transcript as text: as wide as a terminal, in colours where that shows them.

use super::super::explain::{ASKED, ExplainedPassage, ExplainedRejection, ExplainedTurn};
use super::super::layout::{folded, shortened};
use super::marks::{MARKS, marked};
use super::{CallFigures, Transcript};
use crate::domain::terminal::shown;
use crate::domain::{JudgeReply, Vote};

/// The narrowest text, and the widest, which is read with ease.
const WIDTHS: [usize; 2] = [40, 100];
/// Columns of labels, and before what is said.
const LABEL: usize = 13;
const INDENT: usize = 4;
/// Columns of a reply that could not be used, over its lines.
const UNUSABLE: usize = 400;

/// How a line looks in colours: the parameters of a terminal's SGR sequence.
const BOLD: &str = "1";
const DIM: &str = "2";
const USER: &str = "1;36";
const ASSISTANT: &str = "1;32";
const CITED: &str = "33";
const GOOD: &str = "32";
const BAD: &str = "31";
const PLAIN: &str = "";

impl Transcript {
    /// The text for so many columns, with escape sequences for colours or as it is. What texts have of them is written out.
    pub fn text(&self, columns: usize, colours: bool) -> String {
        let mut sheet = Sheet { text: String::new(), columns: columns.clamp(WIDTHS[0], WIDTHS[1]), colours };
        self.head(&mut sheet);
        self.turns.iter().for_each(|turn| tell(turn, &mut sheet));
        if let Some(judge) = &self.conversation_judge {
            sheet.line(BOLD, "as a whole");
            verdict("judge", judge, &mut sheet);
            votes(&self.conversation_judge_votes, &mut sheet);
        }
        if let Some(calls) = &self.calls {
            sheet.row(DIM, "calls", &calls.told());
        }
        sheet.text
    }

    fn head(&self, sheet: &mut Sheet) {
        let Self { conversation_id, run_id, status, language, .. } = self;
        sheet.line(BOLD, &format!("conversation {conversation_id}: {status}"));
        sheet.row(DIM, "run", &format!("{run_id}, in {language}"));
        if !self.drop_reason.is_empty() {
            let detail = if self.drop_detail.is_empty() { String::new() } else { format!(": {}", self.drop_detail) };
            sheet.row(BAD, "dropped for", &format!("{}{detail}", self.drop_reason));
        }
        for (label, persona) in [("user", &self.user_persona), ("assistant", &self.assistant_persona)] {
            if !persona.is_empty() {
                sheet.row(DIM, label, persona);
            }
        }
    }
}

impl CallFigures {
    fn told(&self) -> String {
        let Self { replies, prompt_tokens, completion_tokens, cost_usd } = self;
        let cost = cost_usd
            .map_or_else(|| "cost unknown (`llm.prices` sets prices)".to_owned(), |cost| format!("{cost:.4} USD"));
        format!("{replies} replies, {prompt_tokens} tokens read, {completion_tokens} written, {cost}")
    }
}

fn tell(turn: &ExplainedTurn, sheet: &mut Sheet) {
    let parts =
        [turn.question_mode.as_str(), turn.register.as_str(), if turn.finished { "" } else { "never finished" }];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let told = if parts.is_empty() { String::new() } else { format!(" · {}", parts.join(" · ")) };
    sheet.text.push('\n');
    sheet.line(BOLD, &format!("turn {}{told}", turn.turn_index));
    for question in &turn.duplicates {
        sheet.row(BAD, "rejected", &format!("a duplicate: {question}"));
    }
    for near in &turn.near_duplicates {
        sheet.row(BAD, "rejected", &format!("too close: {} ({})", near.rejected.question, near.told()));
    }
    turn.regenerated.iter().for_each(|before| reject("made again", before, sheet));
    if let Some(question) = &turn.question {
        sheet.said(USER, "user", question);
    }
    for query in &turn.searches {
        sheet.row(DIM, "searched", query);
    }
    for (number, passage) in (1..).zip(&turn.passages) {
        show(number, passage, sheet);
    }
    turn.rejected.iter().for_each(|before| reject("rejected", before, sheet));
    if let Some(answer) = &turn.answer {
        sheet.said(ASSISTANT, "assistant", answer);
    }
    if !turn.unsupported_numbers.is_empty() {
        sheet.row(BAD, "unsupported", &format!("numbers that no passage has: {}", turn.unsupported_numbers.join(", ")));
    }
    if !turn.labels.is_empty() {
        sheet.row(PLAIN, "checks", &turn.labels);
    }
    if let Some(judge) = &turn.judge {
        let label = if turn.judge_accepted == Some(false) { "judge, below" } else { "judge" };
        verdict(label, judge, sheet);
    }
    votes(&turn.judge_votes, sheet);
    for (what, again) in ASKED.iter().zip(turn.asked_again).filter(|(_, again)| *again > 0) {
        sheet.row(BAD, "asked again", &format!("{again} times for the {what}: a reply could not be used"));
    }
    for reply in &turn.unusable {
        sheet.row(BAD, "not usable", &shortened(reply, UNUSABLE));
    }
}

/// A passage: all of it where it is cited, else how it begins.
fn show(number: usize, passage: &ExplainedPassage, sheet: &mut Sheet) {
    let ExplainedPassage { source, heading, text, evidence_ids, evidence, .. } = passage;
    let under = if heading.is_empty() { String::new() } else { format!(" › {heading}") };
    let cited = if evidence_ids.is_empty() { String::new() } else { format!(" [{}]", evidence_ids.join(", ")) };
    sheet.row(DIM, &format!("passage {number}"), &format!("{source}{under}{cited}"));
    if evidence_ids.is_empty() {
        let room = sheet.columns - LABEL - 2;
        sheet.row(DIM, "", &shortened(text, room));
        return;
    }
    let (text, strange) = marked(text, evidence);
    sheet.row(PLAIN, "", &text);
    for piece in strange {
        sheet.row(BAD, "", &format!("cited, but not in these words: {piece}"));
    }
}

fn reject(label: &str, before: &ExplainedRejection, sheet: &mut Sheet) {
    if let Some(question) = &before.question {
        sheet.row(BAD, label, question);
    }
    sheet.row(BAD, if before.question.is_some() { "" } else { label }, &before.answer);
    if !before.labels.is_empty() {
        sheet.row(BAD, "because of", &before.labels);
    }
    before.judge.iter().for_each(|judge| verdict("because of", judge, sheet));
}

fn verdict(label: &str, judge: &JudgeReply, sheet: &mut Sheet) {
    let style = if label == "judge" { GOOD } else { BAD };
    sheet.row(style, label, &scored(judge));
    sheet.row(PLAIN, "", &judge.notes);
}

fn scored(JudgeReply { score, reasons, question_ok, answer_ok, .. }: &JudgeReply) -> String {
    let flag = |ok: &bool| if *ok { "sound" } else { "not sound" };
    let named = if reasons.is_empty() { String::new() } else { format!(", {}", reasons.join(", ")) };
    format!("{score} of 10{named}; question {}, answer {}", flag(question_ok), flag(answer_ok))
}

/// What each judge of a jury made of it.
fn votes(votes: &[Vote], sheet: &mut Sheet) {
    for vote in votes {
        let said = vote.verdict.as_ref().map_or_else(|| "no verdict".to_owned(), scored);
        sheet.row(DIM, "", &format!("{}: {said}", vote.model));
    }
}

/// What is written so far.
struct Sheet {
    text: String,
    columns: usize,
    colours: bool,
}

impl Sheet {
    /// A line of its own.
    fn line(&mut self, style: &str, text: &str) {
        for line in folded(&shown(text), self.columns) {
            self.text += &self.painted(style, &line);
            self.text.push('\n');
        }
    }

    /// A label, then its text in a column of its own; nothing where that is empty.
    fn row(&mut self, style: &str, label: &str, text: &str) {
        let mut label = label;
        // Marks go on in the next line.
        let mut is_cited = false;
        for line in folded(&shown(text), self.columns - LABEL - 2) {
            let label = std::mem::take(&mut label);
            let label = self.painted(if style == PLAIN { DIM } else { style }, &format!("{label:<LABEL$}"));
            let line = self.cited(&line, &mut is_cited);
            self.text += format!("  {label}{line}").trim_end();
            self.text.push('\n');
        }
    }

    /// What somebody says, below who does.
    fn said(&mut self, style: &str, who: &str, text: &str) {
        self.text += &format!("  {}\n", self.painted(style, who));
        for line in folded(&shown(text), self.columns - INDENT) {
            self.text += format!("{:INDENT$}{line}", "").trim_end();
            self.text.push('\n');
        }
    }

    fn painted(&self, style: &str, text: &str) -> String {
        let is_plain = !self.colours || style.is_empty() || text.trim().is_empty();
        if is_plain { text.to_owned() } else { format!("\u{1b}[{style}m{text}\u{1b}[0m") }
    }

    /// A line whose marks have a colour, too.
    fn cited(&self, line: &str, is_cited: &mut bool) -> String {
        if !self.colours {
            return line.to_owned();
        }
        let (mut painted, mut rest) = (String::new(), line);
        while !rest.is_empty() {
            let at = match *is_cited {
                true => rest.find(MARKS[1]).map(|at| at + MARKS[1].len_utf8()),
                false => rest.find(MARKS[0]),
            };
            let (part, after) = rest.split_at(at.unwrap_or(rest.len()));
            painted += &self.painted(if *is_cited { CITED } else { PLAIN }, part);
            *is_cited ^= at.is_some();
            rest = after;
        }
        painted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    /// A conversation in scripts of several kinds, of which one has no spaces, with text that a terminal would obey.
    fn transcript() -> Transcript {
        let passage = ExplainedPassage {
            source: "ja/猫.md".to_owned(),
            text: format!("{}。猫は眠る。", "猫は水を好まない".repeat(12)),
            evidence_ids: vec!["E1".to_owned(), "E2".to_owned()],
            evidence: vec!["猫は眠る".to_owned(), "犬は眠る".to_owned()],
            ..ExplainedPassage::default()
        };
        let turn = ExplainedTurn {
            turn_index: 1,
            question: Some("هل تحب القطط الماء؟ ".repeat(9)),
            answer: Some("No.\n\n- \u{1b}[31mred\u{202e}\n  - nested".to_owned()),
            passages: vec![passage],
            ..ExplainedTurn::default()
        };
        Transcript { conversation_id: "r-0000".to_owned(), turns: vec![turn], ..Transcript::default() }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_none_is_obeyed() {
        for columns in [40, 60, 80] {
            let text = transcript().text(columns, false);
            assert!(text.lines().all(|line| line.width() <= columns), "{text}");
            assert!(
                !text.contains(['\u{1b}', '\u{202e}'])
                    && text.contains("    - \\u{1b}[31mred\\u{202e}\n      - nested\n")
            );
        }
        let text = transcript().text(80, false);
        assert!(text.contains("⟦猫は眠る。⟧") && text.contains("cited, but not in these words: 犬は眠る"), "{text}");
    }

    #[test]
    fn colours_change_nothing_else() {
        let (plain, coloured) = (transcript().text(60, false), transcript().text(60, true));
        let mut without = String::new();
        for (at, part) in coloured.split("\u{1b}[").enumerate() {
            without += if at == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) };
        }
        assert_eq!(without.lines().map(str::trim_end).collect::<Vec<_>>(), plain.lines().collect::<Vec<_>>());
        assert!(coloured.contains("\u{1b}[33m⟦") && coloured.contains("\u{1b}[1;36muser\u{1b}[0m"), "{coloured}");
    }
}
