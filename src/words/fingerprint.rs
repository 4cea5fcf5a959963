//! When two questions are the same: normalised text, as 128 bits.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use xxhash_rust::xxh3::xxh3_128;

/// XXH3-128 of a question's normalised text. Pinned: stored fingerprints of earlier releases stay comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// Questions that differ in compatibility forms, case or white space only have one fingerprint.
    pub fn of(question: &str) -> Self {
        Self(xxh3_128(normalised(question).as_bytes()))
    }

    /// The worker that keeps it, when taken modulo their number.
    pub fn home(self) -> u64 {
        self.0 as u64
    }
}

/// Unicode NFKC, lower-cased, white space collapsed to single spaces and trimmed.
pub fn normalised(text: &str) -> String {
    collapsed(&text.nfkc().collect::<String>().to_lowercase().nfkc().collect::<String>())
}

/// First 16 hexadecimal digits of the SHA-256 of the lower-cased question with collapsed white space: the form the
/// ledger records.
pub fn question_hash(question: &str) -> String {
    let digest = Sha256::digest(collapsed(&question.to_lowercase()).as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sameness_ignores_case_space_and_compatibility_forms() {
        for (one, other) in [
            ("What is  a WAL?", " what is a wal?\n"),
            ("ﬁle № 1", "FILE no 1"),
            ("Caf\u{e9}", "cafe\u{301}"),
            ("ＡＢＣ\u{3000}x", "abc x"),
        ] {
            assert_eq!(Fingerprint::of(one), Fingerprint::of(other), "{one:?} / {other:?}");
        }
        assert_ne!(Fingerprint::of("What is a WAL?"), Fingerprint::of("What is a WAL"));
    }

    #[test]
    fn the_hash_is_pinned() {
        assert_eq!(Fingerprint::of("What is a WAL?").0, 17722921386437372970425220121823003643);
        assert_eq!(question_hash("What is  a WAL?"), "c7067016fbb6daa2");
    }
}
