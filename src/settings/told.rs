//! Values of settings in the words of a manifest, where they are no plain ones.

use super::{Settings, digest};
use crate::providers::AgentOptions;
use crate::stages::Accept;
use serde_json::Value;

/// The text of a value; empty where there is none.
pub(super) fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The digest of `extra`, which is not told as it is: what stands in it is the user's own business.
pub(super) fn extra(agent: &AgentOptions) -> String {
    digest(Value::Object(agent.extra.clone()).to_string().as_bytes())
}

/// What `judge.accept.require` says.
pub(super) fn required(settings: &Settings) -> String {
    let accept = &settings.judge.accept;
    let required = [("question_ok", accept.question_ok), ("answer_ok", accept.answer_ok)];
    required.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

/// What `judge.accept.on_fail` says.
pub(super) fn on_fail(accept: &Accept) -> &'static str {
    match accept {
        Accept { repairs: 1.., .. } => "repair",
        Accept { regenerations: 1.., .. } => "regenerate",
        Accept { drop: true, .. } => "drop",
        _ => "keep",
    }
}

/// The output folder from the root: rows tell of files from there.
pub(super) fn output_dir(settings: &Settings) -> String {
    let folder = &settings.output.folder;
    folder.strip_prefix(&settings.root).map_or_else(
        |_| folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        |inside| inside.to_string_lossy().into_owned(),
    )
}
