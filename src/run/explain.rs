//! Explain: why a conversation is as it is, from its document, the store and the log.
//!
//! The document has what was kept. What was not, as questions that were duplicates and replies that could not be used, is in the
//! journal, for as long as it keeps replies; and roll-backs, which leave nothing in the data, are in the log.

mod find;
mod passes;
mod text;

pub(super) use text::ASKED;

use super::identity::languages_of;
use super::{RunError, log_lines};
use crate::domain::slot::conversation_id;
use crate::domain::{
    Answer, JudgeReply, Judgement, NearDuplicate, Outcome, Question, Rank, RejectedAnswer, Slot, Stage, Turn, Vote,
};
use crate::files::{FilesError, Folder};
use crate::llm::{ChatReply, request_of};
use crate::output::coverage_ledger::RejectedQuestion;
use crate::output::{ConversationDocument, ConversationState, Shown, TurnPayload, TurnState};
use crate::store::{KeptReply, Run};
use find::{Known, find};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// The reasons of drops that a reply is to blame for.
const GIVEN_UP: [&str; 5] = ["unusable_reply", "model_refused", "content_filtered", "wrong_language", "not_retrieved"];

/// What there is to say of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The id of the conversation.
    pub conversation_id: String,
    /// The run that it is of.
    pub run_id: String,
    /// The language of the conversation.
    pub language: String,
    /// The person who asks, as the user model was told; empty where nobody was to be played or no document tells.
    pub user_persona: String,
    /// The manner in which is answered, as the assistant model was told; empty as the other one.
    pub assistant_persona: String,
    /// How it ended: `completed` or `dropped`.
    pub status: String,
    /// Why it was dropped; empty where it was not.
    pub drop_reason: String,
    /// What happened then, for people; empty where it was not dropped.
    pub drop_detail: String,
    /// Its questions that were rejected as duplicates.
    pub duplicates: u32,
    /// Its turns, the one that it never finished last.
    pub turns: Vec<ExplainedTurn>,
    /// The verdict on the whole conversation.
    pub conversation_judge: Option<JudgeReply>,
    /// What each judge of a jury made of it.
    pub conversation_judge_votes: Vec<Vote>,
    /// The replies that the journal has of it, in the order of their places, and then those to passes of the judge.
    pub replies: Vec<ExplainedReply>,
    /// Passes of the judge whose replies are left out: they may be about a conversation of another run.
    pub unclear_passes: Vec<String>,
    /// What the log says of it.
    pub log: Vec<String>,
}

/// What there is to say of a turn.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ExplainedTurn {
    /// Its number, from 1.
    pub turn_index: u16,
    /// Whether the conversation has it: else it was given up at it.
    pub finished: bool,
    /// How its question was to be asked.
    pub question_mode: String,
    /// How the person was to write; empty where that was left open.
    pub register: String,
    /// Attempts at its question before the last one, which were duplicates: their words, where the journal has them.
    pub duplicates: Vec<String>,
    /// Those of its attempts that were too close to another question, in order.
    pub near_duplicates: Vec<ExplainedNear>,
    /// Its question, if it has one.
    pub question: Option<String>,
    /// What was searched for.
    pub searches: Vec<String>,
    /// What the assistant was shown.
    pub passages: Vec<ExplainedPassage>,
    /// Turns in its place that the judge rejected, in order.
    pub regenerated: Vec<ExplainedRejection>,
    /// Answers to its question that were rejected, in order.
    pub rejected: Vec<ExplainedRejection>,
    /// Its answer, if it has one.
    pub answer: Option<String>,
    /// Numbers of the answer that stand in no passage.
    pub unsupported_numbers: Vec<String>,
    /// The labels that were found without a model, in words; empty where there are none.
    pub labels: String,
    /// The verdict on the turn.
    pub judge: Option<JudgeReply>,
    /// What each judge of a jury made of it.
    pub judge_votes: Vec<Vote>,
    /// Whether the verdict meets `judge.accept`.
    pub judge_accepted: Option<bool>,
    /// Requests that the question, the answer and the verdict took.
    pub calls: [u32; 3],
    /// Replies for the question, the answer and the verdict that could not be used, as far as the journal tells.
    pub asked_again: [usize; 3],
    /// What those replies say, and last the reply for which the conversation was given up, if one was.
    pub unusable: Vec<String>,
}

