//! The fake endpoint is what it claims to be.

use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Behaviour, Endpoint};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn post(endpoint: &Endpoint, body: &Value) -> reqwest::Result<reqwest::Response> {
    let url = format!("{}/chat/completions", endpoint.base_url());
    reqwest::Client::new().post(url).json(body).send().await
}

async fn status(endpoint: &Endpoint, body: &Value) -> u16 {
    post(endpoint, body).await.expect("a response").status().as_u16()
}

#[tokio::test]
async fn behaviours_are_as_named() {
    let json_mode = json!({"response_format": {"type": "json_object"}});
    for (behaviour, expected) in [
        (Behaviour::dialogue(Latency::NONE), [200, 200, 200]),
        (Behaviour::status(418, &[("x-tea", "mint")]), [418, 418, 418]),
        (Behaviour::flaky(2), [503, 503, 200]),
        (Behaviour::text_only(), [400, 400, 400]),
    ] {
        let endpoint = Endpoint::start(behaviour);
        for expected in expected {
            assert_eq!(status(&endpoint, &json_mode).await, expected);
        }
        assert_eq!((endpoint.requests(), endpoint.max_in_flight()), (3, 1));
        assert_eq!(endpoint.log(), [&json_mode; 3].map(Clone::clone));
        assert!(endpoint.headers().iter().all(|headers| headers["content-type"] == "application/json"));
    }
    let tea = post(&Endpoint::start(Behaviour::status(418, &[("x-tea", "mint")])), &json_mode).await;
    assert_eq!(tea.expect("a response").headers()["x-tea"], "mint");
    assert_eq!(status(&Endpoint::start(Behaviour::text_only()), &json!({})).await, 200);
}

#[tokio::test]
async fn latency_is_drawn_from_seed_and_request() {
    let times = |seed| async move {
        let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 40.0, sigma: 0.0, seed }));
        let start = Instant::now();
        assert_eq!(status(&endpoint, &json!({})).await, 200);
        start.elapsed()
    };
    assert!(times(1).await >= Duration::from_millis(40));
    let of = |seed, digest| Latency { median_ms: 40.0, sigma: 0.5, seed }.of(digest);
    assert_eq!(of(1, 7), of(1, 7));
    assert!(of(1, 7) != of(2, 7) && of(1, 7) != of(1, 8));
}

#[tokio::test]
async fn it_ends_when_dropped() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 60_000.0, sigma: 0.0, seed: 0 }));
    let url = format!("{}/chat/completions", endpoint.base_url());
    let waiting = tokio::spawn(reqwest::Client::new().post(&url).json(&json!({})).send());
    while endpoint.requests() == 0 {
        tokio::task::yield_now().await;
    }
    drop(endpoint);
    assert!(waiting.await.expect("no panic").is_err());
    assert!(reqwest::Client::new().post(&url).send().await.is_err_and(|error| error.is_connect()));
}
