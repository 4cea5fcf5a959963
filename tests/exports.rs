//! `dlgforge export` and `dlgforge stats`: the tables of a run in the formats that people train on, and what they are like.

use crate::support::{Files, Project, Ran, builtin, copy, files, shipped};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

/// A run of Arabic and French conversations over the shipped documents, with verdicts and this in `saving`.
fn made(total: usize, saving: &str) -> Project {
    let run = format!(
        "  run_id: r\n  total_samples: {total}\n  target_languages: [ar, fr]\n  turns: {{mode: range, min: 2, max: 4}}"
    );
    let project = Project::with(&builtin(&run, &format!("saving: {{{saving}}}\n")));
    std::fs::remove_dir_all(project.path("knowledge")).expect("documents of its own");
    copy(&shipped("knowledge"), &project.path("knowledge"));
    project.generate(&[]);
    project
}

fn export(project: &Project, arguments: &[&str]) -> Ran {
    project.run(&[&["export"], arguments].concat()).succeeded()
}

/// The files of an export but its marker.
fn exported(project: &Project, folder: &str) -> Files {
    let mut files = files(&project.path(folder));
    files.retain(|name, _| !name.starts_with('.'));
    files
}

fn parquet_rows(project: &Project, file: &str) -> usize {
    let file = File::open(project.path(file)).expect("a Parquet file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    reader.metadata().file_metadata().num_rows() as usize
}

#[test]
fn every_table_is_the_same_after_a_round_trip_through_json_lines() {
    let project = made(6, "");
    for table in ["conversations", "turns", "dropped", "calls"] {
        let first = format!("first-{table}");
        export(&project, &["--table", table, "--format", "parquet,jsonl,arrow", "--to", &first]);
        for (source, to) in [(format!("{first}/jsonl"), "second"), (format!("{first}/parquet"), "third")] {
            export(&project, &[&source, "--table", table, "--format", "parquet", "--to", to]);
            let [one, two] = [first.as_str(), to].map(|folder| {
                std::fs::read(project.path(folder).join("parquet/train-00000-of-00001.parquet")).expect("a table")
            });
            assert!(one == two, "{table} from {source}");
        }
        let shard =
            [0, 1].map(|shard| parquet_rows(&project, &format!("outputs/parquet/{table}/r-0000{shard}.parquet")));
        let rows = parquet_rows(&project, &format!("{first}/parquet/train-00000-of-00001.parquet"));
        assert_eq!(rows, shard.iter().sum::<usize>(), "{table}");
    }
}

#[test]
fn an_export_has_the_same_bytes_for_any_number_of_workers() {
    let project = made(6, "");
    let all = "parquet,arrow,jsonl,sharegpt,openai,trl,llamafactory,axolotl,chatml,alpaca,traces";
    let split = ["--split", "train=0.5,test=0.5", "--split-by", "conversation"];
    let of = |workers: &str| {
        let arguments = [&["--format", all, "--workers", workers, "--to", "e"][..], &split].concat();
        export(&project, &arguments);
        exported(&project, "e")
    };
    let one = of("1");
    assert!(one.len() > 24, "{:?}", one.keys());
    for workers in ["2", "5"] {
        let more = of(workers);
        assert!(one == more, "{workers} workers: {:?}", more.keys());
    }
}

#[test]
fn training_files_take_the_place_of_parquet_where_there_is_none() {
    let project = made(4, "");
    let of = |to: &str| {
        export(&project, &["--format", "openai,trl,sharegpt,alpaca", "--to", to]);
        exported(&project, to)
    };
    let from_parquet = of("one");
    std::fs::remove_dir_all(project.path("outputs/parquet")).expect("it was there");
    let from_lines = of("two");
    assert!(from_parquet == from_lines, "{:?}", from_lines.keys());
    let ran = project.run(&["export", "--table", "turns", "--format", "jsonl"]);
    ran.failed_as(
        "export",
        &["there are no Parquet files of `turns` in it; name an output folder of runs with `parquet`"],
    );
}

#[test]
fn no_document_of_a_split_was_shown_in_another() {
    let project = made(40, "");
    let rows = |to: &str, by: &str| -> BTreeMap<&str, Vec<Value>> {
        let split = ["--split", "train=0.5,validation=0.25,test=0.25", "--split-by", by];
        export(&project, &[&["--format", "jsonl", "--to", to][..], &split].concat());
        let rows = |split| (split, project.rows(&format!("{to}/jsonl/{split}-00000-of-00001.jsonl")));
        ["train", "validation", "test"].map(rows).into()
    };
    let documents = |rows: &[Value]| -> BTreeSet<String> {
        let lists = rows.iter().flat_map(|row| row["documents"].as_array().expect("documents"));
        lists.map(|document| document.as_str().expect("a path").to_owned()).collect()
    };
    let apart = rows("apart", "document");
    let [train, validation, test] = ["train", "validation", "test"].map(|split| documents(&apart[split]));
    assert!(!train.is_empty() && !test.is_empty(), "{train:?} {validation:?} {test:?}");
    assert!(train.is_disjoint(&test) && train.is_disjoint(&validation) && validation.is_disjoint(&test));
    let held = rows("held", "held-out");
    let count = |splits: &BTreeMap<&str, Vec<Value>>| splits.values().map(Vec::len).sum::<usize>();
    assert_eq!(count(&held), 80, "none is left out");
    // A conversation that was shown documents of several splits is in the last of these: so what was trained on has none of theirs.
    let ids =
        |rows: &[Value]| -> BTreeSet<String> { rows.iter().map(|row| row["conversation_id"].to_string()).collect() };
    assert_eq!(ids(&held["train"]), ids(&apart["train"]));
    assert_eq!(count(&rows("all", "conversation")), 80);
    assert!(count(&apart) <= 80);
}

#[test]
fn rows_are_chosen_by_conditions() {
    let project = made(12, "");
    let all = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    let chosen = |arguments: &[&str]| {
        export(&project, &[&["--format", "jsonl", "--to", "e"], arguments].concat());
        project.rows("e/jsonl/train-00000-of-00001.jsonl")
    };
    let expected = |holds: &dyn Fn(&Value) -> bool| all.iter().filter(|row| holds(row)).count();
    let turns = |row: &Value| row["metadata"]["n_turns"].as_u64().expect("turns");
    let score = |row: &Value| row["judge"]["avg_score"].as_f64().expect("a score");
    assert_eq!(chosen(&[]).len(), all.len());
    let long = chosen(&["--where", "n_turns > 2 and judge_score >= 7"]);
    assert_eq!(long.len(), expected(&|row| turns(row) > 2 && score(row) >= 7.0));
    assert!(!long.is_empty() && long.len() < all.len());
    let french = chosen(&["--language", "fr", "--min-score", "7"]);
    assert_eq!(french.len(), expected(&|row| row["metadata"]["language"] == "fr" && score(row) >= 7.0));
    assert!(french.iter().all(|row| row["language"] == "fr"));
    let modes = |row: &Value| row["metadata"]["question_modes"].as_array().expect("modes").contains(&"followup".into());
    assert_eq!(chosen(&["--mode", "followup"]).len(), expected(&modes));
    for (arguments, reasons) in [
        (&["--where", "judge_scor > 3"][..], &["no column `judge_scor`", "`judge_score`"][..]),
        (&["--where", "n_turns >"], &["at character 10"]),
        (&["--split", "train=0.5"], &["--split: ", "they have to make 1"]),
        (&["--table", "messages"], &["--table: `messages` is none; choose of conversations, turns"]),
        (&["--reasoning", "loud"], &["--reasoning: `loud` is none; choose of none, reasoning_content"]),
    ] {
        let ran = project.run(&[&["export", "--format", "jsonl", "--to", "e"], arguments].concat());
        ran.failed_as("export", reasons);
    }
    let ran = project.run(&["export", "--format", "jsonl,yaml"]);
    ran.failed_as("export", &["`yaml` is no format", "`sharegpt`", "`parquet`, `arrow`, `jsonl`"]);
    let ran = project.run(&["export", "--format", "trl-dpo"]);
    ran.failed_as("export", &["there are no pairs of answers in it"]);
}

#[test]
fn columns_have_the_names_that_the_user_gives_them() {
    let project = made(2, "output_columns: {messages: chat, judge: verdicts, assistant_reasoning: how}");
    export(&project, &["--format", "parquet,jsonl,openai", "--to", "e"]);
    let row = &project.rows("e/jsonl/train-00000-of-00001.jsonl")[0];
    assert!(row["chat"].is_array() && row["verdicts"].is_object() && row["how"].is_array(), "{row}");
    assert!(row.get("messages").is_none() && row.get("judge").is_none());
    let trace = &row["how"][0]["reasoning_trace"];
    for key in ["question", "retrieval_queries", "evidence", "premises", "thinking", "confidence", "known_limits"] {
        assert!(trace.get(key).is_some(), "{key} of {trace}");
    }
    // Read again under their own names, and what trainers read has theirs.
    export(&project, &["e/parquet", "--format", "parquet", "--to", "f"]);
    let [one, two] =
        ["e", "f"].map(|to| std::fs::read(project.path(to).join("parquet/train-00000-of-00001.parquet")).expect("it"));
    assert!(one == two);
    assert!(project.rows("e/openai/train-00000-of-00001.jsonl")[0]["messages"].is_array());
}

#[test]
fn a_folder_of_somebody_else_is_left_as_it_is() {
    let project = made(2, "");
    project.write("mine/thesis.tex", b"text");
    let ran = project.run(&["export", "--format", "jsonl", "--to", "mine"]);
    ran.failed_as("export", &["thesis.tex is of no export of dlgforge, so the folder is left as it is"]);
    assert_eq!(project.names("mine"), ["thesis.tex"]);
    for _ in 0..2 {
        export(&project, &["--format", "jsonl"]);
    }
    assert_eq!(project.names("outputs/export"), [".dlgforge-export", "jsonl"]);
}

#[test]
fn statistics_tell_what_the_dataset_is_like() {
    let project = made(4, "");
    let ran = project.run(&["stats", "--json"]).succeeded();
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    assert_eq!((&told["records"], &told["languages"]), (&8.into(), &serde_json::json!({"ar": 4, "fr": 4})));
    let turns: Vec<u64> = rows.iter().map(|row| row["metadata"]["n_turns"].as_u64().expect("turns")).collect();
    assert_eq!(told["turn_count"]["max"].as_u64(), turns.iter().max().copied());
    assert_eq!(told["judge"]["conversations_with_scores"], 8);
    let text = project.run(&["stats"]).succeeded().stdout;
    assert!(text.contains("ar") && text.contains("fr") && !text.contains('\u{1b}'), "{text}");
    std::fs::remove_dir_all(project.path("outputs/parquet")).expect("it was there");
    let of_lines: Value = serde_json::from_str(&project.run(&["stats", "--json"]).succeeded().stdout).expect("JSON");
    let without_name = |mut told: Value| {
        told["source_file"] = Value::Null;
        told
    };
    assert_eq!(without_name(of_lines), without_name(told));
    let lexical = ["stats", "--embeddings", "config.yaml"];
    project.write(
        "config.yaml",
        format!("{}tools: {{retrieval: {{embeddings: {{backend: lexical}}}}}}\n", project.read("config.yaml"))
            .as_bytes(),
    );
    project.run(&lexical).failed_as("stats", &["--embeddings: ", "makes no vectors"]);
    project.run(&["stats", "nowhere"]).failed_as("stats", &["there is no such file or folder"]);
}

#[test]
fn what_people_think_of_conversations_chooses_rows_and_is_told_in_them() {
    let project = made(4, "");
    let ids: Vec<String> = project
        .rows("outputs/conversations_index.jsonl")
        .iter()
        .map(|row| row["conversation_id"].as_str().expect("an id").to_owned())
        .collect();
    project
        .run(&["export", "--label", "keep", "--format", "trl"])
        .failed_as("export", &["--label: ", "labels.jsonl has no labels", "`dlgforge view` writes them"]);
    export(&project, &["--format", "parquet", "--to", "before"]);
    let lines = [
        format!("{{\"conversation_id\": \"{}\", \"label\": \"reject\"}}", ids[0]),
        format!("{{\"conversation_id\": \"{}\", \"label\": \"keep\", \"note\": \"sounds alive\"}}", ids[0]),
        format!("{{\"conversation_id\": \"{}\", \"label\": \"reject\"}}", ids[1]),
        format!("{{\"conversation_id\": \"{}\", \"label\": null, \"note\": \"later\"}}", ids[2]),
    ];
    project.write("outputs/labels.jsonl", lines.join("\n").as_bytes());
    let chosen = |arguments: &[&str]| -> BTreeSet<String> {
        export(&project, &[&["--format", "jsonl", "--to", "chosen"], arguments].concat());
        let rows = project.rows("chosen/jsonl/train-00000-of-00001.jsonl");
        rows.iter().map(|row| row["conversation_id"].as_str().expect("an id").to_owned()).collect()
    };
    let these = |numbers: &[usize]| numbers.iter().map(|number| ids[*number].clone()).collect::<BTreeSet<_>>();
    let unlabelled: Vec<usize> = (2..ids.len()).collect();
    assert_eq!(chosen(&["--label", "keep"]), these(&[0]));
    assert_eq!(chosen(&["--label", "keep,reject"]), these(&[0, 1]));
    assert_eq!(chosen(&["--label", "none"]), these(&unlabelled));
    assert_eq!(chosen(&["--where", "label is null and label_note is not null"]), these(&[2]));
    assert_eq!(chosen(&["--table", "turns", "--label", "reject"]), these(&[1]));
    assert_eq!(chosen(&["--table", "calls", "--label", "keep"]), these(&[0]));
    chosen(&["--label", "keep"]);
    let row = &project.rows("chosen/jsonl/train-00000-of-00001.jsonl")[0];
    assert_eq!((&row["label"], &row["label_note"]), (&"keep".into(), &"sounds alive".into()));
    // Formats for training have the same rows, and no labels of their own.
    export(&project, &["--format", "trl,openai", "--label", "reject", "--to", "trained"]);
    assert_eq!(project.rows("trained/trl/train-00000-of-00001.jsonl").len(), 1);
    assert!(!project.read("trained/openai/train-00000-of-00001.jsonl").contains("label"));
    // Tables have two columns more, and none where nobody has labelled anything.
    export(&project, &["--format", "parquet", "--to", "after"]);
    let columns = |folder: &str| {
        let file = project.path(folder).join("parquet/train-00000-of-00001.parquet");
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).expect("a table")).expect("Parquet");
        reader.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    let with = [columns("before"), vec!["label".to_owned(), "label_note".to_owned()]].concat();
    assert_eq!(columns("after"), with);
    // A line that is none is named, and nothing is written.
    project.write("outputs/labels.jsonl", b"{\"conversation_id\": \"a\", \"label\": \"perhaps\"}");
    project
        .run(&["export", "--format", "trl", "--to", "none"])
        .failed_as("export", &["labels.jsonl:1: unknown variant `perhaps`"]);
    assert!(!project.path("none").exists());
}

