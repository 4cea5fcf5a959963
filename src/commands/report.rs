//! How a command that takes a while is seen and heard.

use super::{environment, say, tell};
use dlgforge::cli::{Progress, ReportArgs};
use dlgforge::domain::terminal::shown;
use dlgforge::output::logs::{Console, Told};
use dlgforge::run::{EventLines, Listener, LogLines, MetricsServer, Shows, Terminal, metrics_address, telemetry};
use std::fmt::Display;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Arc;

/// What was asked for, looked at.
pub struct Report {
    progress: Progress,
    quiet: bool,
    verbose: bool,
    metrics: Option<SocketAddr>,
    process: usize,
}

impl Report {
    /// Of a process of a run; 0 where one makes it alone.
    pub fn of(args: &ReportArgs, process: usize) -> Result<Self, String> {
        let ReportArgs { progress, quiet, verbose, metrics } = args;
        if *progress == Progress::Bar && !std::io::stderr().is_terminal() {
            return Err("--progress bar: standard error is no terminal; choose plain, json or auto".to_owned());
        }
        let address = metrics.as_deref().map(metrics_address).transpose();
        let metrics = address.map_err(|wrong| format!("--metrics: {wrong}"))?.map(|address| of(address, process));
        Ok(Self { progress: *progress, quiet: *quiet, verbose: *verbose, metrics: metrics.transpose()?, process })
    }

    pub fn terminal(&self) -> Terminal {
        Terminal::new(match self.progress {
            Progress::Auto if self.quiet => Shows::Nothing,
            Progress::Auto | Progress::Bar => Shows::Best,
            Progress::Plain => Shows::Lines,
            Progress::Json | Progress::None => Shows::Nothing,
        })
    }

    /// What of the log is shown, and how.
    pub fn console(&self, terminal: &Terminal) -> (Told, Console) {
        match (self.quiet, self.verbose) {
            (true, _) => (Told::Errors, terminal.console()),
            (_, true) => (Told::Everything, terminal.whole_console()),
            _ => (Told::Warnings, terminal.console()),
        }
    }

    /// Everybody who listens. Where the figures are served is said.
    pub fn listeners(&self, terminal: Arc<Terminal>) -> Result<Vec<Arc<dyn Listener>>, String> {
        let mut listeners: Vec<Arc<dyn Listener>> = vec![terminal, Arc::new(LogLines)];
        if self.progress == Progress::Json {
            let lines = EventLines::start(self.process).map_err(|error| format!("--progress json: {error}"))?;
            listeners.push(Arc::new(lines));
        }
        if let Some(address) = self.metrics {
            let served = MetricsServer::start(address)
                .map_err(|error| format!("--metrics: {address} can't be listened at: {error}"))?;
            if !self.quiet || address.port() == 0 {
                tell(&format!("metrics at {}", served.url()));
            }
            listeners.push(Arc::new(served));
        }
        listeners.extend(telemetry(&environment()));
        Ok(listeners)
    }

    /// Says what came of it: where standard output is for programs, on standard error.
    pub fn summary(&self, summary: &impl Display) {
        let text = summary.to_string();
        let text = if self.quiet { text.lines().next().unwrap_or_default() } else { text.trim_end() };
        match self.progress {
            Progress::Json => tell(text),
            _ => say(&format!("{}\n", shown(text))),
        }
    }

    /// Says what is under way.
    pub fn tell(&self, line: &str) {
        if !self.quiet {
            tell(line);
        }
    }
}

/// The address of a process: ports count on, so that all can be on one machine.
fn of(address: SocketAddr, process: usize) -> Result<SocketAddr, String> {
    let port = match address.port() {
        0 => Some(0),
        port => u16::try_from(process).ok().and_then(|process| port.checked_add(process)),
    };
    let port = port.ok_or_else(|| format!("--metrics: there is no port for process {process} from {address} on"))?;
    Ok(SocketAddr::new(address.ip(), port))
}
