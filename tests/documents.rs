//! Documents of every type, by the real program. Would catch: a type that gives no chunk, chunks that do not tell where they
//! are from, a file that brings down the run or holds it up.

use crate::support::documents::{docx, lines, paragraph, parquet, pdf, pdf_of};
use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, Ran, builtin, remote};
use dlgforge::knowledge::{self, Options, Reading};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 12\n  turns: {mode: exact, exact: 2}";

fn project(more: &str, files: &[(&str, Vec<u8>)]) -> Project {
    let project = Project::empty();
    project.write("config.yaml", builtin(RUN, more).as_bytes());
    for (path, bytes) in files {
        project.write(&format!("knowledge/{path}"), bytes);
    }
    project
}

/// Sentences on a subject, enough to ask about.
fn prose(subject: &str) -> String {
    format!(
        "The {subject} of the harbour was built of stone in 1848. Its keeper cleans the {subject} every morning. In winter \
         the {subject} is closed because the sea is too rough. A new roof was put on the {subject} after the great storm."
    )
}

fn text(inside: &Path) -> String {
    let files = fs::read_dir(inside).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.map(|file| fs::read_to_string(file).expect("a file")).collect()
}

/// What the run said about a file.
fn said(project: &Project, file: &str) -> String {
    let log = project.read("logs/run.log");
    let lines: Vec<&str> = log.lines().filter(|line| line.ends_with(&format!(": {file}"))).collect();
    lines.join("\n")
}

#[test]
fn every_type_is_read_and_named_in_the_outputs() {
    let head = |level: u8| format!("<w:pStyle w:val=\"berschrift{level}\"/>");
    let letter = [paragraph(&head(1), "Boats"), paragraph(&head(2), "Ferry"), paragraph("", &prose("ferry"))].concat();
    let rows = |subjects: [&str; 2]| subjects.map(prose);
    let [bell, crane] = rows(["bell", "crane"]);
    let [dock, mill] = rows(["dock", "mill"]);
    let pier = prose("pier");
    let pier: Vec<&str> = pier.split_inclusive(". ").map(str::trim).collect();
    let files = [
        ("a.txt", prose("tower").into_bytes()),
        ("b.md", format!("# Houses\n\n## Chapel\n\n{}", prose("chapel")).into_bytes()),
        ("c.HTM", format!("<nav>no</nav><h1>Ways</h1><h2>Bridge</h2><p>{}</p>", prose("bridge")).into_bytes()),
        ("d.docx", docx(&letter)),
        ("e.pdf", pdf(&[lines(&pier)])),
        ("f.jsonl", format!("{{\"text\": \"{bell}\"}}\n{{\"text\": \"{crane}\"}}\n").into_bytes()),
        ("g.parquet", parquet(&[("text", &[Some(&dock), Some(&mill)])])),
    ];
    let project = project("", &files);
    let ran = project.generate(&[]);
    assert!(!ran.stderr.contains("skipped") && !ran.stderr.contains("left out"), "{}", ran.stderr);
    let all = text(&project.path("outputs/conversations"));
    for path in ["a.txt", "b.md", "c.HTM", "d.docx", "e.pdf", "f.jsonl#1", "f.jsonl#2", "g.parquet#1", "g.parquet#2"] {
        assert!(all.contains(&format!("{path}#chunk0")), "no chunk of {path}");
    }
    // Of what is cut from a section, models are told where it stands.
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let cut = "tools: {retrieval: {chunking: {chunk_size: 120}}}";
    project.write("config.yaml", remote(&endpoint.base_url(), RUN, cut).as_bytes());
    project.generate(&["--set", "saving.output_dir=more"]);
    let asked: String = endpoint.log().iter().map(Value::to_string).collect();
    for context in ["Houses › Chapel", "Ways › Bridge", "Boats › Ferry"] {
        assert!(asked.contains(&format!("] {context}\\n")), "no {context}");
    }
}

/// Content of a PDF that draws forms.
fn draw(forms: &[usize]) -> String {
    forms.iter().map(|form| format!("/X{form} Do ")).collect()
}

