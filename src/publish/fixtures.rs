//! Conversations and a pair of answers for the tests of this room.

use super::{Dialogue, Exchange, Pair, Said, Speakers, ToolCall};

/// The tool that the Arabic conversation could call.
pub(super) const TOOLS: &str = concat!(
    r#"[{"type":"function","function":{"name":"vector_db_search","description":"Searches the documents.","#,
    r#""parameters":{"type":"object","properties":{"query":{"type":"string"},"k":{"type":"integer"}},"#,
    r#""required":["query"]}}}]"#
);

/// All of them: Arabic with a call, French with thoughts and a low score, English without tools.
pub(super) fn dialogues() -> [Dialogue<'static>; 3] {
    [arabic(), french(), english()]
}

/// A conversation of one turn, in Arabic, in which a tool is called.
pub(super) fn arabic() -> Dialogue<'static> {
    let (question, answer) = ("ما هو حدّ الموافقة؟", "حدّ الموافقة ١٢٫٥٪.");
    Dialogue {
        id: "run-ar-0000",
        run_id: "run",
        timestamp: 1_795_000_000_000_000,
        language: "ar",
        status: "completed",
        personas: Speakers {
            user: "مدقّقة | دقيقة",
            assistant: "مستشار | واضح",
            user_id: "auditor",
            assistant_id: "adviser",
        },
        tools: TOOLS,
        messages: vec![
            Said { role: "user", content: question, agent: "asker", turn_index: 1, ..Said::default() },
            Said {
                role: "assistant",
                agent: "answerer",
                turn_index: 1,
                calls: vec![ToolCall {
                    id: "call_46611",
                    name: "vector_db_search",
                    arguments: r#"{"query":"حدّ الموافقة","k":3}"#,
                }],
                ..Said::default()
            },
            Said {
                role: "tool",
                content: r#"{"results":["١٢٫٥٪"]}"#,
                turn_index: 1,
                tool_call_id: "call_46611",
                name: "vector_db_search",
                ..Said::default()
            },
            Said { role: "assistant", content: answer, agent: "answerer", turn_index: 1, ..Said::default() },
        ],
        turns: vec![Exchange {
            index: 1,
            user: question,
            assistant: answer,
            mode: "fresh",
            intent: "clarify",
            difficulty: "easy",
            steps: vec!["أبحث عن الحدّ."],
            score: Some(9),
            accepted: Some(true),
            sources: vec!["ar/limits.md"],
            ..Exchange::default()
        }],
        score: Some(9.0),
        ..Dialogue::default()
    }
}

/// A conversation of two turns, in French, in which the model thinks aloud; the second answer has a low score.
pub(super) fn french() -> Dialogue<'static> {
    let [first, second] = [("Où est l’été ?", "Après le printemps."), ("Et l’hiver ?", "Je ne sais pas.")];
    let user = |content, turn_index| Said { role: "user", content, agent: "asker", turn_index, ..Said::default() };
    let assistant =
        |content, turn_index| Said { role: "assistant", content, agent: "answerer", turn_index, ..Said::default() };
    Dialogue {
        id: "run-fr-0000",
        run_id: "run",
        timestamp: 1_795_000_001_500_000,
        language: "fr",
        status: "completed",
        personas: Speakers {
            user: "Élève | curieuse",
            assistant: "Professeur | bref",
            user_id: "pupil",
            assistant_id: "teacher",
        },
        tools: "[]",
        messages: vec![user(first.0, 1), assistant(first.1, 1), user(second.0, 2), assistant(second.1, 2)],
        turns: vec![
            Exchange {
                index: 1,
                user: first.0,
                assistant: first.1,
                mode: "fresh",
                intent: "clarify",
                difficulty: "easy",
                thoughts: "Les saisons se suivent.",
                score: Some(8),
                accepted: Some(true),
                sources: vec!["fr/saisons.md"],
                ..Exchange::default()
            },
            Exchange {
                index: 2,
                user: second.0,
                assistant: second.1,
                mode: "follow_up",
                intent: "extend",
                difficulty: "hard",
                score: Some(3),
                accepted: Some(false),
                reasons: vec!["vague"],
                sources: vec!["fr/saisons.md"],
                ..Exchange::default()
            },
        ],
        score: Some(5.5),
        ..Dialogue::default()
    }
}

/// A conversation of one turn, in English, without tools, verdicts and personas; what the user says has control tokens in it.
pub(super) fn english() -> Dialogue<'static> {
    let (question, answer) = ("What does <|im_end|> \"mean\"?\n", "The end of a message.");
    Dialogue {
        id: "run-en-0000",
        run_id: "run",
        timestamp: 1_795_000_002_000_000,
        language: "en",
        status: "completed",
        tools: "[]",
        messages: vec![
            Said { role: "user", content: question, agent: "asker", turn_index: 1, ..Said::default() },
            Said { role: "assistant", content: answer, agent: "answerer", turn_index: 1, ..Said::default() },
        ],
        turns: vec![Exchange {
            index: 1,
            user: question,
            assistant: answer,
            mode: "fresh",
            intent: "clarify",
            difficulty: "unknown",
            sources: vec!["en/tokens.md"],
            ..Exchange::default()
        }],
        ..Dialogue::default()
    }
}

/// Two answers to the second question of a French conversation.
pub(super) fn pair() -> Pair<'static> {
    Pair {
        conversation_id: "run-fr-0001",
        turn_index: 2,
        language: "fr",
        prompt: vec![["user", "Où est l’été ?"], ["assistant", "Après le printemps."], ["user", "Et l’hiver ?"]],
        chosen: "Après l’automne.",
        rejected: "Je ne sais pas.",
        score_chosen: Some(9),
        score_rejected: Some(2),
    }
}
