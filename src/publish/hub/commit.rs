//! Commits files to a repository, and looks at what it has.

use super::error::HubError;
use super::files::LocalFile;
use super::lfs::{self, LargeFile};
use super::repository::{BRANCH, RepoType};
use super::requests::{Client, read};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{CONTENT_TYPE, LINK};
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How often a commit is made anew on top of what others have committed meanwhile.
const COMMITS: usize = 8;

/// A repository that is there.
pub(super) struct Head {
    /// Its last commit; none where it has none.
    pub commit: Option<String>,
    /// Whether it was made just now.
    pub is_new: bool,
    /// Whether only those see it who may.
    pub is_private: bool,
}

#[derive(Deserialize)]
struct Information {
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    private: bool,
}

/// Makes the repository unless it is there, and looks at it.
///
/// # Errors
/// When it is not there and can't be made.
pub(super) async fn prepare(client: &Client, private: bool) -> Result<Head, HubError> {
    let repository = &client.repository;
    let mut wanted = json!({
        "name": repository.name, "organization": repository.owner, "type": repository.kind.name(), "private": private,
    });
    if repository.kind == RepoType::Space {
        // Spaces run something; one that shows files alone is static.
        wanted["sdk"] = "static".into();
    }
    let url = format!("{}/api/repos/create", repository.endpoint);
    let made = client.send("create the repository", (Method::POST, &url), |sent| sent.json(&wanted)).await;
    let is_new = match made {
        Ok(_) => true,
        Err(HubError::Refused { status: 409, .. }) => false,
        // A token may be allowed to write to this repository and to make none.
        Err(refused @ HubError::Refused { status: 403, .. }) => {
            let Information { sha, private } = information(client).await.map_err(|_| refused)?;
            return Ok(Head { commit: sha, is_new: false, is_private: private });
        }
        Err(error) => return Err(error),
    };
    let Information { sha, private } = information(client).await?;
    Ok(Head { commit: sha, is_new, is_private: private })
}

async fn information(client: &Client) -> Result<Information, HubError> {
    let url = client.repository.api(&format!("/revision/{BRANCH}"));
    client.ask("look at the repository", (Method::GET, &url), |sent| sent).await
}

#[derive(Deserialize)]
struct Entry {
    r#type: String,
    path: String,
}

