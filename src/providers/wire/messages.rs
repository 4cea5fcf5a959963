//! The messages of a request as an endpoint takes them: what it takes no field for is said in their text.

use crate::llm::{ChatRequest, Message, ReplySchema, Role};
use crate::providers::form::{Form, Format};
use std::borrow::Cow;

/// The messages in this form; those that stay as they are are borrowed.
pub(super) fn messages<'a>(request: &'a ChatRequest, form: &Form) -> Vec<Cow<'a, Message>> {
    let mut messages: Vec<Cow<Message>> = Vec::with_capacity(request.messages.len() + 1);
    for message in request.messages.iter() {
        match message.role {
            Role::Assistant if !form.tools && !message.tool_calls.is_empty() => {
                if !message.content.trim().is_empty() {
                    messages.push(Cow::Owned(Message::new(Role::Assistant, message.content.clone())));
                }
            }
            Role::Tool if !form.tools => say(&mut messages, &result(request, message)),
            _ => messages.push(Cow::Borrowed(message)),
        }
    }
    if !form.system {
        merge_system(&mut messages);
    }
    if form.format != Format::Schema && !request.schema.is_text() {
        tell_schema(&mut messages, &request.schema);
    }
    messages
}

/// A tool's result with the call it answers, as text.
fn result(request: &ChatRequest, message: &Message) -> String {
    let (id, name) = message.answers.as_ref().map_or(("", "tool"), |(id, name)| (id.as_str(), name.as_str()));
    let call = request.messages.iter().flat_map(|message| &message.tool_calls).find(|call| call.id == id);
    let arguments = call.map_or_else(String::new, |call| format!(" {}", call.arguments));
    format!("Result of {name}{arguments}:\n{}", message.content)
}

/// Adds a user message, to the last one where that is the user's already: many chat templates want roles to alternate.
fn say(messages: &mut Vec<Cow<Message>>, text: &str) {
    match messages.last_mut() {
        Some(last) if last.role == Role::User => append(last, text),
        _ => messages.push(Cow::Owned(Message::new(Role::User, text))),
    }
}

fn append(message: &mut Cow<Message>, text: &str) {
    let content = &mut message.to_mut().content;
    if !content.is_empty() {
        content.push_str("\n\n");
    }
    content.push_str(text);
}

/// Takes the system messages out; the first user message begins with their text.
fn merge_system(messages: &mut Vec<Cow<Message>>) {
    let is_system = |message: &Cow<Message>| message.role == Role::System;
    let texts: Vec<String> = messages.iter().filter(|one| is_system(one)).map(|one| one.content.clone()).collect();
    if texts.is_empty() {
        return;
    }
    messages.retain(|message| !is_system(message));
    let mut first = Cow::Owned(Message::new(Role::User, texts.join("\n\n")));
    match messages.iter_mut().find(|message| message.role == Role::User) {
        Some(user) => {
            append(&mut first, &user.content);
            *user = first;
        }
        None => messages.insert(0, first),
    }
}

/// Tells the form of the reply at the end of the last user message, so that what comes before it stays the same.
fn tell_schema(messages: &mut Vec<Cow<Message>>, reply: &ReplySchema) {
    let schema = &reply.schema;
    let text = format!("Reply with one JSON object that fits this JSON Schema, and nothing else: {schema}");
    match messages.iter_mut().rfind(|message| message.role == Role::User) {
        Some(user) => append(user, &text),
        None => messages.push(Cow::Owned(Message::new(Role::User, text))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::ToolCall;
    use crate::providers::samples;
    use serde_json::json;
    use std::sync::Arc;

    const TOLD: &str = "Reply with one JSON object that fits this JSON Schema, and nothing else: {\"type\":\"object\"}";

    fn request() -> ChatRequest {
        let mut request = samples::request("What is tea?");
        request.schema = ReplySchema { name: "any", schema: Arc::new(json!({"type": "object"})) };
        request.messages_mut().insert(0, Message::new(Role::System, "Be brief."));
        let call = ToolCall { id: "c1".into(), name: "search".into(), arguments: json!({"query": "tea"}) };
        request.messages_mut().push(Message { tool_calls: vec![call], ..Message::new(Role::Assistant, "") });
        let answers = Some(("c1".to_owned(), "search".to_owned()));
        request.messages_mut().push(Message { answers, ..Message::new(Role::Tool, "[]") });
        request
    }

    /// Roles by their first letters, and texts.
    fn sent(form: Form) -> Vec<(char, String)> {
        let request = request();
        let letter = |role: Role| format!("{role:?}").chars().next().unwrap();
        messages(&request, &form).iter().map(|message| (letter(message.role), message.content.clone())).collect()
    }

    #[test]
    fn what_has_no_field_is_said_in_the_text() {
        let whole = [('S', "Be brief."), ('U', "What is tea?"), ('A', ""), ('T', "[]")];
        let with = |at: usize, text: &str| {
            let mut told = whole.map(|(role, text)| (role, text.to_owned())).to_vec();
            told[at].1 = text.to_owned();
            told
        };
        assert_eq!(sent(Form::WHOLE), with(0, "Be brief."));
        let asked = format!("What is tea?\n\n{TOLD}");
        for format in [Format::Json, Format::Text] {
            assert_eq!(
                sent(Form { format, ..Form::WHOLE }),
                with(1, &asked),
                "in the user's message, not after results"
            );
        }
        assert_eq!(sent(Form { system: false, ..Form::WHOLE }), with(1, "Be brief.\n\nWhat is tea?")[1..]);
        let found = "What is tea?\n\nResult of search {\"query\":\"tea\"}:\n[]";
        let plain = Form { tools: false, ..Form::WHOLE };
        assert_eq!(sent(plain), [('S', "Be brief.".to_owned()), ('U', found.to_owned())]);
        let least = Form { system: false, format: Format::Text, ..plain };
        assert_eq!(sent(least), [('U', format!("Be brief.\n\n{found}\n\n{TOLD}"))]);
    }

    #[test]
    fn there_is_a_user_message_for_what_has_to_be_said() {
        let mut request = request();
        request.messages_mut().truncate(1);
        let form = Form { system: false, format: Format::Text, ..Form::WHOLE };
        let sent = messages(&request, &form);
        assert_eq!((sent.len(), sent[0].content.as_str()), (1, format!("Be brief.\n\n{TOLD}").as_str()));
    }
}
