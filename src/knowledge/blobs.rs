//! Takes out of a document what is no text: bytes written as base64, and comments that no reader sees.

use super::outline::EXTENSIONS;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use std::borrow::Cow;
use std::ops::Range;

/// A run of letters and digits as long as this is bytes in base64 or in hexadecimal digits.
const LONGEST_WORD: usize = 200;

/// Lines of at least so many letters and digits, and at least so many of them, are bytes wrapped.
const WRAPPED: (usize, usize) = (60, 3);

/// What an address starts with that is the thing itself.
const DATA: &[u8] = b"data:";

/// A Markdown document without HTML comments; of images and links whose address holds their bytes only the text stays.
pub(super) fn without_markup(text: &str) -> Cow<'_, str> {
    if !text.contains("<!--") && !text.as_bytes().windows(DATA.len()).any(|bytes| bytes.eq_ignore_ascii_case(DATA)) {
        return Cow::Borrowed(text);
    }
    let mut cuts = Vec::new();
    // Images and links with their bytes in them, outermost first, each with what is shown of it.
    let mut open: Vec<(Range<usize>, Option<Range<usize>>)> = Vec::new();
    let mut events = Parser::new_ext(text, EXTENSIONS).into_offset_iter();
    for (event, range) in events.by_ref() {
        if let Event::End(TagEnd::Image | TagEnd::Link) = event
            && let Some((whole, shown)) = open.pop_if(|(whole, _)| *whole == range)
        {
            keep(whole, shown, &mut cuts);
            continue;
        }
        if let Some((_, shown)) = open.last_mut() {
            *shown = Some(shown.as_ref().map_or(range.start, |shown| shown.start)..range.end);
        }
        match event {
            Event::Start(Tag::Image { dest_url, .. } | Tag::Link { dest_url, .. }) if is_data(&dest_url) => {
                open.push((range, None));
            }
            Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => html(text, range, &mut cuts),
            _ => {}
        }
    }
    let definitions = events.reference_definitions().iter().map(|(_, definition)| definition);
    cuts.extend(definitions.filter(|definition| is_data(&definition.dest)).map(|definition| definition.span.clone()));
    without(text, cuts)
}

/// A text without bytes written out: addresses that hold some, long runs, and lines of nothing else.
pub(super) fn without_bytes(text: &str) -> Cow<'_, str> {
    let mut cuts = wrapped(text);
    let mut start = 0;
    for run in text.split(|letter: char| !is_base64(letter)) {
        let range = start..start + run.len();
        start = range.end + text[range.end..].chars().next().map_or(0, char::len_utf8);
        match address(&text[..range.start]) {
            Some(address) => cuts.push(address..range.end),
            None if run.len() >= LONGEST_WORD && is_bytes(run) => cuts.push(range),
            None => {}
        }
    }
    without(text, cuts)
}

/// Where the address starts of which a text ends with all but the bytes: `data:image/png;base64,`.
fn address(text: &str) -> Option<usize> {
    let before = text.strip_suffix(";base64,")?;
    let start = before.rfind(|letter: char| !letter.is_ascii_graphic()).map_or(0, |at| at + 1);
    let start = start.max(before.len().saturating_sub(LONGEST_WORD));
    let at = before.get(start..)?.rfind("data:")?;
    Some(start + at)
}

/// Blocks of lines that hold bytes and nothing else.
fn wrapped(text: &str) -> Vec<Range<usize>> {
    let (least, lines) = WRAPPED;
    let (mut cuts, mut block, mut count, mut start) = (Vec::new(), 0..0, 0, 0);
    for line in text.split_inclusive('\n').chain([""]) {
        let end = start + line.len();
        let bytes = line.trim_matches(|letter: char| letter == '>' || letter.is_whitespace());
        let is_run = !bytes.is_empty() && bytes.chars().all(is_base64);
        if is_run && bytes.len() >= least {
            block = if count == 0 { start..end } else { block.start..end };
            count += 1;
        } else {
            if count >= lines && is_bytes(&text[block.clone()]) {
                // The last line is as long as it comes, and looks like the others.
                let is_last = is_run && (bytes.ends_with('=') || is_bytes(bytes));
                cuts.push(block.start..if is_last { end } else { block.end });
            }
            count = 0;
        }
        start = end;
    }
    cuts
}

