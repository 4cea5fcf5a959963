//! The table of old spellings and what they are called now.

use super::keys;

/// Which spelling counts when a file holds both with different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wins {
    /// The old one replaces the new one.
    Old,
    /// The new one, unless it only repeats the default.
    New,
}

/// An old key or section.
pub(super) struct Rename {
    pub old: &'static str,
    pub new: &'static str,
    pub wins: Wins,
}

const fn over(old: &'static str, new: &'static str) -> Rename {
    Rename { old, new, wins: Wins::Old }
}

const fn under(old: &'static str, new: &'static str) -> Rename {
    Rename { old, new, wins: Wins::New }
}

/// Every old spelling.
pub(super) const RENAMES: &[Rename] = &[
    over("run.n_turns", "run.turns.exact"),
    over("run.min_turns", "run.turns.min"),
    over("run.max_turns", "run.turns.max"),
    over("run.turn_count_distribution", "run.turns.distribution"),
    over("run.turn_count_mean", "run.turns.mean"),
    under("run.seed_question", "run.data.seeding.question"),
    under("run.question_seed", "run.data.seeding.question"),
    over("run.seed_topics_path", "run.data.seeding.topics.path"),
    over("run.seed_topics_variant", "run.data.seeding.topics.variant"),
    over("run.seed_topics_probability", "run.data.seeding.topics.probability"),
    over("run.seed_topics_enabled", "run.data.seeding.topics.enabled"),
    under("run.target_language", "run.target_languages"),
    under("run.distributed.executor", "run.distributed.backend"),
    over("ray", "run.distributed.ray"),
    under("retrieval", "tools.retrieval"),
    under("tools.retrieval.default_k", "tools.retrieval.top_k"),
    under("tools.retrieval.chunk_size", "tools.retrieval.chunking.chunk_size"),
    under("tools.retrieval.overlap", "tools.retrieval.chunking.chunk_overlap"),
    under("tools.retrieval.persist_dir", "tools.retrieval.index.persist_dir"),
    under("tools.retrieval.rebuild_index", "tools.retrieval.index.rebuild"),
    under("tools.retrieval.skip_if_unchanged", "tools.retrieval.index.skip_if_unchanged"),
    under("tools.retrieval.embedding_backend", "tools.retrieval.embeddings.backend"),
    under("tools.retrieval.embedding_model", "tools.retrieval.embeddings.model"),
    under("tools.retrieval.embedding_device", "tools.retrieval.embeddings.device"),
    under("tools.retrieval.fallback_on_cpu", "tools.retrieval.embeddings.fallback_on_cpu"),
    under("tools.retrieval.embedding_model_kwargs", "tools.retrieval.embeddings.model_kwargs"),
    under("tools.retrieval.embedding_tokenizer_kwargs", "tools.retrieval.embeddings.tokenizer_kwargs"),
    under("tools.retrieval.embedding_encode_kwargs", "tools.retrieval.embeddings.encode_kwargs"),
    under("models.embedding_model", "tools.retrieval.embeddings.model"),
    under("models.fallback_embedding_model", "tools.retrieval.embeddings.fallback_model"),
    under("models.use_reranker", "tools.retrieval.reranker.enabled"),
    under("models.reranker_model", "tools.retrieval.reranker.model"),
    under("models.reranker_backend", "tools.retrieval.reranker.backend"),
    under("models.reranker_instruction", "tools.retrieval.reranker.instruction"),
    under("models.reranker_max_length", "tools.retrieval.reranker.max_length"),
    under("models.reranker_candidates", "tools.retrieval.reranker.candidates"),
    under("models.reranker_batch_size", "tools.retrieval.reranker.batch_size"),
    under("models.qwen3_reranker_cmd", "tools.retrieval.reranker.cmd"),
    under("tools.web_search_enabled", "tools.web_search.enabled"),
    under("tools.serper_num_results", "tools.web_search.serper_num_results"),
    under("tools.serper_timeout", "tools.web_search.serper_timeout"),
    under("llm.backend", "llm.mode"),
    under("llm.agents.qa_generator", "llm.agents.user"),
    under("llm.agents.kb_responder", "llm.agents.assistant"),
    under("llm.agents.qa_judge", "llm.agents.judge"),
    under("saving.output_columns.message_with_tools", "saving.output_columns.messages_with_tools"),
];

/// What an old key or section is called now.
pub(super) fn renamed(path: &str) -> Option<(&'static str, Wins)> {
    RENAMES.iter().find(|rename| rename.old == path).map(|rename| (rename.new, rename.wins))
}

/// A path with what old keys and sections of it are called now in their place.
pub(super) fn current(path: &str) -> String {
    let renamed = |path: &String| {
        RENAMES.iter().find_map(|Rename { old, new, .. }| {
            let rest = path.strip_prefix(old).filter(|rest| rest.is_empty() || rest.starts_with('.'))?;
            Some(format!("{new}{rest}"))
        })
    };
    std::iter::successors(Some(path.to_owned()), renamed).last().unwrap_or_default()
}

/// Whether old keys lie below this section.
pub(super) fn is_section(path: &str) -> bool {
    RENAMES.iter().any(|rename| keys::is_below(rename.old, path))
}

/// The warning for an old spelling.
pub(super) fn warning(old: &str, new: &str) -> String {
    format!("DEPRECATED: `{old}` is now `{new}`.")
}
