//! A project to begin with: a configuration with comments, and the files that lie beside it.

use super::schema::schema;
use crate::providers::provider::{self, Provider};
use std::path::PathBuf;

/// The names of the configuration and of its schema, in the project's folder.
const CONFIG: &str = "config.yaml";
const SCHEMA: &str = ".dlgforge.schema.json";

/// Models that a provider's name alone stands for: good ones that are not dear.
const MODELS: [(&str, &str); 3] =
    [("openai", "gpt-5.4-mini"), ("anthropic", "claude-haiku-5-5"), ("gemini", "gemini-3.5-flash-lite")];

/// What a new project is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starter {
    /// Who asks, answers and judges.
    pub model: StarterModel,
    /// The languages of the conversations.
    pub languages: Vec<String>,
    /// Conversations of each language.
    pub samples: u32,
}

/// The model of all agents of a new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StarterModel {
    provider: &'static Provider,
    base_url: Option<String>,
    name: Option<String>,
}

/// Why it is not known who answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StarterError {
    /// It is the name of no provider, and no address.
    #[error("`{0}` is no provider and no address; choose `builtin`, the address of a server (http://…), or one of {1}")]
    Nobody(String, String),
    /// It has many models.
    #[error("`{0}` has many models; say which")]
    ManyModels(String),
}

impl StarterModel {
    /// Who answers: `builtin`, the name of a provider, or the address of a server that speaks OpenAI's protocol; and the model's name,
    /// which the built-in one and some providers can do without.
    ///
    /// # Errors
    /// When it is none of these, or a model must be named.
    pub fn of(who: &str, model: Option<&str>) -> Result<Self, StarterError> {
        let name = model.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        let many = || StarterError::ManyModels(who.to_owned());
        if who.starts_with("http://") || who.starts_with("https://") {
            let provider = Provider::named("openai").ok_or_else(many)?;
            return Ok(Self { provider, base_url: Some(who.to_owned()), name: Some(name.ok_or_else(many)?) });
        }
        // Where they are reached is the user's to say, but for the built-in one.
        let known =
            provider::ALL.iter().copied().filter(|provider| provider.base_url.is_some() || provider.name == "builtin");
        let Some(provider) = known.clone().find(|provider| provider.names().any(|name| name == who)) else {
            let names: Vec<_> = known.map(|provider| format!("`{}`", provider.name)).collect();
            return Err(StarterError::Nobody(who.to_owned(), names[1..].join(", ")));
        };
        let usual = MODELS.iter().find(|(name, _)| *name == provider.name).map(|(_, model)| (*model).to_owned());
        let name = name.or(usual).filter(|_| provider.name != "builtin");
        if name.is_none() && provider.name != "builtin" {
            return Err(many());
        }
        Ok(Self { provider, base_url: None, name })
    }

    /// The variable that holds the key; none where no key is wanted.
    pub fn key_variable(&self) -> Option<String> {
        let wants_key = self.base_url.is_none() && self.provider.wants_key;
        wants_key.then(|| format!("{}_API_KEY", self.provider.name.to_uppercase()))
    }

    /// The keys of an agent, with its role as a comment.
    fn agent(&self, agent: &str, role: &str) -> String {
        let mut keys = format!("    {agent}: # {role}\n      provider: {}\n", self.provider.name);
        for (key, value) in [("base_url", &self.base_url), ("model", &self.name)] {
            if let Some(value) = value {
                keys += &format!("      {key}: {value:?}\n");
            }
        }
        keys
    }
}

