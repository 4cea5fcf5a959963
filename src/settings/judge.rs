//! How the judge is judged itself: by spoiled answers, and by whose model it is.

use super::choices::OnLowAuc;
use super::error::Diagnostics;
use super::table::checks as keys;
use super::values::Values;
use crate::domain::{Agent, Agents};
use crate::providers::AgentOptions;
use crate::stages::{JudgeOptions, LeastAuc};

/// Words by which the names of models of one family are known.
const FAMILIES: [&[&str]; 14] = [
    &["gpt", "o1", "o3", "o4", "chatgpt"],
    &["claude"],
    &["gemini", "gemma"],
    &["llama"],
    &["qwen", "qwq"],
    &["mistral", "mixtral", "ministral", "magistral", "codestral"],
    &["deepseek"],
    &["phi"],
    &["command", "aya"],
    &["grok"],
    &["glm"],
    &["kimi"],
    &["granite"],
    &["nemotron"],
];

/// How many conversations the judge is looked at by, where a gate depends on it: turns that it rejects are dropped.
pub(super) fn calibrated(judge: &mut JudgeOptions, values: &Values) {
    if judge.is_gate() {
        judge.calibrate = values.get(keys::CALIBRATE);
    }
    judge.least = LeastAuc { min: values.get(keys::MIN_AUC), refuse: values.get(keys::ON_LOW_AUC) == OnLowAuc::Refuse };
}

/// Says that the judge is of the same family as the assistant: models favour their own.
pub(super) fn warn_of_kinship(agents: &Agents<AgentOptions>, report: &mut Diagnostics) {
    let Some(assistant) = agents.get(Agent::Assistant).and_then(|options| family(&options.model)) else { return };
    if agents.all(Agent::Judge).iter().any(|judge| family(&judge.model) == Some(assistant)) {
        report.warn(format!(
            "`llm.agents.judge.model` and `llm.agents.assistant.model` are both of the family `{assistant}`: judges favour the \
             answers of their own family. Choose a judge of another one."
        ));
    }
}

/// The family of a model, by the first of the words in its name that is known.
fn family(model: &str) -> Option<&'static str> {
    let name = model.to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric());
    let is_of = |word: &str, known: &str| {
        word.strip_prefix(known).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic()))
    };
    let of =
        |word: &str| FAMILIES.iter().find(|names| names.iter().any(|known| is_of(word, known))).map(|names| names[0]);
    words.into_iter().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_known_by_the_names_of_models() {
        for (model, expected) in [
            ("gpt-5.2-mini", Some("gpt")),
            ("openai/o3", Some("gpt")),
            ("Qwen/Qwen3-32B-Instruct", Some("qwen")),
            ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", Some("deepseek")),
            ("meta-llama/Llama-3.1-8B", Some("llama")),
            ("gemini/gemini-3-flash", Some("gemini")),
            ("google/gemma-3-4b-it", Some("gemini")),
            ("my-model", None),
            ("philosopher", None),
            ("", None),
        ] {
            assert_eq!(family(model), expected, "{model}");
        }
    }
}
