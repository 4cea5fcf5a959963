//! The user's side: a question about a passage, in the manner its mode and persona call for.

use super::draw::Draw;
use super::groups::Group;
use super::languages::{Language, fill};
use super::material::Material;
use super::modes;
use super::scene::{Focus, Scene};
use super::text::shortened;
use super::token::terms;
use super::wording::spoken;
use crate::domain::reply::{Difficulty, GroundingFact, Intent, UserReply};
use crate::domain::task::{AskTask, QuestionMode};
use serde::Serialize;
use std::collections::BTreeSet;

/// Every intent, in the order they are drawn from.
pub(super) const INTENTS: [Intent; 8] = [
    Intent::Clarify,
    Intent::HowTo,
    Intent::Troubleshoot,
    Intent::Compare,
    Intent::EdgeCase,
    Intent::ExampleRequest,
    Intent::DecisionSupport,
    Intent::Constraints,
];

/// Questions made up before a repeated one is let through.
const ROUNDS: u64 = 64;
/// Rounds in which a subject that was asked about before is passed over too.
const NEW_SUBJECT_ROUNDS: u64 = 16;
/// Characters of a passage without sentences that are given as a fact.
const FACT: usize = 240;

/// A question and what it is about.
pub(super) struct Draft {
    /// What is sent to the assistant.
    pub(super) message: String,
    /// What it is about, in words.
    pub(super) subject: String,
    /// What the person wants.
    pub(super) intent: Intent,
    /// How hard it is to answer.
    pub(super) difficulty: Difficulty,
    /// The sentence that it is about.
    pub(super) place: Option<Grounds>,
    /// The sentence of another passage that it is about too.
    pub(super) other: Option<Grounds>,
    /// All that the person wants to know, where the message is the first piece of it.
    pub(super) need: String,
}

/// A passage and one of its sentences.
pub(super) type Grounds = (usize, Option<usize>);

/// The next question. The same task gives the same question; another `variety` or `attempt` most likely another one. A
/// question listed in `recent_user_questions` is not asked again as long as another can be made.
pub(super) fn ask(task: &AskTask, language: &Language) -> UserReply {
    let scene = Scene::read(task, language);
    let draft = drafts(&scene, 1).pop();
    reply(&scene, draft.unwrap_or_else(|| made_up(&scene, ROUNDS)))
}

/// Several questions in one reply.
#[derive(Serialize)]
pub(super) struct Candidates {
    candidates: Vec<Candidate>,
}

/// One of them, and how likely it is to be asked.
#[derive(Serialize)]
struct Candidate {
    #[serde(flatten)]
    reply: UserReply,
    probability: f64,
}

/// As many different questions as the task wants, if so many can be made, the next one first; each is half as likely as the one
/// before.
pub(super) fn candidates(task: &AskTask, language: &Language) -> Candidates {
    let scene = Scene::read(task, language);
    let mut drafts = drafts(&scene, task.candidates.into());
    if drafts.is_empty() {
        drafts.push(made_up(&scene, ROUNDS));
    }
    let probabilities = std::iter::successors(Some(0.5), |probability| Some(probability / 2.0));
    let candidate = |(draft, probability)| Candidate { reply: reply(&scene, draft), probability };
    Candidates { candidates: drafts.into_iter().zip(probabilities).map(candidate).collect() }
}

/// So many different questions at most, none of which was asked before.
fn drafts(scene: &Scene<'_>, most: usize) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = seeded(scene).into_iter().collect();
    for round in 0..ROUNDS {
        if drafts.len() >= most {
            break;
        }
        let draft = made_up(scene, round);
        let is_usual = scene.task.question_mode.is_usual();
        let known = |other: &Draft| other.subject == draft.subject;
        let stale = is_usual && (scene.was_asked_about(&draft.subject) || drafts.iter().any(known));
        let said = !is_usual && scene.was_said(&draft.message);
        let new = !scene.was_asked(&draft.message) && drafts.iter().all(|other| other.message != draft.message);
        if new && !said && (!stale || round >= NEW_SUBJECT_ROUNDS) {
            drafts.push(draft);
        }
    }
    drafts
}

