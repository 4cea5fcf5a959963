//! A jury: several judges give verdicts on the same, and one verdict is made of theirs.

use super::{JudgeReply, Judgement};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most judges of a jury.
pub const JUDGES: usize = 9;

/// How one verdict is made of those of a jury: `judge.jury`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Jury {
    /// Its score is the mean of theirs.
    Mean,
    /// Its score is the median of theirs.
    #[default]
    Median,
    /// What more than half of them accept is accepted, and else it is not; its score is the median of those that say so.
    Majority,
}

impl Jury {
    /// The word in settings and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Majority => "majority",
        }
    }
}

/// What one judge of a jury made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The judge's model, as outputs name models.
    pub model: Arc<str>,
    /// Its verdict; none where it made none that can be used.
    pub verdict: Option<JudgeReply>,
}

/// The verdict that a jury comes to; none where half of its judges or more made none. `accepts` says which single ones are accepted.
///
/// A label counts that half of them or more give, and a question or an answer is sound that more than half of them find so. With
/// [`Jury::Majority`] a label counts that anybody of the majority gives, and sound is what all of it find so: whatever one of them
/// rejects it for shows.
pub fn verdict(jury: Jury, votes: &[Vote], accepts: impl Fn(&JudgeReply) -> bool) -> Option<JudgeReply> {
    let mut made: Vec<&JudgeReply> = votes.iter().filter_map(|vote| vote.verdict.as_ref()).collect();
    if made.len() * 2 <= votes.len() {
        return None;
    }
    let is_united = jury == Jury::Majority;
    if is_united {
        let (for_it, against): (Vec<&JudgeReply>, Vec<_>) = made.iter().partition(|verdict| accepts(verdict));
        made = if for_it.len() > against.len() { for_it } else { against };
    }
    let count = made.len();
    let mut scores: Vec<u8> = made.iter().map(|verdict| verdict.score).collect();
    scores.sort_unstable();
    let score = match jury {
        Jury::Mean => rounded(scores.iter().map(|score| usize::from(*score)).sum(), count),
        Jury::Median | Jury::Majority => {
            rounded(usize::from(scores[(count - 1) / 2]) + usize::from(scores[count / 2]), 2)
        }
    };
    let mut reasons: Vec<String> = Vec::new();
    for reason in made.iter().flat_map(|verdict| &verdict.reasons) {
        let named = made.iter().filter(|verdict| verdict.reasons.contains(reason)).count();
        if (named * 2 >= count || is_united) && !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    }
    let most = |is_so: fn(&JudgeReply) -> bool| {
        let so = made.iter().filter(|verdict| is_so(verdict)).count();
        if is_united { so == count } else { so * 2 > count }
    };
    let notes = made.iter().map(|verdict| verdict.notes.trim()).filter(|notes| !notes.is_empty());
    Some(JudgeReply {
        score,
        reasons,
        notes: notes.collect::<Vec<_>>().join("\n"),
        question_ok: most(|verdict| verdict.question_ok),
        answer_ok: most(|verdict| verdict.answer_ok),
    })
}

/// A quotient, rounded to the next whole number, halves upwards.
fn rounded(sum: usize, by: usize) -> u8 {
    ((2 * sum + by) / (2 * by)) as u8
}

/// How far the judges of a jury agree: what each of them made, and their scores of the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Agreement {
    /// How many judges there are.
    judges: u8,
    /// Verdicts of each judge, in the order of the settings.
    made: [u32; JUDGES],
    /// How often each of them made none.
    missing: [u32; JUDGES],
    /// The sum of each judge's scores.
    scores: [u32; JUDGES],
    /// How often each score was given, from 0 to 10, where two judges or more scored the same.
    given: [u32; 11],
    /// The sums of squared differences of each two scores of the same, by how many scores it has.
    apart: [u32; JUDGES + 1],
}

