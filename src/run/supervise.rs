//! Who starts the processes of a cluster, ends them together, and starts them again when one is lost.

use super::RunError;
use super::launch::{Child, End, Launch, LaunchError, Others, Placed, Say, Start};
use super::signals::{Signal, Signals};
use crate::cluster::{ClusterError, Supervisor, variables};
use std::fmt;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// How long the other processes may take to notice that one is gone, before they are ended.
const NOTICING: Duration = Duration::from_secs(10);
/// How long they may take where one has ended for a reason of its own.
const ENDING: Duration = Duration::from_secs(2);
/// The wait before the first restart; it doubles with each, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A cluster that has worked for so long may be started again as often as at first.
const STEADY: Duration = Duration::from_secs(600);

/// The variable by which a process knows how many there are.
const PROCESSES: &str = "DISTRIBUTED_PROCESSES";

/// Starts processes of a run, and has them started again where one is lost, until they have done their part; the exit status that
/// this comes to. Each is this program with the same arguments, and learns from its environment which one it is. The run is to
/// end within the limit.
///
/// # Errors
/// When a process can't be started.
pub fn supervise(launch: &Launch, limit: Option<Duration>, say: Say<'_>) -> Result<u8, RunError> {
    let process = launch.here[0];
    let program = std::env::current_exe().map_err(|cause| ClusterError::Start { process, cause })?;
    let cluster = &launch.cluster;
    let env = vec![
        (variables::RUN, launch.run.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()))),
        (PROCESSES, cluster.processes.to_string()),
    ];
    let mut start = Start { program, arguments: std::env::args_os().skip(1).collect(), env };
    let is_apart = matches!(launch.others, Others::Apart);
    if !is_apart {
        let drawn = format!("{:032x}", rand::random::<u128>());
        let secret = Some(cluster.secret.reveal()).filter(|secret| !secret.is_empty()).unwrap_or(&drawn);
        start = start.with(variables::SECRET, secret);
    }
    let supervised = Supervised { launch, start, is_apart, limit, began: Instant::now() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    Ok(runtime.block_on(supervised.run(say))?)
}

/// What is supervised.
struct Supervised<'a> {
    launch: &'a Launch,
    /// What all processes are started with.
    start: Start,
    /// Whether others have supervisors of their own.
    is_apart: bool,
    /// How long the run may take.
    limit: Option<Duration>,
    began: Instant,
}

/// A process that has not done its part.
struct Loss {
    process: usize,
    name: String,
    end: End,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.end.how)
    }
}

