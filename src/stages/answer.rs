//! The assistant model answers from what was retrieved, and searches for more where it has to.

use super::AnswerOptions;
use super::addresses;
use super::checks::{Answered, Checks};
use super::exchange::{ReplyError, chat, complain, joined, request, say, usable};
use super::history::{exchanged, history};
use super::labels;
use super::numbers;
use super::prompts::Prompts;
use super::reply::{self, Basis, Grounded};
use super::retrieve::{Retrieved, Tools};
use super::schemas;
use super::text::{clean, shortened};
use crate::domain::task::{AnswerTask, RejectedReply, RetrievalMode};
use crate::domain::{
    Agent, Answer, Conversation, Failure, Findings, Judgement, Language, Passage, Question, RejectedAnswer, Stage, Task,
};
use crate::knowledge::Index;
use crate::llm::{ChatReply, ChatRequest, Finish, Model};
use crate::tools::{SEARCH, Toolbox, WEB_SEARCH};
use std::sync::Arc;

const AGENT: Agent = Agent::Assistant;

/// Model calls per turn, tool calls and a repeated reply included.
const CALLS: u32 = 8;

/// Most citations of what was not found that are told, and the longest of them, in characters: a model wrote them.
const CITATIONS: usize = 16;
const CITATION: usize = 200;

const ANSWER_NOW: &str = "No further search can be made. Answer now from what was found.";

/// Makes answers: the assistant model with what was retrieved, and the searches it makes itself.
pub struct Responder {
    model: Arc<dyn Model>,
    prompts: Arc<Prompts>,
    checks: Arc<Checks>,
    index: Arc<Index>,
    toolbox: Arc<Toolbox>,
    options: AnswerOptions,
}

/// A turn's answer on its way.
#[derive(Default)]
struct Progress {
    calls: u32,
    complained: bool,
    retrieved: Retrieved,
    thoughts: Vec<Option<String>>,
}

impl Responder {
    /// Answers by this model, about this knowledge base, with these tools.
    pub fn new(
        model: Arc<dyn Model>,
        prompts: Arc<Prompts>,
        checks: Arc<Checks>,
        index: Arc<Index>,
        toolbox: Arc<Toolbox>,
        options: AnswerOptions,
    ) -> Self {
        Self { model, prompts, checks, index, toolbox, options }
    }

    /// The answer to the question of the turn being made.
    ///
    /// The question is searched for first, and its passages stand in the prompt; the model may search for more, as
    /// `tools.retrieval.mode` has it. A reply to a request with tools that holds neither a call nor an answer is followed by
    /// one last request without tools: many endpoints can't hold a reply to its form while they offer tools.
    ///
    /// # Errors
    /// When there is no question, the model can't be asked, two replies can't be used, no answer comes within the budget of
    /// calls, the knowledge base can't be searched, or nothing was retrieved although that is demanded.
    pub async fn answer(&self, conversation: &Conversation) -> Result<Answer, Failure> {
        let question =
            conversation.round.question.as_ref().ok_or_else(|| unusable("there is no question to answer"))?;
        let tools = Tools { toolbox: &self.toolbox, index: &self.index };
        let mut progress = Progress::default();
        if self.options.retrieval != RetrievalMode::Tool {
            progress.retrieved.search_first(tools, conversation, question).await?;
        }
        let mut request = self.request(conversation, question, &progress.retrieved)?;
        loop {
            progress.calls += 1;
            let last = progress.calls == CALLS;
            if (last || progress.retrieved.is_full()) && !request.tools.is_empty() {
                request.tools.clear();
                say(request.messages_mut(), ANSWER_NOW);
            }
            let reply = chat(&*self.model, AGENT, &request).await?;
            request.place = request.place.next();
            let offered = !request.tools.is_empty();
            if offered && !reply.tool_calls.is_empty() && reply.finish == Finish::Stop {
                progress.thoughts.push(reply.reasoning.clone());
                let (retrieved, place) = (&mut progress.retrieved, request.place);
                retrieved.use_tools(tools, place, reply, request.messages_mut()).await?;
                self.found(&mut request, conversation, question, &progress.retrieved);
                continue;
            }
            match self.read(&reply, conversation, question, &progress.retrieved, &request)? {
                Ok((value, reasoning)) => return self.made(value, reasoning, reply, progress, conversation),
                Err(fault) if last => return Err(fault.failure(AGENT)),
                Err(ReplyError::Form(_) | ReplyError::CutOff(_)) if offered => request.tools.clear(),
                Err(fault) if progress.complained => return Err(fault.failure(AGENT)),
                Err(fault) => {
                    complain(request.messages_mut(), &reply.text, &fault);
                    progress.complained = true;
                }
            }
        }
    }

