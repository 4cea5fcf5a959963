//! Messages that are alike are told once, and counted: a log has each of them, a terminal need not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long messages like one that was told are held back.
const HELD: Duration = Duration::from_secs(60);
/// Kinds of messages that are remembered.
const KINDS: usize = 1_000;

/// What was told, and what is held back since.
#[derive(Debug, Default)]
pub struct Repeats {
    kinds: BTreeMap<String, Kind>,
}

#[derive(Debug)]
struct Kind {
    told: Instant,
    /// How many were held back since.
    held: u64,
    /// The last of them.
    last: String,
}

impl Repeats {
    /// What is to be told when this message comes: the message, or nothing while one like it was told a short while ago.
    pub fn hear(&mut self, message: &str, now: Instant) -> Vec<String> {
        let kind = kind(message);
        if let Some(known) = self.kinds.get_mut(&kind) {
            if now.saturating_duration_since(known.told) < HELD {
                (known.held, known.last) = (known.held + 1, message.to_owned());
                return Vec::new();
            }
            known.told = now;
            return vec![with_count(message, std::mem::take(&mut known.held))];
        }
        let mut told = if self.kinds.len() < KINDS { Vec::new() } else { self.rest() };
        self.kinds.insert(kind, Kind { told: now, held: 0, last: String::new() });
        told.push(message.to_owned());
        told
    }

    /// What is held back still, which is forgotten.
    pub fn rest(&mut self) -> Vec<String> {
        let kinds = std::mem::take(&mut self.kinds).into_values().filter(|kind| kind.held > 0);
        kinds.map(|kind| with_count(&kind.last, kind.held - 1)).collect()
    }
}

fn with_count(message: &str, more: u64) -> String {
    if more == 0 { message.to_owned() } else { format!("{message} … (and {more} more like it)") }
}

/// What messages that are alike have in common: all but their numbers.
fn kind(message: &str) -> String {
    let mut kind = String::with_capacity(message.len());
    for c in message.chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if c != '0' || !kind.ends_with('0') {
            kind.push(c);
        }
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_numbers_are_told_once_and_counted() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(repeats.hear("conversation=r-en-0007 dropped", at(0)), ["conversation=r-en-0007 dropped"]);
        assert_eq!(repeats.hear("disk full", at(0)), ["disk full"]);
        for number in 8..50 {
            assert!(repeats.hear(&format!("conversation=r-en-{number:04} dropped"), at(1)).is_empty());
        }
        assert_eq!(repeats.rest(), ["conversation=r-en-0049 dropped … (and 41 more like it)"]);
        assert_eq!(repeats.rest(), Vec::<String>::new());
    }

    #[test]
    fn what_goes_on_is_told_again_after_a_while() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.hear("1 failed", start), ["1 failed"]);
        assert!(repeats.hear("2 failed", start + HELD / 2).is_empty());
        assert!(repeats.hear("3 failed", start + HELD / 2).is_empty());
        assert_eq!(repeats.hear("4 failed", start + HELD), ["4 failed … (and 2 more like it)"]);
        assert!(repeats.hear("5 failed", start + HELD).is_empty());
        assert_eq!(repeats.rest(), ["5 failed"], "a single one that was held back is told as it is");
    }

    #[test]
    fn no_more_kinds_are_kept_than_fit() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for number in 0..10 * KINDS {
            let word: String = number.to_string().bytes().map(|digit| char::from(digit + 50)).collect();
            let told = repeats.hear(&word, now).len() + repeats.hear(&word, now).len();
            assert!(told == 1 || told == 1 + KINDS, "{told}");
            assert!(repeats.kinds.len() <= KINDS);
        }
    }
}
