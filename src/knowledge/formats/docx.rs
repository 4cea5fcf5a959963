//! DOCX becomes Markdown: headings by style, paragraphs, lists, tables.

use super::super::Reading;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// What readers show that can't do what the element before asks for, which is the same once more; how it looked before a change
/// that somebody keeps track of; where text was that stands elsewhere now.
const SKIPPED: [&str; 7] =
    ["Fallback", "moveFrom", "pPrChange", "rPrChange", "tblPrChange", "tcPrChange", "trPrChange"];

/// Styles that a style may be based on, one upon the other.
const BASES: usize = 10;

/// The deepest level of headings and of lists that Markdown is written for.
const LEVELS: usize = 6;

/// Where the text is, unless the archive says otherwise.
const MAIN: &str = "word/document.xml";

/// Columns that a cell can span in Word.
const SPAN: usize = 63;

/// The text of a document, without hidden text, headers, footers, notes, comments and what is marked as deleted.
pub fn markdown(bytes: &[u8], reading: &Reading) -> Result<String, String> {
    let mut archive = match ZipArchive::new(Cursor::new(bytes)) {
        Ok(archive) => archive,
        // An encrypted document is a container of another kind.
        Err(_) if bytes.starts_with(b"\xd0\xcf\x11\xe0") => {
            return Err("it is encrypted, or of an older type (.doc); save it as .docx without a password".to_owned());
        }
        Err(error) => return Err(damaged(error)),
    };
    let mut part = |name: &str| -> Result<Option<String>, String> {
        let file = match archive.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(damaged(error)),
        };
        let mut bytes = Vec::new();
        file.take(reading.max_bytes + 1).read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 > reading.max_bytes {
            let most = super::megabytes(reading.max_bytes);
            return Err(format!("it unpacks to more than {most} (`knowledge.max_size_mb`)"));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    };
    let main = match part("_rels/.rels")? {
        Some(relations) => related(&relations, "", "officeDocument")?,
        None => None,
    };
    let main = main.unwrap_or_else(|| MAIN.to_owned());
    let body = part(&main)?.ok_or_else(|| format!("it has no `{main}`, as a DOCX file has"))?;
    let (folder, name) = main.rsplit_once('/').unwrap_or(("", &main));
    let relations = part(&format!("{folder}/_rels/{name}.rels"))?.unwrap_or_default();
    let mut beside = |kind: &str| {
        let found = related(&relations, folder, kind)?;
        part(&found.unwrap_or_else(|| format!("{folder}/{kind}.xml")))
    };
    let styles = beside("styles")?.map(|xml| levels(&xml)).transpose()?.unwrap_or_default();
    let numbered = beside("numbering")?.map(|xml| numbered(&xml)).transpose()?.unwrap_or_default();
    Writer { styles, numbered, ..Writer::default() }.document(&body)
}

/// The part of the archive that some relations of a part in this folder say is of a kind.
fn related(relations: &str, folder: &str, kind: &str) -> Result<Option<String>, String> {
    let mut found = None;
    each(relations, |event| {
        let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
        let of_kind = value(&tag, "Type").is_some_and(|of| of.rsplit('/').next() == Some(kind));
        if let Some(target) = value(&tag, "Target").filter(|_| of_kind && found.is_none()) {
            found = Some(match target.strip_prefix('/') {
                Some(from_root) => from_root.to_owned(),
                None if folder.is_empty() => target,
                None => format!("{folder}/{target}"),
            });
        }
    })?;
    Ok(found)
}

fn damaged(error: impl std::fmt::Display) -> String {
    format!("it is no DOCX file that can be read ({error})")
}

/// Gives every tag and text of some XML to a function.
fn each<'a>(xml: &'a str, mut act: impl FnMut(Event<'a>)) -> Result<(), String> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().map_err(damaged)? {
            Event::Eof => return Ok(()),
            event => act(event),
        }
    }
}

/// The value of an attribute, whatever its prefix.
fn value(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let mut attributes = attributes.with_checks(false).map_while(Result::ok);
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.value.into_owned())
}

