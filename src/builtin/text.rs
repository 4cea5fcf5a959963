//! Passages as they are cut from documents, and the whole sentences that can be quoted from them.

use super::languages::Language;
use crate::domain::normalisation::collapsed;
use std::sync::Arc;
use unicode_segmentation::UnicodeSegmentation;

/// A sentence that stands complete in its passage, free of markdown marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    /// The sentence, in one line.
    pub(super) text: String,
    /// The heading it stands under, as far as the passage shows it.
    pub(super) heading: Option<Arc<str>>,
    /// Number of its paragraph or list item within the passage.
    pub(super) block: usize,
}

/// Fewest and most words of a sentence worth quoting.
const WORDS: std::ops::RangeInclusive<usize> = 5..=48;
/// Most words of an unmarked line that is taken for a heading.
const HEADING_WORDS: usize = 8;

/// The complete sentences of a passage, in order. `opening` says that the passage starts its document; any other may
/// start and end in the middle of a sentence, and such fragments are left out.
pub(super) fn sentences(passage: &str, opening: bool, language: &Language) -> Vec<Sentence> {
    let blocks = blocks(passage);
    let mut heading: Option<Arc<str>> = None;
    let mut found = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let torn = number == 0 && !opening && block.kind == Kind::Paragraph;
        if is_heading(&blocks, number, opening) {
            heading = Some(block.text.as_str().into());
            continue;
        }
        let pieces = split(&block.text, language);
        for (at, text) in pieces.into_iter().enumerate() {
            let whole_start = if torn && at == 0 { language.sheet.grammar.capitals_tell } else { true };
            if whole_start && quotable(&text) {
                found.push(Sentence { text, heading: heading.clone(), block: number });
            }
        }
    }
    found
}

/// The headings that a passage shows, in order.
pub(super) fn headings(passage: &str, opening: bool) -> Vec<String> {
    let blocks = blocks(passage);
    let titles = (0..blocks.len()).filter(|at| is_heading(&blocks, *at, opening));
    titles.map(|at| blocks[at].text.clone()).collect()
}

/// Whether a block is a heading by its marks or looks like one. A passage from the middle of its document may start and
/// end within a paragraph.
fn is_heading(blocks: &[Block], at: usize, opening: bool) -> bool {
    let (block, whole) = (&blocks[at], (at > 0 || opening) && at + 1 < blocks.len());
    block.kind == Kind::Heading || (whole && looks_like_heading(block))
}

fn looks_like_heading(block: &Block) -> bool {
    block.kind == Kind::Paragraph
        && !block.text.ends_with([':', ',', ';', '،', '؛'])
        && !ends_whole(&block.text)
        && starts_whole(&block.text)
        && block.text.unicode_words().count() <= HEADING_WORDS
}

fn quotable(text: &str) -> bool {
    starts_whole(text) && ends_whole(text) && balanced(text) && WORDS.contains(&text.unicode_words().count())
}

fn starts_whole(text: &str) -> bool {
    let first = text.trim_start_matches(['"', '“', '„', '«', '(', '¿', '¡', '\'', '‘', ' ', '\u{a0}']).chars().next();
    first.is_some_and(|c| c.is_alphabetic() && !c.is_lowercase())
}

fn ends_whole(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '“', '»', ')', '\'', '’', ' ', '\u{a0}']).ends_with(['.', '!', '…', '。', '！'])
}

fn balanced(text: &str) -> bool {
    let count = |wanted: char| text.chars().filter(|c| *c == wanted).count();
    count('(') == count(')')
        && count('«') == count('»')
        && count('"') % 2 == 0
        && (count('“') == count('”') || count('“') == count('„'))
        && !text.contains(['|', '{', '}'])
}

/// Sentences by UAX #29, those cut after an abbreviation or an initial joined again.
fn split(text: &str, language: &Language) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    for piece in text.split_sentence_bounds() {
        match whole.last_mut() {
            Some(last) if breaks_off(last, language) => last.push_str(piece),
            _ => whole.push(piece.to_owned()),
        }
    }
    whole.into_iter().map(|sentence| sentence.trim().to_owned()).filter(|sentence| !sentence.is_empty()).collect()
}

