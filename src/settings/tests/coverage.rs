//! What is said of the documents that conversations are about.

use super::*;

#[test]
fn documents_and_languages_are_matched_by_old_words_and_new() {
    for (coverage, expected) in [
        ("{}", plan::MatchLanguage::Prefer),
        ("{match_language: require}", plan::MatchLanguage::Require),
        ("{match_language: off}", plan::MatchLanguage::Off),
        ("{document_language: own}", plan::MatchLanguage::Prefer),
        ("{document_language: any}", plan::MatchLanguage::Off),
        ("{document_language: any, match_language: require}", plan::MatchLanguage::Require),
    ] {
        let settings = load(&format!("{BUILTIN}\ncoverage: {coverage}\n"), &[], &[]).unwrap();
        assert_eq!(settings.plan.coverage.match_language, expected, "{coverage}");
    }
    let settings = load(BUILTIN, &[("DOCUMENT_LANGUAGE", "any")], &[]).unwrap();
    assert_eq!(settings.plan.coverage.match_language, plan::MatchLanguage::Off);
}

#[test]
fn a_reply_holds_one_to_sixteen_questions() {
    let candidates = |count: &str| {
        let settings = load(&format!("{BUILTIN}\ncoverage: {{candidates: {count}}}\n"), &[], &[]);
        settings.map(|settings| {
            let told = settings.fixed().find(|(key, _)| *key == "coverage.candidates").unwrap().1.clone();
            (settings.plan.coverage.candidates, told)
        })
    };
    // A run of an earlier release, which had one, goes on.
    assert_eq!(candidates("1"), Ok((1, String::new())));
    assert_eq!(candidates("16"), Ok((16, "16".to_owned())));
    for (count, bound) in [("0", ">= 1"), ("17", "<= 16")] {
        let error = candidates(count).unwrap_err();
        assert!(error.contains(&format!("`coverage.candidates` must be {bound}.")), "{error}");
    }
}

#[test]
fn a_text_is_one_question_and_needs_an_end() {
    let asks = |user: &str, coverage: &str| {
        let text = format!(
            "llm: {{agents: {{user: {{provider: builtin{user}}}, assistant: {{provider: builtin}}}}}}\ncoverage: {{{coverage}}}\n"
        );
        load(&text, &[], &[]).map(|settings| settings.asks.text)
    };
    assert_eq!(asks("", ""), Ok(None));
    assert_eq!(asks(", reply: text", ""), Ok(Some("<|endconversation|>".to_owned())));
    assert_eq!(asks(", reply: text, end: ' [BYE] '", ""), Ok(Some("[BYE]".to_owned())));
    for (user, coverage, expected) in [
        (
            ", reply: text, end: ''",
            "",
            "`llm.agents.user.end` is empty: set it to what the model ends a conversation with",
        ),
        (
            ", reply: text",
            "candidates: 4",
            "`coverage.candidates` is 4, but with `llm.agents.user.reply: text` a reply is one message: set it to 1",
        ),
        (
            ", reply: text",
            "modes: {sharded: 0.1}",
            "`coverage.modes.sharded` needs the whole need, which a plain text does not tell",
        ),
        (", reply: prose", "", "`llm.agents.user.reply`"),
    ] {
        let error = asks(user, coverage).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn near_duplicates_are_looked_for_from_a_threshold_on() {
    let near = |near: &str| {
        let settings = load(&format!("{BUILTIN}\ncoverage: {{near_duplicates: {near}}}\n"), &[], &[])?;
        let told: Vec<_> = settings.fixed().filter(|(key, told)| key.contains("near") && !told.is_empty()).collect();
        Ok::<_, String>((
            settings.plan.coverage.near.map(|near| (near.measure.threshold().share(), near.scope)),
            told.len(),
        ))
    };
    let folder = plan::NearScope::Folder;
    assert_eq!(near("{threshold: 0.9}").unwrap(), (None, 0), "off, and nothing is recorded");
    assert_eq!(near("{method: minhash}").unwrap(), (Some((0.8, folder)), 3));
    assert_eq!(
        near("{method: minhash, threshold: 0.65, scope: run}").unwrap(),
        (Some((0.65, plan::NearScope::Run)), 3)
    );
    for (wrong, expected) in [
        ("{method: minhash, threshold: 0.4}", "coverage.near_duplicates.threshold"),
        ("{method: simhash}", "`off`, `minhash`, `embedding`"),
        ("minhash", "coverage.near_duplicates"),
    ] {
        let error = near(wrong).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
