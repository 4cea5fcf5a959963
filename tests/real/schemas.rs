//! The schema of the configuration, by a validator that others use: what the program takes is valid, and what it refuses is not.

use crate::support::{Project, Ran, shipped};
use std::path::PathBuf;
use std::process::Command;

fn validated(arguments: &[&str]) -> Ran {
    let real = PathBuf::from(std::env::var_os("DLGFORGE_REAL").expect("DLGFORGE_REAL, which tests/run sets"));
    let mut command = Command::new(real.join("schemas/bin/check-jsonschema"));
    command.args(arguments);
    Ran::of(command)
}

#[test]
fn configurations_are_valid_and_misspelled_keys_are_not() {
    let project = Project::empty();
    project.run(&["init", "--answers", "openai"]).succeeded();
    let schema = project.path(".dlgforge.schema.json").display().to_string();
    validated(&["--check-metaschema", &schema]).succeeded();
    project.write(
        "older.yaml",
        b"run: {n_turns: 3, seed: '${SEED}', data: null}\nretrieval: {top_k: 3}\nmodels: {use_reranker: Off}\n\
          llm:\n  agents: {judge: [{model: a, api_key_env: X}, {model: b}]}\n  routing: {endpoints: ['http://h/v1', {rpm: 3}]}\n\
          judge: {mode: ONLINE}\nsaving: {files: 'turns, parquet'}\n",
    );
    for file in [
        shipped("config/default.yaml"),
        shipped("config/quickstart.yaml"),
        project.path("config.yaml"),
        project.path("older.yaml"),
    ] {
        validated(&["--schemafile", &schema, &file.display().to_string()]).succeeded();
    }
    for (text, told) in [
        ("run: {batchsize: 3}", "'batchsize' was unexpected"),
        ("run: {n_turns: 0}", "less than or equal to the minimum of 0"),
        ("judge: {mode: onlin}", "is not valid under any of the given schemas"),
        ("llm: {routing: {endpoints: [{weigth: 2}]}}", "'weigth' was unexpected"),
    ] {
        project.write("wrong.yaml", text.as_bytes());
        let ran = validated(&["--schemafile", &schema, &project.path("wrong.yaml").display().to_string()]);
        assert!(ran.code == Some(1) && ran.stdout.contains(told), "{text}: {}", ran.stdout);
    }
}
