//! `runs.sqlite`: which runs there are, what they have settled, and how long their files are.

use super::database::{Access, Database, has_table};
use super::{Admission, Fact, Mark, Revision, Run, Settled, Spending, State, StoreError};
use crate::domain::{Fingerprint, HeldClaim, LanguageIndex, Slot, Wave};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::path::Path;

const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, manifest TEXT NOT NULL,
    config TEXT NOT NULL, ledger INTEGER NOT NULL, began TEXT NOT NULL, updated TEXT NOT NULL
);
CREATE TABLE files (
    path TEXT PRIMARY KEY, length INTEGER NOT NULL, rows INTEGER NOT NULL, tail BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE settled (
    run TEXT NOT NULL, language INTEGER NOT NULL, slot INTEGER NOT NULL, wave INTEGER NOT NULL,
    reason TEXT, detail TEXT, duplicates INTEGER NOT NULL,
    ledger_start INTEGER NOT NULL, ledger_end INTEGER NOT NULL, document INTEGER NOT NULL,
    PRIMARY KEY (run, language, slot)
) WITHOUT ROWID";

/// Earlier releases had no such tables: they are made when a store is opened for writing, and stores without them can be
/// read.
const LATER: &str = "
CREATE TABLE IF NOT EXISTS facts (
    number INTEGER PRIMARY KEY, run TEXT NOT NULL, endpoint TEXT NOT NULL, text TEXT NOT NULL,
    UNIQUE (run, endpoint, text)
);
CREATE TABLE IF NOT EXISTS unfinished (
    run TEXT NOT NULL, language INTEGER NOT NULL, slot INTEGER NOT NULL, fingerprint BLOB NOT NULL,
    PRIMARY KEY (run, language, slot)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (
    run TEXT NOT NULL, language INTEGER NOT NULL, slot INTEGER NOT NULL, claims TEXT NOT NULL,
    PRIMARY KEY (run, language, slot)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS turns (
    run TEXT NOT NULL, language INTEGER NOT NULL, slot INTEGER NOT NULL, counts TEXT NOT NULL,
    PRIMARY KEY (run, language, slot)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spending (
    run TEXT PRIMARY KEY, nanousd INTEGER NOT NULL, tokens INTEGER NOT NULL, calls INTEGER NOT NULL
) WITHOUT ROWID";

pub(super) fn open(path: &Path, access: Access) -> Result<Database, StoreError> {
    Database::open(path, FORMAT, SCHEMA, LATER, access)
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut found = connection
        .prepare_cached("SELECT id, state, manifest, config, ledger, began, updated FROM runs ORDER BY number")?;
    let runs = found.query_map([], |row| {
        let (state, manifest): (String, String) = (row.get(1)?, row.get(2)?);
        Ok(Run {
            id: row.get(0)?,
            state: State::named(&state).ok_or_else(|| unreadable(1, format!("unknown state {state:?}")))?,
            manifest: serde_json::from_str(&manifest).map_err(|error| unreadable(2, error.to_string()))?,
            config: row.get(3)?,
            ledger: row.get(4)?,
            began: row.get(5)?,
            updated: row.get(6)?,
        })
    })?;
    runs.collect()
}

/// Whether there was none of this name.
pub(super) fn begin(connection: &Connection, run: &Run) -> rusqlite::Result<bool> {
    let manifest =
        serde_json::to_string(&run.manifest).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let made = connection.execute(
        "INSERT OR IGNORE INTO runs (id, state, manifest, config, ledger, began, updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![run.id, run.state.as_str(), manifest, run.config, run.ledger, run.began, run.updated],
    )?;
    Ok(made == 1)
}

/// Whether there is one of this name.
pub(super) fn set_state(connection: &Connection, run: &str, state: State, at: &str) -> rusqlite::Result<bool> {
    let update = "UPDATE runs SET state = ?2, updated = ?3 WHERE id = ?1";
    Ok(connection.execute(update, params![run, state.as_str(), at])? == 1)
}

pub(super) fn admit(connection: &mut Connection, run: &str, admission: &Admission) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut settle = transaction.prepare_cached(
            "INSERT INTO settled (run, language, slot, wave, reason, detail, duplicates, ledger_start, ledger_end, document)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        let mut count =
            transaction.prepare_cached("INSERT INTO turns (run, language, slot, counts) VALUES (?1, ?2, ?3, ?4)")?;
        for one in &admission.settled {
            let counts = serde_json::to_string(&one.turns)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            count.execute(params![run, one.slot.language.0, one.slot.index, counts])?;
            let (reason, detail) = one.dropped.as_ref().map(|(reason, detail)| (reason, detail)).unzip();
            settle.execute(params![
                run,
                one.slot.language.0,
                one.slot.index,
                one.wave.0,
                reason,
                detail,
                one.duplicates,
                one.ledger.start,
                one.ledger.end,
                one.document
            ])?;
        }
        let mut claim = transaction
            .prepare_cached("INSERT INTO unfinished (run, language, slot, fingerprint) VALUES (?1, ?2, ?3, ?4)")?;
        for (slot, fingerprints) in &admission.unfinished {
            claim.execute(params![run, slot.language.0, slot.index, in_a_row(fingerprints)])?;
        }
        let mut hold =
            transaction.prepare_cached("INSERT INTO claims (run, language, slot, claims) VALUES (?1, ?2, ?3, ?4)")?;
        for (slot, claims) in &admission.claims {
            let claims =
                serde_json::to_string(claims).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            hold.execute(params![run, slot.language.0, slot.index, claims])?;
        }
        let files = admission.files.iter().map(|(path, mark)| (path.as_str(), mark.as_ref()));
        mark(&transaction, files)?;
        let update = "UPDATE runs SET updated = ?2, state = coalesce(?3, state) WHERE id = ?1";
        transaction.execute(update, params![run, admission.at, admission.state.map(State::as_str)])?;
    }
    transaction.commit()
}

/// Records how these files end, or that they are needed no longer.
fn mark<'a>(connection: &Connection, files: impl Iterator<Item = (&'a str, Option<&'a Mark>)>) -> rusqlite::Result<()> {
    let mut mark =
        connection.prepare_cached("INSERT OR REPLACE INTO files (path, length, rows, tail) VALUES (?1, ?2, ?3, ?4)")?;
    let mut forget = connection.prepare_cached("DELETE FROM files WHERE path = ?1")?;
    for (path, file) in files {
        match file {
            Some(Mark { length, rows, tail }) => mark.execute(params![path, length, rows, tail.to_be_bytes()])?,
            None => forget.execute([path])?,
        };
    }
    Ok(())
}

pub(super) fn revise(connection: &mut Connection, revision: &Revision) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        mark(&transaction, revision.files.iter().map(|(path, mark)| (path.as_str(), Some(mark))))?;
        let mut settle = transaction
            .prepare_cached("UPDATE settled SET document = ?4 WHERE run = ?1 AND language = ?2 AND slot = ?3")?;
        let mut count = transaction
            .prepare_cached("INSERT OR REPLACE INTO turns (run, language, slot, counts) VALUES (?1, ?2, ?3, ?4)")?;
        for (run, Slot { language, index }, document, turns) in &revision.conversations {
            let counts =
                serde_json::to_string(turns).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            settle.execute(params![run, language.0, index, document])?;
            count.execute(params![run, language.0, index, counts])?;
        }
        if let Some((run, state)) = &revision.state {
            set_state(&transaction, run, *state, &revision.at)?;
        }
    }
    transaction.commit()
}

