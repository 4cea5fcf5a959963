//! The tables, in the schema `dlgforge` of a database: made and brought up to date by numbered steps.

use super::failure::Failure;
use super::pool::LOCK;
use super::session::Session;

/// Steps from an empty schema to the one that this release knows; the first is number 1. A step that was released stays as
/// it is.
const STEPS: [&str; 2] = [FIRST, CLAIMS];

/// Texts of models and endpoints are kept as JSON: PostgreSQL's own texts can't hold every character.
const FIRST: &str = "
CREATE TABLE folders (
    number INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT NOT NULL UNIQUE DEFAULT gen_random_uuid()::TEXT,
    claim BIGINT NOT NULL DEFAULT 0, began TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE lanes (
    folder INT NOT NULL, claim BIGINT NOT NULL, lane INT NOT NULL, token BIGINT NOT NULL,
    PRIMARY KEY (folder, claim, lane)
) WITH (fillfactor = 50);
CREATE TABLE runs (
    folder INT NOT NULL, number BIGINT GENERATED ALWAYS AS IDENTITY, id TEXT COLLATE \"C\" NOT NULL, state TEXT NOT NULL,
    manifest TEXT NOT NULL, config TEXT NOT NULL, ledger BIGINT NOT NULL, began TEXT NOT NULL, updated TEXT NOT NULL,
    PRIMARY KEY (folder, id)
);
CREATE TABLE files (
    folder INT NOT NULL, path TEXT COLLATE \"C\" NOT NULL, length BIGINT NOT NULL, rows BIGINT NOT NULL,
    tail BYTEA NOT NULL, PRIMARY KEY (folder, path)
);
CREATE TABLE settled (
    folder INT NOT NULL, run TEXT COLLATE \"C\" NOT NULL, language INT NOT NULL, slot BIGINT NOT NULL, wave BIGINT NOT NULL,
    dropped TEXT, duplicates BIGINT NOT NULL, ledger_start BIGINT NOT NULL, ledger_end BIGINT NOT NULL,
    document BIGINT NOT NULL, counts TEXT NOT NULL, PRIMARY KEY (folder, run, language, slot)
);
CREATE TABLE unfinished (
    folder INT NOT NULL, run TEXT COLLATE \"C\" NOT NULL, language INT NOT NULL, slot BIGINT NOT NULL,
    fingerprint BYTEA NOT NULL, PRIMARY KEY (folder, run, language, slot)
);
CREATE TABLE facts (
    folder INT NOT NULL, number BIGINT GENERATED ALWAYS AS IDENTITY, run TEXT COLLATE \"C\" NOT NULL, digest BYTEA NOT NULL,
    endpoint TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (folder, run, digest)
);
CREATE TABLE spending (
    folder INT NOT NULL, run TEXT COLLATE \"C\" NOT NULL, nanousd BIGINT NOT NULL, tokens BIGINT NOT NULL,
    calls BIGINT NOT NULL, PRIMARY KEY (folder, run)
) WITH (fillfactor = 50);
CREATE TABLE spent (
    folder INT NOT NULL, run TEXT COLLATE \"C\" NOT NULL, role TEXT COLLATE \"C\" NOT NULL, model TEXT COLLATE \"C\" NOT NULL,
    language INT NOT NULL, calls BIGINT NOT NULL, prompt_tokens BIGINT NOT NULL, completion_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL, reasoning_tokens BIGINT NOT NULL, unreported BIGINT NOT NULL,
    latency_us BIGINT NOT NULL, cost_nanousd BIGINT NOT NULL, unpriced BIGINT NOT NULL,
    PRIMARY KEY (folder, run, role, model, language)
) WITH (fillfactor = 50);
CREATE TABLE tiers (
    folder INT NOT NULL, run TEXT COLLATE \"C\" NOT NULL, tier TEXT COLLATE \"C\" NOT NULL, calls BIGINT NOT NULL,
    cost_nanousd BIGINT NOT NULL, unpriced BIGINT NOT NULL, PRIMARY KEY (folder, run, tier)
) WITH (fillfactor = 50);
CREATE TABLE replies (
    folder INT NOT NULL, run TEXT COLLATE \"C\" NOT NULL, language INT NOT NULL, slot BIGINT NOT NULL, turn INT NOT NULL,
    attempt INT NOT NULL, stage INT NOT NULL, round INT NOT NULL, digest BYTEA NOT NULL, prompt_tokens BIGINT,
    completion_tokens BIGINT, cost_nanousd BIGINT, latency_us BIGINT, body BYTEA NOT NULL,
    PRIMARY KEY (folder, run, language, slot, turn, attempt, stage, round, digest)
);
ALTER TABLE replies ALTER COLUMN body SET STORAGE EXTERNAL";

const CLAIMS: &str = "
CREATE TABLE claims (
    folder INT NOT NULL, run TEXT COLLATE \"C\" NOT NULL, language INT NOT NULL, slot BIGINT NOT NULL, claims TEXT NOT NULL,
    PRIMARY KEY (folder, run, language, slot)
)";

/// The newest step that this release knows.
pub(super) const KNOWN: i32 = STEPS.len() as i32;

/// The last step that a database has seen; 0 where it has no such schema.
pub(super) async fn found(session: &Session) -> Result<i32, Failure> {
    let table = session.find("SELECT to_regclass('dlgforge.migrations') IS NOT NULL", &[]).await?;
    if !table.is_some_and(|row| row.get(0)) {
        return Ok(0);
    }
    let last = session.find("SELECT coalesce(max(step), 0) FROM dlgforge.migrations", &[]).await?;
    Ok(last.map_or(0, |row| row.get(0)))
}

/// Brings the schema up to date; the step that it is at then, which is a newer one than [`KNOWN`] where a newer release has
/// been here. Of several processes that do it at the same time, one does and the others wait.
pub(super) async fn bring_up(session: &Session) -> Result<i32, Failure> {
    let before = found(session).await?;
    if before >= KNOWN {
        return Ok(before);
    }
    let encoding = session.find("SELECT current_setting('server_encoding')", &[]).await?;
    let encoding: String = encoding.map(|row| row.get(0)).unwrap_or_default();
    if encoding != "UTF8" {
        return Err(Failure::Invalid(format!(
            "the database has the encoding {encoding}; make one with UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    session.command("BEGIN").await?;
    session.find("SELECT pg_advisory_xact_lock($1, 0)", &[&LOCK]).await?;
    let before = found(session).await?;
    let mut steps = String::new();
    if before == 0 {
        // Whoever may not make a schema may have been given one.
        let made = session.find("SELECT to_regnamespace('dlgforge') IS NOT NULL", &[]).await?;
        if !made.is_some_and(|row| row.get(0)) {
            steps.push_str("CREATE SCHEMA dlgforge;");
        }
        let migrations =
            "CREATE TABLE dlgforge.migrations (step INT PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now());";
        steps.push_str(migrations);
    }
    for (step, sql) in (1..).zip(STEPS).skip(usize::try_from(before).unwrap_or_default()) {
        steps.push_str(&format!("{sql}; INSERT INTO dlgforge.migrations (step) VALUES ({step});"));
    }
    session.command(&format!("{steps} COMMIT")).await?;
    Ok(before.max(KNOWN))
}
