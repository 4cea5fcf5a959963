//! What the configuration means: defaults < file < environment < flags.
//!
//! One table, in `table.rs`, declares every key once; it drives the check of types and values, the search for unknown
//! keys, the environment's overrides and the flags, the values that the program asks for, and the manifest that a run
//! goes on with. `config/default.yaml` holds the defaults and explains them. To add a key, add a line to both: it does
//! not compile before something asks for it, and a test fails before it has a default and a comment.
//! Everything wrong is reported together, each with its place; what is known but not built yet is refused.

mod agents;
mod asking;
mod check;
mod checks;
mod choices;
mod cluster;
mod credentials;
mod dotenv;
mod environment;
mod error;
mod expand;
mod folders;
mod forbidden;
mod held_out;
mod items;
mod judge;
mod jury;
mod keys;
mod layers;
mod legacy;
mod migration;
mod publishing;
mod reading;
mod reference;
mod renames;
mod resolve;
mod retrieval;
mod routing;
mod schema;
mod seeds;
mod servers;
mod shard;
mod starter;
mod storage;
mod table;
mod told;
mod tree;
mod types;
mod values;
mod web;

pub use crate::domain::Shard;
pub use crate::publish::{RepoType, Token};
pub use asking::question_modes;
pub use cluster::Launcher;
pub use error::{Problems, SettingsError};
pub use held_out::{HeldOutFile, HeldOutOptions};
pub use migration::{Migration, MovedKey, Verdict};
pub use publishing::{PublishSettings, PushFlags};
pub use reference::{Described, reference};
pub use schema::schema;
pub use seeds::SeedFiles;
pub use shard::{folder_of_rest, folder_of_shards};
pub use starter::{Starter, StarterError, StarterModel};

use crate::domain::{Agents, QuestionMode};
use crate::knowledge;
use crate::output;
use crate::output::logs::LogLevel;
use crate::plan;
use crate::providers;
use crate::publish;
use crate::servers::Serving;
use crate::stages;
use crate::store;
use crate::tools;
use crate::traffic;
use error::Diagnostics;
use folders::Folders;
use jury::Judges;
use layers::Layer;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use values::Values;
use xxhash_rust::xxh3::xxh3_128;

/// Paths of keys that are looked up in manifests.
pub mod paths {
    use super::table;
    use crate::domain::Agent;

    /// How many conversations a run is to accept in each language.
    pub const TOTAL_SAMPLES: &str = table::TOTAL_SAMPLES.path;
    /// The path of the run's seed.
    pub const SEED: &str = table::SEED.path;
    /// Where the outputs go.
    pub const OUTPUT_DIR: &str = table::OUTPUT_DIR.path;
    /// The column with the personas of a file of rows.
    pub const PERSONAS_COLUMN: &str = table::PERSONAS_COLUMN.path;
    /// The texts that no message may have too much in common with.
    pub const DECONTAMINATE: &str = table::DECONTAMINATE.path;
    /// The files that are written.
    pub const FILES: &str = table::FILES.path;
    /// The size of a wave.
    pub const BATCH_SIZE: &str = table::BATCH_SIZE.path;
    /// The languages, as a JSON list.
    pub const LANGUAGES: &str = table::TARGET_LANGUAGES.path;
    /// How questions are compared; manifests of earlier releases do not have it.
    pub const NORMALISATION: &str = table::NORMALISATION.path;
    /// Whether every file tells everything; manifests of the first format do not have it: theirs do.
    pub const RAW: &str = table::RAW.path;
    /// The provider and the model of the agents that write, the assistant first.
    pub const WRITERS: [(Agent, [&str; 2]); 2] = [
        (Agent::Assistant, [table::PROVIDER.of(Agent::Assistant).path, table::MODEL.of(Agent::Assistant).path]),
        (Agent::User, [table::PROVIDER.of(Agent::User).path, table::MODEL.of(Agent::User).path]),
    ];
}

