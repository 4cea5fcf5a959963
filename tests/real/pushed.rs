//! What the Hub's own client makes of a repository that was pushed: every byte, and a dataset.

use crate::parts::python;
use crate::support::hub::{Behaviour, Hub, TOKEN};
use crate::support::{Project, Ran, builtin, files};
use std::process::Command;

/// Downloads a repository into a folder, tells how many commits and which files it has, and how many rows and in which languages its
/// dataset has.
const READ: &str = r#"
import sys
import datasets, huggingface_hub
datasets.disable_progress_bars()
huggingface_hub.utils.disable_progress_bars()
api = huggingface_hub.HfApi()
huggingface_hub.snapshot_download("me/d", repo_type="dataset", local_dir=sys.argv[1])
print(api.repo_info("me/d", repo_type="dataset").private, len(api.list_repo_files("me/d", repo_type="dataset")))
rows = datasets.load_dataset("me/d", split="train", cache_dir=sys.argv[2])
print(len(rows))
"#;

#[test]
fn the_hubs_own_client_reads_what_was_pushed() {
    let run = "  run_id: R\n  total_samples: 12\n  target_languages: [ar, fr]\n  turns: {mode: exact, exact: 2}";
    let project = Project::with(&builtin(run, "saving: {hf_push: {repo_id: me/d}}"));
    let hub = Hub::start(Behaviour::default().in_parts(5_000));
    project.generate(&[]);
    let mut push = project.command(&["push", "config.yaml"]);
    push.env("HF_ENDPOINT", hub.root()).env("HF_TOKEN", TOKEN);
    Ran::of(push).succeeded();

    let [down, cache] = ["down", "cache"].map(|folder| project.path(folder));
    let mut read = Command::new(python("readers"));
    let read = read.args(["-c", READ]).args([&down, &cache]).env("HF_HOME", project.path("home"));
    // Xet is for servers that have it.
    let read = read.env("HF_ENDPOINT", hub.root()).env("HF_TOKEN", TOKEN).env("HF_HUB_DISABLE_XET", "1");
    let read = read.env_remove("HF_HUB_OFFLINE").output().expect("Python runs");
    let told = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success(), "{told}{}", String::from_utf8_lossy(&read.stderr));
    let mut exported = files(&project.path("outputs/hf_export"));
    exported.retain(|path, _| !path.starts_with('.'));
    let mut downloaded = files(&down);
    downloaded.retain(|path, _| !path.starts_with('.'));
    assert!(exported == downloaded, "{:?} became {:?}", exported.keys(), downloaded.keys());
    assert_eq!(told.trim(), format!("True {}\n24", exported.len() + 1));
    hub.expect_proper();
}
