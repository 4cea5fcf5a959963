//! From merged values to settings: what the keys mean together.

use super::agents::{self, ASSISTANT, JUDGE, USER, agent};
use super::error::Report;
use super::folders::Folders;
use super::values::Values;
use super::{PersonaSource, PlanSettings, Resume, Settings, TopicSource};
use crate::domain::Normalisation;
use crate::domain::task::RetrievalMode;
use crate::knowledge;
use crate::output;
use crate::plan;
use crate::stages::{Accept, AnswerOptions, Granularity, JudgeOptions, PromptOptions};
use crate::store;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The settings these values stand for; only good when the report stays without problems.
pub(super) fn settings(
    values: &Values,
    folders: &Folders,
    env: &BTreeMap<String, String>,
    resume: Option<&Resume>,
    report: &mut Report,
) -> Settings {
    let batch_size = values.integer("run.batch_size");
    let total_samples = values.integer("run.total_samples");
    let accept = accept(values, report);
    let judge_options = JudgeOptions { granularity: granularity(values), reasons: reasons(values), accept };
    agents::demand_providers(values, report);
    let user = agent(&USER, values, env, report);
    let assistant = agent(&ASSISTANT, values, env, report);
    let is_judged = values.boolean("judge.enabled") && values.text("judge.mode") == "online";
    let judge = is_judged.then(|| agent(&JUDGE, values, env, report));
    hint_at_the_judge(values, report);
    let judge_agent = judge.iter().map(|agent| (&JUDGE, agent));
    let agents: Vec<_> = [(&USER, &user), (&ASSISTANT, &assistant)].into_iter().chain(judge_agent).collect();
    agents::demand_models(&agents, report);
    let budget = agents::budget(values, &agents, report);
    let output = output_options(values, folders, report);
    let beside = output.folder.parent().filter(|_| output.folder != folders.root);
    Settings {
        root: folders.root.clone(),
        config_dir: folders.config_dir(),
        config: String::new(),
        config_path: String::new(),
        batch_size,
        lookahead: values.integer("run.lookahead"),
        total_samples: if total_samples == 0 { batch_size } else { total_samples },
        languages: languages(values),
        run_id: name("run.run_id", values, report),
        resume: self::resume(resume, values, report),
        reuse_from: name("run.reuse_from", values, report),
        store: store::Options { keep_calls: values.boolean("store.keep_calls") },
        plan: plan(values, folders, report),
        topics_path: values.text("run.data.seeding.topics.path").to_owned(),
        topics_enabled: values.boolean("run.data.seeding.topics.enabled"),
        knowledge: knowledge_options(values, folders, report),
        top_k: values.integer("tools.retrieval.top_k"),
        answers: answers(values),
        user,
        assistant,
        judge_granularity: judge_options.granularity,
        judge_reasons: judge_options.reasons.clone(),
        judge_accept: accept,
        judge: judge.map(|agent| (agent, judge_options)),
        max_outage: Duration::from_secs_f64(values.number("llm.max_outage")),
        check: true,
        budget,
        prices: prices(values, folders, report),
        prompts: PromptOptions { folder: prompts(values, folders, report) },
        logs: beside.unwrap_or(&folders.root).join("logs"),
        output,
        warnings: Vec::new(),
    }
}

/// Says that nothing is judged, to those who have configured a judge.
fn hint_at_the_judge(values: &Values, report: &mut Report) {
    let is_offline = values.boolean("judge.enabled") && values.text("judge.mode") == "offline";
    let given = ["provider", "model"].map(|name| JUDGE.key(name)).into_iter().find(|key| values.place(key).is_some());
    if let Some(key) = given.filter(|_| is_offline) {
        report.warn(format!(
            "`{key}` is not used: `judge.mode` is `offline`, so nothing is judged. Set `judge.mode: online` to judge, or \
             `judge.enabled: false` to hear no more of it."
        ));
    }
}

fn languages(values: &Values) -> Vec<Arc<str>> {
    let mut seen = BTreeSet::new();
    let given = values.texts("run.target_languages");
    let mut languages: Vec<Arc<str>> = given
        .iter()
        .map(|language| language.trim())
        .filter(|language| !language.is_empty() && seen.insert(*language))
        .map(Arc::from)
        .collect();
    if languages.is_empty() {
        languages.push(Arc::from("en"));
    }
    languages
}

/// A run's name, which becomes part of file names.
fn name(key: &'static str, values: &Values, report: &mut Report) -> Option<String> {
    let id = values.text(key).trim();
    if let Some(wrong) = misnamed(id) {
        report.conflict(&[key], values.place(key), format!("`{key}`: {wrong}"));
    }
    (!id.is_empty()).then(|| id.to_owned())
}

