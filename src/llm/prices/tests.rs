//! Prices: how they are found and read, and that no bill is above what was reserved for it.

use super::*;
use crate::providers::Provider;
use crate::providers::provider::{COMPATIBLE, OPENAI};
use proptest::prelude::*;

/// The prices in such a file, and the shipped ones.
fn loaded(text: &str) -> Result<Prices, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    std::fs::write(&path, text).unwrap();
    Prices::load(Some(&path)).map_err(|error| error.to_string())
}

/// The price of a model in such a file.
fn price(row: &str) -> Price {
    let prices = loaded(&format!("version: today\nusd_per_million_tokens: {{m: {row}}}\n")).unwrap();
    prices.of(COMPATIBLE.names(), "m").unwrap().clone()
}

fn used(read: u64, written: u64) -> Usage {
    Usage { prompt_tokens: Some(read), completion_tokens: Some(written), ..Usage::default() }
}

/// The dollars for a million tokens read, and for a million written.
fn per_million(price: &Price) -> (f64, f64) {
    let rates = price.steps[0].1[0];
    (rates.input as f64 / 1e6, rates.output as f64 / 1e6)
}

#[test]
fn a_model_is_found_with_or_without_its_provider_and_may_be_unknown() {
    let prices = loaded(
        "version: today\nusd_per_million_tokens: {mine: {input: 1, output: 2.5}, gpt-4o: {input: 9, output: 9}, \
         vllm/org/m: {input: 3, output: 3}}\n",
    );
    let prices = prices.unwrap();
    for (provider, model, expected) in [
        ("builtin", "builtin", Some((0.0, 0.0))),
        ("vllm", "mine", Some((1.0, 2.5))),
        ("vllm", "org/mine", Some((1.0, 2.5))),
        ("vllm", "org/m", Some((3.0, 3.0))),
        ("openai", "gpt-4o", Some((9.0, 9.0))),
        ("openrouter", "openai/gpt-4o", Some((9.0, 9.0))),
        ("openai", "gpt-4o-mini", Some((0.15, 0.6))),
        ("openai", "unheard-of", None),
        // What another provider takes for the weights of a model is not what a server of one's own costs.
        ("groq", "openai/gpt-oss-20b", Some((0.075, 0.3))),
        ("together", "openai/gpt-oss-20b", Some((0.05, 0.2))),
        ("vllm", "openai/gpt-oss-20b", None),
    ] {
        let provider = Provider::named(provider).unwrap();
        let found = prices.of(provider.names(), model).map(per_million);
        assert_eq!(found, expected, "{} {model}", provider.name);
    }
}

#[test]
fn models_of_the_first_table_are_still_there_and_every_provider_is() {
    let prices = Prices::load(None).unwrap();
    for model in [
        "builtin",
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-4.1-nano",
        "gpt-5",
        "gpt-5-mini",
        "gpt-5-nano",
        "o3",
        "o4-mini",
        "claude-opus-4-1",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
        "gemini-2.5-pro",
        "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
        "deepseek-chat",
    ] {
        assert!(prices.of(COMPATIBLE.names(), model).is_some(), "{model}");
    }
    let flagship = prices.of(OPENAI.names(), "gpt-5").unwrap();
    assert!(flagship.shutdown.is_some());
    let million = |tier| flagship.nanousd(&Usage { tier, ..used(200_000, 200_000) });
    assert_eq!(million(Tier::Flex).map(|usd| 2 * usd), million(Tier::Standard));
    assert!(million(Tier::Priority) > million(Tier::Standard));
    for (provider, model) in
        [("mistral", "mistral-large-latest"), ("xai", "grok-4.3"), ("anthropic", "claude-sonnet-5")]
    {
        assert!(prices.of(Provider::named(provider).unwrap().names(), model).is_some(), "{model}");
    }
    assert!(SHIPPED.len() < 150_000);
}

