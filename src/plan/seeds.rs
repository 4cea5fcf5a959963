//! Which seed question a conversation opens with.

use super::draw::{self, Purpose};
use super::topics::Topic;
use super::{Asking, Options};
use rand::RngExt;
use std::sync::Arc;

/// A seed question and its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seed {
    pub(super) topic: Arc<str>,
    pub(super) question: Arc<str>,
}

/// The seed question of an opening, with the probability the settings give; none later, after a rejected question,
/// beside a question of the settings, or when every seed question was used. It comes from the topics least used so far.
/// Conversations that know of the same usage share these out: as many consecutive slots as there are topics have each
/// another topic, and after every such round each topic gives its next question.
pub(super) fn drawn(options: &Options, asking: Asking<'_>) -> Option<Seed> {
    let topics = options.topics.topics.as_ref()?;
    let opening = asking.turns.is_empty() && asking.round.attempt.0 == 0;
    if !opening || !options.question.trim().is_empty() {
        return None;
    }
    let mut stream = draw::stream(options.seed, Purpose::Seeding, &draw::question(&asking));
    if stream.random::<f64>() >= options.topics.probability {
        return None;
    }
    let candidates = least_used(topics.select(&options.topics.variant, &asking.language), asking);
    let language = asking.slot.language.0.into();
    let position = asking.slot.index.into();
    let at = draw::cycled(options.seed, Purpose::SeedTopic, &[language], candidates.len(), position)?;
    let (topic, unused) = &candidates[at];
    let round = position / candidates.len() as u64;
    let place = [language, at as u64];
    let question = draw::cycled(options.seed, Purpose::SeedQuestion, &place, unused.len(), round)?;
    Some(Seed { topic: topic.name.clone(), question: unused[question].clone() })
}

/// The least used of the topics that have unused questions, with these.
fn least_used<'a>(topics: Vec<&'a Topic>, asking: Asking<'_>) -> Vec<(&'a Topic, Vec<&'a Arc<str>>)> {
    let coverage = &asking.coverage;
    let usage = |topic: &Topic| coverage.seed_topics.get(&topic.name).copied().unwrap_or(0);
    let mut candidates: Vec<_> = topics
        .into_iter()
        .map(|topic| {
            let unused = topic.questions.iter().filter(|question| !coverage.seed_questions.contains(*question));
            (topic, unused.collect::<Vec<_>>())
        })
        .filter(|(_, unused)| !unused.is_empty())
        .collect();
    let least = candidates.iter().map(|(topic, _)| usage(topic)).min();
    candidates.retain(|(topic, _)| Some(usage(topic)) == least);
    candidates
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{Attempt, Used};
    use crate::plan::TopicOptions;
    use crate::plan::fixtures::{self, Known};
    use crate::plan::topics::Topics;
    use std::collections::BTreeSet;

    fn options(probability: f64) -> Options {
        let text = "variants: {english: {A: [a1, a2, a3], B: [b1, b2, b3], C: [c1, c2, c3]}}";
        let topics = Some(Arc::new(Topics::parse(text, "t").unwrap()));
        Options { topics: TopicOptions { variant: String::new(), probability, topics }, ..fixtures::options() }
    }

    fn used(conversation: &mut Known, topic: &str, question: &str) {
        let seed = Some((topic.into(), question.into()));
        let used = Used { chunk: None, source: None, question: question.into(), seed };
        conversation.coverage.add(&used);
    }

    #[test]
    fn as_many_openings_are_seeded_as_asked_for() {
        for (probability, expected) in [(0.0, 0..=0), (0.35, 630..=770), (1.0, 2000..=2000)] {
            let options = options(probability);
            let seeded =
                (0..2000).filter(|&slot| drawn(&options, fixtures::conversation(slot, 0).asking()).is_some()).count();
            assert!(expected.contains(&seeded), "{probability}: {seeded}");
        }
    }

    #[test]
    fn a_wave_spreads_over_topics_and_questions() {
        let options = options(1.0);
        let seeds: Vec<_> = (0..9)
            .filter_map(|slot| drawn(&options, fixtures::conversation(slot, 0).asking()))
            .map(|s| (s.topic, s.question))
            .collect();
        assert_eq!(seeds.iter().collect::<BTreeSet<_>>().len(), 9, "{seeds:?}");
        for round in seeds.chunks(3) {
            assert_eq!(round.iter().map(|(topic, _)| topic).collect::<BTreeSet<_>>().len(), 3);
        }
    }

    #[test]
    fn the_least_used_topics_with_unused_questions_come_first() {
        let options = options(1.0);
        for slot in 0..6 {
            let mut conversation = fixtures::conversation(slot, 0);
            used(&mut conversation, "A", "a2");
            used(&mut conversation, "B", "b1");
            let seed = drawn(&options, conversation.asking()).unwrap();
            assert_eq!(&*seed.topic, "C");
            for question in ["c1", "c2", "c3"] {
                used(&mut conversation, "C", question);
            }
            let seed = drawn(&options, conversation.asking()).unwrap();
            assert!(["a1", "a3", "b2", "b3"].contains(&&*seed.question), "{seed:?}");
            for question in ["a1", "a3", "b2", "b3"] {
                used(&mut conversation, "B", question);
            }
            assert_eq!(drawn(&options, conversation.asking()), None, "all are used");
        }
    }

    #[test]
    fn only_first_attempts_at_openings_are_seeded() {
        let options = options(1.0);
        let mut rejected = fixtures::conversation(0, 0);
        rejected.round.attempt = Attempt(1);
        assert_eq!(drawn(&options, rejected.asking()), None);
        assert_eq!(drawn(&options, fixtures::conversation(0, 1).asking()), None);
        let asked = Options { question: "What is tea?".into(), ..options.clone() };
        assert_eq!(drawn(&asked, fixtures::conversation(0, 0).asking()), None);
        let off = Options { topics: TopicOptions { topics: None, ..options.topics }, ..asked };
        assert_eq!(drawn(&Options { question: String::new(), ..off }, fixtures::conversation(0, 0).asking()), None);
    }
}
