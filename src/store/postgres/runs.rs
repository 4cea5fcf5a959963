//! Which runs a folder has, what they have settled, and how long their files are.

use super::failure::Failure;
use super::numbers::{column, kept, large, unreadable, wide};
use super::replies;
use super::session::Session;
use crate::domain::{Fingerprint, HeldClaim, Slot, Wave};
use crate::store::runs::{in_a_row, one_by_one};
use crate::store::{Admission, Fact, Mark, Revision, Run, Settled, Spending, State};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use xxhash_rust::xxh3::xxh3_128;

fn json(value: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Invalid(error.to_string()))
}

fn read_json<T: DeserializeOwned>(row: &Row, at: usize) -> Result<T, Failure> {
    let text: String = column(row, at)?;
    serde_json::from_str(&text).map_err(|error| unreadable(row, at, &format!("JSON ({error})")))
}

pub(super) async fn all(session: &Session, folder: i32) -> Result<Vec<Run>, Failure> {
    let find = "SELECT id, state, manifest, config, ledger, began, updated FROM runs WHERE folder = $1 ORDER BY number";
    let run = |row: &Row| {
        let state: String = column(row, 1)?;
        Ok(Run {
            id: column(row, 0)?,
            state: State::named(&state).ok_or_else(|| unreadable(row, 1, &format!("{state:?}")))?,
            manifest: read_json(row, 2)?,
            config: column(row, 3)?,
            ledger: large(row, 4)?,
            began: column(row, 5)?,
            updated: column(row, 6)?,
        })
    };
    session.query(find, &[&folder]).await?.iter().map(run).collect()
}

/// Whether there was none of this name.
pub(super) async fn begin(session: &Session, folder: i32, run: &Run) -> Result<bool, Failure> {
    let insert = "INSERT INTO runs (folder, id, state, manifest, config, ledger, began, updated)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let (state, manifest, ledger) = (run.state.as_str(), json(&run.manifest)?, kept(run.ledger)?);
    let Run { id, config, began, updated, .. } = run;
    Ok(session.execute(insert, &[&folder, id, &state, &manifest, config, &ledger, began, updated]).await? == 1)
}

/// Whether there is one of this name.
pub(super) async fn set_state(
    session: &Session,
    folder: i32,
    run: &str,
    state: State,
    at: &str,
) -> Result<bool, Failure> {
    let update = "UPDATE runs SET state = $3, updated = $4 WHERE folder = $1 AND id = $2";
    Ok(session.execute(update, &[&folder, &run, &state.as_str(), &at]).await? == 1)
}

pub(super) async fn admit(session: &Session, folder: i32, run: &str, admission: &Admission) -> Result<(), Failure> {
    settle(session, folder, run, &admission.settled).await?;
    if !admission.unfinished.is_empty() {
        let claim = "INSERT INTO unfinished (folder, run, language, slot, fingerprint)
            SELECT $1, $2, * FROM unnest($3::INT[], $4::BIGINT[], $5::BYTEA[])";
        let unfinished = &admission.unfinished;
        let languages: Vec<_> = unfinished.iter().map(|(slot, _)| i32::from(slot.language.0)).collect();
        let slots: Vec<_> = unfinished.iter().map(|(slot, _)| i64::from(slot.index)).collect();
        let prints: Vec<_> = unfinished.iter().map(|(_, prints)| in_a_row(prints)).collect();
        session.execute(claim, &[&folder, &run, &languages, &slots, &prints]).await?;
    }
    if !admission.claims.is_empty() {
        let hold = "INSERT INTO claims (folder, run, language, slot, claims)
            SELECT $1, $2, * FROM unnest($3::INT[], $4::BIGINT[], $5::TEXT[])";
        let languages: Vec<_> = admission.claims.iter().map(|(slot, _)| i32::from(slot.language.0)).collect();
        let slots: Vec<_> = admission.claims.iter().map(|(slot, _)| i64::from(slot.index)).collect();
        let claims = admission.claims.iter().map(|(_, claims)| json(claims)).collect::<Result<Vec<_>, _>>()?;
        session.execute(hold, &[&folder, &run, &languages, &slots, &claims]).await?;
    }
    mark(session, folder, &admission.files).await?;
    let update = "UPDATE runs SET updated = $3, state = coalesce($4, state) WHERE folder = $1 AND id = $2";
    session.execute(update, &[&folder, &run, &admission.at, &admission.state.map(State::as_str)]).await?;
    if admission.drop_replies && !admission.settled.is_empty() {
        replies::forget(session, folder, run, &admission.settled).await?;
    }
    Ok(())
}

