//! The assistant's side: a search first, then an answer quoted from what it found, with the reasoning laid open.

use super::draw::Draw;
use super::evidence::{Choice, Passage, Wanted, choose};
use super::groups::{Group, of_sentences};
use super::languages::{Language, Piece, capitalised, fill};
use super::modes::Calls;
use super::text::{Sentence, asked};
use super::token::{Class, meaningful, terms, tokens};
use crate::domain::reply::{AssistantReply, Confidence, Evidence, Premise, ReasoningTrace, RetrievalQueries, Thought};
use crate::domain::task::AnswerTask;
use std::collections::BTreeSet;

/// How often other words are looked for where an answer was given before.
const TRIES: usize = 8;
/// Most words of a search.
const QUERY: usize = 12;
/// Shares of the question's terms that the chosen sentences have, from which confidence is high and medium.
const HIGH: f64 = 0.7;
const MEDIUM: f64 = 0.35;

/// What to search for: the question's terms, then those of the facts it builds on.
pub(super) fn query(task: &AnswerTask, language: &Language) -> String {
    let mut words = subject(task, language);
    for fact in own_facts(task, language) {
        for (word, term) in meaningful(fact, language) {
            if !words.iter().any(|(_, known)| *known == term) {
                words.push((word, term));
            }
        }
    }
    let words: Vec<String> = words.into_iter().take(QUERY).map(|(word, _)| word).collect();
    if words.is_empty() { task.question.trim().to_owned() } else { words.join(" ") }
}

/// The answer to a question from what was retrieved for it.
pub(super) fn answer(task: &AnswerTask, seed: u64, language: &Language) -> AssistantReply {
    let passages = Passage::all(&task.passages, language);
    let subject = subject(task, language);
    let question: Vec<String> = subject.iter().map(|(_, term)| term.clone()).collect();
    let facts = own_facts(task, language).flat_map(|fact| terms(fact, language)).collect();
    // An answer that was not good enough is passed over as one that was given.
    let rejected = task.rejected.as_ref().map_or("", |rejected| &rejected.message);
    let history = &[task.public_conversation_history.as_str(), rejected].join("\n");
    let calls = Calls::of(&task.question, language, passages.iter().flat_map(Passage::terms));
    // What was said is said again where it is doubted.
    let history = if calls == Some(Calls::Stand) { rejected } else { history };
    let wanted = Wanted { language, question: &question, facts: &facts, history };
    let is_told = !matches!(calls, Some(Calls::Unknown | Calls::Back));
    let choices = if is_told { choose(&passages, &wanted) } else { Vec::new() };
    let account = Account { task, language, passages: &passages, choices: &choices, subject: &subject, calls };
    let mut draw = Draw::new(&[seed]);
    let assistant_message = match calls {
        Some(Calls::Back) => account.words_on(&language.sheet.speech.modes.ask_back, &mut draw),
        _ if choices.is_empty() => account.words_on(&language.sheet.speech.insufficient, &mut draw),
        _ => account.new_message(&mut draw),
    };
    AssistantReply { assistant_message, reasoning_trace: account.trace(), did_web_search: false }
}

/// What the question is about, by its words. A piece of a need is about what the pieces before it are about, too.
fn subject(task: &AnswerTask, language: &Language) -> Vec<(String, String)> {
    let own = language.subject(&task.question);
    let Some(piece) = language.piece(&task.question) else { return own };
    let mut words = if piece == Piece::Nothing { Vec::new() } else { own };
    for asked in asked(&task.public_conversation_history) {
        for (word, term) in language.subject(asked) {
            if language.piece(asked) != Some(Piece::Nothing) && !words.iter().any(|(_, known)| *known == term) {
                words.push((word, term));
            }
        }
    }
    words
}

/// The facts that the question builds on, as far as they are in the language of the conversation.
fn own_facts<'a>(task: &'a AnswerTask, language: &'a Language) -> impl Iterator<Item = &'a str> {
    let facts = task.user_reply.grounding_facts.iter();
    facts.map(|fact| fact.fact.as_str()).filter(|fact| language.fits(fact))
}

/// All that an answer is written from.
struct Account<'a> {
    task: &'a AnswerTask,
    language: &'a Language,
    passages: &'a [Passage<'a>],
    choices: &'a [Choice],
    /// The question's terms: word and stem.
    subject: &'a [(String, String)],
    /// What the question calls for beside an answer.
    calls: Option<Calls>,
}

