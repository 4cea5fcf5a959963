//! Embedding in this process: fastembed on ONNX Runtime, on threads of its own.

use super::model::Model;
use super::{Device, Embedder, Embedding, EmbeddingOptions, Purpose, runtime};
use crate::knowledge::KnowledgeError;
use crate::knowledge::leaving::computing;
use fastembed::{InitOptionsUserDefined, TextEmbedding, UserDefinedEmbeddingModel};
use ort::ep;
use ort::session::builder::AutoDevicePolicy;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_128;

/// Copies of a model at most: each has the weights in memory once.
const MOST_COPIES: usize = 8;

/// A model, loaded once for each of its threads.
pub(super) struct Local {
    name: String,
    query_prefix: String,
    passage_prefix: String,
    jobs: Mutex<Sender<Job>>,
}

struct Job {
    text: String,
    done: oneshot::Sender<Result<Vec<f32>, String>>,
}

impl Local {
    /// Loads the model, or the one to fall back on.
    ///
    /// # Errors
    /// When neither is there, or one can't be loaded.
    pub fn load(options: &EmbeddingOptions) -> Result<Self, KnowledgeError> {
        let model = match Model::find(&options.model) {
            Err(missing @ KnowledgeError::Missing(_)) => {
                let fallback = Some(&options.fallback_model).filter(|name| !name.is_empty() && **name != options.model);
                let fallback = fallback.ok_or(missing).and_then(|name| Model::find(name))?;
                tracing::warn!(
                    target: "dlgforge.retrieval",
                    "[vector-db] the embedding model `{}` is not there: `{}` is taken (tools.retrieval.embeddings.fallback_model)",
                    options.model, options.fallback_model
                );
                fallback
            }
            found => found?,
        };
        let environment = runtime::load(options.runtime.as_deref())?;
        let max_length = options.max_length.unwrap_or(model.max_length);
        let weights = xxh3_128(&[&model.network[..], model.network_data.as_deref().unwrap_or_default()].concat());
        let words = xxh3_128(&model.tokenizer.tokenizer_file);
        let query_prefix = options.query_prefix.clone().unwrap_or_else(|| model.query_prefix.clone());
        let passage_prefix = options.passage_prefix.clone().unwrap_or_else(|| model.passage_prefix.clone());
        let name = format!(
            "fastembed {} {weights:032x}{words:032x} {:?} {max_length} {query_prefix:?} {passage_prefix:?}",
            options.model, model.pooling
        );
        let start = move |device: Device| {
            let mut user = UserDefinedEmbeddingModel::new(model.network.clone(), model.tokenizer.clone())
                .with_pooling(model.pooling.clone());
            if let Some(data) = &model.network_data {
                user = user.with_external_initializer("model.onnx_data".to_owned(), data.clone());
            }
            // What a thread computes must not depend on how many others there are, nor on the machine's other devices.
            let mut session = InitOptionsUserDefined::new()
                .with_environment(environment.clone())
                .with_max_length(max_length)
                .with_intra_threads(1)
                .with_auto_device(AutoDevicePolicy::PreferCPU);
            if device != Device::Cpu {
                let cuda = ep::CUDA::default().build();
                let cuda = if device == Device::Auto { cuda.fail_silently() } else { cuda.error_on_failure() };
                session = session.with_execution_providers(vec![cuda]);
            }
            computing(|| TextEmbedding::try_new_from_user_defined(user, session)).map_err(|error| error.to_string())
        };
        let wrong = |cause| KnowledgeError::Embedding { model: options.model.clone(), cause };
        let (first, device) = match start(options.device) {
            Err(cause) if options.device == Device::Cuda && options.fallback_on_cpu => {
                tracing::warn!(
                    target: "dlgforge.retrieval",
                    "[vector-db] embedding on the CPU (tools.retrieval.embeddings.fallback_on_cpu): {cause}"
                );
                (start(Device::Cpu).map_err(wrong)?, Device::Cpu)
            }
            Err(cause) if options.device == Device::Cuda => {
                return Err(wrong(format!("{cause}; set `device: cpu`, or `fallback_on_cpu: true`")));
            }
            started => (started.map_err(wrong)?, options.device),
        };
        let start = move || start(device);
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let start = Arc::new(start);
        let copies =
            if device == Device::Cuda { 1 } else { available_parallelism().map_or(1, usize::from).min(MOST_COPIES) };
        let mut first = Some(first);
        for _ in 0..copies {
            let (queue, start, ready) = (queue.clone(), start.clone(), first.take());
            thread::Builder::new()
                .name("embedding".to_owned())
                .spawn(move || work(&queue, ready, &*start))
                .map_err(|error| wrong(error.to_string()))?;
        }
        Ok(Self { name, query_prefix, passage_prefix, jobs: Mutex::new(jobs) })
    }
}

/// Embeds one text after the other, each alone: so its vector does not depend on what else is asked for. The model is loaded
/// with the first text that comes this way.
fn work(
    queue: &Mutex<Receiver<Job>>,
    mut model: Option<TextEmbedding>,
    start: &dyn Fn() -> Result<TextEmbedding, String>,
) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { text, done }) = next else { return };
        let loaded = match &mut model {
            Some(model) => Ok(model),
            none => start().map(|started| none.insert(started)),
        };
        let made = loaded.and_then(|model| computing(|| model.embed([text], None)).map_err(|error| error.to_string()));
        let vector = made.and_then(|vectors| {
            let vector = vectors.into_iter().next().unwrap_or_default();
            let is_usable = !vector.is_empty() && vector.iter().all(|value| value.is_finite());
            if is_usable { Ok(super::unit(vector)) } else { Err("the model gave no usable vector".to_owned()) }
        });
        // Whoever asked may have gone.
        _ = done.send(vector);
    }
}

impl Embedder for Local {
    fn name(&self) -> &str {
        &self.name
    }

    fn embed(&self, texts: Vec<String>) -> Embedding<'_> {
        let wrong = |cause: String| KnowledgeError::Embedding { model: self.name.clone(), cause };
        let send = |text| {
            let (done, waiting) = oneshot::channel();
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.send(Job { text, done }).map(|()| waiting)
        };
        let waiting: Vec<_> = texts.into_iter().map(send).collect();
        Box::pin(async move {
            let mut vectors = Vec::with_capacity(waiting.len());
            for one in waiting {
                let one = one.map_err(|_| wrong("its threads have ended".to_owned()))?;
                let made = one.await.map_err(|_| wrong("its thread has ended".to_owned()))?;
                vectors.push(made.map_err(wrong)?);
            }
            Ok(vectors)
        })
    }

    fn prefix(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Query => &self.query_prefix,
            Purpose::Passage => &self.passage_prefix,
        }
    }
}
