//! All servers of a run, from their start to their end: one that dies is started again.

use super::error::ServerError;
use super::events::Event;
use super::gpus::{self, TooFew};
use super::options::{Engine, ServedEndpoint, ServerOptions};
use super::replica::{Plan, Replica};
use super::{programs, ready};
use crate::domain::Observer;
use futures_util::future::{join_all, try_join_all};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The pause before a server that has died is started again, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A server that has worked for so long is started again at once when it dies.
const WELL: Duration = Duration::from_secs(120);
/// How often it is told how far those are that load.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// The servers of a run, all of which were ready. They end when this is stopped, and soon after it is dropped.
pub struct Managed {
    endpoints: Vec<ServedEndpoint>,
    stopping: CancellationToken,
    keepers: Vec<JoinHandle<()>>,
}

/// Looks whether servers could be started: the program is there, with as many GPUs as they need, and their ports are free.
///
/// # Errors
/// When they could not.
pub fn check(options: &ServerOptions) -> Result<(), ServerError> {
    let plan = plan(options)?;
    (0..options.replicas).try_for_each(|replica| plan.demand_free(replica))
}

/// Starts all servers, and waits until each answers requests. From then on they are kept alive by tasks of the runtime that
/// this is called on.
///
/// # Errors
/// When one of them can't be started, ends while it is loading, or takes too long: then all are stopped.
pub async fn start(options: &ServerOptions, observer: Observer<Event>) -> Result<Managed, ServerError> {
    let plan = Arc::new(plan(options)?);
    (0..options.replicas).try_for_each(|replica| plan.demand_free(replica))?;
    let sharing = match options.engine {
        Engine::Vllm { gpus, .. } => gpus::sharing(gpus),
        Engine::LlamaCpp { .. } => 1,
    };
    let mut started: Vec<Replica> = Vec::new();
    // Those that share a GPU measure its memory while they load: they come one after the other.
    for place in 0..sharing {
        let next = (0..options.replicas).filter(|replica| usize::from(*replica) % sharing == place);
        let from = started.len();
        let mut outcome = next.map(|replica| begin(&plan, replica, &observer)).try_for_each(|replica| {
            started.push(replica?);
            Ok(())
        });
        if outcome.is_ok() {
            outcome = all_ready(&plan, &mut started, from, &observer).await;
        }
        if let Err(error) = outcome {
            join_all(started.into_iter().map(Replica::stop)).await;
            return Err(error);
        }
    }
    let stopping = CancellationToken::new();
    let keep = |replica| tokio::spawn(keep(plan.clone(), replica, stopping.clone(), observer.clone()));
    let keepers = started.into_iter().map(keep).collect();
    Ok(Managed { endpoints: options.endpoints(), stopping, keepers })
}

impl Managed {
    /// Where they are asked, in their order.
    pub fn endpoints(&self) -> &[ServedEndpoint] {
        &self.endpoints
    }