/// The paths of all files of the repository.
///
/// # Errors
/// When they can't be listed.
pub(super) async fn paths(client: &Client) -> Result<BTreeSet<String>, HubError> {
    const WHAT: &str = "list the files of the repository";
    let mut found = BTreeSet::new();
    let mut next = Some(client.repository.api(&format!("/tree/{BRANCH}?recursive=true")));
    while let Some(url) = next {
        let page = match client.send(WHAT, (Method::GET, &url), |sent| sent).await {
            // A repository without commits has no tree.
            Err(HubError::Refused { status: 404, .. }) => break,
            page => page?,
        };
        next = following(&page).map(|url| client.repository.reached(&url));
        let entries: Vec<Entry> = read(WHAT, page).await?;
        found.extend(entries.into_iter().filter(|entry| entry.r#type == "file").map(|entry| entry.path));
    }
    Ok(found)
}

/// The address of the next page of a list.
fn following(page: &Response) -> Option<String> {
    let links = page.headers().get(LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    Some(next.split_once('<')?.1.split_once('>')?.0.to_owned())
}

/// What one commit is to say.
pub(super) struct Change<'a> {
    /// The files that are to be as they are here.
    pub files: &'a [LocalFile],
    /// The message of the commit.
    pub message: &'a str,
    /// Which files are to go, of those that the repository has; none are looked at where there is no such rule.
    pub goes: Option<&'a (dyn Fn(&str) -> bool + Sync)>,
}

/// What commits have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Changed {
    /// Files that were not there as they are here.
    pub files: usize,
    /// Bytes that were sent of them.
    pub bytes: u64,
    /// Files that went from the repository.
    pub removed: usize,
}

#[derive(Deserialize)]
struct Modes {
    files: Vec<Mode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mode {
    path: String,
    upload_mode: String,
    #[serde(default)]
    should_ignore: bool,
    /// What the repository has there: the name that git has for it, or the digest of a large file.
    #[serde(default)]
    oid: Option<String>,
}

/// A file that the repository lacks, or has otherwise.
enum Missing<'a> {
    Small(&'a LocalFile),
    Large(&'a LocalFile, String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    #[serde(default)]
    commit_oid: Option<String>,
}

/// Makes the repository so, by one commit on top of the last one, or by none where it is so.
///
/// A commit that is refused because it is not on top of the last one is made anew, from what the repository has then: others may
/// have committed, and so may this program, where the reply to its own commit was lost.
///
/// # Errors
/// When a file can't be read, or the Hub does not take it.
pub(super) async fn commit(
    client: &Client,
    head: &mut Option<String>,
    change: &Change<'_>,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Changed, HubError> {
    let mut changed = Changed::default();
    for _ in 0..COMMITS {
        let missing = missing(client, change.files, told).await?;
        let gone: Vec<String> = match change.goes {
            Some(goes) => paths(client).await?.into_iter().filter(|path| goes(path)).collect(),
            None => Vec::new(),
        };
        if missing.is_empty() && gone.is_empty() {
            return Ok(changed);
        }
        let large = missing.iter().filter_map(|one| match one {
            Missing::Large(file, oid) => Some(LargeFile { file, oid }),
            Missing::Small(_) => None,
        });
        let large: Vec<LargeFile<'_>> = large.collect();
        changed.bytes += lfs::upload(client, &large, told).await?;
        let (lines, inline) = lines(change.message, head.as_deref(), &missing, &gone)?;
        let what = format!("commit {} files", missing.len() + gone.len());
        let url = client.repository.api(&format!("/commit/{BRANCH}"));
        let body = bytes::Bytes::from(lines);
        let sent = client
            .ask(&what, (Method::POST, &url), |sent| {
                sent.header(CONTENT_TYPE, "application/x-ndjson").body(body.clone())
            })
            .await;
        (changed.files, changed.removed) = (missing.len(), gone.len());
        changed.bytes += inline;
        match sent {
            Ok(Committed { commit_oid }) => {
                *head = commit_oid;
                return Ok(changed);
            }
            Err(HubError::Refused { status: 412, .. }) => *head = information(client).await?.sha,
            Err(error) => return Err(error),
        }
    }
    Err(HubError::Contended)
}

/// Which of the files the repository lacks, or has otherwise, and how they get there.
async fn missing<'a>(
    client: &Client,
    files: &'a [LocalFile],
    told: &(dyn Fn(&str) + Sync),
) -> Result<Vec<Missing<'a>>, HubError> {
    let described = files
        .iter()
        .map(|file| Ok(json!({"path": file.path, "size": file.size, "sample": BASE64.encode(file.sample()?)})));
    let described = json!({"files": described.collect::<Result<Vec<Value>, HubError>>()?});
    let what = "ask how the files go to the repository";
    let url = client.repository.api(&format!("/preupload/{BRANCH}"));
    let Modes { files: modes } = client.ask(what, (Method::POST, &url), |sent| sent.json(&described)).await?;
    let mut missing = Vec::new();
    for file in files {
        let mode = modes.iter().find(|mode| mode.path == file.path).ok_or_else(|| HubError::Reply {
            what: what.to_owned(),
            cause: format!("it says nothing of {}", file.path),
        })?;
        if mode.should_ignore {
            told(&format!("{} is not pushed: the .gitignore of the repository has it", file.path));
            continue;
        }
        let is_there = |oid: &str| mode.oid.as_deref() == Some(oid);
        if mode.upload_mode == "lfs" {
            let oid = file.sha256()?;
            if !is_there(&oid) {
                missing.push(Missing::Large(file, oid));
            }
        } else if mode.oid.is_none() || !is_there(&file.git_oid()?) {
            missing.push(Missing::Small(file));
        }
    }
    Ok(missing)
}

/// The lines of a commit, and how many bytes of files are in them.
fn lines(
    summary: &str,
    parent: Option<&str>,
    missing: &[Missing<'_>],
    gone: &[String],
) -> Result<(Vec<u8>, u64), HubError> {
    let mut lines = Vec::new();
    let mut add = |key: &str, value: Value| {
        lines.extend_from_slice(json!({"key": key, "value": value}).to_string().as_bytes());
        lines.push(b'\n');
    };
    let mut header = json!({"summary": summary, "description": ""});
    if let Some(parent) = parent {
        header["parentCommit"] = parent.into();
    }
    add("header", header);
    let mut inline = 0;
    for one in missing {
        match one {
            Missing::Small(file) => {
                let content = file.content()?;
                inline += content.len() as u64;
                add("file", json!({"path": file.path, "content": BASE64.encode(content), "encoding": "base64"}));
            }
            Missing::Large(file, oid) => {
                add("lfsFile", json!({"path": file.path, "algo": "sha256", "oid": oid, "size": file.size}));
            }
        }
    }
    gone.iter().for_each(|path| add("deletedFile", json!({"path": path})));
    Ok((lines, inline))
}
