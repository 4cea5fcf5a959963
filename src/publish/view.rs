//! Rows of the tables `conversations`, `dropped` and `preferences`, as [`Dialogue`]s and [`Pair`]s that borrow from a batch.

use super::{Dialogue, Exchange, Pair, Said, Speakers, ToolCall};
use arrow::array::{Array, AsArray, BooleanArray, ListArray, PrimitiveArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type};
use std::ops::Range;

/// The columns that dialogues are read from.
pub const DIALOGUE_COLUMNS: [&str; 19] = [
    "conversation_id",
    "run_id",
    "timestamp",
    "language",
    "conversation_status",
    "drop_reason",
    "messages",
    "messages_with_tools",
    "tools",
    "personas",
    "judge_score",
    "judge",
    "provenance",
    "register",
    "whole_need",
    "question_labels",
    "answer_labels",
    "user_reasoning",
    "assistant_reasoning",
];

/// The columns that pairs are read from.
pub const PAIR_COLUMNS: [&str; 8] =
    ["conversation_id", "turn_index", "language", "prompt", "chosen", "rejected", "score_chosen", "score_rejected"];

/// The dialogues of a batch with [`DIALOGUE_COLUMNS`] of the table's own types, in order.
pub fn dialogues(batch: &RecordBatch) -> impl Iterator<Item = Dialogue<'_>> {
    let rows = Columns::of(batch);
    (0..batch.num_rows()).map(move |row| rows.dialogue(row))
}

/// The pairs of a batch of the table `preferences`, in order.
pub fn pairs(batch: &RecordBatch) -> impl Iterator<Item = Pair<'_>> {
    let root = Root(batch);
    (0..batch.num_rows()).map(move |row| {
        let said = |name: &str, at: usize| {
            let message = root.items(name);
            (message.text("role", at), message.text("content", at))
        };
        let only = |name: &str| root.range(name, row).next().map_or("", |at| said(name, at).1);
        Pair {
            conversation_id: root.text("conversation_id", row),
            turn_index: root.number::<UInt16Type>("turn_index", row).unwrap_or_default(),
            language: root.text("language", row),
            prompt: root
                .range("prompt", row)
                .map(|at| said("prompt", at))
                .map(|(role, content)| [role, content])
                .collect(),
            chosen: only("chosen"),
            rejected: only("rejected"),
            score_chosen: root.number::<UInt8Type>("score_chosen", row),
            score_rejected: root.number::<UInt8Type>("score_rejected", row),
        }
    })
}

/// Columns by name, of a batch or of a structure in it. They have the types of the table: what is missing or of another type reads as
/// nothing, so callers give batches that were conformed to the table's schema.
trait Named<'b> {
    fn column(&self, name: &str) -> Option<&'b dyn Array>;

    fn text(&self, name: &str, row: usize) -> &'b str {
        let texts = self.column(name).and_then(|column| column.as_string_opt::<i32>());
        texts.filter(|texts| texts.is_valid(row)).map_or("", |texts| value(texts, row))
    }

    fn number<T: ArrowPrimitiveType>(&self, name: &str, row: usize) -> Option<T::Native> {
        let numbers: &'b PrimitiveArray<T> = self.column(name)?.as_primitive_opt::<T>()?;
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    fn flag(&self, name: &str, row: usize) -> Option<bool> {
        let flags: &'b BooleanArray = self.column(name)?.as_boolean_opt()?;
        flags.is_valid(row).then(|| flags.value(row))
    }

    fn list(&self, name: &str) -> Option<&'b ListArray> {
        self.column(name)?.as_list_opt::<i32>()
    }

    /// Where the items of a list lie among those of all lists of the column.
    fn range(&self, name: &str, row: usize) -> Range<usize> {
        self.list(name).map_or(0..0, |list| items_of(list, row))
    }

    /// The items of all lists of a column of lists of structures.
    fn items(&self, name: &str) -> Structs<'b> {
        Structs(self.list(name).and_then(|list| list.values().as_struct_opt()))
    }

    fn texts(&self, name: &str, row: usize) -> Vec<&'b str> {
        self.list(name).map_or_else(Vec::new, |list| texts_of(list, row))
    }

    fn record(&self, name: &str) -> Structs<'b> {
        Structs(self.column(name).and_then(|column| column.as_struct_opt()))
    }
}

