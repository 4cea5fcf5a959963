//! What conversations are about, and which of them are kept. Would catch: questions about anything but the user's documents,
//! follow-ups that wander off, rows without their labels.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, builtin, edited, remote};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const RUN: &str = "  run_id: r\n  batch_size: 8\n  total_samples: 24\n  turns: {mode: exact, exact: 4}";

fn generated(more: &str) -> Project {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, more));
    project.generate(&[]);
    project
}

/// The document of a turn's passage, as its id tells it.
fn document(turn: &Value) -> &str {
    turn["coverage_target"].as_str().expect("an id").rsplit_once('-').expect("a document and a number").0
}

#[test]
fn follow_ups_stay_in_the_document_of_the_turn_before() {
    let project = generated("");
    let turns = project.rows("outputs/turns.jsonl");
    let pairs = turns.windows(2).filter(|pair| pair[0]["conversation_id"] == pair[1]["conversation_id"]);
    let (mut follow_ups, mut same, mut fresh, mut elsewhere) = (0, 0, 0, 0);
    for pair in pairs {
        let stays = document(&pair[0]) == document(&pair[1]);
        match pair[1]["question_mode"].as_str() {
            Some("followup") => (follow_ups, same) = (follow_ups + 1, same + usize::from(stays)),
            Some("fresh" | "off_topic") => (fresh, elsewhere) = (fresh + 1, elsewhere + usize::from(!stays)),
            _ => {}
        }
    }
    assert!(follow_ups > 25 && 10 * same >= 9 * follow_ups, "{same} of {follow_ups}");
    assert!(fresh > 5 && 2 * elsewhere >= fresh, "{elsewhere} of {fresh}");
}

#[test]
fn without_a_path_of_topics_nothing_is_asked_but_about_the_documents() {
    let project = generated("");
    for turn in project.rows("outputs/turns.jsonl") {
        assert!(turn["seed_question"] == "" && turn["question_mode"] != "seeded", "{turn}");
        assert!(!document(&turn).is_empty() && turn["retrieved"] == true, "{turn}");
    }
    // With one, a seed question that the documents tell nothing of is not asked either.
    let project = Project::with(&builtin(
        "  run_id: r\n  total_samples: 30\n  turns: {mode: exact, exact: 1}\n  \
        data: {seeding: {topics: {path: topics.yaml, probability: 1}}}",
        "",
    ));
    let topics = "variants: {english: {Ours: [How long does a starter keep in the refrigerator?], \
                  Theirs: [Which tax applies to imported lorries?, Who won the chess olympiad in Batumi?]}}";
    project.write("topics.yaml", topics.as_bytes());
    project.generate(&[]);
    let turns = project.rows("outputs/turns.jsonl");
    let seeded: Vec<_> = turns.iter().filter(|turn| turn["question_mode"] == "seeded").collect();
    assert!(!seeded.is_empty() && seeded.iter().all(|turn| turn["seed_topic"] == "Ours"), "{seeded:?}");
}

