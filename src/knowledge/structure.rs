//! Cuts a document where its structure allows: at sections, blocks, items and rows, else at sentences, else at words.

use super::chunk::{Piece, prefix};
use super::outline::{Heading, Outline};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use text_splitter::{Characters, ChunkConfig, TextSplitter};

/// What stands between the headings of a piece's context.
const UNDER: &str = " › ";

/// A piece shorter than one part in so many of the longest is too little to stand alone where it need not.
const TINY: usize = 3;

/// Text looked at for one piece, in longest pieces: enough to see that a block is too long, and no more, so that the
/// time is linear in the document's length.
const VIEW: usize = 4;

/// A position in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Section {
    byte: usize,
    char: usize,
}

impl Section {
    /// A later position.
    fn onward(self, text: &str, byte: usize) -> Self {
        Self { byte, char: self.char + text[self.byte..byte].chars().count() }
    }

    /// The next position with something that is not white space.
    fn onward_to_text(self, text: &str) -> Self {
        let rest = &text[self.byte..];
        self.onward(text, text.len() - rest.trim_start().len())
    }
}

/// A document being cut.
struct Cutter<'a> {
    text: &'a str,
    outline: Outline,
    /// Where sections start: headings, and of headings with nothing between them the first. The document's end closes
    /// the list.
    sections: Vec<Section>,
    size: usize,
    overlap: usize,
}

/// Pieces of `size` characters at most, in reading order. Together they hold every character that is not white space; a
/// piece repeats sentences or lines of the one before, of `overlap` characters at most, within a section.
///
/// A section starts a piece of its own, save after a few lines that would be too little for one. A piece that starts
/// inside a table has the table's header in front, which may come on top of `size`.
pub(super) fn pieces(text: &str, outline: Outline, size: usize, overlap: usize) -> Vec<Piece<'_>> {
    let sections = sections(text, &outline.headings);
    let mut cutter = Cutter { text, outline, sections, size, overlap };
    let ranges = cutter.ranges();
    let mut path = HeadingPath { ahead: &cutter.outline.headings, above: Vec::new() };
    let piece = |(start, end): (Section, Section)| Piece {
        text: cutter.with_header(start, end),
        context: path.context(start),
        char_start: start.char,
        char_end: end.char,
    };
    ranges.into_iter().map(piece).collect()
}

fn sections(text: &str, headings: &[Heading]) -> Vec<Section> {
    let (mut sections, mut place, mut end_before) = (Vec::new(), Section { byte: 0, char: 0 }, 0);
    for heading in headings {
        if !text[end_before..heading.range.start].trim().is_empty() {
            place = place.onward(text, heading.range.start);
            sections.push(place);
        }
        end_before = heading.range.end;
    }
    sections.push(place.onward(text, text.len()));
    sections
}

impl<'a> Cutter<'a> {
    /// Where the pieces start and end, without white space around them.
    fn ranges(&mut self) -> Vec<(Section, Section)> {
        let mut ranges: Vec<(Section, Section)> = Vec::new();
        let mut start = Section { byte: 0, char: 0 }.onward_to_text(self.text);
        while start.byte < self.text.len() {
            let (end, next) = self.cut(start);
            match ranges.last_mut() {
                Some(last) if self.is_tiny(start, end) && end.char - last.0.char <= self.size => last.1 = end,
                _ => ranges.push((start, end)),
            }
            start = next;
        }
        ranges
    }

    /// The end of the piece that starts at a place, and where the next one starts.
    fn cut(&mut self, start: Section) -> (Section, Section) {
        let limit = self.limit(start);
        let left = limit.char - start.char;
        // Pieces of like length rather than full ones and a rest.
        let wanted = left.div_ceil(left.div_ceil(self.size)).max(self.overlap + 1);
        let config = ChunkConfig::new(wanted..=self.size).with_overlap(self.overlap);
        let splitter = TextSplitter::new(config.expect("the overlap is less than the length wanted"));
        let view = start.byte + prefix(&self.text[start.byte..limit.byte], VIEW.saturating_mul(self.size)).len();
        loop {
            let (end, next) = self.split(&splitter, start.byte..view);
            let (end, next) = (start.onward(self.text, end), start.onward(self.text, next));
            // A few words that a longer block follows: they go with its beginning.
            let is_tiny = self.is_tiny(start, end) && end.onward_to_text(self.text).byte < limit.byte;
            if !(is_tiny && self.outline.join_next(end.byte)) {
                return (end, next.onward_to_text(self.text));
            }
        }
    }

