//! A key, in a type that does not show it.

use std::fmt;

/// A secret: never shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret out of logs and messages.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the request's header.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}