/// How a manifest names what follows from more than the value of a key: with these words, or with names that have them.
pub mod sources {
    /// A digest of the personas.
    pub const PERSONAS: &str = "personas";
    /// A digest of the texts that are held out.
    pub const HELD_OUT: &str = "held-out texts";
    /// A digest of each prompt, by its name.
    pub const PROMPTS: &str = "prompts/";
    /// A digest of each document, by its path.
    pub const KNOWLEDGE: &str = "knowledge/";
    /// What makes the vectors that passages are found by.
    pub const EMBEDDINGS: &str = "embeddings";
    /// What ranks again the passages that were found.
    pub const RERANKER: &str = "reranker";
    /// The format of the files; manifests of the first one do not have it.
    pub const FORMAT: &str = "format of the files";
    /// How the web is searched; manifests of runs that do not search it do not have it.
    pub const WEB: &str = "search of the web";
    /// Which shard of a run it is; manifests of whole runs do not have it.
    pub const SHARD: &str = "--shard";
    /// How many shards it was merged from; manifests of runs that were not merged do not have it.
    pub const MERGED: &str = "merged shards";
    /// The models of the endpoints of an agent, after its name.
    pub const ENDPOINT_MODELS: &str = "models of its endpoints";
}

/// What stands between the values of the judges of a jury, in manifests.
pub const NEXT_JUDGE: &str = " | ";

/// A digest as manifests have it, of what is too long or not to be shown.
pub fn digest(bytes: &[u8]) -> String {
    format!("xxh3:{:032x}", xxh3_128(bytes))
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// The configuration file, as it was typed.
    pub config: PathBuf,
    /// `--set key.path=value`, in order; values are YAML.
    pub set: Vec<String>,
    /// `--resume`: the run to go on with, or the last one where none is named.
    pub resume: Option<Resume>,
    /// `--shard`: the part of the run to make.
    pub shard: Option<Shard>,
    /// `--root`: where relative paths start, instead of what follows from the file's place.
    pub root: Option<PathBuf>,
    /// `--no-check`: endpoints are not looked at before the first conversation.
    pub no_check: bool,
    /// Whether conversations that are there are to be judged, and none to be made: then the judge is asked alone, whatever
    /// `judge.mode` is.
    pub judging: bool,
}

/// A run to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// The last one of the output folder.
    Last,
    /// The one of this name.
    Run(String),
}

/// The settings of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The project's root, absolute: relative paths start here.
    pub root: PathBuf,
    /// The configuration file's folder relative to the root, such as `config` or `.`.
    pub config_dir: String,
    /// The configuration file relative to the root.
    pub config: String,
    /// The same as it was named.
    pub config_path: String,
    /// Conversations of a wave; never 0.
    pub batch_size: u32,
    /// Conversations advanced at the same time; never 0.
    pub concurrency: u32,
    /// Waves of `batch_size` conversations that may be under way; never 0.
    pub lookahead: u32,
    /// Conversations to accept per language; never 0.
    pub total_samples: u32,
    /// Languages, in order and without repetition; never empty.
    pub languages: Vec<Arc<str>>,
    /// The run's name; drawn when none.
    pub run_id: Option<String>,
    /// The run to go on with, instead of a new one.
    pub resume: Option<Resume>,
    /// The part of the run to make, if it is only one; then `total_samples`, the budget and the output folder are its own.
    pub shard: Option<Shard>,
    /// The run whose replies serve too.
    pub reuse_from: Option<String>,
    /// The processes that make the run together, if there are several.
    pub cluster: Option<ClusterSettings>,
    /// How the state of runs is kept.
    pub store: store::Options,
    /// What the plan follows from.
    pub plan: PlanSettings,
    /// `run.data.seeding.topics.path` as configured, for records.
    pub topics_path: String,
    /// The switch `run.data.seeding.topics.enabled`, as it was resolved.
    pub topics_enabled: bool,
    /// Where documents are and how they are cut.
    pub knowledge: knowledge::Options,
    /// Passages that a search returns, 1 or more.
    pub top_k: usize,
    /// How questions are made.
    pub asks: stages::AskOptions,
    /// How answers are made.
    pub answers: stages::AnswerOptions,
    /// How the assistant searches the web, if it does.
    pub web_search: Option<WebSettings>,
    /// The models of the agents that the run asks, with their endpoints: the user, the assistant, and the judge where it is
    /// enabled and online.
    pub agents: Agents<providers::AgentOptions>,
    /// Whose the model servers are.
    pub serving: Serving,
    /// How is judged, whether or not there is a judge.
    pub judge: stages::JudgeOptions,
    /// Which labels of turns are not accepted, whether or not there is a judge.
    pub checks: stages::CheckOptions,
    /// The texts that no message may have too much in common with.
    pub held_out: HeldOutOptions,
    /// How long all endpoints may be down before the run stops.
    pub max_outage: Duration,
    /// Whether endpoints are looked at before the first conversation.
    pub check: bool,
    /// What the run may cost.
    pub budget: traffic::Budget,
    /// A file of prices over the shipped ones.
    pub prices: Option<PathBuf>,
    /// Where prompts come from.
    pub prompts: stages::PromptOptions,
    /// What is written, and where.
    pub output: output::Options,
    /// How the output folder is exported and pushed.
    pub push: publish::PushOptions,
    /// Whether that is done after a run.
    pub pushes: bool,
    /// The folder of the logs: `logs` beside the output folder, or in the root where that is the output folder.
    pub logs: PathBuf,
    /// How much they tell.
    pub log_level: LogLevel,
    /// What works but should be looked at, such as old spellings.
    pub warnings: Vec<String>,
}