/// A question that was rejected because of what it is too close to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedNear {
    /// What outputs tell of it.
    #[serde(flatten)]
    pub rejected: RejectedQuestion,
    /// The conversation that asks what it is too close to, and at which turn; none where that was asked before the run, or stands in a
    /// held-out text.
    pub asked_by: Option<(String, u16)>,
}

impl ExplainedNear {
    fn of(near: &NearDuplicate, run: &Run) -> Self {
        let rank = near.neighbour.question().map(|neighbour| neighbour.rank).filter(|rank| *rank != Rank::default());
        let asked_by = rank.map(|rank| {
            let languages: Vec<Arc<str>> = languages_of(run).into_iter().map(Arc::from).collect();
            (conversation_id(&run.id, &languages, rank.slot()), rank.turn.0)
        });
        Self { rejected: RejectedQuestion::of(near), asked_by }
    }

    /// What it is too close to, in words.
    pub fn told(&self) -> String {
        let RejectedQuestion { close_to, similarity, held_out, .. } = &self.rejected;
        let by = match (&self.asked_by, held_out) {
            (Some((id, turn)), _) => format!("turn {turn} of {id}"),
            (None, Some(held_out)) => format!("the held-out {held_out}"),
            (None, None) => "what was asked before".to_owned(),
        };
        let how = similarity.map_or("words of".to_owned(), |similarity| format!("{similarity:.2} to"));
        format!("{how} {by}: {close_to}")
    }
}

/// An answer that was rejected, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedRejection {
    /// Its question, where that is another one than the turn's.
    pub question: Option<String>,
    /// The answer as it was given.
    pub answer: String,
    /// The labels that were found without a model, in words; empty where there are none.
    pub labels: String,
    /// The verdict on it, where the judge was asked.
    pub judge: Option<JudgeReply>,
}

impl ExplainedRejection {
    fn of(question: Option<&Question>, answer: &Answer, judgement: Option<&Judgement>) -> Self {
        Self {
            question: question.map(|question| question.reply.user_message.clone()),
            answer: answer.reply.assistant_message.clone(),
            labels: answer.findings.told(),
            judge: judgement.map(|judgement| judgement.reply.clone()),
        }
    }

    fn all(rejected: &[RejectedAnswer]) -> Vec<Self> {
        rejected.iter().map(|one| Self::of(None, &one.answer, one.judgement.as_ref())).collect()
    }

    fn anew(regenerated: &[Arc<Turn>]) -> Vec<Self> {
        let anew = |turn: &Arc<Turn>| Self::of(Some(&turn.question), &turn.answer, turn.judgement.as_ref());
        regenerated.iter().map(anew).collect()
    }
}

/// A passage or page that was shown.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ExplainedPassage {
    /// The id of the passage.
    pub id: String,
    /// The document or address that it is of.
    pub source: String,
    /// What it stands under.
    pub heading: String,
    /// Its text, where a search returned it.
    pub text: String,
    /// The pieces of evidence that are of it.
    pub evidence_ids: Vec<String>,
    /// What those pieces say, in the same order.
    pub evidence: Vec<String>,
}

/// A reply that the journal has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedReply {
    /// The pass of the judge that asked for it; empty where the run did.
    pub pass: String,
    /// The turn that it was for.
    pub turn_index: u16,
    /// How often the question of the turn had been rejected.
    pub attempt: u16,
    /// What it was to be.
    pub stage: Stage,
    /// Requests before it for the same word.
    pub round: u16,
    /// The model that replied; empty for what a search found.
    pub model: String,
    /// What it says, or the calls that it asks for.
    pub text: String,
    /// Whether it asks for calls of tools instead of saying something.
    pub is_call: bool,
    /// Tokens read and written, as far as they are known.
    pub tokens: (Option<u64>, Option<u64>),
    /// Its price in USD, where it is known.
    pub cost_usd: Option<f64>,
    /// The body of the request as it was sent; none where the journal has none, and of the model that is part of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
}

