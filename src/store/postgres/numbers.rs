//! Numbers as PostgreSQL has them, which knows none without a sign.

use super::failure::Failure;
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

/// A number as it is kept.
pub(super) fn kept(number: u64) -> Result<i64, Failure> {
    i64::try_from(number).map_err(|_| Failure::Invalid(format!("{number} is more than it can keep")))
}

/// What a column holds.
pub(super) fn column<T: FromSqlOwned>(row: &Row, at: usize) -> Result<T, Failure> {
    Ok(row.try_get(at)?)
}

/// The number in a column of eight bytes.
pub(super) fn large<T: TryFrom<i64>>(row: &Row, at: usize) -> Result<T, Failure> {
    let found: i64 = column(row, at)?;
    T::try_from(found).map_err(|_| unreadable(row, at, &found.to_string()))
}

/// The number in a column of four bytes.
pub(super) fn small<T: TryFrom<i32>>(row: &Row, at: usize) -> Result<T, Failure> {
    let found: i32 = column(row, at)?;
    T::try_from(found).map_err(|_| unreadable(row, at, &found.to_string()))
}

/// The number of sixteen bytes in a column of bytes.
pub(super) fn wide(row: &Row, at: usize) -> Result<u128, Failure> {
    let found: Vec<u8> = column(row, at)?;
    let bytes = found.try_into().map_err(|bytes: Vec<u8>| unreadable(row, at, &format!("{} bytes", bytes.len())))?;
    Ok(u128::from_be_bytes(bytes))
}

/// Says that a column holds what no release has written.
pub(super) fn unreadable(row: &Row, at: usize, found: &str) -> Failure {
    let column = row.columns().get(at).map_or("", |column| column.name());
    Failure::Invalid(format!("the column {column} holds {found}, which this release can't read"))
}
