//! What tokens cost: a table by model, shipped with the program and completed or corrected by the user's own.

use super::{ModelError, Usage};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const SHIPPED: &str = include_str!("../../config/prices.yaml");

/// Prices by model name, as `provider/model` or as the model alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prices(BTreeMap<String, Price>);

/// What a model's tokens cost, in USD per million.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens read.
    pub input: f64,
    /// Tokens written.
    pub output: f64,
    /// Tokens read that the provider had in its cache; as `input` when none.
    pub cached_input: Option<f64>,
    /// Tokens read that the provider puts into its cache; 1.25 times `input` when none.
    pub cache_write: Option<f64>,
}

/// What it costs to put a token into a cache, where nobody says, in prices of a token read: Anthropic's rule for five minutes.
const CACHE_WRITE: f64 = 1.25;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: String,
    usd_per_million_tokens: BTreeMap<String, Price>,
}

impl Prices {
    /// The shipped table, with the entries of a file over it.
    ///
    /// # Errors
    /// When the file can't be read or is no such table.
    pub fn load(file: Option<&Path>) -> Result<Self, ModelError> {
        let mut prices = parse(SHIPPED, "config/prices.yaml")?;
        if let Some(path) = file {
            let name = path.display().to_string();
            let unreadable = |error| ModelError::Settings(format!("llm.prices: {name}: {error}"));
            prices.extend(parse(&std::fs::read_to_string(path).map_err(unreadable)?, &name)?);
        }
        Ok(Self(prices))
    }

    /// The price of a model by its display name: of that name, or of what follows the provider. None is unknown, not free.
    pub fn of(&self, model: &str) -> Option<Price> {
        let alone = model.split_once('/').map(|(_, alone)| alone);
        [Some(model), alone].into_iter().flatten().find_map(|name| self.0.get(name)).copied()
    }
}

impl Price {
    /// The price of a reply, in billionths of a USD; none when it does not say what it used.
    pub fn nanousd(self, usage: &Usage) -> Option<u64> {
        let (read, written) = usage.prompt_tokens.zip(usage.completion_tokens)?;
        let cached = usage.cached_tokens.unwrap_or(0).min(read);
        let kept = usage.cache_write_tokens.unwrap_or(0).min(read - cached);
        let of_cache = self.cached_input() * cached as f64 + self.cache_write() * kept as f64;
        let read = self.input * (read - cached - kept) as f64 + of_cache;
        Some(nano(read + self.output * written as f64))
    }

    /// The most that so many tokens can cost, in billionths of a USD.
    pub(super) fn most(self, read: u64, written: u64) -> u64 {
        let dearest = self.input.max(self.cached_input()).max(self.cache_write());
        nano(dearest * read as f64 + self.output * written as f64)
    }

    fn cached_input(self) -> f64 {
        self.cached_input.unwrap_or(self.input)
    }

    fn cache_write(self) -> f64 {
        self.cache_write.unwrap_or(CACHE_WRITE * self.input)
    }
}

/// USD per million are thousands of billionths.
fn nano(usd_per_million: f64) -> u64 {
    (usd_per_million * 1e3).round() as u64
}

fn parse(text: &str, name: &str) -> Result<BTreeMap<String, Price>, ModelError> {
    let wrong = |what: String| ModelError::Settings(format!("llm.prices: {name}: {what}"));
    let table: Table = serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if table.version.trim().is_empty() {
        return Err(wrong("`version` is empty; say when the prices were valid".to_owned()));
    }
    let wrong_price = |price: &Price| {
        let all = [price.input, price.output, price.cached_input(), price.cache_write()];
        !all.iter().all(|usd| usd.is_finite() && *usd >= 0.0)
    };
    match table.usd_per_million_tokens.iter().find(|(_, price)| wrong_price(price)) {
        Some((model, _)) => Err(wrong(format!("the price of `{model}` must not be negative"))),
        None => Ok(table.usd_per_million_tokens),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_with_or_without_its_provider_and_may_be_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.yaml");
        std::fs::write(
            &path,
            "version: today\nusd_per_million_tokens: {mine: {input: 1, output: 2.5}, gpt-4o: {input: 9, output: 9}}\n",
        )
        .unwrap();
        let prices = Prices::load(Some(&path)).unwrap();
        for (model, expected) in [
            ("builtin", Some((0.0, 0.0))),
            ("vllm/mine", Some((1.0, 2.5))),
            ("mine", Some((1.0, 2.5))),
            ("openai/gpt-4o", Some((9.0, 9.0))),
            ("openai/gpt-4o-mini", Some((0.15, 0.6))),
            ("openai/unheard-of", None),
        ] {
            assert_eq!(prices.of(model).map(|price| (price.input, price.output)), expected, "{model}");
        }
        let used = |read, written, cached_tokens| Usage {
            prompt_tokens: read,
            completion_tokens: written,
            cached_tokens,
            ..Usage::default()
        };
        let mine = prices.of("mine").unwrap();
        assert_eq!(mine.nanousd(&used(Some(1_000_000), Some(2), None)), Some(1_000_005_000));
        assert_eq!(mine.nanousd(&used(Some(1), None, None)), None);
        let cheaper = Price { cached_input: Some(0.25), ..mine };
        assert_eq!(cheaper.nanousd(&used(Some(10), Some(0), Some(8))), Some(4_000));
        let stored = |cached, kept| Usage { cache_write_tokens: Some(kept), ..used(Some(10), Some(0), cached) };
        assert_eq!(cheaper.nanousd(&stored(Some(8), 1)), Some(2_000 + 1_000 + 1_250));
        assert_eq!(cheaper.nanousd(&stored(Some(8), 9)), Some(2_000 + 2_500), "no token is counted twice");
        let dear = Price { cache_write: Some(2.0), ..cheaper };
        assert_eq!((dear.nanousd(&stored(None, 10)), dear.most(10, 4)), (Some(20_000), 30_000));
        assert_eq!(cheaper.most(10, 4), 22_500);
    }

    #[test]
    fn a_wrong_table_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.yaml");
        for (text, expected) in [
            (
                "version: x\nusd_per_million_tokens: {a: {input: -1, output: 0}}\n",
                "the price of `a` must not be negative",
            ),
            (
                "version: x\nusd_per_million_tokens: {a: {input: 1, output: 0, cache_write: -1}}\n",
                "the price of `a` must not be negative",
            ),
            ("version: ' '\nusd_per_million_tokens: {}\n", "`version` is empty"),
            ("version: x\nprices: {}\n", "prices"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Prices::load(Some(&path)).unwrap_err().to_string();
            assert!(error.contains("mine.yaml") && error.contains(expected), "{error}");
        }
        assert!(Prices::load(Some(Path::new("nowhere.yaml"))).unwrap_err().to_string().contains("nowhere.yaml"));
    }
}
