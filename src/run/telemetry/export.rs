//! Traces and metrics of a run: a trace is a conversation, a span in it a call to a model.

use super::Signals;
use super::attributes::{CONVERSATION, ERROR, OPERATION, TOKEN_TYPE, WORKFLOW, of_call, of_span};
use crate::domain::causes::causes;
use crate::domain::{Outcome, SettledConversation};
use crate::llm::{self, CallEnd, EventKind};
use crate::run::events::{Event, Listener};
use crate::store::Run;
use opentelemetry::metrics::{Histogram, MeterProvider};
use opentelemetry::trace::{
    Event as SpanEvent, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
    TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, SdkTracerProvider, Span};
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// What the program is called, among services and workflows.
const NAME: &str = env!("CARGO_PKG_NAME");
/// How long a collector that does not answer may hold up the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Conversations that have ended last: a call of theirs that was taken back may end after them.
const REMEMBERED: usize = 4_096;
/// The bounds of buckets that the conventions have for tokens, and for seconds.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const SECONDS: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Tells a collector what it hears.
pub(super) struct Telemetry {
    traces: Option<Traces>,
    metrics: Option<Metrics>,
}

struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    content: bool,
    conversations: Mutex<Conversations>,
}

#[derive(Default)]
struct Conversations {
    /// Whether the calls are of a pass of the judge, whose conversations have been told of by the runs that made them.
    is_pass: bool,
    /// The spans of those that are under way; none of those that have ended last.
    spans: HashMap<Arc<str>, Option<Span>>,
    /// Those that have ended last, in order.
    ended: VecDeque<Arc<str>>,
}

struct Metrics {
    provider: SdkMeterProvider,
    tokens: Histogram<u64>,
    seconds: Histogram<f64>,
}

impl Telemetry {
    /// Tells of these signals. Nothing is sent yet.
    pub(super) fn start(signals: Signals) -> Result<Self, String> {
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
        let resource = Resource::builder().with_attribute(version);
        let resource = if named { resource } else { resource.with_service_name(NAME) }.build();
        let unmade = |error: &dyn std::error::Error| format!("OpenTelemetry: {}", causes(error));
        let traces = signals.traces.then(|| {
            let exporter = SpanExporter::builder().with_http().build().map_err(|error| unmade(&error))?;
            let provider = SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_id_generator(Ids(RandomIdGenerator::default()))
                .with_resource(resource.clone())
                .build();
            let tracer = provider.tracer_with_scope(scope());
            Ok::<_, String>(Traces { provider, tracer, content: signals.content, conversations: Mutex::default() })
        });
        let metrics = signals.metrics.then(|| {
            let exporter = MetricExporter::builder().with_http().build().map_err(|error| unmade(&error))?;
            let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).with_resource(resource).build();
            let meter = provider.meter_with_scope(scope());
            let tokens = meter
                .u64_histogram("gen_ai.client.token.usage")
                .with_unit("{token}")
                .with_description("Number of input and output tokens used.")
                .with_boundaries(TOKENS.to_vec())
                .build();
            let seconds = meter
                .f64_histogram("gen_ai.client.operation.duration")
                .with_unit("s")
                .with_description("GenAI operation duration.")
                .with_boundaries(SECONDS.to_vec())
                .build();
            Ok::<_, String>(Metrics { provider, tokens, seconds })
        });
        Ok(Self { traces: traces.transpose()?, metrics: metrics.transpose()? })
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(NAME).with_version(env!("CARGO_PKG_VERSION")).build()
}

impl Listener for Telemetry {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Started { run, .. } => {
                if let Some(traces) = &self.traces {
                    traces.lock().is_pass = run.starts_with(Run::PASS);
                }
            }
            Event::Call(call @ llm::Event { kind: EventKind::Ended(end), .. }) => {
                let now = SystemTime::now();
                let began = end.began.map_or(now, SystemTime::from);
                let shared = of_call(call, end);
                self.metrics.iter().for_each(|metrics| metrics.call(end, &shared, now.duration_since(began)));
                self.traces.iter().for_each(|traces| traces.call(call, end, shared.clone(), (began, now)));
            }
            Event::Final(about) => self.traces.iter().for_each(|traces| traces.conversation(about)),
            _ => {}
        }
    }

    /// Sends what is left. A collector that can't be told is in the log.
    fn end(&self) {
        if let Some(traces) = &self.traces {
            // Those that the end of the run left unfinished end with it.
            traces.lock().spans.clear();
            untold("traces", traces.provider.shutdown_with_timeout(PATIENCE));
        }
        if let Some(Metrics { provider, .. }) = &self.metrics {
            untold("metrics", provider.shutdown_with_timeout(PATIENCE));
        }
    }
}

fn untold(what: &str, told: OTelSdkResult) {
    if let Err(error) = told {
        tracing::warn!(target: "dlgforge.pipeline", "the collector was not told of the last {what}: {error}");
    }
}

