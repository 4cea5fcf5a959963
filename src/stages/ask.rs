//! The user model asks the next question.

mod candidates;
mod plain;

use super::checks::{Asked, Checks};
use super::exchange::{exchange, request};
use super::history::{NO_ANSWER, exchanged, history};
use super::prompts::Prompts;
use super::reply;
use super::retrieve::{retrieval_line, unsearchable};
use super::{AskOptions, schemas};
use crate::domain::task::AskTask;
use crate::domain::{
    Agent, ChunkIndex, Failure, Language, Passage, Place, Question, QuestionMode, Stage, Task, UserReply,
};
use crate::knowledge::{Index, Retriever};
use crate::llm::{Model, ReplySchema};
use crate::plan::{Asking, Brief, Plan};
use crate::tools::QuestionVectors;
use std::ops::Range;
use std::sync::Arc;

const AGENT: Agent = Agent::User;

/// Share of a seed question's telling words that the best passage for it must have: below, the knowledge base has nothing
/// about it.
const NEAR: f32 = 0.5;

/// By how much another passage must be nearer to a question than the one that the model names, to be the one it is about.
const NEARER: f32 = 0.25;

/// Makes questions: the user model with the passages it may ask about.
pub struct Ask {
    model: Arc<dyn Model>,
    prompts: Arc<Prompts>,
    checks: Arc<Checks>,
    plan: Arc<Plan>,
    retriever: Arc<dyn Retriever>,
    index: Arc<Index>,
    options: AskOptions,
    /// Makes the vectors of questions, where they are compared by them.
    vectors: Option<Arc<QuestionVectors>>,
}

/// How much alike passages are that belong together, as [`Index::likeness`] has it: of two documents, and of one. The nearest of
/// documents about unrelated things are alike by 0.15 at most, sections of one short article by 0.16; in a manual, from 0.2 on a
/// reader can say what it is that two pages are both about, and from 0.6 on one is the other with a few words changed (14
/// articles, and 1,173 pages about PostgreSQL and Debian, read by eye).
const LINKED: Range<f32> = 0.2..0.6;
const LINKED_WITHIN: Range<f32> = 0.1..0.6;

/// What a question is shown.
struct Shown {
    chunks: Vec<ChunkIndex>,
    passages: Vec<Passage>,
    /// Whether it is to need all of them.
    linked: bool,
}

impl Shown {
    /// Those that the model may name: of passages that are all needed it names none but the first.
    fn nameable(&self) -> &[Passage] {
        if self.linked { &self.passages[..1] } else { &self.passages }
    }
}

impl Ask {
    /// Questions by this model, planned by this plan, about what this retriever finds in this knowledge base.
    pub fn new(
        model: Arc<dyn Model>,
        prompts: Arc<Prompts>,
        checks: Arc<Checks>,
        plan: Arc<Plan>,
        retriever: Arc<dyn Retriever>,
        index: Arc<Index>,
    ) -> Self {
        Self { model, prompts, checks, plan, retriever, index, options: AskOptions::default(), vectors: None }
    }

    /// The same, made as these options say, and compared by these vectors where there are any.
    pub fn with(self, options: AskOptions, vectors: Option<Arc<QuestionVectors>>) -> Self {
        Self { options, vectors, ..self }
    }

