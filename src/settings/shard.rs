//! `--shard`: from the settings of a run to those of a part of it that is made apart.

use super::Settings;
use super::error::Diagnostics;
use super::table as keys;
use super::values::Values;
use crate::domain::Shard;
use crate::output::Files;
use std::path::{Path, PathBuf};

/// The folder of shards in the output folder of their run.
const NAME: &str = "shards";

/// Where the shards of a run with this output folder lie by default.
pub fn folder_of_shards(output: &Path) -> PathBuf {
    output.join(NAME)
}

/// Where a shard of a run with this output folder has its own.
fn folder_of_shard(output: &Path, shard: Shard) -> PathBuf {
    let Shard { index, count } = shard;
    let digits = count.to_string().len();
    output.join(NAME).join(format!("{index:0digits$}-of-{count}"))
}

/// Where what a merge of shards makes anew has its folder.
pub fn folder_of_rest(output: &Path) -> PathBuf {
    output.join(NAME).join("rest")
}

/// Makes the settings of a run those of one shard of it: its share of the conversations and of the budget, in a folder of its
/// own.
pub(super) fn apply(shard: Shard, settings: &mut Settings, values: &Values, report: &mut Diagnostics) {
    let key = keys::SEED;
    if settings.plan.seed.is_none() {
        let text = format!("`{key}` is empty, and all shards of a run must have the same: set it to any number");
        report.conflict(&[key.path], values.place(key), text);
    }
    let key = keys::FILES;
    if !settings.output.files.has(Files::CONVERSATIONS) {
        let text = format!("`{key}` leaves `{}` out, from which shards are merged: add it", Files::CONVERSATIONS);
        report.conflict(&[key.path], values.place(key), text);
    }
    let key = keys::REUSE_FROM;
    if settings.reuse_from.is_some() {
        let text =
            format!("`{key}` names a run of the output folder, and a shard has a folder of its own: leave it empty");
        report.conflict(&[key.path], values.place(key), text);
    }
    settings.total_samples = shard.share(settings.total_samples);
    settings.budget = settings.budget.shared_out(shard.count);
    settings.output.folder = folder_of_shard(&settings.output.folder, shard);
    settings.logs = settings.logs.join(format!("shard-{}-of-{}", shard.index, shard.count));
    settings.shard = Some(shard);
}
