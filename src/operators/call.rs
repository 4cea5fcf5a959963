//! `call`: from a stream of requests to a stream of outcomes, through asynchronous tasks.

use super::Flow;
use crate::domain::Failure;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, mpsc};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;
use timely::scheduling::SyncActivator;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How a run is asked to stop: first no new flights, later none at all.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Cancelled: nothing new starts.
    pub admitting: CancellationToken,
    /// Cancelled: what is in the air ends too.
    pub flying: CancellationToken,
}

impl Stop {
    /// Stops all calls at once, those in flight included.
    pub fn now(&self) {
        self.admitting.cancel();
        self.flying.cancel();
    }
}

/// Where tasks run and how many may at a time. Shared by all workers of a process.
#[derive(Debug, Clone)]
pub struct Executor {
    runtime: Handle,
    permits: Arc<Semaphore>,
    size: usize,
    stop: Stop,
}

impl Executor {
    /// An executor with so many permits, whose tasks run on `runtime`.
    pub fn new(runtime: Handle, permits: usize, stop: Stop) -> Self {
        Self { runtime, permits: Arc::new(Semaphore::new(permits)), size: permits, stop }
    }

    /// The stop signal its tasks obey.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// How many permits it has.
    pub fn permits(&self) -> usize {
        self.size
    }

    async fn with_permit<O>(&self, work: impl Future<Output = Result<O, Failure>>) -> Result<O, Failure> {
        let _permit = self.permits.acquire().await.map_err(|_| Failure::Stopped)?;
        if self.stop.admitting.is_cancelled() {
            return Err(Failure::Stopped);
        }
        self.stop.flying.run_until_cancelled(work).await.unwrap_or(Err(Failure::Stopped))
    }
}

/// A request that may turn out not to be wanted any more.
pub trait Cancellable: Clone + Send + Sync + 'static {
    /// Cancelled when it is not.
    fn recalled(&self) -> &CancellationToken;
}

/// A request on its way: lands exactly once, at the latest when it is dropped.
struct Flight<I, O> {
    number: u64,
    /// None once it has landed: whoever gets the outcome then holds the request alone, and need not copy it.
    request: Option<Arc<I>>,
    landing: mpsc::Sender<(u64, Arc<I>, Result<O, Failure>)>,
    wake: SyncActivator,
}

impl<I, O> Flight<I, O> {
    fn land(&mut self, outcome: Result<O, Failure>) {
        let Some(request) = self.request.take() else { return };
        // Both fail only when the worker is gone, and with it whoever waits for the outcome.
        let _ = self.landing.send((self.number, request, outcome));
        let _ = self.wake.activate();
    }
}

impl<I, O> Drop for Flight<I, O> {
    fn drop(&mut self) {
        self.land(Err(Failure::Lost));
    }
}

