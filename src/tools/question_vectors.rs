//! The vectors of questions, with the journal in front: what was embedded before is not embedded again.

use super::journalled_search::{Told, Unsearched, halted, refused};
use crate::domain::{Digest, Place, Vector};
use crate::knowledge::KnowledgeError;
use crate::knowledge::embeddings::{Embedder, Purpose, prefixed};
use crate::store::{Journal, Kept, Recorded};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// Makes vectors of questions, which are durable before anybody sees them: another version of a library may make others.
pub struct QuestionVectors {
    embedder: Arc<dyn Embedder>,
    source: Source,
}

/// Where vectors are kept.
enum Source {
    /// In the journal, which takes those that are made too; who is told of a failure that is not the question's.
    Journal(Recorded<Vec<Vector>, Unsearched>, Told),
    /// In what is there; nothing is made.
    Kept(Kept),
}

impl QuestionVectors {
    /// Vectors by this embedder, behind this journal. Who is `broken` is told of the first failure, and of others.
    pub fn journalled(
        embedder: Arc<dyn Embedder>,
        journal: Arc<Journal>,
        broken: impl Fn(&KnowledgeError) + Send + Sync + 'static,
    ) -> Self {
        Self { embedder, source: Source::Journal(Recorded::new(journal), Arc::new(broken)) }
    }

    /// Those that are there, and none else.
    pub fn kept(embedder: Arc<dyn Embedder>, kept: Kept) -> Self {
        Self { embedder, source: Source::Kept(kept) }
    }

    /// One for each text, in order, made for this place of the run; none where they are not there and none are made.
    ///
    /// # Errors
    /// When the model fails, or the journal can't be read or written.
    pub async fn of(&self, place: Place, texts: Vec<Arc<str>>) -> Result<Option<Vec<Vector>>, KnowledgeError> {
        let digest = Digest(xxh3_128(format!("vectors\n{}\n{}", self.embedder.name(), texts.join("\n")).as_bytes()));
        match &self.source {
            Source::Kept(kept) => {
                kept.answer(&place, digest).map_err(|error| KnowledgeError::Halted(format!("failed to {error}")))
            }
            Source::Journal(kept, broken) => {
                let (embedder, broken) = (self.embedder.clone(), broken.clone());
                let ask = async move {
                    let made = vectors(&*embedder, &texts).await.inspect_err(|error| {
                        if refused(error).is_none() {
                            broken(error)
                        }
                    });
                    Ok((made.map_err(|error| Unsearched(Arc::new(error)))?, None))
                };
                let lost = |cause| Unsearched(Arc::new(KnowledgeError::Lost(cause)));
                let made = kept.answer(place, digest, || (), lost, ask).await;
                made.map(Some).map_err(|Unsearched(error)| halted(&error))
            }
        }
    }
}

/// A vector for each question, in order.
///
/// # Errors
/// When the model fails.
pub async fn vectors(embedder: &dyn Embedder, questions: &[Arc<str>]) -> Result<Vec<Vector>, KnowledgeError> {
    let texts = questions.iter().map(|text| prefixed(embedder, Purpose::Query, text)).collect();
    Ok(embedder.embed(texts).await?.iter().map(|vector| Vector::of(vector)).collect())
}
