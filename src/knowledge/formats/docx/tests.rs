//! Small documents, and archives that are none.

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
        format!("<w:tbl>{}{}<w:tr>{}</w:tr></w:tbl>", row(["Part", "Price | $"]), row(["lens", "3"]), cell("alone")),
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
    // A form on a fine grid has the columns that its rows use.
    let form = |text: &str| format!("<w:tr>{}{}</w:tr>", cell("<w:gridSpan w:val=\"20\"/>", text), cell("", "x"));
    assert_eq!(
        read(&format!("<w:tbl>{}{}</w:tbl>", form("Name"), form("Town"))).unwrap(),
        "| Name | x |\n| --- | --- |\n| Town | x |"
    );
    let boxed = |properties: &str, text: &str| {
        format!(
            "<w:pict><w:txbxContent><w:p><w:pPr><w:rPr>{properties}</w:rPr></w:pPr>{text}</w:p></w:txbxContent></w:pict>"
        )
    };
    let around =
        |outer: &str, inner: &str| format!("<w:p><w:r><w:rPr>{outer}</w:rPr>{inner}<w:t>after</w:t></w:r></w:p>");
    let inner = boxed("<w:vanish/>", "<w:r><w:t>box</w:t></w:r>");
    assert_eq!(read(&around("", &inner)).unwrap(), "box\n\nafter");
    assert_eq!(read(&around("<w:vanish/>", &inner)).unwrap(), "");
    // The mark of the paragraph is hidden, and its text is not.
    let body = format!("<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>{}</w:p>", runs.concat());
    assert_eq!(read(&body).unwrap(), "shown, a < b, <!-- typed -->");
}

#[test]
fn the_text_is_where_the_archive_says() {
    let relation = |kind: &str, target: &str| {
        format!("<Relationships><Relationship Type=\"http://x/{kind}\" Target=\"{target}\"/></Relationships>")
    };
    let styles = "<w:styles><w:style w:styleId=\"S\"><w:name w:val=\"heading 2\"/></w:style></w:styles>";
    let body = paragraph(&style("S"), "Lamps");
    for target in ["/word/document2.xml", "word/document2.xml", "./word/document2.xml", r"word\x\..\document2.xml"] {
        let whole = zip(&[
            ("_rels/.rels", relation("officeDocument", target).as_bytes()),
            ("word/document2.xml", body.as_bytes()),
            ("word/_rels/document2.xml.rels", relation("styles", "styles7.xml").as_bytes()),
            ("word/styles7.xml", styles.as_bytes()),
        ]);
        assert_eq!(markdown(&whole, &Reading::default()), Ok("## Lamps".into()), "{target}");
    }
    // Where it says nothing that can be used, they are where they mostly are.
    let nowhere = relation("officeDocument", "word/nowhere.xml");
    for relations in [nowhere.as_str(), "<Relationships><Rel", ""] {
        let whole = zip(&[
            ("_rels/.rels", relations.as_bytes()),
            ("word/document.xml", body.as_bytes()),
            ("word/_rels/document.xml.rels", relation("styles", "gone.xml").as_bytes()),
            ("word/styles.xml", styles.as_bytes()),
        ]);
        assert_eq!(markdown(&whole, &Reading::default()), Ok("## Lamps".into()), "{relations}");
    }
    let at_the_root = zip(&[
        ("_rels/.rels", relation("officeDocument", "document.xml").as_bytes()),
        ("document.xml", body.as_bytes()),
        ("styles.xml", styles.as_bytes()),
    ]);
    assert_eq!(markdown(&at_the_root, &Reading::default()), Ok("## Lamps".into()));
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