/// An answer that cites a passage which it was not shown, and an address that nobody gave it.
fn inventing(reply: Reply) -> Reply {
    edited(reply, |message| {
        let said: Option<Value> = message["content"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let Some(mut said) = said.filter(|said| said.get("evidence_refs").is_some()) else { return };
        said["evidence_refs"] = json!(["P1", "P77"]);
        let answer = said["assistant_message"].as_str().expect("an answer");
        said["assistant_message"] = format!("{answer} See https://made.up/page.").into();
        message["content"] = said.to_string().into();
    })
}

#[test]
fn rows_tell_where_answers_come_from_and_what_they_made_up() {
    let endpoint = Endpoint::start(Behaviour::new(|request, _| {
        let invents = xxhash_rust::xxh3::xxh3_64(request.to_string().as_bytes()).is_multiple_of(3);
        let reply = reply(request, Latency::NONE);
        if invents { inventing(reply) } else { reply }
    }));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    let ran = project.generate(&[]);
    let turns = project.rows("outputs/turns.jsonl");
    let is_invented = |turn: &&Value| turn["unknown_citations"][0] == "P77";
    let invented = turns.iter().filter(is_invented).count();
    let address = json!("https://made.up/page");
    assert!(turns.iter().any(|turn| turn["unknown_citations"][1] == address), "as long as nobody has said it");
    let told = format!("{invented} with citations of what was not found");
    let stdout: Vec<&str> = ran.stdout.split_whitespace().collect();
    assert!(invented > 5 && stdout.join(" ").contains(&told), "{told}: {}", ran.stdout);
    let judged = endpoint.log().into_iter().filter(|request| asked_for(request) == "judge_reply");
    let judged = judged.filter(|request| text(request, |_| true).contains("cites what was not found")).count();
    assert_eq!(judged, invented, "the judge is told");
    for turn in &turns {
        let shown = turn["provenance"].as_array().expect("passages");
        let evidence = turn["reasoning_trace"]["evidence"].as_array().expect("evidence");
        let mut cited = 0;
        for passage in shown {
            let path = format!("knowledge/{}", passage["source"].as_str().expect("a path"));
            let place = |name: &str| passage[name].as_u64().expect("a place") as usize;
            let (start, end) = (place("char_start"), place("char_end"));
            let there: String = project.read(&path).chars().skip(start).take(end - start).collect();
            assert!(passage["scores"][0]["by"] == "lexical" && passage["scores"][0]["score"].as_f64() > Some(0.0));
            for id in passage["evidence_ids"].as_array().expect("ids") {
                let piece = evidence.iter().find(|piece| piece["id"] == *id).expect("a piece of evidence");
                let last = piece["content"].as_str().and_then(|content| content.lines().last()).expect("a text");
                assert!(there.contains(last), "{path} {start}..{end}: {last}");
                cited += 1;
            }
        }
        assert_eq!(cited, evidence.len(), "{turn}");
    }
    let rows = project.rows("outputs/conversations_sharegpt.jsonl");
    for (row, turns) in rows.iter().zip(turns.chunks(4)) {
        let provenance = &row["metadata"]["provenance"];
        for (references, turn) in provenance["turns"].as_array().expect("turns").iter().zip(turns) {
            let positions = references.as_array().expect("positions").iter().filter_map(Value::as_u64);
            let named: Vec<_> = positions.map(|at| &provenance["passages"][at as usize]["id"]).collect();
            let shown = turn["provenance"].as_array().expect("passages").iter().map(|passage| &passage["id"]);
            assert_eq!(named, shown.collect::<Vec<_>>());
        }
    }
}

#[test]
fn verdicts_label_rows_or_drop_conversations() {
    for (on_fail, granularity) in [("keep", "turn"), ("drop", "turn"), ("drop", "conversation")] {
        let judge = format!(
            "judge: {{mode: online, granularity: {granularity}, accept: {{min_score: 2, require: [question_ok], on_fail: {on_fail}}}}}"
        );
        let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
        let project = Project::with(&remote(&endpoint.base_url(), RUN, "").replace("judge: {mode: online}", &judge));
        let ran = project.generate(&[]);
        assert!(ran.stdout.contains("conversations  24 of 24 accepted"), "{}", ran.stdout);
        let mut rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
        assert!(rows.iter().all(|row| row["metadata"]["drop_reason"] == ""), "dropped ones are not trained on");
        rows.extend(project.rows("outputs/dropped.jsonl"));
        let mut below = 0;
        for row in &rows {
            let verdicts = row["judge"]["per_turn"].as_array().expect("verdicts").iter();
            let whole = Some(&row["judge"]["conversation"]).filter(|verdict| verdict["score"].is_u64());
            let good = verdicts.chain(whole).all(|verdict| verdict["score"].as_u64().expect("a score") >= 2);
            below += usize::from(!good);
            assert_eq!(row["metadata"]["judge_accepted"], good, "{row}");
            let dropped = on_fail == "drop" && !good;
            assert_eq!(row["metadata"]["drop_reason"], if dropped { "judge_rejected" } else { "" }, "{row}");
        }
        assert!(below > 0, "some of {} are below", rows.len());
        assert_eq!(ran.stdout.contains("judge_rejected"), on_fail == "drop", "{}", ran.stdout);
    }
}

#[test]
fn what_the_judge_rejects_is_answered_again_and_makes_a_pair() {
    let judge = "judge: {mode: online, accept: {min_score: 4, on_fail: repair, repairs: 2}}";
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, "").replace("judge: {mode: online}", judge));
    let ran = project.generate(&[]);
    assert!(ran.stdout.contains("conversations  24 of 24 accepted"), "{}", ran.stdout);
    assert!(ran.stdout.contains("answered again after a verdict"), "{}", ran.stdout);
    let turns = project.rows("outputs/turns.jsonl");
    assert!(turns.iter().all(|turn| turn["judge_score"].as_u64() >= Some(4)), "only what is accepted is trained on");
    let pairs = project.rows("outputs/preferences.jsonl");
    assert!(pairs.len() > 10, "{} pairs of {} turns", pairs.len(), turns.len());
    for pair in &pairs {
        let is_turn = |turn: &&Value| ["conversation_id", "turn_index"].iter().all(|key| turn[*key] == pair[*key]);
        let turn = turns.iter().find(is_turn).expect("a turn that is trained on");
        let prompt = pair["prompt"].as_array().expect("messages");
        assert_eq!(prompt.len() as u64, 2 * turn["turn_index"].as_u64().expect("a number") - 1);
        assert_eq!(prompt.last().expect("the question")["content"], turn["user_message"]);
        assert_eq!(pair["chosen"][0]["content"], turn["assistant_message"]);
        assert_ne!(pair["rejected"][0]["content"], turn["assistant_message"]);
        let [chosen, rejected] = ["score_chosen", "score_rejected"].map(|key| pair[key].as_u64().expect("a score"));
        assert!(rejected < 4 && chosen >= 4 && chosen == turn["judge_score"], "{pair}");
    }
    // The assistant was shown what was wrong.
    let again = endpoint.log().iter().filter(|asked| asked.to_string().contains("and is not good enough:")).count();
    assert!(again >= pairs.len(), "{again} requests for {} pairs", pairs.len());
    let drops = project.drops();
    assert!(drops.keys().all(|reason| reason == "judge_rejected"), "after the last of them it is dropped: {drops:?}");
    let kept = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    kept.generate(&[]);
    assert!(!kept.path("outputs/preferences.jsonl").exists(), "where nothing is repaired there are no pairs");
}

