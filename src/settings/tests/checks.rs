//! Which labels are gates, and how the judge is looked at.

use super::*;
use crate::domain::findings::Label;
use crate::output::Files;

#[test]
fn what_is_rejected_must_be_a_label() {
    let error = load(BUILTIN, &[], &["checks.reject=[pii, pi]"]).unwrap_err();
    let expected = "`checks.reject`: `pi` is not one of the labels: other_language, too_long, refusal, leak, pii,";
    assert!(error.starts_with(expected), "{error}");
    assert!(load(BUILTIN, &[], &["checks.min_overlap=1.5"]).is_err());
    assert!(load(BUILTIN, &[], &["checks.repairs=0"]).is_err());
    assert!(load(BUILTIN, &[], &["checks.on_fail=regret"]).is_err());
}

#[test]
fn labels_are_gates_as_they_are_told() {
    for (set, drop, repairs, told) in [
        (&["checks.on_fail=drop"][..], false, 0, ""),
        (&["checks.reject=[leak, pii, leak]"], false, 0, "keep"),
        (&["checks.reject=[' pii ', leak]", "checks.on_fail=drop"], true, 0, "drop"),
        (&["checks.reject=[pii, leak]", "checks.on_fail=repair", "checks.repairs=2"], true, 2, "repair"),
    ] {
        let settings = load(BUILTIN, &[], set).unwrap();
        assert_eq!((settings.checks.drop, settings.checks.repairs), (drop, repairs), "{set:?}");
        assert_eq!(settings.output.files.has(Files::PREFERENCES), repairs > 0, "{set:?}");
        let fixed: BTreeMap<_, _> = settings.fixed().collect();
        assert_eq!(fixed["checks.on_fail"], told, "{set:?}");
        if !told.is_empty() {
            assert_eq!(settings.checks.reject, [Label::Leak, Label::Pii]);
            assert_eq!(fixed["checks.reject"], "leak, pii");
        }
    }
    let settings = load(BUILTIN, &[], &["checks.reject=[too_long, low_overlap]"]).unwrap();
    let unset =
        |label: &str| settings.warnings.iter().any(|warning| warning.contains(&format!("no turn has `{label}`")));
    assert!(unset("too_long") && unset("low_overlap"), "{:?}", settings.warnings);
}

#[test]
fn the_judge_is_looked_at_where_a_gate_depends_on_it() {
    let judged = BUILTIN.replace("}}}", "}, judge: {provider: builtin}}}") + "judge: {mode: online}\n";
    for (set, calibrate, told) in [
        (&[][..], 0, ""),
        (&["judge.accept.min_score=5"], 0, ""),
        (&["judge.accept.min_score=5", "judge.accept.on_fail=drop"], 8, ""),
        (&["judge.accept.reject_reasons=[vague]", "judge.accept.on_fail=repair", "judge.calibrate=3"], 3, "3"),
        (&["judge.accept.require=[answer_ok]", "judge.accept.on_fail=drop", "judge.calibrate=0"], 0, "0"),
        (&["judge.accept.min_score=5", "judge.accept.on_fail=drop", "judge.granularity=conversation"], 0, ""),
        (&["judge.accept.min_score=5", "judge.accept.on_fail=drop", "judge.mode=offline"], 0, ""),
    ] {
        let settings = load(&judged, &[], set).unwrap();
        let fixed: BTreeMap<_, _> = settings.fixed().collect();
        assert_eq!((settings.judge.calibrate, fixed["judge.calibrate"].as_str()), (calibrate, told), "{set:?}");
    }
    let least = load(&judged, &[], &["judge.min_auc=0.8", "judge.on_low_auc=refuse"]).unwrap().judge.least;
    assert_eq!((least.min, least.refuse), (0.8, true));
}

#[test]
fn a_judge_of_the_same_family_is_warned_of() {
    let agent = |model: &str| format!("{{provider: openai, model: {model}, base_url: 'http://127.0.0.1:1/v1'}}");
    let warnings = |assistant: &str, judge: &str, mode: &str| {
        let text = format!(
            "llm: {{agents: {{user: {0}, assistant: {0}, judge: {1}}}}}\njudge: {{mode: {mode}}}\n",
            agent(assistant),
            agent(judge)
        );
        load(&text, &[], &[]).unwrap().warnings.join(" ")
    };
    assert!(warnings("Qwen3-8B", "qwen3-32b", "online").contains("both of the family `qwen`"));
    assert!(!warnings("Qwen3-8B", "gpt-5.2", "online").contains("family"));
    assert!(!warnings("Qwen3-8B", "qwen3-32b", "offline").contains("family"), "nobody judges");
    assert!(!warnings("mine", "mine", "online").contains("family"), "of which nothing is known");
}
