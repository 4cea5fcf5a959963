//! Which store an output folder has: the one that the settings ask for, unless its state is kept in the other.

use super::postgres::{self, Dsn, Postgres};
use super::sqlite::{FOLDER, RUNS, Sqlite};
use super::{Store, StoreError};
use std::path::Path;
use std::sync::Arc;

/// The variable that has the connection string where no configuration is at hand.
pub const DSN_VARIABLE: &str = "DLGFORGE_POSTGRES_DSN";

/// Where the state of runs is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Backend {
    /// Files in the output folder.
    #[default]
    Sqlite,
    /// A database of a PostgreSQL server.
    Postgres(Box<postgres::Options>),
}

/// Opens the store of an output folder, making it when there is none.
///
/// # Errors
/// When it can't be opened or made, when another process has claimed it, or when the folder's state is kept elsewhere.
pub fn open(outputs: &Path, backend: &Backend) -> Result<Arc<dyn Store>, StoreError> {
    match backend {
        Backend::Sqlite => {
            refuse_server(outputs)?;
            Ok(Arc::new(Sqlite::open(outputs)?))
        }
        Backend::Postgres(options) => {
            refuse_files(outputs)?;
            Ok(Arc::new(Postgres::open(outputs, options)?))
        }
    }
}

/// Opens the store of an output folder to look at it as a run with these settings would; none when there is none.
///
/// # Errors
/// When it can't be opened, or when the folder's state is kept elsewhere.
pub fn look(outputs: &Path, backend: &Backend) -> Result<Option<Arc<dyn Store>>, StoreError> {
    match backend {
        Backend::Sqlite => {
            refuse_server(outputs)?;
            look_at_files(outputs)
        }
        Backend::Postgres(options) => {
            refuse_files(outputs)?;
            look_at_server(outputs, options)
        }
    }
}

/// Opens whichever store an output folder has to look at it; none when there is none. Where that is on a server, this is its
/// connection string.
///
/// # Errors
/// When it can't be opened, or there is no connection string for it.
pub fn find(outputs: &Path, dsn: Option<&str>) -> Result<Option<Arc<dyn Store>>, StoreError> {
    let Some(server) = Postgres::server_of(outputs)? else { return look_at_files(outputs) };
    let unknown = |why: String| StoreError::NoDsn { folder: outputs.to_owned(), server: server.clone(), why };
    let dsn = dsn.map(str::trim).filter(|dsn| !dsn.is_empty()).ok_or_else(|| unknown("is not set".to_owned()))?;
    let dsn = Dsn::parse(dsn).map_err(|why| unknown(format!("is no connection string: {why}")))?;
    look_at_server(outputs, &postgres::Options::to_look(dsn))
}

fn look_at_files(outputs: &Path) -> Result<Option<Arc<dyn Store>>, StoreError> {
    Ok(Sqlite::look(outputs)?.map(|store| Arc::new(store) as Arc<dyn Store>))
}

fn look_at_server(outputs: &Path, options: &postgres::Options) -> Result<Option<Arc<dyn Store>>, StoreError> {
    Ok(Postgres::look(outputs, options)?.map(|store| Arc::new(store) as Arc<dyn Store>))
}

fn refuse_server(outputs: &Path) -> Result<(), StoreError> {
    match Postgres::server_of(outputs)? {
        None => Ok(()),
        Some(server) => {
            let place = format!("PostgreSQL ({server})");
            Err(StoreError::OtherBackend { folder: outputs.to_owned(), place, backend: "postgres" })
        }
    }
}

fn refuse_files(outputs: &Path) -> Result<(), StoreError> {
    let path = outputs.join(FOLDER).join(RUNS);
    if !path.is_file() {
        return Ok(());
    }
    let place = format!("SQLite ({FOLDER}/{RUNS})");
    Err(StoreError::OtherBackend { folder: outputs.to_owned(), place, backend: "sqlite" })
}
