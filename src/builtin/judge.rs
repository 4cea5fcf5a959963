//! The judge's side: measures of how an answer, its question and its evidence overlap, and the score made of them.

use super::languages::{Language, Template, Words, detect, fill};
use super::token::terms;
use crate::domain::reply::JudgeReply;
use crate::domain::task::{JudgeConversationTask, JudgeEvidence, JudgeTurnTask, QuestionMode};
use std::collections::BTreeSet;
use unicode_segmentation::UnicodeSegmentation;

/// Stands for an answer that was never given.
const MISSING: &str = "MISSING_ASSISTANT_MESSAGE";
/// Fewest and most words of an answer of sensible length.
const WORDS: (f64, f64) = (50.0, 160.0);
/// The scores of an answer that tells nothing of the passages, where that is right and where it tells something.
const RIGHT: u8 = 9;
const WRONG: u8 = 3;
/// Most points of an answer with numbers that stand nowhere.
const INVENTED: f64 = 3.0;
/// Fewest terms of a sentence with content.
const CONTENT: usize = 3;

/// What can be measured of an answer, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Measures {
    /// Share of the answer's terms that the evidence has.
    grounding: f64,
    /// Share of the question's terms that the answer has.
    relevance: f64,
    /// Share of the answer's sentences with content that have a term of the question.
    focus: f64,
    /// 1 for 50 to 160 words, less the further from them.
    length: f64,
    /// Share of the answer's word triples that are not repeated.
    novelty: f64,
    /// Words of the answer.
    words: f64,
    /// Whether it has numbers that stand nowhere.
    invented: bool,
}

/// Judges one turn. The score is `10 × (0.30 grounding + 0.25 relevance + 0.25 focus + 0.15 length + 0.05 novelty)`,
/// rounded; it is 0 for a missing answer, and 3 at most for one with numbers that stand nowhere.
pub(super) fn turn(task: &JudgeTurnTask, language: &Language) -> JudgeReply {
    let question_ok = is_message(&task.judge_user_message, task.question_mode, language);
    if let Some(is_right) = does_right(&task.judge_assistant_message, task.question_mode, language) {
        return of_mode(is_right, &task.judge_reasons, question_ok, language);
    }
    match measure(&task.judge_user_message, &task.judge_assistant_message, &task.judge_evidence, language) {
        Some(measures) => {
            let measures = Measures { invented: !task.unsupported_numbers.is_empty(), ..measures };
            verdict(&measures, &task.judge_reasons, question_ok, language)
        }
        None => missing(&task.judge_reasons, question_ok, language),
    }
}

/// Judges a conversation: the mean of its turns' measures, missing answers counting as nothing, and novelty over all
/// answers together.
pub(super) fn conversation(task: &JudgeConversationTask, language: &Language) -> JudgeReply {
    let turns = &task.judge_conversation_turns;
    let question_ok =
        !turns.is_empty() && turns.iter().all(|turn| is_message(&turn.user_message, turn.question_mode, language));
    let right = turns.iter().map(|turn| does_right(&turn.assistant_message, turn.question_mode, language));
    if right.clone().any(|is_right| is_right == Some(false)) {
        return of_mode(false, &task.judge_reasons, question_ok, language);
    }
    // What is right without evidence is not measured.
    let turns: Vec<_> =
        turns.iter().zip(right).filter(|(_, is_right)| is_right.is_none()).map(|(turn, _)| turn).collect();
    if turns.is_empty() && !task.judge_conversation_turns.is_empty() {
        return of_mode(true, &task.judge_reasons, question_ok, language);
    }
    let measured: Vec<Measures> = turns
        .iter()
        .filter_map(|turn| {
            measure(&turn.user_message, &turn.assistant_message, &task.judge_conversation_evidence, language)
        })
        .collect();
    if measured.is_empty() {
        return missing(&task.judge_reasons, question_ok, language);
    }
    let mean = |of: fn(&Measures) -> f64| measured.iter().map(of).sum::<f64>() / turns.len() as f64;
    let everything: Vec<&str> = turns.iter().map(|turn| turn.assistant_message.as_str()).collect();
    let measures = Measures {
        grounding: mean(|turn| turn.grounding),
        relevance: mean(|turn| turn.relevance),
        focus: mean(|turn| turn.focus),
        length: mean(|turn| turn.length),
        novelty: novelty(&everything.join("\n")),
        words: mean(|turn| turn.words),
        invented: turns.iter().any(|turn| !turn.unsupported_numbers.is_empty()),
    };
    verdict(&measures, &task.judge_reasons, question_ok, language)
}

