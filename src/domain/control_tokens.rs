//! Words that chat templates give a meaning of their own.

/// Control tokens that do not follow a pattern: those of Llama 2, Mistral, Gemma and Qwen.
const FIXED: &[&str] = &[
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "<<SYS>>",
    "<</SYS>>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_CALLS]",
    "[/TOOL_CALLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
];

/// Control tokens that end what a model says.
const ENDS: &[&str] = &[
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|endofturn|>",
    "<|END_OF_TURN_TOKEN|>",
    "[|endofturn|]",
    "<end_of_turn>",
    "<turn|>",
    "<eos>",
    "</s>",
    "<｜end▁of▁sentence｜>",
];

/// Bytes of the longest name between bars, `<|name|>`.
const LONGEST: usize = 64;

/// A text without control tokens of chat templates, and how many there were; nothing where there are none. A blank goes
/// in front of and behind the name of each, so that readers still know it and no tokenizer does: `<|im_start|>` becomes
/// `<| im_start |>`, `[/INST]` becomes `[ /INST ]`. They are the names between bars (`<|…|>`, also with one bar, with
/// the full-width bars of DeepSeek, and in the brackets of EXAONE), `<s>`, `<<SYS>>`, `[INST]`, `<start_of_turn>`,
/// `<tool_call>`, `<think>` and their like.
///
/// ```
/// use dlgforge::domain::control_tokens::neutralised;
///
/// assert_eq!(neutralised("Say <s>."), Some(("Say < s >.".to_owned(), 1)));
/// assert_eq!(neutralised("x <| y |> z, a[b], <b>bold</b>"), None);
/// ```
pub fn neutralised(text: &str) -> Option<(String, usize)> {
    let (mut safe, mut copied, mut count) = (String::new(), 0, 0);
    for (at, _) in text.match_indices(['<', '[']) {
        if at < copied {
            continue;
        }
        if let Some((open, name, close)) = token(&text[at..]) {
            safe.push_str(&text[copied..at]);
            safe.extend([open, " ", name, " ", close]);
            copied = at + open.len() + name.len() + close.len();
            count += 1;
        }
    }
    safe.push_str(&text[copied..]);
    (count > 0).then_some((safe, count))
}

/// A text without the control tokens at its very end, and the white space in front of them: a server that hands out what
/// ends a reply has slipped.
///
/// ```
/// use dlgforge::domain::control_tokens::without_end;
///
/// assert_eq!(without_end("So it is. <|im_end|>\n</s>"), "So it is.");
/// assert_eq!(without_end("<|im_end|> ends a turn.\n"), "<|im_end|> ends a turn.\n");
/// ```
pub fn without_end(text: &str) -> &str {
    let mut rest = text;
    while let Some(cut) = ENDS.iter().find_map(|end| rest.trim_end().strip_suffix(end)) {
        rest = cut.trim_end();
    }
    rest
}

/// The token that a text starts with: what opens it, its name, what closes it.
fn token(text: &str) -> Option<(&str, &str, &str)> {
    if let Some(fixed) = FIXED.iter().find(|token| text.starts_with(**token)) {
        let edge = if fixed.starts_with("<<") { 2 } else { 1 };
        return Some((&text[..edge], &text[edge..fixed.len() - edge], &text[fixed.len() - edge..fixed.len()]));
    }
    let end = if text.starts_with('<') { '>' } else { ']' };
    let is_bar = |letter: char| matches!(letter, '|' | '｜');
    let inner = &text[1..];
    let named = inner.trim_start_matches(is_bar);
    let opening = inner.len() - named.len();
    let stops = |letter: char| is_bar(letter) || letter.is_whitespace() || matches!(letter, '<' | '>' | '[' | ']');
    let name = &named[..named.find(stops)?];
    let rest = &named[name.len()..];
    let last = rest.trim_start_matches(is_bar);
    let closing = rest.len() - last.len();
    // With a bar on one side only it is one of Gemma's; brackets have two.
    let has_bars = if end == '>' { opening + closing > 0 } else { opening > 0 && closing > 0 };
    let is_token = has_bars && last.starts_with(end) && (1..=LONGEST).contains(&name.len());
    let [open, name_end] = [1 + opening, 1 + opening + name.len()];
    is_token.then(|| (&text[..open], &text[open..name_end], &text[name_end..name_end + closing + 1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_tokens_are_parted_and_counted() {
        for (text, safe, count) in [
            ("a<|im_start|>system\nb<|im_end|>", "a<| im_start |>system\nb<| im_end |>", 2),
            (
                "<|start_header_id|>user<|end_header_id|><|eot_id|>",
                "<| start_header_id |>user<| end_header_id |><| eot_id |>",
                3,
            ),
            ("<｜begin▁of▁sentence｜>x<｜User｜>", "<｜ begin▁of▁sentence ｜>x<｜ User ｜>", 2),
            (
                "<s>[INST] <<SYS>>\nx\n<</SYS>> y [/INST] z </s>",
                "< s >[ INST ] << SYS >>\nx\n<< /SYS >> y [ /INST ] z < /s >",
                6,
            ),
            ("<start_of_turn>user<end_of_turn>", "< start_of_turn >user< end_of_turn >", 2),
            ("<|turn>user\nx<turn|>", "<| turn >user\nx< turn |>", 2),
            ("[|assistant|]<tool_call>{}</tool_call>", "[| assistant |]< tool_call >{}< /tool_call >", 3),
            ("<|<|im_end|>|im_end|>", "<|<| im_end |>|im_end|>", 1),
        ] {
            assert_eq!(neutralised(text), Some((safe.to_owned(), count)));
        }
    }

    #[test]
    fn what_only_resembles_them_stays() {
        for text in [
            "",
            "f <| x |> y",
            "if a<b || c>d [x] | y",
            "<span>, <strong>, <S>, <sup>",
            "[link](x), [inst], [ ], [|",
            "<|>, <||>, Vec<u8>, x[1|2]",
            &format!("<|{}|>", "x".repeat(65)),
        ] {
            assert_eq!(neutralised(text), None, "{text}");
        }
    }

    #[test]
    fn what_ends_a_text_is_known_as_a_token() {
        for end in ENDS {
            assert_eq!(neutralised(end).map(|(_, count)| count), Some(1), "{end}");
            assert_eq!(without_end(&format!("{end} a{end}\n{end}{end} ")), format!("{end} a"));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_and_nothing_but_blanks_is_added(
            parts in prop::collection::vec(prop_oneof![
                "[<>|｜\\[\\]/ ]{1,3}",
                prop::sample::select(vec!["s", "im_end", "INST", "SYS", "begin▁of▁sentence"]).prop_map(str::to_owned),
                prop::sample::select(FIXED.to_vec()).prop_map(str::to_owned),
            ], 0..20),
        ) {
            let text = parts.concat();
            if let Some((safe, _)) = neutralised(&text) {
                prop_assert_eq!(neutralised(&safe), None);
                prop_assert_eq!(safe.replace(' ', ""), text.replace(' ', ""));
            }
        }
    }
}
