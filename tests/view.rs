//! `dlgforge view`: pages over an output folder, for who has the token.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::viewer::{Viewer, until};
use crate::support::{Project, builtin, remote, signal};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 4\n  target_languages: [en, fr, ar]\n  \
    turns: {mode: exact, exact: 2}";

/// A line of the training files, with this question.
fn line(id: &str, question: &str) -> String {
    let row = json!({
        "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": "Yes."}],
        "metadata": {
            "conversation_id": id, "run_id": "r", "timestamp": "2026-11-28T03:46:32+00:00", "n_turns": 1, "language": "en",
            "conversation_status": "completed", "personas": {"user_id": "p"}, "question_modes": ["fresh"],
        },
    });
    format!("{row}\n")
}

fn generated() -> Project {
    let project = Project::with(&builtin(RUN, ""));
    project.generate(&[]);
    project
}

#[test]
fn who_has_no_token_or_asks_for_another_host_is_refused() {
    let project = Project::empty();
    project.write("outputs/conversations_sharegpt.jsonl", line("a", "Is it?").as_bytes());
    let viewer = Viewer::of(&project, &[]);
    let (host, bearer) = (viewer.host(), viewer.bearer());
    let own = [("host", &*host), ("authorization", &*bearer)];
    let status = |line: &str, headers: &[(&str, &str)]| viewer.asked(line, headers, "").status;
    for path in ["/", "/view.js", "/api/folders", "/api/0/list", "/?token=0123", "/api/0/list?token=x"] {
        assert_eq!(status(&format!("GET {path}"), &[("host", &host)]), 401, "{path}");
        assert_eq!(status(&format!("GET {path}"), &[("host", &host), ("authorization", "Bearer 00")]), 401, "{path}");
    }
    let entry = format!("/?token={}", viewer.token);
    for other in ["evil.example", "127.0.0.1", &format!("evil.example:{}", viewer.port), ""] {
        for path in ["/api/folders", &*entry] {
            assert_eq!(status(&format!("GET {path}"), &[("host", other), ("authorization", &bearer)]), 403, "{other}");
        }
    }
    let entered = viewer.asked(&format!("GET {entry}"), &[("host", &host)], "");
    assert_eq!(entered.status, 303);
    assert!(entered.head.contains("\r\nlocation: /\r\n"), "{}", entered.head);
    let cookie = format!("dlgforge-view-{}={}", viewer.port, viewer.token);
    assert!(
        entered.head.contains(&format!("set-cookie: {cookie}; httponly; samesite=strict; path=/")),
        "{}",
        entered.head
    );
    let local = format!("localhost:{}", viewer.port);
    assert_eq!(status("GET /", &[("host", &local), ("cookie", &format!("a=b; {cookie}"))]), 200);

    for (line, expected) in [
        ("GET /", 200),
        ("GET /view.js", 200),
        ("GET /../../../etc/passwd", 404),
        ("GET /%2e%2e/%2e%2e/config.yaml", 404),
        ("GET /api/0/conversation?id=../../config.yaml", 404),
        ("GET /api/7/list", 400),
        ("GET /api/0/list?min=much", 400),
        ("GET /api/0/list?colour=red", 400),
        ("GET /api/0/list?label=maybe", 400),
        ("DELETE /api/0/label", 405),
        ("POST /api/0/label", 403),
    ] {
        let response = viewer.asked(line, &own, "");
        assert_eq!(response.status, expected, "{line}: {}", response.body);
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(response.head.contains(header), "{line}: {}", response.head);
        }
    }
    let origin = [own[0], own[1], ("origin", "http://evil.example"), ("content-type", "application/json")];
    let label = json!({"conversation_id": "a", "label": "keep"}).to_string();
    assert_eq!(viewer.asked("POST /api/0/label", &origin, &label).status, 403);
    assert!(!project.path("outputs/labels.jsonl").exists());
}

