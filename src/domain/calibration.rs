//! How well a judge tells answers from the same answers with a fault put in.

use super::Judgement;
use serde::{Deserialize, Serialize};

/// A fault that is put into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spoil {
    /// Its numbers are changed.
    Numbers,
    /// A sentence of another document stands in its place.
    OtherPassage,
    /// The question stands in its place.
    Echo,
    /// A refusal stands in its place.
    Refusal,
    /// A text in another language stands in its place.
    OtherLanguage,
}

impl Spoil {
    /// All of them, in the order in which a judge is asked.
    pub const ALL: [Self; 5] = [Self::Numbers, Self::OtherPassage, Self::Echo, Self::Refusal, Self::OtherLanguage];

    /// What a spoiled answer is, for people.
    pub fn told(self) -> &'static str {
        match self {
            Self::Numbers => "numbers changed",
            Self::OtherPassage => "another document",
            Self::Echo => "the question",
            Self::Refusal => "a refusal",
            Self::OtherLanguage => "another language",
        }
    }
}

/// The score that a judge gave to a spoiled answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoiledScore {
    /// The fault that was put in.
    pub spoil: Spoil,
    /// The score, from 0 to 10.
    pub score: u8,
}

/// How many answers have got each score, from 0 to 10.
pub type Scored = [u32; 11];

/// The scores of answers, and of the same answers once they were spoiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    /// Of the answers as they were given.
    pub unspoiled: Scored,
    /// Of the spoiled ones, by their fault in the order of [`Spoil::ALL`].
    pub spoiled: [Scored; 5],
}

impl Calibration {
    /// Takes a verdict, where the judge was shown spoiled answers beside the one that it is about.
    pub fn count(&mut self, judgement: &Judgement) {
        let at = |score: u8| usize::from(score.min(10));
        self.unspoiled[at(judgement.reply.score)] += u32::from(!judgement.calibration.is_empty());
        for SpoiledScore { spoil, score } in &judgement.calibration {
            self.spoiled[*spoil as usize][at(*score)] += 1;
        }
    }

    /// Adds the scores of another one.
    pub fn add(&mut self, more: Self) {
        let add = |to: &mut Scored, from: Scored| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        add(&mut self.unspoiled, more.unspoiled);
        self.spoiled.iter_mut().zip(more.spoiled).for_each(|(to, from)| add(to, from));
    }

    /// Answers that the judge was shown as they were, and spoiled ones.
    pub fn answers(&self) -> (u32, u32) {
        (self.unspoiled.iter().sum(), self.spoiled.iter().flatten().sum())
    }

    /// The area under the curve (AUC): how likely it is that an answer scores higher than a spoiled one, ties counting half.
    /// None without both.
    pub fn auc(&self) -> Option<f64> {
        let (unspoiled, spoiled) = self.answers();
        let pairs = f64::from(unspoiled) * f64::from(spoiled);
        let of_score = |score: usize| self.spoiled.iter().map(|scored| f64::from(scored[score])).sum::<f64>();
        let won = |score: usize| {
            let below: f64 = (0..score).map(of_score).sum();
            f64::from(self.unspoiled[score]) * (below + of_score(score) / 2.0)
        };
        (pairs > 0.0).then(|| (0..=10).map(won).sum::<f64>() / pairs)
    }

    /// The figures for people; none where no answer was spoiled.
    pub fn told(&self) -> Option<String> {
        let (unspoiled, spoiled) = self.answers();
        let of_spoil =
            |(spoil, scored): (Spoil, &Scored)| mean(scored).map(|mean| format!("{} {mean:.1}", spoil.told()));
        let means: Vec<String> = Spoil::ALL.into_iter().zip(&self.spoiled).filter_map(of_spoil).collect();
        let (auc, own) = (self.auc()?, mean(&self.unspoiled)?);
        Some(format!(
            "AUC {auc:.2} over {unspoiled} answers and {spoiled} spoiled ones; mean scores: as given {own:.1}, {}",
            means.join(", ")
        ))
    }
}

fn mean(scored: &Scored) -> Option<f64> {
    let all: u32 = scored.iter().sum();
    let sum: f64 = (0..).zip(scored).map(|(score, count)| f64::from(score) * f64::from(*count)).sum();
    (all > 0).then(|| sum / f64::from(all))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::judgement;
    use super::*;

    fn of(pairs: &[(u8, &[(Spoil, u8)])]) -> Calibration {
        let mut all = Calibration::default();
        for (score, spoiled) in pairs {
            let calibration =
                spoiled.iter().map(|(spoil, score)| SpoiledScore { spoil: *spoil, score: *score }).collect();
            let mut one = Calibration::default();
            one.count(&Judgement { calibration, ..judgement(*score) });
            all.add(one);
        }
        all
    }

    #[test]
    fn the_area_is_the_share_of_pairs_in_order() {
        let told = of(&[(8, &[(Spoil::Numbers, 8), (Spoil::Echo, 2)]), (6, &[(Spoil::Numbers, 7)]), (9, &[])]);
        assert_eq!(told.answers(), (2, 3), "a verdict without spoiled answers is no part of it");
        // Pairs of 8: with 8 a half, with 2 and 7 won; pairs of 6: with 2 won.
        assert_eq!(told.auc(), Some(3.5 / 6.0));
        let expected = "AUC 0.58 over 2 answers and 3 spoiled ones; mean scores: as given 7.0, numbers changed 7.5, the question 2.0";
        assert_eq!(told.told().as_deref(), Some(expected));
        assert_eq!(of(&[(9, &[])]).auc(), None);
        assert_eq!(of(&[(9, &[(Spoil::Refusal, 0)]), (10, &[(Spoil::OtherLanguage, 1)])]).auc(), Some(1.0));
    }
}
