//! A conversation as exports, statistics and cards see it: what a row of the table `conversations` tells, borrowed from it.

/// A conversation of the table `conversations`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dialogue<'a> {
    /// Its id, unique in the folder.
    pub id: &'a str,
    /// The run that made it.
    pub run_id: &'a str,
    /// When it was recorded, in microseconds since 1970 (UTC).
    pub timestamp: i64,
    /// Its language, as `run.target_languages` spells it.
    pub language: &'a str,
    /// How it ended: `completed` or `dropped`.
    pub status: &'a str,
    /// Why it was dropped; empty where it was not.
    pub drop_reason: &'a str,
    /// Who speaks in it.
    pub personas: Speakers<'a>,
    /// The tools that the assistant could call: the JSON text of a list in the shape of the chat completions API.
    pub tools: &'a str,
    /// What was said, in order, with the calls of tools and what they returned.
    pub messages: Vec<Said<'a>>,
    /// Its turns, in order.
    pub turns: Vec<Exchange<'a>>,
    /// The mean score of its turns, or else that of the whole, 0 to 10; none where it was not judged.
    pub score: Option<f64>,
    /// The score of the whole conversation, 0 to 10, where the whole was judged.
    pub conversation_score: Option<u8>,
    /// How the person was to write; empty where that was left open.
    pub register: &'a str,
    /// What the person wants to know in all, where they tell it piece by piece; else empty.
    pub whole_need: &'a str,
}

/// The personas of a conversation; texts and ids are empty where there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Speakers<'a> {
    /// The person who asks, as the user model was told.
    pub user: &'a str,
    /// The manner in which is answered, as the assistant model was told.
    pub assistant: &'a str,
    /// The id of the person.
    pub user_id: &'a str,
    /// The id of the manner.
    pub assistant_id: &'a str,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said<'a> {
    /// Who says it: `user`, `assistant` or `tool`.
    pub role: &'a str,
    /// What is said; empty beside calls. Of a tool, the text that the model reads of what it returned.
    pub content: &'a str,
    /// The name of the model that says it; empty for tools.
    pub agent: &'a str,
    /// The number of its turn, from 1.
    pub turn_index: u16,
    /// The tools that the assistant calls, if it does.
    pub calls: Vec<ToolCall<'a>>,
    /// The id of the call that a tool answers; empty elsewhere.
    pub tool_call_id: &'a str,
    /// The name of the tool that answers; empty elsewhere.
    pub name: &'a str,
}

/// A call of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToolCall<'a> {
    /// Its id, unique in the conversation.
    pub id: &'a str,
    /// The name of the tool.
    pub name: &'a str,
    /// The arguments: the JSON text of an object.
    pub arguments: &'a str,
}

/// A turn: a question, its answer, and what is known of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exchange<'a> {
    /// Its number, from 1.
    pub index: u16,
    /// What the user asked.
    pub user: &'a str,
    /// What the assistant answered.
    pub assistant: &'a str,
    /// The mode of the question.
    pub mode: &'a str,
    /// What the question wants, such as `clarify`.
    pub intent: &'a str,
    /// `easy`, `medium`, `hard` or `unknown`.
    pub difficulty: &'a str,
    /// The seed topic; empty where there is none.
    pub seed_topic: &'a str,
    /// What the assistant model thought aloud before its answer; empty where it did not.
    pub thoughts: &'a str,
    /// The steps of the reasoning that it wrote down with its answer; empty unless it was asked for them.
    pub steps: Vec<&'a str>,
    /// The judge's score, 0 to 10; none where the turn has no verdict.
    pub score: Option<u8>,
    /// Whether the verdict meets `judge.accept`; none where the turn has no verdict.
    pub accepted: Option<bool>,
    /// What the judge named.
    pub reasons: Vec<&'a str>,
    /// The remark of the judge, for people; empty where the turn has no verdict.
    pub notes: &'a str,
    /// Whether the judge finds the question and the answer sound; none where the turn has no verdict.
    pub sound: Option<[bool; 2]>,
    /// Labels of the answer that were found without a model.
    pub answer_labels: Vec<&'a str>,
    /// The documents and pages whose passages the assistant was shown, each once.
    pub sources: Vec<&'a str>,
}

/// Two answers to the same question, of which one was rejected: a row of the table `preferences`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pair<'a> {
    /// The id of the conversation.
    pub conversation_id: &'a str,
    /// The number of the turn, from 1.
    pub turn_index: u16,
    /// The language of the conversation.
    pub language: &'a str,
    /// The conversation up to the question, which comes last: who speaks (`user`, `assistant`), and what is said.
    pub prompt: Vec<[&'a str; 2]>,
    /// The answer that was accepted.
    pub chosen: &'a str,
    /// The answer that was rejected.
    pub rejected: &'a str,
    /// The judge's score of the accepted one, 0 to 10.
    pub score_chosen: Option<u8>,
    /// The judge's score of the rejected one, 0 to 10.
    pub score_rejected: Option<u8>,
}