#[test]
fn hostile_text_comes_out_as_data() {
    let text = "<script>alert(1)</script></textarea><img src=x onerror=alert(1)>\u{202e}\u{0} \"' ${x} {{y}} \u{1f600}";
    let project = Project::empty();
    project.write("outputs/conversations_sharegpt.jsonl", line("<b>-0001", text).as_bytes());
    let viewer = Viewer::of(&project, &["outputs"]);
    viewer.awaits(1);
    let listed = viewer.get("/api/0/list", &[("q", "alert")]);
    assert_eq!(listed["conversations"][0]["opening"], text);
    let told = viewer.get("/api/0/conversation", &[("id", "<b>-0001")]);
    assert_eq!((&told["row"]["messages"][0]["content"], &told["explained"]), (&json!(text), &Value::Null));
    assert!(told["unexplained"].as_str().is_some_and(|why| why.contains("has no runs")), "{told}");
    let page = viewer.asked("GET /api/0/list", &[("host", &viewer.host()), ("authorization", &viewer.bearer())], "");
    assert!(page.head.contains("content-type: application/json"), "{}", page.head);
    let scripts = ["dom", "view", "browse", "conversation", "overview", "compare"].map(|name| {
        let path = format!("GET /{name}.js");
        viewer.asked(&path, &[("host", &viewer.host()), ("authorization", &viewer.bearer())], "").body
    });
    for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc"] {
        assert!(scripts.iter().all(|script| !script.is_empty() && !script.contains(sink)), "{sink}");
    }
}

#[test]
fn lists_are_filtered_searched_and_sorted() {
    let project = generated();
    let viewer = Viewer::of(&project, &[]);
    viewer.awaits(12);
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    let that = |is: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        let own = rows.iter().filter(|row| is(row)).map(|row| row["metadata"]["conversation_id"].as_str());
        own.map(|id| id.expect("an id").to_owned()).collect()
    };
    let has = |list: &Value, value: &str| list.as_array().is_some_and(|list| list.iter().any(|one| one == value));
    assert_eq!(viewer.ids(&[("language", "fr")]), that(&|row| row["metadata"]["language"] == "fr"));
    assert_eq!(viewer.ids(&[("mode", "followup")]), that(&|row| has(&row["metadata"]["question_modes"], "followup")));
    let score = |row: &Value| row["judge"]["avg_score"].as_f64().expect("a score");
    assert_eq!(viewer.ids(&[("min", "9.5")]), that(&|row| score(row) >= 9.5));
    assert_eq!(viewer.ids(&[("min", "1"), ("max", "9")]), that(&|row| score(row) <= 9.0));
    let persona = rows[0]["metadata"]["personas"]["user_id"].as_str().expect("an id");
    assert_eq!(viewer.ids(&[("persona", persona)]), that(&|row| row["metadata"]["personas"]["user_id"] == persona));
    let document = "ar/tarbiyat-al-nahl.md";
    let shown = |row: &Value| {
        let passages = row["metadata"]["provenance"]["passages"].as_array().expect("a list");
        passages.iter().any(|passage| passage["source"] == document)
    };
    assert_eq!(viewer.ids(&[("document", document)]), that(&shown));
    assert!(!viewer.ids(&[("document", document)]).is_empty());
    assert_eq!((viewer.total(&[("status", "dropped")]), viewer.total(&[("run", "other")])), (0, 0));

    let says = |word: &str| {
        let text = |row: &Value| row["messages"].to_string().to_lowercase();
        that(&|row| text(row).contains(word))
    };
    // Without the article, with signs of vowels, with another hamza; with another accent; as part of a longer word.
    for (question, word) in [("النحل", "النحل"), ("نَحْل", "نحل"), ("إلنحل", "النحل")] {
        let (found, expected) = (viewer.ids(&[("q", question), ("language", "ar")]), says(word));
        assert!(!found.is_empty() && found.is_subset(&expected), "{question}: {found:?}, not {expected:?}");
    }
    let french = viewer.ids(&[("q", "thE"), ("language", "fr")]);
    assert!(
        !french.is_empty()
            && french.is_superset(&that(
                &|row| row["metadata"]["language"] == "fr" && row["messages"].to_string().contains(" thé ")
            ))
    );
    assert_eq!((viewer.total(&[("q", "\"no such phrase\"")]), viewer.total(&[("q", "-\"(*")])), (0, 0));

    let listed = viewer.get("/api/0/list", &[("sort", "lowest"), ("offset", "2"), ("limit", "3")]);
    let mut scores: Vec<f64> = rows.iter().map(score).collect();
    scores.sort_by(f64::total_cmp);
    let page: Vec<f64> = listed["conversations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["score"].as_f64().expect("a score"))
        .collect();
    assert_eq!(page, scores[2..5]);
    let figures = &viewer.get("/api/0/overview", &[])["figures"];
    assert_eq!(
        (&figures["conversations"], &figures["languages"]),
        (&json!(12), &json!([["ar", 4], ["en", 4], ["fr", 4]]))
    );
}

