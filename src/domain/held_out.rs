//! Texts that are kept apart for tests, and what messages have in common with them.

use super::minhash::MinHash;
use super::normalisation::Normalisation;
use super::script::{Script, is_unspaced};
use super::settled_questions::SettledQuestions;
use super::sketch::{Measure, Similarity, Sketch};
use super::slot::Rank;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// What a message has in common with a held-out text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Overlap {
    /// Where the held-out text stands: the file, and its row or line.
    pub held_out: Arc<str>,
    /// The words in a row that both have; the whole held-out text, where the two are near-duplicates.
    pub text: Arc<str>,
    /// How alike the two are, where they share fewer words in a row.
    pub similarity: Option<Similarity>,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held_out, text, similarity } = self;
        match similarity {
            Some(similarity) => {
                write!(f, "is too close ({:.2}) to the held-out {held_out}: `{text}`", similarity.share())
            }
            None => write!(f, "has words of the held-out {held_out}: `{text}`"),
        }
    }
}

/// Texts that no question and no answer may have too much in common with.
pub struct HeldOut {
    minhash: MinHash,
    /// How many words in a row are too many.
    ngram: u16,
    /// Where each text stands.
    places: Vec<Box<str>>,
    /// Hashes of so many words in a row, each with the number of the first text that has them, in order.
    grams: Vec<(u64, u32)>,
    /// The texts by their number, which is the index of their rank.
    texts: SettledQuestions,
}

/// A text to hold out, and where it stands.
pub type Placed = (Box<str>, String);

impl HeldOut {
    /// Of texts that no message may share so many words in a row with, or be a near-duplicate of.
    pub fn new(minhash: MinHash, ngram: u16, placed: Vec<Placed>) -> Self {
        let mut seen = HashSet::new();
        let (places, texts): (Vec<_>, Vec<_>) =
            placed.into_iter().filter(|(_, text)| seen.insert(xxh3_128(text.as_bytes()))).unzip();
        let read = |text: &String| {
            let normal = Normalisation::Full.of(text);
            (grams(&normal, ngram).map(|(hash, _)| hash).collect::<Vec<_>>(), minhash.sketch(text))
        };
        let read: Vec<(Vec<u64>, Sketch)> = texts.par_iter().map(read).collect();
        let (mut all, mut held) = (Vec::new(), SettledQuestions::new(Measure::MinHash(minhash)));
        for (number, (hashes, sketch)) in (0..).zip(read) {
            all.extend(hashes.into_iter().map(|hash| (hash, number)));
            held.insert(Rank { index: number, ..Rank::default() }, &sketch);
        }
        all.par_sort_unstable();
        all.dedup_by_key(|(hash, _)| *hash);
        all.shrink_to_fit();
        Self { minhash, ngram, places, grams: all, texts: held }
    }

    /// How many texts there are, each once.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What the words of a question have in common with one of the texts, if that is too much.
    pub fn in_question(&self, question: &str) -> Option<Overlap> {
        self.shared(question).or_else(|| self.near(question))
    }

    /// The same for an answer. One of fewer words says too little to be taken from any.
    pub fn in_answer(&self, answer: &str) -> Option<Overlap> {
        let is_long = || grams(&Normalisation::Full.of(answer), self.ngram).next().is_some();
        self.shared(answer).or_else(|| is_long().then(|| self.near(answer)).flatten())
    }

    /// The first words in a row that a message shares with a text.
    fn shared(&self, message: &str) -> Option<Overlap> {
        let normal = Normalisation::Full.of(message);
        let found = grams(&normal, self.ngram).find_map(|(hash, words)| {
            let at = self.grams.binary_search_by_key(&hash, |(hash, _)| *hash).ok()?;
            Some((self.grams[at].1, words))
        });
        found.map(|(number, words)| Overlap {
            held_out: (*self.places[number as usize]).into(),
            text: normal[words].into(),
            similarity: None,
        })
    }

    /// The first text that a message is a near-duplicate of.
    fn near(&self, message: &str) -> Option<Overlap> {
        let near = self.texts.lowest(Rank::END, &self.minhash.sketch(message))?;
        Some(Overlap {
            held_out: (*self.places[near.rank.index as usize]).into(),
            text: near.text,
            similarity: Some(near.similarity),
        })
    }
}

/// Parts that a word counts.
const WORD: u32 = 4;

