//! Tests of the built-in model as a whole: what its calls are made of.

mod answers;
mod conversations;
mod modes;
mod passages;
mod questions;

use super::*;
use crate::domain::reply::UserReply;
use crate::domain::task::{
    AnswerTask, AskTask, JudgeEvidence, JudgeTurnTask, QuestionMode, RejectedReply, RetrievalMode,
};
use crate::domain::{AssistantReply, JudgeReply, Passage, ToolDefinition};
use crate::llm::chat::{Message, ReplySchema};
use passages::DOCUMENTS;
use std::collections::BTreeSet;

fn model() -> Builtin {
    Builtin::new("builtin".into(), Agent::User, Arc::default(), None, &Prices::default(), Observer::default())
}

fn chat(task: Task, messages: Vec<Message>, tools: bool) -> Result<ChatReply, ModelError> {
    let tools = if tools { vec![SEARCH] } else { Vec::new() };
    let tools = tools.into_iter().map(|name| ToolDefinition {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({}),
    });
    let request = ChatRequest {
        place: crate::domain::Place::default(),
        conversation: "".into(),
        task: Arc::new(task),
        messages: messages.into(),
        tools: tools.collect(),
        schema: ReplySchema::new("reply", json!({})),
    };
    let model = model();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(model.chat(&request))
}

/// A document cut as the knowledge room cuts it: windows of 750 characters, 150 of them shared.
fn snippets(code: &str) -> Vec<Passage> {
    let mut snippets = Vec::new();
    for (number, (_, text)) in DOCUMENTS.iter().filter(|(language, _)| *language == code).enumerate() {
        let letters: Vec<char> = text.chars().collect();
        for (chunk, start) in (0..letters.len()).step_by(600).enumerate() {
            let window: String = letters[start..letters.len().min(start + 750)].iter().collect();
            snippets.push(Passage {
                topic_id: format!("{code}{number}-{chunk}"),
                source_path: format!("{code}/{number}.md"),
                source_descriptor: format!("{number}.md#chunk{chunk}"),
                text: window.trim().into(),
                title: "".into(),
                label: format!("P{}", snippets.len() + 1),
            });
        }
    }
    snippets
}

fn ask_task(code: &str, mode: QuestionMode, snippets: Vec<Passage>, variety: u64) -> AskTask {
    AskTask {
        public_conversation_history: "No prior turns.".to_owned(),
        last_assistant_message: "No prior assistant answer.".to_owned(),
        user_persona: String::new(),
        user_manner: String::new(),
        question_mode: mode,
        passages: snippets,
        linked: false,
        recent_user_questions: Vec::new(),
        seed_topic: String::new(),
        seed_question: String::new(),
        turn_index: 1,
        n_turns: 3,
        question: String::new(),
        attempt: 0,
        angle: None,
        variety,
        target_language: code.to_owned(),
        candidates: 1,
        whole_need: String::new(),
        register: None,
        words: None,
    }
}

fn ask(task: AskTask) -> UserReply {
    let reply = chat(Task::Ask(task), Vec::new(), false).unwrap();
    serde_json::from_str(&reply.text).unwrap()
}

/// Asks the model for its search, then for its answer from what that finds among these passages.
fn answer(code: &str, question: &UserReply, passages: &[Passage], history: &str) -> (ToolCall, AssistantReply) {
    answer_again(code, question, passages, history, None)
}

/// The same after an answer that was rejected.
fn answer_again(
    code: &str,
    question: &UserReply,
    passages: &[Passage],
    history: &str,
    rejected: Option<RejectedReply>,
) -> (ToolCall, AssistantReply) {
    let task = AnswerTask {
        public_conversation_history: history.to_owned(),
        assistant_persona: String::new(),
        assistant_manner: String::new(),
        turn_index: 1,
        n_turns: 3,
        question: question.user_message.clone(),
        target_language: code.to_owned(),
        retrieval_default_k: 4,
        retrieval_mode: RetrievalMode::Tool,
        web_search: false,
        passages: Vec::new(),
        full_trace: false,
        user_reply: question.clone(),
        rejected,
    };
    let search = chat(Task::Answer(task.clone()), Vec::new(), true).unwrap();
    assert_eq!((search.text.as_str(), search.tool_calls.len()), ("", 1));
    let call = search.tool_calls[0].clone();
    let found = nearest(call.arguments["query"].as_str().unwrap(), passages);
    let task = AnswerTask { passages: found.into_iter().cloned().collect(), ..task };
    let reply = chat(Task::Answer(task), vec![Message::new(Role::Tool, "")], true).unwrap();
    assert!(reply.tool_calls.is_empty());
    (call, serde_json::from_str(&reply.text).unwrap())
}

/// The four passages that share most words with the query.
fn nearest<'a>(query: &str, passages: &'a [Passage]) -> Vec<&'a Passage> {
    let words: BTreeSet<String> = query.unicode_words().map(str::to_lowercase).collect();
    let shared = |snippet: &Passage| {
        snippet.text.unicode_words().map(str::to_lowercase).collect::<BTreeSet<_>>().intersection(&words).count()
    };
    let mut ranked: Vec<&Passage> = passages.iter().collect();
    ranked.sort_by_key(|snippet| std::cmp::Reverse(shared(snippet)));
    ranked.truncate(4);
    ranked
}

fn judge(code: &str, question: &UserReply, answer: &AssistantReply) -> JudgeReply {
    let given = question.grounding_facts.iter();
    let given = given.map(|fact| JudgeEvidence { source: String::new(), content: fact.fact.clone() });
    let used = answer.reasoning_trace.evidence.iter();
    let used = used.map(|piece| JudgeEvidence { source: piece.cue.clone(), content: piece.content.clone() });
    let task = JudgeTurnTask {
        public_conversation_history: "No prior turns.".to_owned(),
        turn_index: 1,
        judge_user_message: question.user_message.clone(),
        judge_assistant_message: answer.assistant_message.clone(),
        judge_evidence: given.chain(used).collect(),
        judge_reasons: ["irrelevant", "weak_grounding", "vague", "incomplete", "other"].map(str::to_owned).to_vec(),
        target_language: code.to_owned(),
        ..JudgeTurnTask::default()
    };
    let reply = chat(Task::JudgeTurn(task), Vec::new(), false).unwrap();
    serde_json::from_str(&reply.text).unwrap()
}