#[test]
fn hostile_files_cost_themselves_alone() {
    let secret = String::from_utf8(pdf(&[lines(&["secret"])])).expect("ASCII");
    let key = "5a".repeat(32);
    let encrypt = format!("/Root 1 0 R /Encrypt << /Filter /Standard /V 1 /R 2 /P -1 /O <{key}> /U <{key}> >>");
    // Each form draws the next one twice: a thousand million million times the last one.
    let twice: Vec<String> = (0..50).map(|at| draw(&[at + 1, at + 1])).chain(["0 0 m".to_owned()]).collect();
    let files = [
        ("good.md", prose("tower").into_bytes()),
        ("good.pdf", pdf(&[lines(&["The pier was built of stone.", "It is closed in winter."])])),
        ("endless.pdf", pdf_of(&[draw(&[0])], &twice)),
        ("itself.pdf", pdf_of(&[draw(&[0])], &[draw(&[0])])),
        ("scanned.pdf", pdf(&[vec![]])),
        ("locked.pdf", secret.replace("/Root 1 0 R", &encrypt).into_bytes()),
        ("cut.pdf", pdf(&[lines(&["one"])])[..200].to_vec()),
        ("deep.html", "<div><b>".repeat(200_000).into_bytes()),
        ("many.html", "<p>".repeat(1_600_000).into_bytes()),
        ("bomb.docx", docx(&paragraph("", &"a".repeat(20_000_000)))),
        ("noise.docx", (0..9_999_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("noise.parquet", b"PAR1 no more than that PAR1".to_vec()),
        ("long.txt", "word ".repeat(1_200_000).into_bytes()),
    ];
    let project = project("knowledge: {timeout_s: 1, max_size_mb: 5, max_memory_mb: 150}", &files);
    let began = Instant::now();
    project.generate(&[]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    for (file, reason) in [
        ("endless.pdf", "takes more than 1 s (`knowledge.timeout_s`)"),
        ("itself.pdf", "its reader has crashed (signal: "),
        ("scanned.pdf", "it has no text; it is probably scanned: convert it with `tools.retrieval.convert`"),
        ("locked.pdf", "it is encrypted; save it without a password"),
        ("cut.pdf", "it is no PDF file that can be read ("),
        ("deep.html", "takes more than 1 s (`knowledge.timeout_s`)"),
        ("many.html", "takes more than 150 MB (`knowledge.max_memory_mb`)"),
        ("bomb.docx", "it unpacks to more than 5 MB (`knowledge.max_size_mb`)"),
        ("noise.docx", "it is no DOCX file that can be read ("),
        ("noise.parquet", "it is no Parquet file that can be read ("),
        ("long.txt", "it is longer than 5 MB (`knowledge.max_size_mb`)"),
    ] {
        let said = said(&project, file);
        assert!(said.contains("skipped, ") && said.contains(reason), "{file}: {said}");
    }
    assert_eq!((said(&project, "good.md"), said(&project, "good.pdf")), (String::new(), String::new()));
}

#[test]
fn where_every_file_is_broken_all_are_named() {
    let project = project("", &[("a.pdf", b"no".to_vec()), ("b.docx", b"no".to_vec()), ("c.html", b"<p>".to_vec())]);
    Ran::of(project.command(&["run", "config.yaml"])).failed(&[
        "No supported knowledge files found. Add at least one .txt, .md, or .pdf under knowledge/.",
        "skipped, it is no PDF file that can be read",
        ": a.pdf; skipped, it is no DOCX file that can be read",
        ": b.docx; skipped, it is empty: c.html.",
    ]);
}

#[cfg(unix)]
#[test]
fn a_program_reads_what_it_is_set_for_once() {
    let script = "echo >>runs; echo \\# Scans; echo; echo \\## Tower; echo; cat \"$1\"";
    let more = format!(
        "tools: {{retrieval: {{convert: {{xyz: '{0}', pdf: '{0}'}}}}}}",
        format!("sh -c '{script}' sh {{input}}").replace('\'', "''")
    );
    let files = [("a b.XYZ", prose("tower").into_bytes()), ("c.pdf", prose("pier").into_bytes())];
    let project = project(&more, &files);
    for _ in 0..2 {
        project.generate(&["--set", "run.run_id="]);
    }
    let all = text(&project.path("outputs/conversations"));
    assert!(all.contains("a b.XYZ#chunk0") && all.contains("c.pdf#chunk0") && all.contains("## Tower"));
    assert_eq!(project.read("runs").lines().count(), 2, "each file once");
    assert_eq!(project.names("knowledge_index/converted").len(), 2);
    project.write("knowledge/c.pdf", b"");
    project.write(
        "config.yaml",
        builtin(RUN, "tools: {retrieval: {convert: {pdf: 'sh -c \"echo broken page >&2; exit 4\" {input}'}}}")
            .as_bytes(),
    );
    project.run(&["run", "config.yaml"]).failed(&[
        "1 file of types .xyz (1) left out",
        "skipped, `sh` has failed (exit status: 4), having said: broken page: c.pdf",
    ]);
}

#[cfg(unix)]
#[test]
fn what_is_read_otherwise_later_is_found_by_what_it_says_now() {
    let script = "test -e works && sed s/x/tower/ \"$1\"";
    let more = format!(
        "tools: {{{{retrieval: {{{{convert: {{{{xyz: '{}'}}}}}}}}}}}}",
        format!("sh -c '{script}' sh {{input}}").replace('\'', "''")
    );
    let more = more.replace("{{", "{").replace("}}", "}");
    let files = [("a.xyz", prose("x").into_bytes()), ("b.md", prose("pier").into_bytes())];
    let project = project(&more, &files);
    let finds = |query: &str, source: &str| {
        let found = project.run(&["search", "config.yaml", query, "-k", "1"]).succeeded();
        assert!(found.stdout.contains(source), "{query}: {}{}", found.stdout, found.stderr);
    };
    finds("pier", "b.md");
    project.write("works", b"");
    finds("tower", "a.xyz");
    finds("pier", "b.md");
    // Kept, and the same again; the index of before is gone.
    finds("tower", "a.xyz");
    let indices = project.names("knowledge_index").into_iter().filter(|name| name.starts_with("lexical-"));
    assert_eq!(indices.count(), 1);
}

#[test]
fn a_process_reads_what_this_one_reads() {
    let files = [
        ("a.html", b"<h1>One</h1><p>two</p>".to_vec()),
        ("b.pdf", pdf(&[lines(&["three"])])),
        ("c.docx", docx(&paragraph("", "four"))),
        ("d.parquet", parquet(&[("text", &[Some("five"), None, Some("six")])])),
        ("e.pdf", b"no".to_vec()),
    ];
    let project = project("", &files);
    let read = |program: Option<PathBuf>| {
        let reading = Reading { program, ..Reading::default() };
        let index = tempfile::tempdir().expect("a folder");
        let options = Options::of(project.path("knowledge"), index.path().to_path_buf());
        let options = Options { reading, chunk_size: 99, ..options };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let opened = runtime.block_on(knowledge::open(&options, &|_| ())).expect("documents");
        (opened.catalogue.sources.clone(), Vec::from_iter(opened.catalogue.chunks()), opened.warnings)
    };
    let here = read(None);
    assert_eq!((here.0.len(), here.2.len()), (5, 2));
    assert_eq!(read(Some(env!("CARGO_BIN_EXE_dlgforge").into())), here);
}
