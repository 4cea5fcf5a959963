//! Sample tasks: every template is rendered with them once at start, so that its errors show before the run does.

use crate::words::reply::{Difficulty, GroundingFact, Intent};
use crate::words::task::{
    AnswerTask, AskTask, JudgeConversationTask, JudgeEvidence, JudgeTurnTask, JudgedTurn, QuestionMode,
};
use crate::words::{Snippet, Task, UserReply};
use std::sync::Arc;

const HISTORY: &str = "Turn 1 - User: كيف يُحفظ الشاي؟\nTurn 1 - Assistant: في علبة محكمة الإغلاق.";
const PERSONA: &str = "Amina | مهتمة، دقيقة | direct questions";

/// A task of every kind and, for questions, of every mode; the first of each kind with all that may be empty left empty.
pub(super) fn samples() -> Vec<Task> {
    let modes = [
        QuestionMode::Seeded,
        QuestionMode::Fresh,
        QuestionMode::Followup,
        QuestionMode::Adjacent,
        QuestionMode::OffTopic,
    ];
    let mut samples: Vec<Task> = vec![ask(QuestionMode::Fresh, false)];
    samples.extend(modes.map(|mode| ask(mode, true)));
    for full in [false, true] {
        samples.extend([answer(full), judge_turn(full), judge_conversation(full)]);
    }
    samples
}

fn ask(question_mode: QuestionMode, full: bool) -> Task {
    let text = |text: &str| if full { text.to_owned() } else { String::new() };
    Task::Ask(AskTask {
        public_conversation_history: HISTORY.to_owned(),
        last_assistant_message: "في علبة محكمة الإغلاق.".to_owned(),
        user_persona: text(PERSONA),
        question_mode,
        topic_snippets: Vec::from_iter(full.then(snippet)),
        recent_user_questions: Vec::from_iter(full.then(|| Arc::from("كم دقيقة يُنقع الشاي؟"))),
        seed_topic: text("الشاي"),
        seed_question: text("ما الفرق بين الشاي الأخضر والأسود؟"),
        turn_index: 2,
        n_turns: 3,
        question: text("ما هو الشاي؟"),
        attempt: u16::from(full),
        variety: 7,
        target_language: "ar".to_owned(),
    })
}

fn snippet() -> Snippet {
    Snippet {
        topic_id: "00000000000000000000000000000000-0".to_owned(),
        source_path: "ar/tea.md".to_owned(),
        source_descriptor: "tea.md#chunk0".to_owned(),
        text: Arc::from("يُجفف الشاي الأخضر سريعًا بعد القطف."),
        recent_questions: vec![Arc::from("متى يُقطف الشاي؟")],
    }
}

fn answer(full: bool) -> Task {
    let fact =
        GroundingFact { fact: "يُجفف سريعًا.".to_owned(), source_descriptor: "tea.md#chunk0".to_owned() };
    Task::Answer(AnswerTask {
        public_conversation_history: HISTORY.to_owned(),
        assistant_persona: if full { PERSONA.to_owned() } else { String::new() },
        turn_index: 2,
        n_turns: 3,
        question: "لماذا يُجفف الشاي الأخضر سريعًا؟".to_owned(),
        target_language: "ar".to_owned(),
        retrieval_default_k: 4,
        user_reply: UserReply {
            user_message: "لماذا يُجفف الشاي الأخضر سريعًا؟".to_owned(),
            intent: Intent::Clarify,
            difficulty: Difficulty::Easy,
            grounding_facts: Vec::from_iter(full.then_some(fact)),
            coverage_target: "00000000000000000000000000000000-0".to_owned(),
            notes_for_assistant: Vec::from_iter(full.then(|| "السبب".to_owned())),
        },
    })
}

fn judge_turn(full: bool) -> Task {
    Task::JudgeTurn(JudgeTurnTask {
        public_conversation_history: HISTORY.to_owned(),
        user_persona: if full { PERSONA.to_owned() } else { String::new() },
        assistant_persona: if full { PERSONA.to_owned() } else { String::new() },
        judge_user_message: "لماذا يُجفف الشاي الأخضر سريعًا؟".to_owned(),
        judge_assistant_message: "ليبقى لونه.".to_owned(),
        judge_evidence: Vec::from_iter(full.then(evidence)),
        judge_reasons: Vec::from_iter(full.then(|| "weak_grounding".to_owned())),
        target_language: "ar".to_owned(),
    })
}

fn judge_conversation(full: bool) -> Task {
    let turn = JudgedTurn {
        turn_index: 1,
        user_message: "كيف يُحفظ الشاي؟".to_owned(),
        assistant_message: "في علبة محكمة الإغلاق.".to_owned(),
    };
    Task::JudgeConversation(JudgeConversationTask {
        public_conversation_history: HISTORY.to_owned(),
        user_persona: if full { PERSONA.to_owned() } else { String::new() },
        assistant_persona: if full { PERSONA.to_owned() } else { String::new() },
        judge_turn_count: 1,
        judge_conversation_turns: vec![turn],
        judge_conversation_evidence: Vec::from_iter(full.then(evidence)),
        judge_reasons: Vec::from_iter(full.then(|| "weak_grounding".to_owned())),
        target_language: "ar".to_owned(),
    })
}

fn evidence() -> JudgeEvidence {
    JudgeEvidence { source: "tea.md#chunk0".to_owned(), content: "يُجفف سريعًا.".to_owned() }
}