#[test]
fn tokens_of_a_cache_have_their_own_prices_and_none_is_counted_twice() {
    let mine = price("{input: 1, output: 2.5}");
    assert_eq!(mine.nanousd(&used(1_000_000, 2)), Some(1_000_005_000));
    assert_eq!(mine.nanousd(&Usage { completion_tokens: None, ..used(1, 0) }), None);
    let cheaper = price("{input: 1, output: 2.5, cached_input: 0.25}");
    let cached = Usage { cached_tokens: Some(8), ..used(10, 0) };
    assert_eq!(cheaper.nanousd(&cached), Some(4_000));
    let stored = |cached, kept| Usage { cached_tokens: cached, cache_write_tokens: Some(kept), ..used(10, 0) };
    assert_eq!(cheaper.nanousd(&stored(Some(8), 1)), Some(2_000 + 1_000 + 1_250));
    assert_eq!(cheaper.nanousd(&stored(Some(8), 9)), Some(2_000 + 2_500));
    let dear = price("{input: 1, output: 2.5, cached_input: 0.25, cache_write: 2}");
    assert_eq!((dear.nanousd(&stored(None, 10)), dear.most(10, 4)), (Some(20_000), 30_000));
    assert_eq!(cheaper.most(10, 4), 22_500);
}

#[test]
fn tiers_and_long_prompts_have_their_own_prices() {
    let price = price(
        "{input: 4, output: 20, cached_input: 1, flex: {input: 2, output: 10}, priority: {input: 9, output: 30}, \
         above: {100: {input: 8, output: 30, flex: {input: 4, output: 15}}, 200: {input: 10, output: 40}}, shutdown: 2026-12-11}",
    );
    assert_eq!(price.shutdown, Some(jiff::civil::date(2026, 12, 11)));
    for (tier, read, expected) in [
        (Tier::Standard, 100, 4 * 100 + 20),
        (Tier::Standard, 101, 8 * 101 + 30),
        (Tier::Standard, 201, 10 * 201 + 40),
        (Tier::Flex, 100, 2 * 100 + 10),
        (Tier::Flex, 101, 4 * 101 + 15),
        // A tier without the step: the dearer of its own last price and the standard one.
        (Tier::Flex, 201, 10 * 201 + 40),
        (Tier::Priority, 101, 9 * 101 + 30),
        (Tier::Priority, 201, 10 * 201 + 40),
        (Tier::Batch, 100, 4 * 100 + 20),
    ] {
        assert_eq!(price.nanousd(&Usage { tier, ..used(read, 1) }), Some(1000 * expected), "{tier:?} {read}");
    }
}

#[test]
fn litellm_s_table_is_known_by_what_stands_in_it() {
    let prices = loaded(
        r#"{
            "sample_spec": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "deprecation_date": "date when ..."},
            "big": {
                "litellm_provider": "openai", "mode": "chat", "deprecation_date": "2027-01-31", "max_input_tokens": 922000,
                "input_cost_per_token": 4e-06, "output_cost_per_token": 2e-05, "cache_read_input_token_cost": 4e-07,
                "cache_creation_input_token_cost": 5e-06, "input_cost_per_token_flex": 2e-06, "output_cost_per_token_flex": 1e-05,
                "input_cost_per_token_batches": 2e-06, "output_cost_per_token_priority": 4e-05,
                "input_cost_per_token_above_272k_tokens": 8e-06, "output_cost_per_token_above_272k_tokens": 3e-05,
                "input_cost_per_token_above_272k_tokens_flex": 4e-06
            },
            "together_ai/org/free": {
                "input_cost_per_token": 0.0, "output_cost_per_token": 0, "cache_creation_input_token_cost": 0.0
            },
            "deep": {
                "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "output_cost_per_reasoning_token": 3e-06,
                "cache_creation_input_token_cost": 0.0
            },
            "picture": {"output_cost_per_image": 0.04}
        }"#,
    );
    let prices = prices.unwrap();
    let row = "{input: 4, output: 20, cached_input: 0.4, cache_write: 5, flex: {input: 2, output: 10, cached_input: 0.4}, \
               batch: {input: 2, output: 20, cached_input: 0.4}, priority: {input: 4, output: 40, cached_input: 0.4}, \
               above: {272000: {input: 8, output: 30, flex: {input: 4, output: 30}}}, shutdown: 2027-01-31}";
    assert_eq!(prices.of(OPENAI.names(), "big"), Some(&price(row)));
    let deep = "{input: 1, output: 3, cache_write: 1}";
    assert_eq!(
        prices.of(OPENAI.names(), "deep"),
        Some(&price(deep)),
        "thoughts are written, and writing to the cache is free"
    );
    assert!(prices.of(Provider::named("together").unwrap().names(), "org/free").is_some());
    assert!(prices.of(OPENAI.names(), "picture").is_none() && prices.of(OPENAI.names(), "sample_spec").is_none());
    assert!(prices.of(["builtin"].into_iter(), "builtin").is_some(), "the shipped ones are still there");
}

