//! The shards of a run as they lie in their folders: found, held against each other, read.

use super::super::{RunError, identity, manifest, prepare::Prepared};
use crate::domain::slot::conversation_id;
use crate::domain::{
    Catalogue, Compared, Conversation, DropReason, Fingerprint, Outcome, Question, Rank, Round, Shard, Sketch, Slot,
    Turn, TurnIndex,
};
use crate::files::Folder;
use crate::operators::Completion;
use crate::output::{ConversationDocument, OutputError, Stamp};
use crate::settings::paths::{OUTPUT_DIR, SEED, TOTAL_SAMPLES};
use crate::settings::sources::SHARD;
use crate::settings::{self, Settings};
use crate::store::{Run, Settled, State, Store};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was made of a run in a folder of its own: a shard, or the rest.
pub struct Part {
    /// Which shard; none for the rest.
    shard: Option<Shard>,
    folder: PathBuf,
    /// The run of the folder.
    pub run: Run,
    /// The store of its folder.
    pub store: Arc<dyn Store>,
    /// What that has settled.
    pub settled: Vec<Settled>,
}

/// A conversation of a part.
pub struct Made {
    /// Its place in the run.
    pub slot: Slot,
    path: PathBuf,
    /// The questions of its turns, and what near-duplicates of them are found by.
    pub claims: Vec<(Rank, Fingerprint, Option<Arc<Sketch>>)>,
    /// What became of it.
    pub completion: Completion,
    /// The first of its turns whose question another one asks before it, and which that is; none of the run where an earlier run
    /// has asked it.
    pub lost: Option<(TurnIndex, Option<Slot>)>,
}

/// All shards of the run that the settings ask for, in order. Where no folder is named, those where they lie by default.
///
/// # Errors
/// With everything that is wrong: shards that are missing, not complete, or made otherwise.
pub fn find(settings: &Settings, prepared: &Prepared, folders: &[PathBuf]) -> Result<Vec<Part>, RunError> {
    let folders = if folders.is_empty() { by_default(settings)? } else { folders.to_vec() };
    let shown = |folder: &Path| folder.strip_prefix(&settings.root).unwrap_or(folder).display().to_string();
    let mut wrong = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    for folder in &folders {
        match Part::find(settings, folder)? {
            Ok(part) => parts.push(part),
            Err(why) => wrong.push(format!("{}: {why}", shown(folder))),
        }
    }
    parts.sort_by_key(|part| part.shard);
    let Some(first) = parts.first() else {
        wrong.push("there are none: make them with `dlgforge run --shard I/N`".to_owned());
        return Err(RunError::Shards(wrong));
    };
    let named = |part: &Part| format!("{} (shard {})", shown(&part.folder), part.shard.unwrap_or(WHOLE));
    for pair in parts.windows(2) {
        if pair[0].shard == pair[1].shard {
            wrong.push(format!("{} and {} are the same", named(&pair[0]), named(&pair[1])));
        }
    }
    for part in &parts {
        let differs = otherwise(settings, prepared, part)?;
        let is_of_another = part.run.id != first.run.id;
        if is_of_another {
            wrong.push(format!(
                "{} is of run {}, and {} of run {}",
                named(part),
                part.run.id,
                named(first),
                first.run.id
            ));
        } else if !differs.is_empty() {
            wrong.push(format!("{} was made by other settings: {differs}", named(part)));
        }
    }
    let count = first.shard.map_or(1, |shard| shard.count);
    let has = |index: &u32| parts.iter().any(|part| part.shard == Some(Shard { index: *index, count }));
    let missing: Vec<_> = (0..count).filter(|index| !has(index)).map(|index| format!("{index}/{count}")).collect();
    // Those that can't be used are told of already.
    if wrong.is_empty() && !missing.is_empty() {
        wrong.push(format!(
            "missing: {}; make each with `dlgforge run --shard`, or name its folder",
            missing.join(", ")
        ));
    }
    if wrong.is_empty() { Ok(parts) } else { Err(RunError::Shards(wrong)) }
}

const WHOLE: Shard = Shard { index: 0, count: 1 };

