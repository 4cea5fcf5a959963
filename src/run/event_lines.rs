//! `--progress json`: what happens in a run as JSON objects on standard output, a line each, for programs that follow it.
//!
//! Every line has `version`, `time` (RFC 3339, UTC), `process` (0 unless several make the run) and `event`; what else it has goes by
//! its event, and a version only ever gains fields and events. Standard output has nothing else then, so that whoever follows a run
//! reads it from a pipe; messages and the summary are on standard error.

use super::events::{Event, Listener, WaveFigures};
use crate::domain::clock;
use crate::domain::slot::conversation_id;
use crate::domain::{Outcome, SettledConversation, Slot};
use crate::knowledge::{Progress, Step};
use crate::llm::{self, EventKind, Meter};
use crate::operators::{self, Tally};
use crate::servers;
use crate::traffic;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The version of the lines.
const VERSION: u32 = 1;
/// Lines that may wait for whoever reads them before the run waits too.
const WAITING: usize = 8_192;
/// How often it is told how far something is that takes a while.
const OFTEN: Duration = Duration::from_millis(500);

/// Tells programs what it hears.
pub struct EventLines {
    process: usize,
    lines: SyncSender<Line>,
    /// What is known once the run has started.
    started: OnceLock<Started>,
    /// When it was told last how far the preparation is.
    prepared: Mutex<Option<Instant>>,
    /// How many calls this process has heard of, and their price in billionths of a USD; none where that of one is unknown.
    paid: Mutex<(u64, Option<u64>)>,
}

enum Line {
    Text(String),
    /// All lines before are written: it is told here.
    Last(SyncSender<()>),
}

struct Started {
    run: String,
    languages: Vec<Arc<str>>,
    meter: Arc<Meter>,
}

