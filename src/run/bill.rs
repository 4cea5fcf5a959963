//! What models have cost, for people: by role and model, in all, and by language.

use crate::store::{Spent, Tiered};
use std::fmt;

/// What a run has spent so far, over all its resumes.
#[derive(Debug, Clone, Default)]
pub struct Bill {
    /// By role, model and language.
    pub spent: Vec<Spent>,
    /// Those parts of it that were not served as standard, by service tier.
    pub tiers: Vec<Tiered>,
    /// The languages, by number.
    pub languages: Vec<String>,
}

/// A sum of what calls have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    calls: u64,
    read: u64,
    cached: u64,
    written: u64,
    thoughts: u64,
    untold: u64,
    latency_us: u64,
    nanousd: u64,
    unpriced: u64,
}

impl Sum {
    fn of<'a>(spent: impl IntoIterator<Item = &'a Spent>) -> Self {
        spent.into_iter().fold(Self::default(), |sum, one| Self {
            calls: sum.calls + one.calls,
            read: sum.read + one.prompt_tokens,
            cached: sum.cached + one.cached_tokens,
            written: sum.written + one.completion_tokens,
            thoughts: sum.thoughts + one.reasoning_tokens,
            untold: sum.untold + one.untold,
            latency_us: sum.latency_us + one.latency_us,
            nanousd: sum.nanousd + one.cost_nanousd,
            unpriced: sum.unpriced + one.unpriced,
        })
    }

    fn cost(self) -> String {
        cost(self.calls, self.nanousd, self.unpriced)
    }

    fn tokens(self) -> String {
        let Self { read, cached, written, thoughts, .. } = self;
        let of_them = |count: u64, what: &str| if count > 0 { format!(" ({count} {what})") } else { String::new() };
        format!("{read} tokens read{}, {written} written{}", of_them(cached, "cached"), of_them(thoughts, "thoughts"))
    }
}

/// What so many calls have cost, where some may be of unknown price.
fn cost(calls: u64, nanousd: u64, unpriced: u64) -> String {
    let usd = nanousd as f64 / 1e9;
    match unpriced {
        0 => format!("{usd:.4} USD"),
        unpriced if unpriced == calls => "unknown (`llm.prices` sets prices)".to_owned(),
        unpriced => format!("{usd:.4} USD, and {unpriced} calls of unknown price (`llm.prices`)"),
    }
}

impl Bill {
    /// What it comes to.
    pub fn cost(&self) -> String {
        Sum::of(&self.spent).cost()
    }

    /// Calls and cost by service tier; none where all were standard.
    pub fn tiers(&self) -> Option<String> {
        let all = Sum::of(&self.spent);
        let apart = |of: fn(&Tiered) -> u64| self.tiers.iter().map(of).sum::<u64>();
        let rest = Tiered {
            tier: "standard".to_owned(),
            calls: all.calls.saturating_sub(apart(|tier| tier.calls)),
            cost_nanousd: all.nanousd.saturating_sub(apart(|tier| tier.cost_nanousd)),
            unpriced: all.unpriced.saturating_sub(apart(|tier| tier.unpriced)),
        };
        let told = |Tiered { tier, calls, cost_nanousd, unpriced }: &Tiered| {
            format!("{tier} {calls} calls, {}", cost(*calls, *cost_nanousd, *unpriced))
        };
        let rest = Some(&rest).filter(|rest| rest.calls > 0);
        let parts: Vec<String> = self.tiers.iter().chain(rest).map(told).collect();
        (!self.tiers.is_empty()).then(|| parts.join("; "))
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Sum::of(&self.spent);
        writeln!(f, "  calls          {} answered and kept", all.calls)?;
        for of_model in self.spent.chunk_by(|a, b| (&a.role, &a.model) == (&b.role, &b.model)) {
            let (sum, Spent { role, model, .. }) = (Sum::of(of_model), &of_model[0]);
            let seconds = sum.latency_us as f64 / 1e6 / sum.calls.max(1) as f64;
            let (tokens, cost) = (sum.tokens(), sum.cost());
            writeln!(f, "    {role:<12} {model}: {} calls, {tokens}, {seconds:.2} s each, cost {cost}", sum.calls)?;
        }
        write!(f, "  tokens         {}", all.tokens())?;
        if all.untold > 0 {
            write!(f, "; {} calls did not say", all.untold)?;
        }
        writeln!(f)?;
        writeln!(f, "  cost           {}", all.cost())?;
        if let Some(tiers) = self.tiers() {
            writeln!(f, "  tiers          {tiers}")?;
        }
        if self.languages.len() > 1 {
            for (number, language) in self.languages.iter().enumerate() {
                let sum = Sum::of(self.spent.iter().filter(|one| usize::from(one.language.0) == number));
                writeln!(f, "    {language:<12} {} calls, {}, cost {}", sum.calls, sum.tokens(), sum.cost())?;
            }
        }
        Ok(())
    }
}