/// What is wrong with a run's name.
fn misnamed(id: &str) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let wrong = id.starts_with('.') || !id.chars().all(is_name);
    wrong.then(|| format!("`{id}` must be letters, digits, `-`, `_` and `.`, and not start with `.`"))
}

/// The run to go on with: what the flag says, else the key.
fn resume(flag: Option<&Resume>, values: &Values, report: &mut Report) -> Option<Resume> {
    const KEY: &str = "run.resume_run_id";
    let resume = flag.cloned().or_else(|| name(KEY, values, report).map(Resume::Run));
    let other = Some(values.text("run.run_id").trim()).filter(|other| !other.is_empty());
    if let (Some(Resume::Run(id)), Some(other)) = (&resume, other)
        && id != other
    {
        let text = format!("`run.run_id` is `{other}`, but the run to go on with is `{id}`; leave `run.run_id` empty");
        report.conflict(&["run.run_id"], values.place("run.run_id"), text);
    }
    resume
}

fn plan(values: &Values, folders: &Folders, report: &mut Report) -> PlanSettings {
    PlanSettings {
        seed: values.optional_integer("run.seed"),
        turns: turns(values, report),
        question: values.text("run.data.seeding.question").trim().to_owned(),
        topics_variant: values.text("run.data.seeding.topics.variant").trim().to_owned(),
        topics_probability: values.number("run.data.seeding.topics.probability"),
        topics: topics(values, folders, report),
        personas: personas(values, folders, report),
        coverage: plan::CoverageOptions {
            balanced: values.text("coverage.doc_coverage_mode") != "off",
            epsilon: values.number("coverage.doc_coverage_epsilon"),
            fraction: values.number("coverage.doc_coverage_fraction").clamp(0.05, 1.0),
            own_language: values.text("coverage.document_language") != "any",
            dedup_retries: values.integer("coverage.question_dedup_retries"),
            normalisation: Normalisation::named(values.text("coverage.normalisation")).unwrap_or_default(),
        },
    }
}

fn answers(values: &Values) -> AnswerOptions {
    AnswerOptions {
        retrieval: match values.text("tools.retrieval.mode") {
            "first" => RetrievalMode::First,
            "tool" => RetrievalMode::Tool,
            _ => RetrievalMode::Both,
        },
        require_retrieval: values.boolean("coverage.require_retrieval"),
        full_trace: values.text("llm.agents.assistant.trace") == "full",
    }
}

/// `judge.accept`; what it requires must be a field of a verdict.
fn accept(values: &Values, report: &mut Report) -> Accept {
    const REQUIRE: &str = "judge.accept.require";
    let mut accept = Accept {
        min_score: values.integer("judge.accept.min_score"),
        drop: values.text("judge.accept.on_fail") == "drop",
        ..Accept::default()
    };
    for name in values.texts(REQUIRE) {
        match name.trim() {
            "question_ok" => accept.question_ok = true,
            "answer_ok" => accept.answer_ok = true,
            other => {
                let text = format!("`{REQUIRE}`: `{other}` is not one of question_ok, answer_ok.");
                report.conflict(&[REQUIRE], values.place(REQUIRE), text);
            }
        }
    }
    accept
}

fn turns(values: &Values, report: &mut Report) -> plan::TurnOptions {
    let [mode, exact_path, min_path, max_path] =
        ["mode", "exact", "min", "max"].map(|name| format!("run.turns.{name}"));
    let exact = values.optional_integer(&exact_path);
    let (min, max) = match (values.text(&mode), exact) {
        ("exact", Some(exact)) => (exact, exact),
        ("exact", None) => {
            let text = format!("`{exact_path}` must be set when `{mode}` is `exact`");
            report.conflict(&[&mode, &exact_path], values.place(&mode), text);
            (1, 1)
        }
        _ => (values.integer(&min_path), values.integer(&max_path)),
    };
    if min > max {
        let text = format!("Invalid turn range: run.turns.min ({min}) must be <= run.turns.max ({max}).");
        let place = values.place(&min_path).or_else(|| values.place(&max_path));
        report.conflict(&[&mode, &min_path, &max_path], place, text);
    }
    if values.place(&mode).is_none() && exact.is_some() {
        report.warn(format!("`{exact_path}` has no effect: `{mode}` is `range`."));
    }
    let distribution = match values.text("run.turns.distribution") {
        "uniform" => plan::Distribution::Uniform,
        "exponential" => plan::Distribution::Exponential,
        _ => plan::Distribution::Poisson,
    };
    plan::TurnOptions { min, max, distribution, mean: values.optional_number("run.turns.mean") }
}