impl EventLines {
    /// Tells of what this process of a run hears.
    ///
    /// # Errors
    /// When no thread can be started for it.
    pub fn start(process: usize) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        std::thread::Builder::new().name("events".into()).spawn(move || write_lines(&waiting))?;
        let (started, prepared, paid) = (OnceLock::new(), Mutex::default(), Mutex::new((0, Some(0))));
        Ok(Self { process, lines, started, prepared, paid })
    }

    fn say(&self, event: &str, fields: Value) {
        let time = format!("{:.3}", clock::now());
        let mut line = Map::new();
        let head = json!({"version": VERSION, "time": time, "process": self.process, "event": event});
        for value in [head, fields] {
            if let Value::Object(fields) = value {
                line.extend(fields);
            }
        }
        // Fails only if the writer has panicked.
        _ = self.lines.send(Line::Text(format!("{}\n", Value::Object(line))));
    }

    /// The fields with the place of a conversation before them.
    fn at(&self, slot: Slot, fields: Value) -> Value {
        let started = self.started.get();
        let id = started.map(|started| conversation_id(&started.run, &started.languages, slot));
        let mut placed = json!({
            "conversation_id": id, "language_index": slot.language.0, "conversation_index": slot.index,
        });
        if let (Value::Object(placed), Value::Object(fields)) = (&mut placed, fields) {
            placed.extend(fields);
        }
        placed
    }

    fn preparing(&self, Progress { step, done, total }: Progress) {
        let mut told = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if done < total && told.is_some_and(|told| told.elapsed() < OFTEN) {
            return;
        }
        *told = Some(Instant::now());
        let step = match step {
            Step::Documents => "documents",
            Step::Chunks => "chunks",
            Step::Vectors => "vectors",
        };
        self.say("preparing", json!({"step": step, "done": done, "total": total}));
    }

    fn conversation(&self, event: &operators::Event) {
        use operators::Event::{Accepted, Opened, Rejected, RolledBack};
        let (name, slot, fields) = match event {
            Opened { slot, wave } => ("conversation_opened", slot, json!({"wave": wave.0})),
            Accepted { slot, turn, attempt } => {
                ("question_accepted", slot, json!({"turn": turn.0, "attempt": attempt.0}))
            }
            Rejected { slot, turn, attempt, again } => {
                ("question_rejected", slot, json!({"turn": turn.0, "attempt": attempt.0, "again": again}))
            }
            RolledBack { slot, turn, attempt, accepted, rejected, calls } => {
                let fields = json!({
                    "turn": turn.0, "attempt": attempt.0, "accepted": accepted, "rejected": rejected, "wasted_calls": calls,
                });
                ("rolled_back", slot, fields)
            }
        };
        self.say(name, self.at(*slot, fields));
    }

    fn call(&self, llm::Event { agent, conversation, model, endpoint, kind }: &llm::Event) {
        let (name, more) = match kind {
            EventKind::Requested { .. } | EventKind::Ended(_) => return,
            EventKind::Answered { latency, usage, nanousd, tool_calls, characters } => {
                let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
                *paid = (paid.0 + 1, paid.1.zip(*nanousd).map(|(sum, cost)| sum + cost));
                let fields = json!({
                    "latency_s": latency.as_secs_f64(), "prompt_tokens": usage.prompt_tokens,
                    "completion_tokens": usage.completion_tokens, "cached_tokens": usage.cached_tokens,
                    "reasoning_tokens": usage.reasoning_tokens, "cost_usd": nanousd.map(usd), "tool_calls": tool_calls,
                    "characters": characters,
                });
                ("call_answered", fields)
            }
            EventKind::Failed { error } => ("call_failed", json!({"error": error})),
            EventKind::RateLimited { retry_after } => {
                ("call_rate_limited", json!({"retry_after_s": retry_after.map(|time| time.as_secs_f64())}))
            }
            EventKind::Retried { reason, wait } => {
                ("call_retried", json!({"reason": reason, "waited_s": wait.as_secs_f64()}))
            }
        };
        let mut fields =
            json!({"role": agent.as_str(), "conversation_id": conversation, "model": model, "endpoint": endpoint});
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
        self.say(name, fields);
    }

    fn traffic(&self, event: &traffic::Event) {
        use traffic::Event::{CapReached, Down, Learned, LeftOut, Slowed, Spent, Up};
        let told = |cost: &traffic::budget::Cost| json!({"calls": cost.calls, "tokens": cost.tokens, "cost_usd": usd(cost.nanousd)});
        match event {
            Down { endpoint, error } => self.say("endpoint_down", json!({"endpoint": endpoint, "error": error})),
            Up { endpoint } => self.say("endpoint_up", json!({"endpoint": endpoint})),
            Slowed { endpoint, why, limit } => {
                self.say("endpoint_slowed", json!({"endpoint": endpoint, "reason": why, "limit": limit}));
            }
            LeftOut { endpoint, error } => {
                self.say("endpoint_left_out", json!({"endpoint": endpoint, "error": error}));
            }
            Learned { endpoint, text } => self.say("endpoint_learned", json!({"endpoint": endpoint, "text": text})),
            Spent { cost, total } => self.say("budget_spent", json!({"request": told(cost), "total": told(total)})),
            CapReached { cap, spent } => self.say("budget_reached", json!({"cap": cap, "spent": told(spent)})),
        }
    }

    fn serving(&self, event: &servers::Event) {
        use servers::Event::{Died, Left, Loading, Ready, Started};
        match event {
            Started { name, log, .. } => {
                self.say("server_started", json!({"server": name, "log": log.to_string_lossy()}));
            }
            Loading { ready, replicas, elapsed, .. } => {
                let elapsed = elapsed.as_secs_f64();
                self.say("servers_loading", json!({"ready": ready, "total": replicas, "elapsed_s": elapsed}));
            }
            Ready { name, base_url, took } => {
                self.say("server_ready", json!({"server": name, "base_url": base_url, "took_s": took.as_secs_f64()}));
            }
            Died { name, how, pause } => {
                self.say("server_died", json!({"server": name, "reason": how, "restart_in_s": pause.as_secs_f64()}));
            }
            Left { name, base_url, pid } => {
                self.say("server_left", json!({"server": name, "base_url": base_url, "pid": pid}));
            }
        }
    }

    fn settled(&self, about: &SettledConversation) {
        let (name, why) = match &about.outcome {
            Outcome::Dropped(reason) => {
                ("conversation_dropped", json!({"drop_reason": reason.as_str(), "drop_detail": reason.detail()}))
            }
            Outcome::Completed | Outcome::Interrupted => ("conversation_settled", json!({})),
        };
        let mut fields = json!({
            "conversation_id": about.id, "language_index": about.slot.language.0,
            "conversation_index": about.slot.index, "language": about.language, "wave": about.wave.0,
            "turns": about.questions.len(), "duplicates": about.duplicates,
        });
        if let (Value::Object(fields), Value::Object(why)) = (&mut fields, why) {
            fields.extend(why);
        }
        self.say(name, fields);
    }

    fn ended(&self, tally: &Tally) {
        let read = self.started.get().map(|started| started.meter.read()).unwrap_or_default();
        let (heard, nanousd) = *self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        // What calls of other processes cost is told by those alone.
        let nanousd = nanousd.filter(|_| heard >= read.calls);
        let fields = json!({
            "accepted": tally.accepted(), "dropped": tally.dropped(), "drops": tally.drops,
            "duplicates": tally.duplicates, "rollbacks": tally.rollbacks, "wasted_calls": tally.wasted,
            "calls": read.calls, "failed": read.failures, "retried": read.retries, "recalled": read.recalled,
            "rate_limited": read.slowed, "prompt_tokens": read.prompt_tokens,
            "completion_tokens": read.completion_tokens, "cached_tokens": read.cached_tokens,
            "reasoning_tokens": read.reasoning_tokens, "cost_usd": nanousd.map(usd),
        });
        self.say("ended", fields);
    }
}