impl Supervised<'_> {
    /// Starts the processes, and waits until all have done their part; the exit status that this comes to. When one is lost, the
    /// others are ended and all are started again, which is said. Signals are passed on to the first process that is here.
    ///
    /// # Errors
    /// When a process can't be started.
    async fn run(&self, say: Say<'_>) -> Result<u8, LaunchError> {
        let process = self.launch.here[0];
        let most = self.launch.cluster.restarts;
        let mut signals = Signals::new().map_err(|cause| ClusterError::Start { process, cause })?;
        let (mut restarts, mut total, mut wait, mut stopped) = (0, 0, FIRST_WAIT, None);
        loop {
            let began = Instant::now();
            let mut placed = Vec::new();
            let is_placed = self.place(total, &mut placed).await;
            if is_placed.is_err() {
                placed.iter_mut().for_each(Placed::end);
            }
            let losses = watch(&mut placed, &mut signals, &mut stopped, say).await;
            is_placed?;
            let Some(first) = losses.first() else { return Ok(0) };
            // What the first process says counts before what others say.
            // Where one was lost, others may complain of that.
            let is_loss = first.end.last_word().is_none();
            let words = losses.iter().filter(|loss| loss.process == 0 || !is_loss);
            if let Some((_, code)) = words.filter_map(|loss| Some((loss.process, loss.end.last_word()?))).min() {
                return Ok(code);
            }
            if let Some(signal) = stopped {
                return Ok(signal.exit_code());
            }
            if began.elapsed() > STEADY {
                (restarts, wait) = (0, FIRST_WAIT);
            }
            if restarts == most {
                say(format!(
                    "{first}; it was started again {restarts} times (`run.distributed.restarts`), and is not any more"
                ));
                return Ok(1);
            }
            (restarts, total) = (restarts + 1, total + 1);
            say(format!("{first}: all processes start again from the journal ({restarts} of {most} times)"));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                signal = signals.next() => return Ok(signal.exit_code()),
            }
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }

    /// Starts the processes, once more after so many restarts.
    ///
    /// # Errors
    /// When one of them can't be started; those before it have been.
    async fn place(&self, restarts: u32, placed: &mut Vec<Placed>) -> Result<(), LaunchError> {
        let Launch { cluster, here, others, run } = self.launch;
        let places = match others {
            Others::Jobs(ray) => ray.places(cluster.processes - here.len()).await?,
            _ => Vec::new(),
        };
        let hub = match (&cluster.hub, others) {
            (Some(hub), _) => hub.clone(),
            (None, Others::Step(tasks)) => tasks.hub()?,
            (None, Others::Jobs(ray)) => ray.hub(&places)?,
            (None, _) => "127.0.0.1:0".to_owned(),
        };
        // Where the cluster may have been started by a process that is gone, this is no first start.
        let restarted = restarts + u32::from(run.is_some());
        let start = self.start.with(variables::HUB, free(hub)?).with(variables::RESTARTS, restarted);
        let supervisor = if self.is_apart { Supervisor::Own } else { Supervisor::All };
        for process in here {
            let start = start.of(*process).with(variables::SUPERVISOR, supervisor.as_str());
            let limit = self.limit.filter(|_| *process == 0 || self.is_apart);
            let left = limit.map(|limit| limit.saturating_sub(self.began.elapsed()).max(Duration::from_secs(1)));
            let start = left.map_or(start.clone(), |left| start.with(variables::LIMIT, left.as_secs()));
            placed.push(Placed::Child(Child::start(*process, &start)?));
        }
        let far = start.with(variables::SUPERVISOR, Supervisor::Far.as_str());
        match others {
            Others::None | Others::Apart => {}
            Others::Step(tasks) => placed.push(Placed::Step(tasks.start(&far)?)),
            Others::Jobs(ray) => {
                for (process, node) in (here.len()..).zip(&places) {
                    ray.submit((process, restarts), node, &far, placed).await?;
                }
            }
        }
        Ok(())
    }
}

/// The address with a free port in place of the port 0.
fn free(address: String) -> Result<String, ClusterError> {
    if !address.ends_with(":0") {
        return Ok(address);
    }
    let free = TcpListener::bind(&address).and_then(|listener| listener.local_addr());
    free.map(|address| address.to_string()).map_err(ClusterError::Listen)
}

/// Waits until all processes have ended; those that have not done their part, in the order in which they ended.
async fn watch(placed: &mut [Placed], signals: &mut Signals, stopped: &mut Option<Signal>, say: Say<'_>) -> Vec<Loss> {
    let mut losses: Vec<Loss> = Vec::new();
    let mut open: Vec<&mut Placed> = placed.iter_mut().collect();
    let (mut deadline, mut is_over) = (None, false);
    while !open.is_empty() {
        let overdue = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (at, end) = next_end(&mut open, say) => {
                let ended = open.remove(at);
                let (process, name) = (ended.process(), ended.name());
                if process == 0 && end.code == Some(0) {
                    // The run is over, whatever becomes of the others.
                    losses.clear();
                    is_over = true;
                    deadline = Some(tokio::time::Instant::now() + ENDING);
                } else if end.code != Some(0) && !is_over {
                    losses.push(Loss { process, name, end });
                    let is_word = losses.iter().any(|loss| loss.end.last_word().is_some());
                    let until = tokio::time::Instant::now() + if is_word { ENDING } else { NOTICING };
                    deadline = Some(deadline.map_or(until, |end: tokio::time::Instant| end.min(until)));
                }
            }
            signal = signals.next() => {
                *stopped = Some(signal);
                open.iter().any(|one| one.send(signal));
            }
            () = overdue => {
                deadline = None;
                open.iter_mut().for_each(|one| one.end());
            }
        }
    }
    losses
}

/// The next process that ends, by its place among them.
async fn next_end(open: &mut [&mut Placed], say: Say<'_>) -> (usize, End) {
    let waiting = open.iter_mut().map(|one| Box::pin(one.ended(say)));
    let (end, at, _) = futures_util::future::select_all(waiting).await;
    (at, end)
}
