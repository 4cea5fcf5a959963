//! `slots`: opens conversations, as many at a time as the run advances, until enough are accepted; keeps the watermark.

use super::Flow;
use super::call::Stop;
use super::events::Event;
use super::quota::{Opening, Quota};
use super::tally::{Completion, Tally};
use super::watermark::{Report, Watermark};
use crate::domain::{Observer, Rank};
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Capability, Exchange as _};
use timely::progress::Antichain;

/// Opens conversations by `quota`, each at its home worker, and tells every worker the watermark: the rank below which
/// nothing changes any more. One worker decides (the first); of the others only the reports of the homes and the
/// outcomes of settled conversations reach it. `report` gets the tally after every change, and the observer hears of every
/// conversation that opens. Ends, with the watermark
/// [`Rank::END`], when the quota is met, or after `stop` when nothing is open any more.
pub fn slots<'scope>(
    outcomes: Flow<'scope, Completion>,
    reports: Flow<'scope, Report>,
    mut quota: Quota,
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
    let (openings, openings_stream) = builder.new_output_connection::<Vec<Opening>, _>(apart.clone());
    let (watermarks, watermarks_stream) = builder.new_output_connection::<Vec<Rank>, _>(apart);
    let (mut openings, mut watermarks) = (OutputBuilder::from(openings), OutputBuilder::from(watermarks));

    builder.build(move |capabilities| {
        let mut open: Option<[Capability<u64>; 2]> = if decides { capabilities.try_into().ok() } else { None };
        let mut homes = Watermark::new(peers as usize);
        let mut watermark = Rank::default();
        move |_| {
            outcomes.for_each(|_, batch| batch.drain(..).for_each(|outcome| quota.end(outcome)));
            reports.for_each(|_, batch| batch.drain(..).for_each(|report| homes.report(report)));
            let Some([opening, marking]) = &open else {
                if decides {
                    report(quota.tally());
                }
                return;
            };
            if stop.admitting.is_cancelled() {
                quota.stop();
            }
            let next = || {
                let opening = quota.open(homes.active())?;
                homes.open(opening.slot.home(peers) as usize, opening.first_rank());
                observer.tell(|| Event::Opened { slot: opening.slot, wave: opening.wave });
                Some(opening)
            };
            openings.activate().session(opening).give_iterator(std::iter::from_fn(next));
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
    (openings_stream.exchange(move |opening| opening.slot.home(peers)), watermarks_stream.broadcast())
}
