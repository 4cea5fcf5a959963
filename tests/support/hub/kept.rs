//! What the Hub makes of each request: repositories, uploads, commits, lists.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

impl Kept {
    pub(super) fn create(&mut self, wanted: &Value) -> Answer {
        let text = |key: &str| wanted[key].as_str().unwrap_or_default();
        if text("organization") != "me" {
            return Answer::refused(403, "You don't have the rights to create a repository there");
        }
        if text("type") == "space" && text("sdk").is_empty() {
            return Answer::refused(400, "a space needs an sdk");
        }
        let name = format!("{}s/{}/{}", text("type"), text("organization"), text("name"));
        if self.repos.contains_key(&name) {
            return Answer::refused(409, "You already created this repo");
        }
        let mut repo = Repo { is_private: wanted["private"] == true, ..Repo::default() };
        repo.files.insert(".gitattributes".to_owned(), b"*.parquet filter=lfs\n".to_vec());
        repo.commit("initial commit");
        self.repos.insert(name.clone(), repo);
        Answer::json(200, &json!({"url": name}))
    }

    pub(super) fn preupload(&mut self, name: &str, wanted: &Value) -> Answer {
        let Some(repo) = self.repos.get(name) else { return Answer::refused(404, "Repository not found") };
        let files = wanted["files"].as_array().cloned().unwrap_or_default();
        if files.len() > 256 {
            self.problems.push(format!("{} files at once", files.len()));
        }
        let mode = |file: &Value| {
            let path = file["path"].as_str().unwrap_or_default();
            let is_large = path.ends_with(".parquet") || file["size"].as_u64() > Some(10 << 20);
            let there = repo.files.get(path).map(|content| {
                if repo.large.contains(path) { hex(&Sha256::digest(content)) } else { git_oid(content) }
            });
            json!({
                "path": path, "uploadMode": if is_large { "lfs" } else { "regular" }, "shouldIgnore": path.ends_with(".log"),
                "oid": there,
            })
        };
        Answer::json(200, &json!({"files": files.iter().map(mode).collect::<Vec<_>>()}))
    }

    pub(super) fn batch(&mut self, wanted: &Value, root: &str, part: usize) -> Answer {
        let objects = wanted["objects"].as_array().cloned().unwrap_or_default();
        let place = |object: &Value| {
            let (oid, size) = (object["oid"].as_str().unwrap_or_default(), object["size"].as_u64().unwrap_or_default());
            let mut place = object.clone();
            if self.objects.contains_key(oid) {
                return place;
            }
            let upload = if size as usize > part {
                let mut header = json!({"chunk_size": part.to_string()});
                for number in 1..=(size as usize).div_ceil(part) {
                    header[format!("{number:05}")] = format!("{root}/storage/{oid}/{number}").into();
                }
                json!({"href": format!("https://huggingface.co/lfs/complete/{oid}"), "header": header})
            } else {
                json!({"href": format!("{root}/storage/{oid}"), "header": {"x-storage": "yes"}})
            };
            place["actions"] = json!({"upload": upload, "verify": {"href": format!("{root}/lfs/verify")}});
            place
        };
        Answer::json(200, &json!({"transfer": "basic", "objects": objects.iter().map(place).collect::<Vec<_>>()}))
    }

    pub(super) fn store(&mut self, oid: &str, content: &[u8]) -> Answer {
        if hex(&Sha256::digest(content)) != oid {
            self.problems.push(format!("{oid}: another content"));
            return Answer::refused(400, "another content");
        }
        if self.objects.insert(oid.to_owned(), content.to_vec()).is_some() {
            self.problems.push(format!("{oid}: uploaded twice"));
        }
        Answer::json(200, &json!({}))
    }

    pub(super) fn complete(&mut self, oid: &str, wanted: &Value) -> Answer {
        let mut whole = Vec::new();
        for (sent, number) in wanted["parts"].as_array().into_iter().flatten().zip(1..) {
            let part = self.parts.get(&(oid.to_owned(), number)).cloned().unwrap_or_default();
            let etag = format!("\"{}\"", hex(&Sha256::digest(&part)));
            if sent["partNumber"] != number || sent["etag"] != etag {
                self.problems.push(format!("{oid}: part {number} is {sent}"));
            }
            whole.extend(part);
        }
        self.store(oid, &whole)
    }