async fn settle(session: &Session, folder: i32, run: &str, settled: &[Settled]) -> Result<(), Failure> {
    if settled.is_empty() {
        return Ok(());
    }
    let settle =
        "INSERT INTO settled (folder, run, language, slot, wave, dropped, duplicates, ledger_start, ledger_end,
        document, counts) SELECT $1, $2, * FROM unnest($3::INT[], $4::BIGINT[], $5::BIGINT[], $6::TEXT[], $7::BIGINT[],
        $8::BIGINT[], $9::BIGINT[], $10::BIGINT[], $11::TEXT[])";
    let small = |of: fn(&Settled) -> i64| settled.iter().map(of).collect::<Vec<_>>();
    let large = |of: fn(&Settled) -> u64| settled.iter().map(|one| kept(of(one))).collect::<Result<Vec<_>, _>>();
    let languages: Vec<_> = settled.iter().map(|one| i32::from(one.slot.language.0)).collect();
    let dropped = settled.iter().map(|one| one.dropped.as_ref().map(json).transpose());
    let counts = settled.iter().map(|one| json(&one.turns));
    let parameters: super::session::Parameters<'_> = &[
        &folder,
        &run,
        &languages,
        &small(|one| one.slot.index.into()),
        &small(|one| one.wave.0.into()),
        &dropped.collect::<Result<Vec<_>, _>>()?,
        &small(|one| one.duplicates.into()),
        &large(|one| one.ledger.start)?,
        &large(|one| one.ledger.end)?,
        &large(|one| one.document)?,
        &counts.collect::<Result<Vec<_>, _>>()?,
    ];
    session.execute(settle, parameters).await.map(drop)
}

async fn mark(session: &Session, folder: i32, files: &BTreeMap<String, Option<Mark>>) -> Result<(), Failure> {
    let gone: Vec<_> = files.iter().filter(|(_, mark)| mark.is_none()).map(|(path, _)| path.as_str()).collect();
    if !gone.is_empty() {
        let forget = "DELETE FROM files WHERE folder = $1 AND path = ANY($2)";
        session.execute(forget, &[&folder, &gone]).await?;
    }
    let marks: Vec<_> = files.iter().filter_map(|(path, mark)| Some((path.as_str(), (*mark)?))).collect();
    if !marks.is_empty() {
        let mark = "INSERT INTO files (folder, path, length, rows, tail)
            SELECT $1, * FROM unnest($2::TEXT[], $3::BIGINT[], $4::BIGINT[], $5::BYTEA[])
            ON CONFLICT (folder, path)
            DO UPDATE SET length = excluded.length, rows = excluded.rows, tail = excluded.tail";
        let paths: Vec<_> = marks.iter().map(|(path, _)| *path).collect();
        let numbers =
            |of: fn(&Mark) -> u64| marks.iter().map(|(_, mark)| kept(of(mark))).collect::<Result<Vec<_>, _>>();
        let (lengths, rows) = (numbers(|mark| mark.length)?, numbers(|mark| mark.rows)?);
        let tails: Vec<_> = marks.iter().map(|(_, mark)| mark.tail.to_be_bytes().to_vec()).collect();
        session.execute(mark, &[&folder, &paths, &lengths, &rows, &tails]).await?;
    }
    Ok(())
}

pub(super) async fn revise(session: &Session, folder: i32, revision: &Revision) -> Result<(), Failure> {
    let files = revision.files.iter().map(|(path, file)| (path.clone(), Some(*file))).collect();
    mark(session, folder, &files).await?;
    let revised = &revision.conversations;
    if !revised.is_empty() {
        let update = "UPDATE settled SET document = new.document, counts = new.counts
            FROM unnest($2::TEXT[], $3::INT[], $4::BIGINT[], $5::BIGINT[], $6::TEXT[])
            AS new (run, language, slot, document, counts)
            WHERE settled.folder = $1 AND settled.run = new.run AND settled.language = new.language
            AND settled.slot = new.slot";
        let runs: Vec<_> = revised.iter().map(|(run, ..)| run.as_str()).collect();
        let languages: Vec<_> = revised.iter().map(|(_, slot, ..)| i32::from(slot.language.0)).collect();
        let slots: Vec<_> = revised.iter().map(|(_, slot, ..)| i64::from(slot.index)).collect();
        let documents = revised.iter().map(|(.., document, _)| kept(*document)).collect::<Result<Vec<_>, _>>()?;
        let counts = revised.iter().map(|(.., turns)| json(turns)).collect::<Result<Vec<_>, _>>()?;
        session.execute(update, &[&folder, &runs, &languages, &slots, &documents, &counts]).await?;
    }
    if let Some((run, state)) = &revision.state {
        set_state(session, folder, run, *state, &revision.at).await?;
    }
    Ok(())
}

