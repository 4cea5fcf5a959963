//! From lines on pages to the paragraphs that were set in them.

use std::collections::{BTreeMap, HashSet};

/// A line as it stands on a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub text: String,
    /// Where it starts and ends, from the left, in points.
    pub x: f64,
    pub end: f64,
    /// Where it stands, from the top, in points.
    pub y: f64,
    /// The size of its letters, in points.
    pub size: f64,
}

/// A page with its lines in the order in which they are drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub lines: Vec<Line>,
}

/// Lines looked at, at the top and at the bottom of a page, for what is repeated there.
const EDGE: usize = 3;

/// Pages on which a line at the edge must stand to be of the layout and not of the text.
const REPEATED: usize = 3;

/// A line that ends before this share of the width was ended on purpose.
const FULL: f64 = 0.85;

/// Words of a line that is prose; code and cells of tables have fewer.
const PROSE: usize = 8;

/// A line farther away than this, in lines, begins a paragraph.
const APART: f64 = 1.35;

/// The text of some pages: paragraphs with blank lines between them, words that were broken at line ends whole again;
/// page numbers, and what is repeated at the edge of pages, left out, as are lines of tables of contents.
pub(super) fn text(mut pages: Vec<Page>) -> String {
    for line in pages.iter_mut().flat_map(|page| &mut page.lines) {
        line.text = line.text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    pages.iter_mut().for_each(|page| page.lines.retain(|line| !line.text.is_empty()));
    leave_out_edges(&mut pages);
    pages.iter_mut().for_each(|page| page.lines.retain(|line| !is_of_contents(&line.text)));
    let words: HashSet<&str> = pages.iter().flat_map(|page| &page.lines).flat_map(|line| words(&line.text)).collect();
    let leading = leading(&pages);
    let mut out = String::new();
    for page in &pages {
        let right = page.lines.iter().map(|line| line.end).fold(0.0, f64::max);
        let left = page.lines.iter().map(|line| line.x).fold(right, f64::min);
        let is_full = |line: &Line| line.end - left > (right - left) * FULL;
        let mut above: Option<&Line> = None;
        for line in &page.lines {
            match above {
                Some(above) if is_apart(above, line, leading) => out.push_str("\n\n"),
                Some(above) if is_full(above) && !above.text.ends_with(':') || goes_on(&out, &line.text) => {
                    join(&mut out, &line.text, &words)
                }
                Some(_) => out.push('\n'),
                // A sentence goes on on the next page.
                None if goes_on(&out, &line.text) => join(&mut out, &line.text, &words),
                None if out.is_empty() => {}
                None => out.push_str("\n\n"),
            }
            out.push_str(&line.text);
            above = Some(line);
        }
    }
    out
}

/// The usual distance between two lines of a paragraph, in sizes of their letters.
fn leading(pages: &[Page]) -> f64 {
    let pairs = pages.iter().flat_map(|page| page.lines.windows(2));
    let mut gaps: Vec<f64> =
        pairs.map(|pair| (pair[1].y - pair[0].y) / pair[0].size).filter(|gap| (0.5..3.0).contains(gap)).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied().unwrap_or(1.2)
}

/// Whether a line begins a paragraph of its own.
fn is_apart(above: &Line, line: &Line, leading: f64) -> bool {
    let gap = (line.y - above.y) / above.size.max(line.size);
    let differs = (line.size - above.size).abs() > above.size * 0.1;
    let is_indented = line.x > above.x + line.size * 0.9 && above.text.ends_with(is_end);
    gap > leading * APART || gap < -0.5 || differs || is_indented || is_item(&line.text)
}

/// Whether it begins with the mark of a list.
fn is_item(text: &str) -> bool {
    text.starts_with(['•', '◦', '▪', '●', '‣', '–', '∙']) || text.starts_with("- ")
}

/// Whether a line goes on in the next one, however long it is.
fn goes_on(out: &str, next: &str) -> bool {
    let line = out.rsplit('\n').next().unwrap_or_default();
    let is_prose = words(line).count() >= PROSE && !line.ends_with(is_end);
    ends_in_hyphen(out) || is_prose && next.starts_with(char::is_lowercase)
}

fn is_end(letter: char) -> bool {
    matches!(letter, '.' | ':' | '!' | '?' | '؟' | '。' | '…')
}

const HYPHENS: [char; 3] = ['-', '\u{ad}', '\u{2010}'];

fn ends_in_hyphen(text: &str) -> bool {
    let before = text.trim_end_matches(HYPHENS);
    before.len() < text.len() && before.ends_with(char::is_alphanumeric)
}

/// Makes a text ready for the next line of its paragraph. A word that was broken is whole again, with its hyphen only where
/// it is written so elsewhere.
fn join(out: &mut String, next: &str, words: &HashSet<&str>) {
    if !ends_in_hyphen(out) {
        return out.push(' ');
    }
    let first = out.rfind(char::is_whitespace).map_or(0, |at| at + out[at..].chars().next().map_or(0, char::len_utf8));
    let broken = out[first..].to_owned();
    let rest = self::words(next).next().unwrap_or_default();
    let stem = broken.trim_end_matches(HYPHENS);
    let is_known = |between: &str| words.contains(trimmed(&format!("{stem}{between}{rest}")));
    let is_word = stem.ends_with(char::is_lowercase) && next.starts_with(char::is_lowercase);
    if broken.ends_with('\u{ad}') || is_known("") || is_word && !is_known("-") {
        out.truncate(first + stem.len());
    }
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_alphanumeric())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(trimmed)
}