impl Listener for EventLines {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Preparing(progress) => self.preparing(*progress),
            Event::Prepared => self.say("prepared", json!({})),
            Event::Started { run, languages, total, meter } => {
                let started =
                    Started { run: (*run).to_owned(), languages: languages.to_vec(), meter: (*meter).clone() };
                _ = self.started.set(started);
                self.say("started", json!({"run_id": run, "languages": languages, "total": total}));
            }
            Event::Conversation(event) => self.conversation(event),
            Event::Call(event) => self.call(event),
            Event::Traffic(event) => self.traffic(event),
            Event::Serving(event) => self.serving(event),
            Event::Settled(about) => self.settled(about),
            Event::WaveSettled(figures) => {
                let WaveFigures { language, wave, opened, accepted, of_language, target, .. } = figures;
                let fields = json!({
                    "language": language, "wave": wave.0, "opened": opened, "accepted": accepted,
                    "accepted_of_language": of_language, "target": target,
                });
                self.say("wave_settled", fields);
            }
            Event::Judged(done) => self.say("judged", json!({"done": done})),
            Event::Ended(tally) => self.ended(tally),
            Event::Progress(_) | Event::Final(_) => {}
        }
    }

    fn end(&self) {
        let (done, written) = sync_channel(1);
        if self.lines.send(Line::Last(done)).is_ok() {
            _ = written.recv();
        }
    }
}

fn usd(nanousd: u64) -> f64 {
    nanousd as f64 / 1e9
}

/// Writes lines as they come. A reader that has gone away misses the rest, and the run goes on.
fn write_lines(waiting: &Receiver<Line>) {
    let mut is_read = true;
    while let Ok(line) = waiting.recv() {
        match line {
            Line::Text(text) => is_read = is_read && std::io::stdout().lock().write_all(text.as_bytes()).is_ok(),
            // Nobody waits any more.
            Line::Last(done) => _ = done.send(()),
        }
    }
}
