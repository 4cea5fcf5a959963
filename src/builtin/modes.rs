//! Messages of the modes that are asked for by their shares, and what the assistant recognises them by.

use super::ask::Draft;
use super::draw::Draw;
use super::groups::Group;
use super::languages::{Language, fill};
use super::material::Material;
use super::scene::{Scene, keep_if_any};
use super::token::terms;
use super::wording::{led, spoken};
use crate::domain::reply::{Difficulty, Intent};
use crate::domain::task::QuestionMode;
use std::collections::BTreeSet;

/// A message of the mode that is wanted; none of the usual modes, and where there is nothing to make it from.
pub(super) fn draft(scene: &Scene<'_>, draw: &mut Draw) -> Option<Draft> {
    let modes = &scene.language.sheet.speech.modes;
    match scene.task.question_mode {
        QuestionMode::Unanswerable => {
            let told = told(scene);
            let untold = |template: &&String| frame(template, scene.language).is_disjoint(&told);
            let templates: Vec<_> = modes.unanswerable.iter().filter(untold).collect();
            about(scene, draw.pick(&templates)?, Difficulty::Easy, draw)
        }
        QuestionMode::Underspecified => about(scene, draw.pick(&modes.underspecified)?, Difficulty::Medium, draw),
        QuestionMode::Clarification => about(scene, draw.pick(&modes.clarification)?, Difficulty::Medium, draw),
        QuestionMode::Nonstandalone => about(scene, draw.pick(&modes.nonstandalone)?, Difficulty::Medium, draw),
        QuestionMode::Correction => about(scene, draw.pick(&modes.correction)?, Difficulty::Medium, draw),
        QuestionMode::Challenge => {
            let heard = scene.heard().filter(|heard| heard.has_subjects());
            let mut said = heard.map(|heard| subjects(heard, scene.language)).unwrap_or_default();
            said.retain(|subject| {
                terms(&subject.words, scene.language).iter().any(|term| !scene.language.frames(term))
            });
            if said.is_empty() {
                said = subjects(scene.materials.first()?, scene.language);
            }
            let template = draw.pick(&modes.challenge)?;
            Some(made(scene, template, draw.pick(&said)?, Difficulty::Medium, draw))
        }
        QuestionMode::Sharded if scene.task.whole_need.is_empty() => first_piece(scene, draw),
        QuestionMode::Sharded => Some(next_piece(scene, draw)),
        _ => None,
    }
}

/// What a message can be about.
struct Subject {
    /// As it stands within a sentence.
    shown: String,
    /// Its words alone.
    words: String,
}

/// The best noun groups of a text, each once; of one without, its headings, or its name.
fn subjects(material: &Material<'_>, language: &Language) -> Vec<Subject> {
    const BEST: usize = 8;
    let mut groups: Vec<&Group> = Vec::new();
    let titles = material.titles.iter().flatten();
    for group in material.groups.iter().flatten().filter(|group| group.central).chain(titles) {
        if groups.iter().all(|known| !known.overlaps(group)) {
            groups.push(group);
        }
    }
    groups.sort_by(|one, other| other.score.total_cmp(&one.score));
    let of_group = |group: &&Group| Subject { shown: group.shown(language), words: group.words.clone() };
    let subjects: Vec<Subject> = groups.iter().take(BEST).map(of_group).collect();
    if subjects.is_empty() {
        let name = material.name().map(|words| Subject { shown: language.quoted(&words), words });
        return Vec::from_iter(name);
    }
    subjects
}

/// A message about something in the passage that was not spoken of yet, or that the person has not named, where there is such a
/// thing.
fn about(scene: &Scene<'_>, template: &str, difficulty: Difficulty, draw: &mut Draw) -> Option<Draft> {
    let mut subjects = subjects(scene.materials.first()?, scene.language);
    keep_if_any(&mut subjects, |subject| !scene.was_told(&subject.words));
    keep_if_any(&mut subjects, |subject| !scene.was_said(&subject.words));
    let subject = draw.pick(&subjects)?;
    Some(made(scene, template, subject, difficulty, draw))
}

fn made(scene: &Scene<'_>, template: &str, subject: &Subject, difficulty: Difficulty, draw: &mut Draw) -> Draft {
    let message = spoken(scene, "", &fill(template, &[("a", &subject.shown)]), draw);
    let holds = |material: &Material<'_>| {
        material.groups.iter().position(|groups| groups.iter().any(|other| other.words == subject.words))
    };
    // What no passage tells builds on no fact.
    let is_told = scene.task.question_mode != QuestionMode::Unanswerable;
    let sentence = scene.materials.first().and_then(holds).filter(|_| is_told);
    Draft {
        message,
        subject: subject.words.clone(),
        intent: Intent::Clarify,
        difficulty,
        place: scene.materials.first().map(|_| (0, sentence)),
        other: None,
        need: String::new(),
    }
}

