//! What listeners hear of a run: as many events of a kind as the summary, the endpoint and the conversations themselves have,
//! and the conversations that stand in its documents.
//! Would catch: an event that is told twice, late, or not on every way by which something happens, and a run that is another
//! one when somebody listens.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, asking, builtin, remote};
use dlgforge::domain::{Outcome, SettledConversation};
use dlgforge::llm::EventKind;
use dlgforge::output::ConversationDocument;
use dlgforge::run::{Event, Host, Listener, Listeners, Ran, RunEnd, Summary};
use dlgforge::settings::{Flags, Resume, Settings};
use dlgforge::{knowledge, operators, traffic};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::xxh3_64;

/// What somebody who counts has heard, by name.
#[derive(Default)]
struct Counts {
    by_name: Mutex<BTreeMap<&'static str, u64>>,
    settled: Mutex<Vec<SettledConversation>>,
}

impl Counts {
    fn add(&self, name: &'static str, count: u64) {
        *self.by_name.lock().expect("a count").entry(name).or_default() += count;
    }

    fn get(&self, name: &str) -> u64 {
        self.by_name.lock().expect("a count").get(name).copied().unwrap_or_default()
    }

    /// A settled conversation, with the questions that were accepted and rejected in the end.
    fn settled(&self, conversation: &SettledConversation) {
        self.settled.lock().expect("a list").push(conversation.clone());
        let unanswered = conversation.unfinished.len() as u64;
        self.add("accepted in the end", conversation.questions.len() as u64 + unanswered);
        self.add("rejected in the end", conversation.duplicates.into());
        match conversation.outcome {
            Outcome::Completed => self.add("completed", 1),
            _ => self.add("dropped", 1),
        }
    }
}

impl Listener for Counts {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Conversation(operators::Event::Opened { .. }) => self.add("opened", 1),
            Event::Conversation(operators::Event::Accepted { .. }) => self.add("accepted", 1),
            Event::Conversation(operators::Event::Rejected { .. }) => self.add("rejected", 1),
            Event::Conversation(operators::Event::RolledBack { accepted, rejected, calls, .. }) => {
                self.add("rolled back", 1);
                self.add("accepted no more", (*accepted).into());
                self.add("rejected no more", (*rejected).into());
                self.add("wasted", *calls);
            }
            Event::Call(call) => self.add(
                match call.kind {
                    EventKind::Requested { .. } => "requested",
                    EventKind::Answered { .. } => "answered",
                    EventKind::Failed { .. } => "failed",
                    EventKind::RateLimited { .. } => "rate limited",
                    EventKind::Retried { .. } => "retried",
                    EventKind::Ended(_) => "ended",
                },
                1,
            ),
            Event::Traffic(traffic::Event::Spent { cost, .. }) => self.add("spent", cost.calls),
            Event::Traffic(traffic::Event::CapReached { .. }) => self.add("capped", 1),
            Event::Settled(conversation) => self.settled(conversation),
            Event::WaveSettled(figures) => self.add("opened in waves", figures.opened.into()),
            _ => {}
        }
    }
}

fn settings(project: &Project, cap: &str, resume: Option<Resume>) -> Settings {
    let set = vec![format!("run.budget.calls={cap}")];
    let flags = Flags { config: project.path("config.yaml"), set, resume, ..Flags::default() };
    Settings::load(&flags, &BTreeMap::new()).expect("settings")
}

/// Runs the project inside of this process.
fn run(project: &Project, cap: &str, resume: Option<Resume>, listeners: Listeners) -> Summary {
    let settings = settings(project, cap, resume);
    let host = Host { listeners, obey: Arc::new(|_| Arc::default()) };
    match dlgforge::run::run(&settings, 2, None, &host) {
        Ok(Ran::Made(summary)) => *summary,
        other => panic!("{other:?}"),
    }
}

fn counted(project: &Project, cap: &str, resume: Option<Resume>) -> (Arc<Counts>, Summary) {
    let counts = Arc::new(Counts::default());
    let summary = run(project, cap, resume, Listeners::new([counts.clone() as Arc<dyn Listener>]));
    (counts, summary)
}

const RUN: &str = "  run_id: r\n  batch_size: 32\n  total_samples: 40\n  turns: {mode: exact, exact: 3}";

/// Refuses some requests, has no room for some and fails at some; asks the same again and again; is slow at times.
fn troublesome(request: &Value, number: u64) -> Reply {
    let digest = xxh3_64(request.to_string().as_bytes());
    match number {
        _ if digest.is_multiple_of(120) => return Reply::error(400, "not this one"),
        _ if number % 101 == 5 => return Reply::error(503, "down"),
        _ if number % 200 == 7 => return Reply::error(429, "too many requests"),
        _ => {}
    }
    let reply = asking(reply(request, Latency::NONE), || Some(format!("What of {}?", digest % 240)));
    Reply { delay: Latency { median_ms: 6.0, sigma: 1.5, seed: 3 }.of(digest), ..reply }
}

