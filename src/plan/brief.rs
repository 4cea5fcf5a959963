//! What the plan answers: how a conversation opens, what a question is to be like, and the passages it is shown.

use super::coverage::{Documents, Pool};
use super::draw::{self, Purpose};
use super::quotas::Quotas;
use super::seeds::Seed;
use super::{Asking, Options, modes, passages, personas, seeds, turns, words};
use crate::domain::reply::Intent;
use crate::domain::text::beginning;
use crate::domain::{Catalogue, ChunkIndex, Conversation, Passage, Persona, QuestionMode, Register, Slot};
use rand::{Rng, RngExt};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most questions about the shown passages that a question is told of.
const RECENT: usize = 5;

/// Characters of an answer that are searched for, to go on to what is near: its beginning says what it is about.
const SUBJECT: usize = 200;

/// What a conversation is planned to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationPlan {
    /// Turns the conversation is planned to have.
    pub target_turns: u16,
    /// Persona of the user who asks.
    pub user_persona: Arc<Persona>,
    /// Persona of the assistant who answers.
    pub assistant_persona: Arc<Persona>,
}

/// What one question is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// How it relates to what was said.
    pub mode: QuestionMode,
    /// Topic of the seed question; empty when there is none.
    pub seed_topic: String,
    /// The seed question; empty when there is none. `run.data.seeding.question` is not one.
    pub seed_question: String,
    /// What to search passages with; none when they are to be drawn.
    pub query: Option<String>,
    /// Documents to ask about.
    pub pool: Pool,
    /// The assistant's last message.
    pub last_assistant_message: Option<String>,
    /// What the person wants, after a rejected question.
    pub angle: Option<Intent>,
    /// How many passages it is to need, if there are so many that belong together: one, two or three.
    pub passages: usize,
    /// A number drawn for this question.
    pub variety: u64,
    /// How the person writes; none where that is left open.
    pub register: Option<Register>,
    /// About how many words it is to have; none where that is left open.
    pub words: Option<u16>,
}

/// The plan of a run. Every answer is a function of the options, the catalogue and the arguments alone, so questions can
/// be planned in any order, again, and on any machine.
#[derive(Debug, Clone)]
pub struct Plan {
    options: Options,
    catalogue: Arc<Catalogue>,
    documents: Documents,
    quotas: Quotas,
}

impl Plan {
    /// How many passages to search for with [`Brief::query`].
    pub const NEAREST: usize = 12;

    /// The plan for a knowledge base.
    pub fn new(options: Options, catalogue: Arc<Catalogue>) -> Self {
        let documents = Documents::of(&catalogue);
        Self { options, catalogue, documents, quotas: Quotas::default() }
    }

    /// The settings of the plan.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The knowledge base that is asked about.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// What the conversation of a slot is planned to be.
    pub fn opening(&self, slot: Slot) -> ConversationPlan {
        let Options { seed, turns, user_personas, assistant_personas, .. } = &self.options;
        ConversationPlan {
            target_turns: turns::count(turns, *seed, slot),
            user_persona: personas::assigned(user_personas, *seed, Purpose::UserPersona, slot),
            assistant_persona: personas::assigned(assistant_personas, *seed, Purpose::AssistantPersona, slot),
        }
    }

    /// What the question being asked is to be like. A seeded one may be about any document: what its seed asks decides.
    pub fn brief(&self, asking: Asking<'_>) -> Brief {
        self.planned(asking, seeds::drawn(&self.options, asking))
    }

    /// The same without a seed topic: for one whose question the knowledge base has nothing about.
    pub fn unseeded(&self, asking: Asking<'_>) -> Brief {
        self.planned(asking, None)
    }

