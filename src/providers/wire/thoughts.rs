//! Answers that a server has taken for thoughts: its reasoning parser is not the model's.

use super::lenient::parse;
use super::tool_text::unfenced;
use crate::llm::{ChatReply, ChatRequest, Finish};

/// Where thoughts end that were not taken apart.
pub(super) const THOUGHT: &str = "</think>";

/// Makes the text of a reply that has none of what its thoughts end with, where that is the JSON object asked for. Whether it
/// was.
pub(in crate::providers) fn take_answer(reply: &mut ChatReply, request: &ChatRequest) -> bool {
    let Some(thoughts) = reply.reasoning.as_deref().filter(|_| reply.finish == Finish::Stop) else { return false };
    if !reply.text.trim().is_empty() || !reply.tool_calls.is_empty() {
        return false;
    }
    let (before, answer) = thoughts.rsplit_once(THOUGHT).unwrap_or(("", thoughts));
    let Some(object) = parse(unfenced(answer).as_bytes()).ok().filter(|value| request.schema.is_met_by(value)) else {
        return false;
    };
    let before = Some(before.trim().to_owned()).filter(|before| !before.is_empty());
    (reply.text, reply.reasoning) = (object.to_string(), before);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::ReplySchema;
    use crate::providers::samples;
    use serde_json::json;

    #[test]
    fn only_the_answer_is_taken() {
        let mut request = samples::request("Hi");
        request.schema = ReplySchema::new("any", json!({"required": ["text"]}));
        let taken = |text: &str, thoughts: &str| {
            let reasoning = Some(thoughts.to_owned());
            let mut reply = ChatReply { text: text.into(), reasoning, ..ChatReply::default() };
            let took = take_answer(&mut reply, &request);
            (took, reply.text, reply.reasoning)
        };
        let answer = r#"{"text":"a"}"#;
        for (thoughts, before) in [
            (r#"{"text": "a"}"#, None),
            ("```json\n{\"text\": \"a\"}\n```", None),
            ("Hm.</think>\n{\"text\": \"a\"}", Some("Hm.".to_owned())),
        ] {
            assert_eq!(taken(" ", thoughts), (true, answer.to_owned(), before), "{thoughts}");
        }
        for (text, thoughts) in [("x", answer), ("", "Hm."), ("", r#"{"other": 1}"#), ("", "I say {\"text\": \"a\"}")] {
            assert_eq!(taken(text, thoughts), (false, text.to_owned(), Some(thoughts.to_owned())), "{thoughts}");
        }
    }
}