fn made_up(scene: &Scene<'_>, round: u64) -> Draft {
    let mut draw = Draw::new(&[scene.task.variety, u64::from(scene.task.attempt), round]);
    if let Some(draft) = modes::draft(scene, &mut draw) {
        return draft;
    }
    let both = if scene.task.linked { about_both(scene, &mut draw) } else { None };
    both.or_else(|| about_material(scene, &mut draw)).unwrap_or_else(|| in_general(scene, &mut draw))
}

/// The seed question word for word, on its first attempt and when it is in the target language.
fn seeded(scene: &Scene<'_>) -> Option<Draft> {
    let seed =
        seed(scene.task).filter(|_| scene.task.question_mode == QuestionMode::Seeded && scene.task.attempt == 0)?;
    if !scene.language.fits(seed) || scene.was_asked(seed) {
        return None;
    }
    let start = seed.trim_start_matches('¿').to_lowercase();
    let how = scene.language.sheet.speech.how.iter().any(|how| start.starts_with(how));
    Some(Draft {
        message: seed.to_owned(),
        subject: if scene.task.seed_topic.is_empty() { seed.to_owned() } else { scene.task.seed_topic.clone() },
        intent: if how { Intent::HowTo } else { Intent::Clarify },
        difficulty: Difficulty::Medium,
        place: nearest(scene, seed),
        other: None,
        need: String::new(),
    })
}

fn seed(task: &AskTask) -> Option<&str> {
    [&task.seed_question, &task.question].into_iter().map(|seed| seed.trim()).find(|seed| !seed.is_empty())
}

/// The sentence that shares most terms with a question: at least half of them, else only its passage is near.
fn nearest(scene: &Scene<'_>, question: &str) -> Option<Grounds> {
    let subject = scene.language.subject(question);
    let wanted: BTreeSet<String> = subject.into_iter().map(|(_, term)| term).collect();
    let mut best = scene.materials.first().map(|_| (0, None));
    let mut most = wanted.len().div_ceil(2).saturating_sub(1);
    for (at, material) in scene.materials.iter().enumerate() {
        for (number, sentence) in material.sentences.iter().enumerate() {
            let shared = terms(&sentence.text, scene.language).intersection(&wanted).count();
            if shared > most {
                (best, most) = (Some((at, Some(number))), shared);
            }
        }
    }
    best
}

/// A question about a noun group of a passage, or about the heading of one without.
fn about_material(scene: &Scene<'_>, draw: &mut Draw) -> Option<Draft> {
    let (at, material) = scene.material(draw)?;
    let intent = INTENTS[draw.below(INTENTS.len())];
    match scene.focus(at, material, draw) {
        Some(focus) => about_group(scene, &focus, intent, draw),
        None => about_name(scene, at, material, intent, draw),
    }
}

fn about_group(scene: &Scene<'_>, focus: &Focus<'_>, intent: Intent, draw: &mut Draw) -> Option<Draft> {
    let Focus { at, material, sentence, group } = *focus;
    let shown = |group: &Group| group.shown(scene.language);
    let several = group.words.contains(&scene.language.sheet.speech.joints.1);
    let others = material.groups[sentence].iter().filter(|other| other.central && !other.overlaps(group));
    let others: Vec<&Group> = others.take(if several { 0 } else { 3 }).collect();
    let other = draw.pick(&others).map(|other| shown(other));
    let (difficulty, template) = *draw.pick(&askable(scene.language, intent, other.is_some()))?;
    let question = fill(template, &[("a", &shown(group)), ("b", &other.unwrap_or_default())]);
    let lead = scene.lead(focus, draw);
    let message = spoken(scene, &lead, &question, draw);
    let place = at.map(|at| (at, Some(sentence)));
    Some(Draft { message, subject: group.words.clone(), intent, difficulty, place, other: None, need: String::new() })
}

/// A question about a noun group of one passage and a noun group of another, where they are to be joined.
fn about_both(scene: &Scene<'_>, draw: &mut Draw) -> Option<Draft> {
    let [first, second, ..] = scene.materials.as_slice() else { return None };
    let focus = scene.focus(Some(0), first, draw)?;
    let other = scene.focus(Some(1), second, draw).filter(|other| !other.group.overlaps(focus.group))?;
    let questions = scene.language.sheet.speech.questions.iter();
    let both: Vec<_> = questions.filter(|(_, _, text)| text.contains("{b}")).collect();
    let (intent, _, template) = draw.pick(&both)?;
    let shown = |focus: &Focus<'_>| focus.group.shown(scene.language);
    let question = fill(template, &[("a", &shown(&focus)), ("b", &shown(&other))]);
    let message = spoken(scene, &scene.introduction(draw), &question, draw);
    let (place, other) = [&focus, &other].map(|focus| focus.at.map(|at| (at, Some(focus.sentence)))).into();
    Some(Draft {
        message,
        subject: focus.group.words.clone(),
        intent: *intent,
        difficulty: Difficulty::Hard,
        place,
        other,
        need: String::new(),
    })
}

