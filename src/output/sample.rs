//! A small run made by hand, for tests: its facts, its knowledge base, a completed and a dropped conversation.

use super::{Columns, Files, Options, RunFacts, Stamp, Tools};
use crate::domain::calibration::{Spoil, SpoiledScore};
use crate::domain::findings::{Label, PersonalData};
use crate::domain::reply::{
    Confidence, Difficulty, Evidence, GroundingFact, Intent, Premise, ReasoningTrace, RetrievalQueries, Thought,
};
use crate::domain::{
    Acceptance, Answer, AssistantReply, Attempt, Catalogue, ChunkIndex, Conversation, DropReason, Findings, Found,
    Json, Judgement, LanguageIndex, Normalisation, Outcome, Persona, Question, QuestionMode, Register, RejectedAnswer,
    Scores, SearchHit, Slot, SourceIndex, ToolDefinition, ToolEvent, Turn, UserReply, Vote, fixtures,
};
use crate::store::{Run, State};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The first question of [`sample_conversation`].
pub(crate) const QUESTION: &str = "كم مرة تُؤخذ النسخ الاحتياطية؟";

/// 2026-11-22T23:34:13Z.
pub(crate) fn stamp() -> Stamp {
    Stamp::from_env(Some("1795390453")).unwrap_or_else(|error| panic!("{error}"))
}

/// Outputs below `root`, columns under their own names.
pub(crate) fn options(root: &Path) -> Options {
    let columns = Columns {
        messages: "messages".into(),
        messages_with_tools: "messages_with_tools".into(),
        tools: "tools".into(),
        metadata: "metadata".into(),
        user_reasoning: "user_reasoning".into(),
        assistant_reasoning: "assistant_reasoning".into(),
        judge: "judge".into(),
    };
    Options {
        folder: root.join("outputs"),
        root: root.to_owned(),
        columns,
        keep_dropped_rows: true,
        files: Files::all(),
        raw: true,
    }
}

/// Two languages, judged by turn.
pub(crate) fn facts() -> RunFacts {
    RunFacts {
        run_id: "run-1".into(),
        seed: 7,
        normalisation: Normalisation::Full,
        total_samples: 1,
        languages: vec!["ar".into(), "en".into()],
        batch_size: 4,
        question: String::new(),
        min_turns: 2,
        max_turns: 3,
        distribution: "poisson".into(),
        mean: 0.0,
        topics_path: "config/topics.yaml".into(),
        topics_variant: String::new(),
        topics_probability: 0.35,
        topics_enabled: true,
        top_k: 4,
        tools: Tools::of(&[search()]),
        user_agent: "openai/asker".into(),
        assistant_agent: "openai/answerer".into(),
        persona_applied: true,
        judge_enabled: true,
        judge_granularity: "turn".into(),
        judge_reasons: vec!["vague".into(), "other".into()],
        config_dir: "config".into(),
    }
}

/// The tool of [`sample_conversation`].
fn search() -> ToolDefinition {
    ToolDefinition {
        name: "vector_db_search".into(),
        description: "Search the knowledge base.".into(),
        parameters: json!({
            "type": "object",
            "properties": {"query": {"type": "string"}, "k": {"type": "integer", "minimum": 1}},
            "required": ["query"],
            "additionalProperties": false,
        }),
    }
}

/// A run as it begins.
pub(crate) fn run(id: &str) -> Run {
    let (began, updated) = (stamp().utc_z(), stamp().utc_z());
    Run {
        id: id.into(),
        state: State::Running,
        manifest: BTreeMap::new(),
        config: "c.yaml".into(),
        ledger: 0,
        began,
        updated,
    }
}

/// One document of two chunks.
pub(crate) fn catalogue() -> Catalogue {
    let texts = vec!["Restores are rehearsed.", "Backups are taken daily."];
    fixtures::catalogue([("5f0c".to_owned(), "backup.md".to_owned(), texts)])
}

/// Two turns in Arabic, each judged; the first seeded and grounded, with a tool call; the second with thoughts.
pub(crate) fn sample_conversation() -> Conversation {
    let mut first = turn(1, QUESTION, "تُؤخذ كل يوم.", Some(7));
    let question = Arc::make_mut(&mut first.question);
    question.seed_topic = "operations".into();
    question.seed_question = "How often are backups taken?".into();
    question.mode = QuestionMode::Seeded;
    (question.register, question.words) = (Some(Register::Formal), Some(9));
    question.reply.coverage_target = "5f0c-1".into();
    question.used.chunk = Some(ChunkIndex(1));
    question.used.source = Some(SourceIndex(0));
    let hit = |(at, score)| SearchHit {
        found: Found::Chunk(ChunkIndex(at)),
        scores: Scores { lexical: Some(score), ..Scores::default() },
    };
    first.answer.retrieved = [(1, 2.5), (0, 0.75)].map(hit).to_vec();
    first.answer.used = vec![ChunkIndex(1)];
    first.answer.tool_events = vec![ToolEvent {
        id: "call_46611".into(),
        name: "vector_db_search".into(),
        arguments: json!({"query": "النسخ الاحتياطية", "k": 4}),
        result: json!({"query": "النسخ الاحتياطية", "results": [], "rendered": ""}).into(),
    }];
    first.answer.findings = Findings {
        question_labels: vec![Label::Pii],
        pii: vec![PersonalData::Email],
        acceptance: Acceptance::Flagged,
        ..Findings::default()
    };
    if let Some(judgement) = &mut first.judgement {
        judgement.calibration = vec![SpoiledScore { spoil: Spoil::Echo, score: 1 }];
        judgement.votes = vec![
            Vote { model: "openai/first".into(), verdict: Some(judgement.reply.clone()) },
            Vote { model: "openai/second".into(), verdict: None },
        ];
    }
    let mut second = turn(2, "وهل تُختبر؟", "نعم، تُختبر الاستعادة.", Some(8));
    second.attempt = Attempt(1);
    let question = Arc::make_mut(&mut second.question);
    question.reply.intent = Intent::Compare;
    question.reply.difficulty = Difficulty::Medium;
    question.reasoning = Some("dig deeper".into());
    second.answer.reasoning = Some("recall rehearsals".into());
    second.answer.unsupported_numbers = vec!["12".into()];
    second.answer.unknown_citations = vec!["P9".into()];
    second.answer.findings = Findings {
        answer_labels: vec![Label::UnsupportedNumbers, Label::UnknownCitations],
        answer_language: Some("ar".into()),
        question_words: 2,
        answer_words: 3,
        evidence_overlap: Some(0.5),
        ..Findings::default()
    };
    second.rejected = vec![rejected()];
    conversation(0, "ar", "run-1-ar-0000", vec![first, second], Outcome::Completed)
}

