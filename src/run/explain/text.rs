//! An explanation as text for people.

use super::super::layout::{row, shortened};
use super::{ExplainedRejection, ExplainedReply, ExplainedTurn, Explanation};
use crate::domain::{JudgeReply, Vote};
use crate::stages::spoil_at;
use std::fmt;

/// Columns of what is said, and of passages.
const SAID: usize = 400;
const PASSAGE: usize = 120;
/// What a model is asked for in a turn, in the order of [`ExplainedTurn::asked_again`].
pub(in crate::run) const ASKED: [&str; 3] = ["question", "answer", "verdict"];

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversation_id, run_id, language, status, drop_reason, drop_detail, duplicates, .. } = self;
        writeln!(f, "conversation {conversation_id} of run {run_id}: {status}")?;
        row(f, "language", language)?;
        if !drop_reason.is_empty() {
            row(f, "dropped for", &format!("{drop_reason}: {drop_detail}"))?;
        }
        if *duplicates > 0 {
            row(f, "duplicates", &format!("{duplicates} of its questions were rejected"))?;
        }
        for turn in &self.turns {
            tell(turn, &self.replies, f)?;
        }
        if let Some(judge) = &self.conversation_judge {
            writeln!(f, "as a whole")?;
            row(f, "judge", &verdict(judge))?;
            votes(&self.conversation_judge_votes, f)?;
        }
        let sum = |of: fn(&ExplainedReply) -> Option<u64>| self.replies.iter().filter_map(of).sum::<u64>();
        let (read, written) = (sum(|reply| reply.tokens.0), sum(|reply| reply.tokens.1));
        // The sum of none is a negative zero.
        let cost = self.replies.iter().filter_map(|reply| reply.cost_usd).sum::<f64>() + 0.0;
        let calls = match self.replies.len() {
            0 => "the journal has none of its replies (any more)".to_owned(),
            count => format!("{count} replies in the journal, {read} tokens read, {written} written, {cost:.4} USD"),
        };
        row(f, "calls", &calls)?;
        for pass in &self.unclear_passes {
            row(
                f,
                "",
                &format!("without those to pass {pass}: it judged another run's conversation of the same number too"),
            )?;
        }
        for line in &self.log {
            row(f, "log", line)?;
        }
        if self.log.is_empty() {
            row(f, "log", "no line of run.log names it: it was not rolled back, or its log lies elsewhere (--logs)")?;
        }
        Ok(())
    }
}

fn tell(turn: &ExplainedTurn, replies: &[ExplainedReply], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let state = if turn.finished { "" } else { ", never finished" };
    let mode = if turn.question_mode.is_empty() { String::new() } else { format!(" ({})", turn.question_mode) };
    writeln!(f, "turn {}{mode}{state}", turn.turn_index)?;
    for question in &turn.duplicates {
        row(f, "duplicate", &shortened(question, SAID))?;
    }
    for near in &turn.near_duplicates {
        row(f, "too close", &shortened(&format!("{} ({})", near.rejected.question, near.told()), SAID))?;
    }
    for before in &turn.regenerated {
        reject(before, "made again", f)?;
    }
    let said = |f: &mut fmt::Formatter<'_>, label: &str, text: &Option<String>| match text {
        Some(text) => row(f, label, &shortened(text, SAID)),
        None => Ok(()),
    };
    said(f, "user", &turn.question)?;
    for query in &turn.searches {
        row(f, "searched", &shortened(query, SAID))?;
    }
    for (number, passage) in (1..).zip(&turn.passages) {
        let under = if passage.heading.is_empty() { String::new() } else { format!(" › {}", passage.heading) };
        let cited = if passage.evidence_ids.is_empty() {
            String::new()
        } else {
            format!(" [{}]", passage.evidence_ids.join(", "))
        };
        row(f, &format!("passage {number}"), &format!("{}{under}{cited}", passage.source))?;
        if !passage.text.is_empty() {
            row(f, "", &shortened(&passage.text, PASSAGE))?;
        }
    }
    for before in &turn.rejected {
        reject(before, "rejected", f)?;
    }
    said(f, "assistant", &turn.answer)?;
    if !turn.unsupported_numbers.is_empty() {
        row(f, "unsupported", &format!("numbers that no passage has: {}", turn.unsupported_numbers.join(", ")))?;
    }
    if !turn.labels.is_empty() {
        row(f, "checks", &turn.labels)?;
    }
    if let Some(judge) = &turn.judge {
        let below = if turn.judge_accepted == Some(false) { "below judge.accept: " } else { "" };
        row(f, "judge", &format!("{below}{}", verdict(judge)))?;
    }
    votes(&turn.judge_votes, f)?;
    for reply in replies.iter().filter(|reply| !reply.pass.is_empty() && reply.turn_index == turn.turn_index) {
        let read = serde_json::from_str::<JudgeReply>(&reply.text);
        let spoiled = spoil_at(reply.round).map(|spoil| format!("spoiled ({}): ", spoil.told())).unwrap_or_default();
        let said = read.map_or_else(|_| shortened(&reply.text, SAID), |said| verdict(&said));
        row(f, &format!("pass {}", reply.pass), &format!("{spoiled}{said}"))?;
    }
    ASKED.iter().zip(turn.asked_again).filter(|(_, again)| *again > 0).try_for_each(|(what, again)| {
        row(f, "asked again", &format!("{again} times for the {what}: a reply could not be used"))
    })
}

/// What each judge of a jury made of it.
fn votes(votes: &[Vote], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    votes.iter().try_for_each(|vote| {
        let said = vote.verdict.as_ref().map_or_else(|| "no verdict".to_owned(), verdict);
        row(f, "", &format!("{}: {said}", vote.model))
    })
}

fn reject(before: &ExplainedRejection, label: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let question = before.question.iter().map(|question| shortened(question, SAID));
    let said: Vec<String> = question.chain([shortened(&before.answer, SAID)]).collect();
    row(f, label, &said.join(" → "))?;
    if !before.labels.is_empty() {
        row(f, "", &before.labels)?;
    }
    before.judge.as_ref().map_or(Ok(()), |judge| row(f, "", &verdict(judge)))
}

fn verdict(JudgeReply { score, reasons, notes, question_ok, answer_ok }: &JudgeReply) -> String {
    let flag = |ok: &bool| if *ok { "sound" } else { "not sound" };
    let named = if reasons.is_empty() { String::new() } else { format!(", {}", reasons.join(", ")) };
    let (question, answer) = (flag(question_ok), flag(answer_ok));
    format!("{score} of 10{named}; question {question}, answer {answer}; {}", shortened(notes, SAID))
}
