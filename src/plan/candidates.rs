//! Which of the questions of one reply is asked, and which takes its place where it was asked before.

use super::draw::{self, Purpose};
use super::{Asking, Plan};
use rand::RngExt;

impl Plan {
    /// The order in which questions of these probabilities are asked, by their positions: each is drawn from those that are left,
    /// by its share of what they have together. Probabilities are above 0, and need not add up to 1.
    pub fn order(&self, asking: Asking<'_>, probabilities: &[f64]) -> Vec<usize> {
        let mut stream = draw::stream(self.options().seed, Purpose::Candidates, &draw::question(&asking));
        let mut left: Vec<(usize, f64)> = probabilities.iter().copied().enumerate().collect();
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let point = stream.random::<f64>() * left.iter().map(|(_, probability)| probability).sum::<f64>();
            let mut passed = 0.0;
            let at = left.iter().position(|(_, probability)| {
                passed += probability;
                point < passed
            });
            // What is added up in another order may differ in its last digit.
            order.push(left.remove(at.unwrap_or(left.len() - 1)).0);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Attempt;
    use crate::plan::fixtures;
    use std::sync::Arc;

    #[test]
    fn every_question_has_its_place_by_its_probability() {
        let plan = Plan::new(fixtures::options(), Arc::new(fixtures::catalogue(&[1])));
        let mut first = [0_u32; 3];
        let mut second = [0_u32; 3];
        for slot in 0..4000 {
            let conversation = fixtures::conversation(slot, 0);
            // Shares of 1/2, 3/8 and 1/8.
            let order = plan.order(conversation.asking(), &[0.4, 0.3, 0.1]);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
            (first[order[0]], second[order[1]]) = (first[order[0]] + 1, second[order[1]] + 1);
            assert_eq!(order, plan.order(conversation.asking(), &[0.8, 0.6, 0.2]), "shares count");
        }
        for (seen, expected) in first.into_iter().zip([2000_u32, 1500, 500]) {
            assert!(seen.abs_diff(expected) < 130, "{first:?}");
        }
        // Of the rest: the first is second after the other two in 3/8 × 4/5 and 1/8 × 4/7 of all.
        assert!(second[0].abs_diff(1486) < 130, "{second:?}");
    }

    #[test]
    fn another_attempt_draws_anew() {
        let plan = Plan::new(fixtures::options(), Arc::new(fixtures::catalogue(&[1])));
        let mut conversation = fixtures::conversation(0, 0);
        let mut orders = Vec::new();
        for attempt in 0..20 {
            conversation.round.attempt = Attempt(attempt);
            orders.push(plan.order(conversation.asking(), &[1.0; 6]));
        }
        assert!(orders.iter().any(|order| *order != orders[0]));
        assert_eq!(plan.order(conversation.asking(), &[]), [0_usize; 0]);
    }
}
