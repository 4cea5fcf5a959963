//! What a message must not be: in another language, a placeholder, an echo, an apology, what was said before, or text of
//! its own prompt.

use super::exchange::{AGAIN, ReplyError};
use super::faults::{self, PromptText};
use super::history::Exchanged;
use super::labels::CheckOptions;
use super::language;
use super::prompts::{BEGIN, Prompts};
use crate::domain::{HeldOut, Language, Passage, QuestionMode, RejectedAnswer, ToolDefinition};
use crate::llm::ReplySchema;
use std::sync::Arc;

/// The checks of a run.
pub struct Checks {
    pub(super) prompts: PromptText,
    /// Names of the tools that models are offered.
    tools: Vec<String>,
    /// What turns are labelled with, and which labels are not accepted.
    pub(super) options: CheckOptions,
    /// What no message may have too much in common with.
    pub(super) held_out: Option<Arc<HeldOut>>,
}

/// A question with what it is checked against.
pub(super) struct Asked<'a> {
    /// The question that was asked.
    pub message: &'a str,
    /// The description of the person who asks.
    pub person: &'a str,
    /// The passages it may be about.
    pub passages: &'a [Passage],
    /// What was said before in the conversation.
    pub history: &'a [Exchanged<'a>],
    /// What kind of message it was to be.
    pub mode: QuestionMode,
    /// The whole of what the person wants to know, where the message is to be the first piece of it.
    pub need: Option<&'a str>,
}

/// An answer with what it is checked against.
pub(super) struct Answered<'a> {
    /// The answer that was given.
    pub message: &'a str,
    /// The description of the assistant.
    pub assistant: &'a str,
    /// The question that was asked.
    pub question: &'a str,
    /// What was said before in the conversation.
    pub history: &'a [Exchanged<'a>],
    /// Answers to the same question that were rejected.
    pub rejected: &'a [RejectedAnswer],
    /// What kind of message the question was to be.
    pub mode: QuestionMode,
    /// What it quotes as evidence.
    pub quotes: &'a [String],
    /// The passages that were retrieved for it.
    pub passages: &'a [Passage],
}

impl Checks {
    /// Checks of replies to these prompts, by models that are told of these tools.
    pub fn new(prompts: &Prompts, tools: &[ToolDefinition]) -> Self {
        let told: Vec<String> = tools.iter().map(|tool| format!("{} {}", tool.description, tool.parameters)).collect();
        let texts = prompts.sources().values().chain(&told).map(String::as_str).chain([AGAIN]);
        Self {
            prompts: PromptText::new(texts, &[BEGIN]),
            tools: tools.iter().map(|tool| tool.name.clone()).collect(),
            options: CheckOptions::default(),
            held_out: None,
        }
    }

    /// The same checks, with these options for the labels of turns.
    pub fn labelled(self, options: CheckOptions) -> Self {
        Self { options, ..self }
    }

    /// The same checks, with these texts held out.
    pub fn apart_from(self, held_out: Option<Arc<HeldOut>>) -> Self {
        Self { held_out, ..self }
    }

    /// Whether a message can be the person's.
    pub(super) fn question(
        &self,
        asked: &Asked<'_>,
        schema: &ReplySchema,
        target: &Language,
    ) -> Result<(), ReplyError> {
        let Asked { message, person, passages, history, mode, need } = asked;
        let texts = texts(passages);
        let before: Vec<&str> = history.iter().map(|(_, asked, _)| asked.reply.user_message.as_str()).collect();
        let stated =
            || if mode.may_state() { faults::piece(message, &texts) } else { faults::statement(message, &texts) };
        let found = faults::placeholder(message, &schema.schema)
            .or_else(|| faults::wordless(message))
            .or_else(|| faults::refusal(message))
            .or_else(|| self.prompts.found_in(message))
            .or_else(|| faults::description(message, person, &texts))
            .or_else(|| faults::told_before(message, &answers(history), *mode == QuestionMode::Challenge))
            .or_else(|| faults::names_heading(message, passages.iter().map(|passage| &*passage.title)))
            .or_else(stated)
            .or_else(|| faults::repeated(message, if mode.needs_history() { &before } else { &[] }))
            .or_else(|| need.and_then(|need| faults::no_whole(need, message)))
            .or_else(|| faults::mentions_material(message, &texts));
        found.map_or(Ok(()), |detail| Err(ReplyError::Content(detail)))?;
        in_language("user_message", message, target)
    }

    /// Whether a message can be the assistant's.
    pub(super) fn answer(
        &self,
        answer: &Answered<'_>,
        schema: &ReplySchema,
        target: &Language,
    ) -> Result<(), ReplyError> {
        let Answered { message, assistant, question, history, rejected, mode, quotes, passages } = answer;
        // That something is not known can be said in the same words twice, and so can what is doubted or told piece by piece, if
        // it is brief.
        let may_repeat = matches!(mode, QuestionMode::Unanswerable | QuestionMode::Challenge | QuestionMode::Sharded);
        let given = answers(history);
        let again =
            || if may_repeat { faults::nothing_new(message, &given) } else { faults::answers_again(message, &given) };
        let quotes: Vec<&str> = quotes.iter().map(String::as_str).collect();
        let known: Vec<&str> = texts(passages).into_iter().chain([*question]).collect();
        let found = faults::placeholder(message, &schema.schema)
            .or_else(|| faults::echo(message, question))
            .or_else(|| faults::heading(message, passages.iter().map(|passage| &*passage.title)))
            .or_else(|| faults::self_description(message, assistant, &known))
            .or_else(|| faults::unfinished(message))
            .or_else(again)
            .or_else(|| faults::unchanged(message, &rejected_answers(rejected)))
            .or_else(|| self.prompts.found_in(message))
            .or_else(|| faults::names_tool(message, &self.tools))
            .or_else(|| faults::mentions_passage(message, &known))
            .or_else(|| faults::obeys(message, &texts(passages)))
            .or_else(|| faults::misquote(&quotes, &texts(passages)));
        found.map_or(Ok(()), |detail| Err(ReplyError::Content(detail)))?;
        in_language("assistant_message", message, target)
    }
}

