//! The grammar of filters: from words to a condition.

use super::error::{Place, Problem};
use super::words::{Token, Word, words};

/// A condition, as its text tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// All of these are true.
    All(Vec<Test>),
    /// Any of these is true.
    Any(Vec<Test>),
    /// This one is not true.
    Not(Box<Test>),
    /// Two values compare so.
    Compare(Operand, Comparison, Operand),
    /// A list has an element that equals a value.
    Element { list: Operand, item: Operand },
    /// A text is like a pattern.
    Like {
        value: Operand,
        pattern: String,
        /// Whether capitals and small letters are the same.
        caseless: bool,
    },
    /// A value is null.
    Null(Operand),
    /// A value is true.
    True(Operand),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// A value of a condition, at a character of the text from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    /// The character that it begins at.
    pub at: usize,
    /// What kind of value it is.
    pub value: Value,
}

/// What a value of a condition is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A column, or a field of it.
    Column(Vec<String>),
    /// How many elements or characters that has.
    Length(Vec<String>),
    /// A whole number of 64 bits.
    Integer(i64),
    /// Another number, which is finite.
    Float(f64),
    Text(String),
    Truth(bool),
}

impl Test {
    /// A column is at least this number.
    pub fn at_least(column: &str, number: f64) -> Self {
        Self::Compare(Operand::column(column), Comparison::AtLeast, Operand { at: 1, value: Value::Float(number) })
    }

    /// A column is this text.
    pub fn equal(column: &str, text: &str) -> Self {
        Self::Compare(Operand::column(column), Comparison::Equal, Operand::text(text))
    }

    /// A column has no value.
    pub fn null(column: &str) -> Self {
        Self::Null(Operand::column(column))
    }

    /// A column's list has this text.
    pub fn has_element(column: &str, text: &str) -> Self {
        Self::Element { list: Operand::column(column), item: Operand::text(text) }
    }

    fn negated(self, negated: bool) -> Self {
        if negated { Self::Not(Box::new(self)) } else { self }
    }
}

impl Operand {
    fn column(name: &str) -> Self {
        Self { at: 1, value: Value::Column(vec![name.to_owned()]) }
    }

    fn text(text: &str) -> Self {
        Self { at: 1, value: Value::Text(text.to_owned()) }
    }
}

/// Words of the language, which names have to be quoted to be.
const WORDS: [&str; 11] = ["and", "or", "not", "in", "like", "ilike", "is", "null", "between", "true", "false"];

