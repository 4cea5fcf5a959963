//! HTML becomes Markdown: its headings, paragraphs, lists, tables and code, without what only a browser needs.

use super::super::encoding::{self, Decoded};
use encoding_rs::Encoding;
use htmd::element_handler::Handlers;
use htmd::{Element, HtmlToMarkdown, Node};
use std::rc::Rc;

/// Elements that are no text, or that lead to other pages.
const LEFT_OUT: [&str; 19] = [
    "audio", "button", "canvas", "dialog", "embed", "footer", "form", "head", "iframe", "input", "map", "nav",
    "noscript", "object", "script", "style", "svg", "template", "video",
];

/// Elements that may be marked as something else than the text of the page.
const MARKED: [&str; 10] = ["aside", "div", "header", "li", "ol", "p", "section", "span", "table", "ul"];

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
        .build();
    let tree = converter.html_to_tree(&html).map_err(|error| format!("it is no HTML ({error})"))?;
    if is_deeper(&tree, DEEPEST) {
        return Err(format!("its elements are nested more than {DEEPEST} deep"));
    }
    Ok(tidy(&converter.tree_to_markdown(&tree)))
}

/// Without blanks at the end of lines and without more than one blank line in a row.
fn tidy(markdown: &str) -> String {
    let mut tidy = String::with_capacity(markdown.len());
    for line in markdown.lines().map(str::trim_end) {
        if !line.is_empty() || !tidy.ends_with("\n\n") {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.truncate(tidy.trim_end().len());
    tidy
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
                "| ---- | ----- |",
                "| lens | 3     |",
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
