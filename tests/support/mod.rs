//! The harness: a fresh project folder per test, the binary run in it, and its files read back.

pub mod cost;
pub mod documents;
#[path = "endpoint.rs"]
pub mod endpoint;
pub mod hub;
#[path = "endpoint/misbehaviour.rs"]
pub mod misbehaviour;
pub mod plain;
pub mod ray;
pub mod viewer;
pub mod vllm;

use endpoint::Reply;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

/// A project folder of its own, removed at the end.
pub struct Project {
    folder: TempDir,
}

impl Project {
    /// A project without any file.
    pub fn empty() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    /// A project with the shipped knowledge base and this configuration as `config.yaml`.
    pub fn with(config: &str) -> Self {
        let project = Self::empty();
        project.write("config.yaml", config.as_bytes());
        copy(&shipped("knowledge"), &project.path("knowledge"));
        project
    }

    /// A path inside the project.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, inside: &str, content: &[u8]) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file");
    }

    /// A file's text.
    pub fn read(&self, inside: &str) -> String {
        fs::read_to_string(self.path(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"))
    }

    /// The rows of a JSONL file.
    pub fn rows(&self, inside: &str) -> Vec<Value> {
        let text = self.read(inside);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{inside}: {error}: {line}")))
            .collect()
    }

    /// Names of the files in a folder, sorted.
    pub fn names(&self, inside: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"));
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The outputs that follow from seed and replies alone: all files but the store's.
    pub fn outputs(&self) -> Files {
        let mut files = files(&self.path("outputs"));
        files.retain(|name, _| !name.starts_with("store/"));
        files
    }

    /// The replies in the journal, as they were kept.
    pub fn journalled(&self) -> Vec<String> {
        let path = self.path("outputs/store/journal.sqlite");
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let Ok(journal) = rusqlite::Connection::open_with_flags(path, flags) else { return Vec::new() };
        let mut found = journal.prepare("SELECT body FROM replies").expect("a journal");
        let bodies = found.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("replies");
        let read = |body: Vec<u8>| zstd::stream::decode_all(&body[..]).expect("a whole reply");
        bodies.map(|body| String::from_utf8(read(body.expect("a reply"))).expect("UTF-8")).collect()
    }

    /// `dlgforge` in this project, without any of the caller's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dlgforge"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    /// Runs `dlgforge` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().expect("the binary runs"))
    }

    /// `dlgforge run config.yaml` with further arguments, at a fixed time, so that files can be compared.
    pub fn stamped(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&[&["run", "config.yaml"], arguments].concat());
        command.env("SOURCE_DATE_EPOCH", "1735689600").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// How many conversations the run `r` has dropped, by reason.
    pub fn drops(&self) -> BTreeMap<String, usize> {
        let state: Value = serde_json::from_str(&self.read("outputs/run_state/r.json")).expect("JSON");
        let mut drops = BTreeMap::new();
        for slot in state["conversations"].as_array().expect("slots") {
            if slot["status"] == "dropped" {
                *drops.entry(slot["drop_reason"].as_str().expect("a reason").to_owned()).or_default() += 1;
            }
        }
        drops
    }

    /// Runs `dlgforge run config.yaml` with further arguments, which must succeed.
    pub fn generate(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(&[&["run", "config.yaml"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        ran
    }
}

/// Arguments that move all agents to another address.
pub fn moved_to(base_url: &str) -> Vec<String> {
    let set = |role| ["--set".to_owned(), format!("llm.agents.{role}.base_url={base_url}")];
    ["user", "assistant", "judge"].into_iter().flat_map(set).collect()
}

/// Contents of files, by their path in a folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Contents of all files of a folder, by their path in it.
pub fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a plain name");
        if entry.path().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|(path, content)| (format!("{name}/{path}"), content)));
        } else {
            found.insert(name, fs::read(entry.path()).expect("a file"));
        }
    }
    found
}

