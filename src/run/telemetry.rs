//! OpenTelemetry: what the environment asks for, and whoever tells a collector.
//!
//! The variables are OpenTelemetry's own. `OTEL_EXPORTER_OTLP_ENDPOINT` turns it on, for traces and metrics; an endpoint of one signal
//! turns on that one. Those that have no say here, such as timeouts, headers, samplers and resources, are read by the SDK.

#[cfg(feature = "otel")]
mod attributes;
#[cfg(feature = "otel")]
mod export;

use super::events::Listener;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The only form in which a collector is told.
const PROTOCOL: &str = "http/protobuf";
/// Where a collector listens for all signals.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What a collector is to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Signals {
    /// Whether of traces: one a conversation.
    traces: bool,
    /// Whether of metrics.
    metrics: bool,
    /// Whether spans have what was asked and answered.
    content: bool,
}

/// A listener that tells a collector what it hears, if these variables ask for one. Where they can't be met, there is a warning and
/// nobody is told: whoever sets them for all programs does not mean to stop this one.
pub fn telemetry(environment: &BTreeMap<String, String>) -> Option<Arc<dyn Listener>> {
    let asked =
        Signals::of(environment).map(|signals| Some(signals).filter(|signals| signals.traces || signals.metrics));
    match asked.and_then(|signals| signals.map(listener).transpose()) {
        Ok(listener) => listener,
        Err(why) => {
            tracing::warn!(target: "dlgforge.config", "no collector is told of this: {why}");
            None
        }
    }
}

#[cfg(feature = "otel")]
fn listener(signals: Signals) -> Result<Arc<dyn Listener>, String> {
    Ok(Arc::new(export::Telemetry::start(signals)?))
}

#[cfg(not(feature = "otel"))]
fn listener(_: Signals) -> Result<Arc<dyn Listener>, String> {
    Err(format!(
        "{ENDPOINT} is set, and this build has no OpenTelemetry; build it with `--features otel`, or set OTEL_SDK_DISABLED=true"
    ))
}

impl Signals {
    fn of(environment: &BTreeMap<String, String>) -> Result<Self, String> {
        // An empty one counts as none everywhere in OpenTelemetry.
        let get = |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let is_true = |name| get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if is_true("OTEL_SDK_DISABLED") {
            return Ok(Self::default());
        }
        let signal = |name: &str| {
            let of_signal = format!("OTEL_EXPORTER_OTLP_{name}_ENDPOINT");
            let exporter = format!("OTEL_{name}_EXPORTER");
            match get(&exporter) {
                None | Some("otlp") => {}
                Some("none") => return Ok(false),
                Some(other) => return Err(format!("{exporter}: `{other}` is not known here; set it to otlp or none")),
            }
            if get(&of_signal).or(get(ENDPOINT)).is_none() {
                return Ok(false);
            }
            let protocol = format!("OTEL_EXPORTER_OTLP_{name}_PROTOCOL");
            let asked =
                [protocol.as_str(), "OTEL_EXPORTER_OTLP_PROTOCOL"].into_iter().find_map(|key| Some((key, get(key)?)));
            match asked {
                Some((key, other)) if other != PROTOCOL => Err(format!(
                    "{key}: `{other}` is not spoken here; set it to {PROTOCOL}, and the endpoint to the port that the collector has for \
                     it, usually 4318"
                )),
                _ => Ok(true),
            }
        };
        Ok(Self {
            traces: signal("TRACES")?,
            metrics: signal("METRICS")?,
            content: is_true("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals(variables: &[(&str, &str)]) -> Result<Signals, String> {
        Signals::of(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn only_what_is_asked_for_is_told() {
        let at = (ENDPOINT, "http://127.0.0.1:4318");
        let (none, both) = (Signals::default(), Signals { traces: true, metrics: true, content: false });
        for (variables, expected) in [
            (&[][..], none),
            (&[(ENDPOINT, " ")], none),
            (&[at], both),
            (&[at, ("OTEL_SDK_DISABLED", "true")], none),
            (&[at, ("OTEL_METRICS_EXPORTER", "none")], Signals { metrics: false, ..both }),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a/v1/traces")], Signals { metrics: false, ..both }),
            (&[at, ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "True")], Signals { content: true, ..both }),
            (&[at, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], both),
            // Nobody is told anything, so it does not matter how.
            (&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], none),
        ] {
            assert_eq!(signals(variables), Ok(expected), "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_met_names_its_variable() {
        let at = (ENDPOINT, "http://127.0.0.1:4317");
        for (variable, value, expected) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL: `grpc` is not spoken here"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: `grpc`"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER: `zipkin` is not known here"),
        ] {
            let error = signals(&[at, (variable, value)]).expect_err("it can't be met");
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