    fn planned(&self, asking: Asking<'_>, seed: Option<Seed>) -> Brief {
        let last = modes::last_answer(&asking);
        let given = self.quotas.mode(&self.options, &asking).filter(|_| last.is_some() || asking.turns.is_empty());
        let seed = seed.filter(|_| given.is_none());
        let mode = match given {
            Some(mode) => mode,
            None if seed.is_some() => QuestionMode::Seeded,
            None => modes::drawn(&self.options, &asking),
        };
        let (seed_topic, seed_question) =
            seed.map(|seed| (seed.topic.to_string(), seed.question.to_string())).unwrap_or_default();
        let group = self.documents.group(self.options.coverage.match_language, &asking.language);
        let query = match mode {
            QuestionMode::Seeded if !seed_question.is_empty() => Some(seed_question.as_str()),
            QuestionMode::Seeded => Some(self.options.question.as_str()),
            QuestionMode::Adjacent => last.map(|answer| beginning(answer, SUBJECT)),
            _ => None,
        };
        let is_opening = asking.turns.is_empty();
        Brief {
            mode,
            query: query.map(str::to_owned),
            seed_topic,
            seed_question,
            pool: match mode {
                QuestionMode::Seeded => Pool::all(group),
                QuestionMode::Unanswerable if !is_opening => Pool::all(group),
                mode if mode.goes_on() && !is_opening => Pool::all(group),
                _ => Pool::balanced(&self.options, group, asking),
            },
            last_assistant_message: last.map(str::to_owned),
            angle: self.angle(&asking).filter(|_| mode.is_usual()),
            passages: if mode == QuestionMode::Seeded || !mode.is_usual() { 1 } else { self.linked(&asking) },
            register: self.quotas.register(&self.options, asking.slot),
            words: words::drawn(&self.options, &asking),
            variety: draw::stream(self.options.seed, Purpose::Variety, &draw::question(&asking)).next_u64(),
        }
    }

    /// How many passages a question is to need.
    fn linked(&self, conversation: &Conversation) -> usize {
        let mut stream = draw::stream(self.options.seed, Purpose::Linked, &draw::question(conversation));
        let linked = stream.random::<f64>() < self.options.coverage.linked;
        if linked { stream.random_range(2..=passages::LINKED) } else { 1 }
    }

    /// The passages to show to a question that needs several, together: the one it begins with, then the nearest to it among
    /// `hits`, those of other documents before those of its own. Alone, where nothing belongs to it.
    pub fn linked_passages(
        &self,
        asking: Asking<'_>,
        brief: &Brief,
        first: ChunkIndex,
        hits: &[ChunkIndex],
    ) -> Vec<(ChunkIndex, Passage)> {
        let near = passages::linked(&self.catalogue, &asking, &brief.pool.group, first, hits);
        let chunks = [first].into_iter().chain(near).take(brief.passages).zip(1..);
        chunks.map(|(chunk, number)| (chunk, self.catalogue.passage(chunk, number))).collect()
    }

    /// After a rejected question, what the next one is to want.
    fn angle(&self, conversation: &Conversation) -> Option<Intent> {
        let mut stream = draw::stream(self.options.seed, Purpose::Angle, &draw::question(conversation));
        (conversation.round.attempt.0 > 0).then(|| Intent::ALL[stream.random_range(0..Intent::ALL.len())])
    }

