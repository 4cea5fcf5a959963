//! What models replied, by place and request, and what it cost: a group of replies is one insertion for each table.

use super::failure::Failure;
use super::numbers::{column, kept, large, small};
use super::session::Session;
use crate::domain::{Attempt, Digest, LanguageIndex, Place, Slot, Stage, Tier, TurnIndex};
use crate::store::packing::unpacked;
use crate::store::records::{Cost, Paid};
use crate::store::{Charge, Entry, KeptReply, Settled, Spent, Tiered};
use std::collections::BTreeMap;
use tokio_postgres::Row;

/// Bytes of replies that go out in one statement: a message has at most 1 GiB.
const PART: usize = 32 << 20;

const KEEP: &str = "
INSERT INTO replies (folder, run, language, slot, turn, attempt, stage, round, digest, prompt_tokens, completion_tokens,
    cost_nanousd, latency_us, body)
SELECT $1, $2, * FROM unnest($3::INT[], $4::BIGINT[], $5::INT[], $6::INT[], $7::INT[], $8::INT[], $9::BYTEA[],
    $10::BIGINT[], $11::BIGINT[], $12::BIGINT[], $13::BIGINT[], $14::BYTEA[])
ON CONFLICT DO NOTHING";

const CHARGE: &str = "
INSERT INTO spent AS known (folder, run, role, model, language, calls, prompt_tokens, completion_tokens, cached_tokens,
    reasoning_tokens, unreported, latency_us, cost_nanousd, unpriced)
SELECT $1, $2, * FROM unnest($3::TEXT[], $4::TEXT[], $5::INT[], $6::BIGINT[], $7::BIGINT[], $8::BIGINT[], $9::BIGINT[],
    $10::BIGINT[], $11::BIGINT[], $12::BIGINT[], $13::BIGINT[], $14::BIGINT[])
ON CONFLICT (folder, run, role, model, language) DO UPDATE SET calls = known.calls + excluded.calls,
    prompt_tokens = known.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = known.completion_tokens + excluded.completion_tokens,
    cached_tokens = known.cached_tokens + excluded.cached_tokens,
    reasoning_tokens = known.reasoning_tokens + excluded.reasoning_tokens,
    unreported = known.unreported + excluded.unreported, latency_us = known.latency_us + excluded.latency_us,
    cost_nanousd = known.cost_nanousd + excluded.cost_nanousd, unpriced = known.unpriced + excluded.unpriced";

const COUNT: &str = "
INSERT INTO tiers AS known (folder, run, tier, calls, cost_nanousd, unpriced)
SELECT $1, $2, * FROM unnest($3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[])
ON CONFLICT (folder, run, tier) DO UPDATE SET calls = known.calls + excluded.calls,
    cost_nanousd = known.cost_nanousd + excluded.cost_nanousd, unpriced = known.unpriced + excluded.unpriced";

/// Keeps replies that are not there yet, and charges all of them.
pub(super) async fn append(session: &Session, folder: i32, run: &str, entries: &[Entry]) -> Result<(), Failure> {
    let mut left = entries;
    while !left.is_empty() {
        let mut bytes = 0;
        let fitting = left.iter().take_while(|entry| {
            bytes += entry.body.len();
            bytes <= PART
        });
        let (part, rest) = left.split_at(fitting.count().max(1));
        keep(session, folder, run, part).await?;
        left = rest;
    }
    charge(session, folder, run, entries).await
}

