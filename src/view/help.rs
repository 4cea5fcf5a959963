//! The pages of `dlgforge help` as trees, which the browser makes elements of: it is never given HTML.

use crate::pages::Page;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde::Serialize;

/// A piece of a page: a text, or an element with what is in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Piece {
    /// Words as they are to be shown.
    Text(String),
    /// What has a form, by the name of its HTML element.
    Element {
        /// The name, such as `p`.
        tag: &'static str,
        /// Where a link leads: the file of a page, or an address.
        #[serde(skip_serializing_if = "String::is_empty")]
        href: String,
        /// The pieces in it, in order.
        content: Vec<Piece>,
    },
}

/// What is on a page, its heading included. What Markdown has and pages do not, such as pictures and HTML, is left out.
pub fn pieces(page: Page) -> Vec<Piece> {
    let mut open: Vec<(&'static str, String, Vec<Piece>)> = vec![("", String::new(), Vec::new())];
    let mut is_head = false;
    for event in Parser::new_ext(page.text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(tag) => {
                is_head = is_head || matches!(tag, Tag::TableHead);
                let (name, href) = element(tag, is_head);
                open.push((name, href, Vec::new()));
            }
            Event::End(end) => {
                is_head = is_head && end != TagEnd::TableHead;
                if let Some((tag, href, content)) = open.pop() {
                    put(&mut open, Piece::Element { tag, href, content });
                }
            }
            Event::Code(text) => {
                let content = vec![Piece::Text(text.into_string())];
                put(&mut open, Piece::Element { tag: "code", href: String::new(), content });
            }
            Event::Text(text) => put(&mut open, Piece::Text(text.into_string())),
            Event::SoftBreak | Event::HardBreak => put(&mut open, Piece::Text("\n".to_owned())),
            _ => {}
        }
    }
    open.pop().map(|(_, _, content)| content).unwrap_or_default()
}

fn put(open: &mut [(&'static str, String, Vec<Piece>)], piece: Piece) {
    if let Some((_, _, content)) = open.last_mut() {
        content.push(piece);
    }
}

/// The element that a mark of Markdown begins, and where it leads.
fn element(tag: Tag<'_>, is_head: bool) -> (&'static str, String) {
    let name = match tag {
        Tag::Link { dest_url, .. } => return ("a", dest_url.into_string()),
        Tag::Heading { level: HeadingLevel::H1, .. } => "h1",
        Tag::Heading { level: HeadingLevel::H2, .. } => "h2",
        Tag::Heading { .. } => "h3",
        Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => "pre",
        Tag::List(None) => "ul",
        Tag::List(Some(_)) => "ol",
        Tag::Item => "li",
        Tag::Table(_) => "table",
        Tag::TableHead | Tag::TableRow => "tr",
        Tag::TableCell if is_head => "th",
        Tag::TableCell => "td",
        Tag::Emphasis => "em",
        Tag::Strong => "strong",
        Tag::BlockQuote(_) => "blockquote",
        Tag::Paragraph => "p",
        _ => "span",
    };
    (name, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::PAGES;
    use serde_json::json;

    #[test]
    fn marks_become_elements_and_html_nothing() {
        let text = "# A `b`\n\nSee [limits](limits.md): **x** <script>alert(1)</script>.\n\n- one\n\n```sh\nls <a>\n```\n\n\
                    | k | v |\n|---|---|\n| 1 | 2 |\n";
        let told = json!(pieces(Page { topic: "t", text }));
        let element = |tag: &str, content: serde_json::Value| json!({"tag": tag, "content": content});
        let row = |tag: &str, one: &str, two: &str| {
            element("tr", json!([element(tag, json!([one])), element(tag, json!([two]))]))
        };
        let link = json!({"tag": "a", "href": "limits.md", "content": ["limits"]});
        let expected = json!([
            element("h1", json!(["A ", element("code", json!(["b"]))])),
            element("p", json!(["See ", link, ": ", element("strong", json!(["x"])), " ", "alert(1)", "."])),
            element("ul", json!([element("li", json!(["one"]))])),
            element("pre", json!(["ls <a>\n"])),
            element("table", json!([row("th", "k", "v"), row("td", "1", "2")])),
        ]);
        assert_eq!(told, expected);
    }

    #[test]
    fn every_page_begins_with_its_title() {
        for page in PAGES {
            let first = json!(pieces(page))[0].clone();
            assert_eq!(first["tag"], "h1", "{}", page.topic);
        }
    }
}