fn measure(question: &str, answer: &str, evidence: &[JudgeEvidence], language: &Language) -> Option<Measures> {
    if answer.trim().is_empty() || answer.trim() == MISSING {
        return None;
    }
    let said: BTreeSet<String> = terms(answer, language);
    let own: BTreeSet<String> = said.iter().filter(|term| !language.frames(term)).cloned().collect();
    let asked: BTreeSet<String> = language.subject(question).into_iter().map(|(_, term)| term).collect();
    let known: BTreeSet<String> =
        evidence.iter().flat_map(|piece| terms(&piece.content, detect(&piece.content).unwrap_or(language))).collect();
    let words = answer.unicode_words().count() as f64;
    Some(Measures {
        grounding: share(&own, &known),
        relevance: share(&asked, &said),
        focus: focus(answer, &asked, language),
        length: (words / WORDS.0).min(WORDS.1 / words.max(1.0)).min(1.0),
        novelty: novelty(answer),
        words,
        invented: false,
    })
}

/// Share of the first set that is in the second; 0 of none.
fn share(of: &BTreeSet<String>, within: &BTreeSet<String>) -> f64 {
    of.intersection(within).count() as f64 / of.len().max(1) as f64
}

fn focus(answer: &str, asked: &BTreeSet<String>, language: &Language) -> f64 {
    let own = |sentence: &str| -> BTreeSet<String> {
        terms(sentence, language).into_iter().filter(|term| !language.frames(term)).collect()
    };
    let telling: Vec<_> = answer.unicode_sentences().map(own).filter(|terms| terms.len() >= CONTENT).collect();
    let touching = telling.iter().filter(|terms| !terms.is_disjoint(asked)).count();
    touching as f64 / telling.len().max(1) as f64
}

fn novelty(text: &str) -> f64 {
    let words: Vec<String> = text.unicode_words().map(str::to_lowercase).collect();
    let triples = words.windows(3).count();
    let distinct: BTreeSet<&[String]> = words.windows(3).collect();
    if triples == 0 { 1.0 } else { distinct.len() as f64 / triples as f64 }
}

/// Whether a message asks about something in the language of the conversation, or is of a mode that need not ask.
fn is_message(message: &str, mode: QuestionMode, language: &Language) -> bool {
    (mode.may_state() || message.contains(['?', '؟', '？'])) && language.fits(message)
}

/// Whether an answer does what a message of this mode calls for; none where that is to answer it.
fn does_right(answer: &str, mode: QuestionMode, language: &Language) -> Option<bool> {
    let speech = &language.sheet.speech;
    let words = Words::of(answer);
    let is_of = |sentences: &[String]| sentences.iter().any(|one| Template::of(one).filled_in(&words).is_some());
    match mode {
        QuestionMode::Unanswerable => Some(is_of(&speech.insufficient)),
        QuestionMode::Underspecified => Some(is_of(&speech.modes.ask_back)),
        _ => None,
    }
}

/// The verdict on an answer that is to tell nothing of the passages.
fn of_mode(is_right: bool, labels: &[String], question_ok: bool, language: &Language) -> JudgeReply {
    let modes = &language.sheet.speech.modes;
    JudgeReply {
        score: if is_right { RIGHT } else { WRONG },
        reasons: reasons(&[("hallucinated", !is_right)], labels),
        notes: if is_right { &modes.right } else { &modes.wrong }.clone(),
        question_ok,
        answer_ok: is_right,
    }
}

fn verdict(measures: &Measures, labels: &[String], question_ok: bool, language: &Language) -> JudgeReply {
    let Measures { grounding, relevance, focus, length, novelty, words, invented } = *measures;
    let score = (10.0 * (0.30 * grounding + 0.25 * relevance + 0.25 * focus + 0.15 * length + 0.05 * novelty)).round();
    let faults = [
        ("hallucinated", grounding < 0.25),
        ("weak_grounding", (0.25..0.7).contains(&grounding)),
        ("irrelevant", relevance < 0.2),
        ("incomplete", (0.2..0.6).contains(&relevance)),
        ("vague", length < 0.5 || focus < 0.4),
        ("incorrect", invented),
    ];
    let reasons = reasons(&faults, labels);
    // What has a fault is not without one.
    let score = if reasons.is_empty() { score } else { score.min(8.0) };
    let score = if invented { score.min(INVENTED) } else { score };
    let percent = |share: f64| format!("{:.0}", 100.0 * share);
    let figures = [percent(grounding), percent(relevance), percent(focus), format!("{words:.0}")];
    let [g, r, c, w] = figures.each_ref().map(String::as_str);
    JudgeReply {
        score: score.clamp(0.0, 10.0) as u8,
        reasons,
        notes: fill(&language.sheet.speech.verdict, &[("g", g), ("r", r), ("c", c), ("w", w)]),
        question_ok,
        answer_ok: score >= 5.0 && grounding >= 0.25,
    }
}

