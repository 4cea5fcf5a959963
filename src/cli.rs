//! What the user typed.

mod check;
mod preview;
mod project;
mod publish;
mod reporting;
mod view;

pub use check::{CheckArgs, StatusArgs};
pub use preview::{PreviewArgs, ShowArgs};
pub use project::{CompletionsArgs, HelpArgs, InitArgs, ManArgs};
pub use publish::{ExportArgs, ImportArgs, PushArgs, SplitWay, StatsArgs};
pub use reporting::{Progress, ReportArgs};
pub use view::ViewArgs;

use crate::settings::{Flags, Resume, Shard};
use clap::{Args, Parser, Subcommand};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration file where none is named.
const CONFIG: &str = "config.yaml";

/// The version, and what it was built of: the commit, or that it is a build to try things out, and features.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("DLGFORGE_BUILD"), ")");

/// Turns a folder of documents into a dataset of grounded multi-turn conversations.
#[derive(Debug, Parser)]
#[command(name = "dlgforge", version = VERSION, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// The command that was typed.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, each of which ends with an exit code.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Begin a project: a configuration with comments, and a folder for documents.
    Init(InitArgs),
    /// Generate conversations from the documents of a folder.
    Run(RunArgs),
    /// Be one process of a run that several make together (`run.distributed`).
    Worker(WorkerArgs),
    /// Make one run of its shards, each of which `run --shard` has made apart: drops what two of them asked, makes what is missing then.
    Merge(MergeArgs),
    /// Judge the conversations of an output folder, whatever `judge.mode` is, and write the verdicts into its files.
    Judge(JudgeArgs),
    /// Make a few conversations and show them, in a folder of their own: to try prompts, models and settings out.
    Preview(PreviewArgs),
    /// Show a conversation that is there: what was said, what the answers rest on, and the verdicts.
    Show(ShowArgs),
    /// Tell why a conversation is as it is: every question, answer, verdict and roll-back, with the passages that were shown.
    Explain(ExplainArgs),
    /// Write the conversations of an output folder in the formats that people train on, or its tables as Parquet, Arrow or JSON Lines.
    Export(ExportArgs),
    /// Take over what the Python original has made: its questions, which are not asked again, and its conversations.
    Import(ImportArgs),
    /// Tell what a dataset is like: turns, scores, lengths, languages, modes, diversity, what was rejected.
    Stats(StatsArgs),
    /// Look at all that a run needs, at once: settings, documents, endpoints, cost, room; nothing is written.
    Check(CheckArgs),
    /// Tell what a run will cost, from a pilot of a few of its conversations.
    Estimate(EstimateArgs),
    /// Read the documents, and build or update the index that runs find passages by.
    Index(IndexArgs),
    /// Show the passages that a search of the documents finds, with scores and sources.
    Search(SearchArgs),
    /// Get what embedding needs, a model and ONNX Runtime, into the cache folders.
    Fetch(FetchArgs),
    /// Export an output folder, and push the export to a repository of the Hub; what is there is not sent again.
    Push(PushArgs),
    /// Tell what runs an output folder has, how far they are, and how to go on with them.
    Status(StatusArgs),
    /// Show the conversations of output folders in a browser: browse, search, label, compare.
    View(ViewArgs),
    /// Write seed topics anew as the YAML file that runs are configured to read, whatever form they have.
    SeedsMigrate(SeedsMigrateArgs),
    /// Explain a command, or a topic: configuration, data, prompts, retrieval, progress, limits, resume, judging, outputs, publishing, scale, determinism, browser, agents.
    Help(HelpArgs),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Print what completes commands in a shell.
    Completions(CompletionsArgs),
    /// Print the manual page of the program, or of one of its commands.
    Man(ManArgs),
    /// Reads documents for another process of the program, which asks for them on standard input.
    #[command(hide = true)]
    ReadDocuments,
    /// Guards a model server for another process of the program, and ends it with that one.
    #[command(hide = true)]
    GuardServer(GuardArgs),
}