fn is_base64(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '-' | '_' | '=')
}

/// Letters with digits, and no more of other signs than bytes have: addresses have words between theirs.
fn is_bytes(run: &str) -> bool {
    let signs = run.bytes().filter(|byte| matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')).count();
    let has = |kind: fn(&u8) -> bool| run.as_bytes().iter().any(kind);
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && signs * 10 <= run.len()
}

fn is_data(address: &str) -> bool {
    address.as_bytes().get(..DATA.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(DATA))
}

/// Cuts what is around the part that is shown.
fn keep(whole: Range<usize>, shown: Option<Range<usize>>, cuts: &mut Vec<Range<usize>>) {
    let shown = shown.unwrap_or(whole.end..whole.end);
    cuts.extend([whole.start..shown.start, shown.end..whole.end]);
}

/// Cuts the comments of some HTML, and of images with their bytes in them all but the text that stands for them.
fn html(text: &str, range: Range<usize>, cuts: &mut Vec<Range<usize>>) {
    let mut at = range.start;
    while let Some(next) = text[at..range.end].find('<') {
        at += next;
        let rest = &text[at..range.end];
        if rest.starts_with("<!--") {
            // One that does not end hides nothing: the rest of the document is worth more than it.
            let Some(end) = rest.find("-->") else { return };
            cuts.push(at..at + end + 3);
            at += end + 3;
        } else if rest.get(..4).is_some_and(|tag| tag.eq_ignore_ascii_case("<img")) {
            let image = attributes(rest);
            if image.source.is_some_and(|source| is_data(&rest[source])) {
                let alt = image.alt.map(|alt| at + alt.start..at + alt.end);
                keep(at..at + image.end, alt, cuts);
            }
            at += image.end;
        } else {
            at += 1;
        }
    }
}

/// Where a tag of an image ends, and the values of its attributes.
struct Image {
    end: usize,
    source: Option<Range<usize>>,
    alt: Option<Range<usize>>,
}

fn attributes(tag: &str) -> Image {
    let mut image = Image { end: tag.len(), source: None, alt: None };
    let mut at = 4;
    while let Some(next) = tag[at..].find(|letter: char| letter != '/' && !letter.is_whitespace()) {
        at += next;
        if tag[at..].starts_with('>') {
            image.end = at + 1;
            break;
        }
        let name_end = tag[at..].find(|letter: char| "=>/".contains(letter) || letter.is_whitespace());
        let name = at..name_end.map_or(tag.len(), |end| at + end.max(1));
        let value = value(tag, name.end);
        at = value.as_ref().map_or(name.end, |value| value.end);
        at += usize::from(value.is_some() && tag[at..].starts_with(['"', '\'']));
        match &tag[name] {
            name if name.eq_ignore_ascii_case("src") => image.source = value,
            name if name.eq_ignore_ascii_case("alt") => image.alt = value,
            _ => {}
        }
    }
    image
}

/// The value behind an attribute's name, without its quotes.
fn value(tag: &str, name_end: usize) -> Option<Range<usize>> {
    let after = tag[name_end..].trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|first| matches!(first, '"' | '\''));
    let start = tag.len() - after.len() + usize::from(quote.is_some());
    let ends = |letter: char| quote.map_or(letter == '>' || letter.is_whitespace(), |quote| letter == quote);
    Some(start..tag[start..].find(ends).map_or(tag.len(), |length| start + length))
}

