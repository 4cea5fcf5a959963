//! `slots`: opens conversations, as many at a time as the run advances, until enough are accepted; keeps the watermark.

use super::Flow;
use super::call::Stop;
use super::events::Event;
use super::news::{News, follow};
use super::quota::{Opening, Quota};
use super::tally::{Completion, Tally};
use super::watermark::{Report, Watermark};
use crate::domain::{Observer, Rank};
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Capability, Concat, Exchange as _};
use timely::progress::Antichain;

/// Opens conversations by `quota`, each at the worker with the fewest, which is its home from then on, and tells every worker the
/// watermark: the rank below which nothing changes any more. One worker decides (the first); of the others only the reports of
/// the homes and the outcomes of settled conversations reach it. Every process has `threads` workers. `report` gets the tally
/// after every change, and the observer hears of every conversation that opens. Ends, with the watermark [`Rank::END`], when the
/// quota is met, or after `stop` when nothing is open any more.
pub fn slots<'scope>(
    outcomes: Flow<'scope, Completion>,
    reports: Flow<'scope, Report>,
    mut quota: Quota,
    threads: usize,
    stop: Stop,
    observer: Observer<Event>,
    report: impl Fn(&Tally) + 'static,
) -> (Flow<'scope, Opening>, Flow<'scope, Rank>) {
    let scope = outcomes.scope();
    let (decides, peers) = (scope.index() == 0, scope.peers() as u64);
    let apart: Vec<(usize, Antichain<u64>)> = Vec::new();
    let mut builder = OperatorBuilder::new("slots".into(), scope);
    let mut outcomes = builder.new_input_connection(outcomes, Exchange::new(|_: &Completion| 0), apart.clone());
    let mut reports = builder.new_input_connection(reports, Exchange::new(|_: &Report| 0), apart.clone());
    let (openings, openings_stream) = builder.new_output_connection::<Vec<(u64, Opening)>, _>(apart.clone());
    let (watermarks, watermarks_stream) = builder.new_output_connection::<Vec<Rank>, _>(apart.clone());
    let (news, news_stream) = builder.new_output_connection::<Vec<(u64, News)>, _>(apart);
    let (mut openings, mut watermarks) = (OutputBuilder::from(openings), OutputBuilder::from(watermarks));
    let mut news = OutputBuilder::from(news);
    let threads = threads as u64;
    let others = move || (threads..peers).step_by(threads as usize);

    builder.build(move |capabilities| {
        let mut open: Option<[Capability<u64>; 3]> = if decides { capabilities.try_into().ok() } else { None };
        let mut homes = Watermark::new(peers as usize);
        let mut watermark = Rank::default();
        let mut is_told = false;
        move |_| {
            outcomes.for_each(|_, batch| batch.drain(..).for_each(|outcome| quota.end(outcome)));
            reports.for_each(|_, batch| batch.drain(..).for_each(|report| homes.report(report)));
            let Some([opening, marking, telling]) = &open else {
                if decides {
                    report(quota.tally());
                }
                return;
            };
            if stop.admitting.is_cancelled() {
                quota.stop();
            }
            let mut latest = quota.take_news();
            if !std::mem::replace(&mut is_told, true) {
                latest = quota.beginning().collect();
            }
            let (mut opened, mut told) = (openings.activate(), news.activate());
            let (mut opened, mut told) = (opened.session(opening), told.session(telling));
            told.give_iterator(others().flat_map(|other| latest.iter().map(move |one| (other, one.clone()))));
            while let Some(opening) = quota.open(homes.active()) {
                let (slot, wave, home) = (opening.slot, opening.wave, homes.idlest() as u64);
                homes.open(home as usize, opening.first_rank());
                observer.tell(|| Event::Opened { slot, wave });
                match home / threads {
                    0 => opened.give((home, opening)),
                    process => told.give((process * threads, News::Opened(home, slot, wave))),
                }
            }
            drop((opened, told));
            let cut_short = quota.is_stopped() && homes.active() == 0;
            let reached = if cut_short { Rank::END } else { homes.get(quota.unopened()) };
            if reached != watermark {
                watermark = reached;
                watermarks.activate().session(marking).give(watermark);
            }
            quota.observe(&homes);
            report(quota.tally());
            if quota.is_met() || cut_short {
                open = None;
            }
        }
    });
    // What each of them knows stays within its process.
    let openings = openings_stream.concat(follow(news_stream));
    let openings = openings.exchange(|(home, _)| *home).map(|(_, opening)| opening);
    (openings, watermarks_stream.broadcast())
}