#[test]
fn a_conversation_comes_with_all_that_is_known_of_it() {
    let project = generated();
    let viewer = Viewer::of(&project, &[]);
    viewer.awaits(12);
    let told = viewer.get("/api/0/conversation", &[("id", "r-ar-0001")]);
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    let row = rows.iter().find(|row| row["metadata"]["conversation_id"] == "r-ar-0001").expect("its row");
    assert_eq!(&told["row"], row);
    let explained = project.run(&["explain", "r-ar-0001", "--json"]).succeeded().stdout;
    assert_eq!(told["explained"], serde_json::from_str::<Value>(&explained).expect("JSON"));
    assert!(told["explained"]["replies"].as_array().is_some_and(|replies| !replies.is_empty()));
    let runs = &viewer.get("/api/0/runs", &[])["runs"];
    let language = |name: &str| json!({"language": name, "wanted": 4, "accepted": 4, "dropped": 0});
    assert_eq!(
        (&runs[0]["id"], &runs[0]["state"], &runs[0]["languages"]),
        (&json!("r"), &json!("completed"), &["en", "fr", "ar"].map(language).to_vec().into())
    );
    assert_eq!(runs[0]["spent"].as_array().map(Vec::len), Some(3));
}

#[test]
fn parquet_serves_where_there_are_no_training_files() {
    let project = Project::with(&builtin(RUN, "saving: {files: [parquet]}"));
    project.generate(&[]);
    assert!(!project.path("outputs/conversations_sharegpt.jsonl").exists());
    let viewer = Viewer::of(&project, &[]);
    viewer.awaits(12);
    assert!(!viewer.ids(&[("q", "النحل"), ("document", "ar/tarbiyat-al-nahl.md")]).is_empty());
    let row = &viewer.get("/api/0/conversation", &[("id", "r-fr-0002")])["row"];
    assert_eq!((&row["conversation_id"], row["messages"].as_array().map(Vec::len)), (&json!("r-fr-0002"), Some(4)));
}

#[test]
fn labels_are_lines_that_people_can_edit() {
    let project = Project::empty();
    project.write("outputs/conversations_sharegpt.jsonl", [line("a", "A?"), line("b", "B?")].concat().as_bytes());
    let viewer = Viewer::of(&project, &[]);
    viewer.awaits(2);
    let label = |id: &str, label: Value, note: &str| {
        viewer.post("/api/0/label", &json!({"conversation_id": id, "label": label, "note": note})).status
    };
    assert_eq!(label("a", json!("keep"), "</textarea>\n\u{202e}"), 200);
    assert_eq!(label("a", json!("reject"), "no"), 200);
    assert_eq!((label("c", json!("keep"), ""), label("a", json!("maybe"), "")), (404, 422));
    assert_eq!(label("a", json!("keep"), &"x".repeat(10_001)), 400);
    let lines = project.rows("outputs/labels.jsonl");
    assert_eq!((lines.len(), &lines[0]["version"], &lines[0]["note"]), (2, &json!(1), &json!("</textarea>\n\u{202e}")));
    assert_eq!(viewer.ids(&[("label", "reject")]), BTreeSet::from(["a".to_owned()]));
    assert_eq!(viewer.ids(&[("label", "none")]), BTreeSet::from(["b".to_owned()]));
    let text = project.read("outputs/labels.jsonl") + "{\"conversation_id\": \"b\", \"label\": \"keep\"}";
    project.write("outputs/labels.jsonl", text.as_bytes());
    assert_eq!(viewer.ids(&[("label", "keep")]), BTreeSet::from(["b".to_owned()]));
    assert_eq!(label("b", Value::Null, "later"), 200);
    assert_eq!((viewer.total(&[("label", "keep")]), viewer.ids(&[("label", "note")]).len()), (0, 2));
    assert_eq!(viewer.get("/api/0/conversation", &[("id", "b")])["label"]["note"], "later");
    project.write("outputs/labels.jsonl", (text + "\nkeep b\n").as_bytes());
    assert_eq!(viewer.total(&[("label", "reject")]), 1, "as before");
    let trouble = &viewer.get("/api/0/runs", &[])["state"]["trouble"];
    assert!(trouble.to_string().contains("labels.jsonl:4: "), "{trouble}");
}