/// Starts `work` for every request and emits each request with its outcome once, in the order of landing. Never
/// blocks: a slow task delays nothing but its own outcome. A task that panics lands as [`Failure::Lost`]; one that the
/// executor's [`Stop`] ends, or keeps from starting, as [`Failure::Stopped`]; one whose request is recalled, at once, as
/// [`Failure::Recalled`].
///
/// # Examples
///
/// Two squares at a time, by tasks that wait:
///
/// ```
/// use dlgforge::operators::{Executor, Stop, call, call::Cancellable};
/// use std::{sync::mpsc, time::Duration};
/// use timely::dataflow::operators::{Inspect, ToStream};
/// use tokio_util::sync::CancellationToken;
///
/// #[derive(Clone, Default)]
/// struct Number(u64, CancellationToken);
///
/// impl Cancellable for Number {
///     fn recalled(&self) -> &CancellationToken {
///         &self.1
///     }
/// }
///
/// let runtime = tokio::runtime::Runtime::new().expect("a runtime");
/// let executor = Executor::new(runtime.handle().clone(), 2, Stop::default());
/// let (sender, squares) = mpsc::channel();
/// timely::execute(timely::Config::thread(), move |worker| {
///     let (executor, sender) = (executor.clone(), sender.clone());
///     worker.dataflow::<u64, _, _>(|scope| {
///         let numbers = (1..4).map(|number| Number(number, CancellationToken::new()));
///         let numbers = numbers.to_stream(scope).container::<Vec<_>>();
///         call("square", numbers, &executor, |number| async move {
///             tokio::time::sleep(Duration::from_millis(number.0)).await;
///             Ok(number.0 * number.0)
///         })
///         .inspect(move |(_, square)| sender.send(square.clone()).expect("somebody listens"));
///     });
/// })
/// .expect("a worker")
/// .join();
/// let mut squares: Vec<u64> = squares.into_iter().map(|square| square.expect("no task fails")).collect();
/// squares.sort();
/// assert_eq!(squares, [1, 4, 9]);
/// ```
pub fn call<'scope, I, O, W, F>(
    name: &str,
    requests: Flow<'scope, I>,
    executor: &Executor,
    work: W,
) -> Flow<'scope, (I, Result<O, Failure>)>
where
    I: Cancellable,
    O: Send + 'static,
    W: Fn(Arc<I>) -> F + 'static,
    F: Future<Output = Result<O, Failure>> + Send + 'static,
{
    let scope = requests.scope();
    let executor = executor.clone();
    requests.unary::<CapacityContainerBuilder<Vec<_>>, _, _, _>(Pipeline, name, move |_, info| {
        let wake = scope.worker().sync_activator_for(info.address.to_vec());
        let (landing, landed) = mpsc::channel();
        let mut held = BTreeMap::new();
        let mut departed = 0u64;
        move |input, output| {
            input.for_each(|capability, requests| {
                for request in requests.drain(..) {
                    let capability = capability.retain_least(output.output_index()).expect("a message has a time");
                    held.insert(departed, capability);
                    let (executor, recalled, request) =
                        (executor.clone(), request.recalled().clone(), Arc::new(request));
                    let work = work(request.clone());
                    let (landing, wake) = (landing.clone(), wake.clone());
                    let mut flight = Flight { number: departed, request: Some(request), landing, wake };
                    departed += 1;
                    executor.runtime.clone().spawn(async move {
                        let outcome = recalled.run_until_cancelled(executor.with_permit(work)).await;
                        flight.land(outcome.unwrap_or(Err(Failure::Recalled)));
                    });
                }
            });
            while let Ok((number, request, outcome)) = landed.try_recv() {
                if let Some(capability) = held.remove(&number) {
                    output.session(&capability).give((Arc::unwrap_or_clone(request), outcome));
                }
            }
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::Agent;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use timely::dataflow::operators::{Inspect, ToStream};
    use tokio::runtime::Runtime;

    const REQUESTS: u64 = 300;

    #[derive(Debug, Clone, Default)]
    struct Asked(u64, CancellationToken);

    impl Cancellable for Asked {
        fn recalled(&self) -> &CancellationToken {
            &self.1
        }
    }

    /// The outcomes of so many requests on two workers, in the order of landing on each; panics when there is no end.
    fn landed<F>(
        executor: &Executor,
        recalled: &CancellationToken,
        work: fn(Arc<Asked>) -> F,
    ) -> Vec<(u64, Result<u64, Failure>)>
    where
        F: Future<Output = Result<u64, Failure>> + Send + 'static,
    {
        let (out, outcomes) = mpsc::channel();
        let (executor, recalled) = (executor.clone(), recalled.clone());
        std::thread::spawn(move || {
            timely::execute(timely::Config::process(2), move |worker| {
                let (out, executor, recalled) = (out.clone(), executor.clone(), recalled.clone());
                let mine =
                    (0..REQUESTS).skip(worker.index()).step_by(2).map(move |request| Asked(request, recalled.clone()));
                worker.dataflow::<u64, _, _>(|scope| {
                    let requests = mine.to_stream(scope).container::<Vec<_>>();
                    call("call", requests, &executor, work)
                        .inspect(move |(request, outcome)| out.send((request.0, outcome.clone())).unwrap());
                });
            })
        });
        let mut all: Vec<_> = std::iter::from_fn(|| outcomes.recv_timeout(Duration::from_secs(20)).ok())
            .take(REQUESTS as usize)
            .collect();
        all.sort_by_key(|(request, _)| *request);
        assert_eq!(all.iter().map(|(request, _)| *request).collect::<Vec<_>>(), (0..REQUESTS).collect::<Vec<_>>());
        all
    }

    fn executor(runtime: &Runtime, permits: usize) -> Executor {
        Executor::new(runtime.handle().clone(), permits, Stop::default())
    }

    #[test]
    fn every_request_lands_once_whatever_becomes_of_its_task() {
        let runtime = Runtime::new().unwrap();
        let outcomes = landed(&executor(&runtime, 16), &CancellationToken::new(), |request| async move {
            tokio::time::sleep(Duration::from_micros((REQUESTS - request.0) % 7 * 300)).await;
            match request.0 % 5 {
                0 => std::panic::resume_unwind(Box::new("a task that dies")),
                1 => Err(Failure::Model { agent: Agent::User, detail: "no".into() }),
                _ => Ok(request.0 * 2),
            }
        });
        for (request, outcome) in outcomes {
            match request % 5 {
                0 => assert_eq!(outcome, Err(Failure::Lost)),
                1 => assert!(matches!(outcome, Err(Failure::Model { .. }))),
                _ => assert_eq!(outcome, Ok(request * 2)),
            }
        }
    }

    #[test]
    fn no_more_are_out_than_there_are_permits() {
        static OUT: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let runtime = Runtime::new().unwrap();
        let executor = executor(&runtime, 5);
        landed(&executor, &CancellationToken::new(), |request| async move {
            MOST.fetch_max(OUT.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
            OUT.fetch_sub(1, Ordering::SeqCst);
            Ok(request.0)
        });
        assert_eq!(MOST.load(Ordering::SeqCst), 5);
    }

    #[test]
    fn a_stop_ends_what_flies_and_starts_nothing() {
        let runtime = Runtime::new().unwrap();
        let executor = executor(&runtime, 5);
        let stop = executor.stop().clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            stop.admitting.cancel();
            stop.flying.cancel();
        });
        let outcomes = landed(&executor, &CancellationToken::new(), |request| async move {
            if request.0 >= 10 {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
            Ok(request.0)
        });
        assert!(
            outcomes.iter().filter(|(request, _)| *request >= 10).all(|(_, outcome)| *outcome == Err(Failure::Stopped))
        );
    }

    #[test]
    fn what_is_recalled_lands_at_once_and_gives_its_permit_back() {
        let runtime = Runtime::new().unwrap();
        let executor = executor(&runtime, 5);
        let recalled = CancellationToken::new();
        let recall = recalled.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            recall.cancel();
        });
        let outcomes = landed(&executor, &recalled, |request| async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(request.0)
        });
        assert!(outcomes.iter().all(|(_, outcome)| *outcome == Err(Failure::Recalled)));
        assert_eq!(executor.permits.available_permits(), 5);
    }
}