impl Metrics {
    fn call<E>(&self, end: &CallEnd, shared: &[KeyValue], took: Result<Duration, E>) {
        self.seconds.record(took.unwrap_or_default().as_secs_f64(), shared);
        let Ok(reply) = &end.outcome else { return };
        for (kind, tokens) in [("input", reply.usage.prompt_tokens), ("output", reply.usage.completion_tokens)] {
            if let Some(tokens) = tokens {
                self.tokens.record(tokens, &[shared, &[KeyValue::new(TOKEN_TYPE, kind)]].concat());
            }
        }
    }
}

impl Traces {
    fn lock(&self) -> MutexGuard<'_, Conversations> {
        self.conversations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(
        &self,
        call: &llm::Event,
        end: &CallEnd,
        mut attributes: Vec<KeyValue>,
        (began, ended): (SystemTime, SystemTime),
    ) {
        attributes.extend(of_span(call, end, self.content));
        let event = |(at, why): &(jiff::Timestamp, String)| {
            let about = vec![KeyValue::new("exception.message", why.clone())];
            SpanEvent::new("request_failed", SystemTime::from(*at), about, 0)
        };
        let span = SpanBuilder::from_name(format!("chat {}", call.model))
            .with_kind(if call.endpoint.is_some() { SpanKind::Client } else { SpanKind::Internal })
            .with_start_time(began)
            .with_attributes(attributes)
            .with_events(end.failures.iter().map(event).collect());
        let parent = Context::new().with_remote_span_context(self.parent(&call.conversation, began));
        let mut span = self.tracer.build_with_context(span, &parent);
        if let Err(error) = &end.outcome {
            span.set_status(Status::error(error.to_string()));
        }
        span.end_with_timestamp(ended);
    }

    /// The span of a conversation, which begins with its first call.
    fn parent(&self, conversation: &Arc<str>, began: SystemTime) -> SpanContext {
        let mut conversations = self.lock();
        if !conversations.is_pass {
            let open = || Some(self.open(conversation, began));
            let span = conversations.spans.entry(conversation.clone()).or_insert_with(open);
            if let Some(span) = span {
                return span.span_context().clone();
            }
        }
        let (trace, span) = ids(conversation);
        SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
    }

    fn open(&self, conversation: &str, began: SystemTime) -> Span {
        Ids::next(ids(conversation));
        let about = vec![
            KeyValue::new(OPERATION, "invoke_workflow"),
            KeyValue::new(WORKFLOW, NAME),
            KeyValue::new(CONVERSATION, conversation.to_owned()),
        ];
        let span =
            SpanBuilder::from_name(format!("invoke_workflow {NAME}")).with_start_time(began).with_attributes(about);
        self.tracer.build_with_context(span, &Context::new())
    }

    /// A conversation is final: nothing can change it any more.
    fn conversation(&self, about: &SettledConversation) {
        let mut conversations = self.lock();
        let now = SystemTime::now();
        let open = conversations.spans.insert(about.id.clone(), None).flatten();
        let mut span = open.unwrap_or_else(|| self.open(&about.id, now));
        span.set_attribute(KeyValue::new("dlgforge.language", about.language.to_string()));
        span.set_attribute(KeyValue::new("dlgforge.wave", i64::from(about.wave.0)));
        span.set_attribute(KeyValue::new("dlgforge.turns", about.questions.len() as i64));
        span.set_attribute(KeyValue::new("dlgforge.duplicates", i64::from(about.duplicates)));
        if let Outcome::Dropped(reason) = &about.outcome {
            span.set_attribute(KeyValue::new(ERROR, reason.as_str()));
            span.set_status(Status::error(reason.as_str()));
        }
        span.end_with_timestamp(now);
        conversations.ended.push_back(about.id.clone());
        if conversations.ended.len() > REMEMBERED
            && let Some(oldest) = conversations.ended.pop_front()
        {
            conversations.spans.remove(&oldest);
        }
    }
}

/// The ids of a conversation's trace and of its span: the same in every process, and after a resume.
fn ids(conversation: &str) -> (TraceId, SpanId) {
    let (trace, span) = (xxh3_128(conversation.as_bytes()), xxh3_64(conversation.as_bytes()));
    (TraceId::from(trace.max(1)), SpanId::from(span.max(1)))
}

/// Ids of spans: random ones, but for the spans of conversations.
#[derive(Debug)]
struct Ids(RandomIdGenerator);

thread_local! {
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

impl Ids {
    /// The next span of this thread begins a trace, and has these.
    fn next(ids: (TraceId, SpanId)) {
        NEXT.set(Some(ids));
    }
}

impl IdGenerator for Ids {
    /// The last one asked for of a span that begins a trace.
    fn new_trace_id(&self) -> TraceId {
        NEXT.take().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}
