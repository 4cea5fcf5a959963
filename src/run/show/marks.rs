//! Which sentences of a passage an answer cites.

use std::ops::Range;

/// What stands before and after a sentence that is cited.
pub const MARKS: [char; 2] = ['⟦', '⟧'];

/// The passage with marks around what these pieces of evidence say, as far as it has their words; and the pieces of which it has
/// none. Case, white space and punctuation make no difference, and in a piece `…` stands for words that are left out.
pub fn marked(passage: &str, evidence: &[String]) -> (String, Vec<String>) {
    let (letters, places) = letters(passage);
    let (mut cited, mut strange) = (Vec::new(), Vec::new());
    for piece in evidence {
        let parts = piece.split('…').flat_map(|part| part.split("...")).map(|part| self::letters(part).0);
        let found: Vec<Range<usize>> = parts.filter_map(|part| place(&letters, &part)).collect();
        if found.is_empty() && !piece.trim().is_empty() {
            strange.push(piece.clone());
        }
        cited.extend(found.into_iter().map(|range| places[range.start].start..places[range.end - 1].end));
    }
    cited.sort_by_key(|range| (range.start, range.end));
    let mut text = String::with_capacity(passage.len() + 8 * cited.len());
    let mut done = 0;
    for range in joined(cited) {
        let end = range.end + passage[range.end..].find(char::is_whitespace).unwrap_or(passage.len() - range.end);
        text += &passage[done..range.start];
        text.push(MARKS[0]);
        text += &passage[range.start..end];
        text.push(MARKS[1]);
        done = end;
    }
    (text + &passage[done..], strange)
}

/// The letters and digits of a text in lower case, and where each stands in it.
fn letters(text: &str) -> (Vec<char>, Vec<Range<usize>>) {
    let own = text.char_indices().filter(|(_, c)| c.is_alphanumeric());
    let lower = own.flat_map(|(at, c)| c.to_lowercase().map(move |lower| (lower, at..at + c.len_utf8())));
    lower.unzip()
}

fn place(letters: &[char], part: &[char]) -> Option<Range<usize>> {
    let at = (!part.is_empty()).then(|| letters.windows(part.len()).position(|window| window == part))??;
    Some(at..at + part.len())
}

/// The ranges with those in one that overlap.
fn joined(sorted: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in sorted {
        match joined.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cited_is_marked_where_it_stands() {
        for (passage, evidence, expected, strange) in [
            ("One is. Two are. Three too.", &["two are"][..], "One is. ⟦Two are.⟧ Three too.", &[][..]),
            ("One is. Two are. Three too.", &["One is … three too"], "⟦One is.⟧ Two are. ⟦Three too.⟧", &[]),
            ("One is.\nTwo are.", &["one is. Two are.", "Two"], "⟦One is.\nTwo are.⟧", &[]),
            ("One is.", &["Nothing of it", " "], "One is.", &["Nothing of it"]),
            ("Ça, c’est l’Été!", &["c’est l'été"], "Ça, ⟦c’est l’Été!⟧", &[]),
            ("الماء يغلي. ثم يبرد.", &["ثم يبرد"], "الماء يغلي. ⟦ثم يبرد.⟧", &[]),
            ("", &["x"], "", &["x"]),
        ] {
            let evidence: Vec<String> = evidence.iter().map(|piece| (*piece).to_owned()).collect();
            let strange: Vec<String> = strange.iter().map(|piece: &&str| (*piece).to_owned()).collect();
            assert_eq!(marked(passage, &evidence), (expected.to_owned(), strange), "{passage}");
        }
    }
}
