//! How passages are kept and found: by words, by the vectors of a server, ranked again by a server or a program.

use crate::support::endpoint::dialogue::{self, Latency};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, asking, builtin, embedding, embedding_at, expect_same, files, paraphrased, remote};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 8\n  turns: {mode: exact, exact: 2}";

/// A vector that tells a few subjects apart, whatever words name them.
fn meaning(text: &str) -> Vec<f32> {
    const SUBJECTS: [&[&str]; 4] = [
        &["bread", "dough", "loaf", "flour"],
        &["star", "sky", "constellation"],
        &["lamp", "lighthouse", "beam", "mariner"],
        &["river", "rain", "water"],
    ];
    let text = text.to_lowercase();
    let count = |words: &&[&str]| words.iter().map(|word| text.matches(word).count() as f32).sum::<f32>();
    let mut vector: Vec<f32> = SUBJECTS.iter().map(count).collect();
    // Nothing is without a direction, and no two texts are alike.
    vector.push(0.01);
    vector.push(text.len() as f32 * 1e-6);
    vector
}

/// Embeds, ranks by how often passages say `rain`, and plays all roles.
fn all_roles(request: &Value, _number: u64) -> Reply {
    if let Some(texts) = request["input"].as_array() {
        let item = |(index, text): (usize, &Value)| json!({"index": index, "embedding": meaning(text.as_str().expect("text"))});
        // Not in order: the index tells.
        let data: Vec<Value> = texts.iter().enumerate().rev().map(item).collect();
        return Reply::json(200, &json!({ "data": data }));
    }
    if let Some(documents) = request["documents"].as_array() {
        let score = |text: &Value| text.as_str().expect("text").matches("rain").count();
        let item = |(index, text): (usize, &Value)| json!({"index": index, "relevance_score": score(text)});
        return Reply::json(200, &json!({ "results": documents.iter().enumerate().map(item).collect::<Vec<_>>() }));
    }
    dialogue::reply(request, Latency::NONE)
}

/// Answers at every path.
fn everywhere(reply: impl Fn(&Value, u64) -> Reply + Send + Sync + 'static) -> Endpoint {
    Endpoint::start(Behaviour::new(reply).serving(""))
}

#[test]
fn a_check_tries_what_embeds_and_what_ranks_again() {
    let endpoint = everywhere(all_roles);
    let broken = everywhere(|request, number| match request["documents"].is_array() {
        true => Reply::error(500, "no rankings today"),
        false => all_roles(request, number),
    });
    for (at, code, expected) in
        [(&endpoint, 0, "passages that are found are ranked again"), (&broken, 1, "no rankings today")]
    {
        let reranker = format!(", reranker: {{enabled: true, model: r, base_url: \"{}\"}}", at.base_url());
        let project = Project::with(&builtin(RUN, &embedding_at(&endpoint.base_url(), &reranker)));
        let ran = project.run(&["check", "config.yaml"]);
        let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ran.code == Some(code) && words.contains(expected), "{}", ran.stdout);
        let asked = at.log().iter().filter(|body| body["documents"].is_array()).count();
        assert!(asked >= 1, "it was asked");
    }
}

#[test]
fn a_search_by_vectors_finds_what_words_do_not() {
    let endpoint = everywhere(all_roles);
    let project = Project::with(&builtin(RUN, &embedding_at(&endpoint.base_url(), "")));
    let question = "What guides a mariner?";
    let found = project.run(&["search", "config.yaml", question, "-k", "2"]).succeeded();
    assert!(found.stdout.starts_with("1. en/lighthouses.md#chunk"), "{}", found.stdout);
    assert!(found.stdout.contains("vectors: rank 1"), "{}", found.stdout);
    let embedded = endpoint.requests();
    project.run(&["search", "config.yaml", question]).succeeded();
    assert_eq!(endpoint.requests(), embedded + 1, "only the query is embedded the second time");
    let lexical = ["search", "config.yaml", question, "--set", "tools.retrieval.embeddings.backend=lexical"];
    let found = project.run(&lexical).succeeded();
    assert!(found.stdout.contains("words: rank 1") && !found.stdout.contains("vectors"), "{}", found.stdout);
}

