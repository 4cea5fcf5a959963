//! View: the pages over output folders, with what runs know of their conversations.

use super::{RunError, explain, health, signals, status};
use crate::domain::causes::causes;
use crate::knowledge::embeddings::cache_folder;
use crate::view::{Known, ViewError, Viewed, serve};
use serde::Serialize;
use serde_json::Value;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long requests that are being answered may take when the server is to end.
const LANDING: Duration = Duration::from_secs(2);

/// What is shown, and where.
#[derive(Debug, Clone)]
pub struct ViewOptions {
    /// The output folders that are shown.
    pub outputs: Vec<PathBuf>,
    /// The port of 127.0.0.1 that is listened on; 0 for a free one.
    pub port: u16,
    /// The connection string where stores are on a server.
    pub dsn: Option<String>,
    /// The folder of the logs; by default `logs` beside each output folder.
    pub logs: Option<PathBuf>,
}

/// Shows output folders in a browser until a signal comes; `say` is told the address.
///
/// # Errors
/// When there is nothing to show, or the port can't be listened on.
pub fn view(options: ViewOptions, say: &dyn Fn(&str)) -> Result<(), RunError> {
    let ViewOptions { outputs, port, dsn, logs } = options;
    let cache = cache_folder();
    let open = |outputs: &PathBuf| Viewed::open(outputs, dsn.as_deref(), cache.as_deref());
    let folders = outputs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let unheard = |cause| ViewError::Listen { port, cause };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    let token = format!("{:032x}", rand::random::<u128>());
    let runtime = signals::runtime().map_err(RunError::Runtime)?;
    let mut signals = {
        let _context = runtime.enter();
        signals::Signals::new().map_err(RunError::Runtime)?
    };
    say(&format!("http://{address}/?token={token}"));
    let known = known(dsn, logs);
    let stop = async move {
        signals.next().await;
    };
    let served = runtime.block_on(serve(listener, &token, folders, known, stop));
    runtime.shutdown_timeout(LANDING);
    Ok(served?)
}

/// What the pages are told of runs.
fn known(dsn: Option<String>, logs: Option<PathBuf>) -> Known {
    let (of_explain, of_runs) = (dsn.clone(), dsn);
    Known {
        explain: Box::new(move |outputs, id| {
            let beside = || outputs.parent().unwrap_or(Path::new("")).join("logs");
            let logs = logs.clone().unwrap_or_else(beside);
            explain(outputs, of_explain.as_deref(), (id, None), &logs).map_err(|error| causes(&error)).and_then(json)
        }),
        runs: Box::new(move |outputs| {
            let mut runs = json(status(outputs, of_runs.as_deref()).map_err(|error| causes(&error))?.runs)?;
            if let Some(snapshot) = health::read(outputs) {
                let own = runs.as_array_mut().into_iter().flatten().find(|run| run["id"] == snapshot.run.as_str());
                own.map(|run| json(snapshot).map(|told| run["health"] = told)).transpose()?;
            }
            Ok(runs)
        }),
    }
}

fn json(told: impl Serialize) -> Result<Value, String> {
    serde_json::to_value(told).map_err(|error| error.to_string())
}
