//! A run that is killed anywhere, again and again, ends with the files of one that was not, and asks for nothing that it
//! has been told. Would catch: a reply that the graph sees before it is on disk, a row that is written and not admitted or
//! admitted and not written, anything of a run's course that is kept in memory alone.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Address, Behaviour, Endpoint, Reply};
use crate::support::{
    Files, Project, answering, asking_each, embedding, embedding_at, expect_same, paraphrased, remote, shipped, signal,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const BATCH: usize = 8;
const RUN: &str = "  run_id: r\n  batch_size: 8\n  lookahead: 2\n  total_samples: 40\n  target_languages: [en, de]\n  \
    turns: {mode: range, min: 1, max: 3}";
const QUESTIONS: u64 = 900;
const ADDRESS: &str = "Write to office@example.org.";
const DEAD: &str = "dead-model";
const FRENCH: &str = "Le thé vert est séché peu après la cueillette, afin que ses feuilles restent vertes.";

/// An endpoint whose replies are a function of the request, and which knows what it was asked.
pub struct Counting {
    endpoint: Endpoint,
    /// How often it was asked what, since the last look.
    asked: Arc<Mutex<BTreeMap<u128, u64>>>,
    /// What becomes of a turn that the judge rejects.
    pub on_fail: &'static str,
    /// Questions that a reply of the user model holds.
    candidates: u16,
    /// How near-duplicates are looked for; it asks the same in other words where they are.
    pub near: Option<&'static str>,
    embedder: Endpoint,
}

impl Counting {
    pub fn start() -> Self {
        Self::at(Address::free())
    }

    /// One that asks the same in other words, which is found by this method.
    pub fn paraphrasing(method: &'static str) -> Self {
        Self { near: Some(method), ..Self::asking(Address::free(), paraphrased) }
    }

    pub fn at(address: Address) -> Self {
        Self::asking(address, |number| format!("What of {number}?"))
    }

    fn asking(address: Address, question: fn(u64) -> String) -> Self {
        let asked: Arc<Mutex<BTreeMap<u128, u64>>> = Arc::default();
        let counted = asked.clone();
        let endpoint = address.start(Behaviour::new(move |request, number| {
            let text = canonical(request);
            let reply = unsteady(request, xxh3_64(text.as_bytes()), number, question);
            // What is not taken has no reply to be kept.
            if reply.status == 200 {
                *counted.lock().expect("no test panics here").entry(xxh3_128(text.as_bytes())).or_default() += 1;
            }
            reply
        }));
        let embedder = Endpoint::start(Behaviour::new(|request, _| embedding(request)).serving(""));
        Self { endpoint, asked, on_fail: "repair", candidates: 1, near: None, embedder }
    }

    /// What it was asked since the last look, so far.
    pub fn asked(&self) -> BTreeMap<u128, u64> {
        self.asked.lock().expect("no test panics here").clone()
    }

    pub fn look(&self) -> BTreeMap<u128, u64> {
        // What a process that is gone has sent may still be on its way.
        let mut last = u64::MAX;
        while last != self.endpoint.requests() {
            last = self.endpoint.requests();
            std::thread::sleep(Duration::from_millis(20));
        }
        std::mem::take(&mut *self.asked.lock().expect("no test panics here"))
    }

    /// A project in which no two requests are the same: questions are told apart by a number drawn for each.
    pub fn project(&self) -> Project {
        let (candidates, method) = (self.candidates, self.near.unwrap_or("off"));
        let held_out = if self.near.is_some() { "[held.txt]" } else { "[]" };
        let tools = match method {
            "embedding" => embedding_at(&self.embedder.base_url(), ""),
            _ => String::new(),
        };
        let more = format!(
            "coverage: {{question_dedup_retries: 3, candidates: {candidates}, near_duplicates: {{method: {method}}}, decontaminate: {held_out}}}\nprompts: {{path: prompts}}\n\
             checks: {{reject: [pii], on_fail: repair}}\n{tools}"
        );
        let (on_fail, is_jury) = (self.on_fail, self.on_fail == "regenerate");
        let least = if is_jury { 4 } else { 2 };
        let judge =
            format!("judge: {{mode: online, calibrate: 2, accept: {{min_score: {least}, on_fail: {on_fail}}}}}");
        let mut config = remote(&self.endpoint.base_url(), RUN, &more).replace("judge: {mode: online}", &judge);
        if is_jury {
            // A jury, one judge of which takes no request.
            let (_, judge) = config.split_once("    judge: ").expect("a judge");
            let judge = judge.lines().next().expect("a judge").to_owned();
            let jury = ["test-model", "other-model", DEAD].map(|model| judge.replace("test-model", model)).join(", ");
            config = config.replace(&format!("    judge: {judge}"), &format!("    judge: [{jury}]"));
        }
        let project = Project::with(&config);
        let prompt = fs::read_to_string(shipped("config/prompts/ask.user.j2")).expect("a prompt");
        let tests = (0..400).step_by(18).map(|number| paraphrased(number) + "\n");
        project.write("held.txt", tests.collect::<String>().as_bytes());
        project.write("prompts/ask.user.j2", format!("{prompt}\n({{{{ variety }}}})\n").as_bytes());
        project
    }
}

/// Plays all roles from a small pool of questions. Some answers are refused, withheld, useless or in another language, some
/// requests are not taken, and some verdicts are too low: which, is a function of the request.
fn unsteady(request: &Value, digest: u64, number: u64, question: fn(u64) -> String) -> Reply {
    let delay = Latency { median_ms: 4.0, sigma: 1.0, seed: number }.of(digest);
    if request["model"] == DEAD {
        return Reply { delay, ..Reply::error(400, "there is no such model any more") };
    }
    let says = |text: &str| Some(json!({"role": "assistant", "content": text}));
    // By what is asked, so that asking for the same once more does not help.
    let text = request.to_string();
    let asked = text.split("Question: ").nth(1).and_then(|rest| rest.split("\\n").next()).unwrap_or_default();
    let answers = canonical(request).contains("\"assistant_reply\"");
    let message = match xxh3_64(asked.as_bytes()) % 50 {
        0 if answers => Some(json!({"role": "assistant", "content": null, "refusal": "No."})),
        1 if answers => says("Hm."),
        2 if answers => says(&json!({"assistant_message": FRENCH, "confidence": "low"}).to_string()),
        3 if answers => return Reply { delay, ..Reply::error(400, "this one is not taken") },
        4 if answers => return Reply { delay, ..Reply::error(400, "content_filter: not this one") },
        _ => None,
    };
    if let Some(message) = message {
        let body = json!({"choices": [{"message": message, "finish_reason": "stop"}]});
        return Reply { delay, ..Reply::json(200, &body) };
    }
    let number = |place: u64| digest.rotate_left(16 * place as u32) % QUESTIONS;
    let reply = asking_each(reply(request, Latency::NONE), || (), |place| question(number(place)));
    // What a check does not accept: whenever it is asked, or the first time only.
    let is_again = text.contains("and is not good enough:");
    let reply = match xxh3_64(asked.as_bytes()) % 50 {
        5 | 8 if answers => answering(reply, ADDRESS),
        6 | 7 if answers && !is_again => answering(reply, ADDRESS),
        _ => reply,
    };
    Reply { delay, ..reply }
}

/// A request as the journal knows it, however it was sent: with the schema in its own field beside tools.
fn canonical(request: &Value) -> String {
    const TOLD: &str = "\n\nReply with one JSON object that fits this JSON Schema, and nothing else: ";
    let mut request = request.clone();
    let messages = request["messages"].as_array_mut().expect("messages");
    let last = messages.iter_mut().rfind(|message| message["role"] == "user").expect("a user message");
    let text = last["content"].as_str().expect("text").to_owned();
    if let Some((text, schema)) = text.rsplit_once(TOLD) {
        let schema: Value = serde_json::from_str(schema).expect("a schema");
        last["content"] = text.into();
        let named = json!({"name": "assistant_reply", "schema": schema});
        request["response_format"] = json!({"type": "json_schema", "json_schema": named});
    }
    request.to_string()
}

/// Digests of the requests whose replies the journal has.
pub fn journalled(project: &Project) -> Vec<u128> {
    let path = project.path("outputs/store/journal.sqlite");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(journal) = Connection::open_with_flags(path, flags) else { return Vec::new() };
    let Ok(mut found) = journal.prepare("SELECT digest, body FROM replies") else { return Vec::new() };
    let kept = found.query_map([], |row| Ok((row.get(0).map(u128::from_be_bytes)?, row.get::<_, Vec<u8>>(1)?)));
    // What was found and embedded is kept too, in lists.
    let is_reply = |body: &[u8]| zstd::stream::decode_all(body).expect("a whole reply").first() != Some(&b'[');
    let kept = kept.expect("a query").map(|row| row.expect("a row"));
    kept.filter(|(_, body)| is_reply(body)).map(|(digest, _)| digest).collect()
}

/// What makes a run go on that has begun. Whether the store knows of it decides: a process may have been killed before that.
pub fn resume(project: &Project) -> &'static [&'static str] {
    let began = Connection::open_with_flags(
        project.path("outputs/store/runs.sqlite"),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .and_then(|runs| runs.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, u64>(0)));
    if began.is_ok_and(|runs| runs > 0) { &["--resume", "r"] } else { &[] }
}