/// The levels of headings, from 1, by the id of their style.
fn levels(xml: &str) -> Result<HashMap<String, usize>, String> {
    let (mut levels, mut bases, mut current) = (HashMap::new(), HashMap::new(), String::new());
    each(xml, |event| {
        let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
        let value = |name| value(&tag, name);
        match tag.local_name().as_ref() {
            "style" => current = value("styleId").unwrap_or_default(),
            "name" => {
                // In every language of the program, save that of the ids.
                let name = value("val").unwrap_or_default().to_lowercase();
                let number = name.strip_prefix("heading ").and_then(|number| number.trim().parse().ok());
                let level = number.or_else(|| (name == "title").then_some(1));
                levels.extend(level.map(|level| (current.clone(), level)));
            }
            "outlineLvl" => levels.extend(outline(&tag).map(|level| (current.clone(), level))),
            "basedOn" => bases.extend(value("val").map(|base| (current.clone(), base))),
            _ => {}
        }
    })?;
    let inherited = |style: &String| {
        let bases = std::iter::successors(Some(style), |style| bases.get(*style)).take(BASES);
        bases.into_iter().find_map(|base| levels.get(base)).map(|level| (style.clone(), *level))
    };
    Ok(levels.keys().chain(bases.keys()).filter_map(inherited).collect())
}

/// Whether a property that is on or off is on.
fn is_on(tag: &BytesStart<'_>) -> bool {
    !matches!(value(tag, "val").as_deref(), Some("0" | "false" | "off"))
}

/// The level of a heading, where it is not that of body text.
fn outline(tag: &BytesStart<'_>) -> Option<usize> {
    let level: usize = value(tag, "val")?.parse().ok()?;
    (level < 9).then_some(level + 1)
}

/// The lists that have numbers, by id and level.
fn numbered(xml: &str) -> Result<HashMap<(String, usize), bool>, String> {
    let (mut formats, mut lists) = (HashMap::new(), Vec::new());
    let (mut current, mut level, mut number) = (String::new(), 0, String::new());
    each(xml, |event| {
        let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
        let value = |name| value(&tag, name).unwrap_or_default();
        match tag.local_name().as_ref() {
            "abstractNum" => current = value("abstractNumId"),
            "lvl" => level = value("ilvl").parse().unwrap_or_default(),
            "numFmt" => _ = formats.insert((current.clone(), level), !["bullet", "none"].contains(&&*value("val"))),
            "num" => number = value("numId"),
            "abstractNumId" => lists.push((number.clone(), value("val"))),
            _ => {}
        }
    })?;
    let of = |(list, form): &(String, String)| {
        let levels = (0..LEVELS).filter_map(|level| Some((level, *formats.get(&(form.clone(), level))?)));
        levels.map(|(level, is_numbered)| ((list.clone(), level), is_numbered)).collect::<Vec<_>>()
    };
    Ok(lists.iter().flat_map(of).collect())
}

#[derive(Default)]
struct Writer {
    styles: HashMap<String, usize>,
    numbered: HashMap<(String, usize), bool>,
    out: String,
    /// Paragraphs that are open: boxes with text stand within others.
    paragraphs: Vec<Paragraph>,
    /// Tables that are open, the outermost first.
    tables: Vec<Table>,
    /// Open elements of which nothing is read.
    skipped: usize,
    /// Whether an element is open that holds text: other elements hold instructions and what was deleted.
    is_text: bool,
    /// Whether a run of text is open, and whether it is hidden.
    is_run: bool,
    is_hidden: bool,
    was_item: bool,
}

#[derive(Default)]
struct Paragraph {
    text: String,
    style: String,
    outline: Option<usize>,
    /// The list that it is an item of, and how deep.
    list: Option<String>,
    level: usize,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    cell: String,
    /// Columns that the open cell spans beyond its first.
    span: usize,
}

