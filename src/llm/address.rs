//! Where an agent's endpoint is, and what it takes to be let in: the settings as URL and headers.

use super::{AgentOptions, ModelError};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

/// Where OpenAI itself is reached.
const OPENAI: &str = "https://api.openai.com/v1";

/// An error about a setting of this agent.
pub(super) fn bad_setting(options: &AgentOptions, key: &str, detail: &str) -> ModelError {
    ModelError::Settings(format!("llm.agents.{}.{key}: {detail}", options.role))
}

/// The base URL of the settings, without a slash at its end. Messages about it do not quote it: it may hold a secret.
pub(super) fn base_url(options: &AgentOptions) -> Result<Url, ModelError> {
    let bad = |detail: &str| bad_setting(options, "base_url", detail);
    let text = match options.base_url.trim() {
        "" if matches!(options.provider.as_str(), "" | "openai") => OPENAI,
        "" => return Err(bad("is empty; set it to the root of the API, such as http://127.0.0.1:8000/v1")),
        text => text,
    };
    let url = Url::parse(text).map_err(|error| bad(&format!("not a URL ({error}); use http://host:port/v1")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("not an http or https URL; use http://host:port/v1"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("holds a user name or password; remove it and give the key through the environment"));
    }
    Ok(with_path(&url, ""))
}

/// A URL with its path continued.
pub(super) fn with_path(base: &Url, end: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{end}", base.path().trim_end_matches('/')));
    url.set_fragment(None);
    url
}

/// A URL without its query, which may hold a secret.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// The headers of every request: the only place the key goes to.
pub(super) fn headers(options: &AgentOptions) -> Result<HeaderMap, ModelError> {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    if let Some(key) = options.api_key.as_ref().filter(|key| !key.reveal().is_empty()) {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.reveal())).map_err(|_| {
            bad_setting(options, "api_key", "has characters that no header can carry, such as a line end")
        })?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    Ok(headers)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::llm::Secret;
    use crate::llm::samples::options;

    #[test]
    fn addresses_are_completed() {
        for (provider, address, url, message) in [
            ("", "", "https://api.openai.com/v1/chat", "https://api.openai.com/v1"),
            ("openai", " ", "https://api.openai.com/v1/chat", "https://api.openai.com/v1"),
            ("vllm", "http://127.0.0.1:8000/v1//", "http://127.0.0.1:8000/v1/chat", "http://127.0.0.1:8000/v1"),
            ("", "http://127.0.0.1:8000", "http://127.0.0.1:8000/chat", "http://127.0.0.1:8000"),
            ("", "https://host/api?key=2#top", "https://host/api/chat?key=2", "https://host/api"),
        ] {
            let base = base_url(&AgentOptions { provider: provider.into(), ..options(address) }).unwrap();
            assert_eq!((with_path(&base, "/chat").as_str(), shown(&base).as_str()), (url, message));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for (provider, address, expected) in [
            ("vllm", "", "is empty"),
            ("openai", "127.0.0.1:8000/v1", "not a URL"),
            ("openai", "localhost:8000/v1", "not an http or https URL"),
            ("", "ftp://127.0.0.1/v1", "not an http or https URL"),
            ("", "http://", "not a URL"),
            ("", "http://me:hunter2@127.0.0.1/v1", "holds a user name or password"),
        ] {
            let options = AgentOptions { provider: provider.into(), ..options(address) };
            let error = base_url(&options).unwrap_err().to_string();
            assert!(error.starts_with("llm.agents.user.base_url: "), "{address}: {error}");
            assert!(error.contains(expected) && !error.contains("hunter2"), "{address}: {error}");
        }
    }

    #[test]
    fn the_key_goes_into_one_header_unseen() {
        let mut options = options("http://127.0.0.1/v1");
        for keyless in [None, Some(Secret::new(String::new()))] {
            options.api_key = keyless;
            assert!(!headers(&options).unwrap().contains_key(AUTHORIZATION));
        }
        options.api_key = Some(Secret::new("sk-1".into()));
        let headers = headers(&options).unwrap();
        assert_eq!(headers[AUTHORIZATION], "Bearer sk-1");
        assert!(!format!("{headers:?}").contains("sk-1"));
    }

    #[test]
    fn a_key_that_fits_no_header_is_refused_unseen() {
        let mut options = options("http://127.0.0.1/v1");
        options.api_key = Some(Secret::new("sk-1\n".into()));
        let error = headers(&options).unwrap_err();
        assert!(error.to_string().starts_with("llm.agents.user.api_key: "), "{error}");
        assert!(!format!("{error:?}").contains("sk-1"));
    }
}
