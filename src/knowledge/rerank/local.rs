//! A cross-encoder in this process: fastembed on ONNX Runtime.

use super::{RerankOptions, Reranker, Scoring, usable};
use crate::knowledge::KnowledgeError;
use crate::knowledge::embeddings::{Model, load_runtime};
use crate::knowledge::leaving::computing;
use fastembed::{RerankInitOptionsUserDefined, TextRerank, UserDefinedRerankingModel};
use ort::session::builder::AutoDevicePolicy;
use std::sync::{Arc, Mutex, PoisonError};

/// A model, loaded once.
pub(super) struct CrossEncoder {
    name: String,
    model: Arc<Mutex<TextRerank>>,
    batch_size: usize,
}

impl CrossEncoder {
    /// # Errors
    /// When the model, or the library that runs it, is not there or can't be loaded.
    pub fn load(options: &RerankOptions) -> Result<Self, KnowledgeError> {
        let wrong = |cause: String| KnowledgeError::Rerank { model: options.model.clone(), cause };
        let found = Model::find(&options.model).map_err(|error| match error {
            KnowledgeError::Missing(_) => wrong(
                "there is no such folder, and no such model in the cache folders; name a folder with model.onnx and the \
                 tokenizer's files, a server (`tools.retrieval.reranker.base_url`), or a program (`cmd`)"
                    .to_owned(),
            ),
            error => error,
        })?;
        let environment = load_runtime(options.runtime.as_deref())?;
        let model = UserDefinedRerankingModel::new(found.network, found.tokenizer);
        let session = RerankInitOptionsUserDefined::new()
            .with_environment(environment)
            .with_max_length(options.max_length)
            .with_auto_device(AutoDevicePolicy::PreferCPU);
        let loaded = computing(|| TextRerank::try_new_from_user_defined(model, session));
        let loaded = loaded.map_err(|error| wrong(error.to_string()))?;
        Ok(Self { name: options.model.clone(), model: Arc::new(Mutex::new(loaded)), batch_size: options.batch_size })
    }
}

impl Reranker for CrossEncoder {
    fn score<'a>(&'a self, query: &'a str, passages: Vec<String>) -> Scoring<'a> {
        let wrong = |cause: String| KnowledgeError::Rerank { model: self.name.clone(), cause };
        let (model, query, batch_size) = (self.model.clone(), query.to_owned(), self.batch_size);
        Box::pin(async move {
            let count = passages.len();
            let work = move || {
                let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
                let rank = || model.rerank(query, passages, false, Some(batch_size));
                computing(rank).map_err(|error| error.to_string())
            };
            let ranked = tokio::task::spawn_blocking(work).await.map_err(|error| wrong(error.to_string()))?;
            let mut ranked = ranked.map_err(wrong)?;
            ranked.sort_by_key(|one| one.index);
            usable(ranked.into_iter().map(|one| one.score).collect(), count, wrong)
        })
    }
}
