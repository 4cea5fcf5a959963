//! Endpoints that misbehave, each by a name.

use super::endpoint::dialogue::{Latency, reply};
use super::endpoint::{Behaviour, Reply, Tail};
use hyper::body::Bytes;
use serde_json::{Value, json};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What can be wrong with a response, whatever is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// There is none, ever.
    Hangs,
    /// The connection is closed before it.
    Closes,
    /// The connection is closed in its middle.
    BreaksOff,
    /// It is whole, and its JSON half.
    HalfJson,
    /// It is whole, and no JSON at all.
    NoJson,
    /// It is a web page, as a captive portal has it.
    WebPage,
    /// It has no choices.
    NoChoices,
    /// It is an error.
    Status(u16),
    /// It is a 429, with so many seconds to wait.
    Busy(Option<u64>),
    /// It has 100 MB, as it announces.
    HugeAnnounced,
    /// It has 100 MB, which nobody knows before.
    Huge,
    /// It never ends.
    Endless,
}

impl Misbehaviour {
    /// What becomes of a good reply.
    pub fn reply(self, good: Reply) -> Reply {
        const MEBIBYTE: usize = 1 << 20;
        let half = good.body.slice(..good.body.len() / 2);
        let long = |times, announced| {
            let tail = Some(Tail { chunk: &[b'a'; MEBIBYTE / 4], times, announced });
            Reply { body: r#"{"choices": [{"message": {"content": ""#.into(), tail, ..Reply::json(200, &json!({})) }
        };
        match self {
            Self::Hangs => Reply { delay: Duration::from_secs(3600), ..good },
            Self::Closes => Reply { body: Bytes::new(), close: true, ..good },
            Self::BreaksOff => Reply { body: half, close: true, ..good },
            Self::HalfJson => Reply { body: half, ..good },
            Self::NoJson => Reply { body: "upstream said nothing".into(), ..good },
            Self::WebPage => Reply {
                headers: vec![("content-type".into(), "text/html".into())],
                body: "<html><body>Please log in.</body></html>".into(),
                ..good
            },
            Self::NoChoices => Reply::json(200, &json!({"id": "x", "object": "chat.completion", "choices": []})),
            Self::Status(status) => Reply::error(status, "no, said the endpoint"),
            Self::Busy(seconds) => {
                let headers = seconds.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
                Reply { headers: headers.into_iter().collect(), ..Reply::error(429, "too many requests") }
            }
            Self::HugeAnnounced => long(400, true),
            Self::Huge => long(400, false),
            Self::Endless => long(u64::MAX, false),
        }
    }
}

fn good(request: &Value) -> Reply {
    reply(request, Latency::NONE)
}

/// A good reply with another first choice.
pub fn altered(request: &Value, change: impl FnOnce(&mut Value)) -> Reply {
    let reply = good(request);
    let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    change(&mut body["choices"][0]);
    Reply { body: body.to_string().into(), ..reply }
}

fn prompt(request: &Value) -> &str {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    messages.iter().find(|message| message["role"] == "user").and_then(|user| user["content"].as_str()).unwrap_or("")
}

impl Behaviour {
    /// Misbehaves at every request.
    pub fn always(misbehaviour: Misbehaviour) -> Self {
        Self::at(misbehaviour, |_| true)
    }

    /// Misbehaves at the requests with these numbers, and plays all roles at the others.
    pub fn at(misbehaviour: Misbehaviour, numbers: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        Self::new(
            move |request, number| {
                if numbers(number) { misbehaviour.reply(good(request)) } else { good(request) }
            },
        )
    }

    /// Does this to the first question, whenever it is asked, also with more words; and plays all roles otherwise.
    pub fn at_the_first(reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        let first = OnceLock::new();
        Self::new(move |request, _| {
            let of_first = prompt(request).starts_with(first.get_or_init(|| prompt(request).to_owned()));
            if of_first { reply(request) } else { good(request) }
        })
    }

    /// Plays all roles, and takes its time.
    pub fn slow(delay: Duration) -> Self {
        Self::new(move |request, _| Reply { delay, ..good(request) })
    }

    /// Plays all roles, with the first choice of every reply altered.
    pub fn altering(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::new(move |request, _| altered(request, |choice| change(choice)))
    }

    /// Thinks in a field beside the text.
    pub fn thinks_apart() -> Self {
        Self::altering(|choice| choice["message"]["reasoning_content"] = "let me think apart".into())
    }

    /// Thinks in the text.
    pub fn thinks_aloud() -> Self {
        Self::altering(|choice| {
            if let Some(text) = choice["message"]["content"].as_str() {
                choice["message"]["content"] = format!("<think>let me think aloud</think>\n{text}").into();
            }
        })
    }

    /// Asks for every search twice, and gives all of them the same id.
    pub fn repeats_ids() -> Self {
        Self::altering(|choice| {
            if let Some(calls) = choice["message"]["tool_calls"].as_array_mut() {
                calls[0]["id"] = "call_same".into();
                calls.push(calls[0].clone());
            }
        })
    }

    /// Has bytes in its texts that are no UTF-8.
    pub fn broken_text() -> Self {
        Self::new(|request, _| {
            let reply = good(request);
            let mut body = reply.body.to_vec();
            for text in [&b" ("[..], b"It is as in ", b"verdict "] {
                let at = body.windows(text.len()).position(|window| window == text);
                at.into_iter().for_each(|at| body[at + 2] = 0xff);
            }
            Reply { body: body.into(), ..reply }
        })
    }

    /// Plays all roles, and calls its JSON a web page.
    pub fn wrong_type() -> Self {
        let headers = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self::new(move |request, _| Reply { headers: headers.clone(), ..good(request) })
    }

    /// Sends every request elsewhere.
    pub fn redirects(status: u16, base_url: &str) -> Self {
        Self::status(status, &[("location", &format!("{base_url}/chat/completions"))])
    }

    /// Takes so many requests per second, and as many at once; it has no room for the others.
    pub fn rate_limited(per_second: f64, wait: Option<u64>) -> Self {
        let bucket = Mutex::new((per_second, Instant::now()));
        Self::new(move |request, _| {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            let (level, at) = *bucket;
            let level = (level + at.elapsed().as_secs_f64() * per_second).min(per_second);
            let taken = level >= 1.0;
            *bucket = (if taken { level - 1.0 } else { level }, Instant::now());
            if taken { good(request) } else { Misbehaviour::Busy(wait).reply(good(request)) }
        })
    }

    /// Works on so many requests at a time, each for this long; the others wait for their turn.
    pub fn queues(capacity: usize, work: Duration) -> Self {
        let free = Mutex::new(vec![Instant::now(); capacity]);
        Self::new(move |request, _| {
            let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
            let (now, next) = (Instant::now(), free.iter_mut().min().expect("a place"));
            *next = (*next).max(now) + work;
            Reply { delay: *next - now, ..good(request) }
        })
    }

    /// Works on so many requests at a time, each for this long; it has no room for the others.
    pub fn crowded(capacity: usize, work: Duration) -> Self {
        let ends: Mutex<Vec<Instant>> = Mutex::default();
        Self::new(move |request, _| {
            let (mut ends, now) = (ends.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
            ends.retain(|end| *end > now);
            if ends.len() >= capacity {
                return Misbehaviour::Busy(None).reply(good(request));
            }
            ends.push(now + work);
            Reply { delay: work, ..good(request) }
        })
    }
}
