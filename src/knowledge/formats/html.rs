//! HTML becomes Markdown: its headings, paragraphs, lists, tables and code, without what only a browser needs.

use super::super::encoding::{self, Decoded};
use encoding_rs::Encoding;
use htmd::element_handler::{HandlerResult, Handlers};
use htmd::{Element, HtmlToMarkdown, Node};
use markup5ever_rcdom::NodeData;
use std::rc::Rc;

/// Elements that are no text, or that lead to other pages.
const LEFT_OUT: [&str; 20] = [
    "audio", "button", "canvas", "dialog", "embed", "footer", "head", "iframe", "input", "map", "nav", "noscript",
    "object", "script", "select", "style", "svg", "template", "textarea", "video",
];

/// Elements that may be marked as something else than the text of the page.
const MARKED: [&str; 9] = ["aside", "div", "header", "li", "ol", "p", "section", "span", "ul"];

/// Roles of elements that lead to other pages.
const ROLES: [&str; 4] = ["banner", "contentinfo", "navigation", "search"];

/// Classes of such elements, by the programs that make pages of documentation.
const CLASSES: [&str; 9] = [
    "breadcrumb",
    "breadcrumbs",
    "navbar",
    "navfooter",
    "navheader",
    "sidebar",
    "sphinxsidebar",
    "toc",
    "toctree-wrapper",
];

/// Elements nested deeper than this are no page that anybody wrote; browsers stop here too.
const DEEPEST: usize = 512;

/// The start of a file in which its encoding must stand.
const DECLARATION: usize = 1024;

/// A page as Markdown. Of links and images the text stays.
pub fn markdown(bytes: &[u8], notes: &mut Vec<String>) -> Result<String, String> {
    let html = decoded(bytes, notes)?;
    let converter = HtmlToMarkdown::builder()
        .skip_tags(LEFT_OUT.to_vec())
        .add_handler(
            MARKED.to_vec(),
            |handlers: &dyn Handlers, element: Element<'_>| {
                if is_hidden(&element) { None } else { handlers.fallback(element) }
            },
        )
        .add_handler(vec!["a"], |handlers: &dyn Handlers, element: Element<'_>| {
            let text = handlers.walk_children(element.node);
            // What points to the heading it stands in.
            (!["¶", "#", "§", "🔗"].contains(&text.content.trim())).then_some(text)
        })
        .add_handler(vec!["img"], |_: &dyn Handlers, element: Element<'_>| {
            attribute(&element, "alt").map(|alt| alt.split_whitespace().collect::<Vec<_>>().join(" ").into())
        })
        .add_handler(vec!["pre"], |_: &dyn Handlers, element: Element<'_>| Some(fenced(&raw_text(element.node)).into()))
        .add_handler(
            vec!["table"],
            |handlers: &dyn Handlers, element: Element<'_>| {
                if is_hidden(&element) { None } else { table(handlers, &element) }
            },
        )
        .build();
    let tree = converter.html_to_tree(&html).map_err(|error| format!("it is no HTML ({error})"))?;
    if is_deeper(&tree, DEEPEST) {
        return Err(format!("its elements are nested more than {DEEPEST} deep"));
    }
    Ok(tidy(&converter.tree_to_markdown(&tree)))
}

/// The text below a node, as it is written.
fn raw_text(node: &Rc<Node>) -> String {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        NodeData::Element { name, .. } if &*name.local == "br" => "\n".to_owned(),
        _ => node.children.borrow().iter().map(raw_text).collect(),
    }
}

/// Text that nothing in it is a mark of.
fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("\n\n{fence}\n{}\n{fence}\n\n", text.trim_matches('\n'))
}

