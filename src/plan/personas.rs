//! Who asks and who answers: the persona file, and the persona of a slot.

use super::draw::{self, Purpose};
use super::error::{self, PlanError};
use crate::domain::yaml::{self, Dialect, Spanned};
use crate::domain::{Persona, Slot};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The personas of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pool {
    /// Personas of users, one of which asks.
    pub user: Vec<Arc<Persona>>,
    /// Personas of assistants, one of which answers.
    pub assistant: Vec<Arc<Persona>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "version")]
    _version: Option<u32>,
    #[serde(default)]
    personas: Sides,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Sides {
    #[serde(default)]
    user: Vec<Spanned<Persona>>,
    #[serde(default)]
    assistant: Vec<Spanned<Persona>>,
}

impl Pool {
    /// Reads `personas: {user: [..], assistant: [..]}`, items `{id, name, traits, style}`; a side left out is empty:
    /// that side then speaks without a persona.
    ///
    /// # Errors
    /// Text that is not YAML of that form; an id that is blank or used twice on one side. `name` is the file's name.
    pub fn parse(text: &str, name: &str) -> Result<Self, PlanError> {
        let file: File = yaml::read(text, Dialect::Typed).map_err(|error| error::form(name, &error))?;
        let File { personas: Sides { user, assistant }, .. } = file;
        Ok(Self { user: distinct(user, name)?, assistant: distinct(assistant, name)? })
    }

    /// Reads the personas of a file.
    ///
    /// # Errors
    /// A file that can't be read, and those of [`Pool::parse`].
    pub fn load(path: &Path) -> Result<Self, PlanError> {
        Self::parse(&error::text(path)?, &error::name(path))
    }

    /// Personas of users, each told by one text with the number of its row in a file of this name. Assistants then have none.
    ///
    /// # Errors
    /// When there are no rows.
    pub fn of_rows(rows: Vec<(String, String)>, file: &str) -> Result<Self, PlanError> {
        if rows.is_empty() {
            let detail = "it has no row with a text".to_owned();
            return Err(PlanError::Rows { file: file.to_owned(), detail });
        }
        let persona = |(row, text): (String, String)| {
            // Not the name: what is told of a person in a few words would be the whole text.
            let style = text.split_whitespace().collect::<Vec<_>>().join(" ");
            Arc::new(Persona { id: format!("row-{row}"), style, ..Persona::default() })
        };
        Ok(Self { user: rows.into_iter().map(persona).collect(), assistant: Vec::new() })
    }

    /// The personas in the binary.
    ///
    /// # Errors
    /// None as released: a test reads them.
    pub fn shipped() -> Result<Self, PlanError> {
        Self::parse(include_str!("../../config/personas.yaml"), "config/personas.yaml")
    }

    /// One persona for each side, for a file that is not there.
    pub fn fallback() -> Self {
        let persona = |id: &str, name: &str, traits: [&str; 3], style: &str| {
            let traits = traits.map(str::to_owned).to_vec();
            vec![Arc::new(Persona { id: id.to_owned(), name: name.to_owned(), traits, style: style.to_owned() })]
        };
        Self {
            user: persona(
                "curious_professional",
                "Curious Professional",
                ["curious", "practical", "to the point"],
                "Asks short, clear questions about what matters at work.",
            ),
            assistant: persona(
                "helpful_tutor",
                "Helpful Tutor",
                ["patient", "structured", "encouraging"],
                "Explains step by step, in plain words.",
            ),
        }
    }
}

fn distinct(personas: Vec<Spanned<Persona>>, file: &str) -> Result<Vec<Arc<Persona>>, PlanError> {
    let mut ids = BTreeSet::new();
    let mut distinct = Vec::with_capacity(personas.len());
    for Spanned { value: persona, referenced, .. } in personas {
        let problem = if persona.id.trim().is_empty() {
            "a persona without an `id`".to_owned()
        } else if !ids.insert(persona.id.clone()) {
            format!("persona `{}` stands there twice", persona.id)
        } else {
            distinct.push(Arc::new(persona));
            continue;
        };
        return Err(PlanError::Persona { file: file.to_owned(), line: referenced.line(), problem });
    }
    Ok(distinct)
}

