//! What models have cost, for people: by agent and model, in all, and by language.

use crate::domain::Tier;
use crate::store::{Cost, Spent, Tiered};
use std::fmt;

/// What a run has spent so far, over all its resumes.
#[derive(Debug, Clone, Default)]
pub struct Bill {
    /// By agent, model and language.
    pub spent: Vec<Spent>,
    /// Those parts of it that were not served as standard, by service tier.
    pub tiers: Vec<Tiered>,
    /// The languages, by number.
    pub languages: Vec<String>,
}

/// What these have cost in all.
fn sum<'a>(spent: impl IntoIterator<Item = &'a Spent>) -> Cost {
    spent.into_iter().fold(Cost::default(), |sum, one| sum.plus(one.cost))
}

fn tokens(cost: &Cost) -> String {
    let Cost { prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, .. } = *cost;
    let of_them = |count: u64, what: &str| if count > 0 { format!(" ({count} {what})") } else { String::new() };
    let (cached, thoughts) = (of_them(cached_tokens, "cached"), of_them(reasoning_tokens, "thoughts"));
    format!("{prompt_tokens} tokens read{cached}, {completion_tokens} written{thoughts}")
}

/// The price of calls, some of which may be of unknown price.
fn price(cost: &Cost) -> String {
    let usd = cost.nanousd as f64 / 1e9;
    match cost.unpriced {
        0 => format!("{usd:.4} USD"),
        unpriced if unpriced == cost.calls => "unknown (`llm.prices` sets prices)".to_owned(),
        unpriced => format!("{usd:.4} USD, and {unpriced} calls of unknown price (`llm.prices`)"),
    }
}

impl Bill {
    /// What it comes to.
    pub fn cost(&self) -> String {
        price(&sum(&self.spent))
    }

    /// Calls and cost by service tier; none where all were standard.
    pub fn tiers(&self) -> Option<String> {
        let all = sum(&self.spent);
        let apart = self.tiers.iter().fold(Cost::default(), |sum, tiered| sum.plus(tiered.cost));
        let rest = Cost {
            calls: all.calls.saturating_sub(apart.calls),
            nanousd: all.nanousd.saturating_sub(apart.nanousd),
            unpriced: all.unpriced.saturating_sub(apart.unpriced),
            ..Cost::default()
        };
        let told = |tier: &str, cost: &Cost| format!("{tier} {} calls, {}", cost.calls, price(cost));
        let rest = (rest.calls > 0).then(|| told(Tier::Standard.as_str(), &rest));
        let parts: Vec<String> = self.tiers.iter().map(|one| told(&one.tier, &one.cost)).chain(rest).collect();
        (!self.tiers.is_empty()).then(|| parts.join("; "))
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = sum(&self.spent);
        writeln!(f, "  calls          {} answered and kept", all.calls)?;
        for of_model in self.spent.chunk_by(|a, b| (&a.agent, &a.model) == (&b.agent, &b.model)) {
            let (sum, Spent { agent, model, .. }) = (sum(of_model), &of_model[0]);
            let seconds = sum.latency_us as f64 / 1e6 / sum.calls.max(1) as f64;
            let (tokens, cost) = (tokens(&sum), price(&sum));
            writeln!(f, "    {agent:<12} {model}: {} calls, {tokens}, {seconds:.2} s each, cost {cost}", sum.calls)?;
        }
        write!(f, "  tokens         {}", tokens(&all))?;
        if all.unreported > 0 {
            write!(f, "; {} calls did not say", all.unreported)?;
        }
        writeln!(f)?;
        writeln!(f, "  cost           {}", price(&all))?;
        if let Some(tiers) = self.tiers() {
            writeln!(f, "  tiers          {tiers}")?;
        }
        if self.languages.len() > 1 {
            for (number, language) in self.languages.iter().enumerate() {
                let sum = sum(self.spent.iter().filter(|one| usize::from(one.language.0) == number));
                writeln!(f, "    {language:<12} {} calls, {}, cost {}", sum.calls, tokens(&sum), price(&sum))?;
            }
        }
        Ok(())
    }
}
