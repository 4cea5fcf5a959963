//! `dlgforge check --from-python`: what becomes of a project of the Python original.

use super::super::layout::row;
use crate::settings::{Migration, MovedKey, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The version of the JSON: another one where a key goes or means something else.
const VERSION: u32 = 1;

/// The verdicts as people are told, in the order in which they should be looked at.
const TOLD: [(Verdict, &str); 4] = [
    (Verdict::Differs, "differs: look at these"),
    (Verdict::Better, "better"),
    (Verdict::Same, "the same"),
    (Verdict::New, "new: the original does not know them"),
];

/// What becomes of a project, for people and as JSON whose keys stay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MigrationReport {
    version: u32,
    /// The configuration as it was named.
    config: String,
    #[serde(flatten)]
    migration: Migration,
    /// What to type next, in order.
    next: Vec<String>,
}

impl MigrationReport {
    /// Of this configuration, as it is named in commands.
    pub fn of(config: &Path, migration: Migration) -> Self {
        let named = config.display();
        let mut next = Vec::new();
        if let Some(outputs) = migration.outputs.as_deref().filter(|outputs| is_of_original(outputs)) {
            let moved =
                outputs.with_file_name(format!("{}-moved", outputs.file_name().unwrap_or_default().to_string_lossy()));
            next.push(format!("dlgforge import {} {}", outputs.display(), moved.display()));
            // As the configuration would have it.
            let moved = moved.strip_prefix(&migration.root).unwrap_or(&moved).display();
            next.push(format!("dlgforge check {named} --set saving.output_dir={moved}"));
            next.push(format!("dlgforge run {named} --set saving.output_dir={moved}"));
        } else {
            next.push(format!("dlgforge check {named}"));
            next.push(format!("dlgforge run {named}"));
        }
        Self { version: VERSION, config: named.to_string(), migration, next }
    }

    /// Whether the project can be used as it is.
    pub fn is_clear(&self) -> bool {
        self.migration.refused.is_empty()
    }
}

/// Whether an output folder has what the original writes, and nothing of this program.
fn is_of_original(outputs: &Path) -> bool {
    let has = |name: &str| outputs.join(name).exists();
    (has("coverage_ledger.jsonl") || has("conversations_index.jsonl")) && !has("store")
}

impl fmt::Display for MigrationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Migration { keys, refused, defaults, warnings, .. } = &self.migration;
        if !refused.is_empty() {
            writeln!(f, "refused: write these otherwise")?;
            refused.iter().try_for_each(|why| row(f, "refused", why))?;
        }
        for (verdict, title) in TOLD {
            let own: Vec<&MovedKey> = keys.iter().filter(|key| key.verdict == verdict).collect();
            if own.is_empty() {
                continue;
            }
            writeln!(f, "{title}")?;
            // Keys of which the same is to be known are told of together.
            let mut notes: BTreeMap<&str, Vec<&MovedKey>> = BTreeMap::new();
            own.iter().for_each(|key| notes.entry(key.note).or_default().push(key));
            let mut notes: Vec<_> = notes.into_iter().collect();
            notes.sort_by_key(|(_, keys)| own.iter().position(|key| *key == keys[0]));
            for (note, keys) in notes {
                let names: Vec<_> = keys.iter().map(|key| named(key)).collect();
                let colon = if note.is_empty() { "" } else { ": " };
                row(f, "", &format!("{}{colon}{note}", names.join(", ")))?;
            }
        }
        if !defaults.is_empty() {
            writeln!(f, "left out, and other by default")?;
            defaults.iter().try_for_each(|(key, note)| row(f, "", &format!("{key}: {note}")))?;
        }
        if !warnings.is_empty() {
            writeln!(f, "said when it is used")?;
            warnings.iter().try_for_each(|warning| row(f, "warning", warning))?;
        }
        let count = |verdict| keys.iter().filter(|key| key.verdict == verdict).count();
        writeln!(
            f,
            "{}: {} the same, {} better, {} that differ, {} refused",
            self.config,
            count(Verdict::Same),
            count(Verdict::Better),
            count(Verdict::Differs),
            refused.len()
        )?;
        writeln!(f, "next")?;
        self.next.iter().try_for_each(|command| writeln!(f, "  {command}"))
    }
}

/// A key, with its spelling where that is another one, and its place.
fn named(MovedKey { key, written, place, .. }: &MovedKey) -> String {
    let mut parts = place.rsplit(':');
    // Of a place in the file its line tells enough.
    let place = match (parts.next(), parts.next()) {
        (Some(_), Some(line)) => format!("line {line}"),
        _ => place.clone(),
    };
    match written == key || place.ends_with(written) {
        true => format!("{key} ({place})"),
        false => format!("{key} ({place}: {written})"),
    }
}
