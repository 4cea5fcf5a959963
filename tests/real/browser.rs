//! The pages of `dlgforge view` in a real browser: each page, keys, filters, right-to-left text, both colour schemes, two widths.

use crate::parts::real;
use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, builtin, remote, shipped};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// A conversation whose texts would do something where they were taken for pages.
const HOSTILE: &str = r#"{"messages": [{"role": "user", "content": "<script>window.hacked = 1</script></textarea><img src=x onerror='window.hacked = 2'> \u202eabc"}, {"role": "assistant", "content": "<b>bold</b> javascript:alert(1)"}], "metadata": {"conversation_id": "h-en-0000", "run_id": "h", "timestamp": "2026-11-28T03:46:32+00:00", "n_turns": 1, "language": "en", "conversation_status": "completed", "drop_reason": "", "personas": {"user": "<i>u</i>", "assistant": "a", "user_id": "<i>p</i>", "assistant_id": "a"}, "question_modes": ["fresh"], "provenance": {"passages": [], "turns": [[]]}}, "user_reasoning": [{"turn_index": 1}], "assistant_reasoning": [{"turn_index": 1}]}
"#;

#[test]
fn pages_show_what_there_is_and_obey_keys() {
    let run = "  run_id: r\n  batch_size: 4\n  total_samples: 4\n  target_languages: [en, fr, ar]\n  turns: {mode: exact, exact: 2}";
    let project = Project::with(&builtin(run, ""));
    project.generate(&[]);
    project.write("hostile/conversations_sharegpt.jsonl", HOSTILE.as_bytes());
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let asked = "  run_id: q\n  total_samples: 2\n  turns: {mode: exact, exact: 2}";
    let asked = Project::with(&remote(&endpoint.base_url(), asked, ""));
    asked.generate(&[]);
    let asked = asked.path("outputs").display().to_string();
    let mut viewer =
        project.command(&["view", "outputs", "hostile", &asked]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(viewer.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("open ").expect("an address");
    let driven = Command::new("node")
        .arg(shipped("tests/real/browser.mjs"))
        .args([address, "chromium"])
        .arg(real("browser"))
        .output();
    // It must not outlive a failure.
    _ = viewer.kill();
    _ = viewer.wait();
    let driven = driven.expect("node runs");
    let (told, complaint) = (String::from_utf8_lossy(&driven.stdout), String::from_utf8_lossy(&driven.stderr));
    assert!(driven.status.success(), "{told}{complaint}");
    let labels = project.rows("outputs/labels.jsonl");
    let last = labels.last().expect("a label");
    assert_eq!((&last["label"], &last["note"]), (&"keep".into(), &"ملاحظة".into()), "{labels:?}");
}
