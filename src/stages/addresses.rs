//! The addresses of an answer that no text it may rest on holds: a link that was made up leads nowhere, or anywhere.

/// The addresses of an answer, as written there, each once and in order, that stand in none of the known texts. How it
/// begins (`http`, `https`, `www.`), its case and a slash at its end make no other address.
pub(super) fn unsupported(answer: &str, known: &[&str]) -> Vec<String> {
    let mut unsupported: Vec<String> = Vec::new();
    for address in addresses(answer) {
        let bare = bare(address);
        let is_known = || known.iter().any(|text| text.to_lowercase().contains(&bare));
        if !bare.is_empty() && !unsupported.iter().any(|known| known == address) && !is_known() {
            unsupported.push(address.to_owned());
        }
    }
    unsupported
}

/// What begins as an address does, up to what can't be part of one or is punctuation of the sentence.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("://").filter_map(|(at, _)| {
        let scheme = ["https", "http"].into_iter().find(|scheme| text[..at].to_ascii_lowercase().ends_with(scheme))?;
        Some(at - scheme.len())
    });
    starts.map(|start| {
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '«' | '»' | '“' | '”' | '`' | '|' | '[' | ']');
        let address = text[start..].split(ends).next().unwrap_or_default();
        let is_open = address.contains('(');
        let stops =
            |c: char| matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '،' | '؛' | '؟' | '。' | '、');
        address.trim_end_matches(|c| stops(c) || (c == ')' && !is_open))
    })
}

fn bare(address: &str) -> String {
    let lower = address.to_lowercase();
    let rest = lower.split_once("://").map_or("", |(_, rest)| rest);
    rest.strip_prefix("www.").unwrap_or(rest).trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_stand_nowhere_are_told() {
        let known = ["See https://www.Example.org/docs/ for more.", "Ask at example.net."];
        for (answer, expected) in [
            ("It is at https://example.org/docs.", &[][..]),
            ("(http://EXAMPLE.org/docs/), or https://www.example.net?", &[]),
            ("[the docs](https://example.org/docs) and `https://example.net/`", &[]),
            ("See https://example.org/wiki and https://example.org/wiki!", &["https://example.org/wiki"]),
            ("انظر https://other.org/a، أو http://other.org/b؟", &["https://other.org/a", "http://other.org/b"]),
            ("«https://other.org/x_(y)»", &["https://other.org/x_(y)"]),
            ("ftp://other.org, a://b, https://, http and ://", &[]),
        ] {
            assert_eq!(unsupported(answer, &known), expected, "{answer}");
        }
    }
}