/// A table by its rows, the first of which is its header, whatever its cells are marked as; one with cells of several columns
/// or rows has empty ones beside and below them. A table within a cell, and one of a single column, is there for the looks: its
/// cells are paragraphs.
fn table(handlers: &dyn Handlers, element: &Element<'_>) -> Option<HandlerResult> {
    let (mut rows, mut captions) = (Vec::new(), Vec::new());
    rows_below(element.node, &mut rows, &mut captions);
    let is_layout = is_within_cell(element.node) || rows.iter().all(|row| cells(row).len() < 2);
    if is_layout {
        let walked = handlers.walk_children(element.node);
        return Some(format!("\n\n{}\n\n", walked.content.trim_matches('\n')).into());
    }
    let mut lines: Vec<Vec<String>> = Vec::with_capacity(rows.len());
    // Of each column, how many rows further down a cell reaches.
    let mut taken: Vec<usize> = Vec::new();
    for row in &rows {
        let mut line = Vec::new();
        let skip = |line: &mut Vec<String>, taken: &mut Vec<usize>| {
            while let Some(rest) = taken.get_mut(line.len()).filter(|rest| **rest > 0) {
                *rest -= 1;
                line.push(String::new());
            }
        };
        for cell in cells(row) {
            skip(&mut line, &mut taken);
            let spans = |name| span(&cell, name);
            let (columns, below) = (spans("colspan"), spans("rowspan") - 1);
            let text = handlers.walk_children(&cell).content;
            line.push(text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|"));
            line.extend(std::iter::repeat_n(String::new(), columns - 1));
            taken.resize(taken.len().max(line.len()), 0);
            let end = line.len();
            taken[end - columns..end].fill(below);
        }
        skip(&mut line, &mut taken);
        lines.push(line);
    }
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let is_filled_up = columns.saturating_mul(lines.len()) <= super::CELLS;
    let mut markdown = String::from("\n\n");
    for caption in captions {
        markdown.push_str(handlers.walk_children(&caption).content.trim());
        markdown.push_str("\n\n");
    }
    for (at, mut line) in lines.into_iter().enumerate() {
        if is_filled_up {
            line.resize(columns, String::new());
        }
        markdown.push_str(&format!("| {} |\n", line.join(" | ")));
        if at == 0 {
            markdown.push_str(&format!("|{}\n", " --- |".repeat(columns)));
        }
    }
    markdown.push('\n');
    Some(markdown.into())
}

fn tag(node: &Rc<Node>) -> Option<&str> {
    match &node.data {
        NodeData::Element { name, .. } => Some(&*name.local),
        _ => None,
    }
}

/// The rows of a table, in order, and its captions.
fn rows_below(node: &Rc<Node>, rows: &mut Vec<Rc<Node>>, captions: &mut Vec<Rc<Node>>) {
    for child in node.children.borrow().iter() {
        match tag(child) {
            Some("tr") => rows.push(child.clone()),
            Some("thead" | "tbody" | "tfoot") => rows_below(child, rows, captions),
            Some("caption") => captions.push(child.clone()),
            _ => {}
        }
    }
}

fn cells(row: &Rc<Node>) -> Vec<Rc<Node>> {
    row.children.borrow().iter().filter(|child| matches!(tag(child), Some("td" | "th"))).cloned().collect()
}

/// How many columns or rows a cell takes: 1 to a hundred.
fn span(cell: &Rc<Node>, name: &str) -> usize {
    let NodeData::Element { attrs, .. } = &cell.data else { return 1 };
    let attrs = attrs.borrow();
    let value = attrs.iter().find(|attribute| &*attribute.name.local == name);
    value.and_then(|attribute| attribute.value.trim().parse().ok()).unwrap_or(1).clamp(1, 100)
}

fn is_within_cell(node: &Rc<Node>) -> bool {
    let parent = |node: &Rc<Node>| {
        let weak = node.parent.take();
        let parent = weak.as_ref().and_then(std::rc::Weak::upgrade);
        node.parent.set(weak);
        parent
    };
    let mut above = parent(node);
    while let Some(node) = above {
        if matches!(tag(&node), Some("td" | "th")) {
            return true;
        }
        above = parent(&node);
    }
    false
}

/// Without blanks at the end of lines and without more than one blank line in a row; and without the marks that keep an
/// underscore, a bracket or a backslash from meaning something, which no passage is to show.
fn tidy(markdown: &str) -> String {
    let mut tidy = String::with_capacity(markdown.len());
    let mut fence: Option<&str> = None;
    for line in markdown.lines().map(str::trim_end) {
        let mark = line.trim_start();
        let mark = &mark[..mark.len() - mark.trim_start_matches('`').len()];
        let is_code = fence.is_some() || mark.len() >= 3;
        match fence {
            Some(open) if mark == open => fence = None,
            None if mark.len() >= 3 => fence = Some(mark),
            _ => {}
        }
        if is_code {
            tidy.push_str(line);
            tidy.push('\n');
        } else if !line.is_empty() || !tidy.ends_with("\n\n") {
            // Between single backquotes nothing is a mark.
            for (at, part) in line.split('`').enumerate() {
                tidy.push_str(if at == 0 { "" } else { "`" });
                if at % 2 == 0 {
                    unescape(part, &mut tidy);
                } else {
                    tidy.push_str(part);
                }
            }
            tidy.push('\n');
        }
    }
    tidy.truncate(tidy.trim_end().len());
    tidy
}

/// Without backslashes before what is no mark at the start of a line.
fn unescape(text: &str, out: &mut String) {
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().filter(|next| letter == '\\' && "_*[]\\".contains(*next));
        match next {
            Some(next) if !(next == '*' && out.ends_with('\n')) => {
                letters.next();
                out.push(next);
            }
            _ => out.push(letter),
        }
    }
}