/// Demands that both have the same files, to the byte.
pub fn expect_same(expected: &Files, found: &Files, what: &str) {
    let only = |these: &Files, those: &Files| {
        these.keys().filter(|name| !those.contains_key(*name)).cloned().collect::<Vec<_>>()
    };
    let (missing, more) = (only(expected, found), only(found, expected));
    assert!(missing.is_empty() && more.is_empty(), "{what}: missing {missing:?}, too many {more:?}");
    for (name, expected) in expected {
        let (expected, found) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(&found[name]));
        let lines = expected.lines().zip(found.lines()).enumerate();
        if let Some((number, (expected, found))) = lines.into_iter().find(|(_, (expected, found))| expected != found) {
            panic!("{what}: {name}, line {}:\n{expected}\nbecame\n{found}", number + 1);
        }
        assert_eq!(expected.len(), found.len(), "{what}: {name} has another length");
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit status; none after a signal.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(mut command: Command) -> Self {
        command.output().expect("the binary runs").into()
    }

    /// Demands success.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Demands that it failed for these reasons, and told of them at the end.
    pub fn failed(self, reasons: &[&str]) -> Self {
        self.failed_as("run", reasons)
    }

    /// Demands that this command of the program failed for these reasons, and told of them at the end.
    pub fn failed_as(self, command: &str, reasons: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{}{}", self.stdout, self.stderr);
        let told = self.stderr.split_once(&format!("dlgforge {command} failed: ")).map_or("", |(_, told)| told);
        for reason in reasons {
            assert!(told.contains(reason), "no `{reason}` in {}", self.stderr);
        }
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A path of the checkout.
pub fn shipped(inside: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(inside)
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

/// Sends a signal to a run, by the option of `kill`.
pub fn signal(child: &std::process::Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// A configuration with all three roles on the built-in model, judged every turn; `more` is appended at top level.
pub fn builtin(run: &str, more: &str) -> String {
    let coverage = if more.contains("coverage:") { "" } else { "coverage: {question_dedup_retries: 3}" };
    format!(
        "run:\n  seed: 5\n{run}\nllm:\n  agents:\n    user: {{provider: builtin}}\n    assistant: {{provider: builtin}}\n    \
         judge: {{provider: builtin}}\njudge: {{mode: online}}\n{coverage}\n{more}\n"
    )
}

/// A configuration with all three roles on an endpoint.
pub fn remote(base_url: &str, run: &str, more: &str) -> String {
    let agent = format!("{{provider: openai, model: test-model, base_url: \"{base_url}\", max_retries: 1}}");
    format!(
        "run:\n  seed: 5\n{run}\nllm:\n  agents:\n    user: {agent}\n    assistant: {agent}\n    judge: {agent}\n\
         judge: {{mode: online}}\n{more}\n"
    )
}

/// The reply with another question, when it asks one and there is another.
pub fn asking(reply: Reply, question: impl FnOnce() -> Option<String>) -> Reply {
    let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let content = &mut body["choices"][0]["message"]["content"];
    let text: Option<Value> = content.as_str().and_then(|text| serde_json::from_str(text).ok());
    let asks = text.filter(|text| text.get("user_message").is_some());
    let Some((mut text, question)) = asks.and_then(|text| Some((text, question()?))) else { return reply };
    text["user_message"] = question.into();
    *content = text.to_string().into();
    Reply { body: body.to_string().into(), ..reply }
}

/// The reply with other questions, when it asks any, by their places in it; `asked` is called then.
pub fn asking_each(reply: Reply, asked: impl FnOnce(), question: impl Fn(u64) -> String) -> Reply {
    let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let content = &mut body["choices"][0]["message"]["content"];
    let Some(mut text) = content.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return reply;
    };
    let questions: Vec<&mut Value> = match text.get("candidates") {
        Some(_) => text["candidates"].as_array_mut().expect("a list").iter_mut().collect(),
        None => vec![&mut text],
    };
    let messages =
        questions.into_iter().zip(0..).filter_map(|(one, place)| Some((one.get_mut("user_message")?, place)));
    let messages: Vec<(&mut Value, u64)> = messages.collect();
    if messages.is_empty() {
        return reply;
    }
    asked();
    messages.into_iter().for_each(|(message, place)| *message = question(place).into());
    *content = text.to_string().into();
    Reply { body: body.to_string().into(), ..reply }
}

/// The question of a number, of which three in a row are the same in other words: with words swapped, and with one left out.
pub fn paraphrased(number: u64) -> String {
    // No letters: they would be of no language.
    let word = |word: u64| format!("{:07}", xxh3_64(&word.to_le_bytes()) % 10_000_000);
    let mut words: Vec<String> = (0..11).map(|at| word(number / 3 * 11 + at)).collect();
    match number % 3 {
        0 => {}
        1 => words.rotate_left(4),
        _ => drop(words.remove(5)),
    }
    format!("What of {}?", words.join(" "))
}

/// A vector of a text, of 64 numbers: the sum of one for each word, wherever it stands.
pub fn vector(text: &str) -> Vec<f32> {
    let mut sum = vec![1e-3; 64];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let bits = xxh3_64(word.as_bytes());
        sum.iter_mut().enumerate().for_each(|(at, value)| *value += if bits >> at & 1 == 1 { 1.0 } else { -1.0 });
    }
    sum
}

/// Vectors of the texts of a request.
pub fn embedding(request: &Value) -> Reply {
    let texts = request["input"].as_array().expect("texts to embed").iter().map(|text| text.as_str().expect("a text"));
    let data = texts.enumerate().map(|(index, text)| json!({"index": index, "embedding": vector(text)}));
    Reply::json(200, &json!({"data": data.collect::<Vec<_>>()}))
}

/// The section of a configuration that has texts embedded there.
pub fn embedding_at(base_url: &str, more: &str) -> String {
    format!("tools: {{retrieval: {{embeddings: {{backend: openai, model: m, base_url: \"{base_url}\"}}{more}}}}}")
}

/// The reply with its message changed.
pub fn edited(reply: Reply, edit: impl FnOnce(&mut Value)) -> Reply {
    let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    edit(&mut body["choices"][0]["message"]);
    Reply { body: body.to_string().into(), ..reply }
}

/// The reply with this at the end of the answer, where it is one.
pub fn answering(reply: Reply, more: &str) -> Reply {
    edited(reply, |message| {
        let said: Option<Value> = message["content"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let Some(mut said) = said.filter(|said| said.get("evidence_refs").is_some()) else { return };
        let answer = said["assistant_message"].as_str().expect("an answer");
        said["assistant_message"] = format!("{answer} {more}").into();
        message["content"] = said.to_string().into();
    })
}

/// The turn that a request is about, from 1: a judge is told it, the others have the turns before as messages.
pub fn turn(request: &Value) -> usize {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let told = messages.last().and_then(|message| message["content"].as_str()?.rsplit_once("Judge turn "));
    let number = told.and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    let answered = |message: &&Value| message["role"] == "assistant" && message["tool_calls"].is_null();
    number.unwrap_or_else(|| messages.iter().filter(answered).count() + 1)
}