fn breaks_off(sentence: &str, language: &Language) -> bool {
    let Some(last) = sentence.split_whitespace().next_back() else { return false };
    let Some(word) = last.strip_suffix('.') else { return false };
    let word = word.trim_start_matches(['(', '"', '“', '„', '«']).to_lowercase();
    let initial = word.chars().count() == 1 && word.chars().all(|c| c.is_lowercase());
    initial || language.sheet.grammar.abbreviations.split_whitespace().any(|known| known == word)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heading,
    Paragraph,
    Item,
}

#[derive(Debug)]
struct Block {
    kind: Kind,
    text: String,
}

/// Headings, paragraphs and list items; tables, rules and code are left out.
fn blocks(passage: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    let mut code = false;
    for line in passage.lines().map(str::trim) {
        let line = line.trim_start_matches('>').trim_start();
        if line.starts_with("```") || line.starts_with("~~~") {
            code = !code;
            open = false;
        } else if code || line.is_empty() || line.starts_with('|') {
            open = false;
        } else if !line.is_empty() && line.chars().all(|c| matches!(c, '=' | '-' | '*' | '_' | ' ')) {
            if let Some(last) = blocks.last_mut().filter(|last| open && last.kind == Kind::Paragraph) {
                last.kind = Kind::Heading;
            }
            open = false;
        } else if let Some(title) = heading(line) {
            blocks.push(Block { kind: Kind::Heading, text: title.to_owned() });
            open = false;
        } else if let Some(item) = item(line) {
            blocks.push(Block { kind: Kind::Item, text: item.to_owned() });
            open = true;
        } else {
            match blocks.last_mut().filter(|_| open) {
                Some(last) => last.text = format!("{} {line}", last.text),
                None => blocks.push(Block { kind: Kind::Paragraph, text: line.to_owned() }),
            }
            open = true;
        }
    }
    for block in &mut blocks {
        block.text = plain(&block.text);
    }
    blocks.retain(|block| !block.text.is_empty());
    blocks
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    let level = line.len() - title.len();
    ((1..=6).contains(&level) && title.starts_with(char::is_whitespace)).then(|| title.trim_matches(['#', ' ', '\t']))
}

fn item(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(['-', '*', '+', '•', '–']).or_else(|| {
        let rest = line.trim_start_matches(|c: char| c.is_numeric());
        if rest.len() < line.len() { rest.strip_prefix(['.', ')']) } else { None }
    })?;
    rest.starts_with(char::is_whitespace).then(|| rest.trim_start())
}

/// Text without emphasis, code marks, links, notes and tags, white space collapsed.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        rest = match c {
            '*' | '`' => tail,
            '_' if tail.starts_with('_') || touches_edge(&out, tail) => tail,
            '!' if tail.starts_with('[') => tail,
            '[' => link(tail, &mut out),
            '<' if tail.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') => {
                tail.find('>').map_or(tail, |end| &tail[end + 1..])
            }
            _ => {
                out.push(c);
                tail
            }
        };
    }
    collapsed(&out)
}

fn touches_edge(before: &str, after: &str) -> bool {
    !before.ends_with(char::is_alphanumeric) || !after.starts_with(char::is_alphanumeric)
}

/// Writes a link's text and returns what follows the link; a note's mark (`[3]`, `[^a]`) is dropped.
fn link<'a>(tail: &'a str, out: &mut String) -> &'a str {
    let Some(end) = tail.find(']') else { return tail };
    let (label, after) = (&tail[..end], &tail[end + 1..]);
    let note = label.starts_with('^') || (!label.is_empty() && label.chars().all(char::is_numeric));
    if note {
        out.truncate(out.trim_end().len());
    } else {
        out.push_str(label.trim_start_matches('['));
    }
    match after.strip_prefix('(') {
        Some(target) => target.find(')').map_or(after, |close| &target[close + 1..]),
        None => after,
    }
}

/// Whether a sentence was said in a text; its first letter may have lost its capital there.
pub(super) fn is_said(sentence: &str, within: &str) -> bool {
    let rest = sentence.chars().next().map_or("", |first| &sentence[first.len_utf8()..]);
    within.contains(rest)
}