    /// The passages to show to the question of a brief, most fitting first: a single one, or two where it goes on from the
    /// last answer. One that digs deeper stays in its document, one that stays with what was asked keeps its passage, one that moves on takes from there and from `hits` (what a
    /// search with the brief's query found, nearest first), a seeded one from `hits`; else, and where these have none, they
    /// are drawn. Empty only when the knowledge base is.
    pub fn passages(&self, asking: Asking<'_>, brief: &Brief, hits: &[ChunkIndex]) -> Vec<(ChunkIndex, Passage)> {
        let (catalogue, group) = (&self.catalogue, &brief.pool.group);
        let mut chunks = match brief.mode {
            QuestionMode::Followup | QuestionMode::Nonstandalone => passages::deeper(catalogue, &asking, group),
            QuestionMode::Unanswerable if asking.round.attempt.0 == 0 => passages::deeper(catalogue, &asking, group),
            QuestionMode::Adjacent => passages::beside(catalogue, &asking, group, hits),
            QuestionMode::Seeded => passages::nearest(catalogue, &asking, group, hits),
            QuestionMode::Fresh
            | QuestionMode::OffTopic
            | QuestionMode::Unanswerable
            | QuestionMode::Underspecified => Vec::new(),
            QuestionMode::Clarification
            | QuestionMode::Sharded
            | QuestionMode::Correction
            | QuestionMode::Challenge => passages::same(catalogue, &asking, group),
        };
        let goes_on =
            matches!(brief.mode, QuestionMode::Followup | QuestionMode::Adjacent | QuestionMode::Nonstandalone);
        let wanted = if goes_on { passages::SHOWN } else { 1 };
        if chunks.is_empty() {
            chunks = passages::drawn(&self.options, catalogue, asking, &brief.pool, wanted);
        }
        chunks.truncate(wanted);
        chunks.into_iter().zip(1..).map(|(chunk, number)| (chunk, catalogue.passage(chunk, number))).collect()
    }

