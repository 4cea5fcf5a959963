//! The search of the web: where, with which key, and from which domains.

use super::WebSettings;
use super::error::Diagnostics;
use super::table::{WEB_ALLOW, WEB_BASE_URL, WEB_DENY, WEB_ENABLED, WEB_RESULTS, WEB_TIMEOUT};
use super::types::{Setting, Texts};
use super::values::Values;
use crate::providers::{Secret, SerperOptions};
use crate::tools::Domains;
use std::collections::BTreeMap;
use std::time::Duration;

/// The variable that holds the key.
const KEY: &str = "SERPER_API_KEY";

/// What stands for numbers below 1, as in the original.
const RESULTS: usize = 5;
const SECONDS: f64 = 30.0;

/// How the web is searched, if it is.
pub(super) fn search(values: &Values, env: &BTreeMap<String, String>, report: &mut Diagnostics) -> Option<WebSettings> {
    let (allow, deny) = (domains(WEB_ALLOW, values, report), domains(WEB_DENY, values, report));
    if !values.get(WEB_ENABLED) {
        return None;
    }
    let key = env.get(KEY).map(|key| key.trim()).filter(|key| !key.is_empty());
    if key.is_none() {
        let text = format!(
            "Missing or empty environment variable `{KEY}`: `{WEB_ENABLED}` is true, and searches need a key of \
             https://serper.dev. Set the variable, or put it into `.env` beside the configuration."
        );
        report.conflict(&[WEB_ENABLED.path], values.place(WEB_ENABLED), text);
    }
    let (results, seconds) = (values.get(WEB_RESULTS), values.get(WEB_TIMEOUT));
    Some(WebSettings {
        serper: SerperOptions {
            base_url: values.get(WEB_BASE_URL).trim().to_owned(),
            api_key: Secret::new(key.unwrap_or_default().to_owned()),
            timeout: Duration::from_secs_f64(if seconds > 0.0 { seconds } else { SECONDS }),
        },
        results: usize::try_from(results).ok().filter(|&results| results > 0).unwrap_or(RESULTS),
        domains: Domains::of(&allow, &deny).unwrap_or_default().into(),
        is_asked: true,
    })
}

/// The names of a list; those that are none are reported, and left out.
fn domains<'a>(key: Setting<Texts>, values: &'a Values, report: &mut Diagnostics) -> Vec<&'a str> {
    let mut named = values.get(key);
    named.retain(|name| {
        let is_domain = Domains::of(&[name], &[]).is_ok();
        if !is_domain {
            let text = format!("`{key}`: `{name}` is no domain; write names such as `example.org`, without `https://`");
            report.conflict(&[key.path], values.place(key), text);
        }
        is_domain
    });
    named
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::settings::WebSettings;
    use crate::settings::tests::load;
    use std::time::Duration;

    const BUILTIN: &str = "llm: {agents: {user: {provider: builtin}, assistant: {provider: builtin}}}\n";

    fn web(tools: &str, env: &[(&str, &str)]) -> Result<Option<WebSettings>, String> {
        load(&format!("{BUILTIN}tools: {tools}"), env, &[]).map(|settings| settings.web_search)
    }

    #[test]
    fn the_web_is_searched_where_it_is_asked_for_and_there_is_a_key() {
        let key = ("SERPER_API_KEY", " k\n");
        assert_eq!(web("{}", &[key]), Ok(None));
        for (tools, env, expected) in [
            ("{web_search: {enabled: true}}", &[key][..], (5, 30, "https://google.serper.dev")),
            (
                "{web_search: {enabled: true, serper_num_results: 9, serper_timeout: 2, base_url: 'http://127.0.0.1:1'}}",
                &[key],
                (9, 2, "http://127.0.0.1:1"),
            ),
            (
                "{web_search: {enabled: true, serper_num_results: 0, serper_timeout: -1}}",
                &[key],
                (5, 30, "https://google.serper.dev"),
            ),
            (
                "{web_search_enabled: true, serper_num_results: 3, serper_timeout: 4}",
                &[key],
                (3, 4, "https://google.serper.dev"),
            ),
            (
                "{}",
                &[
                    key,
                    ("ENABLE_WEB_TOOLS", "1"),
                    ("SERPER_NUM_RESULTS", "7"),
                    ("SERPER_TIMEOUT", "8"),
                    ("SERPER_BASE_URL", "http://h"),
                ],
                (7, 8, "http://h"),
            ),
        ] {
            let found = web(tools, env).unwrap().unwrap();
            let (results, seconds, base_url) = expected;
            assert_eq!((found.results, found.serper.timeout), (results, Duration::from_secs(seconds)), "{tools}");
            assert_eq!((found.serper.base_url.as_str(), found.serper.api_key.reveal()), (base_url, "k"), "{tools}");
        }
    }

    #[test]
    fn a_missing_key_is_an_error_that_names_the_variable() {
        for env in [&[][..], &[("SERPER_API_KEY", " ")]] {
            let error = web("{web_search: {enabled: true}}", env).unwrap_err();
            assert!(
                error.starts_with("Missing or empty environment variable `SERPER_API_KEY`: `tools.web_search.enabled`")
            );
            assert!(error.ends_with("(c.yaml:2:31)"), "{error}");
        }
    }

    #[test]
    fn lists_hold_domains() {
        let key = ("SERPER_API_KEY", "k");
        let lists = "allow: [Example.org, '*.docs.net'], deny: [bad.example.org]";
        let found = web(&format!("{{web_search: {{enabled: true, {lists}}}}}"), &[key]).unwrap().unwrap();
        assert_eq!(found.domains.to_string(), "allow example.org docs.net; deny bad.example.org");
        let error = web("{web_search: {allow: [a.org, 'https://b.org/x'], deny: ['']}}", &[]).unwrap_err();
        assert!(error.contains("`tools.web_search.allow`: `https://b.org/x` is no domain"), "{error}");
        assert!(error.contains("`tools.web_search.deny`: `` is no domain"), "{error}");
    }
}
