//! The files of an embedding model, and where they are looked for.

use crate::knowledge::KnowledgeError;
use fastembed::{Pooling, TokenizerFiles};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a model's network is in its folder, first found first.
pub(super) const NETWORKS: [&str; 3] = ["model.onnx", "onnx/model.onnx", "model_optimized.onnx"];

/// The files beside it that a model can't do without.
pub(super) const NEEDED: [&str; 3] = ["tokenizer.json", "config.json", "tokenizer_config.json"];

/// The files that are read where a model has them.
pub(super) const OPTIONAL: [&str; 4] = [
    "special_tokens_map.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
];

/// Tokens of a text that are read at most where no file says it.
const MAX_LENGTH: usize = 512;

/// The folder of models in the cache folder.
pub(super) const FOLDER: &str = "models";

/// The folder of what dlgforge fetches: `$DLGFORGE_CACHE`, else `dlgforge` in the user's cache folder; none where the
/// environment names no such folder.
pub fn cache_folder() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("DLGFORGE_CACHE").or_else(|| {
        let user =
            named("XDG_CACHE_HOME").or_else(|| named("LOCALAPPDATA")).or_else(|| Some(named("HOME")?.join(".cache")));
        Some(user?.join("dlgforge"))
    })
}

/// The Hub's cache folder, which its other clients share.
pub(super) fn hub_cache() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("HF_HUB_CACHE").or_else(|| Some(named("HF_HOME")?.join("hub"))).or_else(|| {
        let user = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
        Some(user.join("huggingface/hub"))
    })
}

/// A model's name as a folder's name.
pub(super) fn flat(name: &str) -> String {
    name.replace('/', "--")
}

/// A model, read.
pub(in crate::knowledge) struct Model {
    pub network: Vec<u8>,
    /// What a large network keeps beside it.
    pub network_data: Option<Vec<u8>>,
    pub tokenizer: TokenizerFiles,
    pub pooling: Pooling,
    pub max_length: usize,
    pub query_prefix: String,
    pub passage_prefix: String,
}

impl Model {
    /// The model of this name: the folder that it names, else in the cache folder, else in the Hub's cache.
    ///
    /// # Errors
    /// When it is nowhere, or a file of it is missing or not what it must be.
    pub fn find(name: &str) -> Result<Self, KnowledgeError> {
        let own = cache_folder().map(|folder| folder.join(FOLDER).join(flat(name)));
        let hub = hub_cache().and_then(|folder| snapshot(&folder.join(format!("models--{}", flat(name)))));
        let folder = [Some(PathBuf::from(name)), own, hub].into_iter().flatten().find(|folder| folder.is_dir());
        match folder {
            Some(folder) => Self::read(&folder),
            None => Err(KnowledgeError::Missing(format!(
                "the embedding model `{name}`: there is no such folder, and it is neither in dlgforge's cache folder nor in the \
                 Hub's"
            ))),
        }
    }

    /// The model in a folder.
    ///
    /// # Errors
    /// When a file is missing, or not what it must be.
    pub fn read(folder: &Path) -> Result<Self, KnowledgeError> {
        let wrong = |file: &str, cause: String| KnowledgeError::Model { path: folder.join(file), cause };
        let read = |file: &str| fs::read(folder.join(file)).map_err(|error| wrong(file, error.to_string()));
        let network = NETWORKS.into_iter().find(|file| folder.join(file).is_file());
        let Some(network) = network else {
            let cause = format!("there is no network in the form of ONNX: none of {}", NETWORKS.join(", "));
            return Err(wrong("", cause));
        };
        let json = |file: &str| match fs::read(folder.join(file)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| wrong(file, error.to_string())),
            Err(_) => Ok(Value::Null),
        };
        let [special, pooling, lengths, prompts] = OPTIONAL;
        let pooling_mode = json(pooling)?;
        let prompts = json(prompts)?["prompts"].take();
        let prompt =
            |names: [&str; 2]| names.iter().find_map(|name| prompts[name].as_str()).unwrap_or_default().to_owned();
        let data = format!("{network}_data");
        Ok(Self {
            network: read(network)?,
            network_data: folder.join(&data).is_file().then(|| read(&data)).transpose()?,
            pooling: pooled(&pooling_mode).ok_or_else(|| {
                wrong(pooling, format!("only means and first tokens are supported, not {pooling_mode}"))
            })?,
            max_length: json(lengths)?["max_seq_length"].as_u64().map_or(MAX_LENGTH, |length| length as usize),
            query_prefix: prompt(["query", "search_query"]),
            passage_prefix: prompt(["document", "passage"]),
            tokenizer: TokenizerFiles {
                tokenizer_file: read(NEEDED[0])?,
                config_file: read(NEEDED[1])?,
                tokenizer_config_file: read(NEEDED[2])?,
                special_tokens_map_file: if folder.join(special).is_file() { read(special)? } else { b"{}".to_vec() },
            },
        })
    }
}

/// How the vectors of tokens become one, as sentence-transformers says it; the mean where nothing does.
fn pooled(config: &Value) -> Option<Pooling> {
    let is = |key: &str| config[key].as_bool() == Some(true);
    match config["pooling_mode"].as_str() {
        Some("mean") => Some(Pooling::Mean),
        Some("cls") => Some(Pooling::Cls),
        Some(_) => None,
        None if is("pooling_mode_cls_token") => Some(Pooling::Cls),
        None if is("pooling_mode_mean_tokens") || config.is_null() => Some(Pooling::Mean),
        None => None,
    }
}

/// The folder of a repository's main revision in the Hub's cache.
fn snapshot(repository: &Path) -> Option<PathBuf> {
    let revision = fs::read_to_string(repository.join("refs/main")).ok()?;
    Some(repository.join("snapshots").join(revision.trim()))
}