#[test]
fn a_listener_hears_as_much_as_the_summary_tells() {
    let endpoint = Endpoint::start(Behaviour::new(troublesome));
    let config = remote(&endpoint.base_url(), RUN, "coverage: {question_dedup_retries: 5}");
    let config = config.replace("max_retries: 1", "max_retries: 9");
    let project = Project::with(&config);
    let (counts, summary) = counted(&project, "100000", None);
    assert_eq!(summary.end, RunEnd::Complete);
    let (heard, tally, meter) = (|name: &str| counts.get(name), &summary.tally, summary.meter);

    assert_eq!(heard("opened"), tally.languages.iter().map(|language| u64::from(language.opened)).sum::<u64>());
    assert_eq!(heard("opened"), heard("completed") + heard("dropped"));
    assert_eq!(heard("opened"), heard("opened in waves"));
    assert_eq!((heard("completed"), heard("dropped")), (tally.accepted().into(), tally.dropped().into()));

    assert_eq!(heard("accepted") - heard("accepted no more"), heard("accepted in the end"));
    assert_eq!(heard("rejected") - heard("rejected no more"), heard("rejected in the end"));
    assert_eq!(heard("rejected in the end"), tally.duplicates);
    assert_eq!((heard("rolled back"), heard("wasted")), (tally.rollbacks, tally.wasted));
    assert!(tally.duplicates > 20 && tally.dropped() > 0, "{summary}");

    // Calls of conversations that were rolled back may be out still when the run ends.
    let are_all =
        |ended: u64, begun: u64| assert!((ended..=ended + tally.rollbacks).contains(&begun), "{ended} {begun}");
    are_all(endpoint.requests(), heard("requested"));
    are_all(heard("answered") + heard("failed"), heard("requested"));
    are_all(heard("ended"), heard("answered") + meter.failures);
    are_all(heard("retried") + heard("rate limited") + meter.failures, heard("failed"));
    for (told, counted) in
        [("answered", meter.calls), ("retried", meter.retries), ("rate limited", meter.slowed), ("spent", meter.calls)]
    {
        are_all(counted, heard(told));
    }
    assert!(meter.failures > 0 && meter.retries > 0 && meter.slowed > 0, "{summary}");

    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let options = settings(&project, "1", None).knowledge;
    let catalogue = runtime.block_on(knowledge::open(&options, &|_| ())).expect("the documents").catalogue;
    let settled = counts.settled.lock().expect("a list");
    let settled: Vec<_> = settled.iter().filter(|conversation| !conversation.questions.is_empty()).collect();
    let rows = project.rows("outputs/conversations_index.jsonl");
    assert_eq!(rows.len(), settled.len());
    for (row, settled) in rows.iter().zip(settled) {
        let path = project.path(row["conversation_file"].as_str().expect("a path"));
        let document = ConversationDocument::read(&path).expect("a document");
        let conversation = document.conversation(&path, &catalogue).expect("a whole one");
        assert_eq!(SettledConversation::of(&conversation).as_ref(), Some(settled), "{}", path.display());
    }

    let unheard = Project::with(&config);
    run(&unheard, "100000", None, Listeners::default());
    let questions = |project: &Project| {
        let rows = project.rows("outputs/turns.jsonl").into_iter();
        rows.map(|row| (row["conversation_id"].clone(), row["user_message"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(questions(&project), questions(&unheard), "heard or not, it is the same run");
}

#[test]
fn a_cap_that_is_reached_is_told_once_and_a_resume_counts_what_it_adds() {
    let project = Project::with(&builtin(RUN, ""));
    let (counts, summary) = counted(&project, "40", None);
    assert!(matches!(summary.end, RunEnd::Halted(_)), "{summary}");
    assert_eq!((counts.get("answered"), counts.get("spent"), counts.get("capped")), (40, 40, 1));
    assert_eq!(counts.get("requested"), 0, "nothing goes out to an endpoint");

    let (counts, summary) = counted(&project, "100000", Some(Resume::Last));
    assert_eq!(summary.end, RunEnd::Complete);
    assert!(summary.meter.recalled > 0 && summary.meter.calls > 0, "{summary}");
    assert_eq!((counts.get("answered"), counts.get("capped")), (summary.meter.calls, 0));
    let all = u64::from(summary.tally.accepted() + summary.tally.dropped());
    assert_eq!(counts.get("completed") + counts.get("dropped"), all, "nothing was settled before");
}