/// Arguments of `dlgforge guard-server`: the command line of the server comes after `--`.
#[derive(Debug, Args)]
pub struct GuardArgs {
    /// Lets the server go on when the process that started it is gone.
    #[arg(long)]
    pub stay: bool,
    /// Becomes the server, which ends with the process of this id.
    #[arg(long, value_name = "PID")]
    pub guarded_by: Option<u32>,
    /// The command line of the server.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// How documents are read, beside the configuration file.
#[derive(Debug, Args)]
pub struct Overrides {
    /// Overrides a key of the configuration, such as `tools.retrieval.top_k=8`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The project's root, which relative paths start from; by default the configuration file's folder, or its parent
    /// when that folder is called `config`.
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
}

/// Arguments of `dlgforge index`, in any order.
#[derive(Debug, Args)]
pub struct IndexArgs {
    /// The configuration file, or a folder with a config.yaml.
    #[arg(default_value = CONFIG)]
    pub config: PathBuf,
    /// How the documents are read.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// Arguments of `dlgforge search`.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub struct SearchArgs {
    /// The configuration file, or a folder with a config.yaml.
    #[arg(default_value = CONFIG)]
    pub config: PathBuf,
    /// What to look for.
    pub query: String,
    /// How the documents are read.
    #[command(flatten)]
    pub overrides: Overrides,
    /// How many passages to show; without it `tools.retrieval.top_k`.
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub k: Option<u16>,
}

/// Arguments of `dlgforge fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// What is to be got.
    pub what: Fetchable,
    /// The configuration file that says which model, or a folder with a config.yaml.
    #[arg(default_value = CONFIG)]
    pub config: PathBuf,
    /// What is said otherwise.
    #[command(flatten)]
    pub overrides: Overrides,
    /// A folder to take it from, without a network: with the library or the package `onnxruntime-*.whl`, and with the
    /// model's files (model.onnx and the tokenizer's) in it or in a folder of the model's name.
    #[arg(long, value_name = "FOLDER")]
    pub from: Option<PathBuf>,
}

/// What can be got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fetchable {
    /// The embedding model of the settings, and ONNX Runtime, which runs it.
    Embeddings,
}

/// Arguments of `dlgforge seeds-migrate`, in any order.
#[derive(Debug, Args)]
pub struct SeedsMigrateArgs {
    /// The configuration file, or a folder with a config.yaml.
    #[arg(default_value = CONFIG)]
    pub config: PathBuf,
    /// What is said otherwise.
    #[command(flatten)]
    pub overrides: Overrides,
    /// The topics, JSON or YAML; by default `run.data.seeding.topics.path` where that is a JSON file, else seed_topics.json in
    /// the root, else that path.
    #[arg(long, value_name = "FILE")]
    pub source_file: Option<PathBuf>,
    /// The file that is written; by default `run.data.seeding.topics.path` where that is a YAML file, else
    /// data/seeds/topics.yaml in the root.
    #[arg(long, value_name = "FILE")]
    pub dest_file: Option<PathBuf>,
    /// Writes over a file that is there.
    #[arg(long)]
    pub overwrite: bool,
}

/// Arguments of `dlgforge estimate`, in any order.
#[derive(Debug, Args)]
pub struct EstimateArgs {
    /// Conversations to make in every language, 2 or more: the more, the narrower the range. They are paid for, and go
    /// when the estimate is made.
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(2..))]
    pub pilot: u32,
    /// The run to estimate, by its configuration file and root.
    #[command(flatten)]
    pub run: RunTarget,
}

