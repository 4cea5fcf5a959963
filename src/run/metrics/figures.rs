//! The figures of a run, counted from its events, and how Prometheus reads them.

use super::super::events::Event;
use crate::domain::{Outcome, SettledConversation};
use crate::llm::{self, EventKind};
use crate::operators;
use crate::traffic;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Upper bounds of the time that calls take, in seconds.
const BOUNDS: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0];

/// Name, type and meaning of all metrics but the histogram, in the order in which they are written.
const METRICS: [(&str, &str, &str); 18] = [
    ("dlgforge_run_info", "gauge", "The run, or the pass of the judge, that this process makes or has a part in."),
    ("dlgforge_conversations_target", "gauge", "Conversations that are to be accepted, or judged, over all languages."),
    ("dlgforge_conversations_opened_total", "counter", "Conversations that have opened."),
    ("dlgforge_conversations_accepted_total", "counter", "Accepted conversations that are final."),
    (
        "dlgforge_conversations_dropped_total",
        "counter",
        "Dropped conversations that are final, by the reason of the outputs.",
    ),
    ("dlgforge_conversations_judged_total", "counter", "Conversations that have been with the judge of a pass."),
    ("dlgforge_questions_accepted_total", "counter", "Verdicts that a question is new; roll-backs may take some back."),
    (
        "dlgforge_questions_rejected_total",
        "counter",
        "Verdicts that a question is a duplicate; roll-backs may take some back.",
    ),
    ("dlgforge_rollbacks_total", "counter", "Verdicts on questions that have changed."),
    ("dlgforge_wasted_calls_total", "counter", "Model calls that came to nothing by roll-backs."),
    ("dlgforge_requests_total", "counter", "Requests to models that are over, by what became of them."),
    ("dlgforge_retries_total", "counter", "Requests that were or will be sent again."),
    ("dlgforge_requests_in_flight", "gauge", "Requests that are at endpoints."),
    (
        "dlgforge_tokens_total",
        "counter",
        "Tokens of answered calls; cached ones are among those of prompts, reasoning among those of completions.",
    ),
    ("dlgforge_cost_usd_total", "counter", "What answered calls have cost, as far as prices are known."),
    ("dlgforge_unpriced_calls_total", "counter", "Answered calls of unknown price."),
    ("dlgforge_endpoint_up", "gauge", "Whether an endpoint answers (1), or is down or left out (0)."),
    ("dlgforge_budget_reached", "gauge", "Whether the budget allows no further call."),
];
const DURATION: &str = "dlgforge_request_duration_seconds";

/// The labels of a sample, as they are written.
type Labels = String;

/// What has been heard so far.
#[derive(Debug, Default)]
pub struct Figures {
    samples: BTreeMap<(&'static str, Labels), f64>,
    durations: BTreeMap<Labels, Durations>,
}

/// How long calls took: how many are within each bound and no lower one, and the sum.
#[derive(Debug, Default)]
struct Durations {
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Durations {
    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[at] += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }
}

/// Labels of these names and values.
fn labels(pairs: &[(&str, &str)]) -> Labels {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect::<Vec<_>>().join(",")
}

impl Figures {
    fn add(&mut self, name: &'static str, labels: Labels, by: f64) {
        *self.samples.entry((name, labels)).or_default() += by;
    }

    fn set(&mut self, name: &'static str, labels: Labels, value: f64) {
        self.samples.insert((name, labels), value);
    }

