//! The user model asks the next question.

use super::exchange::{Usable, exchange, request};
use super::history::{NO_ANSWER, exchanged, history};
use super::prompts::Prompts;
use super::reply;
use super::tool_use::retrieval_line;
use crate::llm::{Model, ReplySchema};
use crate::plan::{Brief, Plan};
use crate::tools::Toolbox;
use crate::words::task::AskTask;
use crate::words::{ChunkIndex, Conversation, Failure, Question, Snippet, Stage, Task, Used, UserReply};
use std::sync::Arc;

const ROLE: &str = "user";

/// Makes questions.
pub struct Ask {
    model: Arc<dyn Model>,
    prompts: Arc<Prompts>,
    plan: Arc<Plan>,
    toolbox: Arc<Toolbox>,
    schema: ReplySchema,
}

impl Ask {
    /// Questions by this model, planned by this plan, about this knowledge base.
    pub fn new(model: Arc<dyn Model>, prompts: Arc<Prompts>, plan: Arc<Plan>, toolbox: Arc<Toolbox>) -> Self {
        Self { model, prompts, plan, toolbox, schema: reply::user_schema() }
    }

    /// The question of the turn being made.
    ///
    /// # Errors
    /// When the model can't be asked, or two replies running can't be used.
    pub async fn ask(&self, conversation: &Conversation) -> Result<Question, Failure> {
        let brief = self.plan.brief(conversation);
        let hits = brief.query.as_deref().map(|query| self.nearest(query)).unwrap_or_default();
        let shown = self.plan.snippets(conversation, &brief, &hits);
        let (place, task) = (conversation.place(Stage::Ask), self.task(conversation, &brief, &shown));
        let request = request(&self.prompts, ROLE, place, task, &self.schema)?;
        let made = exchange(&*self.model, ROLE, request, reply::user).await?;
        Ok(self.question(brief, &shown, made))
    }

    fn nearest(&self, query: &str) -> Vec<ChunkIndex> {
        let hits = self.toolbox.nearest(query, Plan::NEAREST);
        tracing::info!(target: "dlgforge.retrieval", "{}", retrieval_line(query, hits.len()));
        hits
    }

    fn task(&self, conversation: &Conversation, brief: &Brief, shown: &[(ChunkIndex, Snippet)]) -> Task {
        Task::Ask(AskTask {
            public_conversation_history: history(&exchanged(&conversation.turns)),
            last_assistant_message: brief.last_assistant_message.clone().unwrap_or_else(|| NO_ANSWER.to_owned()),
            user_persona: conversation.user_persona.rendered(),
            question_mode: brief.mode,
            topic_snippets: shown.iter().map(|(_, snippet)| snippet.clone()).collect(),
            recent_user_questions: brief.recent_questions.clone(),
            seed_topic: brief.seed_topic.clone(),
            seed_question: brief.seed_question.clone(),
            turn_index: conversation.turn_index().0,
            n_turns: conversation.target_turns,
            question: self.plan.options().question.clone(),
            attempt: conversation.round.attempt.0,
            variety: brief.variety,
            target_language: conversation.language.to_string(),
        })
    }

    fn question(&self, brief: Brief, shown: &[(ChunkIndex, Snippet)], made: Usable<UserReply>) -> Question {
        let mut reply = made.value;
        let target = target(shown, &reply.coverage_target);
        if let Some((_, snippet)) = target {
            reply.coverage_target.clone_from(&snippet.topic_id);
        }
        let chunk = target.map(|(chunk, _)| *chunk);
        let seeded = !brief.seed_topic.is_empty() && !brief.seed_question.is_empty();
        let used = Used {
            chunk,
            source: chunk.map(|chunk| self.plan.catalogue().chunk(chunk).source),
            question: reply.user_message.as_str().into(),
            seed: seeded.then(|| (brief.seed_topic.as_str().into(), brief.seed_question.as_str().into())),
        };
        Question {
            mode: brief.mode,
            seed_topic: brief.seed_topic,
            seed_question: brief.seed_question,
            reply,
            used,
            agent: self.model.name().clone(),
            reasoning: made.reasoning,
            raw: made.raw,
            calls: made.calls,
        }
    }
}