    /// The question of the turn being made: the candidate of an earlier reply that is next, or a new one.
    ///
    /// # Errors
    /// When the knowledge base can't be searched, the model can't be asked, or two replies running can't be used.
    pub async fn ask(&self, asking: Asking<'_>) -> Result<Question, Failure> {
        let conversation = asking.conversation;
        if let Some(candidate) = &conversation.round.question {
            return Ok(Question::clone(candidate));
        }
        let (brief, hits) = self.brief(asking).await?;
        let shown = self.shown(asking, &brief, &hits).await?;
        let mode = brief.mode;
        let begins_need = mode == QuestionMode::Sharded && conversation.turns.is_empty();
        let (task, count) = (self.task(asking, &brief, &shown), self.candidates(&brief));
        let schema = match (&self.options.text, count) {
            (Some(_), _) => ReplySchema::text(),
            (None, 1) => schemas::user_schema(shown.nameable(), begins_need),
            (None, _) => schemas::candidates_schema(shown.nameable(), count),
        };
        let history = exchanged(&conversation.turns);
        let (language, person) = (Language::of(&conversation.language), conversation.user_persona.rendered());
        let place = (conversation, Stage::Ask);
        let request = request(&self.prompts, AGENT, place, &history, task, schema.clone())?;
        let asked = |message: &str, need: Option<&str>| {
            let asked = Asked { message, person: &person, passages: &shown.passages, history: &history, mode, need };
            self.checks.question(&asked, &schema, &language)
        };
        if let Some(end) = &self.options.text {
            let said = plain::said(&*self.model, request, end, |said| {
                said.map_or_else(|| self.may_end(conversation), |message| asked(message, None))
            });
            let (made, about) = self.found(conversation.place(Stage::Ask), said.await?, shown).await?;
            return self.sketched(self.question(asking, brief, &about, made, &history), conversation).await;
        }
        let made = exchange(&*self.model, AGENT, request, |object| {
            candidates::usable(object, shown.nameable(), count, |reply| {
                asked(reply.user_message.as_str(), begins_need.then_some(reply.whole_need.as_str()))?;
                Ok(self.grounded(reply, &shown, mode))
            })
        });
        self.sketched(self.question(asking, brief, &shown, made.await?, &history), conversation).await
    }

    /// What the question is to be like, and what a search for it found. A seed question that the knowledge base has nothing
    /// about is not asked.
    async fn brief(&self, asking: Asking<'_>) -> Result<(Brief, Vec<ChunkIndex>), Failure> {
        let brief = self.plan.brief(asking);
        let hits = match brief.query.as_deref() {
            Some(query) => self.nearest(&*self.retriever, asking.conversation.place(Stage::Ask), query).await?,
            None => Vec::new(),
        };
        let seed = brief.seed_question.as_str();
        if brief.mode == QuestionMode::Seeded && !seed.is_empty() && !self.is_near(seed, &hits) {
            return Ok((self.plan.unseeded(asking), Vec::new()));
        }
        Ok((brief, hits))
    }

    /// The passages for the question of a brief.
    async fn shown(&self, asking: Asking<'_>, brief: &Brief, hits: &[ChunkIndex]) -> Result<Shown, Failure> {
        let shown = self.plan.passages(asking, brief, hits);
        if let Some((first, passage)) = shown.first().filter(|_| brief.passages > 1) {
            // By words alone: that is what passages are compared by then, and a passage is long for a model.
            let place = asking.conversation.place(Stage::Ask);
            let near = self.nearest(&*self.index, place, &passage.text).await?;
            let source = |chunk| self.plan.catalogue().source_of(chunk);
            let range = |chunk| if source(chunk) == source(*first) { LINKED_WITHIN } else { LINKED };
            let alike = self.index.likeness(*first, &near).into_iter().zip(near);
            let belong =
                Vec::from_iter(alike.filter_map(|(alike, chunk)| range(chunk).contains(&alike).then_some(chunk)));
            let together = self.plan.linked_passages(asking, brief, *first, &belong);
            if together.len() > 1 {
                let (chunks, passages) = together.into_iter().unzip();
                return Ok(Shown { chunks, passages, linked: true });
            }
        }
        let (chunks, passages) = shown.into_iter().unzip();
        Ok(Shown { chunks, passages, linked: false })
    }

    fn is_near(&self, question: &str, hits: &[ChunkIndex]) -> bool {
        self.index.nearness(question, hits).into_iter().any(|nearness| nearness >= NEAR)
    }

    async fn nearest(&self, by: &dyn Retriever, place: Place, query: &str) -> Result<Vec<ChunkIndex>, Failure> {
        let hits = by.search(place, query, Plan::NEAREST).await.map_err(unsearchable)?;
        tracing::debug!(target: "dlgforge.retrieval", "{}", retrieval_line(query, hits.len()));
        Ok(hits.into_iter().map(|hit| hit.chunk).collect())
    }