#[test]
fn the_index_follows_files_that_grow_and_that_are_written_anew() {
    let project = Project::empty();
    let path = project.path("outputs/conversations_sharegpt.jsonl");
    let append = |text: &str| {
        let mut file = fs::OpenOptions::new().append(true).open(&path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    };
    project.write("outputs/conversations_sharegpt.jsonl", line("a", "First?").as_bytes());
    let viewer = Viewer::of(&project, &[]);
    viewer.awaits(1);
    let second = line("b", "Second?");
    append(&second[..40]);
    append(&second[40..]);
    append(&line("c", "Third?")[..50]);
    viewer.awaits(2);
    assert_eq!(viewer.get("/api/0/conversation", &[("id", "b")])["row"]["messages"][0]["content"], "Second?");
    append(&line("c", "Third?")[50..]);
    viewer.awaits(3);
    project.write("outputs/other", [line("d", "Fourth?"), line("a", "Fifth?")].concat().as_bytes());
    fs::rename(project.path("outputs/other"), &path).expect("renamed");
    until("new conversations", || viewer.ids(&[]) == BTreeSet::from(["a".to_owned(), "d".to_owned()]));
    assert_eq!((viewer.total(&[("q", "first")]), viewer.total(&[("q", "fifth")])), (0, 1));
    append("no row\n");
    until("a failure", || {
        viewer.get("/api/0/runs", &[])["state"]["trouble"][0]
            .as_str()
            .is_some_and(|told| told.contains("sharegpt.jsonl:3: "))
    });
}

#[test]
fn a_run_is_seen_while_it_goes_on_and_its_conversations_count_as_it_settles_them() {
    let project = generated();
    let viewer = Viewer::of(&project, &[]);
    viewer.awaits(12);
    let mut run = project.command(&[
        "run",
        "config.yaml",
        "--set",
        "run.run_id=s",
        "--set",
        "run.seed=6",
        "--set",
        "run.total_samples=12",
    ]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    let settled = |wanted: &str| {
        let runs = &viewer.get("/api/0/runs", &[])["runs"];
        runs.as_array()
            .expect("runs")
            .iter()
            .any(|run| run["id"] == "s" && run["state"].as_str().is_some_and(|state| state.starts_with(wanted)))
    };
    until("end", || {
        let total = viewer.total(&[("run", "s")]);
        assert!(total <= 36, "{total}");
        settled("completed")
    });
    assert!(run.wait().expect("it ends").success());
    until("all conversations", || viewer.total(&[("run", "s"), ("status", "completed")]) == 36);
    let compared = viewer.get("/api/compare", &[("a", "r"), ("b", "s")]);
    assert_eq!((&compared["total"], &compared["scored"]), (&json!(36), &json!(12)));
    let pairs = compared["pairs"].as_array().expect("pairs");
    assert!(
        pairs[..12].iter().all(|pair| !pair["difference"].is_null())
            && pairs[12..].iter().all(|pair| pair["a"].is_null())
    );
    let pair = &pairs[0];
    let difference = pair["b"]["score"].as_f64().expect("a score") - pair["a"]["score"].as_f64().expect("a score");
    assert_eq!(pair["difference"].as_f64(), Some(difference));
    assert!(pair["a"]["id"].as_str().is_some_and(|id| id.starts_with("r-")));
}

#[test]
fn what_a_run_may_still_take_back_does_not_count() {
    let project = generated();
    let store = rusqlite::Connection::open(project.path("outputs/store/runs.sqlite")).expect("a store");
    assert_eq!(
        store.execute("UPDATE runs SET state = 'running'", []).expect("written"),
        1,
        "as if its process had died"
    );
    for name in ["conversations_sharegpt.jsonl", "conversations_sharegpt_judged.jsonl"] {
        let text = project.read(&format!("outputs/{name}")) + &line("r-en-0099", "Is it?");
        project.write(&format!("outputs/{name}"), text.as_bytes());
    }
    let viewer = Viewer::of(&project, &[]);
    viewer.awaits(12);
    until("end of indexing", || {
        let indexed = &viewer.get("/api/0/runs", &[])["state"]["indexed"];
        indexed["total"].as_u64() > Some(0) && indexed["done"] == indexed["total"]
    });
    assert_eq!(viewer.total(&[]), 12);
    assert_eq!(store.execute("UPDATE runs SET state = 'completed'", []).expect("written"), 1);
    viewer.awaits(13);
}

#[test]
fn an_index_that_cannot_serve_is_made_anew_or_elsewhere() {
    let project = Project::empty();
    let index = "outputs/.dlgforge-view.sqlite";
    project.write("outputs/conversations_sharegpt.jsonl", line("a", "Is it?").as_bytes());
    project.write(index, &b"no database ".repeat(1000));
    Viewer::of(&project, &[]).awaits(1);
    let other = rusqlite::Connection::open(project.path(index)).expect("a database by now");
    other.pragma_update(None, "user_version", 99).expect("written");
    drop(other);
    Viewer::of(&project, &[]).awaits(1);
    for name in project.names("outputs").iter().filter(|name| name.starts_with(".dlgforge-view")) {
        fs::remove_file(project.path("outputs").join(name)).expect("removed");
    }
    fs::create_dir(project.path(index)).expect("a folder in its place");
    Viewer::of(&project, &[]).awaits(1);
    assert!(project.names("cache/view").iter().any(|name| name.ends_with(".sqlite")));
}

#[test]
fn what_cannot_be_shown_is_told_and_ctrl_c_ends_it() {
    let project = Project::empty();
    project.run(&["view", "none"]).failed_as("view", &["none: there is no such folder"]);
    project.write("empty/readme.txt", b"");
    project.run(&["view", "empty"]).failed_as("view", &["there are no conversations in it", "saving.files"]);
    project.write("outputs/conversations_sharegpt.jsonl", line("a", "Is it?").as_bytes());
    let mut viewer = Viewer::of(&project, &["outputs"]);
    let port = viewer.port.to_string();
    project.run(&["view", "--port", &port]).failed_as("view", &[&format!("127.0.0.1:{port}"), "--port"]);
    signal(&viewer.child, "-INT");
    assert_eq!(viewer.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn what_models_were_asked_and_how_their_endpoints_are_is_shown() {
    let endpoint = Endpoint::start(Behaviour::new(|request, number| match number % 17 {
        5 => Reply::error(503, "down"),
        6 => Reply::error(429, "slow down"),
        _ => reply(request, Latency::NONE),
    }));
    let run = RUN.replace("[en, fr, ar]", "[en, fr]");
    let config = remote(&endpoint.base_url(), &run, "coverage: {question_dedup_retries: 9}");
    let project = Project::with(&config.replace("max_retries: 1", "max_retries: 9"));
    project.generate(&["--set", "judge.enabled=false"]);
    let viewer = Viewer::of(&project, &[]);
    viewer.awaits(8);
    let runs = viewer.get("/api/0/runs", &[])["runs"].clone();
    let health = runs[0]["health"]["endpoints"][endpoint.base_url()].clone();
    let number = |key: &str| health[key].as_u64().expect("a number");
    assert_eq!((number("requests"), number("in_flight")), (endpoint.requests(), 0), "{health}");
    assert!(number("failed") > number("rate_limited") && number("rate_limited") > 0, "{health}");
    assert!(health["p50_s"].as_f64() <= health["p95_s"].as_f64() && health["p50_s"].as_f64() > Some(0.0), "{health}");
    let id = viewer.get("/api/0/list", &[])["conversations"][0]["id"].as_str().expect("an id").to_owned();
    let told = viewer.get("/api/0/conversation", &[("id", &id)]);
    let replies = told["explained"]["replies"].as_array().expect("replies");
    let asked: Vec<_> = replies.iter().filter_map(|reply| reply["request"]["messages"][0]["role"].as_str()).collect();
    assert!(asked.len() >= 5 && asked.iter().all(|role| *role == "system"), "{asked:?}");
    // A pass of the judge has figures of its own.
    project.run(&["judge", "config.yaml"]).succeeded();
    let runs = viewer.get("/api/0/runs", &[])["runs"].clone();
    let pass = runs.as_array().expect("runs").iter().find(|run| run["kind"] == "pass").expect("the pass");
    assert!(pass["health"]["endpoints"][endpoint.base_url()]["requests"].as_u64() > Some(0), "{pass}");
}

#[test]
fn pages_of_help_are_shown_too() {
    let project = generated();
    let viewer = Viewer::of(&project, &[]);
    let first = viewer.get("/api/help", &[]);
    let topics = first["pages"].as_array().expect("pages");
    assert!(topics.len() > 10 && topics[0]["topic"] == "configuration", "{topics:?}");
    for topic in topics {
        let page = viewer.get("/api/help", &[("topic", topic["topic"].as_str().expect("a topic"))]);
        assert_eq!(page["pieces"][0]["tag"], "h1", "{topic}");
    }
    assert_eq!(
        viewer
            .asked("GET /api/help?topic=nothing", &[("host", &viewer.host()), ("authorization", &viewer.bearer())], "")
            .status,
        404
    );
}
