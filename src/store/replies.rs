//! `journal.sqlite`: what models replied, by place and request, and what it cost.

use super::database::{Access, Database, has_table};
use super::packing::unpacked;
use super::records::{Cost, Paid};
use super::{Charge, Entry, KeptReply, Settled, Spent, StoreError, Tiered};
use crate::domain::{Attempt, Digest, LanguageIndex, Place, Slot, Stage, Tier, TurnIndex};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use std::path::Path;

const FORMAT: i64 = 1;

/// The index is ordered by place: what is written next lies beside what was written last, however much there is.
const SCHEMA: &str = "
CREATE TABLE spent (
    run TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL, language INTEGER NOT NULL, calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL, untold INTEGER NOT NULL, latency_us INTEGER NOT NULL,
    cost_nanousd INTEGER NOT NULL, unpriced INTEGER NOT NULL, PRIMARY KEY (run, role, model, language)
) WITHOUT ROWID;
CREATE TABLE replies (
    number INTEGER PRIMARY KEY, run TEXT NOT NULL, language INTEGER NOT NULL, slot INTEGER NOT NULL,
    turn INTEGER NOT NULL, attempt INTEGER NOT NULL, stage INTEGER NOT NULL, round INTEGER NOT NULL,
    digest BLOB NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER, cost_nanousd INTEGER, latency_us INTEGER,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX replies_by_place ON replies (run, language, slot, turn, attempt, stage, round, digest)";

/// Earlier releases had no such table: it is made when a journal is opened for writing, and journals without it can be read.
const LATER: &str = "
CREATE TABLE IF NOT EXISTS tiers (
    run TEXT NOT NULL, tier TEXT NOT NULL, calls INTEGER NOT NULL, cost_nanousd INTEGER NOT NULL,
    unpriced INTEGER NOT NULL, PRIMARY KEY (run, tier)
) WITHOUT ROWID";

pub(super) fn open(path: &Path, access: Access) -> Result<Database, StoreError> {
    Database::open(path, FORMAT, SCHEMA, LATER, access)
}

pub(super) fn append(connection: &mut Connection, run: &str, entries: &[Entry]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut keep = transaction.prepare_cached(
            "INSERT OR IGNORE INTO replies (run, language, slot, turn, attempt, stage, round, digest, prompt_tokens,
             completion_tokens, cost_nanousd, latency_us, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        let mut charge = transaction.prepare_cached(
            "INSERT INTO spent (run, role, model, language, calls, prompt_tokens, completion_tokens, cached_tokens,
             reasoning_tokens, untold, latency_us, cost_nanousd, unpriced)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO UPDATE SET
             calls = calls + 1, prompt_tokens = prompt_tokens + ?5, completion_tokens = completion_tokens + ?6,
             cached_tokens = cached_tokens + ?7, reasoning_tokens = reasoning_tokens + ?8, untold = untold + ?9,
             latency_us = latency_us + ?10, cost_nanousd = cost_nanousd + ?11, unpriced = unpriced + ?12",
        )?;
        let mut count = transaction.prepare_cached(
            "INSERT INTO tiers (run, tier, calls, cost_nanousd, unpriced) VALUES (?1, ?2, 1, ?3, ?4)
             ON CONFLICT DO UPDATE SET calls = calls + 1, cost_nanousd = cost_nanousd + ?3, unpriced = unpriced + ?4",
        )?;
        for Entry { place, digest, body, paid } in entries {
            let Place { slot, turn, attempt, stage, round } = place;
            let paid = paid.as_ref();
            let usage = paid.map(|paid| paid.usage).unwrap_or_default();
            let tokens = (usage.prompt_tokens, usage.completion_tokens);
            keep.execute(params![
                run,
                slot.language.0,
                slot.index,
                turn.0,
                attempt.0,
                stage.number(),
                round,
                digest.0.to_be_bytes(),
                tokens.0,
                tokens.1,
                paid.and_then(|paid| paid.nanousd),
                paid.map(|paid| paid.latency_us),
                body
            ])?;
            if let Some(Paid { agent, model, latency_us, nanousd, .. }) = paid {
                if usage.tier != Tier::Standard {
                    count.execute(params![run, usage.tier.as_str(), nanousd.unwrap_or(0), nanousd.is_none()])?;
                }
                charge.execute(params![
                    run,
                    agent.as_str(),
                    &**model,
                    slot.language.0,
                    tokens.0.unwrap_or(0),
                    tokens.1.unwrap_or(0),
                    usage.cached_tokens.unwrap_or(0),
                    usage.reasoning_tokens.unwrap_or(0),
                    tokens.0.is_none() || tokens.1.is_none(),
                    latency_us,
                    nanousd.unwrap_or(0),
                    nanousd.is_none()
                ])?;
            }
        }
    }
    transaction.commit()
}