fn texts(passages: &[Passage]) -> Vec<&str> {
    passages.iter().map(|passage| &*passage.text).collect()
}

fn answers<'a>(history: &[Exchanged<'a>]) -> Vec<&'a str> {
    history.iter().map(|(_, _, answer)| answer.reply.assistant_message.as_str()).collect()
}

fn rejected_answers(rejected: &[RejectedAnswer]) -> Vec<&str> {
    rejected.iter().map(|one| one.answer.reply.assistant_message.as_str()).collect()
}

fn in_language(field: &str, message: &str, target: &Language) -> Result<(), ReplyError> {
    language::wrong(message, target).map_or(Ok(()), |other| {
        let name = &target.name;
        Err(ReplyError::Language(format!("`{field}` is in {other}, but must be in {name}: write it in {name}")))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::stages::PromptOptions;
    use crate::stages::history::exchanged;
    use crate::stages::script::{passages, turn};
    use serde_json::Value;

    #[test]
    fn what_a_message_must_be_depends_on_its_mode() {
        let checks = Checks::new(&Prompts::load(&PromptOptions::default()).unwrap(), &[]);
        let schema = ReplySchema::new("any", Value::Null);
        let passage = Passage { text: "The tea is dried soon after it is picked by the pickers.".into(), ..passage() };
        let turns = [turn(1, "Is it the second?", "Yes, it is the second.")];
        let history = exchanged(&turns);
        let said = |message: &str, mode, need: Option<&str>| {
            let passages = std::slice::from_ref(&passage);
            let asked = Asked { message, person: "", passages, history: &history, mode, need };
            checks.question(&asked, &schema, &Language::of("en")).map_err(|error| format!("{error:?}"))
        };
        use QuestionMode::{Challenge, Clarification, Correction, Fresh, Nonstandalone, Sharded};
        for (message, mode, is_fine) in [
            ("No, the first.", Fresh, false),
            ("No, the first.", Nonstandalone, false),
            ("No, the first.", Correction, true),
            ("I doubt it.", Challenge, true),
            ("Green tea.", Clarification, true),
            ("And the first?", Nonstandalone, true),
            ("is it the SECOND?", Nonstandalone, false),
            ("The tea is dried soon after it is picked.", Clarification, false),
        ] {
            assert_eq!(said(message, mode, None).is_ok(), is_fine, "{mode:?}: {message}");
        }
        for (need, is_fine) in [("", false), ("Tea.", false), ("Which tea for a cold night in winter?", true)] {
            assert_eq!(said("I need tea.", Sharded, Some(need)).is_ok(), is_fine, "{need}");
        }
    }

    #[test]
    fn that_nothing_is_known_can_be_said_twice() {
        let checks = Checks::new(&Prompts::load(&PromptOptions::default()).unwrap(), &[]);
        let schema = ReplySchema::new("any", Value::Null);
        let turns = [turn(1, "Who found it?", "The sources do not tell who it was.")];
        let history = exchanged(&turns);
        for (mode, is_fine) in [(QuestionMode::Unanswerable, true), (QuestionMode::Followup, false)] {
            let answered = Answered {
                message: "The sources do not tell who it was.",
                assistant: "",
                question: "Who lost it?",
                history: &history,
                rejected: &[],
                mode,
                quotes: &[],
                passages: &[],
            };
            assert_eq!(checks.answer(&answered, &schema, &Language::of("en")).is_ok(), is_fine, "{mode:?}");
        }
    }

    fn passage() -> Passage {
        passages().remove(0)
    }

    #[test]
    fn what_models_are_told_is_no_answer() {
        let checks = Checks::new(&Prompts::load(&PromptOptions::default()).unwrap(), &[]);
        let schema = ReplySchema::new("any", Value::Null);
        let said = |message: &str| {
            let answered = Answered {
                message,
                assistant: "",
                question: "Why?",
                history: &[],
                rejected: &[],
                mode: QuestionMode::Fresh,
                quotes: &[],
                passages: &[],
            };
            checks.answer(&answered, &schema, &Language::of("en")).is_ok()
        };
        assert!(!said("One JSON object of the same form, and nothing else."));
        assert!(!said("Say only what the passages say, or what you said before."));
        assert!(!said("The person wants to know what to do about something that goes wrong."));
        assert!(!said("The conversation begins. It is of the same form."));
        assert!(said("The conversation began when it was of the same form."));
        assert!(said("Because the other one is of the same form."));
    }
}
