//! Finds the documents of the knowledge folder, and tells what it leaves out.

use super::KnowledgeError;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The documents of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Their paths relative to the folder, sorted, each with where it lies.
    pub documents: Vec<(String, PathBuf)>,
    /// What is left out, one line per kind, then one per link.
    pub warnings: Vec<String>,
}

/// Every document below a folder, each once. Hidden files and folders, folders of packages, and what ignore files in
/// the folder name are left out; links that lead out of it are followed only where that is asked for.
pub(super) fn find(
    folder: &Path,
    follow_links: bool,
    is_document: &dyn Fn(&Path) -> bool,
) -> Result<Found, KnowledgeError> {
    let real = fs::canonicalize(folder).map_err(|cause| unreadable(folder, cause))?;
    let mut walk = Walk {
        top: folder,
        is_document,
        real_top: real.clone(),
        follow_links,
        seen: HashSet::from([real.clone()]),
        links: BTreeMap::new(),
        documents: Vec::new(),
        left_out: LeftOut::default(),
        warnings: Vec::new(),
    };
    walk.enter(Folder { path: folder.to_path_buf(), real, rules: Vec::new() })?;
    // After all that lies in the folder itself: what is there twice has the path at which it lies.
    while let Some((path, holder)) = walk.links.pop_first() {
        walk.follow(path, &holder)?;
    }
    // By the whole path, not part by part: the catalogue is searched by path.
    walk.documents.sort();
    walk.warnings.sort();
    let warnings = [walk.left_out.lines(), walk.warnings].concat();
    Ok(Found { documents: walk.documents, warnings })
}

/// Types told by name; rarer ones are counted together.
const MOST_TYPES: usize = 8;

/// Folders of packages and of archives, whose texts are no one's documents. A folder with [`ENVIRONMENT`] is another.
const PACKAGES: [&str; 2] = ["node_modules", "__MACOSX"];

/// The file that makes a folder a virtual environment of Python.
const ENVIRONMENT: &str = "pyvenv.cfg";

/// The files that name what to leave out; the later one overrides the earlier.
const IGNORE_FILES: [&str; 2] = [".gitignore", ".ignore"];

struct Walk<'a> {
    top: &'a Path,
    /// Whether the name of a file is that of a type that is read.
    is_document: &'a dyn Fn(&Path) -> bool,
    real_top: PathBuf,
    follow_links: bool,
    /// Folders and documents met, without links in their paths.
    seen: HashSet<PathBuf>,
    /// Links still to follow, each with the folder it lies in.
    links: BTreeMap<PathBuf, Rc<Folder>>,
    documents: Vec<(String, PathBuf)>,
    left_out: LeftOut,
    warnings: Vec<String>,
}

struct Folder {
    /// Its path below the knowledge folder, which may hold links.
    path: PathBuf,
    /// The same without links.
    real: PathBuf,
    /// The ignore files that hold in it, innermost last.
    rules: Vec<Rc<Gitignore>>,
}

