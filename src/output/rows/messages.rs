//! What was said: as labelled history, as chat messages, and as chat messages with tool calls.

use super::json::Text;
use crate::domain::reply::{Confidence, Difficulty, Intent};
use crate::domain::{ToolEvent, Turn};
use crate::files::spaced_text;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

const USER: &str = "user";
const ASSISTANT: &str = "assistant";

/// A message of `conversation_history`, with the labels of its speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryItem<'a> {
    pub(crate) turn_index: u16,
    pub(crate) role: Text<'a>,
    pub(crate) message: Text<'a>,
    pub(crate) agent: Text<'a>,
    pub(crate) intent: Option<Intent>,
    pub(crate) difficulty: Option<Difficulty>,
    pub(crate) coverage_target: Option<Text<'a>>,
    pub(crate) confidence: Option<Confidence>,
}

/// A chat message of a training row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message<'a> {
    pub(crate) role: Text<'a>,
    pub(crate) content: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turn_index: Option<u16>,
    pub(crate) agent: Text<'a>,
}

/// A tool call, or what a tool returned, or a chat message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolMessage<'a> {
    /// The assistant calls tools: all calls of the turn in one row.
    Calls {
        /// The role, which is always `assistant`.
        role: Text<'a>,
        /// The content, empty beside calls.
        content: Text<'a>,
        /// The calls, in order.
        tool_calls: Vec<Call<'a>>,
        /// Name of the model.
        agent: Text<'a>,
    },
    /// What one call returned.
    Returned {
        /// The role, which is always `tool`.
        role: Text<'a>,
        /// The id of the call that it answers.
        tool_call_id: Text<'a>,
        /// Name of the tool that was called.
        name: Text<'a>,
        /// What the model reads of the result.
        content: Text<'a>,
    },
    /// What the user or the assistant said.
    Said(Message<'a>),
}

/// A tool call in the shape of the chat completions API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call<'a> {
    pub(crate) id: Text<'a>,
    #[serde(rename = "type")]
    pub(crate) kind: Text<'a>,
    pub(crate) function: CalledFunction<'a>,
}

/// The function that a call calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalledFunction<'a> {
    pub(crate) name: Text<'a>,
    /// The arguments as one JSON text, which is what trainers expect.
    pub(crate) arguments: String,
}

/// The labelled history; empty messages are left out.
pub(crate) fn history(turns: &[Arc<Turn>]) -> Vec<HistoryItem<'_>> {
    turns
        .iter()
        .flat_map(|turn| [question_item(turn), answer_item(turn)])
        .filter(|item| !item.message.is_empty())
        .collect()
}

fn question_item(turn: &Turn) -> HistoryItem<'_> {
    let reply = &turn.question.reply;
    HistoryItem {
        turn_index: turn.index.0,
        role: USER.into(),
        message: (&reply.user_message).into(),
        agent: (&*turn.question.agent).into(),
        intent: Some(reply.intent),
        difficulty: Some(reply.difficulty),
        coverage_target: Some((&reply.coverage_target).into()),
        confidence: None,
    }
}

fn answer_item(turn: &Turn) -> HistoryItem<'_> {
    let reply = &turn.answer.reply;
    HistoryItem {
        turn_index: turn.index.0,
        role: ASSISTANT.into(),
        message: (&reply.assistant_message).into(),
        agent: (&*turn.answer.agent).into(),
        intent: None,
        difficulty: None,
        coverage_target: None,
        confidence: Some(reply.reasoning_trace.confidence),
    }
}

/// The chat messages, with the number of their turn if asked for; empty ones are left out.
pub(crate) fn messages(turns: &[Arc<Turn>], numbered: bool) -> Vec<Message<'_>> {
    turns
        .iter()
        .flat_map(|turn| {
            let turn_index = numbered.then_some(turn.index.0);
            [asked(turn, turn_index), answered(turn, turn_index)].into_iter().flatten()
        })
        .collect()
}

fn asked(turn: &Turn, turn_index: Option<u16>) -> Option<Message<'_>> {
    said(USER, &turn.question.reply.user_message, turn_index, &turn.question.agent)
}

