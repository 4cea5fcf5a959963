//! The texts that no message of a run may have too much in common with, read from their files.

use super::error::RunError;
use crate::domain::HeldOut;
use crate::knowledge;
use crate::settings::paths::DECONTAMINATE;
use crate::settings::{HeldOutFile, HeldOutOptions, Settings, digest};
use std::sync::Arc;

/// Reads the texts that are held out, with a digest of them; none where none are.
///
/// # Errors
/// When a file can't be read, or has no such column of texts.
pub fn held_out(settings: &Settings) -> Result<Option<(Arc<HeldOut>, String)>, RunError> {
    let HeldOutOptions { files, ngram, minhash } = &settings.held_out;
    let mut placed = Vec::new();
    for HeldOutFile { path, name, column } in files {
        let unusable = |detail| RunError::HeldOut { file: path.clone(), detail };
        let texts = match column {
            Some(column) => {
                let (rows, notes) =
                    knowledge::texts(path, column, &format!("{DECONTAMINATE}: {name}#…")).map_err(unusable)?;
                notes.iter().for_each(|note| tracing::warn!("{}: {note}", path.display()));
                rows
            }
            None => lines_and_paragraphs(&std::fs::read_to_string(path).map_err(|cause| unusable(cause.to_string()))?),
        };
        placed.extend(texts.into_iter().map(|(row, text)| (format!("{name}:{row}").into(), text)));
    }
    if files.is_empty() {
        return Ok(None);
    }
    let digest = digest(format!("{ngram} {placed:?}").as_bytes());
    let held_out = HeldOut::new(*minhash, *ngram, placed);
    if held_out.is_empty() {
        let (file, detail) = (files[0].path.clone(), "there is no text in it".to_owned());
        return Err(RunError::HeldOut { file, detail });
    }
    tracing::info!(target: "dlgforge.pipeline", "[decontaminate] held_out_texts={}", held_out.len());
    Ok(Some((Arc::new(held_out), digest)))
}

/// The lines of a text and its paragraphs, each with the number of its first line from 1: a list of questions has one in each line, and
/// sentences go on in the next.
fn lines_and_paragraphs(text: &str) -> Vec<(String, String)> {
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).collect();
    let is_blank = |(_, line): &(usize, &str)| line.trim().is_empty();
    let join = |lines: &[(usize, &str)]| {
        let text = lines.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
        (lines[0].0.to_string(), text)
    };
    let paragraphs = lines.split(is_blank).filter(|lines| lines.len() > 1).map(join);
    lines.iter().filter(|line| !is_blank(line)).map(|line| join(&[*line])).chain(paragraphs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_lines_and_paragraphs() {
        let expected = [("1", "One"), ("2", "goes on."), ("5", "Two?"), ("1", "One\ngoes on.")];
        let found = lines_and_paragraphs("One\ngoes on.\n\n \nTwo?");
        assert_eq!(found, expected.map(|(row, text)| (row.to_owned(), text.to_owned())));
        assert_eq!(lines_and_paragraphs(" \n\n"), []);
    }
}
