//! What an endpoint's concurrency limit costs where latency does not depend on load, and gains where a server saturates:
//! simulated, so every number is the same each time.
//!
//! `cargo bench --bench limits -- [SEEDS]`, by default 4. Throughput as a share of that of the best fixed limit, of the
//! worst seed too; after a change of the server, of the best ones before and after it.

#[path = "../support/simulation.rs"]
mod simulation;

use dlgforge::traffic::concurrency::ConcurrencyLimit;
use simulation::{Change, Load, Mix, Server};

const PERMITS: [usize; 2] = [64, 512];
const SIGMAS: [f64; 4] = [0.0, 0.5, 1.0, 1.5];
const SLOW: Change = Change { from: 100.0, until: 130.0, slots: 0.0, speed: 0.2 };

/// A line of the table.
fn print(name: &str, load: Load, seeds: u64, best: impl Fn(Load) -> f64) {
    let (mut none, mut shares, mut in_flight, mut timed_out) = (0.0, Vec::new(), 0.0, [0.0; 2]);
    for seed in 1..=seeds {
        let load = Load { seed, ..load };
        let best = best(load);
        let unlimited = load.unlimited_outcomes();
        let outcomes = load.limited_by(&mut ConcurrencyLimit::new());
        none += unlimited.throughput / best / seeds as f64;
        shares.push(outcomes.throughput / best);
        in_flight += outcomes.in_flight / seeds as f64;
        timed_out[0] += unlimited.timed_out / seeds as f64;
        timed_out[1] += outcomes.timed_out / seeds as f64;
    }
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let worst = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let given_up = match load.timeout {
        Some(_) => format!("   given up for each answer: {:.3} without, {:.3} with", timed_out[0], timed_out[1]),
        None => String::new(),
    };
    println!(
        "{name:<22} {:>7} {:>5} {:>5.1} | {none:>7.3} {mean:>7.3} {worst:>7.3} | {in_flight:>7.0}{given_up}",
        load.permits, load.slots, load.sigma
    );
}

/// The best before a change, then the best after it.
fn around(load: Load) -> f64 {
    let change = load.change.expect("a change");
    let before = Load { change: None, ..load }.best();
    let after = Load { change: None, slots: change.slots, ..load }.best();
    let calls = (load.rounds * load.permits) as f64;
    calls / (change.from + (calls - change.from * before) / after)
}

fn main() {
    let seeds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(4);
    println!("server                 permits slots sigma | without    with   worst | in flight");
    for permits in PERMITS {
        for sigma in SIGMAS {
            print("latency is free", Load::unlimited(permits, sigma, 1), seeds, Load::best);
        }
        for (name, mix) in
            [("two roles", Mix::Two), ("roles shift", Mix::Shifts), ("first calls long", Mix::FirstLonger)]
        {
            print(name, Load { mix, ..Load::unlimited(permits, 1.0, 1) }, seeds, Load::best);
        }
        for sigma in SIGMAS {
            let load = Load { change: Some(SLOW), ..Load::unlimited(permits, sigma, 1) };
            print("slow for 30 s", load, seeds, Load::best);
        }
    }
    for (name, server) in [("shares", Server::Shares), ("queues", Server::Queues), ("falls", Server::Falls)] {
        for permits in PERMITS {
            for slots in [8.0, 32.0, 128.0].into_iter().filter(|slots| *slots <= permits as f64) {
                for sigma in SIGMAS {
                    print(name, Load::limited(server, slots, permits, sigma, 1), seeds, Load::best);
                }
            }
        }
        for mix in [Mix::Two, Mix::Shifts, Mix::FirstLonger] {
            let load = Load { mix, ..Load::limited(server, 8.0, 64, 1.0, 1) };
            print(&format!("{name}, {mix:?}"), load, seeds, Load::best);
        }
        for (slots, later, from) in [(32.0, 8.0, 200.0), (8.0, 32.0, 400.0)] {
            let change = Some(Change { from, until: f64::INFINITY, slots: later, speed: 1.0 });
            let load = Load { change, ..Load::limited(server, slots, 64, 1.0, 1) };
            print(&format!("{name}, then {later} slots"), load, seeds, around);
        }
    }
    for permits in PERMITS {
        let load = Load { timeout: Some(20.0), ..Load::limited(Server::Queues, 8.0, permits, 1.0, 1) };
        print("queues, 20 s at most", load, seeds, |load| Load { timeout: None, ..load }.best());
    }
}