#[test]
fn what_has_changed_is_made_anew_and_what_is_gone_is_forgotten() {
    let endpoint = everywhere(all_roles);
    let project = Project::with(&builtin(RUN, &embedding_at(&endpoint.base_url(), "")));
    project.run(&["index"]).succeeded();
    let texts = || {
        let bodies = endpoint.log();
        bodies.iter().filter_map(|body| Some(body["input"].as_array()?.len())).sum::<usize>()
    };
    let all = texts();
    assert!(all > 60, "{all}");
    project
        .write("knowledge/en/new.md", b"# Kites\n\nA kite flies on a line when the wind lifts its sail from below.\n");
    fs::remove_file(project.path("knowledge/en/lighthouses.md")).expect("a file");
    project.run(&["index"]).succeeded();
    assert_eq!(texts(), all + 1, "one chunk is new");
    let found = project.run(&["search", "config.yaml", "What guides a mariner?", "-k", "50"]).succeeded();
    assert!(!found.stdout.contains("lighthouses.md"), "{}", found.stdout);
    let kites = project.run(&["search", "config.yaml", "kite", "-k", "1"]).succeeded();
    assert!(kites.stdout.contains("en/new.md#chunk0"), "{}", kites.stdout);
    // The folder holds one index of words, whatever there was before.
    let names = project.names("knowledge_index");
    assert_eq!(names.iter().filter(|name| name.starts_with("lexical-")).count(), 1, "{names:?}");
    // The same documents in another folder, read for the first time, give the same index.
    let fresh = Project::with(&builtin(RUN, &embedding_at(&endpoint.base_url(), "")));
    fs::remove_file(fresh.path("knowledge/en/lighthouses.md")).expect("a file");
    fresh.write("knowledge/en/new.md", &fs::read(project.path("knowledge/en/new.md")).expect("a file"));
    let question = ["search", "config.yaml", "water in a river", "-k", "20"];
    assert_eq!(fresh.run(&question).succeeded().stdout, project.run(&question).succeeded().stdout);
    assert_eq!(fresh.names("knowledge_index"), project.names("knowledge_index"));
    let before = texts();
    project.run(&["index", "--set", "tools.retrieval.index.rebuild=true"]).succeeded();
    assert!(texts() > before + 60, "all is embedded again");
}

#[test]
fn an_index_that_was_cut_off_goes_on() {
    // Every third request is the last one that is answered.
    let endpoint = everywhere(|request, number| {
        if request["input"].is_array() && (1..3).contains(&number) {
            return Reply::error(400, "no more of this today");
        }
        all_roles(request, number)
    });
    let more = ", chunking: {strategy: characters, chunk_size: 60, chunk_overlap: 0}";
    let project = Project::with(&builtin(RUN, &embedding_at(&endpoint.base_url(), more)));
    let set = ["index", "--set", "tools.retrieval.embeddings.batch_size=256"];
    let failed = project.run(&set);
    assert_eq!(failed.code, Some(1), "{}", failed.stdout);
    assert!(failed.stderr.contains("no more of this today") && failed.stderr.contains("tools.retrieval.embeddings"));
    while project.run(&set).code != Some(0) {}
    let bodies = endpoint.log();
    let first = |at: usize| bodies[at]["input"][0].as_str().expect("text").to_owned();
    assert_ne!(first(0), first(3), "what was embedded is kept");
    assert_eq!(first(1), first(3), "what was refused is asked again");
}

