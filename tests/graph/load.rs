//! What the graph is given to do: how many conversations, and stages whose replies are pure functions of what they may
//! see, behind waits that differ in every call and every run.

use crate::support::plain;
use dlgforge::dataflows::generate::{Stage, Stages};
use dlgforge::domain::Agent;
use dlgforge::domain::*;
use dlgforge::operators::{InFlight, Opening};
use std::collections::BTreeSet;
use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Passages and documents of the knowledge base.
const CORPUS: (usize, usize) = (8, 4);

/// One case.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub seed: u64,
    /// Processes, and workers of each.
    pub processes: usize,
    pub workers: usize,
    pub seats: usize,
    pub total: u32,
    pub languages: u16,
    pub batch_size: u32,
    pub lookahead: u32,
    pub turns: u16,
    pub retries: u16,
    /// Most turns that are made again because the judge says so.
    pub regenerations: u16,
    pub questions: Questions,
    /// Whether near-duplicates are looked for.
    pub near: Near,
    /// One question in so many stands in a held-out text; 0 for none.
    pub held_out: u64,
    /// Most questions that a reply of the user model holds.
    pub candidates: u64,
    /// How many of a pool's questions earlier runs have asked.
    pub earlier: u64,
    /// One call in so many fails, and another panics; 0 for none.
    pub faults: u64,
    /// One user in so many ends the conversation, once it has a turn; 0 for none.
    pub ends: u64,
    pub pace: Pace,
    /// One call in so many holds up the worker that makes it, and with it all verdicts; 0 for none.
    pub stalls: u64,
}

/// Which questions there are.
#[derive(Debug, Clone, Copy)]
pub enum Questions {
    /// So many, drawn by what the user model sees; collisions are frequent when there are few.
    Pool(u64),
    /// So many, each of which shares words with the one before and the one after it, and is too close to both.
    Chain(u64),
    /// So many, of which six in a row share most of their words: some are too close to each other.
    Clusters(u64),
    /// All first turns climb one of so many ladders, by their slots: every attempt asks the question of the next rung.
    Ladders(u32),
}

/// How near-duplicates are found.
#[derive(Debug, Clone, Copy)]
pub enum Near {
    /// They are not.
    Off,
    /// By their words.
    Words,
    /// By their vectors.
    Meaning,
}

/// What calls wait for beside a little chance.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Nothing.
    Free,
    /// Every call of the first so many conversations takes so many milliseconds.
    Slow(u32, u64),
    /// First questions of the first so many conversations wait until all conversations ask theirs.
    Last(u32),
}

/// A few conversations whose questions never collide.
pub const CALM: Load = Load {
    seed: 1,
    processes: 1,
    workers: 2,
    seats: 64,
    total: 30,
    languages: 2,
    batch_size: 8,
    lookahead: 2,
    turns: 4,
    retries: 3,
    regenerations: 0,
    questions: Questions::Pool(u64::MAX),
    near: Near::Off,
    held_out: 0,
    candidates: 1,
    earlier: 0,
    faults: 0,
    ends: 0,
    pace: Pace::Free,
    stalls: 0,
};

/// The verbs of the models.
#[derive(Debug, Clone, Copy, Hash)]
enum Verb {
    Ask,
    Answer,
    Judge,
}

