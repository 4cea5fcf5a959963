//! MiniLM on ONNX Runtime, both from packages: the vectors are those of Python, and passages are found by their meaning.

use crate::parts::{python, real};
use crate::support::{Project, Ran, copy, shipped};
use dlgforge::knowledge::embeddings::{Backend, Device, EmbeddingOptions, embedder};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Texts that are short, long beyond what the model reads, of several scripts, of markup, and of nothing.
fn texts() -> Vec<String> {
    let long = "The keeper trimmed the wicks of the lamps and wound the clock that turned the lens. ".repeat(60);
    let texts = [
        "Why does bread rise?",
        "Le levain est nourri avec de la farine et de l'eau.",
        "يُنتِجُ النَّحْلُ العَسَلَ من رحيق الأزهار",
        "水は海から蒸発し、雲になる。",
        "fn main() { println!(\"{}\", 1 + 1); }",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        " ",
        &long,
    ];
    texts.map(str::to_owned).to_vec()
}

/// Embeds each of the texts that are its last argument, in JSON, as sentence-transformers would.
const REFERENCE: &str = r#"
import json, sys
import numpy, onnxruntime, tokenizers
folder = sys.argv[1]
words = tokenizers.Tokenizer.from_file(folder + "/tokenizer.json")
words.no_padding()
words.enable_truncation(int(sys.argv[2]))
session = onnxruntime.InferenceSession(folder + "/model.onnx")
for text in json.loads(sys.argv[3]):
    read = words.encode(text)
    ids = numpy.array([read.ids], dtype=numpy.int64)
    given = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
    vector = session.run(None, given)[0][0].mean(axis=0)
    print(json.dumps((vector / numpy.linalg.norm(vector)).tolist()))
"#;

const MAX_LENGTH: usize = 128;

/// The vectors that Python makes of the texts.
fn reference() -> Vec<Vec<f32>> {
    let mut command = Command::new(python("onnx"));
    command.args(["-c", REFERENCE]).arg(real("minilm")).arg(MAX_LENGTH.to_string());
    let made = Ran::of({
        command.arg(serde_json::json!(texts()).to_string());
        command
    });
    let made = made.succeeded();
    made.stdout.lines().map(|line| serde_json::from_str(line).expect("a vector")).collect()
}

fn options(cache: &Path) -> EmbeddingOptions {
    let runtime = std::fs::read_dir(cache.join("onnxruntime")).expect("the library's folder").next();
    EmbeddingOptions {
        backend: Backend::Fastembed,
        model: cache.join("models/sentence-transformers--all-MiniLM-L6-v2").display().to_string(),
        fallback_model: String::new(),
        device: Device::Auto,
        fallback_on_cpu: true,
        runtime: Some(runtime.expect("a library").expect("an entry").path()),
        batch_size: 8,
        max_length: Some(MAX_LENGTH),
        query_prefix: None,
        passage_prefix: None,
        base_url: String::new(),
        api_key: String::new(),
        timeout: 60,
    }
}

/// A project with a cache folder of its own, into which everything was fetched from the packages' files.
fn fetched(config: &str) -> (Project, TempDir) {
    let (project, cache) = (Project::empty(), TempDir::new().expect("a folder"));
    project.write("config.yaml", config.as_bytes());
    let from = real("minilm").display().to_string();
    let got = command(&project, cache.path(), &["fetch", "embeddings", "--from", &from]).succeeded();
    assert!(got.stdout.contains("384 dimensions"), "{}", got.stdout);
    // Once more it is there, and the folder is not asked.
    let again = command(&project, cache.path(), &["fetch", "embeddings", "--from", "/nowhere"]).succeeded();
    assert!(again.stdout.contains("was there"), "{}", again.stdout);
    (project, cache)
}

fn command(project: &Project, cache: &Path, arguments: &[&str]) -> Ran {
    let mut command = project.command(arguments);
    command.env("DLGFORGE_CACHE", cache);
    Ran::of(command)
}

#[test]
fn vectors_are_those_of_python() {
    let (_project, cache) = fetched("run: {}\n");
    let embedder = embedder(&options(cache.path())).expect("a model").expect("vectors");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let made = runtime.block_on(embedder.embed(texts())).expect("vectors");
    let expected: Vec<Vec<f32>> = reference();
    assert_eq!((made.len(), expected.len()), (texts().len(), texts().len()));
    for ((text, made), expected) in texts().iter().zip(&made).zip(&expected) {
        let cosine: f32 = made.iter().zip(expected).map(|(one, other)| one * other).sum();
        assert!(cosine >= 0.999, "{cosine}: {text:.60}");
    }
    // Alone or among others, a text has the same vector.
    let alone = runtime.block_on(embedder.embed(vec![texts()[1].clone()])).expect("a vector");
    assert_eq!(alone[0], made[1]);
}