fn about_name(
    scene: &Scene<'_>,
    at: Option<usize>,
    material: &Material<'_>,
    intent: Intent,
    draw: &mut Draw,
) -> Option<Draft> {
    let words = material.name()?;
    let (difficulty, template) = *draw.pick(&askable(scene.language, intent, false))?;
    let question = fill(template, &[("a", &scene.language.quoted(&words))]);
    let lead = scene.introduction(draw);
    let message = spoken(scene, &lead, &question, draw);
    Some(Draft {
        message,
        subject: words,
        intent,
        difficulty,
        place: at.map(|at| (at, material.first_sentence())),
        other: None,
        need: String::new(),
    })
}

/// Questions of an intent that can be asked with what there is.
fn askable(language: &Language, intent: Intent, other: bool) -> Vec<(Difficulty, &'static str)> {
    let questions = language.sheet.speech.questions.iter();
    questions
        .filter(|(of, _, text)| *of == intent && (other || !text.contains("{b}")))
        .map(|(_, difficulty, text)| (*difficulty, text.as_str()))
        .collect()
}

/// A question without material: the given one if it is in the language, or an opener.
fn in_general(scene: &Scene<'_>, draw: &mut Draw) -> Draft {
    let (language, speech) = (scene.language, &scene.language.sheet.speech);
    let message = match seed(scene.task).filter(|seed| language.fits(seed) && draw.one_in(2)) {
        Some(seed) => spoken(scene, "", seed, draw),
        None => {
            let lead = if scene.task.turn_index > 1 { draw.pick(&speech.adjacent).map(String::as_str) } else { None };
            let opener = draw.pick(&speech.openers).map(String::as_str);
            spoken(scene, lead.unwrap_or_default(), opener.unwrap_or_default(), draw)
        }
    };
    let subject = scene.task.seed_topic.clone();
    let place = scene.materials.first().map(|_| (0, None));
    Draft {
        message,
        subject,
        intent: Intent::Clarify,
        difficulty: Difficulty::Easy,
        place,
        other: None,
        need: String::new(),
    }
}

fn reply(scene: &Scene<'_>, draft: Draft) -> UserReply {
    let snippet = draft.place.and_then(|(at, _)| scene.materials[at].snippet);
    let note = fill(&scene.language.sheet.speech.note, &[("a", &scene.language.quoted(&draft.subject))]);
    UserReply {
        user_message: draft.message,
        intent: draft.intent,
        difficulty: draft.difficulty,
        grounding_facts: [draft.place, draft.other]
            .into_iter()
            .flatten()
            .filter(|_| scene.task.question_mode != QuestionMode::Unanswerable)
            .flat_map(|(at, sentence)| facts(&scene.materials[at], sentence))
            .collect(),
        coverage_target: snippet.map(|snippet| snippet.topic_id.clone()).unwrap_or_default(),
        notes_for_assistant: if draft.subject.is_empty() { Vec::new() } else { vec![note] },
        whole_need: draft.need,
    }
}

/// The sentence in question and the next of its paragraph; of a passage without sentences its start. No sentence in
/// question, no facts.
fn facts(material: &Material<'_>, sentence: Option<usize>) -> Vec<GroundingFact> {
    let source_descriptor = material.snippet.map(|snippet| snippet.source_descriptor.clone()).unwrap_or_default();
    let fact = |fact: String| GroundingFact { fact, source_descriptor: source_descriptor.clone() };
    let Some(number) = sentence else {
        let start = shortened(material.text, FACT);
        return if start.is_empty() || !material.sentences.is_empty() { Vec::new() } else { vec![fact(start)] };
    };
    let block = material.sentences[number].block;
    let near = material.sentences[number..].iter().take(2).filter(|sentence| sentence.block == block);
    near.map(|sentence| fact(sentence.text.clone())).collect()
}
