//! What the ledger tells: what earlier runs have asked, and what this run has settled so far.

use crate::domain::{
    Catalogue, Compared, Coverage, Fingerprint, HeldClaim, Normalisation, QuestionMode, Rank, SettledQuestions, Sketch,
    Slot, Used, Uses,
};
use crate::files::FilesError;
use crate::operators::tally::Dropped;
use crate::operators::{Completion, Near};
use crate::output::coverage_ledger::{self, LedgerRow};
use crate::plan::{NearDuplicates, NearScope};
use crate::store::Settled;
use std::collections::{BTreeMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

/// The past, as a run needs it.
pub struct Earlier {
    /// Usage of what is still in the knowledge base, by other runs.
    pub coverage: Coverage,
    /// Fingerprints of the questions that must not be asked again, in order.
    pub questions: Arc<[Fingerprint]>,
    /// How near-duplicates are found, with the questions that no other may be too close to in shares for the workers of all processes;
    /// none where they are not looked for.
    pub near: Option<Near>,
    /// Questions of other runs that are to be among those, and have no vector yet.
    pub unembedded: Vec<Arc<str>>,
    /// How questions are compared.
    pub normalisation: Normalisation,
    /// What this run has settled, in slot order.
    pub completions: Vec<Completion>,
}

/// What to make of the ledger.
pub struct Past<'a> {
    /// The output folder that has the ledger.
    pub folder: &'a Path,
    /// How much of the ledger counts, in bytes.
    pub length: u64,
    /// How much of it the conversations know of, in bytes; all of it when none. Questions behind that are not asked again
    /// either, but of what they used nothing is known: or else a run would ask something else after another one has come
    /// between.
    pub known: Option<u64>,
    /// How questions are compared in the folder.
    pub normalisation: Normalisation,
    /// What this run has settled, in slot order.
    pub settled: Vec<Settled>,
    /// Questions that settled conversations hold and the ledger does not tell of.
    pub unfinished: Vec<Fingerprint>,
    /// How near-duplicates are found, and the accepted questions of settled conversations that they are looked for of.
    pub near: Option<(NearDuplicates, Claims)>,
    /// Workers of all processes.
    pub workers: usize,
    /// What the run has settled whose replies serve too. This run makes its conversations once more: it knows what that
    /// one knew, and may ask what that one asked.
    pub remade: Vec<Settled>,
}

impl Earlier {
    /// Reads what the ledger tells of earlier runs.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(past: Past, catalogue: &Catalogue) -> Result<Self, FilesError> {
        let Past { folder, length, known, normalisation, settled, unfinished, near, workers, remade } = past;
        let mut near = near.map(|(options, claims)| NearPast::new(options, claims, workers));
        let measure = near.as_ref().map(|near| near.options.measure);
        let mut uses = Uses::none(catalogue);
        let mut questions = unfinished;
        let mut used = vec![Vec::new(); settled.len()];
        let (mut own, mut other) = (Ranges::new(&settled), Ranges::new(&remade));
        let found = |(path, number): &(String, u32)| {
            catalogue.chunk_position(path, *number).zip(catalogue.source_position(path))
        };
        let make = |row: LedgerRow<'_>| {
            let fingerprint = row.fingerprint(normalisation);
            let seeded = !row.seed_topic.is_empty() && !row.seed_question.is_empty();
            let used = Used {
                chunk: row.chunk_number().and_then(|number| catalogue.chunk_position(&row.source_path, number)),
                source: catalogue.source_position(&row.source_path),
                question: (&*row.question).into(),
                seed: seeded.then(|| (row.seed_topic.into(), row.seed_question.into())),
                linked: row.linked.iter().filter_map(found).collect(),
            };
            let alone = !QuestionMode::named(&row.question_mode).is_some_and(QuestionMode::needs_history);
            let sketch = measure.filter(|_| alone).and_then(|measure| {
                let words = Compared { text: (&*row.question).into(), vector: None };
                measure.sketch(&words)
            });
            (fingerprint, used, (alone, sketch))
        };
        let take = |bytes: Range<u64>, (fingerprint, one, (alone, sketch)): (_, Used, (bool, Option<Sketch>))| {
            if other.position(&bytes).is_none() {
                questions.push(fingerprint);
                let position = own.position(&bytes);
                if let Some(near) = near.as_mut().filter(|_| alone) {
                    near.add((&one.question, sketch), position.map(|at| (&settled[at], used[at].len())));
                }
                match position {
                    Some(position) => used[position].push(one),
                    None if known.is_none_or(|known| bytes.start < known) => uses.add(&one),
                    None => {}
                }
            }
            ControlFlow::Continue(())
        };
        coverage_ledger::read(folder, length, make, take)?;
        if !own.is_complete() {
            let detail = "it does not tell of what the run has settled where it was written".to_owned();
            return Err(FilesError::Changed { path: folder.join(coverage_ledger::FILE_NAME), detail });
        }
        questions.sort_unstable();
        questions.dedup();
        let (near, unembedded) = near.map(|near| near.end(&settled)).unzip();
        let unembedded = unembedded.unwrap_or_default();
        let completions = settled.into_iter().zip(used).map(|(settled, used)| completion(settled, used)).collect();
        let coverage = Coverage::new(catalogue, uses);
        Ok(Self { coverage, questions: questions.into(), near, unembedded, normalisation, completions })
    }
}

