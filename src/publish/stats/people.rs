//! What people think of conversations, and the threshold of the judge's scores that agrees with them best.

use serde::Serialize;

/// The fewest labelled conversations with scores that a threshold is told of.
const LEAST: usize = 20;

/// How many conversations people have labelled, and how the judge agrees with them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct People {
    /// Conversations that are good to train on.
    pub kept: u64,
    /// Conversations that are not to be trained on.
    pub rejected: u64,
    /// The agreement of scores with them; none with fewer than 20 labelled and scored conversations, or where all are of one kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<Agreement>,
}

/// How well "a score of at least so much" tells what people keep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The threshold that agrees best, the lowest of several: what `judge.accept.min_score` and `--min-score` take.
    pub min_score: f64,
    /// Labelled conversations that have a score.
    pub labelled: u64,
    /// Those of them of which the threshold says what people say.
    pub agreed: u64,
    /// Cohen's kappa: the agreement beyond what chance gives, from -1 to 1.
    pub kappa: f64,
}

/// What people and the judge say of conversations: whether they are kept, and their scores.
///
/// ```
/// use dlgforge::publish::stats::people;
///
/// let labels: Vec<(bool, Option<f64>)> = (0..40).map(|number| (number % 10 > 6, Some(f64::from(number % 10)))).collect();
/// let told = people(&labels).expect("labels").judge.expect("an agreement");
/// assert_eq!((told.min_score, told.agreed, told.kappa), (7.0, 40, 1.0));
/// ```
pub fn people(labels: &[(bool, Option<f64>)]) -> Option<People> {
    let kept = labels.iter().filter(|(is_kept, _)| *is_kept).count() as u64;
    let rejected = labels.len() as u64 - kept;
    (kept + rejected > 0).then(|| People { kept, rejected, judge: agreement(labels) })
}

fn agreement(labels: &[(bool, Option<f64>)]) -> Option<Agreement> {
    let mut scored: Vec<(f64, bool)> =
        labels.iter().filter_map(|(is_kept, score)| Some(((*score)?, *is_kept))).collect();
    let (all, kept) = (scored.len(), scored.iter().filter(|(_, is_kept)| *is_kept).count());
    if all < LEAST || kept == 0 || kept == all {
        return None;
    }
    scored.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    // With the lowest score as threshold all pass; each conversation that falls below a higher one agrees if it is rejected.
    let (mut agreed, mut best) = (kept, (kept, scored[0].0, all));
    for (place, (score, is_kept)) in scored.iter().enumerate() {
        if place > 0 && *score > scored[place - 1].0 && agreed > best.0 {
            best = (agreed, *score, all - place);
        }
        agreed = if *is_kept { agreed - 1 } else { agreed + 1 };
    }
    let (agreed, min_score, passed) = best;
    let share = |count: usize| count as f64 / all as f64;
    let by_chance = share(kept) * share(passed) + share(all - kept) * share(all - passed);
    let kappa = if by_chance < 1.0 { (share(agreed) - by_chance) / (1.0 - by_chance) } else { 0.0 };
    Some(Agreement { min_score, labelled: all as u64, agreed: agreed as u64, kappa: super::rounded(kappa) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_labels_and_labels_of_one_kind_tell_no_threshold() {
        assert_eq!(people(&[]), None);
        let none = |labels: &[(bool, Option<f64>)]| people(labels).expect("labels").judge.is_none();
        assert!(none(&[(true, Some(9.0)), (false, Some(2.0))]));
        assert!(none(&[(true, Some(9.0)); 30]) && none(&[(false, None); 30]));
    }

    #[test]
    fn the_threshold_is_the_best_of_all() {
        // Kept from 6 on, but for one of 8; rejected below, but for one of 3.
        let labels: Vec<_> = (0..50).map(|n| (n % 10, n)).collect();
        let labels: Vec<_> = labels
            .iter()
            .map(|(score, n)| {
                let is_odd_one = *n < 10 && matches!(score, 3 | 8);
                ((*score >= 6) != is_odd_one, Some(f64::from(*score)))
            })
            .collect();
        let told = people(&labels).expect("labels");
        assert_eq!((told.kept, told.rejected), (20, 30));
        let judge = told.judge.expect("an agreement");
        assert_eq!((judge.min_score, judge.labelled, judge.agreed), (6.0, 50, 48));
        // Observed 0.96; by chance 0.4 · 0.4 + 0.6 · 0.6 = 0.52.
        assert!((judge.kappa - 0.9167).abs() < 1e-9, "{}", judge.kappa);
        let mut turned = labels;
        turned.reverse();
        assert_eq!(people(&turned).and_then(|told| told.judge), Some(judge));
    }
}