/// White space collapsed, cut at a word's end to at most `limit` characters.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    let mut short = String::new();
    let mut length = 0;
    for word in plain(text).split(' ') {
        length += word.chars().count() + 1;
        if length > limit + 1 && !short.is_empty() {
            break;
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short.extend(word.chars().take(limit));
    }
    short
}

/// What the person said, by a history: the first line of each message.
pub(super) fn asked(history: &str) -> impl Iterator<Item = &str> {
    let said = |line: &str| {
        let (turn, _) = line.split_once(" - User: ")?;
        let number = turn.strip_prefix("Turn ")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(turn.len() + " - User: ".len())
    };
    history.lines().filter_map(move |line| said(line).map(|start| &line[start..]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::languages::find;
    use super::*;

    fn read(text: &str, opening: bool, code: &str) -> Vec<String> {
        sentences(text, opening, find(code).unwrap()).into_iter().map(|sentence| sentence.text).collect()
    }

    #[test]
    fn fragments_at_both_ends_are_left_out() {
        let cut = "of the mixture rises slowly. A warm kitchen shortens the first rise. The second rise takes about";
        assert_eq!(read(cut, false, "en"), ["A warm kitchen shortens the first rise."]);
        let german = "Teig ruht dann eine ganze Stunde lang. Danach wird er auf dem Tisch geformt.";
        assert_eq!(read(german, false, "de"), ["Danach wird er auf dem Tisch geformt."]);
        assert_eq!(read(german, true, "de").len(), 2);
        let arabic = "الماء في الوعاء حتى يغلي تماما. يضاف الشاي بعد ذلك إلى الماء الساخن.";
        assert_eq!(read(arabic, false, "ar"), ["يضاف الشاي بعد ذلك إلى الماء الساخن."]);
    }

    #[test]
    fn markdown_is_taken_off_and_headings_are_remembered() {
        let text = "# Bread\n\n## Oven *spring*\n\nSteam keeps the [crust](http://x.y) **soft** for\nten minutes [2].\n\n\
                    | a | b |\n\n```\nlet x = 1;\n```\n- Bake the loaf until the core reaches `96` degrees.\n- flour\n";
        let found = sentences(text, true, find("en").unwrap());
        assert_eq!(found[0].text, "Steam keeps the crust soft for ten minutes.");
        assert_eq!(found[0].heading.as_deref(), Some("Oven spring"));
        assert_eq!(found[1].text, "Bake the loaf until the core reaches 96 degrees.");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn every_heading_of_a_passage_is_found() {
        let text = "Keeping bees\n\n## The hive\n\nA hive needs a dry and sunny place.\n\n### Its frames\n\nand so on";
        assert_eq!(headings(text, true), ["Keeping bees", "The hive", "Its frames"]);
        assert_eq!(headings(text, false), ["The hive", "Its frames"]);
        assert!(headings("no more of it", false).is_empty());
    }

    #[test]
    fn plain_titles_and_underlined_titles_are_headings() {
        for text in [
            "Keeping bees\n\nA hive needs a dry and sunny place.\n",
            "Keeping bees\n============\nA hive needs a dry and sunny place.\n",
        ] {
            let found = sentences(text, true, find("en").unwrap());
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].heading.as_deref(), Some("Keeping bees"));
        }
    }

    #[test]
    fn abbreviations_do_not_end_a_sentence() {
        for (code, text) in [
            ("en", "The method of Dr. Miller uses approx. Ten grams of salt per loaf."),
            ("de", "Man nimmt z. B. Roggen für den Teig am ersten Tag."),
            ("fr", "Selon M. Durand, la farine doit reposer toute la nuit."),
        ] {
            assert_eq!(read(text, true, code), [text]);
        }
    }

    #[test]
    fn a_sentence_is_recognised_without_its_capital() {
        assert!(is_said("The tower is high.", "In short: the tower is high. Why?"));
        assert!(!is_said("The tower is high.", "The tower is not high."));
    }

    #[test]
    fn long_text_is_cut_between_words() {
        assert_eq!(shortened("one  two\nthree", 9), "one two");
        assert_eq!(shortened("absurdlylong", 4), "absu");
        assert_eq!(shortened("", 4), "");
    }
}
