//! Models that go out of service: said when a run starts, while there is time to choose another one.

use crate::domain::Agent;
use crate::llm::Prices;
use crate::providers::AgentOptions;
use crate::settings::Settings;
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use std::collections::BTreeMap;

/// So many days before a model goes its users are warned.
const DAYS: i32 = 60;

/// Warns of every model of the run that is gone by now, or will be soon.
pub fn warn(settings: &Settings, prices: &Prices, now: Timestamp) {
    let today = now.to_zoned(TimeZone::UTC).date();
    for line in lines(settings.agents.iter(), prices, today) {
        tracing::warn!(target: "dlgforge.llm", "[llm] {line}");
    }
}

/// A line for each model, with the settings that name it.
pub fn lines<'a>(agents: impl Iterator<Item = (Agent, &'a AgentOptions)>, prices: &Prices, today: Date) -> Vec<String> {
    let mut leaving: BTreeMap<(&str, Date), Vec<String>> = BTreeMap::new();
    for (agent, options) in agents {
        for endpoint in &options.endpoints {
            let price = prices.of(endpoint.provider.names(), &endpoint.model);
            let Some(day) = price.and_then(|price| price.shutdown) else { continue };
            if (day - today).get_days() <= DAYS {
                let key = format!("llm.agents.{agent}.model");
                let keys = leaving.entry((&endpoint.model, day)).or_default();
                keys.extend(Some(key).filter(|key| !keys.contains(key)));
            }
        }
    }
    let line = |((model, day), keys): ((&str, Date), Vec<String>)| {
        let when = match (day - today).get_days() {
            ..0 => format!("has been out of service since {day}"),
            0 => "goes out of service today".to_owned(),
            1 => format!("goes out of service tomorrow, on {day}"),
            days => format!("goes out of service in {days} days, on {day}"),
        };
        format!("the model {model} {when}, by the table of prices; set {} to another one", keys.join(" and "))
    };
    leaving.into_iter().map(line).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::tests::load;
    use jiff::civil::date;

    #[test]
    fn a_model_that_goes_soon_or_is_gone_is_told_with_its_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.yaml");
        let table = "version: x\nusd_per_million_tokens: {m: {input: 1, output: 1, shutdown: 2026-12-11}}\n";
        std::fs::write(&path, table).unwrap();
        let prices = Prices::load(Some(&path)).unwrap();
        let agent = "{provider: vllm, model: m, base_url: 'http://h'}";
        let settings = load(&format!("llm: {{agents: {{user: {agent}, assistant: {agent}}}}}"), &[], &[]).unwrap();
        for (today, expected) in [
            (date(2026, 10, 11), None),
            (date(2026, 10, 12), Some("goes out of service in 60 days, on 2026-12-11")),
            (date(2026, 12, 10), Some("goes out of service tomorrow, on 2026-12-11")),
            (date(2026, 12, 11), Some("goes out of service today")),
            (date(2027, 3, 1), Some("has been out of service since 2026-12-11")),
        ] {
            let expected = expected.map(|when| {
                format!(
                    "the model m {when}, by the table of prices; set llm.agents.user.model and llm.agents.assistant.model to \
                     another one"
                )
            });
            assert_eq!(lines(settings.agents.iter(), &prices, today), Vec::from_iter(expected));
        }
    }
}
