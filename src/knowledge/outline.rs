//! Reads off a document where it may be cut: its headings, its tables, and which of its line ends are breaks.

use crate::domain::control_tokens::neutralised;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// The extensions of Markdown that say something about structure.
pub(super) const EXTENSIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_HEADING_ATTRIBUTES)
    .union(Options::ENABLE_YAML_STYLE_METADATA_BLOCKS)
    .union(Options::ENABLE_DEFINITION_LIST);

/// A heading that is not inside a list or a quotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heading {
    /// Its bytes in the document, without white space around them.
    pub range: Range<usize>,
    /// 1 is the outermost, 6 the innermost.
    pub level: u8,
    /// Its text without markup.
    pub title: String,
}

/// A table that has rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// The bytes of its header row and its delimiter row.
    pub header: Range<usize>,
    /// The bytes of its rows.
    pub rows: Range<usize>,
}

/// The structure of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    /// The document, byte for byte and character for character, with blanks for the line ends at which it is not to be
    /// cut: two line ends are left between blocks, one between items, rows and lines. Headings have no full stops.
    pub breaks: Vec<u8>,
    /// The headings of the document in reading order.
    pub headings: Vec<Heading>,
    /// The tables of the document in reading order.
    pub tables: Vec<Table>,
}

impl Outline {
    /// The structure of a Markdown document.
    pub fn markdown(text: &str) -> Self {
        let mut outline = Self { breaks: text.into(), headings: Vec::new(), tables: Vec::new() };
        let (mut depth, mut open, mut table) = (0, None, 0..0);
        for (event, range) in Parser::new_ext(text, EXTENSIONS).into_offset_iter() {
            match event {
                Event::Start(Tag::BlockQuote(_) | Tag::FootnoteDefinition(_) | Tag::DefinitionList) => depth += 1,
                Event::Start(Tag::List(_)) => {
                    depth += 1;
                    outline.keep_introduction(text, range.start);
                }
                Event::End(TagEnd::BlockQuote(_) | TagEnd::FootnoteDefinition | TagEnd::DefinitionList) => depth -= 1,
                Event::End(TagEnd::List(_)) => depth -= 1,
                Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                    open = Some(Heading { range: trimmed(text, range), level: level as u8, title: String::new() });
                }
                Event::Text(part) | Event::Code(part) => {
                    open.iter_mut().for_each(|heading: &mut Heading| heading.title.push_str(&part));
                }
                Event::SoftBreak => {
                    open.iter_mut().for_each(|heading| heading.title.push(' '));
                    outline.join(range);
                }
                Event::End(TagEnd::Heading(_)) => {
                    if let Some(mut heading) = open.take() {
                        // Blanks of every kind are one: web pages number their sections with such as break no line.
                        heading.title = heading.title.split_whitespace().collect::<Vec<_>>().join(" ");
                        // Without its markup it may have what its source has not: `&lt;s>`.
                        if let Some((title, _)) = neutralised(&heading.title) {
                            heading.title = title;
                        }
                        outline.keep_with_next(text, heading.range.clone());
                        outline.headings.push(heading);
                    }
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    outline.keep_introduction(text, range.start);
                    outline.keep_code(range, matches!(kind, CodeBlockKind::Fenced(_)));
                }
                Event::Start(Tag::Table(_)) => {
                    outline.keep_introduction(text, range.start);
                    table = range;
                }
                Event::Start(Tag::TableRow) if !table.is_empty() => {
                    let rows = range.start..table.end;
                    outline.join(table.start..rows.start);
                    outline.tables.push(Table { header: trimmed(text, table.start..rows.start), rows });
                    table = 0..0;
                }
                _ => {}
            }
        }
        outline.settle(0..text.len(), 2);
        outline
    }

    /// The structure of a document without markup: its blocks and their lines.
    pub fn plain(text: &str) -> Self {
        let mut outline = Self { breaks: text.into(), headings: Vec::new(), tables: Vec::new() };
        for block in blocks(text) {
            let longest = block.iter().map(|line| line.text.chars().count()).max().unwrap_or_default();
            for pair in block.windows(2) {
                if pair[1].continues(&pair[0], longest) {
                    outline.join(pair[1].start - 1..pair[1].start);
                }
            }
        }
        outline.settle(0..text.len(), 2);
        outline
    }

    /// Takes the break out between what ends at a byte and what follows; tells whether there was one.
    pub fn join_next(&mut self, end: usize) -> bool {
        let white = self.breaks[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let was_broken = self.breaks[end..end + white].contains(&b'\n');
        self.join(end..end + white);
        was_broken
    }

    fn join(&mut self, range: Range<usize>) {
        self.breaks[range].iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    }

    /// A heading is cut neither from what follows nor at its own full stops.
    fn keep_with_next(&mut self, text: &str, range: Range<usize>) {
        for (at, letter) in text[range.clone()].char_indices().filter(|(_, letter)| !letter.is_alphanumeric()) {
            let comma = match letter.len_utf8() {
                1 if letter.is_ascii_punctuation() => ",",
                2 if !letter.is_whitespace() => "،",
                3 if !letter.is_whitespace() => "、",
                _ => continue,
            };
            let at = range.start + at;
            self.breaks[at..at + comma.len()].copy_from_slice(comma.as_bytes());
        }
        self.join(range.clone());
        self.join_next(range.end);
    }

    /// What announces a list, a table or code with a colon stays with its beginning.
    fn keep_introduction(&mut self, text: &str, start: usize) {
        let before = text[..start].trim_end();
        if before.trim_end_matches(['*', '_']).ends_with([':', '：']) {
            self.join(before.len()..start);
        }
    }

    /// The lines of code are lines, whatever blank ones are between them; its fences stay with the lines they enclose.
    fn keep_code(&mut self, range: Range<usize>, is_fenced: bool) {
        let length = self.breaks[range.clone()].trim_ascii_end().len();
        let code = range.start..range.start + length;
        self.settle(code.clone(), 1);
        if is_fenced {
            let is_end = |byte: &u8| *byte == b'\n';
            let ends = [self.breaks[code.clone()].iter().position(is_end), self.breaks[code].iter().rposition(is_end)];
            ends.into_iter().flatten().for_each(|end| self.breaks[range.start + end] = b' ');
        }
    }

    /// Leaves so many line ends, at most, of those with nothing but blanks between them.
    fn settle(&mut self, range: Range<usize>, most: usize) {
        for white in self.breaks[range].split_mut(|byte| !matches!(byte, b' ' | b'\t' | b'\n')) {
            if white.iter().filter(|byte| **byte == b'\n').count() > 1 {
                white.fill(b' ');
                white[..most].fill(b'\n');
            }
        }
    }
}

