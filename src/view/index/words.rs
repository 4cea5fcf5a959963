//! What a text is searched by: its words, without what writers may leave out.

use crate::domain::Normalisation;

/// What Arabic joins to the beginning of a word: the article, alone and after short words.
const ARTICLES: [&str; 5] = ["ال", "وال", "بال", "لل", "فال"];

/// The text that is indexed: lower case, without invisible characters, signs of vowels and the shapes of letters that Arabic writes one
/// for another. Signs of Chinese and Japanese stand alone, for nothing parts their words.
pub fn searched(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for sign in Normalisation::Full.of(text).chars() {
        if is_ideograph(sign) {
            plain.extend([' ', sign, ' ']);
        } else {
            plain.push(folded(sign));
        }
    }
    plain
}

/// The letter that stands for those which Arabic writes one for another.
fn folded(letter: char) -> char {
    match letter {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' => 'ي',
        'ة' => 'ه',
        _ => letter,
    }
}

fn is_ideograph(sign: char) -> bool {
    matches!(sign, '\u{2e80}'..='\u{2fdf}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The question to FTS5 that finds texts with all words of the query, each perhaps longer; what stands between quotation marks is a phrase.
/// None where it has no words.
pub fn asked(query: &str) -> Option<String> {
    let mut terms = Vec::new();
    for (number, part) in query.split(['"', '“', '”', '«', '»']).enumerate() {
        let plain = searched(part);
        let words = || plain.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric));
        if number % 2 == 1 {
            let phrase = words().collect::<Vec<_>>().join(" ");
            terms.extend((!phrase.is_empty()).then(|| quoted(&phrase)));
            continue;
        }
        // A run of ideographs is one word, sign after sign.
        let mut run = String::new();
        for word in words() {
            if word.chars().all(is_ideograph) {
                run = format!("{run} {word}");
                continue;
            }
            terms.extend((!run.is_empty()).then(|| quoted(std::mem::take(&mut run).trim())));
            terms.push(prefix(word));
        }
        terms.extend((!run.is_empty()).then(|| quoted(run.trim())));
    }
    (!terms.is_empty()).then(|| terms.join(" AND "))
}

/// Words that begin so; of Arabic with the article too.
fn prefix(word: &str) -> String {
    let begins = |word: &str| format!("{}*", quoted(word));
    if !word.starts_with(|letter| matches!(letter, '\u{600}'..='\u{6ff}')) {
        return begins(word);
    }
    let with: Vec<String> = ARTICLES.iter().map(|article| begins(&format!("{article}{word}"))).collect();
    format!("({} OR {})", begins(word), with.join(" OR "))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_words_that_may_go_on_and_phrases() {
        for (query, expected) in [
            ("Night sky", Some("\"night\"* AND \"sky\"*")),
            ("\"Night Sky\" mars", Some("\"night sky\" AND \"mars\"*")),
            ("東京 2020", Some("\"東 京\" AND \"2020\"*")),
            (" * ( ) AND", Some("\"and\"*")),
            ("\" - \"", None),
            ("", None),
        ] {
            assert_eq!(asked(query).as_deref(), expected, "{query}");
        }
        let arabic = asked("مَدِينَة").unwrap_or_default();
        assert!(arabic.starts_with("(\"مدينه\"* OR \"المدينه\"*"), "{arabic}");
    }

    #[test]
    fn what_writers_may_leave_out_is_left_out() {
        assert_eq!(searched("الأُولى"), "الاولي");
        assert_eq!(searched("a\u{202e}b"), "ab");
    }
}
