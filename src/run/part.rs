//! The part of a process in a run that several processes make together.

use super::RunError;
use super::events::Listeners;
use super::execute::Works;
use super::identity::Identity;
use super::open::{self, Claimed, Work};
use super::prepare::{Prepared, prepare};
use super::{Host, manifest, serving, signals};
use crate::cluster::{
    Begin, Call, ClusterError, Hub, Manifest, Member, Mesh, Remote, Reply, Served, Shape, Stopping, Supervisor, Totals,
    Welcome, serve, variables,
};
use crate::domain::{Compared, Fingerprint, Measure, Normalisation, Rank, SettledQuestions};
use crate::operators::Near;
use crate::operators::{Quota, Target};
use crate::output::{Renderer, RunFacts};
use crate::servers::Serving;
use crate::settings::{ClusterSettings, Settings};
use crate::store::Store;
use crate::traffic::desk::{Desk, Told, withdrawn};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often a process tells what its calls have come to.
const TELLING: Duration = Duration::from_secs(1);

/// One process of a cluster.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its number; the first, 0, has the output folder.
    pub process: usize,
    /// Where the first process listens.
    hub: String,
    /// The id that the run is to have where the settings give none.
    pub run: Option<String>,
    /// How long the run may take, where that is limited.
    pub limit: Option<Duration>,
    /// Whether the cluster has been started before: then the run goes on if it has begun.
    pub is_restarted: bool,
    /// Who starts it again.
    supervisor: Supervisor,
}

impl Part {
    /// What the environment says that this process is; none for one that is to start others.
    pub fn of(env: &BTreeMap<String, String>) -> Option<Self> {
        let number = |name: &str| env.get(name)?.parse::<usize>().ok();
        let task = || Some(number(variables::FIRST_TASK)? + number("SLURM_PROCID")?);
        Some(Self {
            process: number(variables::PROCESS).or_else(task)?,
            hub: env.get(variables::HUB)?.clone(),
            run: env.get(variables::RUN).cloned(),
            limit: number(variables::LIMIT).map(|seconds| Duration::from_secs(seconds as u64)),
            is_restarted: number(variables::RESTARTS).is_some_and(|restarts| restarts > 0),
            supervisor: Supervisor::named(env.get(variables::SUPERVISOR)?)?,
        })
    }

    /// Whether its supervisor is at the other end of the standard input.
    pub fn has_line(&self) -> bool {
        self.supervisor != Supervisor::Far
    }
}

/// What all processes of a run must have in common.
fn shape(cluster: &ClusterSettings) -> Shape {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Shape { version, processes: cluster.processes, workers: cluster.workers }
}

/// The first process of a cluster, with the settings by which it is one.
pub struct Lead<'a> {
    cluster: &'a ClusterSettings,
    hub: Arc<Hub>,
}

impl<'a> Lead<'a> {
    /// Listens for the others.
    pub fn listen(cluster: &'a ClusterSettings, part: &Part) -> Result<Self, RunError> {
        let secret = cluster.secret.reveal().to_owned();
        let lost = |process, why: &str| signals::lose(&format!("process {process} is lost: {why}"));
        Ok(Self { cluster, hub: Arc::new(Hub::listen(&part.hub, secret, shape(cluster), lost)?) })
    }

    /// Waits for the others, and demands that they have read the same.
    pub fn gather(&self, settings: &Settings, prepared: &Prepared, claimed: &Claimed) -> Result<(), RunError> {
        let welcome = Welcome {
            facts: prepared.sources.facts(settings, &claimed.identity),
            output: settings.output.as_text(),
            stamp: prepared.stamp,
            manifest: claimed.manifest.clone(),
            reuse: claimed.reuse.clone(),
        };
        Ok(self.hub.gather(self.cluster.patience, &welcome)?)
    }

