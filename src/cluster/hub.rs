//! The first process of a cluster: the others join it, and it does for them what only one process can do.

use super::line::{self, Line};
use super::message::{Begin, Call, Manifest, Reply, Shape, Stopping, ToHub, ToMember, Totals, Welcome};
use super::{ClusterError, Mesh};
use crate::domain::{Compared, Fingerprint, Rank};
use crate::llm::meter::Reading;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a stranger may take to say who it is, and how many may at a time.
const JOINING: Duration = Duration::from_secs(2);
const STRANGERS: usize = 32;
/// How long to wait where no connection can be taken.
const BUSY: Duration = Duration::from_millis(50);
/// Questions of earlier runs in one message: far from the longest that a line takes, however many there are.
const AT_A_TIME: usize = 1 << 20;
const TEXTS_AT_A_TIME: usize = 1 << 12;
/// How long members may take to end once they are told to.
const LEAVING: Duration = Duration::from_secs(1);

/// Takes what comes of a call.
pub type Answer = Box<dyn FnOnce(Reply) + Send>;

/// What the hub does for members, each time in the thread of the member's line.
pub struct Served {
    /// Does what a member, by its number, wants done, and tells what comes of it.
    pub call: Box<dyn Fn(usize, Call, Answer) + Send + Sync>,
    /// Takes note of what the calls of a process have come to so far.
    pub reading: Box<dyn Fn(usize, Reading) + Send + Sync>,
    /// A member has to stop, and with it all.
    pub stop: Box<dyn Fn(Stopping) + Send + Sync>,
}

/// Where the members of a cluster are.
pub struct Hub {
    state: Arc<State>,
    address: SocketAddr,
}

struct State {
    secret: String,
    shape: Shape,
    members: Mutex<BTreeMap<usize, Seat>>,
    changed: Condvar,
    /// None before the run has begun and after it has ended.
    served: Mutex<Option<Arc<Served>>>,
    lost: Losing,
    /// What whoever has not ended yet is told, once it is over: why, where it is not by itself.
    last_word: Mutex<Option<Option<String>>>,
    /// Connections of those who have not said who they are.
    strangers: AtomicUsize,
}

/// Hears of a member that says nothing any more, and why.
type Losing = Box<dyn Fn(usize, &str) + Send + Sync>;

/// What is known of a member.
struct Seat {
    line: Line<ToMember>,
    ready: Option<Result<(SocketAddr, Manifest), String>>,
    done: Option<Totals>,
    /// Whether it says nothing any more.
    is_gone: bool,
}

