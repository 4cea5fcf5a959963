//! The assistant model answers, calling tools on the way.

use super::exchange::{chat, complain, joined, request, say, usable};
use super::history::{exchanged, history};
use super::prompts::Prompts;
use super::reply;
use super::tool_use::use_tools;
use crate::llm::{ChatReply, Finish, Model, ReplySchema};
use crate::tools::Toolbox;
use crate::words::conversation::ToolEvent;
use crate::words::task::AnswerTask;
use crate::words::{Answer, AssistantReply, Conversation, Failure, Question, Stage, Task};
use std::sync::Arc;

const ROLE: &str = "assistant";

/// Model calls per turn, tool calls and a repeated reply included.
const CALLS: u32 = 8;

const ANSWER_NOW: &str = "No further tool calls can be made. Answer now from what you have found: one JSON object in \
                          the expected output format, and nothing else.";

/// Makes answers.
pub struct Responder {
    model: Arc<dyn Model>,
    prompts: Arc<Prompts>,
    toolbox: Arc<Toolbox>,
    schema: ReplySchema,
}

/// A turn's answer on its way.
#[derive(Default)]
struct Progress {
    calls: u32,
    complained: bool,
    events: Vec<ToolEvent>,
    thoughts: Vec<Option<String>>,
}

impl Responder {
    /// Answers by this model, with these tools.
    pub fn new(model: Arc<dyn Model>, prompts: Arc<Prompts>, toolbox: Arc<Toolbox>) -> Self {
        Self { model, prompts, toolbox, schema: reply::assistant_schema() }
    }

    /// The answer to the question of the turn being made.
    ///
    /// # Errors
    /// When there is no question, the model can't be asked, two replies can't be used, or no answer comes within the
    /// budget of calls.
    pub async fn answer(&self, conversation: &Conversation) -> Result<Answer, Failure> {
        let question =
            conversation.round.question.as_ref().ok_or_else(|| unusable("there is no question to answer"))?;
        let (place, task) = (conversation.place(Stage::Answer), self.task(conversation, question));
        let mut request = request(&self.prompts, ROLE, place, task, &self.schema)?;
        request.tools = self.toolbox.definitions();
        let mut progress = Progress::default();
        loop {
            progress.calls += 1;
            let last = progress.calls == CALLS;
            if last {
                request.tools.clear();
                say(&mut request.messages, ANSWER_NOW);
            }
            let reply = chat(&*self.model, ROLE, &request).await?;
            request.place = request.place.next();
            if !last && !reply.tool_calls.is_empty() && reply.finish == Finish::Stop {
                progress.thoughts.push(reply.reasoning.clone());
                use_tools(&self.toolbox, reply, &mut request.messages, &mut progress.events);
                continue;
            }
            match read(&reply, &progress.events)? {
                Ok((value, reasoning)) => return Ok(self.made(value, reasoning, reply, progress)),
                Err(detail) if last || progress.complained => return Err(unusable(&detail)),
                Err(detail) => {
                    complain(&mut request.messages, &reply.text, &detail);
                    progress.complained = true;
                }
            }
        }
    }

    fn task(&self, conversation: &Conversation, question: &Question) -> Task {
        Task::Answer(AnswerTask {
            public_conversation_history: history(&exchanged(&conversation.turns)),
            assistant_persona: conversation.assistant_persona.rendered(),
            turn_index: conversation.turn_index().0,
            n_turns: conversation.target_turns,
            question: question.reply.user_message.clone(),
            target_language: conversation.language.to_string(),
            retrieval_default_k: self.toolbox.top_k(),
            user_reply: question.reply.clone(),
        })
    }

    fn made(
        &self,
        reply: AssistantReply,
        reasoning: Option<String>,
        last: ChatReply,
        mut progress: Progress,
    ) -> Answer {
        progress.thoughts.push(reasoning);
        Answer {
            reply,
            tool_events: progress.events,
            agent: self.model.name().clone(),
            reasoning: joined(progress.thoughts),
            raw: last.raw,
            calls: progress.calls,
        }
    }
}

