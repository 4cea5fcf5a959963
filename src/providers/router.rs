//! An agent's model over its endpoints: which one is asked, how often, and when to give up.

use super::check::Check;
use super::endpoint::{Answer, Endpoint, ErrorKind, RequestError};
use super::form::Form;
use super::queues::Queues;
use super::wire::request::{self, Preset};
use super::{AgentOptions, EndpointOptions, Shared};
use crate::domain::{Agent, Digest, clock};
use crate::llm::chat::Replying;
use crate::llm::halt::Halt;
use crate::llm::prices::Price;
use crate::llm::{CallEnd, ChatReply, ChatRequest, EventKind, Meter, Model, ModelError, Tier};
use crate::traffic::budget::{BudgetLedger, Cost, Reservation};
use crate::traffic::patience::Patience;
use crate::traffic::{EndpointLimits, Failure, PermitRequest, Refusal, RouteId, Traffic};
use jiff::Timestamp;
use std::sync::{Arc, Once};
use std::time::Duration;
use std::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

/// Bytes of a request per token, as far as one can say.
const BYTES_PER_TOKEN: f64 = 4.0;
/// Tokens of a reply, as far as one can say.
const REPLY_TOKENS: u64 = 300;

/// A model behind one or more endpoints.
pub(super) struct Router {
    name: Arc<str>,
    agent: Agent,
    /// What tells requests apart: of the agent's model, whichever endpoint is asked.
    canonical: Preset,
    endpoints: Vec<(Arc<Endpoint>, Option<Price>)>,
    check: Option<Arc<Check>>,
    /// The queues of its endpoints, where they are to be watched, from the first request on.
    queues: Option<Arc<Queues>>,
    watching: Once,
    halt: Arc<Halt>,
    traffic: Traffic,
    route: RouteId,
    patience: Patience,
    ledger: Option<Arc<BudgetLedger>>,
    tiers: &'static [Tier],
    max_tokens: u64,
    meter: Arc<Meter>,
}

/// How a call went.
#[derive(Default)]
struct Course {
    /// The endpoint that was asked last, by its number.
    last: Option<usize>,
    /// Requests that came to nothing: when, and why.
    failures: Vec<(Timestamp, String)>,
}

impl Router {
    /// The agent's model; sends nothing.
    ///
    /// # Errors
    /// When its settings do not make a client, or a budget can't be kept with them.
    pub fn new(options: &AgentOptions, name: Arc<str>, shared: &Shared) -> Result<Self, ModelError> {
        let wrong = |key: &str, detail: &str| {
            Err(ModelError::Settings(format!("llm.agents.{}.{key}: {detail}", options.agent)))
        };
        if options.extra.get("stream").is_some_and(|stream| stream != false) {
            return wrong("extra.stream", "streaming is not supported; remove the key");
        }
        if options.extra.get("n").is_some_and(|n| n != 1) {
            return wrong("extra.n", "one reply is used; remove the key");
        }
        let mut endpoints = Vec::with_capacity(options.endpoints.len());
        let mut limits = Vec::with_capacity(options.endpoints.len());
        for own in &options.endpoints {
            let endpoint = Endpoint::new(options, own, shared)?;
            let price = shared.prices.of(own.provider.names(), &own.model).cloned();
            if shared.budget.usd.is_some() && price.is_none() {
                return Err(ModelError::Settings(format!(
                    "run.budget.usd: the price of `{}` is unknown; set it in the file of `llm.prices`",
                    endpoint.model
                )));
            }
            limits.push(limits_of(own, &endpoint));
            endpoints.push((Arc::new(endpoint), price));
        }
        shared.check.iter().for_each(|check| check.add(endpoints.iter().map(|(endpoint, _)| endpoint.clone())));
        let per_minute = [options.rpm.map(f64::from), options.tpm.map(|tokens| tokens as f64)];
        let route = shared.traffic.route(limits, options.strategy, per_minute);
        let models = endpoints.iter().map(|(endpoint, _)| endpoint.model.clone()).collect();
        shared.add_way(options.agent, models, route);
        if options.is_of_jury {
            shared.traffic.is_of_jury(route);
        }
        Ok(Self {
            name,
            agent: options.agent,
            canonical: Preset::new(options, &options.model),
            endpoints,
            check: shared.check.clone(),
            queues: shared.queues.clone(),
            watching: Once::new(),
            halt: shared.halt.clone(),
            traffic: shared.traffic.clone(),
            route,
            patience: Patience::new(options.max_retries),
            ledger: shared.ledger.clone(),
            tiers: options.tiers,
            max_tokens: options.max_tokens.unwrap_or(0),
            meter: shared.meter.clone(),
        })
    }

