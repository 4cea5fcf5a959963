//! One server: its process behind a guard, and its log.

use super::command::{KEYS, command_line};
use super::error::ServerError;
use super::guard::{COMMAND, GRACE, STOP};
use super::lines::LoggedLines;
use super::options::{ServedEndpoint, ServerOptions};
use super::{gpus, ready};
use std::fs::OpenOptions;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

/// A server that was started. When this is dropped its guard ends it, unless it is to stay.
pub(super) struct Replica {
    /// Where it is asked.
    pub endpoint: ServedEndpoint,
    /// What it has logged since it was started.
    pub lines: LoggedLines,
    /// When it was started.
    pub began: Instant,
    guard: Child,
    orders: Option<ChildStdin>,
}

/// What is needed to start a replica, and to look at it.
pub(super) struct Plan {
    pub options: ServerOptions,
    /// The file of the program, by which it is started.
    pub program: PathBuf,
    /// This program, which guards it.
    pub guard: PathBuf,
    /// What `CUDA_VISIBLE_DEVICES` is set to for each, if it is.
    pub gpus: Vec<Option<String>>,
    pub client: reqwest::Client,
}

impl Plan {
    /// Demands that nobody listens where a replica will.
    pub fn demand_free(&self, replica: u16) -> Result<(), ServerError> {
        let (options, port) = (&self.options, self.options.port(replica));
        // The address that agents use counts too: somebody else may be there.
        let address = (options.host.trim_matches(['[', ']']), port);
        let taken = |error: io::Error| ServerError::Taken {
            section: options.section,
            name: options.name(replica),
            address: format!("{}:{port}", options.host),
            reason: error.to_string(),
        };
        let addresses: Vec<_> = address.to_socket_addrs().map_err(taken)?.collect();
        TcpListener::bind(&addresses[..]).map_err(taken).map(drop)
    }

    /// The words by which a replica is started, as its command line has them.
    pub fn words(&self, replica: u16) -> Vec<String> {
        let mut words = command_line(&self.options, replica);
        words[0] = self.program.display().to_string();
        words
    }

    /// Starts a replica, by its number from 0.
    pub fn start(&self, replica: u16) -> Result<Replica, ServerError> {
        self.demand_free(replica)?;
        let (options, name) = (&self.options, self.options.name(replica));
        let path = options.logs.join(format!("{name}.log"));
        let unlogged = |error: io::Error| ServerError::Log { path: path.clone(), reason: error.to_string() };
        std::fs::create_dir_all(&options.logs).map_err(unlogged)?;
        let log = OpenOptions::new().append(true).create(true).open(&path).map_err(unlogged)?;
        let from = log.metadata().map_err(unlogged)?.len();
        let mut command = Command::new(&self.guard);
        command.arg(COMMAND);
        if !options.auto_stop {
            command.arg("--stay");
        }
        command.arg("--").args(self.words(replica));
        KEYS.iter().for_each(|key| _ = command.env_remove(key));
        if let Some(gpus) = &self.gpus[usize::from(replica)] {
            command.env(gpus::VARIABLE, gpus);
        }
        command.stdin(Stdio::piped()).stdout(log.try_clone().map_err(unlogged)?).stderr(log);
        // Ctrl-C is for this process alone: it decides what becomes of its servers.
        #[cfg(unix)]
        command.process_group(0);
        let mut guard = command.spawn().map_err(|error| ServerError::start(&name, &error))?;
        let (orders, endpoint) = (guard.stdin.take(), options.endpoints().swap_remove(usize::from(replica)));
        let lines = LoggedLines { log: path, from };
        Ok(Replica { endpoint, lines, began: Instant::now(), guard, orders })
    }
}

impl Replica {
    /// The process that ends the server when it is ended itself.
    pub fn guard(&self) -> u32 {
        self.guard.id().unwrap_or_default()
    }

    /// Waits until it answers requests.
    ///
    /// # Errors
    /// When it ends before, takes too long, or serves something else.
    pub async fn ready(&mut self, plan: &Plan) -> Result<(), ServerError> {
        let (name, log, timeout) = (self.endpoint.name.clone(), self.lines.log.clone(), plan.options.health_timeout);
        let (endpoint, began) = (self.endpoint.clone(), self.began);
        let trouble = std::sync::Mutex::new("nothing has answered yet".to_owned());
        let outcome = tokio::select! {
            biased;
            status = self.guard.wait() => {
                return Err(ServerError::Died { name, how: told(status), lines: self.lines.told(), log });
            }
            outcome = tokio::time::timeout_at(
                (began + timeout).into(),
                ready::wait(&plan.client, &endpoint, &plan.options.wanted, &trouble),
            ) => outcome,
        };
        let mute =
            |detail| ServerError::Mute { name: name.clone(), detail, log: log.clone(), lines: self.lines.told() };
        match outcome {
            Ok(answer) => answer?,
            Err(_) => {
                let trouble = trouble.lock().map(|trouble| trouble.clone()).unwrap_or_default();
                let (section, seconds) = (plan.options.section, timeout.as_secs_f64());
                return Err(ServerError::Late { name, section, seconds, trouble, lines: self.lines.told(), log });
            }
        }
        ready::warm_up(&plan.client, &endpoint, &plan.options.wanted, timeout).await.map_err(mute)?;
        // Had another server answered in its place, its own port would have been taken from it.
        match self.guard.try_wait() {
            Ok(None) => Ok(()),
            ended => {
                let how = told(ended.map(Option::unwrap_or_default));
                Err(ServerError::Died { name, how, lines: self.lines.told(), log })
            }
        }
    }

    /// Waits until it is gone, and says how: it has ended, or says again and again that it can't go on.
    pub async fn gone(&mut self, plan: &Plan) -> String {
        tokio::select! {
            status = self.guard.wait() => told(status),
            () = ready::fails(&plan.client, &self.endpoint) => "it says that it can't go on (HTTP 503 at /health)".to_owned(),
        }
    }

    /// Ends it, and waits for that.
    pub async fn stop(mut self) {
        if let Some(mut orders) = self.orders.take() {
            // A guard that does not listen any more has ended it already.
            _ = orders.write_all(format!("{STOP}\n").as_bytes()).await;
        }
        if tokio::time::timeout(GRACE + Duration::from_secs(5), self.guard.wait()).await.is_err() {
            tracing::warn!(target: "dlgforge.llm", "[servers] {}: still ending", self.endpoint.name);
        }
    }
}

/// How a process has ended, in words. Its guard tells of signals as shells do.
fn told(status: io::Result<ExitStatus>) -> String {
    match status.map(|status| status.code()) {
        Ok(Some(code)) if code > 128 => format!("signal {}", code - 128),
        Ok(Some(code)) => format!("exit status {code}"),
        Ok(None) => "killed, with the process that guards it".to_owned(),
        Err(error) => error.to_string(),
    }
}
