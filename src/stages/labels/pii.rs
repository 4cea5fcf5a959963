//! Data about persons in a message: addresses of e-mail, and numbers of telephones, payment cards and bank accounts.
//!
//! Numbers of cards and accounts have check digits, by which they are told from other numbers. Those of telephones have
//! none: only what is written as one is taken for one, with its country or as one country writes them.

use crate::domain::findings::PersonalData;

/// The kinds of data about persons that a message holds, each once.
pub(super) fn kinds(message: &str) -> Vec<PersonalData> {
    let text: String = message.chars().map(western).collect();
    let [mut has_card, mut has_phone] = [false; 2];
    for (before, run) in runs(&text) {
        let digits: Vec<u8> = run.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
        if is_card(run, &digits) {
            has_card = true;
        } else {
            has_phone |= is_phone(before, run, &digits);
        }
    }
    let found = [
        (PersonalData::Email, text.split_whitespace().any(is_email)),
        (PersonalData::Phone, has_phone),
        (PersonalData::Card, has_card),
        (PersonalData::Iban, has_iban(&text)),
    ];
    found.into_iter().filter(|(_, is_there)| *is_there).map(|(kind, _)| kind).collect()
}

/// A digit of Arabic or Persian as one of ASCII; blanks and dashes that look alike as one of them.
fn western(c: char) -> char {
    match c {
        '٠'..='٩' => char::from(b'0' + (c as u32 - '٠' as u32) as u8),
        '۰'..='۹' => char::from(b'0' + (c as u32 - '۰' as u32) as u8),
        '\u{a0}' | '\u{202f}' | '\u{2007}' | '\u{2009}' => ' ',
        '\u{2010}' | '\u{2011}' => '-',
        other => other,
    }
}

/// Whether a chunk between blanks is an address of e-mail, punctuation around it aside.
fn is_email(chunk: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-');
    let Some((before, after)) = chunk.split_once('@') else { return false };
    let local = before.rsplit(|c| !is_part(c)).next().unwrap_or_default();
    let domain = after.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-'))).next().unwrap_or_default();
    let domain = domain.trim_end_matches(['.', '-']);
    let ending = domain.rsplit_once('.').map_or("", |(_, ending)| ending);
    !local.is_empty()
        && ending.chars().count() >= 2
        && ending.chars().all(char::is_alphabetic)
        && !domain.starts_with('.')
}

/// Runs of digits with the marks that part them in numbers, each with what stands before it.
fn runs(text: &str) -> impl Iterator<Item = (Option<char>, &str)> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '+');
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(is_part)?;
        let end = text[start..].find(|c| !is_part(c)).map_or(text.len(), |length| start + length);
        rest = end;
        let run = text[start..end].trim_start_matches([' ', '-', '.', '/', ')']);
        Some((text[..end - run.len()].chars().next_back(), run.trim_end_matches([' ', '-', '.', '/', ')', '(', '+'])))
    })
}

/// Whether a run is the number of a payment card: 13 to 19 digits, alone or in groups, whose last one is that of Luhn's algorithm.
fn is_card(run: &str, digits: &[u8]) -> bool {
    let is_grouped = run.split([' ', '-']).all(|group| (3..=19).contains(&group.len()) && is_digits(group));
    (13..=19).contains(&digits.len()) && is_grouped && matches!(digits[0], 2..=6) && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |(at, digit): (usize, &u8)| match (at % 2, digit * 2) {
        (0, _) => u32::from(*digit),
        (_, twice) => u32::from(twice / 10 + twice % 10),
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a run is written as the number of a telephone: with its country (`+49 30 1234567`), in five pairs from 0 as in
/// France, as `(555) 123-4567` or `555-123-4567`, or with an area from 0 in brackets or before a slash as in Germany.
fn is_phone(before: Option<char>, run: &str, digits: &[u8]) -> bool {
    if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, ',' | '=' | '$' | '€' | '£')) {
        return false;
    }
    let groups: Vec<&str> = run.split([' ', '-', '.']).collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let all = groups.iter().all(|group| is_digits(group));
    let area = |open: &str, close: char| run.strip_prefix(open).and_then(|rest| rest.split_once(close));
    let is_number = |text: &str, least: usize| {
        text.bytes().filter(u8::is_ascii_digit).count() >= least
            && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'))
    };
    let is_international = run.starts_with('+') && (9..=15).contains(&digits.len()) && digits[0] != 0;
    let is_french = all && lengths == [2; 5] && digits.len() == 10 && digits[0] == 0;
    let is_american = all && lengths == [3, 3, 4] && run.contains(['-', '.']) && digits[0] > 1;
    let in_brackets = area("(", ')').is_some_and(|(area, rest)| {
        is_digits(area)
            && (2..=6).contains(&area.len())
            && (area.starts_with('0') || area.len() == 3)
            && is_number(rest, 6)
    });
    let before_slash = area("0", '/')
        .is_some_and(|(area, rest)| is_digits(area) && (2..=5).contains(&area.len()) && is_number(rest, 6));
    is_international || is_french || is_american || in_brackets || before_slash
}

