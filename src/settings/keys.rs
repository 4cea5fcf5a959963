//! What there is to know about keys: what they hold, what is known by a path, what an unknown path means.

use super::table::TABLE;
use strsim::normalized_damerau_levenshtein as likeness;

/// One key of the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Dotted path of the key, such as `run.seed`.
    pub path: &'static str,
    /// What kind of value it holds.
    pub kind: Kind,
    /// Environment variables that override it; the first that is set wins.
    pub env: &'static [&'static str],
    /// Former names of those variables.
    pub old_env: &'static [&'static str],
}

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Boolean,
    Integer(Limit),
    Number(Limit),
    Text,
    /// One of a few words, compared without case.
    Choice(&'static [Choice]),
    /// A list of texts; in one text they are separated by commas.
    Texts,
    /// Any mapping; JSON in the environment.
    Mapping,
    /// A list of mappings that have these keys, or addresses; JSON in the environment.
    Mappings(&'static [Key]),
}

/// A word a key takes, with other spellings of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub word: &'static str,
    pub aliases: &'static [&'static str],
}

/// Bounds of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit {
    pub least: f64,
    /// Whether `least` itself is too small.
    pub exclusive: bool,
    pub most: f64,
}

/// Every key.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    TABLE.iter().copied().flatten()
}

/// The key of this path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    all().find(|key| key.path == path)
}

/// The keys below a section; empty when it is none.
pub(super) fn below(section: &str) -> impl Iterator<Item = &'static Key> {
    all().filter(move |key| is_below(key.path, section))
}

/// Whether `path` lies below `section`.
pub(super) fn is_below(path: &str, section: &str) -> bool {
    path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

/// The key or section that an unknown path most probably means: alike as a whole, or by its last name alone.
pub(super) fn nearest(path: &str) -> Option<&'static str> {
    const ELSEWHERE: f64 = 0.95;
    let score = |known: &str| likeness(path, known).max(ELSEWHERE * likeness(last(path), last(known)));
    let sections = all().flat_map(|key| key.path.match_indices('.').map(|(dot, _)| &key.path[..dot]));
    best(all().map(|key| key.path).chain(sections).map(|known| (score(known), known)))
}

/// The word that an unknown one most probably means.
pub(super) fn alike(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let word = word.to_lowercase();
    best(known.map(|known| (likeness(&word, known), known)))
}

fn best(scored: impl Iterator<Item = (f64, &'static str)>) -> Option<&'static str> {
    const ALIKE: f64 = 0.65;
    scored
        .filter(|(score, _)| *score >= ALIKE)
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, known)| known)
}

/// Words as a message lists them.
pub(super) fn listed(words: impl Iterator<Item = &'static str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn paths_and_variables_are_unique() {
        let paths: BTreeSet<_> = all().map(|key| key.path).collect();
        assert_eq!(paths.len(), all().count());
        let variables: Vec<_> = all().flat_map(|key| key.env.iter().chain(key.old_env)).collect();
        assert_eq!(variables.iter().collect::<BTreeSet<_>>().len(), variables.len());
    }

    #[test]
    fn no_key_is_also_a_section() {
        assert!(all().all(|key| below(key.path).next().is_none()));
    }

    #[test]
    fn misspelled_keys_have_a_nearest() {
        for (written, meant) in [
            ("run.batchsize", Some("run.batch_size")),
            ("run.turns.maximum", Some("run.turns.max")),
            ("tools.retrieval.chunking.chunksize", Some("tools.retrieval.chunking.chunk_size")),
            ("tools.retrieval.chunk", Some("tools.retrieval.chunking")),
            ("batch_size", Some("run.batch_size")),
            ("run.top_k", Some("tools.retrieval.top_k")),
            ("judge.mod", Some("judge.mode")),
            ("llm.agents.assistent", Some("llm.agents.assistant")),
            ("llm.agents.user.base_ulr", Some("llm.agents.user.base_url")),
            ("savings", Some("saving")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(written), meant, "{written}");
        }
    }
}
