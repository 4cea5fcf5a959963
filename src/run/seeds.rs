//! Writes seed topics anew, in the form of today.

use crate::files::{self, FilesError};
use crate::plan::PlanError;
use crate::plan::topics::{OLD_FORM, TopicCounts, Topics};
use crate::settings::SeedFiles;
use std::fmt;
use std::path::PathBuf;

/// Why seed topics could not be written anew; nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum SeedsError {
    /// There is nothing at the path of the source.
    #[error("Seed topics source file not found: {}", .0.display())]
    NotFound(PathBuf),
    /// The file to write is there.
    #[error("Refusing to overwrite existing file: {}", .0.display())]
    Exists(PathBuf),
    /// The source holds no question.
    #[error("No valid seed topics found in source file.")]
    NoQuestions,
    /// The source can't be read.
    #[error(transparent)]
    Plan(PlanError),
    /// The file can't be written.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// What was written, and what of the source was not.
#[derive(Debug)]
pub struct MigratedSeeds {
    counts: TopicCounts,
    destination: PathBuf,
    is_configured: bool,
    /// What was left out of the source and why, one line each.
    pub warnings: Vec<String>,
}

/// Reads seed topics of any form, and writes them to the destination as [`Topics::to_yaml`] has them: whole, and durable on return.
///
/// # Errors
/// When there is no source or no question in it, when it can't be read, when the destination is there and is not to be
/// overwritten, or can't be written.
pub fn migrate_seeds(paths: &SeedFiles, overwrite: bool) -> Result<MigratedSeeds, SeedsError> {
    let SeedFiles { source, destination, is_configured, .. } = paths;
    if !source.exists() {
        return Err(SeedsError::NotFound(source.clone()));
    }
    if !overwrite && destination.exists() {
        return Err(SeedsError::Exists(destination.clone()));
    }
    let topics = Topics::load(source).map_err(|error| match error {
        PlanError::NoQuestions { .. } => SeedsError::NoQuestions,
        error => SeedsError::Plan(error),
    })?;
    files::write(destination, topics.to_yaml().as_bytes())?;
    // That the form is an old one is why the command was given.
    let warnings = topics.warnings().iter().filter(|warning| !warning.ends_with(OLD_FORM)).cloned().collect();
    let (destination, is_configured) = (destination.clone(), *is_configured);
    Ok(MigratedSeeds { counts: topics.counts(), destination, is_configured, warnings })
}

impl fmt::Display for MigratedSeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TopicCounts { variants, topics, questions } = self.counts;
        let file = self.destination.display();
        writeln!(f, "{file}: {questions} questions on {topics} topics, variants: {variants}")?;
        if !self.is_configured {
            writeln!(f, "for runs that open with them, set `run.data.seeding.topics.path` to it")?;
        }
        Ok(())
    }
}
