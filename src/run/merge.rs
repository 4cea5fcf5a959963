//! Merge: from the shards of a run, each in a folder of its own, to the files of the whole run. What they asked is accepted once
//! more over all of them, what is missing then is made in a short run of its own, and all of it is written in slot order.

mod shards;

use super::bill::Bill;
use super::conclude::{Ended, summary};
use super::events::Event;
use super::open::{self, Claimed, Others};
use super::prepare::{Prepared, prepare};
use super::summary::{RunEnd, Summary};
use super::writer::first_exchange;
use super::{Host, Ran, RunError, lead, serving};
use crate::domain::{Balance, Fingerprint, Rank, SettledQuestions, Sketch, Slot};
use crate::operators::{Numbering, Stop, Tally};
use crate::plan;
use crate::settings::Settings;
use crate::store::Spending;
use crate::traffic::budget::spent_by;
use shards::{Made, Part};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Conversations that are admitted together.
const GROUP: usize = 256;

/// How to go on with a merge that has not come to its end.
const AGAIN: &str = "the same command again";

/// Merges the shards of a run that lie in these folders, or where shards lie by default, into the output folder of the settings.
///
/// # Errors
/// When shards are missing, not complete, or made by other settings; when something can't be read or written. Nothing is written
/// of the run before all is there that belongs to it.
pub fn merge(settings: &Settings, folders: &[PathBuf], workers: usize, host: &Host) -> Result<Ran, RunError> {
    let began = Instant::now();
    let settings = &*serving::attached(settings)?;
    let prepared = prepare(&Settings { check: false, ..settings.clone() }, &host.listeners)?;
    let catalogue = &prepared.sources.catalogue;
    let mut parts = shards::find(settings, &prepared, folders)?;
    let settings = &shards::settings(settings, &parts);
    let mut all = Vec::new();
    for part in &parts {
        all.append(&mut part.made(settings, catalogue)?);
    }
    all.sort_by_key(|one| one.slot);

    let claimed = open::claim(settings, &prepared, true, Some(shards::digest(&parts, &all)))?;
    if let Some(run) = claimed.is_over(settings, &prepared)? {
        return Ok(Ran::Over(run));
    }
    let earlier = claimed.earlier(settings, &prepared)?;
    let mut near = earlier.near.as_ref().map(|near| near.take(0));
    let questions = accept(&mut all, &earlier.questions, near.as_mut());
    let mut losers = all.iter_mut().filter(|one| one.lost.is_some());
    losers.try_for_each(|one| one.complete(settings, catalogue))?;
    let total = settings.total_samples;
    let missing: u32 = tally(&all, settings).shortfalls(total).iter().map(|short| total - short.accepted).sum();
    let lost = all.iter().filter(|one| one.lost.is_some()).count();
    let (shards, conversations) = (parts.len(), all.len());
    tracing::info!(
        target: "dlgforge.pipeline",
        "[merge] shards={shards} conversations={conversations} asked_by_another_shard={lost} missing={missing}"
    );

    let mut used = earlier.coverage;
    all.iter().flat_map(|one| &one.completion.used).for_each(|one| used.add(one));
    let mut rest = None;
    if missing > 0 {
        let others = Others {
            merged: claimed.identity.merged.clone().unwrap_or_default(),
            numbering: numbering(&parts, settings.languages.len()),
            completions: all.iter().map(|one| one.completion.clone()).collect(),
            questions,
            coverage: used.clone(),
            spent: parts.iter().try_fold(Spending::default(), |sum, part| {
                spent_by(&*part.store, &part.run.id).map(|spent| sum.plus(spent))
            })?,
        };
        let own = shards::settings_of_rest(settings);
        match host.watched(&own.output.folder, |host| lead(&own, workers, None, Some(others), host))? {
            Ran::Made(made) if !made.end.state().is_over() => {
                return Ok(Ran::Made(Box::new(Summary { again: AGAIN.to_owned(), ..*made })));
            }
            Ran::Made(made) => rest = Some(made),
            Ran::Over(_) | Ran::Part => {}
        }
        let part = Part::rest(&own)?;
        let mut made = part.made(settings, catalogue)?;
        made.iter().flat_map(|one| &one.completion.used).for_each(|one| used.add(one));
        parts.push(part);
        all.append(&mut made);
        all.sort_by_key(|one| one.slot);
    }
    let asked = plan::document_languages(settings.plan.coverage.match_language, catalogue, &settings.languages);
    let mut bill = Bill { languages: settings.languages.iter().map(ToString::to_string).collect(), ..Bill::default() };
    for part in &parts {
        bill.spent.append(&mut part.store.spent(&part.run.id)?);
        bill.tiers.append(&mut part.store.tiers(&part.run.id)?);
    }
    let took = began.elapsed();
    let ended = write(settings, &prepared, claimed, &all, used.balance(&asked), host)?;
    let mut summary = summary(settings, &prepared, Ended { bill, took, ..ended });
    if let Some(rest) = rest {
        (summary.meter, summary.searches) = (rest.meter, rest.searches);
    }
    Ok(Ran::Made(Box::new(Summary { again: AGAIN.to_owned(), ..summary })))
}

