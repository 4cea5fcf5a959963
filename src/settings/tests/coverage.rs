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