impl Account<'_> {
    /// An answer in other words than those before it, as long as there are some.
    fn new_message(&self, draw: &mut Draw) -> String {
        let is_said = |message: &str| {
            let lines: Vec<&str> = message.lines().collect();
            self.task.public_conversation_history.contains(&lines.join("\n  "))
        };
        let mut message = self.message(draw);
        for _ in 0..TRIES {
            if !is_said(&message) {
                break;
            }
            message = self.message(draw);
        }
        message
    }

    fn message(&self, draw: &mut Draw) -> String {
        let speech = &self.language.sheet.speech;
        let opening = if self.calls == Some(Calls::Stand) {
            draw.pick(&speech.modes.stand).map(String::as_str)
        } else if self.confidence() == Confidence::Low {
            draw.pick(&speech.partial).map(String::as_str)
        } else {
            draw.pick(&speech.openings).map(String::as_str)
        };
        let mut paragraphs = Vec::new();
        for (number, choice) in self.choices.iter().enumerate() {
            let lead = if number == 0 { opening } else { draw.pick(&speech.bridges).map(String::as_str) };
            paragraphs.push(self.after(lead.unwrap_or_default(), &self.quoted(choice)));
        }
        let closing = draw.pick(&speech.closings).map(|closing| fill(closing, &[("s", &self.sources())]));
        format!("{}\n\n{}", paragraphs.join("\n\n"), closing.unwrap_or_default())
    }

    /// Sentences after a lead; after a colon a first word that is no name loses its capital.
    fn after(&self, lead: &str, said: &str) -> String {
        let speech = &self.language.sheet.speech;
        let lowered = lead.ends_with(':') && !speech.capital_after_colon;
        let first = tokens(said, self.language).into_iter().next().filter(|first| {
            lowered && first.start == 0 && !matches!(first.class, Class::Content | Class::Number) && first.text != "I"
        });
        match first {
            Some(first) => format!("{lead} {}{}", first.text.to_lowercase(), &said[first.end()..]),
            None => format!("{lead} {said}"),
        }
    }

    fn quoted(&self, choice: &Choice) -> String {
        let said: Vec<&str> = self.sentences(choice).into_iter().map(|sentence| sentence.text.as_str()).collect();
        said.join(" ")
    }

    fn sentences(&self, choice: &Choice) -> Vec<&Sentence> {
        choice.sentences.iter().map(|at| &self.passages[choice.passage].sentences[*at]).collect()
    }

    /// The passages used, in words: by heading, else by subject.
    fn sources(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for choice in self.choices {
            let name = self.source(choice);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        self.listed(&names)
    }

    fn source(&self, choice: &Choice) -> String {
        let speech = &self.language.sheet.speech;
        if let Some(heading) = self.sentences(choice).iter().find_map(|sentence| sentence.heading.as_deref()) {
            return fill(&speech.section, &[("t", &self.language.quoted(heading))]);
        }
        let passage = &self.passages[choice.passage];
        let asked = |group: &Group| group.terms.iter().any(|term| self.subject.iter().any(|(_, asked)| asked == term));
        let rank = |group: &Group| group.score + if asked(group) { 2.0 } else { 0.0 };
        let groups = of_sentences(&passage.sentences, &BTreeSet::new(), self.language);
        let quoted = choice.sentences.iter().flat_map(|at| &groups[*at]).filter(|group| group.central);
        let best = quoted.max_by(|one, other| rank(one).total_cmp(&rank(other)));
        match best {
            Some(group) => fill(&speech.passage, &[("a", &group.shown(self.language))]),
            None => speech.untitled.clone(),
        }
    }

    fn listed(&self, items: &[String]) -> String {
        let (between, before_last) = &self.language.sheet.speech.joints;
        match items {
            [] => String::new(),
            [only] => only.clone(),
            [first @ .., last] => format!("{}{before_last}{last}", first.join(between)),
        }
    }

    /// One of these sentences, about the question's first words.
    fn words_on(&self, sentences: &[String], draw: &mut Draw) -> String {
        let words: Vec<String> = self.subject.iter().take(3).map(|(word, _)| self.language.quoted(word)).collect();
        let words = if words.is_empty() { vec![self.language.quoted(&self.task.question)] } else { words };
        let said = draw.pick(sentences).map_or("", String::as_str);
        capitalised(&fill(said, &[("x", &self.listed(&words))]))
    }

    /// The question's terms that the chosen sentences and their headings have, and those they lack.
    fn coverage(&self) -> (Vec<&str>, Vec<&str>) {
        let have = self.choices.iter().flat_map(|choice| {
            let texts = self.sentences(choice).into_iter();
            let texts = texts.flat_map(|sentence| [Some(sentence.text.as_str()), sentence.heading.as_deref()]);
            texts.flatten().flat_map(|text| terms(text, self.language)).collect::<Vec<_>>()
        });
        let have: BTreeSet<String> = have.collect();
        let (covered, missing) = self.subject.iter().partition(|(_, term)| have.contains(term));
        (words(covered), words(missing))
    }

    fn confidence(&self) -> Confidence {
        let share = self.coverage().0.len() as f64 / self.subject.len().max(1) as f64;
        match share {
            share if share >= HIGH => Confidence::High,
            share if share >= MEDIUM => Confidence::Medium,
            _ => Confidence::Low,
        }
    }

    fn trace(&self) -> ReasoningTrace {
        let evidence = self.evidence();
        ReasoningTrace {
            question: self.task.question.clone(),
            retrieval_queries: RetrievalQueries::default(),
            premises: self.premises(&evidence),
            evidence,
            thinking: self.thinking(),
            confidence: self.confidence(),
            known_limits: self.limits(),
        }
    }

    fn evidence(&self) -> Vec<Evidence> {
        let all = self.choices.iter().flat_map(|choice| {
            let passage = &self.passages[choice.passage];
            let cue = passage.shown.label.clone();
            self.sentences(choice).into_iter().map(move |sentence| (cue.clone(), sentence.text.clone()))
        });
        all.enumerate().map(|(at, (cue, content))| Evidence { id: format!("E{}", at + 1), cue, content }).collect()
    }

    fn premises(&self, evidence: &[Evidence]) -> Vec<Premise> {
        let said = &self.language.sheet.speech.trace;
        let premise = |(at, evidence): (usize, &Evidence)| {
            let have = terms(&evidence.content, self.language);
            let words: Vec<String> =
                self.subject.iter().filter(|(_, term)| have.contains(term)).map(|(word, _)| word.clone()).collect();
            let text = if words.is_empty() {
                fill(&said.context, &[("e", &evidence.id)])
            } else {
                fill(&said.premise, &[("e", &evidence.id), ("x", &self.listed(&words))])
            };
            Premise {
                id: format!("P{}", at + 1),
                text,
                evidence_refs: vec![evidence.id.clone()],
                assumption: String::new(),
            }
        };
        evidence.iter().enumerate().map(premise).collect()
    }

    fn thinking(&self) -> Vec<Thought> {
        let said = &self.language.sheet.speech.trace;
        let words: Vec<String> = self.subject.iter().take(6).map(|(word, _)| word.clone()).collect();
        let (covered, _) = self.coverage();
        let count = |n: usize| n.to_string();
        let found = [("n", count(self.passages.len())), ("k", count(self.choices.len()))];
        let share = [("k", count(covered.len())), ("n", count(self.subject.len()))];
        let filled = |template: &str, values: &[(&str, String); 2]| {
            let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            fill(template, &values)
        };
        let steps = [
            fill(&said.subject, &[("x", &self.listed(&words))]),
            filled(&said.found, &found),
            if self.choices.is_empty() { self.nothing().to_owned() } else { filled(&said.covered, &share) },
        ];
        steps.into_iter().map(|text| Thought { text }).collect()
    }

    /// Why nothing was chosen.
    fn nothing(&self) -> &str {
        let speech = &self.language.sheet.speech;
        match self.calls {
            Some(Calls::Unknown) => &speech.modes.untold,
            Some(Calls::Back) => &speech.modes.open,
            Some(Calls::Stand) | None => &speech.trace.nothing,
        }
    }

    fn limits(&self) -> Vec<String> {
        let said = &self.language.sheet.speech.trace;
        let (_, missing) = self.coverage();
        let missing: Vec<String> = missing.into_iter().map(str::to_owned).collect();
        let nothing = self.choices.is_empty().then(|| self.nothing().to_owned());
        let uncovered = (!missing.is_empty()).then(|| fill(&said.uncovered, &[("x", &self.listed(&missing))]));
        nothing.into_iter().chain(uncovered).collect()
    }
}

fn words(subject: Vec<&(String, String)>) -> Vec<&str> {
    subject.into_iter().map(|(word, _)| word.as_str()).collect()
}