    /// The end of the first piece of the bytes in view, and where the second starts.
    fn split(&self, splitter: &TextSplitter<Characters>, view: Range<usize>) -> (usize, usize) {
        let shown = std::str::from_utf8(&self.outline.breaks[view.clone()]);
        let mut chunks = splitter.chunk_indices(shown.expect("a blank or a comma stands for one as long"));
        let end = chunks.next().map_or(view.len(), |(at, chunk)| at + chunk.len());
        // Without an overlap it starts where the first ends, and need not be looked for.
        let next = if self.overlap == 0 { end } else { chunks.next().map_or(view.len(), |(at, _)| at) };
        (view.start + end, view.start + next)
    }

    /// Where a piece that starts at a place must end at the latest, whatever its length: at the next section for which
    /// there is enough in front of it, or which would be cut in two for the sake of what is in front of it.
    fn limit(&self, start: Section) -> Section {
        let mut later = &self.sections[self.sections.partition_point(|section| section.byte <= start.byte)..];
        while let [section, next, ..] = later {
            let (before, length) = (section.char - start.char, next.char - section.char);
            let breaks_up = before + length > self.size && length <= self.size;
            if !self.is_tiny(start, *section) || breaks_up {
                return *section;
            }
            later = &later[1..];
        }
        // The end of the document.
        later[0]
    }

    fn is_tiny(&self, start: Section, end: Section) -> bool {
        (end.char - start.char).saturating_mul(TINY) < self.size
    }

    /// The text of a piece, after the header of the table it starts in.
    fn with_header(&self, start: Section, end: Section) -> Cow<'a, str> {
        let text = &self.text[start.byte..end.byte];
        let tables = &self.outline.tables;
        match tables.get(tables.partition_point(|table| table.rows.end <= start.byte)) {
            // One that would be most of the piece tells nobody what its columns are.
            Some(table) if table.rows.start <= start.byte && table.header.len() <= self.size => {
                Cow::Owned(format!("{}\n{text}", &self.text[table.header.clone()]))
            }
            _ => Cow::Borrowed(text),
        }
    }
}

/// The headings above a place that moves forward through a document.
struct HeadingPath<'a> {
    /// Headings from the place on.
    ahead: &'a [Heading],
    /// Headings that the place stands under, outermost first.
    above: Vec<&'a Heading>,
}

