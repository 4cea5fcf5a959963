//! `trl-dpo`, `trl-kto`, `llamafactory-dpo`: two answers to the same question, of which one is better.

use super::sharegpt::{GPT, HUMAN, Line, info};
use super::{Choices, Companion, Format, FormatError, Reasoning, Rows, SystemMessage, no_companions};
use crate::files::Lines;
use crate::publish::Pair;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

pub(super) const TRL_DPO: Format = Format {
    name: "trl-dpo",
    rows: Rows::Pairs(trl_dpo),
    reasoning: &[Reasoning::None],
    masks: false,
    companions: no_companions,
};

pub(super) const TRL_KTO: Format = Format { name: "trl-kto", rows: Rows::Pairs(trl_kto), ..TRL_DPO };

pub(super) const LLAMA_FACTORY_DPO: Format =
    Format { name: "llamafactory-dpo", rows: Rows::Pairs(llama_factory_dpo), companions: dataset_info, ..TRL_DPO };

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct Preference<'a> {
    prompt: Vec<Message<'a>>,
    chosen: [Message<'a>; 1],
    rejected: [Message<'a>; 1],
}

#[derive(Serialize)]
struct Labelled<'a> {
    prompt: &'a [Message<'a>],
    completion: [Message<'a>; 1],
    label: bool,
}

#[derive(Serialize)]
struct Ranked<'a> {
    conversations: Vec<Line<'a>>,
    chosen: Line<'a>,
    rejected: Line<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
}

fn trl_dpo(pair: &Pair, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    let row =
        Preference { prompt: prompt(pair, choices), chosen: [answer(pair.chosen)], rejected: [answer(pair.rejected)] };
    Ok(lines.push("row of DPO", &row)?)
}

fn trl_kto(pair: &Pair, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    let prompt = prompt(pair, choices);
    for (said, label) in [(pair.chosen, true), (pair.rejected, false)] {
        lines.push("row of KTO", &Labelled { prompt: &prompt, completion: [answer(said)], label })?;
    }
    Ok(())
}

fn llama_factory_dpo(pair: &Pair, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    let of_model = |text| Line { from: GPT, value: Cow::Borrowed(text), train: None };
    let row = Ranked {
        conversations: pair
            .prompt
            .iter()
            .enumerate()
            .map(|(at, said)| line(pair, at, *said))
            .collect::<Result<_, _>>()?,
        chosen: of_model(pair.chosen),
        rejected: of_model(pair.rejected),
        system: (choices.system != SystemMessage::None).then(|| choices.system("")),
    };
    Ok(lines.push("row of DPO", &row)?)
}

/// The message at this place of the prompt, which is a question where the place is even.
fn line<'a>(pair: &Pair, at: usize, [role, content]: [&'a str; 2]) -> Result<Line<'a>, FormatError> {
    let (from, role) = if role == "user" { (HUMAN, "user") } else { (GPT, "assistant") };
    if (at % 2 == 0) == (from == HUMAN) {
        return Ok(Line { from, value: content.into(), train: None });
    }
    let (id, turn) = (pair.conversation_id.to_owned(), pair.turn_index);
    Err(FormatError::OutOfTurn { id, turn, role, format: LLAMA_FACTORY_DPO.name })
}

fn prompt<'a>(pair: &'a Pair, choices: &'a Choices) -> Vec<Message<'a>> {
    let system = Some(choices.system("")).filter(|text| !text.is_empty());
    let system = system.map(|content| Message { role: "system", content });
    let said = pair.prompt.iter().map(|[role, content]| Message { role, content });
    system.into_iter().chain(said).collect()
}

fn answer(content: &str) -> Message<'_> {
    Message { role: "assistant", content }
}

fn dataset_info(files: &[&str], choices: &Choices) -> Result<Vec<Companion>, FormatError> {
    let mut columns = BTreeMap::from([("messages", "conversations"), ("chosen", "chosen"), ("rejected", "rejected")]);
    if choices.system != SystemMessage::None {
        columns.insert("system", "system");
    }
    info(files, Some(true), columns)
}
