//! What accepted conversations are like: how they were scored, and one exchange to look at.

use crate::domain::{Conversation, Outcome};

/// A sample of the conversations accepted since the process began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// Sum of the judge's scores.
    scores: u64,
    /// Verdicts they come from.
    pub verdicts: u64,
    /// Question and answer of the first turn of the first conversation; none when none was accepted.
    pub exchange: Option<[String; 2]>,
}

impl Sample {
    /// Looks at a conversation that is settled; they come in slot order.
    pub fn add(&mut self, conversation: &Conversation) {
        if conversation.outcome != Some(Outcome::Completed) {
            return;
        }
        let of_turns = conversation.turns.iter().filter_map(|turn| turn.judgement.as_ref());
        for judgement in of_turns.chain(&conversation.judgement) {
            self.scores += u64::from(judgement.reply.score);
            self.verdicts += 1;
        }
        if let (None, Some(turn)) = (&self.exchange, conversation.turns.first()) {
            let [question, answer] = [&turn.question.reply.user_message, &turn.answer.reply.assistant_message];
            self.exchange = Some([question.to_string(), answer.to_string()]);
        }
    }

    /// The mean of the judge's scores; none without a verdict.
    pub fn mean_score(&self) -> Option<f64> {
        (self.verdicts > 0).then(|| self.scores as f64 / self.verdicts as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample::{dropped_conversation, sample_conversation};

    #[test]
    fn accepted_conversations_alone_count() {
        let mut sample = Sample::default();
        sample.add(&dropped_conversation());
        assert_eq!((&sample, sample.mean_score()), (&Sample::default(), None));
        let (first, mut second) = (sample_conversation(), sample_conversation());
        second.turns.remove(0);
        sample.add(&first);
        sample.add(&second);
        let scores = |conversation: &Conversation| -> Vec<f64> {
            let verdicts = conversation.turns.iter().filter_map(|turn| turn.judgement.as_ref());
            verdicts.chain(&conversation.judgement).map(|judgement| f64::from(judgement.reply.score)).collect()
        };
        let all = [scores(&first), scores(&second)].concat();
        assert_eq!(sample.mean_score(), Some(all.iter().sum::<f64>() / all.len() as f64));
        assert_eq!(sample.exchange.map(|[question, _]| question).as_deref(), Some(crate::output::sample::QUESTION));
    }
}
