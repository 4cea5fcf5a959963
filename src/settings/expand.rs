//! `${VAR}` in texts.

use std::collections::BTreeMap;

/// The text with its references replaced, and whether there was one; none when there is nothing to do.
pub(super) fn expand(text: &str, env: &BTreeMap<String, String>) -> Result<Option<(String, bool)>, String> {
    if !text.contains("${") {
        return Ok(None);
    }
    let (mut new, mut rest, mut replaced) = (String::new(), text, false);
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        rest = &reference[2..];
        if let Some(before) = before.strip_suffix('$') {
            new.push_str(before);
            new.push_str("${");
            continue;
        }
        let malformed = "`${` starts no variable like `${NAME}`; write `$${` for the characters themselves";
        let (name, after) = rest.split_once('}').filter(|(name, _)| is_variable(name)).ok_or(malformed)?;
        let unset =
            || format!("environment variable {name} is not set; set it, or write `$${{{name}}}` for the text itself");
        new.push_str(before);
        new.push_str(env.get(name).ok_or_else(unset)?);
        (rest, replaced) = (after, true);
    }
    new.push_str(rest);
    Ok(Some((new, replaced)))
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_are_expanded() {
        let env = BTreeMap::from([("A".to_owned(), "x".to_owned()), ("_B1".to_owned(), String::new())]);
        for (text, expected) in [
            ("plain $A", Ok(None)),
            ("${A}", Ok(Some(("x".to_owned(), true)))),
            ("<${A}-${_B1}-${A}>", Ok(Some(("<x--x>".to_owned(), true)))),
            ("$${A}", Ok(Some(("${A}".to_owned(), false)))),
            ("${A}$${A}$", Ok(Some(("x${A}$".to_owned(), true)))),
            ("${C}", Err("environment variable C is not set; set it, or write `$${C}` for the text itself")),
            ("${A", Err("`${` starts no variable like `${NAME}`; write `$${` for the characters themselves")),
            ("${}", Err("`${` starts no variable like `${NAME}`; write `$${` for the characters themselves")),
            ("${1A}", Err("`${` starts no variable like `${NAME}`; write `$${` for the characters themselves")),
        ] {
            assert_eq!(expand(text, &env), expected.map_err(str::to_owned), "{text}");
        }
    }

    proptest! {
        #[test]
        fn escaping_gives_back_any_text(text in "[a${}A ]{0,12}") {
            prop_assume!(!text.contains("$${"));
            let escaped = text.replace("${", "$${");
            let back = expand(&escaped, &BTreeMap::new()).unwrap().map_or(escaped, |(new, _)| new);
            prop_assert_eq!(back, text);
        }
    }
}
