//! Faults put into answers in known ways, by which it is seen what a judge tells.

use crate::domain::calibration::Spoil;
use unicode_segmentation::UnicodeSegmentation;

/// Fewest words of a sentence that can stand for an answer.
const WORDS: usize = 6;

/// A refusal and a text about nothing in particular, in each language; those of other languages are English.
const TEXTS: [(&str, &str, &str); 5] = [
    (
        "en",
        "I'm sorry, but I can't help with that request.",
        "It depends on the circumstances, and those who want to know more should ask somebody who has done it before.",
    ),
    (
        "fr",
        "Je suis désolé, mais je ne peux pas répondre à cette demande.",
        "Cela dépend des circonstances, et qui veut en savoir plus doit demander à quelqu'un qui l'a déjà fait.",
    ),
    (
        "de",
        "Es tut mir leid, aber ich kann bei dieser Anfrage nicht helfen.",
        "Das hängt von den Umständen ab, und wer mehr wissen will, sollte jemanden fragen, der es schon getan hat.",
    ),
    (
        "es",
        "Lo siento, pero no puedo ayudar con esa petición.",
        "Depende de las circunstancias, y quien quiera saber más debería preguntar a alguien que ya lo haya hecho.",
    ),
    (
        "ar",
        "آسف، لكن لا أستطيع المساعدة في هذا الطلب.",
        "يتوقف الأمر على الظروف، ومن أراد أن يعرف المزيد فليسأل شخصا سبق له أن فعل ذلك.",
    ),
];

/// An answer with this fault in it; none where it can't have it: without numbers none can be changed. The language is that of
/// the answer, by its code; `other` is the text of another document.
pub(super) fn spoiled(spoil: Spoil, (question, answer): (&str, &str), other: &str, language: &str) -> Option<String> {
    let texts = |wanted: &str| TEXTS.iter().find(|(code, ..)| *code == wanted);
    let text = match spoil {
        Spoil::Numbers => answer.chars().map(changed).collect(),
        Spoil::OtherPassage => sentence(other)?,
        Spoil::Echo => question.to_owned(),
        Spoil::Refusal => texts(language).or_else(|| texts("en"))?.1.to_owned(),
        Spoil::OtherLanguage => texts(if language == "fr" { "en" } else { "fr" })?.2.to_owned(),
    };
    Some(text).filter(|text| text != answer)
}

/// Another digit in the place of a digit, never a zero: what a number begins with stays one.
fn changed(c: char) -> char {
    let of = |zero: char| {
        let digit = c as u32 - zero as u32;
        char::from_u32(zero as u32 + (digit + 3) % 9 + 1).unwrap_or(c)
    };
    match c {
        '0'..='9' => of('0'),
        '٠'..='٩' => of('٠'),
        '۰'..='۹' => of('۰'),
        other => other,
    }
}

/// The first sentence of some length, headings aside.
fn sentence(text: &str) -> Option<String> {
    let prose: Vec<&str> = text.lines().filter(|line| !line.starts_with(['#', '|'])).collect();
    let prose = prose.join(" ");
    let mut sentences = prose.unicode_sentences().map(str::trim);
    sentences.find(|sentence| sentence.unicode_words().count() >= WORDS).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::language;
    use super::*;
    use crate::domain::Language;

    #[test]
    fn answers_are_spoiled_in_every_language() {
        for (code, question, answer, numbers, other) in [
            (
                "en",
                "When is it dried?",
                "Within 24 hours, at 80 °C.",
                "Within 68 hours, at 34 °C.",
                "Steam keeps the crust of a loaf soft.",
            ),
            ("fr", "Quand sèche-t-il ?", "En 9 heures.", "En 4 heures.", "La vapeur garde la croûte du pain souple."),
            (
                "de",
                "Wann wird er getrocknet?",
                "Binnen 1.240 Stunden.",
                "Binnen 5.684 Stunden.",
                "Dampf hält die Kruste des Brotes weich.",
            ),
            ("es", "¿Cuándo se seca?", "En 7 horas.", "En 2 horas.", "El vapor mantiene blanda la corteza del pan."),
            ("ar", "متى يجفف؟", "خلال ٢٤ ساعة.", "خلال ٦٨ ساعة.", "يحافظ البخار على قشرة الرغيف طرية في الفرن."),
        ] {
            let document = format!("# Heading\n\n{other} More.");
            let of = |spoil| spoiled(spoil, (question, answer), &document, code).unwrap_or_default();
            assert_eq!(of(Spoil::Numbers), numbers);
            assert_eq!(of(Spoil::OtherPassage), other);
            assert_eq!(of(Spoil::Echo), question);
            assert!(super::super::faults::refuses(&of(Spoil::Refusal)), "{code}");
            assert!(language::wrong(&of(Spoil::OtherLanguage), &Language::of(code)).is_some(), "{code}");
            assert_eq!(language::wrong(&of(Spoil::Refusal), &Language::of(code)), None, "{code}");
        }
        let no = |spoil| spoiled(spoil, ("Why?", "Because."), "Short.", "en");
        assert_eq!((no(Spoil::Numbers), no(Spoil::OtherPassage)), (None, None));
    }
}