#[test]
fn passages_are_found_by_their_meaning_and_a_run_tells_how() {
    let quickstart = std::fs::read_to_string(shipped("config/quickstart.yaml")).expect("a file");
    let (project, cache) = fetched(&quickstart.replace("backend: lexical", "backend: auto"));
    copy(&shipped("knowledge"), &project.path("knowledge"));
    project.write(
        "config/quickstart_topics.yaml",
        &std::fs::read(shipped("config/quickstart_topics.yaml")).expect("a file"),
    );
    let indexed = command(&project, cache.path(), &["index"]).succeeded();
    assert!(indexed.stdout.contains("vectors    fastembed"), "{}", indexed.stdout);
    // No word of the question is in the passage, but for those that all have.
    let question = "How did sailors avoid the rocks after sunset?";
    let found = command(&project, cache.path(), &["search", "config.yaml", question, "-k", "3"]).succeeded();
    assert!(found.stdout.contains("en/lighthouses.md") && found.stdout.contains("vectors: rank 1"), "{}", found.stdout);
    let ran = command(&project, cache.path(), &["run", "--set", "run.total_samples=2"]).succeeded();
    let again = command(&project, cache.path(), &["run", "--resume", "--set", "run.total_samples=2"]).succeeded();
    assert!(again.stdout.contains("nothing to do"), "{}{}", ran.stdout, again.stdout);
    // How near questions are to each other in meaning: nearer than nothing, and no two are the same.
    let told = command(&project, cache.path(), &["stats", "--embeddings", "config.yaml", "--json"]).succeeded();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
    for role in ["user", "assistant"] {
        let near = &told["diversity"][role]["nearest_neighbour"];
        let distance = near["mean_distance"].as_f64().expect("a distance");
        assert!((0.05..0.95).contains(&distance), "{role}: {near}");
        assert_eq!(near["compared"], told["diversity"][role]["messages"], "{role}");
    }
    // A run with vectors does not go on without them.
    let without =
        ["run", "--resume", "--set", "run.total_samples=2", "--set", "tools.retrieval.embeddings.backend=lexical"];
    let refused = command(&project, cache.path(), &without);
    assert!(refused.stderr.contains("embeddings"), "{}", refused.stderr);
}

/// Would catch: vectors of questions that do not come from the run's model, or in which the same in other words is far apart.
#[test]
fn questions_that_mean_the_same_are_asked_once() {
    let quickstart = std::fs::read_to_string(shipped("config/quickstart.yaml")).expect("a file");
    let config =
        quickstart.replace("backend: lexical", "backend: auto").replace("method: minhash", "method: embedding");
    let (project, cache) = fetched(&config.replace("method: embedding", "method: embedding, threshold: 0.9"));
    copy(&shipped("knowledge"), &project.path("knowledge"));
    let topics = std::fs::read(shipped("config/quickstart_topics.yaml")).expect("a file");
    project.write("config/quickstart_topics.yaml", &topics);
    let made = ["run", "--set", "run.total_samples=60", "--set", "run.run_id=r"];
    let ran = command(&project, cache.path(), &made).succeeded();
    let documents = project.names("outputs/conversations").into_iter();
    let documents = documents.map(|name| project.read(&format!("outputs/conversations/{name}")));
    let read = |text: String| serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    let turns = documents.map(read).flat_map(|one| one["state"]["turns"].as_array().cloned().unwrap_or_default());
    let near = turns.flat_map(|turn| turn["near_duplicates"].as_array().cloned().unwrap_or_default());
    let near: Vec<_> = near.map(|one| one["neighbour"]["question"]["similarity"].as_u64().expect("a share")).collect();
    assert!(
        near.len() > 3 && near.iter().all(|share| (900_000..=1_000_000).contains(share)),
        "{near:?} {}",
        ran.stdout
    );
    assert!(near.iter().any(|share| *share < 1_000_000), "{near:?}");
    let again = command(&project, cache.path(), &[&made[..], &["--resume"]].concat()).succeeded();
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
}

/// Writes a cross-encoder that gives each pair of texts its number of tokens.
const CROSS_ENCODER: &str = r#"
import sys
from onnx import TensorProto, helper, save
names = ["input_ids", "attention_mask", "token_type_ids"]
inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in names]
logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
nodes = [
    helper.make_node("Cast", ["attention_mask"], ["counted"], to=TensorProto.FLOAT),
    helper.make_node("ReduceSum", ["counted", "axes"], ["logits"], keepdims=1),
]
axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
graph = helper.make_graph(nodes, "tokens", inputs, [logits], [axes])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), sys.argv[1])
"#;

