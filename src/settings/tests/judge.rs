//! What the judge does, and what becomes of its verdicts.

use super::*;

#[test]
fn what_the_judge_may_not_name_must_be_a_label() {
    let error = load(BUILTIN, &[], &["judge.reasons=[vague, other]", "judge.accept.reject_reasons=[vage]"]);
    let expected = "`judge.accept.reject_reasons`: `vage` is not one of `judge.reasons`: vague, other.";
    assert!(error.unwrap_err().starts_with(expected));
    let settings = load(BUILTIN, &[], &["judge.accept.reject_reasons=[' vague ', '']"]).unwrap();
    assert_eq!(settings.judge.accept.reject_reasons, ["vague"]);
}

#[test]
fn only_a_turn_is_answered_again() {
    let judged = BUILTIN.replace("}}}", "}, judge: {provider: builtin}}}") + "judge: {mode: online}\n";
    let of = |set: &[&str]| load(&judged, &[], set);
    let error = of(&["judge.accept.on_fail=repair", "judge.granularity=conversation"]).unwrap_err();
    assert!(
        error.contains("`judge.accept.on_fail: repair` answers a turn again, and so needs `judge.granularity: turn`")
    );
    let error = of(&["judge.accept.on_fail=regenerate", "judge.granularity=conversation"]).unwrap_err();
    assert!(error.contains("`judge.accept.on_fail: regenerate` makes a turn again, and so needs"), "{error}");
    assert!(of(&["judge.accept.repairs=0"]).is_err() && of(&["judge.accept.regenerations=11"]).is_err());
    for (set, regenerations) in [
        (&["judge.accept.on_fail=regenerate"][..], 1),
        (&["judge.accept.on_fail=regenerate", "judge.accept.regenerations=3"], 3),
        (&["judge.accept.regenerations=3"], 0),
    ] {
        let accept = of(set).unwrap().judge.accept;
        assert_eq!((accept.drop, accept.regenerations), (regenerations > 0, regenerations), "{set:?}");
    }
    for (set, drop, repairs) in [
        (&["judge.accept.on_fail=drop"][..], true, 0),
        (&["judge.accept.on_fail=repair"], true, 1),
        (&["judge.accept.on_fail=repair", "judge.accept.repairs=3"], true, 3),
        (&["judge.accept.repairs=3"], false, 0),
    ] {
        let settings = of(set).unwrap();
        assert_eq!((settings.judge.accept.drop, settings.judge.accept.repairs), (drop, repairs), "{set:?}");
        assert_eq!(settings.output.files.has(crate::output::Files::PREFERENCES), repairs > 0, "{set:?}");
    }
}

#[test]
fn the_judge_counts_only_when_it_is_online() {
    for (judge, is_there) in [
        ("{}", false),
        ("{mode: offline}", false),
        ("{mode: online, enabled: false}", false),
        ("{mode: online, granularity: conv, reasons: [a, b]}", true),
    ] {
        let text = format!("{}judge: {judge}\n", BUILTIN.replace("}}}", "}, judge: {provider: builtin}}}"));
        let Settings { agents, judge, .. } = load(&text, &[], &[]).unwrap();
        assert_eq!(agents.get(Agent::Judge).is_some(), is_there, "{text}");
        if let Some(agent) = agents.get(Agent::Judge) {
            assert_eq!((agent.agent, agent.model.as_str()), (Agent::Judge, ""));
            assert_eq!(judge.granularity, Granularity::Conversation);
            assert_eq!(judge.reasons, ["a", "b"]);
        }
    }
    let error = with_builtin("judge: {mode: online}").unwrap_err();
    assert!(
        error.contains("Missing LLM model for required agent(s): qa_judge. Set `llm.agents.judge.model`, or"),
        "{error}"
    );
}

#[test]
fn what_is_there_is_judged_by_the_judge_alone_whatever_the_mode_is() {
    let project = Project::new();
    let judging = |agents: &str, judge: &str| {
        let config = project.write("config/c.yaml", &format!("llm: {{agents: {{{agents}}}}}\njudge: {judge}\n"));
        let settings = Settings::load(&Flags { config, judging: true, ..Flags::default() }, &BTreeMap::new());
        settings.map_err(|error| error.to_string())
    };
    // The models that ask and answer have no names, and need none.
    for judge in ["{}", "{mode: offline}", "{mode: online}"] {
        let settings = judging("judge: {provider: builtin}", judge).unwrap();
        let agents: Vec<_> = settings.agents.iter().map(|(agent, _)| agent).collect();
        assert_eq!((agents, settings.warnings), (vec![Agent::Judge], vec![]), "{judge}");
    }
    let error = judging("judge: {provider: builtin}", "{enabled: false}").unwrap_err();
    assert!(
        error.contains("`judge.enabled` is `false`, and `dlgforge judge` asks the judge: set it to `true`"),
        "{error}"
    );
    let error = judging("user: {provider: builtin}", "{}").unwrap_err();
    assert!(error.contains("Missing LLM model for required agent(s): qa_judge"), "{error}");
}
