//! Replies with several questions, of which one is asked: those that can be are told apart, and put in order.

use super::super::exchange::{ReplyError, Usable};
use super::super::faults;
use super::super::history::{Exchanged, with_history};
use super::super::lenient::text;
use super::super::reply;
use super::super::retrieve::unsearchable;
use super::{Ask, Shown};
use crate::domain::{
    Candidate, Compared, Conversation, Failure, Fingerprint, Passage, Question, QuestionMode, Stage, Used, UserReply,
};
use crate::plan::{Asking, Brief, NearDuplicates};
use serde_json::{Map, Value};
use std::sync::Arc;

type Object = Map<String, Value>;

/// A question of a reply, with its probability, which is above 0 and needs not be its share.
pub(super) type Likely = (UserReply, f64);

impl Ask {
    /// How many questions a reply holds. What a seed asks is one, and what tells of a need.
    pub(super) fn candidates(&self, brief: &Brief) -> u16 {
        match brief.mode {
            QuestionMode::Seeded | QuestionMode::Sharded | QuestionMode::Clarification => 1,
            _ => self.plan.options().coverage.candidates,
        }
    }

    /// The question, with those that are left of its reply.
    pub(super) fn question(
        &self,
        asking: Asking<'_>,
        brief: Brief,
        shown: &Shown,
        made: Usable<Vec<Likely>>,
        history: &[Exchanged<'_>],
    ) -> Question {
        let before: Vec<&str> = match brief.mode.needs_history() {
            true => Vec::new(),
            false => history.iter().map(|(_, asked, _)| asked.reply.user_message.as_str()).collect(),
        };
        let probabilities: Vec<f64> = made.value.iter().map(|(_, probability)| *probability).collect();
        let order = self.plan.order(asking, &probabilities).into_iter();
        let ordered =
            order.map(|at| self.candidate(made.value[at].0.clone(), &brief, shown, &before, history)).collect();
        let mut candidates = different(ordered, &before);
        let Candidate { reply, used, fingerprint, sketch, held_out } = candidates.remove(0);
        Question {
            mode: brief.mode,
            seed_topic: brief.seed_topic,
            seed_question: brief.seed_question,
            reply,
            fingerprint,
            sketch,
            held_out,
            used,
            agent: self.model.name().clone(),
            reasoning: made.reasoning,
            raw: made.raw.into(),
            calls: made.calls,
            register: brief.register,
            words: brief.words,
            candidates,
        }
    }

    /// The same question with what near-duplicates of it, and of what is left of its reply, are found by.
    ///
    /// # Errors
    /// When there are no vectors to be had of the model that makes them.
    pub(super) async fn sketched(
        &self,
        mut question: Question,
        conversation: &Conversation,
    ) -> Result<Question, Failure> {
        let Some(NearDuplicates { measure, .. }) = self.plan.options().coverage.near else { return Ok(question) };
        let (mode, opens) = (question.mode, conversation.turns.is_empty());
        let alone = |reply: &UserReply, used: &Used| -> Option<Arc<str>> {
            Question::standalone(mode, reply, &used.question, opens).map(Arc::from)
        };
        let further = question.candidates.iter().map(|one| alone(&one.reply, &one.used));
        let texts: Vec<_> = [alone(&question.reply, &question.used)].into_iter().chain(further).collect();
        let mut vectors = match &self.vectors {
            Some(vectors) => {
                let alone: Vec<_> = texts.iter().flatten().cloned().collect();
                let place = conversation.place(Stage::Ask);
                let made =
                    if alone.is_empty() { None } else { vectors.of(place, alone).await.map_err(unsearchable)? };
                made.unwrap_or_default().into_iter()
            }
            None => Vec::new().into_iter(),
        };
        let mut sketch = |text| measure.sketch(&Compared { text, vector: vectors.next() }).map(Arc::new);
        let mut sketches = texts.into_iter().map(|text| text.and_then(&mut sketch)).collect::<Vec<_>>().into_iter();
        question.sketch = sketches.next().flatten();
        for (candidate, sketch) in question.candidates.iter_mut().zip(sketches) {
            candidate.sketch = sketch;
        }
        Ok(question)
    }

    /// What a reply asks. What was asked before in the conversation counts as that question, whatever its words: so it is
    /// rejected, and another one asked from other passages. One that needs what was said before it differs from others by that.
    fn candidate(
        &self,
        reply: UserReply,
        brief: &Brief,
        shown: &Shown,
        before: &[&str],
        history: &[Exchanged<'_>],
    ) -> Candidate {
        let asked = faults::asked_before(&reply.user_message, before).unwrap_or(&reply.user_message);
        let about = shown.passages.iter().position(|passage| passage.topic_id == reply.coverage_target);
        let chunk = about.map(|at| shown.chunks[at]);
        let linked = if shown.linked { &shown.chunks[1..] } else { &[] };
        let seeded = !brief.seed_topic.is_empty() && !brief.seed_question.is_empty();
        let used = Used {
            chunk,
            source: chunk.map(|chunk| self.plan.catalogue().source_of(chunk)),
            question: asked.into(),
            seed: seeded.then(|| (brief.seed_topic.as_str().into(), brief.seed_question.as_str().into())),
            linked: linked.iter().map(|chunk| (*chunk, self.plan.catalogue().source_of(*chunk))).collect(),
        };
        let whole = with_history(brief.mode, &reply, history);
        let fingerprint =
            Fingerprint::of(whole.as_deref().unwrap_or(&used.question), self.plan.options().coverage.normalisation);
        let alone = Question::standalone(brief.mode, &reply, &used.question, history.is_empty());
        let held_out = self.checks.held_out.as_ref().and_then(|held_out| {
            let said = &reply.user_message;
            alone.into_iter().chain([said.as_str()]).find_map(|text| held_out.in_question(text))
        });
        Candidate { reply, used, fingerprint, sketch: None, held_out }
    }
}

/// The questions of a reply that `check` lets pass, the first so many; an error where it lets none.
pub(super) fn usable(
    object: &Object,
    shown: &[Passage],
    most: u16,
    check: impl Fn(UserReply) -> Result<UserReply, ReplyError>,
) -> Result<Vec<Likely>, ReplyError> {
    let read = |(one, probability): (&Object, f64)| {
        let checked = reply::user(one, shown).map_err(ReplyError::Form).and_then(&check);
        checked.map(|reply| (reply, probability))
    };
    if most == 1 {
        return read((object, 1.0)).map(|only| vec![only]);
    }
    let mut first_fault = None;
    let mut usable = Vec::new();
    for one in listed(object)?.into_iter().take(most.into()) {
        match read(one) {
            Ok(likely) => usable.push(likely),
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    match first_fault {
        Some(fault) if usable.is_empty() => Err(fault),
        _ => Ok(usable),
    }
}

/// The questions that a reply lists, each with its probability: one that it doesn't tell is as low as the lowest that it tells. A
/// bare question is a list of one.
fn listed(object: &Object) -> Result<Vec<(&Object, f64)>, ReplyError> {
    let listed: Vec<&Object> = match object.get("candidates") {
        Some(Value::Array(listed)) => listed.iter().filter_map(Value::as_object).collect(),
        Some(_) => Vec::new(),
        None => vec![object],
    };
    if listed.is_empty() {
        return Err(ReplyError::Form("`candidates` must be a list of objects, one for each question".to_owned()));
    }
    let told: Vec<Option<f64>> = listed.iter().map(|one| probability(one.get("probability"))).collect();
    let least = told.iter().flatten().copied().reduce(f64::min).unwrap_or(1.0);
    Ok(listed.into_iter().zip(told.into_iter().map(|told| told.unwrap_or(least))).collect())
}

/// A number above 0, or one in percent; none where it is neither.
fn probability(value: Option<&Value>) -> Option<f64> {
    let text = text(value);
    let (number, whole) = text.strip_suffix('%').map_or((text.as_str(), 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().ok()? / whole;
    (share > 0.0 && share.is_finite()).then_some(share)
}

/// Those of the questions that differ from each other and from what was asked `before` in the conversation, in order. Where all
/// were asked before, the first is left.
pub(super) fn different(questions: Vec<Candidate>, before: &[&str]) -> Vec<Candidate> {
    let again = |one: &Candidate| faults::asked_before(&one.reply.user_message, before).is_some();
    let (repeated, mut new): (Vec<_>, Vec<_>) = questions.into_iter().partition(again);
    if new.is_empty() {
        new.extend(repeated.into_iter().take(1));
    }
    let mut different: Vec<Candidate> = Vec::new();
    for one in new {
        let message = one.reply.user_message.as_str();
        let known = |other: &Candidate| {
            other.fingerprint == one.fingerprint
                || faults::asked_before(message, &[&other.reply.user_message]).is_some()
        };
        if !different.iter().any(known) {
            different.push(one);
        }
    }
    different
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::tests::{asking, follow_up, options, stage};
    use super::*;
    use crate::domain::{Agent, Attempt, Failure};
    use crate::plan::{CoverageOptions, Options, TopicOptions, topics::Topics};
    use crate::stages::script::{Script, conversation, turn};
    use serde_json::json;
    use std::sync::Arc;

    fn four() -> Options {
        let options = options();
        Options { coverage: CoverageOptions { candidates: 4, ..options.coverage }, ..options }
    }

    /// A reply with these questions about the only passage, each with its probability.
    fn reply(questions: &[(&str, Value)]) -> String {
        let one = |(message, probability): &(&str, Value)| json!({"user_message": message, "intent": "how_to", "difficulty": "easy", "probability": probability});
        json!({"candidates": questions.iter().map(one).collect::<Vec<_>>()}).to_string()
    }

    /// All questions of a reply, in the order in which they are asked.
    fn asked(question: Question) -> Vec<String> {
        let each = std::iter::successors(Some(question), Question::next);
        each.map(|question| question.reply.user_message).collect()
    }

    const TEA: [&str; 4] = [
        "When is green tea dried?",
        "Why do the leaves of green tea stay green?",
        "What happens to black tea before it is dried?",
        "Which leaves turn dark?",
    ];

    #[tokio::test]
    async fn a_reply_holds_the_questions_of_several_attempts() {
        let model = Script::texts(&[&reply(&TEA.map(|message| (message, json!(0.25))))]);
        let stage = stage(model.clone(), four());
        let mut at = conversation();
        let mut seen = Vec::new();
        for attempt in 0..4 {
            at.round.attempt = Attempt(attempt);
            let question = stage.ask(asking(&at)).await.unwrap();
            assert_eq!(question.calls, u32::from(attempt == 0));
            assert_eq!((&*question.agent, question.raw.text().contains("When is green")), ("fake/script", true));
            seen.push(question.reply.user_message.clone());
            at.round.question = question.next().map(Arc::new);
        }
        assert_eq!((model.calls(), at.round.question), (1, None));
        let request = model.request(0);
        assert!(request.messages.last().unwrap().content.contains("Write 4 such questions"));
        assert_eq!(request.schema.schema["properties"]["candidates"]["minItems"], 4);
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        let mut all = TEA;
        all.sort_unstable();
        assert_eq!(sorted, all);
        // Another slot begins with another one.
        let mut firsts = Vec::new();
        for index in 0..8 {
            let mut other = conversation();
            other.slot.index = index;
            firsts.push(stage.ask(asking(&other)).await.unwrap().reply.user_message);
        }
        assert!(firsts.iter().any(|first| *first != firsts[0]), "{firsts:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_passed_over() {
        let questions = [
            ("string", json!(0.9)),
            ("Pourquoi le thé vert est-il séché si vite après la cueillette des feuilles ?", json!(0.9)),
            ("Which leaves turn dark?", json!("20%")),
            ("Which leaves TURN dark", json!(0.2)),
            ("A fifth one, beyond what was asked for?", json!(0.2)),
        ];
        let model = Script::texts(&[&reply(&questions)]);
        let question = stage(model.clone(), four()).ask(asking(&conversation())).await.unwrap();
        assert_eq!((asked(question).len(), model.calls()), (1, 1));
    }

    #[tokio::test]
    async fn a_reply_without_a_usable_question_is_asked_for_once_more() {
        for (unusable, expected) in [
            (reply(&[("string", json!(1)), ("I'm sorry, but I can't.", json!(1))]), "\"string\" is a placeholder"),
            (reply(&[]), "`candidates` must be a list of objects"),
            (json!({"candidates": "Why?"}).to_string(), "`candidates` must be a list of objects"),
        ] {
            let model = Script::texts(&[&unusable, &reply(&[("Which leaves turn dark?", json!(0.5))])]);
            let question = stage(model.clone(), four()).ask(asking(&conversation())).await.unwrap();
            assert_eq!((question.calls, asked(question)), (2, vec!["Which leaves turn dark?".to_owned()]));
            assert!(model.request(1).messages.last().unwrap().content.contains(expected), "{expected}");
            let model = Script::texts(&[&unusable]);
            let failure = stage(model.clone(), four()).ask(asking(&conversation())).await.unwrap_err();
            assert!(matches!(failure, Failure::Reply { agent: Agent::User, .. }), "{failure}");
        }
    }

    #[tokio::test]
    async fn what_was_asked_before_comes_only_where_nothing_else_is() {
        let before = "How long are the leaves of black tea left to oxidise?";
        let again = "How long are leaves of the black tea left to oxidise?";
        let mut at = follow_up();
        at.turns.push(turn(2, before, "Some hours."));
        let target = |message: &str| json!({"coverage_target": "P1", "user_message": message, "intent": "how_to", "difficulty": "easy"});
        for (messages, expected) in [(&[again, TEA[0]][..], &TEA[..1]), (&[again, again], &[again])] {
            let listed: Vec<_> = messages.iter().map(|message| target(message)).collect();
            let model = Script::texts(&[&json!({ "candidates": listed }).to_string()]);
            let question = stage(model, four()).ask(asking(&at)).await.unwrap();
            assert_eq!(&*question.used.question, if expected[0] == again { before } else { expected[0] });
            assert_eq!(asked(question), expected);
        }
    }

    /// What a model without structured outputs may write.
    #[tokio::test]
    async fn a_bare_question_is_a_reply_of_one() {
        let bare = json!({"user_message": TEA[0], "intent": "how_to", "difficulty": "easy"}).to_string();
        let model = Script::texts(&[&bare]);
        let question = stage(model.clone(), four()).ask(asking(&conversation())).await.unwrap();
        assert_eq!((asked(question), model.calls()), (vec![TEA[0].to_owned()], 1));
    }

    #[tokio::test]
    async fn what_a_seed_asks_is_one_question() {
        let seed = "How is green tea kept green when it is dried?";
        let topics = Topics::parse(&json!({"variants": {"english": {"T": [seed]}}}).to_string(), "t").unwrap();
        let topics = TopicOptions { topics: Some(Arc::new(topics)), probability: 1.0, variant: String::new() };
        let bare = json!({"user_message": seed, "intent": "how_to", "difficulty": "easy"}).to_string();
        let model = Script::texts(&[&bare]);
        let question = stage(model.clone(), Options { topics, ..four() }).ask(asking(&conversation())).await.unwrap();
        assert_eq!((question.mode, asked(question).len()), (QuestionMode::Seeded, 1));
        assert_eq!(model.request(0).schema.name, "user_reply");
    }

    #[test]
    fn probabilities_are_read_in_many_forms() {
        for (given, expected) in [
            (json!(0.3), Some(0.3)),
            (json!("0.3"), Some(0.3)),
            (json!("25 %"), Some(0.25)),
            (json!(7), Some(7.0)),
            (json!(0), None),
            (json!(-1), None),
            (json!("NaN"), None),
            (json!("likely"), None),
            (json!(null), None),
        ] {
            assert_eq!(probability(Some(&given)), expected, "{given}");
        }
        let object = json!({"candidates": [{"probability": 0.5}, {"probability": 0.1}, {}, 3, {"probability": -1}]});
        let listed: Vec<f64> = listed(object.as_object().unwrap()).unwrap().into_iter().map(|(_, p)| p).collect();
        assert_eq!(listed, [0.5, 0.1, 0.1, 0.1]);
    }
}