/// In the encoding that it declares, unless it begins with a mark of another or has none of it.
fn decoded(bytes: &[u8], notes: &mut Vec<String>) -> Result<String, String> {
    let declared = declared(bytes).filter(|_| Encoding::for_bom(bytes).is_none());
    if let Some(text) =
        declared.and_then(|encoding| encoding.decode_without_bom_handling_and_without_replacement(bytes))
    {
        return Ok(text.into_owned());
    }
    let Decoded { text, note } = encoding::decoded(bytes)?;
    notes.extend(note);
    Ok(text)
}

/// The encoding of `<meta charset=…>` or `content="text/html; charset=…"`.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION)]).to_ascii_lowercase();
    let (_, after) = start.split_once("charset=")?;
    let label = after.trim_start_matches(['"', '\'', ' ']);
    let end = label.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_:".contains(letter));
    let encoding = Encoding::for_label(&label.as_bytes()[..end.unwrap_or(label.len())])?;
    // Bytes that can be read there are no UTF-16, whatever they say.
    Some(encoding.output_encoding())
}

fn attribute<'a>(element: &'a Element<'_>, name: &str) -> Option<&'a str> {
    element.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}

fn is_hidden(element: &Element<'_>) -> bool {
    attribute(element, "hidden").is_some()
        || attribute(element, "aria-hidden") == Some("true")
        || attribute(element, "role").is_some_and(|role| ROLES.contains(&role))
        || attribute(element, "class").is_some_and(|classes| classes.split(' ').any(|class| CLASSES.contains(&class)))
}

