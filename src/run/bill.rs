//! What models have cost, for people: by role and model, in all, and by language.

use crate::store::Spent;
use std::fmt;

/// What a run has spent so far, over all its resumes.
#[derive(Debug, Clone, Default)]
pub struct Bill {
    /// By role, model and language.
    pub spent: Vec<Spent>,
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
        let usd = self.nanousd as f64 / 1e9;
        match self.unpriced {
            0 => format!("{usd:.4} USD"),
            unpriced if unpriced == self.calls => "unknown (`llm.prices` sets prices)".to_owned(),
            unpriced => format!("{usd:.4} USD, and {unpriced} calls of unknown price (`llm.prices`)"),
        }
    }

    fn tokens(self) -> String {
        let Self { read, cached, written, thoughts, .. } = self;
        let of_them = |count: u64, what: &str| if count > 0 { format!(" ({count} {what})") } else { String::new() };
        format!("{read} tokens read{}, {written} written{}", of_them(cached, "cached"), of_them(thoughts, "thoughts"))
    }
}

impl Bill {
    /// What it comes to.
    pub fn cost(&self) -> String {
        Sum::of(&self.spent).cost()
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
        if self.languages.len() > 1 {
            for (number, language) in self.languages.iter().enumerate() {
                let sum = Sum::of(self.spent.iter().filter(|one| usize::from(one.language.0) == number));
                writeln!(f, "    {language:<12} {} calls, {}, cost {}", sum.calls, sum.tokens(), sum.cost())?;
            }
        }
        Ok(())
    }
}