pub(super) fn settled(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Settled>> {
    let (counts, join) = match has_table(connection, "turns")? {
        true => ("counts", "LEFT JOIN turns USING (run, language, slot)"),
        false => ("NULL", ""),
    };
    let mut found = connection.prepare_cached(&format!(
        "SELECT language, slot, wave, reason, detail, duplicates, ledger_start, ledger_end, document, {counts}
         FROM settled {join} WHERE run = ?1 ORDER BY language, slot",
    ))?;
    found.query_map([run], one_settled)?.collect()
}

fn one_settled(row: &Row) -> rusqlite::Result<Settled> {
    let (reason, detail): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    let counts: Option<String> = row.get(9)?;
    let turns = counts.map(|counts| serde_json::from_str(&counts)).transpose();
    Ok(Settled {
        slot: Slot { language: LanguageIndex(row.get(0)?), index: row.get(1)? },
        wave: Wave(row.get(2)?),
        dropped: reason.map(|reason| (reason, detail.unwrap_or_default())),
        duplicates: row.get(5)?,
        ledger: row.get(6)?..row.get(7)?,
        document: row.get(8)?,
        turns: turns.map_err(|error| unreadable(9, error.to_string()))?.unwrap_or_default(),
    })
}

pub(super) fn files(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Mark>> {
    let mut found = connection.prepare_cached("SELECT path, length, rows, tail FROM files")?;
    let files = found.query_map([], |row| {
        let mark = Mark { length: row.get(1)?, rows: row.get(2)?, tail: u128::from_be_bytes(row.get(3)?) };
        Ok((row.get(0)?, mark))
    })?;
    files.collect()
}

pub(super) fn learn(connection: &Connection, run: &str, fact: &Fact) -> rusqlite::Result<()> {
    let insert = "INSERT OR IGNORE INTO facts (run, endpoint, text) VALUES (?1, ?2, ?3)";
    connection.execute(insert, params![run, fact.endpoint, fact.text]).map(drop)
}

pub(super) fn learned(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Fact>> {
    if !has_table(connection, "facts")? {
        return Ok(Vec::new());
    }
    let mut found = connection.prepare_cached("SELECT endpoint, text FROM facts WHERE run = ?1 ORDER BY number")?;
    found.query_map([run], |row| Ok(Fact { endpoint: row.get(0)?, text: row.get(1)? }))?.collect()
}

pub(super) fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<(String, Fingerprint)>> {
    if !has_table(connection, "unfinished")? {
        return Ok(Vec::new());
    }
    let mut found =
        connection.prepare_cached("SELECT run, fingerprint FROM unfinished ORDER BY run, language, slot")?;
    let mut questions = Vec::new();
    for row in found.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))? {
        let (run, fingerprints) = row?;
        questions.extend(one_by_one(&fingerprints).map(|fingerprint| (run.clone(), fingerprint)));
    }
    Ok(questions)
}

pub(super) fn claims(connection: &Connection) -> rusqlite::Result<Vec<(String, Slot, Vec<HeldClaim>)>> {
    if !has_table(connection, "claims")? {
        return Ok(Vec::new());
    }
    let find = "SELECT run, language, slot, claims FROM claims ORDER BY run, language, slot";
    let mut found = connection.prepare_cached(find)?;
    let rows = found.query_map([], |row| {
        let slot = Slot { language: LanguageIndex(row.get(1)?), index: row.get(2)? };
        let claims: String = row.get(3)?;
        let claims = serde_json::from_str(&claims).map_err(|error| unreadable(3, error.to_string()))?;
        Ok((row.get(0)?, slot, claims))
    })?;
    rows.collect()
}

/// Fingerprints as they are stored together: 16 bytes each, the highest first.
pub(super) fn in_a_row(fingerprints: &[Fingerprint]) -> Vec<u8> {
    fingerprints.iter().flat_map(|fingerprint| fingerprint.0.to_be_bytes()).collect()
}

/// Fingerprints that are stored together.
pub(super) fn one_by_one(bytes: &[u8]) -> impl Iterator<Item = Fingerprint> {
    let (fingerprints, _) = bytes.as_chunks();
    fingerprints.iter().map(|bytes| Fingerprint(u128::from_be_bytes(*bytes)))
}

pub(super) fn record_spending(connection: &Connection, run: &str, spending: Spending) -> rusqlite::Result<()> {
    let Spending { nanousd, tokens, calls } = spending;
    let mut record = connection
        .prepare_cached("INSERT OR REPLACE INTO spending (run, nanousd, tokens, calls) VALUES (?1, ?2, ?3, ?4)")?;
    record.execute(params![run, nanousd, tokens, calls]).map(drop)
}

pub(super) fn spending(connection: &Connection, run: &str) -> rusqlite::Result<Spending> {
    if !has_table(connection, "spending")? {
        return Ok(Spending::default());
    }
    let mut found = connection.prepare_cached("SELECT nanousd, tokens, calls FROM spending WHERE run = ?1")?;
    let spending = |row: &Row| Ok(Spending { nanousd: row.get(0)?, tokens: row.get(1)?, calls: row.get(2)? });
    Ok(found.query_row([run], spending).optional()?.unwrap_or_default())
}

fn unreadable(column: usize, detail: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, detail.into())
}
