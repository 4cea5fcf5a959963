//! The table `calls`: a row for each reply of a model that a conversation holds, with the tokens that its request took.

use super::types::{always, list, maybe, text};
use crate::domain::{Answer, Json, Judgement, Question, Turn};
use crate::output::rows::Parts;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// A row of `calls`. Of a reply that took several requests (searches, repairs) the tokens are those of the last one.
#[derive(Debug, Serialize)]
pub(super) struct CallColumns<'a> {
    conversation_id: &'a str,
    run_id: &'a str,
    language: &'a str,
    conversation_status: &'a str,
    turn_index: u16,
    /// `question`, `answer` or `verdict`.
    reply: &'static str,
    /// Whether the conversation goes on with it: answers and turns that were made again are kept too.
    is_kept: bool,
    /// The model, as the run names it; of verdicts, as the endpoint does.
    agent: String,
    requests: u32,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    finish_reason: String,
    documents: Vec<&'a str>,
}

impl CallColumns<'_> {
    /// Schema of the file.
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            text("conversation_id"),
            text("run_id"),
            text("language"),
            text("conversation_status"),
            always("turn_index", DataType::UInt16),
            text("reply"),
            always("is_kept", DataType::Boolean),
            text("agent"),
            always("requests", DataType::UInt32),
            maybe("prompt_tokens", DataType::UInt64),
            maybe("completion_tokens", DataType::UInt64),
            text("finish_reason"),
            list("documents", DataType::Utf8),
        ]))
    }
}

/// The rows of a conversation, turn by turn: what was rejected first.
pub(super) fn of<'a>(parts: &'a Parts<'a>) -> impl Iterator<Item = CallColumns<'a>> {
    let conversation = parts.conversation;
    let of_turns = conversation.turns.iter().flat_map(|turn| {
        let rejected = turn.regenerated.iter().flat_map(|turn| replies(turn, false));
        rejected.chain(replies(turn, true)).map(|reply| (turn.index.0, reply))
    });
    let last = conversation.turns.last().map_or(0, |turn| turn.index.0);
    let whole = conversation.judgement.iter().map(move |verdict| (last, Reply::verdict(verdict, true)));
    // A question that came in the reply of another one took no request.
    of_turns
        .chain(whole)
        .filter(|(_, reply)| reply.requests > 0)
        .map(|(turn_index, reply)| reply.row(parts, turn_index))
}

/// A reply of a model.
struct Reply<'a> {
    what: &'static str,
    is_kept: bool,
    agent: Option<&'a str>,
    requests: u32,
    raw: &'a Json,
}

fn replies(turn: &Turn, is_kept: bool) -> impl Iterator<Item = Reply<'_>> {
    let rejected = turn.rejected.iter().flat_map(|rejected| {
        let verdict = rejected.judgement.iter().map(|verdict| Reply::verdict(verdict, false));
        [Reply::answer(&rejected.answer, false)].into_iter().chain(verdict)
    });
    let verdict = turn.judgement.iter().map(move |verdict| Reply::verdict(verdict, is_kept));
    let question = [Reply::question(&turn.question, is_kept)].into_iter();
    question.chain(rejected).chain([Reply::answer(&turn.answer, is_kept)]).chain(verdict)
}

impl<'a> Reply<'a> {
    fn question(Question { agent, calls, raw, .. }: &'a Question, is_kept: bool) -> Self {
        Self { what: "question", is_kept, agent: Some(agent), requests: *calls, raw }
    }

    fn answer(Answer { agent, calls, raw, .. }: &'a Answer, is_kept: bool) -> Self {
        Self { what: "answer", is_kept, agent: Some(agent), requests: *calls, raw }
    }

    fn verdict(Judgement { calls, raw, .. }: &'a Judgement, is_kept: bool) -> Self {
        Self { what: "verdict", is_kept, agent: None, requests: *calls, raw }
    }

    fn row(self, parts: &'a Parts<'a>, turn_index: u16) -> CallColumns<'a> {
        let raw = self.raw.value();
        // As OpenAI, Anthropic and Gemini spell it.
        let first = |paths: [&str; 3]| paths.into_iter().find_map(|path| raw.pointer(path));
        let tokens = |paths| first(paths).and_then(Value::as_u64);
        let text = |paths| first(paths).and_then(Value::as_str).unwrap_or_default().to_owned();
        CallColumns {
            conversation_id: &parts.conversation.id,
            run_id: &parts.facts.run_id,
            language: &parts.conversation.language,
            conversation_status: parts.status,
            turn_index,
            reply: self.what,
            is_kept: self.is_kept,
            agent: self.agent.map_or_else(|| text(["/model", "/modelVersion", "/model"]), str::to_owned),
            requests: self.requests,
            prompt_tokens: tokens(["/usage/prompt_tokens", "/usage/input_tokens", "/usageMetadata/promptTokenCount"]),
            completion_tokens: tokens([
                "/usage/completion_tokens",
                "/usage/output_tokens",
                "/usageMetadata/candidatesTokenCount",
            ]),
            finish_reason: text(["/choices/0/finish_reason", "/stop_reason", "/candidates/0/finishReason"]),
            documents: parts.documents(),
        }
    }
}
