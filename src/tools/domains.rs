//! Which domains results of the web may come from.

use reqwest::Url;
use std::fmt;

/// Domains that are searched alone, and those that are left out, each with its subdomains. An empty list says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Domains {
    allow: Vec<String>,
    deny: Vec<String>,
}

/// Most domains that a query can name: search engines read so many words and no more.
const MOST_NAMED: usize = 16;

impl Domains {
    /// These lists, of names such as `example.org`.
    ///
    /// # Errors
    /// The first name that is none of a domain.
    pub fn of(allow: &[&str], deny: &[&str]) -> Result<Self, String> {
        let named = |names: &[&str]| names.iter().map(|name| domain(name)).collect::<Result<_, _>>();
        Ok(Self { allow: named(allow)?, deny: named(deny)? })
    }

    /// Whether a page at this address may be a result. Where there is a list, it must be on a machine that has a name.
    pub fn admit(&self, link: &str) -> bool {
        if self.allow.is_empty() && self.deny.is_empty() {
            return true;
        }
        let url = Url::parse(link).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(host) = url.as_ref().and_then(Url::host_str) else { return false };
        let host = host.trim_end_matches('.');
        let is_in = |domain: &String| {
            host.strip_suffix(domain.as_str()).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
        };
        (self.allow.is_empty() || self.allow.iter().any(is_in)) && !self.deny.iter().any(is_in)
    }

    /// A query that asks for the allowed domains alone: without that, few of the first results would be of them.
    pub fn narrowed(&self, query: &str) -> String {
        if self.allow.is_empty() || self.allow.len() > MOST_NAMED {
            return query.to_owned();
        }
        let sites: Vec<String> = self.allow.iter().map(|domain| format!("site:{domain}")).collect();
        match sites.as_slice() {
            [only] => format!("{query} {only}"),
            several => format!("{query} ({})", several.join(" OR ")),
        }
    }
}

impl fmt::Display for Domains {
    /// As manifests have it: `allow a.org b.org; deny`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |word: &str, names: &[String]| [&[word.to_owned()], names].concat().join(" ");
        write!(f, "{}; {}", listed("allow", &self.allow), listed("deny", &self.deny))
    }
}

/// A name as addresses have it: in lower case, letters beyond ASCII encoded, without `*.` in front.
fn domain(name: &str) -> Result<String, String> {
    let bare = name.trim().trim_start_matches("*.").trim_matches('.');
    let is_name = !bare.is_empty() && bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    let url = is_name.then(|| Url::parse(&format!("http://{bare}/")).ok()).flatten();
    url.as_ref().and_then(Url::host_str).map(str::to_owned).ok_or_else(|| name.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn subdomains_belong_to_a_domain_and_lookalikes_do_not() {
        let allow = Domains::of(&["Example.org", "*.müller.de"], &[]).unwrap();
        let deny = Domains::of(&[], &["example.org."]).unwrap();
        for (link, is_in) in [
            ("https://example.org/a", true),
            ("http://docs.EXAMPLE.org:8080/?q", true),
            ("https://example.org./", true),
            ("https://me@example.org/", true),
            ("https://notexample.org/", false),
            ("https://example.org.evil.net/", false),
            ("https://example.org@evil.net/", false),
            ("https://evil.net/example.org", false),
        ] {
            assert_eq!((allow.admit(link), deny.admit(link)), (is_in, !is_in), "{link}");
        }
        assert!(allow.admit("https://www.xn--mller-kva.de/"));
        for link in ["No link", "javascript:alert(1)//example.org", "", "ftp://example.org/"] {
            assert!(!allow.admit(link) && !deny.admit(link) && Domains::default().admit(link), "{link}");
        }
        let both = Domains::of(&["org"], &["bad.org"]).unwrap();
        assert!(both.admit("https://good.org/") && !both.admit("https://a.bad.org/"));
    }

    #[test]
    fn what_is_no_domain_is_told() {
        for name in ["", "https://example.org", "example.org/docs", "a b", "*", "me@example.org"] {
            assert_eq!(Domains::of(&[name], &[]), Err(name.to_owned()));
        }
    }

    #[test]
    fn queries_name_the_domains_that_are_wanted() {
        let narrowed = |allow: &[&str]| Domains::of(allow, &["c.org"]).unwrap().narrowed("tea");
        assert_eq!((narrowed(&[]).as_str(), narrowed(&["a.org"]).as_str()), ("tea", "tea site:a.org"));
        assert_eq!(narrowed(&["a.org", "b.org"]), "tea (site:a.org OR site:b.org)");
        assert_eq!(narrowed(&["a.org"; 17]), "tea");
        assert_eq!(Domains::of(&["a.org", "b.org"], &[]).unwrap().to_string(), "allow a.org b.org; deny");
    }
}
