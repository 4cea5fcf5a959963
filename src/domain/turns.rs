//! What is counted of turns.

use super::findings::Label;
use super::{
    Acceptance, Agreement, Calibration, Conversation, Delivered, Findings, NearDuplicate, Outcome, TooClose, Turn,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many turns there are, and how many of them something is to be said about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Turns {
    /// All that were made.
    pub all: u64,
    /// Those that were answered without any retrieved passage.
    pub unretrieved: u64,
    /// Those whose answer has numbers that stand in no passage.
    pub unsupported: u64,
    /// Those whose answer cites what was not retrieved.
    pub unknown_citations: u64,
    /// Those whose verdict does not meet `judge.accept`.
    pub flagged: u64,
    /// Those that were answered again because the judge rejected an answer.
    pub repaired: u64,
    /// Turns that were made again because the judge rejected them.
    pub regenerated: u64,
    /// Questions that were rejected because another one is too close.
    pub near_duplicates: u64,
    /// The one of these that is the least close to the other.
    pub least_close: Option<NearDuplicate>,
    /// Questions and answers that were rejected for what they have in common with a held-out text, by where that stands.
    pub contaminated: BTreeMap<Arc<str>, Contaminated>,
    /// Those without a verdict, of their own or on the whole conversation.
    pub unjudged: u64,
    /// Verdicts on those of accepted conversations, and on such conversations.
    pub verdicts: u64,
    /// The sum of the scores that these give.
    pub scores: u64,
    /// Those with labels that `checks` do not accept.
    pub unchecked: u64,
    /// Those with data about persons.
    pub pii: u64,
    /// Those whose answer says that it is not known.
    pub abstentions: u64,
    /// How the judge scored answers, and the same with faults put in.
    pub calibration: Calibration,
    /// How far the judges of a jury agree.
    pub agreement: Agreement,
    /// What those of accepted conversations hold of what shares ask for.
    pub delivered: Delivered,
}

/// How many messages were rejected for what they have in common with a held-out text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contaminated {
    /// Questions, every attempt counted.
    pub questions: u64,
    /// Answers, every attempt counted.
    pub answers: u64,
}

/// Those of a conversation, by where the held-out text stands.
fn contaminated(conversation: &Conversation) -> BTreeMap<Arc<str>, Contaminated> {
    let mut counts = BTreeMap::<_, Contaminated>::new();
    for (_, near) in conversation.near_duplicates() {
        if let TooClose::HeldOut(overlap) = &near.neighbour {
            counts.entry(overlap.held_out.clone()).or_default().questions += 1;
        }
    }
    let turns = conversation.turns.iter().flat_map(|turn| turn.regenerated.iter().chain([turn]));
    for turn in turns.chain(&conversation.round.regenerated) {
        let answers = turn.rejected.iter().map(|one| &one.answer).chain([&turn.answer]);
        for Findings { answer_labels, held_out, .. } in answers.map(|answer| &answer.findings) {
            if let Some(overlap) = held_out.as_ref().filter(|_| answer_labels.contains(&Label::Contaminated)) {
                counts.entry(overlap.held_out.clone()).or_default().answers += 1;
            }
        }
    }
    counts
}

/// The one that is the least close to another question.
fn least_close(near: impl Iterator<Item = NearDuplicate>) -> Option<NearDuplicate> {
    near.filter_map(|one| Some((one.neighbour.question()?.similarity, one.question.clone(), one)))
        .min_by(|(one, text, _), (other, other_text, _)| (one, text).cmp(&(other, other_text)))
        .map(|(.., one)| one)
}

