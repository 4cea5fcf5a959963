//! MiniLM on ONNX Runtime, both from packages: the vectors are those of Python, and passages are found by their meaning.

use crate::parts::{python, real};
use crate::support::{Project, Ran, copy, shipped};
use dlgforge::knowledge::embeddings::{Backend, Device, EmbeddingOptions, embedder};
use std::path::Path;
use std::process::Command;
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
    let (project, cache) = fetched(&quickstart);
    copy(&shipped("knowledge"), &project.path("knowledge"));
    let indexed = command(&project, cache.path(), &["index"]).succeeded();
    assert!(indexed.stdout.contains("vectors    fastembed"), "{}", indexed.stdout);
    // No word of the question is in the passage, but for those that all have.
    let question = "How did sailors avoid the rocks after sunset?";
    let found = command(&project, cache.path(), &["search", "config.yaml", question, "-k", "3"]).succeeded();
    assert!(found.stdout.contains("en/lighthouses.md") && found.stdout.contains("vectors: rank 1"), "{}", found.stdout);
    let ran = command(&project, cache.path(), &["run", "--set", "run.total_samples=2"]).succeeded();
    let again = command(&project, cache.path(), &["run", "--resume"]).succeeded();
    assert!(again.stdout.contains("nothing to do"), "{}{}", ran.stdout, again.stdout);
    // A run with vectors does not go on without them.
    let without =
        ["run", "--resume", "--set", "run.total_samples=2", "--set", "tools.retrieval.embeddings.backend=lexical"];
    let refused = command(&project, cache.path(), &without);
    assert!(refused.stderr.contains("embeddings"), "{}", refused.stderr);
}
