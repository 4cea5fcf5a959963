//! What there is to know about keys: what they hold, what is known by a path, what an unknown path means.

use super::renames::Wins;
use super::table::TABLE;
use super::types::Holds;
use super::{NEXT_JUDGE, Settings};
use crate::domain::Agent;
use crate::providers::AgentOptions;
use strsim::normalized_damerau_levenshtein as likeness;

/// One key of the configuration: all that there is to know of it but its default and its comment, which
/// `config/default.yaml` has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Dotted path of the key, such as `run.seed`.
    pub path: &'static str,
    /// What kind of value it holds.
    pub kind: Kind,
    /// Whether null is a value of its own: something is left open.
    pub nullable: bool,
    /// Environment variables that override it; the first that is set wins.
    pub env: &'static [&'static str],
    /// Former names of those variables.
    pub old_env: &'static [&'static str],
    /// Former paths, and which spelling counts where a file has both.
    pub old: (Wins, &'static [&'static str]),
    /// Whether a run's data follow from it.
    pub data: Data,
}

/// Whether a run's data follow from a key, so that the run can't go on with another value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Data {
    /// They do not follow from it: it may change when a run goes on.
    Free,
    /// They do: the manifest has its value, which this makes from the settings.
    Fixed(fn(&Settings) -> String),
    /// They do where this agent is asked: the manifest has its value, which this makes from the agent's settings.
    OfAgent(Agent, fn(&AgentOptions) -> String),
    /// They do, and the manifest has what follows from it under this name, or one that begins so.
    Through(&'static str),
}

impl Key {
    /// A key from which no data follow.
    pub const fn free<T: Holds>(path: &'static str) -> Self {
        let old = (Wins::New, [].as_slice());
        let (kind, nullable) = (T::KIND, T::NULLABLE);
        Self { path, kind, nullable, env: &[], old_env: &[], old, data: Data::Free }
    }

    /// A key from which data follow; `told` is its value in the manifest.
    pub const fn fixed<T: Holds>(path: &'static str, told: fn(&Settings) -> String) -> Self {
        Self { data: Data::Fixed(told), ..Self::free::<T>(path) }
    }

    /// A key of an agent from which data follow.
    pub const fn of_agent<T: Holds>(path: &'static str, agent: Agent, told: fn(&AgentOptions) -> String) -> Self {
        Self { data: Data::OfAgent(agent, told), ..Self::free::<T>(path) }
    }

    /// A key from which data follow, of which the manifest tells by this name.
    pub const fn through<T: Holds>(path: &'static str, name: &'static str) -> Self {
        Self { data: Data::Through(name), ..Self::free::<T>(path) }
    }

    /// The key with the variables that override it.
    pub const fn env(self, env: &'static [&'static str]) -> Self {
        Self { env, ..self }
    }

    /// The key with former names of its variables.
    pub const fn old_env(self, old_env: &'static [&'static str]) -> Self {
        Self { old_env, ..self }
    }

    /// The key with former paths, which count where a file has both.
    pub const fn over(self, old: &'static [&'static str]) -> Self {
        Self { old: (Wins::Old, old), ..self }
    }

    /// The key with former paths, which do not count where a file has both.
    pub const fn under(self, old: &'static [&'static str]) -> Self {
        Self { old: (Wins::New, old), ..self }
    }

    /// The key with bounds, which must lie within those of its type.
    pub const fn limit(self, limit: Limit) -> Self {
        let kind = match self.kind {
            Kind::Integer(of_type) => {
                assert!(limit.least >= of_type.least && limit.most <= of_type.most, "the type can't hold that");
                Kind::Integer(limit)
            }
            Kind::Number(_) => Kind::Number(limit),
            _ => panic!("only numbers have bounds"),
        };
        Self { kind, ..self }
    }

    /// What the manifest of a run with these settings has of it.
    pub fn told(&self, settings: &Settings) -> Option<String> {
        match self.data {
            Data::Fixed(told) => Some(told(settings)),
            Data::OfAgent(agent, told) => {
                let each: Vec<String> = settings.agents.all(agent).iter().map(told).collect();
                (!each.is_empty()).then(|| each.join(NEXT_JUDGE))
            }
            Data::Free | Data::Through(_) => None,
        }
    }
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

impl Kind {
    /// What a value must be, for a message.
    pub fn wanted(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer(_) => "an integer",
            Self::Number(_) => "a number",
            Self::Text | Self::Choice(_) => "text",
            Self::Texts => "a list of texts",
            Self::Mapping => "a mapping",
            Self::Mappings(_) => "a list of mappings or addresses",
        }
    }
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

impl Limit {
    /// From `least` on, without an upper limit.
    pub const fn from(least: f64) -> Self {
        Self::between(least, f64::INFINITY)
    }

    /// From `least` to `most`, both included.
    pub const fn between(least: f64, most: f64) -> Self {
        Self { least, exclusive: false, most }
    }

    /// More than 0, and `most` at the most.
    pub const fn above_zero(most: f64) -> Self {
        Self { least: 0.0, exclusive: true, most }
    }
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
