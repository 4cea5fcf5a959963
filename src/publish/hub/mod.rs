//! Puts a folder into a repository of the Hub: what is there already is not sent again, so a push that was cut off goes on.
//!
//! ```text
//! create the repository ─▶ for each batch of files: which are missing ─▶ large ones by Git LFS ─▶ one commit, on top of the last
//! ```
//!
//! This speaks the Hub's HTTP protocol itself: uploads go by Git LFS, which the Hub takes for all repositories and mirrors
//! understand. Files are read as they are sent, so memory does not depend on their lengths.

mod commit;
mod error;
mod files;
mod lfs;
mod repository;
mod requests;

pub use error::HubError;
pub use repository::RepoType;
pub use requests::Token;

use commit::{Change, Changed, Head};
use files::LocalFile;
use repository::Repository;
use requests::Client;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// Files of a commit: the Hub recommends no more, and tells of so many at once how they are to be sent.
const FILES: usize = 100;
/// Bytes of the small files of a commit, which are in its request.
const INLINE: u64 = 64 << 20;
/// Bytes beyond which no file is small.
const SMALL: u64 = 10 << 20;

/// Where a folder is pushed to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The root of the Hub, `HF_ENDPOINT`.
    pub endpoint: String,
    /// The token that may write there; empty for none.
    pub token: Token,
    /// The repository, `OWNER/NAME`; empty for none.
    pub repo_id: String,
    /// Of which kind it is.
    pub repo_type: RepoType,
    /// Whether only those see it who may, where it is made by the push.
    pub private: bool,
    /// The message of the commits.
    pub commit_message: String,
    /// Whether files go that the folder lacks, all but `.gitattributes`. Shards of a table (`data/train-00001-of-00002.parquet`)
    /// that the folder has in other shards go in any case: readers would read both.
    pub clean_remote: bool,
}

/// What a push has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The address of the repository.
    pub url: String,
    /// The last commit of the repository, if the Hub told.
    pub commit: Option<String>,
    /// Files of the folder.
    pub files: usize,
    /// How many of them the repository lacked, or had otherwise.
    pub changed: usize,
    /// Bytes of them that were sent: what the Hub had was not.
    pub bytes: u64,
    /// Files that went from the repository.
    pub removed: usize,
}

impl fmt::Display for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, commit, files, changed, bytes, removed } = self;
        writeln!(f, "pushed     {url}")?;
        writeln!(
            f,
            "files      {files}, of which {changed} were new or changed ({bytes} bytes sent), and {removed} removed"
        )?;
        commit.iter().try_for_each(|commit| writeln!(f, "commit     {commit}"))
    }
}

impl Destination {
    /// Checks what can be known without asking the Hub.
    ///
    /// # Errors
    /// When the repository or the token is not named, or can't be one.
    pub fn check(&self) -> Result<(), HubError> {
        self.client().map(drop)
    }

    fn client(&self) -> Result<Client, HubError> {
        if self.repo_id.is_empty() {
            return Err(HubError::NoRepoId);
        }
        Client::new(Repository::new(&self.endpoint, self.repo_type, &self.repo_id)?, &self.token)
    }
}

/// Makes the repository unless it is there, and has it hold the files of a folder as they are. Hidden files and links are left
/// out. `told` hears what is under way, a line each.
///
/// # Errors
/// When a file can't be read, or the Hub does not take it; what has arrived stays there, and the next push goes on.
pub async fn push(folder: &Path, to: &Destination, told: &(dyn Fn(&str) + Sync)) -> Result<Pushed, HubError> {
    let client = to.client()?;
    let files = files::list(folder)?;
    let Head { mut commit, is_new, is_private } = commit::prepare(&client, to.private).await?;
    if to.private && !is_private && !is_new {
        told(&format!(
            "{} is public, and stays so: `saving.hf_push.private` is for new repositories",
            client.repository
        ));
    }
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let goes = |path: &str| {
        let is_left = to.clean_remote && path != ".gitattributes" || is_replaced(path, &paths);
        is_left && !paths.contains(path)
    };
    let looks = !is_new && (to.clean_remote || paths.iter().any(|path| shard(path).is_some()));
    let batches = batches(&files);
    let mut sum = Changed::default();
    for (number, files) in (1..).zip(&batches) {
        let is_last = number == batches.len();
        let message = match batches.len() {
            1 => to.commit_message.clone(),
            all => format!("{} (part {number} of {all})", to.commit_message),
        };
        let goes: Option<&(dyn Fn(&str) -> bool + Sync)> = if is_last && looks { Some(&goes) } else { None };
        let Changed { files, bytes, removed } =
            commit::commit(&client, &mut commit, &Change { files, message: &message, goes }, told).await?;
        sum = Changed { files: sum.files + files, bytes: sum.bytes + bytes, removed: sum.removed + removed };
    }
    Ok(Pushed {
        url: client.repository.to_string(),
        commit,
        files: files.len(),
        changed: sum.files,
        bytes: sum.bytes,
        removed: sum.removed,
    })
}

/// The files of each commit, in order.
fn batches(files: &[LocalFile]) -> Vec<&[LocalFile]> {
    let mut batches = Vec::new();
    let (mut start, mut inline) = (0, 0);
    for (at, file) in files.iter().enumerate() {
        let small = if file.size > SMALL { 0 } else { file.size };
        if at - start == FILES || at > start && inline + small > INLINE {
            batches.push(&files[start..at]);
            (start, inline) = (at, 0);
        }
        inline += small;
    }
    batches.push(&files[start..]);
    batches
}

/// Of `data/train-00001-of-00002.parquet`, `data/train`; none of what is no shard.
fn shard(path: &str) -> Option<&str> {
    let (table, total) = path.strip_suffix(".parquet")?.rsplit_once("-of-")?;
    let (table, number) = table.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(number) && is_number(total)).then_some(table)
}

/// Whether a path is of a shard of a table that these files have too.
fn is_replaced(path: &str, files: &BTreeSet<&str>) -> bool {
    shard(path).is_some_and(|table| files.iter().any(|file| shard(file) == Some(table)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn shards_of_a_table_that_is_pushed_are_replaced() {
        let files = BTreeSet::from(["data/train-00000-of-00001.parquet", "README.md", "data/x.parquet"]);
        for (path, replaced) in [
            ("data/train-00001-of-00002.parquet", true),
            ("data/test-00000-of-00001.parquet", false),
            ("data/train-extra.parquet", false),
            ("train-00001-of-00002.parquet", false),
            ("data/train-0001-of-0002.parquet", false),
            ("data/y.parquet", false),
        ] {
            assert_eq!(is_replaced(path, &files), replaced, "{path}");
        }
    }

    #[test]
    fn a_commit_has_so_many_files_and_bytes() {
        let file = |size| LocalFile { path: String::new(), at: PathBuf::new(), size };
        for (sizes, expected) in [
            (vec![1; 1], vec![1]),
            (vec![1; 100], vec![100]),
            (vec![1; 201], vec![100, 100, 1]),
            (vec![SMALL; 7], vec![6, 1]),
            (vec![SMALL + 1; 70], vec![70]),
        ] {
            let files: Vec<_> = sizes.into_iter().map(file).collect();
            assert_eq!(batches(&files).iter().map(|batch| batch.len()).collect::<Vec<_>>(), expected);
        }
    }
}
