//! Finds the numbers of a text: where they end, what their separators may mean, and whether they are numbers at all.

use super::spelled;
use crate::domain::Script;

/// A number of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// As written.
    pub(super) text: String,
    /// What it may be worth; empty for a date or a version, which is several numbers.
    pub(super) readings: Vec<String>,
    /// The numbers it may be instead; empty for one that can only be one number.
    pub(super) parts: Vec<Part>,
    /// Whether it states something: not the number of a list item, and not a piece of a word or an identifier.
    pub(super) counts: bool,
}

/// One of several numbers that are written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// As written.
    pub(super) text: String,
    /// What it is worth.
    pub(super) value: String,
}

/// The zeros of the decimal digits that are read: Western, Arabic-Indic, Persian, Devanagari, Bengali, full width.
const ZEROS: [u32; 6] = [0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xff10];

fn digit(c: char) -> Option<char> {
    let of = |zero: &u32| (u32::from(c)).checked_sub(*zero).filter(|digit| *digit < 10);
    char::from_digit(ZEROS.iter().find_map(of)?, 10)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

/// The numbers of a text, in order.
pub(super) fn numbers(text: &str) -> Vec<Found> {
    let chars: Vec<char> = text.chars().collect();
    let mut found: Vec<Found> = Vec::new();
    // Where the last number that counts ended: what is joined to it by `x` or `h` counts too.
    let mut counted = None;
    let mut at = 0;
    while at < chars.len() {
        if digit(chars[at]).is_none() {
            at += 1;
            continue;
        }
        let (groups, end) = span(&chars, at);
        let counts = !is_item(&chars, at, end) && stands_alone(&chars, at, end, counted);
        if counts {
            counted = Some(end);
        }
        found.push(read(&chars, &groups, end, counts));
        at = end;
    }
    found
}

/// The groups of digits of a number that starts here, each with its start and end, and where the number ends.
fn span(chars: &[char], start: usize) -> (Vec<(usize, usize)>, usize) {
    let run = |from: usize| from + chars[from..].iter().take_while(|c| digit(**c).is_some()).count();
    let mut end = run(start);
    let mut groups = vec![(start, end)];
    while let (Some(separator), Some(true)) = (chars.get(end), chars.get(end + 1).map(|c| digit(*c).is_some())) {
        let next = run(end + 1);
        let before = end - groups[groups.len() - 1].0;
        let spaced = next - end == 4 && (before == 3 || (groups.len() == 1 && before < 3));
        let joins = match separator {
            '.' | ',' | '٫' | '٬' => true,
            '\'' | '’' => spaced,
            c => is_space(*c) && spaced,
        };
        if !joins {
            break;
        }
        groups.push((end + 1, next));
        end = next;
    }
    (groups, end)
}

fn read(chars: &[char], groups: &[(usize, usize)], end: usize, counts: bool) -> Found {
    let text = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    let digits: Vec<String> =
        groups.iter().map(|(from, to)| chars[*from..*to].iter().filter_map(|c| digit(*c)).collect()).collect();
    let separators: Vec<char> = groups[1..].iter().map(|(from, _)| chars[from - 1]).collect();
    let mut readings = readings(&digits, &separators);
    let scales = scales(chars, end);
    let scaled: Vec<String> =
        scales.iter().flat_map(|zeros| readings.iter().map(|reading| shifted(reading, *zeros))).collect();
    readings.extend(scaled);
    let spaced = separators.iter().any(|separator| is_space(*separator));
    // 9.30 may be a time and 24.12 a day.
    let dated = separators == ['.'] && digits[0].len() <= 2 && digits[1].len() == 2;
    let parts = if readings.is_empty() || spaced || dated {
        let parts = groups.iter().zip(&digits);
        parts.map(|((from, to), digits)| Part { text: text(*from, *to), value: value(digits, "") }).collect()
    } else {
        Vec::new()
    };
    Found { text: text(groups[0].0, end), readings, parts, counts }
}

/// What groups of digits are worth together: with separators of thousands, with a decimal one at the end, or both.
fn readings(digits: &[String], separators: &[char]) -> Vec<String> {
    let mut readings = Vec::new();
    if is_grouped(digits, separators) {
        readings.push(value(&digits.concat(), ""));
    }
    if let Some((last, before)) = separators.split_last()
        && matches!(last, '.' | ',' | '٫')
        && !before.contains(last)
        && let Some((fraction, whole)) = digits.split_last()
        && is_grouped(whole, before)
    {
        readings.push(value(&whole.concat(), fraction));
    }
    readings
}

/// Whether digits are grouped by thousands, or as in India by hundreds above them (`1,00,000`).
fn is_grouped(digits: &[String], separators: &[char]) -> bool {
    let Some(first) = separators.first() else { return digits.len() == 1 };
    let (head, rest) = (&digits[0], &digits[1..]);
    let inner = &rest[..rest.len() - 1];
    let even = |most: usize| head.len() <= most && inner.iter().all(|group| group.len() == most);
    separators.iter().all(|separator| separator == first)
        && *first != '٫'
        && head.chars().any(|c| c != '0')
        && rest[rest.len() - 1].len() == 3
        && (even(3) || (even(2) && *first == ','))
}

/// A number in the form in which equal numbers are equal texts.
fn value(whole: &str, fraction: &str) -> String {
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// A value times ten to this power.
fn shifted(value_: &str, zeros: usize) -> String {
    let (whole, fraction) = value_.split_once('.').unwrap_or((value_, ""));
    let padded = format!("{fraction:0<zeros$}");
    value(&format!("{whole}{}", &padded[..zeros]), &padded[zeros..])
}

/// Powers of ten that the word or letter after a number may multiply it by: "million", "k".
fn scales(chars: &[char], end: usize) -> Vec<usize> {
    let gap = chars[end..].iter().take(2).take_while(|c| is_space(**c) || **c == '-').count();
    let word: String = chars[end + gap..].iter().take_while(|c| c.is_alphabetic()).take(20).collect();
    let short = match word.as_str() {
        "k" | "K" | "tsd" | "Tsd" => Some(3),
        "M" | "m" | "mn" | "Mio" | "mio" => Some(6),
        "B" | "bn" | "Mrd" | "mrd" | "Md" => Some(9),
        _ => None,
    };
    let word = spelled::value(&word.to_lowercase()).filter(|value| *value >= 1_000 && is_power_of_ten(*value));
    short.into_iter().chain(word.map(|value| value.ilog10() as usize)).collect()
}

fn is_power_of_ten(value: u64) -> bool {
    value.to_string().trim_end_matches('0') == "1"
}

/// Whether a number is no piece of a word or an identifier (`E04`, `IPv6`, `GPT-4`, `8f3a`). A unit or an ending may
/// follow it (`5km`, `1st`), and `x`, `h` or `T` may join it to another (`2x3`, `9h30`).
fn stands_alone(chars: &[char], start: usize, end: usize, counted: Option<usize>) -> bool {
    let before = |back: usize| start.checked_sub(back).and_then(|at| chars.get(at)).copied();
    if before(1).is_some_and(is_name) {
        let joined = counted.is_some_and(|counted| counted + 1 == start);
        return joined && before(1).is_some_and(|c| matches!(c, 'x' | 'X' | 'h' | 'H' | 'T'));
    }
    if before(1).is_some_and(|c| matches!(c, '-' | '.' | '#' | '@')) && before(2).is_some_and(is_name) {
        return false;
    }
    let suffix = chars[end..].iter().take_while(|c| is_name(**c)).count();
    let goes_on = chars.get(end + suffix).is_some_and(|c| digit(*c).is_some());
    let joins = suffix == 1 && matches!(chars[end], 'x' | 'X' | 'h' | 'H' | 'T');
    !chars[end..end + suffix].contains(&'_') && (suffix == 0 || !goes_on || joins)
}

/// Letters of the scripts whose words take digits into themselves. Arabic and Chinese words only touch them.
fn is_name(c: char) -> bool {
    c == '_' || matches!(Script::of(c), Some(Script::Latin | Script::Cyrillic | Script::Greek))
}

/// Whether a number numbers an item: at the start of a line, after at most one word ("Step 2:"), before a mark.
fn is_item(chars: &[char], start: usize, end: usize) -> bool {
    let line = chars[..start].iter().rposition(|c| *c == '\n').map_or(0, |at| at + 1);
    if end - start > 2 || start - line > 40 {
        return false;
    }
    let before: String = chars[line..start].iter().collect();
    let marks = |c: char| c.is_whitespace() || matches!(c, '*' | '-' | '•' | '>' | '#' | '_' | '(' | '[');
    let word = before.trim_matches(marks);
    let after: Vec<char> = chars[end..].iter().copied().filter(|c| *c != '*').take(3).collect();
    let closes = match (after.first(), after.get(1)) {
        (Some(')' | ']'), next) => next.is_none_or(|c| !c.is_alphanumeric()),
        (Some('.' | ':' | '-' | '–'), Some(next)) => next.is_whitespace() && after.len() > 2,
        (Some(space), Some(':')) => is_space(*space),
        _ => false,
    };
    closes && (word.is_empty() || (word.chars().all(char::is_alphabetic) && before.ends_with(marks)))
}
