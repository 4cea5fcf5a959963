//! A persona as a clause: `a museum guide` of `Museum Guide | patient, exact | …`.

use super::languages::{Language, detect};

/// Endings of English words for people by what they do.
const AGENTS: &str =
    "er or ist ian ant ent yst ive al ate ic vet nurse chef cook clerk guide pilot judge coach host midwife";

/// The persona's name as it follows `as` in a sentence; none when it does not read naturally there: a name in another
/// language, a proper name, or more than four words.
pub(super) fn clause(persona: &str, language: &Language) -> Option<String> {
    let name = persona.split(" | ").next().unwrap_or_default().trim();
    let words: Vec<&str> = name.split_whitespace().collect();
    let plain =
        (1..=4).contains(&words.len()) && name.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\''));
    if !plain || detect(persona)? != language {
        return None;
    }
    match language.sheet.code.as_str() {
        "en" => english(&words),
        "de" => Some(name.to_owned()),
        _ => {
            let proper = words.iter().skip(1).any(|word| word.starts_with(char::is_uppercase));
            (!proper).then(|| name.to_lowercase())
        }
    }
}

fn english(words: &[&str]) -> Option<String> {
    let lower = |word: &&str| {
        let acronym = word.len() > 1 && word.chars().all(char::is_uppercase);
        if acronym { (*word).to_owned() } else { word.to_lowercase() }
    };
    let name = words.iter().map(lower).collect::<Vec<_>>().join(" ");
    let head = name.split(" of ").next().unwrap_or(&name);
    let agent = AGENTS.split_whitespace().any(|ending| head.ends_with(ending));
    let vowel = name.to_lowercase().starts_with(['a', 'e', 'i', 'o', 'u'])
        && !["uni", "use", "eu", "one"].iter().any(|y| name.starts_with(y));
    agent.then(|| format!("{} {name}", if vowel { "an" } else { "a" }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::languages::find;
    use super::*;

    #[test]
    fn only_roles_of_the_language_become_clauses() {
        for (code, persona, wanted) in [
            ("en", "Healthcare Practitioner | calm | asks about the risks of it", Some("a healthcare practitioner")),
            ("en", "Urban Planner | calm | writes in the form of lists", Some("an urban planner")),
            ("en", "IT Administrator | dry | is short with the answers", Some("an IT administrator")),
            ("en", "Parent of a newborn | tired | asks what to do at once", Some("a parent of a newborn")),
            ("en", "Maria Lopez | calm | asks about the risks of it", None),
            ("en", "Infirmier | calme | pose des questions sur la santé et les soins", None),
            ("fr", "Infirmier | calme | pose des questions sur la santé et les soins", Some("infirmier")),
            ("de", "Imkerin | ruhig | fragt nach dem, was in der Praxis zählt", Some("Imkerin")),
            ("fr", "Healthcare Practitioner | calm | asks about the risks of it", None),
            ("en", "", None),
        ] {
            assert_eq!(clause(persona, find(code).unwrap()).as_deref(), wanted, "{code} {persona}");
        }
    }
}