    fn body(&self, request: &ChatRequest) -> Result<Vec<u8>, ModelError> {
        request::body(&self.canonical, request, &Form::WHOLE)
            .map_err(|error| ModelError::Settings(format!("llm.agents.{}: request body: {error}", self.agent)))
    }

    /// The most that a request can cost wherever it is sent.
    fn worst(&self, request: &ChatRequest) -> Result<Cost, ModelError> {
        let mut worst = Cost { calls: 1, ..Cost::default() };
        for (endpoint, price) in &self.endpoints {
            let read = endpoint.length(request)? as u64;
            worst.tokens = worst.tokens.max(read + self.max_tokens);
            worst.nanousd = worst.nanousd.max(price.as_ref().map_or(0, |price| price.most(read, self.max_tokens)));
        }
        Ok(worst)
    }

    /// Asks until there is a reply, the failure is final, or patience is exhausted.
    async fn persist(&self, request: &ChatRequest, course: &mut Course) -> Result<ChatReply, ModelError> {
        if let Some(check) = &self.check {
            check.pass(&self.halt).await?;
        }
        if let Some(queues) = &self.queues {
            let endpoints = || self.endpoints.iter().map(|(endpoint, _)| endpoint);
            self.watching.call_once(|| queues.watch(&self.traffic, self.route, endpoints()));
        }
        let bytes: usize = request.messages.iter().map(|message| message.content.len()).sum();
        let mut wanted = PermitRequest {
            call: self.traffic.next_call(),
            tokens: bytes as f64 / BYTES_PER_TOKEN + self.max_tokens.min(REPLY_TOKENS) as f64,
            avoid: None,
            refused: Vec::new(),
        };
        let (mut tries, mut retries, mut refusal) = (0, 0, None);
        let mut tiers = self.tiers;
        loop {
            if refusal.is_some() && self.traffic.has_refused(self.route, &wanted).await {
                return Err(refusal.unwrap_or(ModelError::Lost(String::new())));
            }
            tries += 1;
            let mut reservation = match &self.ledger {
                Some(ledger) => Some(ledger.reserve(self.worst(request)?).await?),
                None => None,
            };
            let permit = self.traffic.acquire(self.route, wanted.clone()).await?;
            let (endpoint, price) = &self.endpoints[permit.endpoint.0];
            // What it refuses may have been learned while this one waited: another endpoint may take all of it.
            if permit.is_whole && endpoint.takes_less() {
                self.traffic.takes_less(self.route, permit.endpoint);
                continue;
            }
            if let Some(reservation) = &mut reservation {
                reservation.sent().await?;
            }
            course.last = Some(permit.endpoint.0);
            let sent = Instant::now();
            let outcome = endpoint.ask(request, tiers.first().copied(), tries).await;
            self.meter.asked(sent.elapsed());
            if endpoint.takes_less() {
                self.traffic.takes_less(self.route, permit.endpoint);
            }
            let failed = match outcome {
                Ok(Answer { mut reply, latency, headers }) => {
                    reply.cost_nanousd = price.as_ref().and_then(|price| price.nanousd(&reply.usage));
                    endpoint.tell(request, || EventKind::answered(&reply, latency));
                    let usage = &reply.usage;
                    let tokens = usage.prompt_tokens.zip(usage.completion_tokens).map(|(a, b)| a + b);
                    permit.answered(tokens, latency, &headers);
                    if let Some(reservation) = &mut reservation {
                        reservation.settle(usage, reply.cost_nanousd);
                    }
                    return Ok(reply);
                }
                Err(failed) => failed,
            };
            if !failed.charged {
                reservation.iter_mut().for_each(Reservation::spared);
            }
            drop(reservation);
            let RequestError { error, kind, no_room, headers, .. } = failed;
            let (told, mut wait) = (error.to_string(), Duration::ZERO);
            course.failures.push((clock::now(), told.clone()));
            endpoint.tell(request, || EventKind::Failed { error: told.clone() });
            wanted.avoid = None;
            match kind {
                // The account's limits are not to blame: it is sent again at once.
                _ if no_room && tiers.len() > 1 => {
                    tiers = &tiers[1..];
                    drop(permit);
                }
                ErrorKind::Form => drop(permit),
                ErrorKind::Request if matches!(error, ModelError::Refused { .. }) => {
                    if permit.refused(&mut wanted, &told).await == Refusal::Final {
                        return Err(error);
                    }
                    refusal = Some(error);
                }
                ErrorKind::Request => return Err(error),
                ErrorKind::Settings => permit.unusable(&told),
                ErrorKind::Busy(asked) => {
                    self.meter.slowed();
                    endpoint.tell(request, || EventKind::RateLimited { retry_after: asked });
                    wanted.avoid = Some(permit.endpoint);
                    permit.overloaded(asked, &headers, &told);
                    continue;
                }
                ErrorKind::Unreachable | ErrorKind::TimedOut | ErrorKind::Broken(_) | ErrorKind::Page => {
                    wanted.avoid = Some(permit.endpoint);
                    let is_down = match kind {
                        ErrorKind::Page => permit.misled(&told).await,
                        ErrorKind::Unreachable => permit.failed(Failure::Unreachable, &told).await,
                        ErrorKind::TimedOut => permit.failed(Failure::TimedOut, &told).await,
                        _ => permit.failed(Failure::Unusable, &told).await,
                    };
                    // What is the endpoint's doing is not held against the request: it waits for the end of the outage.
                    if !is_down {
                        if retries == self.patience.max_retries {
                            return Err(error);
                        }
                        let asked = if let ErrorKind::Broken(asked) = kind { asked } else { None };
                        wait = self.patience.wait(retries, asked).await;
                        retries += 1;
                    }
                }
            }
            self.meter.retried();
            endpoint.tell(request, || EventKind::Retried { reason: told, wait });
        }
    }
}