/// Takes out the lines that are at the same place at the edge of several pages, and page numbers.
fn leave_out_edges(pages: &mut [Page]) {
    let mut seen: BTreeMap<(String, i64), usize> = BTreeMap::new();
    for line in pages.iter().flat_map(|page| edge(page).into_iter().map(|at| &page.lines[at])) {
        *seen.entry(place(line)).or_default() += 1;
    }
    for page in pages {
        let mut left_out = edge(page);
        left_out.retain(|&at| seen.get(&place(&page.lines[at])).is_some_and(|&count| count >= REPEATED));
        // Pages of a form have the same words at the same places, and no others.
        if 2 * left_out.len() > page.lines.len() {
            continue;
        }
        left_out.sort_unstable();
        left_out.into_iter().rev().for_each(|at| _ = page.lines.remove(at));
    }
}

/// The lines at the top and at the bottom of a page, by their positions.
fn edge(page: &Page) -> Vec<usize> {
    let mut order: Vec<usize> = (0..page.lines.len()).collect();
    order.sort_by(|&a, &b| page.lines[a].y.total_cmp(&page.lines[b].y));
    let bottom = order.len().saturating_sub(EDGE).max(EDGE.min(order.len()));
    order[..EDGE.min(order.len())].iter().chain(&order[bottom..]).copied().collect()
}

/// The words of a line without numbers, and where it stands: even pages have their number at the other side.
fn place(line: &Line) -> (String, i64) {
    let is_roman = |word: &str| word.chars().all(|letter| "ivxlc".contains(letter));
    let is_number = |word: &str| trimmed(word).chars().all(char::is_numeric) || is_roman(word);
    let words: Vec<&str> = line.text.split_whitespace().filter(|word| !is_number(word)).collect();
    (words.join(" "), line.y.round() as i64)
}