fn answered(turn: &Turn, turn_index: Option<u16>) -> Option<Message<'_>> {
    said(ASSISTANT, &turn.answer.reply.assistant_message, turn_index, &turn.answer.agent)
}

fn said<'a>(role: &'static str, content: &'a str, turn_index: Option<u16>, agent: &'a str) -> Option<Message<'a>> {
    let (role, content, agent) = (role.into(), content.into(), agent.into());
    Some(Message { role, content, turn_index, agent }).filter(|message| !message.content.is_empty())
}

/// The chat messages with tool calls between question and answer. Each result names the call it belongs to. Models may
/// count their calls anew in every turn: see [`call_id`].
///
/// Each kind of message has keys of its own, as chat templates want it, and questions have another one than answers
/// (`turn_index`) in every row: so readers that infer types from the first rows know that keys differ, whether or not
/// tools were called in those.
pub(crate) fn messages_with_tools(turns: &[Arc<Turn>], shown: Vec<Vec<String>>) -> Vec<ToolMessage<'_>> {
    let mut rows = Vec::new();
    let mut taken = BTreeSet::new();
    for (turn, shown) in turns.iter().zip(shown) {
        rows.extend(asked(turn, Some(turn.index.0)).map(ToolMessage::Said));
        let events = turn.answer.tool_events.iter().map(|event| (call_id(&event.id, &mut taken), event));
        let events: Vec<_> = events.collect();
        if !events.is_empty() {
            let tool_calls = events.iter().map(|(id, event)| call(id.clone(), event)).collect();
            let agent = (&*turn.answer.agent).into();
            rows.push(ToolMessage::Calls { role: ASSISTANT.into(), content: "".into(), tool_calls, agent });
        }
        rows.extend(events.into_iter().zip(shown).map(|((tool_call_id, event), shown)| ToolMessage::Returned {
            role: "tool".into(),
            tool_call_id,
            name: (&event.name).into(),
            content: shown.into(),
        }));
        rows.extend(answered(turn, None).map(ToolMessage::Said));
    }
    rows
}

/// The call's id, unique within the conversation: its own unless an earlier call has it, then `<id>_<n>` with the least
/// `n` from 2 that is free; `call_<n>` with `n` from 1 where it has none.
fn call_id<'a>(own: &'a str, taken: &mut BTreeSet<Cow<'a, str>>) -> Cow<'a, str> {
    let (stem, mut number) = if own.trim().is_empty() { ("call", 1) } else { (own, 2) };
    let mut id = Cow::Borrowed(own);
    while id.trim().is_empty() || !taken.insert(id.clone()) {
        id = format!("{stem}_{number}").into();
        number += 1;
    }
    id
}