#[test]
fn runs_with_vectors_and_reranking_are_the_same_on_any_number_of_workers_and_when_resumed() {
    let endpoint = everywhere(all_roles);
    let reranker = format!(", reranker: {{enabled: true, model: r, base_url: \"{}\"}}", endpoint.base_url());
    let config = remote(&endpoint.base_url(), RUN, &embedding_at(&endpoint.base_url(), &reranker));
    let made = |arguments: &[&str]| {
        let project = Project::with(&config);
        project.stamped(arguments).output().expect("the binary runs");
        project.outputs()
    };
    let expected = made(&[]);
    assert!(expected.contains_key("conversations_sharegpt.jsonl"));
    expect_same(&expected, &made(&["--workers", "3"]), "three workers");
    let asked: Vec<Value> = endpoint.log();
    assert!(asked.iter().any(|body| body["documents"].is_array()), "the reranker was asked");
    // Without the reranker, other passages are shown.
    let project = Project::with(&remote(&endpoint.base_url(), RUN, &embedding_at(&endpoint.base_url(), "")));
    project.stamped(&[]).output().expect("the binary runs");
    assert_ne!(project.outputs()["turns.jsonl"], expected["turns.jsonl"]);
    // And such a run does not go on with it.
    let base_url = format!("tools.retrieval.reranker.base_url={}", endpoint.base_url());
    let resumed = project.run(&[
        "run",
        "config.yaml",
        "--resume",
        "--set",
        "run.total_samples=9",
        "--set",
        "tools.retrieval.reranker.enabled=true",
        "--set",
        &base_url,
    ]);
    assert!(resumed.code == Some(1) && resumed.stderr.contains("reranker"), "{}", resumed.stderr);
}

#[test]
fn a_server_that_ranks_otherwise_later_changes_nothing_that_was_found() {
    // What ranks: so many times, in the order of the passages, then no more; or without end, in the other order.
    let (most, is_changed) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicBool::new(false)));
    let (left, changed) = (most.clone(), is_changed.clone());
    let endpoint = everywhere(move |request, number| match request["documents"].as_array() {
        None => all_roles(request, number),
        Some(_) if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() => {
            Reply::json(401, &json!({"error": "no more rankings"}))
        }
        Some(documents) => {
            let sign = if changed.load(Ordering::SeqCst) { 1.0 } else { -1.0 };
            let score = |at: usize| json!({"index": at, "relevance_score": sign * at as f64});
            Reply::json(200, &json!({ "results": (0..documents.len()).map(score).collect::<Vec<_>>() }))
        }
    });
    let reranker = format!(", reranker: {{enabled: true, model: r, base_url: \"{}\"}}", endpoint.base_url());
    let config = remote(&endpoint.base_url(), RUN, &embedding_at(&endpoint.base_url(), &reranker));
    let chats = || endpoint.log().iter().filter(|body| body["messages"].is_array()).count();
    Project::with(&config).generate(&[]);
    let whole = chats();

    let project = Project::with(&config);
    most.store(7, Ordering::SeqCst);
    project.run(&["run", "config.yaml"]).failed(&["tools.retrieval.reranker", "no more rankings", "--resume r"]);
    most.store(u64::MAX, Ordering::SeqCst);
    is_changed.store(true, Ordering::SeqCst);
    project.generate(&["--resume"]);
    assert_eq!(
        (project.rows("outputs/turns.jsonl").len(), project.drops().len()),
        (16, 0),
        "no conversation paid for it"
    );
    assert_eq!(chats() - whole, whole, "no question, answer or verdict was asked for again, on other grounds");
}

