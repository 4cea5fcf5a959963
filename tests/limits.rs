//! What an endpoint's concurrency limit costs and gains, simulated: the cases of the benchmark `limits`, in small.

#[path = "support/simulation.rs"]
mod simulation;

use dlgforge::traffic::concurrency::ConcurrencyLimit;
use simulation::{Change, Load, Mix, Outcomes, Server};

/// Throughput as a share of the best fixed limit's, on average over a few seeds.
fn share(load: Load) -> f64 {
    let share = |seed| {
        let load = Load { seed, ..load };
        limited(load).throughput / load.best()
    };
    (1..=4).map(share).sum::<f64>() / 4.0
}

fn limited(load: Load) -> Outcomes {
    load.limited_by(&mut ConcurrencyLimit::new())
}

#[test]
fn nothing_is_lost_where_latency_does_not_depend_on_load() {
    for sigma in [0.0, 0.5, 1.0, 1.5] {
        let share = share(Load::unlimited(64, sigma, 1));
        assert!(share >= 0.99, "sigma {sigma}: {share}");
    }
    // Short judgements beside long answers, in any proportion, are no reason either.
    for mix in [Mix::Two, Mix::Shifts, Mix::FirstLonger] {
        let share = share(Load { mix, ..Load::unlimited(64, 1.0, 1) });
        assert!(share >= 0.99, "{mix:?}: {share}");
    }
}

#[test]
fn a_server_that_only_queues_is_left_alone() {
    for server in [Server::Shares, Server::Queues] {
        for slots in [8.0, 32.0] {
            let share = share(Load::limited(server, slots, 64, 1.0, 1));
            assert!(share >= 0.95, "{server:?} with {slots} slots: {share}");
        }
    }
}

#[test]
fn a_server_that_does_less_when_it_is_given_more_is_given_less() {
    for (slots, permits) in [(8.0, 64), (32.0, 64), (32.0, 512)] {
        let load = Load::limited(Server::Falls, slots, permits, 0.5, 1);
        assert!(load.unlimited_outcomes().throughput < 0.85 * load.best());
        let share = share(load);
        assert!(share >= 0.9, "{slots} slots for {permits}: {share}");
        assert!(limited(load).in_flight < 2.0 * slots, "{:?}", limited(load));
    }
}

#[test]
fn an_endpoint_that_was_slow_for_a_while_gets_its_load_back() {
    let slow = Change { from: 60.0, until: 90.0, slots: 0.0, speed: 0.2 };
    for sigma in [0.5, 1.0] {
        let share = share(Load { change: Some(slow), ..Load::unlimited(64, sigma, 1) });
        assert!(share >= 0.97, "sigma {sigma}: {share}");
    }
}

#[test]
fn replies_that_do_not_come_in_time_lower_the_limit() {
    let load = Load { timeout: Some(20.0), ..Load::limited(Server::Queues, 8.0, 512, 0.5, 1) };
    let (without, with) = (load.unlimited_outcomes(), limited(Load { rounds: 40, ..load }));
    assert!(without.timed_out > 0.9, "{without:?}");
    assert!(with.timed_out < 0.3, "{with:?}");
}
