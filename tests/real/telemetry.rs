//! OpenTelemetry, as a collector hears it that decodes with OpenTelemetry's own messages for Python. Would catch: a message that is
//! none, spans without their conversation, calls that are not told or told twice, and words that nobody asked for.

use crate::parts::python;
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, Ran, asking, remote};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const RUN: &str = "  run_id: r\n  batch_size: 2\n  total_samples: 6\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";

struct Collector(Child, u16);

impl Collector {
    fn start(file: &Path) -> Self {
        let mut command = Command::new(python("collector"));
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/collector.py")).arg(file);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut port).expect("a port");
        Self(child, port.trim().parse().expect("a port"))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        _ = self.0.wait();
    }
}

/// An endpoint with duplicates, and with requests that fail at first.
fn endpoint() -> Endpoint {
    Endpoint::start(Behaviour::new(|request, number| {
        if number % 23 == 5 {
            return Reply::error(503, "down");
        }
        asking(reply(request, Latency::NONE), || (number % 9 == 0).then(|| "Who is there?".to_owned()))
    }))
}

fn project(endpoint: &Endpoint) -> Project {
    let config = remote(&endpoint.base_url(), RUN, "coverage: {question_dedup_retries: 9}");
    Project::with(&config.replace("max_retries: 1", "max_retries: 9, temperature: 0.5"))
}

fn run(project: &Project, more: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = project.command(&[&["run", "config.yaml"], more].concat());
    command.envs(variables.iter().copied()).env_remove("OTEL_SERVICE_NAME");
    Ran::of(command)
}

/// A list of OpenTelemetry's as an object.
fn attributes(of: &Value) -> Map<String, Value> {
    let value = |value: &Value| match value.as_object().and_then(|value| value.iter().next()) {
        Some((kind, value)) if kind == "intValue" => value.as_str().and_then(|text| text.parse::<i64>().ok()).into(),
        Some((_, value)) => value.clone(),
        None => Value::Null,
    };
    let list = of["attributes"].as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|one| (one["key"].as_str().expect("a key").to_owned(), value(&one["value"]))).collect()
}

/// What was told of a kind, by the paths that lead to it.
fn told(project: &Project, path: &str, keys: [&str; 3]) -> Vec<Value> {
    let requests = project.rows("told.jsonl").into_iter().filter(|request| request["path"] == path);
    let into = |values: Vec<Value>, key: &str| -> Vec<Value> {
        values.into_iter().flat_map(|value| value[key].as_array().cloned().unwrap_or_default()).collect()
    };
    keys.iter().fold(requests.map(|request| request["told"].clone()).collect(), |values, key| into(values, key))
}

fn spans(project: &Project) -> Vec<Value> {
    told(project, "/v1/traces", ["resourceSpans", "scopeSpans", "spans"])
}

#[test]
fn a_trace_is_a_conversation_and_a_span_a_call() {
    let endpoint = endpoint();
    let project = project(&endpoint);
    let collector = Collector::start(&project.path("told.jsonl"));
    let at = format!("http://127.0.0.1:{}", collector.1);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", at.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=data"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
    ];
    let ran = run(&project, &["--progress", "json"], &variables).succeeded();
    let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let heard = |name: &str| events.iter().filter(|event| event["event"] == name).count();

    let spans = spans(&project);
    let (roots, calls): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.get("parentSpanId").is_none());
    let ids: BTreeSet<_> = spans.iter().map(|span| span["spanId"].to_string()).collect();
    assert_eq!(ids.len(), spans.len(), "no span is told twice");
    assert_eq!((roots.len(), heard("conversation_settled")), (12, 12));
    assert_eq!(calls.len(), heard("call_answered"));
    let conversations: BTreeMap<String, &Value> =
        roots.iter().map(|root| (root["traceId"].to_string(), *root)).collect();
    assert_eq!(conversations.len(), 12, "each conversation has a trace of its own");
    let documents: BTreeSet<String> = project
        .rows("outputs/conversations_index.jsonl")
        .iter()
        .map(|row| row["conversation_id"].to_string())
        .collect();
    for root in &roots {
        let about = attributes(root);
        assert_eq!(
            (&root["name"], &about["gen_ai.workflow.name"]),
            (&"invoke_workflow dlgforge".into(), &"dlgforge".into())
        );
        assert_eq!(about["gen_ai.operation.name"], "invoke_workflow");
        assert!(documents.contains(&about["gen_ai.conversation.id"].to_string()), "{about:?}");
        assert_eq!(about["dlgforge.turns"], 2);
    }
    let mut failures = 0;
    for call in &calls {
        let about = attributes(call);
        let root = conversations[&call["traceId"].to_string()];
        assert_eq!(call["parentSpanId"], root["spanId"]);
        assert_eq!(about["gen_ai.conversation.id"], attributes(root)["gen_ai.conversation.id"]);
        let nanoseconds = |span: &Value, key: &str| span[key].as_str().expect("a time").parse::<u64>().expect("a time");
        assert!(nanoseconds(root, "startTimeUnixNano") <= nanoseconds(call, "startTimeUnixNano"));
        assert!(nanoseconds(call, "startTimeUnixNano") <= nanoseconds(call, "endTimeUnixNano"));
        assert_eq!((&call["name"], &call["kind"]), (&"chat test-model".into(), &"SPAN_KIND_CLIENT".into()));
        let expected = [
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.provider.name", "openai".into()),
            ("gen_ai.request.model", "test-model".into()),
            ("gen_ai.output.type", "json".into()),
            ("gen_ai.request.temperature", 0.5.into()),
            ("server.address", "127.0.0.1".into()),
        ];
        for (key, value) in expected {
            assert_eq!(about[key], Value::clone(&value), "{key}");
        }
        assert!(about["gen_ai.usage.input_tokens"].as_i64() > Some(0), "{about:?}");
        assert!(["user", "assistant", "judge"].map(Value::from).contains(&about["gen_ai.agent.name"]), "{about:?}");
        assert!(!about.keys().any(|key| key.contains("messages") || key.contains("definitions")), "{about:?}");
        let failed = call["events"].as_array().map_or(0, Vec::len);
        assert_eq!(about["dlgforge.failed_requests"], failed);
        failures += failed;
    }
    assert!(failures > 0 && failures == heard("call_failed"));

    let metrics = told(&project, "/v1/metrics", ["resourceMetrics", "scopeMetrics", "metrics"]);
    // They count on: the last ones told have all.
    let last = |name: &str| metrics.iter().rfind(|metric| metric["name"] == name).expect("the metric").clone();
    let counted = |metric: &Value, key: &str| -> f64 {
        let number = |point: &Value| point[key].as_f64().or_else(|| point[key].as_str()?.parse().ok());
        metric["histogram"]["dataPoints"].as_array().expect("points").iter().filter_map(number).sum()
    };
    assert_eq!(counted(&last("gen_ai.client.operation.duration"), "count"), calls.len() as f64);
    let tokens = |key: &str| -> i64 { calls.iter().filter_map(|call| attributes(call)[key].as_i64()).sum() };
    let all = tokens("gen_ai.usage.input_tokens") + tokens("gen_ai.usage.output_tokens");
    assert_eq!(counted(&last("gen_ai.client.token.usage"), "sum"), all as f64);

    for request in project.rows("told.jsonl") {
        let headers = &request["headers"];
        assert_eq!((&headers["x-team"], &headers["content-encoding"]), (&"data".into(), &"gzip".into()));
        let key = if request["path"] == "/v1/traces" { "resourceSpans" } else { "resourceMetrics" };
        let resource = attributes(&request["told"][key][0]["resource"]);
        assert_eq!(
            (&resource["service.name"], &resource["deployment.environment.name"]),
            (&"dlgforge".into(), &"test".into())
        );
    }
}

