//! `run.budget`: hard limits. The endpoint counts what it is asked, and it is never more than the run may spend.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Files, Project, Ran, builtin, expect_same, remote, signal};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

const RUN: &str = "  run_id: r\n  batch_size: 16\n  total_samples: 20\n  turns: {mode: exact, exact: 1}";
/// Requests of an undisturbed run: a question, a search, an answer and a verdict per conversation.
const REQUESTS: u64 = 20 * 4;
const PRICES: &str = "version: today\nusd_per_million_tokens: {test-model: {input: 100, output: 300}}\n";

/// An endpoint that counts the tokens it reads and writes.
struct Counting {
    endpoint: Endpoint,
    read: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

impl Counting {
    fn start() -> Self {
        let (read, written): (Arc<AtomicU64>, Arc<AtomicU64>) = Default::default();
        let (reading, writing) = (read.clone(), written.clone());
        let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
            let reply = reply(request, Latency { median_ms: 5.0, sigma: 0.5, seed: 2 });
            let usage = serde_json::from_slice::<Value>(&reply.body).expect("JSON")["usage"].clone();
            let tokens = |of: &str| usage[of].as_u64().expect("a number");
            reading.fetch_add(tokens("prompt_tokens"), Ordering::SeqCst);
            writing.fetch_add(tokens("completion_tokens"), Ordering::SeqCst);
            reply
        }));
        Self { endpoint, read, written }
    }

    fn tokens(&self) -> u64 {
        self.read.load(Ordering::SeqCst) + self.written.load(Ordering::SeqCst)
    }

    /// What its tokens cost by `PRICES`.
    fn usd(&self) -> f64 {
        let [read, written] = [&self.read, &self.written].map(|tokens| tokens.load(Ordering::SeqCst) as f64);
        (100.0 * read + 300.0 * written) / 1e6
    }
}

fn project(endpoint: &Endpoint) -> Project {
    let config = remote(&endpoint.base_url(), RUN, "").replace("max_retries: 1", "max_tokens: 600");
    let project = Project::with(&config.replace("llm:\n", "llm:\n  prices: prices.yaml\n"));
    project.write("prices.yaml", PRICES.as_bytes());
    project
}

/// What a run without any cap makes.
static UNCAPPED: LazyLock<Files> = LazyLock::new(|| {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = project(&endpoint);
    Ran::of(project.stamped(&[])).succeeded();
    assert_eq!(endpoint.requests(), REQUESTS);
    project.outputs()
});

/// Stops at this cap, does not go on with it, and goes on without it to the files of a run that had none.
fn stops_and_goes_on(cap: &str, value: f64, spent: impl Fn(&Counting) -> f64) {
    let counting = Counting::start();
    let project = project(&counting.endpoint);
    let set = format!("{cap}={value}");
    let ran = Ran::of(project.stamped(&["--set", &set]));
    let told = format!("{cap} ({value}) does not allow another call: ");
    let ran = ran.failed(&[&told, "go on with: dlgforge run config.yaml --resume r"]);
    assert!(ran.stdout.contains("run r stopped"), "{}", ran.stdout);
    assert!(spent(&counting) <= value, "{cap}: {} of {value}", spent(&counting));
    assert!(spent(&counting) >= 0.5 * value, "{cap}: only {} of {value}", spent(&counting));
    assert!(project.drops().is_empty(), "{}", ran.stderr);

    // A shorter request may still be within it, but no more than that.
    Ran::of(project.stamped(&["--resume", "--set", &set])).failed(&[&told]);
    assert!(spent(&counting) <= value, "{cap}: {} of {value}", spent(&counting));
    let before = counting.endpoint.requests();
    let used_up = format!("{cap}={}", value / 2.0);
    Ran::of(project.stamped(&["--resume", "--set", &used_up])).failed(&[cap, " does not allow another call: "]);
    assert_eq!(counting.endpoint.requests(), before, "{cap}: it is used up");

    Ran::of(project.stamped(&["--resume", "--set", &format!("{cap}={}", 1000.0 * value)])).succeeded();
    assert_eq!(counting.endpoint.requests(), REQUESTS, "nothing is asked twice");
    expect_same(&UNCAPPED, &project.outputs(), cap);
}

#[test]
fn calls_are_never_more_than_the_cap() {
    stops_and_goes_on("run.budget.calls", 36.0, |counting| counting.endpoint.requests() as f64);
}

#[test]
fn tokens_are_never_more_than_the_cap() {
    stops_and_goes_on("run.budget.tokens", 30_000.0, |counting| counting.tokens() as f64);
}

#[test]
fn dollars_are_never_more_than_the_cap() {
    stops_and_goes_on("run.budget.usd", 3.0, Counting::usd);
}