fn topics(values: &Values, folders: &Folders, report: &mut Report) -> TopicSource {
    const KEY: &str = "run.data.seeding.topics.path";
    let path = values.text(KEY).trim();
    if !values.boolean("run.data.seeding.topics.enabled") || path.is_empty() {
        return TopicSource::Off;
    }
    let Some(found) = folders.find(path) else {
        let text = format!(
            "`{KEY}`: there is no {}; write such a file, or leave the key empty for conversations without seed topics",
            folders.tried(path)
        );
        report.conflict(&[KEY], values.place(KEY), text);
        return TopicSource::Off;
    };
    TopicSource::File(found)
}

fn personas(values: &Values, folders: &Folders, report: &mut Report) -> PersonaSource {
    const KEY: &str = "personas.path";
    let path = values.text(KEY).trim();
    if !values.boolean("personas.enabled") {
        return PersonaSource::Off;
    }
    if path.is_empty() {
        return PersonaSource::Shipped;
    }
    folders.find(path).map_or_else(
        || {
            let tried = folders.tried(path);
            report.warn(format!(
                "`{KEY}`: there is no {tried}; one persona for each side stands in for it. Leave the key empty for the many \
                 shipped ones."
            ));
            PersonaSource::Fallback
        },
        PersonaSource::File,
    )
}

fn knowledge_options(values: &Values, folders: &Folders, report: &mut Report) -> knowledge::Options {
    let [size, overlap] = ["size", "overlap"].map(|name| format!("tools.retrieval.chunking.chunk_{name}"));
    let chunk_size = values.integer(&size);
    let strategy = match values.text("tools.retrieval.chunking.strategy") {
        "characters" => knowledge::Strategy::Characters,
        _ => knowledge::Strategy::Structure,
    };
    let given = values.optional_integer::<i64>(&overlap);
    let chunk_overlap = given.map_or(Ok(strategy.default_overlap()), usize::try_from);
    let within = chunk_overlap.ok().filter(|&overlap| overlap < chunk_size);
    if within.is_none() {
        let place = values.place(&overlap).or_else(|| values.place(&size));
        report.conflict(&[&size, &overlap], place, format!("`{overlap}` must be >= 0 and < `{size}`."));
    }
    knowledge::Options {
        folder: folders.root.join("knowledge"),
        follow_links: values.boolean("knowledge.follow_links"),
        strategy,
        chunk_size,
        chunk_overlap: within.unwrap_or_default(),
    }
}

fn granularity(values: &Values) -> Granularity {
    match values.text("judge.granularity") {
        "conversation" => Granularity::Conversation,
        _ => Granularity::Turn,
    }
}

fn reasons(values: &Values) -> Vec<String> {
    let given = values.texts("judge.reasons");
    given.iter().map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty()).collect()
}

fn prices(values: &Values, folders: &Folders, report: &mut Report) -> Option<PathBuf> {
    const KEY: &str = "llm.prices";
    let path = values.text(KEY).trim();
    let found = folders.find(path).filter(|found| found.is_file());
    if !path.is_empty() && found.is_none() {
        let text = format!("`{KEY}`: there is no file `{path}`; leave it empty for the shipped prices");
        report.conflict(&[KEY], values.place(KEY), text);
    }
    found
}

fn prompts(values: &Values, folders: &Folders, report: &mut Report) -> Option<PathBuf> {
    let path = values.text("prompts.path").trim();
    let folder = folders.root.join(path);
    if !folder.is_dir() {
        let text =
            format!("`prompts.path`: there is no folder {}; leave it empty for the shipped prompts", folder.display());
        report.conflict(&["prompts.path"], values.place("prompts.path"), text);
    }
    (!path.is_empty()).then_some(folder)
}

fn output_options(values: &Values, folders: &Folders, report: &mut Report) -> output::Options {
    const FOLDER: &str = "saving.output_dir";
    let folder = values.text(FOLDER).trim();
    if folder.is_empty() {
        report.conflict(&[FOLDER], values.place(FOLDER), format!("`{FOLDER}` must not be empty"));
    }
    output::Options {
        folder: folders.root.join(folder),
        root: folders.root.clone(),
        columns: columns(values, report),
        keep_dropped_rows: values.boolean("saving.keep_dropped_rows"),
    }
}

fn columns(values: &Values, report: &mut Report) -> output::Columns {
    let mut taken = BTreeMap::new();
    let mut column = |key: &'static str| {
        let path = format!("saving.output_columns.{key}");
        let name = Some(values.text(&path).trim()).filter(|name| !name.is_empty()).unwrap_or(key).to_owned();
        if let Some(first) = taken.insert(name.clone(), key) {
            let text = format!("`{path}`: `{name}` is the name of `{first}` too; give each column its own");
            report.conflict(&[&path], values.place(&path), text);
        }
        name
    };
    output::Columns {
        messages: column("messages"),
        messages_with_tools: column("messages_with_tools"),
        tools: column("tools"),
        metadata: column("metadata"),
        user_reasoning: column("user_reasoning"),
        assistant_reasoning: column("assistant_reasoning"),
        judge: column("judge"),
    }
}