fn command(project: &Project, workers: &str) -> Command {
    let arguments = [&["run", "config.yaml", "--workers", workers][..], resume(project)].concat();
    let mut command = project.command(&arguments);
    command.env("SOURCE_DATE_EPOCH", "1735689600").stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The outputs of a run that nobody disturbs, the number of its calls, and how long it took.
pub fn undisturbed(counting: &Counting) -> (Files, Duration) {
    let project = counting.project();
    let began = Instant::now();
    assert!(command(&project, "1").status().expect("the binary runs").success());
    let took = began.elapsed();
    let (asked, mut kept) = (counting.look(), journalled(&project));
    kept.sort_unstable();
    assert_eq!(asked.keys().copied().collect::<Vec<_>>(), kept, "the journal has every reply, by what was asked");
    assert!(asked.values().all(|times| *times == 1), "no request was sent twice");
    let drops = project.drops();
    for reason in [
        "model_refused",
        "unusable_reply",
        "wrong_language",
        "model_failed",
        "content_filtered",
        "judge_rejected",
        "check_rejected",
    ] {
        assert!(drops.contains_key(reason), "{reason}: {drops:?}");
    }
    for reason in ["near_duplicate_exhausted", "contaminated"] {
        assert_eq!(drops.contains_key(reason), counting.near.is_some(), "{drops:?}");
    }
    if counting.on_fail == "repair" {
        assert!(project.rows("outputs/preferences.jsonl").len() > 1, "some answers were written again");
    }
    (project.outputs(), took)
}

/// A run, killed so often or until it is done; how often.
struct Disturbed<'a> {
    counting: &'a Counting,
    project: Project,
    draws: ChaCha8Rng,
    within: Duration,
    kills: u32,
    /// Requests that were in the air when it was killed.
    lost: u64,
}