/// The processes that make a run together.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSettings {
    /// How many there are; never 0.
    pub processes: usize,
    /// Whether the configuration says how many: else an allocation may.
    pub is_sized: bool,
    /// Worker threads of each; never 0.
    pub workers: usize,
    /// Who starts the processes.
    pub launcher: Launcher,
    /// Where the first one listens for the others, `host:port`; none where the launcher is to find that out.
    pub hub: Option<String>,
    /// The port of the first process, where the launcher finds out its host alone.
    pub port: u16,
    /// The word that all of them share; empty where none is set.
    pub secret: providers::Secret,
    /// How long the others may take to come.
    pub patience: Duration,
    /// How often they are started again when one is lost.
    pub restarts: u32,
    /// Where Ray is, and what its jobs take.
    pub ray: RaySettings,
}

/// How Ray places processes.
#[derive(Debug, Clone, PartialEq)]
pub struct RaySettings {
    /// The address of its Jobs API, such as `http://10.0.0.1:8265`.
    pub address: String,
    /// Whether processes start on this machine where there is no Ray.
    pub or_local: bool,
    /// What the names of its jobs begin with.
    pub namespace: String,
    /// CPUs that Ray sets aside for a process.
    pub cpus: f64,
    /// GPUs that Ray sets aside for a process.
    pub gpus: f64,
}

/// How the assistant searches the web.
#[derive(Debug, Clone, PartialEq)]
pub struct WebSettings {
    /// Where, and with which key.
    pub serper: providers::SerperOptions,
    /// Pages that a search returns, 1 or more.
    pub results: usize,
    /// The domains that pages may come from.
    pub domains: Arc<tools::Domains>,
    /// Whether the engine is asked; else a search finds what the journal has of it, and otherwise nothing.
    pub is_asked: bool,
}

/// Settings of the plan; pools of topics and personas are still to be loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSettings {
    /// `run.seed`; drawn when none.
    pub seed: Option<u64>,
    /// How many turns conversations have.
    pub turns: plan::TurnOptions,
    /// `run.data.seeding.question`; may be empty.
    pub question: String,
    /// Variant of the topics; decided by the language when empty.
    pub topics_variant: String,
    /// How likely an opening question is seeded.
    pub topics_probability: f64,
    /// Where seed topics come from.
    pub topics: TopicSource,
    /// Where personas come from.
    pub personas: PersonaSource,
    /// Which documents to ask about.
    pub coverage: plan::CoverageOptions,
    /// Shares of question modes that are met over the run.
    pub modes: BTreeMap<QuestionMode, f64>,
    /// How people are to write.
    pub style: plan::Style,
}

/// Where seed topics come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicSource {
    /// There are no topics to begin from.
    Off,
    /// A file or folder that exists.
    File(PathBuf),
}

/// Where personas come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonaSource {
    /// There are no personas to play.
    Off,
    /// The personas that are embedded in the program.
    Shipped,
    /// One for each side: the file that is asked for does not exist.
    Fallback,
    /// A file that exists.
    File(PathBuf),
    /// A file of rows that exists, and the column with the persona.
    Rows(PathBuf, String),
}

impl Settings {
    /// The keys from which a run's data follow, each with its value in the words of a manifest: a run goes on only where
    /// all are as they were.
    pub fn fixed(&self) -> impl Iterator<Item = (&'static str, String)> {
        keys::all().filter_map(|key| Some((key.path, key.told(self)?)))
    }

