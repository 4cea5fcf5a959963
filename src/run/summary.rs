//! What a run came to, for people.

use super::bill::Bill;
use super::judge_check::fault;
use super::layout::{COLUMNS, row, shortened, size};
use super::signals::Signal;
use crate::domain::Balance;
use crate::domain::turns::Contaminated;
use crate::files::WrittenFile;
use crate::llm::Reading;
use crate::operators::{Shortfall, Tally};
use crate::settings::Settings;
use crate::stages::LeastAuc;
use crate::store::State;
use crate::tools::SearchReading;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Held-out texts that the summary names.
const TOLD_TEXTS: usize = 5;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// Every language has its conversations.
    Complete,
    /// It was asked to stop.
    Interrupted(Signal),
    /// Its models had to stop it: no endpoint is left, or the budget is used up.
    Halted(String),
    /// Some language fell short.
    Short(Vec<Shortfall>),
}

impl RunEnd {
    /// How a run with this tally ended.
    pub fn of(settings: &Settings, tally: &Tally, signal: Option<Signal>, halted: Option<&str>) -> Self {
        let short = tally.shortfalls(settings.total_samples);
        match (signal, halted) {
            _ if short.is_empty() => Self::Complete,
            (Some(signal), _) => Self::Interrupted(signal),
            (None, Some(reason)) => Self::Halted(reason.to_owned()),
            (None, None) => Self::Short(short),
        }
    }

    /// The state the run is in then.
    pub fn state(&self) -> State {
        match self {
            Self::Complete => State::Completed,
            Self::Interrupted(_) | Self::Halted(_) => State::Interrupted,
            Self::Short(_) => State::Short,
        }
    }
}

/// The figures of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Identifier of the run.
    pub run_id: Arc<str>,
    /// The command by which it goes on where it has not come to its end.
    pub again: String,
    /// The seed that every random choice followed from.
    pub seed: u64,
    /// Its languages in the order of the settings.
    pub languages: Vec<Arc<str>>,
    /// Conversations wanted per language.
    pub total_samples: u32,
    /// Conversations advanced at a time.
    pub concurrency: u32,
    /// How the run ended, completed or not.
    pub end: RunEnd,
    /// What became of its conversations.
    pub tally: Tally,
    /// Conversations under way when it stopped.
    pub left: usize,
    /// What its calls came to.
    pub meter: Reading,
    /// What its searches of the web came to; none where the web is not searched.
    pub searches: Option<SearchReading>,
    /// What it has cost, over all its resumes.
    pub bill: Bill,
    /// How evenly documents were asked about, by it and by the runs before it in the folder.
    pub balance: Option<Balance>,
    /// What was asked for of question modes and registers beside what there is of them, a line each.
    pub shares: [Vec<String>; 2],
    /// A question and its answer, of those made since the process began; none when no conversation was accepted.
    pub example: Option<[String; 2]>,
    /// Turns of which the judge made nothing; none where there is no judge.
    pub unjudged: Option<u64>,
    /// How well the judge must tell answers from spoiled ones.
    pub least_auc: LeastAuc,
    /// The names of the judges' models.
    pub judges: Vec<Arc<str>>,
    /// Before the first opening, for reading documents above all.
    pub prepared: Duration,
    /// From the first opening to the last row.
    pub elapsed: Duration,
    /// Files that were written, each with its rows.
    pub files: Vec<WrittenFile>,
    /// The folder of the logs, relative to the project's root where it lies below it.
    pub logs: String,
}