impl<'a> Disturbed<'a> {
    fn new(counting: &'a Counting, within: Duration, seed: u64) -> Self {
        let (project, draws) = (counting.project(), ChaCha8Rng::seed_from_u64(seed));
        Self { counting, project, draws, within, kills: 0, lost: 0 }
    }

    /// Starts it, disturbs it after a while, and checks what it asked for; whether it was done before.
    fn session(&mut self, disturb: impl Fn(&mut Child)) -> bool {
        let before = journalled(&self.project);
        let workers = ["1", "2"][(self.draws.next_u32() % 2) as usize];
        let mut child = command(&self.project, workers).spawn().expect("the binary runs");
        let until = Instant::now() + self.within.mul_f64(f64::from(self.draws.next_u32()) / f64::from(u32::MAX));
        while Instant::now() < until && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let done = child.try_wait().expect("a child").is_some();
        if !done {
            disturb(&mut child);
            self.kills += 1;
        }
        let ended = child.wait_with_output().expect("it ends");
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(!done || ended.status.success(), "{:?} {complaint}", ended.status);
        let asked = self.counting.look();
        let again: Vec<_> = before.iter().filter(|digest| asked.contains_key(digest)).collect();
        assert_eq!(again, Vec::<&u128>::new(), "asked again for what the journal had");
        assert!(asked.values().all(|times| *times == 1), "sent the same twice in one go");
        let lost = asked.len() - (journalled(&self.project).len() - before.len());
        assert!(lost <= 2 * BATCH, "{lost} requests lost at once");
        self.lost += lost as u64;
        done && ended.status.success()
    }