    pub(super) fn commit(&mut self, name: &str, body: &[u8]) -> Answer {
        let Some(repo) = self.repos.get_mut(name) else { return Answer::refused(404, "Repository not found") };
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<Value> = lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect();
        let Some((header, changes)) = lines.split_first() else { return Answer::refused(400, "an empty commit") };
        let header = &header["value"];
        match header["parentCommit"].as_str() {
            Some(parent) if parent == repo.head() => {}
            Some(_) => return Answer::refused(412, "A commit has happened since. Please refresh and try again."),
            None => self.problems.push("a commit without a parent".to_owned()),
        }
        if changes.is_empty() {
            self.problems.push("a commit of nothing".to_owned());
        }
        for change in changes {
            let text = |key: &str| change["value"][key].as_str().unwrap_or_default();
            let path = text("path").to_owned();
            match change["key"].as_str().unwrap_or_default() {
                "file" => {
                    repo.large.remove(&path);
                    repo.files.insert(path, BASE64.decode(text("content")).expect("base64"));
                }
                "lfsFile" => match self.objects.get(text("oid")) {
                    Some(object) if change["value"]["size"] == object.len() && text("algo") == "sha256" => {
                        repo.large.insert(path.clone());
                        repo.files.insert(path, object.clone());
                    }
                    _ => return Answer::refused(400, "a large file that was not uploaded"),
                },
                "deletedFile" => {
                    if repo.files.remove(&path).is_none() {
                        self.problems.push(format!("{path}: removed, and it was not there"));
                    }
                }
                other => self.problems.push(format!("`{other}` in a commit")),
            }
        }
        repo.commit(header["summary"].as_str().unwrap_or_default());
        Answer::json(200, &json!({"success": true, "commitOid": repo.head(), "commitUrl": "", "hookOutput": ""}))
    }

    pub(super) fn tree(&self, name: &str, folder: &str, query: &str, root: &str) -> Answer {
        let Some(repo) = self.repos.get(name) else { return Answer::refused(404, "Repository not found") };
        let is_deep = query.contains("recursive=true");
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut entries = BTreeMap::new();
        for (path, content) in &repo.files {
            let Some(inside) = path.strip_prefix(&prefix) else { continue };
            let (path, entry) = match inside.split_once('/') {
                Some((inner, _)) if !is_deep => {
                    let path = format!("{prefix}{inner}");
                    (
                        path.clone(),
                        json!({"type": "directory", "path": path, "size": 0, "oid": git_oid(path.as_bytes())}),
                    )
                }
                _ => {
                    let entry = json!({"type": "file", "path": path, "size": content.len(), "oid": git_oid(content)});
                    (path.clone(), entry)
                }
            };
            entries.insert(path, entry);
        }
        let cursor = query.split('&').find_map(|part| part.strip_prefix("cursor=")?.parse().ok()).unwrap_or(0);
        let is_last = cursor + PAGE >= entries.len();
        let page = entries.into_values().skip(cursor).take(PAGE).collect::<Vec<_>>();
        let answer = Answer::json(200, &page.into());
        if is_last {
            return answer;
        }
        let next = format!("{root}/api/{name}/tree/main/{folder}?recursive={is_deep}&cursor={}", cursor + PAGE);
        answer.with("link", format!("<{next}>; rel=\"next\""))
    }

    pub(super) fn information(&self, name: &str) -> Answer {
        let Some(repo) = self.repos.get(name) else {
            return Answer::refused(404, "Repository not found").with("x-error-code", "RepoNotFound");
        };
        let siblings: Vec<_> = repo.files.keys().map(|path| json!({"rfilename": path})).collect();
        let id = name.split_once('/').map_or(name, |(_, id)| id);
        Answer::json(
            200,
            &json!({
                "id": id, "sha": repo.head(), "private": repo.is_private, "tags": [], "downloads": 0, "likes": 0,
                "siblings": siblings,
            }),
        )
    }

    pub(super) fn file(&self, name: &str, path: &str) -> Answer {
        let Some(repo) = self.repos.get(name) else {
            return Answer::refused(404, "Repository not found").with("x-error-code", "RepoNotFound");
        };
        let Some(content) = repo.files.get(path) else {
            return Answer::refused(404, "Entry not found")
                .with("x-error-code", "EntryNotFound")
                .with("x-repo-commit", repo.head());
        };
        let etag = format!("\"{}\"", hex(&Sha256::digest(content)));
        let answer = Answer { status: 200, headers: Vec::new(), body: content.clone() };
        answer.with("etag", etag).with("x-repo-commit", repo.head()).with("content-type", "application/octet-stream")
    }
}
