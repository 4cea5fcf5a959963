//! From a document to its conversation: everything that was known when it was written.

use super::super::OutputError;
use super::super::rows::{
    ConversationState, FoundState, Inputs, JudgementState, RawResult, Reposition, TurnPayload, TurnState, UsedState,
    pages, restored, scores, told,
};
use super::ConversationDocument;
use crate::domain::{
    Answer, Attempt, Catalogue, ChunkIndex, Conversation, Found, Json, JudgeReply, Judgement, LanguageIndex, Persona,
    Question, Scores, SearchHit, Slot, SourceIndex, ToolEvent, Turn, TurnIndex, Used,
};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// What is wrong with a document: the field, and how.
type Wrong = (String, String);

impl ConversationDocument<'_> {
    /// The conversation that the document at this path was written of. The catalogue must be that of its run: passages and
    /// documents are looked up there.
    ///
    /// # Errors
    /// When the document lacks something, its parts don't fit each other, or the catalogue has not what it names.
    pub fn conversation(&self, path: &Path, catalogue: &Catalogue) -> Result<Conversation, OutputError> {
        let wrong = |(field, detail)| OutputError::Document { path: path.to_owned(), field, detail };
        self.whole(catalogue).map_err(wrong)
    }

    fn whole(&self, catalogue: &Catalogue) -> Result<Conversation, Wrong> {
        let missing =
            |field: &str| (field.to_owned(), "it is missing: an earlier release wrote the document".to_owned());
        let state = self.state.as_ref().ok_or_else(|| missing("state"))?;
        let mut positions = Positions::of(state, catalogue)?;
        let languages = &self.inputs.target_languages;
        let language = languages.iter().position(|known| **known == *self.language).ok_or_else(|| {
            ("inputs.target_languages".to_owned(), format!("`{}`, the conversation's own, is not there", self.language))
        })?;
        let index = self.inputs.conversation_index.ok_or_else(|| missing("inputs.conversation_index"))?;
        let (of_turns, of_judge): (Vec<_>, Vec<_>) =
            self.raw_results.iter().partition(|raw| matches!(raw, RawResult::Turn { .. }));
        for (field, found) in [("raw_results", of_turns.len()), ("state.turns", state.turns.len())] {
            if found != self.turns.len() {
                let detail = format!("it tells of {found} turns, and the conversation has {}", self.turns.len());
                return Err((field.to_owned(), detail));
            }
        }
        let turns = self.turns.iter().zip(of_turns).zip(&state.turns).enumerate();
        let turns =
            turns.map(|(at, ((payload, raw), state))| turn(at, payload, raw, state, &mut positions).map(Arc::new));
        let turns = turns.collect::<Result<_, _>>()?;
        let judge_raw = of_judge.first().and_then(|raw| match raw {
            RawResult::Judge { conversation_judge_raw, .. } => Some(conversation_judge_raw),
            RawResult::Turn { .. } => None,
        });
        let judgement = judgement("conversation_judge", &self.conversation_judge, judge_raw, state.judgement.as_ref())?;
        let persona = |side: &str, kept: &Option<Cow<Persona>>, id: &str, rendered: &str| {
            let kept = kept.as_deref().cloned().or_else(|| told(id, rendered));
            kept.map(Arc::new).ok_or_else(|| missing(&format!("state.{side}")))
        };
        let Inputs { user_persona_id, assistant_persona_id, user_persona, assistant_persona, .. } = &self.inputs;
        let user_persona = persona("user_persona", &state.user_persona, user_persona_id, user_persona)?;
        let assistant_persona =
            persona("assistant_persona", &state.assistant_persona, assistant_persona_id, assistant_persona)?;
        let mut round = state.round.as_deref().cloned().unwrap_or_default();
        positions.round(&mut round);
        if let Some(unknown) = positions.unknown {
            return Err(("state".to_owned(), format!("it names {unknown}, which its lists do not have")));
        }
        Ok(Conversation {
            slot: Slot { language: LanguageIndex(language as u16), index },
            wave: state.wave,
            id: (*self.conversation_id).into(),
            language: (*self.language).into(),
            target_turns: state.target_n_turns,
            user_persona,
            assistant_persona,
            turns,
            round,
            judgement,
            outcome: Some(state.outcome.clone().into_owned()),
        })
    }
}

