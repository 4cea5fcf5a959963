//! What is known when a question is made: the passages, the last answer, what was asked before, and what of it to pick.

use super::draw::Draw;
use super::groups::Group;
use super::languages::{Language, fill};
use super::material::Material;
use super::persona;
use super::text::{asked, is_said};
use crate::domain::Normalisation;
use crate::domain::normalisation::compatible;
use crate::domain::task::{AskTask, QuestionMode};

/// Noun groups of a passage that are worth asking about.
const SUBJECTS: usize = 10;
/// Noun groups of a sentence that are considered.
const OF_SENTENCE: usize = 4;
/// Passages, nearest first, that a question which digs deeper is drawn from.
const NEAREST: usize = 3;

/// What a question is made from.
pub(super) struct Scene<'a> {
    /// The task itself.
    pub(super) task: &'a AskTask,
    /// The language to ask in.
    pub(super) language: &'a Language,
    /// Passages in that language; only those with subjects if there are any.
    pub(super) materials: Vec<Material<'a>>,
    heard: Option<Material<'a>>,
    recent: Vec<String>,
}

/// A noun group to ask about, and where it stands.
pub(super) struct Focus<'m> {
    /// Position of the passage; none in the last answer.
    pub(super) at: Option<usize>,
    /// The passage.
    pub(super) material: &'m Material<'m>,
    /// Position of the sentence.
    pub(super) sentence: usize,
    /// The group.
    pub(super) group: &'m Group,
}

impl<'a> Scene<'a> {
    /// Reads a task.
    pub(super) fn read(task: &'a AskTask, language: &'a Language) -> Self {
        let own = task.passages.iter().filter(|snippet| language.fits(&snippet.text));
        let mut materials: Vec<_> = own.map(|snippet| Material::of_snippet(snippet, language)).collect();
        keep_if_any(&mut materials, Material::has_subjects);
        let heard = (task.turn_index > 1 && language.fits(&task.last_assistant_message))
            .then(|| Material::of_text(&task.last_assistant_message, true, language));
        let recent = task.recent_user_questions.iter().map(|question| Normalisation::Full.of(question)).collect();
        Self { task, language, materials, heard, recent }
    }

    /// Whether this very question was asked lately.
    pub(super) fn was_asked(&self, message: &str) -> bool {
        self.recent.contains(&Normalisation::Full.of(message))
    }

    /// Whether a question with these words was asked lately.
    pub(super) fn was_asked_about(&self, subject: &str) -> bool {
        let subject = compatible(subject);
        !subject.is_empty() && self.recent.iter().any(|asked| asked.contains(&subject))
    }

    /// Whether these words were said before in the conversation.
    pub(super) fn was_said(&self, words: &str) -> bool {
        compatible(&self.task.public_conversation_history).contains(&compatible(words))
    }

    /// Whether the person has said these words before in the conversation.
    pub(super) fn was_told(&self, words: &str) -> bool {
        asked(&self.task.public_conversation_history).any(|said| compatible(said).contains(&compatible(words)))
    }

