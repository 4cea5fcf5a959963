//! `dlgforge preview`: a few conversations by the settings as they are, to be read before a run is made of them.

use super::explain::explain;
use super::pilot::{made, piloted};
use super::show::Transcript;
use super::signals::Scratch;
use super::summary::{RunEnd, Summary};
use super::{Host, RunError, Signal};
use crate::domain::slot::conversation_id;
use crate::files::Folder;
use crate::output::Files;
use crate::settings::Settings;
use crate::store::Settled;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Conversations that are about to be made in a folder apart from the outputs, which goes afterwards unless it is kept.
pub struct Trial {
    /// What they are made by: the settings of the run, but for where its files and logs lie.
    pub settings: Settings,
    kept: Option<PathBuf>,
    folder: Option<Scratch>,
}

/// What came of them.
pub struct Preview {
    /// The conversations in the order of their slots, dropped ones among them.
    pub conversations: Vec<Transcript>,
    /// Why there are fewer than were asked for, if there are.
    pub complaint: Option<String>,
    /// What has stopped it, if something did.
    pub signal: Option<Signal>,
    summary: Box<Summary>,
    kept: Option<PathBuf>,
}

impl Trial {
    /// Of so many conversations or a few more: as many in each language, and where there are more languages, one in each of the
    /// first. They are kept in a folder, if one is named.
    ///
    /// # Errors
    /// When that folder has something in it, or no folder can be made.
    pub fn new(settings: &Settings, conversations: u32, kept: Option<&Path>) -> Result<Self, RunError> {
        let (outputs, folder) = match kept {
            Some(kept) => (empty(kept)?, None),
            None => {
                let folder = Scratch::new().map_err(RunError::Scratch)?;
                (folder.path().join("preview"), Some(folder))
            }
        };
        let languages = settings.languages.len().min(conversations as usize);
        let logs = outputs.join("logs");
        let mut settings = piloted(settings, conversations.div_ceil(languages as u32), outputs);
        settings.languages.truncate(languages);
        settings.logs = logs;
        settings.output.files = Files::all();
        Ok(Self { settings, kept: kept.map(Path::to_owned), folder })
    }

    /// Makes them. They are paid for, and the web is asked where the settings say so.
    ///
    /// # Errors
    /// When they can't be made, or can't be read back.
    pub fn run(self, workers: usize, host: &Host) -> Result<Preview, RunError> {
        let Self { settings, kept, folder } = self;
        let summary = made(&settings, workers, host)?;
        let conversations = conversations(&settings, &summary)?;
        let complaint = match &summary.end {
            RunEnd::Halted(reason) => Some(reason.clone()),
            RunEnd::Short(_) => summary.complaint(),
            RunEnd::Complete | RunEnd::Interrupted(_) => None,
        };
        let signal = match summary.end {
            RunEnd::Interrupted(signal) => Some(signal),
            _ => None,
        };
        drop(folder);
        Ok(Preview { conversations, complaint, signal, summary, kept })
    }
}

/// A folder that is empty or not there, as a whole path.
fn empty(kept: &Path) -> Result<PathBuf, RunError> {
    let unsaved = |detail: String| RunError::Unsaved(format!("{}: {detail}", kept.display()));
    match fs::read_dir(kept).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(unsaved("the folder is not empty; name another one".to_owned())),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        Err(cause) => return Err(unsaved(cause.to_string())),
    }
    std::path::absolute(kept).map_err(|cause| unsaved(cause.to_string()))
}

fn conversations(settings: &Settings, summary: &Summary) -> Result<Vec<Transcript>, RunError> {
    let (outputs, run) = (settings.output.folder.as_path(), &*summary.run_id);
    let Some(folder) = Folder::find(outputs, None)? else { return Ok(Vec::new()) };
    let mut settled = folder.store.settled(run)?;
    settled.sort_by_key(|one| (one.slot.index, one.slot.language));
    let shown = |one: &Settled| {
        let id = conversation_id(run, &settings.languages, one.slot);
        explain(outputs, None, (&id, Some(run)), &settings.logs).map(Transcript::from)
    };
    settled.iter().map(shown).collect()
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tally, meter) = (&self.summary.tally, self.summary.meter);
        let dropped = if tally.dropped() > 0 { format!(", {} dropped", tally.dropped()) } else { String::new() };
        writeln!(
            f,
            "preview (seed {}): {} conversations{dropped}, {} calls, {} tokens, cost {}",
            self.summary.seed,
            tally.accepted(),
            meter.calls,
            meter.prompt_tokens + meter.completion_tokens,
            self.summary.bill.cost()
        )?;
        match &self.kept {
            Some(kept) => writeln!(f, "kept in {}", kept.display()),
            None => writeln!(f, "nothing of it is kept (--save FOLDER keeps it)"),
        }
    }
}