impl Walk<'_> {
    /// Notes the documents and the links in a folder and in the folders below it.
    fn enter(&mut self, folder: Folder) -> Result<(), KnowledgeError> {
        let mut folders = vec![folder];
        while let Some(mut folder) = folders.pop() {
            folder.rules.extend(self.rules(&folder.path));
            let folder = Rc::new(folder);
            let cannot = |cause| unreadable(&folder.path, cause);
            for entry in fs::read_dir(&folder.path).map_err(cannot)? {
                let entry = entry.map_err(cannot)?;
                let (path, kind) = (entry.path(), entry.file_type().map_err(cannot)?);
                if self.leaves_out(&path, kind.is_dir(), &folder.rules) {
                    continue;
                }
                let real = folder.real.join(entry.file_name());
                if kind.is_symlink() {
                    self.links.insert(path, folder.clone());
                } else if !kind.is_dir() {
                    self.add(path, real, kind.is_file())?;
                } else if self.seen.insert(real.clone()) {
                    folders.push(Folder { path, real, rules: folder.rules.clone() });
                }
            }
        }
        Ok(())
    }

    fn follow(&mut self, path: PathBuf, holder: &Folder) -> Result<(), KnowledgeError> {
        let (Ok(real), Ok(target)) = (fs::canonicalize(&path), fs::metadata(&path)) else {
            self.skip(&path, "its link leads nowhere");
            return Ok(());
        };
        if holder.real.starts_with(&real) {
            self.skip(&path, "it links back to a folder around it");
        } else if !self.follow_links && !real.starts_with(&self.real_top) {
            self.skip(
                &path,
                "it links to a place outside of the folder; set `knowledge.follow_links: true` to read it",
            );
        } else if !target.is_dir() {
            self.add(path, real, target.is_file())?;
        } else if self.seen.insert(real.clone()) {
            self.enter(Folder { path, real, rules: holder.rules.clone() })?;
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf, real: PathBuf, is_file: bool) -> Result<(), KnowledgeError> {
        if !(self.is_document)(&path) {
            *self.left_out.types.entry(ending(&path)).or_default() += 1;
        } else if !is_file {
            self.skip(&path, "it is no regular file");
        } else if self.seen.insert(real) {
            self.documents.push((relative(self.top, &path)?, path));
        }
        Ok(())
    }

    /// Whether something is no document because of its name or of an ignore file; counts it where it could be one.
    fn leaves_out(&mut self, path: &Path, is_folder: bool, rules: &[Rc<Gitignore>]) -> bool {
        let name = path.file_name().unwrap_or_default();
        let is_packages = || PACKAGES.iter().any(|packages| name == *packages) || path.join(ENVIRONMENT).is_file();
        let count = if name.as_encoded_bytes().starts_with(b".") {
            &mut self.left_out.hidden
        } else if is_folder && is_packages() {
            &mut self.left_out.packages
        } else if is_ignored(path, is_folder, rules) {
            &mut self.left_out.ignored
        } else {
            return false;
        };
        *count += usize::from(is_folder || (self.is_document)(path));
        true
    }

    /// What the ignore files of a folder say.
    fn rules(&mut self, folder: &Path) -> Option<Rc<Gitignore>> {
        let mut builder = GitignoreBuilder::new(folder);
        for file in IGNORE_FILES.map(|name| folder.join(name)).into_iter().filter(|file| file.is_file()) {
            if let Some(error) = builder.add(file) {
                self.warnings.push(format!("not all of an ignore file counts: {error}"));
            }
        }
        let rules = builder.build();
        let rules = rules.map_err(|error| self.warnings.push(format!("an ignore file does not count: {error}")));
        rules.ok().filter(|rules| !rules.is_empty()).map(Rc::new)
    }

    fn skip(&mut self, path: &Path, why: &str) {
        let path = path.strip_prefix(self.top).unwrap_or(path);
        self.warnings.push(format!("skipped, {why}: {}", path.display()));
    }
}

/// What is no document, by kind.
#[derive(Default)]
struct LeftOut {
    /// Files of other types, by type.
    types: BTreeMap<String, usize>,
    hidden: usize,
    packages: usize,
    ignored: usize,
}

impl LeftOut {
    fn lines(&self) -> Vec<String> {
        let mut types: Vec<(&str, usize)> = self.types.iter().map(|(name, &count)| (name.as_str(), count)).collect();
        types.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let rare: usize = types.iter().skip(MOST_TYPES).map(|(_, count)| count).sum();
        types.truncate(MOST_TYPES);
        types.extend((rare > 0).then_some(("others", rare)));
        let of_types: usize = types.iter().map(|(_, count)| count).sum();
        let types: Vec<String> = types.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        [
            (of_types, "file", format!("of types {} left out, which this version does not read", types.join(", "))),
            (self.hidden, "hidden file or folder", "left out".to_owned()),
            (self.packages, "folder", "of packages left out (node_modules, virtual environments, __MACOSX)".to_owned()),
            (self.ignored, "file or folder", "left out, named by .gitignore or .ignore".to_owned()),
        ]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, rest)| match count {
            1 => format!("1 {what} {rest}"),
            _ => format!("{count} {} {rest}", what.replace("file", "files").replace("folder", "folders")),
        })
        .collect()
    }
}

fn ending(path: &Path) -> String {
    let ending = path.extension().map(OsStr::to_string_lossy);
    ending.map_or_else(|| "without an ending".to_owned(), |ending| format!(".{}", ending.to_lowercase()))
}

fn is_ignored(path: &Path, is_folder: bool, rules: &[Rc<Gitignore>]) -> bool {
    let said = rules.iter().rev().map(|rules| rules.matched(path, is_folder)).find(|said| !said.is_none());
    said.is_some_and(|said| said.is_ignore())
}

fn relative(folder: &Path, path: &Path) -> Result<String, KnowledgeError> {
    let parts = path.strip_prefix(folder).unwrap_or(path).iter();
    let parts: Option<Vec<&str>> = parts.map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| KnowledgeError::Name(path.to_path_buf()))
}