#[test]
fn statistics_tell_how_the_judge_agrees_with_people() {
    let project = made(12, "");
    let told = |arguments: &[&str]| project.run(&[&["stats", "outputs"], arguments].concat()).succeeded().stdout;
    assert!(!told(&["--json"]).contains("\"people\""));
    // Whoever labels keeps what the judge gives more than the middle score.
    export(&project, &["--format", "jsonl", "--to", "all"]);
    let rows = project.rows("all/jsonl/train-00000-of-00001.jsonl");
    let mut scores: Vec<f64> = rows.iter().map(|row| row["judge_score"].as_f64().expect("a score")).collect();
    scores.sort_by(f64::total_cmp);
    let middle = scores[scores.len() / 2];
    let lines = rows.iter().map(|row| {
        let label = if row["judge_score"].as_f64() >= Some(middle) { "keep" } else { "reject" };
        format!("{{\"conversation_id\": {}, \"label\": \"{label}\"}}\n", row["conversation_id"])
    });
    project.write("outputs/labels.jsonl", lines.collect::<String>().as_bytes());
    let report: Value = serde_json::from_str(&told(&["--json"])).expect("JSON");
    let people = &report["people"];
    let kept = scores.iter().filter(|score| **score >= middle).count();
    assert_eq!((people["kept"].as_u64(), people["rejected"].as_u64()), (Some(kept as u64), Some((24 - kept) as u64)));
    assert_eq!((people["judge"]["min_score"].as_f64(), people["judge"]["kappa"].as_f64()), (Some(middle), Some(1.0)));
    let text = told(&[]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("rejected by people; a score of at least {middle} agrees with 24 of 24")), "{text}");
}
