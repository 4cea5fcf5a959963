//! Which of the first claims to a fingerprint stand beside each other: none that is too close to a lower one that stands.
//!
//! Similarity is not transitive, so what stands is a fixed point over the pairs of similar questions: when the lowest of a chain of
//! three falls away, the second stands, and with it the third falls.

use super::gate::Accepted;
use super::{Asked, Entrant};
use crate::domain::{Fingerprint, Measure, Neighbour, Rank, SettledQuestions, Sketch};
use crate::operators::Flow;
use differential_dataflow::operators::Iterate;
use differential_dataflow::{AsCollection, VecCollection};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

/// How near-duplicates are found, and which questions were there before.
#[derive(Debug, Clone)]
pub struct Near {
    /// When two questions are near-duplicates.
    pub measure: Measure,
    /// Per worker of the process, the settled questions that it begins with.
    before: Arc<[Mutex<SettledQuestions>]>,
}

impl Near {
    /// With a share for each worker of this process of the questions that were asked before the run, or settled by it before it went
    /// on: with their rank, the lowest there is where they are of others.
    pub fn new(measure: Measure, before: Vec<SettledQuestions>) -> Self {
        Self { measure, before: before.into_iter().map(Mutex::new).collect() }
    }

    /// Adds questions that were asked before the run.
    pub fn add(&self, sketches: &[Arc<Sketch>]) {
        for (number, sketch) in sketches.iter().enumerate() {
            self.share(number).insert(Rank::default(), sketch);
        }
    }

    fn share(&self, number: usize) -> MutexGuard<'_, SettledQuestions> {
        self.before[number % self.before.len()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a worker begins with, of those of all processes or of this one: what it takes is gone.
    pub fn take(&self, worker: usize) -> SettledQuestions {
        std::mem::replace(&mut self.share(worker), SettledQuestions::new(self.measure))
    }
}

/// A change to the collection of what stands in the way of a first claim.
type Block = ((Fingerprint, Neighbour), u64, isize);

/// For every first claim that does not stand, what stands in its way: all lower ones that stand and are near-duplicates of it.
/// A settled question stands for good; `settled` tells of each where its fingerprint is at home.
pub(super) fn blockers<'scope>(
    first: VecCollection<'scope, u64, (Fingerprint, Entrant)>,
    settled: Flow<'scope, Accepted>,
    near: &Near,
) -> VecCollection<'scope, u64, (Fingerprint, Neighbour)> {
    let measure = near.measure;
    let compared =
        first.flat_map(|(fingerprint, Entrant { claimant, sketch })| Some((fingerprint, (claimant.rank, sketch?))));
    let blocked = by_settled(compared.clone().inner, settled, near).as_collection();

    // Candidates meet at the hashes of their bands.
    let bands = compared.clone().flat_map(|(fingerprint, (rank, sketch))| {
        let band = |(band, hash): (usize, u32)| ((band as u8, hash), (rank, fingerprint, sketch.clone()));
        let hashes: Vec<_> = sketch.bands().iter().copied().enumerate().collect();
        hashes.into_iter().map(band).collect::<Vec<_>>()
    });
    let bands = bands.arrange_by_key_named("bands");
    let pairs = bands.clone().join_core(bands, move |_, (rank, lower, sketch), (other_rank, higher, other)| {
        let similarity = if rank < other_rank { measure.near(sketch, other) } else { None };
        similarity
            .map(|similarity| (*lower, (*higher, Neighbour { rank: *rank, similarity, text: sketch.text.clone() })))
    });
    let pairs = pairs.distinct();
    // What a settled question is in the way of falls for good. It stays among the pairs: a lower one may be in its way too, which
    // another worker settles later, and the lowest is the one that is told.
    let fallen = blocked.clone().map(|(fingerprint, _)| fingerprint).distinct();
    let open = compared.antijoin(fallen).map(|(fingerprint, _)| fingerprint);
    let standing = open.clone().iterate(|scope, standing| {
        let (open, pairs) = (open.enter(scope), pairs.clone().enter(scope));
        let fallen = pairs.semijoin(standing).map(|(_, (higher, _))| higher).distinct();
        open.map(|fingerprint| (fingerprint, ())).antijoin(fallen).map(|(fingerprint, ())| fingerprint)
    });
    blocked.concat(pairs.semijoin(standing).map(|(_, blocked)| blocked))
}