    fn task(&self, asking: Asking<'_>, brief: &Brief, shown: &Shown) -> Task {
        let conversation = asking.conversation;
        let round = &conversation.round;
        let asked = match round.attempt.0 {
            0 => self.plan.asked_about(asking, &shown.chunks),
            // What its questions were too close to; what is held out is shown to nobody.
            _ => round.near_duplicates.iter().map(|near| near.to_avoid().clone()).collect(),
        };
        Task::Ask(AskTask {
            public_conversation_history: history(&exchanged(&conversation.turns)),
            last_assistant_message: brief.last_assistant_message.clone().unwrap_or_else(|| NO_ANSWER.to_owned()),
            user_persona: conversation.user_persona.rendered(),
            user_manner: conversation.user_persona.manner(),
            question_mode: brief.mode,
            passages: shown.passages.clone(),
            linked: shown.linked,
            recent_user_questions: asked,
            seed_topic: brief.seed_topic.clone(),
            seed_question: brief.seed_question.clone(),
            turn_index: conversation.turn_index().0,
            n_turns: conversation.target_turns,
            question: self.plan.options().question.clone(),
            attempt: round.attempt.0,
            angle: brief.angle,
            variety: brief.variety,
            target_language: Language::of(&conversation.language).name.to_string(),
            whole_need: conversation.whole_need().to_owned(),
            register: brief.register,
            words: brief.words,
            candidates: self.candidates(brief),
        })
    }

    /// The reply with the passage that its question is about. Small models name one and ask about another: where one of the
    /// others is clearly nearer, it is that one. One that needs all of them builds on each, one that none answers on no fact.
    fn grounded(&self, reply: UserReply, shown: &Shown, mode: QuestionMode) -> UserReply {
        if mode == QuestionMode::Unanswerable {
            return UserReply { grounding_facts: Vec::new(), ..reply };
        }
        if shown.linked {
            return UserReply { grounding_facts: shown.passages.iter().map(reply::fact).collect(), ..reply };
        }
        let named = shown.passages.iter().position(|passage| passage.topic_id == reply.coverage_target);
        let Some(named) = named.filter(|_| shown.chunks.len() > 1) else { return reply };
        let near = self.index.nearness(&reply.user_message, &shown.chunks);
        let nearest = (0..near.len()).fold(named, |best, at| if near[at] > near[best] { at } else { best });
        if near[nearest] < near[named] + NEARER {
            return reply;
        }
        let passage = &shown.passages[nearest];
        UserReply { coverage_target: passage.topic_id.clone(), grounding_facts: vec![reply::fact(passage)], ..reply }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{Attempt, Catalogue, Conversation, Coverage, SourceIndex, fixtures as documents};
    use crate::llm::{ChatRequest, Role};
    use crate::plan::{CoverageOptions, Distribution, Options, TopicOptions, TurnOptions, fixtures, topics::Topics};
    use crate::stages::PromptOptions;
    use crate::stages::script::{Script, catalogue, conversation, refused, toolbox, turn};
    use serde_json::json;
    use std::collections::BTreeSet;
    use std::sync::LazyLock;

    pub(super) fn options() -> Options {
        let options = fixtures::options();
        let turns = TurnOptions { min: 1, max: 3, distribution: Distribution::Uniform, mean: None };
        let coverage = CoverageOptions { dedup_retries: 1, ..options.coverage };
        Options { seed: 1, turns, coverage, ..options }
    }

    pub(super) fn stage(model: Arc<Script>, options: Options) -> Ask {
        stage_over(catalogue(), model, options)
    }

    fn stage_over(catalogue: Arc<Catalogue>, model: Arc<Script>, options: Options) -> Ask {
        let index = Arc::new(Index::build(catalogue.clone(), &|_| ()).unwrap());
        let toolbox = toolbox(&index);
        let prompts = Prompts::load(&PromptOptions::default()).unwrap();
        let checks = Arc::new(Checks::new(&prompts, &toolbox.definitions()));
        Ask::new(model, Arc::new(prompts), checks, Arc::new(Plan::new(options, catalogue)), index.clone(), index)
    }

    fn asked(request: &ChatRequest) -> &AskTask {
        match &*request.task {
            Task::Ask(task) => task,
            other => panic!("{other:?}"),
        }
    }

    fn reply_text(message: &str, target: &str) -> String {
        json!({"coverage_target": target, "user_message": message, "intent": "How-To", "difficulty": "easy"})
            .to_string()
    }

    /// A conversation that knows of no other.
    pub(super) fn asking(conversation: &Conversation) -> Asking<'_> {
        static NOTHING: LazyLock<Coverage> = LazyLock::new(|| Coverage::none(&catalogue()));
        Asking { conversation, coverage: &NOTHING }
    }