    /// One of these sentences that was not said before in the conversation; any of them where all were.
    pub(super) fn new_one<'s>(&self, sentences: &'s [String], draw: &mut Draw) -> Option<&'s String> {
        let mut new: Vec<&String> = sentences.iter().collect();
        keep_if_any(&mut new, |sentence| !self.was_said(sentence));
        draw.pick(&new).copied()
    }

    /// The last answer, where there is one in the language.
    pub(super) fn heard(&self) -> Option<&Material<'a>> {
        self.heard.as_ref()
    }

    /// A passage with its position, or the last answer when there is none. A question that digs deeper takes one of the
    /// nearest, one that moves on takes one of the others.
    pub(super) fn material(&self, draw: &mut Draw) -> Option<(Option<usize>, &Material<'a>)> {
        let count = self.materials.len();
        let (from, to) = match self.task.question_mode {
            QuestionMode::Followup => (0, count.min(NEAREST)),
            QuestionMode::Adjacent if count > 1 => (1, count),
            _ => (0, count),
        };
        if count == 0 {
            return self.heard.as_ref().filter(|heard| heard.has_subjects()).map(|heard| (None, heard));
        }
        let mut near: Vec<usize> = (from..to).collect();
        if matches!(self.task.question_mode, QuestionMode::Followup | QuestionMode::Adjacent) {
            let source = |at: usize| self.materials[at].snippet.map(|snippet| &snippet.source_path);
            keep_if_any(&mut near, |at| source(*at) == source(0));
            keep_if_any(&mut near, |at| self.leads_on(&self.materials[*at]));
        }
        let at = *draw.pick(&near)?;
        Some((Some(at), &self.materials[at]))
    }

    /// One of the best noun groups that a passage is about. A question that digs deeper looks for sentences that touch on
    /// the last answer and were not part of it.
    pub(super) fn focus<'m>(
        &self,
        at: Option<usize>,
        material: &'m Material<'m>,
        draw: &mut Draw,
    ) -> Option<Focus<'m>> {
        let mut found: Vec<(f64, usize, &Group)> = Vec::new();
        for (sentence, groups) in material.groups.iter().enumerate() {
            let bonus = self.interest(&material.sentences[sentence].text);
            let central = groups.iter().filter(|group| group.central);
            let groups = central.take(OF_SENTENCE).chain(&material.titles[sentence]);
            found.extend(groups.map(|group| (group.score + bonus, sentence, group)));
        }
        keep_if_any(&mut found, |(_, sentence, _)| self.continues(material, *sentence));
        found.sort_by(|one, other| other.0.total_cmp(&one.0));
        let mut distinct: Vec<(usize, &Group)> = Vec::new();
        for (_, sentence, group) in found {
            if distinct.iter().all(|(_, known)| known.terms != group.terms) {
                distinct.push((sentence, group));
            }
        }
        distinct.truncate(SUBJECTS);
        draw.pick(&distinct).map(|&(sentence, group)| Focus { at, material, sentence, group })
    }

    /// What a sentence's place in the conversation adds to the scores of its groups.
    fn interest(&self, sentence: &str) -> f64 {
        let mut interest = if self.language.points_back(sentence) { -0.8 } else { 0.0 };
        if self.task.question_mode == QuestionMode::Followup && is_said(sentence, &self.task.last_assistant_message) {
            interest -= 2.0;
        }
        interest
    }

    fn leads_on(&self, material: &Material<'_>) -> bool {
        (0..material.sentences.len()).any(|sentence| self.continues(material, sentence))
    }

    /// Whether a sentence leads on from the last answer where a question should: it touches on it and was no part of it.
    fn continues(&self, material: &Material<'_>, sentence: usize) -> bool {
        self.task.question_mode == QuestionMode::Followup
            && !is_said(&material.sentences[sentence].text, &self.task.last_assistant_message)
            && material.groups[sentence].iter().any(|group| self.mentioned(group).is_some())
    }

    /// The noun group of the last answer that is about the same as this one.
    fn mentioned(&self, group: &Group) -> Option<&Group> {
        self.heard.as_ref()?.groups.iter().flatten().find(|heard| heard.overlaps(group))
    }

    /// What stands before a question: how it relates to what was said, which section it is about, or who asks; often
    /// nothing.
    pub(super) fn lead(&self, focus: &Focus<'_>, draw: &mut Draw) -> String {
        let speech = &self.language.sheet.speech;
        let later = self.task.turn_index > 1;
        let lead = match self.task.question_mode {
            QuestionMode::Followup => self.reference(focus, draw),
            QuestionMode::Adjacent if later => draw.pick(&speech.adjacent).cloned(),
            QuestionMode::OffTopic if later => draw.pick(&speech.off_topic).cloned(),
            _ => self.section(focus, draw),
        };
        lead.unwrap_or_else(|| self.introduction(draw))
    }

    /// Refers back to what the last answer said: at best to something that the sentence in question names too.
    fn reference(&self, focus: &Focus<'_>, draw: &mut Draw) -> Option<String> {
        let speech = &self.language.sheet.speech;
        self.heard.as_ref()?;
        let mut shared = focus.material.groups[focus.sentence].iter().filter_map(|other| self.mentioned(other));
        match shared.find(|known| !known.overlaps(focus.group)) {
            Some(known) => Some(fill(draw.pick(&speech.followup)?, &[("p", &known.shown(self.language))])),
            None => draw.pick(&speech.adjacent).cloned(),
        }
    }

    /// Names the section the sentence stands in, now and then.
    fn section(&self, focus: &Focus<'_>, draw: &mut Draw) -> Option<String> {
        let title = focus.material.titles[focus.sentence].as_ref().filter(|_| draw.one_in(2))?;
        let shown = title.shown(self.language);
        let lead = draw.pick(&self.language.sheet.speech.on_topic).filter(|_| !title.overlaps(focus.group))?;
        Some(fill(lead, &[("t", &shown)]))
    }

    /// Says who asks, now and then on the first turn.
    pub(super) fn introduction(&self, draw: &mut Draw) -> String {
        let clause = persona::clause(&self.task.user_persona, self.language);
        match (&self.language.sheet.speech.persona, clause) {
            (Some(frame), Some(clause)) if self.task.turn_index == 1 && draw.one_in(3) => {
                fill(frame, &[("p", &clause)])
            }
            _ => String::new(),
        }
    }
}

/// Drops the items that don't fit, unless none does.
pub(super) fn keep_if_any<T>(items: &mut Vec<T>, fits: impl Fn(&T) -> bool) {
    if items.iter().any(&fits) {
        items.retain(fits);
    }
}