/// Whether a text holds an IBAN: two letters, two check digits, and 11 to 30 letters and digits, of remainder 1 by 97 (ISO 13616).
fn has_iban(text: &str) -> bool {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let begins = |word: &&str| {
        let bytes = word.as_bytes();
        bytes.len() >= 4 && bytes[..2].iter().all(u8::is_ascii_uppercase) && bytes[2..4].iter().all(u8::is_ascii_digit)
    };
    let starts = words.iter().enumerate().filter(|(_, word)| begins(word)).map(|(at, _)| at);
    starts.into_iter().any(|start| {
        let mut number = String::new();
        words[start..]
            .iter()
            .take_while(|word| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
            .any(|word| {
                number.push_str(word);
                (15..=34).contains(&number.len()) && remainder(&number) == 1
            })
    })
}

fn remainder(number: &str) -> u32 {
    let turned = number[4..].bytes().chain(number[..4].bytes());
    turned.fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use super::PersonalData::{Card, Email, Iban, Phone};
    use super::*;

    #[test]
    fn data_about_persons_are_told() {
        for (message, expected) in [
            ("Write to anna.k@example.org.", &[Email][..]),
            ("Écrivez à <marie.curie+labo@université.fr>, merci.", &[Email]),
            ("راسلنا على info@example.com أو اتصل بالرقم +٢١٢ ٥٢٢ ٣٤ ٥٦ ٧٨.", &[Email, Phone]),
            ("Call +49 30 901820 or (030) 901820.", &[Phone]),
            ("Appelez le 01 44 50 20 00.", &[Phone]),
            ("Llame al +34 912 345 678.", &[Phone]),
            ("Call 555-123-4567 or (555) 123-4567.", &[Phone]),
            ("Telefon: 030/90182099", &[Phone]),
            ("Die Karte 4111 1111 1111 1111 läuft ab.", &[Card]),
            ("5500-0000-0000-0004", &[Card]),
            ("IBAN DE89 3704 0044 0532 0130 00, bitte.", &[Iban]),
            ("El IBAN es ES9121000418450200051332.", &[Iban]),
        ] {
            assert_eq!(kinds(message), expected, "{message}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for message in [
            "From 1914-1918 and 1939-1945, in 1,240 places.",
            "It costs 12 345 678 901 euros, or 3.141592653589793.",
            "On 2024-05-17 at 12:30, version 10.15.7, 192.168.100.200.",
            "Die Nummer 4111 1111 1111 1112 ist falsch.",
            "ISBN 978-3-16-148410-0, DOI 10.1000/182.",
            "GB00 is no account, and DE89 3704 0044 0532 0130 01 is wrong.",
            "Mix 100 - 200 - 3000 ml, between 20 and 30 (50 to 60) percent; 10 20 30 40 50.",
            "Follow @anna, mail me @ home or user@localhost.",
            "في عام ١٩٤٥ كان العدد ١٢٣٤٥٦٧٨٩٠.",
            "+5 degrees, +12345678 points, 0/1 or 01/02/2024.",
            "",
        ] {
            assert_eq!(kinds(message), [], "{message}");
        }
    }
}
