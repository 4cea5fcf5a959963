//! Traffic on a paused clock: shares, rates, complaints, outages.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use reqwest::header::HeaderMap;

const OUTAGE: Duration = Duration::from_secs(600);

fn options(name: &str) -> EndpointLimits {
    let (identity, name) = (name.to_owned(), name.to_owned());
    EndpointLimits { identity, name, weight: 1.0, max_in_flight: None, per_minute: [None; 2] }
}

impl Permit {
    /// It was answered just now.
    fn replied(self, tokens: Option<u64>, headers: &HeaderMap) {
        let latency = self.age();
        self.answered(tokens, latency, headers);
    }
}

fn traffic() -> Traffic {
    Traffic::new(Arc::default(), OUTAGE, Observer::default())
}

fn request(call: u64) -> PermitRequest {
    PermitRequest { call, tokens: 100.0, avoid: None, refused: Vec::new() }
}

/// Runs so many calls over a route, all at once, each of them so long; how many went to which endpoint.
async fn drive(
    traffic: &Traffic,
    route: RouteId,
    calls: u64,
    took: impl Fn(usize) -> Duration + Copy + Send + 'static,
) -> Vec<u64> {
    let counts: Arc<[AtomicU64; 3]> = Arc::default();
    let mut tasks = tokio::task::JoinSet::new();
    for call in 0..calls {
        let (traffic, counts) = (traffic.clone(), counts.clone());
        tasks.spawn(async move {
            let permit = traffic.acquire(route, request(call)).await.unwrap();
            counts[permit.endpoint.0].fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(took(permit.endpoint.0)).await;
            permit.replied(Some(100), &HeaderMap::new());
        });
    }
    tasks.join_all().await;
    counts.iter().map(|count| count.load(Ordering::SeqCst)).collect()
}

