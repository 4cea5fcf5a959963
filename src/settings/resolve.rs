//! From merged values to settings: what the keys mean together.

use super::agents::{self, ROLES, agent, jury};
use super::asking;
use super::checks::checks;
use super::choices::{CoverageMode, JudgeMode, NearMethod, OnFail, ReplyForm, Trace, TurnMode};
use super::cluster::cluster;
use super::error::Diagnostics;
use super::folders::Folders;
use super::held_out::held_out;
use super::judge::{calibrated, warn_of_kinship};
use super::keys::listed;
use super::types::{OneOf, Setting, Text, Texts};
use super::values::Values;
use super::{
    Flags, PersonaSource, PlanSettings, PushFlags, Resume, Settings, TopicSource, publishing, retrieval, servers,
    storage, table as keys, web,
};
use crate::domain::{Agent, Agents, Cosine, Measure, MinHash};
use crate::output;
use crate::plan;
use crate::stages::{Accept, AnswerOptions, AskOptions, Granularity, JudgeOptions, PromptOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The settings these values stand for; only good when the report stays without problems.
pub(super) fn settings(
    values: &Values,
    folders: &Folders,
    env: &BTreeMap<String, String>,
    flags: &Flags,
    report: &mut Diagnostics,
) -> Settings {
    let batch_size = values.get(keys::BATCH_SIZE);
    let total_samples = values.get(keys::TOTAL_SAMPLES);
    let reasons = labels(values, keys::REASONS);
    let accept = accept(values, &reasons, report);
    let granularity = values.get(keys::GRANULARITY);
    let mut judge =
        JudgeOptions { granularity, reasons, accept, jury: values.get(keys::checks::JURY), ..JudgeOptions::default() };
    agents::demand_providers(values, report);
    let is_online = flags.judging || values.get(keys::JUDGE_MODE) == JudgeMode::Online;
    let is_judged = values.get(keys::JUDGE_ENABLED) && is_online;
    let asked = ROLES.iter().filter(|role| if role.agent == Agent::Judge { is_judged } else { !flags.judging });
    let mut serving = servers::serving(values, folders, report);
    let mut agents = Vec::new();
    for role in asked {
        match role.agent {
            Agent::Judge => agents.extend(jury(role, &serving, values, env, report)),
            _ => agents.push((role.agent, agent(role, &serving, values, env, report))),
        }
    }
    let agents: Agents<_> = agents.into_iter().collect();
    if flags.judging {
        demand_a_judge(values, report);
    } else {
        hint_at_the_judge(values, report);
    }
    if is_judged {
        calibrated(&mut judge, values);
        warn_of_kinship(&agents, report);
    }
    agents::demand_models(&agents, &serving, report);
    let budget = agents::budget(values, &agents, report);
    let mut output = output_options(values, folders, report);
    let held_out = held_out(values, near(values), folders, report);
    let checks = checks(values, !held_out.files.is_empty(), report);
    if checks.repairs == 0 && (judge.accept.repairs == 0 || !is_judged) {
        output.files = output.files.without(output::Files::PREFERENCES);
    }
    let beside = output.folder.parent().filter(|_| output.folder != folders.root);
    let logs = beside.unwrap_or(&folders.root).join("logs");
    servers::complete(&mut serving, &agents, &logs);
    Settings {
        root: folders.root.clone(),
        config_dir: folders.config_dir(),
        config: String::new(),
        config_path: String::new(),
        batch_size,
        concurrency: values.get(keys::CONCURRENCY).unwrap_or(batch_size),
        lookahead: values.get(keys::LOOKAHEAD),
        total_samples: if total_samples == 0 { batch_size } else { total_samples },
        languages: languages(values),
        run_id: name(keys::RUN_ID, values, report),
        resume: self::resume(flags.resume.as_ref(), values, report),
        shard: None,
        reuse_from: name(keys::REUSE_FROM, values, report),
        cluster: cluster(values, report),
        store: storage::options(values, env, report),
        plan: plan(values, folders, report),
        topics_path: values.get(keys::TOPICS_PATH).to_owned(),
        topics_enabled: values.get(keys::TOPICS_ENABLED),
        knowledge: retrieval::options(values, folders, env, report),
        top_k: values.get(keys::TOP_K),
        asks: asks(values, report),
        answers: answers(values),
        web_search: web::search(values, env, report),
        agents,
        serving,
        judge,
        checks,
        held_out,
        max_outage: Duration::from_secs_f64(values.get(keys::MAX_OUTAGE)),
        check: true,
        budget,
        prices: prices(values, folders, report),
        prompts: PromptOptions { folder: prompts(values, folders, report) },
        push: publishing::options(values, &output.folder, env, &PushFlags::default(), report),
        pushes: values.get(keys::PUSH_ENABLED) && values.get(keys::PUSH_AFTER_RUN),
        logs,
        log_level: values.get(keys::LOG_LEVEL),
        output,
        warnings: Vec::new(),
    }
}

/// Reports that there is no judge, where one is to be asked.
fn demand_a_judge(values: &Values, report: &mut Diagnostics) {
    const ENABLED: Setting<bool> = keys::JUDGE_ENABLED;
    if !values.get(ENABLED) {
        let text = format!("`{ENABLED}` is `false`, and `dlgforge judge` asks the judge: set it to `true`");
        report.conflict(&[ENABLED.path], values.place(ENABLED), text);
    }
}

/// Says that nothing is judged, to those who have configured a judge.
fn hint_at_the_judge(values: &Values, report: &mut Diagnostics) {
    let is_offline = values.get(keys::JUDGE_ENABLED) && values.get(keys::JUDGE_MODE) == JudgeMode::Offline;
    let given = [keys::PROVIDER, keys::MODEL].map(|key| key.of(Agent::Judge)).into_iter();
    let given = given.into_iter().find(|key| values.place(*key).is_some());
    if let Some(key) = given.filter(|_| is_offline) {
        report.warn(format!(
            "`{key}` is not used: `judge.mode` is `offline`, so nothing is judged before `dlgforge judge` does it. Set \
             `judge.mode: online` to judge while conversations are made, or `judge.enabled: false` to hear no more of it."
        ));
    }
}

fn languages(values: &Values) -> Vec<Arc<str>> {
    let mut seen = BTreeSet::new();
    let given = values.get(keys::TARGET_LANGUAGES);
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
fn name(key: Setting<Text>, values: &Values, report: &mut Diagnostics) -> Option<String> {
    let id = values.get(key).trim();
    if let Some(wrong) = misnamed(id) {
        report.conflict(&[key.path], values.place(key), format!("`{key}`: {wrong}"));
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
fn resume(flag: Option<&Resume>, values: &Values, report: &mut Diagnostics) -> Option<Resume> {
    let resume = flag.cloned().or_else(|| name(keys::RESUME_RUN_ID, values, report).map(Resume::Run));
    let other = Some(values.get(keys::RUN_ID).trim()).filter(|other| !other.is_empty());
    if let (Some(Resume::Run(id)), Some(other)) = (&resume, other)
        && id != other
    {
        let key = keys::RUN_ID;
        let text = format!("`{key}` is `{other}`, but the run to go on with is `{id}`; leave `{key}` empty");
        report.conflict(&[key.path], values.place(key), text);
    }
    resume
}

fn plan(values: &Values, folders: &Folders, report: &mut Diagnostics) -> PlanSettings {
    let turns = turns(values, report);
    PlanSettings {
        seed: values.get(keys::SEED),
        turns,
        question: values.get(keys::QUESTION).trim().to_owned(),
        topics_variant: values.get(keys::TOPICS_VARIANT).trim().to_owned(),
        topics_probability: values.get(keys::TOPICS_PROBABILITY),
        topics: topics(values, folders, report),
        personas: personas(values, folders, report),
        coverage: plan::CoverageOptions {
            balanced: values.get(keys::DOC_COVERAGE_MODE) == CoverageMode::Balanced,
            epsilon: values.get(keys::DOC_COVERAGE_EPSILON),
            fraction: values.get(keys::DOC_COVERAGE_FRACTION).clamp(0.05, 1.0),
            match_language: values.get(keys::MATCH_LANGUAGE),
            linked: values.get(keys::LINKED),
            dedup_retries: values.get(keys::QUESTION_DEDUP_RETRIES),
            normalisation: values.get(keys::NORMALISATION),
            near: near(values),
            candidates: values.get(keys::QUESTION_CANDIDATES),
        },
        modes: asking::modes(values, &turns, report),
        style: asking::style(values, report),
    }
}

/// Whether near-duplicates are looked for, and among which questions.
fn near(values: &Values) -> Option<plan::NearDuplicates> {
    let threshold = values.get(keys::NEAR_THRESHOLD);
    let measure = match values.get(keys::NEAR_METHOD) {
        NearMethod::Off => return None,
        NearMethod::MinHash => Measure::MinHash(MinHash::new(threshold)),
        NearMethod::Embedding => Measure::Cosine(Cosine::new(threshold)),
    };
    Some(plan::NearDuplicates { measure, scope: values.get(keys::NEAR_SCOPE) })
}

/// How questions are made: a text is one question, and needs a word for the end.
fn asks(values: &Values, report: &mut Diagnostics) -> AskOptions {
    const REPLY: Setting<OneOf<ReplyForm>> = keys::REPLY;
    const END: Setting<Text> = keys::END;
    const CANDIDATES: Setting<u16> = keys::QUESTION_CANDIDATES;
    if values.get(REPLY) == ReplyForm::Json {
        return AskOptions::default();
    }
    let (end, candidates) = (values.get(END).trim(), values.get(CANDIDATES));
    if end.is_empty() {
        let text =
            format!("`{END}` is empty: set it to what the model ends a conversation with, such as <|endconversation|>");
        report.conflict(&[END.path], values.place(END), text);
    }
    if candidates > 1 {
        let text =
            format!("`{CANDIDATES}` is {candidates}, but with `{REPLY}: text` a reply is one message: set it to 1");
        report.conflict(&[CANDIDATES.path, REPLY.path], values.place(CANDIDATES), text);
    }
    AskOptions { text: Some(end.to_owned()) }
}

fn answers(values: &Values) -> AnswerOptions {
    AnswerOptions {
        retrieval: values.get(keys::RETRIEVAL_MODE),
        require_retrieval: values.get(keys::REQUIRE_RETRIEVAL),
        full_trace: values.get(keys::TRACE) == Trace::Full,
        top_k: values.get(keys::TOP_K),
    }
}

/// `judge.accept`; what it requires must be a field of a verdict, and what it rejects one of the labels.
fn accept(values: &Values, reasons: &[String], report: &mut Diagnostics) -> Accept {
    const REQUIRE: Setting<Texts> = keys::REQUIRE;
    const REJECT: Setting<Texts> = keys::REJECT_REASONS;
    let on_fail = values.get(keys::ON_FAIL);
    let mut accept = Accept {
        min_score: values.get(keys::MIN_SCORE),
        reject_reasons: labels(values, REJECT),
        drop: on_fail != OnFail::Keep,
        repairs: if on_fail == OnFail::Repair { values.get(keys::REPAIRS) } else { 0 },
        regenerations: if on_fail == OnFail::Regenerate { values.get(keys::REGENERATIONS) } else { 0 },
        ..Accept::default()
    };
    let again = match on_fail {
        OnFail::Repair => Some("repair` answers a turn again"),
        OnFail::Regenerate => Some("regenerate` makes a turn again"),
        OnFail::Keep | OnFail::Drop => None,
    };
    if let Some(again) = again.filter(|_| values.get(keys::GRANULARITY) == Granularity::Conversation) {
        const ON_FAIL: Setting<OneOf<OnFail>> = keys::ON_FAIL;
        let text = format!(
            "`{ON_FAIL}: {again}, and so needs `{}: turn`; a whole conversation can only be kept or dropped.",
            keys::GRANULARITY
        );
        report.conflict(&[ON_FAIL.path, keys::GRANULARITY.path], values.place(ON_FAIL), text);
    }
    for name in values.get(REQUIRE) {
        match name.trim() {
            "question_ok" => accept.question_ok = true,
            "answer_ok" => accept.answer_ok = true,
            other => {
                let text = format!("`{REQUIRE}`: `{other}` is not one of question_ok, answer_ok.");
                report.conflict(&[REQUIRE.path], values.place(REQUIRE), text);
            }
        }
    }
    for unknown in accept.reject_reasons.iter().filter(|label| !reasons.contains(label)) {
        let text = format!("`{REJECT}`: `{unknown}` is not one of `{}`: {}.", keys::REASONS, reasons.join(", "));
        report.conflict(&[REJECT.path], values.place(REJECT), text);
    }
    accept
}

fn turns(values: &Values, report: &mut Diagnostics) -> plan::TurnOptions {
    use keys::{TURNS_DISTRIBUTION, TURNS_EXACT, TURNS_MAX, TURNS_MEAN, TURNS_MIN, TURNS_MODE};
    let exact = values.get(TURNS_EXACT);
    let (min, max) = match (values.get(TURNS_MODE), exact) {
        (TurnMode::Exact, Some(exact)) => (exact, exact),
        (TurnMode::Exact, None) => {
            let text = format!("`{TURNS_EXACT}` must be set when `{TURNS_MODE}` is `exact`");
            report.conflict(&[TURNS_MODE.path, TURNS_EXACT.path], values.place(TURNS_MODE), text);
            (1, 1)
        }
        (TurnMode::Range, _) => (values.get(TURNS_MIN), values.get(TURNS_MAX)),
    };
    if min > max {
        let text = format!("Invalid turn range: {TURNS_MIN} ({min}) must be <= {TURNS_MAX} ({max}).");
        let place = values.place(TURNS_MIN).or_else(|| values.place(TURNS_MAX));
        report.conflict(&[TURNS_MODE.path, TURNS_MIN.path, TURNS_MAX.path], place, text);
    }
    if values.place(TURNS_MODE).is_none() && exact.is_some() {
        report.warn(format!("`{TURNS_EXACT}` has no effect: `{TURNS_MODE}` is `range`."));
    }
    plan::TurnOptions { min, max, distribution: values.get(TURNS_DISTRIBUTION), mean: values.get(TURNS_MEAN) }
}

fn topics(values: &Values, folders: &Folders, report: &mut Diagnostics) -> TopicSource {
    const KEY: Setting<Text> = keys::TOPICS_PATH;
    let path = values.get(KEY).trim();
    if !values.get(keys::TOPICS_ENABLED) || path.is_empty() {
        return TopicSource::Off;
    }
    let Some(found) = folders.find(path) else {
        let text = format!(
            "`{KEY}`: there is no {}; write such a file, or leave the key empty for conversations without seed topics",
            folders.tried(path)
        );
        report.conflict(&[KEY.path], values.place(KEY), text);
        return TopicSource::Off;
    };
    TopicSource::File(found)
}

fn personas(values: &Values, folders: &Folders, report: &mut Diagnostics) -> PersonaSource {
    const KEY: Setting<Text> = keys::PERSONAS_PATH;
    let path = values.get(KEY).trim();
    if !values.get(keys::PERSONAS_ENABLED) {
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
        |found| match found.extension() {
            Some(rows) if rows.eq_ignore_ascii_case("jsonl") || rows.eq_ignore_ascii_case("parquet") => {
                PersonaSource::Rows(found, values.get(keys::PERSONAS_COLUMN).trim().to_owned())
            }
            _ => PersonaSource::File(found),
        },
    )
}

/// Labels without white space around them, blank ones left out.
fn labels(values: &Values, key: Setting<Texts>) -> Vec<String> {
    let given = values.get(key);
    given.iter().map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty()).collect()
}

fn prices(values: &Values, folders: &Folders, report: &mut Diagnostics) -> Option<PathBuf> {
    const KEY: Setting<Text> = keys::PRICES;
    let path = values.get(KEY).trim();
    let found = folders.find(path).filter(|found| found.is_file());
    if !path.is_empty() && found.is_none() {
        let text = format!("`{KEY}`: there is no file `{path}`; leave it empty for the shipped prices");
        report.conflict(&[KEY.path], values.place(KEY), text);
    }
    found
}

fn prompts(values: &Values, folders: &Folders, report: &mut Diagnostics) -> Option<PathBuf> {
    const KEY: Setting<Text> = keys::PROMPTS_PATH;
    let path = values.get(KEY).trim();
    let folder = folders.root.join(path);
    if !folder.is_dir() {
        let text = format!("`{KEY}`: there is no folder {}; leave it empty for the shipped prompts", folder.display());
        report.conflict(&[KEY.path], values.place(KEY), text);
    }
    (!path.is_empty()).then_some(folder)
}

pub(super) fn output_options(values: &Values, folders: &Folders, report: &mut Diagnostics) -> output::Options {
    const FOLDER: Setting<Text> = keys::OUTPUT_DIR;
    let folder = values.get(FOLDER).trim();
    if folder.is_empty() {
        report.conflict(&[FOLDER.path], values.place(FOLDER), format!("`{FOLDER}` must not be empty"));
    }
    output::Options {
        folder: folders.root.join(folder),
        root: folders.root.clone(),
        columns: columns(values, report),
        keep_dropped_rows: values.get(keys::KEEP_DROPPED_ROWS),
        files: files(values, report),
        raw: values.get(keys::RAW),
    }
}

fn files(values: &Values, report: &mut Diagnostics) -> output::Files {
    const KEY: Setting<Texts> = keys::FILES;
    let names = values.get(KEY);
    output::Files::named(&names).unwrap_or_else(|unknown| {
        let known = listed(output::Files::names().into_iter());
        let text = format!("`{KEY}`: there is no file `{unknown}`; there are {known}");
        report.conflict(&[KEY.path], values.place(KEY), text);
        output::Files::all()
    })
}

fn columns(values: &Values, report: &mut Diagnostics) -> output::Columns {
    let mut taken = BTreeMap::new();
    let mut column = |key: Setting<Text>| {
        let name = Some(values.get(key).trim()).filter(|name| !name.is_empty()).unwrap_or(key.name()).to_owned();
        if let Some(first) = taken.insert(name.clone(), key.name()) {
            let text = format!("`{key}`: `{name}` is the name of `{first}` too; give each column its own");
            report.conflict(&[key.path], values.place(key), text);
        }
        name
    };
    output::Columns {
        messages: column(keys::MESSAGES),
        messages_with_tools: column(keys::MESSAGES_WITH_TOOLS),
        tools: column(keys::TOOLS),
        metadata: column(keys::METADATA),
        user_reasoning: column(keys::USER_REASONING),
        assistant_reasoning: column(keys::ASSISTANT_REASONING),
        judge: column(keys::JUDGE),
    }
}
