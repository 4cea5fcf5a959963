//! Which rows of a database belong to an output folder: an id in a file of the folder, and one process at a time.

use super::failure::Failure;
use super::pool::LOCK;
use super::session::Session;
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file in the store's folder that says which rows are the folder's.
pub(super) const MARKER: &str = "postgres.json";

/// What the file says. It has no password: the connection string is asked for anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// The id that the rows of the folder are found by.
    pub folder: String,
    /// Where the rows were when they were made, for people.
    pub server: String,
}

impl Marker {
    /// The path of the file in an output folder.
    pub fn path(outputs: &Path) -> PathBuf {
        outputs.join(crate::store::sqlite::FOLDER).join(MARKER)
    }

    /// What the file of an output folder says; none when there is none.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(outputs: &Path) -> Result<Option<Self>, StoreError> {
        let path = Self::path(outputs);
        let failed = |cause: String| StoreError::Database { action: "read", path: path.clone(), cause };
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error.to_string())),
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(error.to_string())),
        }
    }

    /// Writes the file: it is on disk on return.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, outputs: &Path) -> Result<(), StoreError> {
        let path = Self::path(outputs);
        let (folder, temporary) = (outputs.join(crate::store::sqlite::FOLDER), path.with_extension("json.tmp"));
        let written = || -> std::io::Result<()> {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            fs::create_dir_all(&folder)?;
            let mut file = File::create(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            // Elsewhere a folder can't be opened.
            if cfg!(unix) {
                File::open(&folder)?.sync_all()?;
            }
            Ok(())
        };
        written().map_err(|error| StoreError::Database { action: "write", path, cause: error.to_string() })
    }
}

/// The claim of one process on the rows of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// The number of the folder, which all of its rows have.
    pub folder: i32,
    /// How many processes have claimed it, this one among them.
    pub number: i64,
}

/// What became of an attempt to claim a folder.
pub(super) enum Claimed {
    /// It is this process's now.
    Ours(Claim),
    /// Another process has it at this moment.
    Busy,
    /// The database knows no such folder.
    Unknown,
}

/// Makes a folder's row, and tells its id.
pub(super) async fn make(session: &Session) -> Result<String, Failure> {
    let made = session.query("INSERT INTO folders DEFAULT VALUES RETURNING id", &[]).await?;
    made.first().map(|row| row.get(0)).ok_or_else(|| Failure::Invalid("it has made no folder".to_owned()))
}

/// The number of a folder's rows.
pub(super) async fn number(session: &Session, id: &str) -> Result<Option<i32>, Failure> {
    let found = session.find("SELECT number FROM folders WHERE id = $1", &[&id]).await?;
    Ok(found.map(|row| row.get(0)))
}

/// Claims a folder for this process. The connection holds the claim; others may share in it. What processes that have gone
/// left unfinished is waited for: nothing of theirs is written afterwards.
pub(super) async fn claim(session: &Session, id: &str) -> Result<Claimed, Failure> {
    let Some(folder) = number(session, id).await? else { return Ok(Claimed::Unknown) };
    let locked = session.find("SELECT pg_try_advisory_lock($1, $2)", &[&LOCK, &folder]).await?;
    if !locked.is_some_and(|row| row.get(0)) {
        return Ok(Claimed::Busy);
    }
    session.command("BEGIN").await?;
    let update = "UPDATE folders SET claim = claim + 1 WHERE number = $1 RETURNING claim";
    let claimed = session.find(update, &[&folder]).await?;
    let number: i64 = claimed.map_or(0, |row| row.get(0));
    session.execute("DELETE FROM lanes WHERE folder = $1", &[&folder]).await?;
    let insert = "INSERT INTO lanes (folder, claim, lane, token) VALUES ($1, $2, 0, 0)";
    session.execute(insert, &[&folder, &number]).await?;
    session.command("COMMIT").await?;
    // All of its connections share in it from here on.
    session.find("SELECT pg_advisory_lock_shared($1, $2), pg_advisory_unlock($1, $2)", &[&LOCK, &folder]).await?;
    Ok(Claimed::Ours(Claim { folder, number }))
}
