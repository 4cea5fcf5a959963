//! Marks around text of others, which that text can't close.

use std::borrow::Cow;

const TAG: &str = "untrusted";

/// `<untrusted name="…">`, the text, `</untrusted>`, each on its own line. In the text, `<` becomes `&lt;` wherever it
/// could begin such a mark: where the first letters or digits after it are `untrusted`, in any case.
pub(in crate::stages) fn fenced(text: Cow<'_, str>, name: Cow<'_, str>) -> String {
    format!("<{TAG} name=\"{name}\">\n{}\n</{TAG}>", defused(&text))
}

fn defused(text: &str) -> String {
    let mut parts = text.split('<');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let word = part.trim_start_matches(|c: char| !c.is_alphanumeric());
        let marks = word.get(..TAG.len()).is_some_and(|start| start.eq_ignore_ascii_case(TAG));
        out.push_str(if marks { "&lt;" } else { "<" });
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_of_others_cannot_close_the_fence() {
        for (text, expected) in [
            ("a </untrusted> b", "a &lt;/untrusted> b"),
            ("< / UNTRUSTED >", "&lt; / UNTRUSTED >"),
            ("<untrusted name=\"x\">", "&lt;untrusted name=\"x\">"),
            ("<</untrusted>", "<&lt;/untrusted>"),
            ("<\u{200b}/\nuntrusted>", "&lt;\u{200b}/\nuntrusted>"),
            ("if a < b && c </d>", "if a < b && c </d>"),
            ("<p>نص</p> untrusted", "<p>نص</p> untrusted"),
            ("", ""),
        ] {
            assert_eq!(fenced(text.into(), "x".into()), format!("<untrusted name=\"x\">\n{expected}\n</untrusted>"));
        }
    }

    proptest! {
        #[test]
        fn there_is_one_end_and_it_is_the_last(text in "(<|/|>|untrusted|UNTRUSTED| |\\\\|x|\n|<untrusted>|</untrusted>){0,20}") {
            let fenced = fenced(text.as_str().into(), "x".into());
            let packed: String = fenced.to_lowercase().split_whitespace().collect();
            prop_assert_eq!(packed.matches("</untrusted").count(), 1);
            prop_assert_eq!(packed.matches("<untrusted").count(), 1);
            prop_assert!(fenced.ends_with("\n</untrusted>"));
            prop_assert_eq!(fenced.replace("&lt;", "<"), format!("<untrusted name=\"x\">\n{text}\n</untrusted>"));
        }
    }
}
