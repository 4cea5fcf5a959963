//! Retrieval for an answer: what is searched for, what was found so far, and the calls that found it.

use super::text::{shortened, strip_nul};
use crate::llm::{ChatReply, Message, Role};
use crate::tools::{Called, SEARCH, Toolbox};
use crate::words::conversation::ToolEvent;
use crate::words::reply::RetrievalQueries;
use crate::words::{ChunkIndex, Conversation, Language, Passage, Question, QuestionMode, ToolCall};
use serde_json::{Value, json};

/// Words that a question's query borrows from what was said before, or from the passage it is about.
const BORROWED: usize = 8;

/// What was retrieved for one answer.
#[derive(Debug, Default)]
pub(super) struct Retrieved {
    /// The calls, in order.
    pub events: Vec<ToolEvent>,
    /// Chunks found, each once, in the order of their numbers.
    pub chunks: Vec<ChunkIndex>,
    /// The same as the model knows them.
    pub passages: Vec<Passage>,
}

impl Retrieved {
    /// Searches for what a question asks, before anybody is asked to answer it. The call looks like one of the model's.
    pub fn search_first(&mut self, toolbox: &Toolbox, conversation: &Conversation, question: &Question) {
        let arguments = json!({ "query": query(toolbox, conversation, question) });
        // Nine letters and digits: all that some chat templates take.
        let id = format!("search{:03}", conversation.turn_index().0);
        self.carry_out(toolbox, ToolCall { id, name: SEARCH.to_owned(), arguments });
    }

    /// Carries out the tool calls of a reply, in order. Reply and results join the messages. A call's id stays unless an
    /// earlier call of the turn has it.
    pub fn use_tools(&mut self, toolbox: &Toolbox, reply: ChatReply, messages: &mut Vec<Message>) {
        let first = self.events.len();
        let mut results = Vec::with_capacity(reply.tool_calls.len());
        for call in reply.tool_calls {
            let (id, known) = (unique(call.id, &self.events), self.chunks.len());
            let found = self.carry_out(toolbox, ToolCall { id, ..call });
            results.push(self.told(&found, known));
        }
        let mut asked = Message::new(Role::Assistant, reply.text);
        asked.tool_calls = self.events[first..].iter().map(called).collect();
        asked.carried = reply.carried;
        messages.push(asked);
        messages.extend(self.events[first..].iter().zip(results).map(|(event, told)| {
            let mut result = Message::new(Role::Tool, told);
            result.answers = Some((event.id.clone(), event.name.clone()));
            result
        }));
    }

    /// What was searched for.
    pub fn queries(&self) -> RetrievalQueries {
        let of = |name: &str| {
            let events = self.events.iter().filter(|event| event.name == name);
            events.filter_map(|event| event.arguments["query"].as_str()).map(str::to_owned).collect()
        };
        RetrievalQueries { vector_db_search: of(SEARCH), web_search: of("web_search") }
    }

    fn carry_out(&mut self, toolbox: &Toolbox, call: ToolCall) -> Called {
        let ToolCall { id, name, mut arguments } = call;
        strip_nul(&mut arguments);
        tracing::info!(target: "dlgforge.tools", "{}", tool_line(&name, &arguments));
        let mut found = toolbox.call(&name, &arguments);
        strip_nul(&mut found.result);
        if let Some(query) = found.result["query"].as_str() {
            tracing::info!(target: "dlgforge.retrieval", "{}", retrieval_line(query, found.chunks.len()));
        }
        self.events.push(ToolEvent { id, name, arguments, result: found.result.clone() });
        for chunk in &found.chunks {
            if !self.chunks.contains(chunk) {
                self.chunks.push(*chunk);
                self.passages.push(toolbox.catalogue().passage(*chunk, self.chunks.len()));
            }
        }
        found
    }

    /// What the model is told of a call's result: the passages beyond the `known` first ones, and the numbers of those
    /// that it has seen.
    fn told(&self, found: &Called, known: usize) -> String {
        if let Some(error) = found.result.get("error") {
            return json!({ "error": error }).to_string();
        }
        let (new, seen) = (&self.passages[known..], &self.chunks[..known]);
        let again = seen.iter().zip(&self.passages).filter(|(chunk, _)| found.chunks.contains(chunk));
        let again: Vec<&str> = again.map(|(_, passage)| passage.label.as_str()).collect();
        let again = (!again.is_empty()).then(|| format!("Found again: {}.", again.join(", ")));
        let told: Vec<String> = new.iter().map(Passage::to_string).chain(again).collect();
        if told.is_empty() { "No passage of the knowledge base matches this query.".to_owned() } else { told.join("\n\n") }
    }
}

/// What to search for: the question; where it goes on from the last exchange, also what the last question was about; and
/// where it is about a passage in another language, also the words of that passage's headings or beginning, because words of
/// one language find none of another.
fn query(toolbox: &Toolbox, conversation: &Conversation, question: &Question) -> String {
    let asked = question.reply.user_message.as_str();
    let goes_on = matches!(question.mode, QuestionMode::Followup | QuestionMode::Adjacent);
    let last = conversation.turns.last().filter(|_| goes_on).map(|turn| turn.question.reply.user_message.as_str());
    let catalogue = toolbox.catalogue();
    let foreign = question.used.chunk.map(|chunk| catalogue.chunk(chunk)).filter(|chunk| {
        let own = catalogue.source(chunk.source).language.as_ref();
        let target = Language::of(&conversation.language).code;
        own.zip(target.as_ref()).is_some_and(|(own, target)| own != target)
    });
    let about = foreign.map(|chunk| format!("{} {}", chunk.context, chunk.text));
    let mut words = toolbox.telling_words(asked);
    let known = words.len();
    for text in [last, about.as_deref()].into_iter().flatten() {
        let new: Vec<_> = toolbox.telling_words(text).into_iter().filter(|word| !words.contains(word)).collect();
        words.extend(new.into_iter().take(BORROWED));
    }
    [asked].into_iter().chain(words[known..].iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

fn tool_line(name: &str, arguments: &Value) -> String {
    format!("[tools] {name} {}", shortened(&arguments.to_string(), 300))
}

/// The log's line on a search.
pub(super) fn retrieval_line(query: &str, hits: usize) -> String {
    format!("[retrieval] query={} hits={hits}", shortened(query, 200))
}

fn called(event: &ToolEvent) -> ToolCall {
    ToolCall { id: event.id.clone(), name: event.name.clone(), arguments: event.arguments.clone() }
}

/// The id, with a number where an earlier call of the turn has it already or it is blank.
fn unique(id: String, earlier: &[ToolEvent]) -> String {
    let taken = |id: &str| earlier.iter().any(|event| event.id == id);
    if !id.trim().is_empty() && !taken(&id) {
        return id;
    }
    let stem = if id.trim().is_empty() { "call" } else { id.as_str() };
    let mut number = earlier.len() + 1;
    while taken(&format!("{stem}_{number}")) {
        number += 1;
    }
    format!("{stem}_{number}")
}
