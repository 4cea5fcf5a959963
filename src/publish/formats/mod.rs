//! What trainers read: a file for each of their formats, from conversations and pairs of answers to lines of JSON.
//!
//! | name | read by | made of |
//! |---|---|---|
//! | `sharegpt` | axolotl, LLaMA-Factory, Unsloth | conversations |
//! | `openai` | fine-tuning services with the shape of OpenAI's | conversations |
//! | `trl` | TRL's `SFTTrainer`, with `datasets` 4.7 or later | conversations |
//! | `trl-dpo` | TRL's `DPOTrainer` | pairs |
//! | `trl-kto` | TRL's `KTOTrainer` | pairs |
//! | `llamafactory` | LLaMA-Factory | conversations |
//! | `llamafactory-dpo` | LLaMA-Factory, where `stage` is `dpo` | pairs |
//! | `axolotl` | axolotl's `type: chat_template` | conversations |
//! | `chatml` | whoever trains on texts | conversations |
//! | `alpaca` | LLaMA-Factory, axolotl, and many others | conversations |
//! | `traces` | the trace viewer of the Hugging Face Hub | conversations, a file each |
//!
//! A row ends with the last answer that is to be learned: what comes behind it is left out, and so are conversations that have
//! no such answer.
//!
//! # What `datasets` makes of the rows
//!
//! It infers types from the first megabytes of a file. Messages of one type get each other's keys, with nulls, and what
//! comes up later is refused; messages whose keys differ stay as they are (`List(Json)`, since 4.7). So where messages may
//! have tool calls, those of users have other keys than those of assistants in every row: `turn_index` in `trl`, and in
//! `openai` and `axolotl` it is the assistant's `weight` or `train`.

mod alpaca;
mod chat;
mod chatml;
mod error;
mod messages;
mod options;
mod pairs;
mod sharegpt;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
mod traces;

pub use error::FormatError;
pub use options::{Choices, FormatOptions, Reasoning, SystemMessage};
pub use traces::MOST_IN_FOLDER;

use super::{Dialogue, Pair};
use crate::files::Lines;

/// A format of files that people train on.
#[derive(Debug)]
pub struct Format {
    /// Its name in `--format`, which is also that of its folder.
    pub name: &'static str,
    /// From what its rows are made, and how.
    pub(crate) rows: Rows,
    /// Where it can say what the model thought; it does so in the first of them unless told otherwise.
    reasoning: &'static [Reasoning],
    /// Whether it can leave messages out of what is learned.
    masks: bool,
    /// The files that go beside those of rows, if it wants some.
    companions: fn(&[&str], &Choices) -> Result<Vec<Companion>, FormatError>,
}

/// Adds the rows of a conversation.
pub(crate) type DialogueRows = fn(&Dialogue, &Choices, &mut Lines) -> Result<(), FormatError>;

/// Adds the rows of a pair of answers.
pub(crate) type PairRows = fn(&Pair, &Choices, &mut Lines) -> Result<(), FormatError>;

/// From what the rows of a format are made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows {
    /// Rows of conversations, one after the other in a file.
    Dialogues(DialogueRows),
    /// Rows of pairs of answers, one after the other in a file.
    Pairs(PairRows),
    /// Rows of a conversation, in a file of their own, of which no folder may have more than [`MOST_IN_FOLDER`]. What
    /// adds no row gets no file.
    FileEach(DialogueRows),
}

/// A small file beside those of rows: its name, and what is in it.
pub(crate) type Companion = (String, Vec<u8>);

/// All formats, in the order in which they are told of.
pub static FORMATS: [Format; 11] = [
    sharegpt::SHAREGPT,
    chat::OPENAI,
    chat::TRL,
    pairs::TRL_DPO,
    pairs::TRL_KTO,
    sharegpt::LLAMA_FACTORY,
    pairs::LLAMA_FACTORY_DPO,
    chat::AXOLOTL,
    chatml::CHATML,
    alpaca::ALPACA,
    traces::TRACES,
];

impl Format {
    /// The format of this name.
    ///
    /// # Errors
    /// When there is none; the error lists those that there are.
    pub fn named(name: &str) -> Result<&'static Self, FormatError> {
        FORMATS.iter().find(|format| format.name == name).ok_or_else(|| FormatError::Unknown { name: name.to_owned() })
    }

    /// What the format does of what was asked for, with its own choice where nothing was.
    ///
    /// # Errors
    /// When its consumers can't take what was asked for.
    pub fn choices(&self, options: &FormatOptions) -> Result<Choices, FormatError> {
        let reasoning = options.reasoning.unwrap_or(self.reasoning[0]);
        if !self.reasoning.contains(&reasoning) {
            return Err(FormatError::Reasoning { format: self.name, reasoning, takes: self.reasoning });
        }
        if options.mask_below.is_some() && !self.masks {
            return Err(FormatError::Mask { format: self.name });
        }
        if matches!((self.rows, &options.system), (Rows::Pairs(_), SystemMessage::Persona)) {
            return Err(FormatError::Persona { format: self.name });
        }
        let FormatOptions { mask_below, system, tools, .. } = options.clone();
        Ok(Choices { reasoning, mask_below, system, tools })
    }

    /// The small files that the format wants beside those of rows, where these are the names of the latter.
    ///
    /// # Errors
    /// When they have no JSON form.
    pub(crate) fn companions(&self, files: &[&str], choices: &Choices) -> Result<Vec<Companion>, FormatError> {
        (self.companions)(files, choices)
    }
}

/// The companions of a format that wants none.
fn no_companions(_: &[&str], _: &Choices) -> Result<Vec<Companion>, FormatError> {
    Ok(Vec::new())
}
