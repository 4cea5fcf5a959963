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

/// The text of a document, without what is marked as hidden, headers, footers, notes, comments and what is marked as deleted.
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
    let relations = part("_rels/.rels")?.unwrap_or_default();
    let told = related(&relations, "", "officeDocument").unwrap_or_else(|| MAIN.to_owned());
    let (main, body) = match part(&told)? {
        Some(body) => (told, body),
        None => (MAIN.to_owned(), part(MAIN)?.ok_or("it has no `word/document.xml`, as a DOCX file has")?),
    };
    let (folder, name) = main.rsplit_once('/').unwrap_or(("", &main));
    let relations = part(&joined(folder, &format!("_rels/{name}.rels")))?.unwrap_or_default();
    let mut beside = |kind: &str| match related(&relations, folder, kind).map(|told| part(&told)) {
        Some(Ok(None)) | None => part(&joined(folder, &format!("{kind}.xml"))),
        Some(found) => found,
    };
    let styles = beside("styles")?.map(|xml| levels(&xml)).transpose()?.unwrap_or_default();
    let numbered = beside("numbering")?.map(|xml| numbered(&xml)).transpose()?.unwrap_or_default();
    Writer { styles, numbered, ..Writer::default() }.document(&body)
}

/// The part of the archive that some relations of a part in this folder say is of a kind; none where they can't be read.
fn related(relations: &str, folder: &str, kind: &str) -> Option<String> {
    let mut found = None;
    let read = each(relations, |event| {
        let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
        let of_kind = value(&tag, "Type").is_some_and(|of| of.rsplit('/').next() == Some(kind));
        if of_kind && value(&tag, "TargetMode").as_deref() != Some("External") && found.is_none() {
            found = value(&tag, "Target").map(|target| joined(folder, &target));
        }
    });
    found.filter(|_| read.is_ok())
}

/// The name of the part that a path leads to from a folder of the archive.
fn joined(folder: &str, path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in path.split('/') {
        match part {
            ".." => _ = parts.pop(),
            "." => {}
            name => parts.push(name),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
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
    /// Runs of text that are open, and whether each is marked as hidden: boxes with text stand within others.
    runs: Vec<bool>,
    /// Whether the properties of a paragraph are open, which tell how its mark looks.
    is_of_paragraph: bool,
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
    /// Columns that the open cell spans beyond its first, and those that all cells do.
    span: usize,
    filled: usize,
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
            "r" => self.runs.push(false),
            "pPr" => self.is_of_paragraph = true,
            "vanish" if !self.is_of_paragraph => {
                self.runs.last_mut().into_iter().for_each(|is_hidden| *is_hidden = is_on(tag))
            }
            _ => {}
        }
        let is_hidden = self.is_hidden();
        let Some(paragraph) = self.paragraphs.last_mut().filter(|_| !is_hidden) else { return };
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
            "r" => _ = self.runs.pop(),
            "pPr" => self.is_of_paragraph = false,
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
                        table.filled += span;
                        row.extend(std::iter::repeat_n(
                            String::new(),
                            if table.filled > super::CELLS { 0 } else { span },
                        ));
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

    fn is_hidden(&self) -> bool {
        self.runs.contains(&true)
    }

    fn text(&mut self, text: &str) {
        let is_shown = self.is_text && !self.is_hidden();
        if let Some(paragraph) = self.paragraphs.last_mut().filter(|_| is_shown) {
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
        // Forms are laid out on a fine grid, of which every row spans most columns.
        let is_used = |at: &usize| self.rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.trim().is_empty()));
        let columns: Vec<usize> = (0..columns).filter(is_used).collect();
        let line = |row: &Vec<String>| {
            let cell = |&at: &usize| {
                let words: Vec<&str> = row.get(at).map_or("", String::as_str).split_whitespace().collect();
                words.join(" ").replace('|', "\\|")
            };
            format!("| {} |", columns.iter().map(cell).collect::<Vec<_>>().join(" | "))
        };
        let mut lines: Vec<String> = self.rows.iter().filter(|row| !row.is_empty()).map(line).collect();
        if !lines.is_empty() {
            lines.insert(1, format!("|{}", " --- |".repeat(columns.len())));
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
mod tests;