fn missing(labels: &[String], question_ok: bool, language: &Language) -> JudgeReply {
    JudgeReply {
        score: 0,
        reasons: reasons(&[("incomplete", true)], labels),
        notes: language.sheet.speech.missing.clone(),
        question_ok,
        answer_ok: false,
    }
}

/// The labels of the faults found; `other` stands once for those that are not to be chosen from.
fn reasons(faults: &[(&str, bool)], labels: &[String]) -> Vec<String> {
    let listed = |label: &str| labels.iter().any(|known| known == label);
    let mut reasons: Vec<String> = Vec::new();
    for (fault, _) in faults.iter().filter(|(_, found)| *found) {
        let label = if listed(fault) { fault } else { "other" };
        if listed(label) && !reasons.iter().any(|known| known == label) {
            reasons.push(label.to_owned());
        }
    }
    reasons
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::languages::find;
    use super::*;

    const EVIDENCE: &str = "Steam keeps the crust of a loaf soft during the first ten minutes in the oven.";
    const LABELS: [&str; 8] =
        ["irrelevant", "incorrect", "hallucinated", "weak_grounding", "vague", "incomplete", "unsafe", "other"];

    fn judged(question: &str, answer: &str, labels: &[&str]) -> JudgeReply {
        let task = JudgeTurnTask {
            public_conversation_history: String::new(),
            turn_index: 1,
            unsupported_numbers: Vec::new(),
            unknown_citations: Vec::new(),
            user_persona: String::new(),
            assistant_persona: String::new(),
            judge_user_message: question.to_owned(),
            judge_assistant_message: answer.to_owned(),
            judge_evidence: vec![JudgeEvidence { source: "bread.md#chunk0".to_owned(), content: EVIDENCE.to_owned() }],
            judge_reasons: labels.iter().map(|label| (*label).to_owned()).collect(),
            target_language: "en".to_owned(),
            ..JudgeTurnTask::default()
        };
        turn(&task, find("en").unwrap())
    }

    #[test]
    fn better_answers_score_higher() {
        let question = "What does steam do to the crust in the oven?";
        let full = format!(
            "In plain words: {EVIDENCE} I am drawing on a passage on steam and the section “Oven” here, as it says."
        );
        let scores: Vec<u8> = [full.as_str(), EVIDENCE, "Steam is wet.", "Giraffes sleep upright in savannah grass."]
            .iter()
            .map(|answer| judged(question, answer, &LABELS).score)
            .collect();
        assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
        assert!(scores[0] >= 8 && scores[3] <= 2, "{scores:?}");
    }

    #[test]
    fn faults_are_named_with_the_labels_there_are() {
        let question = "What does steam do to the crust?";
        let wild = "Giraffes sleep upright in savannah grass.";
        assert_eq!(judged(question, wild, &LABELS).reasons, ["hallucinated", "irrelevant", "vague"]);
        assert_eq!(judged(question, wild, &["irrelevant", "other"]).reasons, ["other", "irrelevant"]);
        assert!(judged(question, wild, &["unsafe"]).reasons.is_empty());
        assert!(!judged(question, wild, &LABELS).answer_ok);
    }

    #[test]
    fn a_missing_answer_scores_nothing() {
        for answer in [MISSING, "", "  "] {
            let reply = judged("What does steam do?", answer, &LABELS);
            assert_eq!((reply.score, reply.answer_ok, reply.question_ok), (0, false, true));
            assert_eq!(reply.reasons, ["incomplete"]);
        }
    }

    #[test]
    fn a_statement_is_no_question() {
        assert!(!judged("Steam is wet.", EVIDENCE, &LABELS).question_ok);
        assert!(!judged("Que fait la vapeur sur la croûte du pain ?", EVIDENCE, &LABELS).question_ok);
    }

    #[test]
    fn repeated_words_cost() {
        assert!(novelty("one two three one two three one two three") < 0.5);
        assert_eq!(novelty("one two three four"), 1.0);
    }
}
