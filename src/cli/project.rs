//! What the user typed of new projects, and of what shells and editors know of the program.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `dlgforge init`, in any order.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder of the project, which is made where it is not there.
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Who asks, answers and judges: `builtin` (no key, no server; it quotes, it does not think), the address of a server of your own
    /// (http://127.0.0.1:8000/v1), or a provider, such as `openai`, whose key is in the environment. Asked for on a terminal.
    #[arg(long, value_name = "WHO")]
    pub answers: Option<String>,
    /// The model, by the name that the server or the provider has for it.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The languages of the conversations, with commas. Asked for on a terminal.
    #[arg(long = "language", value_name = "NAME", value_delimiter = ',')]
    pub languages: Vec<String>,
    /// How many conversations to make in each language. Asked for on a terminal.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: Option<u32>,
    /// Asks nothing: what is not said is `builtin`, `en` and 20.
    #[arg(short, long)]
    pub yes: bool,
}

/// Arguments of `dlgforge completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that is to complete commands.
    pub shell: clap_complete::Shell,
}

/// Arguments of `dlgforge man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page is printed; without it the page of the program.
    pub command: Option<String>,
}

/// Arguments of `dlgforge help`.
#[derive(Debug, Args)]
pub struct HelpArgs {
    /// A command, or the topic of a page.
    pub topic: Option<String>,
    /// Prints all commands and all pages, as Markdown.
    #[arg(long, conflicts_with = "topic")]
    pub all: bool,
}
