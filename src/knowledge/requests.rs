//! Requests to servers that embed and rerank: JSON there and back, with time limits and further tries.

use super::KnowledgeError;
use crate::domain::causes::causes;
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Tries of a request that may come through later: of a server that has not answered yet, some eight seconds long, and of one
/// that has, some nine minutes long. It may be starting again.
const TRIES: u32 = 5;
const PATIENT_TRIES: u32 = 16;

/// The wait before the second try; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Bytes of an answer that are read at most.
const LONGEST_ANSWER: usize = 256 << 20;

/// A server, asked at one address.
pub(super) struct Client {
    /// The section of the settings that names it.
    section: &'static str,
    url: String,
    key: String,
    client: reqwest::Client,
    /// Whether it has answered once.
    has_answered: AtomicBool,
}

/// Why a try came to nothing, and whether another one may come to more.
struct Failure {
    cause: String,
    again: Option<Duration>,
}

impl Client {
    /// # Errors
    /// When there is no address, or the system has no TLS.
    pub fn new(section: &'static str, url: String, key: String, timeout: u64) -> Result<Self, KnowledgeError> {
        let wrong = |cause: String| KnowledgeError::Server { section, url: url.clone(), cause };
        if !url.starts_with("http") {
            return Err(wrong(format!(
                "set {section}.base_url to the root of the server, as http://127.0.0.1:8000/v1"
            )));
        }
        let client = reqwest::Client::builder().timeout(Duration::from_secs(timeout)).build();
        let client = client.map_err(|error| wrong(error.to_string()))?;
        Ok(Self { section, url, key, client, has_answered: AtomicBool::default() })
    }

    /// What is wrong with the server.
    pub fn wrong(&self, cause: String) -> KnowledgeError {
        KnowledgeError::Server { section: self.section, url: self.url.clone(), cause }
    }

    /// Posts a request, again where the server is busy or can't be reached.
    ///
    /// # Errors
    /// When the server refuses, or no try came through.
    pub async fn post<T: DeserializeOwned>(&self, body: &impl Serialize) -> Result<T, KnowledgeError> {
        let mut wait = FIRST_WAIT;
        for tried in 1.. {
            let tries = if self.has_answered.load(Ordering::Relaxed) { PATIENT_TRIES } else { TRIES };
            let request = self.client.post(&self.url).json(body);
            let request = if self.key.is_empty() { request } else { request.bearer_auth(&self.key) };
            match attempt(request).await {
                Ok(answer) => {
                    self.has_answered.store(true, Ordering::Relaxed);
                    let read = serde_json::from_slice(&answer);
                    return read.map_err(|error| self.wrong(format!("its answer can't be read: {error}")));
                }
                Err(Failure { cause, again: Some(asked) }) if tried < tries => {
                    tracing::debug!(target: "dlgforge.retrieval", "[vector-db] {}: {cause}; once more", self.url);
                    tokio::time::sleep(wait.max(asked).min(LONGEST_WAIT)).await;
                    wait *= 2;
                }
                Err(Failure { cause, .. }) => return Err(self.wrong(cause)),
            }
        }
        unreachable!("the last try ends the loop")
    }
}

async fn attempt(request: RequestBuilder) -> Result<Vec<u8>, Failure> {
    let lost = |error: reqwest::Error| Failure { cause: causes(&error.without_url()), again: Some(Duration::ZERO) };
    let mut response = request.send().await.map_err(lost)?;
    let status = response.status();
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut body = Vec::new();
    while let Some(more) = response.chunk().await.map_err(lost)? {
        body.extend_from_slice(&more);
        if body.len() > LONGEST_ANSWER {
            return Err(Failure { cause: format!("its answer has over {LONGEST_ANSWER} bytes"), again: None });
        }
    }
    if status.is_success() {
        return Ok(body);
    }
    let busy =
        status.is_server_error() || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
    let said: String = String::from_utf8_lossy(&body).trim().chars().take(300).collect();
    let again = busy.then(|| Duration::from_secs(asked.unwrap_or(0)));
    Err(Failure { cause: format!("{status}: {said}"), again })
}