    /// Has the others begin, and connects to them.
    pub fn begin(
        &self,
        works: &Works,
        prepared: &Prepared,
        store: Arc<dyn Store>,
        work: &Work,
    ) -> Result<Mesh, RunError> {
        let (run, meter, halt) = (works.run_id.clone(), prepared.shared.meter.clone(), prepared.shared.halt.clone());
        let (stop, signalled) = (works.stop.clone(), works.signalled.clone());
        let (handle, landing) = (works.runtime.handle().clone(), works.runtime.handle().clone());
        let answering = Arc::new(prepared.shared.answering());
        let served = Served {
            call: Box::new(move |process, call, answer| match call {
                Call::Traffic(asked) => {
                    let answering = answering.clone();
                    handle.spawn(async move { answer(Reply::Traffic(answering.answer(process, asked).await)) });
                }
                call => answer(serve(&*store, &run, call)),
            }),
            reading: Box::new(move |process, reading| meter.elsewhere(process, reading)),
            stop: Box::new(move |stopping| match stopping {
                Stopping::Failure(reason) => _ = halt.halt(reason),
                Stopping::Asked(code) => {
                    _ = signalled.set(signals::Signal::of(code));
                    signals::land(&landing, stop.clone());
                }
            }),
        };
        let (hub, stop) = (self.hub.clone(), works.stop.clone());
        works.runtime.spawn(async move {
            stop.admitting.cancelled().await;
            hub.stop(false);
            stop.flying.cancelled().await;
            hub.stop(true);
        });
        let ClusterSettings { processes, workers, .. } = *self.cluster;
        let of_process = |process: usize| {
            let home = |one: &Fingerprint| one.home() as usize % (processes * workers) / workers;
            let theirs = process * workers..(process + 1) * workers;
            let shares = theirs.flat_map(|worker| work.near.as_ref().map(|near| near.take(worker)));
            let near = shares.flat_map(|share| share.iter().collect::<Vec<_>>()).collect();
            (work.earlier.iter().copied().filter(|one| home(one) == process).collect(), near)
        };
        Ok(connected(self.hub.begin(served, of_process))?)
    }

    /// Waits for the others, and has them end.
    pub fn end(&self, prepared: &Prepared) {
        for (process, totals) in self.hub.end() {
            prepared.shared.meter.elsewhere(process, totals.reading);
            prepared.sources.searches.elsewhere(process, totals.searches);
        }
    }

    /// How many processes there are.
    pub fn processes(&self) -> usize {
        self.cluster.processes
    }

    /// Has the others end: for this reason, or because there is nothing to do.
    pub fn dismiss(&self, why: Option<&str>) {
        self.hub.dismiss(why);
    }
}