/// The endpoint as the traffic knows it. An item of a list is one for all agents; agents' own endpoints are one where they
/// have the address, the model and the key in common.
fn limits_of(options: &EndpointOptions, endpoint: &Endpoint) -> EndpointLimits {
    let key = options.api_key.as_ref().map_or(0, |key| xxh3_128(key.reveal().as_bytes()));
    EndpointLimits {
        identity: match options.key.strip_prefix("llm.agents.") {
            Some(_) => format!("{}\n{}\n{key:x}", options.base_url, endpoint.model),
            None => options.key.clone(),
        },
        name: endpoint.shown.to_string(),
        weight: options.weight,
        max_in_flight: options.max_in_flight,
        per_minute: [options.rpm.map(f64::from), options.tpm.map(|tokens| tokens as f64)],
    }
}

impl Model for Router {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Of OpenAI's body in the format that says most: neither what an endpoint takes nor which one is asked makes another
    /// question of it.
    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
        Ok(Digest(xxh3_128(&self.body(request)?)))
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
        Box::pin(async move {
            let (began, mut course) = (clock::now(), Course::default());
            let outcome = self.persist(request, &mut course).await;
            if let Some(last) = course.last {
                let (endpoint, _) = &self.endpoints[last];
                endpoint.tell(request, || {
                    let (provider, server) = endpoint.server();
                    // Gemini has names of its own.
                    let told = |names: [&str; 2]| {
                        let raw = &outcome.as_ref().ok()?.raw;
                        names.iter().find_map(|name| raw.get(*name)?.as_str()).map(str::to_owned)
                    };
                    EventKind::Ended(Box::new(CallEnd {
                        request: request.clone(),
                        outcome: outcome.as_ref().map(ChatReply::without_raw).map_err(ModelError::clone),
                        response_id: told(["id", "responseId"]),
                        response_model: told(["model", "modelVersion"]),
                        began: Some(began),
                        failures: course.failures,
                        provider,
                        server,
                        parameters: self.canonical.parameters(),
                    }))
                });
            }
            match &outcome {
                Ok(reply) => self.meter.answered(reply),
                Err(ModelError::Halted(_)) => {}
                Err(_) => self.meter.failed(),
            }
            outcome
        })
    }
}

#[cfg(test)]
mod tests;
