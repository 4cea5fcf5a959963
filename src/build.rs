//! Tells the program what it is built of.

use std::env;
use std::fs;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed=DLGFORGE_COMMIT");
    let build = match env::var("PROFILE").as_deref() {
        Ok("release") => env::var("DLGFORGE_COMMIT").ok().or_else(commit).unwrap_or_else(|| "release".to_owned()),
        // It would be built anew after each commit.
        _ => "debug build".to_owned(),
    };
    println!(
        "cargo::rustc-env=DLGFORGE_BUILD={}",
        [build].into_iter().chain(features()).collect::<Vec<_>>().join(", ")
    );
}

/// The features that it is built with, in order.
fn features() -> Vec<String> {
    let named = |name: String| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase());
    let mut features: Vec<_> =
        env::vars().filter_map(|(name, _)| named(name)).filter(|name| name != "default").collect();
    features.sort();
    features
}

/// The commit that is checked out, shortened; none outside a repository.
fn commit() -> Option<String> {
    let git = Path::new(".git");
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    println!("cargo::rerun-if-changed=.git/HEAD");
    let id = match head.trim().strip_prefix("ref: ") {
        None => head,
        Some(branch) => {
            println!("cargo::rerun-if-changed=.git/{branch}");
            fs::read_to_string(git.join(branch)).ok().or_else(|| packed(git, branch))?
        }
    };
    id.get(..12).map(str::to_owned)
}

fn packed(git: &Path, branch: &str) -> Option<String> {
    let refs = fs::read_to_string(git.join("packed-refs")).ok()?;
    refs.lines().find_map(|line| line.strip_suffix(branch)?.strip_suffix(' ').map(str::to_owned))
}
