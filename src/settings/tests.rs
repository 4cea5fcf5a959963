//! The whole way from a file to settings; what a single step does is tested beside it.

mod asking;
mod checks;
mod coverage;
mod judge;
mod manifest;

use super::*;
use crate::domain::Agent;
use crate::providers;
use crate::stages::Granularity;
use crate::traffic;
use std::fs;
use std::path::Path;

/// Agents that need nothing, so that a test is about something else.
pub(crate) const BUILTIN: &str = "llm: {agents: {user: {provider: builtin}, assistant: {provider: builtin}}}\n";

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().canonicalize().unwrap().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, text: &str, env: &[(&str, &str)], set: &[&str]) -> Result<Settings, String> {
        let config = self.write("config/c.yaml", text);
        let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let flags =
            Flags { config: config.clone(), set: set.iter().map(|&s| s.to_owned()).collect(), ..Flags::default() };
        let shown = format!("{}:", config.display());
        let root = format!("{}", config.parent().unwrap().parent().unwrap().display());
        Settings::load(&flags, &env)
            .map_err(|error| error.to_string().replace(&shown, "c.yaml:").replace(&root, "ROOT"))
    }
}

/// The settings a configuration stands for, in a fresh folder.
pub(crate) fn load(text: &str, env: &[(&str, &str)], set: &[&str]) -> Result<Settings, String> {
    Project::new().load(text, env, set)
}

fn with_builtin(text: &str) -> Result<Settings, String> {
    load(&format!("{BUILTIN}{text}"), &[], &[])
}

#[test]
fn an_almost_empty_file_means_the_defaults() {
    let settings = with_builtin("").unwrap();
    assert_eq!((settings.batch_size, settings.total_samples, settings.top_k), (1, 1, 4));
    assert_eq!(settings.languages, ["en".into()]);
    assert_eq!((settings.run_id, settings.config_dir.as_str()), (None, "config"));
    assert_eq!(settings.knowledge.folder, settings.root.join("knowledge"));
    assert_eq!((settings.knowledge.chunk_size, settings.knowledge.chunk_overlap), (750, 0));
    assert_eq!(settings.knowledge.strategy, knowledge::Strategy::Structure);
    assert!(!settings.knowledge.follow_links);
    assert!(load(BUILTIN, &[("KB_FOLLOW_LINKS", "yes")], &[]).unwrap().knowledge.follow_links);
    let mut reading = knowledge::Reading::default();
    reading.convert.timeout = std::time::Duration::from_secs(600);
    reading.convert.cache = settings.root.join("knowledge_index/converted");
    assert_eq!(settings.knowledge.reading, reading);
    assert_eq!(settings.output.folder, settings.root.join("outputs"));
    assert_eq!(settings.output.columns.messages_with_tools, "messages_with_tools");
    assert_eq!(settings.agents.iter().map(|(agent, _)| agent).collect::<Vec<_>>(), [Agent::User, Agent::Assistant]);
    assert_eq!((settings.judge.granularity, settings.judge.reasons.len()), (Granularity::Turn, 8));
    assert_eq!(settings.prompts.folder, None);
    assert_eq!((settings.topics_enabled, settings.topics_path.as_str()), (true, ""));
    let plan = settings.plan;
    let turns = plan::TurnOptions { min: 2, max: 2, distribution: plan::Distribution::Poisson, mean: None };
    let coverage = plan::CoverageOptions {
        balanced: true,
        epsilon: 0.15,
        fraction: 0.2,
        match_language: plan::MatchLanguage::Prefer,
        linked: 0.0,
        dedup_retries: 3,
        normalisation: crate::domain::Normalisation::Full,
        near: None,
        candidates: 1,
    };
    assert_eq!((plan.turns, plan.coverage), (turns, coverage));
    assert_eq!((plan.topics, plan.personas), (TopicSource::Off, PersonaSource::Shipped));
    assert_eq!((plan.topics_probability, plan.question.as_str()), (0.35, ""));
    let user = &settings.agents[Agent::User];
    assert_eq!((user.model.as_str(), user.max_retries, user.rpm, user.tpm), ("", 3, None, None));
    assert_eq!((settings.max_outage, settings.budget), (Duration::from_secs(600), traffic::Budget::default()));
    assert_eq!(settings.warnings, Vec::<String>::new());
}

