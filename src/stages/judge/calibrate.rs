//! The judge is judged: it scores answers with faults put in, beside the answers as they were given.

use super::super::{numbers, spoil};
use super::jury::APART;
use super::{Judge, current};
use crate::domain::calibration::{Spoil, SpoiledScore};
use crate::domain::{Answer, ChunkIndex, Conversation, Failure, Judgement, Language};

/// The place of the first request about a spoiled answer among those about the turn, and how far the next ones are apart. Answers
/// that were written again come before.
const SPOILED: u16 = 2_000;
const SPOILED_APART: usize = 10;

/// The fault that was put into the answer of which the judge made a verdict at a place with this number; none where the answer was
/// as it was given.
pub fn spoil_at(round: u16) -> Option<Spoil> {
    // The judges of a jury are so far apart, and answers that were written again by 100.
    let of_answer = (usize::from(round) % APART).checked_sub(usize::from(SPOILED))? % 100;
    Spoil::ALL.get(of_answer / SPOILED_APART).copied()
}

impl Judge {
    /// Adds what the judge makes of the same answer with faults put in, where this is the first turn of one of the conversations
    /// that it is looked at by.
    ///
    /// # Errors
    /// When the model can't be asked.
    pub async fn calibrate(&self, conversation: &Conversation, judgement: &mut Judgement) -> Result<(), Failure> {
        match conversation.slot.index < self.options.calibrate {
            true => self.score_spoiled(conversation, judgement).await,
            false => Ok(()),
        }
    }

    /// Adds what the judge makes of the same answer with faults put in, where this is the first turn.
    ///
    /// # Errors
    /// When the model can't be asked.
    pub(in super::super) async fn score_spoiled(
        &self,
        conversation: &Conversation,
        judgement: &mut Judgement,
    ) -> Result<(), Failure> {
        let is_first = conversation.turns.is_empty();
        let Some((_, question, answer)) = current(conversation).filter(|_| is_first) else { return Ok(()) };
        let language = Language::of(&conversation.language);
        let code = language.code.as_deref().unwrap_or_default();
        let said = (question.reply.user_message.as_str(), answer.reply.assistant_message.as_str());
        let other = self.other_document(answer);
        for (spoil, round) in Spoil::ALL.into_iter().zip((SPOILED..).step_by(SPOILED_APART)) {
            let Some(message) = spoil::spoiled(spoil, said, &other, code) else { continue };
            let Some(task) = self.turn(&self.with_answer(conversation, message)) else { continue };
            match self.verdict(conversation, task, round).await {
                Ok(Judgement { reply, calls, .. }) => {
                    judgement.calls += calls;
                    judgement.calibration.push(SpoiledScore { spoil, score: reply.score });
                }
                Err(Failure::Reply { .. } | Failure::Refused { .. } | Failure::Filtered { .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// The conversation with another answer, and what is told of its numbers.
    fn with_answer(&self, conversation: &Conversation, message: String) -> Conversation {
        let mut spoiled = conversation.clone();
        let question = conversation.round.question.as_ref().map_or("", |question| &question.reply.user_message);
        if let Some(answer) = &mut spoiled.round.answer {
            let passages =
                answer.retrieved.iter().zip(1..).map(|(hit, number)| hit.found.passage(&self.catalogue, number));
            let passages: Vec<_> = passages.collect();
            let texts = passages.iter().flat_map(|passage| [&*passage.title, &*passage.text]);
            answer.unsupported_numbers = numbers::unsupported(&message, &texts.chain([question]).collect::<Vec<_>>());
            answer.reply.assistant_message = message;
        }
        spoiled
    }

    /// The first passage of the document after the one that an answer rests on, in the same language where there is one.
    fn other_document(&self, answer: &Answer) -> String {
        let sources = &self.catalogue.sources;
        let own = answer
            .retrieved
            .iter()
            .find_map(|hit| hit.found.chunk())
            .map(|chunk| self.catalogue.source_of(chunk).0 as usize);
        let language = own.and_then(|own| sources[own].language.clone());
        let first = own.map_or(0, |own| own + 1);
        let others = || (0..sources.len()).map(|at| (first + at) % sources.len()).filter(|at| Some(*at) != own);
        let other = others().find(|at| sources[*at].language == language).or_else(|| others().next());
        let chunk = other.and_then(|at| sources[at].chunks.clone().next());
        chunk.map_or_else(String::new, |chunk| self.catalogue.chunk(ChunkIndex(chunk)).text.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_tell_what_was_spoiled() {
        for (round, expected) in [
            (0, None),
            (101, None),
            (4_096, None),
            (8_297, None),
            (2_000, Some(Spoil::Numbers)),
            (2_031, Some(Spoil::Refusal)),
            (2_310, Some(Spoil::OtherPassage)),
            (4_096 + 2_040, Some(Spoil::OtherLanguage)),
            (2 * 4_096 + 2_121, Some(Spoil::Echo)),
        ] {
            assert_eq!(spoil_at(round), expected, "{round}");
        }
    }
}
