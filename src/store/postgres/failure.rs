//! What keeps a server from doing something: told apart by whether it may go away by itself.

use crate::domain::causes::causes;
use std::error::Error as _;
use std::io::{self, ErrorKind};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server or the connection to it said so.
    Server(Error),
    /// The server said nothing for so long that the connection counts as broken.
    Silent,
    /// Another process has claimed the state of the output folder.
    Taken,
    /// What is there, or what was to be kept, can't be so.
    Invalid(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl Failure {
    /// Whether it may go away: the server starts again, or another one takes over.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Taken | Self::Invalid(_) => false,
            Self::Server(error) => match error.code() {
                Some(code) => is_passing(code),
                None => is_broken(error),
            },
        }
    }

    /// What happened, for people, and what helps.
    pub fn told(&self) -> String {
        match self {
            Self::Silent => "it does not answer".to_owned(),
            Self::Taken => "another process has claimed the output folder meanwhile; end one of them".to_owned(),
            Self::Invalid(why) => why.clone(),
            Self::Server(error) => match error.as_db_error() {
                Some(said) => format!("{} ({}){}", said.message(), said.code().code(), advice(said.code())),
                None => causes(error),
            },
        }
    }
}

fn is_passing(code: &SqlState) -> bool {
    const PASSING: [&SqlState; 9] = [
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::TOO_MANY_CONNECTIONS,
        // A server that has become another one's standby.
        &SqlState::READ_ONLY_SQL_TRANSACTION,
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        &SqlState::IDLE_SESSION_TIMEOUT,
    ];
    PASSING.contains(&code) || code.code().starts_with("08")
}

/// Whether the connection is at fault, and not what was said on it.
fn is_broken(error: &Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    // A certificate that is not taken is invalid data.
    let is_network = source.is_some_and(|io| !matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput));
    error.is_closed() || is_network || error.to_string() == "timeout waiting for server"
}

fn advice(code: &SqlState) -> &'static str {
    const ADVICE: [(&SqlState, &str); 7] = [
        (&SqlState::INVALID_PASSWORD, "; check user and password of `store.postgres.dsn`"),
        (&SqlState::INVALID_AUTHORIZATION_SPECIFICATION, "; check user and password of `store.postgres.dsn`"),
        (&SqlState::INVALID_CATALOG_NAME, "; create the database, or name another one in `store.postgres.dsn`"),
        (&SqlState::INSUFFICIENT_PRIVILEGE, "; the user needs all rights in the schema dlgforge, or may create it"),
        (&SqlState::QUERY_CANCELED, "; see `store.postgres.statement_timeout_ms`"),
        (&SqlState::TOO_MANY_CONNECTIONS, "; lower `store.postgres.max_pool_size`"),
        (&SqlState::DISK_FULL, "; free space on the server"),
    ];
    ADVICE.iter().find(|(known, _)| *known == code).map_or("", |(_, advice)| advice)
}
