//! A model in a table of prices, as it is written.

use super::{Price, Rates};
use crate::llm::Tier;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::iter::once;

/// What it costs to put a token into a cache, where nobody says, in prices of a token read: Anthropic's rule for five minutes.
const CACHE_WRITE: f64 = 1.25;

/// The dearest that a table may have a million tokens, in USD: what is above it was meant in another unit.
const DEAREST: f64 = 1e9;

/// What tokens cost, in USD per million. Steps and tiers are rows too, with their own steps and tiers left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// Tokens read that no other rate is for.
    pub input: f64,
    /// Tokens written, thoughts among them.
    pub output: f64,
    /// Tokens read that the provider had in its cache; as `input` when none.
    pub cached_input: Option<f64>,
    /// Tokens read that the provider puts into its cache; 1.25 times `input` when none.
    pub cache_write: Option<f64>,
    /// All of that for prompts of more than so many tokens.
    #[serde(default)]
    pub above: BTreeMap<u64, Row>,
    /// The same in other tiers.
    pub batch: Option<Box<Row>>,
    pub flex: Option<Box<Row>>,
    pub priority: Option<Box<Row>>,
    /// The day on which the model goes out of service.
    pub shutdown: Option<String>,
}

impl Row {
    /// The row with nothing left open. A tier that it lacks costs as the standard one. A step that a tier lacks costs as the tier
    /// below it or as the standard one at it, whichever is dearer.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence about the price.
    pub fn price(&self) -> Result<Price, String> {
        let mut steps: Vec<(u64, [Rates; Tier::ALL.len()])> = Vec::new();
        for (above, step) in once((&0, self)).chain(&self.above) {
            let within = *above > 0;
            if within && (!step.above.is_empty() || step.shutdown.is_some()) {
                return Err(format!(": `above` and `shutdown` can't stand within `above: {{{above}: …}}`"));
            }
            let standard = step.rates()?;
            let below = steps.last().map(|(_, below)| *below);
            let mut tiers = [standard; Tier::ALL.len()];
            for (tier, row) in [(Tier::Batch, &step.batch), (Tier::Flex, &step.flex), (Tier::Priority, &step.priority)]
            {
                tiers[tier as usize] = match (row, below) {
                    (Some(row), _) => row.leaf(tier)?,
                    (None, Some(below)) => standard.dearer(below[tier as usize]),
                    (None, None) => standard,
                };
            }
            steps.push((*above, tiers));
        }
        let date = |day: &String| {
            day.parse::<Date>().map_err(|_| format!(": `shutdown` is `{day}`; write a day as 2026-12-31"))
        };
        Ok(Price { steps, shutdown: self.shutdown.as_ref().map(date).transpose()? })
    }

    /// The rates of a tier, which has no parts of its own.
    fn leaf(&self, tier: Tier) -> Result<Rates, String> {
        let has_parts = !self.above.is_empty() || self.shutdown.is_some();
        if has_parts || self.batch.is_some() || self.flex.is_some() || self.priority.is_some() {
            let tier = tier.as_str();
            return Err(format!(
                ": `{tier}` has only input, output, cached_input and cache_write; its steps stand as `{tier}` within `above`"
            ));
        }
        self.rates()
    }

    fn rates(&self) -> Result<Rates, String> {
        let rate = |usd: f64| match usd.is_finite() && usd < DEAREST {
            true if usd >= 0.0 => Ok((usd * 1e6).round() as u64),
            true => Err(" must not be negative".to_owned()),
            false => Err(" is no amount of USD per million tokens".to_owned()),
        };
        Ok(Rates {
            input: rate(self.input)?,
            output: rate(self.output)?,
            cached_input: rate(self.cached_input.unwrap_or(self.input))?,
            cache_write: rate(self.cache_write.unwrap_or(CACHE_WRITE * self.input))?,
        })
    }
}

impl Rates {
    /// The dearer of two, for each kind of token.
    fn dearer(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cached_input: self.cached_input.max(other.cached_input),
            cache_write: self.cache_write.max(other.cache_write),
        }
    }
}
