//! What makes optimistic acceptance right, undone piece by piece: the tests of the operators or of the graph must notice
//! each (`cargo test --test mutants`).

use std::path::Path;

/// A change that breaks something.
pub struct Mutant {
    /// What no longer holds.
    pub undone: &'static str,
    /// Where.
    pub file: &'static str,
    find: &'static str,
    replace: &'static str,
}

/// All of them.
pub const MUTANTS: [Mutant; 29] = [
    Mutant {
        undone: "a report comes after the verdicts of its tick",
        file: "src/operators/home.rs",
        find: "verdicts.into_iter().for_each(|verdict| self.apply(verdict));
        self.sent.retain(|(at, _)| *at > tick);",
        replace: "self.sent.retain(|(at, _)| *at > tick);
        if !verdicts.is_empty() {
            let report = self.close(tick, vec![]);
            verdicts.into_iter().for_each(|verdict| self.apply(verdict));
            return report;
        }",
    },
    Mutant {
        undone: "claims in flight are pending",
        file: "src/operators/home.rs",
        find: "self.sent.extend(self.decided.iter().map(",
        replace: "self.sent.extend(self.decided.iter().filter(|(_, diff)| *diff < 0).map(",
    },
    Mutant {
        undone: "withdrawals in flight are pending",
        file: "src/operators/home.rs",
        find: "self.sent.extend(self.decided.iter().map(",
        replace: "self.sent.extend(self.decided.iter().filter(|(_, diff)| *diff > 0).map(",
    },
    Mutant {
        undone: "withdrawals decided and not sent are pending",
        file: "src/operators/home.rs",
        find: "let pending = self.decided.iter().map(",
        replace: "let pending = self.decided.iter().filter(|(_, diff)| *diff > 0).map(",
    },
    Mutant {
        undone: "the watermark is a minimum over reports of the same tick",
        file: "src/operators/watermark.rs",
        find: "first.get().len() == self.latest.len()",
        replace: "!first.get().is_empty()",
    },
    Mutant {
        undone: "verdicts wait by their own time, not by that of their message",
        file: "src/operators/accept.rs",
        find: "verdicts.for_each(|_, batch| batch.drain(..).for_each(|verdict| pending.stash(verdict)));",
        replace: "verdicts.for_each(|sent, batch| {
                let tick = sent.stamp().least().map_or(0, |tick| tick.saturating_sub(1));
                batch.drain(..).for_each(|(verdict, _, diff)| pending.stash((verdict, tick, diff)));
            });",
    },
    Mutant {
        undone: "all claims to a settled question leave in one tick",
        file: "src/operators/dedup/gate.rs",
        find: "leaving.into_iter().map(|claim| (claim, tick, -1))",
        replace: "leaving.into_iter().zip(tick..).map(|(claim, tick)| (claim, tick, -1))",
    },
    Mutant {
        undone: "conversations on their way to their home count",
        file: "src/operators/watermark.rs",
        find: "reported.chain(on_their_way)",
        replace: "reported.chain(on_their_way.take(0))",
    },
    Mutant {
        undone: "waves that have not opened count",
        file: "src/operators/slots.rs",
        find: "homes.get(quota.unopened())",
        replace: "homes.get(if quota.is_met() { quota.unopened() } else { Rank { turn: crate::domain::TurnIndex(9), ..quota.unopened() } })",
    },
    Mutant {
        undone: "replies to an earlier epoch of a conversation are dropped",
        file: "src/operators/home.rs",
        find: "path.conversation.epoch == conversation.epoch",
        replace: "path.conversation.slot == conversation.slot",
    },
    Mutant {
        undone: "the last epoch of a conversation is the one that is released",
        file: "src/operators/settle.rs",
        find: "held.epoch < conversation.epoch",
        replace: "held.epoch > conversation.epoch",
    },
    Mutant {
        undone: "a wave sees what was used as of the end of its basis wave",
        file: "src/operators/quota.rs",
        find: "let opening = self.opening(place)?;",
        replace: "let opening = Opening { coverage: self.coverage.clone(), ..self.opening(place)? };",
    },
    Mutant {
        undone: "a roll-back withdraws the claims it takes back",
        file: "src/operators/home.rs",
        find: "self.decided.extend(path.roll_back(at));",
        replace: "path.roll_back(at).for_each(drop);",
    },
    Mutant {
        undone: "a verdict belongs to a question and a rank",
        file: "src/operators/home.rs",
        find: "(step.turn, step.attempt, step.fingerprint) == place",
        replace: "(step.turn, step.attempt) == (place.0, place.1)",
    },
    Mutant {
        undone: "of two claims the lower one wins",
        file: "src/operators/dedup.rs",
        find: "let ruling = |place| if place == 0 {",
        replace: "let ruling = |place| if place + 1 == claims.len() {",
    },
    Mutant {
        undone: "settled questions are remembered",
        file: "src/operators/dedup/gate.rs",
        find: "self.settled.insert(fingerprint);",
        replace: "",
    },
    Mutant {
        undone: "a watermark counts once the verdicts before it are in",
        file: "src/operators/dedup/gate.rs",
        find: "received.pop_front_if(|(tick, _)| *tick <= ruled)",
        replace: "received.pop_front_if(|_| true)",
    },
    Mutant {
        undone: "the verdict of the latest tick is the last one",
        file: "src/operators/dedup/gate.rs",
        find: "diff > 0 && held.ruled.0 <= tick",
        replace: "diff > 0",
    },
    Mutant {
        undone: "a claim that is rejected leaves its fingerprint free",
        file: "src/operators/dedup/gate.rs",
        find: "if is_accepted {",
        replace: "if is_accepted || sketch.is_some() {",
    },
    Mutant {
        undone: "only what stands is in the way: chains are followed",
        file: "src/operators/dedup/near.rs",
        find: "blocked.concat(pairs.semijoin(standing).map(|(_, blocked)| blocked))",
        replace: "{ drop(standing); blocked.concat(pairs.map(|(_, blocked)| blocked)) }",
    },
    Mutant {
        undone: "what is settled is in the way of what comes",
        file: "src/operators/dedup/near.rs",
        find: "let lowest = self.settled.lowest(rank, &sketch);",
        replace: "let lowest: Option<Neighbour> = None;",
    },
    Mutant {
        undone: "what is settled stays in the way of what it was in the way of",
        file: "src/operators/dedup/near.rs",
        find: "for fingerprint in met.copied().collect::<BTreeSet<_>>() {",
        replace: "for fingerprint in met.copied().take(0).collect::<BTreeSet<_>>() {",
    },
    Mutant {
        undone: "what is settled is in the way from the tick at which it leaves",
        file: "src/operators/dedup/near.rs",
        find: "open.entry(tick).or_default().settled.push(accepted)",
        replace: "open.entry(tick + 1).or_default().settled.push(accepted)",
    },
    Mutant {
        undone: "live questions meet in every band",
        file: "src/operators/dedup/near.rs",
        find: "let hashes: Vec<_> = sketch.bands().iter().copied().enumerate().collect();",
        replace: "let hashes: Vec<_> = sketch.bands().iter().copied().enumerate().skip(6).collect();",
    },
    Mutant {
        undone: "settled questions are met in every band",
        file: "src/domain/settled_questions.rs",
        find: "for (hashes, hash) in bands.iter().zip(sketch.bands()) {",
        replace: "for (hashes, hash) in bands.iter().zip(sketch.bands()).skip(6) {",
    },
    Mutant {
        undone: "of two that are too close the lower one stands",
        file: "src/operators/dedup/near.rs",
        find: "let similarity = if rank < other_rank {",
        replace: "let similarity = if rank > other_rank {",
    },
    Mutant {
        undone: "the lowest of several is told",
        file: "src/domain/sketch.rs",
        find: "self.rank.cmp(&other.rank)",
        replace: "other.rank.cmp(&self.rank)",
    },
    Mutant {
        undone: "what blocks the first claim to a fingerprint blocks all",
        file: "src/operators/dedup.rs",
        find: "Ground::Blocked(by) => lowest = lowest.or(Some(Ruling::TooClose(by.clone()))),",
        replace: "Ground::Blocked(by) => lowest = lowest.or(Some(Ruling::TooClose(by.clone()))).filter(|_| grounds.len() == 2),",
    },
    Mutant {
        undone: "a verdict that names another question is another verdict",
        file: "src/operators/home.rs",
        find: "if path.steps[at].ruling.as_ref() == Some(&ruling) {",
        replace: "if before == Some(ruling == Ruling::Stands) {",
    },
];

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Mutant {
    /// The file's text, changed in the one place that it is about.
    pub fn changed(&self, text: &str) -> String {
        let Self { undone, file, find, replace } = self;
        assert_eq!(text.matches(find).count(), 1, "not so that {undone}: `{find}` in {file}");
        text.replacen(find, replace, 1)
    }
}

#[test]
fn every_mutant_changes_one_place() {
    for mutant in MUTANTS {
        mutant.changed(&std::fs::read_to_string(root().join(mutant.file)).expect("UTF-8"));
    }
}
