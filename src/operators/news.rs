//! `follow`: what the other processes of a cluster learn of the waves, told once to each and not with every conversation.

use super::Flow;
use super::quota::{LanguageWave, Opening};
use crate::domain::{Coverage, Slot, Used, Wave};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

/// What the process that decides tells another one. All of it reaches the first worker there, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum News {
    /// What was used when the run began or went on.
    Began(Arc<Coverage>),
    /// Conversations of a wave may open. They know of this coverage; without one, of all that has been told.
    Admitted(LanguageWave, Option<Arc<Coverage>>),
    /// A wave has ended: what its accepted questions used, in slot order.
    Ended(LanguageWave, #[serde(with = "super::crossing")] Vec<Used>),
    /// A conversation opens, whose home is this worker there, in this slot and wave.
    Opened(u64, Slot, Wave),
}

/// What a process has been told.
#[derive(Default)]
struct Told {
    coverage: Arc<Coverage>,
    /// What conversations know, by the wave they belong to, of waves that have not ended.
    waves: BTreeMap<LanguageWave, Arc<Coverage>>,
}

impl Told {
    /// Takes news; the conversation that opens, if one does, with its home.
    fn take(&mut self, news: News) -> Option<(u64, Opening)> {
        match news {
            News::Began(coverage) => self.coverage = coverage,
            News::Admitted(wave, coverage) => {
                self.waves.insert(wave, coverage.unwrap_or_else(|| self.coverage.clone()));
            }
            News::Ended(wave, used) => {
                let coverage = Arc::make_mut(&mut self.coverage);
                used.iter().for_each(|used| coverage.add(used));
                self.waves.remove(&wave);
            }
            News::Opened(home, slot, wave) => {
                let coverage = self.waves.get(&(slot.language, wave)).cloned().unwrap_or_default();
                return Some((home, Opening { slot, wave, coverage }));
            }
        }
        None
    }
}

/// Keeps what was used up to each wave as `news` tell, each with the number of the worker it is for, and opens the
/// conversations that they name, each with its home.
pub fn follow<'scope>(news: Flow<'scope, (u64, News)>) -> Flow<'scope, (u64, Opening)> {
    let to = Exchange::new(|(worker, _): &(u64, News)| *worker);
    news.unary::<CapacityContainerBuilder<Vec<_>>, _, _, _>(to, "follow", |_, _| {
        let mut told = Told::default();
        move |input, output| {
            input.for_each(|capability, news| {
                let opened = news.drain(..).filter_map(|(_, news)| told.take(news));
                output.session(&capability).give_iterator(opened);
            });
        }
    })
}