pub(super) fn recall(
    connection: &Connection,
    run: &str,
    place: &Place,
    digest: Digest,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let Place { slot, turn, attempt, stage, round } = place;
    let mut found = connection.prepare_cached(
        "SELECT body FROM replies WHERE run = ?1 AND language = ?2 AND slot = ?3 AND turn = ?4 AND attempt = ?5
         AND stage = ?6 AND round = ?7 AND digest = ?8",
    )?;
    let key =
        params![run, slot.language.0, slot.index, turn.0, attempt.0, stage.number(), round, digest.0.to_be_bytes()];
    found.query_row(key, |row| row.get(0)).optional()
}

/// The replies of a conversation, by their places.
pub(super) fn of(connection: &Connection, run: &str, slot: Slot) -> rusqlite::Result<Vec<KeptReply>> {
    let mut find = connection.prepare_cached(
        "SELECT turn, attempt, stage, round, prompt_tokens, completion_tokens, cost_nanousd, body FROM replies
         WHERE run = ?1 AND language = ?2 AND slot = ?3 ORDER BY turn, attempt, stage, round, number",
    )?;
    let reply = |row: &Row<'_>| {
        let stage = Stage::ALL.get(row.get::<_, usize>(2)?).copied().unwrap_or_default();
        let (turn, attempt, round) = (TurnIndex(row.get(0)?), Attempt(row.get(1)?), row.get(3)?);
        let body: Vec<u8> = row.get(7)?;
        Ok(KeptReply {
            place: Place { slot, turn, attempt, stage, round },
            body: unpacked(&body).unwrap_or_default(),
            tokens: (row.get(4)?, row.get(5)?),
            nanousd: row.get(6)?,
        })
    };
    find.query_map(params![run, slot.language.0, slot.index], reply)?.collect()
}

/// The conversations that have replies.
pub(super) fn slots(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Slot>> {
    let mut find = connection.prepare("SELECT DISTINCT language, slot FROM replies WHERE run = ?1")?;
    let slot = |row: &Row<'_>| Ok(Slot { language: LanguageIndex(row.get(0)?), index: row.get(1)? });
    find.query_map([run], slot)?.collect()
}

/// Drops one reply.
pub(super) fn discard(connection: &Connection, run: &str, place: &Place, digest: Digest) -> rusqlite::Result<()> {
    let Place { slot, turn, attempt, stage, round } = place;
    let mut discard = connection.prepare_cached(
        "DELETE FROM replies WHERE run = ?1 AND language = ?2 AND slot = ?3 AND turn = ?4 AND attempt = ?5
         AND stage = ?6 AND round = ?7 AND digest = ?8",
    )?;
    let key =
        params![run, slot.language.0, slot.index, turn.0, attempt.0, stage.number(), round, digest.0.to_be_bytes()];
    discard.execute(key).map(drop)
}

/// Drops the replies behind these conversations.
pub(super) fn forget(connection: &mut Connection, run: &str, settled: &[Settled]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut forget =
            transaction.prepare_cached("DELETE FROM replies WHERE run = ?1 AND language = ?2 AND slot = ?3")?;
        for Settled { slot, .. } in settled {
            forget.execute(params![run, slot.language.0, slot.index])?;
        }
    }
    transaction.commit()
}

