//! Numbers of answers against known texts, in five languages and in every format that is read.

use super::*;
use proptest::prelude::*;

#[test]
fn numbers_of_the_known_texts_are_supported() {
    for (answer, known) in [
        // English
        ("It takes 7 days.", "It takes seven days."),
        ("At 1,240 m, or 1240 metres.", "The pass lies at 1.240 m."),
        ("About 1.24 million people", "1,240,000 inhabitants"),
        ("1,240,000 people", "some 1.24 million people"),
        ("a 25% share", "twenty-five percent"),
        ("The 1st and the 2nd", "one or two"),
        ("from 9:30 to 17:00", "opens at 9.30, closes at 17:00"),
        ("on 2024-05-01", "2024, 5, 1"),
        ("1. Mix.\n2. Wait 5 minutes.\n3) Bake.", "Wait 5 minutes."),
        ("**Step 1:** mix\n**Step 2:** bake", ""),
        ("- 1. one\n## 2. two", ""),
        ("error E04 of P1 over IPv6 with Qwen2.5, GPT-4 and 8f3a9c", ""),
        ("a 2x3 grid of 5km", "2 by 3, 5 kilometres"),
        ("1/2 of it", "one of two"),
        ("−5 °C, or +5", "5 degrees"),
        ("5k users", "5,000 users"),
        ("1,00,000 rupees", "100000 rupees"),
        ("3.50 euros", "3.5 euros"),
        ("version 2.5.1", "2.5.1"),
        ("192.168.0.1", "at 192.168.0.1"),
        ("20°C", "20 °C"),
        ("it was 1998.", "(1998)"),
        ("5–10 days", "between 5 and 10 days"),
        // French
        ("Il faut 1 240 euros.", "1240 €"),
        ("1\u{202f}240,50 €", "1240.5 euros"),
        ("97 pages", "quatre-vingt-dix-sept pages"),
        ("à 9h30", "9 h 30"),
        ("Étape 2 : cuire", ""),
        ("3,5 millions", "3 500 000"),
        // German
        ("Es sind 1.240,5 km.", "1,240.5 km"),
        ("25 Tage", "fünfundzwanzig Tage"),
        ("1’240 Franken", "1240 Franken"),
        ("2 Mio. Euro", "zwei Millionen Euro"),
        ("am 24.12.2024", "24 12 2024"),
        ("am 24. Dezember um 9 Uhr 30", "am 24.12. um 9.30 Uhr"),
        // Spanish
        ("Son 1.240,50 €, el 25 % del total.", "1240.5 euros; veinticinco por ciento"),
        ("En 1998 había 3,5 millones", "(1998) 3 500 000 personas"),
        ("1. Mezclar.\n2. Hornear 40 minutos.", "Hornear cuarenta minutos."),
        // Arabic
        ("٧ أيام", "سبعة أيام"),
        ("7 أيام", "٧ أيام"),
        ("١٬٢٤٠٫٥", "1,240.5"),
        ("۱۲ سال", "12"),
        ("خلال 25 يوما و10 ساعات", "خمسة وعشرون يوما و١٠ ساعات"),
        ("١. اخلط\n٢. اخبز", ""),
        ("25٪", "25 %"),
    ] {
        assert_eq!(unsupported(answer, &[known]), [""; 0], "{answer} / {known}");
    }
}

#[test]
fn numbers_of_no_known_text_are_named_as_written() {
    for (answer, known, expected) in [
        ("It takes 8 days, at most 9 days, at least 8.", "seven days", &["8", "9"][..]),
        ("In 1,240 of 2,500 cases", "2500 cases", &["1,240"]),
        ("7.", "", &["7"]),
        ("5.3", "5 and 3", &["5.3"]),
        ("Il faut 1 240 euros.", "12 40", &["1 240"]),
        ("v. 2.5.1", "2.5.0", &["1"]),
        ("on 2024-05-17", "May 2024, 5", &["17"]),
        ("Es dauert 3,5 Stunden", "3 Stunden", &["3,5"]),
        ("٧ أيام", "ثلاثة أيام", &["٧"]),
        ("و10 ساعات", "", &["10"]),
        ("It rose 12% to 3 million", "3 million", &["12"]),
        ("a 4K screen of 27 inches", "27", &["4"]),
        ("約20公里", "", &["20"]),
        ("Son 1.240 €, el 25 %", "1.240 €", &["25"]),
    ] {
        assert_eq!(unsupported(answer, &[known]), expected, "{answer} / {known}");
    }
}

#[test]
fn every_known_text_counts() {
    assert_eq!(unsupported("1, 2, 3 and 4", &["1", "two", "drei"]), ["4"]);
    assert_eq!(unsupported("1, 2", &[]), ["1", "2"]);
}

/// A number in one of the formats that are read.
fn written(number: u32, format: usize) -> String {
    let grouped = |separator: &str| {
        let digits = number.to_string();
        let head = digits.len() % 3;
        let mut groups: Vec<&str> = if head == 0 { Vec::new() } else { vec![&digits[..head]] };
        groups.extend((head..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
        groups.join(separator)
    };
    let with_digits = |zero: u32| {
        let digit = |c: char| char::from_u32(zero + c.to_digit(10).unwrap_or_default()).unwrap_or(c);
        number.to_string().chars().map(digit).collect::<String>()
    };
    match format {
        0 => number.to_string(),
        1 => grouped(","),
        2 => grouped("."),
        3 => grouped(" "),
        4 => grouped("\u{202f}"),
        5 => grouped("'"),
        6 => grouped("٬"),
        7 => with_digits(0x660),
        8 => with_digits(0x6f0),
        9 => format!("{number}.0"),
        10 => format!("-{number}%"),
        _ => format!("{number} km"),
    }
}

proptest! {
    #[test]
    fn a_known_number_is_supported_in_any_format(number in any::<u32>(), known in 0_usize..12, answered in 0_usize..12) {
        let text = format!("It is {}, they say", written(number, known));
        let answer = format!("So it is {}!", written(number, answered));
        prop_assert_eq!(unsupported(&answer, &[&text]), Vec::<String>::new());
    }

    #[test]
    fn an_answer_is_supported_by_itself(text in "[0-9a-zA-Z .,٣٫٬'\n:/x_-]{0,40}") {
        prop_assert_eq!(unsupported(&text, &[&text]), Vec::<String>::new());
    }

    #[test]
    fn no_text_makes_it_panic(answer in ".{0,40}", known in ".{0,40}") {
        unsupported(&answer, &[&known]);
    }
}
