//! Tokens of texts as the models of OpenAI count them (`o200k_base`).
//!
//! No token of it crosses a single space between two characters that are none: the space begins the next piece of its
//! pattern. So a text is counted word by word, each with the space before it, and words that come again are looked up.

use super::counts::of;
use super::lengths::Lengths;
use super::report::TokenCounts;
use super::sketch::{Hashes, hash};
use crate::publish::Dialogue;
use std::collections::{BTreeMap, HashMap};

/// Words that are kept with their numbers of tokens, at most: 4 MB.
const KEPT: usize = 1 << 17;

/// The longest word that is kept, in bytes: what is longer seldom comes again.
const LONGEST: usize = 48;

/// The tokens of the conversations that were added.
#[derive(Debug, Default)]
pub(super) struct TokenTotals {
    tokens: Tokens,
    messages: Lengths,
    with_tools: Lengths,
    /// Of the messages, by language.
    pub languages: BTreeMap<String, u64>,
}

impl TokenTotals {
    pub fn add(&mut self, conversations: &[Dialogue<'_>]) {
        // Most conversations could call the same tools.
        let mut schemas = ("", 0);
        for conversation in conversations {
            let said = conversation.turns.iter().flat_map(|turn| [turn.user, turn.assistant]);
            let messages = said.map(|text| self.tokens.count(text)).sum();
            if schemas.0 != conversation.tools {
                schemas = (conversation.tools, self.tokens.count(conversation.tools));
            }
            let mut with_tools = messages + schemas.1;
            for message in &conversation.messages {
                let calls = message.calls.iter().flat_map(|call| [call.name, call.arguments]);
                let beside = (message.role == "tool" || !message.calls.is_empty()).then_some(message.content);
                with_tools += calls.chain(beside).map(|text| self.tokens.count(text)).sum::<u64>();
            }
            self.messages.add(messages);
            self.with_tools.add(with_tools);
            *of(&mut self.languages, conversation.language) += messages;
        }
    }

    pub fn told(&self) -> TokenCounts {
        TokenCounts {
            tokenizer: "o200k_base",
            messages_total: self.messages.sum(),
            messages_per_conversation_avg: self.messages.mean(),
            messages_per_conversation_min: self.messages.min(),
            messages_per_conversation_max: self.messages.max(),
            messages_per_conversation_distribution: self.messages.histogram(),
            with_tools_total: self.with_tools.sum(),
            with_tools_per_conversation_avg: self.with_tools.mean(),
            with_tools_per_conversation_max: self.with_tools.max(),
        }
    }
}

/// Counts tokens word by word, and keeps what it has counted of words that come again.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    kept: HashMap<u64, u32, Hashes>,
}

impl Tokens {
    /// The number of tokens of a text, without what a chat template puts around it.
    pub fn count(&mut self, text: &str) -> u64 {
        pieces(text).map(|piece| self.of_piece(piece)).sum()
    }

    fn of_piece(&mut self, piece: &str) -> u64 {
        let count = || bpe_openai::o200k_base().count(piece);
        if piece.len() > LONGEST {
            return count() as u64;
        }
        let key = hash(piece);
        if let Some(known) = self.kept.get(&key) {
            return u64::from(*known);
        }
        let counted = count();
        if self.kept.len() < KEPT {
            self.kept.insert(key, counted as u32);
        }
        counted as u64
    }
}

/// The parts of a text that begin with a single space between two characters that are no white space.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let cut = rest.match_indices(' ').map(|(at, _)| at).find(|&at| {
            let before = rest[..at].chars().next_back();
            let after = rest[at + 1..].chars().next();
            before.zip(after).is_some_and(|(before, after)| !before.is_whitespace() && !after.is_whitespace())
        });
        let (piece, next) = rest.split_at(cut.unwrap_or(rest.len()));
        rest = next;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn a_text_is_cut_at_single_spaces_only() {
        for (text, expected) in [
            ("", vec![]),
            (" ", vec![" "]),
            ("a b", vec!["a", " b"]),
            (" a  b\n c ", vec![" a  b\n c "]),
            ("été à\u{a0}la  mer ici", vec!["été", " à\u{a0}la  mer", " ici"]),
        ] {
            assert_eq!(pieces(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }

    #[test]
    fn words_are_counted_as_whole_texts_are() {
        const PARTS: [&str; 26] = [
            " ",
            " ",
            " ",
            " ",
            "  ",
            "\n",
            "\n\n",
            "\r\n",
            "\t",
            "\u{a0}",
            "a",
            "The",
            "café",
            "l'été",
            "'s",
            "don't",
            "12345",
            "،",
            "كيف",
            "أُحِبّ",
            "水は",
            ".",
            "...\n",
            "/",
            "👩‍👩‍👧",
            "HTTPServer",
        ];
        let (mut tokens, mut random) = (Tokens::default(), rand_chacha::ChaCha8Rng::seed_from_u64(1));
        for _ in 0..3_000 {
            let length = random.random_range(0..14);
            let text: String = (0..length).map(|_| PARTS[random.random_range(0..PARTS.len())]).collect();
            let whole = bpe_openai::o200k_base().count(text.as_str()) as u64;
            assert_eq!(tokens.count(&text), whole, "{text:?}");
        }
    }
}