pub(super) fn spent(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Spent>> {
    let mut found = connection.prepare_cached(
        "SELECT role, model, language, calls, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, untold,
         latency_us, cost_nanousd, unpriced FROM spent WHERE run = ?1 ORDER BY role, model, language",
    )?;
    let spent = found.query_map([run], |row| {
        Ok(Spent {
            agent: row.get(0)?,
            model: row.get(1)?,
            language: LanguageIndex(row.get(2)?),
            cost: Cost {
                calls: row.get(3)?,
                prompt_tokens: row.get(4)?,
                completion_tokens: row.get(5)?,
                cached_tokens: row.get(6)?,
                reasoning_tokens: row.get(7)?,
                unreported: row.get(8)?,
                latency_us: row.get(9)?,
                nanousd: row.get(10)?,
                unpriced: row.get(11)?,
            },
        })
    })?;
    spent.collect()
}

pub(super) fn tiers(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Tiered>> {
    if !has_table(connection, "tiers")? {
        return Ok(Vec::new());
    }
    let mut found = connection
        .prepare_cached("SELECT tier, calls, cost_nanousd, unpriced FROM tiers WHERE run = ?1 ORDER BY tier")?;
    let tiers = found.query_map([run], |row| {
        let (calls, nanousd, unpriced) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Tiered { tier: row.get(0)?, cost: Cost { calls, nanousd, unpriced, ..Cost::default() } })
    })?;
    tiers.collect()
}

pub(super) fn charges(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Charge>> {
    let mut found = connection.prepare_cached(
        "SELECT language, slot, count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),
         coalesce(sum(cost_nanousd), 0), sum(cost_nanousd IS NULL) FROM replies
         WHERE run = ?1 AND latency_us IS NOT NULL GROUP BY language, slot",
    )?;
    let charges = found.query_map([run], |row| {
        Ok(Charge {
            slot: Slot { language: LanguageIndex(row.get(0)?), index: row.get(1)? },
            cost: Cost {
                calls: row.get(2)?,
                prompt_tokens: row.get(3)?,
                completion_tokens: row.get(4)?,
                nanousd: row.get(5)?,
                unpriced: row.get(6)?,
                ..Cost::default()
            },
        })
    })?;
    charges.collect()
}

/// Copies what can still be read of a damaged file; how many replies.
pub(super) fn rescue(from: &Connection, to: &mut Connection) -> rusqlite::Result<u64> {
    const SPENT: &str = "run, role, model, language, calls, prompt_tokens, completion_tokens, cached_tokens, \
                         reasoning_tokens, untold, latency_us, cost_nanousd, unpriced";
    const REPLIES: &str = "number, run, language, slot, turn, attempt, stage, round, digest, prompt_tokens, \
                           completion_tokens, cost_nanousd, latency_us, body";
    let transaction = to.transaction()?;
    copy(from, &transaction, "spent", SPENT, None)?;
    copy(from, &transaction, "tiers", "run, tier, calls, cost_nanousd, unpriced", None)?;
    let (mut copied, mut after, mut step) = (0, 0, 1);
    // Where a row can't be read the copy goes on behind it, in longer and longer steps until there are rows again.
    while step < 1 << 40 {
        let Copied { rows, last, ended } = copy(from, &transaction, "replies", REPLIES, Some(after))?;
        copied += rows;
        if ended {
            break;
        }
        step = if last.is_some() { 1 } else { 2 * step };
        after = last.unwrap_or(after) + step;
    }
    transaction.commit()?;
    Ok(copied)
}

/// What came of a copy.
struct Copied {
    rows: u64,
    /// Number of the last row that was read.
    last: Option<i64>,
    /// Whether it came to the end of the table.
    ended: bool,
}

/// Copies rows, those with a number above this one where they have numbers, up to the first that can't be read. Replies that
/// are not whole are left out.
fn copy(
    from: &Connection,
    to: &Connection,
    table: &str,
    columns: &str,
    after: Option<i64>,
) -> rusqlite::Result<Copied> {
    let mut copied = Copied { rows: 0, last: None, ended: false };
    let above = after.map_or_else(String::new, |after| format!("WHERE number > {after} ORDER BY number"));
    // Errors of the damaged file end the copy; those of the new one are errors.
    let Ok(mut rows) = from.prepare(&format!("SELECT {columns} FROM {table} NOT INDEXED {above}")) else {
        return Ok(Copied { ended: true, ..copied });
    };
    let width = rows.column_count();
    let places = (1..=width).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ");
    let mut insert = to.prepare(&format!("INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})"))?;
    let mut rows = rows.query([])?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Copied { ended: true, ..copied }),
            Err(_) => return Ok(copied),
        };
        if let Some(after) = after {
            // Where numbers don't grow, pages are not what they were: the copy could go round for ever.
            match row.get(0) {
                Ok(number) if number > copied.last.unwrap_or(after) => copied.last = Some(number),
                _ => return Ok(copied),
            }
        }
        let values: Result<Vec<Value>, _> = (0..width).map(|at| row.get(at)).collect();
        let is_whole = |values: &Vec<Value>| match values.last() {
            Some(Value::Blob(body)) => unpacked(body).is_ok(),
            _ => after.is_none(),
        };
        if let Some(values) = values.ok().filter(is_whole) {
            copied.rows += insert.execute(params_from_iter(values))? as u64;
        }
    }
}