/// An answer that the judge has rejected, about the second passage.
pub(crate) fn rejected() -> RejectedAnswer {
    let mut answer = answered("وهل تُختبر؟", "لا أعرف، ربما 7 مرات.");
    answer.retrieved = vec![Found::Chunk(ChunkIndex(1)).into()];
    answer.used = vec![ChunkIndex(1)];
    answer.unsupported_numbers = vec!["7".into()];
    RejectedAnswer { answer, judgement: Some(Judgement { acceptance: Acceptance::Rejected, ..judgement(2) }) }
}

/// One turn of three in English, not judged by turn but as a whole; then every question was a duplicate.
pub(crate) fn dropped_conversation() -> Conversation {
    let turns = vec![turn(1, "Are restores rehearsed?", "Yes, they are.", None)];
    let outcome = Outcome::Dropped(DropReason::DedupExhausted);
    let mut dropped = conversation(1, "en", "run-1-en-0000", turns, outcome);
    dropped.target_turns = 3;
    dropped.judgement = Some(judgement(4));
    dropped
}

fn conversation(language: u16, name: &str, id: &str, turns: Vec<Turn>, outcome: Outcome) -> Conversation {
    let persona = |id: &str, name: &str, style: &str| {
        let traits = vec!["exact".into(), "curious".into()];
        Arc::new(Persona { id: id.into(), name: name.into(), traits, style: style.into() })
    };
    let slot = Slot { language: LanguageIndex(language), index: 0 };
    let mut conversation = Conversation {
        id: id.into(),
        language: name.into(),
        user_persona: persona("auditor", "Auditor", "brief"),
        assistant_persona: persona("tutor", "Tutor", ""),
        outcome: Some(outcome),
        ..fixtures::conversation(slot, turns.len() as u16)
    };
    conversation.turns = turns.into_iter().map(Arc::new).collect();
    conversation
}

fn turn(index: u16, question: &str, answer: &str, score: Option<u8>) -> Turn {
    let judgement = score.map(judgement);
    Turn { judgement, ..fixtures::turn(index, asked(question), answered(question, answer)) }
}

fn asked(question: &str) -> Question {
    Question {
        mode: QuestionMode::Followup,
        reply: UserReply {
            grounding_facts: vec![GroundingFact {
                fact: "Backups are taken daily.".into(),
                source_descriptor: "backup.md#chunk1".into(),
            }],
            notes_for_assistant: vec!["be concise".into()],
            ..fixtures::user_reply(question)
        },
        agent: "openai/asker".into(),
        raw: raw("asked"),
        ..fixtures::question(question, fixtures::used(question))
    }
}

fn answered(question: &str, answer: &str) -> Answer {
    let trace = ReasoningTrace {
        question: question.into(),
        retrieval_queries: RetrievalQueries { vector_db_search: vec!["backups".into()], web_search: Vec::new() },
        evidence: vec![Evidence {
            id: "E1".into(),
            cue: "KB: backup.md#chunk1".into(),
            content: "Backups are taken daily.".into(),
        }],
        premises: vec![Premise {
            id: "P1".into(),
            text: "daily is a frequency".into(),
            evidence_refs: vec!["E1".into()],
            assumption: String::new(),
        }],
        thinking: vec![Thought { text: "read the rule".into() }],
        confidence: Confidence::High,
        known_limits: Vec::new(),
    };
    Answer {
        reply: AssistantReply { assistant_message: answer.into(), reasoning_trace: trace, did_web_search: false },
        agent: "openai/answerer".into(),
        raw: raw("answered"),
        ..fixtures::answer(answer)
    }
}

fn judgement(score: u8) -> Judgement {
    let mut judgement = Judgement { raw: raw("judged"), ..fixtures::judgement(score) };
    (judgement.reply.reasons, judgement.reply.notes) = (vec!["vague".into()], "ok".into());
    if score < 5 {
        judgement.acceptance = Acceptance::Flagged;
    }
    judgement
}

fn raw(id: &str) -> Json {
    json!({"id": id, "usage": {"total_tokens": 150}}).into()
}