impl Agreement {
    /// Takes a verdict of a jury.
    pub fn count(&mut self, judgement: &Judgement) {
        self.judges = self.judges.max(judgement.votes.len().min(JUDGES) as u8);
        for (seat, vote) in judgement.votes.iter().take(JUDGES).enumerate() {
            match &vote.verdict {
                Some(verdict) => {
                    self.made[seat] += 1;
                    self.scores[seat] += u32::from(verdict.score);
                }
                None => self.missing[seat] += 1,
            }
        }
        let scores: Vec<u8> =
            judgement.votes.iter().take(JUDGES).filter_map(|vote| Some(vote.verdict.as_ref()?.score)).collect();
        if scores.len() < 2 {
            return;
        }
        for (at, score) in scores.iter().enumerate() {
            self.given[usize::from((*score).min(10))] += 1;
            let apart = scores[at + 1..].iter().map(|other| u32::from(score.abs_diff(*other)).pow(2)).sum::<u32>();
            self.apart[scores.len()] += apart;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, more: Self) {
        let add = |to: &mut [u32], from: &[u32]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        self.judges = self.judges.max(more.judges);
        add(&mut self.made, &more.made);
        add(&mut self.missing, &more.missing);
        add(&mut self.scores, &more.scores);
        add(&mut self.given, &more.given);
        add(&mut self.apart, &more.apart);
    }

    /// Krippendorff's alpha of the scores, as intervals: 1 where all agree, 0 where they agree no more than by chance, below where
    /// less. None where nothing was scored twice, and where all scores are the same.
    pub fn alpha(&self) -> Option<f64> {
        let pairable: f64 = self.given.iter().map(|count| f64::from(*count)).sum();
        // Each two scores count twice, once from either side.
        let observed = (2..)
            .zip(&self.apart[2..])
            .map(|(scores, apart): (u32, _)| 2.0 * f64::from(*apart) / f64::from(scores - 1));
        let observed = observed.sum::<f64>() / pairable;
        let apart =
            |a: usize, b: usize| f64::from(self.given[a]) * f64::from(self.given[b]) * a.abs_diff(b).pow(2) as f64;
        let all: f64 = (0..11).flat_map(|a| (0..11).map(move |b| (a, b))).map(|(a, b)| apart(a, b)).sum();
        let expected = all / (pairable * (pairable - 1.0));
        (expected > 0.0).then(|| 1.0 - observed / expected)
    }

    /// The figures for people, with the names of the judges in the order of the settings; none without a jury.
    pub fn told(&self, judges: &[Arc<str>]) -> Option<String> {
        let name =
            |seat: usize| judges.get(seat).map_or_else(|| format!("judge {}", seat + 1), |name| name.to_string());
        let of_judge = |seat: usize| {
            let (made, missing) = (self.made[seat], self.missing[seat]);
            let mean = f64::from(self.scores[seat]) / f64::from(made.max(1));
            let mean = if made > 0 { format!("{mean:.1} over {made}") } else { "no verdicts".to_owned() };
            let missing = if missing > 0 { format!(" ({missing} missing)") } else { String::new() };
            format!("{} {mean}{missing}", name(seat))
        };
        let each: Vec<String> = (0..usize::from(self.judges)).map(of_judge).collect();
        let alpha = self.alpha().map_or_else(|| "none".to_owned(), |alpha| format!("{alpha:.2}"));
        (self.judges > 1).then(|| format!("{}; Krippendorff's alpha {alpha}", each.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::judgement;
    use super::*;

    fn reply(score: u8, reasons: &[&str], answer_ok: bool) -> JudgeReply {
        let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
        JudgeReply { score, reasons, notes: format!("Scored {score}."), question_ok: true, answer_ok }
    }

    fn votes(verdicts: &[Option<JudgeReply>]) -> Vec<Vote> {
        verdicts.iter().map(|verdict| Vote { model: "m".into(), verdict: verdict.clone() }).collect()
    }

    fn scored(scores: &[Option<u8>]) -> Vec<Vote> {
        votes(&scores.iter().map(|score| score.map(|score| reply(score, &[], true))).collect::<Vec<_>>())
    }

    #[test]
    fn a_jury_comes_to_one_verdict() {
        let accepts = |verdict: &JudgeReply| verdict.score >= 6 && verdict.answer_ok;
        let score = |jury, scores: &[Option<u8>]| verdict(jury, &scored(scores), accepts).map(|verdict| verdict.score);
        for (scores, mean, median, majority) in [
            (&[Some(9), Some(8), Some(1)][..], Some(6), Some(8), Some(9)),
            (&[Some(9), Some(2), Some(3)], Some(5), Some(3), Some(3)),
            (&[Some(9), Some(4)], Some(7), Some(7), Some(4)),
            (&[Some(7), Some(8), None], Some(8), Some(8), Some(8)),
            (&[Some(7), None, None], None, None, None),
            (&[Some(7), None], None, None, None),
            (&[None, None, None], None, None, None),
            (&[Some(5)], Some(5), Some(5), Some(5)),
        ] {
            let made = [Jury::Mean, Jury::Median, Jury::Majority].map(|jury| score(jury, scores));
            assert_eq!(made, [mean, median, majority], "{scores:?}");
        }
    }

    #[test]
    fn labels_of_half_of_the_judges_count_and_soundness_of_more() {
        let told = [
            Some(reply(4, &["vague", "wrong"], false)),
            Some(reply(5, &["wrong"], true)),
            Some(reply(8, &[], true)),
            Some(reply(8, &[], false)),
        ];
        let made = verdict(Jury::Median, &votes(&told), |_| true).expect("a verdict");
        assert_eq!((made.score, made.reasons, made.answer_ok), (7, vec!["wrong".to_owned()], false));
        assert_eq!(made.notes, "Scored 4.\nScored 5.\nScored 8.\nScored 8.");
        // The majority are those that reject it, for whatever reason, and each reason shows.
        let told = [Some(reply(9, &[], false)), Some(reply(3, &["vague"], true)), Some(reply(9, &[], true))];
        let made = verdict(Jury::Majority, &votes(&told), |verdict| verdict.score > 5 && verdict.answer_ok)
            .expect("a verdict");
        assert_eq!((made.score, made.reasons, made.answer_ok), (6, vec!["vague".to_owned()], false));
        for told in [
            [reply(9, &["vague"], true), reply(9, &["wrong"], true), reply(3, &[], true)],
            [reply(9, &[], false), reply(9, &["wrong"], true), reply(9, &["vague"], true)],
        ] {
            let accepts = |verdict: &JudgeReply| verdict.score > 5 && verdict.answer_ok && verdict.reasons.is_empty();
            let made = verdict(Jury::Majority, &votes(&told.map(Some)), accepts).expect("a verdict");
            assert!(!accepts(&made), "what all of them reject is not accepted: {made:?}");
        }
    }

    /// The example of Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section D, with four observers and twelve
    /// units: alpha for interval data is 0.849.
    #[test]
    fn alpha_is_krippendorff_s() {
        const UNITS: [[u8; 4]; 12] = [
            [1, 1, 0, 1],
            [2, 2, 3, 2],
            [3, 3, 3, 3],
            [3, 3, 3, 3],
            [2, 2, 2, 2],
            [1, 2, 3, 4],
            [4, 4, 4, 4],
            [1, 1, 2, 1],
            [2, 2, 2, 2],
            [0, 5, 5, 5],
            [0, 0, 1, 1],
            [0, 3, 0, 0],
        ];
        let (mut all, mut parts) = (Agreement::default(), Agreement::default());
        for unit in UNITS {
            let scores = unit.map(|score| Some(score).filter(|score| *score > 0));
            let judgement = Judgement { votes: scored(&scores), ..judgement(5) };
            let mut one = Agreement::default();
            one.count(&judgement);
            parts.add(one);
            all.count(&judgement);
        }
        assert_eq!(all, parts);
        assert!((all.alpha().expect("an alpha") - 0.849).abs() < 0.0005, "{:?}", all.alpha());
        let names = ["a", "b"].map(Arc::from);
        let told = all.told(&names).expect("figures");
        let expected = "a 2.1 over 9 (3 missing), b 2.5 over 11 (1 missing), judge 3 2.8 over 10 (2 missing)";
        assert!(told.starts_with(expected) && told.ends_with("Krippendorff's alpha 0.85"), "{told}");
    }

    #[test]
    fn without_two_scores_that_differ_there_is_no_alpha() {
        let mut same = Agreement::default();
        assert_eq!((same.alpha(), same.told(&[])), (None, None));
        for _ in 0..3 {
            same.count(&Judgement { votes: scored(&[Some(7), Some(7)]), ..judgement(7) });
        }
        assert_eq!(same.alpha(), None);
        same.count(&Judgement { votes: scored(&[Some(2), None]), ..judgement(7) });
        assert_eq!(same.alpha(), None, "it was scored once alone");
        same.count(&Judgement { votes: scored(&[Some(2), Some(2)]), ..judgement(7) });
        assert_eq!(same.alpha(), Some(1.0));
    }
}