    /// Reads the configuration; `env` is the environment, completed by the secrets of `<root>/.env`.
    ///
    /// # Errors
    /// When the file can't be read, or with every problem found in it, in the environment and in the flags.
    pub fn load(flags: &Flags, env: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let Layered { folders, env, values, mut report } = layered(flags, env)?;
        let mut settings = resolve::settings(&values, &folders, &env, flags, &mut report);
        if let Some(shard) = flags.shard {
            shard::apply(shard, &mut settings, &values, &mut report);
        }
        settings.check = !flags.no_check;
        let file = flags.config.file_name().unwrap_or_default().to_string_lossy().into_owned();
        settings.config = if settings.config_dir == "." { file } else { format!("{}/{file}", settings.config_dir) };
        settings.config_path = flags.config.display().to_string();
        settings.warnings = report.finish()?;
        Ok(settings)
    }
}

/// What the knowledge base is read and searched by, without a run: no model that writes is needed for it.
#[derive(Debug, Clone)]
pub struct KnowledgeSettings {
    /// The options of the knowledge base.
    pub knowledge: knowledge::Options,
    /// `tools.retrieval.top_k`: passages per search.
    pub top_k: usize,
    /// Where models come from.
    pub origin: knowledge::embeddings::Origin,
    /// What the user should know about the configuration, one line each.
    pub warnings: Vec<String>,
}

impl KnowledgeSettings {
    /// Reads what the configuration says of the knowledge base; `env` is the environment, completed by the secrets of
    /// `<root>/.env`.
    ///
    /// # Errors
    /// When the file can't be read, or with every problem found in this part.
    pub fn load(flags: &Flags, env: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let Layered { folders, env, values, mut report } = layered(flags, env)?;
        let knowledge = retrieval::options(&values, &folders, &env, &mut report);
        let variable = |names: &[&str]| {
            let found = names
                .iter()
                .find_map(|name| env.get(*name).map(|value| value.trim()).filter(|value| !value.is_empty()));
            found.map(str::to_owned)
        };
        let hub = variable(&["HF_ENDPOINT"]).unwrap_or_else(|| "https://huggingface.co".to_owned());
        let token = variable(&["HF_TOKEN", "HUGGINGFACE_HUB_TOKEN"]).unwrap_or_default();
        Ok(Self {
            knowledge,
            top_k: values.get(table::TOP_K),
            origin: knowledge::embeddings::Origin::Net { hub, token },
            warnings: report.finish()?,
        })
    }
}

/// The values of all keys, and what they are understood by.
struct Layered {
    folders: Folders,
    env: BTreeMap<String, String>,
    values: Values,
    report: Diagnostics,
}

/// Defaults < file < environment < flags.
fn layered(flags: &Flags, env: &BTreeMap<String, String>) -> Result<Layered, SettingsError> {
    let folders = Folders::of(&flags.config, flags.root.as_deref())?;
    let (env, ignored) = dotenv::load(&folders.root, env)?;
    let text = std::fs::read_to_string(&flags.config)
        .map_err(|source| SettingsError::Unreadable { path: flags.config.clone(), source })?;
    let mut report = Diagnostics::default();
    report.hide(dotenv::secrets(&env));
    ignored.into_iter().for_each(|warning| report.warn(warning));
    let defaults = layers::defaults(&mut report);
    let name = flags.config.display().to_string();
    let (file, Judges { first_key_variable, further }) = layers::file(&name, &text, &defaults, &env, &mut report)?;
    let all = |file: Layer, report: &mut Diagnostics| {
        let mut values = defaults.clone();
        layers::overlay(&mut values, file, &defaults);
        let environment = environment::environment(&env, &values, report);
        layers::overlay(&mut values, environment, &defaults);
        for text in &flags.set {
            layers::overlay(&mut values, layers::flag(text, &defaults, report), &defaults);
        }
        values
    };
    // What is wrong beside their own keys has been told of already.
    let of_judge =
        |(judge, variable)| Values::of_judge(all(Judges::instead(&file, judge), &mut Diagnostics::default()), variable);
    let judges = further.into_iter().map(of_judge).collect();
    let values = all(file.clone(), &mut report);
    let values = Values::of_judge(values, first_key_variable).with_judges(judges);
    Ok(Layered { folders, env, values, report })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests;