/// A text without some of its parts.
fn without(text: &str, mut cuts: Vec<Range<usize>>) -> Cow<'_, str> {
    if cuts.is_empty() {
        return Cow::Borrowed(text);
    }
    cuts.sort_by_key(|cut| (cut.start, cut.end));
    let (mut left, mut copied) = (String::new(), 0);
    for cut in cuts {
        left.push_str(&text[copied..cut.start.max(copied)]);
        copied = copied.max(cut.end);
    }
    left.push_str(&text[copied..]);
    Cow::Owned(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Base64 of so many characters.
    fn base64(length: usize) -> String {
        "iVBORw0KGgoAAAANSUhEUgAAAAUA+x/9".chars().cycle().take(length).collect()
    }

    #[test]
    fn of_images_with_their_bytes_in_them_the_text_stays() {
        let bytes = base64(40_000);
        for (text, left) in [
            ("See ![the *old* lamp](data:image/png;base64,BYTES) here.", "See the *old* lamp here."),
            ("[![lamp](data:image/png;base64,BYTES \"title\")](https://x.org)", "[lamp](https://x.org)"),
            ("![](DATA:image/svg+xml;utf8,BYTES)x", "x"),
            ("A [file](data:text/plain;base64,BYTES).", "A file."),
            (
                "![][image1] and ![b][image2]\n\n[image1]: <data:image/png;base64,BYTES>\n[image2]: b.png",
                " and ![b][image2]\n\n\n[image2]: b.png",
            ),
            ("a <img src=\"data:image/png;base64,BYTES\" alt='The lamp' width=3/> b", "a The lamp b"),
            (
                "<div>\n<IMG width=3 src=data:image/png;base64,BYTES>\n<img src=\"a.png\">\n</div>",
                "<div>\n\n<img src=\"a.png\">\n</div>",
            ),
            ("<img alt=\"x > y\" src=\"data:image/svg+xml;utf8,<svg a='1'>BYTES</svg>\"> z", "x > y z"),
            ("![a.png](a.png) and data: none", "![a.png](a.png) and data: none"),
        ] {
            let text = text.replace("BYTES", &bytes);
            let read = without_markup(&text);
            assert!(read == left, "{left}: {:.200}", read);
        }
    }

    #[test]
    fn comments_are_cut_unless_they_are_shown() {
        for (text, left) in [
            ("a <!-- b\nc --> d", "a  d"),
            ("<!-- one\n\ntwo -->\n\ntext\n\n<div>\n<!-- x -->\ny</div>", "\n\ntext\n\n<div>\n\ny</div>"),
            ("`<!-- code -->`\n\n```html\n<!-- code -->\n```", "`<!-- code -->`\n\n```html\n<!-- code -->\n```"),
            ("<!-- never ends\n\ntext", "<!-- never ends\n\ntext"),
            ("> <!-- a\n> b -->\n> c", "> \n> c"),
        ] {
            assert_eq!(without_markup(text), left);
        }
    }

    #[test]
    fn bytes_written_out_are_cut_wherever_they_are() {
        let bytes = base64(38_000);
        let lines = |end: &str| {
            let lines = bytes.as_bytes().chunks(76).map(String::from_utf8_lossy);
            lines.fold(String::new(), |all, line| all + &line + end)
        };
        for (text, left) in [
            (format!("key: {bytes}== end"), "key:  end"),
            (format!("Mail\n\n{}bGFzdA==\n\nText", lines("\n")), "Mail\n\n\nText"),
            (format!("> {}text", lines("\n> ")), "> text"),
            (format!("url(data:font/woff2;charset=utf-8;base64,{}) x", base64(40)), "url() x"),
        ] {
            let read = without_bytes(&text);
            assert!(read == left, "{left}: {:.200}", read);
        }
        for text in [
            "a".repeat(300),
            format!("https://example.org/{}", "2024-the-lamps-of-the-harbour/".repeat(9)),
            format!("{}\n{}\n", "=".repeat(80), "-".repeat(300)),
            format!("sha256 {}", "0123456789abcdef".repeat(4)),
            "prose of data: and ;base64, and no more, هذا 中文;base64,".to_owned(),
        ] {
            assert_eq!(without_bytes(&text), text);
        }
    }

    proptest! {
        #[test]
        fn nothing_comes_in_and_no_letter_is_cut(parts in prop::collection::vec(prop_oneof![
            Just("<!-- c -->"), Just("<img "), Just("src=\"data:x\""), Just(" alt='é'"), Just(">"), Just("![é]"),
            Just("(data:x)"), Just("["), Just("]"), Just("\n"), Just("\n\n"), Just("é "), Just("> "), Just("[é]: data:x"),
            Just("`"), Just("<!--"), Just("-->"), Just("<div>"), Just("- "), Just("data:é;base64,x"),
        ], 0..16)) {
            let text = parts.concat();
            let markup_gone = without_markup(&text);
            let left = without_bytes(&markup_gone);
            let mut letters = text.chars();
            prop_assert!(left.chars().all(|letter| letters.any(|own| own == letter)), "{:?} of {:?}", left, text);
        }
    }
}
