//! Serper: a search engine of the web over HTTP, <https://serper.dev>.

use super::address::{root, shown, with_path};
use super::endpoint::{Unread, read};
use super::secrets::Secrets;
use super::wire::{page, response};
use super::{Secret, Shared};
use crate::domain::causes::{causes, is_out_of_files};
use crate::domain::control_tokens::neutralised;
use crate::domain::normalisation::collapsed;
use crate::domain::text::legible;
use crate::domain::{Page, Place, clock};
use crate::llm::{Halt, ModelError};
use crate::tools::{Asked, SearchMeter, Web, WebError, WebReply, WebSearching};
use crate::traffic::patience::{Patience, retry_after};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the settings say that it is.
const BASE_URL: &str = "tools.web_search.base_url";

/// Further tries after a failed request; after one that there was no room for.
const RETRIES: u32 = 3;
const BUSY_RETRIES: u32 = 10;

/// Longest response body, in bytes: those of a hundred results are shorter than a tenth of it.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// Longest title and snippet, in characters, and the longest address.
const TITLE: usize = 300;
const SNIPPET: usize = 1_500;
const LINK: usize = 2_000;

/// `tools.web_search`, as far as it tells of the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct SerperOptions {
    /// The root of its API.
    pub base_url: String,
    /// The key, from `SERPER_API_KEY`.
    pub api_key: Secret,
    /// Time allowed to one request.
    pub timeout: Duration,
}

/// The engine, ready to be asked.
pub struct Serper {
    url: Url,
    shown: String,
    headers: HeaderMap,
    /// What must not be shown.
    secrets: Secrets,
    timeout: Duration,
    patience: Patience,
    client: Client,
    halt: Arc<Halt>,
    meter: Arc<SearchMeter>,
}

/// Why a request has brought no results.
enum Fault {
    /// It may bring some when it is sent again; the engine may ask for so much time.
    Passing(String, Option<Duration>),
    /// The engine has no room for it now, and may ask for so much time.
    Busy(String, Option<Duration>),
    /// It would bring none again.
    Lasting(String),
    /// No request would bring any.
    Settings(String),
}