    /// Ends them all, and waits for that; those that are to stay are left.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        join_all(std::mem::take(&mut self.keepers)).await;
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// What is needed to start them; nothing is started yet.
fn plan(options: &ServerOptions) -> Result<Plan, ServerError> {
    let section = options.section;
    let (advice, wanted) = match options.engine {
        Engine::Vllm { gpus, .. } => ("install vLLM (`pip install vllm`)", gpus),
        Engine::LlamaCpp { .. } => ("install llama.cpp", 0.0),
    };
    let program = options.command.first().map(String::as_str).unwrap_or_default();
    let found = programs::find(program, std::env::var_os("PATH").as_deref());
    let unknown = || ServerError::NoProgram { section, program: program.to_owned(), advice };
    let named = std::env::var(gpus::VARIABLE).ok();
    let visible = gpus::visible(named.as_deref(), Path::new("/dev"));
    let replicas = options.replicas;
    let too_few = |TooFew { wanted, there }| ServerError::TooFewGpus { section, replicas, wanted, there };
    let own = |error| ServerError::start("the servers", &error);
    Ok(Plan {
        program: found.ok_or_else(unknown)?,
        guard: options.program.clone().map_or_else(std::env::current_exe, Ok).map_err(own)?,
        gpus: gpus::assigned(wanted, replicas, &visible).map_err(too_few)?,
        client: ready::client().map_err(|error| own(std::io::Error::other(error)))?,
        options: options.clone(),
    })
}

fn begin(plan: &Plan, replica: u16, observer: &Observer<Event>) -> Result<Replica, ServerError> {
    let started = plan.start(replica)?;
    observer.tell(|| Event::Started {
        name: started.endpoint.name.clone(),
        command: plan.words(replica).join(" "),
        log: started.lines.log.clone(),
    });
    Ok(started)
}

fn tell_ready(replica: &Replica, observer: &Observer<Event>) {
    observer.tell(|| Event::Ready {
        name: replica.endpoint.name.clone(),
        base_url: replica.endpoint.base_url.clone(),
        took: replica.began.elapsed(),
    });
}

/// Waits until all replicas from some place on are ready; the first that fails ends it.
async fn all_ready(
    plan: &Plan,
    replicas: &mut [Replica],
    from: usize,
    observer: &Observer<Event>,
) -> Result<(), ServerError> {
    let (began, of, last) = (Instant::now(), usize::from(plan.options.replicas), replicas.len());
    let loading = Mutex::new(Vec::from_iter(replicas[from..].iter().map(|replica| replica.lines.clone())));
    let wait = replicas[from..].iter_mut().map(|replica| {
        let loading = &loading;
        async move {
            replica.ready(plan).await?;
            tell_ready(replica, observer);
            loading.lock().unwrap_or_else(PoisonError::into_inner).retain(|lines| *lines != replica.lines);
            Ok(())
        }
    });
    let wait = try_join_all(wait);
    let tell = async {
        loop {
            let (left, first) = {
                let loading = loading.lock().unwrap_or_else(PoisonError::into_inner);
                (loading.len(), loading.first().cloned())
            };
            observer.tell(|| Event::Loading {
                ready: last - left,
                replicas: of,
                elapsed: began.elapsed(),
                line: first.and_then(|lines| lines.last()).unwrap_or_default(),
            });
            tokio::time::sleep(TELL_EVERY).await;
        }
    };
    tokio::select! {
        outcome = wait => outcome.map(drop),
        () = tell => Ok(()),
    }
}

/// Keeps a server alive until all are to end.
async fn keep(plan: Arc<Plan>, replica: Replica, stopping: CancellationToken, observer: Observer<Event>) {
    let (mut replica, mut pause) = (replica, FIRST_PAUSE);
    let number = plan.options.endpoints().iter().position(|endpoint| endpoint.name == replica.endpoint.name);
    let number = number.and_then(|number| u16::try_from(number).ok()).unwrap_or_default();
    loop {
        let how = tokio::select! {
            () = stopping.cancelled() => return end(&plan, replica, &observer).await,
            how = replica.gone(&plan) => how,
        };
        if replica.began.elapsed() > WELL {
            pause = FIRST_PAUSE;
        }
        let name = replica.endpoint.name.clone();
        // What it has left, such as an engine without its server, must be gone first.
        replica.stop().await;
        let mut how = how;
        replica = loop {
            observer.tell(|| Event::Died { name: name.clone(), how: how.clone(), pause });
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            let mut next = match begin(&plan, number, &observer) {
                Ok(next) => next,
                Err(error) => {
                    how = error.to_string();
                    continue;
                }
            };
            let outcome = tokio::select! {
                () = stopping.cancelled() => return end(&plan, next, &observer).await,
                outcome = next.ready(&plan) => outcome,
            };
            match outcome {
                Ok(()) => break next,
                Err(error) => {
                    how = error.to_string();
                    next.stop().await;
                }
            }
        };
        tell_ready(&replica, &observer);
    }
}

/// The end of a run has come: a server ends, or is left.
async fn end(plan: &Plan, replica: Replica, observer: &Observer<Event>) {
    if plan.options.auto_stop {
        return replica.stop().await;
    }
    observer.tell(|| Event::Left {
        name: replica.endpoint.name.clone(),
        base_url: replica.endpoint.base_url.clone(),
        pid: replica.guard(),
    });
}
