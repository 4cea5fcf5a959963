//! A conversation as the files of its run have it: rendered where it was made, written where the files are.

use super::conversations::{self, inside};
use super::formats::{Format, chosen};
use super::rows::{Context, Parts, Times};
use super::{Options, OutputError, RunFacts, Stamp, parquet, run_state};
use crate::domain::{Catalogue, Conversation, Outcome, SettledConversation};
use crate::files::{Lines, shown};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything that the files say of a conversation, as the bytes that are to be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rendered {
    /// What is to be told of it.
    pub about: SettledConversation,
    /// Its lines in each file of rows; none where it has no turns, and so on.
    pub(super) lines: Vec<Lines>,
    pub(super) document: Option<Document>,
    /// Its rows for Parquet.
    pub(super) parquet: Vec<Lines>,
    /// Its entry in the run state.
    pub(super) entry: Entry,
    left: Entry,
}

impl Rendered {
    /// Its entry in the run state where the run's stop leaves it unsettled, because one before it is.
    pub fn left(self) -> Entry {
        self.left
    }
}

/// An entry of the run state, as it stands there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry(#[serde(with = "serde_bytes")] pub(super) Vec<u8>);

/// The document of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Document {
    /// Where it lies in its folder.
    pub place: String,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// Renders the conversations of a run.
pub struct Renderer {
    pub(super) options: Options,
    pub(super) facts: RunFacts,
    pub(super) stamp: Stamp,
    catalogue: Arc<Catalogue>,
    /// The files of rows.
    pub(super) formats: Vec<Format>,
}

impl Renderer {
    /// For a run that is so, with files that are to be so, at the time that the stamp tells. Chunks and documents that questions
    /// use are looked up in the catalogue.
    pub fn new(options: Options, mut facts: RunFacts, stamp: Stamp, catalogue: Arc<Catalogue>) -> Self {
        facts.topics_path = options.without_root(&facts.topics_path);
        let formats = chosen(&options.files);
        Self { options, facts, stamp, catalogue, formats }
    }

    /// Renders a conversation that has ended.
    ///
    /// # Errors
    /// When it has not ended.
    pub fn render(&self, conversation: &Conversation) -> Result<Rendered, OutputError> {
        self.render_at(conversation, self.stamp)
    }

    /// Renders a conversation that was made at another time.
    ///
    /// # Errors
    /// As of [`Self::render`].
    pub fn render_at(&self, conversation: &Conversation, stamp: Stamp) -> Result<Rendered, OutputError> {
        let not_ended = || OutputError::NotEnded { id: conversation.id.to_string() };
        let about = SettledConversation::of(conversation).ok_or_else(not_ended)?;
        let times = times(stamp);
        let parts = self.parts(conversation, &about.outcome, &times);
        let (mut lines, mut document, mut rows) = (Vec::new(), None, Vec::new());
        if !conversation.turns.is_empty() {
            for format in &self.formats {
                let mut of_format = Lines::default();
                (format.rows)(&parts, &mut of_format)?;
                lines.push(of_format);
            }
            if self.options.files.has(conversations::NAME) {
                let (place, bytes) = (inside(&conversation.id, conversation.slot), conversations::document(&parts)?);
                document = Some(Document { place, bytes });
            }
            if self.options.files.has(parquet::NAME) {
                rows = parquet::rows(&parts)?;
            }
        }
        let entry = Entry(run_state::slot(&parts)?);
        let left = Entry(run_state::slot(&parts.left())?);
        Ok(Rendered { about, lines, document, parquet: rows, entry, left })
    }

    /// The entry of a conversation that the run's stop leaves unsettled: the run state tells of it until the run goes on.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn left(&self, conversation: &Conversation) -> Result<Entry, OutputError> {
        let (times, outcome) = (times(self.stamp), Outcome::Interrupted);
        Ok(Entry(run_state::slot(&self.parts(conversation, &outcome, &times))?))
    }

    /// What the rows of a conversation are made of.
    pub(super) fn parts<'a>(
        &'a self,
        conversation: &'a Conversation,
        outcome: &'a Outcome,
        times: &'a Times,
    ) -> Parts<'a> {
        let Self { options, facts, catalogue, .. } = self;
        let has_document = !conversation.turns.is_empty()
            && *outcome != Outcome::Interrupted
            && options.files.has(conversations::NAME);
        let path = || options.folder.join(conversations::NAME).join(inside(&conversation.id, conversation.slot));
        let file = if has_document { shown(&path(), options.bases()) } else { String::new() };
        Parts::new(conversation, outcome, Context { options, facts, catalogue }, times, file)
    }
}

pub(super) fn times(stamp: Stamp) -> Times {
    Times { utc: stamp.utc(), utc_z: stamp.utc_z() }
}