#[test]
fn a_dry_run_asks_no_server_and_keeps_what_was_paid_for() {
    let endpoint = everywhere(all_roles);
    let config = remote(&endpoint.base_url(), RUN, &embedding_at(&endpoint.base_url(), ""));
    let project = Project::with(&config);
    let dry = |more: &[&str]| project.run(&[&["run", "config.yaml", "--dry-run"], more].concat()).succeeded().stdout;
    let expected = dry(&[]);
    assert!(expected.starts_with("a new run would make at least "), "{expected}");
    assert_eq!(endpoint.requests(), 0, "no vector is asked for, of a passage or of a query");
    project.generate(&["--set", "run.total_samples=4"]);
    let vectors = || {
        let kept = project.names("knowledge_index");
        kept.into_iter().filter(|name| name.starts_with("vectors-")).collect::<Vec<_>>()
    };
    let (kept, before) = (vectors(), endpoint.requests());
    dry(&["--set", "run.run_id=s", "--set", "tools.retrieval.index.rebuild=true"]);
    // Where the server is gone, the count is the same as where it is there.
    let gone = ["--set", "run.run_id=s", "--set", "tools.retrieval.embeddings.base_url=http://127.0.0.1:1/v1"];
    assert_eq!(dry(&gone), dry(&["--set", "run.run_id=s"]));
    assert_eq!((vectors(), endpoint.requests()), (kept, before));
    assert_eq!(vectors().len(), 1, "{:?}", vectors());
}

#[test]
fn a_query_that_a_server_refuses_costs_its_conversation_alone() {
    // Some of all queries, once and for all.
    let endpoint = everywhere(|request, number| match request["documents"].as_array() {
        Some(_) if request["query"].as_str().is_some_and(|query| query.len() % 9 == 0) => {
            Reply::json(400, &json!({"error": "too long"}))
        }
        _ => all_roles(request, number),
    });
    let reranker = format!(", reranker: {{enabled: true, model: r, base_url: \"{}\"}}", endpoint.base_url());
    let config = remote(&endpoint.base_url(), RUN, &embedding_at(&endpoint.base_url(), &reranker));
    let project = Project::with(&config);
    project.generate(&[]);
    let drops = project.drops();
    assert!(drops.len() == 1 && drops["retrieval_failed"] > 0, "{drops:?}");
    assert_eq!(project.rows("outputs/conversations_sharegpt.jsonl").len(), 8);
}

#[test]
fn a_program_ranks_passages_and_is_started_once() {
    let project = Project::with(&builtin(RUN, ""));
    // Longer passages first; each start leaves a line.
    let program = "import json, sys\n\
        open('starts', 'a').write('x\\n')\n\
        for line in sys.stdin:\n    \
            asked = json.loads(line)\n    \
            assert asked['instruction'] and asked['max_length'] and asked['query']\n    \
            print(json.dumps({'scores': [len(text) for text in asked['documents']]}), flush=True)\n";
    project.write("rank.py", program.as_bytes());
    let set =
        ["--set", "tools.retrieval.reranker.enabled=true", "--set", "tools.retrieval.reranker.cmd=python3 rank.py"];
    let search = |more: &[&str]| {
        let mut command = project.command(&[&["search", "config.yaml", "water", "-k", "4"], more].concat());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        crate::support::Ran::of(command)
    };
    let found = search(&set).succeeded();
    let scores: Vec<f64> = found
        .stdout
        .lines()
        .filter_map(|line| line.split("reranker: rank ").nth(1)?.split("score ").nth(1)?.parse().ok())
        .collect();
    assert!(scores.len() == 4 && scores.is_sorted_by(|one, other| one >= other), "{}", found.stdout);
    let mut run = project.command(&[&["run", "config.yaml"], &set[..]].concat());
    run.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    crate::support::Ran::of(run).succeeded();
    assert_eq!(project.read("starts").lines().count(), 2, "once for each command");
    for (program, told) in
        [("true -", "it has ended"), ("echo {}", "no line like"), ("no-such-program", "No such file")]
    {
        let cmd = format!("tools.retrieval.reranker.cmd={program}");
        let failed = search(&["--set", set[1], "--set", &cmd]);
        assert!(
            failed.code == Some(1) && failed.stderr.contains(told) && failed.stderr.contains(program),
            "{}",
            failed.stderr
        );
    }
}