#[test]
fn the_quickstart_needs_nothing() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quickstart.yaml");
    let flags = Flags { config, ..Flags::default() };
    let settings = Settings::load(&flags, &BTreeMap::new()).unwrap();
    assert_eq!((settings.batch_size, settings.total_samples, settings.plan.seed), (8, 12, Some(7)));
    assert_eq!(settings.languages, ["en".into(), "fr".into()]);
    assert_eq!((settings.plan.turns.min, settings.plan.turns.max), (2, 4));
    assert_eq!(settings.agents.iter().map(|(agent, _)| agent).collect::<Vec<_>>(), Agent::ALL);
    assert_eq!(settings.judge.granularity, Granularity::Turn);
    assert_eq!(settings.root, Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap());
    assert_eq!(settings.warnings, Vec::<String>::new());
}

/// A configuration with every key of the Python original, as its documentation has them.
const ORIGINAL: &str = "\
run:
  batch_size: 64
  total_samples: 1024
  target_languages: [morocco, msa, english]
  run_id: ''
  resume_run_id: ''
  turns: {mode: range, exact: null, min: 2, max: 12, distribution: poisson, mean: 6.0}
  data: {seeding: {question: '', topics: {path: data/seeds/topics.yaml, enabled: false, variant: '', probability: 0.35}}}
  distributed:
    enabled: false
    backend: ray
    spawn: {coordinator: true, workers: true}
    ray:
      address: auto
      auto_start_local: true
      namespace: mine
      actor: {num_cpus: 2.0, num_gpus: 0.5, coordinator_num_cpus: 1.0, replicas_qa: 2, replicas_complete: 2}
store:
  backend: postgres
  postgres: {dsn: '${DLGFORGE_POSTGRES_DSN}', min_pool_size: 5, max_pool_size: 30, statement_timeout_ms: 30000}