async fn keep(session: &Session, folder: i32, run: &str, entries: &[Entry]) -> Result<(), Failure> {
    let numbers = |of: fn(&Place) -> i32| entries.iter().map(|entry| of(&entry.place)).collect::<Vec<_>>();
    let optional = |of: fn(&Paid) -> Option<u64>| {
        let values = entries.iter().map(|entry| entry.paid.as_ref().and_then(of).map(kept).transpose());
        values.collect::<Result<Vec<_>, _>>()
    };
    let slots: Vec<_> = entries.iter().map(|entry| i64::from(entry.place.slot.index)).collect();
    let digests: Vec<_> = entries.iter().map(|entry| entry.digest.0.to_be_bytes().to_vec()).collect();
    let bodies: Vec<_> = entries.iter().map(|entry| entry.body.as_slice()).collect();
    session
        .execute(
            KEEP,
            &[
                &folder,
                &run,
                &numbers(|place| place.slot.language.0.into()),
                &slots,
                &numbers(|place| place.turn.0.into()),
                &numbers(|place| place.attempt.0.into()),
                &numbers(|place| place.stage.number().into()),
                &numbers(|place| place.round.into()),
                &digests,
                &optional(|paid| paid.usage.prompt_tokens)?,
                &optional(|paid| paid.usage.completion_tokens)?,
                &optional(|paid| paid.nanousd)?,
                &optional(|paid| Some(paid.latency_us))?,
                &bodies,
            ],
        )
        .await?;
    Ok(())
}

/// The replies of a conversation, by their places.
pub(super) async fn of(session: &Session, folder: i32, run: &str, slot: Slot) -> Result<Vec<KeptReply>, Failure> {
    let find = "SELECT turn, attempt, stage, round, prompt_tokens, completion_tokens, cost_nanousd, body FROM replies
        WHERE folder = $1 AND run = $2 AND language = $3 AND slot = $4
        ORDER BY turn, attempt, stage, round, prompt_tokens, digest";
    let optional = |row: &Row, at: usize| column::<Option<i64>>(row, at).map(|kept| kept.map(i64::unsigned_abs));
    let reply = |row: &Row| {
        let stage: u8 = small(row, 2)?;
        let stage = Stage::ALL.get(usize::from(stage)).copied().unwrap_or_default();
        let (turn, attempt, round) = (TurnIndex(small(row, 0)?), Attempt(small(row, 1)?), small(row, 3)?);
        let body: Vec<u8> = column(row, 7)?;
        Ok(KeptReply {
            place: Place { slot, turn, attempt, stage, round },
            body: unpacked(&body).unwrap_or_default(),
            tokens: (optional(row, 4)?, optional(row, 5)?),
            nanousd: optional(row, 6)?,
        })
    };
    let (language, index) = (i32::from(slot.language.0), i64::from(slot.index));
    session.query(find, &[&folder, &run, &language, &index]).await?.iter().map(reply).collect()
}

/// Whom a reply is charged to: the agent, its model and the language.
type Debtor<'a> = (&'a str, &'a str, u16);