/// Explains the conversation of this id or number (of this run, or the last one) in an output folder, whose logs lie in this folder.
/// Where the store is on a server, `dsn` is its connection string.
///
/// # Errors
/// When there is no such conversation, or it can't be read.
pub fn explain(
    outputs: &Path,
    dsn: Option<&str>,
    (which, run): (&str, Option<&str>),
    logs: &Path,
) -> Result<Explanation, RunError> {
    let unknown = || RunError::Unexplained(format!("{} has no runs; name the output folder", outputs.display()));
    let folder = Folder::find(outputs, dsn)?.ok_or_else(unknown)?;
    let Known { run, id, language, settled } = find(&folder, which, run)?;
    let of_run = folder.store.replies_of(&run.id, settled.slot)?;
    let (of_passes, unclear_passes) = passes::replies(&folder, run, settled.slot)?;
    let (drop_reason, drop_detail) = settled.dropped.clone().unwrap_or_default();
    let mut explained = Explanation {
        status: if settled.dropped.is_none() { "completed" } else { "dropped" }.to_owned(),
        conversation_id: id.clone(),
        run_id: run.id.clone(),
        language,
        user_persona: String::new(),
        assistant_persona: String::new(),
        drop_reason,
        drop_detail,
        duplicates: settled.duplicates,
        turns: Vec::new(),
        conversation_judge: None,
        conversation_judge_votes: Vec::new(),
        log: lines(logs, run, &id, settled.slot)?,
        replies: of_run.iter().map(|kept| reply(kept, "")).chain(of_passes).collect(),
        unclear_passes,
    };
    // The others are told as what they were.
    let duplicates = |turn: u16, before: u16, anew: &[Arc<Turn>], near: &[NearDuplicate]| {
        let others = anew.iter().map(|turn| turn.attempt).chain(near.iter().map(|near| near.attempt));
        rejected_questions(&explained.replies, turn, before, &others.map(|attempt| attempt.0).collect::<Vec<_>>())
    };
    if settled.document > 0 {
        let document = ConversationDocument::read(&ConversationDocument::path(outputs, &id, settled.slot))?;
        let states =
            document.state.iter().flat_map(|state| state.turns.iter().map(Some)).chain(std::iter::repeat(None));
        let attempts = document.attempts();
        let turns = document.turns.iter().zip(states).zip(attempts);
        let mut turns: Vec<_> = turns
            .map(|((turn, state), attempt)| {
                finished(turn, (state, run), |anew, near| duplicates(turn.turn_index, attempt, anew, near))
            })
            .collect();
        turns.extend(document.state.as_ref().and_then(|state| unfinished((state, run), turns.len(), duplicates)));
        explained.user_persona = document.inputs.user_persona.to_string();
        explained.assistant_persona = document.inputs.assistant_persona.to_string();
        let whole = document.state.as_ref().and_then(|state| state.judgement.as_ref());
        explained.conversation_judge_votes = whole.map_or_else(Vec::new, |judgement| judgement.votes.to_vec());
        explained.conversation_judge = document.conversation_judge.map(|verdict| verdict.into_owned());
        explained.turns = turns;
    } else if settled.dropped.is_some() {
        // Of a first turn that was never finished: whatever came after the duplicates was no duplicate.
        let duplicates = duplicates(1, u16::try_from(settled.duplicates).unwrap_or(u16::MAX), &[], &[]);
        explained.turns = vec![ExplainedTurn { turn_index: 1, duplicates, ..ExplainedTurn::default() }];
    }
    tell_unusable(&mut explained);
    Ok(explained)
}

/// A turn that the conversation has.
fn finished(
    turn: &TurnPayload<'_>,
    (state, run): (Option<&TurnState<'_>>, &Run),
    duplicates: impl Fn(&[Arc<Turn>], &[NearDuplicate]) -> Vec<String>,
) -> ExplainedTurn {
    let queries = turn.tool_events.iter().filter_map(|call| call.arguments["query"].as_str());
    let (rejected, regenerated) = state.map_or((&[][..], &[][..]), |state| (&state.rejected, &state.regenerated));
    let near = state.map_or(&[][..], |state| &*state.near_duplicates);
    let judgement = state.and_then(|state| state.judgement.as_ref());
    let calls =
        state.map_or([0; 3], |state| [state.calls.0, state.calls.1, judgement.map_or(0, |judgement| judgement.calls)]);
    let evidence = |id: &str| {
        let piece = turn.kb_answer.reasoning_trace.evidence.iter().find(|piece| piece.id == id);
        piece.map(|piece| piece.content.clone()).unwrap_or_default()
    };
    let passage = |shown: &Shown<'_>| ExplainedPassage {
        id: shown.place.id.to_string(),
        source: shown.place.source.to_string(),
        heading: shown.place.heading.to_string(),
        text: text_of(turn, &shown.place.id, &shown.place.source),
        evidence_ids: shown.used.evidence_ids.iter().map(ToString::to_string).collect(),
        evidence: shown.used.evidence_ids.iter().map(|id| evidence(id)).collect(),
    };
    ExplainedTurn {
        turn_index: turn.turn_index,
        finished: true,
        question_mode: turn.question_mode.to_string(),
        register: turn.register.map(|register| register.as_str().to_owned()).unwrap_or_default(),
        duplicates: duplicates(regenerated, near),
        near_duplicates: near.iter().map(|near| ExplainedNear::of(near, run)).collect(),
        regenerated: ExplainedRejection::anew(regenerated),
        question: Some(turn.qa_generation.user_message.clone()),
        searches: queries.map(str::to_owned).collect(),
        passages: turn.provenance.iter().map(passage).collect(),
        rejected: ExplainedRejection::all(rejected),
        answer: Some(turn.kb_answer.assistant_message.clone()),
        unsupported_numbers: turn.unsupported_numbers.to_vec(),
        labels: turn.findings.told(),
        judge: turn.qa_judge.as_deref().cloned(),
        judge_votes: judgement.map_or_else(Vec::new, |judgement| judgement.votes.to_vec()),
        judge_accepted: turn.judge_accepted,
        calls,
        ..ExplainedTurn::default()
    }
}

