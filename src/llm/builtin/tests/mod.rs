//! Tests of the built-in model as a whole: what its calls are made of.

mod answers;
mod conversations;
mod passages;
mod questions;

use super::*;
use crate::llm::chat::{Message, ReplySchema};
use crate::words::reply::UserReply;
use crate::words::task::{AnswerTask, AskTask, JudgeEvidence, JudgeTurnTask, QuestionMode};
use crate::words::{AssistantReply, JudgeReply, Snippet, ToolDefinition};
use passages::DOCUMENTS;
use std::collections::BTreeSet;

fn model() -> Builtin {
    Builtin::new("builtin".into(), Arc::new(Meter::default()))
}

fn chat(task: Task, messages: Vec<Message>, tools: bool) -> Result<ChatReply, ModelError> {
    let tools = if tools { vec![SEARCH] } else { Vec::new() };
    let tools = tools.into_iter().map(|name| ToolDefinition {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({}),
    });
    let request = ChatRequest {
        place: crate::words::Place::default(),
        conversation: "c".into(),
        task: Arc::new(task),
        messages,
        tools: tools.collect(),
        schema: ReplySchema { name: "reply", schema: Arc::new(json!({})) },
    };
    let model = model();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(model.chat(&request))
}

/// A document cut as the knowledge room cuts it: windows of 750 characters, 150 of them shared.
fn snippets(code: &str) -> Vec<Snippet> {
    let mut snippets = Vec::new();
    for (number, (_, text)) in DOCUMENTS.iter().filter(|(language, _)| *language == code).enumerate() {
        let letters: Vec<char> = text.chars().collect();
        for (chunk, start) in (0..letters.len()).step_by(600).enumerate() {
            let window: String = letters[start..letters.len().min(start + 750)].iter().collect();
            snippets.push(Snippet {
                topic_id: format!("{code}{number}-{chunk}"),
                source_path: format!("{code}/{number}.md"),
                source_descriptor: format!("{number}.md#chunk{chunk}"),
                text: window.trim().into(),
                recent_questions: Vec::new(),
            });
        }
    }
    snippets
}

fn ask_task(code: &str, mode: QuestionMode, snippets: Vec<Snippet>, variety: u64) -> AskTask {
    AskTask {
        public_conversation_history: "No prior turns.".to_owned(),
        last_assistant_message: "No prior assistant answer.".to_owned(),
        user_persona: String::new(),
        question_mode: mode,
        topic_snippets: snippets,
        recent_user_questions: Vec::new(),
        seed_topic: String::new(),
        seed_question: String::new(),
        turn_index: 1,
        n_turns: 3,
        question: String::new(),
        attempt: 0,
        variety,
        target_language: code.to_owned(),
    }
}

fn ask(task: AskTask) -> UserReply {
    let reply = chat(Task::Ask(task), Vec::new(), false).unwrap();
    serde_json::from_str(&reply.text).unwrap()
}

/// Asks the model for its search, answers it with these passages, and asks again.
fn answer(code: &str, question: &UserReply, passages: &[Snippet], history: &str) -> (ToolCall, AssistantReply) {
    let task = AnswerTask {
        public_conversation_history: history.to_owned(),
        assistant_persona: String::new(),
        turn_index: 1,
        n_turns: 3,
        question: question.user_message.clone(),
        target_language: code.to_owned(),
        retrieval_default_k: 4,
        user_reply: question.clone(),
    };
    let search = chat(Task::Answer(task.clone()), Vec::new(), true).unwrap();
    assert_eq!((search.text.as_str(), search.tool_calls.len()), ("", 1));
    let call = search.tool_calls[0].clone();
    let results: Vec<Value> = nearest(call.arguments["query"].as_str().unwrap(), passages)
        .into_iter()
        .map(|snippet| {
            let chunk = snippet.source_descriptor.rsplit("#chunk").next().unwrap().parse::<u64>().unwrap();
            json!({ "source": snippet.source_path, "chunk_index": chunk, "content": &*snippet.text })
        })
        .collect();
    let payload = json!({ "query": call.arguments["query"], "results": results, "rendered": "" });
    let tool = Message {
        answers: Some((call.id.clone(), call.name.clone())),
        ..Message::new(Role::Tool, payload.to_string())
    };
    let reply = chat(Task::Answer(task), vec![tool], true).unwrap();
    assert!(reply.tool_calls.is_empty());
    (call, serde_json::from_str(&reply.text).unwrap())
}

/// The four passages that share most words with the query.
fn nearest<'a>(query: &str, passages: &'a [Snippet]) -> Vec<&'a Snippet> {
    let words: BTreeSet<String> = query.unicode_words().map(str::to_lowercase).collect();
    let shared = |snippet: &Snippet| {
        snippet.text.unicode_words().map(str::to_lowercase).collect::<BTreeSet<_>>().intersection(&words).count()
    };
    let mut ranked: Vec<&Snippet> = passages.iter().collect();
    ranked.sort_by_key(|snippet| std::cmp::Reverse(shared(snippet)));
    ranked.truncate(4);
    ranked
}

fn judge(code: &str, question: &UserReply, answer: &AssistantReply) -> JudgeReply {
    let given = question.grounding_facts.iter().map(JudgeEvidence::from);
    let used = answer.reasoning_trace.evidence.iter();
    let used = used.map(|piece| JudgeEvidence { source: piece.cue.clone(), content: piece.content.clone() });
    let task = JudgeTurnTask {
        public_conversation_history: "No prior turns.".to_owned(),
        user_persona: String::new(),
        assistant_persona: String::new(),
        judge_user_message: question.user_message.clone(),
        judge_assistant_message: answer.assistant_message.clone(),
        judge_evidence: given.chain(used).collect(),
        judge_reasons: ["irrelevant", "weak_grounding", "vague", "incomplete", "other"].map(str::to_owned).to_vec(),
        target_language: code.to_owned(),
    };
    let reply = chat(Task::JudgeTurn(task), Vec::new(), false).unwrap();
    serde_json::from_str(&reply.text).unwrap()
}