/// The condition that a text tells.
pub(super) fn parse(text: &str) -> Result<Test, Place> {
    let mut parser = Parser { tokens: words(text)?, next: 0, open: 0 };
    let test = parser.condition()?;
    match parser.peek().word {
        Word::End => Ok(test),
        _ => Err(parser.expected("`and`, `or` or the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    /// The word to read next; the last one, the end, is never passed.
    next: usize,
    /// How many brackets and negations are open.
    open: usize,
}

impl Parser {
    /// The most brackets and negations that may be open: each takes some of the stack.
    const DEEPEST: usize = 100;

    fn peek(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn expected(&self, expected: &'static str) -> Place {
        let token = self.peek();
        Place { at: token.at, problem: Problem::Unexpected { expected, found: token.word.told() } }
    }

    /// Passes a word of the language if it is next.
    fn has(&mut self, word: &str) -> bool {
        let has = matches!(&self.peek().word, Word::Plain(next) if next.eq_ignore_ascii_case(word));
        self.next += usize::from(has);
        has
    }

    /// Passes a symbol if it is next.
    fn has_symbol(&mut self, symbol: &str) -> bool {
        let has = matches!(self.peek().word, Word::Symbol(next) if next == symbol);
        self.next += usize::from(has);
        has
    }

    fn needs(&mut self, has: bool, expected: &'static str) -> Result<(), Place> {
        if has { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn condition(&mut self) -> Result<Test, Place> {
        self.chain("or", Self::conjunction, Test::Any)
    }

    fn conjunction(&mut self) -> Result<Test, Place> {
        self.chain("and", Self::negation, Test::All)
    }

    fn chain(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Test, Place>,
        of: fn(Vec<Test>) -> Test,
    ) -> Result<Test, Place> {
        let first = part(self)?;
        let mut tests = vec![first];
        while self.has(word) {
            tests.push(part(self)?);
        }
        Ok(if tests.len() > 1 { of(tests) } else { tests.remove(0) })
    }

    fn negation(&mut self) -> Result<Test, Place> {
        let at = self.peek().at;
        let not = self.has("not");
        if !not && !self.has_symbol("(") {
            return self.test();
        }
        self.open += 1;
        if self.open > Self::DEEPEST {
            return Err(Place { at, problem: Problem::Deep(Self::DEEPEST) });
        }
        let test = if not { self.negation()?.negated(true) } else { self.condition()? };
        if !not {
            let closed = self.has_symbol(")");
            self.needs(closed, "`and`, `or` or `)`")?;
        }
        self.open -= 1;
        Ok(test)
    }

    fn test(&mut self) -> Result<Test, Place> {
        let value = self.value()?;
        if let Some(comparison) = self.comparison() {
            return Ok(Test::Compare(value, comparison, self.value()?));
        }
        if self.has("is") {
            let not = self.has("not");
            let null = self.has("null");
            self.needs(null, if not { "`null`" } else { "`null` or `not null`" })?;
            return Ok(Test::Null(value).negated(not));
        }
        let not = self.has("not");
        let caseless = self.has("ilike");
        let test = if caseless || self.has("like") {
            Test::Like { value, pattern: self.text()?, caseless }
        } else if self.has("between") {
            let least = self.value()?;
            let and = self.has("and");
            self.needs(and, "`and` with the upper end of `between`")?;
            let most = self.value()?;
            let low = Test::Compare(value.clone(), Comparison::AtLeast, least);
            Test::All(vec![low, Test::Compare(value, Comparison::AtMost, most)])
        } else if self.has("in") {
            self.within(value)?
        } else if not {
            return Err(self.expected("`in`, `like`, `ilike` or `between` after `not`"));
        } else if matches!(value.value, Value::Column(_)) && self.ends_test() {
            return Ok(Test::True(value));
        } else {
            return Err(self.expected("a comparison, `in`, `like`, `ilike`, `between` or `is`"));
        };
        Ok(test.negated(not))
    }

    fn within(&mut self, value: Operand) -> Result<Test, Place> {
        if !self.has_symbol("(") {
            let list = self.value()?;
            return Ok(Test::Element { list, item: value });
        }
        let mut tests = Vec::new();
        loop {
            tests.push(Test::Compare(value.clone(), Comparison::Equal, self.value()?));
            if self.has_symbol(")") {
                return Ok(Test::Any(tests));
            }
            let more = self.has_symbol(",");
            self.needs(more, "`,` or `)`")?;
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let Word::Symbol(symbol) = self.peek().word else { return None };
        let comparison = match symbol {
            "=" | "==" => Comparison::Equal,
            "!=" | "<>" => Comparison::Unequal,
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            ">" => Comparison::More,
            ">=" => Comparison::AtLeast,
            _ => return None,
        };
        self.next += 1;
        Some(comparison)
    }

    fn text(&mut self) -> Result<String, Place> {
        let Word::Text(text) = &self.peek().word else { return Err(self.expected("a pattern in single quotes")) };
        let text = text.clone();
        self.next += 1;
        Ok(text)
    }

    fn value(&mut self) -> Result<Operand, Place> {
        let Token { at, word } = self.peek().clone();
        let value = match word {
            Word::Integer(number) => Value::Integer(number),
            Word::Float(number) => Value::Float(number),
            Word::Text(text) => Value::Text(text),
            Word::Plain(word) if word.eq_ignore_ascii_case("true") => Value::Truth(true),
            Word::Plain(word) if word.eq_ignore_ascii_case("false") => Value::Truth(false),
            Word::Plain(word) if word.eq_ignore_ascii_case("len") && self.opens_after() => {
                self.next += 2;
                let path = self.path()?;
                let closed = self.has_symbol(")");
                self.needs(closed, "`)`")?;
                return Ok(Operand { at, value: Value::Length(path) });
            }
            Word::Plain(_) | Word::Name(_) => return Ok(Operand { at, value: Value::Column(self.path()?) }),
            Word::Symbol(_) | Word::End => return Err(self.expected("a value")),
        };
        self.next += 1;
        Ok(Operand { at, value })
    }

    /// Whether the next word comes after a test.
    fn ends_test(&self) -> bool {
        match &self.peek().word {
            Word::Plain(word) => ["and", "or"].iter().any(|joins| word.eq_ignore_ascii_case(joins)),
            word => matches!(word, Word::End | Word::Symbol(")")),
        }
    }

    /// Whether a bracket follows the next word.
    fn opens_after(&self) -> bool {
        self.tokens.get(self.next + 1).is_some_and(|token| token.word == Word::Symbol("("))
    }

    fn path(&mut self) -> Result<Vec<String>, Place> {
        let mut path = Vec::new();
        loop {
            let name = match &self.peek().word {
                Word::Name(name) => name.clone(),
                Word::Plain(word) if path.is_empty() && WORDS.iter().any(|own| word.eq_ignore_ascii_case(own)) => {
                    return Err(self.expected("a value"));
                }
                Word::Plain(word) => word.clone(),
                _ if path.is_empty() => return Err(self.expected("a column")),
                _ => return Err(self.expected("a field")),
            };
            path.push(name);
            self.next += 1;
            if !self.has_symbol(".") {
                return Ok(path);
            }
        }
    }
}
