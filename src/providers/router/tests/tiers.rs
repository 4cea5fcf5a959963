//! Service tiers: which is asked for, which is paid, and what becomes of a request that one has no room for.

use super::*;
use crate::llm::Tier;
use crate::providers::Provider;

/// An endpoint of Groq's that has no room for every other request in the tier flex, and says in which tier it replies.
fn half_full(refusal: impl Fn() -> Reply + Send + Sync + 'static) -> fake::Endpoint {
    fake::Endpoint::start(Behaviour::new(move |request, number| {
        if request["service_tier"] == "flex" && number % 2 == 0 {
            return refusal();
        }
        let reply = fake::dialogue::reply(request, Latency::NONE);
        let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
        body["service_tier"] = request["service_tier"].clone();
        body["usage"] = json!({"prompt_tokens": 1000, "completion_tokens": 0});
        Reply { body: body.to_string().into(), ..reply }
    }))
}

/// An agent of Groq's that asks in these tiers, with a price.
fn tiered(base_url: &str, tiers: &'static [Tier]) -> (AgentOptions, Shared) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.yaml");
    let row = "{input: 2, output: 0, flex: {input: 1, output: 0}, priority: {input: 4, output: 0}}";
    std::fs::write(&path, format!("version: x\nusd_per_million_tokens: {{m: {row}}}\n")).unwrap();
    let mut options = options(base_url);
    (options.tiers, options.max_tokens, options.endpoints[0].provider) =
        (tiers, Some(1), Provider::named("groq").unwrap());
    let budget = Budget { usd: Some(1.0), ..Budget::default() };
    (options, Shared::new(Prices::load(Some(&path)).unwrap(), budget, Duration::from_secs(60), Observers::default()))
}

#[tokio::test]
async fn what_flex_has_no_room_for_is_sent_as_standard_when_told_to() {
    for refusal in [
        || Reply::json(429, &json!({"error": {"message": "Try later", "code": "resource_unavailable"}})),
        || Reply::error(429, "Resource unavailable"),
        || Reply::error(498, "capacity_exceeded"),
        || Reply::error(503, "The model is overloaded"),
    ] {
        let server = half_full(refusal);
        let (options, shared) = tiered(&server.base_url(), &[Tier::Flex, Tier::Standard]);
        let router = hurried(&options, &shared);
        let first = router.chat(&request("Hi")).await.unwrap();
        assert_eq!((first.usage.tier, first.cost_nanousd), (Tier::Standard, Some(2_000_000)));
        let tiers: Vec<Value> = server.log().iter().map(|body| body["service_tier"].clone()).collect();
        assert_eq!(tiers, ["flex", "on_demand"], "at once, and it is no complaint");
        assert_eq!((shared.meter.read().slowed, shared.meter.read().retries), (0, 1));
    }
    // Without that, it waits for room.
    let server = half_full(|| Reply::error(498, "capacity_exceeded"));
    let (options, shared) = tiered(&server.base_url(), &[Tier::Flex]);
    let reply = hurried(&options, &shared).chat(&request("Hi")).await.unwrap();
    assert_eq!((reply.usage.tier, reply.cost_nanousd), (Tier::Flex, Some(1_000_000)));
    assert_eq!((server.requests(), shared.meter.read().slowed), (2, 1));
    // The limits of an account are the same in all tiers.
    let server = half_full(|| Reply::error(429, "rate_limit_exceeded"));
    let (options, shared) = tiered(&server.base_url(), &[Tier::Flex, Tier::Standard]);
    let reply = hurried(&options, &shared).chat(&request("Hi")).await.unwrap();
    assert_eq!((reply.usage.tier, shared.meter.read().slowed), (Tier::Flex, 1));
}

#[tokio::test]
async fn the_reply_says_in_which_tier_it_is_paid() {
    for (asked, body, header, expected) in [
        (&[Tier::Flex][..], Some("flex"), None, Tier::Flex),
        (&[Tier::Flex], Some("on_demand"), Some("flex"), Tier::Standard),
        (&[Tier::Flex], None, Some("FLEX"), Tier::Flex),
        // Nothing is cheaper for a tier that nobody confirms.
        (&[Tier::Flex], None, None, Tier::Standard),
        (&[Tier::Flex], Some("paid"), Some("paid"), Tier::Standard),
        (&[], Some("priority"), None, Tier::Priority),
    ] {
        let server = fake::Endpoint::start(Behaviour::new(move |request, _| {
            let reply = fake::dialogue::reply(request, Latency::NONE);
            let mut told: Value = serde_json::from_slice(&reply.body).unwrap();
            told["service_tier"] = json!(body);
            let headers = header.map(|tier: &str| ("x-gemini-service-tier".to_owned(), tier.to_owned()));
            Reply { headers: headers.into_iter().collect(), body: told.to_string().into(), ..reply }
        }));
        let (options, shared) = tiered(&server.base_url(), asked);
        let reply = hurried(&options, &shared).chat(&request("Hi")).await.unwrap();
        assert_eq!(reply.usage.tier, expected, "{asked:?} {body:?} {header:?}");
    }
}

#[tokio::test]
async fn a_request_in_the_tier_flex_has_its_own_time() {
    let server = fake::Endpoint::start(Behaviour::new(|request, _| Reply {
        delay: Duration::from_millis(300),
        ..fake::dialogue::reply(request, Latency::NONE)
    }));
    for (tiers, is_in_time) in [(&[Tier::Flex][..], true), (&[Tier::Standard], false)] {
        let (mut options, shared) = tiered(&server.base_url(), tiers);
        options.endpoints[0].timeout = Duration::from_millis(30);
        assert_eq!(hurried(&options, &shared).chat(&request("Hi")).await.is_ok(), is_in_time, "{tiers:?}");
    }
}
