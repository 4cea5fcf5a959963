//! Which seed question a conversation opens with.

use super::draw::{self, Permutation, Purpose};
use super::topics::Topic;
use super::{Asking, Options};
use rand::RngExt;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A seed question and its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seed {
    pub(super) topic: Arc<str>,
    pub(super) question: Arc<str>,
}

/// The seed question of an opening, for as large a share of them as the settings say, spread evenly; none later, after a
/// rejected question, or beside a question of the settings.
///
/// Seed questions are used in rounds: each once before any of them again, over all slots of a run and on top of what earlier
/// runs have used, whatever the conversations know of each other. A conversation that does not get as far as its question,
/// or finds that the knowledge base has nothing about it, has had its turn. As many consecutive openings as there are topics
/// have each another topic. Languages that have the same topics share them out.
pub(super) fn drawn(options: &Options, asking: Asking<'_>) -> Option<Seed> {
    let topics = options.topics.topics.as_ref()?;
    let opening = asking.turns.is_empty() && asking.round.attempt.0 == 0;
    if !opening || !options.question.trim().is_empty() {
        return None;
    }
    let number = seeded_before(options, asking)?;
    let select = |language| topics.select(&options.topics.variant, language);
    let own = select(&asking.language);
    let language = usize::from(asking.slot.language.0);
    let alike: Vec<_> = (0..options.languages.len()).filter(|at| select(&options.languages[*at]) == own).collect();
    let place = alike.iter().position(|at| *at == language).unwrap_or_default() as u64;
    let key = alike.first().copied().unwrap_or(language) as u64;
    let number = number * alike.len().max(1) as u64 + place;

    let mut seen = BTreeSet::new();
    let mut all: Vec<(&Topic, Vec<&Arc<str>>)> = Vec::new();
    for topic in own {
        all.push((topic, topic.questions.iter().filter(|question| seen.insert(&***question)).collect()));
    }
    let uses = |question: &str| asking.coverage.seeds.get(question).copied().unwrap_or_default();
    let least = seen.iter().map(|question| uses(question)).min()?;
    let mut due = all.clone();
    due.iter_mut().for_each(|(_, questions)| questions.retain(|question| uses(question) == least));
    let (first, len) = (count(&due), count(&all));
    let (questions, round, at) = match number.checked_sub(first) {
        None => (due, 0, number),
        Some(later) => (all, 1 + later / len, later % len),
    };
    of_round(options.seed, &questions, [key, round], at)
}

/// How many openings of the language were seeded before this one; none where it is not to be.
fn seeded_before(options: &Options, asking: Asking<'_>) -> Option<u64> {
    let mut stream = draw::stream(options.seed, Purpose::Seeding, &[asking.slot.language.0.into()]);
    let start: f64 = stream.random();
    let before = |slot: u32| f64::from(slot).mul_add(options.topics.probability, start).floor() as u64;
    let index = asking.slot.index;
    (before(index) < before(index + 1)).then(|| before(index))
}

fn count(topics: &[(&Topic, Vec<&Arc<str>>)]) -> u64 {
    topics.iter().map(|(_, questions)| questions.len() as u64).sum()
}