    /// A conversation whose next question digs deeper into a document of two passages.
    pub(super) fn follow_up() -> Conversation {
        let mut conversation = conversation();
        let mut first = Arc::unwrap_or_clone(turn(1, "What is tea?", "A plant."));
        first.answer.used = vec![ChunkIndex(1)];
        conversation.turns.push(first.into());
        conversation.slot.index = (0..)
            .find(|index| {
                conversation.slot.index = *index;
                Plan::new(options(), catalogue()).brief(asking(&conversation)).mode == QuestionMode::Followup
            })
            .unwrap();
        conversation
    }

    /// It is rejected as a duplicate then, and asked again from other passages.
    #[tokio::test]
    async fn what_was_asked_before_in_other_words_counts_as_that_question() {
        let before = "How long are the leaves of black tea left to oxidise?";
        for (message, counts_as) in [
            ("How long are leaves of the black tea left to oxidise?", before),
            ("How long are the leaves of green tea left to dry?", "How long are the leaves of green tea left to dry?"),
        ] {
            let mut conversation = follow_up();
            conversation.turns.push(turn(2, before, "Some hours."));
            let model = Script::texts(&[&reply_text(message, "P1")]);
            let question = stage(model.clone(), options()).ask(asking(&conversation)).await.unwrap();
            assert_eq!((&*question.used.question, question.reply.user_message.as_str()), (counts_as, message));
        }
    }

    #[tokio::test]
    async fn what_an_answer_said_is_no_question() {
        let mut conversation = follow_up();
        conversation.turns.push(turn(2, "When is it dried?", "Green tea is dried soon after it is picked."));
        let model = Script::texts(&[
            &reply_text("Green tea is dried soon after it is picked?", "P1"),
            &reply_text("What is left to oxidise?", "P2"),
        ]);
        let question = stage(model.clone(), options()).ask(asking(&conversation)).await.unwrap();
        assert_eq!(question.reply.user_message, "What is left to oxidise?");
    }

    #[tokio::test]
    async fn the_passage_that_a_question_is_about_is_told_by_its_words() {
        for (message, expected) in [
            ("How long are the leaves of black tea left to oxidise?", 1),
            ("Why is it so?", 0),
            ("Is green tea dried soon?", 0),
        ] {
            let model = Script::texts(&[&reply_text(message, "P2")]);
            let question = stage(model.clone(), options()).ask(asking(&follow_up())).await.unwrap();
            assert_eq!(question.used.chunk, Some(ChunkIndex(expected)), "{message}");
            assert_eq!(question.reply.grounding_facts[0].fact, &*catalogue().chunk(ChunkIndex(expected)).text);
        }
    }

    #[tokio::test]
    async fn a_question_uses_the_passage_it_names_and_what_we_know_is_filled_in() {
        let model = Script::texts(&[&format!("<think>tea</think>{}", reply_text("Why is it green?", " [P2] "))]);
        let question = stage(model.clone(), options()).ask(asking(&follow_up())).await.unwrap();
        let request = model.request(0);
        let named = &asked(&request).passages[1];
        assert_eq!((named.label.as_str(), &question.reply.coverage_target), ("P2", &named.topic_id));
        let chunk = question.used.chunk.unwrap();
        assert_eq!(&catalogue().chunk(chunk).id, &named.topic_id);
        assert_eq!(question.used.source, Some(SourceIndex(0)));
        let [fact] = question.reply.grounding_facts.as_slice() else { panic!("one fact") };
        assert_eq!((fact.fact.as_str(), &fact.source_descriptor), (&*named.text, &named.source_descriptor));
        assert_eq!((&*question.used.question, question.used.seed), ("Why is it green?", None));
        assert_eq!((&*question.agent, question.reasoning.as_deref()), ("fake/script", Some("tea")));
        assert_eq!(question.mode, QuestionMode::Followup);
        assert_eq!(request.schema.schema["properties"]["coverage_target"], json!({"enum": ["P1", "P2"]}));
    }

