//! An answer that says that the answer is not known.

use super::super::faults::phrase;

/// Words at the start of an answer that are looked at: what comes later qualifies an answer that was given.
const WORDS: usize = 30;

/// How it is said that something is not known, as [`phrase`] writes words, with `|` between the phrases.
const PHRASES: [&str; 8] = [
    "i don t know|i do not know|does not say|do not say|doesn t say|don t say|does not mention|do not mention|doesn t mention|\
     don t mention|not mentioned in|is not specified|isn t specified|there is no information|have no information|\
     not have information|don t have information|no information about|no information on|not enough information|\
     cannot be determined|can t be determined|could not find|couldn t find|found nothing|not have enough|does not specify|\
     do not specify|evidence is insufficient",
    "je ne sais pas|je l ignore|ne dit pas|ne disent pas|ne précise pas|ne précisent pas|ne mentionne pas|ne mentionnent pas|\
     pas précisé|pas mentionné|pas indiqué|aucune information|pas d information|pas d informations|pas assez d informations|\
     ne permet pas de répondre|ne permettent pas de répondre|n en dit pas assez|n en disent pas assez|je n ai pas trouvé|je n ai rien trouvé|n ai trouvé aucune",
    "ich weiß es nicht|ich weiß nicht|weiß ich nicht|nicht erwähnt|wird nicht genannt|nicht angegeben|keine information|\
     keine informationen|keine angaben|keine angabe|geht nicht hervor|nicht hervor|lässt sich nicht beantworten|\
     kann ich nicht beantworten|steht dazu nichts|dazu steht nichts|darüber steht nichts|steht darüber nichts|\
     nichts gefunden|belege reichen nicht aus|quellen sagen zu wenig|quellen reichen nicht aus",
    "no lo sé|no sé|no dice|no dicen|no se menciona|no menciona|no mencionan|no se indica|no se especifica|no especifica|\
     no especifican|ninguna información|no hay información|no tengo información|no encuentro|no he encontrado|\
     no permite responder|no permiten responder",
    "لا أعرف|لا أعلم|لا تذكر|لا يذكر|لم يذكر|لم تذكر|لا توجد معلومات|لا تتوفر معلومات|لا تتوافر معلومات|غير مذكور|غير مذكورة|\
     لا يمكن الإجابة|لا تقول مصادري|لا تقول المصادر|ليس لدي معلومات|لم أجد",
    "non lo so|non dice|non menziona|nessuna informazione|non ci sono informazioni",
    "não sei|não diz|não menciona|nenhuma informação|não há informação|não há informações",
    "ik weet het niet|ik weet niet|niet vermeld|geen informatie",
];

/// Whether an answer begins by saying that the answer is not known.
pub(super) fn abstains(answer: &str) -> bool {
    !said(answer).is_empty()
}

/// Whether an answer says that the answer is not known in words of its own: none of these texts, which may tell of what nobody knows,
/// has them.
pub(super) fn abstains_beside(answer: &str, texts: &[&str]) -> bool {
    let said = said(answer);
    !said.is_empty() && !texts.iter().map(|text| phrase(text)).any(|text| said.iter().any(|one| text.contains(one)))
}

/// The phrases at the start of an answer by which it says so, as [`phrase`] writes them.
fn said(answer: &str) -> Vec<String> {
    let said = phrase(answer);
    let start = said.match_indices(' ').nth(WORDS).map_or(said.as_str(), |(end, _)| &said[..=end]);
    let phrases = PHRASES.iter().flat_map(|phrases| phrases.split('|')).map(|one| format!(" {} ", one.trim()));
    phrases.filter(|one| start.contains(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_whether_the_answer_is_known() {
        for (answer, expected) in [
            ("I don't know: the manual does not say how long it lasts.", true),
            ("Unfortunately, there is no information about the price.", true),
            ("La documentation ne précise pas la durée.", true),
            ("Je n’ai pas trouvé de réponse.", true),
            ("Dazu steht nichts in den Unterlagen.", true),
            ("Das weiß ich nicht.", true),
            ("No lo sé; el manual no dice nada de eso.", true),
            ("لا توجد معلومات عن السعر.", true),
            ("لا أعرف ذلك.", true),
            ("Mes sources n'en disent pas assez pour une réponse fiable (« archives »).", true),
            ("Ich habe dazu nichts Verlässliches gefunden: Die Belege reichen nicht aus.", true),
            ("Meine Quellen sagen zu wenig für eine verlässliche Antwort.", true),
            ("Mis fuentes no dicen lo bastante para una respuesta fiable.", true),
            ("لا تقول مصادري ما يكفي لإجابة موثوقة بشأن: الشاي.", true),
            ("Zwei Liter reichen nicht aus, und drei sagen zu wenig über den Druck.", false),
            ("Les freins sont insuffisants, et il n'en dit pas plus.", false),
            ("It lasts ten minutes.", false),
            ("Elle dure dix minutes, pas plus.", false),
            ("Es dauert zehn Minuten, nicht länger.", false),
            ("Dura diez minutos y no más.", false),
            ("يستغرق عشر دقائق لا أكثر.", false),
        ] {
            assert_eq!(abstains(answer), expected, "{answer}");
        }
        let quoted = "The law does not mention bicycles, so they may pass.";
        let text = "Bicycles may pass, for the law does not mention them.";
        assert!(abstains(quoted) && !abstains_beside(quoted, &["Tea is dried.", text]));
        assert!(abstains_beside(quoted, &["Bicycles may pass."]) && !abstains_beside("It lasts.", &[]));
        let late = format!("{} I do not know why.", "It lasts ten minutes. ".repeat(10));
        assert!(!abstains(&late), "what comes late qualifies an answer that was given");
    }
}
