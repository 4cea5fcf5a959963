//! Where the state of runs is kept, and how its server is reached.

use super::choices::StoreBackend;
use super::error::{Diagnostics, Location};
use super::expand::expand;
use super::table::{
    KEEP_CALLS, KEEP_REQUESTS, MAX_POOL_SIZE, MIN_POOL_SIZE, POSTGRES_DSN as DSN, STATEMENT_TIMEOUT_MS, STORE_BACKEND,
};
use super::values::Values;
use crate::store::postgres::{self, Dsn};
use crate::store::{Backend, DSN_VARIABLE, Options};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// How the state of runs is kept.
pub(super) fn options(values: &Values, env: &BTreeMap<String, String>, report: &mut Diagnostics) -> Options {
    let backend = match values.get(STORE_BACKEND) {
        StoreBackend::Sqlite => Some(Backend::Sqlite),
        StoreBackend::Postgres => postgres(values, env, report).map(|options| Backend::Postgres(Box::new(options))),
    };
    let backend = backend.unwrap_or_default();
    Options { backend, keep_calls: values.get(KEEP_CALLS), keep_requests: values.get(KEEP_REQUESTS) }
}

/// How the server is reached; none where that is wrong.
fn postgres(values: &Values, env: &BTreeMap<String, String>, report: &mut Diagnostics) -> Option<postgres::Options> {
    let (least, most) = (values.get(MIN_POOL_SIZE), values.get(MAX_POOL_SIZE));
    if most == 0 || least > most {
        let text = format!("`{MAX_POOL_SIZE}` must be at least 1, and `{MIN_POOL_SIZE}` ({least}); it is {most}");
        let place = values.place(MAX_POOL_SIZE).or_else(|| values.place(MIN_POOL_SIZE));
        report.conflict(&[MAX_POOL_SIZE.path, MIN_POOL_SIZE.path], place, text);
    }
    let dsn = dsn(values, env).map_err(|why| report.conflict(&[DSN.path], values.place(DSN), why)).ok()?;
    let limit = values.get(STATEMENT_TIMEOUT_MS);
    let statement_timeout = (limit > 0).then(|| Duration::from_millis(limit.into()));
    Some(postgres::Options { dsn, least, most, statement_timeout })
}

fn dsn(values: &Values, env: &BTreeMap<String, String>) -> Result<Dsn, String> {
    let text = values.get(DSN);
    let text = match values.place(DSN) {
        // The environment's own texts are taken as they are.
        Some(Location::File { .. }) => match expand(text, env).map_err(|why| format!("`{DSN}`: {why}"))? {
            Some((expanded, _)) => Cow::Owned(expanded),
            None => Cow::Borrowed(text),
        },
        _ => Cow::Borrowed(text),
    };
    if text.trim().is_empty() {
        return Err(format!(
            "`{STORE_BACKEND}` is `postgres`, and `{DSN}` is empty: write postgresql://USER@HOST:PORT/DATABASE there, or set \
             the environment variable {DSN_VARIABLE}"
        ));
    }
    let form = "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or words like host=HOST user=USER dbname=DATABASE";
    Dsn::parse(&text).map_err(|why| format!("`{DSN}` is no connection string: {why}; {form}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::settings::tests::load;
    use crate::store::Backend;
    use std::time::Duration;

    const BUILTIN: &str = "llm: {agents: {user: {provider: builtin}, assistant: {provider: builtin}}}\n";
    const URL: &str = "postgresql://u:s3cret-word@db.example.org/runs";

    fn backend(store: &str, env: &[(&str, &str)]) -> Result<Backend, String> {
        load(&format!("{BUILTIN}store: {store}"), env, &[]).map(|settings| settings.store.backend)
    }

    #[test]
    fn a_server_is_used_where_it_is_asked_for() {
        let key = ("DLGFORGE_POSTGRES_DSN", URL);
        for (store, env, expected) in [
            ("{}", &[key][..], None),
            ("{postgres: {dsn: '${NOT_SET}', min_pool_size: 99}}", &[], None),
            ("{backend: postgres}", &[key], Some((5, 30, Some(30_000)))),
            ("{backend: postgres}", &[("POSTGRES_DSN", URL)], Some((5, 30, Some(30_000)))),
            (
                "{backend: postgres, postgres: {dsn: 'postgresql://u:${WORD}@db.example.org/runs', min_pool_size: 0, \
                 max_pool_size: 3, statement_timeout_ms: 0}}",
                &[("WORD", "s3cret-word")],
                Some((0, 3, None)),
            ),
        ] {
            let found = match backend(store, env).unwrap() {
                Backend::Sqlite => None,
                Backend::Postgres(options) => {
                    assert_eq!(options.dsn.server(), "db.example.org:5432/runs", "{store}");
                    let limit = options.statement_timeout.map(|limit| Duration::as_millis(&limit));
                    Some((options.least, options.most, limit))
                }
            };
            assert_eq!(found, expected, "{store}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_without_the_password() {
        for (store, env, expected) in [
            (
                "{backend: postgres}",
                &[][..],
                "`store.backend` is `postgres`, and `store.postgres.dsn` is empty: write \
                 postgresql://USER@HOST:PORT/DATABASE there, or set the environment variable DLGFORGE_POSTGRES_DSN",
            ),
            (
                "{backend: postgres, postgres: {dsn: '${NOT_SET}'}}",
                &[],
                "`store.postgres.dsn`: environment variable NOT_SET is not set",
            ),
            (
                "{backend: postgres}",
                &[("DLGFORGE_POSTGRES_DSN", "host=h password=a s3cret-word")],
                "`store.postgres.dsn` is no connection string: it can't be read",
            ),
            (
                "{backend: postgres, postgres: {dsn: 'postgresql://u:s3cret-word@h/d?sslmode=maybe'}}",
                &[],
                "`store.postgres.dsn` is no connection string: `sslmode` must be disable, prefer, require, verify-ca or",
            ),
            (
                "{backend: postgres, postgres: {min_pool_size: 31}}",
                &[("DLGFORGE_POSTGRES_DSN", URL)],
                "`store.postgres.max_pool_size` must be at least 1, and `store.postgres.min_pool_size` (31); it is 30",
            ),
            ("{backend: mysql}", &[], "`store.backend`"),
        ] {
            let error = backend(store, env).unwrap_err();
            assert!(error.starts_with(expected) && !error.contains("s3cret"), "{store}: {error}");
        }
    }
}
