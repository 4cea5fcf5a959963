//! From a tree to a layer: known keys with values that fit, everything else to the report.

use super::check;
use super::error::{Diagnostics, Location};
use super::forbidden;
use super::items;
use super::keys::{self, Key};
use super::layers::{Entry, Layer};
use super::legacy::{self, Leaf};
use super::renames::{self, Wins, renamed, warning};
use super::tree::join;
use crate::domain::yaml::{Located, Node};

/// The values of one file or flag.
pub(super) fn read(root: &Located, source: &Location, defaults: &Layer, report: &mut Diagnostics) -> Layer {
    forbidden::report(root, source, report);
    let leaves = leaves(root, source, report);
    legacy::settle(leaves, defaults, report)
}

/// The known keys that a file gives with values that fit, in its order.
pub(super) fn leaves(root: &Located, source: &Location, report: &mut Diagnostics) -> Vec<Leaf> {
    let mut reading = SectionReader { source, report, leaves: Vec::new() };
    reading.section(root, "", "", None);
    reading.leaves
}

/// A walk from the sections of a tree down to its keys.
struct SectionReader<'a> {
    source: &'a Location,
    report: &'a mut Diagnostics,
    leaves: Vec<Leaf>,
}

impl SectionReader<'_> {
    /// Reads a section, `written` in the file and meaning `path`.
    fn section(&mut self, node: &Located, written: &str, path: &str, old: Option<Wins>) {
        let place = self.source.at(node.line, node.column);
        match &node.node {
            Node::Mapping(entries) => {
                for (name, value) in entries {
                    let place = self.source.at(name.line, name.column);
                    self.entry(value, join(written, &name.text), join(path, &name.text), old, place);
                }
            }
            Node::Null => {
                for key in keys::below(path) {
                    self.leaf(key, node, written, old);
                }
            }
            _ => {
                let text = format!("`{written}`: found {}, wanted a mapping", check::found(node));
                self.report.problem(path, place, text);
            }
        }
    }

    fn entry(&mut self, node: &Located, written: String, path: String, old: Option<Wins>, place: Location) {
        if forbidden::is_forbidden(&written) {
            return;
        }
        let renamed = renamed(&path);
        if let Some((new, _)) = renamed {
            self.report.warn(warning(&written, new));
        }
        let old = renamed.map(|(_, wins)| wins).or(old);
        let path = renamed.map_or(path, |(new, _)| new.to_owned());
        if let Some(key) = keys::find(&path) {
            self.leaf(key, node, &written, old);
        } else if keys::below(&path).next().is_some() || renames::is_section(&path) {
            self.section(node, &written, &path, old);
        } else {
            let hint = match keys::nearest(&path) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "config/default.yaml lists every key".to_owned(),
            };
            self.report.problem(&path, place, format!("unknown key `{written}`; {hint}"));
        }
    }

    fn leaf(&mut self, key: &'static Key, node: &Located, written: &str, old: Option<Wins>) {
        let place = self.source.at(node.line, node.column);
        match check::value(key.path, key.kind, node) {
            Ok(value) => {
                let Some(value) = items::checked(key, value, Some(node), &place, self.report) else { return };
                let entry = Entry { value, place };
                self.leaves.push(Leaf { key, written: written.to_owned(), entry, old });
            }
            Err(why) => self.report.problem(key.path, place, why),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::settings::layers::tests::merged;

    #[test]
    fn what_is_wrong_is_named() {
        for (text, env, flags, error) in [
            (
                "run:\n  batchsize: 3\n",
                &[][..],
                &[][..],
                "unknown key `run.batchsize`; did you mean `run.batch_size`? (c.yaml:2:3)",
            ),
            (
                "run:\n  turns:\n    maxi: 3\n",
                &[],
                &[],
                "unknown key `run.turns.maxi`; did you mean `run.turns.max`? (c.yaml:3:5)",
            ),
            ("qqq: 1\n", &[], &[], "unknown key `qqq`; config/default.yaml lists every key (c.yaml:1:1)"),
            ("run: 5\n", &[], &[], "`run`: found the number 5, wanted a mapping (c.yaml:1:6)"),
            (
                "run:\n  batch_size: many\n",
                &[],
                &[],
                "`run.batch_size`: found text `many`, wanted an integer (c.yaml:2:15)",
            ),
            (
                "run: {batch_size: 1, batch_size: 2}",
                &[],
                &[],
                "`run.batch_size` is given twice; keep one (c.yaml:1:22)",
            ),
            (
                "run: {run_id: '${NOPE}'}",
                &[],
                &[],
                "`run.run_id`: environment variable NOPE is not set; set it, or write `$${NOPE}` for the text itself (c.yaml:1:15)",
            ),
            (
                "",
                &[("BATCH_SIZE", "many")],
                &[],
                "`run.batch_size`: found text `many`, wanted an integer (environment variable BATCH_SIZE)",
            ),
            (
                "",
                &[],
                &["run.batchsize=3"],
                "unknown key `run.batchsize`; did you mean `run.batch_size`? (--set run.batchsize)",
            ),
            (
                "",
                &[],
                &["run.batch_size=x"],
                "`run.batch_size`: found text `x`, wanted an integer (--set run.batch_size)",
            ),
            (
                "",
                &[],
                &["run.batch_size"],
                "`--set run.batch_size` must have the form `--set key.path=value` (--set run.batch_size)",
            ),
            (
                "",
                &[],
                &["run.batch_size.x=3"],
                "`run.batch_size`: found a mapping, wanted an integer (--set run.batch_size.x)",
            ),
        ] {
            assert_eq!(merged(text, env, flags).1.unwrap_err(), error);
        }
    }

    #[test]
    fn references_take_the_type_of_their_key() {
        let env = &[("K", "7"), ("NAME", "no")];
        let (values, outcome) = merged("tools: {retrieval: {top_k: '${K}'}}\nrun: {run_id: 'a-${NAME}'}", env, &[]);
        assert_eq!(outcome, Ok(vec![]));
        assert_eq!(values["tools.retrieval.top_k"].value, 7);
        assert_eq!(values["run.run_id"].value, "a-no");
    }
}
