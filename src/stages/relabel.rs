//! The labels of turns: of one that has its answer, and of those of conversations that are there.

use super::checks::Checks;
use super::labels;
use crate::domain::{Answer, Catalogue, Conversation, Findings, Language, Passage, Question, Turn};
use std::sync::Arc;

impl Checks {
    /// What is found in a turn that comes after these of a conversation.
    pub(super) fn findings(
        &self,
        conversation: &Conversation,
        before: &[Arc<Turn>],
        (question, answer): (&Question, &Answer),
        passages: &[Passage],
    ) -> Findings {
        let personas = [&conversation.user_persona, &conversation.assistant_persona].map(|persona| persona.rendered());
        let said = before
            .iter()
            .flat_map(|turn| [turn.question.reply.user_message.as_str(), turn.answer.reply.assistant_message.as_str()]);
        let said: Vec<&str> = said.chain(personas.iter().map(String::as_str)).collect();
        let turn = labels::Answered {
            question: &question.reply.user_message,
            mode: question.mode,
            answer: &answer.reply.assistant_message,
            unsupported_numbers: &answer.unsupported_numbers,
            unknown_citations: &answer.unknown_citations,
            passages,
            said: &said,
            target: &Language::of(&conversation.language),
            held_out: self.held_out.as_deref(),
        };
        self.options.findings(&turn, &self.prompts)
    }

    /// A conversation that is there, with the labels that its turns have by these checks. None of its turns is given up: where
    /// `checks.on_fail` would drop one, it is kept as one that is not accepted.
    pub fn relabelled(&self, conversation: &Conversation, catalogue: &Catalogue) -> Conversation {
        let label = |(at, turn): (usize, &Arc<Turn>)| {
            let hits = turn.answer.retrieved.iter().zip(1..);
            let passages: Vec<Passage> = hits.map(|(hit, number)| hit.found.passage(catalogue, number)).collect();
            let before = &conversation.turns[..at];
            let findings = self.findings(conversation, before, (&turn.question, &turn.answer), &passages);
            let answer = Answer { findings, ..turn.answer.clone() };
            Arc::new(Turn { answer, ..Turn::clone(turn) })
        };
        Conversation { turns: conversation.turns.iter().enumerate().map(label).collect(), ..conversation.clone() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::Acceptance;
    use crate::domain::findings::Label;
    use crate::stages::script::{catalogue, conversation, turn};
    use crate::stages::{CheckOptions, PromptOptions, Prompts};

    #[test]
    fn turns_that_are_there_get_their_labels() {
        let options = CheckOptions { reject: vec![Label::PromptText], ..CheckOptions::default() };
        let checks = Checks::new(&Prompts::load(&PromptOptions::default()).unwrap(), &[]).labelled(options);
        let copied = "Say only what the passages say, or what you said before.";
        let turns = vec![
            turn(1, "Is it [P2]?", "It is dried."),
            turn(2, "Why?", copied),
            turn(3, "Write the person's next question, in English.", "It is kept dry."),
        ];
        let made = Conversation { turns, ..conversation() };
        let labelled = checks.relabelled(&made, &catalogue());
        let told: Vec<_> = labelled
            .turns
            .iter()
            .map(|turn| {
                let Findings { question_labels, answer_labels, acceptance, .. } = &turn.answer.findings;
                (question_labels.clone(), answer_labels.clone(), *acceptance)
            })
            .collect();
        assert_eq!(
            told,
            [
                (vec![Label::Leak], vec![], Acceptance::Accepted),
                (vec![], vec![Label::PromptText], Acceptance::Flagged),
                (vec![Label::PromptText], vec![], Acceptance::Flagged),
            ]
        );
        let leaks = |at: usize| labelled.turns[at].answer.findings.leaks.join(", ");
        assert_eq!((leaks(0), leaks(1)), ("P2".to_owned(), "say only what the passages say or what".to_owned()));
        // Nothing else has changed.
        let bare = |conversation: &Conversation| -> Vec<Turn> {
            let turns = conversation.turns.iter().map(|turn| Turn::clone(turn));
            turns
                .map(|mut turn| {
                    turn.answer.findings = Findings::default();
                    turn
                })
                .collect()
        };
        assert_eq!(bare(&labelled), bare(&made));
        assert_eq!(checks.relabelled(&labelled, &catalogue()), labelled);
    }
}