    fn request(
        &self,
        conversation: &Conversation,
        question: &Question,
        retrieved: &Retrieved,
    ) -> Result<ChatRequest, Failure> {
        let history = exchanged(&conversation.turns);
        let task = self.task(conversation, question, &retrieved.passages);
        let schema = schemas::assistant_schema(&retrieved.passages, self.options.full_trace);
        let mut request = request(&self.prompts, AGENT, (conversation, Stage::Answer), &history, task, schema)?;
        request.tools = self.toolbox.definitions();
        if self.options.retrieval == RetrievalMode::First {
            request.tools.retain(|tool| tool.name != SEARCH);
        }
        Ok(request)
    }

    /// What a search has found can be named in the reply.
    fn found(
        &self,
        request: &mut ChatRequest,
        conversation: &Conversation,
        question: &Question,
        retrieved: &Retrieved,
    ) {
        request.task = Arc::new(self.task(conversation, question, &retrieved.passages));
        request.schema = schemas::assistant_schema(&retrieved.passages, self.options.full_trace);
    }

    fn task(&self, conversation: &Conversation, question: &Question, passages: &[Passage]) -> Task {
        Task::Answer(AnswerTask {
            public_conversation_history: history(&exchanged(&conversation.turns)),
            assistant_persona: conversation.assistant_persona.rendered(),
            assistant_manner: conversation.assistant_persona.manner(),
            turn_index: conversation.turn_index().0,
            n_turns: conversation.target_turns,
            question: question.reply.user_message.clone(),
            target_language: Language::of(&conversation.language).name.to_string(),
            retrieval_default_k: self.options.top_k,
            retrieval_mode: self.options.retrieval,
            web_search: self.toolbox.find(WEB_SEARCH).is_some(),
            passages: passages.to_vec(),
            full_trace: self.options.full_trace,
            user_reply: question.reply.clone(),
            rejected: conversation.round.rejected.last().map(|rejected| self.rejected(rejected)),
        })
    }

    /// What is wrong with an answer: as the judge says, or as the checks do where these rejected it.
    fn rejected(&self, RejectedAnswer { answer, judgement }: &RejectedAnswer) -> RejectedReply {
        let (reasons, notes) = match judgement {
            Some(Judgement { reply, .. }) => (reply.reasons.clone(), reply.notes.clone()),
            None => (Vec::new(), labels::told(answer, &self.checks.options)),
        };
        RejectedReply { message: answer.reply.assistant_message.clone(), reasons, notes }
    }

    fn read(
        &self,
        reply: &ChatReply,
        conversation: &Conversation,
        question: &Question,
        retrieved: &Retrieved,
        request: &ChatRequest,
    ) -> Result<Result<(Grounded, Option<String>), ReplyError>, Failure> {
        if reply.finish == Finish::Stop && !reply.tool_calls.is_empty() && reply.text.trim().is_empty() {
            return Ok(Err(ReplyError::Form("it still asks for tools, and none are left".to_owned())));
        }
        let asked = question.reply.user_message.as_str();
        usable(reply, AGENT, |object| {
            let passages = retrieved.passages.as_slice();
            let basis = Basis { question: asked, passages, queries: retrieved.queries() };
            let grounded = reply::assistant(object, basis)?;
            let message = grounded.reply.assistant_message.as_str();
            let history = &exchanged(&conversation.turns);
            let rejected = &conversation.round.rejected;
            let assistant = &conversation.assistant_persona.rendered();
            let (mode, quotes) = (question.mode, grounded.quotes.as_slice());
            let answered = Answered { message, assistant, question: asked, history, rejected, mode, quotes, passages };
            self.checks.answer(&answered, &request.schema, &Language::of(&conversation.language))?;
            Ok(grounded)
        })
    }

