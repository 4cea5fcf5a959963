//! What is done with the tree of a configuration before its keys are read.

use super::error::{Diagnostics, Location};
use super::expand::expand;
use super::renames::current;
use super::table::POSTGRES_DSN;
use crate::domain::yaml::{Located, Node};
use std::collections::{BTreeMap, BTreeSet};

impl Located {
    /// Reports keys that a mapping holds twice.
    pub(super) fn report_duplicates(&self, path: &str, source: &Location, report: &mut Diagnostics) {
        let mut seen = BTreeSet::new();
        for (name, value) in self.entries() {
            let child = join(path, &name.text);
            if !seen.insert(&name.text) {
                let text = format!("`{child}` is given twice; keep one");
                report.problem(&child, source.at(name.line, name.column), text);
            }
            value.report_duplicates(&child, source, report);
        }
        if let Node::List(items) = &self.node {
            items.iter().for_each(|item| item.report_duplicates(path, source, report));
        }
    }

    /// Replaces `${VAR}` in texts; `$${` stands for `${`.
    pub(super) fn expand(
        &mut self,
        path: &str,
        env: &BTreeMap<String, String>,
        source: &Location,
        report: &mut Diagnostics,
    ) {
        let (line, column) = (self.line, self.column);
        match &mut self.node {
            // Where it is not used, what it refers to need not be there.
            Node::Text { .. } if current(path) == POSTGRES_DSN.path => {}
            Node::Text { text, expanded } => match expand(text, env) {
                Ok(Some((new, replaced))) => (*text, *expanded) = (new, replaced),
                Ok(None) => {}
                Err(why) => report.problem(path, source.at(line, column), format!("`{path}`: {why}")),
            },
            Node::List(items) => items.iter_mut().for_each(|item| item.expand(path, env, source, report)),
            Node::Mapping(entries) => {
                for (name, value) in entries {
                    value.expand(&join(path, &name.text), env, source, report);
                }
            }
            Node::Null | Node::Boolean(_) | Node::Number(_) => {}
        }
    }
}

/// A key below a dotted path; the path is empty at the top.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::yaml::tree;

    #[test]
    fn duplicates_are_all_found() {
        let source = Location::File { name: "c.yaml".into(), line: 0, column: 0 };
        let mut report = Diagnostics::default();
        tree("a: 1\nb: {c: 1, c: 2}\na: 3\n").unwrap().report_duplicates("", &source, &mut report);
        assert_eq!(
            report.finish().unwrap_err().to_string(),
            "2 problems in the configuration:\n  `b.c` is given twice; keep one (c.yaml:2:11)\n  \
             `a` is given twice; keep one (c.yaml:3:1)"
        );
    }
}