/// Every so many words in a row of a normalised text: their hash, and where they stand.
fn grams(text: &str, ngram: u16) -> impl Iterator<Item = (u64, Range<usize>)> {
    let words: Vec<(usize, &str)> = text.unicode_word_indices().collect();
    let mut end = 0;
    let mut parts = 0;
    (0..words.len()).map_while(move |first| {
        while parts < u32::from(ngram) * WORD {
            parts += parts_of(words.get(end)?.1);
            end += 1;
        }
        parts -= parts_of(words[first].1);
        let mut hash = Xxh3::new();
        for (_, word) in &words[first..end] {
            hash.update(word.as_bytes());
            hash.update(b" ");
        }
        let (last, word) = words[end - 1];
        Some((hash.digest(), words[first].0..last + word.len()))
    })
}

/// How much of a word this is: scripts without blanks come character by character, of which two make a word where they are syllables or
/// more, and four in the alphabets of Thai, Lao, Khmer and Burmese.
fn parts_of(word: &str) -> u32 {
    let mut letters = word.chars().filter(|c| c.is_alphanumeric());
    match (letters.next().and_then(Script::of), letters.next()) {
        (Some(Script::Han | Script::Japanese), None) => WORD / 2,
        _ if word.starts_with(is_unspaced) => WORD / 4,
        _ => WORD,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn held_out(texts: &[&str]) -> HeldOut {
        let placed = texts.iter().zip(1..).map(|(text, row)| (format!("t.jsonl:{row}").into(), (*text).to_owned()));
        HeldOut::new(MinHash::new(0.8), 8, placed.collect())
    }

    const BRIDGE: &str = "Which of the four engineers that built the old iron bridge at Lyon was born first?";

    #[test]
    fn eight_words_in_a_row_are_too_many_and_seven_are_not() {
        let held_out = held_out(&["Who?", BRIDGE, BRIDGE]);
        assert_eq!(held_out.len(), 2, "each once");
        let eight = "He asked: “that built the old, iron bridge at Lyon”!";
        let found = held_out.in_answer(eight).unwrap();
        assert_eq!((&*found.held_out, &*found.text), ("t.jsonl:2", "that built the old iron bridge at lyon"));
        assert_eq!(found.similarity, None);
        assert_eq!(held_out.in_question(eight), Some(found));
        assert_eq!(held_out.in_answer("He asked who built the old iron bridge at Lyon and when."), None);
    }

    #[test]
    fn a_question_in_other_words_is_too_close_and_a_brief_answer_is_not() {
        let held_out = held_out(&["When was the bridge built?", "Yes, it is."]);
        for question in ["when was this bridge built", "Yes, it is!"] {
            let found = held_out.in_question(question);
            assert_eq!(found.is_some(), question.starts_with('Y'), "{question}: {found:?}");
        }
        assert_eq!(
            held_out.in_question("When was the bridge built"),
            Some(Overlap {
                held_out: "t.jsonl:1".into(),
                text: "When was the bridge built?".into(),
                similarity: Some(Similarity(1_000_000)),
            })
        );
        assert_eq!(held_out.in_answer("Yes, it is."), None);
    }

    #[test]
    fn words_are_counted_as_their_script_has_them() {
        for (held, message, is_shared) in [
            ("轮胎的允许压力范围是多少以及如何测量它", "请问轮胎的允许压力范围是多少以及如何测量", true),
            ("轮胎的允许压力范围是多少以及如何测量它", "请问轮胎的允许压力范围是什么", false),
            (
                "ما هو الضغط المسموح به لإطارات الطرق في الصيف",
                "قال: ما هو الضَّغط المسموح به لإطارات الطرق في الشتاء",
                true,
            ),
            ("ما هو الضغط المسموح به لإطارات الطرق", "قال: ما هو الضَّغط المسموح به لإطارات الجبال", false),
            ("ยางรถยนต์ควรมีแรงดันเท่าไรในฤดูหนาวของประเทศไทย", "ถามว่ายางรถยนต์ควรมีแรงดันเท่าไรในฤดูหนาวของประเทศลาว", true),
            ("ยางรถยนต์ควรมีแรงดันเท่าไร", "ยางรถยนต์ราคาเท่าไร", false),
            (
                "이 다리는 언제 누가 어떤 돈으로 왜 지었습니까 그리고",
                "묻기를 이 다리는 언제 누가 어떤 돈으로 왜 지었습니까",
                true,
            ),
        ] {
            let found = held_out(&[held]).in_answer(message);
            assert_eq!(
                found.as_ref().is_some_and(|found| found.similarity.is_none()),
                is_shared,
                "{message}: {found:?}"
            );
        }
    }
}
