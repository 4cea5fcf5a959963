//! Sample tasks: every template is rendered with them once at start, so that its errors show before the run does.

use crate::domain::reply::{Difficulty, GroundingFact, Intent};
use crate::domain::task::{
    AnswerTask, AskTask, JudgeConversationTask, JudgeEvidence, JudgeTurnTask, JudgedTurn, QuestionMode, Register,
    RejectedReply, RetrievalMode,
};
use crate::domain::{Passage, Task, UserReply};
use std::sync::Arc;

const HISTORY: &str = "Turn 1 - User: كيف يُحفظ الشاي؟\nTurn 1 - Assistant: في علبة محكمة الإغلاق.";
const PERSONA: &str = "Amina | مهتمة، دقيقة | direct questions";
const MANNER: &str = "Amina, مهتمة، دقيقة";

/// A task of every kind and, for questions, of every mode; the first of each kind with all that may be empty left empty.
pub(super) fn samples() -> Vec<Task> {
    let mut samples: Vec<Task> = vec![ask(QuestionMode::Fresh, false), ask(QuestionMode::Sharded, false)];
    samples.extend(QuestionMode::ALL.map(|mode| ask(mode, true)));
    samples.extend(QuestionMode::ALL.map(judge_of));
    samples.extend(Register::ALL.map(|register| match ask(QuestionMode::Fresh, true) {
        Task::Ask(task) => Task::Ask(AskTask { register: Some(register), ..task }),
        other => other,
    }));
    for full in [false, true] {
        samples.extend([RetrievalMode::First, RetrievalMode::Tool, RetrievalMode::Both].map(|mode| answer(mode, full)));
        samples.extend([judge_turn(full), judge_conversation(full)]);
    }
    samples.extend(Intent::ALL.map(|angle| match ask(QuestionMode::Fresh, true) {
        Task::Ask(task) => Task::Ask(AskTask { angle: Some(angle), ..task }),
        other => other,
    }));
    samples
}

fn ask(question_mode: QuestionMode, full: bool) -> Task {
    let text = |text: &str| if full { text.to_owned() } else { String::new() };
    Task::Ask(AskTask {
        public_conversation_history: HISTORY.to_owned(),
        last_assistant_message: "في علبة محكمة الإغلاق.".to_owned(),
        user_persona: text(PERSONA),
        user_manner: text(MANNER),
        question_mode,
        passages: Vec::from_iter(full.then(passage)),
        linked: full,
        recent_user_questions: Vec::from_iter(full.then(|| Arc::from("كم دقيقة يُنقع الشاي؟"))),
        seed_topic: text("الشاي"),
        seed_question: text("ما الفرق بين الشاي الأخضر والأسود؟"),
        turn_index: 2,
        n_turns: 3,
        question: text("ما هو الشاي؟"),
        attempt: u16::from(full),
        angle: full.then_some(Intent::EdgeCase),
        variety: 7,
        target_language: "Modern Standard Arabic".to_owned(),
        whole_need: text("كيف يُحفظ الشاي الأخضر في الصيف؟"),
        register: full.then_some(Register::Terse),
        words: full.then_some(12),
        candidates: if full { 4 } else { 1 },
    })
}

/// The judge's task for a turn of this mode.
fn judge_of(question_mode: QuestionMode) -> Task {
    match judge_turn(true) {
        Task::JudgeTurn(task) => Task::JudgeTurn(JudgeTurnTask { question_mode, ..task }),
        other => other,
    }
}

fn passage() -> Passage {
    Passage {
        label: "P1".to_owned(),
        topic_id: "00000000000000000000000000000000-0".to_owned(),
        source_path: "ar/tea.md".to_owned(),
        source_descriptor: "tea.md#chunk0".to_owned(),
        title: Arc::from("الشاي"),
        text: Arc::from("يُجفف الشاي الأخضر سريعًا بعد القطف."),
    }
}

