//! LiteLLM's table of prices (`model_prices_and_context_window.json`): USD per token, one key for each kind of token, step and
//! tier, such as `cache_read_input_token_cost_above_272k_tokens_flex`.

use super::row::Row;
use jiff::civil::Date;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Every model of a table has this, if its price goes by tokens.
const INPUT: &str = "input_cost_per_token";
const OUTPUT: &str = "output_cost_per_token";
const CACHE_READ: &str = "cache_read_input_token_cost";
const CACHE_WRITE: &str = "cache_creation_input_token_cost";
const THOUGHTS: &str = "output_cost_per_reasoning_token";

/// The models of such a table whose price goes by tokens read and written; none when the text is no such table.
pub(super) fn rows(text: &str) -> Option<BTreeMap<String, Row>> {
    let table: BTreeMap<String, Value> = serde_json::from_str(text).ok()?;
    table.values().any(|model| model.get(INPUT).is_some()).then_some(())?;
    let row = |(name, model): (String, Value)| Some((name, row(model.as_object()?)?));
    // The sample says in words what a key holds.
    Some(table.into_iter().filter(|(name, _)| name != "sample_spec").filter_map(row).collect())
}

fn row(model: &Map<String, Value>) -> Option<Row> {
    let mut row = columns(model, "")?;
    for thousands in steps(model) {
        // A step that lacks one of the two is no price.
        if let Some(step) = columns(model, &format!("_above_{thousands}k_tokens")) {
            row.above.insert(1000 * thousands, step);
        }
    }
    let day = model.get("deprecation_date").and_then(Value::as_str);
    row.shutdown = day.filter(|day| day.parse::<Date>().is_ok()).map(str::to_owned);
    Some(row)
}

/// The thousands of tokens at which prices change.
fn steps(model: &Map<String, Value>) -> BTreeSet<u64> {
    let after = |key: &String| key.strip_prefix(INPUT)?.strip_prefix("_above_")?.strip_suffix("k_tokens")?.parse().ok();
    model.keys().filter_map(after).collect()
}

/// A step in all its tiers; none without a price for reading and writing.
fn columns(model: &Map<String, Value>, step: &str) -> Option<Row> {
    let standard = column(model, step, "", None)?;
    let tier = |suffix: &str| {
        let is_there = [INPUT, OUTPUT].iter().any(|key| model.contains_key(&format!("{key}{step}{suffix}")));
        is_there.then(|| column(model, step, suffix, Some(&standard)).map(Box::new)).flatten()
    };
    let (batch, flex, priority) = (tier("_batches"), tier("_flex"), tier("_priority"));
    Some(Row { batch, flex, priority, ..standard })
}

/// What tokens cost at a step and in a tier; what that does not say is as it is in the standard tier.
fn column(model: &Map<String, Value>, step: &str, tier: &str, standard: Option<&Row>) -> Option<Row> {
    let usd = |key: &str| model.get(&format!("{key}{step}{tier}")).and_then(Value::as_f64).map(|usd| 1e6 * usd);
    let input = usd(INPUT).or(standard.map(|row| row.input))?;
    let output = usd(OUTPUT).or(standard.map(|row| row.output))?;
    Some(Row {
        input,
        // Thoughts count as written.
        output: output.max(usd(THOUGHTS).unwrap_or(0.0)),
        cached_input: usd(CACHE_READ).or(standard.and_then(|row| row.cached_input)),
        // 0 says that writing costs nothing beside reading.
        cache_write: usd(CACHE_WRITE).map(|usd| if usd > 0.0 { usd } else { input }),
        ..Row::default()
    })
}