    /// Counts an event that was heard.
    pub fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { run, total, .. } => {
                self.set("dlgforge_run_info", labels(&[("run_id", run), ("version", env!("CARGO_PKG_VERSION"))]), 1.0);
                self.set("dlgforge_conversations_target", Labels::new(), *total as f64);
                for name in
                    ["dlgforge_rollbacks_total", "dlgforge_wasted_calls_total", "dlgforge_questions_rejected_total"]
                {
                    self.add(name, Labels::new(), 0.0);
                }
            }
            Event::Conversation(event) => self.conversation(event),
            Event::Call(event) => self.call(event),
            Event::Traffic(event) => self.traffic(event),
            Event::Settled(about) => self.settled(about),
            Event::Judged(done) => self.set("dlgforge_conversations_judged_total", Labels::new(), *done as f64),
            Event::Preparing(_)
            | Event::Serving(_)
            | Event::Prepared
            | Event::Progress(_)
            | Event::Final(_)
            | Event::WaveSettled(_)
            | Event::Ended(_) => {}
        }
    }

    fn conversation(&mut self, event: &operators::Event) {
        match event {
            operators::Event::Opened { .. } => self.add("dlgforge_conversations_opened_total", Labels::new(), 1.0),
            operators::Event::Accepted { .. } => self.add("dlgforge_questions_accepted_total", Labels::new(), 1.0),
            operators::Event::Rejected { .. } => self.add("dlgforge_questions_rejected_total", Labels::new(), 1.0),
            operators::Event::RolledBack { calls, .. } => {
                self.add("dlgforge_rollbacks_total", Labels::new(), 1.0);
                self.add("dlgforge_wasted_calls_total", Labels::new(), *calls as f64);
            }
        }
    }

    fn call(&mut self, llm::Event { agent, model, endpoint, kind, .. }: &llm::Event) {
        let (role, at) = (agent.as_str(), endpoint.as_deref().unwrap_or("builtin"));
        let place = [("role", role), ("endpoint", at), ("model", &**model)];
        let with = |name, value| labels(&[&place[..], &[(name, value)]].concat());
        // What is part of the program has no requests on their way.
        let is_away = endpoint.is_some();
        match kind {
            EventKind::Requested { .. } => {
                self.add("dlgforge_requests_in_flight", labels(&place), 1.0);
                self.samples.entry(("dlgforge_endpoint_up", labels(&place[1..2]))).or_insert(1.0);
            }
            EventKind::Answered { latency, usage, nanousd, .. } => {
                self.add("dlgforge_requests_total", with("outcome", "answered"), 1.0);
                if is_away {
                    self.add("dlgforge_requests_in_flight", labels(&place), -1.0);
                    self.durations.entry(labels(&place)).or_default().add(*latency);
                }
                for (kind, tokens) in [
                    ("prompt", usage.prompt_tokens),
                    ("completion", usage.completion_tokens),
                    ("cached", usage.cached_tokens),
                    ("reasoning", usage.reasoning_tokens),
                ] {
                    self.add("dlgforge_tokens_total", with("kind", kind), tokens.unwrap_or_default() as f64);
                }
                match nanousd {
                    Some(nanousd) => self.add("dlgforge_cost_usd_total", labels(&place), *nanousd as f64 / 1e9),
                    None => self.add("dlgforge_unpriced_calls_total", labels(&place), 1.0),
                }
            }
            EventKind::Failed { .. } => {
                self.add("dlgforge_requests_total", with("outcome", "failed"), 1.0);
                if is_away {
                    self.add("dlgforge_requests_in_flight", labels(&place), -1.0);
                }
            }
            EventKind::RateLimited { .. } => self.add("dlgforge_retries_total", with("reason", "rate_limit"), 1.0),
            EventKind::Retried { .. } => self.add("dlgforge_retries_total", with("reason", "failure"), 1.0),
            EventKind::Ended(_) => {}
        }
    }

    fn traffic(&mut self, event: &traffic::Event) {
        let mut is_up = |endpoint: &str, is_up: f64| {
            self.set("dlgforge_endpoint_up", labels(&[("endpoint", endpoint)]), is_up);
        };
        match event {
            traffic::Event::Down { endpoint, .. } | traffic::Event::LeftOut { endpoint, .. } => is_up(endpoint, 0.0),
            traffic::Event::Up { endpoint } => is_up(endpoint, 1.0),
            traffic::Event::CapReached { .. } => self.set("dlgforge_budget_reached", Labels::new(), 1.0),
            traffic::Event::Slowed { .. } | traffic::Event::Learned { .. } | traffic::Event::Spent { .. } => {}
        }
    }

    fn settled(&mut self, about: &SettledConversation) {
        let language = ("language", &*about.language);
        match &about.outcome {
            Outcome::Dropped(reason) => {
                let labels = labels(&[language, ("reason", reason.as_str())]);
                self.add("dlgforge_conversations_dropped_total", labels, 1.0);
            }
            Outcome::Completed | Outcome::Interrupted => {
                self.add("dlgforge_conversations_accepted_total", labels(&[language]), 1.0);
            }
        }
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, kind, help) in METRICS {
            let samples: Vec<_> = self.samples.iter().filter(|((of, _), _)| *of == name).collect();
            if samples.is_empty() {
                continue;
            }
            head(&mut text, name, kind, help);
            for ((_, labels), value) in samples {
                let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
                _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        if !self.durations.is_empty() {
            head(
                &mut text,
                DURATION,
                "histogram",
                "How long answered requests took, from the first byte to the last one.",
            );
        }
        for (labels, Durations { counts, count, sum }) in &self.durations {
            let mut within = 0;
            for (bound, own) in BOUNDS.iter().zip(counts) {
                within += own;
                _ = writeln!(text, "{DURATION}_bucket{{{labels},le=\"{bound}\"}} {within}");
            }
            _ = writeln!(text, "{DURATION}_bucket{{{labels},le=\"+Inf\"}} {count}");
            _ = writeln!(text, "{DURATION}_sum{{{labels}}} {sum}\n{DURATION}_count{{{labels}}} {count}");
        }
        text
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // A string takes all that is written to it.
    _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Agent, Usage};

    fn call(agent: Agent, kind: EventKind) -> llm::Event {
        let (conversation, model, endpoint) = ("r-0000".into(), "m\"1\\".into(), Some("http://a".into()));
        llm::Event { agent, conversation, model, endpoint, kind }
    }

    #[test]
    fn what_is_heard_is_counted_and_written() {
        let mut figures = Figures::default();
        let answered = |milliseconds, nanousd| EventKind::Answered {
            latency: Duration::from_millis(milliseconds),
            usage: Usage { prompt_tokens: Some(10), ..Usage::default() },
            nanousd,
            tool_calls: 0,
            characters: 4,
        };
        for kind in [
            EventKind::Requested { messages: 1, tools: 0 },
            answered(50, Some(2_000_000_000)),
            EventKind::Requested { messages: 1, tools: 0 },
            EventKind::Failed { error: "HTTP 503".to_owned() },
            EventKind::Retried { reason: "HTTP 503".to_owned(), wait: Duration::ZERO },
            EventKind::Requested { messages: 1, tools: 0 },
            answered(400_000, None),
            EventKind::Requested { messages: 1, tools: 0 },
        ] {
            figures.hear(&Event::Call(&call(Agent::User, kind)));
        }
        figures
            .hear(&Event::Traffic(&traffic::Event::Down { endpoint: "http://a".to_owned(), error: "gone".to_owned() }));
        let text = figures.text();
        let place = r#"role="user",endpoint="http://a",model="m\"1\\""#;
        for line in [
            format!("dlgforge_requests_total{{{place},outcome=\"answered\"}} 2"),
            format!("dlgforge_requests_total{{{place},outcome=\"failed\"}} 1"),
            format!("dlgforge_retries_total{{{place},reason=\"failure\"}} 1"),
            format!("dlgforge_requests_in_flight{{{place}}} 1"),
            format!("dlgforge_tokens_total{{{place},kind=\"prompt\"}} 20"),
            format!("dlgforge_cost_usd_total{{{place}}} 2"),
            format!("dlgforge_unpriced_calls_total{{{place}}} 1"),
            "dlgforge_endpoint_up{endpoint=\"http://a\"} 0".to_owned(),
            format!("dlgforge_request_duration_seconds_bucket{{{place},le=\"0.05\"}} 1"),
            format!("dlgforge_request_duration_seconds_bucket{{{place},le=\"320\"}} 1"),
            format!("dlgforge_request_duration_seconds_bucket{{{place},le=\"+Inf\"}} 2"),
            format!("dlgforge_request_duration_seconds_count{{{place}}} 2"),
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
        let names: Vec<_> = METRICS.iter().map(|(name, ..)| *name).chain([DURATION]).collect();
        let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        assert!(told.clone().all(|name| names.contains(&name)) && told.count() == 8, "{text}");
    }
}