fn unreadable(path: &Path, cause: std::io::Error) -> KnowledgeError {
    KnowledgeError::Unreadable { path: path.to_path_buf(), cause }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::knowledge::formats::Format;
    use tempfile::TempDir;

    fn folder(files: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|path| write(&folder, path, "text"));
        folder
    }

    fn write(folder: &TempDir, path: &str, text: &str) {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn find(folder: &Path, follow_links: bool) -> Result<Found, KnowledgeError> {
        let is_text = |path: &Path| matches!(Format::of(path), Some(Format::Text | Format::Markdown));
        super::find(folder, follow_links, &is_text)
    }

    fn found(folder: &TempDir, follow_links: bool) -> (Vec<String>, Vec<String>) {
        let found = find(folder.path(), follow_links).unwrap();
        (found.documents.into_iter().map(|(path, _)| path).collect(), found.warnings)
    }

    #[test]
    fn documents_come_sorted_by_path_and_other_types_are_counted() {
        let files = ["b.TXT", "a/z.Md", "a-b.md", "c.rst", "txt", "d.HTML", "a/e.html", "f.pdf"];
        let (documents, warnings) = found(&folder(&files), false);
        assert_eq!(documents, ["a-b.md", "a/z.Md", "b.TXT"]);
        assert_eq!(
            warnings,
            [
                "5 files of types .html (2), .pdf (1), .rst (1), without an ending (1) left out, which this version does not \
              read"
            ]
        );
        let many: Vec<String> = (0..12).map(|n| format!("x.{n:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).chain(["y.11"]).collect();
        let (_, warnings) = found(&folder(&many), false);
        assert!(warnings[0].starts_with("13 files of types .11 (2), .00 (1), "), "{warnings:?}");
        assert!(warnings[0].contains(".06 (1), others (4) left out"), "{warnings:?}");
    }

    #[test]
    fn what_tools_and_systems_leave_lying_about_is_no_document() {
        let folder = folder(&[
            "a.md",
            "._a.md",
            ".DS_Store",
            ".obsidian/x.md",
            "n/.ipynb_checkpoints/x.md",
            "__MACOSX/a.md",
            "site/node_modules/left-pad/README.md",
            "tools/env/pyvenv.cfg",
            "tools/env/lib/numpy.txt",
            "tools/node_modules.md",
        ]);
        let (documents, warnings) = found(&folder, false);
        assert_eq!(documents, ["a.md", "tools/node_modules.md"]);
        assert_eq!(
            warnings,
            [
                "3 hidden files or folders left out",
                "3 folders of packages left out (node_modules, virtual environments, __MACOSX)"
            ]
        );
    }

    #[test]
    fn ignore_files_in_the_folder_count_and_no_others() {
        let project = folder(&["docs/a.md", "docs/draft.md", "docs/old/b.md", "docs/sub/draft.md", "docs/sub/c.txt"]);
        write(&project, ".gitignore", "docs/\n*.md\n");
        write(&project, "docs/.gitignore", "draft.md\nold/\n*.txt\n");
        write(&project, "docs/sub/.ignore", "!draft.md\n");
        let found = find(&project.path().join("docs"), false).unwrap();
        let paths: Vec<&str> = found.documents.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a.md", "sub/draft.md"]);
        assert_eq!(found.warnings, ["3 files or folders left out, named by .gitignore or .ignore"]);
        write(&project, "docs/.gitignore", "{a,b\ndraft.md\n");
        let found = find(&project.path().join("docs"), false).unwrap();
        assert!(found.warnings[1].starts_with("not all of an ignore file counts: "), "{:?}", found.warnings);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_within_the_folder_and_loops_end() {
        use std::os::unix::fs::symlink;
        let (here, there) = (folder(&["a/x.md", ".data/z.md", "b.html"]), folder(&["y.md", "deep/w.md"]));
        let link = |to: &Path, path: &str| symlink(to, here.path().join(path)).unwrap();
        link(there.path(), "other");
        link(&there.path().join("deep"), "a-deep");
        link(here.path(), "a/up");
        // As in the volumes of Kubernetes: all documents are links into a hidden folder.
        link(Path::new(".data/z.md"), "z.md");
        link(Path::new("a"), "again");
        link(Path::new("a/x.md"), "0.md");
        link(Path::new("b.html"), "c.html");
        link(Path::new("nowhere"), "gone.md");
        link(Path::new("user@host.1234"), ".#x.md");
        let outside =
            "skipped, it links to a place outside of the folder; set `knowledge.follow_links: true` to read it";
        let (documents, warnings) = found(&here, false);
        assert_eq!(documents, ["a/x.md", "z.md"]);
        assert_eq!(
            warnings,
            [
                "2 files of types .html (2) left out, which this version does not read",
                "2 hidden files or folders left out",
                "skipped, it links back to a folder around it: a/up",
                &format!("{outside}: a-deep"),
                &format!("{outside}: other"),
                "skipped, its link leads nowhere: gone.md",
            ]
        );
        let (documents, warnings) = found(&here, true);
        assert_eq!(documents, ["a-deep/w.md", "a/x.md", "other/y.md", "z.md"]);
        assert_eq!(warnings.len(), 4);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_listed_or_named_is_an_error() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&["file"]);
        fs::write(folder.path().join(OsStr::from_bytes(b"\xff.md")), "text").unwrap();
        assert!(matches!(find(folder.path(), false), Err(KnowledgeError::Name(_))));
        assert!(matches!(find(&folder.path().join("file"), false), Err(KnowledgeError::Unreadable { .. })));
    }
}