/// The first message of a person who tells a need piece by piece, with the whole of it.
fn first_piece(scene: &Scene<'_>, draw: &mut Draw) -> Option<Draft> {
    let mut subjects = subjects(scene.materials.first()?, scene.language);
    if subjects.is_empty() {
        return None;
    }
    let subject = subjects.remove(draw.below(subjects.len()));
    let more = usize::from(scene.task.n_turns.saturating_sub(1));
    let details: Vec<&str> = subjects.iter().take(more).map(|subject| subject.shown.as_str()).collect();
    let speech = &scene.language.sheet.speech;
    let (between, before_last) = &speech.joints;
    let about = |details: &str| fill(&speech.modes.need, &[("a", &subject.shown), ("b", details)]);
    let need = match details.as_slice() {
        // There is one thing to ask about, and no more to it: the need is a plain question.
        [] => {
            let plain: Vec<&String> =
                speech.questions.iter().map(|(.., text)| text).filter(|text| !text.contains("{b}")).collect();
            fill(draw.pick(&plain)?, &[("a", &subject.shown)])
        }
        [only] => about(only),
        [first @ .., last] => about(&format!("{}{before_last}{last}", first.join(between))),
    };
    let need = led("", &need, scene.language);
    let template = draw.pick(&speech.modes.first_piece)?;
    Some(Draft { need, ..made(scene, template, &subject, Difficulty::Hard, draw) })
}

/// The next piece of the need, or with the last message all that is left of it.
fn next_piece(scene: &Scene<'_>, draw: &mut Draw) -> Draft {
    let task = scene.task;
    let speech = &scene.language.sheet.speech;
    let subjects = scene.materials.first().map(|material| subjects(material, scene.language)).unwrap_or_default();
    let untold = || subjects.iter().filter(|subject| !scene.was_told(&subject.words));
    let mut left: Vec<&Subject> = untold().filter(|subject| task.whole_need.contains(&subject.shown)).collect();
    if left.is_empty() {
        // A passage may have less to it than the conversation has turns.
        left.extend(untold().take(1));
    }
    let last = task.turn_index >= task.n_turns;
    let count = if last { left.len() } else { 1 };
    let shown: Vec<&str> = left.iter().take(count).map(|subject| subject.shown.as_str()).collect();
    let template = if last { &speech.modes.last_piece } else { &speech.modes.piece };
    let text = match shown.as_slice() {
        // Who has nothing to add at the end asks for the whole.
        [] if last && !scene.was_told(&task.whole_need) => task.whole_need.clone(),
        [] => scene.new_one(&speech.modes.no_more, draw).cloned().unwrap_or_default(),
        shown => fill(template, &[("a", &shown.join(&speech.joints.0))]),
    };
    Draft {
        message: spoken(scene, "", &text, draw),
        subject: left.first().map(|subject| subject.words.clone()).unwrap_or_default(),
        intent: Intent::Clarify,
        difficulty: Difficulty::Hard,
        place: scene.materials.first().map(|_| (0, None)),
        other: None,
        need: String::new(),
    }
}

/// The terms of the passages.
fn told(scene: &Scene<'_>) -> BTreeSet<String> {
    scene.materials.iter().flat_map(|material| terms(material.text, scene.language)).collect()
}

/// The terms of a template, without what is filled in.
fn frame(template: &str, language: &Language) -> BTreeSet<String> {
    terms(&fill(template, &[("a", "")]), language)
}

/// What a message calls for beside an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// To be told that nobody can answer it: what no passage has is asked for.
    Unknown,
    /// A question back: it leaves open what is meant.
    Back,
    /// The last answer once more: it is doubted.
    Stand,
}

impl Calls {
    /// What a message calls for, by its words; none of one that only wants an answer. What one of these sentences tells is not
    /// unknown.
    pub(super) fn of<'s>(
        message: &str,
        language: &Language,
        mut sentences: impl Iterator<Item = &'s BTreeSet<String>>,
    ) -> Option<Self> {
        let modes = &language.sheet.speech.modes;
        let (template, about) = language.template(message)?;
        let is_of = |templates: &[String]| templates.iter().any(|one| one == template);
        if is_of(&modes.unanswerable) {
            let (frame, about) = (frame(template, language), terms(about, language));
            let is_told = sentences.any(|terms| !terms.is_disjoint(&frame) && !terms.is_disjoint(&about));
            return (!is_told).then_some(Self::Unknown);
        }
        match is_of(&modes.underspecified) {
            true => Some(Self::Back),
            false => is_of(&modes.challenge).then_some(Self::Stand),
        }
    }
}