impl Summary {
    /// Requests that were at endpoints at a time, on average; none where there are no endpoints.
    pub fn requests_in_flight(&self) -> Option<f64> {
        let at_endpoints = Some(self.meter.at_endpoints.as_secs_f64()).filter(|seconds| *seconds > 0.0);
        at_endpoints.map(|seconds| seconds / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE))
    }

    /// Drops by reason.
    fn reasons(&self) -> String {
        let reasons = self.tally.drops.iter().map(|(reason, count)| format!("{reason} {count}"));
        reasons.collect::<Vec<_>>().join(", ")
    }

    /// Why the run did not reach its total; none when it did, or when it was interrupted.
    pub fn complaint(&self) -> Option<String> {
        let short = match &self.end {
            RunEnd::Short(short) => short,
            RunEnd::Halted(reason) => {
                return Some(format!("{reason}; go on with: {}", self.again));
            }
            RunEnd::Complete if self.least_auc.refuse => return fault(&self.tally, self.least_auc),
            RunEnd::Complete | RunEnd::Interrupted(_) => return None,
        };
        let figures = short.iter().map(|short| {
            let language = &self.languages[usize::from(short.language.0)];
            let Shortfall { accepted, dropped, consecutive_drops, .. } = short;
            let given_up = if *consecutive_drops > 0 {
                format!(", given up after {consecutive_drops} drops in a row")
            } else {
                String::new()
            };
            format!("{language}: {accepted} of {} accepted, {dropped} dropped{given_up}", self.total_samples)
        });
        let mut text = format!(
            "could not reach run.total_samples ({}); drops by reason: {}",
            figures.collect::<Vec<_>>().join("; "),
            self.reasons()
        );
        if let Some(last) = &self.tally.last_drop {
            text += &format!("; last: {last}");
        }
        if ["dedup_exhausted", "near_duplicate_exhausted", "contaminated"]
            .iter()
            .any(|reason| self.tally.drops.contains_key(*reason))
        {
            text += "; add documents, lower run.total_samples or raise coverage.question_dedup_retries";
        }
        Some(text)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.end {
            RunEnd::Complete => "complete",
            RunEnd::Interrupted(_) => "interrupted",
            RunEnd::Halted(_) => "stopped",
            RunEnd::Short(_) => "short of its total",
        };
        writeln!(f, "run {} {state} (seed {})", self.run_id, self.seed)?;
        self.tell_conversations(f)?;
        self.tell_calls(f)?;
        let (prepared, all) = (self.prepared.as_secs_f64(), (self.prepared + self.elapsed).as_secs_f64());
        let in_flight = self.requests_in_flight().map_or(String::new(), |in_flight| {
            format!("; then {in_flight:.1} of {} requests at a time, on average", self.concurrency)
        });
        row(f, "time", &format!("{all:.2} s, {prepared:.2} of them to prepare{in_flight}"))?;
        writeln!(f, "  files")?;
        for (path, rows, bytes) in by_kind(&self.files) {
            let rows = rows.map(|rows| format!("{rows} rows, ")).unwrap_or_default();
            let figures = format!("{rows}{}", size(bytes));
            // Figures that have no room beside a long path stand below it.
            let gap = if 4 + path.len().max(46) + 1 + figures.len() > COLUMNS { "\n        " } else { " " };
            writeln!(f, "    {path:<46}{gap}{figures}")?;
        }
        self.tell_what_next(f)
    }
}

