//! A trial of an agent's endpoints before any run: who is there, what they list, and what they make of a request of a few tokens.

use super::{Answer, Endpoint, ErrorKind, Found, RequestError};
use crate::domain::task::JudgeConversationTask;
use crate::domain::{Place, Task, ToolDefinition};
use crate::llm::{ChatRequest, Message, ModelError, ReplySchema, Role};
use crate::providers::form::Format;
use crate::providers::{AgentOptions, EndpointOptions, Shared};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tokens that a reply may have.
const TOKENS: u64 = 16;

/// The longest that a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests in ever other forms: an endpoint that refuses each of them in words that tell what it does not take is none.
const FORMS: usize = 20;

/// What a model that thinks says with HTTP 400 where its thoughts took all tokens that there were: it has been asked.
const ALL_THOUGHTS: &str = "max_tokens or model output limit was reached";

/// What a request of an agent asks for beside its messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The tools that its model may call.
    pub tools: Vec<ToolDefinition>,
    /// The form that its replies must have.
    pub schema: ReplySchema,
}

/// What was found of an endpoint.
#[derive(Debug)]
pub struct Trial {
    /// The place of its settings, such as `llm.agents.user`.
    pub key: String,
    /// Its name in messages.
    pub shown: Arc<str>,
    /// The name of its model, as it is sent.
    pub model: Arc<str>,
    /// What it lists, or why it can't be used.
    pub listing: Result<Listing, String>,
    /// What it made of a request; none where it was not asked.
    pub asked: Option<Result<Replied, Unasked>>,
}

/// Whether an endpoint lists the model that it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// The model is among those that it lists.
    Has,
    /// It lists other models, which are told here.
    Lacks(String),
    /// It has no list of models.
    Unknown,
}

/// A reply to the request.
#[derive(Debug, Clone, PartialEq)]
pub struct Replied {
    /// From the request's first byte to the reply's last one.
    pub latency: Duration,
    /// What the endpoint takes of what the agent wants, in words.
    pub takes: Vec<&'static str>,
}

/// Why there was no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unasked {
    /// The endpoint's words, and what to do.
    pub why: String,
    /// Whether it may reply at another time, with nothing changed.
    pub may_pass: bool,
}

/// Tries all endpoints of an agent at once: each is looked at, and asked for a few tokens where it is told what is `wanted`.
pub async fn try_endpoints(
    agent: &AgentOptions,
    wanted: Option<&Wanted>,
    shared: &Shared,
) -> Vec<Result<Trial, ModelError>> {
    join_all(agent.endpoints.iter().map(|options| try_endpoint(agent, options, wanted, shared))).await
}

async fn try_endpoint(
    agent: &AgentOptions,
    options: &EndpointOptions,
    wanted: Option<&Wanted>,
    shared: &Shared,
) -> Result<Trial, ModelError> {
    // The limit of a model that thinks must hold its thoughts.
    let thinks = agent.extra.keys().any(|key| key.contains("think") || key.contains("reason"));
    let max_tokens =
        if thinks { agent.max_tokens } else { Some(agent.max_tokens.map_or(TOKENS, |most| most.min(TOKENS))) };
    let agent = AgentOptions { max_tokens, ..agent.clone() };
    let options = EndpointOptions { timeout: options.timeout.min(PATIENCE), ..options.clone() };
    let endpoint = Endpoint::new(&agent, &options, shared)?;
    let (asked, listing) = match endpoint.look().await {
        Found::Nobody(why) | Found::Refused(why) => (None, Err(why)),
        Found::There(models) => {
            let asked = match wanted {
                Some(wanted) => Some(endpoint.try_out(wanted).await),
                None => None,
            };
            (asked, Ok(endpoint.listing(&models)))
        }
    };
    Ok(Trial { key: options.key, shown: endpoint.shown, model: endpoint.sent_model, listing, asked })
}

impl Endpoint {
    fn listing(&self, models: &[String]) -> Listing {
        match self.lacks(models) {
            Some(listed) => Listing::Lacks(listed),
            None if models.is_empty() => Listing::Unknown,
            None => Listing::Has,
        }
    }

    /// Asks with tools, where any are wanted, and without them unless that was the same.
    async fn try_out(&self, wanted: &Wanted) -> Result<Replied, Unasked> {
        let with_tools = !wanted.tools.is_empty();
        let mut latency = self.reply(wanted.tools.clone(), &wanted.schema).await?;
        if with_tools && self.capabilities.form(true).format != self.capabilities.form(false).format {
            latency = self.reply(Vec::new(), &wanted.schema).await?;
        }
        let form = self.capabilities.form(false);
        let takes = [
            (form.format == Format::Schema && !wanted.schema.is_text(), "a JSON schema"),
            (form.format == Format::Json && !wanted.schema.is_text(), "JSON mode"),
            (with_tools && self.capabilities.form(true).tools, "tools"),
            (form.system, "system messages"),
        ];
        Ok(Replied { latency, takes: takes.into_iter().filter(|(takes, _)| *takes).map(|(_, what)| what).collect() })
    }

    async fn reply(&self, tools: Vec<ToolDefinition>, schema: &ReplySchema) -> Result<Duration, Unasked> {
        let request = ChatRequest {
            place: Place::default(),
            conversation: "check".into(),
            task: Arc::new(Task::JudgeConversation(JudgeConversationTask::default())),
            messages: Arc::new(vec![
                Message::new(Role::System, "This is a test of the connection. Reply as shortly as you can."),
                Message::new(Role::User, "Reply with `ok` in every field."),
            ]),
            tools,
            schema: schema.clone(),
        };
        for _ in 0..FORMS {
            let sent = Instant::now();
            match self.ask(&request, None, 1).await {
                Ok(Answer { latency, .. }) => return Ok(latency),
                Err(RequestError { kind: ErrorKind::Form, .. }) => {}
                Err(failed) => {
                    let why = failed.error.to_string();
                    if why.contains(ALL_THOUGHTS) {
                        return Ok(sent.elapsed());
                    }
                    let may_pass =
                        matches!(failed.kind, ErrorKind::Busy(_) | ErrorKind::TimedOut | ErrorKind::Broken(_));
                    return Err(Unasked { why, may_pass });
                }
            }
        }
        Err(Unasked { why: format!("{}: it refuses every form of a request", self.shown), may_pass: false })
    }
}