#[derive(Clone, Copy)]
struct Root<'b>(&'b RecordBatch);

impl<'b> Named<'b> for Root<'b> {
    fn column(&self, name: &str) -> Option<&'b dyn Array> {
        self.0.column_by_name(name).map(|column| &**column)
    }
}

#[derive(Clone, Copy)]
struct Structs<'b>(Option<&'b StructArray>);

impl<'b> Named<'b> for Structs<'b> {
    fn column(&self, name: &str) -> Option<&'b dyn Array> {
        self.0?.column_by_name(name).map(|column| &**column)
    }
}

fn value(texts: &StringArray, row: usize) -> &str {
    texts.value(row)
}

fn items_of(list: &ListArray, row: usize) -> Range<usize> {
    let offsets = list.value_offsets();
    if list.is_null(row) { 0..0 } else { offsets[row] as usize..offsets[row + 1] as usize }
}

fn texts_of(list: &ListArray, row: usize) -> Vec<&str> {
    let Some(texts) = list.values().as_string_opt::<i32>() else { return Vec::new() };
    items_of(list, row).map(|at| texts.value(at)).collect()
}

/// The columns of a batch of conversations, looked up once.
struct Columns<'b> {
    root: Root<'b>,
    said: Structs<'b>,
    said_with_tools: Structs<'b>,
    calls: Option<&'b ListArray>,
    personas: Structs<'b>,
    judge: Structs<'b>,
    provenance: Structs<'b>,
    asked: Structs<'b>,
    answered: Structs<'b>,
}

impl<'b> Columns<'b> {
    fn of(batch: &'b RecordBatch) -> Self {
        let root = Root(batch);
        let said_with_tools = root.items("messages_with_tools");
        Self {
            root,
            said: root.items("messages"),
            said_with_tools,
            calls: said_with_tools.list("tool_calls"),
            personas: root.record("personas"),
            judge: root.record("judge"),
            provenance: root.record("provenance"),
            asked: root.items("user_reasoning"),
            answered: root.items("assistant_reasoning"),
        }
    }

