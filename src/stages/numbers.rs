//! The numbers of an answer that no text it may rest on holds: a frequent kind of invention, and one that can be told.
//!
//! Numbers are compared by value, whatever their digits, separators and units. Where a spelling has two readings
//! (`1.240` is 1240 in German and 1.24 in English) both count. What stands in an answer within a word or an identifier,
//! or numbers a list, is not a number; in the known texts every run of digits is one, and so is every number word.

mod scan;
mod spelled;

use scan::Found;
use std::collections::BTreeSet;

/// The numbers of an answer, as written there, each once and in order, that stand in none of the known texts: the
/// passages, the question and what was said before. Number words of the answer are not checked; those of the known
/// texts are read in every language of the table, since an answer may be a translation.
pub(super) fn unsupported(answer: &str, known: &[&str]) -> Vec<String> {
    let asserted: Vec<Found> = scan::numbers(answer).into_iter().filter(|found| found.counts).collect();
    if asserted.is_empty() {
        return Vec::new();
    }
    let values = values(known);
    let mut unsupported: Vec<String> = Vec::new();
    for number in asserted.iter().flat_map(|found| missing(found, &values)) {
        if !unsupported.contains(&number) {
            unsupported.push(number);
        }
    }
    unsupported
}

/// The values of all numbers of the known texts, in figures and in words.
fn values(known: &[&str]) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for text in known {
        for found in scan::numbers(text) {
            values.extend(found.readings);
            values.extend(found.parts.into_iter().map(|part| part.value));
        }
        values.extend(spelled::values(text).into_iter().map(|value| value.to_string()));
    }
    values
}

/// What of a number is not among the values. A date or a version is compared part by part.
fn missing(found: &Found, values: &BTreeSet<String>) -> Vec<String> {
    if found.readings.iter().any(|reading| values.contains(reading)) {
        return Vec::new();
    }
    let lacking = found.parts.iter().filter(|part| !values.contains(&part.value));
    let lacking: Vec<String> = lacking.map(|part| part.text.clone()).collect();
    if found.readings.is_empty() || (lacking.is_empty() && !found.parts.is_empty()) {
        lacking
    } else {
        vec![found.text.clone()]
    }
}

#[cfg(test)]
mod tests;