impl Starter {
    /// The files of the project, with their contents.
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let files = [
            (CONFIG, self.config()),
            (SCHEMA, format!("{:#}\n", schema())),
            (".env.example", self.env()),
            (".gitignore", "/outputs/\n/logs/\n/knowledge_index/\n.env\n".to_owned()),
            ("knowledge/NOTE.md", NOTE.to_owned()),
            ("knowledge/.ignore", "/NOTE.md\n".to_owned()),
        ];
        files.into_iter().map(|(name, content)| (PathBuf::from(name), content)).collect()
    }

    fn config(&self) -> String {
        let Self { model, languages, samples } = self;
        let agents: String = [
            ("user", "asks, as a person whom the documents could help"),
            ("assistant", "answers from the passages that are found"),
            ("judge", "scores; better a model of another family than the assistant's"),
        ]
        .into_iter()
        .map(|(agent, role)| model.agent(agent, role))
        .collect();
        format!(
            "# yaml-language-server: $schema={SCHEMA}\n\
             # Put documents into knowledge/, then: dlgforge check (is all in order?), dlgforge preview (three conversations, to look at),\n\
             # dlgforge run (all of them). What is not set here has its default; editors that know the schema tell of every key.\n\
             \n\
             run:\n  \
               seed: 1 # everything random follows from it\n  \
               total_samples: {samples} # conversations to accept in each language\n  \
               target_languages: [{languages}]\n  \
               batch_size: 8 # conversations that advance at the same time\n  \
               turns: {{mode: range, min: 2, max: 4}} # questions of a conversation\n  \
               # budget: {{usd: 5}} # a run never costs more; needs max_tokens of every agent\n\
             \n\
             llm:\n  agents:\n{agents}\n\
             coverage:\n  \
               near_duplicates: {{method: minhash}} # no question twice, not even with a few other words\n  \
               # Shares of turns that are no plain questions.\n  \
               modes: {{unanswerable: 0.06, underspecified: 0.08, nonstandalone: 0.12, correction: 0.08}}\n  \
               registers: {{terse: 0.15, chatty: 0.15, typos: 0.1, formal: 0.1}} # how people write, as shares of the conversations\n\
             \n\
             judge:\n  \
               mode: online # scored while they are made; or: offline, by dlgforge judge\n  \
               # accept: {{min_score: 6, on_fail: drop}} # what scores less is made anew\n\
             \n\
             saving:\n  \
               output_dir: outputs\n",
            languages = languages.iter().map(|language| format!("{language:?}")).collect::<Vec<_>>().join(", "),
        )
    }

    fn env(&self) -> String {
        let told = "# Copy this file to .env, which belongs into no repository, and fill it in. It holds secrets alone, and which agent uses \
                    which.\n";
        match self.model.key_variable() {
            None => format!("{told}# The agents of config.yaml need none.\n"),
            Some(name) => format!(
                "{told}{name}=\nLLM_USER_API_KEY_ENV={name}\nLLM_ASSISTANT_API_KEY_ENV={name}\nLLM_JUDGE_API_KEY_ENV={name}\n"
            ),
        }
    }
}

const NOTE: &str = "Put documents here, in folders as you like: Markdown, text, PDF, HTML, DOCX, and rows of JSON Lines or Parquet.\n\
                    What .gitignore and .ignore name is left out; so is this note. `dlgforge check` tells what is read.\n";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::llm::prices::Prices;

    #[test]
    fn models_are_told_by_provider_or_address() {
        let agent = |who, model| Ok::<_, StarterError>(StarterModel::of(who, model)?.agent("user", "asks"));
        for (who, model, expected) in [
            ("builtin", None, "provider: builtin\n"),
            ("openai", None, "provider: openai\n      model: \"gpt-5.4-mini\"\n"),
            ("google", Some("g"), "provider: gemini\n      model: \"g\"\n"),
            ("http://h:1/v1", Some("m"), "provider: openai\n      base_url: \"http://h:1/v1\"\n      model: \"m\"\n"),
        ] {
            assert_eq!(agent(who, model).unwrap(), format!("    user: # asks\n      {expected}"));
        }
        assert_eq!(agent("http://h:1/v1", None), Err(StarterError::ManyModels("http://h:1/v1".to_owned())));
        assert!(agent("gemeni", None).unwrap_err().to_string().ends_with("`xai`, `ollama`"));
    }

    #[test]
    fn models_that_a_provider_stands_for_are_in_service() {
        let prices = Prices::load(None).unwrap();
        for (provider, model) in MODELS {
            let price = prices.of([provider].into_iter(), model);
            assert!(price.is_some_and(|price| price.shutdown.is_none()), "{model}");
        }
    }

    #[test]
    fn only_hosted_models_have_keys() {
        let variable = |who, model| StarterModel::of(who, model).unwrap().key_variable();
        assert_eq!(variable("mistral", Some("m")).as_deref(), Some("MISTRAL_API_KEY"));
        assert_eq!((variable("ollama", Some("m")), variable("http://h/v1", Some("m"))), (None, None));
    }
}
