//! A message that is no message: a placeholder, or a text of the schema it should have been written to.

use super::words;
use serde_json::Value;

/// What models write where a text should be, as words, with `|` between them.
const PLACEHOLDERS: &str = "string|str|text|message|user message|assistant message|n a|na|none|null|nil|undefined|nan|todo|tbd|placeholder|\
    empty|example|lorem ipsum|lorem ipsum dolor sit amet|question|answer|the question|the answer|your question|\
    your answer|your message|your question here|your answer here|your message here|your text here|\
    insert question here|insert answer here|the question in the language of this message|\
    the answer in the language of the answer|votre question ici|votre réponse ici|la question|la réponse|\
    ihre frage hier|ihre antwort hier|deine frage hier|tu pregunta aquí|su respuesta aquí|la tua domanda qui|\
    sua pergunta aqui|uw vraag hier|السؤال|الجواب|سؤالك هنا";

/// Words that a text between brackets may have and still be a placeholder.
const BRACKETED: usize = 10;

/// The fault of a message that is a placeholder (`string`, `[your answer here]`, `...`), or a name or text of the schema
/// of its reply; case and punctuation aside. A bare number is none: it may be a right answer.
pub(in crate::stages) fn placeholder(message: &str, schema: &Value) -> Option<String> {
    let said = words(message);
    let text = said.join(" ");
    if said.is_empty() {
        return Some("the message has no words: write a message of whole words".to_owned());
    }
    let fixed =
        PLACEHOLDERS.split('|').any(|known| known == text) || (is_bracketed(message.trim()) && said.len() <= BRACKETED);
    (fixed || stands_in(schema, &text)).then(|| {
        format!(
            "{:?} is a placeholder, not a message: write the message itself",
            super::super::text::shortened(message, 60)
        )
    })
}

/// The fault of a question without a letter.
pub(in crate::stages) fn wordless(question: &str) -> Option<String> {
    let letters = question.chars().any(char::is_alphabetic);
    (!letters).then(|| "the question has no words: ask it in a whole sentence".to_owned())
}

/// Whether the whole message stands between one pair of brackets.
fn is_bracketed(message: &str) -> bool {
    [('<', '>'), ('[', ']'), ('{', '}')].iter().any(|(open, close)| {
        let inner = message.trim_start_matches(*open).trim_end_matches(*close);
        message.starts_with(*open) && message.ends_with(*close) && !inner.contains([*open, *close])
    })
}

/// Whether these words are a name of a property, a type or a whole text of a schema.
fn stands_in(schema: &Value, text: &str) -> bool {
    let is = |other: &str| words(other).join(" ") == text;
    match schema {
        Value::Object(object) => object.iter().any(|(key, value)| match key.as_str() {
            "properties" => {
                value.as_object().is_some_and(|properties| properties.keys().any(|name| is(name)))
                    || value.as_object().is_some_and(|all| all.values().any(|property| stands_in(property, text)))
            }
            "type" | "description" | "title" | "const" | "enum" => match value {
                Value::String(value) => is(value),
                Value::Array(values) => values.iter().filter_map(Value::as_str).any(is),
                _ => false,
            },
            _ => stands_in(value, text),
        }),
        Value::Array(items) => items.iter().any(|item| stands_in(item, text)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "title": "UserReply",
            "type": "object",
            "properties": {
                "user_message": {"type": "string", "description": "The question, in the target language."},
                "intent": {"oneOf": [{"const": "how_to", "description": "Learn how to do something."}]},
                "facts": {"type": ["array", "null"], "items": {"properties": {"source_descriptor": {}}}},
                "level": {"enum": ["easy", "hard"]},
            },
        })
    }

    #[test]
    fn placeholders_are_told() {
        for message in [
            "string",
            "String.",
            "…",
            "...",
            "—",
            "?",
            "<question>",
            "[your answer here]",
            "{{ user_message }}",
            "N/A",
            "None",
            "null",
            "undefined",
            "your question here",
            "Votre question ici",
            "السؤال",
            "user_message",
            "The question, in the target language",
            "the question, in the language of this message",
            "User-Message",
            "how_to",
            "Learn how to do something",
            "source_descriptor",
            "array",
            "EASY",
            "[Insérez la question ici]",
            "<the question in Arabic>",
            "[سؤال المستخدم]",
        ] {
            assert!(placeholder(message, &schema()).is_some(), "{message}");
        }
    }

    #[test]
    fn messages_are_no_placeholders() {
        for message in [
            "42",
            "7.",
            "٧",
            "Why?",
            "لماذا؟",
            "Is null a value?",
            "How do I write a string?",
            "[1] and [2] differ",
            "<b>No</b>",
            "Yes",
            "What does the user_message hold?",
            "面团要醒发多久？",
            "[a list, b list, c list, d list, e list, f list, g list, h list]",
        ] {
            assert_eq!(placeholder(message, &schema()), None, "{message}");
        }
    }

    #[test]
    fn a_question_has_letters() {
        assert!(wordless("42?").is_some() && wordless("").is_some());
        assert!(wordless("Why 42?").is_none() && wordless("لماذا").is_none());
    }

    #[test]
    fn the_fault_says_what_to_do() {
        let fault = placeholder("string", &json!({})).unwrap_or_default();
        assert_eq!(fault, "\"string\" is a placeholder, not a message: write the message itself");
    }
}