/// The persona of a slot on one side: the slots of a language walk through an endless sequence of shuffles of the pool.
/// The empty persona when the pool is empty.
pub(super) fn assigned(pool: &[Arc<Persona>], seed: u64, side: Purpose, slot: Slot) -> Arc<Persona> {
    draw::cycled(seed, side, &[slot.language.0.into()], pool.len(), slot.index.into())
        .map_or_else(Arc::default, |at| pool[at].clone())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::LanguageIndex;

    fn slots(language: u16, range: std::ops::Range<u32>) -> impl Iterator<Item = Slot> {
        range.map(move |index| Slot { language: LanguageIndex(language), index })
    }

    fn ids(pool: &[Arc<Persona>], side: Purpose, slots: impl Iterator<Item = Slot>) -> Vec<String> {
        slots.map(|slot| assigned(pool, 5, side, slot).id.clone()).collect()
    }

    #[test]
    fn the_shipped_pool_is_large_and_complete() {
        let pool = Pool::shipped().unwrap();
        for side in [&pool.user, &pool.assistant] {
            assert!(side.len() >= 30, "{}", side.len());
            for persona in side {
                assert!(persona.id.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", persona.id);
                assert_eq!(persona.traits.len(), 3, "{}", persona.id);
                assert!(!persona.name.is_empty() && persona.style.ends_with('.'), "{}", persona.id);
            }
        }
        let all: BTreeSet<_> = pool.user.iter().chain(&pool.assistant).map(|persona| &persona.id).collect();
        assert_eq!(all.len(), pool.user.len() + pool.assistant.len());
    }

    #[test]
    fn the_fallback_has_a_complete_persona_for_each_side() {
        let pool = Pool::fallback();
        let rendered = |side: &[Arc<Persona>]| side.iter().map(|persona| persona.rendered()).collect::<Vec<_>>();
        let user = "Curious Professional | curious, practical, to the point | Asks short, clear questions about what \
                    matters at work.";
        assert_eq!(rendered(&pool.user), [user]);
        assert_eq!(
            (pool.user[0].id.as_str(), pool.assistant[0].id.as_str()),
            ("curious_professional", "helpful_tutor")
        );
        assert_eq!(pool.assistant.len(), 1);
    }

    #[test]
    fn every_cycle_holds_each_persona_once() {
        let pool = Pool::shipped().unwrap().user;
        let n = pool.len() as u32;
        let all: BTreeSet<_> = pool.iter().map(|persona| persona.id.clone()).collect();
        let mut orders = BTreeSet::new();
        for language in 0..2 {
            for cycle in 0..4 {
                let order = ids(&pool, Purpose::UserPersona, slots(language, cycle * n..(cycle + 1) * n));
                assert_eq!(order.iter().cloned().collect::<BTreeSet<_>>(), all);
                orders.insert(order);
            }
        }
        assert_eq!(orders.len(), 8, "each cycle of each language has an order of its own");
    }

    #[test]
    fn the_sides_are_shuffled_apart() {
        let pool = Pool::shipped().unwrap().user;
        let n = pool.len() as u32;
        assert_ne!(
            ids(&pool, Purpose::UserPersona, slots(0, 0..n)),
            ids(&pool, Purpose::AssistantPersona, slots(0, 0..n))
        );
    }

    #[test]
    fn without_a_pool_the_persona_is_empty() {
        let persona = assigned(&[], 1, Purpose::UserPersona, Slot::default());
        assert_eq!(*persona, Persona::default());
        assert_eq!(Pool::parse("version: 1\n", "p.yaml").unwrap(), Pool::default());
    }

    #[test]
    fn rows_are_users_and_all_of_them_play_before_one_plays_again() {
        let rows = (1..=200_000).map(|row| (row.to_string(), format!("A baker\n of  town {row}.")));
        let pool = Pool::of_rows(rows.collect(), "p.jsonl").unwrap();
        assert_eq!((pool.user[6].id.as_str(), pool.user[6].rendered().as_str()), ("row-7", "A baker of town 7."));
        assert_eq!((pool.user[6].manner(), pool.assistant.len()), (String::new(), 0));
        let played: BTreeSet<_> = ids(&pool.user, Purpose::UserPersona, slots(0, 0..200_000)).into_iter().collect();
        assert_eq!(played.len(), 200_000);
        let error = Pool::of_rows(Vec::new(), "p.jsonl").unwrap_err().to_string();
        assert_eq!(error, "use p.jsonl for personas: it has no row with a text");
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        for (text, expected) in [
            ("personas:\n  user:\n    - {id: a}\n    - {id: a}\n", &["use p.yaml: line 4: persona `a`", "twice"][..]),
            ("personas:\n  assistant:\n    - {name: B}\n", &["use p.yaml: line 3: a persona without an `id`"]),
            ("personas:\n  user:\n    - {id: a, tone: b}\n", &["parse p.yaml", "line 3", "tone"]),
            ("personas:\n  users: []\n", &["parse p.yaml", "line 2", "users"]),
            ("personas: [\n", &["parse p.yaml", "line"]),
        ] {
            let message = Pool::parse(text, "p.yaml").unwrap_err().to_string();
            for part in expected {
                assert!(message.contains(part), "{message:?} lacks {part:?}");
            }
            assert_eq!(message.lines().count(), 1, "{message:?}");
        }
    }
}