/// What settled questions stand in the way of which first claims. Every worker keeps its own settled questions, hears of all first
/// claims, and tells of each the lowest of its own that it is too close to, and of every one that is settled later.
fn by_settled<'scope>(
    compared: Flow<'scope, ((Fingerprint, Asked), u64, isize)>,
    settled: Flow<'scope, Accepted>,
    near: &Near,
) -> Flow<'scope, Block> {
    let scope = compared.scope();
    let mut builder = OperatorBuilder::new("by settled".into(), scope);
    let mut compared = builder.new_input(compared.broadcast(), Pipeline);
    let mut settled = builder.new_input(settled, Pipeline);
    let along = [0, 1].map(|input| (input, Antichain::from_elem(0)));
    [0, 1].into_iter().for_each(|input| builder.set_notify_for(input, FrontierInterest::Always));
    let (blocks, stream) = builder.new_output_connection::<Vec<Block>, _>(along);
    let mut blocks = OutputBuilder::from(blocks);
    let mut comparison = Comparison::new(near.measure, near.take(scope.index()));

    builder.build(move |mut capabilities| {
        let mut capability = capabilities.pop();
        let mut open: BTreeMap<u64, Changes> = BTreeMap::new();
        move |frontiers| {
            compared.for_each(|_, batch| {
                for (change, tick, diff) in batch.drain(..) {
                    open.entry(tick).or_default().compared.push((change, diff));
                }
            });
            settled.for_each(|_, batch| {
                batch.drain(..).for_each(|(accepted, tick)| open.entry(tick).or_default().settled.push(accepted));
            });
            let Some(telling) = &mut capability else { return };
            let frontiers = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied());
            let frontier = frontiers.min();
            let later = frontier.map(|tick| open.split_off(&tick)).unwrap_or_default();
            for (tick, changes) in std::mem::replace(&mut open, later) {
                let told = comparison.apply(changes).into_iter().map(|(block, diff)| (block, tick, diff));
                blocks.activate().session(telling).give_iterator(told);
            }
            match frontier {
                Some(tick) => telling.downgrade(&tick),
                None => capability = None,
            }
        }
    });
    stream
}

/// What happens at a tick.
#[derive(Debug, Default)]
struct Changes {
    compared: Vec<((Fingerprint, Asked), isize)>,
    settled: Vec<Asked>,
}

/// What one worker compares: all first claims, with its own settled questions.
#[derive(Debug)]
struct Comparison {
    measure: Measure,
    settled: SettledQuestions,
    claims: HashMap<Fingerprint, FirstClaim>,
    /// The claims by band and hash.
    met: HashMap<(usize, u32), Vec<Fingerprint>>,
}

/// A first claim, and what was told to stand in its way.
#[derive(Debug)]
struct FirstClaim {
    rank: Rank,
    sketch: Arc<Sketch>,
    told: Vec<Neighbour>,
}

impl Comparison {
    fn new(measure: Measure, settled: SettledQuestions) -> Self {
        Self { measure, settled, claims: HashMap::new(), met: HashMap::new() }
    }

    /// What changes of what stands in the way: first go the claims that go, then come the settled questions, then the claims that come.
    fn apply(&mut self, Changes { mut compared, settled }: Changes) -> Vec<((Fingerprint, Neighbour), isize)> {
        let mut told = Vec::new();
        compared.sort_by_key(|(_, diff)| *diff);
        let coming = compared.split_off(compared.partition_point(|(_, diff)| *diff < 0));
        for ((fingerprint, _), _) in compared {
            told.extend(self.remove(fingerprint).into_iter().map(|neighbour| ((fingerprint, neighbour), -1)));
        }
        for (rank, sketch) in settled {
            self.settle(rank, &sketch, |fingerprint, neighbour| told.push(((fingerprint, neighbour), 1)));
        }
        for ((fingerprint, (rank, sketch)), _) in coming {
            told.extend(self.insert(fingerprint, rank, sketch).map(|neighbour| ((fingerprint, neighbour), 1)));
        }
        told
    }

    fn insert(&mut self, fingerprint: Fingerprint, rank: Rank, sketch: Arc<Sketch>) -> Option<Neighbour> {
        let lowest = self.settled.lowest(rank, &sketch);
        for at in sketch.bands().iter().copied().enumerate() {
            self.met.entry(at).or_default().push(fingerprint);
        }
        self.claims.insert(fingerprint, FirstClaim { rank, sketch, told: Vec::from_iter(lowest.clone()) });
        lowest
    }

    fn remove(&mut self, fingerprint: Fingerprint) -> Vec<Neighbour> {
        let Some(FirstClaim { sketch, told, .. }) = self.claims.remove(&fingerprint) else { return Vec::new() };
        for at in sketch.bands().iter().copied().enumerate() {
            if let Some(met) = self.met.get_mut(&at) {
                met.retain(|other| *other != fingerprint);
                if met.is_empty() {
                    self.met.remove(&at);
                }
            }
        }
        told
    }

    fn settle(&mut self, rank: Rank, sketch: &Arc<Sketch>, mut tell: impl FnMut(Fingerprint, Neighbour)) {
        let met = sketch.bands().iter().copied().enumerate().filter_map(|at| self.met.get(&at)).flatten();
        for fingerprint in met.copied().collect::<BTreeSet<_>>() {
            let claim = self.claims.get_mut(&fingerprint).filter(|claim| rank < claim.rank);
            let Some(claim) = claim else { continue };
            if let Some(similarity) = self.measure.near(sketch, &claim.sketch) {
                let neighbour = Neighbour { rank, similarity, text: sketch.text.clone() };
                claim.told.push(neighbour.clone());
                tell(fingerprint, neighbour);
            }
        }
        self.settled.insert(rank, sketch);
    }
}
