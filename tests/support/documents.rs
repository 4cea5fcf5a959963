//! Documents of the types that are not text, as small as they can be.

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::sync::Arc;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Text at a place of a page: from the left and from the top, in points; of this size.
pub type Placed<'a> = (f64, f64, f64, &'a str);

/// A PDF with these pages.
pub fn pdf(pages: &[Vec<Placed<'_>>]) -> Vec<u8> {
    let contents = |page: &Vec<Placed<'_>>| {
        let mut drawn = String::from("BT\n");
        for (x, y, size, text) in page {
            let text = text.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
            writeln!(drawn, "/F1 {size} Tf 1 0 0 1 {x} {} Tm ({text}) Tj", 792.0 - y).expect("memory");
        }
        drawn + "ET"
    };
    pdf_of(&pages.iter().map(contents).collect::<Vec<_>>(), &[])
}

/// Lines of text from the top of a page on.
pub fn lines<'a>(texts: &[&'a str]) -> Vec<Placed<'a>> {
    texts.iter().enumerate().map(|(at, text)| (72.0, 72.0 + 14.0 * at as f64, 12.0, *text)).collect()
}

/// A PDF with pages of these contents, and forms that they may draw: `/X0`, `/X1` and so on.
pub fn pdf_of(pages: &[String], forms: &[String]) -> Vec<u8> {
    let (first_page, first_form) = (4, 4 + 2 * pages.len());
    let numbers = |first: usize, step: usize, count: usize| (0..count).map(move |at| first + step * at);
    let kids: String = numbers(first_page, 2, pages.len()).map(|page| format!("{page} 0 R ")).collect();
    let drawn = numbers(first_form, 1, forms.len()).enumerate();
    let drawn: String = drawn.map(|(at, form)| format!("/X{at} {form} 0 R ")).collect();
    let resources = format!("<< /Font << /F1 3 0 R >> /XObject << {drawn}>> >>");
    let stream = |more: &str, text: &str| format!("<< {more}/Length {} >>\nstream\n{text}\nendstream", text.len());
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [ {kids}] /Count {} /MediaBox [0 0 612 792] >>", pages.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    for (page, contents) in numbers(first_page, 2, pages.len()).zip(pages) {
        objects.push(format!("<< /Type /Page /Parent 2 0 R /Resources {resources} /Contents {} 0 R >>", page + 1));
        objects.push(stream("", contents));
    }
    let form = format!("/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources {resources} ");
    objects.extend(forms.iter().map(|contents| stream(&form, contents)));
    file(&objects, "")
}

/// A PDF of these objects, the first of which is its catalogue.
pub fn file(objects: &[String], trailer: &str) -> Vec<u8> {
    let mut file = String::from("%PDF-1.4\n");
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        writeln!(table, "{:010} 00000 n ", file.len()).expect("memory");
        writeln!(file, "{} 0 obj\n{object}\nendobj", at + 1).expect("memory");
    }
    let start = file.len();
    let size = objects.len() + 1;
    write!(file, "{table}trailer\n<< /Size {size} /Root 1 0 R {trailer}>>\nstartxref\n{start}\n%%EOF\n")
        .expect("memory");
    file.into_bytes()
}

/// A DOCX with this body, and with the styles that Word has in German.
pub fn docx(body: &str) -> Vec<u8> {
    let word = "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"";
    let style = |id: &str, name: &str, more: &str| {
        format!("<w:style w:type=\"paragraph\" w:styleId=\"{id}\"><w:name w:val=\"{name}\"/>{more}</w:style>")
    };
    let styles = [
        style("Titel", "Title", ""),
        style("berschrift1", "heading 1", ""),
        style("berschrift2", "heading 2", ""),
        style("Eigene", "Own", "<w:basedOn w:val=\"berschrift2\"/>"),
    ];
    let level = |at: usize, form: &str| format!("<w:lvl w:ilvl=\"{at}\"><w:numFmt w:val=\"{form}\"/></w:lvl>");
    let numbering = format!(
        "<w:abstractNum w:abstractNumId=\"7\">{}{}</w:abstractNum>\
         <w:num w:numId=\"1\"><w:abstractNumId w:val=\"7\"/></w:num>",
        level(0, "decimal"),
        level(1, "bullet"),
    );
    zip(&[
        ("word/styles.xml", format!("<w:styles {word}>{}</w:styles>", styles.concat()).as_bytes()),
        ("word/numbering.xml", format!("<w:numbering {word}>{numbering}</w:numbering>").as_bytes()),
        (
            "word/document.xml",
            format!("<?xml version=\"1.0\"?><w:document {word}><w:body>{body}</w:body></w:document>").as_bytes(),
        ),
    ])
}

/// A paragraph of a DOCX with these properties.
pub fn paragraph(properties: &str, text: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

/// A ZIP archive of these files.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).expect("a file");
        archive.write_all(bytes).expect("memory");
    }
    archive.finish().expect("an archive").into_inner()
}

/// A Parquet file with these columns of texts.
pub fn parquet(columns: &[(&str, &[Option<&str>])]) -> Vec<u8> {
    let column = |texts: &[Option<&str>]| Arc::new(texts.iter().copied().collect::<StringArray>()) as ArrayRef;
    let rows =
        RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(name, texts)| (*name, column(texts), true)));
    let rows = rows.expect("columns of the same length");
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), None).expect("a writer");
    writer.write(&rows).expect("memory");
    writer.close().expect("memory");
    file
}