#[test]
fn a_cross_encoder_ranks_again_what_was_found() {
    let (project, cache) = fetched("llm: {agents: {user: {provider: builtin}, assistant: {provider: builtin}}}\n");
    copy(&shipped("knowledge/en"), &project.path("knowledge/en"));
    let folder = project.path("cross");
    copy(&cache.path().join("models/sentence-transformers--all-MiniLM-L6-v2"), &folder);
    let mut write = Command::new(python("onnx"));
    write.args(["-c", CROSS_ENCODER]).arg(folder.join("model.onnx"));
    Ran::of(write).succeeded();
    let reranker = |key: &str, value: &str| ["--set".to_owned(), format!("tools.retrieval.reranker.{key}={value}")];
    let set = [
        reranker("enabled", "true"),
        reranker("model", "cross"),
        reranker("max_length", "512"),
        reranker("batch_size", "2"),
    ];
    let search = ["search", "config.yaml", "water in a river", "-k", "5"].map(str::to_owned);
    let arguments: Vec<String> = search.into_iter().chain(set.into_iter().flatten()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let found = command(&project, cache.path(), &arguments).succeeded();
    let scores: Vec<f64> = found
        .stdout
        .lines()
        .filter_map(|line| line.split("reranker: rank ").nth(1)?.split("score ").nth(1)?.parse().ok())
        .collect();
    assert!(scores.len() == 5 && scores.iter().all(|score| score.fract() == 0.0 && *score > 20.0), "{}", found.stdout);
    assert!(scores.is_sorted_by(|one, other| one >= other), "{}", found.stdout);
}

#[test]
fn a_library_that_is_none_is_an_error_and_no_panic() {
    let (project, cache) = fetched("llm: {agents: {user: {provider: builtin}, assistant: {provider: builtin}}}\n");
    copy(&shipped("knowledge/en"), &project.path("knowledge/en"));
    project.write("libonnxruntime.so", b"this is no library");
    for (library, told) in [("libonnxruntime.so", "libonnxruntime.so"), ("nowhere.so", "nowhere.so")] {
        let set = format!("tools.retrieval.embeddings.runtime={library}");
        let failed = command(&project, cache.path(), &["index", "--set", &set]);
        assert_eq!(failed.code, Some(1), "{}{}", failed.stdout, failed.stderr);
        assert!(failed.stderr.contains(told) && !failed.stderr.contains("panicked"), "{}", failed.stderr);
        assert!(failed.stderr.contains("dlgforge fetch embeddings"), "{}", failed.stderr);
    }
}

#[test]
fn where_there_is_no_cuda_the_cpu_takes_its_place_as_one_says_or_nothing_does() {
    let (project, cache) = fetched("tools: {retrieval: {embeddings: {backend: fastembed, device: cuda}}}\n");
    project.write("knowledge/a.md", b"# Lamps\n\nThe keeper lights the lamp at dusk.\n");
    let found = command(&project, cache.path(), &["search", "config.yaml", "dusk"]).succeeded();
    let told = "embedding on the CPU (tools.retrieval.embeddings.fallback_on_cpu): ";
    assert!(found.stderr.contains(told) && found.stderr.contains("CUDA"), "{}", found.stderr);
    let no_other = ["search", "config.yaml", "dusk", "--set", "tools.retrieval.embeddings.fallback_on_cpu=false"];
    let failed = command(&project, cache.path(), &no_other);
    assert_eq!(failed.code, Some(1), "{}", failed.stdout);
    assert!(failed.stderr.contains("CUDA") && failed.stderr.contains("fallback_on_cpu: true"), "{}", failed.stderr);
}

#[test]
fn a_download_that_was_cut_off_goes_on_and_its_digest_is_checked() {
    let (project, cache) = (Project::empty(), TempDir::new().expect("a folder"));
    project.write("config.yaml", b"run: {}\n");
    project.write("requests", b"");
    let mut hub = Command::new(python("onnx"));
    hub.arg(shipped("tests/real/hub.py")).arg("a/model").arg(real("minilm")).arg(project.path("requests"));
    let mut hub = hub.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a hub");
    let mut port = String::new();
    BufReader::new(hub.stdout.take().expect("its output")).read_line(&mut port).expect("its port");
    let fetch = || {
        let mut command =
            project.command(&["fetch", "embeddings", "--set", "tools.retrieval.embeddings.model=a/model"]);
        command
            .env("DLGFORGE_CACHE", cache.path())
            .env("HF_HOME", cache.path().join("hf"))
            .env("HF_TOKEN", "hf_secret");
        command.env("HF_ENDPOINT", format!("http://127.0.0.1:{}", port.trim()));
        // For pip, which gets the library.
        for name in ["PATH", "HOME", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CERT", "PIP_FIND_LINKS", "HTTPS_PROXY"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        Ran::of(command)
    };
    let failed = fetch();
    assert!(failed.code == Some(1) && failed.stderr.contains("a/model/resolve/main/model.onnx"), "{}", failed.stderr);
    assert!(!failed.stderr.contains("hf_secret"), "{}", failed.stderr);
    let got = fetch().succeeded();
    assert!(got.stdout.contains("384 dimensions") && got.stdout.contains("libonnxruntime"), "{}", got.stdout);
    let requests = project.read("requests");
    let half = format!("GET /a/model/resolve/main/model.onnx bytes={}- Bearer hf_secret", 22_928_619 / 2);
    assert!(requests.lines().any(|line| line == half), "{requests}");
    let snapshot = cache.path().join("hf/hub/models--a--model/snapshots/c0ffee");
    assert_eq!(std::fs::read(snapshot.join("model.onnx")).expect("a file").len(), 22_928_619);
    assert!(snapshot.join("1_Pooling/config.json").is_file());
    drop(hub.stdin.take());
    hub.wait().expect("its end");
}
