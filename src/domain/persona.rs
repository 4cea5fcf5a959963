//! Who speaks: a person the user model plays, or a manner the assistant model takes.

use serde::{Deserialize, Serialize};

/// One entry of a persona file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// Stable identifier, recorded as `user_persona_id` or `assistant_persona_id`.
    #[serde(default)]
    pub id: String,
    /// The name that prompts and outputs show.
    #[serde(default)]
    pub name: String,
    /// A few words each on what the person is like.
    #[serde(default)]
    pub traits: Vec<String>,
    /// How this persona writes.
    #[serde(default)]
    pub style: String,
}

impl Persona {
    /// `name, trait1, trait2`, empty parts left out.
    pub fn manner(&self) -> String {
        let parts = std::iter::once(&self.name).chain(&self.traits).map(|part| part.trim());
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// `name | trait1, trait2 | style`, empty parts left out; empty for the empty persona.
    pub fn rendered(&self) -> String {
        let traits = self.traits.join(", ");
        [self.name.as_str(), &traits, &self.style]
            .into_iter()
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" | ")
    }
}
