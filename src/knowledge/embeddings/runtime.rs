//! ONNX Runtime: the library that runs models, found and loaded when it is needed.

use super::model::cache_folder;
use crate::knowledge::KnowledgeError;
use ort::environment::Environment;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The variable that names the library.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The folder of the library in the cache folder.
pub(super) const FOLDER: &str = "onnxruntime";

/// What the library's name begins with on this system.
const NAME: &str = if cfg!(windows) { "onnxruntime.dll" } else { "libonnxruntime" };

/// The one that was loaded: a process has one.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// Loads the library, once in a process.
///
/// # Errors
/// When it is not where it is looked for, or can't be loaded.
pub(in crate::knowledge) fn load(configured: Option<&Path>) -> Result<Environment, KnowledgeError> {
    let path = find(configured)?;
    let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, environment)) = loaded.as_ref() {
        return Ok(environment.clone());
    }
    let wrong = |cause: String| KnowledgeError::Runtime { path: path.clone(), cause };
    let builder = ort::environment::init_from(&path).map_err(|error| wrong(error.to_string()))?;
    let environment = builder.build().map_err(|error| wrong(error.to_string()))?;
    *loaded = Some((path, environment.clone()));
    Ok(environment)
}

/// Where the library is: where the settings say, else the environment, else in the cache folder.
pub(super) fn find(configured: Option<&Path>) -> Result<PathBuf, KnowledgeError> {
    if let Some(path) = configured {
        return Ok(path.to_owned());
    }
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let folder = cache_folder().map(|folder| folder.join(FOLDER));
    let found = folder.as_ref().and_then(|folder| newest_in(folder));
    found.ok_or_else(|| {
        let looked = folder.map_or_else(String::new, |folder| format!(", nor in {}", folder.display()));
        KnowledgeError::Missing(format!("ONNX Runtime, which runs embedding models: it is not in {VARIABLE}{looked}"))
    })
}

/// The library in a folder; of several the last by name, which is the newest.
pub(super) fn newest_in(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|path| is_library(path)).max()
}

/// Whether a file is the library, by its name.
pub(super) fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let shared = [".so", ".dylib", ".dll"].iter().any(|ending| name.contains(ending));
    name.starts_with(NAME) && shared && !name.contains("providers")
}
