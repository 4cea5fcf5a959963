//! The words of a filter's text.

use super::error::{Place, Problem};

/// A word of the text, at a character from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// The character that it begins at.
    pub at: usize,
    /// What kind of word it is.
    pub word: Word,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A name, or a word of the language.
    Plain(String),
    /// A name in double quotes, without them.
    Name(String),
    /// A text in single quotes, without them.
    Text(String),
    /// A whole number of 64 bits.
    Integer(i64),
    /// Another number, which is finite.
    Float(f64),
    /// A comparison, bracket, comma or dot.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

impl Word {
    /// The word as an error tells it.
    pub fn told(&self) -> String {
        match self {
            Self::Plain(word) => format!("`{word}`"),
            Self::Name(name) => format!("`\"{name}\"`"),
            Self::Text(text) => format!("the text '{text}'"),
            Self::Integer(number) => format!("`{number}`"),
            Self::Float(number) => format!("`{number}`"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// What is no word; longer ones first.
const SYMBOLS: [&str; 12] = ["<=", ">=", "<>", "!=", "==", "=", "<", ">", "(", ")", ",", "."];

/// The words of a text, of which the last is its end.
pub(super) fn words(text: &str) -> Result<Vec<Token>, Place> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut from = 0;
    while let Some(first) = chars.get(from).copied() {
        if first.is_whitespace() {
            from += 1;
            continue;
        }
        let rest = &chars[from..];
        let (word, length) = word(first, rest).map_err(|problem| Place { at: from + 1, problem })?;
        tokens.push(Token { at: from + 1, word });
        from += length;
    }
    tokens.push(Token { at: chars.len() + 1, word: Word::End });
    Ok(tokens)
}

/// The word that these characters begin with, and its length.
fn word(first: char, rest: &[char]) -> Result<(Word, usize), Problem> {
    if matches!(first, '\'' | '"') {
        let (text, length) = quoted(rest).ok_or(Problem::Unclosed)?;
        return Ok((if first == '"' { Word::Name(text) } else { Word::Text(text) }, length));
    }
    let signed = usize::from(matches!(first, '-' | '+'));
    let begins_number = |at: usize| rest.get(at).is_some_and(char::is_ascii_digit);
    if begins_number(signed) || (rest.get(signed) == Some(&'.') && begins_number(signed + 1)) {
        return number(rest);
    }
    if first.is_alphabetic() || first == '_' {
        let text: String = rest.iter().take_while(|char| char.is_alphanumeric() || **char == '_').collect();
        let length = text.chars().count();
        return Ok((Word::Plain(text), length));
    }
    let begins = |symbol: &&str| symbol.chars().enumerate().all(|(at, char)| rest.get(at) == Some(&char));
    match SYMBOLS.into_iter().find(begins) {
        Some(symbol) => Ok((Word::Symbol(symbol), symbol.len())),
        None => {
            Err(Problem::Unexpected { expected: "a column, value, comparison or bracket", found: format!("`{first}`") })
        }
    }
}

/// The text in quotes that these characters begin with, and its length with them; none where it does not end.
fn quoted(rest: &[char]) -> Option<(String, usize)> {
    let quote = rest[0];
    let mut text = String::new();
    let mut at = 1;
    loop {
        let char = *rest.get(at)?;
        at += 1;
        if char == quote {
            if rest.get(at) != Some(&quote) {
                return Some((text, at));
            }
            at += 1;
        }
        text.push(char);
    }
}

fn number(rest: &[char]) -> Result<(Word, usize), Problem> {
    let goes_on = |at: usize| match rest[at] {
        '+' | '-' => at == 0 || matches!(rest[at - 1], 'e' | 'E'),
        char => char.is_alphanumeric() || matches!(char, '.' | '_'),
    };
    let length = (0..rest.len()).find(|at| !goes_on(*at)).unwrap_or(rest.len());
    let text: String = rest[..length].iter().collect();
    let float = || text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Word::Float);
    match text.parse().map(Word::Integer).ok().or_else(float) {
        Some(number) => Ok((number, length)),
        None => Err(Problem::Unexpected { expected: "a number", found: format!("`{text}`") }),
    }
}