    fn made(
        &self,
        grounded: Grounded,
        reasoning: Option<String>,
        last: ChatReply,
        mut progress: Progress,
        conversation: &Conversation,
    ) -> Result<Answer, Failure> {
        progress.thoughts.push(reasoning);
        let Grounded { reply, used, mut unknown, .. } = grounded;
        let Retrieved { events, found, passages } = progress.retrieved;
        if found.is_empty() && self.options.require_retrieval {
            return Err(Failure::Ungrounded { detail: self.ungrounded(events.is_empty()) });
        }
        let (question, answer) = (reply.reasoning_trace.question.as_str(), reply.assistant_message.as_str());
        let history = conversation
            .turns
            .iter()
            .flat_map(|turn| [turn.question.reply.user_message.as_str(), turn.answer.reply.assistant_message.as_str()]);
        let known = passages.iter().flat_map(|passage| [&*passage.title, &*passage.text]);
        let mut known: Vec<&str> = known.chain(history).chain([question]).collect();
        let unsupported_numbers = numbers::unsupported(answer, &known);
        known.extend(passages.iter().map(|passage| passage.source_path.as_str()));
        unknown.extend(addresses::unsupported(answer, &known));
        let unknown_citations =
            Vec::from_iter(unknown.iter().take(CITATIONS).map(|name| shortened(&clean(name), CITATION)));
        let mut answer = Answer {
            unsupported_numbers,
            unknown_citations,
            findings: Findings::default(),
            reply,
            tool_events: events,
            used: used.into_iter().filter_map(|at| found[at].found.chunk()).collect(),
            retrieved: found,
            agent: self.model.name().clone(),
            reasoning: joined(progress.thoughts),
            raw: last.raw.into(),
            calls: progress.calls,
        };
        if let Some(question) = &conversation.round.question {
            answer.findings = self.checks.findings(conversation, &conversation.turns, (question, &answer), &passages);
        }
        Ok(answer)
    }

    /// Why there are no passages.
    fn ungrounded(&self, unsearched: bool) -> String {
        let why = match (unsearched, self.options.retrieval) {
            (true, RetrievalMode::Tool) => {
                "it answered without a search; set tools.retrieval.mode to both or first, so that questions are searched for \
                 before it is asked"
            }
            (true, _) => "there was no search",
            (false, _) => "the searches for the question found nothing",
        };
        format!("{why} (coverage.require_retrieval)")
    }
}

