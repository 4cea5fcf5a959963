//! How each key of the Python original is taken here.

use super::Verdict;

/// Keys with what is to be known of them; `*` stands for any agent.
pub(super) const FACTS: &[(&[&str], Verdict, &str)] = &[
    (
        &["run.batch_size"],
        Verdict::Better,
        "a wave of so many conversations, which do not wait for each other; 1 is no path of its own; a run goes on with the same one \
         (run.concurrency says how many calls are made at a time)",
    ),
    (
        &["run.total_samples"],
        Verdict::Better,
        "exactly so many accepted conversations a language: dropped ones are replaced",
    ),
    (&["run.target_languages"], Verdict::Same, ""),
    (&["run.run_id"], Verdict::Same, ""),
    (
        &["run.resume_run_id"],
        Verdict::Better,
        "a run goes on where it was, in every language, from its journal: no call is paid for twice, and the files are those of a run that \
         nobody stopped (runs of the original can't be gone on with; `dlgforge import` takes their conversations over)",
    ),
    (&["run.turns.mode"], Verdict::Same, ""),
    (&["run.turns.exact"], Verdict::Same, ""),
    (&["run.turns.min"], Verdict::Same, ""),
    (&["run.turns.max"], Verdict::Same, ""),
    (
        &["run.turns.distribution"],
        Verdict::Better,
        "drawn from run.seed: the same seed draws the same numbers; an unknown name is an error",
    ),
    (&["run.turns.mean"], Verdict::Better, "drawn from run.seed: the same seed draws the same numbers"),
    (&["run.data.seeding.question"], Verdict::Same, ""),
    (
        &["run.data.seeding.topics.path"],
        Verdict::Differs,
        "empty by default, and a file that is not there is an error; older forms are read, and written anew by `dlgforge seeds-migrate`; topics \
         that the documents tell nothing of are not asked",
    ),
    (
        &["run.data.seeding.topics.enabled", "run.data.seeding.topics.variant", "run.data.seeding.topics.probability"],
        Verdict::Same,
        "",
    ),
    (
        &["run.distributed.enabled"],
        Verdict::Better,
        "processes of this program that make what one process would make, to the byte; no actors and no server are needed",
    ),
    (
        &["run.distributed.backend"],
        Verdict::Differs,
        "`ray` has Ray start the processes, as jobs; without Ray leave it out (timely), or see launcher: slurm, kubernetes, manual",
    ),
    (
        &["run.distributed.spawn.coordinator", "run.distributed.spawn.workers"],
        Verdict::Differs,
        "nothing to choose: the first process runs where the command does, and the others are started",
    ),
    (
        &["run.distributed.ray.address"],
        Verdict::Differs,
        "the address of Ray's Jobs API (its dashboard, as http://HOST:8265), and not ray://",
    ),
    (&["run.distributed.ray.namespace"], Verdict::Differs, "what the names of Ray's jobs begin with"),
    (
        &["run.distributed.ray.actor.replicas_qa"],
        Verdict::Differs,
        "with replicas_complete: processes beside the first; better run.distributed.processes",
    ),
    (
        &["run.distributed.ray.actor.replicas_complete"],
        Verdict::Differs,
        "with replicas_qa: processes beside the first; better run.distributed.processes",
    ),
    (
        &["run.distributed.ray.actor.coordinator_num_cpus"],
        Verdict::Differs,
        "the first process is none of Ray's: nothing is set aside for it",
    ),
    (
        &["run.distributed.ray.actor.num_cpus", "run.distributed.ray.actor.num_gpus"],
        Verdict::Differs,
        "what Ray sets aside for each process but the first",
    ),
    (&["run.distributed.ray.auto_start_local"], Verdict::Same, ""),
    (
        &["store.backend"],
        Verdict::Better,
        "the state of every run is kept, of one process too; sqlite, the default, needs no server, also with several processes; postgres wants a dsn",
    ),
    (&["store.postgres.dsn"], Verdict::Better, "${NAME} is replaced by the variable; DLGFORGE_POSTGRES_DSN serves too"),
    (
        &["store.postgres.min_pool_size", "store.postgres.max_pool_size", "store.postgres.statement_timeout_ms"],
        Verdict::Better,
        "it has a say here",
    ),
    (&["llm.mode"], Verdict::Same, ""),
    (&["llm.routing.strategy"], Verdict::Better, "it has a say here"),
    (
        &["llm.routing.endpoints"],
        Verdict::Better,
        "max_in_flight is never exceeded, limits are found out and kept, and endpoints that fail are left until they answer again",
    ),
    (
        &["llm.vllm.num_gpus_per_replica"],
        Verdict::Better,
        "GPUs of this machine, which replicas get by number, without Ray",
    ),
    (
        &[
            "llm.vllm.model",
            "llm.vllm.served_model_name",
            "llm.vllm.replicas",
            "llm.vllm.host",
            "llm.vllm.advertise_host",
            "llm.vllm.port_start",
            "llm.vllm.tensor_parallel_size",
            "llm.vllm.gpu_memory_utilization",
            "llm.vllm.max_num_seqs",
            "llm.vllm.health_timeout_s",
            "llm.vllm.auto_stop_on_exit",
        ],
        Verdict::Better,
        "replicas are started, watched, started again when they die and ended by the run itself",
    ),
    (&["llm.agents.*.timeout"], Verdict::Better, "there is a default, and what comes to nothing is tried again"),
    (
        &["llm.agents.*.max_retries"],
        Verdict::Better,
        "rate limits and outages are waited for and not counted; a call that fails for good drops its conversation, and not the run",
    ),
    (
        &[
            "llm.agents.*.provider",
            "llm.agents.*.model",
            "llm.agents.*.base_url",
            "llm.agents.*.temperature",
            "llm.agents.*.max_tokens",
            "llm.agents.*.top_p",
            "llm.agents.*.extra",
        ],
        Verdict::Same,
        "",
    ),
    (&["coverage.doc_coverage_mode"], Verdict::Same, ""),
    (&["coverage.doc_coverage_epsilon"], Verdict::Same, ""),
    (&["coverage.doc_coverage_fraction"], Verdict::Same, ""),
    (
        &["coverage.question_dedup_retries"],
        Verdict::Better,
        "questions are compared over all workers, processes and earlier runs while the run goes on, and a conversation that finds no new one is replaced",
    ),
    (
        &["tools.web_search.enabled", "tools.web_search.serper_num_results", "tools.web_search.serper_timeout"],
        Verdict::Better,
        "what was found is kept in the journal, and not searched for twice; domains can be allowed and denied",
    ),
    (&["tools.retrieval.top_k"], Verdict::Same, ""),
    (
        &["tools.retrieval.chunking.chunk_size", "tools.retrieval.chunking.chunk_overlap"],
        Verdict::Differs,
        "chunks end where sections, paragraphs and sentences do, and repeat nothing; chunking.strategy: characters cuts as the original does",
    ),
    (
        &[
            "tools.retrieval.index.persist_dir",
            "tools.retrieval.index.rebuild",
            "tools.retrieval.index.skip_if_unchanged",
        ],
        Verdict::Better,
        "only what has changed is read and embedded anew; .txt, .md, .pdf and more types of documents",
    ),
    (
        &["tools.retrieval.embeddings.backend"],
        Verdict::Differs,
        "models are run by ONNX Runtime, or asked of a server; without a model passages are found by their words (BM25); sentence_transformers \
         counts as auto",
    ),
    (&["tools.retrieval.embeddings.model"], Verdict::Better, "as ONNX: `dlgforge fetch embeddings` gets it, once"),
    (&["tools.retrieval.embeddings.model_kwargs"], Verdict::Differs, "of no effect here; see device and runtime"),
    (&["tools.retrieval.embeddings.tokenizer_kwargs"], Verdict::Differs, "of no effect here; see max_length"),
    (
        &["tools.retrieval.embeddings.encode_kwargs"],
        Verdict::Differs,
        "of no effect here; see batch_size and the prefixes",
    ),
    (
        &[
            "tools.retrieval.embeddings.fallback_model",
            "tools.retrieval.embeddings.device",
            "tools.retrieval.embeddings.fallback_on_cpu",
        ],
        Verdict::Better,
        "it has a say here",
    ),
    (&["tools.retrieval.reranker.backend"], Verdict::Differs, "auto, fastembed, http or cmd; qwen3 counts as auto"),
    (
        &["tools.retrieval.reranker.cmd"],
        Verdict::Differs,
        "a program that reads a line of JSON and writes one; started once",
    ),
    (
        &[
            "tools.retrieval.reranker.enabled",
            "tools.retrieval.reranker.candidates",
            "tools.retrieval.reranker.batch_size",
        ],
        Verdict::Same,
        "",
    ),
    (
        &["tools.retrieval.reranker.model"],
        Verdict::Differs,
        "as ONNX in this process (`dlgforge fetch` gets it), or of a server: see reranker.backend",
    ),
    (
        &["tools.retrieval.reranker.instruction", "tools.retrieval.reranker.max_length"],
        Verdict::Better,
        "it has a say here",
    ),
    (&["personas.enabled"], Verdict::Same, ""),
    (&["personas.path"], Verdict::Same, ""),
    (&["judge.enabled"], Verdict::Same, ""),
    (&["judge.mode"], Verdict::Better, "offline: `dlgforge judge` judges what is there, with any judge, at any time"),
    (&["judge.granularity"], Verdict::Same, ""),
    (&["judge.reasons"], Verdict::Better, "verdicts have no others; judge.accept says which verdicts are good enough"),
    (&["saving.output_dir"], Verdict::Same, ""),
    (
        &[
            "saving.output_columns.messages",
            "saving.output_columns.messages_with_tools",
            "saving.output_columns.metadata",
            "saving.output_columns.user_reasoning",
            "saving.output_columns.assistant_reasoning",
            "saving.output_columns.judge",
        ],
        Verdict::Better,
        "Parquet and exports have these names too",
    ),
    (
        &[
            "saving.hf_push.enabled",
            "saving.hf_push.auto_push_on_run",
            "saving.hf_push.repo_id",
            "saving.hf_push.repo_type",
            "saving.hf_push.export_dir",
            "saving.hf_push.include_run_state",
            "saving.hf_push.private",
            "saving.hf_push.commit_message",
            "saving.hf_push.source_file",
            "saving.hf_push.generate_stats",
            "saving.hf_push.stats_file",
            "saving.hf_push.generate_plots",
            "saving.hf_push.plots_dir",
            "saving.hf_push.clean_remote",
        ],
        Verdict::Better,
        "uploads go on where they stopped, what is there is not sent again, and the card is made of the data",
    ),
];

/// Keys whose defaults are others here, and how: what a project gets that leaves them out.
pub(super) const DEFAULTS: &[(&str, &str)] = &[
    (
        "run.data.seeding.topics.path",
        "data/seeds/topics.yaml there, none here: write the path where such a file is to be used",
    ),
    (
        "tools.retrieval.chunking.strategy",
        "characters there, structure here; a chunk repeats 150 characters of the one before with characters alone",
    ),
    ("store.backend", "postgres there, for several processes; sqlite here, for any number, with nothing to set up"),
];

/// What is told of a key; of one that is not there, that the original does not know it.
pub(super) fn of(key: &str) -> (Verdict, &'static str) {
    let mut parts: Vec<&str> = key.split('.').collect();
    if parts.starts_with(&["llm", "agents"]) && parts.len() > 3 {
        parts[2] = "*";
    }
    let key = parts.join(".");
    let known = FACTS.iter().find(|(keys, _, _)| keys.contains(&key.as_str()));
    known.map_or((Verdict::New, ""), |(_, verdict, note)| (*verdict, note))
}
