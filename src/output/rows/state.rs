//! The `state` of a document: what its other keys do not tell of a conversation, so that the document is all of it.
//!
//! The positions of passages and documents in a knowledge base mean nothing elsewhere. In a state they are places in its own
//! lists, which name them: `sources` by their paths, `chunks` by the place of their source and their number in it.

use super::json::Text;
use super::results::{ToolResult, kept};
use super::{Parts, TurnPayload};
use crate::domain::calibration::SpoiledScore;
use crate::domain::{
    Acceptance, Answer, Catalogue, ChunkIndex, Fingerprint, Found, Judgement, NearDuplicate, Outcome, Page, Persona,
    RejectedAnswer, Round, SearchHit, SourceIndex, ToolEvent, Turn, Used, Vote, Wave,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// The `state` of a document of `conversations/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationState<'a> {
    pub(crate) wave: Wave,
    pub(crate) target_n_turns: u16,
    /// The personas, where the inputs do not tell all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_persona: Option<Cow<'a, Persona>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) assistant_persona: Option<Cow<'a, Persona>>,
    pub(crate) sources: Vec<Text<'a>>,
    pub(crate) chunks: Vec<(u32, u32)>,
    pub(crate) turns: Vec<TurnState<'a>>,
    /// The turn that it never finished, if it has begun one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) round: Option<Box<Round>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) judgement: Option<JudgementState<'a>>,
    pub(crate) outcome: Cow<'a, Outcome>,
}

/// What the `state` tells of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnState<'a> {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) used: UsedState<'a>,
    pub(crate) retrieved: Vec<FoundState<'a>>,
    pub(crate) cited: Vec<ChunkIndex>,
    pub(crate) tool_results: Vec<ToolResult<'a>>,
    pub(crate) calls: (u32, u32),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_reasoning: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) assistant_reasoning: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) judgement: Option<JudgementState<'a>>,
    /// Answers that the judge rejected, whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rejected: Vec<RejectedAnswer>,
    /// Turns in its place that the judge rejected, whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) regenerated: Vec<Arc<Turn>>,
    /// Questions before its own that were too close to others.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) near_duplicates: Cow<'a, [NearDuplicate]>,
}

/// What was retrieved for an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FoundState<'a> {
    /// A chunk of the knowledge base.
    Chunk(ChunkIndex),
    /// A page of the web: the place of the call that returned it among those of the turn, and its own among the results.
    Result(u32, u32),
    /// A page that no call returned.
    Page(Cow<'a, Page>),
}

/// What a question uses of the knowledge base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsedState<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chunk: Option<ChunkIndex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<SourceIndex>,
    /// The question that it counts as, where that is not its own text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) question: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<(Text<'a>, Text<'a>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) linked: Vec<(ChunkIndex, SourceIndex)>,
}

/// What the `state` tells of a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgementState<'a> {
    pub(crate) acceptance: Acceptance,
    pub(crate) calls: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) calibration: Cow<'a, [SpoiledScore]>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) votes: Cow<'a, [Vote]>,
}

impl<'a> ConversationState<'a> {
    /// Of a conversation that has ended.
    pub(crate) fn of(parts: &'a Parts<'a>) -> Self {
        let (conversation, mut places) = (parts.conversation, Places::new(parts.catalogue));
        let turn = |(turn, payload): (&'a Arc<Turn>, &TurnPayload)| {
            let (question, answer) = (&turn.question, &turn.answer);
            let Used { chunk, source, question: asked, seed, linked } = &question.used;
            TurnState {
                fingerprint: question.fingerprint,
                used: UsedState {
                    chunk: chunk.map(|chunk| places.chunk(chunk)),
                    source: source.map(|source| places.source(source)),
                    question: (**asked != *question.reply.user_message).then(|| (&**asked).into()),
                    seed: seed.as_ref().map(|(topic, question)| ((&**topic).into(), (&**question).into())),
                    linked: linked
                        .iter()
                        .map(|(chunk, source)| (places.chunk(*chunk), places.source(*source)))
                        .collect(),
                },
                retrieved: retrieved(answer, &mut places),
                cited: answer.used.iter().map(|chunk| places.chunk(*chunk)).collect(),
                tool_results: kept(&answer.tool_events, &payload.tool_events),
                calls: (question.calls, answer.calls),
                user_reasoning: question.reasoning.as_deref().map(Text::from),
                assistant_reasoning: answer.reasoning.as_deref().map(Text::from),
                judgement: turn.judgement.as_ref().map(JudgementState::of),
                rejected: places.rejected(&turn.rejected),
                regenerated: places.regenerated(&turn.regenerated),
                near_duplicates: Cow::Borrowed(&turn.near_duplicates),
            }
        };
        let turns = conversation.turns.iter().zip(&parts.turns).map(turn).collect();
        let round = (conversation.round != Round::default()).then(|| {
            let mut round = Box::new(conversation.round.clone());
            places.round(&mut round);
            round
        });
        Self {
            wave: conversation.wave,
            target_n_turns: conversation.target_turns,
            user_persona: untold(&conversation.user_persona),
            assistant_persona: untold(&conversation.assistant_persona),
            sources: places.sources.iter().map(|source| (&parts.catalogue.source(*source).path).into()).collect(),
            chunks: places.named,
            turns,
            round,
            judgement: conversation.judgement.as_ref().map(JudgementState::of),
            outcome: Cow::Borrowed(parts.outcome),
        }
    }
}