pub fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Depends on all that a stage may see of a conversation, and on nothing else.
fn sight(load: &Load, verb: Verb, conversation: &InFlight) -> u64 {
    let turns = conversation.turns.iter().map(|turn| {
        let score = turn.judgement.as_ref().map(|judgement| judgement.reply.score);
        let said = (&turn.question.reply.user_message, &turn.answer.reply.assistant_message);
        (turn.index, turn.attempt, said, score, answers(&turn.regenerated))
    });
    let coverage = &conversation.coverage;
    let chunks: Vec<_> = (0..CORPUS.0 as u32).map(|chunk| coverage.of_chunk(ChunkIndex(chunk))).collect();
    let sources = (0..CORPUS.1 as u32).filter_map(|source| coverage.of_source(SourceIndex(source)));
    let sources: Vec<_> = sources.map(|source| (source.questions, &source.recent)).collect();
    let Round { avoid, near_duplicates, question, answer, regenerated, .. } = &conversation.round;
    let near_duplicates: Vec<_> =
        near_duplicates.iter().map(|one| (one.attempt, &one.question, &one.neighbour)).collect();
    let question = question.as_ref().map(|question| &question.reply.user_message);
    let answer = answer.as_ref().map(|answer| &answer.reply.assistant_message);
    let outcome = conversation.outcome.as_ref().map(|outcome| (outcome.status(), outcome.drop_reason()));
    hash((
        (load.seed, verb, conversation.rank(), turns.collect::<Vec<_>>()),
        (chunks, sources),
        (avoid, near_duplicates, question, answer, outcome, answers(regenerated)),
    ))
}

fn answers(turns: &[Arc<Turn>]) -> Vec<(Attempt, &str)> {
    turns.iter().map(|turn| (turn.attempt, turn.answer.reply.assistant_message.as_str())).collect()
}

impl Load {
    /// What earlier runs asked, in another spelling.
    pub fn earlier(&self) -> BTreeSet<Fingerprint> {
        let spelt = |text: &String| Fingerprint::of(&format!(" {}  ", text.to_uppercase()), Normalisation::default());
        self.asked_before().iter().map(spelt).collect()
    }

    /// When two questions are near-duplicates.
    pub fn measure(&self) -> Option<Measure> {
        match self.near {
            Near::Off => None,
            Near::Words => Some(Measure::MinHash(MinHash::new(0.8))),
            Near::Meaning => Some(Measure::Cosine(Cosine::new(0.8))),
        }
    }

    /// What near-duplicates of a question are found by: a vector tells its words, each in a direction of its own.
    pub fn sketch(&self, text: &str) -> Option<Arc<Sketch>> {
        let mut vector = [0f32; 100];
        for word in text.trim_end_matches(['?', ' ']).to_lowercase().split_whitespace() {
            vector.iter_mut().zip(0..).for_each(|(value, at)| *value += (hash((word, at)) % 201) as f32 - 100.0);
        }
        let compared = Compared { text: text.into(), vector: Some(Vector::of(&vector)) };
        self.measure()?.sketch(&compared).map(Arc::new)
    }

    /// What earlier runs asked.
    pub fn asked_before(&self) -> Vec<String> {
        (0..self.earlier).map(|number| self.words(number)).collect()
    }

    /// The question of this number.
    fn words(&self, number: u64) -> String {
        let word = |of: u64| (0..7).map(|at| char::from(b'a' + (hash((of, at)) % 26) as u8)).collect::<String>();
        let words: Vec<_> = match self.questions {
            Questions::Chain(_) => (number..number + 12).map(word).collect(),
            Questions::Clusters(_) => {
                let (cluster, kind) = (number / 6 * 6, number % 6);
                (0..14).filter(|at| at % 6 != kind && (at + 1) % 7 != kind).map(|at| word(cluster << 8 | at)).collect()
            }
            Questions::Pool(_) | Questions::Ladders(_) => return format!("question {number}?"),
        };
        format!("{}?", words.join(" "))
    }

    /// What earlier runs used.
    pub fn coverage(&self) -> Coverage {
        let each = (CORPUS.0 / CORPUS.1) as u32;
        let source = |at: u32| Source {
            path: format!("{at}.md"),
            language: None,
            digest: "".into(),
            chunks: at * each..(at + 1) * each,
        };
        let sources = (0..CORPUS.1 as u32).map(source).collect();
        let mut coverage = Coverage::none(&Catalogue::new(sources, Arc::new(Vec::new())));
        (0..self.earlier.min(3)).for_each(|number| coverage.add(&used(number, "an earlier question".into())));
        coverage
    }

