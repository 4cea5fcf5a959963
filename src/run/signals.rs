//! Ctrl-C: the first asks the run to stop, the second ends the process.

use crate::operators::Stop;
use crate::output::logs::Console;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long what is in the air may take to land.
const LANDING: Duration = Duration::from_secs(10);

/// Exit status of a run ended by Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Obeys Ctrl-C from now on; the flag tells whether there was one.
pub fn listen(runtime: &Runtime, stop: Stop, say: Console) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        raised.store(true, Ordering::Relaxed);
        say("stopping: calls in flight may land for 10 s; press Ctrl-C again to end at once");
        stop.admitting.cancel();
        if tokio::time::timeout(LANDING, tokio::signal::ctrl_c()).await.is_err() {
            stop.flying.cancel();
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
        }
        std::process::exit(INTERRUPTED.into());
    });
    flag
}