fn unusable(detail: &str) -> Failure {
    Failure::Reply { agent: AGENT, detail: detail.to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{ChunkIndex, DropReason};
    use crate::llm::Role;
    use crate::stages::PromptOptions;
    use crate::stages::script::{
        Script, answer_text, catalogue, conversation, question, refused, said, toolbox, turn, wants,
    };
    use serde_json::json;

    const BOTH: AnswerOptions =
        AnswerOptions { retrieval: RetrievalMode::Both, require_retrieval: true, full_trace: false, top_k: 4 };

    fn stage(model: Arc<Script>, options: AnswerOptions) -> Responder {
        let index = Arc::new(Index::build(catalogue(), &|_| ()).unwrap());
        let toolbox = toolbox(&index);
        let prompts = Prompts::load(&PromptOptions::default()).unwrap();
        let checks = Arc::new(Checks::new(&prompts, &toolbox.definitions()));
        Responder::new(model, Arc::new(prompts), checks, index, Arc::new(toolbox), options)
    }

    fn asked() -> Conversation {
        let mut conversation = conversation();
        conversation.turns.push(turn(1, "What is tea?", "A plant."));
        conversation.round.question = Some(question("Why is green tea green?").into());
        conversation
    }

    fn search(id: &str) -> ChatReply {
        wants(&[(id, "vector_db_search", json!({"query": "oxidise", "k": 1}))])
    }

    /// A model that calls a tool `tools` times, then answers.
    fn after(tools: usize) -> Arc<Script> {
        Script::new(move |_, number| Ok(if number < tools { search("c") } else { said(&answer_text("Dried soon.")) }))
    }

    #[tokio::test]
    async fn passages_stand_in_the_prompt_before_anybody_searches() {
        for retrieval in [RetrievalMode::First, RetrievalMode::Both] {
            let model = after(0);
            let answer = stage(model.clone(), AnswerOptions { retrieval, ..BOTH }).answer(&asked()).await.unwrap();
            assert_eq!((answer.reply.assistant_message.as_str(), model.calls()), ("Dried soon.", 1));
            assert_eq!(answer.tool_events.len(), 1, "the search is a call like any other");
            let found: Vec<_> = answer.retrieved.iter().filter_map(|hit| hit.found.chunk()).collect();
            assert_eq!((found, answer.used), (vec![ChunkIndex(0), ChunkIndex(1)], vec![ChunkIndex(0)]));
            assert!(answer.retrieved.iter().all(|hit| hit.scores.lexical.is_some_and(|score| score > 0.0)));
            let trace = answer.reply.reasoning_trace;
            assert_eq!(trace.retrieval_queries.vector_db_search, ["Why is green tea green?"]);
            assert_eq!(trace.evidence[0].content, &*catalogue().chunk(ChunkIndex(0)).text);
            let request = model.request(0);
            assert_eq!(request.tools.is_empty(), retrieval == RetrievalMode::First);
            let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
            assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
            let prompt = &request.messages[3].content;
            assert!(prompt.contains("[P1]") && prompt.contains("Question: Why is green tea green?"), "{prompt}");
            for chunk in catalogue().chunks() {
                assert_eq!(prompt.matches(&*chunk.text).count(), 1, "every passage once");
            }
        }
    }

    #[tokio::test]
    async fn in_the_contracts_way_the_model_searches_by_itself() {
        let tool = AnswerOptions { retrieval: RetrievalMode::Tool, ..BOTH };
        let model = after(1);
        let answer = stage(model.clone(), tool).answer(&asked()).await.unwrap();
        assert!(!model.request(0).messages[3].content.contains("[P1]"));
        assert_eq!((model.calls(), answer.retrieved[0].found.chunk()), (2, Some(ChunkIndex(1))));
        assert_eq!(model.request(1).schema.schema["properties"]["evidence_refs"]["items"]["enum"], json!(["P1"]));

        let failure = stage(after(0), tool).answer(&asked()).await.unwrap_err();
        assert_eq!(DropReason::Failed(failure.clone()).as_str(), "not_retrieved");
        assert!(failure.to_string().contains("set tools.retrieval.mode to both"), "{failure}");
        let free = AnswerOptions { require_retrieval: false, ..tool };
        let answer = stage(after(0), free).answer(&asked()).await.unwrap();
        assert!(answer.retrieved.is_empty() && answer.tool_events.is_empty());
    }

    #[tokio::test]
    async fn a_question_for_which_nothing_is_found_is_not_answered_from_memory() {
        let mut conversation = asked();
        conversation.turns.clear();
        conversation.round.question = Some(question("Zeppelin?").into());
        let failure = stage(after(0), BOTH).answer(&conversation).await.unwrap_err();
        assert_eq!(DropReason::Failed(failure).as_str(), "not_retrieved");
    }

    #[tokio::test]
    async fn the_model_may_search_for_more() {
        let model = Script::new(|_, number| match number {
            0 => Ok(ChatReply { reasoning: Some("look first".to_owned()), ..search("") }),
            _ => Ok(said(&format!("<think>found</think>{}", answer_text("Dried soon.")))),
        });
        let answer = stage(model.clone(), BOTH).answer(&asked()).await.unwrap();
        assert_eq!(answer.reasoning.as_deref(), Some("look first\n\nfound"));
        let ids: Vec<&str> = answer.tool_events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["search002", "c00200002"]);
        let messages = model.request(1).messages;
        assert_eq!(messages[messages.len() - 1].content, "Found again: P2.");
    }

    #[tokio::test]
    async fn a_reply_without_call_and_answer_is_followed_by_one_request_without_tools() {
        let model = Script::texts(&["It is dried soon after picking.", &answer_text("Dried soon.")]);
        let answer = stage(model.clone(), BOTH).answer(&asked()).await.unwrap();
        assert_eq!((answer.calls, answer.reply.assistant_message.as_str()), (2, "Dried soon."));
        let (first, second) = (model.request(0), model.request(1));
        assert!(!first.tools.is_empty() && second.tools.is_empty());
        assert_eq!(first.messages, second.messages, "the same, but for the tools");

        let model = Script::texts(&["no", "no again", "no at last"]);
        let failure = stage(model.clone(), BOTH).answer(&asked()).await.unwrap_err();
        assert_eq!((failure, model.calls()), (unusable("the reply holds no JSON object"), 3));
    }

    #[tokio::test]
    async fn the_eighth_call_is_the_last_and_offers_no_tools() {
        let model = after(7);
        let answer = stage(model.clone(), BOTH).answer(&asked()).await.unwrap();
        assert_eq!((model.calls(), answer.tool_events.len()), (8, 8));
        let ids: std::collections::BTreeSet<&String> = answer.tool_events.iter().map(|event| &event.id).collect();
        assert_eq!(ids.len(), 8);
        assert!((0..7).all(|number| !model.request(number).tools.is_empty()));
        let last = model.request(7);
        assert!(last.tools.is_empty());
        assert_eq!(last.messages.last().map(|message| message.content.as_str()), Some(ANSWER_NOW));

        let model = after(8);
        let failure = stage(model.clone(), BOTH).answer(&asked()).await.unwrap_err();
        assert_eq!(failure, unusable("it still asks for tools, and none are left"));
        assert_eq!(model.calls(), 8);
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_used_is_asked_for_once_more() {
        for (first, told) in [
            (answer_text("Why is green tea green?"), "question"),
            (answer_text("string"), "string"),
            (answer_text("It returns the passages that best match the query, best first."), "repeats its instructions"),
            (
                answer_text("Le thé vert est séché peu après la cueillette, afin que ses feuilles restent vertes."),
                "French",
            ),
            (json!({"assistant_message": "", "confidence": "low"}).to_string(), "`assistant_message` is empty"),
            (
                json!({
                    "assistant_message": "Dried soon.", "confidence": "low",
                    "evidence": [{"content": "green tea is boiled for nine hours before it is picked"}],
                })
                .to_string(),
                "quote",
            ),
        ] {
            let model = Script::texts(&[&first, &answer_text("Dried soon.")]);
            let first = AnswerOptions { retrieval: RetrievalMode::First, ..BOTH };
            let answer = stage(model.clone(), first).answer(&asked()).await.unwrap();
            assert_eq!((answer.calls, answer.reply.assistant_message.as_str()), (2, "Dried soon."));
            let complaint = model.request(1).messages_mut().pop().unwrap().content;
            let complaint = complaint.rsplit("Your reply can't be used: ").next().unwrap();
            assert!(complaint.contains(told), "{complaint}");
        }
        let french =
            answer_text("Le thé vert est séché peu après la cueillette, afin que ses feuilles restent vertes.");
        let failure = stage(Script::texts(&[&french]), BOTH).answer(&asked()).await.unwrap_err();
        assert_eq!(DropReason::Failed(failure).as_str(), "wrong_language");
    }

    #[tokio::test]
    async fn numbers_that_stand_nowhere_are_told() {
        let model = Script::texts(&[&answer_text("It takes 7 hours, as asked in turn 2, at 90 °C.")]);
        let mut conversation = asked();
        conversation.round.question = Some(question("Why is green tea dried within 7 hours?").into());
        let answer = stage(model, BOTH).answer(&conversation).await.unwrap();
        assert_eq!(answer.unsupported_numbers, ["2", "90"]);
        // The numbers of the turns are none that was said.
        let model = Script::texts(&[&answer_text("It takes 1 hour.")]);
        assert_eq!(stage(model, BOTH).answer(&asked()).await.unwrap().unsupported_numbers, ["1"]);
    }

    #[tokio::test]
    async fn what_is_cited_and_was_not_found_is_told() {
        let reply = json!({
            "evidence_refs": ["P1", "P9"], "confidence": "high",
            "assistant_message": "Dried soon, as https://tea.example/leaves says.",
        });
        let answer = stage(Script::texts(&[&reply.to_string()]), BOTH).answer(&asked()).await.unwrap();
        assert_eq!(answer.unknown_citations, ["P9", "https://tea.example/leaves"]);
    }

    #[tokio::test]
    async fn calls_of_a_reply_that_is_cut_off_or_withheld_are_not_carried_out() {
        let model = Script::new(|_, number| match number {
            0 => Ok(ChatReply { finish: Finish::Length, ..search("a") }),
            _ => Ok(said(&answer_text("Dried soon."))),
        });
        let answer = stage(model.clone(), BOTH).answer(&asked()).await.unwrap();
        assert_eq!((answer.tool_events.len(), answer.calls), (1, 2));
        for (finish, expected) in [
            (Finish::Refused("No.".into()), Failure::Refused { agent: AGENT, detail: "No.".into() }),
            (Finish::Filtered("safety".into()), Failure::Filtered { agent: AGENT, detail: "safety".into() }),
        ] {
            let model = Script::new(move |_, _| Ok(ChatReply { finish: finish.clone(), ..search("a") }));
            assert_eq!((stage(model.clone(), BOTH).answer(&asked()).await.unwrap_err(), model.calls()), (expected, 1));
        }
    }

    #[tokio::test]
    async fn failures_say_whose_they_are() {
        let failure = stage(Script::new(|_, _| Err(refused())), BOTH).answer(&asked()).await.unwrap_err();
        assert_eq!(failure, Failure::Model { agent: Agent::Assistant, detail: refused().to_string() });
        let failure = stage(after(0), BOTH).answer(&conversation()).await.unwrap_err();
        assert_eq!(failure, unusable("there is no question to answer"));
    }

    #[test]
    fn the_future_can_move_between_threads() {
        fn sendable<T: Send>(_: T) {}
        sendable(stage(after(0), BOTH).answer(&asked()));
    }
}
