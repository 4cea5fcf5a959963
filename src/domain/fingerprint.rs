//! A question as 128 bits: equal where its normalised text is.

use super::normalisation::{Normalisation, collapsed};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_128;

/// XXH3-128 of a question's normalised text. Pinned: stored fingerprints of earlier releases stay comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// Questions that this normalisation makes the same have one fingerprint.
    pub fn of(question: &str, normalisation: Normalisation) -> Self {
        Self(xxh3_128(normalisation.of(question).as_bytes()))
    }

    /// The worker that keeps it, when taken modulo their number.
    pub fn home(self) -> u64 {
        self.0 as u64
    }
}

/// As 32 hexadecimal digits where people may read it: numbers in JSON have less than 128 bits for most readers.
impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => format!("{:032x}", self.0).serialize(serializer),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u128::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(|_| D::Error::custom(format!("no fingerprint: `{text}`")))
    }
}

/// First 16 hexadecimal digits of the SHA-256 of the lower-cased question with collapsed white space: the form the
/// ledger records, whatever questions are compared by.
pub fn question_hash(question: &str) -> String {
    let digest = Sha256::digest(collapsed(&question.to_lowercase()).as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_pinned() {
        let question = "What is a WAL?";
        let hash = |normalisation| Fingerprint::of(question, normalisation).0;
        let with_its_mark = 17722921386437372970425220121823003643;
        assert_eq!((hash(Normalisation::Contract), hash(Normalisation::Compatible)), (with_its_mark, with_its_mark));
        assert_eq!(hash(Normalisation::Full), xxh3_128(b"what is a wal"));
        assert_eq!(question_hash("What is  a WAL?"), "c7067016fbb6daa2");
    }
}
