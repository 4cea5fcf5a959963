//! Web pages where JSON was asked for: a login page, a proxy's, a portal's.

use super::response::shortened;

/// The first words of a page, if that is what a body is.
pub(in crate::providers) fn words(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut rest = text.starts_with('<').then_some(text)?;
    let mut words = String::new();
    while let Some((before, tag)) = rest.split_once('<') {
        words.push_str(before);
        words.push(' ');
        // What scripts and styles say is not for people.
        let hidden = ["script", "style"]
            .into_iter()
            .find(|name| tag.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name)));
        let end = hidden.and_then(|name| tag.to_ascii_lowercase().find(&format!("</{name}"))).unwrap_or(0);
        rest = tag[end..].split_once('>').map_or("", |(_, after)| after);
    }
    words.push_str(rest);
    Some(shortened(if words.trim().is_empty() { text } else { &words }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_by_their_words() {
        let login = "<!DOCTYPE html>\n<html><head><title>Sign in</title><STYLE>b {}</STYLE>\n<script>let a = '<p>';</script>\
                     </head><body><b>Please</b> log in.</body></html>";
        for (body, expected) in [
            (login, Some("Sign in Please log in.")),
            ("\u{feff}<html><img></html>", Some("<html><img></html>")),
            ("<", Some("<")),
            ("", None),
            ("{\"a\": \"<p>\"}", None),
            ("Not found", None),
        ] {
            assert_eq!(words(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(words("<p>a ".repeat(500).as_bytes()).map(|words| words.len()), Some(199));
    }
}
