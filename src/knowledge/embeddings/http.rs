//! Embedding at a server with an OpenAI-compatible `/v1/embeddings`.

use super::{Embedder, Embedding, EmbeddingOptions, Purpose};
use crate::knowledge::KnowledgeError;
use crate::knowledge::requests::Client;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};

/// Requests at a time: texts that come meanwhile travel together in the next one.
const REQUESTS: usize = 4;

/// A model on a server.
pub(super) struct Endpoint {
    name: String,
    client: Client,
    model: String,
    query_prefix: String,
    passage_prefix: String,
    batch_size: usize,
    turns: Semaphore,
    queue: Mutex<VecDeque<Waiting>>,
}

type Made = Result<Vec<Vec<f32>>, KnowledgeError>;

struct Waiting {
    texts: Vec<String>,
    done: oneshot::Sender<Made>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [&'a str],
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Response {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    embedding: Vec<f32>,
    #[serde(default)]
    index: Option<usize>,
}

impl Endpoint {
    /// # Errors
    /// When the options name no server.
    pub fn new(options: &EmbeddingOptions) -> Result<Self, KnowledgeError> {
        let [query_prefix, passage_prefix] =
            [&options.query_prefix, &options.passage_prefix].map(|prefix| prefix.clone().unwrap_or_default());
        let url = format!("{}/embeddings", options.base_url.trim_end_matches('/'));
        Ok(Self {
            name: format!("openai {} {query_prefix:?} {passage_prefix:?}", options.model),
            client: Client::new("tools.retrieval.embeddings", url, options.api_key.clone(), options.timeout)?,
            model: options.model.clone(),
            query_prefix,
            passage_prefix,
            batch_size: options.batch_size,
            turns: Semaphore::new(REQUESTS),
            queue: Mutex::default(),
        })
    }

    fn enqueue(&self, texts: &[String]) -> oneshot::Receiver<Made> {
        let (done, waiting) = oneshot::channel();
        let one = Waiting { texts: texts.to_vec(), done };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(one);
        waiting
    }

    /// What the next request is for: as many as fit into it, at least one.
    fn take(&self) -> Vec<Waiting> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut count) = (Vec::new(), 0);
        while let Some(next) = queue.pop_front_if(|next| count == 0 || count + next.texts.len() <= self.batch_size) {
            // Else nobody waits for it any more.
            if !next.done.is_closed() {
                count += next.texts.len();
                taken.push(next);
            }
        }
        taken
    }

    async fn serve(&self, batch: Vec<Waiting>) {
        let texts: Vec<&str> = batch.iter().flat_map(|one| &one.texts).map(String::as_str).collect();
        let mut made = Ok(Vec::with_capacity(texts.len()));
        for part in texts.chunks(self.batch_size) {
            let Ok(vectors) = &mut made else { break };
            match self.ask(part).await {
                Ok(more) => vectors.extend(more),
                Err(error) => made = Err(error),
            }
        }
        let mut made = made.map(Vec::into_iter);
        for one in batch {
            let own = match &mut made {
                Ok(vectors) => Ok(vectors.by_ref().take(one.texts.len()).collect()),
                Err(error) => Err(error.copied()),
            };
            _ = one.done.send(own);
        }
    }

    async fn ask(&self, texts: &[&str]) -> Made {
        let request = Request { model: &self.model, input: texts, encoding_format: "float" };
        let mut response: Response = self.client.post(&request).await?;
        if response.data.iter().all(|item| item.index.is_some()) {
            response.data.sort_by_key(|item| item.index);
        }
        let is_in_order = (0..).zip(&response.data).all(|(at, item)| item.index.is_none_or(|index| index == at));
        let vectors: Vec<Vec<f32>> = response.data.into_iter().map(|item| super::unit(item.embedding)).collect();
        let length = vectors.first().map_or(0, Vec::len);
        let is_usable = |vector: &Vec<f32>| vector.len() == length && vector.iter().all(|value| value.is_finite());
        if is_in_order && vectors.len() == texts.len() && length > 0 && vectors.iter().all(is_usable) {
            Ok(vectors)
        } else {
            Err(self.client.wrong(format!("it gave {} usable vectors for {} texts", vectors.len(), texts.len())))
        }
    }
}

impl Embedder for Endpoint {
    fn name(&self) -> &str {
        &self.name
    }

    fn embed(&self, texts: Vec<String>) -> Embedding<'_> {
        Box::pin(async move {
            let mut waiting = self.enqueue(&texts);
            loop {
                let turn = tokio::select! {
                    biased;
                    made = &mut waiting => match made {
                        Ok(made) => return made,
                        // Whose request it was in has gone.
                        Err(_) => {
                            waiting = self.enqueue(&texts);
                            continue;
                        }
                    },
                    turn = self.turns.acquire() => turn,
                };
                let batch = self.take();
                if !batch.is_empty() {
                    self.serve(batch).await;
                    continue;
                }
                drop(turn);
                match (&mut waiting).await {
                    Ok(made) => return made,
                    Err(_) => waiting = self.enqueue(&texts),
                }
            }
        })
    }

    fn prefix(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Query => &self.query_prefix,
            Purpose::Passage => &self.passage_prefix,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn texts_that_nobody_waits_for_take_no_room() {
        let (base_url, model) = ("http://127.0.0.1:1/v1".to_owned(), "m".to_owned());
        let options = EmbeddingOptions { base_url, model, batch_size: 2, ..EmbeddingOptions::lexical() };
        let endpoint = Endpoint::new(&options).unwrap();
        let enqueue = |texts: &[&str]| endpoint.enqueue(&texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        let taken = || endpoint.take().into_iter().flat_map(|one| one.texts).collect::<Vec<_>>();
        for _ in 0..3 {
            drop(enqueue(&["gone", "too"]));
        }
        let _waits = [enqueue(&["a"]), enqueue(&["b"]), enqueue(&["c", "d", "e"])];
        drop(enqueue(&["gone"]));
        assert_eq!(taken(), ["a", "b"]);
        assert_eq!(taken(), ["c", "d", "e"], "more than fit travel alone");
        assert!(taken().is_empty());
    }
}
