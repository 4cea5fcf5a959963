//! `tools.retrieval`: how passages are kept and found.

use super::choices::RerankerBackend;
use super::error::Diagnostics;
use super::folders::Folders;
use super::table as keys;
use super::types::{Mapping, Setting, Text};
use super::values::Values;
use crate::knowledge::embeddings::{Backend, EmbeddingOptions};
use crate::knowledge::rerank::{RerankBackend, RerankOptions};
use crate::knowledge::{self, Anew};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The knowledge base's options.
pub(super) fn options(
    values: &Values,
    folders: &Folders,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> knowledge::Options {
    let (size, overlap) = (keys::CHUNK_SIZE, keys::CHUNK_OVERLAP);
    let (chunk_size, strategy) = (values.get(size), values.get(keys::CHUNK_STRATEGY));
    let given = values.get(overlap);
    let chunk_overlap = given.map_or(Ok(strategy.default_overlap()), usize::try_from);
    let within = chunk_overlap.ok().filter(|&overlap| overlap < chunk_size);
    if within.is_none() {
        let place = values.place(overlap).or_else(|| values.place(size));
        report.conflict(&[size.path, overlap.path], place, format!("`{overlap}` must be >= 0 and < `{size}`."));
    }
    let embeddings = embeddings(values, folders, env, report);
    knowledge::Options {
        folder: folders.root.join("knowledge"),
        follow_links: values.get(keys::FOLLOW_LINKS),
        reading: reading(values, folders, report),
        strategy,
        chunk_size,
        chunk_overlap: within.unwrap_or_default(),
        index_folder: index_folder(values, folders),
        by_words: false,
        anew: match (values.get(keys::REBUILD), values.get(keys::SKIP_IF_UNCHANGED)) {
            (true, _) => Anew::Everything,
            (false, true) => Anew::Nothing,
            (false, false) => Anew::Documents,
        },
        ranking: values.get(keys::RANKING),
        reranker: values.get(keys::RERANKER_ENABLED).then(|| reranker(values, folders, env, report)),
        embeddings,
    }
}

/// The folder that keeps what was made of the documents.
fn index_folder(values: &Values, folders: &Folders) -> PathBuf {
    let folder = values.get(keys::PERSIST_DIR).trim();
    folders.root.join(if folder.is_empty() { "knowledge_index" } else { folder })
}

fn reading(values: &Values, folders: &Folders, report: &mut Diagnostics) -> knowledge::Reading {
    const TEXT: Setting<Text> = keys::TEXT_COLUMN;
    let bytes = |megabytes: f64| (megabytes * 1e6) as u64;
    let text_column = values.get(TEXT).trim().to_owned();
    if text_column.is_empty() {
        report.conflict(&[TEXT.path], values.place(TEXT), format!("`{TEXT}` must not be empty"));
    }
    let id_column = values.get(keys::ID_COLUMN).trim();
    knowledge::Reading {
        max_bytes: bytes(values.get(keys::MAX_SIZE_MB)),
        max_pages: values.get(keys::MAX_PAGES),
        seconds: values.get(keys::READING_TIMEOUT_S),
        memory_bytes: bytes(values.get(keys::MAX_MEMORY_MB)),
        text_column,
        id_column: (!id_column.is_empty()).then(|| id_column.to_owned()),
        program: None,
        convert: convert(values, folders, report),
    }
}

fn convert(values: &Values, folders: &Folders, report: &mut Diagnostics) -> knowledge::Convert {
    const KEY: Setting<Mapping> = keys::CONVERT;
    let mut commands = BTreeMap::new();
    for (ending, command) in values.get(KEY) {
        match command.as_str().and_then(knowledge::ConvertCommand::parsed) {
            Some(command) => _ = commands.insert(ending.trim_start_matches('.').to_lowercase(), command),
            None => {
                let text = format!(
                    "`{KEY}.{ending}` must be a command with `{{input}}` for the path of the file, such as \
                     `pandoc -t gfm {{input}}`"
                );
                report.conflict(&[KEY.path], values.place(KEY), text);
            }
        }
    }
    knowledge::Convert {
        commands,
        timeout: Duration::from_secs_f64(values.get(keys::CONVERT_TIMEOUT_S)),
        cache: index_folder(values, folders).join("converted"),
        only_kept: false,
    }
}

/// A model's name, or the folder that it means.
fn model(name: &str, folders: &Folders) -> String {
    let folder = folders.find(name).filter(|folder| !name.is_empty() && folder.is_dir());
    folder.map_or_else(|| name.to_owned(), |folder| folder.display().to_string())
}

/// ONNX Runtime's library, where the settings name one.
fn runtime(values: &Values, folders: &Folders) -> Option<PathBuf> {
    let path = values.get(keys::RUNTIME).trim();
    (!path.is_empty()).then(|| folders.find(path).unwrap_or_else(|| folders.root.join(path)))
}

/// The key in the variable that a setting names; empty where it names none.
fn api_key(key: Setting<Text>, values: &Values, env: &BTreeMap<String, String>, report: &mut Diagnostics) -> String {
    let name = values.get(key).trim();
    let found = env.get(name).map(|found| found.trim()).filter(|found| !found.is_empty());
    if found.is_none() && !name.is_empty() {
        report.conflict(&[key.path], values.place(key), super::credentials::no_key("", key.path, name));
    }
    found.unwrap_or_default().to_owned()
}

fn embeddings(
    values: &Values,
    folders: &Folders,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> EmbeddingOptions {
    const ARGUMENTS: [Setting<Mapping>; 3] = [keys::MODEL_KWARGS, keys::TOKENIZER_KWARGS, keys::ENCODE_KWARGS];
    for key in ARGUMENTS.into_iter().filter(|key| !values.get(*key).is_empty()) {
        report.warn(format!(
            "`{key}` has no effect: arguments of sentence-transformers can't be passed on; `max_length`, `batch_size`, \
             `query_prefix` and `passage_prefix` of tools.retrieval.embeddings say what they mostly do"
        ));
    }
    let backend = values.get(keys::EMBEDDING_BACKEND);
    let base_url = values.get(keys::EMBEDDING_BASE_URL).trim().to_owned();
    if backend == Backend::OpenAi && !base_url.starts_with("http") {
        let key = keys::EMBEDDING_BASE_URL;
        let text = format!("`{key}` must be set with the backend `openai`, as http://127.0.0.1:8000/v1");
        report.conflict(&[key.path], values.place(key), text);
    }
    // The original's variable, where no model is named.
    let named = env.get("EMBEDDING_MODEL_NAME").map_or("", |name| name.trim());
    let name = Some(values.get(keys::EMBEDDING_MODEL).trim()).filter(|name| !name.is_empty()).unwrap_or(named);
    EmbeddingOptions {
        backend,
        model: if backend == Backend::OpenAi { name.to_owned() } else { model(name, folders) },
        fallback_model: model(values.get(keys::FALLBACK_EMBEDDING_MODEL).trim(), folders),
        device: values.get(keys::EMBEDDING_DEVICE),
        fallback_on_cpu: values.get(keys::FALLBACK_ON_CPU),
        runtime: runtime(values, folders),
        batch_size: values.get(keys::EMBEDDING_BATCH_SIZE),
        max_length: values.get(keys::EMBEDDING_MAX_LENGTH),
        query_prefix: values.get(keys::QUERY_PREFIX).map(str::to_owned),
        passage_prefix: values.get(keys::PASSAGE_PREFIX).map(str::to_owned),
        api_key: api_key(keys::EMBEDDING_API_KEY_ENV, values, env, report),
        base_url,
        timeout: values.get(keys::EMBEDDING_TIMEOUT),
    }
}

fn reranker(
    values: &Values,
    folders: &Folders,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> RerankOptions {
    let base_url = values.get(keys::RERANKER_BASE_URL).trim().to_owned();
    let cmd = values.get(keys::RERANKER_CMD).map(str::trim).filter(|cmd| !cmd.is_empty());
    let mut demand = |key: Setting<Text>, word: &str, what: &str| {
        let text = format!("`{key}` must be set with the backend `{word}`: {what}");
        report.conflict(&[key.path], values.place(key), text);
    };
    let chosen = match values.get(keys::RERANKER_BACKEND) {
        RerankerBackend::Auto if cmd.is_some() => RerankerBackend::Cmd,
        RerankerBackend::Auto if !base_url.is_empty() => RerankerBackend::Http,
        RerankerBackend::Auto => RerankerBackend::Fastembed,
        chosen => chosen,
    };
    let backend = match chosen {
        RerankerBackend::Auto | RerankerBackend::Fastembed => RerankBackend::Fastembed,
        RerankerBackend::Http => {
            if !base_url.starts_with("http") {
                demand(keys::RERANKER_BASE_URL, "http", "the root of the server, as http://127.0.0.1:8000");
            }
            RerankBackend::Http { api_key: api_key(keys::RERANKER_API_KEY_ENV, values, env, report), base_url }
        }
        RerankerBackend::Cmd => {
            let words = cmd.and_then(shlex::split).filter(|words| !words.is_empty()).unwrap_or_default();
            if words.is_empty() {
                let key = keys::RERANKER_CMD;
                let text = format!("`{key}` must name a program with the backend `cmd`, in the words of a shell");
                report.conflict(&[key.path], values.place(key), text);
            }
            RerankBackend::Command(words)
        }
    };
    RerankOptions {
        model: if backend == RerankBackend::Fastembed {
            model(values.get(keys::RERANKER_MODEL).trim(), folders)
        } else {
            values.get(keys::RERANKER_MODEL).trim().to_owned()
        },
        backend,
        candidates: values.get(keys::CANDIDATES),
        batch_size: values.get(keys::RERANKER_BATCH_SIZE),
        instruction: values.get(keys::INSTRUCTION).trim().to_owned(),
        max_length: values.get(keys::RERANKER_MAX_LENGTH),
        runtime: runtime(values, folders),
        timeout: values.get(keys::RERANKER_TIMEOUT),
    }
}