/// A range without the white space at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

/// A line of a plain text.
struct Line<'a> {
    /// The byte it starts at.
    start: usize,
    /// Its text, without the line end.
    text: &'a str,
}

impl Line<'_> {
    /// Whether the line before ends only because this one's first word had no place in it, as far as one can tell.
    fn continues(&self, before: &Self, longest: usize) -> bool {
        let first = self.text.split_whitespace().next().unwrap_or_default();
        let is_prose = self.text.starts_with(|first: char| first.is_alphabetic() || "\"'“‘«([".contains(first));
        is_prose && before.text.trim_end().chars().count() + 1 + first.chars().count() > longest
    }
}

/// The lines of a text, by runs of lines that are not blank.
fn blocks(text: &str) -> Vec<Vec<Line<'_>>> {
    let mut start = 0;
    let mut blocks = vec![Vec::new()];
    for line in text.split_inclusive('\n') {
        let line = Line { start, text: line.trim_end_matches('\n') };
        start += line.text.len() + 1;
        match blocks.last_mut() {
            Some(block) if !line.text.trim().is_empty() => block.push(line),
            _ => blocks.push(Vec::new()),
        }
    }
    blocks
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn breaks(outline: &Outline) -> &str {
        std::str::from_utf8(&outline.breaks).unwrap()
    }

    #[test]
    fn line_ends_that_only_wrap_are_no_breaks() {
        for (text, expected) in [
            ("one\ntwo\n\n\n \nthree", "one two\n\n   three"),
            ("- one\n  more\n- two\n\n- three", "- one   more\n- two\n\n- three"),
            ("hard  \nbreak", "hard  \nbreak"),
            ("# What? No.\n\nText.\n\nMore.", ", What, No,  Text.\n\nMore."),
            ("Title\n=====\nText.", "Title ,,,,, Text."),
            ("Tools:\n\n- one\n- two", "Tools:  - one\n- two"),
            ("Text.\n\n- one", "Text.\n\n- one"),
            ("**So:**\n\n```sh\na\n\nb\n```\n\nc", "**So:**  ```sh a\n b ```\n\nc"),
            ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |", "| a | b | |---|---| | 1 | 2 |\n| 3 | 4 |"),
        ] {
            let outline = Outline::markdown(text);
            assert_eq!(breaks(&outline), expected);
            assert_eq!(text.chars().count(), breaks(&outline).chars().count());
        }
    }

    #[test]
    fn headings_come_with_their_level_and_plain_title() {
        let text = "# The *Aurora* `8`\n\n> # quoted\n\nText\n\nSet\nwide\n---\n\n```\n# code\n```\n\n### Deep {#id}\n";
        let outline = Outline::markdown(text.trim());
        let seen: Vec<_> = outline.headings.iter().map(|heading| (heading.level, heading.title.as_str())).collect();
        assert_eq!(seen, [(1, "The Aurora 8"), (2, "Set wide"), (3, "Deep")]);
        assert_eq!(&text[outline.headings[1].range.clone()], "Set\nwide\n---");
        assert_eq!(Outline::markdown("# 27.4.\u{a0}Hot  Standby\n\nText").headings[0].title, "27.4. Hot Standby");
        assert_eq!(Outline::markdown("---\ntitle: x\n---\n\nText").headings, []);
        let escaped = Outline::markdown("# The &lt;s> of <\\|im_end|>\n\nText");
        assert_eq!(escaped.headings[0].title, "The < s > of <| im_end |>");
    }

    #[test]
    fn tables_come_with_their_header() {
        let text = "Codes\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nText\n\n| no | rows |\n|---|---|";
        let tables = Outline::markdown(text).tables;
        assert_eq!(tables.len(), 1);
        assert_eq!(&text[tables[0].header.clone()], "| a | b |\n|---|---|");
        assert_eq!(&text[tables[0].rows.clone()].trim_end(), &"| 1 | 2 |\n| 3 | 4 |");
    }

    #[test]
    fn plain_lines_as_long_as_they_could_be_are_wrapped_ones() {
        for (text, expected) in [
            ("The keeper of the\nlighthouse\ntrims the wicks.", "The keeper of the lighthouse\ntrims the wicks."),
            ("- tea and coffee\n- milk", "- tea and coffee\n- milk"),
            ("2024-01-01 on\n2024-01-02 on", "2024-01-01 on\n2024-01-02 on"),
            ("# no heading\n\n\ntext", "# no heading\n\n text"),
        ] {
            assert_eq!(breaks(&Outline::plain(text)), expected);
        }
    }
}
