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
    for count in ["0", "17"] {
        let error = candidates(count).unwrap_err();
        assert!(error.contains("`coverage.candidates` must be >= 1 and <= 16."), "{error}");
    }
}
