//! A wheel of the binary, in an environment of its own: what `pip install` gives people who have no Rust.

use crate::support::{Project, Ran, copy, shipped};
use std::process::Command;

#[test]
fn a_wheel_has_the_program() {
    let project = Project::empty();
    let mut build = Command::new(shipped("tests/wheel/build"));
    // Compiled as the README's first command is: what is optimised takes longer than all tests.
    build.args([project.path("wheels").as_os_str(), "dev".as_ref()]);
    Ran::of(build).succeeded();
    let [wheel] = project.names("wheels").try_into().expect("one wheel");
    assert!(wheel.starts_with(concat!("dlgforge-", env!("CARGO_PKG_VERSION"), "-py3-none-")), "{wheel}");

    let mut python = Command::new("python3");
    python.args(["-m", "venv"]).arg(project.path("venv"));
    Ran::of(python).succeeded();
    let mut pip = Command::new(project.path("venv/bin/pip"));
    pip.args(["install", "--quiet", "--no-index"]).arg(project.path("wheels").join(&wheel));
    Ran::of(pip).succeeded();
    copy(&shipped("config"), &project.path("config"));
    copy(&shipped("knowledge"), &project.path("knowledge"));
    let installed = |arguments: &[&str]| {
        let mut command = Command::new(project.path("venv/bin/dlgforge"));
        command.args(arguments).current_dir(project.path("."));
        Ran::of(command).succeeded().stdout
    };
    assert!(installed(&["--version"]).starts_with(concat!("dlgforge ", env!("CARGO_PKG_VERSION"), " (")));
    assert!(installed(&["run", "config/quickstart.yaml"]).contains("24 of 24 accepted"));
}