#[test]
fn servers_of_the_other_form_rank_too() {
    let endpoint = everywhere(|request, _| match request["texts"].as_array() {
        Some(texts) => {
            let item =
                |(index, text): (usize, &Value)| json!({"index": index, "score": text.as_str().map_or(0, str::len)});
            Reply::json(200, &texts.iter().enumerate().map(item).collect())
        }
        None => Reply::error(422, "Failed to deserialize the JSON body into the target type: missing field `texts`"),
    });
    let base_url = format!("tools.retrieval.reranker.base_url={}", endpoint.base_url());
    let project = Project::with(&builtin(RUN, ""));
    let set = ["--set", "tools.retrieval.reranker.enabled=true", "--set", &base_url];
    let found = project.run(&[&["search", "config.yaml", "water"], &set[..]].concat()).succeeded();
    assert!(found.stdout.contains("reranker: rank 1"), "{}", found.stdout);
}

#[test]
fn servers_that_fail_are_told_of_by_their_words() {
    for (status, body, told) in [
        (401, json!({"error": "wrong key"}), "401 Unauthorized: {\"error\":\"wrong key\"}"),
        (200, json!({"data": [{"embedding": [0.1]}]}), "1 usable vectors for"),
        (200, json!({"data": []}), "0 usable vectors for"),
        (200, json!("hello"), "its answer can't be read"),
    ] {
        let endpoint = everywhere(move |_, _| Reply::json(status, &body));
        let project = Project::with(&builtin(RUN, &embedding_at(&endpoint.base_url(), "")));
        let failed = project.run(&["index"]);
        assert!(failed.code == Some(1) && failed.stderr.contains(told), "{told}: {}", failed.stderr);
        assert!(failed.stderr.contains("tools.retrieval.embeddings") && failed.stderr.contains("/v1/embeddings"));
    }
}

#[test]
fn a_model_that_is_not_there_is_an_error_that_says_how_to_get_it() {
    let project = Project::with(&builtin(RUN, ""));
    let backend = ["--set", "tools.retrieval.embeddings.backend=fastembed"];
    for arguments in [&["index"][..], &["run", "config.yaml"]] {
        let failed = project.run(&[arguments, &backend].concat());
        assert_eq!(failed.code, Some(1), "{}", failed.stdout);
        for told in ["sentence-transformers/all-MiniLM-L6-v2", "dlgforge fetch embeddings", "backend: lexical"] {
            assert!(failed.stderr.contains(told), "no `{told}` in {}", failed.stderr);
        }
        assert!(!project.path("outputs").exists());
    }
    // Without being told to use one, a run searches by words, and says so.
    let indexed = project.run(&["index"]).succeeded();
    assert!(indexed.stdout.contains("vectors    none: passages are found by their words"), "{}", indexed.stdout);
}

#[test]
fn an_index_folder_that_can_not_be_used_is_named() {
    let project = Project::with(&builtin(RUN, ""));
    project.write("taken", b"a file");
    let failed = project.run(&["index", "--set", "tools.retrieval.index.persist_dir=taken"]);
    assert!(failed.code == Some(1), "{}", failed.stdout);
    for told in ["taken", "tools.retrieval.index.persist_dir"] {
        assert!(failed.stderr.contains(told), "{}", failed.stderr);
    }
    // What is damaged is built anew, with a word.
    project.run(&["index"]).succeeded();
    project.write("knowledge_index/inventory.sqlite", b"this is no database, but a text that somebody has saved here");
    let again = project.run(&["index"]).succeeded();
    assert!(again.stderr.contains("damaged"), "{}{}", again.stdout, again.stderr);
}

#[test]
fn an_unchanged_index_is_only_read() {
    let project = Project::with(&builtin(RUN, ""));
    project.run(&["index"]).succeeded();
    let times = || -> Vec<(String, SystemTime)> {
        let folder = project.path("knowledge_index");
        let lexical = files(&folder).into_keys().filter(|name| name.starts_with("lexical-"));
        lexical
            .map(|name| {
                (name.clone(), fs::metadata(folder.join(name)).and_then(|file| file.modified()).expect("a time"))
            })
            .collect()
    };
    let before = times();
    assert!(!before.is_empty());
    project.generate(&[]);
    assert_eq!(times(), before);
}