/// Accepts the questions of all conversations once more, in the order of their ranks and after those that were asked `before`: of
/// two that are the same, or too close, the later is rejected, and its conversation dropped. The questions that were accepted, and what
/// near-duplicates of them are found by.
fn accept(
    all: &mut [Made],
    before: &[Fingerprint],
    mut near: Option<&mut SettledQuestions>,
) -> (Vec<Fingerprint>, Vec<Arc<Sketch>>) {
    let claims = all.iter_mut().enumerate().flat_map(|(at, one)| {
        std::mem::take(&mut one.claims).into_iter().map(move |(rank, question, sketch)| (rank, at, question, sketch))
    });
    let mut claims: Vec<(Rank, usize, Fingerprint, Option<Arc<Sketch>>)> = claims.collect();
    claims.sort_unstable();
    let mut asked: HashMap<Fingerprint, Option<Slot>> = before.iter().map(|question| (*question, None)).collect();
    let (mut accepted, mut sketches) = (Vec::new(), Vec::new());
    for (rank, at, question, sketch) in claims {
        if all[at].lost.is_some() {
            continue;
        }
        let compared = near.as_deref_mut().zip(sketch);
        let close = compared.as_ref().and_then(|(near, sketch)| near.lowest(rank, sketch));
        match asked.entry(question) {
            Entry::Occupied(by) => all[at].lost = Some((rank.turn, *by.get())),
            Entry::Vacant(_) if let Some(close) = close => {
                let slot = Some(close.rank.slot()).filter(|_| close.rank != Rank::default());
                all[at].lost = Some((rank.turn, slot));
            }
            Entry::Vacant(free) => {
                free.insert(Some(rank.slot()));
                accepted.push(question);
                if let Some((near, sketch)) = compared {
                    near.insert(rank, &sketch);
                    sketches.push(sketch);
                }
            }
        }
    }
    (accepted, sketches)
}

/// What became of all these conversations.
fn tally(all: &[Made], settings: &Settings) -> Tally {
    let mut tally = Tally { languages: vec![Default::default(); settings.languages.len()], ..Tally::default() };
    all.iter().for_each(|one| tally.count(one.completion.clone()));
    tally
}

/// The numbers that are free after those of all parts, by language.
fn numbering(parts: &[Part], languages: usize) -> Vec<Numbering> {
    let mut numbering = vec![Numbering::default(); languages];
    for settled in parts.iter().flat_map(|part| &part.settled) {
        let Numbering { slots, waves } = &mut numbering[usize::from(settled.slot.language.0)];
        slots.first = slots.first.max(settled.slot.index + 1);
        waves.first = waves.first.max(settled.wave.0 + 1);
    }
    numbering
}

/// Writes the files of the run: what a merge before has written already stays.
fn write(
    settings: &Settings,
    prepared: &Prepared,
    claimed: Claimed,
    all: &[Made],
    balance: Option<Balance>,
    host: &Host,
) -> Result<Ended, RunError> {
    let began = Instant::now();
    let (run_id, seed) = (claimed.identity.run_id.clone(), claimed.identity.seed);
    let stop = Stop::default();
    let signalled = (host.obey)(stop.clone());
    let (total, meter) = (all.len() as u64, &prepared.shared.meter);
    let (run, languages) = (&*run_id, settings.languages.as_slice());
    host.listeners.tell(&Event::Started { run, languages, total, meter });
    let (mut recorder, written) = claimed.recorder(settings, prepared)?;
    let (mut tally, mut example, mut done) = (tally(&[], settings), None, 0);
    for (at, one) in all.iter().enumerate() {
        if stop.admitting.is_cancelled() {
            break;
        }
        if at >= written {
            let (conversation, stamp) = one.conversation(settings, &prepared.sources.catalogue)?;
            let rendered = recorder.renderer().render_at(&conversation, stamp)?;
            host.listeners.tell(&Event::Settled(&rendered.about));
            recorder.record(rendered)?;
            example = example.or_else(|| first_exchange(&conversation));
            if at % GROUP == GROUP - 1 {
                recorder.admit()?;
            }
        }
        tally.count(one.completion.clone());
        host.listeners.tell(&Event::Progress(&tally));
        done = at + 1;
    }
    host.listeners.tell(&Event::Ended(&tally));
    let signal = signalled.get().copied().filter(|_| done < all.len());
    let end = RunEnd::of(settings, &tally, signal, None);
    let files = recorder.finish(end.state(), balance)?;
    let (left, bill, took, elapsed) = (all.len() - done, Bill::default(), began.elapsed(), began.elapsed());
    Ok(Ended { run_id, seed, end, tally, left, bill, balance, example, files, took, elapsed })
}