    #[tokio::test]
    async fn a_question_that_needs_several_passages_builds_on_each() {
        let coverage = CoverageOptions { linked: 1.0, ..options().coverage };
        let model = Script::texts(&[&reply_text("How do green and black tea differ?", "P1")]);
        let linked = Options { coverage, ..options() };
        let pairs = [
            ["Green tea is dried soon after picking.", "Black tea oxidises after picking, and is dried later."],
            [
                "The keeper trims the lamp's wick at dusk.",
                "A lamp with an untrimmed wick smokes, which the keeper hates.",
            ],
            ["Rye dough rests overnight in a basket.", "The basket keeps rye dough in shape."],
            ["Rim brakes squeal when pads are worn.", "Worn pads of brakes are changed in pairs, on either rim."],
        ];
        let texts = pairs.into_iter().zip("abcd".chars());
        let texts = texts.map(|(texts, name)| (name.to_string().repeat(32), format!("{name}.md"), Vec::from(texts)));
        let mut catalogue = documents::catalogue(texts);
        catalogue.sources.iter_mut().for_each(|source| source.language = Some("en".into()));
        let question =
            stage_over(Arc::new(catalogue), model.clone(), linked).ask(asking(&conversation())).await.unwrap();
        let request = model.request(0);
        let task = asked(&request);
        assert!(task.linked && task.passages.len() == 2, "{:?}", task.passages);
        assert!(request.messages.last().unwrap().content.contains("It needs all of the passages"));
        assert_eq!(request.schema.schema["properties"]["coverage_target"], json!({"enum": ["P1"]}));
        let facts: Vec<_> = question.reply.grounding_facts.iter().map(|fact| fact.fact.as_str()).collect();
        assert_eq!(facts, task.passages.iter().map(|passage| &*passage.text).collect::<Vec<_>>());
        let chunks: BTreeSet<_> = question.used.chunks().collect();
        assert!(
            chunks.len() == 2 && chunks.iter().all(|chunk| chunk.0 / 2 == chunks.first().unwrap().0 / 2),
            "{chunks:?}"
        );
        assert_eq!(question.used.linked.len(), 1);
        assert_eq!(question.reply.coverage_target, task.passages[0].topic_id);
    }

    #[tokio::test]
    async fn the_model_speaks_for_the_person() {
        let model = Script::texts(&[&reply_text("And then what?", "P1")]);
        stage(model.clone(), options()).ask(asking(&follow_up())).await.unwrap();
        let request = model.request(0);
        let task = asked(&request);
        assert_eq!(task.public_conversation_history, "Turn 1 - User: What is tea?\nTurn 1 - Assistant: A plant.");
        assert_eq!(task.last_assistant_message, "A plant.");
        assert_eq!((task.turn_index, task.n_turns, &*task.target_language), (2, 3, "English"));
        assert_eq!((task.user_persona.as_str(), task.question.as_str()), ("Cook", ""));
        let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
        assert_eq!(request.messages[2].content, "What is tea?");
        assert!(request.messages[3].content.starts_with("A plant.\n\n"));
        assert!(request.tools.is_empty());
    }

    #[tokio::test]
    async fn the_runs_question_reaches_the_prompt() {
        let model = Script::texts(&[&reply_text("What is oolong?", "P1")]);
        let options = Options { question: "What is oolong tea?".to_owned(), ..options() };
        let question = stage(model.clone(), options).ask(asking(&conversation())).await.unwrap();
        assert_eq!(question.mode, QuestionMode::Seeded);
        assert!(model.request(0).messages[1].content.contains("What is oolong tea?"));
        assert_eq!(asked(&model.request(0)).last_assistant_message, NO_ANSWER);
    }