    /// Lets it come to its end.
    fn finish(&mut self) {
        let within = std::mem::replace(&mut self.within, Duration::from_secs(600));
        while !self.session(|_| unreachable!("it ends in time")) {}
        self.within = within;
    }
}

/// Kills runs, so often in all and each a dozen times at most, and compares what comes out.
fn killed(kills: u32, seed: u64, disturb: impl Fn(&mut Child)) {
    for on_fail in ["repair", "regenerate"] {
        killed_at(&Counting { on_fail, ..Counting::start() }, kills / 2, seed, &disturb);
    }
}

/// The same at this endpoint.
fn killed_at(counting: &Counting, kills: u32, seed: u64, disturb: impl Fn(&mut Child)) {
    let (expected, took) = undisturbed(counting);
    let (mut all, mut lost, mut runs) = (0, 0, 0);
    while all < kills {
        let mut run = Disturbed::new(counting, took.mul_f64(0.6), seed + runs);
        while run.kills < 12 && !run.session(&disturb) {}
        run.finish();
        expect_same(&expected, &run.project.outputs(), &format!("after {} kills", run.kills));
        (all, lost, runs) = (all + run.kills, lost + run.lost, runs + 1);
    }
    println!("{all} kills in {runs} runs, {lost} calls in the air at them");
}

/// How many kills: more for those who have the time.
pub fn wanted(usually: u32) -> u32 {
    std::env::var("DLGFORGE_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(usually)
}

#[test]
fn killed_at_any_instant_it_ends_the_same_and_pays_for_nothing_twice() {
    killed(wanted(60), 1, |child| child.kill().expect("a kill"));
}

/// Would catch: a question that is compared after a kill with others than before it.
#[test]
fn killed_with_near_duplicates_it_ends_the_same() {
    for method in ["minhash", "embedding"] {
        killed_at(&Counting::paraphrasing(method), wanted(24) / 2, 4, |child| child.kill().expect("a kill"));
    }
}

/// Would catch: a question that was left of a reply before a kill, and is asked for again after it.
#[test]
fn killed_with_questions_left_in_replies_it_ends_the_same() {
    let counting = Counting { candidates: 4, ..Counting::start() };
    killed_at(&counting, wanted(24), 3, |child| child.kill().expect("a kill"));
}

#[test]
fn terminated_at_any_instant_it_ends_the_same() {
    killed(12, 2, |child| signal(child, "-TERM"));
}

/// Cuts a file to a random length.
fn cut(path: &Path, draws: &mut ChaCha8Rng) -> u64 {
    let length = fs::metadata(path).map_or(0, |file| file.len());
    let left = u64::from(draws.next_u32()) % length.max(1);
    if length > 0 {
        OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(left)).expect("a cut");
    }
    left
}

#[test]
fn with_its_journal_cut_short_anywhere_it_says_so_and_ends_the_same() {
    let counting = Counting::start();
    let (expected, took) = undisturbed(&counting);
    let mut told = 0;
    for seed in 0..12 {
        let mut run = Disturbed::new(&counting, took.mul_f64(0.9), seed);
        let done = run.session(|child| child.kill().expect("a kill"));
        let store = run.project.path("outputs/store");
        let name = ["journal.sqlite", "journal.sqlite-wal"][(seed % 2) as usize];
        if done || !store.join(name).is_file() {
            continue;
        }
        cut(&store.join(name), &mut run.draws);
        let mut child = command(&run.project, "1");
        let ended = child.output().expect("the binary runs");
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "seed {seed}: {complaint}");
        expect_same(&expected, &run.project.outputs(), &format!("seed {seed}, {name} cut"));
        told += u32::from(complaint.contains("journal.sqlite"));
        counting.look();
    }
    assert!(told > 0, "nothing was said of any cut");
}

