//! Prepare: everything is read that a run needs, before anything is written.

use super::events::{Event, Listeners};
use super::inputs::Sources;
use super::{RunError, shutdown};
use crate::llm::Prices;
use crate::output::Stamp;
use crate::providers::{Observers, Shared};
use crate::servers::Serving;
use crate::settings::Settings;

/// What a run works on, read before anything is written.
pub struct Prepared {
    /// What its models share.
    pub shared: Shared,
    /// Documents, prompts, personas, topics and models.
    pub sources: Sources,
    /// The clock that gives its rows their timestamps.
    pub stamp: Stamp,
}

/// Reads what a run needs. Models that go out of service are warned of.
///
/// # Errors
/// When something can't be used.
pub fn prepare(settings: &Settings, listeners: &Listeners) -> Result<Prepared, RunError> {
    let shared = shared(settings, listeners)?;
    let sources = Sources::read(settings, &shared, &|progress| listeners.tell(&Event::Preparing(progress)))?;
    listeners.tell(&Event::Prepared);
    let stamp = stamp()?;
    shutdown::warn(settings, &shared.prices, stamp.now());
    Ok(Prepared { shared, sources, stamp })
}

/// What the models of the settings share.
///
/// # Errors
/// When the table of prices can't be read.
pub fn shared(settings: &Settings, listeners: &Listeners) -> Result<Shared, RunError> {
    let observers = Observers { calls: listeners.observer(), traffic: listeners.observer() };
    let prices = Prices::load(settings.prices.as_deref())?;
    let shared = Shared::new(prices, settings.budget, settings.max_outage, observers).at_most(settings.concurrency);
    let shared = if settings.check { shared.checking(settings.max_outage) } else { shared };
    Ok(if settings.serving == Serving::Api { shared } else { shared.watching_queues() })
}

/// The clock that gives rows their timestamps.
///
/// # Errors
/// When the environment fixes it to what is no moment.
pub fn stamp() -> Result<Stamp, RunError> {
    Ok(Stamp::from_env(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?)
}