impl Turns {
    /// Those of a conversation.
    pub fn of(conversation: &Conversation) -> Self {
        let count = |marked: fn(&Turn) -> bool| conversation.turns.iter().filter(|turn| marked(turn)).count() as u64;
        let unjudged = count(|turn| turn.judgement.is_none());
        let is_accepted = conversation.outcome == Some(Outcome::Completed);
        let judgements = conversation.turns.iter().filter_map(|turn| turn.judgement.as_ref());
        let judgements = judgements.chain(&conversation.judgement).filter(|_| is_accepted);
        let (mut calibration, mut agreement) = (Calibration::default(), Agreement::default());
        let replaced =
            conversation.turns.iter().flat_map(|turn| &turn.regenerated).chain(&conversation.round.regenerated);
        for turn in replaced.chain(&conversation.turns) {
            let rejected = turn.rejected.iter().filter_map(|one| one.judgement.as_ref());
            for judgement in rejected.chain(&turn.judgement) {
                calibration.count(judgement);
                agreement.count(judgement);
            }
        }
        conversation.judgement.iter().for_each(|judgement| agreement.count(judgement));
        Self {
            calibration,
            agreement,
            delivered: Delivered::of(conversation),
            unchecked: count(|turn| !turn.answer.findings.is_accepted()),
            pii: count(|turn| !turn.answer.findings.pii.is_empty()),
            abstentions: count(|turn| turn.answer.findings.abstains),
            unjudged: if conversation.judgement.is_some() { 0 } else { unjudged },
            verdicts: judgements.clone().count() as u64,
            scores: judgements.map(|judgement| u64::from(judgement.reply.score)).sum(),
            all: count(|_| true),
            unretrieved: count(|turn| turn.answer.retrieved.is_empty()),
            unsupported: count(|turn| !turn.answer.unsupported_numbers.is_empty()),
            unknown_citations: count(|turn| !turn.answer.unknown_citations.is_empty()),
            repaired: count(|turn| !turn.rejected.is_empty()),
            regenerated: conversation.turns.iter().map(|turn| turn.regenerated.len() as u64).sum::<u64>()
                + conversation.round.regenerated.len() as u64,
            near_duplicates: conversation.near_duplicates().filter_map(|(_, one)| one.neighbour.question()).count()
                as u64,
            least_close: least_close(conversation.near_duplicates().map(|(_, one)| one.clone())),
            contaminated: contaminated(conversation),
            flagged: count(|turn| {
                turn.judgement.as_ref().is_some_and(|judgement| judgement.acceptance != Acceptance::Accepted)
            }),
        }
    }

    /// The mean of the judge's scores; none without a verdict.
    pub fn mean_score(&self) -> Option<f64> {
        (self.verdicts > 0).then(|| self.scores as f64 / self.verdicts as f64)
    }

    /// Adds those of another conversation.
    pub fn add(&mut self, more: Self) {
        self.all += more.all;
        self.unretrieved += more.unretrieved;
        self.unsupported += more.unsupported;
        self.unknown_citations += more.unknown_citations;
        self.flagged += more.flagged;
        self.repaired += more.repaired;
        self.regenerated += more.regenerated;
        self.near_duplicates += more.near_duplicates;
        self.least_close = least_close(self.least_close.take().into_iter().chain(more.least_close));
        for (held_out, more) in more.contaminated {
            let count = self.contaminated.entry(held_out).or_default();
            (count.questions, count.answers) = (count.questions + more.questions, count.answers + more.answers);
        }
        self.unjudged += more.unjudged;
        self.verdicts += more.verdicts;
        self.scores += more.scores;
        self.unchecked += more.unchecked;
        self.pii += more.pii;
        self.abstentions += more.abstentions;
        self.calibration.add(more.calibration);
        self.agreement.add(more.agreement);
        self.delivered.add(more.delivered);
    }
}

#[cfg(test)]
mod tests {
    use super::super::calibration::{Spoil, SpoiledScore};
    use super::super::fixtures::{answer, conversation, judgement, question, turn, used};
    use super::super::{Judgement, RejectedAnswer, Slot};
    use super::*;
    use std::sync::Arc;

    #[test]
    fn every_verdict_that_spoiled_answers_stand_beside_counts() {
        let verdict = |score| {
            let calibration = vec![SpoiledScore { spoil: Spoil::Echo, score: 1 }];
            Some(Judgement { calibration, ..judgement(score) })
        };
        let scored = |score| {
            let question = question("Why?", used("Why?"));
            Turn { judgement: verdict(score), ..turn(1, question, answer("So.")) }
        };
        let rejected = RejectedAnswer { answer: answer("No."), judgement: verdict(2) };
        let replaced = vec![Arc::new(scored(3))];
        let mut made = conversation(Slot::default(), 2);
        made.turns = vec![Arc::new(Turn { rejected: vec![rejected], regenerated: replaced, ..scored(8) })];
        made.round.regenerated = vec![Arc::new(scored(4))];
        let counted = Turns::of(&made).calibration;
        assert_eq!(counted.answers(), (4, 4));
        assert_eq!([2, 3, 4, 8].map(|score| counted.unspoiled[score]), [1; 4], "not only of those that were kept");
    }
}