fn by_default(settings: &Settings) -> Result<Vec<PathBuf>, RunError> {
    let folder = settings::folder_of_shards(&settings.output.folder);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            let text = format!(
                "{}: {error}; make shards with `dlgforge run --shard I/N`, or name their folders",
                folder.display()
            );
            return Err(RunError::Shards(vec![text]));
        }
    };
    let shards = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().contains("-of-"));
    let mut folders: Vec<_> = shards.map(|entry| entry.path()).collect();
    folders.sort();
    Ok(folders)
}

/// How the settings of a part differ from these; empty where they don't.
fn otherwise(settings: &Settings, prepared: &Prepared, part: &Part) -> Result<String, RunError> {
    let own = Settings { run_id: Some(part.run.id.clone()), resume: None, reuse_from: None, ..settings.clone() };
    let mut identity = identity::Identity::of(&own, &[])?;
    identity.seed = settings.plan.seed.unwrap_or_else(|| seed(&part.run));
    let mut now = manifest::manifest(settings, &prepared.sources, &identity);
    let share = part.shard.unwrap_or(WHOLE).share(settings.total_samples);
    now.insert(TOTAL_SAMPLES.to_owned(), share.to_string());
    let mut then = part.run.manifest.clone();
    then.remove(SHARD);
    [&mut now, &mut then].into_iter().for_each(|manifest| _ = manifest.remove(OUTPUT_DIR));
    Ok(identity::changes(&then, &now))
}

fn seed(run: &Run) -> u64 {
    run.manifest.get(SEED).and_then(|seed| seed.parse().ok()).unwrap_or_default()
}

/// The settings of the run whose parts these are.
pub fn settings(settings: &Settings, parts: &[Part]) -> Settings {
    let mut settings = Settings { resume: None, reuse_from: None, cluster: None, ..settings.clone() };
    if let Some(first) = parts.first() {
        settings.run_id = Some(first.run.id.clone());
        settings.plan.seed = Some(seed(&first.run));
    }
    settings
}

/// Those of what is missing in it.
pub fn settings_of_rest(settings: &Settings) -> Settings {
    let mut rest = settings.clone();
    rest.output.folder = settings::folder_of_rest(&settings.output.folder);
    rest.logs = settings.logs.join("rest");
    rest
}

/// What a merge follows from: how many shards, and what they asked.
pub fn digest(parts: &[Part], all: &[Made]) -> Arc<str> {
    let asked: Vec<_> =
        all.iter().flat_map(|one| one.claims.iter().map(|(_, question, _)| question.0.to_le_bytes())).collect();
    format!("{}, {}", parts.len(), settings::digest(&asked.concat())).into()
}

impl Part {
    /// The shard in a folder, or what is wrong with it.
    fn find(settings: &Settings, path: &Path) -> Result<Result<Self, String>, RunError> {
        let Some(Folder { store, runs, .. }) = Folder::look(path, &settings.store.backend)? else {
            return Ok(Err("it has no runs".to_owned()));
        };
        let shard = |run: &Run| run.manifest.get(SHARD).and_then(|shard| shard.parse::<Shard>().ok());
        let Some((run, shard)) = runs.into_iter().rev().find_map(|run| shard(&run).map(|shard| (run, shard))) else {
            return Ok(Err("it has no run that was made with --shard".to_owned()));
        };
        let again = format!("run `dlgforge run --shard {shard}` again");
        match run.state {
            State::Completed | State::Short => {}
            State::Running if Folder::is_busy(path)? => return Ok(Err(format!("shard {shard} is being made"))),
            state => return Ok(Err(format!("shard {shard} is not complete ({}): {again}", state.as_str()))),
        }
        let settled = store.settled(&run.id)?;
        Ok(Ok(Self { shard: Some(shard), folder: path.to_owned(), run, store, settled }))
    }

    /// The rest of a run, which has these settings.
    pub fn rest(settings: &Settings) -> Result<Self, RunError> {
        let path = &settings.output.folder;
        let found = Folder::look(path, &settings.store.backend)?;
        let run = settings.run_id.as_deref();
        let found = found.and_then(|folder| Some((identity::found(&folder.runs, run).ok()?.clone(), folder.store)));
        let (run, store) =
            found.ok_or_else(|| RunError::Shards(vec![format!("{}: it has no runs", path.display())]))?;
        let settled = store.settled(&run.id)?;
        Ok(Self { shard: None, folder: path.clone(), run, store, settled })
    }