#[tokio::test(start_paused = true)]
async fn all_routes_together_have_a_limit() {
    let traffic = traffic();
    traffic.at_most(3);
    let [one, two] = ["a", "b"].map(|name| traffic.route(vec![options(name)], Strategy::default(), [None; 2]));
    let (out, most) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let mut tasks = tokio::task::JoinSet::new();
    for call in 0..40 {
        let (traffic, out, most) = (traffic.clone(), out.clone(), most.clone());
        tasks.spawn(async move {
            let permit = traffic.acquire([one, two][call as usize % 2], request(call)).await.unwrap();
            most.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(call % 7)).await;
            out.fetch_sub(1, Ordering::SeqCst);
            if call % 5 > 0 {
                permit.replied(Some(100), &HeaderMap::new());
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn endpoints_get_their_shares() {
    let endpoints = |weights: [f64; 2], most| {
        let named = |(at, weight)| EndpointLimits { weight, max_in_flight: Some(most), ..options(["a", "b"][at]) };
        weights.into_iter().enumerate().map(named).collect::<Vec<_>>()
    };
    let traffic = traffic();
    let even = traffic.route(endpoints([3.0, 1.0], 50), Strategy::RoundRobin, [None; 2]);
    assert_eq!(drive(&traffic, even, 20, |_| Duration::from_secs(1)).await, [15, 5, 0]);
    let traffic = super::tests::traffic();
    let loaded = traffic.route(endpoints([3.0, 1.0], 50), Strategy::WeightedLeastInflight, [None; 2]);
    assert_eq!(drive(&traffic, loaded, 20, |_| Duration::from_secs(1)).await, [15, 5, 0]);
    // The faster one gets more as soon as it is known to be faster, and the hard limit holds.
    let traffic = super::tests::traffic();
    let route = traffic.route(endpoints([1.0, 1.0], 8), Strategy::WeightedLeastInflight, [None; 2]);
    let shares = drive(&traffic, route, 400, |at| Duration::from_millis([100, 800][at])).await;
    assert!(shares[0] > 6 * shares[1], "{shares:?}");
    let fastest = traffic.route(endpoints([1.0, 1.0], 8), Strategy::LowestLatency, [None; 2]);
    assert_eq!(drive(&traffic, fastest, 8, |_| Duration::from_millis(100)).await, [8, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_fast_loses_traffic() {
    let traffic = traffic();
    let route = traffic.route(vec![options("bad"), options("good")], Strategy::WeightedLeastInflight, [None; 2]);
    let mut counts = [0, 0];
    for call in 0..200 {
        let permit = traffic.acquire(route, request(call)).await.unwrap();
        counts[permit.endpoint.0] += 1;
        if permit.endpoint.0 == 1 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            permit.replied(None, &HeaderMap::new());
        } else {
            // Every other call is answered there, so its breaker never opens.
            permit.failed(Failure::Unusable, "HTTP 500").await;
            let again =
                traffic.acquire(route, PermitRequest { avoid: Some(TargetId(0)), ..request(call) }).await.unwrap();
            assert_eq!(again.endpoint.0, 1);
            again.replied(None, &HeaderMap::new());
        }
    }
    assert!(counts[0] < 30, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn roles_share_what_there_is_whoever_came_first() {
    let traffic = traffic();
    let one = || vec![EndpointLimits { max_in_flight: Some(4), ..options("a") }];
    let [judge, user] = [0, 1].map(|_| traffic.route(one(), Strategy::default(), [None; 2]));
    let start = Instant::now();
    let judging = traffic.clone();
    let judges = tokio::spawn(async move { drive(&judging, judge, 400, |_| Duration::from_secs(1)).await });
    tokio::task::yield_now().await;
    drive(&traffic, user, 20, |_| Duration::from_secs(1)).await;
    // Two of four flights are the user's: not after 100 s of judging.
    assert!(start.elapsed() < Duration::from_secs(13), "{:?}", start.elapsed());
    judges.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(107), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn rates_of_endpoints_and_of_roles_hold() {
    let traffic = traffic();
    let limited = EndpointLimits { per_minute: [Some(120.0), None], ..options("a") };
    let route = traffic.route(vec![limited], Strategy::default(), [None; 2]);
    let start = Instant::now();
    drive(&traffic, route, 60, |_| Duration::from_millis(10)).await;
    let took = start.elapsed().as_secs_f64();
    assert!((28.5..30.5).contains(&took), "60 at 120 a minute took {took} s");
    // Tokens: each call is thought to have 100 and has 100; 6,000 a minute are one a second.
    let route = traffic.route(vec![options("b")], Strategy::default(), [None, Some(6000.0)]);
    let start = Instant::now();
    drive(&traffic, route, 20, |_| Duration::from_millis(10)).await;
    let took = start.elapsed().as_secs_f64();
    assert!((18.5..20.5).contains(&took), "20 of 100 tokens at 6,000 a minute took {took} s");
}

#[tokio::test(start_paused = true)]
async fn limits_are_learned_from_headers() {
    let traffic = traffic();
    let route = traffic.route(vec![options("a")], Strategy::default(), [None; 2]);
    let reported = |remaining: &str| {
        let pairs = [("limit", "60"), ("remaining", remaining), ("reset", "20s")];
        let name = |what| format!("x-ratelimit-{what}-requests").parse::<reqwest::header::HeaderName>().unwrap();
        HeaderMap::from_iter(pairs.map(|(what, value)| (name(what), value.parse().unwrap())))
    };
    let start = Instant::now();
    for remaining in ["1", "0"] {
        traffic.acquire(route, request(1)).await.unwrap().replied(None, &reported(remaining));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    traffic.acquire(route, request(2)).await.unwrap();
    // 60 come back in 20 s.
    assert!((0.3..0.4).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn complaints_are_obeyed_and_leave_fewer_flights() {
    let traffic = traffic();
    let route = traffic.route(vec![options("a")], Strategy::default(), [None; 2]);
    let mut permits = Vec::new();
    for call in 0..10 {
        permits.push(traffic.acquire(route, request(call)).await.unwrap());
    }
    let start = Instant::now();
    let empty = HeaderMap::new();
    permits.drain(..9).for_each(|permit| permit.overloaded(Some(Duration::from_secs(7)), &empty, "HTTP 429"));
    let eight = tokio::time::timeout(Duration::from_secs(60), async {
        for call in 0..7 {
            permits.push(traffic.acquire(route, request(call)).await.unwrap());
        }
        permits.push(traffic.acquire(route, request(9)).await.unwrap());
    });
    assert!(eight.await.is_err(), "seven of ten are left");
    assert_eq!(permits.len(), 7);
    assert!(start.elapsed() >= Duration::from_secs(60) && traffic.0.halt.reason().is_none());
    permits.pop().unwrap().replied(None, &empty);
    assert!(traffic.acquire(route, request(9)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_takes_no_place() {
    let traffic = traffic();
    let route =
        traffic.route(vec![EndpointLimits { max_in_flight: Some(1), ..options("a") }], Strategy::default(), [None; 2]);
    let first = traffic.acquire(route, request(1)).await.unwrap();
    for call in 2..5 {
        let given_up = tokio::time::timeout(Duration::from_secs(1), traffic.acquire(route, request(call))).await;
        assert!(given_up.is_err());
    }
    let waiting = traffic.clone();
    let last = tokio::spawn(async move { waiting.acquire(route, request(9)).await.map(drop) });
    tokio::task::yield_now().await;
    drop(first);
    last.await.unwrap().unwrap();
    assert!(traffic.acquire(route, request(10)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_all_ends_the_run_when_it_lasts_too_long() {
    let traffic = traffic();
    let route = traffic.route(vec![options("a"), options("b")], Strategy::default(), [None; 2]);
    for _ in 0..2 {
        traffic.acquire(route, request(0)).await.unwrap().replied(None, &HeaderMap::new());
    }
    let start = Instant::now();
    let mut probes = 0;
    let error = loop {
        match traffic.acquire(route, request(probes)).await {
            Ok(permit) => {
                assert!(permit.failed(Failure::Unreachable, "connection refused").await);
                probes += 1;
            }
            Err(error) => break error,
        }
    };
    assert!((OUTAGE..OUTAGE + Duration::from_secs(1)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(error.to_string(), "no reply for 600 s (`llm.max_outage`): connection refused; connection refused");
    assert!((40..80).contains(&probes), "{probes}");
    assert!(traffic.acquire(route, request(1)).await.is_err(), "nothing is sent any more");
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_an_endpoint_is_told_once() {
    let heard: Arc<Mutex<Vec<Event>>> = Arc::default();
    let hearing = heard.clone();
    let observer = Observer::new(move |event: &Event| hearing.lock().unwrap().push(event.clone()));
    let traffic = Traffic::new(Arc::default(), OUTAGE, observer);
    let route = traffic.route(vec![options("a"), options("b")], Strategy::default(), [None; 2]);
    let (empty, endpoint) = (HeaderMap::new(), || "a".to_owned());
    let acquire = async || {
        let request = PermitRequest { refused: vec![TargetId(1)], ..request(0) };
        traffic.acquire(route, request).await.unwrap()
    };
    let (first, second) = (acquire().await, acquire().await);
    assert!(
        first.failed(Failure::Unreachable, "refused").await && second.failed(Failure::Unreachable, "refused").await
    );
    acquire().await.replied(None, &empty);
    acquire().await.replied(None, &empty);
    let (first, second) = (acquire().await, acquire().await);
    first.overloaded(None, &empty, "HTTP 429");
    second.overloaded(None, &empty, "HTTP 429");
    acquire().await.unusable("wrong key");
    traffic.give_up(route, TargetId(0), "wrong key");
    let expected = [
        Event::Down { endpoint: endpoint(), error: "refused".into() },
        Event::Up { endpoint: endpoint() },
        Event::Slowed { endpoint: endpoint(), why: "HTTP 429".into(), limit: 1 },
        Event::LeftOut { endpoint: endpoint(), error: "wrong key".into() },
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_gave_a_sign_is_not_waited_for() {
    for (complains, expected) in
        [(false, "no reply for 10 s since the start: refused"), (true, "no reply for 600 s (`llm.max_outage`)")]
    {
        let traffic = traffic();
        let route = traffic.route(vec![options("a")], Strategy::default(), [None; 2]);
        if complains {
            traffic.acquire(route, request(0)).await.unwrap().overloaded(None, &HeaderMap::new(), "Loading model");
        }
        let mut call = 1;
        let error = loop {
            match traffic.acquire(route, request(call)).await {
                Ok(permit) => _ = permit.failed(Failure::Unreachable, "refused").await,
                Err(error) => break error.to_string(),
            }
            call += 1;
        };
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_refuses_all_from_the_start_is_given_up() {
    let refuse = async |traffic: &Traffic, route, calls: [u64; 4]| {
        let mut tasks = tokio::task::JoinSet::new();
        for call in calls {
            let (traffic, mut request) = (traffic.clone(), request(call));
            tasks.spawn(async move {
                let permit = traffic.acquire(route, request.clone()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(call)).await;
                permit.refused(&mut request, "HTTP 400").await
            });
        }
        tasks.join_all().await
    };
    let alone = |traffic: &Traffic| traffic.route(vec![options("a")], Strategy::default(), [None; 2]);
    let traffic = traffic();
    let route = alone(&traffic);
    assert_eq!(refuse(&traffic, route, [1, 2, 3, 4]).await, [Refusal::GoOn; 4]);
    assert_eq!(traffic.acquire(route, request(5)).await.map(drop).unwrap_err().to_string(), "HTTP 400");
    // One call that is refused again and again tells nothing of the endpoint, nor do refusals after a reply.
    for (replies, calls) in [(false, [1; 4]), (true, [1, 2, 3, 4])] {
        let traffic = super::tests::traffic();
        let route = alone(&traffic);
        if replies {
            traffic.acquire(route, request(0)).await.unwrap().replied(None, &HeaderMap::new());
        }
        assert_eq!(refuse(&traffic, route, calls).await, [Refusal::Final; 4]);
        assert!(traffic.acquire(route, request(5)).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_takes_less_is_asked_when_no_other_can_be() {
    for strategy in [Strategy::WeightedLeastInflight, Strategy::LowestLatency, Strategy::RoundRobin] {
        let traffic = traffic();
        let route = traffic.route(vec![options("less"), options("all")], strategy, [None; 2]);
        traffic.takes_less(route, TargetId(0));
        let permits = async |traffic: &Traffic| {
            let mut permits = Vec::new();
            for call in 0..4 {
                permits.push(traffic.acquire(route, request(call)).await.unwrap());
            }
            permits
        };
        let all = permits(&traffic).await;
        assert!(all.iter().all(|permit| permit.endpoint.0 == 1), "{strategy:?}");
        for permit in all {
            permit.failed(Failure::Unreachable, "refused").await;
        }
        assert!(permits(&traffic).await.iter().all(|permit| permit.endpoint.0 == 0), "{strategy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answers_is_an_outage_too() {
    let traffic = traffic();
    let route = traffic.route(vec![options("a")], Strategy::default(), [None; 2]);
    let start = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..4 {
        let traffic = traffic.clone();
        calls.spawn(async move {
            while let Ok(permit) = traffic.acquire(route, request(call)).await {
                tokio::time::sleep(Duration::from_secs(120)).await;
                permit.failed(Failure::Unusable, "no complete response within 120 s").await;
            }
        });
    }
    calls.join_all().await;
    assert!(traffic.0.halt.reason().is_some());
    assert!(start.elapsed() < OUTAGE + Duration::from_secs(300), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_leaves_the_others_and_the_last_one_ends_the_run() {
    let traffic = traffic();
    let route = traffic.route(vec![options("a"), options("b")], Strategy::default(), [None; 2]);
    traffic.acquire(route, request(1)).await.unwrap().unusable("HTTP 401");
    for call in 2..9 {
        let permit = traffic.acquire(route, request(call)).await.unwrap();
        assert_eq!(permit.endpoint.0, 1);
        permit.replied(None, &HeaderMap::new());
    }
    // Another agent has another model, or another key.
    let other = traffic.route(vec![options("a")], Strategy::default(), [None; 2]);
    assert!(traffic.acquire(other, request(1)).await.is_ok());
    traffic.acquire(route, request(9)).await.unwrap().unusable("HTTP 404");
    let error = traffic.acquire(route, request(10)).await.map(drop).unwrap_err();
    assert_eq!(error.to_string(), "HTTP 401; HTTP 404");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_comes_back_is_found_and_used_again() {
    for strategy in [Strategy::WeightedLeastInflight, Strategy::LowestLatency, Strategy::RoundRobin] {
        let traffic = traffic();
        let route = traffic.route(vec![options("a"), options("b")], strategy, [None; 2]);
        let mut lost = Vec::new();
        for call in 0..32 {
            lost.push(traffic.acquire(route, request(call)).await.unwrap());
        }
        for permit in lost {
            match permit.endpoint.0 {
                0 => permit.replied(None, &HeaderMap::new()),
                _ => _ = permit.failed(Failure::Unreachable, "connection reset").await,
            }
        }
        // It is up again before the first probe.
        let mut counts = [0, 0];
        for call in 100..200 {
            let permit = traffic.acquire(route, request(call)).await.unwrap();
            counts[permit.endpoint.0] += 1;
            tokio::time::sleep(Duration::from_millis([200, 100][permit.endpoint.0])).await;
            permit.replied(None, &HeaderMap::new());
        }
        assert!(strategy == Strategy::LowestLatency || counts[1] > 30, "{strategy:?}: {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_request_is_not_starved_by_small_ones() {
    let traffic = traffic();
    let limited = || vec![EndpointLimits { per_minute: [None, Some(60_000.0)], ..options("a") }];
    let [large, small] = [0, 1].map(|_| traffic.route(limited(), Strategy::default(), [None; 2]));
    let judging = traffic.clone();
    let judges = tokio::spawn(async move { drive(&judging, small, 200, |_| Duration::from_secs(5)).await });
    tokio::task::yield_now().await;
    let start = Instant::now();
    for call in 0..5 {
        let permit = traffic.acquire(large, PermitRequest { tokens: 900.0, ..request(1000 + call) }).await.unwrap();
        permit.replied(Some(900), &HeaderMap::new());
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    judges.await.unwrap();
}

/// Refuses so many calls over a route, one after the other.
async fn refuse(traffic: &Traffic, route: RouteId, calls: std::ops::Range<u64>) -> Vec<Result<Refusal, ModelError>> {
    let mut outcomes = Vec::new();
    for call in calls {
        let mut request = request(call);
        let outcome = match traffic.acquire(route, request.clone()).await {
            Ok(permit) => Ok(permit.refused(&mut request, "no").await),
            Err(error) => Err(error),
        };
        outcomes.push(outcome);
    }
    outcomes
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_replied_before_the_run_went_on_is_not_useless_for_refusals() {
    let new = traffic();
    let route = new.route(vec![options("a")], Strategy::default(), [None; 2]);
    let outcomes = refuse(&new, route, 0..4).await;
    assert!(matches!(outcomes[3], Err(ModelError::Halted(_))), "nothing replied yet: {outcomes:?}");

    let resumed = traffic();
    let route = resumed.route(vec![options("a")], Strategy::default(), [None; 2]);
    resumed.has_replied_before(route);
    let outcomes = refuse(&resumed, route, 0..10).await;
    assert_eq!(outcomes, vec![Ok(Refusal::Final); 10], "the requests are at fault");
    // Where another endpoint can be asked, one that takes nothing is left out all the same.
    let both = traffic();
    let route = both.route(vec![options("a"), options("b")], Strategy::RoundRobin, [None; 2]);
    both.has_replied_before(route);
    let mut taken = Vec::new();
    for call in 0..12 {
        let mut request = request(call);
        loop {
            let permit = both.acquire(route, request.clone()).await.unwrap();
            taken.push(permit.endpoint.0);
            if permit.endpoint.0 == 1 {
                permit.replied(None, &HeaderMap::new());
                break;
            }
            assert_eq!(permit.refused(&mut request, "no").await, Refusal::GoOn);
        }
    }
    assert_eq!(taken.iter().filter(|endpoint| **endpoint == 0).count(), 3, "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_without_a_judge_while_most_of_its_jury_is_left() {
    let traffic = traffic();
    let user = traffic.route(vec![options("user")], Strategy::default(), [None; 2]);
    let jury = ["a", "b", "c"].map(|name| traffic.route(vec![options(name)], Strategy::default(), [None; 2]));
    jury.iter().for_each(|route| traffic.is_of_jury(*route));
    let unusable = async |route| traffic.acquire(route, request(1)).await.map(|permit| permit.unusable("no key"));
    unusable(jury[0]).await.unwrap();
    for _ in 0..3 {
        assert_eq!(unusable(jury[0]).await, Err(ModelError::Gone("no key".to_owned())));
    }
    for route in [user, jury[1], jury[2]] {
        traffic.acquire(route, request(2)).await.unwrap().replied(None, &HeaderMap::new());
    }
    // One of three is left: that is no jury any more.
    unusable(jury[2]).await.unwrap();
    assert_eq!(unusable(jury[2]).await, Err(ModelError::Halted("no key".to_owned())));
    assert!(matches!(traffic.acquire(user, request(3)).await, Err(ModelError::Halted(_))));
}