llm:
  mode: api
  routing: {strategy: weighted_least_inflight, endpoints: []}
  vllm:
    {model: openai/gpt-oss-20b, served_model_name: gpt_oss_20b, replicas: 2, num_gpus_per_replica: 1, host: 0.0.0.0,
     advertise_host: 10.0.0.1, port_start: 18001, tensor_parallel_size: 2, gpu_memory_utilization: 0.8,
     max_num_seqs: 64, health_timeout_s: 60, auto_stop_on_exit: false}
  agents:
    user: {provider: openai, model: gpt-5.2, base_url: https://api.openai.com/v1, temperature: null, extra: {}}
    assistant: {provider: gemini, model: gemini/gemini-3-flash, max_tokens: null, timeout: null, max_retries: null}
    judge: {provider: gemini, model: gemini/gemini-3-flash, base_url: '', top_p: null}
coverage: {doc_coverage_mode: balanced, doc_coverage_epsilon: 0.15, doc_coverage_fraction: 0.2, question_dedup_retries: 3}
tools:
  web_search: {enabled: false, serper_num_results: 9, serper_timeout: 60}
  retrieval:
    top_k: 4
    chunking: {chunk_size: 750, chunk_overlap: 150}
    index: {persist_dir: my_index, rebuild: true, skip_if_unchanged: false}
    embeddings:
      {backend: sentence_transformers, model: google/embeddinggemma-300m, fallback_model: m, device: cuda,
       fallback_on_cpu: false, model_kwargs: {a: 1}, tokenizer_kwargs: {}, encode_kwargs: {}}
    reranker:
      {enabled: false, model: m, candidates: 9, batch_size: 8, backend: qwen3, instruction: Decide., max_length: 99,
       cmd: ''}
personas: {enabled: true, path: src/dlgforge/prompts/personas.yaml}
judge: {enabled: true, mode: online, granularity: turn, reasons: [irrelevant, incorrect, other]}
saving:
  output_dir: outputs
  output_columns:
    {messages: messages, messages_with_tools: messages_with_tools, metadata: metadata, user_reasoning: user_reasoning,
     assistant_reasoning: assistant_reasoning, judge: judge}
  hf_push:
    {enabled: false, auto_push_on_run: true, repo_id: org/name, repo_type: dataset, export_dir: export,
     include_run_state: true, private: false, commit_message: New, source_file: conversations_sharegpt.jsonl,
     generate_stats: true, stats_file: s.json, generate_plots: true, plots_dir: p, clean_remote: true}
";

#[test]
fn a_configuration_of_the_original_loads_unchanged() {
    let keys = ["LLM_USER_API_KEY_ENV", "LLM_ASSISTANT_API_KEY_ENV", "LLM_JUDGE_API_KEY_ENV"].map(|name| (name, "K"));
    let others = [("RAY_ADDRESS", "ray://h"), ("HF_PUSH_PRIVATE", "0"), ("DLGFORGE_POSTGRES_DSN", "host=h")];
    let env = [&keys[..], &[("K", "k")], &others].concat();
    let settings = load(ORIGINAL, &env, &[]).unwrap();
    assert_eq!((settings.batch_size, settings.total_samples, settings.plan.turns.max), (64, 1024, 12));
    assert_eq!(settings.agents[Agent::Assistant].endpoints[0].model, "gemini-3-flash");
    assert!(settings.agents.get(Agent::Judge).is_some());
    let family = "`llm.agents.judge.model` and `llm.agents.assistant.model` are both of the family `gemini`";
    let starts =
        [family, "`personas.path`: there is no file", "`tools.retrieval.embeddings.model_kwargs` has no effect"];
    assert_eq!(settings.warnings.len(), starts.len(), "{:?}", settings.warnings);
    assert!(settings.warnings.iter().zip(starts).all(|(warning, start)| warning.starts_with(start)));
    assert!(!settings.pushes && settings.push.to.clean_remote && !settings.push.to.private);
    assert!(load(ORIGINAL, &env, &["saving.hf_push.enabled=true"]).unwrap().pushes);
    let cluster = load(ORIGINAL, &env, &["run.distributed.enabled=true", "run.distributed.ray.address=auto"]);
    let cluster = cluster.unwrap().cluster.unwrap();
    assert_eq!((cluster.launcher, cluster.processes, cluster.ray.cpus), (Launcher::Ray, 5, 2.0));
}

#[test]
fn secrets_may_stand_in_dotenv() {
    let project = Project::new();
    project.write(".env", "LLM_USER_API_KEY_ENV=K_TOKEN\nexport K_TOKEN='abc'\nBATCH_SIZE=9\n");
    let text = BUILTIN.replacen("provider: builtin", "model: m", 1);
    let settings = project.load(&text, &[], &[]).unwrap();
    assert_eq!(settings.agents[Agent::User].endpoints[0].api_key, Some(providers::Secret::new("abc".to_owned())));
    assert_eq!(settings.batch_size, 1);
    assert_eq!(settings.warnings.len(), 1);
    assert!(settings.warnings[0].starts_with("[env] Ignoring non-secret .env key: BATCH_SIZE. "));
    let settings = project.load(&text, &[("K_TOKEN", "process")], &[]).unwrap();
    assert_eq!(settings.agents[Agent::User].endpoints[0].api_key, Some(providers::Secret::new("process".to_owned())));
}

#[test]
fn languages_stay_words() {
    for (languages, expected) in [
        ("[en, no]", &["en", "no"][..]),
        ("[' en ', '', en, fr]", &["en", "fr"]),
        ("[]", &["en"]),
        ("'en, fr, en'", &["en", "fr"]),
    ] {
        let settings = with_builtin(&format!("run: {{target_languages: {languages}}}")).unwrap();
        assert_eq!(settings.languages.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), expected, "{languages}");
    }
}

#[test]
fn turns_follow_the_mode() {
    for (run, min, max, warnings) in [
        ("turns: {min: 3, max: 5}", 3, 5, 0),
        ("turns: {mode: exact, exact: 4, min: 9}", 4, 4, 0),
        ("turns: {mode: range, exact: 4}", 2, 2, 0),
        ("turns: {exact: 4}", 2, 2, 1),
        ("n_turns: 4", 4, 4, 1),
        ("min_turns: 1, max_turns: 3", 1, 3, 2),
    ] {
        let settings = with_builtin(&format!("run: {{{run}}}")).unwrap();
        assert_eq!((settings.plan.turns.min, settings.plan.turns.max), (min, max), "{run}");
        assert_eq!(settings.warnings.len(), warnings, "{run}: {:?}", settings.warnings);
    }
    let settings = with_builtin("run: {turns: {distribution: uniform, mean: 2.5}}").unwrap();
    assert_eq!(settings.plan.turns.distribution, plan::Distribution::Uniform);
    assert_eq!(settings.plan.turns.mean, Some(2.5));
}

#[test]
fn the_overlap_of_chunks_follows_from_the_strategy_unless_it_is_given() {
    for (text, overlap) in [
        ("chunk_size: 100", 0),
        ("strategy: characters", 150),
        ("chunk_overlap: 20", 20),
        ("strategy: Characters, chunk_overlap: 0", 0),
    ] {
        let settings = with_builtin(&format!("tools: {{retrieval: {{chunking: {{{text}}}}}}}")).unwrap();
        assert_eq!(settings.knowledge.chunk_overlap, overlap, "{text}");
    }
}