    #[tokio::test]
    async fn a_seed_that_the_documents_tell_nothing_of_is_not_asked() {
        for (seed, expected) in [
            ("How is green tea kept green when it is dried?", QuestionMode::Seeded),
            ("When is a sourdough starter ready?", QuestionMode::Fresh),
            ("Which lamps do lighthouses have?", QuestionMode::Fresh),
        ] {
            let topics = Topics::parse(&json!({"variants": {"english": {"T": [seed]}}}).to_string(), "t").unwrap();
            let topics = TopicOptions { topics: Some(Arc::new(topics)), probability: 1.0, variant: String::new() };
            let model = Script::texts(&[&reply_text("Why is it green?", "P1")]);
            let question =
                stage(model.clone(), Options { topics, ..options() }).ask(asking(&conversation())).await.unwrap();
            assert_eq!(question.mode, expected, "{seed}");
            let seeded = expected == QuestionMode::Seeded;
            assert_eq!((question.seed_question == seed, question.used.seed.is_some()), (seeded, seeded));
            assert_eq!(model.request(0).messages[1].content.contains(seed), seeded);
        }
    }

    #[tokio::test]
    async fn after_a_rejected_question_there_is_another_passage_and_an_angle() {
        let model = Script::texts(&[&reply_text("Why is it dark?", "")]);
        let mut conversation = conversation();
        conversation.round.attempt = Attempt(1);
        conversation.round.avoid = vec![ChunkIndex(0)];
        let question = stage(model.clone(), options()).ask(asking(&conversation)).await.unwrap();
        assert_eq!(question.used.chunk, Some(ChunkIndex(1)));
        let request = model.request(0);
        let task = asked(&request);
        assert_eq!((task.passages.len(), task.recent_user_questions.len()), (1, 0));
        assert!(task.angle.is_some());
    }

    #[tokio::test]
    async fn an_unusable_reply_is_asked_for_once_more() {
        let model = Script::texts(&["Sure! What would you like?", &reply_text("Why is it green?", "P1")]);
        let question = stage(model.clone(), options()).ask(asking(&conversation())).await.unwrap();
        assert_eq!((question.reply.user_message.as_str(), model.calls()), ("Why is it green?", 2));
        let after = model.after_prompt(1);
        assert_eq!((after[0].role, after[0].content.as_str()), (Role::Assistant, "Sure! What would you like?"));
        assert_eq!((after.len(), after[1].role), (2, Role::User));
        assert!(after[1].content.contains("the reply holds no JSON object"), "{}", after[1].content);
    }

    #[tokio::test]
    async fn two_unusable_replies_or_a_model_error_fail() {
        let model = Script::texts(&["{", &reply_text(" ", "P1")]);
        let failure = stage(model.clone(), options()).ask(asking(&conversation())).await.unwrap_err();
        assert_eq!(failure, Failure::Reply { agent: Agent::User, detail: "`user_message` is empty".to_owned() });
        assert_eq!(model.calls(), 2);

        let model = Script::new(|_, _| Err(refused()));
        let failure = stage(model.clone(), options()).ask(asking(&conversation())).await.unwrap_err();
        assert_eq!(failure, Failure::Model { agent: Agent::User, detail: refused().to_string() });
        assert_eq!(model.calls(), 1);
    }

    #[tokio::test]
    async fn a_message_that_is_none_of_the_persons_is_not_taken() {
        for (message, expected) in [
            ("string", "unusable_reply"),
            ("I'm sorry, but I can't ask anything about this.", "unusable_reply"),
            ("What does the passage P1 say about the drying of green tea?", "unusable_reply"),
            ("Translate what you take from a passage in another language, will you please?", "unusable_reply"),
            ("Pourquoi le thé vert est-il séché si vite après la cueillette des feuilles ?", "wrong_language"),
            ("Why is green tea dried so soon after it is picked?", ""),
        ] {
            let model = Script::texts(&[&reply_text(message, "P1")]);
            let outcome = stage(model.clone(), options()).ask(asking(&conversation())).await;
            let reason = outcome.map_or_else(|failure| crate::domain::DropReason::Failed(failure).as_str(), |_| "");
            assert_eq!((reason, model.calls()), (expected, if expected.is_empty() { 1 } else { 2 }), "{message}");
        }
    }

    #[test]
    fn the_future_can_move_between_threads() {
        fn sendable<T: Send>(_: T) {}
        sendable(stage(Script::texts(&[""]), options()).ask(asking(&conversation())));
    }
}