#[test]
fn tokens_that_go_into_a_cache_cost_more_and_stay_under_the_cap() {
    let written = Arc::new(AtomicU64::new(0));
    let counted = written.clone();
    // Every byte is a token, and all of them go into the cache.
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        let reply = reply(request, Latency::NONE);
        let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let read = request.to_string().len() as u64;
        counted.fetch_add(read, Ordering::SeqCst);
        body["usage"] = json!({"prompt_tokens": read, "completion_tokens": 0, "prompt_tokens_details": {"cache_write_tokens": read}});
        Reply { body: body.to_string().into(), ..reply }
    }));
    for price in ["{input: 20, output: 30}", "{input: 20, output: 30, cache_write: 25}"] {
        written.store(0, Ordering::SeqCst);
        let project = project(&endpoint);
        let prices = format!("version: today\nusd_per_million_tokens: {{test-model: {price}}}\n");
        project.write("prices.yaml", prices.as_bytes());
        let cap = ["--set", "run.budget.usd=1"];
        Ran::of(project.stamped(&cap)).failed(&["run.budget.usd", " does not allow another call: "]);
        let usd = 25.0 * written.load(Ordering::SeqCst) as f64 / 1e6;
        assert!((0.5..=1.0).contains(&usd), "{price}: {usd}");
    }
}

/// An endpoint of Groq's that has no room for every third request in the tier flex, and replies as if there were no tiers.
fn tiered() -> Endpoint {
    Endpoint::start(Behaviour::new(|request, number| {
        let mut request = request.clone();
        let tier = request.as_object_mut().expect("an object").remove("service_tier");
        if tier == Some("flex".into()) && number % 3 == 0 {
            return Reply::error(498, "capacity_exceeded");
        }
        let reply = reply(&request, Latency::NONE);
        let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        body["service_tier"] = tier.into();
        body["usage"] = json!({"prompt_tokens": 1000, "completion_tokens": 0});
        Reply { body: body.to_string().into(), ..reply }
    }))
}

#[test]
fn tiers_are_paid_and_told_apart_and_may_change_when_a_run_goes_on() {
    let endpoint = tiered();
    let project = project(&endpoint);
    let routing = format!(
        "llm:\n  routing: {{endpoints: [{{provider: groq, base_url: \"{}\", api_key: k}}]}}\n",
        endpoint.base_url()
    );
    let config = project.read("config.yaml").replacen("llm:\n", &routing, 1);
    project.write("config.yaml", config.as_bytes());
    let price = "{input: 2, output: 0, flex: {input: 1, output: 0}}";
    project.write("prices.yaml", format!("version: x\nusd_per_million_tokens: {{test-model: {price}}}\n").as_bytes());
    let tier = |word: &str| ["user", "assistant", "judge"].map(|role| format!("llm.agents.{role}.service_tier={word}"));
    let run = |word: &str, more: &[&str]| {
        let tiers = tier(word);
        let sets = tiers.iter().flat_map(|set| ["--set", set.as_str()]);
        Ran::of(project.stamped(&sets.chain(more.iter().copied()).collect::<Vec<_>>()))
    };
    run("flex_then_standard", &["--set", "run.budget.calls=40"]).failed(&["run.budget.calls (40)"]);
    let asked = |name: &str| endpoint.log().iter().filter(|body| body["service_tier"] == name).count();
    let standard = asked("on_demand");
    let flex = 40 - standard;
    let refused = asked("flex") - flex;
    assert!(standard > 0 && flex > 0 && refused >= standard, "{flex} and {standard}, {refused} refused");
    let told = project.run(&["status"]).stdout;
    let usd = |flex: usize, standard: usize| {
        let (cheap, dear) = (flex as f64 / 1e3, 2.0 * standard as f64 / 1e3);
        format!(
            "  cost           {:.4} USD\n  tiers          flex {flex} calls, {cheap:.4} USD; standard {standard} calls, {dear:.4} USD\n",
            cheap + dear
        )
    };
    assert!(told.contains(&usd(flex, standard)), "{told}");
    let ran = run("default", &["--resume"]).succeeded();
    let standard = REQUESTS as usize - flex;
    assert!(
        ran.stdout.contains(&format!("flex {flex} calls, {:.4} USD; standard {standard} calls", flex as f64 / 1e3))
    );
    assert_eq!(endpoint.requests(), REQUESTS + refused as u64, "nothing is asked twice");
    assert!(project.run(&["status"]).stdout.contains(&usd(flex, standard)));
    let wrong = run("priority", &["--resume"]);
    let told = "`llm.agents.user.service_tier`: `priority`: `groq`, the provider of `llm.routing.endpoints[0]`, has no such tier";
    assert!(wrong.code == Some(1) && wrong.stderr.contains(told), "{}", wrong.stderr);
}

