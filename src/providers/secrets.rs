//! What must not be shown of an endpoint: its key, and what its address has beside the path.

use super::{EndpointOptions, Secret};
use crate::llm::{ChatReply, Finish};
use reqwest::Url;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

/// What stands where a secret was.
const HIDDEN: &str = "<secret>";

/// The secrets of one endpoint.
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    /// The key, and the query of the address as a whole and by its values.
    pub fn of(options: &EndpointOptions, base: &Url) -> Self {
        Self::new(options.api_key.as_ref(), base)
    }

    /// The same of any address with a key.
    pub fn new(key: Option<&Secret>, base: &Url) -> Self {
        let query = base.query().map(str::to_owned);
        let values = base.query_pairs().map(|(_, value)| value.into_owned()).filter(|value| value.len() >= 6);
        let key = key.map(|key| key.reveal().to_owned());
        let all = query.into_iter().chain(values).chain(key).filter(|text| !text.is_empty());
        Self(all.map(Secret::new).collect())
    }

    /// What tells them from others.
    pub fn digest(&self) -> u128 {
        let secrets: Vec<&str> = self.0.iter().map(Secret::reveal).collect();
        xxh3_128(secrets.join("\n").as_bytes())
    }

    /// Takes the key, and what the address has beside the path, out of a reply, where it is no word that texts may hold.
    pub fn hide(&self, reply: &mut ChatReply) {
        if !self.0.iter().any(|secret| is_telling(secret.reveal())) {
            return;
        }
        let hide = |text: &mut String| self.hide_in(text);
        hide(&mut reply.text);
        reply.reasoning.iter_mut().for_each(hide);
        if let Finish::Refused(words) | Finish::Filtered(words) = &mut reply.finish {
            hide(words);
        }
        for call in &mut reply.tool_calls {
            hide(&mut call.id);
            hide(&mut call.name);
            hide_in(&mut call.arguments, &hide);
        }
        reply.provider_state.iter_mut().for_each(|state| hide_in(state, &hide));
        hide_in(&mut reply.raw, &hide);
    }

    /// Does so in one text of others.
    pub fn hide_in(&self, text: &mut String) {
        for secret in self.0.iter().map(Secret::reveal).filter(|secret| is_telling(secret)) {
            // Within JSON text a slash may be escaped.
            for secret in [secret.to_owned(), secret.replace('/', "\\/")] {
                if text.contains(&secret) {
                    *text = text.replace(&secret, HIDDEN);
                }
            }
        }
    }

    /// A text without the key and without what the address has beside the path: some endpoints quote them in their errors.
    pub fn redacted(&self, mut text: String) -> String {
        for secret in self.0.iter().map(Secret::reveal) {
            if text.contains(secret) {
                text = text.replace(secret, HIDDEN);
            }
        }
        text
    }
}

/// Does this to every text of a value, the keys of objects included.
fn hide_in(value: &mut Value, hide: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => hide(text),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, hide)),
        Value::Object(object) => {
            let hidden = std::mem::take(object).into_iter().map(|(mut key, mut value)| {
                hide(&mut key);
                hide_in(&mut value, hide);
                (key, value)
            });
            *object = hidden.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a key is one, and not a word for servers that want none (`EMPTY`, `lm-studio`): texts may hold such a word.
fn is_telling(secret: &str) -> bool {
    secret.len() >= 20 || secret.len() >= 8 && secret.bytes().any(|byte| byte.is_ascii_digit())
}
