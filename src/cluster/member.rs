//! A process of a cluster other than the first: it joins the hub, and has it do what only one process can do.

use super::line::{self, Line};
use super::message::{Begin, Call, Manifest, Reply, Shape, Stopping, ToHub, ToMember, Totals, Welcome};
use super::{Answer, ClusterError, Mesh};
use crate::llm::meter::Reading;
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// How long to wait until the hub is called again.
const AGAIN: Duration = Duration::from_millis(200);

/// Has the run stop: at once, or so that what is in the air may land.
type OnStop = Box<dyn Fn(bool) + Send + Sync>;

/// A process that has joined.
pub struct Member {
    process: usize,
    line: Line<ToHub>,
    told: Mutex<mpsc::Receiver<ToMember>>,
    shared: Arc<Shared>,
    listener: TcpListener,
}

/// What the member and its line have in common.
#[derive(Default)]
struct Shared {
    calls: AtomicU64,
    waiting: Mutex<BTreeMap<u64, Answer>>,
    stop: OnceLock<OnStop>,
    /// The last stop that was told: at once, or so that what is in the air may land.
    stopped: Mutex<Option<bool>>,
    is_over: AtomicBool,
}

impl Member {
    /// Joins the hub at this address, for which it waits so long. `lost` hears why the hub says nothing any more, and is to end
    /// the process.
    ///
    /// # Errors
    /// When the hub can't be reached, or does not want this process.
    pub fn join(
        address: &str,
        (secret, process, shape): (String, usize, Shape),
        patience: Duration,
        lost: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, ClusterError> {
        let deadline = Instant::now() + patience;
        let mut stream = loop {
            match connect(address) {
                Ok(stream) => break stream,
                Err(cause) if Instant::now() >= deadline => {
                    let (address, seconds) = (address.to_owned(), patience.as_secs_f64());
                    return Err(ClusterError::NoHub { address, seconds, cause: cause.to_string() });
                }
                Err(_) => std::thread::sleep(AGAIN),
            }
        };
        // Where the hub is reached from, the others are as well.
        let here = stream.local_addr().map_err(ClusterError::Listen)?.ip();
        let listener = TcpListener::bind((here, 0)).map_err(ClusterError::Listen)?;
        line::write(&mut stream, &ToHub::Join { secret, process, shape }).map_err(ClusterError::Listen)?;
        let shared = Arc::<Shared>::default();
        let (tell, told) = mpsc::channel();
        let (taking, losing) = (shared.clone(), shared.clone());
        let take = move |message| match message {
            ToMember::Reply(number, reply) => {
                let waiting = taking.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                waiting.into_iter().for_each(|answer| answer(reply.clone()));
            }
            ToMember::Stop { at_once } => {
                *taking.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(at_once);
                taking.stop.get().into_iter().for_each(|stop| stop(at_once));
            }
            message => {
                if matches!(message, ToMember::Refused(_) | ToMember::Bye) {
                    taking.is_over.store(true, Ordering::SeqCst);
                }
                _ = tell.send(message);
            }
        };
        let lost = move |why: String| {
            if !losing.is_over.load(Ordering::SeqCst) {
                lost(&why);
            }
        };
        let line = Line::open(stream, take, lost).map_err(ClusterError::Listen)?;
        Ok(Self { process, line, told: Mutex::new(told), shared, listener })
    }

    /// The next message that is not for somebody else.
    fn next(&self) -> Result<ToMember, ClusterError> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match told {
            Ok(ToMember::Refused(why)) => Err(ClusterError::Refused(why)),
            Ok(message) => Ok(message),
            Err(_) => Err(ClusterError::Refused("the first process has gone".into())),
        }
    }

    /// Waits to be told which run it is part of; none where there is nothing to do.
    ///
    /// # Errors
    /// When it is not wanted.
    pub fn welcome(&self) -> Result<Option<Welcome>, ClusterError> {
        loop {
            match self.next()? {
                ToMember::Welcome(welcome) => return Ok(Some(*welcome)),
                ToMember::Bye => return Ok(None),
                _ => {}
            }
        }
    }

    /// Tells what it has read, and waits until all processes have.
    ///
    /// # Errors
    /// When they have not read the same.
    pub fn ready(&self, manifest: Manifest) -> Result<Begin, ClusterError> {
        let address = self.listener.local_addr().map_err(ClusterError::Listen)?;
        self.line.send(&ToHub::Ready { address, manifest });
        let (mut earlier, mut near) = (Vec::new(), Vec::new());
        loop {
            match self.next()? {
                ToMember::Earlier(some) => earlier.extend(some),
                ToMember::Near(some) => near.extend(some),
                ToMember::Begin(begin) => return Ok(Begin { earlier, near, ..begin }),
                _ => {}
            }
        }
    }

    /// Tells that it could not get ready.
    pub fn failed(&self, why: String) {
        self.line.send(&ToHub::Failed(why));
        // The hub tells everybody.
        while self.next().is_ok() {}
    }

    /// Connects to all other processes.
    ///
    /// # Errors
    /// When the connections can't be made.
    pub fn connect(&self, begin: &Begin) -> Result<Mesh, ClusterError> {
        Mesh::connect(self.process, &self.listener, &begin.addresses, begin.start)
    }

    /// Has the hub do something, and waits until it is done.
    pub fn call(&self, call: Call) -> Reply {
        let (answer, reply) = mpsc::channel();
        // Whoever asked may have gone.
        self.ask(call, Box::new(move |told| _ = answer.send(told)));
        reply.recv().unwrap_or_else(|_| Reply::Failed("the first process has gone".into()))
    }

    /// Has the hub do something, and tells what comes of it once that is known.
    pub fn ask(&self, call: Call, answer: Answer) {
        let number = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, answer);
        self.line.send(&ToHub::Call(number, call));
    }

    /// Names what stops its part of the run.
    pub fn on_stop(&self, stop: impl Fn(bool) + Send + Sync + 'static) {
        _ = self.shared.stop.set(Box::new(stop));
        let stopped = *self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(at_once), Some(stop)) = (stopped, self.shared.stop.get()) {
            stop(at_once);
        }
    }

    /// Tells the hub that this process has to stop.
    pub fn stop(&self, stopping: Stopping) {
        self.line.send(&ToHub::Stop(stopping));
    }

    /// Tells the hub what calls have come to so far.
    pub fn tell(&self, reading: Reading) {
        self.line.send(&ToHub::Reading(reading));
    }

    /// Tells the hub that its part is over, and waits until it may end.
    pub fn end(&self, totals: Totals) {
        self.line.send(&ToHub::Done(totals));
        while let Ok(message) = self.next() {
            if matches!(message, ToMember::Bye) {
                return;
            }
        }
    }
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