/// The text of a passage or page, as a call of the turn returned it; empty where none did.
fn text_of(turn: &TurnPayload<'_>, id: &str, source: &str) -> String {
    let number = id.rsplit_once('-').and_then(|(_, number)| number.parse::<u64>().ok());
    let results = turn.tool_events.iter().filter_map(|call| call.result["results"].as_array()).flatten();
    let text = |result: &Value| {
        let is_chunk = result["source"] == source && result["chunk_index"].as_u64() == number;
        let content = if is_chunk { &result["content"] } else { &result["snippet"] };
        content.as_str().filter(|_| is_chunk || result["link"] == source).map(str::to_owned)
    };
    results.into_iter().find_map(text).unwrap_or_default()
}

/// The turn at which the conversation was given up, if it had begun one.
fn unfinished(
    (state, run): (&ConversationState<'_>, &Run),
    turns: usize,
    duplicates: impl Fn(u16, u16, &[Arc<Turn>], &[NearDuplicate]) -> Vec<String>,
) -> Option<ExplainedTurn> {
    let outcome = state.outcome.as_ref();
    let round = state.round.as_deref().filter(|_| matches!(outcome, Outcome::Dropped(_)))?;
    let turn_index = turns as u16 + 1;
    let is_exhausted = matches!(outcome, Outcome::Dropped(reason) if reason.is_exhausted());
    let before = if is_exhausted { u16::MAX } else { round.attempt.0 };
    let question = round.question.as_ref().filter(|_| !is_exhausted);
    Some(ExplainedTurn {
        turn_index,
        question_mode: question.map(|question| question.mode.as_str().to_owned()).unwrap_or_default(),
        duplicates: duplicates(turn_index, before, &round.regenerated, &round.near_duplicates),
        near_duplicates: round.near_duplicates.iter().map(|near| ExplainedNear::of(near, run)).collect(),
        regenerated: ExplainedRejection::anew(&round.regenerated),
        question: question.map(|question| question.reply.user_message.clone()),
        rejected: ExplainedRejection::all(&round.rejected),
        labels: round.answer.as_ref().map(|answer| answer.findings.told()).unwrap_or_default(),
        answer: round.answer.as_ref().map(|answer| answer.reply.assistant_message.clone()),
        judge: round.judgement.as_ref().map(|judgement| judgement.reply.clone()),
        judge_votes: round.judgement.as_ref().map_or_else(Vec::new, |judgement| judgement.votes.clone()),
        ..ExplainedTurn::default()
    })
}

/// The questions that were asked at attempts before this one and were duplicates, in the words of the last reply to each: not those
/// of the `others`, and of a reply that holds several all, of which some were asked.
fn rejected_questions(replies: &[ExplainedReply], turn: u16, before: u16, others: &[u16]) -> Vec<String> {
    let mut questions: Vec<(u16, String)> = Vec::new();
    for reply in replies.iter().filter(|reply| reply.stage == Stage::Ask && reply.turn_index == turn) {
        let said = serde_json::from_str::<Value>(&reply.text).ok();
        let Some(question) = said.as_ref().and_then(question_of) else { continue };
        if reply.attempt < before && !others.contains(&reply.attempt) {
            questions.retain(|(attempt, _)| *attempt != reply.attempt);
            questions.push((reply.attempt, question));
        }
    }
    questions.into_iter().map(|(_, question)| question).collect()
}

fn question_of(said: &Value) -> Option<String> {
    let message = |one: &Value| one["user_message"].as_str().map(str::to_owned);
    match said["candidates"].as_array() {
        Some(several) => Some(format!("of {}", several.iter().filter_map(message).collect::<Vec<_>>().join(" | "))),
        None => message(said),
    }
}

fn reply(kept: &KeptReply, pass: &str) -> ExplainedReply {
    let chat = serde_json::from_slice::<ChatReply>(&kept.body).ok();
    let is_call = chat.as_ref().is_some_and(|chat| !chat.tool_calls.is_empty());
    let (model, text) = match chat {
        Some(ChatReply { model, text, tool_calls, .. }) if text.is_empty() => {
            let calls = tool_calls.iter().map(|call| format!("{}({})", call.name, call.arguments));
            (model.to_string(), calls.collect::<Vec<_>>().join(", "))
        }
        Some(ChatReply { model, text, .. }) => (model.to_string(), text),
        None => (String::new(), String::from_utf8_lossy(&kept.body).into_owned()),
    };
    ExplainedReply {
        pass: pass.to_owned(),
        turn_index: kept.place.turn.0,
        attempt: kept.place.attempt.0,
        stage: kept.place.stage,
        round: kept.place.round,
        model,
        text,
        is_call,
        tokens: kept.tokens,
        cost_usd: kept.nanousd.map(|nanousd| nanousd as f64 / 1e9),
        request: request_of(&kept.body).and_then(|body| serde_json::from_str(&body).ok()),
    }
}

/// Tells of each turn which replies could not be used.
fn tell_unusable(explained: &mut Explanation) {
    let Explanation { turns, replies, drop_reason, .. } = explained;
    let is_given_up = GIVEN_UP.contains(&drop_reason.as_str());
    let next = turns.len() as u16 + 1;
    let is_next = |reply: &ExplainedReply| reply.turn_index == next && says(reply);
    if is_given_up && turns.iter().all(|turn| turn.finished) && replies.iter().any(is_next) {
        turns.push(ExplainedTurn { turn_index: next, ..ExplainedTurn::default() });
    }
    for turn in turns {
        let superseded =
            [Stage::Ask, Stage::Answer, Stage::Judge].map(|stage| superseded(replies, turn.turn_index, stage));
        turn.asked_again = superseded.each_ref().map(Vec::len);
        let own = |reply: &&ExplainedReply| reply.turn_index == turn.turn_index && says(reply);
        let last = replies.iter().filter(|_| is_given_up && !turn.finished).rfind(own);
        turn.unusable = superseded.into_iter().flatten().chain(last).map(|reply| reply.text.clone()).collect();
    }
}

/// The replies that say something that another reply to a later request for the same word took the place of.
fn superseded(replies: &[ExplainedReply], turn: u16, stage: Stage) -> Vec<&ExplainedReply> {
    let own = |reply: &&ExplainedReply| reply.turn_index == turn && reply.stage == stage && says(reply);
    // Answers that the judge rejects have numbers of their own from 100 on, and so have verdicts on spoiled ones, 10 apart.
    let apart = if stage == Stage::Judge { 10 } else { 100 };
    let later = |one: &ExplainedReply, other: &ExplainedReply| {
        other.pass == one.pass
            && other.attempt == one.attempt
            && other.round > one.round
            && other.round / apart == one.round / apart
    };
    replies.iter().filter(own).filter(|one| replies.iter().filter(own).any(|other| later(one, other))).collect()
}

/// Whether a reply is a model's and no call of a tool.
fn says(reply: &ExplainedReply) -> bool {
    !reply.model.is_empty() && !reply.is_call
}

/// The lines of the run's log that name the conversation. Those that name it by its number count from when the run began.
fn lines(logs: &Path, run: &Run, id: &str, slot: Slot) -> Result<Vec<String>, RunError> {
    let path = logs.join("run.log");
    let text = match fs::read_to_string(&path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(FilesError::io("read", &path))?,
    };
    let began = run.began.get(..19).unwrap_or_default().replace('T', " ");
    let by_id = format!("conversation={id} ");
    let by_number = log_lines::rollback(slot);
    let names = |line: &&str| line.contains(&by_id) || (line.contains(&by_number) && line.get(..19) >= Some(&*began));
    Ok(text.lines().filter(names).map(str::to_owned).collect())
}