/// Takes part in the run of another process, to its end.
///
/// # Errors
/// When it can't join, has not read the same, or a worker fails.
pub fn take_part(settings: &Settings, cluster: &ClusterSettings, part: &Part, host: &Host) -> Result<(), RunError> {
    let secret = cluster.secret.reveal().to_owned();
    let lost = |why: &str| signals::lose(&format!("the first process is lost: {why}"));
    let joining = (secret, part.process, shape(cluster));
    let member = Arc::new(Member::join(&part.hub, joining, cluster.patience, lost)?);
    let welcome = match member.welcome() {
        Ok(Some(welcome)) => welcome,
        Ok(None) => return Ok(()),
        // The first process, which tells why, is seen by the same user.
        Err(ClusterError::Refused(_)) if part.supervisor != Supervisor::Own => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let settings = &*serving::attached(settings)?;
    let Welcome { facts, output, stamp, reuse, .. } = welcome;
    let (prepared, manifest) = read(settings, &facts, &host.listeners).inspect_err(|error| {
        member.failed(crate::domain::causes::causes(error));
    })?;
    // On one machine those of the first process serve all.
    let has_own = part.supervisor != Supervisor::All && matches!(settings.serving, Serving::Managed(_));
    let _servers = if has_own { serving::started(settings, &host.listeners)? } else { None };
    let begin = member.ready(manifest)?;
    let mesh = connected(member.connect(&begin))?;
    let learning = member.clone();
    prepared.shared.keep_facts(move |fact| Remote(learning.clone()).learn(fact));
    prepared.shared.ask_at(&desk(member.clone()), !has_own);
    let replies = Arc::new(Remote(member.clone()));
    let works = Works::start(settings, &prepared, &facts, (replies, reuse), facts.normalisation, host)?;
    tell_along(&works, &prepared, &member);
    let work = work(settings, begin, facts.normalisation, cluster.workers);
    let renderer = Renderer::new(output, facts, stamp, prepared.sources.catalogue.clone());
    works.run(cluster.workers, &work, Some(mesh), &host.listeners, &renderer.into(), |_, _| {})?;
    works.journal.end();
    let (reading, searches) = (prepared.shared.meter.read(), prepared.sources.searches.read());
    member.end(Totals { reading, searches });
    Ok(())
}

/// The connections between processes. One that is gone before they are made is lost.
fn connected(mesh: Result<Mesh, ClusterError>) -> Result<Mesh, ClusterError> {
    mesh.inspect_err(|error| {
        if matches!(error, ClusterError::Unreached { .. } | ClusterError::Unconnected(_)) {
            signals::lose(&error.to_string());
        }
    })
}

/// Where a member asks about traffic and budget.
fn desk(member: Arc<Member>) -> Desk {
    Desk::new(move |asked| {
        let (answer, told) = oneshot::channel();
        let member = member.clone();
        let asking = member.clone();
        let take = Box::new(move |reply| {
            if let Reply::Traffic(told) = reply {
                // Dropped where nobody waits for it any more.
                _ = answer.send(Decided { told: Some(told), member: asking });
            }
        });
        member.ask(Call::Traffic(asked), take);
        Box::pin(async move {
            let told = told.await.ok().and_then(|mut decided: Decided| decided.told.take());
            told.unwrap_or(Told::Halted("the first process has gone".into()))
        })
    })
}

/// What was decided, until somebody takes it; what nobody takes is given back.
struct Decided {
    told: Option<Told>,
    member: Arc<Member>,
}

impl Drop for Decided {
    fn drop(&mut self) {
        if let Some(back) = self.told.take().and_then(|told| withdrawn(&told)) {
            self.member.ask(Call::Traffic(back), Box::new(drop));
        }
    }
}

/// Reads what a run needs; what it follows from.
fn read(settings: &Settings, facts: &RunFacts, listeners: &Listeners) -> Result<(Prepared, Manifest), RunError> {
    let prepared = prepare(settings, listeners)?;
    let RunFacts { run_id, seed, normalisation, .. } = facts;
    let (run_id, seed, normalisation) = (run_id.clone(), *seed, *normalisation);
    let identity = Identity { run_id, seed, resumed: None, known: None, normalisation, merged: None };
    let manifest = manifest::manifest(settings, &prepared.sources, &identity);
    Ok((prepared, manifest))
}

/// What a process does that decides nothing: the conversations that it is told to open.
fn work(settings: &Settings, begin: Begin, normalisation: Normalisation, workers: usize) -> Work {
    let languages = settings.languages.len() as u16;
    let none = Target { total: 0, languages, batch_size: 1, concurrency: 1, lookahead: 1 };
    Work {
        quota: Quota::new(none, Default::default()),
        retries: open::retries(settings),
        earlier: begin.earlier.into(),
        near: settings.plan.coverage.near.map(|options| near(options.measure, &begin.near, workers)),
        normalisation,
        reuse: None,
        judge_check: None,
    }
}

/// How near-duplicates are found by so many workers, with the questions that no other may be too close to.
fn near(measure: Measure, questions: &[(Rank, Compared)], workers: usize) -> Near {
    let mut shares: Vec<_> = (0..workers).map(|_| SettledQuestions::new(measure)).collect();
    for (number, (rank, question)) in questions.iter().enumerate() {
        measure.sketch(question).into_iter().for_each(|sketch| shares[number % workers].insert(*rank, &sketch));
    }
    Near::new(measure, shares)
}

/// Stops with the cluster, and tells it of what concerns it.
fn tell_along(works: &Works, prepared: &Prepared, member: &Arc<Member>) {
    let (stop, stopping) = (works.stop.clone(), works.stop.clone());
    let is_told = Arc::<AtomicBool>::default();
    let telling = is_told.clone();
    member.on_stop(move |at_once| {
        telling.store(true, Ordering::SeqCst);
        if at_once { stopping.now() } else { stopping.admitting.cancel() }
    });
    let (told, halt, journal) = (member.clone(), prepared.shared.halt.clone(), works.journal.clone());
    let signalled = works.signalled.clone();
    works.runtime.spawn(async move {
        stop.admitting.cancelled().await;
        if is_told.load(Ordering::SeqCst) {
            return;
        }
        let failure = halt.reason().map(str::to_owned).or_else(|| journal.failure().map(ToString::to_string));
        let asked = || Stopping::Asked(signalled.get().map_or(1, |signal| signal.exit_code()));
        told.stop(failure.map_or_else(asked, Stopping::Failure));
    });
    let (telling, meter) = (member.clone(), prepared.shared.meter.clone());
    works.runtime.spawn(async move {
        loop {
            tokio::time::sleep(TELLING).await;
            telling.tell(meter.read());
        }
    });
}