    fn dialogue(&self, row: usize) -> Dialogue<'b> {
        let Self { root, personas, .. } = self;
        let persona = |name| personas.text(name, row);
        let whole = self.judge.record("conversation");
        Dialogue {
            id: root.text("conversation_id", row),
            run_id: root.text("run_id", row),
            timestamp: root.number::<TimestampMicrosecondType>("timestamp", row).unwrap_or_default(),
            language: root.text("language", row),
            status: root.text("conversation_status", row),
            drop_reason: root.text("drop_reason", row),
            personas: Speakers {
                user: persona("user"),
                assistant: persona("assistant"),
                user_id: persona("user_id"),
                assistant_id: persona("assistant_id"),
            },
            tools: root.text("tools", row),
            messages: self.messages(row),
            turns: self.turns(row),
            score: root.number::<Float64Type>("judge_score", row),
            conversation_score: whole
                .0
                .filter(|whole| whole.is_valid(row))
                .and(whole.number::<UInt8Type>("score", row)),
            register: root.text("register", row),
            whole_need: root.text("whole_need", row),
        }
    }

    /// The messages with tools. A question tells the number of its turn, which holds for what follows it.
    fn messages(&self, row: usize) -> Vec<Said<'b>> {
        let said = self.said_with_tools;
        let mut turn = 0;
        let message = |at: usize| {
            turn = said.number::<UInt16Type>("turn_index", at).unwrap_or(turn);
            Said {
                role: said.text("role", at),
                content: said.text("content", at),
                agent: said.text("agent", at),
                turn_index: turn,
                calls: self.calls(at),
                tool_call_id: said.text("tool_call_id", at),
                name: said.text("name", at),
            }
        };
        self.root.range("messages_with_tools", row).map(message).collect()
    }

    fn calls(&self, message: usize) -> Vec<ToolCall<'b>> {
        let Some(calls) = self.calls else { return Vec::new() };
        let call = Structs(calls.values().as_struct_opt());
        let function = call.record("function");
        let of = |at| ToolCall {
            id: call.text("id", at),
            name: function.text("name", at),
            arguments: function.text("arguments", at),
        };
        items_of(calls, message).map(of).collect()
    }

    fn turns(&self, row: usize) -> Vec<Exchange<'b>> {
        let Self { root, said, asked, answered, .. } = self;
        let spoken = |role: &str| {
            let of_role = root.range("messages", row).filter(|at| said.text("role", *at) == role).collect::<Vec<_>>();
            move |turn: usize| of_role.get(turn).map_or("", |at| said.text("content", *at))
        };
        let (user, assistant) = (spoken("user"), spoken("assistant"));
        let answers = root.range("assistant_reasoning", row);
        let trace = answered.record("reasoning_trace");
        let exchange = |(number, (question, answer)): (usize, (usize, usize))| {
            let index = asked.number::<UInt16Type>("turn_index", question).unwrap_or_default();
            let steps = trace.items("thinking");
            let (verdicts, at) = (self.judge.items("per_turn"), self.verdict(row, index));
            let flag = |name: &str| verdicts.flag(name, at?);
            Exchange {
                index,
                user: user(number),
                assistant: assistant(number),
                mode: asked.text("question_mode", question),
                intent: asked.text("intent", question),
                difficulty: asked.text("difficulty", question),
                seed_topic: asked.text("seed_topic", question),
                thoughts: answered.text("model_reasoning", answer),
                steps: trace.range("thinking", answer).map(|at| steps.text("text", at)).collect(),
                score: at.and_then(|at| verdicts.number::<UInt8Type>("score", at)),
                accepted: flag("accepted"),
                reasons: at.map_or_else(Vec::new, |at| verdicts.texts("reasons", at)),
                notes: at.map_or("", |at| verdicts.text("notes", at)),
                sound: flag("question_ok").zip(flag("answer_ok")).map(|(question, answer)| [question, answer]),
                answer_labels: self.of_turn("answer_labels", row, number),
                sources: self.sources(row, number),
            }
        };
        root.range("user_reasoning", row).zip(answers).enumerate().map(exchange).collect()
    }

    /// The texts of a turn in a column that has a list of them for each.
    fn of_turn(&self, name: &str, row: usize, turn: usize) -> Vec<&'b str> {
        let texts = self.root.list(name).and_then(|list| list.values().as_list_opt::<i32>());
        let at = self.root.range(name, row).nth(turn);
        texts.zip(at).map_or_else(Vec::new, |(texts, at)| texts_of(texts, at))
    }

    /// Where the verdict on a turn lies among those of all rows, if it has one.
    fn verdict(&self, row: usize, turn_index: u16) -> Option<usize> {
        let verdicts = self.judge.items("per_turn");
        let of_turn = |at: &usize| verdicts.number::<UInt16Type>("turn_index", *at) == Some(turn_index);
        self.judge.range("per_turn", row).find(of_turn)
    }

    /// The sources of what was shown for the answer of a turn, each once.
    fn sources(&self, row: usize, turn: usize) -> Vec<&'b str> {
        let passages = self.provenance.items("passages");
        let own = self.provenance.range("passages", row);
        let shown = self.provenance.list("turns").and_then(|list| list.values().as_list_opt::<i32>());
        let at = self.provenance.range("turns", row).nth(turn);
        let Some((shown, at)) = shown.zip(at) else { return Vec::new() };
        let Some(positions) = shown.values().as_primitive_opt::<UInt32Type>() else { return Vec::new() };
        let mut sources: Vec<&str> = Vec::new();
        for position in items_of(shown, at).map(|at| positions.value(at) as usize) {
            let source = own.clone().nth(position).map_or("", |at| passages.text("source", at));
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    }
}