#[test]
fn a_turn_that_the_judge_rejects_is_made_again_with_another_question() {
    let judge = "judge: {mode: online, accept: {min_score: 4, on_fail: regenerate, regenerations: 3}}";
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, "").replace("judge: {mode: online}", judge));
    let ran = project.generate(&[]);
    assert!(ran.stdout.contains("conversations  24 of 24 accepted"), "{}", ran.stdout);
    let told = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("made again after a verdict"), "{}", ran.stdout);
    let turns = project.rows("outputs/turns.jsonl");
    assert!(turns.iter().all(|turn| turn["judge_score"].as_u64() >= Some(4)), "only what is accepted is trained on");
    let asked: BTreeSet<String> = turns.iter().map(|turn| turn["user_message"].to_string().to_lowercase()).collect();
    let mut again = 0;
    for name in project.names("outputs/conversations") {
        let document: Value =
            serde_json::from_str(&project.read(&format!("outputs/conversations/{name}"))).expect("a document");
        for turn in document["state"]["turns"].as_array().expect("turns") {
            for before in turn["regenerated"].as_array().into_iter().flatten() {
                again += 1;
                assert!(before["judgement"]["reply"]["score"].as_u64() < Some(4), "{before}");
                let question = before["question"]["reply"]["user_message"].to_string().to_lowercase();
                assert!(!asked.contains(&question), "{question}: it stays taken, and is not trained on");
            }
        }
    }
    assert!(again > 10, "{again} of {} turns", turns.len());
    assert!(!project.path("outputs/preferences.jsonl").exists(), "answers to other questions are no pairs");
}