#[test]
fn what_keys_mean_together_is_checked() {
    for (text, error) in [
        (
            "run: {turns: {min: 4, max: 3}}",
            "Invalid turn range: run.turns.min (4) must be <= run.turns.max (3). (c.yaml:2:20)",
        ),
        ("run: {turns: {mode: exact}}", "`run.turns.exact` must be set when `run.turns.mode` is `exact` (c.yaml:2:21)"),
        ("run: {turns: {mode: both}}", "`run.turns.mode` must be either `exact` or `range`. (c.yaml:2:21)"),
        (
            "tools: {retrieval: {chunking: {chunk_size: 100, strategy: characters}}}",
            "`tools.retrieval.chunking.chunk_overlap` must be >= 0 and < `tools.retrieval.chunking.chunk_size`. (c.yaml:2:44)",
        ),
        (
            "tools: {retrieval: {chunking: {chunk_overlap: 750}}}",
            "`tools.retrieval.chunking.chunk_overlap` must be >= 0 and < `tools.retrieval.chunking.chunk_size`. (c.yaml:2:47)",
        ),
        (
            "tools: {retrieval: {chunking: {chunk_overlap: -1}}}",
            "`tools.retrieval.chunking.chunk_overlap` must be >= 0 and < `tools.retrieval.chunking.chunk_size`. (c.yaml:2:47)",
        ),
        ("tools: {retrieval: {top_k: 0}}", "`tools.retrieval.top_k` must be > 0. (c.yaml:2:28)"),
        (
            "run: {run_id: ../x}",
            "`run.run_id`: `../x` must be letters, digits, `-`, `_` and `.`, and not start with `.` (c.yaml:2:15)",
        ),
        (
            "run: {data: {seeding: {topics: {path: t.yaml}}}}",
            "`run.data.seeding.topics.path`: there is no file ROOT/t.yaml, nor ROOT/config/t.yaml; write such a file, or leave \
             the key empty for conversations without seed topics (c.yaml:2:39)",
        ),
        (
            "prompts: {path: p}",
            "`prompts.path`: there is no folder ROOT/p; leave it empty for the shipped prompts (c.yaml:2:17)",
        ),
        ("saving: {output_dir: ''}", "`saving.output_dir` must not be empty (c.yaml:2:22)"),
        (
            "saving: {output_columns: {judge: messages}}",
            "`saving.output_columns.judge`: `messages` is the name of `messages` too; give each column its own (c.yaml:2:34)",
        ),
    ] {
        assert_eq!(with_builtin(text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn a_persona_file_that_is_missing_is_stood_in_for() {
    let settings = with_builtin("personas: {path: src/dlgforge/prompts/personas.yaml}").unwrap();
    assert_eq!(settings.plan.personas, PersonaSource::Fallback);
    let [warning] = settings.warnings.as_slice() else { panic!("{:?}", settings.warnings) };
    assert!(warning.starts_with("`personas.path`: there is no file "), "{warning}");
    assert!(warning.contains("src/dlgforge/prompts/personas.yaml; one persona for each side"), "{warning}");
    let settings = with_builtin("personas: {path: p.yaml, enabled: false}").unwrap();
    assert_eq!((settings.plan.personas, settings.warnings), (PersonaSource::Off, vec![]));
}

#[test]
fn a_judge_that_is_not_asked_is_hinted_at() {
    let judged = BUILTIN.replace("}}}", "}, judge: {model: m}}}");
    let warnings = |text: &str, env: &[(&str, &str)]| load(text, env, &[]).unwrap().warnings;
    let [hint] = &warnings(&judged, &[])[..] else { panic!("one hint") };
    assert!(hint.starts_with("`llm.agents.judge.model` is not used: `judge.mode` is `offline`"), "{hint}");
    assert_eq!(warnings(BUILTIN, &[("LLM_JUDGE_PROVIDER", "builtin")]).len(), 1);
    for quiet in [BUILTIN.to_owned(), format!("{judged}judge: {{enabled: false}}")] {
        assert_eq!(warnings(&quiet, &[]), Vec::<String>::new(), "{quiet}");
    }
    let online = format!("{}judge: {{mode: online}}", judged.replace("model: m", "provider: builtin"));
    assert_eq!(warnings(&online, &[]), Vec::<String>::new());
}

#[test]
fn the_example_of_dotenv_is_taken_whole() {
    let example = include_str!("../../.env.example");
    let project = Project::new();
    project.write(".env", example);
    let settings = project.load(BUILTIN, &[], &[]).unwrap();
    assert_eq!(settings.warnings, Vec::<String>::new(), "as it is, it is no hindrance");
    project.write(".env", &example.replace("# LLM_", "LLM_").replace("_API_KEY=\n", "_API_KEY=k  # mine\n"));
    let agents = "{user: {model: m}, assistant: {provider: anthropic, model: m}, judge: {provider: gemini, model: m}}";
    let settings = project.load(&format!("llm: {{agents: {agents}}}\njudge: {{mode: online}}"), &[], &[]).unwrap();
    assert_eq!(settings.warnings, Vec::<String>::new());
    for (_, agent) in settings.agents.iter() {
        assert_eq!(agent.endpoints[0].api_key, Some(providers::Secret::new("k".to_owned())), "{}", agent.agent);
    }
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let text = "\
run:
  batch_size: many
  turns: {min: three, max: 1}
llm:
  model: m
  mode: vllm_managed
  agents: {user: {api_key: k, provider: gemeni}, assistant: {provider: builtin, model: 1}}
tools: {retrieval: {embeddings: {backend: sentence_transformers}}, web_search: {serper_timeout: never, enabled: true}}
";
    let found = load(text, &[("KB_DEFAULT_K", "x")], &["judge.mod=online"]).unwrap_err();
    let starts: Vec<_> = found.lines().map(|line| line.trim().split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(
        starts,
        [
            "11 problems in the configuration:",
            "`run.batch_size`",
            "`run.turns.min`",
            "Forbidden LLM global key(s) in YAML",
            "`llm.vllm.model` must be set in the mode `vllm_managed`",
            "Forbidden credential key(s) in YAML",
            "`llm.agents.user.provider`",
            "`llm.agents.assistant.model`",
            "`tools.web_search.serper_timeout`",
            "Missing or empty environment variable `SERPER_API_KEY`",
            "`tools.retrieval.top_k`",
            "unknown key `judge.mod`; did you mean `judge.mode`? (--set judge.mod)",
        ],
        "{found}"
    );
}

#[test]
fn paths_start_at_the_root() {
    let project = Project::new();
    let topics = project.write("data/topics.yaml", "");
    let personas = project.write("config/people.yaml", "");
    project.write("prompts/user.jinja", "");
    let text = format!(
        "{BUILTIN}run: {{data: {{seeding: {{topics: {{path: data/topics.yaml}}}}}}}}\npersonas: {{path: people.yaml}}\n\
         prompts: {{path: prompts}}\nsaving: {{output_dir: out/here}}\n"
    );
    let settings = project.load(&text, &[], &[]).unwrap();
    assert_eq!(settings.plan.topics, TopicSource::File(topics));
    assert_eq!(settings.plan.personas, PersonaSource::File(personas));
    assert_eq!(settings.prompts.folder, Some(settings.root.join("prompts")));
    assert_eq!(settings.output.folder, settings.root.join("out/here"));
    assert_eq!(settings.topics_path, "data/topics.yaml");
    let off = ["run.data.seeding.topics.enabled=false", "personas.enabled=no", "personas.path=nowhere"];
    let settings = project.load(&text, &[], &off).unwrap();
    assert_eq!((settings.plan.topics, settings.plan.personas), (TopicSource::Off, PersonaSource::Off));
}

#[test]
fn seeds_may_be_large_or_left_open() {
    assert_eq!(with_builtin("").unwrap().plan.seed, None);
    assert_eq!(load(BUILTIN, &[("RUN_SEED", "18446744073709551615")], &[]).unwrap().plan.seed, Some(u64::MAX));
}

#[test]
fn a_run_to_go_on_with_is_named_by_the_flag_or_the_key() {
    let project = Project::new();
    let with = |set: &[&str], resume: Option<Resume>| {
        let config = project.write("c.yaml", BUILTIN);
        let flags =
            Flags { config, set: set.iter().map(|&text| text.to_owned()).collect(), resume, ..Flags::default() };
        Settings::load(&flags, &BTreeMap::new()).map(|settings| settings.resume).map_err(|error| error.to_string())
    };
    let named = |id: &str| Some(Resume::Run(id.to_owned()));
    assert_eq!(with(&[], None), Ok(None));
    assert_eq!(with(&["run.resume_run_id=a"], None), Ok(named("a")));
    assert_eq!(with(&["run.resume_run_id=a"], named("b")), Ok(named("b")));
    assert_eq!(with(&[], Some(Resume::Last)), Ok(Some(Resume::Last)));
    assert_eq!(with(&["run.run_id=a"], named("a")), Ok(named("a")));
    let error = with(&["run.run_id=b"], named("a")).unwrap_err();
    assert!(error.starts_with("`run.run_id` is `b`, but the run to go on with is `a`"), "{error}");
    let error = with(&["run.reuse_from=../x"], None).unwrap_err();
    assert!(error.starts_with("`run.reuse_from`: `../x` must be letters"), "{error}");
}

#[test]
fn other_meanings() {
    let settings = with_builtin(
        "run: {total_samples: 0, batch_size: 6, run_id: a-b_C.1}\n\
         coverage: {doc_coverage_mode: off, doc_coverage_fraction: 0}\n\
         saving: {output_columns: {messages: conversations, judge: ' '}}\n",
    )
    .unwrap();
    assert_eq!((settings.total_samples, settings.run_id.as_deref()), (6, Some("a-b_C.1")));
    assert_eq!((settings.plan.coverage.balanced, settings.plan.coverage.fraction), (false, 0.05));
    let columns = settings.output.columns;
    assert_eq!((columns.messages.as_str(), columns.judge.as_str()), ("conversations", "judge"));
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_are_no_part_of_a_configuration() {
    let text = format!("\u{feff}{BUILTIN}run:\n  batch_size: 3\n").replace('\n', "\r\n");
    assert_eq!(load(&text, &[], &[]).unwrap().batch_size, 3);
    let error = load(&text.replace(": 3", ": x"), &[], &[]).unwrap_err();
    assert_eq!(error, "`run.batch_size`: found text `x`, wanted an integer (c.yaml:3:15)");
}

#[test]
fn files_that_hold_no_configuration() {
    assert_eq!(load("- a\n", &[], &[]).unwrap_err(), "Config must be a YAML object.");
    assert_eq!(load("a: [\n", &[("BATCH_SIZE", "x")], &[]).unwrap_err(), "unclosed bracket '[' (c.yaml:1:4)");
    let flags = Flags { config: "does/not/exist.yaml".into(), ..Flags::default() };
    let error = Settings::load(&flags, &BTreeMap::new()).unwrap_err().to_string();
    assert_eq!(error, "Config file not found: does/not/exist.yaml");
}

#[test]
fn as_many_conversations_are_advanced_as_a_wave_has_unless_the_settings_say() {
    let of = |set: &[&str]| load(&format!("{BUILTIN}run: {{batch_size: 8}}"), &[("CONCURRENCY", "3")], set).unwrap();
    assert_eq!((of(&[]).batch_size, of(&[]).concurrency), (8, 3));
    assert_eq!(of(&["run.concurrency=null"]).concurrency, 8);
    let error = load(BUILTIN, &[], &["run.concurrency=0"]).unwrap_err();
    assert_eq!(error, "`run.concurrency` must be > 0. (--set run.concurrency)");
}

#[test]
fn commands_that_convert_name_the_file() {
    let convert = |text: &str| with_builtin(&format!("tools: {{retrieval: {{convert: {text}}}}}"));
    let settings = convert("{.PDF: \"ocr -l 'fr en' {input}\", pptx: 'pandoc {input} -t gfm'}").unwrap();
    let commands = &settings.knowledge.reading.convert.commands;
    assert_eq!(commands.keys().collect::<Vec<_>>(), ["pdf", "pptx"]);
    assert_eq!(Some(&commands["pdf"]), knowledge::ConvertCommand::parsed("ocr -l 'fr en' {input}").as_ref());
    for wrong in ["ocr", "'ocr \"{input}'", "'{input}'", "3", "[]"] {
        let error = convert(&format!("{{pdf: {wrong}}}")).unwrap_err();
        let said = "`tools.retrieval.convert.pdf` must be a command with `{input}` for the path of the file, such as `pandoc -t gfm {input}`";
        assert!(error.starts_with(said), "{wrong}: {error}");
    }
    let settings = with_builtin("knowledge: {text_column: body, id_column: url, max_size_mb: 0.5}").unwrap();
    let reading = settings.knowledge.reading;
    assert_eq!(
        (&*reading.text_column, reading.id_column.as_deref(), reading.max_bytes),
        ("body", Some("url"), 500_000)
    );
}
