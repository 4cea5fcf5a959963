//! Whether a server answers.

use super::error::ServerError;
use super::options::ServedEndpoint;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often a server that is loading is looked at, and one that works.
const PAUSE: Duration = Duration::from_millis(250);
const HEALTH_EVERY: Duration = Duration::from_secs(10);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(5);
/// How often in a row a server that works must say that it can't go on.
const FAILURES: usize = 3;

/// The key that requests to a run's own servers carry: they need none.
const KEY: &str = "EMPTY";

/// A client for servers of this machine, which need no certificates.
///
/// # Errors
/// When the system has no resources for one.
pub(super) fn client() -> reqwest::Result<Client> {
    Client::builder().tls_certs_only([]).build()
}

fn health(endpoint: &ServedEndpoint) -> String {
    format!("{}/health", endpoint.base_url.trim_end_matches("/v1"))
}

async fn get(client: &Client, url: &str) -> reqwest::Result<(StatusCode, String)> {
    let response = client.get(url).bearer_auth(KEY).timeout(LOOK).send().await?;
    Ok((response.status(), response.text().await?))
}

/// Waits until a server is healthy and lists its models; `trouble` is what the last look has found.
///
/// # Errors
/// When it does not list all that are wanted.
pub(super) async fn wait(
    client: &Client,
    endpoint: &ServedEndpoint,
    wanted: &[String],
    trouble: &Mutex<String>,
) -> Result<(), ServerError> {
    let models = format!("{}/models", endpoint.base_url);
    let found = |what: String| *trouble.lock().unwrap_or_else(PoisonError::into_inner) = what;
    loop {
        match get(client, &health(endpoint)).await {
            Ok((StatusCode::OK, _)) => match get(client, &models).await {
                Ok((StatusCode::OK, body)) => return expect_listed(endpoint, wanted, &body),
                Ok((status, body)) => found(format!("{models} answers {status}: {}", shortened(&body))),
                Err(error) => found(format!("{models}: {}", told(error))),
            },
            Ok((status, body)) => found(format!("/health answers {status}: {}", shortened(&body))),
            Err(error) => found(told(error)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn expect_listed(endpoint: &ServedEndpoint, wanted: &[String], body: &str) -> Result<(), ServerError> {
    let listed: Value = serde_json::from_str(body).unwrap_or_default();
    let items = listed["data"].as_array().map_or(&[][..], Vec::as_slice);
    let listed: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
    let missing: Vec<&str> = wanted.iter().map(String::as_str).filter(|wanted| !listed.contains(wanted)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let words = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    Err(ServerError::NotServed { name: endpoint.name.clone(), listed: words(&listed), missing: words(&missing) })
}

/// Asks a server for one token of every model: what is compiled or loaded at the first request is then there.
///
/// # Errors
/// With what it says, when it does not answer.
pub(super) async fn warm_up(
    client: &Client,
    endpoint: &ServedEndpoint,
    models: &[String],
    timeout: Duration,
) -> Result<(), String> {
    for model in models {
        let messages = json!([{"role": "user", "content": "Hello"}]);
        let body = json!({"model": model, "messages": messages, "max_tokens": 1}).to_string();
        let post = client.post(format!("{}/chat/completions", endpoint.base_url)).bearer_auth(KEY).timeout(timeout);
        let response = post.header("content-type", "application/json").body(body).send().await.map_err(told)?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("{status}: {}", shortened(&response.text().await.unwrap_or_default())));
        }
        // Its reply is read to the end, so that the server has no more to do.
        response.bytes().await.map_err(told)?;
    }
    Ok(())
}

/// Waits until a server that works says several times in a row that it can't go on, as vLLM does once its engine is dead.
/// That it says nothing is for its requests to tell: it may have much to do.
pub(super) async fn fails(client: &Client, endpoint: &ServedEndpoint) {
    let (url, mut failures) = (health(endpoint), 0);
    while failures < FAILURES {
        tokio::time::sleep(HEALTH_EVERY).await;
        match get(client, &url).await {
            Ok((StatusCode::SERVICE_UNAVAILABLE, _)) => failures += 1,
            _ => failures = 0,
        }
    }
}

fn told(error: reqwest::Error) -> String {
    crate::domain::causes::causes(&error)
}

fn shortened(body: &str) -> String {
    const LONGEST: usize = 200;
    body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_agents_ask_for_must_be_listed() {
        let endpoint = ServedEndpoint {
            name: "managed-vllm-0".into(),
            base_url: "http://127.0.0.1:1/v1".into(),
            model: "m".into(),
            max_in_flight: 64,
        };
        assert_eq!(health(&endpoint), "http://127.0.0.1:1/health");
        let body = r#"{"object": "list", "data": [{"id": "m", "owned_by": "vllm"}, {"id": "adapter"}]}"#;
        let wanted = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let found = |names: &[&str], body| expect_listed(&endpoint, &wanted(names), body).map_err(|e| e.to_string());
        assert_eq!(found(&["m", "adapter"], body), Ok(()));
        assert_eq!(
            found(&["m", "other"], body),
            Err("managed-vllm-0 serves m, adapter, and not other; set `llm.agents.*.model` to what is served, or leave it \
                 empty"
                .to_owned())
        );
        assert!(found(&["m"], "<html>").is_err_and(|told| told.contains("serves nothing, and not m")));
    }
}