#[test]
fn the_built_in_model_wants_documents_in_every_language() {
    let project = Project::empty();
    let run = "  total_samples: 1\n  target_languages: [en, fr]";
    project.write("config.yaml", builtin(run, "").as_bytes());
    let english = "# Tea\n\nTea is made from the leaves of a plant. The water for it is as hot as it can be.\n";
    project.write("knowledge/tea.md", english.as_bytes());
    let ran = project.run(&["run", "config.yaml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("`knowledge/` has none in `fr`"), "{}", ran.stderr);
    assert!(!project.path("outputs/turns.jsonl").exists(), "before it starts");
}

#[test]
fn rows_say_whether_personas_were_played() {
    let quick = Project::with(&builtin("  run_id: r\n  total_samples: 4", ""));
    quick.generate(&[]);
    for (project, played) in [(quick, false), (generated(""), true)] {
        for (file, place) in [("turns", "/persona_applied"), ("conversations_sharegpt", "/metadata/persona_applied")] {
            let rows = project.rows(&format!("outputs/{file}.jsonl"));
            assert!(rows.len() >= 4 && rows.iter().all(|row| row.pointer(place) == Some(&played.into())), "{file}");
        }
    }
}

#[test]
fn personas_may_be_rows_of_a_public_set() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, "personas: {path: people.jsonl, column: text}"));
    let row = |number: usize| format!("{{\"text\": \"A keeper of lighthouse {number}.\", \"age\": {number}}}\n");
    let rows: String = (0..30).map(row).chain(["no row\n".to_owned()]).collect();
    project.write("people.jsonl", rows.as_bytes());
    let ran = project.generate(&[]);
    assert!(ran.stderr.contains("people.jsonl: row 31 of 31 left out, it has no JSON object"), "{}", ran.stderr);
    let rows = project.rows("outputs/conversations_sharegpt.jsonl");
    let told = |row: &Value| row["metadata"]["personas"]["user"].as_str().expect("a persona").to_owned();
    let played: BTreeSet<String> = rows.iter().map(told).collect();
    assert!(played.len() >= 12 && played.iter().all(|one| one.starts_with("A keeper of lighthouse ")), "{played:?}");
    assert_eq!(rows[0]["metadata"]["personas"]["assistant"], "");
    assert!(endpoint.log().iter().any(|asked| asked.to_string().contains("A keeper of lighthouse 7.")));
    project.write("config.yaml", project.read("config.yaml").replace("column: text", "column: persona").as_bytes());
    let refused = project.run(&["run", "config.yaml", "--set", "run.run_id=other"]);
    let told = "people.jsonl for personas: it has no column `persona`; it has `text`, `age`: set `personas.column` to one of them";
    assert!(refused.code == Some(1) && refused.stderr.contains(told), "{}", refused.stderr);
}

/// Characters of the longest request of each role, a token being about four of them; and the least share, in percent, that its
/// prefix has of what was sent before. What a question is to be like, and the
/// form of a reply that no field tells, stand last, where small models heed them.
const ROLES: [(&str, usize, usize); 3] =
    [("user_reply", 4_000, 83), ("assistant_reply", 7_000, 75), ("judge_reply", 7_000, 90)];

#[test]
fn requests_are_short_and_begin_as_those_before() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    Project::with(&remote(&endpoint.base_url(), RUN, "")).generate(&[]);
    let log = endpoint.log();
    for (role, longest, least) in ROLES {
        let of_role: Vec<&Value> = log.iter().filter(|request| asked_for(request) == role).collect();
        let most = of_role.iter().map(|request| text(request, |_| true).chars().count()).max();
        assert!(most.is_some_and(|most| most <= longest), "{role}: {most:?}");
        // Of what was sent before, all but the passages is looked at: which of them are shown is up to the question.
        let texts: Vec<String> = of_role
            .iter()
            .map(|request| without_passages(&text(request, |message| message["role"] != "tool")))
            .collect();
        let (mut prefix, mut again) = (0, 0);
        for (at, text) in texts.iter().enumerate().skip(1) {
            let before = &texts[..at];
            let alike = before.iter().map(|earlier| alike(earlier, text)).max().unwrap_or_default();
            let told = |line: &&str| before.iter().any(|earlier| earlier.lines().any(|one| one == *line));
            prefix += alike;
            again += text[alike..].lines().filter(told).map(|line| line.len() + 1).sum::<usize>();
        }
        assert!(100 * prefix >= least * (prefix + again), "{role}: {prefix} of {}", prefix + again);
    }
}

/// The form that a reply is asked for in. Requests with tools have it in their text: they are the assistant's.
fn asked_for(request: &Value) -> &str {
    request["response_format"]["json_schema"]["name"].as_str().unwrap_or("assistant_reply")
}

/// The text of a request's messages of this kind.
fn text(request: &Value, of: impl Fn(&Value) -> bool) -> String {
    let messages = request["messages"].as_array().expect("messages").iter().filter(|message| of(message));
    messages.map(|message| format!("{}\n", message["content"].as_str().unwrap_or_default())).collect()
}

/// A text without the passages that are quoted in it.
fn without_passages(text: &str) -> String {
    let quotes = |part: &&str| ["passages\"", "evidence\""].iter().any(|name| part.starts_with(name));
    let kept = |part| Some(part).filter(|part| !quotes(part)).or_else(|| Some(part.split_once("</untrusted>")?.1));
    text.split("<untrusted name=\"").filter_map(kept).collect()
}

/// How many bytes two texts have in common at their beginning.
fn alike(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(letter, _)| letter.len_utf8()).sum()
}
