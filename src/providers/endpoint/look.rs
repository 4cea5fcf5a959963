//! A look at an endpoint, whether somebody is there: it asks for its list of models, which costs nothing.

use super::{BODY_LIMIT, Endpoint, read};
use crate::providers::Protocol;
use crate::providers::address::with_path;
use crate::providers::wire::response;
use reqwest::{StatusCode, Url};
use std::time::Duration;

/// How long a look at an endpoint may take.
const LOOK: Duration = Duration::from_secs(10);

/// What a look at an endpoint finds.
#[derive(Debug)]
pub(in crate::providers) enum Found {
    /// Somebody, with the models it lists, if it does.
    There(Vec<String>),
    /// Nobody, and how that shows.
    Nobody(String),
    /// Somebody who does not let this agent in, or does not answer.
    Refused(String),
}

/// What a server says of its queue.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::providers) enum Queue {
    /// So many requests wait there.
    Waiting(u32),
    /// It says nothing of it.
    Unknown,
    /// There is no answer.
    Unreachable,
}

impl Endpoint {
    /// What tells it from others but for the model: endpoints that have it in common need one look.
    pub fn site(&self) -> String {
        format!("{} {:x}", self.models, self.secrets.digest())
    }

    /// Looks whether somebody is there, and lets this agent in. It asks for what costs nothing.
    pub async fn look(&self) -> Found {
        let get = self.client.get(self.models.clone()).headers(self.headers.clone()).timeout(LOOK);
        let mut response = match get.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => {
                return Found::Refused(format!("no answer within {} s; is the server running?", LOOK.as_secs()));
            }
            Err(error) => return Found::Nobody(self.secrets.redacted(self.absent(&error.without_url()))),
        };
        let (mut body, status) = (Vec::new(), response.status());
        // What could be read will do.
        _ = read(&mut response, &mut body, BODY_LIMIT).await;
        let text = String::from_utf8_lossy(&body);
        // Keys may be good for calls alone.
        let is_shut_out = status == StatusCode::UNAUTHORIZED && !text.contains("scope") && !text.contains("permission");
        if is_shut_out || text.contains("API_KEY_INVALID") {
            let detail =
                self.secrets.redacted(response::error_detail(&self.secrets.redacted(text.clone().into_owned())));
            return Found::Refused(format!("HTTP {}: {detail}; {}", status.as_u16(), self.advice(status, &text)));
        }
        Found::There(if status.is_success() { response::models(&body) } else { Vec::new() })
    }

    /// Asks a vLLM server how many requests wait there. It needs no key for that, and gets none.
    pub async fn queue(&self) -> Queue {
        let Ok(response) = self.client.get(metrics(&self.models)).timeout(LOOK).send().await else {
            return Queue::Unreachable;
        };
        if !response.status().is_success() {
            return Queue::Unknown;
        }
        response.text().await.map_or(Queue::Unreachable, |text| waiting(&text).map_or(Queue::Unknown, Queue::Waiting))
    }

    /// What a list of models has instead of the one that is asked for; none where it has that, or nothing.
    pub(super) fn lacks(&self, models: &[String]) -> Option<String> {
        let named = |model: &String| model.rsplit('/').next() == self.sent_model.rsplit('/').next();
        let lacks = !models.is_empty() && !models.iter().any(named);
        lacks.then(|| response::one_line(&self.secrets.redacted(models.join(", "))))
    }

    /// Says that a list of models has not the one that is asked for.
    pub fn hint(&self, models: &[String]) {
        let Some(listed) = self.lacks(models) else { return };
        let (model, shown, settings) = (&self.sent_model, &self.shown, &self.settings);
        tracing::warn!(
            target: "dlgforge.llm",
            "[llm] {shown} does not list the model `{model}` of {settings}.model; it lists {listed}"
        );
    }
}

/// Where a server that lists its models there tells of itself, as Prometheus asks.
fn metrics(models: &Url) -> Url {
    let mut url = models.clone();
    let root = models.path().trim_end_matches("/models").trim_end_matches("/v1");
    url.set_path(&format!("{root}/metrics"));
    url.set_query(None);
    url
}

/// How many requests wait, by the metrics of vLLM: the sum over its engines.
fn waiting(metrics: &str) -> Option<u32> {
    const NAME: &str = "vllm:num_requests_waiting";
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(NAME)?;
        // A name that goes on is another one.
        let labelled = rest.starts_with('{') || rest.starts_with(' ');
        rest.rsplit(' ').next().filter(|_| labelled)?.parse::<f64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0) + value.clamp(0.0, f64::from(u32::MAX)) as u32))
}

/// Where the models are listed.
pub(super) fn models(protocol: Protocol, base: &Url) -> Url {
    let version = match protocol {
        Protocol::Messages => "/v1",
        Protocol::GenerateContent if !base.path().ends_with("/v1beta") => "/v1beta",
        _ => "",
    };
    with_path(base, &format!("{version}/models"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn queues_of_all_engines_count_and_other_metrics_do_not() {
        let told = "# HELP vllm:num_requests_waiting Number of requests waiting.\n# TYPE vllm:num_requests_waiting gauge\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 8.0\n\
                    vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 3.0\n\
                    vllm:num_requests_waiting{engine=\"1\",model_name=\"m\"} 4.0\n\
                    vllm:num_requests_waiting_by_reason{reason=\"capacity\"} 7.0\n";
        assert_eq!(waiting(told), Some(7));
        assert_eq!(waiting("vllm:num_requests_waiting 0.0\n"), Some(0));
        for other in ["", "llamacpp:requests_processing 3\n", "<html>", "vllm:num_requests_waiting nothing"] {
            assert_eq!(waiting(other), None, "{other}");
        }
    }

    #[test]
    fn metrics_lie_beside_the_version() {
        for (base, expected) in [
            ("http://h:1/v1", "http://h:1/metrics"),
            ("http://h:1/a/v1?key=2", "http://h:1/a/metrics"),
            ("http://h:1", "http://h:1/metrics"),
        ] {
            let models = models(Protocol::ChatCompletions, &Url::parse(base).unwrap());
            assert_eq!(metrics(&models).as_str(), expected);
        }
    }
}