impl Serper {
    /// Makes the client; sends nothing.
    ///
    /// # Errors
    /// When the settings do not make one: an address that is none, a key that no header can carry.
    pub fn new(options: &SerperOptions, shared: &Shared, meter: Arc<SearchMeter>) -> Result<Self, ModelError> {
        let base = root(&options.base_url).map_err(|detail| ModelError::Settings(format!("{BASE_URL}: {detail}")))?;
        let mut key = HeaderValue::try_from(options.api_key.reveal()).map_err(|_| {
            ModelError::Settings(
                "SERPER_API_KEY has characters that no header can carry, such as a line end".to_owned(),
            )
        })?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("x-api-key"), key),
        ]);
        Ok(Self {
            url: with_path(&base, "/search"),
            shown: shown(&base),
            headers,
            secrets: Secrets::new(Some(&options.api_key), &base),
            timeout: options.timeout,
            patience: Patience::new(RETRIES),
            client: shared.client(base.scheme() == "https")?,
            halt: shared.halt.clone(),
            meter,
        })
    }

    /// Asks until there are results, or no more is to be tried.
    async fn ask(&self, asked: &Asked) -> Result<WebReply, WebError> {
        let (mut retries, mut busy) = (0, 0);
        loop {
            let fault = match self.request(asked).await {
                Ok(pages) => return Ok(WebReply::Pages(pages)),
                Err(fault) => fault,
            };
            let (detail, wait, tried) = match fault {
                Fault::Settings(detail) => return Err(self.halted(detail)),
                Fault::Passing(detail, wait) if retries < RETRIES => (detail, wait, &mut retries),
                Fault::Busy(detail, wait) if busy < BUSY_RETRIES => (detail, wait, &mut busy),
                Fault::Lasting(detail) | Fault::Passing(detail, _) | Fault::Busy(detail, _) => {
                    tracing::warn!(target: "dlgforge.tools", "[web] a search has failed: {}: {detail}", self.shown);
                    return Ok(WebReply::Failed(detail));
                }
            };
            tracing::debug!(target: "dlgforge.tools", "[web] {detail}; it is asked again");
            self.meter.retried();
            self.patience.wait(*tried, wait).await;
            *tried += 1;
        }
    }

    fn halted(&self, detail: String) -> WebError {
        match self.halt.halt(format!("tools.web_search: {}: {detail}", self.shown)) {
            ModelError::Halted(reason) => WebError::Halted(reason),
            other => WebError::Halted(other.to_string()),
        }
    }

    /// Sends one request, and reads the pages that its response tells of.
    async fn request(&self, asked: &Asked) -> Result<Vec<Page>, Fault> {
        let body = json!({ "q": asked.domains.narrowed(&asked.query), "num": asked.results });
        tracing::debug!(target: "dlgforge.tools", "[web] POST {} {body}", self.shown);
        let post = self.client.post(self.url.clone()).headers(self.headers.clone()).timeout(self.timeout);
        let sent = Instant::now();
        let mut response = post.body(body.to_string()).send().await.map_err(|error| self.unreachable(error))?;
        let mut body = Vec::new();
        let read = read(&mut response, &mut body, BODY_LIMIT).await;
        let (status, milliseconds) = (response.status(), sent.elapsed().as_millis());
        tracing::debug!(target: "dlgforge.tools", "[web] HTTP {status}, {} bytes in {milliseconds} ms", body.len());
        if !status.is_success() {
            return Err(self.refused(status, response.headers(), &body));
        }
        match read {
            Ok(()) => self.pages(&body, asked).map_err(|detail| Fault::Lasting(self.told(detail))),
            Err(Unread::TooLong) => {
                Err(Fault::Lasting(format!("the response is longer than {} MiB", BODY_LIMIT >> 20)))
            }
            Err(Unread::Lost(error)) => Err(self.unreachable(error)),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Fault {
        if is_out_of_files(&error) {
            return Fault::Settings(causes(&error.without_url()));
        }
        let error = error.without_url();
        let detail = if error.is_timeout() && !error.is_connect() {
            format!("no complete response within {} s (tools.web_search.serper_timeout)", self.timeout.as_secs_f64())
        } else {
            causes(&error)
        };
        Fault::Passing(self.told(detail), None)
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Fault {
        let text = String::from_utf8_lossy(body);
        let words = page::words(body).unwrap_or_else(|| response::error_detail(&text));
        let detail = self.told(format!("HTTP {}: {words}", status.as_u16()));
        let asked = retry_after(headers, clock::now());
        match status.as_u16() {
            402 => Fault::Settings(spent(&detail)),
            400 | 403 | 429 if is_spent(&text.to_lowercase()) => Fault::Settings(spent(&detail)),
            401 | 403 => Fault::Settings(format!("{detail}; check the key in SERPER_API_KEY")),
            300..=399 | 404 | 405 => Fault::Settings(format!("{detail}; check {BASE_URL}")),
            429 => Fault::Busy(detail, asked),
            408 | 409 | 425 | 500..=599 => Fault::Passing(detail, asked),
            _ => Fault::Lasting(detail),
        }
    }

    /// The pages of a response: its `organic` results; where there are none, what stands in a box above them. Pages of domains
    /// that are not wanted are left out.
    fn pages(&self, body: &[u8], asked: &Asked) -> Result<Vec<Page>, String> {
        let found: Value = serde_json::from_slice(body).map_err(|error| match page::words(body) {
            Some(words) => format!("a web page instead of JSON ({words}); check {BASE_URL}"),
            None => format!("the response is not JSON: {error}"),
        })?;
        if !found.is_object() {
            return Err("the response is no object of JSON".to_owned());
        }
        let organic = found["organic"].as_array().map_or(&[][..], Vec::as_slice);
        let organic = organic.iter().filter(|item| item.is_object());
        let pages = organic.map(|item| self.page([&item["title"]], [&item["link"]], [&item["snippet"]]));
        let wanted = |page: &Page| asked.domains.admit(&page.link);
        let pages: Vec<Page> = pages.filter(wanted).take(asked.results).collect();
        if !pages.is_empty() {
            return Ok(pages);
        }
        let (answer, graph) = (&found["answerBox"], &found["knowledgeGraph"]);
        let boxes = [
            self.page([&answer["title"]], [&answer["link"]], [&answer["answer"], &answer["snippet"]]),
            self.page([&graph["title"]], [&graph["descriptionLink"], &graph["website"]], [&graph["description"]]),
        ];
        Ok(boxes.into_iter().filter(|page| page.snippet != NO_SNIPPET && wanted(page)).take(asked.results).collect())
    }

    /// A page of the first of these texts that there are; a sentence stands for what there is none of.
    fn page<const L: usize, const S: usize>(
        &self,
        [title]: [&Value; 1],
        links: [&Value; L],
        snippets: [&Value; S],
    ) -> Page {
        let text = |values: &[&Value], most, missing: &str| {
            let mut texts = values.iter().filter_map(|value| value.as_str());
            let mut text = fit(texts.find(|text| !text.trim().is_empty()).unwrap_or(missing), most);
            self.secrets.hide_in(&mut text);
            text
        };
        Page {
            title: text(&[title], TITLE, "No title"),
            link: text(&links, LINK, "No link"),
            snippet: text(&snippets, SNIPPET, NO_SNIPPET),
        }
    }

    /// A message on one line, without what must not be shown.
    fn told(&self, detail: String) -> String {
        fit(&response::one_line(&self.secrets.redacted(detail)), SNIPPET)
    }
}

const NO_SNIPPET: &str = "No snippet provided.";

/// Whether a refusal, in small letters, tells of an account that is empty: Serper says "Not enough credits".
fn is_spent(text: &str) -> bool {
    const SPENT: [&str; 6] = ["not enough", "insufficient", "exhausted", "out of", "used up", "no more"];
    text.contains("credit") && SPENT.iter().any(|words| text.contains(words))
}

fn spent(detail: &str) -> String {
    format!("{detail}; buy credits, or set SERPER_API_KEY to the key of an account that has some")
}

/// A text of others on one line of so many characters at most, [`legible`], and with control tokens of chat templates parted.
fn fit(text: &str, most: usize) -> String {
    let line = collapsed(&legible(text));
    let line = match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    neutralised(&line).map_or(line, |(safe, _)| safe)
}

impl Web for Serper {
    fn search<'a>(&'a self, _: Place, asked: &'a Asked) -> WebSearching<'a> {
        Box::pin(async move {
            let outcome = self.ask(asked).await;
            if let Ok(reply) = &outcome {
                self.meter.made(reply);
            }
            outcome
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