impl State {
    fn serve(&self, served: Option<Served>) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = served.map(Arc::new);
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<usize, Seat>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_so`, or the deadline is over; whether it is so then.
    fn wait(&self, deadline: Option<Instant>, is_so: impl Fn(&BTreeMap<usize, Seat>) -> bool) -> bool {
        let mut members = self.members();
        while !is_so(&members) {
            let left = deadline.map_or(Duration::from_secs(60), |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            members = self.changed.wait_timeout(members, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Takes a member in, or tells why not.
    fn admit(self: &Arc<Self>, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(JOINING))?;
        let Some(ToHub::Join { secret, process, shape }) = line::read(&mut stream)? else { return Ok(()) };
        if let Some(why) = self.last_word() {
            return line::write(&mut stream, &farewell(why.as_deref()));
        }
        let mut members = self.members();
        let refusal = if secret != self.secret {
            Some(
                "the secret word of the cluster is another one; give all its processes the same \
                  `DLGFORGE_CLUSTER_SECRET`"
                    .to_owned(),
            )
        } else if shape != self.shape {
            Some(differs(&self.shape, &shape))
        } else if !(1..self.shape.processes).contains(&process) || members.contains_key(&process) {
            Some(format!("there is a process {process} already; give each process a number of its own, from 0 on"))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            let from = stream.peer_addr().map_or_else(|error| error.to_string(), |address| address.to_string());
            tracing::warn!(target: "dlgforge.cluster", "[distributed] process {process} at {from} is refused: {refusal}");
            return line::write(&mut stream, &ToMember::Refused(refusal));
        }
        let (state, losing) = (self.clone(), self.clone());
        let take = move |message| state.take(process, message);
        let line = Line::open(stream, take, move |why| losing.lose(process, &why))?;
        members.insert(process, Seat { line, ready: None, done: None, is_gone: false });
        self.changed.notify_all();
        Ok(())
    }

    fn take(self: &Arc<Self>, process: usize, message: ToHub) {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match message {
            ToHub::Join { .. } => {}
            ToHub::Ready { address, manifest } => {
                self.update(process, |seat| seat.ready = Some(Ok((address, manifest))))
            }
            ToHub::Failed(why) => self.update(process, |seat| seat.ready = Some(Err(why))),
            ToHub::Done(totals) => self.update(process, |seat| seat.done = Some(totals)),
            ToHub::Call(number, call) => {
                let line = self.members().get(&process).map(|seat| seat.line.clone());
                let answer: Answer = Box::new(move |reply| {
                    line.iter().for_each(|line| line.send(&ToMember::Reply(number, reply.clone())));
                });
                match served {
                    Some(served) => (served.call)(process, call, answer),
                    None => answer(Reply::Failed("there is no run".into())),
                }
            }
            ToHub::Reading(reading) => served.iter().for_each(|served| (served.reading)(process, reading)),
            ToHub::Stop(stopping) => served.iter().for_each(|served| (served.stop)(stopping.clone())),
        }
    }

    fn update(&self, process: usize, change: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.members().get_mut(&process) {
            change(seat);
        }
        self.changed.notify_all();
    }

    /// A member that says nothing any more: one that has told why, or was told to end, is no loss.
    fn lose(&self, process: usize, why: &str) {
        self.update(process, |seat| seat.is_gone = true);
        let is_over = |seat: &Seat| seat.done.is_some() || matches!(seat.ready, Some(Err(_)));
        let is_lost = !self.members().get(&process).is_none_or(is_over);
        if is_lost && self.last_word().is_none() {
            (self.lost)(process, why);
        }
    }

    fn last_word(&self) -> Option<Option<String>> {
        self.last_word.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The last words to a member.
fn farewell(why: Option<&str>) -> ToMember {
    why.map_or(ToMember::Bye, |why| ToMember::Refused(why.to_owned()))
}

/// What two processes do not have in common.
fn differs(ours: &Shape, theirs: &Shape) -> String {
    let rows = [
        ("the version of dlgforge", ours.version.clone(), theirs.version.clone()),
        ("run.distributed.processes", ours.processes.to_string(), theirs.processes.to_string()),
        ("run.distributed.workers", ours.workers.to_string(), theirs.workers.to_string()),
    ];
    let rows = rows.into_iter().filter(|(_, ours, theirs)| ours != theirs);
    let rows = rows.map(|(what, ours, theirs)| format!("{what} is {theirs} here and {ours} at the first process"));
    rows.collect::<Vec<_>>().join(", ")
}

impl Hub {
    /// Listens for the members of a cluster of this shape, who know the secret word. `lost` hears of each that says nothing
    /// any more, with the reason, and is to end the process.
    ///
    /// # Errors
    /// When the address can't be listened at.
    pub fn listen(
        address: &str,
        secret: String,
        shape: Shape,
        lost: impl Fn(usize, &str) + Send + Sync + 'static,
    ) -> Result<Self, ClusterError> {
        let listener = super::listener(address).map_err(ClusterError::Listen)?;
        let address = listener.local_addr().map_err(ClusterError::Listen)?;
        let state = Arc::new(State {
            secret,
            shape,
            members: Mutex::default(),
            changed: Condvar::new(),
            served: Mutex::default(),
            lost: Box::new(lost),
            last_word: Mutex::default(),
            strangers: AtomicUsize::new(0),
        });
        let joining = state.clone();
        let admit = move || {
            // Once all are there, nobody is let in: whoever comes later belongs to another start.
            while joining.members().len() + 1 < joining.shape.processes {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(BUSY);
                    continue;
                };
                if joining.strangers.fetch_add(1, Ordering::SeqCst) >= STRANGERS {
                    joining.strangers.fetch_sub(1, Ordering::SeqCst);
                    continue;
                }
                let state = joining.clone();
                let admit = move || {
                    // Whoever goes away before it has joined is no member.
                    _ = state.admit(stream);
                    state.strangers.fetch_sub(1, Ordering::SeqCst);
                };
                if std::thread::Builder::new().name("joining".into()).spawn(admit).is_err() {
                    joining.strangers.fetch_sub(1, Ordering::SeqCst);
                    std::thread::sleep(BUSY);
                }
            }
        };
        std::thread::Builder::new().name("hub".into()).spawn(admit).map_err(ClusterError::Listen)?;
        Ok(Self { state, address })
    }

    /// Waits for all members, tells them which run they are part of, and waits until they have read what they need.
    ///
    /// # Errors
    /// When some have not come after `patience`, can't get ready, or have not read the same.
    pub fn gather(&self, patience: Duration, welcome: &Welcome) -> Result<(), ClusterError> {
        let processes = self.state.shape.processes;
        let deadline = Some(Instant::now() + patience);
        if !self.state.wait(deadline, |members| members.len() + 1 == processes) {
            let there = self.state.members();
            let missing = (1..processes).filter(|process| !there.contains_key(process)).collect();
            return Err(ClusterError::Missing { missing, processes, seconds: patience.as_secs_f64() });
        }
        self.tell(|| ToMember::Welcome(Box::new(welcome.clone())));
        self.state.wait(None, |members| {
            let is_bad = |seat: &Seat| matches!(seat.ready, Some(Err(_)));
            members.values().all(|seat| seat.ready.is_some()) || members.values().any(is_bad)
        });
        let members = self.state.members();
        let complaints = members.iter().filter_map(|(process, seat)| match seat.ready.as_ref()? {
            Ok((_, manifest)) => different(*process, &welcome.manifest, manifest),
            Err(why) => Some(format!("process {process}: {why}")),
        });
        let complaints: Vec<_> = complaints.collect();
        if complaints.is_empty() {
            return Ok(());
        }
        drop(members);
        self.dismiss(Some(&complaints.join("; ")));
        Err(ClusterError::Unready(complaints))
    }

    /// Has all members begin, and connects to them. `before` gives the questions that the workers of a process compare with: the
    /// fingerprints of earlier runs, and the texts that no other may be too close to, each with its rank.
    ///
    /// # Errors
    /// When the connections can't be made.
    pub fn begin(
        &self,
        served: Served,
        before: impl Fn(usize) -> (Vec<Fingerprint>, Vec<(Rank, Compared)>),
    ) -> Result<Mesh, ClusterError> {
        self.state.serve(Some(served));
        let own = TcpListener::bind((self.address.ip(), 0)).map_err(ClusterError::Listen)?;
        let mut addresses = vec![own.local_addr().map_err(ClusterError::Listen)?];
        let start = rand::random();
        {
            let members = self.state.members();
            addresses.extend(members.values().filter_map(|seat| Some(seat.ready.as_ref()?.as_ref().ok()?.0)));
            for (process, seat) in members.iter() {
                let (earlier, near) = before(*process);
                for some in earlier.chunks(AT_A_TIME) {
                    seat.line.send(&ToMember::Earlier(some.to_vec()));
                }
                for some in near.chunks(TEXTS_AT_A_TIME) {
                    seat.line.send(&ToMember::Near(some.to_vec()));
                }
                let begin = Begin { addresses: addresses.clone(), start, earlier: Vec::new(), near: Vec::new() };
                seat.line.send(&ToMember::Begin(begin));
            }
        }
        Mesh::connect(0, &own, &addresses, start)
    }

    /// Has all members stop.
    pub fn stop(&self, at_once: bool) {
        self.tell(|| ToMember::Stop { at_once });
    }

    /// Waits until the parts of all members are over, has them end, and tells what these came to, with their numbers.
    pub fn end(&self) -> Vec<(usize, Totals)> {
        self.state.wait(None, |members| members.values().all(|seat| seat.done.is_some()));
        self.state.serve(None);
        self.tell(|| ToMember::Bye);
        self.state.members().iter().filter_map(|(process, seat)| Some((*process, seat.done?))).collect()
    }

    /// Has the members end that have not: for this reason, or because there is nothing to do. The first call counts.
    pub fn dismiss(&self, why: Option<&str>) {
        self.state.serve(None);
        self.state
            .last_word
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| why.map(str::to_owned));
        self.tell(|| farewell(why));
        self.state.wait(Some(Instant::now() + LEAVING), |members| members.values().all(|seat| seat.is_gone));
    }

    fn tell(&self, message: impl Fn() -> ToMember) {
        self.state.members().values().for_each(|seat| seat.line.send(&message()));
    }
}

/// What a process has read otherwise than the first one.
fn different(process: usize, here: &Manifest, there: &Manifest) -> Option<String> {
    let keys: std::collections::BTreeSet<_> = here.keys().chain(there.keys()).collect();
    let value = |manifest: &Manifest, key: &String| {
        manifest.get(key).filter(|value| !value.is_empty()).cloned().unwrap_or_else(|| "nothing".into())
    };
    let rows = keys.into_iter().filter(|key| here.get(*key) != there.get(*key));
    let rows: Vec<_> =
        rows.map(|key| format!("{key} is {} there and {} here", value(there, key), value(here, key))).collect();
    (!rows.is_empty()).then(|| format!("process {process}, which has not read the same: {}", rows.join(", ")))
}
