//! `dlgforge seeds-migrate`: which file is read, which is written, what is refused.

use crate::support::{Project, builtin};

const OLD: &str = r#"{"Islamic Finance": {"english": ["What is a murabaha?"], "msa": ["ما المرابحة؟", " "]}, "Thé": {"france": ["Où pousse-t-il : en Asie ?"]}}"#;

const NEW: &str = "version: 1
defaults:
  by_target_language:
    ar: msa
    en: english
    fr: france
  final_fallback: english
aliases:
  english: english
  msa: msa
  france: france
  arabic: msa
  french: france
  ar: msa
  en: english
  fr: france
variants:
  english:
    Islamic Finance:
      - What is a murabaha?
  france:
    Thé:
      - \"Où pousse-t-il : en Asie ?\"
  msa:
    Islamic Finance:
      - ما المرابحة؟
";

fn project(path: &str) -> Project {
    let seeding = format!("  total_samples: 1\n  data: {{seeding: {{topics: {{path: '{path}'}}}}}}");
    let project = Project::empty();
    project.write("config.yaml", builtin(&seeding, "").as_bytes());
    project
}

#[test]
fn an_old_file_becomes_the_one_that_runs_read() {
    let project = project("");
    project.write("seed_topics.json", OLD.as_bytes());
    let ran = project.run(&["seeds-migrate", "config.yaml"]).succeeded();
    assert!(ran.stdout.contains("data/seeds/topics.yaml: 3 questions on 3 topics, variants: 3\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("set `run.data.seeding.topics.path` to it"), "{}", ran.stdout);
    assert!(ran.stderr.contains("seed_topics.json: Islamic Finance.msa: item 2 left out"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "that its form is an old one goes without saying:\n{}", ran.stderr);
    assert_eq!(project.read("data/seeds/topics.yaml"), NEW);
    assert_eq!(project.names("data/seeds"), ["topics.yaml"], "nothing temporary is left");

    let refused = project.run(&["seeds-migrate", "config.yaml"]);
    let refused =
        refused.failed_as("seeds-migrate", &["Refusing to overwrite existing file: ", "data/seeds/topics.yaml"]);
    assert_eq!(refused.stderr.lines().count(), 1);
    project.write("other.yml", b"Bread: [Why does it rise?]");
    let other = ["seeds-migrate", "config.yaml", "--source-file", "other.yml", "--overwrite"];
    assert_eq!(project.run(&other).succeeded().stderr, "");
    let bread = "variants:\n  english:\n    Bread:\n      - Why does it rise?\n";
    assert!(project.read("data/seeds/topics.yaml").ends_with(bread));
}

#[test]
fn the_configured_file_is_written_anew_in_its_place() {
    let project = project("topics.yaml");
    project.write("topics.yaml", OLD.as_bytes());
    let ran = project.run(&["seeds-migrate", "config.yaml", "--overwrite"]).succeeded();
    assert_eq!((ran.stdout.lines().count(), project.read("topics.yaml").as_str()), (1, NEW), "{}", ran.stdout);
    let again = project.run(&["seeds-migrate", "--dest-file", "deep/down.yaml"]).succeeded();
    let of_variants = |text: &str| text.split_once("variants:").map(|(_, variants)| variants.to_owned());
    assert_eq!(of_variants(&project.read("deep/down.yaml")), of_variants(NEW), "{}", again.stdout);
}

#[test]
fn what_can_not_be_read_is_refused_on_one_line() {
    let project = project("topics.json");
    let fails = |message: &str| {
        let ran = project.run(&["seeds-migrate", "config.yaml"]).failed_as("seeds-migrate", &[message]);
        assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{}", ran.stderr);
    };
    fails("Seed topics source file not found: ");
    for empty in ["{}", r#"{"Tea": [], "Ale": [" "]}"#, r#"{"variants": {"english": {}}}"#] {
        project.write("topics.json", empty.as_bytes());
        fails("No valid seed topics found in source file.");
    }
    for (broken, message) in
        [(&b"{\"Tea\": ["[..], "topics.json: EOF"), (b"[1]", "a mapping of topics"), (b"\xff", "UTF-8")]
    {
        project.write("topics.json", broken);
        fails(message);
    }
    assert!(!project.path("data").exists());
    let ran = project.run(&["seeds-migrate", "gone.yaml"]);
    assert_eq!(ran.stderr, "dlgforge seeds-migrate failed: Config file not found: gone.yaml\n");
    assert_eq!(project.run(&["seeds-migrate", "config.yaml", "--nope"]).code, Some(2));
}