    /// Its conversations, without those that have no turn: no file tells of them.
    ///
    /// # Errors
    /// When a document can't be read, or does not fit the documents of the knowledge base.
    pub fn made(&self, settings: &Settings, catalogue: &Catalogue) -> Result<Vec<Made>, RunError> {
        let claims = self.store.claims()?.into_iter().filter(|(run, ..)| *run == self.run.id);
        let held: BTreeMap<_, _> = claims.map(|(_, slot, held)| (slot, held)).collect();
        let made = |settled: &Settled| {
            let id = conversation_id(&self.run.id, &settings.languages, settled.slot);
            let path = ConversationDocument::path(&self.folder, &id, settled.slot);
            let (conversation, _) = read(&path, catalogue)?;
            let claim = |turn: &Arc<Turn>| {
                let Question { mode, reply, used, fingerprint, .. } = &*turn.question;
                let alone = Question::standalone(*mode, reply, &used.question, turn.index == TurnIndex(1));
                let sketch = settings.plan.coverage.near.zip(alone).and_then(|(near, alone)| {
                    let mut held = held.get(&settled.slot).into_iter().flatten();
                    let held = held.find(|held| (held.turn, held.attempt) == (turn.index, turn.attempt));
                    let vector = held.and_then(|held| held.vector.clone());
                    near.measure.sketch(&Compared { text: alone.into(), vector }).map(Arc::new)
                });
                (conversation.rank_at(turn.index, turn.attempt), *fingerprint, sketch)
            };
            let turns = conversation.turns.iter().flat_map(|turn| turn.regenerated.iter().chain([turn]));
            let claims = turns.chain(&conversation.round.regenerated).map(claim).collect();
            let completion = completion(&conversation, &path)?;
            Ok(Made { slot: settled.slot, path, claims, completion, lost: None })
        };
        self.settled.par_iter().filter(|one| one.document > 0).map(made).collect()
    }
}

impl Made {
    /// The conversation, which was dropped where it has lost a question, and when it was made.
    ///
    /// # Errors
    /// When its document can't be read.
    pub fn conversation(&self, settings: &Settings, catalogue: &Catalogue) -> Result<(Conversation, Stamp), RunError> {
        let (mut conversation, stamp) = read(&self.path, catalogue)?;
        if let Some((turn, by)) = self.lost {
            let whose = match by {
                Some(slot) => {
                    let run_id = settings.run_id.as_deref().unwrap_or_default();
                    format!("conversation {} asks", conversation_id(run_id, &settings.languages, slot))
                }
                None => "an earlier run of the output folder asked".to_owned(),
            };
            conversation.turns.truncate(usize::from(turn.0) - 1);
            (conversation.round, conversation.judgement) = (Round::default(), None);
            let reason = DropReason::AskedElsewhere(format!("turn {turn} asks what {whose}"));
            conversation.outcome = Some(Outcome::Dropped(reason));
        }
        Ok((conversation, stamp))
    }

    /// Notes that it has lost the question of a turn to a conversation, or to an earlier run.
    ///
    /// # Errors
    /// When its document can't be read.
    pub fn complete(&mut self, settings: &Settings, catalogue: &Catalogue) -> Result<(), RunError> {
        let (conversation, _) = self.conversation(settings, catalogue)?;
        self.completion = completion(&conversation, &self.path)?;
        Ok(())
    }
}

/// The conversation of a document, and when it was made.
fn read(path: &Path, catalogue: &Catalogue) -> Result<(Conversation, Stamp), OutputError> {
    let document = ConversationDocument::read(path)?;
    Ok((document.conversation(path, catalogue)?, document.stamp(path)?))
}

fn completion(conversation: &Conversation, path: &Path) -> Result<Completion, OutputError> {
    let ended = Completion::of(conversation);
    ended.ok_or_else(|| OutputError::NotEnded { id: format!("{} in {}", conversation.id, path.display()) })
}
