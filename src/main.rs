//! The `dlgforge` command: parse, run, exit code.

mod commands;

use clap::Parser;
use commands::{check, dataset, documents, generate, preview, project, view};
use dlgforge::cli::{Cli, Command};
use dlgforge::cluster::LOST;
use dlgforge::domain::terminal::shown;
use mimalloc::MiMalloc;
use std::io::Write;
use std::process::ExitCode;

/// A call allocates some thousand times, on one thread, what another one frees.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    end_with_workers();
    allow_open_files();
    let cli = Cli::parse();
    let (name, result) = match &cli.command {
        Command::Init(args) => ("init", project::init(args)),
        Command::Run(args) => ("run", generate::run(args, None)),
        Command::Worker(args) => ("worker", generate::worker(args)),
        Command::Merge(args) => ("merge", generate::merge(args)),
        Command::Judge(args) => ("judge", generate::judge(args)),
        Command::Preview(args) => ("preview", preview::preview(args)),
        Command::Show(args) => ("show", preview::show(args)),
        Command::Explain(args) => ("explain", dataset::explain(args)),
        Command::Export(args) => ("export", dataset::export(args)),
        Command::Import(args) => ("import", dataset::import(args)),
        Command::Stats(args) => ("stats", dataset::stats(args)),
        Command::Check(args) => ("check", check::check(args)),
        Command::Estimate(args) => ("estimate", generate::estimate(args)),
        Command::Index(args) => ("index", documents::index(args)),
        Command::Search(args) => ("search", documents::search(args)),
        Command::Fetch(args) => ("fetch", documents::fetch(args)),
        Command::Push(args) => ("push", dataset::push(args)),
        Command::Status(args) => ("status", check::status(args)),
        Command::View(args) => ("view", view::view(args)),
        Command::SeedsMigrate(args) => ("seeds-migrate", dataset::seeds_migrate(args)),
        Command::Help(args) => ("help", project::help(args)),
        Command::Schema => ("schema", project::schema()),
        Command::Completions(args) => ("completions", project::completions(args)),
        Command::Man(args) => ("man", project::man(args)),
        Command::GuardServer(args) => ("guard-server", documents::guard_server(args)),
        Command::ReadDocuments => ("read-documents", documents::read_documents()),
    };
    dlgforge::knowledge::leave();
    result.unwrap_or_else(|mut message| {
        if message.contains("Too many open files") {
            message.push_str("; raise the limit on open files (`ulimit -n`), or lower run.concurrency");
        }
        // A reader that has gone away misses it.
        _ = writeln!(std::io::stderr(), "dlgforge {name} failed: {}", shown(&message));
        ExitCode::FAILURE
    })
}

/// A worker of the dataflow that panics leaves its peers waiting for it: end the process instead. Tasks may panic:
/// that costs one conversation.
fn end_with_workers() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        // So it tells that another process of the cluster is gone.
        if ["timely:recv", "timely:send"].iter().any(|link| name.starts_with(link)) {
            std::process::exit(LOST.into());
        }
        report(panic);
        if name.starts_with("timely:") {
            std::process::exit(101);
        }
    }));
}

/// Raises the limit on open files to the most that the system grants: every conversation under way may need a connection.
fn allow_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        // What the system refuses stays as it was.
        _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
