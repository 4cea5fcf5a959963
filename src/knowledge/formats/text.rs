//! Text as it stands in a file.

use super::super::encoding::{self, Decoded};

/// The text of these bytes, in whatever encoding.
pub fn decoded(bytes: &[u8], notes: &mut Vec<String>) -> Result<String, String> {
    let Decoded { text, note } = encoding::decoded(bytes)?;
    notes.extend(note);
    Ok(text)
}