fn turn(
    at: usize,
    payload: &TurnPayload,
    raw: &RawResult,
    state: &TurnState,
    positions: &mut Positions,
) -> Result<Turn, Wrong> {
    let RawResult::Turn { attempt, qa_raw, kb_raw, judge_raw, .. } = raw else {
        unreachable!("those of judges were set apart")
    };
    let mode = Value::from(&*payload.question_mode);
    let mode =
        serde_json::from_value(mode).map_err(|error| (format!("turns[{at}].question_mode"), error.to_string()))?;
    let results = restored(&payload.tool_events, &state.tool_results)
        .ok_or_else(|| (format!("state.turns[{at}].tool_results"), "they are not those of the turn".to_owned()))?;
    let called = payload.tool_events.iter().zip(results).map(|(called, result)| ToolEvent {
        id: called.id.to_string(),
        name: called.name.to_string(),
        arguments: called.arguments.clone().into_owned(),
        result,
    });
    let UsedState { chunk, source, question, seed, linked } = &state.used;
    let used = Used {
        chunk: chunk.map(|chunk| positions.chunk(chunk)),
        source: source.map(|source| positions.source(source)),
        question: question.as_deref().unwrap_or(&payload.qa_generation.user_message).into(),
        seed: seed.as_ref().map(|(topic, question)| ((&**topic).into(), (&**question).into())),
        linked: linked.iter().map(|(chunk, source)| (positions.chunk(*chunk), positions.source(*source))).collect(),
    };
    let question = Question {
        mode,
        seed_topic: payload.seed_topic.to_string(),
        seed_question: payload.seed_question.to_string(),
        reply: payload.qa_generation.clone().into_owned(),
        used,
        fingerprint: state.fingerprint,
        sketch: None,
        held_out: None,
        agent: (*payload.qa_agent_used_name).into(),
        reasoning: state.user_reasoning.as_deref().map(str::to_owned),
        raw: qa_raw.clone().into_owned(),
        calls: state.calls.0,
        candidates: Vec::new(),
        register: payload.register,
        words: payload.words_asked,
    };
    let tool_events: Vec<ToolEvent> = called.collect();
    let mut found = |found: &FoundState| match found {
        FoundState::Chunk(chunk) => Some(Found::Chunk(positions.chunk(*chunk))),
        FoundState::Result(call, result) => {
            let returned = tool_events.get(*call as usize).map(pages)?;
            returned.into_iter().nth(*result as usize).flatten().map(Found::Page)
        }
        FoundState::Page(page) => Some(Found::Page(page.clone().into_owned())),
    };
    let scores = payload.provenance.iter().map(scores).chain(std::iter::repeat(Scores::default()));
    let hit = |(state, scores)| Some(SearchHit { found: found(state)?, scores });
    let retrieved = state.retrieved.iter().zip(scores).map(hit).collect::<Option<_>>();
    let retrieved = retrieved
        .ok_or_else(|| (format!("state.turns[{at}].retrieved"), "it names a result that no call has".to_owned()))?;
    let answer = Answer {
        reply: payload.kb_answer.clone().into_owned(),
        tool_events,
        retrieved,
        used: state.cited.iter().map(|chunk| positions.chunk(*chunk)).collect(),
        unsupported_numbers: payload.unsupported_numbers.to_vec(),
        unknown_citations: payload.unknown_citations.to_vec(),
        findings: payload.findings.clone().into_owned(),
        agent: (*payload.kb_agent_used_name).into(),
        reasoning: state.assistant_reasoning.as_deref().map(str::to_owned),
        raw: kb_raw.clone().into_owned(),
        calls: state.calls.1,
    };
    let field = format!("turns[{at}].qa_judge");
    let judgement = judgement(&field, &payload.qa_judge, judge_raw.as_ref(), state.judgement.as_ref())?;
    let (index, attempt) = (TurnIndex(payload.turn_index), Attempt(*attempt));
    let (rejected, regenerated) = (positions.rejected(&state.rejected), positions.regenerated(&state.regenerated));
    let near_duplicates = state.near_duplicates.to_vec();
    Ok(Turn { index, attempt, question: question.into(), answer, judgement, rejected, regenerated, near_duplicates })
}

/// A verdict, whose response was an empty object where there is none.
fn judgement(
    field: &str,
    reply: &Option<Cow<JudgeReply>>,
    raw: Option<&Cow<Json>>,
    state: Option<&JudgementState>,
) -> Result<Option<Judgement>, Wrong> {
    match (reply, state) {
        (None, None) => Ok(None),
        (Some(reply), Some(state)) => Ok(Some(Judgement {
            reply: reply.clone().into_owned(),
            acceptance: state.acceptance,
            reasoning: state.reasoning.as_deref().map(str::to_owned),
            raw: raw.map_or_else(|| json!({}).into(), |raw| raw.clone().into_owned()),
            calls: state.calls,
            calibration: state.calibration.to_vec(),
            votes: state.votes.to_vec(),
        })),
        _ => Err((field.to_owned(), "it and `state` do not tell of the same verdict".to_owned())),
    }
}

/// From places in the lists of a state to positions in a catalogue.
struct Positions {
    sources: Vec<SourceIndex>,
    chunks: Vec<ChunkIndex>,
    /// A place that the lists do not have, if one was asked for.
    unknown: Option<String>,
}

impl Positions {
    fn of(state: &ConversationState, catalogue: &Catalogue) -> Result<Self, Wrong> {
        const OTHER: &str = "read the document with the knowledge base that it was made from";
        let source = |(at, path): (usize, &Cow<str>)| {
            let found = catalogue.source_position(path);
            found.ok_or_else(|| (format!("state.sources[{at}]"), format!("there is no document `{path}`; {OTHER}")))
        };
        let sources: Vec<_> = state.sources.iter().enumerate().map(source).collect::<Result<_, _>>()?;
        let chunk = |(at, (source, number)): (usize, &(u32, u32))| {
            let of = sources.get(*source as usize).map(|source| catalogue.source(*source));
            let found = of.and_then(|of| of.chunks.clone().nth(*number as usize));
            let unknown = || {
                let name = state.sources.get(*source as usize).map_or("which it does not name", |path| path);
                (format!("state.chunks[{at}]"), format!("there is no chunk {number} of document `{name}`; {OTHER}"))
            };
            found.map(ChunkIndex).ok_or_else(unknown)
        };
        let chunks = state.chunks.iter().enumerate().map(chunk).collect::<Result<_, _>>()?;
        Ok(Self { sources, chunks, unknown: None })
    }
}

impl Reposition for Positions {
    fn chunk(&mut self, chunk: ChunkIndex) -> ChunkIndex {
        let found = self.chunks.get(chunk.0 as usize).copied();
        found.unwrap_or_else(|| {
            self.unknown.get_or_insert(format!("chunk {}", chunk.0));
            chunk
        })
    }

    fn source(&mut self, source: SourceIndex) -> SourceIndex {
        let found = self.sources.get(source.0 as usize).copied();
        found.unwrap_or_else(|| {
            self.unknown.get_or_insert(format!("source {}", source.0));
            source
        })
    }
}