impl Writer {
    fn document(mut self, xml: &str) -> Result<String, String> {
        each(xml, |event| match event {
            Event::Start(tag) if self.skipped > 0 || SKIPPED.contains(&tag.local_name().as_ref()) => self.skipped += 1,
            Event::End(_) if self.skipped > 0 => self.skipped -= 1,
            _ if self.skipped > 0 => {}
            Event::Start(tag) => self.start(&tag),
            Event::Empty(tag) => {
                self.start(&tag);
                self.end(tag.local_name().as_ref());
            }
            Event::End(tag) => self.end(tag.local_name().as_ref()),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let known = reference.resolve_char_ref().ok().flatten().map(String::from);
                let known = known.or_else(|| resolve_predefined_entity(&reference).map(str::to_owned));
                self.text(&known.unwrap_or_default());
            }
            _ => {}
        })?;
        Ok(self.out)
    }

    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        match name.as_ref() {
            "p" => self.paragraphs.push(Paragraph::default()),
            "tbl" => self.tables.push(Table::default()),
            "tr" => self.tables.last_mut().into_iter().for_each(|table| table.rows.push(Vec::new())),
            "gridSpan" => {
                let span = value(tag, "val").and_then(|span| span.parse().ok()).unwrap_or(1).clamp(1, SPAN);
                self.tables.last_mut().into_iter().for_each(|table| table.span = span - 1);
            }
            "t" => self.is_text = true,
            "r" => (self.is_run, self.is_hidden) = (true, false),
            "vanish" if self.is_run => self.is_hidden = is_on(tag),
            _ => {}
        }
        let Some(paragraph) = self.paragraphs.last_mut().filter(|_| !self.is_hidden) else { return };
        let value = || value(tag, "val").unwrap_or_default();
        match name.as_ref() {
            "pStyle" => paragraph.style = value(),
            "outlineLvl" => paragraph.outline = outline(tag),
            // The list with the number 0 is none.
            "numId" => paragraph.list = Some(value()).filter(|list| list != "0"),
            "ilvl" => paragraph.level = value().parse().unwrap_or_default(),
            "tab" => paragraph.text.push('\t'),
            "br" | "cr" => paragraph.text.push('\n'),
            "noBreakHyphen" => paragraph.text.push('-'),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "t" => self.is_text = false,
            "r" => (self.is_run, self.is_hidden) = (false, false),
            "p" => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    self.paragraph(&paragraph);
                }
            }
            "tc" => {
                if let Some(table) = self.tables.last_mut() {
                    let (cell, span) = (std::mem::take(&mut table.cell), std::mem::take(&mut table.span));
                    if let Some(row) = table.rows.last_mut() {
                        row.push(cell);
                        row.extend(std::iter::repeat_n(String::new(), span));
                    }
                }
            }
            "tbl" => {
                let Some(table) = self.tables.pop() else { return };
                match self.tables.last_mut() {
                    Some(outer) => {
                        outer.cell.push(' ');
                        outer.cell.push_str(&table.flat());
                    }
                    None => self.block(&table.markdown(), false),
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut().filter(|_| self.is_text && !self.is_hidden) {
            paragraph.text.push_str(text);
        }
    }

    fn paragraph(&mut self, paragraph: &Paragraph) {
        let text = paragraph.text.trim();
        if text.is_empty() {
            return;
        }
        if let Some(table) = self.tables.last_mut() {
            table.cell.push(' ');
            return table.cell.push_str(text);
        }
        let level = paragraph.outline.or_else(|| self.styles.get(&paragraph.style).copied());
        if let Some(level) = level {
            let title = text.split_whitespace().collect::<Vec<_>>().join(" ");
            return self.block(&format!("{} {title}", "#".repeat(level.min(LEVELS))), false);
        }
        let lines: Vec<String> = text.lines().map(escaped).collect();
        match &paragraph.list {
            Some(list) => {
                let level = paragraph.level.min(LEVELS - 1);
                let is_numbered = self.numbered.get(&(list.clone(), level)).copied().unwrap_or_default();
                let (indent, mark) = ("   ".repeat(level), if is_numbered { "1." } else { "-" });
                self.block(&format!("{indent}{mark} {}", lines.join(&format!("\n{indent}   "))), true);
            }
            None => self.block(&lines.join("\n"), false),
        }
    }

    fn block(&mut self, text: &str, is_item: bool) {
        if text.is_empty() {
            return;
        }
        // What somebody has typed is no comment.
        let text = &text.replace("<!--", "\\<!--");
        if !self.out.is_empty() {
            self.out.push_str(if is_item && self.was_item { "\n" } else { "\n\n" });
        }
        self.was_item = is_item;
        self.out.push_str(text);
    }
}

