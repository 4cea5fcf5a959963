//! Commands that begin a project, and that tell shells, readers and editors of the program.

use super::say;
use clap::CommandFactory;
use dlgforge::cli::{Cli, CompletionsArgs, HelpArgs, InitArgs, ManArgs, VERSION};
use dlgforge::pages::{PAGES, Page};
use dlgforge::settings::{Starter, StarterModel};
use std::fmt::Display;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// What a project is made of where nothing is said.
const USUAL: (&str, &str, u32) = ("builtin", "en", 20);

/// Begins a project in a folder, where nothing is that it would overwrite.
pub fn init(args: &InitArgs) -> Result<ExitCode, String> {
    let folder = &args.folder;
    let config = folder.join("config.yaml");
    if config.exists() {
        return Err(format!("{} is there already; nothing was written", config.display()));
    }
    let starter = starter(args)?;
    let failed = |path: &Path, error: io::Error| format!("failed to write {}: {error}", path.display());
    for (name, content) in starter.files() {
        let path = folder.join(&name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        }
        let what = match fs::File::create_new(&path).and_then(|mut file| file.write_all(content.as_bytes())) {
            Ok(()) => "wrote",
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => "kept",
            Err(error) => return Err(failed(&path, error)),
        };
        say(&format!("  {what:<6} {}\n", path.display()));
    }
    say(&next_steps(folder, &starter.model));
    Ok(ExitCode::SUCCESS)
}

fn starter(args: &InitArgs) -> Result<Starter, String> {
    let asks = !args.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    let (who, language, count) = USUAL;
    let ask = |what: &str, usual: &dyn Display| if asks { answer(what, usual) } else { Ok(usual.to_string()) };
    let who = match &args.answers {
        Some(who) => who.clone(),
        None => ask("Who asks, answers and judges? builtin, a provider such as openai, or a server's address", &who)?,
    };
    let mut model = args.model.clone();
    if model.is_none() && asks && StarterModel::of(&who, None).is_err() && StarterModel::of(&who, Some("any")).is_ok() {
        model = Some(answer(&format!("Which model of {who}?"), &"")?);
    }
    let model = StarterModel::of(&who, model.as_deref()).map_err(|error| format!("--answers, --model: {error}"))?;
    let languages = match args.languages.as_slice() {
        [] => ask("Which languages, with commas?", &language)?.split(',').map(str::to_owned).collect(),
        given => given.to_vec(),
    };
    let languages = languages.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let samples = match args.samples {
        Some(samples) => samples,
        None => {
            let given = ask("How many conversations in each language?", &count)?;
            given.parse().ok().filter(|count| *count > 0).ok_or_else(|| format!("`{given}` is no number from 1 on"))?
        }
    };
    Ok(Starter { model, languages: languages.collect(), samples })
}

/// What somebody at the terminal answers, or the usual answer.
fn answer(what: &str, usual: &dyn Display) -> Result<String, String> {
    let usual = usual.to_string();
    let told = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
    _ = write!(io::stderr(), "{what}{told} ");
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| format!("failed to read the answer: {error}"))?;
    Ok(if line.trim().is_empty() { usual } else { line.trim().to_owned() })
}

fn next_steps(folder: &Path, model: &StarterModel) -> String {
    let of = |command: &str| match folder {
        here if here == Path::new(".") => format!("dlgforge {command}"),
        folder => format!("dlgforge {command} {}", folder.display()),
    };
    let key = model.key_variable().map(|name| format!("  put the key into .env ({name}), as .env.example has it\n"));
    format!(
        "next:\n  put documents into {}\n{}  {}\n  {}\n  {}\n",
        folder.join("knowledge").display(),
        key.unwrap_or_default(),
        of("check"),
        of("preview"),
        of("run")
    )
}

/// Explains a command or a topic, or everything.
pub fn help(args: &HelpArgs) -> Result<ExitCode, String> {
    let mut cli = told_commands();
    cli.build();
    let topics = || PAGES.map(|page| format!("  {:<14} {}\n", page.topic, page.title())).concat();
    let text = match &args.topic {
        None if args.all => everything(&mut cli),
        None => format!("{}\nTopics:\n{}", cli.render_long_help(), topics()),
        Some(topic) => match (cli.find_subcommand_mut(topic), Page::on(topic)) {
            (Some(command), _) => command.render_long_help().to_string(),
            (None, Some(page)) => page.text.to_owned(),
            (None, None) => {
                return Err(format!("there is no command and no topic `{topic}`; topics are:\n{}", topics()));
            }
        },
    };
    say(&text);
    Ok(ExitCode::SUCCESS)
}

/// All commands and all pages, as one text of Markdown.
fn everything(cli: &mut clap::Command) -> String {
    let mut text = format!("# dlgforge {VERSION}\n\n{}\n\n# Commands\n", cli.get_about().cloned().unwrap_or_default());
    for command in cli.get_subcommands_mut() {
        let help = command.render_long_help().to_string();
        text += &format!("\n## dlgforge {}\n\n```text\n{}\n```\n", command.get_name(), help.trim_end());
    }
    PAGES.iter().for_each(|page| text += &format!("\n{}", page.text));
    text
}

/// Prints the schema of the configuration.
pub fn schema() -> Result<ExitCode, String> {
    say(&format!("{:#}\n", dlgforge::settings::schema()));
    Ok(ExitCode::SUCCESS)
}

/// Prints what completes commands in a shell.
pub fn completions(args: &CompletionsArgs) -> Result<ExitCode, String> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut told_commands(), "dlgforge", &mut text);
    say(&String::from_utf8_lossy(&text));
    Ok(ExitCode::SUCCESS)
}

/// The program with the commands that people are told of.
fn told_commands() -> clap::Command {
    let whole = Cli::command();
    let told = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    clap::Command::new("dlgforge")
        .disable_help_subcommand(true)
        .version(VERSION)
        .about(whole.get_about().cloned().unwrap_or_default())
        .subcommands(told)
}

/// Prints a manual page.
pub fn man(args: &ManArgs) -> Result<ExitCode, String> {
    let mut cli = told_commands();
    cli.build();
    let page = match &args.command {
        None => cli,
        Some(name) => {
            let found = cli.get_subcommands().find(|command| command.get_name() == name);
            found.cloned().ok_or_else(|| format!("there is no command `{name}`; `dlgforge help` lists them"))?
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(|error| error.to_string())?;
    say(&String::from_utf8_lossy(&text));
    Ok(ExitCode::SUCCESS)
}
