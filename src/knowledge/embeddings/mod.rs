//! Texts become vectors whose nearness is nearness of meaning.

mod fetch;
mod http;
mod local;
mod model;
mod runtime;

pub use fetch::{FetchError, Fetched, Origin, fetch};
pub(in crate::knowledge) use model::Model;
pub use model::cache_folder;
pub(in crate::knowledge) use runtime::load as load_runtime;

use super::KnowledgeError;
use super::inventory::Key;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// The options of the section `tools.retrieval.embeddings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingOptions {
    /// What it is that makes vectors.
    pub backend: Backend,
    /// The model: its name on the Hub or the server, or a folder with its files.
    pub model: String,
    /// The model that is taken where there is no `model`; empty for none.
    pub fallback_model: String,
    /// What the model runs on.
    pub device: Device,
    /// Whether the model runs on the CPU where the device can't be used.
    pub fallback_on_cpu: bool,
    /// ONNX Runtime's library; none to look for it in the environment and in the cache folder.
    pub runtime: Option<PathBuf>,
    /// Texts that one request of an endpoint holds at most.
    pub batch_size: usize,
    /// Tokens of a text that are read at most; none for what the model's files say.
    pub max_length: Option<usize>,
    /// What stands before a query; none for what the model's files say.
    pub query_prefix: Option<String>,
    /// What stands before a passage; none for what the model's files say.
    pub passage_prefix: Option<String>,
    /// The root of the API of the backend `openai`.
    pub base_url: String,
    /// The key that it takes; empty for none.
    pub api_key: String,
    /// Seconds allowed to one request.
    pub timeout: u64,
}

impl EmbeddingOptions {
    /// No vectors: passages are found by their words.
    pub fn lexical() -> Self {
        Self {
            backend: Backend::Lexical,
            model: String::new(),
            fallback_model: String::new(),
            device: Device::Cpu,
            fallback_on_cpu: true,
            runtime: None,
            batch_size: 64,
            max_length: None,
            query_prefix: None,
            passage_prefix: None,
            base_url: String::new(),
            api_key: String::new(),
            timeout: 30,
        }
    }
}

/// What it is that makes vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The model in this process, if it is there; else none: passages are found by their words alone.
    Auto,
    /// Nothing: passages are found by their words alone.
    Lexical,
    /// The model in this process.
    Fastembed,
    /// A server with an OpenAI-compatible `/v1/embeddings`.
    OpenAi,
}

/// What a model runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The first CUDA device where ONNX Runtime has one, else the CPU.
    Auto,
    /// The CPU, whatever else there is.
    Cpu,
    /// The first CUDA device.
    Cuda,
}

/// What a text is for: some models are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To look for passages.
    Query,
    /// To be found by queries.
    Passage,
}

/// The future of vectors: one of length 1 for each text, in order.
pub type Embedding<'a> = Pin<Box<dyn Future<Output = Result<Vec<Vec<f32>>, KnowledgeError>> + Send + 'a>>;

/// Makes vectors of texts.
pub trait Embedder: Send + Sync {
    /// What the vectors follow from beside the text: those of the same name can be compared.
    fn name(&self) -> &str;

    /// Vectors of texts that stand behind their prefixes. That of a text does not depend on the others.
    fn embed(&self, texts: Vec<String>) -> Embedding<'_>;

    /// What stands before a text.
    fn prefix(&self, purpose: Purpose) -> &str;
}

/// A text behind its prefix.
pub fn prefixed(embedder: &dyn Embedder, purpose: Purpose, text: &str) -> String {
    format!("{}{text}", embedder.prefix(purpose))
}

/// The digest of a model's name, or of a text.
pub(super) fn key(text: &str) -> Key {
    xxh3_128(text.as_bytes()).to_be_bytes()
}

/// What makes vectors by these options; none where passages are found by their words alone. A model that is missing is an
/// error but for [`Backend::Auto`].
///
/// # Errors
/// When the model, or what runs it, is missing or can't be loaded: the text says how to get it.
pub fn embedder(options: &EmbeddingOptions) -> Result<Option<Arc<dyn Embedder>>, KnowledgeError> {
    Ok(match options.backend {
        Backend::Lexical => None,
        Backend::OpenAi => Some(Arc::new(http::Endpoint::new(options)?)),
        Backend::Fastembed => Some(Arc::new(local::Local::load(options)?)),
        Backend::Auto => match local::Local::load(options) {
            Ok(local) => Some(Arc::new(local)),
            Err(KnowledgeError::Missing(_)) => None,
            Err(error) => return Err(error),
        },
    })
}

/// A vector of the same direction and length 1; as it is where it has none.
fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    vector
}
