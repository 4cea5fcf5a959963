//! PDF becomes text, page by page.

use super::direction::{is_leftward, is_leftward_line, read_order};
use super::layout::{self, Line, Page};
use pdf_extract::{Document, Error, MediaBox, OutputDev, OutputError, Transform, output_doc_page};
use std::panic::{AssertUnwindSafe, catch_unwind};
use unicode_normalization::UnicodeNormalization;

/// The deepest tree of pages that is gone up, in which pages look for what they don't have.
const DEEPEST: usize = 256;

const ENCRYPTED: &str = "it is encrypted; save it without a password";

/// The text of the pages, in paragraphs, without what is repeated at the top and the bottom of pages.
pub fn text(bytes: &[u8], max_pages: usize, notes: &mut Vec<String>) -> Result<String, String> {
    let mut document = Document::load_mem(bytes).map_err(damaged)?;
    let is_locked = document.is_encrypted() && document.decrypt("").is_err();
    let pages = document.get_pages();
    let total = pages.len();
    // Of a file that it can't decrypt the library reads nothing.
    if is_locked || total == 0 && document.trailer.get(b"Encrypt").is_ok() {
        return Err(ENCRYPTED.to_owned());
    }
    if total == 0 {
        return Err("it is no PDF file that can be read (it has no pages)".to_owned());
    }
    if total > max_pages {
        return Err(format!("it has {total} pages, more than `knowledge.max_pages` ({max_pages})"));
    }
    let read = |number: u32, page| {
        let mut output = Output::default();
        let read = catch_unwind(AssertUnwindSafe(|| {
            if leads_up(&document, page) { output_doc_page(&document, &mut output, number).ok() } else { None }
        }));
        read.ok().flatten().map(|()| Page { lines: output.lines })
    };
    let read: Vec<Option<Page>> = pages.into_iter().map(|(number, page)| read(number, page)).collect();
    let of_all = |count: usize, what: &str| (count > 0).then(|| format!("{count} of {total} pages {what}"));
    let (broken, read): (Vec<_>, Vec<_>) = read.into_iter().partition(Option::is_none);
    let pages: Vec<Page> = read.into_iter().flatten().collect();
    let blank = pages.iter().filter(|page| page.lines.is_empty()).count();
    if pages.is_empty() {
        return Err(format!("it is no PDF file that can be read (all of its {total} pages are damaged)"));
    }
    if blank == pages.len() {
        return Err("it has no text; it is probably scanned: convert it with `tools.retrieval.convert`".to_owned());
    }
    notes.extend(of_all(broken.len(), "left out, they are damaged"));
    notes.extend(of_all(blank, "have no text; they are probably scanned").filter(|_| blank * 2 > pages.len()));
    Ok(layout::text(pages))
}

fn damaged(error: Error) -> String {
    match error {
        Error::Decryption(_) | Error::InvalidPassword | Error::UnsupportedSecurityHandler(_) => ENCRYPTED.to_owned(),
        error => format!("it is no PDF file that can be read ({error})"),
    }
}

/// Whether the way up the tree from a page comes to an end, as the library expects.
fn leads_up(document: &Document, page: pdf_extract::ObjectId) -> bool {
    let up =
        |page: &pdf_extract::ObjectId| document.get_dictionary(*page).ok()?.get(b"Parent").ok()?.as_reference().ok();
    std::iter::successors(Some(page), up).take(DEEPEST + 1).count() <= DEEPEST
}

/// Gathers the lines of a page, in the order in which they are drawn.
#[derive(Default)]
struct Output {
    width: f64,
    height: f64,
    lines: Vec<Line>,
    /// Where the last character begins, from the left.
    x: f64,
    /// Letters of right-to-left scripts on the last line that stand to the right of the one before, less those to the left.
    rightward: i32,
    /// Where the last character stands, from the top: cells of one row of a table may stand at different heights.
    y: f64,
    /// Whether the next character begins a word, by the operators of the page.
    is_first: bool,
}