impl Summary {
    fn tell_conversations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.total_samples as usize * self.languages.len();
        let left = if self.left > 0 { format!(", {} under way", self.left) } else { String::new() };
        let (accepted, dropped) = (self.tally.accepted(), self.tally.dropped());
        row(f, "conversations", &format!("{accepted} of {wanted} accepted, {dropped} dropped{left}"))?;
        for (language, progress) in self.languages.iter().zip(&self.tally.languages) {
            let (accepted, dropped) = (progress.accepted, progress.dropped);
            row(f, "", &format!("{language}: {accepted} accepted, {dropped} dropped"))?;
        }
        if !self.tally.drops.is_empty() {
            row(f, "dropped for", &self.reasons())?;
        }
        let Tally { duplicates, rollbacks, wasted, lag, ref turns, .. } = self.tally;
        let below = if turns.flagged > 0 { format!(", {} below judge.accept", turns.flagged) } else { String::new() };
        let told = |count: u64, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
        let again = told(turns.repaired, "answered again after a verdict");
        let anew = told(turns.regenerated, "made again after a verdict");
        let labels = [
            told(turns.unchecked, "with labels of checks.reject"),
            told(turns.pii, "with data about persons"),
            told(turns.abstentions, "that say the answer is not known"),
        ];
        let labels = labels.concat();
        let text = format!(
            "{}, {} without a retrieved passage, {} with numbers that no passage has, {} with citations of what was not \
             found{labels}{below}{again}{anew}",
            turns.all, turns.unretrieved, turns.unsupported, turns.unknown_citations
        );
        row(f, "turns", &text)?;
        if let Some(verdicts) = self.verdicts() {
            row(f, "judge", &verdicts)?;
        }
        if let Some(told) = self.tally.turns.agreement.told(&self.judges) {
            row(f, "jury", &told)?;
        }
        if let Some(told) = self.tally.turns.calibration.told() {
            row(f, "judge's check", &told)?;
        }
        if let Some(fault) = fault(&self.tally, self.least_auc) {
            row(f, "WARNING", &fault)?;
        }
        if let Some(Balance { gini, unused_documents, unused_chunks }) = self.balance {
            let [documents, chunks] = [unused_documents, unused_chunks].map(|share| 100.0 * share);
            let never = format!("{documents:.1} % of documents and {chunks:.1} % of passages never asked about");
            row(f, "coverage", &format!("{never}; Gini coefficient of questions per document {gini:.2}"))?;
        }
        for (label, lines) in ["modes", "registers"].into_iter().zip(&self.shares) {
            for (at, line) in lines.iter().enumerate() {
                row(f, if at == 0 { label } else { "" }, line)?;
            }
        }
        let close = match turns.near_duplicates {
            0 => String::new(),
            close => format!(", {close} of them too close to another one"),
        };
        row(f, "duplicates", &format!("{duplicates} questions rejected{close}"))?;
        if let Some(least) = &turns.least_close {
            row(f, "", &format!("the least close of them: {least}"))?;
        }
        if let Some(told) = contaminated(&turns.contaminated) {
            row(f, "held out", &told)?;
        }
        let ahead = format!("at most {lag} conversations ahead of the watermark");
        row(f, "roll-backs", &format!("{rollbacks}, {wasted} calls wasted; {ahead}"))
    }

    /// What the judge came to; none where it was not asked.
    fn verdicts(&self) -> Option<String> {
        let score = self.tally.turns.mean_score().map(|score| format!("{score:.1} of 10 on average"));
        let over = score.map(|score| format!("{score}, over {} verdicts", self.tally.turns.verdicts));
        let left = self.unjudged.filter(|&count| count > 0).map(|count| format!("{count} turns not judged"));
        let parts: Vec<String> = over.into_iter().chain(left).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn tell_calls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meter = self.meter;
        let Reading { calls, failures, retries, recalled, slowed, cut, empty, refused, filtered, .. } = meter;
        let text = format!("{calls} answered, {recalled} found in the journal, {failures} failed, {retries} retries");
        row(f, "calls", &text)?;
        if let Some(SearchReading { made, failed, retries, recalled }) = self.searches {
            let text =
                format!("{made} searches, {failed} of them failed, {recalled} found in the journal, {retries} retries");
            row(f, "web", &text)?;
        }
        if slowed > 0 {
            row(f, "limits", &format!("{slowed} requests were sent again later: endpoints had no room for them"))?;
        }
        if cut + empty + refused + filtered > 0 {
            let text = format!("{cut} cut off, {empty} empty, {refused} refused, {filtered} filtered");
            row(f, "replies", &text)?;
        }
        let (read, cached) = (meter.prompt_tokens, meter.cached_tokens);
        let share = 100.0 * cached as f64 / read.max(1) as f64;
        let of_them = if cached > 0 { format!(" ({share:.0} % from caches)") } else { String::new() };
        row(f, "tokens", &format!("{read} read{of_them}, {} written", meter.completion_tokens))?;
        row(f, "cost", &self.bill.cost())?;
        self.bill.tiers().map_or(Ok(()), |tiers| row(f, "tiers", &tiers))
    }

    /// A sample of what was made, where the rest of it is, and how to go on.
    fn tell_what_next(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([question, answer]) = &self.example {
            row(f, "for example", &format!("user: {}", shortened(question, 100)))?;
            row(f, "", &format!("assistant: {}", shortened(answer, 160)))?;
        }
        let path = |name: &str| {
            let named = |file: &&WrittenFile| format!("/{}", file.path).ends_with(name);
            self.files.iter().find(named).map(|file| format!("{}, ", file.path)).unwrap_or_default()
        };
        let judged = path("/conversations_sharegpt_judged.jsonl");
        let judged = Some(judged).filter(|told| self.tally.turns.verdicts > 0 && !told.is_empty());
        let training = judged.unwrap_or_else(|| path("/conversations_sharegpt.jsonl"));
        row(f, "look at", &format!("{training}{}{}/run.log", path("/turns.jsonl"), self.logs))?;
        if let RunEnd::Interrupted(_) | RunEnd::Halted(_) = self.end {
            writeln!(f, "  go on with\n    {}", self.again)?;
        }
        Ok(())
    }
}

