//! Old spellings and what they are called now.

use super::keys;

/// Which spelling counts when a file holds both with different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wins {
    /// The old one replaces the new one.
    Old,
    /// The new one, unless it only repeats the default.
    New,
}

/// An old key or section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rename {
    pub old: &'static str,
    pub new: &'static str,
    pub wins: Wins,
}

const fn over(old: &'static str, new: &'static str) -> Rename {
    Rename { old, new, wins: Wins::Old }
}

const fn under(old: &'static str, new: &'static str) -> Rename {
    Rename { old, new, wins: Wins::New }
}

/// Old names of sections; those of keys stand with the keys.
const SECTIONS: &[Rename] = &[
    over("ray", "run.distributed.ray"),
    under("retrieval", "tools.retrieval"),
    under("llm.agents.qa_generator", "llm.agents.user"),
    under("llm.agents.kb_responder", "llm.agents.assistant"),
    under("llm.agents.qa_judge", "llm.agents.judge"),
];

/// Every former path of a key or a section, with the path that it has now.
pub(super) fn all() -> impl Iterator<Item = Rename> {
    let keys = keys::all().flat_map(|key| {
        let (wins, old) = key.old;
        old.iter().map(move |old| Rename { old, new: key.path, wins })
    });
    SECTIONS.iter().copied().chain(keys)
}

/// What an old key or section is called now.
pub(super) fn renamed(path: &str) -> Option<(&'static str, Wins)> {
    all().find(|rename| rename.old == path).map(|rename| (rename.new, rename.wins))
}

/// A path with what old keys and sections of it are called now in their place.
pub(super) fn current(path: &str) -> String {
    let renamed = |path: &String| {
        all().find_map(|Rename { old, new, .. }| {
            let rest = path.strip_prefix(old).filter(|rest| rest.is_empty() || rest.starts_with('.'))?;
            Some(format!("{new}{rest}"))
        })
    };
    std::iter::successors(Some(path.to_owned()), renamed).last().unwrap_or_default()
}

/// Whether old keys lie below this section.
pub(super) fn is_section(path: &str) -> bool {
    all().any(|rename| keys::is_below(rename.old, path))
}

/// The warning for an old spelling.
pub(super) fn warning(old: &str, new: &str) -> String {
    format!("DEPRECATED: `{old}` is now `{new}`.")
}