/// The same command under such limits of the shell.
fn limited(project: &Project, limits: &str) -> Command {
    let run = command(project, "1");
    let words = std::iter::once(run.get_program()).chain(run.get_args());
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{limits}; exec \"$@\""), "bash"]).args(words);
    command.current_dir(project.path("")).env_clear().env("SOURCE_DATE_EPOCH", "1735689600").stdin(Stdio::null());
    command
}

#[test]
fn without_file_descriptors_it_stops_and_says_what_to_do() {
    let counting = Counting::start();
    // What wants one first: the logs, the index and its parts, the store, the outputs, the connections.
    for files in 6..=44 {
        let project = counting.project();
        let mut child =
            limited(&project, &format!("ulimit -n {files}")).stderr(Stdio::piped()).spawn().expect("bash runs");
        let began = Instant::now();
        while child.try_wait().expect("a child").is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "{files} files: it ends");
            std::thread::sleep(Duration::from_millis(10));
        }
        let ended = child.wait_with_output().expect("its words");
        let complaint = String::from_utf8_lossy(&ended.stderr);
        let last = complaint.lines().last().unwrap_or_default();
        assert_eq!(ended.status.code(), Some(1), "{files} files: {complaint}");
        assert!(last.contains("dlgforge run failed: ") && last.contains("`ulimit -n`"), "{files} files: {complaint}");
    }
}

#[test]
fn on_a_full_disk_it_stops_says_so_and_goes_on_when_there_is_room() {
    let counting = Counting::start();
    let (expected, _) = undisturbed(&counting);
    // What is full first: the journal, then one output after the other. Without the signal a write beyond the limit is an
    // error, as on a full disk.
    for kilobytes in [80, 200, 600, 900, 1_200] {
        let project = counting.project();
        // The index is there, and not built by what has no room.
        project.run(&["index"]).succeeded();
        let ended = limited(&project, &format!("trap '' XFSZ; ulimit -f {kilobytes}")).output().expect("bash runs");
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{kilobytes} kB: {complaint}");
        let last = complaint.lines().last().unwrap_or_default();
        assert!(last.contains("dlgforge run failed: ") && last.contains("--resume r"), "{kilobytes} kB: {complaint}");
        assert!(last.contains("outputs/"), "names no file: {last}");
        let kept = journalled(&project);
        counting.look();
        let ended = command(&project, "1").output().expect("the binary runs");
        assert!(ended.status.success(), "{kilobytes} kB: {}", String::from_utf8_lossy(&ended.stderr));
        let asked = counting.look();
        assert!(kept.iter().all(|digest| !asked.contains_key(digest)), "{kilobytes} kB: asked again");
        expect_same(&expected, &project.outputs(), &format!("{kilobytes} kB"));
    }
}

#[test]
fn a_read_only_output_folder_is_refused_by_name_and_asks_for_nothing() {
    let counting = Counting::start();
    let project = counting.project();
    fs::create_dir(project.path("outputs")).expect("a folder");
    let run = command(&project, "1");
    let words: Vec<_> = std::iter::once(run.get_program()).chain(run.get_args()).collect();
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let mut command = if is_root {
        // Permissions do not hold root back: a file system mounted read-only does.
        let mut command = Command::new("unshare");
        let script = "mount --bind outputs outputs && mount -o remount,ro,bind outputs && exec \"$@\"";
        command.args(["-m", "bash", "-c", script, "bash"]).args(&words);
        command
    } else {
        let chmod = Command::new("chmod").arg("555").arg(project.path("outputs")).status();
        assert!(chmod.expect("chmod runs").success());
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    };
    let ended = command.current_dir(project.path("")).output().expect("it runs");
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("/outputs"), "{complaint}");
    assert_eq!(counting.endpoint.requests(), 0);
}