    /// Begins a conversation.
    pub fn open(&self, &Opening { slot, wave, .. }: &Opening) -> Conversation {
        let turns = 1 + (hash((self.seed, slot)) % u64::from(self.turns)) as u16;
        Conversation { wave, ..plain::conversation(slot, turns) }
    }

    /// The user model asks, with further questions in the same reply, unless such a question is left.
    pub fn ask(&self, conversation: &InFlight) -> Result<Question, Failure> {
        let sight = self.look(Verb::Ask, conversation)?;
        if let Some(candidate) = &conversation.round.question {
            return Ok(Question::clone(candidate));
        }
        if hash((sight, "ends")).checked_rem(self.ends) == Some(0) && !conversation.turns.is_empty() {
            return Err(Failure::Ended);
        }
        let further = (1..=hash((sight, "further")) % self.candidates).map(|place| {
            let Question { reply, used, fingerprint, sketch, held_out, .. } = self.question(conversation, sight, place);
            Candidate { reply, used, fingerprint, sketch, held_out }
        });
        Ok(Question {
            raw: Json::from(serde_json::Value::from(sight)),
            candidates: further.collect(),
            ..self.question(conversation, sight, 0)
        })
    }

    /// The question at this place of a reply.
    fn question(&self, conversation: &InFlight, sight: u64, place: u64) -> Question {
        let sight = if place == 0 { sight } else { hash((sight, place)) };
        let number = match self.questions {
            Questions::Ladders(ladders) if conversation.turns.is_empty() => {
                let rung = u64::from(conversation.round.attempt.0) + place;
                u64::from(conversation.slot.index % ladders) + rung * u64::from(ladders)
            }
            Questions::Ladders(_) => sight,
            Questions::Pool(pool) | Questions::Chain(pool) | Questions::Clusters(pool) => sight % pool,
        };
        let text = self.words(number);
        let text = if sight & 1024 == 0 { text } else { format!("{} ", text.to_uppercase()) };
        let sketch = self.sketch(&text);
        let held_out = (number.checked_rem(self.held_out) == Some(0)).then(|| Overlap {
            held_out: format!("held-out:{number}").into(),
            text: text.as_str().into(),
            similarity: None,
        });
        Question { sketch, held_out, ..plain::question(&text, used(sight >> 16, text.as_str().into())) }
    }

    /// The assistant model answers.
    pub fn answer(&self, conversation: &InFlight) -> Result<Answer, Failure> {
        let sight = self.look(Verb::Answer, conversation)?;
        Ok(Answer { raw: Json::from(serde_json::Value::from(sight)), ..plain::answer(&format!("Answer {sight}.")) })
    }

    /// The judge model scores a turn, a conversation that is over, or nothing.
    pub fn judge(&self, conversation: &InFlight) -> Result<Judged, Failure> {
        let sight = self.look(Verb::Judge, conversation)?;
        let over = conversation.outcome.is_some() || conversation.turn_index().0 == conversation.target_turns;
        let score = (sight % 11) as u8;
        let reply =
            JudgeReply { score, reasons: vec![], notes: String::new(), question_ok: true, answer_ok: sight & 1 == 0 };
        let acceptance = Acceptance::Accepted;
        let judgement = Judgement {
            reply,
            acceptance,
            reasoning: None,
            raw: Json::from(serde_json::Value::from(sight)),
            calls: 1,
            calibration: Vec::new(),
            votes: Vec::new(),
        };
        let again = conversation.round.regenerated.len() < usize::from(self.regenerations);
        Ok(match ((sight >> 16) % 5, &conversation.round.answer) {
            (4, Some(_)) if again => Judged::Regenerate(judgement),
            (0, _) => Judged::Nothing,
            (1, _) if over => Judged::Conversation(judgement),
            (2, Some(answer)) => Judged::Repaired(Box::new(Repaired {
                rejected: vec![RejectedAnswer { answer: answer.clone(), judgement: Some(judgement.clone()) }],
                answer: plain::answer(&format!("Better {sight}.")),
                judged: Judged::Turn(judgement),
            })),
            _ => Judged::Turn(judgement),
        })
    }

