//! Statistics and cards as others would make and read them: `diversity` and `datasketch` count the same, the Hub's client takes the card.

use crate::parts::python;
use crate::support::shipped;
use dlgforge::publish::card::{self, CardConfig, CardFacts, CardSplit};
use dlgforge::publish::stats::{Report, Statistics};
use dlgforge::publish::{Dialogue, Exchange, plots};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Compares `report.json` with what others make of `user.json` and `assistant.json`, and tells what differs. The modules of
/// `diversity` are read alone: the package as a whole wants models.
const COMPARE: &str = r#"
import importlib.util, json, pathlib, sys
from datasketch import MinHash, MinHashLSH

package = pathlib.Path(importlib.util.find_spec("datasketch").origin).parent.parent / "diversity"
def function(module, name):
    spec = importlib.util.spec_from_file_location(module, package / f"{module}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)

ngrams = function("ngram_diversity", "ngram_diversity_score")
repetition = function("self_repetition", "self_repetition_score")
ratio = function("compression", "compression_ratio")

def near_duplicates(texts):
    known, later, found = MinHashLSH(threshold=0.5, num_perm=256), [], 0
    for number, text in enumerate(reversed(texts)):
        words, sketch = set(text.split()), MinHash(num_perm=256)
        sketch.update_batch([word.encode() for word in words])
        later.append(words)
        alike = (len(words & later[at]) / len(words | later[at]) >= 0.8 for at in map(int, known.query(sketch)))
        found += any(alike)
        known.insert(str(number), sketch)
    return found / len(texts)

folder = pathlib.Path(sys.argv[1])
report = json.loads((folder / "report.json").read_text())
for role in ("user", "assistant"):
    texts = json.loads((folder / f"{role}.json").read_text())
    ours, scores = report["diversity"][role], [0] + [ngrams(texts, n) for n in (1, 2, 3)]
    figures = [(f"distinct-{n}", ours[f"distinct_{n}"]["share"], scores[n] - scores[n - 1], 0.0011) for n in (1, 2, 3)]
    compressed = ratio(texts, "gzip")
    figures += [
        ("self-repetition", ours["self_repetition"]["score"], float(repetition(texts, verbose=False)), 0.0001),
        ("compression", ours["compression_ratio"], compressed, 0.02 * compressed),
        ("near-duplicates", ours["near_duplicates"]["share"], near_duplicates(texts), 0.003),
    ]
    for name, mine, theirs, tolerance in figures:
        print(f"{role} {name}: {mine} and {theirs:.4f}", "" if abs(mine - theirs) <= tolerance else "DIFFERS")
"#;

/// Reads a card, and tells what it says of the dataset; the client's own check of the data is part of it.
const CARD: &str = r##"
import json, pathlib, sys
from huggingface_hub import DatasetCard, DatasetCardData

card = DatasetCard((pathlib.Path(sys.argv[1]) / "README.md").read_text())
data = card.data.to_dict()
assert DatasetCardData(**data).to_dict() == data, data
print(json.dumps([data["language"], data["size_categories"], data["license"], data["pretty_name"], data["configs"]], ensure_ascii=False))
print(card.text.strip().splitlines()[0])
"##;

/// What the program says, run on this folder with what this environment has.
fn told(environment: &str, program: &str, folder: &Path) -> String {
    let run = Command::new(python(environment)).arg("-c").arg(program).arg(folder).env("PYTHONUTF8", "1").output();
    let run = run.expect("Python runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).expect("text")
}

/// Messages in five languages: words of the shipped documents, so many after each other; every fifth message says again what an
/// earlier one says, but for a word.
fn messages(words_each: usize) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for document in [
        "en/lighthouses.md",
        "fr/le-the.md",
        "ar/tarbiyat-al-nahl.md",
        "de/fachwerkhaus-sanieren.md",
        "es/cata-de-aceite-de-oliva.md",
    ] {
        let text = fs::read_to_string(shipped(&format!("knowledge/{document}"))).expect("a document");
        // Line breaks stay: words are told apart by spaces in one measure, and by all white space in others.
        let words: Vec<&str> = text.split(' ').collect();
        for words in words.windows(words_each).step_by(words_each / 2 + 3) {
            messages.push(words.join(" "));
            if messages.len() % 5 == 4 {
                messages.push(messages[messages.len() / 2].replacen(' ', " autre ", 1));
            }
        }
    }
    messages
}

fn report(asked: &[String], answered: &[String]) -> Report {
    let mut statistics = Statistics::default();
    for (at, (user, assistant)) in asked.iter().zip(answered).enumerate() {
        let turn = Exchange { index: 1, user, assistant, mode: "direct", score: Some(7), ..Exchange::default() };
        let language = ["en", "fr", "Egypt"][at % 3];
        statistics.add(&[Dialogue { language, turns: vec![turn], score: Some(7.0), ..Dialogue::default() }]);
    }
    statistics.report("conversations_sharegpt.jsonl", None)
}

#[test]
fn others_count_the_same() {
    let folder = TempDir::new().expect("a folder");
    let (asked, answered) = (messages(12), messages(50));
    let turns = asked.len().min(answered.len());
    let (asked, answered) = (&asked[..turns], &answered[..turns]);
    assert!(turns > 90, "{turns}");
    for (name, texts) in [("user", asked), ("assistant", answered)] {
        let texts = serde_json::to_string(texts).expect("JSON");
        fs::write(folder.path().join(format!("{name}.json")), texts).expect("a file");
    }
    fs::write(folder.path().join("report.json"), report(asked, answered).json()).expect("a file");
    let told = told("figures", COMPARE, folder.path());
    println!("{told}");
    assert!(told.lines().count() == 12 && !told.contains("DIFFERS"), "{told}");
}

#[test]
fn the_hub_s_client_takes_the_card() {
    let folder = TempDir::new().expect("a folder");
    let texts = messages(40);
    let stats = report(&texts, &texts);
    let splits = vec![CardSplit { name: "train", path: "data/train-*.parquet", rows: Some(stats.records) }];
    let plots = plots::all(&stats);
    let paths: Vec<String> = plots.iter().map(|plot| format!("plots/{}.svg", plot.name)).collect();
    let shown: Vec<[&str; 2]> = plots.iter().zip(&paths).map(|(plot, path)| [plot.title, path.as_str()]).collect();
    let card = card::text(&CardFacts {
        pretty_name: "L'eau: \"كتاب\" # 1",
        repo_id: "org/water",
        license: "cc-by-4.0",
        task_categories: &["question-answering", "text-generation"],
        tags: &["no"],
        configs: &[CardConfig { name: "default", splits }],
        contents: &[],
        columns: &[["messages", "list of structs", "what is said | in order"]],
        models: &[["user", "/srv/models/q.gguf"]],
        prompts: &[],
        seed: "5",
        settings: &[],
        is_demonstration: false,
        judge_auc: None,
        stats: &stats,
        stats_file: "dataset_stats.json",
        plots: &shown,
        secrets: &[],
    });
    fs::write(folder.path().join("README.md"), card).expect("a file");
    let expected = "[[\"ar\", \"en\", \"fr\"], [\"n<1K\"], \"cc-by-4.0\", \"L'eau: \\\"كتاب\\\" # 1\", [{\"config_name\": \
                    \"default\", \"default\": true, \"data_files\": [{\"split\": \"train\", \"path\": \"data/train-*.parquet\"}]}]]\n# \
                    L'eau: \"كتاب\" \\# 1\n";
    assert_eq!(told("readers", CARD, folder.path()), expected);
}