impl Table {
    /// Its first row is the header.
    fn markdown(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let flat = self.flat();
        if flat.is_empty() || columns * self.rows.len() > super::CELLS {
            return flat;
        }
        let line = |row: &Vec<String>| {
            let cell = |at: usize| {
                let words: Vec<&str> = row.get(at).map_or("", String::as_str).split_whitespace().collect();
                words.join(" ").replace('|', "\\|")
            };
            format!("| {} |", (0..columns).map(cell).collect::<Vec<_>>().join(" | "))
        };
        let mut lines: Vec<String> = self.rows.iter().filter(|row| !row.is_empty()).map(line).collect();
        if !lines.is_empty() {
            lines.insert(1, format!("|{}", " --- |".repeat(columns)));
        }
        lines.join("\n")
    }

    fn flat(&self) -> String {
        let cells = self.rows.iter().flatten().map(|cell| cell.trim());
        cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// A line of text that Markdown reads as no heading, quotation, table or code.
fn escaped(line: &str) -> String {
    let line = line.trim();
    let is_rule = !line.is_empty() && line.trim_start_matches('-').is_empty() || line.starts_with('=');
    if is_rule || line.starts_with(['#', '>', '|']) || ["```", "~~~"].iter().any(|fence| line.starts_with(fence)) {
        format!("\\{line}")
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::documents::{docx, paragraph, zip};
    use super::*;

    fn read(body: &str) -> Result<String, String> {
        markdown(&docx(body), &Reading { max_bytes: 1_000_000, ..Reading::default() })
    }

    fn style(style: &str) -> String {
        format!("<w:pStyle w:val=\"{style}\"/>")
    }

    #[test]
    fn headings_lists_and_tables_are_markdown() {
        let item = |list: u8, level: u8, text: &str| {
            paragraph(&format!("<w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"{list}\"/></w:numPr>"), text)
        };
        let cell = |text: &str| format!("<w:tc>{}</w:tc>", paragraph("", text));
        let row = |cells: [&str; 2]| format!("<w:tr>{}</w:tr>", cells.map(cell).concat());
        let body = [
            paragraph(&style("Titel"), "The lamp"),
            paragraph(&style("Eigene"), "Glass &amp; oil&#33;"),
            paragraph("<w:outlineLvl w:val=\"2\"/>", "Deep"),
            paragraph("<w:outlineLvl w:val=\"9\"/>", " # of lamps: 3 "),
            item(1, 0, "first"),
            item(1, 1, "inner"),
            item(1, 0, "second"),
            item(0, 0, "no item"),
            format!(
                "<w:tbl>{}{}<w:tr>{}</w:tr></w:tbl>",
                row(["Part", "Price | $"]),
                row(["lens", "3"]),
                cell("alone")
            ),
            paragraph("", ""),
        ];
        assert_eq!(
            read(&body.concat()).unwrap(),
            "# The lamp\n\n## Glass & oil!\n\n### Deep\n\n\\# of lamps: 3\n\n1. first\n   - inner\n1. second\n\nno item\n\n\
             | Part | Price \\| $ |\n| --- | --- |\n| lens | 3 |\n| alone |  |"
        );
    }

    #[test]
    fn only_what_a_reader_sees_is_text() {
        let run = |inner: &str| format!("<w:r>{inner}</w:r>");
        let boxed = "<mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent></mc:Choice>\
                     <mc:Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>";
        let runs = [
            run("<w:t>Press</w:t><w:tab/><w:t>on</w:t><w:br/><w:t>F1</w:t><w:noBreakHyphen/><w:t>F2</w:t>"),
            run("<w:instrText>PAGEREF _Toc1</w:instrText>"),
            format!("<w:del>{}</w:del>", run("<w:delText>gone</w:delText>")),
            format!("<w:moveFrom>{}</w:moveFrom>", run("<w:t>moved</w:t>")),
            format!("<w:ins>{}</w:ins>", run("<w:t>.</w:t>")),
            run(boxed),
        ];
        assert_eq!(read(&format!("<w:p>{}</w:p>", runs.concat())).unwrap(), "box\n\nPress\ton\nF1-F2.");
        let outer = format!(
            "<w:tbl><w:tr><w:tc>{}<w:tbl><w:tr><w:tc>{}</w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>",
            paragraph("", "out"),
            paragraph("", "in")
        );
        assert_eq!(read(&outer).unwrap(), "| out in |\n| --- |");
        let was_heading = format!("<w:pPrChange><w:pPr>{}</w:pPr></w:pPrChange>", style("Titel"));
        assert_eq!(read(&paragraph(&was_heading, "No title any more")).unwrap(), "No title any more");
    }

    #[test]
    fn cells_stand_in_their_columns_and_hidden_text_nowhere() {
        let cell = |more: &str, text: &str| format!("<w:tc><w:tcPr>{more}</w:tcPr>{}</w:tc>", paragraph("", text));
        let table = format!(
            "<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}{}</w:tr></w:tbl>",
            cell("", "Pump"),
            cell("<w:gridSpan w:val=\"2\"/>", "Load"),
            cell("", "A"),
            cell("", "1"),
            cell("", "2"),
        );
        assert_eq!(read(&table).unwrap(), "| Pump | Load |  |\n| --- | --- | --- |\n| A | 1 | 2 |");
        let run = |properties: &str, text: &str| format!("<w:r><w:rPr>{properties}</w:rPr>{text}</w:r>");
        let runs = [
            run("<w:vanish/>", "<w:t>secret</w:t><w:tab/>"),
            run("<w:vanish w:val=\"0\"/>", "<w:t>shown, </w:t>"),
            run("", "<w:t><![CDATA[a < b, ]]>&lt;!-- typed --&gt;</w:t>"),
        ];
        // The mark of the paragraph is hidden, and its text is not.
        let body = format!("<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>{}</w:p>", runs.concat());
        assert_eq!(read(&body).unwrap(), "shown, a < b, \\<!-- typed -->");
    }

    #[test]
    fn the_text_is_where_the_archive_says() {
        let relation = |kind: &str, target: &str| {
            format!("<Relationships><Relationship Type=\"http://x/{kind}\" Target=\"{target}\"/></Relationships>")
        };
        let styles = "<w:styles><w:style w:styleId=\"S\"><w:name w:val=\"heading 2\"/></w:style></w:styles>";
        let body = paragraph(&style("S"), "Lamps");
        for target in ["/word/document2.xml", "word/document2.xml"] {
            let whole = zip(&[
                ("_rels/.rels", relation("officeDocument", target).as_bytes()),
                ("word/document2.xml", body.as_bytes()),
                ("word/_rels/document2.xml.rels", relation("styles", "styles7.xml").as_bytes()),
                ("word/styles7.xml", styles.as_bytes()),
            ]);
            assert_eq!(markdown(&whole, &Reading::default()), Ok("## Lamps".into()), "{target}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let whole = docx(&paragraph("", "text"));
        let bomb = docx(&paragraph("", &"a".repeat(20_000_000)));
        assert!(bomb.len() < 100_000, "{} bytes", bomb.len());
        let nested = zip(&[("word/document.xml", &zip(&[("word/document.xml", b"<w:p/>")]))]);
        let reading = Reading { max_bytes: 1_000_000, ..Reading::default() };
        for (bytes, reason) in [
            (&b""[..], "it is no DOCX file that can be read ("),
            (b"PK\x03\x04 and no more", "it is no DOCX file that can be read ("),
            (&whole[..whole.len() / 2], "it is no DOCX file that can be read ("),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is encrypted, or of an older type (.doc)"),
            (&zip(&[("content.xml", b"<a/>")]), "it has no `word/document.xml`"),
            (&bomb, "it unpacks to more than 1 MB (`knowledge.max_size_mb`)"),
        ] {
            let refused = markdown(bytes, &reading).unwrap_err();
            assert!(refused.starts_with(reason), "{refused}");
        }
        assert_eq!(markdown(&nested, &reading).unwrap_or_default(), "");
        assert!(read("<w:p><w:r></w:p>").unwrap_err().starts_with("it is no DOCX file"));
        let deep = format!("{}{}", "<w:tbl><w:tr><w:tc>".repeat(50_000), "</w:tc></w:tr></w:tbl>".repeat(50_000));
        assert_eq!(markdown(&docx(&deep), &Reading::default()), Ok(String::new()));
    }
}