async fn charge(session: &Session, folder: i32, run: &str, entries: &[Entry]) -> Result<(), Failure> {
    let (mut spent, mut tiers) = (BTreeMap::<Debtor<'_>, Cost>::new(), BTreeMap::<&str, Cost>::new());
    for (place, paid) in entries.iter().filter_map(|entry| Some((&entry.place, entry.paid.as_ref()?))) {
        let cost = cost(paid);
        let add = |known: &mut Cost| *known = known.plus(cost);
        add(spent.entry((paid.agent.as_str(), &paid.model, place.slot.language.0)).or_default());
        if paid.usage.tier != Tier::Standard {
            add(tiers.entry(paid.usage.tier.as_str()).or_default());
        }
    }
    let texts = |of: fn(&Debtor<'_>) -> String| spent.keys().map(of).collect::<Vec<_>>();
    let languages: Vec<_> = spent.keys().map(|(_, _, language)| i32::from(*language)).collect();
    if !spent.is_empty() {
        let sums = |of| sums(spent.values(), of);
        session
            .execute(
                CHARGE,
                &[
                    &folder,
                    &run,
                    &texts(|(agent, _, _)| (*agent).to_owned()),
                    &texts(|(_, model, _)| (*model).to_owned()),
                    &languages,
                    &sums(|cost| cost.calls)?,
                    &sums(|cost| cost.prompt_tokens)?,
                    &sums(|cost| cost.completion_tokens)?,
                    &sums(|cost| cost.cached_tokens)?,
                    &sums(|cost| cost.reasoning_tokens)?,
                    &sums(|cost| cost.unreported)?,
                    &sums(|cost| cost.latency_us)?,
                    &sums(|cost| cost.nanousd)?,
                    &sums(|cost| cost.unpriced)?,
                ],
            )
            .await?;
    }
    if !tiers.is_empty() {
        let names: Vec<_> = tiers.keys().copied().collect();
        let sums = |of| sums(tiers.values(), of);
        let [calls, nanousd, unpriced] =
            [sums(|cost| cost.calls)?, sums(|cost| cost.nanousd)?, sums(|cost| cost.unpriced)?];
        session.execute(COUNT, &[&folder, &run, &names, &calls, &nanousd, &unpriced]).await?;
    }
    Ok(())
}

fn cost(paid: &Paid) -> Cost {
    let usage = paid.usage;
    let (prompt, completion) = (usage.prompt_tokens, usage.completion_tokens);
    Cost {
        calls: 1,
        prompt_tokens: prompt.unwrap_or(0),
        completion_tokens: completion.unwrap_or(0),
        cached_tokens: usage.cached_tokens.unwrap_or(0),
        reasoning_tokens: usage.reasoning_tokens.unwrap_or(0),
        unreported: u64::from(prompt.is_none() || completion.is_none()),
        latency_us: paid.latency_us,
        nanousd: paid.nanousd.unwrap_or(0),
        unpriced: u64::from(paid.nanousd.is_none()),
    }
}

fn sums<'a>(costs: impl Iterator<Item = &'a Cost>, of: fn(&Cost) -> u64) -> Result<Vec<i64>, Failure> {
    costs.map(|cost| kept(of(cost))).collect()
}

pub(super) async fn recall(
    session: &Session,
    folder: i32,
    run: &str,
    place: &Place,
    digest: Digest,
) -> Result<Option<Vec<u8>>, Failure> {
    const RECALL: &str = "SELECT body FROM replies WHERE folder = $1 AND run = $2 AND language = $3 AND slot = $4
        AND turn = $5 AND attempt = $6 AND stage = $7 AND round = $8 AND digest = $9";
    let Place { slot, turn, attempt, stage, round } = place;
    let (language, slot) = (i32::from(slot.language.0), i64::from(slot.index));
    let [turn, attempt, stage, round] =
        [i32::from(turn.0), i32::from(attempt.0), i32::from(stage.number()), i32::from(*round)];
    let digest = digest.0.to_be_bytes();
    let key: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
        [&folder, &run, &language, &slot, &turn, &attempt, &stage, &round, &digest.as_slice()];
    session.find(RECALL, &key).await?.map(|row| column(&row, 0)).transpose()
}

/// Drops one reply.
pub(super) async fn discard(
    session: &Session,
    folder: i32,
    run: &str,
    place: &Place,
    digest: Digest,
) -> Result<(), Failure> {
    const DISCARD: &str = "DELETE FROM replies WHERE folder = $1 AND run = $2 AND language = $3 AND slot = $4
        AND turn = $5 AND attempt = $6 AND stage = $7 AND round = $8 AND digest = $9";
    let Place { slot, turn, attempt, stage, round } = place;
    let (language, slot) = (i32::from(slot.language.0), i64::from(slot.index));
    let [turn, attempt, stage, round] =
        [i32::from(turn.0), i32::from(attempt.0), i32::from(stage.number()), i32::from(*round)];
    let digest = digest.0.to_be_bytes();
    let key: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
        [&folder, &run, &language, &slot, &turn, &attempt, &stage, &round, &digest.as_slice()];
    session.execute(DISCARD, &key).await.map(drop)
}

/// The conversations that have replies.
pub(super) async fn slots(session: &Session, folder: i32, run: &str) -> Result<Vec<Slot>, Failure> {
    let find = "SELECT DISTINCT language, slot FROM replies WHERE folder = $1 AND run = $2";
    session.query(find, &[&folder, &run]).await?.iter().map(slot).collect()
}

/// The conversation in the first two columns.
pub(super) fn slot(row: &Row) -> Result<Slot, Failure> {
    Ok(Slot { language: LanguageIndex(small(row, 0)?), index: large(row, 1)? })
}

/// Drops the replies behind these conversations.
pub(super) async fn forget(session: &Session, folder: i32, run: &str, settled: &[Settled]) -> Result<(), Failure> {
    let forget = "DELETE FROM replies WHERE folder = $1 AND run = $2
        AND (language, slot) IN (SELECT * FROM unnest($3::INT[], $4::BIGINT[]))";
    let languages: Vec<_> = settled.iter().map(|one| i32::from(one.slot.language.0)).collect();
    let slots: Vec<_> = settled.iter().map(|one| i64::from(one.slot.index)).collect();
    session.execute(forget, &[&folder, &run, &languages, &slots]).await.map(drop)
}

pub(super) async fn spent(session: &Session, folder: i32, run: &str) -> Result<Vec<Spent>, Failure> {
    let find = "SELECT role, model, language, calls, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
        unreported, latency_us, cost_nanousd, unpriced FROM spent WHERE folder = $1 AND run = $2
        ORDER BY role, model, language";
    let spent = |row: &Row| {
        let cost = Cost {
            calls: large(row, 3)?,
            prompt_tokens: large(row, 4)?,
            completion_tokens: large(row, 5)?,
            cached_tokens: large(row, 6)?,
            reasoning_tokens: large(row, 7)?,
            unreported: large(row, 8)?,
            latency_us: large(row, 9)?,
            nanousd: large(row, 10)?,
            unpriced: large(row, 11)?,
        };
        Ok(Spent { agent: column(row, 0)?, model: column(row, 1)?, language: LanguageIndex(small(row, 2)?), cost })
    };
    session.query(find, &[&folder, &run]).await?.iter().map(spent).collect()
}

pub(super) async fn tiers(session: &Session, folder: i32, run: &str) -> Result<Vec<Tiered>, Failure> {
    let find = "SELECT tier, calls, cost_nanousd, unpriced FROM tiers WHERE folder = $1 AND run = $2 ORDER BY tier";
    let tiered = |row: &Row| {
        let (calls, nanousd, unpriced) = (large(row, 1)?, large(row, 2)?, large(row, 3)?);
        Ok(Tiered { tier: column(row, 0)?, cost: Cost { calls, nanousd, unpriced, ..Cost::default() } })
    };
    session.query(find, &[&folder, &run]).await?.iter().map(tiered).collect()
}

pub(super) async fn charges(session: &Session, folder: i32, run: &str) -> Result<Vec<Charge>, Failure> {
    let find = "SELECT language, slot, count(*), coalesce(sum(prompt_tokens), 0)::BIGINT,
        coalesce(sum(completion_tokens), 0)::BIGINT, coalesce(sum(cost_nanousd), 0)::BIGINT,
        count(*) FILTER (WHERE cost_nanousd IS NULL)
        FROM replies WHERE folder = $1 AND run = $2 AND latency_us IS NOT NULL
        GROUP BY language, slot ORDER BY language, slot";
    let charge = |row: &Row| {
        let cost = Cost {
            calls: large(row, 2)?,
            prompt_tokens: large(row, 3)?,
            completion_tokens: large(row, 4)?,
            nanousd: large(row, 5)?,
            unpriced: large(row, 6)?,
            ..Cost::default()
        };
        Ok(Charge { slot: slot(row)?, cost })
    };
    session.query(find, &[&folder, &run]).await?.iter().map(charge).collect()
}