fn answer(retrieval_mode: RetrievalMode, full: bool) -> Task {
    let text = |text: &str| if full { text.to_owned() } else { String::new() };
    let fact =
        GroundingFact { fact: "يُجفف سريعًا.".to_owned(), source_descriptor: "tea.md#chunk0".to_owned() };
    Task::Answer(AnswerTask {
        public_conversation_history: HISTORY.to_owned(),
        assistant_persona: text(PERSONA),
        assistant_manner: text(MANNER),
        turn_index: 2,
        n_turns: 3,
        question: "لماذا يُجفف الشاي الأخضر سريعًا؟".to_owned(),
        target_language: "Modern Standard Arabic".to_owned(),
        retrieval_default_k: 4,
        retrieval_mode,
        web_search: full,
        passages: Vec::from_iter(full.then(passage)),
        full_trace: full,
        user_reply: UserReply {
            user_message: "لماذا يُجفف الشاي الأخضر سريعًا؟".to_owned(),
            intent: Intent::Clarify,
            difficulty: Difficulty::Easy,
            grounding_facts: Vec::from_iter(full.then_some(fact)),
            coverage_target: "00000000000000000000000000000000-0".to_owned(),
            notes_for_assistant: Vec::from_iter(full.then(|| "السبب".to_owned())),
            whole_need: String::new(),
        },
        rejected: full.then(|| RejectedReply {
            message: "لا أعرف.".to_owned(),
            reasons: vec!["incomplete".to_owned()],
            notes: "The passage tells why.".to_owned(),
        }),
    })
}

fn judge_turn(full: bool) -> Task {
    Task::JudgeTurn(JudgeTurnTask {
        public_conversation_history: HISTORY.to_owned(),
        user_persona: if full { PERSONA.to_owned() } else { String::new() },
        assistant_persona: if full { PERSONA.to_owned() } else { String::new() },
        judge_user_message: "لماذا يُجفف الشاي الأخضر سريعًا؟".to_owned(),
        judge_assistant_message: "ليبقى لونه.".to_owned(),
        turn_index: 2,
        judge_evidence: Vec::from_iter(full.then(evidence)),
        unsupported_numbers: Vec::from_iter(full.then(|| "12".to_owned())),
        unknown_citations: Vec::from_iter(full.then(|| "P9".to_owned())),
        judge_reasons: Vec::from_iter(full.then(|| "weak_grounding".to_owned())),
        target_language: "Modern Standard Arabic".to_owned(),
        question_mode: QuestionMode::Fresh,
        whole_need: if full { "كيف يُحفظ الشاي؟".to_owned() } else { String::new() },
        is_last: full,
    })
}

fn judge_conversation(full: bool) -> Task {
    let turn = JudgedTurn {
        turn_index: 1,
        user_message: "كيف يُحفظ الشاي؟".to_owned(),
        assistant_message: "في علبة محكمة الإغلاق.".to_owned(),
        unsupported_numbers: Vec::from_iter(full.then(|| "12".to_owned())),
        unknown_citations: Vec::from_iter(full.then(|| "P9".to_owned())),
        question_mode: if full { QuestionMode::Unanswerable } else { QuestionMode::Fresh },
    };
    Task::JudgeConversation(JudgeConversationTask {
        public_conversation_history: HISTORY.to_owned(),
        user_persona: if full { PERSONA.to_owned() } else { String::new() },
        assistant_persona: if full { PERSONA.to_owned() } else { String::new() },
        judge_turn_count: 1,
        judge_conversation_turns: vec![turn],
        judge_conversation_evidence: Vec::from_iter(full.then(evidence)),
        judge_reasons: Vec::from_iter(full.then(|| "weak_grounding".to_owned())),
        target_language: "Modern Standard Arabic".to_owned(),
        whole_need: if full { "كيف يُحفظ الشاي؟".to_owned() } else { String::new() },
    })
}

fn evidence() -> JudgeEvidence {
    JudgeEvidence { source: "tea.md#chunk0".to_owned(), content: "يُجفف سريعًا.".to_owned() }
}
