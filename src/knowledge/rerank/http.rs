//! A server's `/rerank`: of Jina's form, which vLLM and others have, or of that of text-embeddings-inference.

use super::{RerankOptions, Reranker, Scoring, instructed, usable};
use crate::knowledge::KnowledgeError;
use crate::knowledge::requests::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// A model on a server.
pub(super) struct Server {
    client: Client,
    model: String,
    instruction: String,
    batch_size: usize,
    max_length: usize,
    /// Whether the server wants passages as `texts`, as text-embeddings-inference does.
    wants_texts: AtomicBool,
}

/// Both forms of an answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Results { results: Vec<Scored> },
    List(Vec<Scored>),
}

#[derive(Deserialize)]
struct Scored {
    index: usize,
    #[serde(alias = "relevance_score")]
    score: f32,
}

impl Server {
    /// # Errors
    /// When the options name no server.
    pub fn new(options: &RerankOptions, base_url: &str, api_key: &str) -> Result<Self, KnowledgeError> {
        let url = format!("{}/rerank", base_url.trim_end_matches('/'));
        Ok(Self {
            client: Client::new("tools.retrieval.reranker", url, api_key.to_owned(), options.timeout)?,
            model: options.model.clone(),
            instruction: options.instruction.clone(),
            batch_size: options.batch_size,
            max_length: options.max_length,
            wants_texts: AtomicBool::new(false),
        })
    }

    fn request(&self, query: &str, passages: &[String]) -> Value {
        if self.wants_texts.load(Ordering::Relaxed) {
            json!({ "query": query, "texts": passages, "truncate": true })
        } else {
            json!({
                "model": self.model, "query": query, "documents": passages, "truncate_prompt_tokens": self.max_length,
            })
        }
    }

    async fn ask(&self, query: &str, passages: &[String]) -> Result<Answer, KnowledgeError> {
        match self.client.post(&self.request(query, passages)).await {
            Err(KnowledgeError::Server { cause, .. })
                if cause.starts_with('4') && cause.contains("texts") && !self.wants_texts.load(Ordering::Relaxed) =>
            {
                self.wants_texts.store(true, Ordering::Relaxed);
                self.client.post(&self.request(query, passages)).await
            }
            answer => answer,
        }
    }
}

impl Reranker for Server {
    fn score<'a>(&'a self, query: &'a str, passages: Vec<String>) -> Scoring<'a> {
        Box::pin(async move {
            let query = instructed(&self.model, &self.instruction, query);
            let mut scores = Vec::with_capacity(passages.len());
            for part in passages.chunks(self.batch_size) {
                let (Answer::Results { results: mut scored } | Answer::List(mut scored)) =
                    self.ask(&query, part).await?;
                scored.sort_by_key(|one| one.index);
                let is_whole = scored.iter().map(|one| one.index).eq(0..part.len());
                let part_scores: Vec<f32> = scored.into_iter().map(|one| one.score).collect();
                let expected = if is_whole { part.len() } else { usize::MAX };
                let wrong =
                    |_| self.client.wrong(format!("it did not give one score for each of {} passages", part.len()));
                scores.extend(usable(part_scores, expected, wrong)?);
            }
            Ok(scores)
        })
    }
}