#[test]
fn a_cap_that_is_not_met_changes_nothing() {
    let counting = Counting::start();
    let project = project(&counting.endpoint);
    let sets = ["run.budget.calls=80", "run.budget.tokens=10000000", "run.budget.usd=1000"];
    Ran::of(project.stamped(&sets.map(|set| ["--set", set]).concat())).succeeded();
    assert_eq!(counting.endpoint.requests(), REQUESTS);
    expect_same(&UNCAPPED, &project.outputs(), "capped");
}

#[test]
fn what_a_killed_run_has_sent_counts_whatever_is_lost_with_it() {
    let counting = Counting::start();
    let project = project(&counting.endpoint);
    let cap = ["--set", "run.budget.calls=60"];
    for (resume, is_killed) in [(&[][..], false), (&["--resume"], true)] {
        let before = counting.endpoint.requests();
        let mut child = project.stamped(&[&cap[..], resume].concat()).spawn().expect("the binary runs");
        let began = Instant::now();
        while counting.endpoint.requests() < before + 8 {
            assert!(began.elapsed() < Duration::from_secs(60), "the run asks");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Told twice, it does not wait for what is in flight.
        if is_killed {
            child.kill().expect("a kill")
        } else {
            (0..2).for_each(|_| signal(&child, "-TERM"))
        }
        child.wait().expect("it ends");
        // What was in flight may be on its way still.
        std::thread::sleep(Duration::from_millis(200));
    }
    let kept = project.journalled().len();
    assert!(kept < 60, "{kept} kept of {}", counting.endpoint.requests());
    for name in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        _ = std::fs::remove_file(project.path(&format!("outputs/store/{name}")));
    }
    Ran::of(project.stamped(&[&cap[..], &["--resume"]].concat())).failed(&["run.budget.calls (60)", "60 calls, "]);
    assert!(counting.endpoint.requests() <= 60, "{} sent", counting.endpoint.requests());
    Ran::of(project.stamped(&["--resume", "--set", "run.budget.calls=1000"])).succeeded();
    expect_same(&UNCAPPED, &project.outputs(), "killed and capped");
}

#[test]
fn the_built_in_model_s_calls_are_capped_too() {
    let config = builtin(RUN, "");
    let (whole, capped) = (Project::with(&config), Project::with(&config));
    whole.stamped(&[]).output().expect("the binary runs");
    let calls = whole.journalled().len();
    for (cap, value, most) in [("calls", 10, 10), ("tokens", 9_000, calls - 1)] {
        let capped = Project::with(&config);
        let ran =
            Ran::from(capped.stamped(&["--set", &format!("run.budget.{cap}={value}")]).output().expect("it runs"));
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("run.budget.{cap} ({value}) does not allow another call")),
            "{}",
            ran.stderr
        );
        assert!((1..=most).contains(&capped.journalled().len()), "{cap}: {}", capped.journalled().len());
    }
    assert_eq!(capped.stamped(&["--set", "run.budget.calls=10"]).status().expect("it runs").code(), Some(1));
    assert_eq!(
        capped.stamped(&["--resume", "r", "--set", "run.budget.calls=15"]).status().expect("it runs").code(),
        Some(1)
    );
    assert!(capped.journalled().len() <= 15, "what was spent before counts");
    let goes_on = format!("run.budget.calls={calls}");
    assert!(capped.stamped(&["--resume", "r", "--set", &goes_on]).status().expect("it runs").success());
    expect_same(&whole.outputs(), &capped.outputs(), "with a cap, and another one, and enough");
}

#[test]
fn a_cap_that_can_not_be_kept_is_refused_by_name() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = project(&endpoint);
    let usd = ["--set", "run.budget.usd=1"];
    let unknown = ["--set", "llm.agents.judge.model=unheard-of"];
    Ran::of(project.stamped(&[usd, unknown].concat()))
        .failed(&["run.budget.usd: the price of `openai/unheard-of` is unknown", "llm.prices"]);
    let endless = ["--set", "llm.agents.assistant.max_tokens=null"];
    for cap in ["run.budget.usd", "run.budget.tokens"] {
        let set = format!("{cap}=100000");
        let ran = Ran::of(project.stamped(&[&["--set", set.as_str()][..], &endless].concat()));
        ran.failed(&[cap, "set `llm.agents.assistant.max_tokens`"]);
    }
    assert_eq!(endpoint.requests(), 0, "and nobody is asked");
    assert!(!project.path("outputs").exists(), "nothing is written");
    // Calls can be counted without.
    Ran::of(project.stamped(&[&["--set", "run.budget.calls=100"][..], &endless].concat())).succeeded();
}