fn call<'a>(id: Text<'a>, event: &'a ToolEvent) -> Call<'a> {
    let function = CalledFunction { name: (&event.name).into(), arguments: spaced_text(&event.arguments) };
    Call { id, kind: "function".into(), function }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::results::called;
    use super::*;
    use crate::output::sample;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn rows(turns: &[Arc<Turn>]) -> Vec<Value> {
        let shown =
            |turn: &Arc<Turn>| called(&turn.answer.tool_events, true).into_iter().map(|(_, shown)| shown).collect();
        messages_with_tools(turns, turns.iter().map(shown).collect())
            .iter()
            .map(|row| serde_json::to_value(row).unwrap())
            .collect()
    }

    #[test]
    fn every_result_names_its_call() {
        let mut turns = sample::sample_conversation().turns;
        let event = turns[0].answer.tool_events[0].clone();
        let unnamed = ToolEvent { id: String::new(), ..event.clone() };
        Arc::make_mut(&mut turns[0]).answer.tool_events = vec![unnamed.clone(), event, unnamed.clone()];
        Arc::make_mut(&mut turns[1]).answer.tool_events = vec![unnamed];
        let rows = rows(&turns);
        let roles: Vec<_> = rows.iter().map(|row| row["role"].as_str().unwrap()).collect();
        let expected =
            ["user", "assistant", "tool", "tool", "tool", "assistant", "user", "assistant", "tool", "assistant"];
        assert_eq!(roles, expected);
        let calls = rows.iter().filter_map(|row| row["tool_calls"].as_array()).flatten().map(|call| &call["id"]);
        let results = rows.iter().filter_map(|row| row.get("tool_call_id"));
        let (calls, results): (Vec<_>, Vec<_>) = (calls.collect(), results.collect());
        assert_eq!(calls, results);
        assert_eq!(calls, [&json!("call_1"), &json!("call_46611"), &json!("call_2"), &json!("call_3")]);
    }

    /// The sample conversation with a turn for each list, whose calls have these ids; each returns its number.
    fn calling(ids: &[Vec<&str>]) -> Vec<Arc<Turn>> {
        let sample = sample::sample_conversation().turns.swap_remove(0);
        let mut number = 0;
        let mut event = |id: &&str| {
            number += 1;
            ToolEvent { id: (*id).into(), result: json!(number).into(), ..sample.answer.tool_events[0].clone() }
        };
        let events: Vec<Vec<_>> = ids.iter().map(|ids| ids.iter().map(&mut event).collect()).collect();
        let turn = |events| {
            let mut turn = sample.clone();
            Arc::make_mut(&mut turn).answer.tool_events = events;
            turn
        };
        events.into_iter().map(turn).collect()
    }

    /// The ids of all calls, once every call is seen to have exactly one result, after it and in its turn's order.
    fn ids(rows: &[Value]) -> Vec<String> {
        let mut ids = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            for call in row["tool_calls"].as_array().into_iter().flatten() {
                let results = rows.iter().enumerate().filter(|(_, result)| result["tool_call_id"] == call["id"]);
                let results: Vec<_> = results.collect();
                assert!(results.len() == 1 && results[0].0 > at, "{call}: {results:?}");
                ids.push(call["id"].as_str().unwrap().to_owned());
                assert_eq!(results[0].1["content"], ids.len().to_string(), "the result of this call");
            }
        }
        assert_eq!(rows.iter().filter(|row| row["role"] == "tool").count(), ids.len(), "no result without a call");
        ids
    }

    #[test]
    fn ids_are_unique_in_a_conversation() {
        for (own, expected) in [
            (vec![vec!["a", "b"], vec!["c"]], "a b c"),
            (vec![vec!["call_1"], vec!["call_1", "call_2"], vec![], vec!["call_1"]], "call_1 call_1_2 call_2 call_1_3"),
            (vec![vec!["", "call_1"], vec![" ", "call_2"]], "call_1 call_1_2 call_2 call_2_2"),
            (vec![vec!["a"], vec!["a"], vec!["a_2", "a"]], "a a_2 a_2_2 a_3"),
        ] {
            assert_eq!(ids(&rows(&calling(&own))), expected.split(' ').collect::<Vec<_>>(), "{own:?}");
        }
    }

    proptest! {
        #[test]
        fn every_call_has_one_result_whatever_its_id(
            own in {
                let id = prop::sample::select(&["", " ", "a", "a_2", "a_3", "call_1", "call_2"]);
                prop::collection::vec(prop::collection::vec(id, 0..5), 1..5)
            }
        ) {
            let turns = calling(&own);
            let found = ids(&rows(&turns));
            prop_assert_eq!(found.len(), own.iter().map(Vec::len).sum::<usize>());
            let longer = [turns.clone(), calling(&[vec!["a", ""]])].concat();
            let known = rows(&turns);
            prop_assert_eq!(&rows(&longer)[..known.len()], &known[..], "later turns change no id");
        }
    }

    #[test]
    fn empty_messages_are_left_out() {
        let mut turns = sample::sample_conversation().turns;
        Arc::make_mut(&mut turns[0]).answer.reply.assistant_message.clear();
        assert_eq!(history(&turns).len(), 3);
        let messages = messages(&turns, true);
        assert_eq!(
            messages.iter().map(|said| (&*said.role, said.turn_index.unwrap())).collect::<Vec<_>>(),
            [("user", 1), ("user", 2), ("assistant", 2)]
        );
    }
}