/// Whether dots lead to a page number.
fn is_of_contents(text: &str) -> bool {
    let rest = text.trim_end_matches(|letter: char| letter.is_numeric() || "ivxlc".contains(letter));
    let dots = rest.chars().rev().take_while(|letter| *letter == '.' || letter.is_whitespace());
    rest.len() < text.len() && dots.filter(|letter| *letter == '.').count() >= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines from the top of a page on, each with where it starts and ends.
    fn page(lines: &[(&str, f64, f64)]) -> Page {
        let line = |(at, &(text, x, end)): (usize, &(&str, f64, f64))| Line {
            text: text.to_owned(),
            x,
            end,
            y: 100.0 + 12.0 * at as f64,
            size: 10.0,
        };
        Page { lines: lines.iter().enumerate().map(line).collect() }
    }

    fn full(lines: &[&str]) -> Page {
        page(&lines.iter().map(|text| (*text, 50.0, 500.0)).collect::<Vec<_>>())
    }

    #[test]
    fn words_broken_at_line_ends_are_whole_again() {
        for (lines, whole) in [
            (&["The light-", "house is old."][..], "The lighthouse is old."),
            (&["A well-", "known one, as well-known as any."], "A well-known one, as well-known as any."),
            (&["On a 32-", "bit machine of Anglo-", "Saxon make."], "On a 32-bit machine of Anglo-Saxon make."),
            (&["The soft\u{ad}", "ware runs -", "mostly."], "The software runs - mostly."),
            (&["Two  words", "more"], "Two words more"),
        ] {
            assert_eq!(text(vec![full(lines)]), whole);
        }
    }

    #[test]
    fn lines_ended_on_purpose_stay_lines() {
        let lines = [
            ("Set these two in the file, one line for each, as the example below shows:", 50.0, 500.0),
            ("mode: fast", 50.0, 120.0),
            ("size: 3", 50.0, 110.0),
        ];
        assert_eq!(text(vec![page(&lines)]), lines.map(|(text, ..)| text).join("\n"));
        let narrow = [
            ("a small box in which one sentence goes", 50.0, 300.0),
            ("on for three", 50.0, 200.0),
            ("• one", 60.0, 100.0),
        ];
        let wide = ("x", 50.0, 500.0);
        assert_eq!(
            text(vec![page(&[narrow[0], narrow[1], narrow[2], wide])]),
            "a small box in which one sentence goes on for three\n\n• one\nx"
        );
    }

    #[test]
    fn paragraphs_are_told_by_gaps_sizes_and_indents() {
        let mut one = full(&["Head", "text of it.", "Indented.", "Far away"]);
        one.lines[0].size = 14.0;
        one.lines[2].x = 65.0;
        one.lines[3].y += 10.0;
        assert_eq!(text(vec![one]), "Head\n\ntext of it.\n\nIndented.\n\nFar away");
        let pages =
            vec![full(&["A sentence that goes on over the end of its"]), full(&["page. And more."]), full(&["Next"])];
        assert_eq!(text(pages), "A sentence that goes on over the end of its page. And more.\n\nNext");
    }

    #[test]
    fn edges_of_pages_and_contents_are_left_out() {
        let pages: Vec<Page> = [("iv", "k"), ("12", "m"), ("13", "n")]
            .map(|(number, letter)| {
                let header = if number == "12" { "12 The book".to_owned() } else { format!("The book {number}") };
                let body: Vec<String> =
                    ["Body", "more", "and", "so", "on"].map(|word| format!("{word} {letter}")).into();
                let lines: Vec<&str> = [header.as_str()].into_iter().chain(body.iter().map(String::as_str)).collect();
                full(&[lines, vec![number]].concat())
            })
            .into();
        let body = |letter: &str| format!("Body {letter} more {letter} and {letter} so {letter} on {letter}");
        assert_eq!(text(pages.clone()), ["k", "m", "n"].map(body).join("\n\n"));
        assert!(text(pages[..2].to_vec()).contains("The book"));
        // What stands on every page of a form stays: there is little else.
        let form = |name: &str| full(&["Name and address", "Signature", name]);
        let forms = text(vec![form("Ann"), form("Ben"), form("Cleo")]);
        assert_eq!((forms.matches("Signature").count(), forms.contains("Ben")), (3, true), "{forms}");
        let contents = full(&["1.2 Lamps . . . . . . 17", "Oil ........ iv", "See p. 17", "and so on ... 3"]);
        assert_eq!(text(vec![contents]), "See p. 17 and so on ... 3");
    }
}