/// The passage the model names; where it names none, the only one it was shown.
fn target<'a>(shown: &'a [(ChunkIndex, Snippet)], named: &str) -> Option<&'a (ChunkIndex, Snippet)> {
    match shown {
        [only] => Some(only),
        several => several.iter().find(|(_, snippet)| snippet.topic_id == named),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::knowledge::Index;
    use crate::llm::{ChatRequest, Role};
    use crate::plan::{CoverageOptions, Distribution, Options, TopicOptions, TurnOptions};
    use crate::stages::PromptOptions;
    use crate::stages::script::{Script, catalogue, conversation, refused, said, turn};
    use crate::words::{QuestionMode, SourceIndex};
    use serde_json::json;

    fn stage(model: Arc<Script>, question: &str) -> Ask {
        let options = Options {
            seed: 1,
            turns: TurnOptions { min: 1, max: 3, distribution: Distribution::Uniform, mean: None },
            question: question.to_owned(),
            topics: TopicOptions::default(),
            coverage: CoverageOptions { balanced: true, epsilon: 0.0, fraction: 0.2, dedup_retries: 1 },
            user_personas: Vec::new(),
            assistant_personas: Vec::new(),
        };
        let toolbox = Toolbox::new(Arc::new(Index::build(catalogue()).unwrap()), 4);
        let prompts = Prompts::load(&PromptOptions::default()).unwrap();
        Ask::new(model, Arc::new(prompts), Arc::new(Plan::new(options, catalogue())), Arc::new(toolbox))
    }

    fn asked(request: &ChatRequest) -> &AskTask {
        match &*request.task {
            Task::Ask(task) => task,
            other => panic!("{other:?}"),
        }
    }

    fn reply_text(message: &str, target: &str) -> String {
        json!({
            "user_message": message, "intent": "How-To", "difficulty": "easy", "coverage_target": target,
            "grounding_facts": [], "notes_for_assistant": [],
        })
        .to_string()
    }

    #[tokio::test]
    async fn a_question_uses_the_passage_it_names() {
        let model = Script::new(|request, _| {
            let snippets = &asked(request).topic_snippets;
            Ok(said(&format!("<think>tea</think>{}", reply_text("Why dark?", &format!(" {} ", snippets[1].topic_id)))))
        });
        let question = stage(model.clone(), "").ask(&conversation()).await.unwrap();
        let request = model.request(0);
        let named = &asked(&request).topic_snippets[1].topic_id;
        assert_eq!(&question.reply.coverage_target, named);
        let chunk = question.used.chunk.unwrap();
        assert_eq!(&catalogue().chunk(chunk).id, named);
        assert_eq!(question.used.source, Some(SourceIndex(0)));
        assert_eq!((&*question.used.question, question.used.seed), ("Why dark?", None));
        assert_eq!((&*question.agent, question.reasoning.as_deref()), ("fake/script", Some("tea")));
        assert_eq!(question.mode, QuestionMode::Fresh);
        assert!(question.raw["said"].is_string());
    }

    #[tokio::test]
    async fn the_model_is_shown_the_conversation() {
        let model = Script::new(|_, _| Ok(said(&reply_text("And then?", "none"))));
        let mut conversation = conversation();
        conversation.turns.push(turn(1, "What is tea?", "A plant."));
        stage(model.clone(), "").ask(&conversation).await.unwrap();
        let request = model.request(0);
        let task = asked(&request);
        assert_eq!(task.public_conversation_history, "Turn 1 - User: What is tea?\nTurn 1 - Assistant: A plant.");
        assert_eq!(task.last_assistant_message, "A plant.");
        assert_eq!((task.turn_index, task.n_turns, &*task.target_language), (2, 3, "en"));
        assert_eq!((task.user_persona.as_str(), task.question.as_str()), ("Cook", ""));
        assert!(request.messages[1].content.contains("Turn 1 - Assistant: A plant."));
        assert!(request.tools.is_empty());
    }

    #[tokio::test]
    async fn the_runs_question_reaches_the_prompt() {
        let model = Script::new(|_, _| Ok(said(&reply_text("What is oolong?", ""))));
        let question = stage(model.clone(), "What is oolong tea?").ask(&conversation()).await.unwrap();
        assert_eq!(question.mode, QuestionMode::Seeded);
        assert!(model.request(0).messages[1].content.contains("Seed question: What is oolong tea?"));
        assert_eq!(asked(&model.request(0)).last_assistant_message, NO_ANSWER);
    }

    #[tokio::test]
    async fn an_unusable_reply_is_asked_for_once_more() {
        let model = Script::new(|request, number| match number {
            0 => Ok(said("Sure! What would you like?")),
            _ => Ok(said(&reply_text("Q?", &asked(request).topic_snippets[0].topic_id))),
        });
        let question = stage(model.clone(), "").ask(&conversation()).await.unwrap();
        assert_eq!((question.reply.user_message.as_str(), model.calls()), ("Q?", 2));
        let after = model.after_prompt(1);
        assert_eq!((after[0].role, after[0].content.as_str()), (Role::Assistant, "Sure! What would you like?"));
        assert_eq!((after.len(), after[1].role), (2, Role::User));
        assert!(after[1].content.contains("the reply holds no JSON object"), "{}", after[1].content);
    }

    #[tokio::test]
    async fn two_unusable_replies_or_a_model_error_fail() {
        let model = Script::texts(&["{", &reply_text(" ", "")]);
        let failure = stage(model.clone(), "").ask(&conversation()).await.unwrap_err();
        assert_eq!(failure, Failure::Reply { role: "user", detail: "`user_message` is empty".to_owned() });
        assert_eq!(model.calls(), 2);

        let model = Script::new(|_, _| Err(refused()));
        let failure = stage(model.clone(), "").ask(&conversation()).await.unwrap_err();
        assert_eq!(failure, Failure::Model { role: "user", detail: refused().to_string() });
        assert_eq!(model.calls(), 1);
    }

    #[test]
    fn what_a_question_is_about() {
        let snippet = |id: &str| Snippet {
            topic_id: id.to_owned(),
            source_path: String::new(),
            source_descriptor: String::new(),
            text: "".into(),
            recent_questions: Vec::new(),
        };
        let shown = [(ChunkIndex(5), snippet("a")), (ChunkIndex(3), snippet("b"))];
        for (shown, named, expected) in [
            (&shown[..], "b", Some(ChunkIndex(3))),
            (&shown[..], "c", None),
            (&shown[..], "", None),
            (&shown[..1], "c", Some(ChunkIndex(5))),
            (&shown[..0], "a", None),
        ] {
            assert_eq!(target(shown, named).map(|(chunk, _)| *chunk), expected);
        }
    }

    #[test]
    fn the_future_can_move_between_threads() {
        fn sendable<T: Send>(_: T) {}
        sendable(stage(Script::texts(&[""]), "").ask(&conversation()));
    }
}