/// What was retrieved, pages by the results that have them.
fn retrieved<'a>(answer: &'a Answer, places: &mut Places) -> Vec<FoundState<'a>> {
    let has_pages = answer.retrieved.iter().any(|hit| hit.found.chunk().is_none());
    let returned: Vec<_> = if has_pages { answer.tool_events.iter().map(pages).collect() } else { Vec::new() };
    let place = |page: &Page| {
        let calls = (0..).zip(&returned);
        calls.into_iter().find_map(|(call, pages)| {
            let at = pages.iter().position(|returned| returned.as_ref() == Some(page))?;
            Some((call, at as u32))
        })
    };
    let state = |hit: &'a SearchHit| match &hit.found {
        Found::Chunk(chunk) => FoundState::Chunk(places.chunk(*chunk)),
        Found::Page(page) => match place(page) {
            Some((call, at)) => FoundState::Result(call, at),
            None => FoundState::Page(Cow::Borrowed(page)),
        },
    };
    answer.retrieved.iter().map(state).collect()
}

/// The pages that a call returned; nothing in the place of what is no page.
pub(crate) fn pages(event: &ToolEvent) -> Vec<Option<Page>> {
    let result = event.result.value();
    let results = result["results"].as_array().map_or(&[][..], Vec::as_slice);
    results.iter().map(|result| serde_json::from_value(result.clone()).ok()).collect()
}

/// The persona, unless its id and its text in the inputs tell all of it.
fn untold(persona: &Persona) -> Option<Cow<'_, Persona>> {
    (told(&persona.id, &persona.rendered()).as_ref() != Some(persona)).then_some(Cow::Borrowed(persona))
}

/// The persona of this id and text, if it has a name, traits and a style.
pub(crate) fn told(id: &str, rendered: &str) -> Option<Persona> {
    let parts: Vec<&str> = rendered.split(" | ").collect();
    let [name, traits, style] = parts.as_slice() else { return None };
    let traits = traits.split(", ").map(str::to_owned).collect();
    Some(Persona { id: id.to_owned(), name: (*name).to_owned(), traits, style: (*style).to_owned() })
}

impl<'a> JudgementState<'a> {
    fn of(Judgement { acceptance, calls, reasoning, calibration, votes, .. }: &'a Judgement) -> Self {
        let reasoning = reasoning.as_deref().map(Text::from);
        let (calibration, votes) = (Cow::Borrowed(calibration.as_slice()), Cow::Borrowed(votes.as_slice()));
        Self { acceptance: *acceptance, calls: *calls, reasoning, calibration, votes }
    }
}

/// Gives passages and documents other positions, wherever a conversation names them.
pub(crate) trait Reposition {
    fn chunk(&mut self, chunk: ChunkIndex) -> ChunkIndex;

    fn source(&mut self, source: SourceIndex) -> SourceIndex;

    fn used(&mut self, used: &mut Used) {
        used.chunk = used.chunk.map(|chunk| self.chunk(chunk));
        used.source = used.source.map(|source| self.source(source));
        for (chunk, source) in &mut used.linked {
            (*chunk, *source) = (self.chunk(*chunk), self.source(*source));
        }
    }

    fn answer(&mut self, Answer { retrieved, used, .. }: &mut Answer) {
        for hit in retrieved {
            if let Found::Chunk(chunk) = &mut hit.found {
                *chunk = self.chunk(*chunk);
            }
        }
        used.iter_mut().for_each(|chunk| *chunk = self.chunk(*chunk));
    }

    fn rejected(&mut self, rejected: &[RejectedAnswer]) -> Vec<RejectedAnswer> {
        let mut rejected = rejected.to_vec();
        rejected.iter_mut().for_each(|one| self.answer(&mut one.answer));
        rejected
    }

    fn regenerated(&mut self, regenerated: &[Arc<Turn>]) -> Vec<Arc<Turn>> {
        let mut regenerated = regenerated.to_vec();
        for turn in regenerated.iter_mut().map(Arc::make_mut) {
            self.used(&mut Arc::make_mut(&mut turn.question).used);
            self.answer(&mut turn.answer);
            turn.rejected = self.rejected(&turn.rejected);
        }
        regenerated
    }

    fn round(&mut self, round: &mut Round) {
        let Round { avoid, question, answer, rejected, regenerated, .. } = round;
        if let Some(question) = question {
            self.used(&mut Arc::make_mut(question).used);
        }
        *regenerated = self.regenerated(regenerated);
        answer.iter_mut().chain(rejected.iter_mut().map(|one| &mut one.answer)).for_each(|answer| self.answer(answer));
        avoid.iter_mut().for_each(|chunk| *chunk = self.chunk(*chunk));
    }
}

/// From positions in a catalogue to places in the lists of a state, which grow as they are asked for.
struct Places<'a> {
    catalogue: &'a Catalogue,
    sources: Vec<SourceIndex>,
    chunks: Vec<ChunkIndex>,
    /// Source and number of each of the chunks.
    named: Vec<(u32, u32)>,
}

impl<'a> Places<'a> {
    fn new(catalogue: &'a Catalogue) -> Self {
        Self { catalogue, sources: Vec::new(), chunks: Vec::new(), named: Vec::new() }
    }
}

impl Reposition for Places<'_> {
    fn chunk(&mut self, chunk: ChunkIndex) -> ChunkIndex {
        let at = place(&mut self.chunks, chunk);
        if at as usize == self.named.len() {
            let SourceIndex(source) = self.source(self.catalogue.source_of(chunk));
            self.named.push((source, self.catalogue.number(chunk)));
        }
        ChunkIndex(at)
    }

    fn source(&mut self, source: SourceIndex) -> SourceIndex {
        SourceIndex(place(&mut self.sources, source))
    }
}

/// The place of an item in a list, which it joins where it is new.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> u32 {
    let at = list.iter().position(|known| *known == item).unwrap_or(list.len());
    if at == list.len() {
        list.push(item);
    }
    at as u32
}