/// Arguments of `dlgforge run`, in any order.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The run to make, by its configuration file and root.
    #[command(flatten)]
    pub run: RunTarget,
    /// Goes on with a run of the output folder, by default the last one, where it was left.
    #[arg(long, value_name = "RUN_ID", num_args = 0..=1, default_missing_value = "")]
    pub resume: Option<String>,
    /// Tells how many calls the run would make, and how many replies the journal has for it; asks and writes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Makes one part of so many, such as 0/8 to 7/8, in a folder of its own and apart from the others; `dlgforge merge` makes one
    /// run of all. `auto/8` takes the number from a Slurm array, an indexed Job or RANK, and `auto` both. The same command goes on
    /// where it was left.
    #[arg(long, value_name = "I/N", conflicts_with = "resume")]
    pub shard: Option<String>,
    /// Stops the run so early that it has ended after so long, such as `55m` or `1h 30m`; it can go on, and exits with 75.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub time_limit: Option<Duration>,
    /// How it tells how it comes along.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `dlgforge judge`, in any order.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// The configuration whose output folder is judged.
    #[command(flatten)]
    pub run: RunTarget,
    /// Judges only what has no verdict yet: turns, or whole conversations.
    #[arg(long)]
    pub only_unjudged: bool,
    /// Judges so many conversations, drawn by the seed and evenly over the languages; the others stay as they are.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub sample: Option<u32>,
    /// Has the judge score spoiled answers too, in the first turn of so many conversations of each language, the first ones that it
    /// judges, and tells how well it knows them from the answers as they are.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub calibrate: Option<u32>,
    /// Judges the conversations of this run alone, instead of those of all runs of the folder.
    #[arg(long = "run", value_name = "RUN_ID")]
    pub run_id: Option<String>,
    /// Stops so early that it has ended after so long; the same command goes on, and exits with 75.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub time_limit: Option<Duration>,
    /// How it tells how it comes along.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `dlgforge explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The id of the conversation, or its number in the run: `12`, or `fr/12` where there are several languages.
    pub conversation: String,
    /// The output folder that has it.
    #[arg(default_value = "outputs")]
    pub outputs: PathBuf,
    /// The run that a number is of, by default the last one.
    #[arg(long, value_name = "RUN_ID")]
    pub run: Option<String>,
    /// The folder of the logs, which tell of roll-backs; by default `logs` beside the output folder.
    #[arg(long, value_name = "FOLDER")]
    pub logs: Option<PathBuf>,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `dlgforge merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The folders of the shards; without any, those in `shards/` of the output folder, where `run --shard` puts them.
    pub shards: Vec<PathBuf>,
    /// The output folder of the whole run, instead of `saving.output_dir`.
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<PathBuf>,
    /// The configuration file that the shards were made by, or a folder with a config.yaml.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    /// What was said otherwise.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Stops so early that it has ended after so long; the same command goes on, and exits with 75.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub time_limit: Option<Duration>,
    /// How it tells how it comes along.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `dlgforge worker`: those of `dlgforge run`, and which process it is.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// The number of the process, from 0; process 0 has the output folder. Without it, what Slurm (`SLURM_PROCID`), an indexed
    /// Job (`JOB_COMPLETION_INDEX`) or the name of a pod of a StatefulSet (`HOSTNAME`, such as `forge-2`) says.
    #[arg(long, value_name = "N")]
    pub process: Option<usize>,
    /// The run that it is part of.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What run it is, and where.
#[derive(Debug, Args)]
pub struct RunTarget {
    /// The configuration file, or a folder with a config.yaml.
    #[arg(default_value = CONFIG)]
    pub config: PathBuf,
    /// Overrides a key of the configuration, such as `run.batch_size=8`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The project's root, which relative paths start from; by default the configuration file's folder, or its parent
    /// when that folder is called `config`.
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Leaves out the look at every endpoint before the first conversation: whether a server is there and takes the key. It
    /// asks for the list of models, which costs nothing.
    #[arg(long)]
    pub no_check: bool,
    /// Worker threads of the dataflow, 1 to 256; model calls do not need any.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
}

impl RunArgs {
    /// The shard to make, as it was typed or as the scheduler says in these variables.
    ///
    /// # Errors
    /// When it is none, or the variables do not tell.
    pub fn shard(&self, env: &BTreeMap<String, String>) -> Result<Option<Shard>, String> {
        let Some(typed) = &self.shard else { return Ok(None) };
        let Some(count) = typed.strip_prefix("auto") else { return typed.parse().map(Some) };
        let number = |name: &str| env.get(name)?.trim().parse::<u32>().ok();
        let of_array = || {
            let (id, first) = (number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_MIN").unwrap_or_default());
            let index = id.checked_sub(first)? / number("SLURM_ARRAY_TASK_STEP").unwrap_or(1).max(1);
            Some((index, number("SLURM_ARRAY_TASK_COUNT")))
        };
        let of_job = || Some((number("JOB_COMPLETION_INDEX")?, None));
        let of_rank = || Some((number("RANK")?, number("WORLD_SIZE")));
        let (index, told) = of_array().or_else(of_job).or_else(of_rank).ok_or_else(|| {
            "--shard auto: SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX and RANK are not set; write I/N, such as 0/8"
                .to_owned()
        })?;
        match count.strip_prefix('/').map(str::to_owned).or_else(|| told.map(|count| count.to_string())) {
            Some(count) => format!("{index}/{count}").parse().map(Some),
            None => {
                Err("--shard auto: the scheduler does not tell how many there are; write auto/N, such as auto/8"
                    .to_owned())
            }
        }
    }

    /// The run to go on with.
    pub fn resumed(&self) -> Option<Resume> {
        let id = self.resume.as_deref().map(str::trim)?;
        Some(if id.is_empty() { Resume::Last } else { Resume::Run(id.to_owned()) })
    }
}

impl Overrides {
    /// The part that settings are made of.
    pub fn flags(&self, config: &Path) -> Flags {
        Flags { config: file(config), set: self.set.clone(), root: self.root.clone(), ..Flags::default() }
    }
}

/// The configuration file: in a folder the one of the usual name.
fn file(config: &Path) -> PathBuf {
    if config.is_dir() { config.join(CONFIG) } else { config.to_owned() }
}

impl RunTarget {
    /// The part that settings are made of.
    pub fn flags(&self, resume: Option<Resume>, shard: Option<Shard>) -> Flags {
        let config = file(&self.config);
        let (set, root) = (self.set.clone(), self.root.clone());
        Flags { config, set, resume, shard, root, no_check: self.no_check, judging: false }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_what_was_typed_or_what_the_scheduler_says() {
        let array = [("SLURM_ARRAY_TASK_ID", "14"), ("SLURM_ARRAY_TASK_MIN", "10"), ("SLURM_ARRAY_TASK_STEP", "2")];
        let whole = [&array[..], &[("SLURM_ARRAY_TASK_COUNT", "5")]].concat();
        for (typed, env, expected) in [
            ("3/8", &[][..], Ok("3/8")),
            ("auto/8", &[("JOB_COMPLETION_INDEX", "7")], Ok("7/8")),
            ("auto/4", &[("JOB_COMPLETION_INDEX", "7")], Err("`7/4` is no shard")),
            ("auto", &[("JOB_COMPLETION_INDEX", "7")], Err("write auto/N")),
            ("auto", &[("RANK", "1"), ("WORLD_SIZE", "2")], Ok("1/2")),
            ("auto", &whole[..], Ok("2/5")),
            ("auto/9", &array[..], Ok("2/9")),
            ("auto", &[], Err("are not set; write I/N")),
            ("automatic", &[("RANK", "1")], Err("write auto/N")),
        ] {
            let cli = Cli::try_parse_from(["dlgforge", "run", "--shard", typed]).unwrap();
            let Command::Run(args) = cli.command else { panic!("a run") };
            let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            match (args.shard(&env), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.unwrap().to_string(), expected, "{typed}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{typed}: {found}"),
                (found, expected) => panic!("{typed}: {found:?}, not {expected:?}"),
            }
        }
    }
}