impl HeadingPath<'_> {
    /// What the piece that starts at a place stands under, without the headings that it starts with.
    fn context(&mut self, start: Section) -> Arc<str> {
        while let [heading, later @ ..] = self.ahead
            && heading.range.start < start.byte
        {
            self.above.retain(|above| above.level < heading.level);
            self.above.push(heading);
            self.ahead = later;
        }
        let own = self.ahead.first().filter(|heading| heading.range.start == start.byte);
        let above = self.above.iter().filter(|above| own.is_none_or(|own| above.level < own.level));
        let titles: Vec<&str> = above.map(|heading| heading.title.trim()).filter(|title| !title.is_empty()).collect();
        titles.join(UNDER).into()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    fn markdown(text: &str, size: usize, overlap: usize) -> Vec<Piece<'_>> {
        pieces(text, Outline::markdown(text), size, overlap)
    }

    fn texts<'a>(pieces: &'a [Piece<'_>]) -> Vec<&'a str> {
        pieces.iter().map(|piece| &*piece.text).collect()
    }

    const MANUAL: &str = "# Aurora 8 heat pump\n\nIntroduction in a few words.\n\n## Filters\n\nWash the filters every \
        month. Use cold water.\n\nA filter lasts for two years. Order spare ones in time.\n\n## Error codes\n\n\
        ### Display\n\nCodes are shown in the display:\n\n- E1: no water, open the valve\n- E2: too cold\n- E3: call \
        the service\n";

    #[test]
    fn sections_start_pieces_and_headings_stay_with_their_text() {
        let text = MANUAL.trim();
        let pieces = markdown(text, 110, 0);
        let seen: Vec<(&str, &str)> = pieces.iter().map(|piece| (&*piece.context, &*piece.text)).collect();
        assert_eq!(
            seen,
            [
                ("", "# Aurora 8 heat pump\n\nIntroduction in a few words."),
                ("Aurora 8 heat pump", "## Filters\n\nWash the filters every month. Use cold water."),
                ("Aurora 8 heat pump › Filters", "A filter lasts for two years. Order spare ones in time."),
                (
                    "Aurora 8 heat pump",
                    "## Error codes\n\n### Display\n\nCodes are shown in the display:\n\n- E1: no water, open the valve"
                ),
                ("Aurora 8 heat pump › Error codes › Display", "- E2: too cold\n- E3: call the service"),
            ]
        );
        let characters: Vec<char> = text.chars().collect();
        for piece in &pieces {
            assert_eq!(characters[piece.char_start..piece.char_end].iter().collect::<String>(), piece.text);
        }
        assert_eq!(texts(&markdown(text, 1_000, 0)), [text]);
    }

    #[test]
    fn a_few_lines_go_with_the_next_section_unless_it_would_be_cut_for_them() {
        let text = "Few words.\n\n## One\n\nText of the first.\n\n## Two\n\nText of the second.";
        assert_eq!(
            texts(&markdown(text, 50, 0)),
            ["Few words.\n\n## One\n\nText of the first.", "## Two\n\nText of the second."]
        );
        assert_eq!(
            texts(&markdown(text, 35, 0)),
            ["Few words.", "## One\n\nText of the first.", "## Two\n\nText of the second."]
        );
        assert_eq!(texts(&markdown("# Title\n\n## One", 50, 0)), ["# Title\n\n## One"]);
        let long = "# Title\n\n## One\n\nThe first sentence. The second sentence.";
        assert_eq!(texts(&markdown(long, 40, 0)), ["# Title\n\n## One\n\nThe first sentence.", "The second sentence."]);
    }

    #[test]
    fn a_piece_that_starts_in_a_table_has_its_header() {
        let text = "## Codes\n\n| code | meaning |\n|---|---|\n| E1 | no water |\n| E2 | too cold |\n| E3 | too hot |\n\n\
                    Text after the table.";
        assert_eq!(
            texts(&markdown(text, 70, 0)),
            [
                "## Codes\n\n| code | meaning |\n|---|---|\n| E1 | no water |",
                "| code | meaning |\n|---|---|\n| E2 | too cold |\n| E3 | too hot |\n\nText after the table.",
            ]
        );
        // A header that is longer than a chunk stands once.
        let (wide, rows) = ("a wide column ".repeat(20), "| 1 | 2 |\n".repeat(40));
        let table = format!("| {wide} | b |\n|---|---|\n{rows}");
        assert_eq!(texts(&markdown(&table, 70, 0)).concat().matches("wide").count(), 20);
    }

    #[test]
    fn long_paragraphs_are_cut_at_sentences_of_like_length_whatever_their_lines_and_markup() {
        let text =
            "The first sentence is *wrapped\nin two* lines. The second one\nis as long as that. The third [ends](x).";
        let pieces = markdown(text, 80, 0);
        assert_eq!(
            texts(&pieces),
            [
                "The first sentence is *wrapped\nin two* lines. The second one\nis as long as that.",
                "The third [ends](x)."
            ]
        );
        let text = "تُغسل المرشحات كل شهر. هل الماء بارد؟ لا يُستعمل الماء الساخن أبدًا. تُجفف في الظل.";
        assert_eq!(
            texts(&super::pieces(text, Outline::plain(text), 50, 0)),
            ["تُغسل المرشحات كل شهر. هل الماء بارد؟", "لا يُستعمل الماء الساخن أبدًا. تُجفف في الظل."]
        );
    }

    #[test]
    fn a_word_is_cut_only_where_it_alone_is_too_long() {
        let giant = "x".repeat(95);
        let text = format!("A sentence without any end before {giant} and words after it");
        let pieces = markdown(&text, 40, 0);
        assert!(pieces.iter().all(|piece| piece.char_end - piece.char_start <= 40));
        assert_eq!(pieces[0].text, "A sentence without any end before");
        let joined: String = texts(&pieces).concat();
        assert_eq!(joined.replace(' ', ""), text.replace(' ', ""));
        assert!(pieces.len() <= 6, "{pieces:?}");
    }

    #[test]
    fn an_announcement_stays_with_the_block_it_announces() {
        let text = "So:\n\nA block that is a good deal longer than the others. It has two sentences.\n\nAn end.";
        assert_eq!(
            texts(&markdown(text, 65, 0)),
            ["So:\n\nA block that is a good deal longer than the others.", "It has two sentences.\n\nAn end."]
        );
    }

    #[test]
    fn an_overlap_repeats_whole_sentences_within_a_section() {
        let text = "One is here. Two is here. Three is here. Four is here.\n\n## Next\n\nFive is here. Six is here.";
        assert_eq!(
            texts(&markdown(text, 30, 15)),
            [
                "One is here. Two is here.",
                "Two is here. Three is here.",
                "Three is here. Four is here.",
                "## Next\n\nFive is here.",
                "Six is here.",
            ]
        );
    }

    #[test]
    fn a_document_of_one_long_line_is_cut_at_its_sentences() {
        let text = ("Word ".to_owned() + &"word ".repeat(29) + "end. ").repeat(100);
        let pieces = markdown(text.trim(), 200, 0);
        assert_eq!(pieces.len(), 100);
        assert!(pieces.iter().all(|piece| piece.text.ends_with("word end.")));
    }

    fn fragment() -> impl Strategy<Value = String> {
        let sentence = "[A-Z][a-z]{1,9}( [a-zéم]{1,12}){0,12}[.?!:]?";
        prop_oneof![
            sentence,
            (sentence, sentence, sentence).prop_map(|(a, b, c)| format!("{a} *{b}*\n{c}")),
            "#{1,6} [A-Za-z؟?]{1,10}( [a-z]{1,8}){0,3}",
            "(- [a-z ]{1,30}[a-z]\n){1,6}",
            "\\| a \\| b \\|\n\\|---\\|---\\|\n(\\| [a-z]{1,9} \\| [a-z ]{1,20} \\|\n){1,6}",
            "```\n([a-z(); ]{0,20}\n){1,6}```",
            "> [a-z]{1,9}( [a-z]{1,9}){0,9}",
            "[ \t]{0,3}",
            "[a-z]{60,90}",
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_cut_in_a_word(
            parts in prop::collection::vec(fragment(), 1..12),
            gaps in prop::collection::vec("\n{1,3}", 12),
            (size, overlap) in (25usize..200).prop_flat_map(|size| (Just(size), prop_oneof![Just(0), 0..size])),
            is_markdown in any::<bool>(),
        ) {
            let text: String = parts.into_iter().zip(gaps).flat_map(|(part, gap)| [part, gap]).collect();
            let text = text.trim();
            let outline = if is_markdown { Outline::markdown(text) } else { Outline::plain(text) };
            let headers: Vec<String> =
                outline.tables.iter().map(|table| format!("{}\n", &text[table.header.clone()])).collect();
            prop_assert_eq!(std::str::from_utf8(&outline.breaks).unwrap().chars().count(), text.chars().count());
            let characters: Vec<char> = text.chars().collect();
            let bounds: Vec<usize> = text.split_word_bound_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let words: Vec<(usize, &str)> = text.unicode_word_indices().collect();
            let mut end_before = 0;
            for piece in pieces(text, outline, size, overlap) {
                let own: String = characters[piece.char_start..piece.char_end].iter().collect();
                let is_own = headers.iter().any(|header| piece.text.strip_prefix(header.as_str()) == Some(own.as_str()));
                prop_assert!(piece.text == own || is_own, "{:?} is not {:?}", piece.text, own);
                prop_assert!(!own.is_empty() && own.trim() == own && own.chars().count() <= size);
                let skipped = characters.get(end_before..piece.char_start).unwrap_or_default();
                prop_assert!(skipped.iter().all(|letter| letter.is_whitespace()), "lost {:?}", skipped);
                prop_assert!(overlap > 0 || piece.char_start >= end_before);
                prop_assert!(piece.char_end > end_before);
                end_before = piece.char_end;
                for end in [piece.char_start, piece.char_end] {
                    let byte: usize = characters[..end].iter().map(|letter| letter.len_utf8()).sum();
                    let cut = words.iter().find(|(at, word)| *at < byte && byte < at + word.len());
                    let is_giant = cut.is_some_and(|(_, word)| word.chars().count() > size);
                    prop_assert!(is_giant || bounds.binary_search(&byte).is_ok(), "{:?} cuts {:?}", own, cut);
                }
            }
            prop_assert_eq!(end_before, characters.len());
        }
    }
}
