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

const JURY: &str = "
run: {seed: 1}
llm:
  agents:
    user: {provider: builtin}
    assistant: {provider: builtin}
    judge:
      - {provider: builtin}
      - {model: a, base_url: 'http://h/v1', temperature: 0.5}
      - {provider: groq, model: b, api_key_env: MINE, max_tokens: 90}
judge: {mode: online}
";

#[test]
fn judges_may_be_several() {
    let env = [("MINE", "k"), ("LLM_JUDGE_TIMEOUT", "7")];
    let settings = load(JURY, &env, &["llm.agents.judge.max_retries=5"]).unwrap();
    let judges = settings.agents.all(Agent::Judge);
    let names: Vec<_> = judges.iter().map(|judge| judge.name().to_string()).collect();
    assert_eq!(names, ["builtin", "a", "groq/b"]);
    assert_eq!(judges.iter().map(|judge| judge.temperature).collect::<Vec<_>>(), [None, Some(0.5), None]);
    assert!(judges.iter().all(|judge| judge.is_of_jury && judge.max_retries == 5), "a flag is for each of them");
    let keys = judges.iter().flat_map(|judge| &judge.endpoints).map(|endpoint| endpoint.api_key.as_ref());
    assert_eq!(
        keys.map(|key| key.map(|key| key.reveal().to_owned())).collect::<Vec<_>>(),
        [None, Some("k".to_owned())]
    );
    assert!(judges[1..].iter().all(|judge| judge.endpoints[0].timeout.as_secs() == 7), "so is a variable");
    let fixed: std::collections::BTreeMap<_, _> = settings.fixed().collect();
    assert_eq!(fixed["llm.agents.judge.model"], " | a | b");
    assert_eq!((fixed["judge.jury"].as_str(), settings.judge.jury), ("median", crate::domain::Jury::Median));
    // A list of one is a judge alone.
    let one = load(
        &JURY
            .replace("      - {model: a, base_url: 'http://h/v1', temperature: 0.5}\n", "")
            .replace("      - {provider: groq, model: b, api_key_env: MINE, max_tokens: 90}\n", ""),
        &[],
        &[],
    )
    .unwrap();
    assert!(!one.agents.all(Agent::Judge)[0].is_of_jury);
    assert_eq!(one.fixed().find(|(key, _)| *key == "judge.jury"), Some(("judge.jury", String::new())));
    assert!(one.agents.all(Agent::User).len() == 1 && settings.agents.all(Agent::User).len() == 1);
}

#[test]
fn what_is_wrong_with_a_jury_is_named_where_it_stands() {
    let env = [("MINE", "k")];
    for (from, to, expected) in [
        (
            "model: a,",
            "modell: a,",
            "unknown key `llm.agents.judge.modell`; did you mean `llm.agents.judge.model`? (c.yaml:9:10)",
        ),
        (
            "{provider: builtin}\n      - {model",
            "5\n      - {model",
            "`llm.agents.judge`: found the number 5 in the list, wanted a mapping (c.yaml:8:9)",
        ),
        ("api_key_env: MINE", "api_key: k", "Forbidden credential key(s) in YAML: `llm.agents.judge.api_key`."),
        (
            "api_key_env: MINE",
            "api_key_env: ''",
            "`llm.agents.judge`: `api_key_env` must hold the name of the variable that holds the key",
        ),
        (
            "api_key_env: MINE",
            "api_key_env: OTHER",
            "Missing or empty provider API key environment variable `OTHER` (configured by `LLM_JUDGE_API_KEY_ENV`) for agent `judge`.",
        ),
        ("provider: groq", "provider: grok", "`llm.agents.judge.provider`: there is no provider `grok`"),
        ("model: a, ", "", "Missing LLM model for required agent(s): qa_judge."),
        (
            "temperature: 0.5",
            "temperature: warm",
            "`llm.agents.judge.temperature`: found text `warm`, wanted a number (c.yaml:9:58)",
        ),
    ] {
        assert!(JURY.contains(from), "{from}");
        let error = load(&JURY.replace(from, to), &env, &[]).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let (before, _) = JURY.split_once("    judge:").unwrap();
    let of = |list: &str| load(&format!("{before}    judge: {list}\njudge: {{mode: online}}\n"), &[], &[]);
    assert!(
        of("[]").unwrap_err().contains("`llm.agents.judge` is a list of 0 judges; name 1 to 9 of them (c.yaml:7:12)")
    );
    assert!(of(&format!("[{}]", ["{provider: builtin}"; 10].join(", "))).unwrap_err().contains("a list of 10 judges"));
    assert!(
        load(JURY, &env, &["judge.jury=mode"])
            .unwrap_err()
            .contains("`judge.jury` must be one of `mean`, `median`, `majority`")
    );
}