/// Whether a tree is deeper than this: the converter goes down into it.
fn is_deeper(tree: &Rc<Node>, deepest: usize) -> bool {
    let mut level = vec![tree.clone()];
    for _ in 0..=deepest {
        level = level.iter().flat_map(|node| node.children.borrow().clone()).collect();
        if level.is_empty() {
            return false;
        }
    }
    true
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(html: &str) -> String {
        markdown(html.as_bytes(), &mut Vec::new()).unwrap()
    }

    #[test]
    fn tables_keep_every_cell_and_code_stays_as_it_is() {
        let read = |html: &str| markdown(html.as_bytes(), &mut Vec::new()).unwrap();
        for (html, expected) in [
            // Headers of rows; of rows and columns; over several columns and rows.
            (
                "<table><tr><th>Weight</th><td>3 kg</td></tr><tr><th>Height</th><td>5 m</td></tr></table>",
                "| Weight | 3 kg |\n| --- | --- |\n| Height | 5 m |",
            ),
            (
                "<table><thead><tr><td></td><th>Mon</th></tr></thead><tbody><tr><th>9 h</th><td>a|b</td></tr></tbody></table>",
                "|  | Mon |\n| --- | --- |\n| 9 h | a\\|b |",
            ),
            (
                "<table><tr><th rowspan=2>Pump</th><th colspan=2>Load</th></tr><tr><th>kg</th><th>kN</th></tr>\
                 <tr><td>A</td><td>1</td><td>2</td></tr></table>",
                "| Pump | Load |  |\n| --- | --- | --- |\n|  | kg | kN |\n| A | 1 | 2 |",
            ),
            // For the looks.
            ("<table><tr><td><h1>Title</h1><p>Text.</p></td></tr></table>", "# Title\n\nText."),
            (
                "<pre># install it first\npip  install x &lt;!-- keep --&gt;</pre>",
                "```\n# install it first\npip  install x <!-- keep -->\n```",
            ),
            ("<pre><code>a\n\n\n\nb\\_c</code></pre>", "```\na\n\n\n\nb\\_c\n```"),
            ("<p>snake_case_name in C:\\path [1], <code>a\\_b</code></p>", "snake_case_name in C:\\path [1], `a\\_b`"),
            ("<form><p>A page of a form.</p><select><option>No</option></select></form>", "A page of a form."),
        ] {
            assert_eq!(read(html), expected, "{html}");
        }
    }

    #[test]
    fn headings_lists_tables_and_code_are_markdown() {
        let html = "<!doctype html><title>T</title><h1>The lamp<a href='#lamp'>¶</a></h1><p>Of <b>glass</b> &amp; <a \
                    href='x.html'>brass</a>.</p><ul><li>one<li>two</ul><ol><li>first<li>second</ol><table><tr><th>Part<th>\
                    Price<tr><td>lens<td>3</table><pre><code>a = 1\nb</code></pre><h2>Oil</h2>";
        let lines = read(html);
        let lines: Vec<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(
            lines,
            [
                "# The lamp",
                "Of **glass** & brass.",
                "*   one",
                "*   two",
                "1.  first",
                "2.  second",
                "| Part | Price |",
                "| --- | --- |",
                "| lens | 3 |",
                "```",
                "a = 1",
                "b",
                "```",
                "## Oil"
            ]
        );
    }

    #[test]
    fn what_is_not_the_text_of_the_page_is_left_out() {
        let html = "<head><style>p {}</style><script>var a = 1 < 2;</script></head><body><nav>Home</nav><div class='x toc'>1. One</div><div \
                    role=navigation>Up</div><p hidden>no</p><section aria-hidden=true>no</section><header><h1>Head</h1></header>\
                    <noscript>no</noscript><svg><text>no</text></svg><p>Text <img src=a.png alt='of the\nlamp'><img src=b.png>\
                    </p><form><button>Send</button></form><!-- no --><footer>Imprint</footer>";
        assert_eq!(read(html), "# Head\n\nText of the lamp");
        assert_eq!(read(""), "");
    }

    #[test]
    fn the_declared_encoding_counts_where_it_can_be_read() {
        let page = |meta: &str, text: &[u8]| [meta.as_bytes(), b"<p>", text].concat();
        let cyrillic: &[u8] = &[0xc1, 0xe5, 0xeb, 0xfb, 0xe9];
        for (bytes, text) in [
            (page("<meta charset=\"windows-1251\">", cyrillic), "Белый"),
            (page("<meta http-equiv=Content-Type content='text/html; charset=windows-1251'>", cyrillic), "Белый"),
            (page("<meta charset=latin1>", b"caf\xe9"), "café"),
            (page("<meta charset=utf-8>", b"Le caf\xe9 de la for\xeat"), "Le café de la forêt"),
            (page("\u{feff}<meta charset=latin1>", "café".as_bytes()), "café"),
            (page("<meta charset=utf-16>", "café".as_bytes()), "café"),
            (page("<meta charset=none>", "café".as_bytes()), "café"),
        ] {
            assert_eq!(markdown(&bytes, &mut Vec::new()).unwrap(), text);
        }
    }

    #[test]
    fn elements_may_be_nested_but_not_without_end() {
        let nested = |count: usize| format!("{}text", "<div><b>".repeat(count));
        assert!(read(&nested(100)).contains("text"));
        let refused = markdown(nested(1_000).as_bytes(), &mut Vec::new());
        assert_eq!(refused, Err("its elements are nested more than 512 deep".into()));
    }
}