#[test]
fn a_wrong_table_is_named() {
    let table = |row: &str| format!("version: x\nusd_per_million_tokens: {{a: {row}}}\n");
    for (text, expected) in [
        (table("{input: -1, output: 0}"), "the price of `a` must not be negative"),
        (table("{input: 1, output: 0, cache_write: -1}"), "the price of `a` must not be negative"),
        (table("{input: 1, output: 0, flex: {input: -1, output: 0}}"), "the price of `a` must not be negative"),
        (table("{input: .inf, output: 0}"), "the price of `a` is no amount of USD per million tokens"),
        (table("{input: 1, output: 0, shutdown: soon}"), "`shutdown` is `soon`; write a day as 2026-12-31"),
        (
            table("{input: 1, output: 0, above: {9: {input: 1, output: 0, shutdown: 2026-12-31}}}"),
            "`above` and `shutdown` can't stand within `above: {9: …}`",
        ),
        (
            table("{input: 1, output: 0, flex: {input: 1, output: 0, above: {9: {input: 1, output: 1}}}}"),
            "its steps stand as `flex` within `above`",
        ),
        (table("{input: 1, output: 0, flex: {input: 1}}"), "output"),
        ("version: ' '\nusd_per_million_tokens: {}\n".to_owned(), "`version` is empty"),
        ("version: x\nprices: {}\n".to_owned(), "prices"),
        (
            r#"{"m": {"input_cost_per_token": -1e-06, "output_cost_per_token": 0}}"#.to_owned(),
            "the price of `m` must not be",
        ),
    ] {
        let error = loaded(&text).unwrap_err();
        assert!(error.contains("mine.yaml") && error.contains(expected), "{error}");
    }
    assert!(Prices::load(Some(Path::new("nowhere.yaml"))).unwrap_err().to_string().contains("nowhere.yaml"));
}

fn rates() -> impl Strategy<Value = Row> {
    let usd = || 0_u32..5_000_000;
    let dollars = |millionths: u32| f64::from(millionths) / 1e5;
    (usd(), usd(), proptest::option::of(usd()), proptest::option::of(usd())).prop_map(
        move |(input, output, cached, write)| Row {
            input: dollars(input),
            output: dollars(output),
            cached_input: cached.map(dollars),
            cache_write: write.map(dollars),
            ..Row::default()
        },
    )
}

fn step() -> impl Strategy<Value = Row> {
    let tier = || proptest::option::of(rates().prop_map(Box::new));
    (rates(), tier(), tier(), tier()).prop_map(|(row, batch, flex, priority)| Row { batch, flex, priority, ..row })
}

proptest! {
    #[test]
    fn no_bill_is_above_what_was_reserved(
        row in step(),
        above in proptest::collection::btree_map(1_u64..2000, step(), 0..3),
        most in (0_u64..3000, 0_u64..3000),
        share in (0.0..=1.0_f64, 0.0..=1.0_f64),
        cached in proptest::option::of(0_u64..3000),
        kept in proptest::option::of(0_u64..3000),
        tier in proptest::sample::select(&Tier::ALL[..]),
    ) {
        let price = Row { above, ..row }.price().unwrap();
        let part = |most: u64, share: f64| (most as f64 * share) as u64;
        let usage = Usage {
            cached_tokens: cached,
            cache_write_tokens: kept,
            tier,
            ..used(part(most.0, share.0), part(most.1, share.1))
        };
        prop_assert!(price.nanousd(&usage).unwrap() <= price.most(most.0, most.1), "{:?}", usage);
    }
}