/// The question at a place of a round: one of each topic, then another one of each that has more, and so on.
fn of_round(seed: u64, topics: &[(&Topic, Vec<&Arc<str>>)], round: [u64; 2], mut at: u64) -> Option<Seed> {
    for lap in 0.. {
        let having: Vec<_> = topics.iter().zip(0..).filter(|((_, questions), _)| questions.len() > lap).collect();
        if having.is_empty() {
            return None;
        }
        if at < having.len() as u64 {
            let order = draw::stream(seed, Purpose::SeedTopic, &[round[0], round[1], lap as u64]);
            let ((topic, questions), number) = having[Permutation::new(order, having.len()).at(at)];
            let order = draw::stream(seed, Purpose::SeedQuestion, &[round[0], round[1], number]);
            let question = questions[Permutation::new(order, questions.len()).at(lap as u64)];
            return Some(Seed { topic: topic.name.clone(), question: question.clone() });
        }
        at -= having.len() as u64;
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{Attempt, Coverage, LanguageIndex, Uses};
    use crate::plan::TopicOptions;
    use crate::plan::fixtures;
    use crate::plan::topics::Topics;
    use std::collections::BTreeMap;

    fn options(probability: f64, text: &str) -> Options {
        let topics = Some(Arc::new(Topics::parse(text, "t").unwrap()));
        Options { topics: TopicOptions { variant: String::new(), probability, topics }, ..fixtures::options() }
    }

    const THREE: &str = "variants: {english: {A: [a1, a2, a3], B: [b1, b2, b3], C: [c1, c2, c3]}}";

    fn seeds(options: &Options, slots: u32) -> Vec<Seed> {
        (0..slots).filter_map(|slot| drawn(options, fixtures::conversation(slot, 0).asking())).collect()
    }

    #[test]
    fn as_many_openings_are_seeded_as_asked_for() {
        for (probability, expected) in [(0.0, 0..=0), (0.35, 700..=700), (1.0, 2000..=2000)] {
            let seeded = seeds(&options(probability, THREE), 2000).len();
            assert!(expected.contains(&seeded), "{probability}: {seeded}");
        }
    }

    #[test]
    fn each_seed_is_used_once_before_any_is_used_again() {
        let uneven = "variants: {english: {A: [a1, a2, a3, a4, a5], B: [b1, a1, b1], C: [c1, c2]}}";
        for (text, len, topics) in [(THREE, 9, 3), (uneven, 8, 3)] {
            for probability in [0.35, 1.0] {
                let seeds = seeds(&options(probability, text), 400);
                assert!(seeds.len() >= 139);
                for round in seeds.chunks_exact(len) {
                    assert_eq!(
                        round.iter().map(|seed| &seed.question).collect::<BTreeSet<_>>().len(),
                        len,
                        "{round:?}"
                    );
                    let first: BTreeSet<_> = round.iter().take(topics).map(|seed| &seed.topic).collect();
                    assert_eq!(first.len(), topics, "each topic before any again");
                }
                assert_ne!(seeds[..len], seeds[len..2 * len], "in another order");
            }
        }
    }

    #[test]
    fn what_earlier_runs_used_comes_last() {
        let options = options(1.0, THREE);
        let uses = |questions: &[&str]| {
            let seeds = questions.iter().map(|question| (Arc::from(*question), 1)).collect();
            Coverage::new(&fixtures::catalogue(&[]), Uses { seeds, ..Uses::default() })
        };
        let all = ["a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "c3"];
        for (used, first) in [(&["a2", "c1", "c2", "c3"][..], &["a1", "a3", "b1", "b2", "b3"][..]), (&all, &all)] {
            let asked: Vec<_> = (0..first.len() as u32 + 9)
                .map(|slot| {
                    let known = fixtures::Known { coverage: uses(used), ..fixtures::conversation(slot, 0) };
                    drawn(&options, known.asking()).unwrap().question.to_string()
                })
                .collect();
            let (before, after) = asked.split_at(first.len());
            assert_eq!(
                before.iter().collect::<BTreeSet<_>>(),
                first.iter().map(|q| q.to_string()).collect::<Vec<_>>().iter().collect()
            );
            assert_eq!(after.iter().collect::<BTreeSet<_>>().len(), 9);
        }
    }

    #[test]
    fn languages_with_the_same_topics_share_them_out() {
        let languages = vec!["en".into(), "fr".into(), "de".into()];
        let text = "variants: {english: {A: [a1, a2, a3], B: [b1, b2, b3]}, france: {F: [f1, f2]}}";
        let options = Options { languages: languages.clone(), ..options(1.0, text) };
        let mut used = BTreeMap::<Arc<str>, u32>::new();
        for slot in 0..3 {
            for (at, language) in languages.iter().enumerate() {
                let mut conversation = fixtures::conversation(slot, 0);
                (conversation.slot.language, conversation.language) = (LanguageIndex(at as u16), language.clone());
                *used.entry(drawn(&options, conversation.asking()).unwrap().question).or_default() += 1;
            }
        }
        let counts: Vec<_> = used.iter().map(|(question, count)| (&**question, *count)).collect();
        assert_eq!(
            counts[..6],
            [("a1", 1), ("a2", 1), ("a3", 1), ("b1", 1), ("b2", 1), ("b3", 1)],
            "by English and German"
        );
        assert_eq!(counts.len(), 8);
    }

    #[test]
    fn only_first_attempts_at_openings_are_seeded() {
        let options = options(1.0, THREE);
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
