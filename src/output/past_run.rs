//! A run whose conversations are in their documents: they are read back, and rendered once more.

use super::conversations;
use super::{
    ConversationDocument, Files, Options, OutputError, Rendered, Renderer, RunFacts, Stamp, Tools, dropped, parquet,
    preferences,
};
use crate::domain::slot::conversation_id;
use crate::domain::{Catalogue, Conversation, Normalisation, Slot};
use crate::files::Folder;
use std::path::PathBuf;
use std::sync::Arc;

/// How a judge has been asked, as rows tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judging {
    /// What verdicts are about: `turn` or `conversation`.
    pub granularity: &'static str,
    /// Labels from which the judge chooses.
    pub reasons: Vec<String>,
}

/// A run of an output folder that has ended.
#[derive(Debug, Clone)]
pub struct PastRun {
    /// The id of the run.
    pub id: Arc<str>,
    /// Its languages, in the order of its settings.
    languages: Vec<Arc<str>>,
    /// Whether there were personas and its models played them: documents do not tell.
    persona_applied: bool,
    /// How files are written, as the run wrote them.
    pub(super) options: Options,
    catalogue: Arc<Catalogue>,
}

impl PastRun {
    /// A run of this folder, whose files are as these options say.
    pub fn new(
        folder: &Folder,
        options: &Options,
        (id, languages, persona_applied): (&str, Vec<Arc<str>>, bool),
        catalogue: Arc<Catalogue>,
    ) -> Self {
        let mut options = Options { files: Files::all(), ..options.clone() };
        for kind in [preferences::NAME, dropped::FORMAT.name] {
            if has_shards(folder, id, conversations::NAME) && !has_shards(folder, id, kind) {
                options.files = options.files.without(kind);
            }
        }
        Self { id: id.into(), languages, persona_applied, options, catalogue }
    }

    /// Whether the run has written Parquet files.
    pub(super) fn has_parquet(&self, folder: &Folder) -> bool {
        has_shards(folder, &self.id, conversations::NAME)
    }

    /// The id of its conversation in this slot.
    pub fn conversation_id(&self, slot: Slot) -> String {
        conversation_id(&self.id, &self.languages, slot)
    }

    /// The language of its conversation in this slot.
    pub fn language(&self, slot: Slot) -> &Arc<str> {
        &self.languages[usize::from(slot.language.0)]
    }

    fn path(&self, slot: Slot) -> PathBuf {
        ConversationDocument::path(&self.options.folder, &self.conversation_id(slot), slot)
    }

    /// The document of a conversation, and the conversation.
    ///
    /// # Errors
    /// When the document can't be read, or does not fit the documents of the knowledge base.
    pub fn read(&self, slot: Slot) -> Result<(ConversationDocument<'static>, Conversation), OutputError> {
        let path = self.path(slot);
        let document = ConversationDocument::read(&path)?;
        let conversation = document.conversation(&path, &self.catalogue)?;
        Ok((document, conversation))
    }

    /// Renders a conversation as its document tells that it was made, and as it has been judged since, if it has.
    ///
    /// # Errors
    /// When the document does not tell when the conversation was made.
    pub fn render(
        &self,
        document: &ConversationDocument<'_>,
        conversation: &Conversation,
        judged: Option<&Judging>,
    ) -> Result<Rendered, OutputError> {
        let stamp = document.stamp(&self.path(conversation.slot))?;
        self.renderer(document, judged, stamp).render_at(conversation, stamp)
    }

    /// The rows of a conversation as they are.
    pub(super) fn rendered(&self, slot: Slot) -> Result<Rendered, OutputError> {
        let (document, conversation) = self.read(slot)?;
        self.render(&document, &conversation, None)
    }

    fn renderer(&self, document: &ConversationDocument<'_>, judged: Option<&Judging>, stamp: Stamp) -> Renderer {
        let mut facts = facts(document, self.persona_applied);
        if let Some(Judging { granularity, reasons }) = judged {
            facts.judge_enabled = true;
            facts.judge_granularity = (*granularity).into();
            facts.judge_reasons.clone_from(reasons);
        }
        Renderer::new(self.options.clone(), facts, stamp, self.catalogue.clone())
    }
}

/// Whether a run has Parquet files of this kind.
fn has_shards(folder: &Folder, run_id: &str, kind: &str) -> bool {
    folder.files.contains_key(&parquet::file(kind, run_id, 0))
}

/// What was the same for all conversations of a run, as the document of one of them tells it.
fn facts(document: &ConversationDocument<'_>, persona_applied: bool) -> RunFacts {
    let inputs = &document.inputs;
    RunFacts {
        run_id: (*document.run_id).into(),
        seed: inputs.run_seed,
        // Only the ledger tells, which stays as it is.
        normalisation: Normalisation::Full,
        total_samples: inputs.total_samples,
        languages: inputs.target_languages.to_vec(),
        batch_size: inputs.batch_size,
        question: inputs.question.to_string(),
        min_turns: inputs.min_turns,
        max_turns: inputs.max_turns,
        distribution: inputs.turn_count_distribution.to_string().into(),
        mean: inputs.turn_count_mean,
        topics_path: inputs.seed_topics_path.to_string(),
        topics_variant: inputs.seed_topics_variant.to_string(),
        topics_probability: inputs.seed_topics_probability,
        topics_enabled: inputs.seed_topics_enabled,
        top_k: inputs.retrieval_default_k,
        tools: Tools::listed((*document.tools).clone()),
        user_agent: (*inputs.user_agent_used_name).into(),
        assistant_agent: (*inputs.assistant_agent_used_name).into(),
        persona_applied,
        judge_enabled: inputs.judge_enabled,
        judge_granularity: inputs.judge_granularity.to_string().into(),
        judge_reasons: inputs.judge_reasons.to_vec(),
        config_dir: inputs.config_dir.to_string(),
    }
}