#[test]
fn every_process_tells_of_its_own_conversations() {
    let endpoint = endpoint();
    let project = project(&endpoint);
    let collector = Collector::start(&project.path("told.jsonl"));
    let at = format!("http://127.0.0.1:{}", collector.1);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", at.as_str()), ("OTEL_METRICS_EXPORTER", "none")];
    let several = ["--set", "run.distributed.enabled=true", "--set", "run.distributed.processes=2"];
    run(&project, &several, &variables).succeeded();
    assert!(project.rows("told.jsonl").iter().all(|request| request["path"] == "/v1/traces"));
    let spans = spans(&project);
    let (roots, calls): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.get("parentSpanId").is_none());
    let traces: BTreeMap<_, _> =
        roots.iter().map(|root| (root["traceId"].to_string(), root["spanId"].to_string())).collect();
    assert_eq!((roots.len(), traces.len()), (12, 12));
    assert!(calls.iter().all(|call| traces[&call["traceId"].to_string()] == call["parentSpanId"].to_string()));
    let asking: BTreeSet<_> = calls.iter().map(|call| call["traceId"].to_string()).collect();
    assert_eq!(asking.len(), 12);
}

#[test]
fn words_are_told_only_when_asked_for_and_a_sample_has_whole_traces() {
    let endpoint = endpoint();
    let project = project(&endpoint);
    let collector = Collector::start(&project.path("told.jsonl"));
    let at = format!("http://127.0.0.1:{}/v1/traces", collector.1);
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", at.as_str()),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
    ];
    run(&project, &[], &variables).succeeded();
    assert!(project.rows("told.jsonl").iter().all(|request| request["path"] == "/v1/traces"));
    let spans = spans(&project);
    let (roots, calls): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.get("parentSpanId").is_none());
    assert!((1..12).contains(&roots.len()), "half of 12 traces: {}", roots.len());
    let sampled: BTreeSet<_> = roots.iter().map(|root| root["traceId"].to_string()).collect();
    let of_calls: BTreeSet<_> = calls.iter().map(|call| call["traceId"].to_string()).collect();
    assert_eq!(sampled, of_calls);
    for call in calls {
        let about = attributes(call);
        let read = |key: &str| serde_json::from_str::<Value>(about[key].as_str().expect("a text")).expect("JSON");
        let (input, output) = (read("gen_ai.input.messages"), read("gen_ai.output.messages"));
        assert_eq!((&input[0]["role"], &input[0]["parts"][0]["type"]), (&"system".into(), &"text".into()));
        assert!(input[0]["parts"][0]["content"].as_str().is_some_and(|text| !text.is_empty()));
        let answer = &output[0];
        let reasons = attributes(call)["gen_ai.response.finish_reasons"]["values"][0]["stringValue"].clone();
        assert_eq!((&answer["role"], &answer["finish_reason"]), (&"assistant".into(), &reasons));
        assert!(["text", "tool_call"].map(Value::from).contains(&answer["parts"][0]["type"]), "{answer}");
    }
}