impl Earlier {
    /// Adds questions that others have asked, and takes what they and those before them have used for what earlier runs have.
    pub fn follow(&mut self, (questions, sketches): &(Vec<Fingerprint>, Vec<Arc<Sketch>>), coverage: Coverage) {
        if let Some(near) = &self.near {
            near.add(sketches);
        }
        let mut all: Vec<_> = self.questions.iter().chain(questions).copied().collect();
        all.sort_unstable();
        all.dedup();
        (self.questions, self.coverage) = (all.into(), coverage);
    }

    /// What was used so far, by other runs and by what this one has settled.
    pub fn used(&self) -> Coverage {
        let mut coverage = self.coverage.clone();
        self.completions.iter().flat_map(|completion| &completion.used).for_each(|used| coverage.add(used));
        coverage
    }
}

/// The accepted questions of settled conversations that near-duplicates are looked for of: those of this run by their conversations, and the
/// texts of those of others that no ledger tells of.
#[derive(Debug, Default)]
pub struct Claims {
    pub own: BTreeMap<Slot, Vec<HeldClaim>>,
    pub others: Vec<Compared>,
}

/// The questions that no other may be too close to, as they are read.
struct NearPast {
    options: NearDuplicates,
    claims: Claims,
    shares: Vec<SettledQuestions>,
    /// How many there are.
    number: usize,
    /// Those of other runs that have a vector, and those that are to have one.
    embedded: HashSet<Arc<str>>,
    unembedded: Vec<Arc<str>>,
}

impl NearPast {
    fn new(options: NearDuplicates, claims: Claims, workers: usize) -> Self {
        let shares = (0..workers).map(|_| SettledQuestions::new(options.measure)).collect();
        let embedded = claims.others.iter().filter(|other| other.vector.is_some()).map(|other| other.text.clone());
        let embedded = embedded.collect();
        Self { options, claims, shares, number: 0, embedded, unembedded: Vec::new() }
    }

    /// A question of the ledger: of a conversation that this run has settled, the one after so many others, or of another run.
    /// Of one that is compared by a vector its conversation's claims tell.
    fn add(&mut self, (text, sketch): (&Arc<str>, Option<Sketch>), own: Option<(&Settled, usize)>) {
        let Some(sketch) = sketch else {
            let is_other = own.is_none() && self.options.scope == NearScope::Folder;
            self.unembedded.extend(Some(text).filter(|text| is_other && !self.embedded.contains(*text)).cloned());
            return;
        };
        let rank = match own {
            Some((settled, before)) => {
                let mut claims = self.claims.own.get(&settled.slot).into_iter().flatten();
                let held = claims.rfind(|claim| usize::from(claim.turn.0) == before + 1 && claim.text.is_none());
                held.map(|claim| rank_of(settled, claim))
            }
            None => Some(Rank::default()).filter(|_| self.options.scope == NearScope::Folder),
        };
        rank.into_iter().for_each(|rank| self.insert(rank, &sketch));
    }

    /// All of them, with those that the ledger does not tell of.
    fn end(mut self, settled: &[Settled]) -> (Near, Vec<Arc<str>>) {
        let Claims { own, others } = std::mem::take(&mut self.claims);
        let measure = self.options.measure;
        for settled in settled {
            for claim in own.get(&settled.slot).into_iter().flatten() {
                let sketch = claim.compared().and_then(|claim| measure.sketch(&claim));
                sketch.into_iter().for_each(|sketch| self.insert(rank_of(settled, claim), &sketch));
            }
        }
        if self.options.scope == NearScope::Folder {
            for other in others {
                match measure.sketch(&other) {
                    Some(sketch) => self.insert(Rank::default(), &sketch),
                    None => self.unembedded.push(other.text),
                }
            }
        }
        self.unembedded.sort_unstable();
        self.unembedded.dedup();
        (Near::new(measure, self.shares), self.unembedded)
    }

    fn insert(&mut self, rank: Rank, sketch: &Sketch) {
        let share = self.number % self.shares.len();
        self.shares[share].insert(rank, sketch);
        self.number += 1;
    }
}

fn rank_of(settled: &Settled, claim: &HeldClaim) -> Rank {
    let Slot { language, index } = settled.slot;
    Rank { language, wave: settled.wave, turn: claim.turn, attempt: claim.attempt, index }
}

/// Where the ledger tells of conversations, walked through from its beginning.
struct Ranges<'a> {
    settled: &'a [Settled],
    at: usize,
    /// Bytes of rows that lie within.
    covered: u64,
}

impl<'a> Ranges<'a> {
    fn new(settled: &'a [Settled]) -> Self {
        Self { settled, at: 0, covered: 0 }
    }

    /// The conversation that the row of these bytes is about. Rows are asked for in order; conversations stand in the
    /// order in which they were written.
    fn position(&mut self, row: &Range<u64>) -> Option<usize> {
        self.at += self.settled[self.at..].iter().take_while(|one| one.ledger.end <= row.start).count();
        let found =
            self.settled.get(self.at).filter(|one| one.ledger.start <= row.start && row.end <= one.ledger.end)?;
        self.covered += row.end - row.start;
        (!found.ledger.is_empty()).then_some(self.at)
    }

    /// Whether there was a row for every byte.
    fn is_complete(&self) -> bool {
        self.covered == self.settled.iter().map(|one| one.ledger.end - one.ledger.start).sum::<u64>()
    }
}

fn completion(settled: Settled, used: Vec<Used>) -> Completion {
    let dropped = settled.dropped.map(|(reason, detail)| Dropped { reason, detail });
    Completion {
        slot: settled.slot,
        wave: settled.wave,
        dropped,
        used,
        duplicates: settled.duplicates,
        turns: settled.turns,
    }
}
