//! What a message must not be: in another language, a placeholder, an echo, an apology, what was said before, or text of
//! its own prompt.

use super::exchange::{AGAIN, ReplyError};
use super::faults::{self, PromptText};
use super::history::Exchanged;
use super::labels::CheckOptions;
use super::language;
use super::prompts::{BEGIN, Prompts};
use crate::domain::{Language, Passage, RejectedAnswer, ToolDefinition};
use crate::llm::ReplySchema;

/// The checks of a run.
pub struct Checks {
    prompts: PromptText,
    /// Names of the tools that models are offered.
    tools: Vec<String>,
    /// What turns are labelled with, and which labels are not accepted.
    pub(super) options: CheckOptions,
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
        }
    }

    /// The same checks, with these options for the labels of turns.
    pub fn labelled(self, options: CheckOptions) -> Self {
        Self { options, ..self }
    }

    /// Whether a message can be the person's.
    pub(super) fn question(
        &self,
        asked: &Asked<'_>,
        schema: &ReplySchema,
        target: &Language,
    ) -> Result<(), ReplyError> {
        let Asked { message, person, passages, history } = asked;
        let texts = texts(passages);
        let found = faults::placeholder(message, &schema.schema)
            .or_else(|| faults::wordless(message))
            .or_else(|| faults::refusal(message))
            .or_else(|| self.prompts.found_in(message))
            .or_else(|| faults::description(message, person, &texts))
            .or_else(|| faults::told_before(message, &answers(history)))
            .or_else(|| faults::statement(message, &texts))
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
        let Answered { message, assistant, question, history, rejected, quotes, passages } = answer;
        let quotes: Vec<&str> = quotes.iter().map(String::as_str).collect();
        let known: Vec<&str> = texts(passages).into_iter().chain([*question]).collect();
        let found = faults::placeholder(message, &schema.schema)
            .or_else(|| faults::echo(message, question))
            .or_else(|| faults::heading(message, passages.iter().map(|passage| &*passage.title)))
            .or_else(|| faults::self_description(message, assistant, &known))
            .or_else(|| faults::unfinished(message))
            .or_else(|| faults::answers_again(message, &answers(history)))
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
    use serde_json::Value;

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
