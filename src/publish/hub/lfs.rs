//! Uploads large files by the batch API of Git LFS, whole or in parts, and only those that the Hub does not have.
//!
//! The Hub takes such uploads for all its repositories, and moves them into its Xet storage itself.

use super::error::HubError;
use super::files::LocalFile;
use super::repository::BRANCH;
use super::requests::Client;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The type of requests and replies of Git LFS.
const JSON: &str = "application/vnd.git-lfs+json";
/// Files that are uploaded at a time.
const UPLOADS: usize = 4;
/// Bytes whose places are asked for at a time, unless one file has more: the addresses are good for an hour or so.
const NEGOTIATED: u64 = 2 << 30;

/// A large file, and the SHA-256 of its bytes.
pub(super) struct LargeFile<'a> {
    /// The file to upload.
    pub file: &'a LocalFile,
    /// Its digest in hexadecimal digits.
    pub oid: &'a str,
}

#[derive(Serialize)]
struct Batch<'a> {
    operation: &'static str,
    transfers: [&'static str; 2],
    objects: Vec<Object<'a>>,
    hash_algo: &'static str,
    r#ref: Reference,
}

#[derive(Serialize)]
struct Object<'a> {
    oid: &'a str,
    size: u64,
}

#[derive(Serialize)]
struct Reference {
    name: &'static str,
}

#[derive(Deserialize)]
struct Negotiated {
    objects: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Actions {
    #[serde(default)]
    upload: Option<Action>,
    #[serde(default)]
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    /// Headers of the request; of an upload in parts, `chunk_size` and the address of each part by its number.
    #[serde(default)]
    header: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Problem {
    message: String,
}

#[derive(Serialize)]
struct Complete<'a> {
    oid: &'a str,
    parts: Vec<Sent>,
}

#[derive(Serialize)]
struct Sent {
    #[serde(rename = "partNumber")]
    part_number: usize,
    etag: String,
}

/// Uploads those of the files that the Hub does not have, and tells how many bytes that were; `told` hears of each of them.
///
/// # Errors
/// When a file can't be read, or the Hub does not take it.
pub(super) async fn upload(
    client: &Client,
    files: &[LargeFile<'_>],
    told: &(dyn Fn(&str) + Sync),
) -> Result<u64, HubError> {
    let by_oid: BTreeMap<&str, &LargeFile<'_>> = files.iter().map(|file| (file.oid, file)).collect();
    let mut rest: Vec<&LargeFile<'_>> = by_oid.values().copied().collect();
    let mut sent = 0;
    while !rest.is_empty() {
        let mut size = 0;
        let fit = rest.iter().take_while(|large| {
            size += large.file.size;
            size <= NEGOTIATED
        });
        let fit = fit.count().max(1);
        let group: Vec<_> = rest.drain(..fit).collect();
        let places = negotiate(client, &group).await?;
        let uploads = places.iter().filter_map(|(place, actions)| {
            let large = by_oid.get(place.as_str())?;
            Some(transfer(client, large, actions, told))
        });
        let bytes: Vec<u64> = stream::iter(uploads).buffer_unordered(UPLOADS).try_collect().await?;
        sent += bytes.iter().sum::<u64>();
    }
    Ok(sent)
}

/// Where the files go that the Hub does not have, by their digests.
async fn negotiate(client: &Client, files: &[&LargeFile<'_>]) -> Result<Vec<(String, Actions)>, HubError> {
    const WHAT: &str = "ask where large files go";
    let request = Batch {
        operation: "upload",
        transfers: ["basic", "multipart"],
        objects: files.iter().map(|large| Object { oid: large.oid, size: large.file.size }).collect(),
        hash_algo: "sha256",
        r#ref: Reference { name: BRANCH },
    };
    let to = (Method::POST, client.repository.lfs());
    let negotiated: Negotiated = client
        .ask(WHAT, (to.0, &to.1), |sent| sent.header(ACCEPT, JSON).header(CONTENT_TYPE, JSON).json(&request))
        .await?;
    let mut places = Vec::new();
    for place in negotiated.objects {
        if let Some(problem) = place.error {
            let path = files.iter().find(|large| large.oid == place.oid).map_or("a file", |large| &large.file.path);
            return Err(HubError::Reply { what: format!("upload {path}"), cause: problem.message });
        }
        places.extend(place.actions.map(|actions| (place.oid, actions)));
    }
    Ok(places)
}

/// Uploads a file, and tells how many bytes that were.
async fn transfer(
    client: &Client,
    LargeFile { file, oid }: &LargeFile<'_>,
    actions: &Actions,
    told: &(dyn Fn(&str) + Sync),
) -> Result<u64, HubError> {
    let Some(upload) = &actions.upload else { return Ok(0) };
    let what = format!("upload {}", file.path);
    told(&format!("uploading {} ({} bytes)", file.path, file.size));
    let none = BTreeMap::new();
    let header = upload.header.as_ref().unwrap_or(&none);
    let wrong = |cause: &str| HubError::Reply { what: what.clone(), cause: cause.to_owned() };
    match header.get("chunk_size") {
        None => {
            let headers = headers(header).ok_or_else(|| wrong("headers that are none"))?;
            client.put(&what, (&upload.href, file.size), &headers, || file.body(0..file.size)).await?;
        }
        Some(size) => {
            let size: u64 =
                size.parse().ok().filter(|size| *size > 0).ok_or_else(|| wrong("a chunk_size that is none"))?;
            let numbered = header.iter().filter_map(|(key, url)| Some((key.parse::<usize>().ok()?, url)));
            let urls: BTreeMap<usize, &String> = numbered.collect();
            if !urls.keys().copied().eq(1..=urls.len()) || urls.len() as u64 != file.size.div_ceil(size) {
                return Err(wrong("other parts than the file has"));
            }
            let mut parts = Vec::with_capacity(urls.len());
            for ((part_number, url), start) in urls.into_iter().zip((0u64..).map(|part| part * size)) {
                let end = (start + size).min(file.size);
                let what = format!("{what}, part {part_number}");
                let sent = client.put(&what, (url, end - start), &HeaderMap::new(), || file.body(start..end)).await?;
                let etag = etag(&sent).ok_or_else(|| wrong("a part without an ETag"))?;
                parts.push(Sent { part_number, etag });
            }
            let href = client.repository.reached(&upload.href);
            let complete = Complete { oid, parts };
            client
                .send(&what, (Method::POST, &href), |sent| {
                    sent.header(ACCEPT, JSON).header(CONTENT_TYPE, JSON).json(&complete)
                })
                .await?;
        }
    }
    if let Some(verify) = &actions.verify {
        let href = client.repository.reached(&verify.href);
        let object = Object { oid, size: file.size };
        client.send(&format!("have {} verified", file.path), (Method::POST, &href), |sent| sent.json(&object)).await?;
    }
    Ok(file.size)
}

fn headers(of: &BTreeMap<String, String>) -> Option<HeaderMap> {
    of.iter()
        .map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
        .collect()
}

fn etag(response: &Response) -> Option<String> {
    Some(response.headers().get(ETAG)?.to_str().ok()?.to_owned()).filter(|etag| !etag.is_empty())
}
