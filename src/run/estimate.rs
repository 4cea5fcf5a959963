//! `dlgforge estimate`: what a run will cost, from a pilot of a few of its conversations.

use super::pilot::{made, piloted};
use super::signals::Scratch;
use super::{Host, RunEnd, RunError};
use crate::files::Folder;
use crate::settings::Settings;
use crate::store::{Charge, Settled};
use std::fmt;

/// 97.5 % quantiles of Student's t distribution for 1, 2, ... degrees of freedom, and of the normal distribution.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const Z: f64 = 1.960;

/// What a run will cost, with 95 % likelihood if its conversations are like the pilot's.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Conversations of the pilot, over all languages.
    pub pilot: u32,
    /// What the pilot cost: calls, tokens, billionths of a USD.
    pub paid: [f64; 3],
    /// Conversations of the run, over all languages.
    pub conversations: u64,
    /// How many languages there are.
    pub languages: usize,
    /// The run's calls, tokens and billionths of a USD: expected, and the half of the range.
    pub expected: [(f64, f64); 3],
    /// Whether some price was unknown.
    pub unpriced: bool,
}

/// Makes `pilot` conversations in every language as the run would, in a folder of their own that goes afterwards, and
/// says what the whole run will cost. They are paid for. The web is not asked: searches of it find nothing, and what they
/// would cost is not counted.
///
/// # Errors
/// When the pilot can't be run, or does not get its conversations.
pub fn estimate(settings: &Settings, pilot: u32, workers: usize, host: &Host) -> Result<Forecast, RunError> {
    let folder = Scratch::new().map_err(RunError::Scratch)?;
    let mut piloted = piloted(settings, pilot.min(settings.total_samples), folder.path().join("pilot"));
    if let Some(web) = &mut piloted.web_search {
        web.is_asked = false;
    }
    let summary = made(&piloted, workers, host)?;
    match &summary.end {
        RunEnd::Complete => {}
        RunEnd::Halted(reason) => return Err(RunError::Unpiloted(reason.clone())),
        _ => return Err(RunError::Unpiloted(summary.complaint().unwrap_or_else(|| "it was interrupted".to_owned()))),
    }
    let made = Folder::look(&piloted.output.folder, &piloted.store.backend)?;
    let store = made.ok_or_else(|| RunError::Unpiloted("it left nothing".to_owned()))?.store;
    let (charges, settled) = (store.charges(&summary.run_id)?, store.settled(&summary.run_id)?);
    Ok(forecast(&charges, &settled, settings))
}

fn forecast(charges: &[Charge], settled: &[Settled], settings: &Settings) -> Forecast {
    let languages = settings.languages.len();
    let mut forecast = Forecast {
        pilot: settled.iter().filter(|one| one.dropped.is_none()).count() as u32,
        paid: [0.0; 3],
        conversations: u64::from(settings.total_samples) * languages as u64,
        languages,
        expected: [(0.0, 0.0); 3],
        unpriced: charges.iter().any(|charge| charge.cost.unpriced > 0),
    };
    for number in 0..languages {
        let here: Vec<&Settled> = settled.iter().filter(|one| usize::from(one.slot.language.0) == number).collect();
        let accepted = here.iter().filter(|one| one.dropped.is_none()).count().max(1);
        // Those that are dropped cost too: so many are to be made for the accepted ones.
        let made = f64::from(settings.total_samples) * here.len() as f64 / accepted as f64;
        for (kind, of) in [
            |charge: &Charge| charge.cost.calls,
            |charge: &Charge| charge.cost.prompt_tokens + charge.cost.completion_tokens,
            |charge: &Charge| charge.cost.nanousd,
        ]
        .into_iter()
        .enumerate()
        {
            let cost =
                |one: &&Settled| charges.iter().filter(|charge| charge.slot == one.slot).map(of).sum::<u64>() as f64;
            let costs: Vec<f64> = here.iter().map(cost).collect();
            let (sum, half) = expected(&costs, made);
            forecast.paid[kind] += costs.iter().sum::<f64>();
            forecast.expected[kind].0 += sum;
            // Languages are independent of each other.
            forecast.expected[kind].1 = forecast.expected[kind].1.hypot(half);
        }
    }
    forecast
}

/// The sum over so many conversations like these, and half of the range it is in with 95 % likelihood: the prediction
/// interval of a sum of further draws.
fn expected(costs: &[f64], made: f64) -> (f64, f64) {
    let count = costs.len() as f64;
    let mean = costs.iter().sum::<f64>() / count.max(1.0);
    if costs.len() < 2 {
        return (mean * made, f64::INFINITY);
    }
    let variance = costs.iter().map(|cost| (cost - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let t = T.get(costs.len() - 2).copied().unwrap_or(Z);
    (mean * made, t * (variance * made * (1.0 + made / count)).sqrt())
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pilot, paid: [calls, tokens, nanousd], conversations, languages, expected, unpriced } = self;
        let usd = |nanousd: f64| nanousd / 1e9;
        let known = if *unpriced { "cost unknown".to_owned() } else { format!("{:.4} USD", usd(*nanousd)) };
        writeln!(f, "pilot: {pilot} conversations, {calls:.0} calls, {tokens:.0} tokens, {known}")?;
        writeln!(
            f,
            "a run of {conversations} conversations in {languages} languages will cost, with 95 % likelihood:"
        )?;
        let range = |(sum, half): (f64, f64), scale: f64, digits: usize| {
            let (least, most) = (((sum - half) / scale).max(0.0), (sum + half) / scale);
            format!("{:.digits$} ({least:.digits$} to {most:.digits$})", sum / scale)
        };
        writeln!(f, "  calls          {}", range(expected[0], 1.0, 0))?;
        writeln!(f, "  tokens         {}", range(expected[1], 1.0, 0))?;
        if *unpriced {
            return writeln!(f, "  USD            unknown: some model has no price; `llm.prices` sets it");
        }
        writeln!(f, "  USD            {}", range(expected[2], 1e9, 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_narrows_with_the_pilot_and_is_none_without_variation() {
        assert_eq!(expected(&[2.0, 2.0, 2.0], 100.0), (200.0, 0.0));
        let (sum, half) = expected(&[1.0, 3.0], 100.0);
        // Mean 2, variance 2, one degree of freedom.
        assert!((sum - 200.0).abs() < 1e-9 && (half - 12.706 * (2.0 * 100.0 * 51.0_f64).sqrt()).abs() < 1e-9, "{half}");
        let many: Vec<f64> = (0..40).map(|at| if at % 2 == 0 { 1.0 } else { 3.0 }).collect();
        assert!(expected(&many, 100.0).1 < half / 20.0);
        assert_eq!(expected(&[5.0], 10.0), (50.0, f64::INFINITY));
    }
}
