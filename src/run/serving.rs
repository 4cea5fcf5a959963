//! The model servers of a run: attached ones are looked at, and its own started, before anything is asked of them.

use super::RunError;
use super::events::{Event, Listeners};
use super::knowledge::waited;
use crate::providers::attach;
use crate::servers::{Managed, Serving, start};
use crate::settings::Settings;
use std::borrow::Cow;
use tokio::runtime::Runtime;

/// The servers of a run, with the threads that keep them alive. They are ended when this is dropped, which waits for that.
pub struct Servers {
    runtime: Runtime,
    managed: Option<Managed>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some(managed) = self.managed.take() {
            self.runtime.block_on(managed.stop());
        }
    }
}

/// The settings with what attached servers say of their models; they are all looked at.
///
/// # Errors
/// When one of them can't be used.
pub fn attached(settings: &Settings) -> Result<Cow<'_, Settings>, RunError> {
    if settings.serving != Serving::Attached {
        return Ok(Cow::Borrowed(settings));
    }
    let agents = waited(attach(&settings.agents))??;
    Ok(Cow::Owned(Settings { agents, ..settings.clone() }))
}

/// The same where nothing is to be asked of them: only a model that nobody has named is worth a look.
///
/// # Errors
/// When one of them can't be used.
pub fn named(settings: &Settings) -> Result<Cow<'_, Settings>, RunError> {
    let mut endpoints = settings.agents.iter().flat_map(|(_, agent)| &agent.endpoints);
    if endpoints.any(|endpoint| endpoint.model.is_empty()) { attached(settings) } else { Ok(Cow::Borrowed(settings)) }
}

/// Starts the servers of a run, if it has any of its own, and waits until they are ready. That takes minutes: whether the run may
/// go ahead is to be known before.
///
/// # Errors
/// When they can't be started.
pub fn started(settings: &Settings, listeners: &Listeners) -> Result<Option<Servers>, RunError> {
    let Serving::Managed(options) = &settings.serving else { return Ok(None) };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).thread_name("servers").enable_all().build().map_err(RunError::Runtime)?;
    let managed = runtime.block_on(start(options, listeners.observer()));
    listeners.tell(&Event::Prepared);
    Ok(Some(Servers { managed: Some(managed?), runtime }))
}
