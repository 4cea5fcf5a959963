//! What settings give to the manifest of a run.

use super::load;
use std::collections::BTreeSet;

#[test]
fn manifests_of_earlier_releases_stay_good() {
    let text = "
        run: {seed: 5, run_id: r, batch_size: 2, total_samples: 3, target_languages: [en, fr],
            turns: {mode: exact, exact: 2, mean: 1.5}}
        llm:
            agents:
                user: {provider: builtin, temperature: 0.5, top_p: 1, max_tokens: 99, extra: {a: 1}}
                assistant: {provider: builtin}
                judge: {provider: builtin}
        judge: {mode: online, reasons: [a, ' b ', ''], accept: {min_score: 1, require: [answer_ok, question_ok], reject_reasons: [a]}}
        coverage: {doc_coverage_fraction: 0.01}
        saving: {output_dir: out/deep, output_columns: {tools: ''}}
        tools: {retrieval: {chunking: {strategy: characters}}}";
    let sorted = |set: &[&str]| {
        let settings = load(text, &[], set).unwrap();
        let line = |(key, value)| format!("{key} = {value}").trim_end().to_owned();
        let lines: BTreeSet<String> = settings.fixed().map(line).collect();
        Vec::from_iter(lines).join("\n")
    };
    // As release 0.1.0 wrote it, but for `coverage.match_language` and what was added since.
    let expected = r#"checks.max_answer_words =
checks.max_question_words =
checks.min_overlap =
checks.on_fail =
checks.reject =
checks.repairs =
coverage.candidates =
coverage.decontaminate_ngram =
coverage.doc_coverage_epsilon = 0.15
coverage.doc_coverage_fraction = 0.05
coverage.doc_coverage_mode = balanced
coverage.linked = 0
coverage.match_language = prefer
coverage.modes =
coverage.near_duplicates.method =
coverage.near_duplicates.scope =
coverage.near_duplicates.threshold =
coverage.normalisation = full
coverage.question_dedup_retries = 3
coverage.registers =
coverage.require_retrieval = true
coverage.words.mean =
coverage.words.sigma =
judge.accept.min_score = 1
judge.accept.on_fail = keep
judge.accept.regenerations =
judge.accept.reject_reasons = a
judge.accept.repairs =
judge.accept.require = question_ok, answer_ok
judge.calibrate =
judge.granularity = turn
judge.jury =
judge.mode = online
judge.reasons = a, b
llm.agents.assistant.extra = xxh3:dc7048f8f8747f561349cde127705c16
llm.agents.assistant.max_tokens =
llm.agents.assistant.model =
llm.agents.assistant.provider = builtin
llm.agents.assistant.temperature =
llm.agents.assistant.top_p =
llm.agents.assistant.trace = light
llm.agents.judge.extra = xxh3:dc7048f8f8747f561349cde127705c16
llm.agents.judge.max_tokens =
llm.agents.judge.model =
llm.agents.judge.provider = builtin
llm.agents.judge.temperature =
llm.agents.judge.top_p =
llm.agents.user.end =
llm.agents.user.extra = xxh3:3c8c141663acf5a1b6b7137162fa70fb
llm.agents.user.max_tokens = 99
llm.agents.user.model =
llm.agents.user.provider = builtin
llm.agents.user.reply =
llm.agents.user.temperature = 0.5
llm.agents.user.top_p = 1
run.batch_size = 2
run.data.seeding.question =
run.data.seeding.topics.enabled = true
run.data.seeding.topics.path =
run.data.seeding.topics.probability = 0.35
run.data.seeding.topics.variant =
run.lookahead = 16
run.reuse_from =
run.seed = 5
run.target_languages = ["en","fr"]
run.total_samples = 3
run.turns.distribution = poisson
run.turns.max = 2
run.turns.mean = 1.5
run.turns.min = 2
saving.files = synthetic_qa, conversations_index, conversations_sharegpt, conversations_sharegpt_judged, turns, coverage_ledger, dropped, parquet, conversations, run_state
saving.keep_dropped_rows = false
saving.output_columns.assistant_reasoning = assistant_reasoning
saving.output_columns.judge = judge
saving.output_columns.messages = messages
saving.output_columns.messages_with_tools = messages_with_tools
saving.output_columns.metadata = metadata
saving.output_columns.tools = tools
saving.output_columns.user_reasoning = user_reasoning
saving.output_dir = out/deep
saving.raw = false
tools.retrieval.chunking.chunk_overlap = 150
tools.retrieval.chunking.chunk_size = 750
tools.retrieval.chunking.strategy = characters
tools.retrieval.mode = both
tools.retrieval.top_k = 4"#;
    assert_eq!(sorted(&[]), expected);
    // What decides no data is not in it.
    let free = ["run.concurrency=9", "run.budget.calls=9", "llm.agents.user.timeout=9", "store.keep_calls=false"];
    assert_eq!(sorted(&free), expected);
    assert!(!sorted(&["judge.mode=offline"]).contains("llm.agents.judge."), "nobody is asked");
}
