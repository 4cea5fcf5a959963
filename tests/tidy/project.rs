//! The sources of a project, parsed: where each lies below the root, which module it is, and what its code names.

use super::names::{Name, head, is_test, names};
use std::collections::BTreeSet;
use std::path::Path;

/// What the rules look at.
pub struct Project {
    /// The Rust files of `src`, `dataflows` and `tests`, in the order of their paths.
    pub sources: Vec<Source>,
    /// The text of `Cargo.lock`.
    pub lock: String,
}

/// A Rust file of the project, read and parsed.
pub struct Source {
    /// Its path below the root of the project, with slashes.
    pub path: String,
    /// Its text as it stands on disk.
    pub text: String,
    /// The module it is, from the root of its crate on (`["llm", "router"]`); `["main"]` for the binary.
    pub module: Vec<String>,
    /// What syn parsed it to, comments left out.
    pub syntax: syn::File,
    /// Every path its code names, tests left out, in full.
    pub names: Vec<Name>,
}

impl Project {
    /// Reads the project that lies in this folder.
    pub fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        for folder in ["src", "dataflows", "tests"] {
            for entry in walkdir::WalkDir::new(root.join(folder)).sort_by_file_name() {
                let entry = entry.expect("a file of the project");
                let inside = entry.path().strip_prefix(root).expect("a path below the root");
                if inside.extension().is_some_and(|extension| extension == "rs") {
                    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
                    files.push((parts.join("/"), std::fs::read_to_string(entry.path()).expect("UTF-8")));
                }
            }
        }
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).expect("a lock file");
        Self::of(files, lock)
    }

    /// The project that holds these files: their paths below the root, and their texts.
    pub fn of(files: impl IntoIterator<Item = (String, String)>, lock: String) -> Self {
        Self { sources: files.into_iter().map(|(path, text)| Source::of(path, text)).collect(), lock }
    }

    /// The files of the library and the binary that are compiled without tests, too.
    pub fn code(&self) -> impl Iterator<Item = &Source> {
        let tests: BTreeSet<Vec<String>> = self.sources.iter().flat_map(Source::test_modules).collect();
        let shipped = |source: &&Source| !source.path.starts_with("tests/");
        let in_test = move |source: &&Source| !(1..=source.module.len()).any(|n| tests.contains(&source.module[..n]));
        self.sources.iter().filter(shipped).filter(in_test)
    }
}

impl Source {
    fn of(path: String, text: String) -> Self {
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let module = module(&path);
        let names = names(&syntax, &module);
        Self { path, text, module, syntax, names }
    }

    /// The room it lies in: the first name of its module, `lib` for the root.
    pub fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    /// The modules in files of their own that it declares for tests alone.
    fn test_modules(&self) -> impl Iterator<Item = Vec<String>> {
        let modules = self.syntax.items.iter().filter_map(|item| match item {
            syn::Item::Mod(module) if module.content.is_none() && is_test(&head(item).0) => Some(module),
            _ => None,
        });
        modules.map(|module| [self.module.clone(), vec![module.ident.to_string()]].concat())
    }
}

/// The module that the file at this path is.
fn module(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    let mut names: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    names
}