fn read(reply: &ChatReply, events: &[ToolEvent]) -> Result<Result<(AssistantReply, Option<String>), String>, Failure> {
    if reply.finish == Finish::Stop && !reply.tool_calls.is_empty() && reply.text.trim().is_empty() {
        return Ok(Err(format!("it still asked for tools in call {CALLS}")));
    }
    let searched_web = events.iter().any(|event| event.name == "web_search");
    usable(reply, ROLE, |object| reply::assistant(object, searched_web))
}

fn unusable(detail: &str) -> Failure {
    Failure::Reply { role: ROLE, detail: detail.to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::knowledge::Index;
    use crate::llm::Role;
    use crate::stages::PromptOptions;
    use crate::stages::script::{Script, answer_text, catalogue, conversation, question, refused, said, turn, wants};
    use serde_json::json;

    fn stage(model: Arc<Script>) -> Responder {
        let toolbox = Toolbox::new(Arc::new(Index::build(catalogue()).unwrap()), 4);
        Responder::new(model, Arc::new(Prompts::load(&PromptOptions::default()).unwrap()), Arc::new(toolbox))
    }

    fn asked() -> Conversation {
        let mut conversation = conversation();
        conversation.turns.push(turn(1, "What is tea?", "A plant."));
        conversation.round.question = Some(question("Why is green tea green?").into());
        conversation
    }

    fn search(id: &str) -> ChatReply {
        wants(&[(id, "vector_db_search", json!({"query": "green tea"}))])
    }

    /// A model that calls a tool `tools` times, then answers.
    fn after(tools: usize) -> Arc<Script> {
        Script::new(move |_, number| Ok(if number < tools { search("c") } else { said(&answer_text("Dried soon.")) }))
    }

    #[tokio::test]
    async fn an_answer_without_tools_takes_one_call() {
        let model = after(0);
        let answer = stage(model.clone()).answer(&asked()).await.unwrap();
        assert_eq!((answer.reply.assistant_message.as_str(), model.calls()), ("Dried soon.", 1));
        assert!(answer.tool_events.is_empty() && !answer.reply.did_web_search);
        assert_eq!(answer.reply.reasoning_trace.retrieval_queries.vector_db_search, ["tea leaves"]);
        assert_eq!(answer.reply.reasoning_trace.evidence[1].id, "E2");
        let request = model.request(0);
        assert_eq!(request.tools[0].name, "vector_db_search");
        let prompt = &request.messages[1].content;
        assert!(prompt.contains("Why is green tea green?") && prompt.contains("Turn 1 - User: What is tea?"));
        assert!(prompt.contains("returns 4 passages") && !prompt.contains("Turn 2"), "{prompt}");
    }

    #[tokio::test]
    async fn calls_and_results_go_back_to_the_model() {
        let model = Script::new(|_, number| match number {
            0 => Ok(ChatReply {
                reasoning: Some("look first".to_owned()),
                text: "Searching.".to_owned(),
                ..wants(&[
                    ("", "vector_db_search", json!({"query": "green\0tea", "k": 1})),
                    ("x", "shell", json!({"cmd": "ls"})),
                    ("x", "vector_db_search", json!({})),
                ])
            }),
            _ => Ok(said(&format!("<think>found</think>{}", answer_text("Dried soon.")))),
        });
        let answer = stage(model.clone()).answer(&asked()).await.unwrap();
        assert_eq!(answer.reasoning.as_deref(), Some("look first\n\nfound"));
        let ids: Vec<&str> = answer.tool_events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["call_1", "x", "x_3"]);
        assert_eq!(answer.tool_events[0].arguments, json!({"query": "green\u{fffd}tea", "k": 1}));
        assert_eq!(answer.tool_events[0].result["results"].as_array().map(Vec::len), Some(1));
        assert_eq!(answer.tool_events[1].result, json!({"error": "Unknown tool: shell"}));
        assert!(answer.tool_events[2].result["error"].is_string());
        let after = model.after_prompt(1);
        let roles: Vec<Role> = after.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::Assistant, Role::Tool, Role::Tool, Role::Tool]);
    }

    #[tokio::test]
    async fn the_eighth_call_is_the_last_and_offers_no_tools() {
        let model = after(7);
        let answer = stage(model.clone()).answer(&asked()).await.unwrap();
        assert_eq!((model.calls(), answer.tool_events.len()), (8, 7));
        let ids: std::collections::BTreeSet<&String> = answer.tool_events.iter().map(|event| &event.id).collect();
        assert_eq!(ids.len(), 7);
        assert!((0..7).all(|number| !model.request(number).tools.is_empty()));
        let last = model.request(7);
        assert!(last.tools.is_empty());
        assert_eq!(last.messages.last().map(|message| message.content.as_str()), Some(ANSWER_NOW));

        let model = after(8);
        let failure = stage(model.clone()).answer(&asked()).await.unwrap_err();
        assert_eq!(failure, unusable("it still asked for tools in call 8"));
        assert_eq!(model.calls(), 8);
    }

    #[tokio::test]
    async fn an_unusable_reply_is_asked_for_once_more_within_the_budget() {
        let model = Script::new(|_, number| match number {
            0 => Ok(search("a")),
            1 => Ok(said(r#"{"assistant_message": ""}"#)),
            2 => Ok(search("b")),
            _ => Ok(said(&answer_text("Dried soon."))),
        });
        let answer = stage(model.clone()).answer(&asked()).await.unwrap();
        assert_eq!((model.calls(), answer.tool_events.len()), (4, 2));
        let complaint = &model.after_prompt(2)[3];
        assert!(complaint.content.contains("`assistant_message` is empty"), "{}", complaint.content);

        let model = Script::texts(&["no", "no again"]);
        let failure = stage(model.clone()).answer(&asked()).await.unwrap_err();
        assert_eq!((failure, model.calls()), (unusable("the reply holds no JSON object"), 2));

        let model = Script::new(|_, number| Ok(if number < 6 { search("c") } else { said("[]") }));
        let failure = stage(model.clone()).answer(&asked()).await.unwrap_err();
        assert_eq!((failure, model.calls()), (unusable("the reply is a list, not a JSON object"), 8));
        let last = model.request(7).messages.pop().unwrap();
        assert!(last.content.contains("can't be used") && last.content.ends_with(ANSWER_NOW), "{}", last.content);
    }

    #[tokio::test]
    async fn calls_of_a_reply_that_is_cut_off_or_withheld_are_not_carried_out() {
        let model = Script::new(|_, number| match number {
            0 => Ok(ChatReply { finish: Finish::Length, ..search("a") }),
            _ => Ok(said(&answer_text("Dried soon."))),
        });
        let answer = stage(model.clone()).answer(&asked()).await.unwrap();
        assert!(answer.tool_events.is_empty());
        let complaint = &model.request(1).messages[1].content;
        assert!(complaint.contains("cut off at llm.agents.assistant.max_tokens"), "{complaint}");
        for (finish, expected) in [
            (Finish::Refused("No.".into()), Failure::Refused { role: ROLE, detail: "No.".into() }),
            (Finish::Filtered("safety".into()), Failure::Filtered { role: ROLE, detail: "safety".into() }),
        ] {
            let model = Script::new(move |_, _| Ok(ChatReply { finish: finish.clone(), ..search("a") }));
            assert_eq!((stage(model.clone()).answer(&asked()).await.unwrap_err(), model.calls()), (expected, 1));
        }
    }

    #[tokio::test]
    async fn failures_say_whose_they_are() {
        let failure = stage(Script::new(|_, _| Err(refused()))).answer(&asked()).await.unwrap_err();
        assert_eq!(failure, Failure::Model { role: "assistant", detail: refused().to_string() });
        let failure = stage(after(0)).answer(&conversation()).await.unwrap_err();
        assert_eq!(failure, unusable("there is no question to answer"));
    }

    #[test]
    fn the_web_counts_as_searched_where_a_search_was_made() {
        let event = |name: &str| ToolEvent {
            id: name.to_owned(),
            name: name.to_owned(),
            arguments: json!({}),
            result: json!({}),
        };
        for (name, expected) in [("web_search", true), ("vector_db_search", false)] {
            let (reply, _) = read(&said(&answer_text("a")), &[event(name)]).unwrap().unwrap();
            assert_eq!(reply.did_web_search, expected);
        }
    }

    #[test]
    fn the_future_can_move_between_threads() {
        fn sendable<T: Send>(_: T) {}
        sendable(stage(after(0)).answer(&asked()));
    }
}
