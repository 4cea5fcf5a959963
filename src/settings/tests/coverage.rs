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