pub(super) async fn settled(session: &Session, folder: i32, run: &str) -> Result<Vec<Settled>, Failure> {
    let find =
        "SELECT language, slot, wave, dropped, duplicates, ledger_start, ledger_end, document, counts FROM settled
        WHERE folder = $1 AND run = $2 ORDER BY language, slot";
    let settled = |row: &Row| {
        let dropped: Option<String> = column(row, 3)?;
        Ok(Settled {
            slot: replies::slot(row)?,
            wave: Wave(large(row, 2)?),
            dropped: dropped.map(|_| read_json(row, 3)).transpose()?,
            duplicates: large(row, 4)?,
            ledger: large(row, 5)?..large(row, 6)?,
            document: large(row, 7)?,
            turns: read_json(row, 8)?,
        })
    };
    session.query(find, &[&folder, &run]).await?.iter().map(settled).collect()
}

pub(super) async fn claims(session: &Session, folder: i32) -> Result<Vec<(String, Slot, Vec<HeldClaim>)>, Failure> {
    let find = "SELECT language, slot, run, claims FROM claims WHERE folder = $1 ORDER BY run, language, slot";
    let held = |row: &Row| Ok((column(row, 2)?, replies::slot(row)?, read_json(row, 3)?));
    session.query(find, &[&folder]).await?.iter().map(held).collect()
}

pub(super) async fn unfinished(session: &Session, folder: i32) -> Result<Vec<(String, Fingerprint)>, Failure> {
    let find = "SELECT run, fingerprint FROM unfinished WHERE folder = $1 ORDER BY run, language, slot";
    let mut questions = Vec::new();
    for row in session.query(find, &[&folder]).await? {
        let (run, fingerprints): (String, Vec<u8>) = (column(&row, 0)?, column(&row, 1)?);
        questions.extend(one_by_one(&fingerprints).map(|fingerprint| (run.clone(), fingerprint)));
    }
    Ok(questions)
}

pub(super) async fn files(session: &Session, folder: i32) -> Result<BTreeMap<String, Mark>, Failure> {
    let find = "SELECT path, length, rows, tail FROM files WHERE folder = $1";
    let file = |row: &Row| {
        let mark = Mark { length: large(row, 1)?, rows: large(row, 2)?, tail: wide(row, 3)? };
        Ok((column(row, 0)?, mark))
    };
    session.query(find, &[&folder]).await?.iter().map(file).collect()
}

pub(super) async fn record_spending(
    session: &Session,
    folder: i32,
    run: &str,
    spending: Spending,
) -> Result<(), Failure> {
    let record = "INSERT INTO spending (folder, run, nanousd, tokens, calls) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (folder, run)
        DO UPDATE SET nanousd = excluded.nanousd, tokens = excluded.tokens, calls = excluded.calls";
    let [nanousd, tokens, calls] = [kept(spending.nanousd)?, kept(spending.tokens)?, kept(spending.calls)?];
    session.execute(record, &[&folder, &run, &nanousd, &tokens, &calls]).await.map(drop)
}

pub(super) async fn spending(session: &Session, folder: i32, run: &str) -> Result<Spending, Failure> {
    let find = "SELECT nanousd, tokens, calls FROM spending WHERE folder = $1 AND run = $2";
    let Some(row) = session.find(find, &[&folder, &run]).await? else { return Ok(Spending::default()) };
    Ok(Spending { nanousd: large(&row, 0)?, tokens: large(&row, 1)?, calls: large(&row, 2)? })
}

pub(super) async fn learn(session: &Session, folder: i32, run: &str, fact: &Fact) -> Result<(), Failure> {
    let insert = "INSERT INTO facts (folder, run, digest, endpoint, text) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    let (endpoint, text) = (json(&fact.endpoint)?, json(&fact.text)?);
    let digest = xxh3_128(format!("{endpoint}{text}").as_bytes()).to_be_bytes();
    session.execute(insert, &[&folder, &run, &digest.as_slice(), &endpoint, &text]).await.map(drop)
}

pub(super) async fn learned(session: &Session, folder: i32, run: &str) -> Result<Vec<Fact>, Failure> {
    let find = "SELECT endpoint, text FROM facts WHERE folder = $1 AND run = $2 ORDER BY number";
    let fact = |row: &Row| Ok(Fact { endpoint: read_json(row, 0)?, text: read_json(row, 1)? });
    session.query(find, &[&folder, &run]).await?.iter().map(fact).collect()
}
