//! What tokens cost: a table by model, shipped with the program and completed or corrected by the user's own.

mod litellm;
mod row;

use super::{ModelError, Tier, Usage};
use crate::domain::yaml::{self, Dialect};
use jiff::civil::Date;
use row::Row;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const SHIPPED: &str = include_str!("../../config/prices.yaml");

type Table = BTreeMap<String, Price>;

/// Prices by model name, as `provider/model` or as the model alone: the user's own, which come first, and the shipped ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prices(Vec<Table>);

/// What a model's tokens cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// By the tokens that a prompt must be longer than, from 0 upwards; each by [`Tier`].
    steps: Vec<(u64, [Rates; Tier::ALL.len()])>,
    /// The day on which the model goes out of service, if one is announced.
    pub shutdown: Option<Date>,
}

/// What tokens cost in one tier and for prompts of one length, in millionths of a USD per million: whole numbers, so that sums
/// are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rates {
    input: u64,
    output: u64,
    cached_input: u64,
    cache_write: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    usd_per_million_tokens: BTreeMap<String, Row>,
}

impl Prices {
    /// The shipped table, with the entries of a file over it: of a table like the shipped one, or of LiteLLM's.
    ///
    /// # Errors
    /// When the file can't be read or is no such table.
    pub fn load(file: Option<&Path>) -> Result<Self, ModelError> {
        let mut layers = Vec::new();
        if let Some(path) = file {
            let name = path.display().to_string();
            let unreadable = |error| ModelError::Settings(format!("llm.prices: {name}: {error}"));
            layers.push(parse(&std::fs::read_to_string(path).map_err(unreadable)?, &name)?);
        }
        layers.push(parse(SHIPPED, "config/prices.yaml")?);
        Ok(Self(layers))
    }

    /// The price of a model at the provider that has these names: by the names of both, by the model's, or by what follows a
    /// `/` in that. None is unknown, not free.
    pub fn of<'a>(&self, provider: impl Iterator<Item = &'a str>, model: &str) -> Option<&Price> {
        let mut names: Vec<String> = provider.map(|provider| format!("{provider}/{model}")).collect();
        names.push(model.to_owned());
        names.extend(model.split_once('/').map(|(_, alone)| alone.to_owned()));
        self.0.iter().find_map(|table| names.iter().find_map(|name| table.get(name)))
    }
}

impl Price {
    /// The price of a reply, in billionths of a USD; none when it does not say what it used.
    pub fn nanousd(&self, usage: &Usage) -> Option<u64> {
        let (read, written) = usage.prompt_tokens.zip(usage.completion_tokens)?;
        let cached = usage.cached_tokens.unwrap_or(0).min(read);
        let kept = usage.cache_write_tokens.unwrap_or(0).min(read - cached);
        let rates = self.reached(read).last()?[usage.tier as usize];
        let Rates { input, output, cached_input, cache_write } = rates;
        let all = [(read - cached - kept, input), (cached, cached_input), (kept, cache_write), (written, output)];
        Some(nano(&all))
    }

    /// The most that so many tokens can cost, in billionths of a USD: in the dearest tier, for a prompt of any length up to that
    /// one, whatever of it is cached.
    pub fn most(&self, read: u64, written: u64) -> u64 {
        let most = |rates: &Rates| {
            let dearest = rates.input.max(rates.cached_input).max(rates.cache_write);
            nano(&[(read, dearest), (written, rates.output)])
        };
        self.reached(read).flatten().map(most).max().unwrap_or(0)
    }

    /// The steps that prompts of up to this length have.
    fn reached(&self, read: u64) -> impl Iterator<Item = &[Rates; Tier::ALL.len()]> {
        self.steps.iter().filter(move |(above, _)| *above == 0 || read > *above).map(|(_, rates)| rates)
    }
}

/// What so many tokens cost at these rates, in billionths of a USD.
fn nano(tokens_at: &[(u64, u64)]) -> u64 {
    let sum: u128 = tokens_at.iter().map(|(tokens, rate)| u128::from(*tokens) * u128::from(*rate)).sum();
    u64::try_from((sum + 500) / 1000).unwrap_or(u64::MAX)
}

/// A table of either form, told apart by what stands in it.
fn parse(text: &str, name: &str) -> Result<Table, ModelError> {
    let wrong = |what: String| ModelError::Settings(format!("llm.prices: {name}: {what}"));
    let rows = match litellm::rows(text) {
        Some(rows) => rows,
        None => {
            let file: File = yaml::read(text, Dialect::Typed).map_err(|error| wrong(error.to_string()))?;
            if file.version.trim().is_empty() {
                return Err(wrong("`version` is empty; say when the prices were valid".to_owned()));
            }
            file.usd_per_million_tokens
        }
    };
    let price = |(model, row): (String, Row)| {
        let price = row.price().map_err(|what| wrong(format!("the price of `{model}`{what}")))?;
        Ok((model, price))
    };
    rows.into_iter().map(price).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
