//! What there is to know about every key, for a reference or a schema: from the table and from `config/default.yaml`.

use super::keys::{self, Choice, Data, Key, Kind, Limit};
use super::layers::DEFAULT_YAML;
use crate::domain::yaml::{Located, tree};
use serde_json::Value;

/// A key of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its dotted path, such as `run.seed`.
    pub path: &'static str,
    /// What it holds, such as `an integer`.
    pub holds: &'static str,
    /// Whether null leaves it open; elsewhere null stands for the default.
    pub nullable: bool,
    /// Its value where nothing is given.
    pub default: Value,
    /// The least number it takes, and whether only greater ones are taken.
    pub least: Option<(f64, bool)>,
    /// The greatest number it takes.
    pub most: Option<f64>,
    /// The words it takes, each with other spellings of it; empty where it takes any text.
    pub words: Vec<(&'static str, &'static [&'static str])>,
    /// What it is for, in a sentence.
    pub doc: String,
    /// The environment variables that override it; the first that is set wins.
    pub env: &'static [&'static str],
    /// Former names of those variables.
    pub old_env: &'static [&'static str],
    /// Its paths in earlier releases, dotted likewise.
    pub old: &'static [&'static str],
    /// The name under which a run's manifest has what follows from it, so that the run can't go on with another value;
    /// none where no data do.
    pub manifest: Option<&'static str>,
}

/// Every key, by area.
///
/// ```
/// let keys = dlgforge::settings::reference();
/// let seed = keys.iter().find(|key| key.path == "run.seed").expect("a key");
/// assert_eq!((seed.holds, seed.nullable, seed.env), ("an integer", true, &["RUN_SEED"][..]));
/// assert_eq!(seed.manifest, Some("run.seed"));
/// ```
pub fn reference() -> Vec<Described> {
    let root = tree(DEFAULT_YAML).ok();
    keys::all().filter_map(|key| described(key, root.as_ref()?)).collect()
}

/// A key with its default and its comment; none where `config/default.yaml` lacks it.
fn described(key: &Key, root: &Located) -> Option<Described> {
    let mut line = 0;
    let node = key.path.split('.').try_fold(root, |node, part| {
        let (name, node) = node.entries().iter().find(|(name, _)| name.text == part)?;
        line = name.line;
        Some(node)
    })?;
    let finite = |number: f64| number.is_finite().then_some(number);
    let Limit { least, exclusive, most } = match key.kind {
        Kind::Integer(limit) | Kind::Number(limit) => limit,
        _ => Limit::from(f64::NEG_INFINITY),
    };
    let words = match key.kind {
        Kind::Choice(choices) => choices.iter().map(|Choice { word, aliases }| (*word, *aliases)).collect(),
        _ => Vec::new(),
    };
    Some(Described {
        path: key.path,
        holds: key.kind.wanted(),
        nullable: key.nullable,
        default: node.to_json(),
        least: finite(least).map(|least| (least, exclusive)),
        most: finite(most),
        words,
        doc: doc(line, key.env),
        env: key.env,
        old_env: key.old_env,
        old: key.old.1,
        manifest: match key.data {
            Data::Free => None,
            Data::Fixed(_) | Data::OfAgent(..) => Some(key.path),
            Data::Through(name) => Some(name),
        },
    })
}

/// The comment of a line, from 1, without the variables in brackets at its end.
pub(super) fn doc(line: u64, env: &[&str]) -> String {
    let line = DEFAULT_YAML.lines().nth(line as usize - 1).unwrap_or_default();
    let comment = line.split_once(" # ").map_or("", |(_, comment)| comment);
    let variables = format!(" [{}]", env.join(", "));
    comment.strip_suffix(&variables).unwrap_or(comment).to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(path: &str) -> Described {
        reference().into_iter().find(|key| key.path == path).unwrap()
    }

    #[test]
    fn a_key_is_described_by_its_declaration_and_its_comment() {
        let retries = of("coverage.question_dedup_retries");
        let expected = Described {
            path: "coverage.question_dedup_retries",
            holds: "an integer",
            nullable: false,
            default: json!(3),
            least: Some((0.0, false)),
            most: Some(10_000.0),
            words: vec![],
            doc: "further attempts after a question was asked before".to_owned(),
            env: &["QUESTION_DEDUP_RETRIES"],
            old_env: &[],
            old: &[],
            manifest: Some("coverage.question_dedup_retries"),
        };
        assert_eq!(retries, expected);
        let question = of("run.data.seeding.question");
        assert_eq!(question.doc, "a question that every conversation starts from");
        assert_eq!(question.old, ["run.seed_question", "run.question_seed"]);
        assert_eq!(of("run.turns.distribution").words[1], ("poisson", &["pois"][..]));
        assert_eq!(of("judge.reasons").doc, "labels the judge chooses from");
        assert_eq!((of("llm.max_outage").least, of("llm.max_outage").manifest), (Some((0.0, true)), None));
        assert_eq!(of("run.turns.exact").manifest, Some("run.turns.min"));
    }

    #[test]
    fn every_key_has_a_comment_of_its_own_and_null_only_where_it_means_something() {
        let all = reference();
        assert_eq!(all.len(), keys::all().count());
        for key in all {
            assert!(!key.doc.is_empty() && !key.doc.ends_with(']'), "{}: {}", key.path, key.doc);
            assert_eq!(key.nullable, key.default.is_null(), "{}", key.path);
        }
    }

    fn of_itself(name: &str) -> bool {
        keys::find(name).is_some_and(|key| matches!(key.data, Data::Fixed(_) | Data::OfAgent(..)))
    }

    #[test]
    fn what_the_manifest_does_not_name_is_told_through_what_it_does() {
        use crate::settings::sources;
        let sources = [
            sources::PERSONAS,
            sources::PROMPTS,
            sources::KNOWLEDGE,
            sources::ENDPOINT_MODELS,
            sources::EMBEDDINGS,
            sources::RERANKER,
            sources::WEB,
            sources::HELD_OUT,
        ];
        for key in reference() {
            let Some(name) = key.manifest else { continue };
            assert!(of_itself(name) || sources.contains(&name), "{}", key.path);
        }
    }
}