/// What was rejected for what it has in common with held-out texts; none where nothing was.
fn contaminated(counts: &BTreeMap<Arc<str>, Contaminated>) -> Option<String> {
    let sum = |of: fn(&Contaminated) -> u64| counts.values().map(of).sum::<u64>();
    let mut most: Vec<_> = counts.iter().map(|(place, count)| (count.questions + count.answers, place)).collect();
    most.sort_by_key(|(count, place)| (Reverse(*count), *place));
    let shown = most.iter().take(TOLD_TEXTS).map(|(count, place)| format!("{place} ({count})"));
    let left = most.len().saturating_sub(TOLD_TEXTS);
    let left = (left > 0).then(|| format!("{left} more, in run.log"));
    let places: Vec<String> = shown.chain(left).collect();
    let (questions, answers) = (sum(|count| count.questions), sum(|count| count.answers));
    (!places.is_empty()).then(|| {
        format!("{questions} questions and {answers} answers rejected, for what they have of {}", places.join(", "))
    })
}

/// Path, rows and bytes of files, those of a folder of Parquet files together.
fn by_kind(files: &[WrittenFile]) -> Vec<(String, Option<u64>, u64)> {
    let mut kinds: Vec<(String, Option<u64>, u64)> = Vec::new();
    for file in files {
        let path = match file.path.rsplit_once('/').filter(|(_, name)| name.ends_with(".parquet")) {
            Some((folder, _)) => format!("{folder}/*.parquet"),
            None => file.path.clone(),
        };
        match kinds.iter_mut().find(|(known, ..)| *known == path) {
            Some((_, rows, bytes)) => {
                *rows = rows.zip(file.rows).map(|(rows, more)| rows + more);
                *bytes += file.bytes;
            }
            None => kinds.push((path, file.rows, file.bytes)),
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Conversation, Turns};
    use crate::output::sample::{dropped_conversation, sample_conversation};

    #[test]
    fn the_score_is_that_of_accepted_conversations() {
        let dropped = Turns::of(&dropped_conversation());
        assert_eq!((dropped.mean_score(), dropped.all > 0), (None, true));
        let (first, mut second) = (sample_conversation(), sample_conversation());
        second.turns.remove(0);
        let scores = |conversation: &Conversation| -> Vec<f64> {
            let verdicts = conversation.turns.iter().filter_map(|turn| turn.judgement.as_ref());
            verdicts.chain(&conversation.judgement).map(|judgement| f64::from(judgement.reply.score)).collect()
        };
        let all = [scores(&first), scores(&second)].concat();
        let mut turns = dropped;
        turns.add(Turns::of(&first));
        turns.add(Turns::of(&second));
        assert_eq!(turns.mean_score(), Some(all.iter().sum::<f64>() / all.len() as f64));
    }

    #[test]
    fn parquet_files_of_a_kind_are_told_together() {
        let file = |path: &str, rows: Option<u64>, bytes: u64| WrittenFile { path: path.to_owned(), rows, bytes };
        let files = [
            file("outputs/turns.jsonl", Some(5), 50),
            file("outputs/parquet/conversations/r-00000.parquet", Some(2), 20),
            file("outputs/parquet/turns/r-00000.parquet", Some(3), 30),
            file("outputs/parquet/conversations/r-00001.parquet", Some(1), 10),
            file("outputs/parquet/turns/r-00001.parquet", Some(2), 25),
            file("outputs/run_state/my-run.json", None, 7),
        ];
        let kind = |path: &str, rows: Option<u64>, bytes: u64| (path.to_owned(), rows, bytes);
        assert_eq!(
            by_kind(&files),
            [
                kind("outputs/turns.jsonl", Some(5), 50),
                kind("outputs/parquet/conversations/*.parquet", Some(3), 30),
                kind("outputs/parquet/turns/*.parquet", Some(5), 55),
                kind("outputs/run_state/my-run.json", None, 7),
            ]
        );
    }
}
