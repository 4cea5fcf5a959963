//! Where an agent's endpoint is, and what it takes to be let in: the settings as URL and headers.

use super::{EndpointOptions, Protocol, Secret};
use crate::llm::ModelError;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

/// An error about a setting of this endpoint.
pub(super) fn bad_setting(options: &EndpointOptions, key: &str, detail: &str) -> ModelError {
    ModelError::Settings(format!("{}.{key}: {detail}", options.key))
}

/// The base URL of the settings, without a slash at its end. Messages about it do not quote it: it may hold a secret.
pub(super) fn base_url(options: &EndpointOptions) -> Result<Url, ModelError> {
    let bad = |detail: &str| bad_setting(options, "base_url", detail);
    let given = Some(options.base_url.trim()).filter(|url| !url.is_empty()).or(options.provider.base_url);
    let text = given.ok_or_else(|| bad("is empty; set it to the root of the API, such as http://127.0.0.1:8000/v1"))?;
    root(text).map_err(|detail| bad(&detail))
}

/// A base URL without a slash at its end; else what is wrong with it.
pub(super) fn root(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("not a URL ({error}); use http://host:port/v1"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("not an http or https URL; use http://host:port/v1".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; remove it and give the key through the environment".to_owned());
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
pub(super) fn headers(options: &EndpointOptions) -> Result<HeaderMap, ModelError> {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let Some(key) = options.api_key.as_ref().map(Secret::reveal).filter(|key| !key.is_empty()) else {
        return Ok(headers);
    };
    let (name, value) = match (options.provider.protocol, options.provider.name) {
        (Protocol::Messages, _) => (HeaderName::from_static("x-api-key"), key.to_owned()),
        (Protocol::GenerateContent, _) => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
        (_, "azure") => (HeaderName::from_static("api-key"), key.to_owned()),
        _ => (AUTHORIZATION, format!("Bearer {key}")),
    };
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| bad_setting(options, "api_key", "has characters that no header can carry, such as a line end"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::providers::Provider;
    use crate::providers::samples::endpoint as options;

    fn provider_of(name: &str) -> &'static Provider {
        Provider::of(name, "m", "").unwrap().0
    }

    #[test]
    fn addresses_are_completed() {
        for (provider, address, url, message) in [
            ("", "", "https://api.openai.com/v1/chat", "https://api.openai.com/v1"),
            ("openai", " ", "https://api.openai.com/v1/chat", "https://api.openai.com/v1"),
            ("vllm", "http://127.0.0.1:8000/v1//", "http://127.0.0.1:8000/v1/chat", "http://127.0.0.1:8000/v1"),
            ("", "http://127.0.0.1:8000", "http://127.0.0.1:8000/chat", "http://127.0.0.1:8000"),
            ("", "https://host/api?key=2#top", "https://host/api/chat?key=2", "https://host/api"),
        ] {
            let base = base_url(&EndpointOptions { provider: provider_of(provider), ..options(address) }).unwrap();
            assert_eq!((with_path(&base, "/chat").as_str(), shown(&base).as_str()), (url, message));
        }
    }

    #[test]
    fn every_provider_has_its_address() {
        for (provider, expected) in [
            ("openai", "https://api.openai.com/v1/chat/completions"),
            ("deepseek", "https://api.deepseek.com/v1/chat/completions"),
            ("groq", "https://api.groq.com/openai/v1/chat/completions"),
            ("mistral", "https://api.mistral.ai/v1/chat/completions"),
            ("openrouter", "https://openrouter.ai/api/v1/chat/completions"),
            ("together", "https://api.together.xyz/v1/chat/completions"),
            ("xai", "https://api.x.ai/v1/chat/completions"),
            ("ollama", "http://127.0.0.1:11434/v1/chat/completions"),
        ] {
            let base = base_url(&EndpointOptions { provider: provider_of(provider), ..options("") }).unwrap();
            assert_eq!(with_path(&base, "/chat/completions").as_str(), expected);
        }
        for provider in ["azure", "lm_studio", "vllm", "hosted_vllm"] {
            let homeless = EndpointOptions { provider: provider_of(provider), ..options("") };
            assert!(base_url(&homeless).unwrap_err().to_string().contains("base_url: is empty"));
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
            let options = EndpointOptions { provider: provider_of(provider), ..options(address) };
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
        for (provider, name) in [("anthropic", "x-api-key"), ("gemini", "x-goog-api-key"), ("azure", "api-key")] {
            options.provider = provider_of(provider);
            let headers = super::headers(&options).unwrap();
            assert_eq!((headers[name].to_str().unwrap(), headers.len()), ("sk-1", 2));
            assert!(!format!("{headers:?}").contains("sk-1"));
        }
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
