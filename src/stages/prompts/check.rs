//! Finds variables that a template names and its task doesn't have, also where the sample tasks don't lead.

use super::{PromptError, Prompts, TEXT, names};
use crate::domain::Task;
use std::collections::BTreeSet;

/// Refuses the task's templates if they name a variable unknown to them.
pub(super) fn variables(prompts: &Prompts, task: &Task) -> Result<(), PromptError> {
    let variables = super::variables(task);
    let mut known: Vec<String> = variables.try_iter().into_iter().flatten().map(|key| key.to_string()).collect();
    known.sort();
    let globals: BTreeSet<&str> = prompts.environment.globals().map(|(name, _)| name).collect();
    let text = matches!(task, Task::Ask(_)).then_some(TEXT);
    for name in names(task).into_iter().chain(text) {
        let template = prompts.environment.get_template(name).map_err(|error| prompts.template_error(name, &error))?;
        let named: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
        let unknown = named.into_iter().find(|variable| !known.contains(variable) && !globals.contains(&**variable));
        if let Some(variable) = unknown {
            let line = line_of(template.source(), &variable);
            return Err(PromptError::Variable { file: prompts.file(name), line, variable, known });
        }
    }
    Ok(())
}

/// The first line where a tag of the template names the variable; 1 if none does.
fn line_of(source: &str, variable: &str) -> usize {
    let inside = |at: usize| {
        let last = |marks: [&str; 2]| marks.iter().filter_map(|mark| source[..at].rfind(mark)).max();
        last(["{{", "{%"]) > last(["}}", "%}"])
    };
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: usize| {
        !source[..at].ends_with(|c| part_of_word(c) || c == '.')
            && !source[at + variable.len()..].starts_with(part_of_word)
    };
    source
        .match_indices(variable)
        .find(|(at, _)| whole(*at) && inside(*at))
        .map_or(1, |(at, _)| source[..at].matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_where_a_tag_names_the_variable() {
        for (source, expected) in [
            ("x\n{{ x }}", 2),
            ("{{ y }} x\n{{ y.x }}\n{% if xx or\nx %}{% endif %}", 4),
            ("x", 1),
            ("{% set y = 1 %}\n\n{{ y ~ x }}", 3),
        ] {
            assert_eq!(line_of(source, "x"), expected, "{source}");
        }
    }
}