    /// The same as stages of the graph.
    pub fn stages(self) -> Stages {
        let begun = Arc::new(Semaphore::new(0));
        let fortune = RandomState::new();
        Stages {
            open: Arc::new(move |opening| self.open(opening)),
            ask: self.stage(Verb::Ask, Load::ask, &begun, &fortune),
            answer: self.stage(Verb::Answer, Load::answer, &begun, &fortune),
            judge: self.stage(Verb::Judge, Load::judge, &begun, &fortune),
        }
    }

    fn stage<O: Send + 'static>(
        self,
        verb: Verb,
        work: fn(&Load, &InFlight) -> Result<O, Failure>,
        begun: &Arc<Semaphore>,
        fortune: &RandomState,
    ) -> Stage<O> {
        let (begun, fortune) = (begun.clone(), fortune.clone());
        Arc::new(move |conversation| {
            let begun = begun.clone();
            let is_slow = fortune.hash_one(conversation.slot).is_multiple_of(4);
            let chance = RandomState::new().hash_one(());
            if chance.checked_rem(self.stalls) == Some(0) {
                std::thread::sleep(tail(chance));
            }
            Box::pin(async move {
                self.wait(verb, &conversation, &begun, is_slow).await;
                match work(&self, &conversation) {
                    Err(Failure::Lost) => std::panic::resume_unwind(Box::new("a stage that dies")),
                    outcome => outcome,
                }
            })
        })
    }

    fn look(&self, verb: Verb, conversation: &InFlight) -> Result<u64, Failure> {
        let sight = sight(self, verb, conversation);
        match sight.checked_rem(self.faults) {
            Some(0) => Err(Failure::Model { agent: Agent::User, detail: format!("{verb:?} {sight}") }),
            Some(1) => Err(Failure::Lost),
            _ => Ok(sight),
        }
    }

    async fn wait(&self, verb: Verb, conversation: &InFlight, begun: &Semaphore, is_slow: bool) {
        let Slot { language, index } = conversation.slot;
        let begins = matches!(verb, Verb::Ask) && conversation.turns.is_empty() && conversation.round.attempt.0 == 0;
        begun.add_permits(usize::from(begins));
        match self.pace {
            Pace::Slow(first, millis) if language.0 == 0 && index < first => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
            Pace::Last(first) if begins && index < first => drop(begun.acquire_many(self.total).await),
            _ => {}
        }
        let chance = RandomState::new().hash_one(());
        match chance % 16 {
            0..8 if is_slow => tokio::time::sleep(tail(chance)).await,
            8..10 => {
                for _ in 0..chance >> 60 {
                    tokio::task::yield_now().await;
                }
            }
            _ => {}
        }
    }
}

/// Log-normal with a median of 2 milliseconds and a sigma of 1.5.
fn tail(chance: u64) -> Duration {
    let [one, other] = [chance >> 40, chance >> 16 & 0xff_ffff].map(|bits| (bits as f64 + 0.5) / f64::from(1 << 24));
    let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
    Duration::from_secs_f64(2e-3 * (1.5 * normal).exp())
}

fn used(number: u64, question: Arc<str>) -> Used {
    let chunk = (number % 9 < CORPUS.0 as u64).then_some(ChunkIndex((number % 9) as u32));
    let source = (number % 5 < CORPUS.1 as u64).then_some(SourceIndex((number % 5) as u32));
    let seed = number.is_multiple_of(4).then(|| (format!("Topic {}", number % 3).into(), question.clone()));
    let linked = source.filter(|_| number.is_multiple_of(6)).map(|source| (ChunkIndex((number % 8) as u32), source));
    Used { chunk, source, question, seed, linked: Vec::from_iter(linked) }
}