impl OutputDev for Output {
    fn begin_page(&mut self, _: u32, media: &MediaBox, _: Option<(f64, f64, f64, f64)>) -> Result<(), OutputError> {
        (self.width, self.height) = (media.urx - media.llx, media.ury - media.lly);
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.end_of_line();
        Ok(())
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        _: f64,
        font_size: f64,
        letters: &str,
    ) -> Result<(), OutputError> {
        // The side of a square as large as the one of one unit on the page.
        let size = (place.m11 * place.m22 - place.m12 * place.m21).abs().sqrt() * font_size;
        let (x, y) = (place.m31, self.height - place.m32);
        let end = x + width * size;
        let is_first = std::mem::take(&mut self.is_first);
        let down = (y - std::mem::replace(&mut self.y, y)).abs();
        let back = std::mem::replace(&mut self.x, x);
        let is_level = down <= size * 0.5;
        let same_line = |line: &&mut Line| !is_first || is_level || (x >= line.end && down <= size * 1.5);
        let is_leftward = letters.starts_with(is_leftward);
        match self.lines.last_mut().filter(same_line) {
            Some(line) => {
                let is_left = x < back;
                let gap = if is_left && is_leftward { back - end } else { x - line.end };
                if is_first && (gap > size * 0.12 || !is_level) && !line.text.ends_with(' ') {
                    line.text.push(' ');
                }
                (line.x, line.end) = if is_leftward { (line.x.min(x), line.end.max(end)) } else { (line.x, end) };
                line.size = line.size.max(size);
                if is_leftward && !is_left {
                    self.rightward += 1;
                    // One glyph for several letters, in a line that is going to be turned.
                    push(&mut line.text, &letters.chars().rev().collect::<String>());
                } else {
                    self.rightward -= i32::from(is_leftward);
                    push(&mut line.text, letters);
                }
            }
            None => {
                self.end_of_line();
                let mut text = String::new();
                push(&mut text, letters);
                self.lines.push(Line { text, x, y, end, size });
            }
        }
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.is_first = true;
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

impl Output {
    /// Puts the last line into the order in which it is read, if it was drawn from left to right, and turns its place round if it
    /// is read from right to left, so that it begins where it starts to be read.
    fn end_of_line(&mut self) {
        let is_visual = std::mem::take(&mut self.rightward) > 0;
        let Some(line) = self.lines.last_mut().filter(|line| line.text.contains(is_leftward)) else { return };
        if is_visual {
            line.text = read_order(&line.text);
        }
        if is_leftward_line(&line.text) {
            (line.x, line.end) = (self.width - line.end, self.width - line.x);
        }
    }
}

/// Adds letters, ligatures and forms of Arabic letters as the letters they stand for.
fn push(text: &mut String, letters: &str) {
    for letter in letters.chars() {
        match letter {
            '\u{fb00}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' => text.extend(std::iter::once(letter).nfkc()),
            '\u{a0}' => text.push(' '),
            _ if letter.is_control() => {}
            _ => text.push(letter),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::documents::{file, lines, pdf, pdf_of};

    fn text(bytes: &[u8]) -> Result<(String, Vec<String>), String> {
        let mut notes = Vec::new();
        super::text(bytes, 100, &mut notes).map(|text| (text, notes))
    }

    #[test]
    fn pages_become_paragraphs() {
        let pages = [
            vec![
                (72.0, 72.0, 18.0, "The lamp"),
                (72.0, 100.0, 12.0, "It is lit (at dusk) and burns"),
                (72.0, 114.0, 12.0, "oil."),
            ],
            vec![(72.0, 72.0, 12.0, "Caf\\351 \\223ok\\224")],
        ];
        assert_eq!(
            text(&pdf(&pages)).unwrap(),
            ("The lamp\n\nIt is lit (at dusk) and burns oil.\n\nCaf\\351 \\223ok\\224".into(), vec![])
        );
        let accents = pdf_of(&["BT /F1 12 Tf 72 700 Td (Caf\\351 \\223ok\\224) Tj ET".to_owned()], &[]);
        assert_eq!(text(&accents).unwrap().0, "Café “ok”");
    }

    #[test]
    fn cells_of_a_row_stand_beside_each_other() {
        let page = "BT /F1 10 Tf 1 0 0 1 72 700 Tm (ntfs) Tj 1 0 0 1 172 694 Tm [(Microsoft W) 80 (indows)] TJ ET";
        assert_eq!(text(&pdf_of(&[page.to_owned()], &[])).unwrap().0, "ntfs Microsoft Windows");
    }

    #[test]
    fn what_has_no_text_is_told_apart() {
        let scanned = "it has no text; it is probably scanned: convert it with `tools.retrieval.convert`";
        assert_eq!(text(&pdf(&[vec![], vec![]])), Err(scanned.into()));
        let half = text(&pdf(&[vec![], lines(&["one"]), vec![]])).unwrap();
        assert_eq!(half, ("one".into(), vec!["2 of 3 pages have no text; they are probably scanned".into()]));
        let secret = pdf(&[lines(&["secret"])]);
        let secret = String::from_utf8(secret).unwrap().replace(
            "/Root 1 0 R",
            &format!(
                "/Root 1 0 R /ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -1 /O <{0}> /U <{0}> >>",
                "5a".repeat(32)
            ),
        );
        assert_eq!(text(secret.as_bytes()), Err("it is encrypted; save it without a password".into()));
        let many = pdf(&vec![lines(&["x"]); 101]);
        assert_eq!(text(&many), Err("it has 101 pages, more than `knowledge.max_pages` (100)".into()));
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = pdf(&[lines(&["one"]), lines(&["two"])]);
        let catalogue = "<< /Type /Catalog /Pages 2 0 R >>".to_owned();
        let page = |parent: u8| format!("<< /Type /Page /Parent {parent} 0 R >>");
        let kids = |kids: &str| format!("<< /Type /Pages /Kids [ {kids} ] /Count 1 >>");
        for bytes in [
            b"".to_vec(),
            b"%PDF-1.4".to_vec(),
            whole[..whole.len() / 2].to_vec(),
            b"hello ".repeat(100),
            // A tree of pages that leads to itself, and pages below themselves.
            file(&[catalogue.clone(), kids("2 0 R")], ""),
            file(&[catalogue.clone(), kids("3 0 R"), page(3)], ""),
            file(&[catalogue, kids("3 0 R"), page(4), page(3)], ""),
        ] {
            let refused = text(&bytes).unwrap_err();
            assert!(refused.starts_with("it is no PDF file that can be read ("), "{refused}");
        }
        let broken = String::from_utf8(whole).unwrap().replacen("/Contents 5 0 R", "/MediaBox [0 0]", 1);
        let read = text(broken.as_bytes()).unwrap();
        assert_eq!(read, ("two".into(), vec!["1 of 2 pages left out, they are damaged".into()]));
    }
}
