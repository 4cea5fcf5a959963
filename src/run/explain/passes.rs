//! What passes of the judge were replied about a conversation.

use super::super::{RunError, judging};
use super::{ExplainedReply, reply};
use crate::domain::Slot;
use crate::files::Folder;
use crate::store::Run;

/// The replies to the passes that judged the conversation of this slot, in the order of the passes; and the passes whose replies
/// may as well be about the conversation that another run has in the same slot, which their journals do not tell apart.
pub fn replies(folder: &Folder, run: &Run, slot: Slot) -> Result<(Vec<ExplainedReply>, Vec<String>), RunError> {
    let (mut replies, mut unclear) = (Vec::new(), Vec::new());
    for pass in folder.passes.iter().filter(|pass| judging::is_about(pass, &run.id)) {
        let kept = folder.store.replies_of(&pass.id, slot)?;
        if kept.is_empty() {
            continue;
        }
        let mut has_other = false;
        for other in folder.runs.iter().filter(|other| other.id != run.id && judging::is_about(pass, &other.id)) {
            has_other |= folder.store.settled(&other.id)?.iter().any(|one| one.slot == slot && one.document > 0);
        }
        match has_other {
            true => unclear.push(pass.id.clone()),
            false => replies.extend(kept.iter().map(|kept| reply(kept, &pass.id))),
        }
    }
    Ok((replies, unclear))
}