/// Would catch: a question that is compared by another vector later, or by none because another run asked it, or was made without
/// vectors.
#[test]
fn questions_are_compared_by_vectors_which_are_made_once() {
    const RUN: &str =
        "  run_id: r\n  batch_size: 1\n  total_samples: 2\n  target_languages: [en]\n  turns: {mode: exact, exact: 2}";
    let numbers = Arc::new(Mutex::new(VecDeque::new()));
    let asked = numbers.clone();
    let endpoint = everywhere(move |request, _| match request["input"].is_array() {
        true => embedding(request),
        false => asking(dialogue::reply(request, Latency::NONE), || {
            asked.lock().expect("no test panics here").pop_front().map(paraphrased)
        }),
    });
    let ask = |questions: &[u64]| numbers.lock().expect("no test panics here").extend(questions);
    let embedded = |number: u64| {
        let text = json!(paraphrased(number));
        let is_it = |body: &&Value| body["input"].as_array().is_some_and(|texts| texts.contains(&text));
        endpoint.log().iter().filter(is_it).count()
    };
    let near = "coverage: {near_duplicates: {method: embedding}}\n";
    let config = remote(&endpoint.base_url(), RUN, &format!("{near}{}", embedding_at(&endpoint.base_url(), "")));
    let rejected = |project: &Project, arguments: &[&str]| {
        let said = project.generate(arguments).stdout;
        let row = said.lines().find(|line| line.trim_start().starts_with("duplicates")).expect("a row");
        row.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    let project = Project::with(&config);
    ask(&[0, 30, 60, 1, 90]);
    assert_eq!(rejected(&project, &[]), "1 questions rejected, 1 of them too close to another one");
    let explained = project.run(&["explain", "r-0001", "--json"]).succeeded().stdout;
    let explained: Value = serde_json::from_str(&explained).expect("JSON");
    let found = &explained["turns"][1]["near_duplicates"][0];
    assert_eq!((&found["close_to"], &found["similarity"]), (&json!(paraphrased(0)), &json!(1.0)), "{explained}");
    // The questions of that run have their vectors.
    let before = [0, 30, 60, 90].map(embedded);
    ask(&[32, 91, 120, 150, 180, 210]);
    let more = ["--set", "run.run_id=s"];
    assert_eq!(rejected(&project, &more), "2 questions rejected, 2 of them too close to another one");
    assert_eq!([0, 30, 60, 90].map(embedded), before);

    // Those of a run that had none get them.
    let set = |value: &str| format!("coverage.near_duplicates.method={value}");
    let project = Project::with(&config);
    ask(&[300, 330, 360, 390]);
    assert_eq!(rejected(&project, &["--set", &set("minhash")]), "0 questions rejected");
    let before = embedded(330);
    project.run(&[&["run", "config.yaml", "--dry-run"], &more[..]].concat()).succeeded();
    assert_eq!(embedded(330), before, "a dry run asks nobody");
    ask(&[331, 420, 450, 480, 510]);
    assert_eq!(rejected(&project, &more), "1 questions rejected, 1 of them too close to another one");
    assert_eq!(embedded(330), before + 1);
    let lexical =
        ["run", "config.yaml", "--set", "run.run_id=t", "--set", "tools.retrieval.embeddings.backend=lexical"];
    project.run(&lexical).failed(&["near_duplicates.method", "dlgforge fetch embeddings", "minhash"]);
    let checked = project.run(&["check", "config.yaml", "--set", "tools.retrieval.embeddings.backend=lexical"]);
    assert!(checked.code == Some(1) && checked.stdout.contains("near_duplicates.method"), "{}", checked.stdout);
}