    /// Questions of earlier conversations about these passages, 5 at most: the last ones about each document, as many of one
    /// as of another, oldest first.
    pub fn asked_about(&self, asking: Asking<'_>, shown: &[ChunkIndex]) -> Vec<Arc<str>> {
        let sources: BTreeSet<_> = shown.iter().map(|chunk| self.catalogue.source_of(*chunk)).collect();
        let about = |(chunks, _): &&(Vec<ChunkIndex>, _)| chunks.iter().any(|chunk| shown.contains(chunk));
        let known = sources.iter().filter_map(|source| asking.coverage.of_source(*source));
        let mut latest: Vec<_> =
            known.flat_map(|source| source.recent.iter().rev().filter(about).enumerate()).collect();
        latest.sort_by_key(|(age, _)| *age);
        let mut asked: Vec<Arc<str>> = Vec::new();
        for (_, (_, question)) in latest {
            if asked.len() < RECENT && !asked.contains(question) {
                asked.push(question.clone());
            }
        }
        asked.reverse();
        asked
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{Attempt, Coverage, LanguageIndex, SourceIndex, Used, Uses};
    use crate::plan::{CoverageOptions, Distribution, MatchLanguage, TopicOptions, TurnOptions, fixtures, topics};

    fn plan(options: Options) -> Plan {
        Plan::new(options, Arc::new(fixtures::catalogue(&[3; 12])))
    }

    fn seeded() -> Options {
        let text = "variants: {english: {Tea: [What is tea?], Bees: [What do bees eat?]}}";
        let topics = Some(Arc::new(topics::Topics::parse(text, "t").unwrap()));
        Options { topics: TopicOptions { topics, probability: 1.0, variant: String::new() }, ..fixtures::options() }
    }

    /// All that is planned for some turns of some slots.
    fn planned(
        plan: &Plan,
        slots: impl Iterator<Item = u32>,
    ) -> Vec<(u32, u16, ConversationPlan, Brief, Vec<ChunkIndex>)> {
        let places = slots.flat_map(|slot| (0..4).map(move |turns| (slot, turns)));
        let planned = places.map(|(slot, turns)| {
            let conversation = fixtures::knowing(plan.catalogue(), slot, turns);
            let brief = plan.brief(conversation.asking());
            let shown = plan.passages(conversation.asking(), &brief, &[]).into_iter().map(|(chunk, _)| chunk).collect();
            (slot, turns, plan.opening(conversation.slot), brief, shown)
        });
        planned.collect()
    }

    #[test]
    fn what_is_planned_depends_on_the_place_alone() {
        let pool = personas::Pool::shipped().unwrap();
        let options = Options { user_personas: pool.user, assistant_personas: pool.assistant, ..seeded() };
        let forward = planned(&plan(options.clone()), 0..30);
        let mut backward = planned(&plan(options.clone()), (0..30).rev());
        backward.sort_by_key(|(slot, turns, ..)| (*slot, *turns));
        assert_eq!(forward, backward);
        assert_ne!(forward, planned(&plan(Options { seed: 12, ..options }), 0..30));
    }

    #[test]
    fn settings_of_one_draw_do_not_move_another() {
        let bare = planned(&plan(fixtures::options()), 0..30);
        let pool = personas::Pool::shipped().unwrap();
        let turns = TurnOptions { distribution: Distribution::Uniform, ..fixtures::options().turns };
        let other = Options { user_personas: pool.user, turns, ..fixtures::options() };
        for ((.., one, shown), (.., two, same)) in bare.iter().zip(&planned(&plan(other), 0..30)) {
            assert_eq!((one, shown), (two, same));
        }
        for ((.., opening, one, _), (.., same, two, _)) in bare.iter().zip(&planned(&plan(seeded()), 0..30)) {
            assert_eq!((opening, one.variety), (same, two.variety));
        }
    }

    #[test]
    fn attempts_and_languages_have_draws_of_their_own() {
        let plan = plan(fixtures::options());
        let shown = |language, attempt| {
            let mut conversation = fixtures::knowing(plan.catalogue(), 7, 0);
            conversation.slot.language = LanguageIndex(language);
            conversation.round.attempt = Attempt(attempt);
            let brief = plan.brief(conversation.asking());
            (brief.variety, plan.passages(conversation.asking(), &brief, &[]))
        };
        assert_eq!(shown(0, 0), shown(0, 0));
        assert_ne!(shown(0, 0), shown(0, 1));
        assert_ne!(shown(0, 0), shown(1, 0));
    }

    #[test]
    fn queries_come_from_what_the_question_starts_from() {
        let asked = Options { question: "What is soil?".into(), ..fixtures::options() };
        let brief = plan(asked.clone()).brief(fixtures::conversation(0, 0).asking());
        assert_eq!((brief.mode, brief.query.as_deref()), (QuestionMode::Seeded, Some("What is soil?")));
        assert_eq!((&*brief.seed_topic, &*brief.seed_question), ("", ""));

        let brief = plan(seeded()).brief(fixtures::conversation(0, 0).asking());
        assert_eq!((brief.mode, brief.query.as_deref()), (QuestionMode::Seeded, Some(&*brief.seed_question)));
        assert!(["Tea", "Bees"].contains(&&*brief.seed_topic));

        let plan = plan(asked);
        for slot in 0..50 {
            let brief = plan.brief(fixtures::conversation(slot, 3).asking());
            let expected = (brief.mode == QuestionMode::Adjacent).then_some("answer 3");
            assert_eq!(brief.query.as_deref(), expected, "{:?}", brief.mode);
            assert_eq!(brief.last_assistant_message.as_deref(), Some("answer 3"));
        }
    }

    #[test]
    fn a_mode_that_is_given_is_not_drawn_or_seeded() {
        let only = |mode| {
            let options = Options { modes: [(mode, 1.0)].into(), ..seeded() };
            plan(options)
        };
        let mut conversation = fixtures::knowing(plan(seeded()).catalogue(), 3, 2);
        conversation.turns.push(fixtures::turn(crate::domain::TurnIndex(3), Some(ChunkIndex(4))));
        for mode in [QuestionMode::Challenge, QuestionMode::Correction, QuestionMode::Nonstandalone] {
            let plan = only(mode);
            conversation.round.attempt = Attempt(2);
            let brief = plan.brief(conversation.asking());
            assert_eq!((brief.mode, brief.angle, brief.passages), (mode, None, 1));
            let shown: Vec<u32> =
                plan.passages(conversation.asking(), &brief, &[]).iter().map(|(chunk, _)| chunk.0).collect();
            let expected = if mode == QuestionMode::Nonstandalone { vec![3, 5] } else { vec![4] };
            assert_eq!(shown, expected, "{mode:?}");
        }
        let opening = fixtures::knowing(plan(seeded()).catalogue(), 3, 0);
        let brief = only(QuestionMode::Unanswerable).brief(opening.asking());
        assert_eq!((brief.mode, brief.seed_question.as_str()), (QuestionMode::Unanswerable, ""));
        assert_eq!(only(QuestionMode::Challenge).brief(opening.asking()).mode, QuestionMode::Seeded);
        let mut silent = conversation.clone();
        Arc::make_mut(&mut silent.turns[2]).answer.reply.assistant_message = " ".into();
        assert_eq!(only(QuestionMode::Challenge).brief(silent.asking()).mode, QuestionMode::Fresh);
    }

    #[test]
    fn seeded_questions_are_about_what_their_seed_asks() {
        let plan = plan(seeded());
        let mut conversation = fixtures::conversation(0, 0);
        let mut uses = Uses::none(plan.catalogue());
        (0..11).for_each(|source| uses.sources[source].questions = 1);
        conversation.coverage = Coverage::new(plan.catalogue(), uses);
        let brief = plan.brief(conversation.asking());
        assert_eq!(brief.pool.kept, 12, "whatever was least asked about");
        let shown = plan.passages(conversation.asking(), &brief, &[ChunkIndex(4), ChunkIndex(35)]);
        assert_eq!(shown.iter().map(|(chunk, _)| chunk.0).collect::<Vec<_>>(), [4]);
        let unseeded = plan.unseeded(conversation.asking());
        assert_eq!((unseeded.mode, unseeded.query, unseeded.seed_question), (QuestionMode::Fresh, None, String::new()));
        assert_eq!(unseeded.pool.kept, 1);
        conversation.round.attempt = Attempt(1);
        let brief = plan.brief(conversation.asking());
        assert_eq!((brief.mode, brief.pool.kept), (QuestionMode::Fresh, 1));
        let shown = plan.passages(conversation.asking(), &brief, &[]);
        assert!((33..36).contains(&shown[0].0.0), "of the only document nobody asked about");
    }

    #[test]
    fn questions_that_others_asked_are_those_about_the_same_passages() {
        let plan = plan(fixtures::options());
        let mut conversation = fixtures::conversation(0, 0);
        let mut coverage = Coverage::none(plan.catalogue());
        for number in 0..14 {
            let (chunk, question) = (Some(ChunkIndex(number % 2)), format!("q{number}").into());
            coverage.add(&Used { chunk, source: Some(SourceIndex(0)), question, seed: None, linked: vec![] });
        }
        coverage.add(&Used {
            chunk: None,
            source: Some(SourceIndex(0)),
            question: "of no passage".into(),
            seed: None,
            linked: vec![],
        });
        conversation.coverage = coverage;
        let asked = |shown: &[u32]| -> Vec<String> {
            let shown: Vec<_> = shown.iter().copied().map(ChunkIndex).collect();
            plan.asked_about(conversation.asking(), &shown).iter().map(|question| question.to_string()).collect()
        };
        assert_eq!(asked(&[1]), ["q7", "q9", "q11", "q13"]);
        assert_eq!(asked(&[0, 1]), ["q9", "q10", "q11", "q12", "q13"]);
        assert!(asked(&[2, 5]).is_empty());
    }

    #[test]
    fn questions_over_several_passages_are_known_of_each_and_none_pushes_out_the_others() {
        let plan = plan(fixtures::options());
        let mut conversation = fixtures::conversation(0, 0);
        let mut coverage = Coverage::none(plan.catalogue());
        let about = |chunk: u32, linked: &[u32], question: &str| {
            let source = |chunk| plan.catalogue().source_of(ChunkIndex(chunk));
            let linked = linked.iter().map(|chunk| (ChunkIndex(*chunk), source(*chunk))).collect();
            let (chunk, source) = (Some(ChunkIndex(chunk)), Some(source(chunk)));
            Used { chunk, source, question: question.into(), seed: None, linked }
        };
        // Of two passages of one document, and of one in each of two.
        coverage.add(&about(0, &[2], "within"));
        coverage.add(&about(1, &[4], "across"));
        (0..6).for_each(|number| coverage.add(&about(4, &[], &format!("q{number}"))));
        conversation.coverage = coverage;
        let asked = |shown: &[u32]| -> Vec<String> {
            let shown: Vec<_> = shown.iter().copied().map(ChunkIndex).collect();
            plan.asked_about(conversation.asking(), &shown).iter().map(|question| question.to_string()).collect()
        };
        assert_eq!(asked(&[2]), ["within"]);
        assert_eq!(asked(&[1]), ["across"]);
        assert_eq!(asked(&[0, 4]), ["q2", "q3", "q4", "q5", "within"]);
        assert_eq!(asked(&[1, 4]), ["q2", "q3", "q4", "q5", "across"]);
    }

    #[test]
    fn a_rejected_question_is_followed_by_another_passage_and_an_angle() {
        let plan = plan(fixtures::options());
        let mut angles = BTreeSet::new();
        for slot in 0..40 {
            let mut conversation = fixtures::knowing(plan.catalogue(), slot, 0);
            let first = plan.brief(conversation.asking());
            assert_eq!(first.angle, None);
            let shown = plan.passages(conversation.asking(), &first, &[]);
            conversation.round.attempt = Attempt(1);
            conversation.round.avoid = vec![shown[0].0];
            let again = plan.brief(conversation.asking());
            let other = plan.passages(conversation.asking(), &again, &[]);
            assert_eq!((shown.len(), other.len()), (1, 1));
            assert_ne!(shown[0].0, other[0].0);
            angles.insert(format!("{:?}", again.angle.unwrap()));
        }
        assert!(angles.len() >= 6, "{angles:?}");
    }

    #[test]
    fn as_many_questions_need_several_passages_as_asked_for() {
        for (linked, expected) in [(0.0, 0..=0), (0.2, 340..=460), (1.0, 2000..=2000)] {
            let coverage = CoverageOptions { linked, ..fixtures::options().coverage };
            let plan = plan(Options { coverage, ..fixtures::options() });
            let needs = |slot| plan.brief(fixtures::knowing(plan.catalogue(), slot, 1).asking()).passages;
            let needs: Vec<_> = (0..2000).map(needs).collect();
            let several = needs.iter().filter(|&&passages| passages > 1).count();
            assert!(expected.contains(&several), "{linked}: {several}");
            let three = needs.iter().filter(|&&passages| passages == 3).count();
            assert!(needs.iter().all(|passages| (1..=3).contains(passages)) && three * 3 >= several, "{three}");
        }
    }

    #[test]
    fn conversations_are_about_documents_in_their_language_where_there_are_any() {
        let mut catalogue = fixtures::catalogue(&[2; 6]);
        for (source, language) in catalogue.sources.iter_mut().zip(["en", "en", "fr", "fr", "ar", ""]) {
            source.language = (!language.is_empty()).then(|| language.into());
        }
        let catalogue = Arc::new(catalogue);
        let asked = |match_language, language: &str| -> BTreeSet<u32> {
            let coverage = CoverageOptions { match_language, ..fixtures::options().coverage };
            let plan = Plan::new(Options { coverage, ..fixtures::options() }, catalogue.clone());
            let shown = |slot| {
                let mut conversation = fixtures::knowing(&catalogue, slot, 0);
                conversation.language = language.into();
                let brief = plan.brief(conversation.asking());
                catalogue.source_of(plan.passages(conversation.asking(), &brief, &[])[0].0).0
            };
            (0..6).map(shown).collect()
        };
        for (language, expected) in [
            ("en", &[0, 1][..]),
            ("French", &[2, 3]),
            ("morocco", &[4]),
            ("es", &[0, 1, 2, 3, 4, 5]),
            ("Klingon", &[0, 1, 2, 3, 4, 5]),
        ] {
            assert_eq!(Vec::from_iter(asked(MatchLanguage::Prefer, language)), expected, "{language}");
            assert_eq!(Vec::from_iter(asked(MatchLanguage::Off, language)), [0, 1, 2, 3, 4, 5]);
        }
    }
}
