//! A question that speaks of the passages it was made from, which the person asking has never seen.

use super::{is_sign, phrase};
use crate::words::fingerprint::normalised;

/// How one language speaks of a text that lies before it, as words.
struct Speech {
    /// Names of material, and how each begins a passage's own word for it: a passage with that word is about such things.
    nouns: &'static [&'static str],
    /// What stands before any of the nouns.
    before: &'static [&'static str],
    /// Whole phrases that need nothing before them, each with the noun in it.
    phrases: &'static [(&'static str, &'static str)],
}

const SPEECH: [Speech; 8] = [
    Speech {
        nouns: &["text", "document", "excerpt", "passage", "snippet", "article", "source", "material", "context"],
        before: &[
            "according to the",
            "according to this",
            "mentioned in the",
            "described in the",
            "stated in the",
            "in the given",
            "in the provided",
            "the provided",
            "based on the",
            "from the given",
            "as per the",
            "the above",
            "does the",
            "in this",
        ],
        phrases: &[
            ("the passage", "passage"),
            ("this passage", "passage"),
            ("the passages", "passage"),
            ("the excerpt", "excerpt"),
            ("this excerpt", "excerpt"),
            ("the snippet", "snippet"),
        ],
    },
    Speech {
        nouns: &["texte", "document", "passage", "extrait", "article"],
        before: &[
            "selon le",
            "selon l",
            "selon ce",
            "selon cet",
            "d après le",
            "d après l",
            "d après ce",
            "mentionné dans le",
            "mentionnée dans le",
            "décrit dans le",
            "dans cet",
            "dans l",
        ],
        phrases: &[
            ("le passage", "passage"),
            ("ce passage", "passage"),
            ("l extrait", "extrait"),
            ("cet extrait", "extrait"),
            ("dans le texte", "texte"),
            ("dans ce texte", "texte"),
            ("dans ce document", "document"),
        ],
    },
    Speech {
        nouns: &["text", "dokument", "abschnitt", "auszug", "artikel", "passage", "textabschnitt"],
        before: &[
            "laut",
            "laut dem",
            "laut diesem",
            "gemäß dem",
            "nach dem vorliegenden",
            "im vorliegenden",
            "in diesem",
        ],
        phrases: &[
            ("dem text zufolge", "text"),
            ("im text", "text"),
            ("im abschnitt", "abschnitt"),
            ("im auszug", "auszug"),
            ("dieser abschnitt", "abschnitt"),
            ("diese passage", "passage"),
            ("der textstelle", "textstelle"),
            ("im textabschnitt", "abschnitt"),
            ("dem dokument zufolge", "dokument"),
        ],
    },
    Speech {
        nouns: &["texto", "documento", "pasaje", "fragmento", "artículo", "extracto"],
        before: &[
            "según el",
            "según este",
            "de acuerdo con el",
            "mencionado en el",
            "mencionada en el",
            "basado en el",
            "en este",
        ],
        phrases: &[
            ("el pasaje", "pasaje"),
            ("este pasaje", "pasaje"),
            ("el fragmento", "fragmento"),
            ("este fragmento", "fragmento"),
            ("en el texto", "texto"),
            ("el extracto", "extracto"),
        ],
    },
    Speech {
        nouns: &["testo", "documento", "brano", "passaggio", "estratto", "articolo"],
        before: &[
            "secondo il",
            "secondo l",
            "secondo questo",
            "in base al",
            "menzionato nel",
            "in questo",
            "citato nel",
        ],
        phrases: &[
            ("il brano", "brano"),
            ("questo brano", "brano"),
            ("nel brano", "brano"),
            ("nel testo", "testo"),
            ("l estratto", "estratto"),
            ("questo passaggio del testo", "testo"),
        ],
    },
    Speech {
        nouns: &["texto", "documento", "trecho", "excerto", "artigo"],
        before: &[
            "segundo o",
            "de acordo com o",
            "conforme o",
            "mencionado no",
            "mencionada no",
            "com base no",
            "neste",
        ],
        phrases: &[
            ("o trecho", "trecho"),
            ("este trecho", "trecho"),
            ("no trecho", "trecho"),
            ("no texto", "texto"),
            ("o excerto", "excerto"),
            ("a passagem do texto", "texto"),
        ],
    },
    Speech {
        nouns: &["tekst", "document", "passage", "fragment", "artikel"],
        before: &[
            "volgens de",
            "volgens het",
            "volgens deze",
            "volgens dit",
            "genoemd in de",
            "genoemd in het",
            "in dit",
        ],
        phrases: &[
            ("de passage", "passage"),
            ("deze passage", "passage"),
            ("in de tekst", "tekst"),
            ("het fragment", "fragment"),
            ("het tekstfragment", "fragment"),
        ],
    },
    Speech {
        nouns: &["النص", "المقطع", "الفقرة", "الوثيقة", "المستند", "المقتطف"],
        before: &["حسب", "بحسب", "وفق", "في", "في هذا", "في هذه", "من", "هذا", "هذه", "يذكر", "تذكر"],
        phrases: &[
            ("المقطع", "مقطع"),
            ("الفقرة", "فقرة"),
            ("وفقا للنص", "نص"),
            ("وفقا للمقطع", "مقطع"),
            ("وفقا للوثيقة", "وثيقة"),
            ("وفقا للمستند", "مستند"),
            ("النص المذكور", "نص"),
            ("النص أعلاه", "نص"),
            ("المقتطف", "مقتطف"),
        ],
    },
];

/// The fault of a question that speaks of the material: by the number of a passage (`P2`), or in words like "according to
/// the text", unless the passages have that word themselves: there are documents about documents.
pub(in crate::stages) fn mentions_material(question: &str, passages: &[&str]) -> Option<String> {
    let named = numbered(question, passages).or_else(|| {
        let said = phrase(question);
        let folded: Vec<String> = passages.iter().map(|passage| plain(passage)).collect();
        let own = |noun: &str| folded.iter().any(|passage| passage.contains(noun.trim_start_matches("ال")));
        SPEECH.iter().find_map(|speech| speech.find(&said, &own))
    })?;
    Some(format!(
        "the question speaks of {named:?}, which the person asking has never seen: ask about the subject, not about a text"
    ))
}

impl Speech {
    /// The first phrase of this language that a question holds and that speaks of no noun of the passages' own.
    fn find(&self, said: &str, own: &dyn Fn(&str) -> bool) -> Option<String> {
        let holds = |part: &str| said.contains(&format!(" {part} "));
        let whole = self.phrases.iter().find(|(phrase, noun)| holds(phrase) && !own(noun));
        whole.map(|(phrase, _)| (*phrase).to_owned()).or_else(|| {
            let nouns = self.nouns.iter().filter(|noun| said.contains(**noun) && !own(noun));
            let mut phrases = nouns.flat_map(|noun| self.before.iter().map(move |before| format!("{before} {noun}")));
            phrases.find(|phrase| holds(phrase))
        })
    }
}

/// A passage's number that stands in a question as a word of its own, and in no passage.
fn numbered(question: &str, passages: &[&str]) -> Option<String> {
    let of = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
        let number = |word: &&str| {
            let mut chars = word.chars();
            chars.next() == Some('P') && matches!(chars.next(), Some('1'..='9')) && chars.next().is_none()
        };
        words.filter(number).map(str::to_owned).collect()
    };
    of(question).into_iter().find(|number| !passages.iter().any(|passage| of(passage).contains(number)))
}

fn plain(text: &str) -> String {
    normalised(text).chars().filter(|c| !is_sign(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_about_the_material_are_told() {
        for question in [
            "What does P2 say about resting?",
            "According to the text, how long does it rest?",
            "How long does it rest, as mentioned above in the passage?",
            "What does the document say about resting?",
            "How long is the rest described in the article?",
            "Selon le texte, combien de temps repose-t-elle ?",
            "D’après l’extrait, combien de temps ?",
            "Que dit le passage sur le repos ?",
            "Wie lange ruht der Teig dem Text zufolge?",
            "Wie lange ruht er laut Dokument?",
            "Was steht im Abschnitt über die Ruhezeit?",
            "Según el texto, ¿cuánto tiempo reposa?",
            "Secondo il testo, quanto riposa?",
            "De acordo com o documento, quanto descansa?",
            "Hoe lang rust het deeg volgens de tekst?",
            "كم ترتاح العجينة في النص؟",
            "ماذا تقول الفقرة عن الراحة؟",
            "وفقًا للنص، كم ترتاح العجينة؟",
        ] {
            assert!(mentions_material(question, &["Dough rests.", "Der Teig ruht.", "العجين"]).is_some(), "{question}");
        }
    }

    #[test]
    fn questions_about_the_subject_pass() {
        for (question, passage) in [
            ("How long does it rest?", "The dough rests."),
            ("How do I make text bold?", "Select it."),
            ("Which document do I need to register?", "Bring a form."),
            ("Who may use the passage to the cellar?", "The passage leads to the cellar."),
            ("Was steht im Abschnitt 5 des Vertrags?", "Abschnitt 5 regelt die Kündigung."),
            ("According to the document, who signs?", "Each document is signed twice."),
            ("What does error P1 mean?", "Error P1: no water."),
            ("Does the P3-X pump fit, or the IP1?", "Pumps."),
            ("Quel est le texte de la loi ?", "La loi."),
            ("Welcher Text steht auf dem Schild?", "Schilder."),
            ("¿Qué documento necesito?", "Un formulario."),
            ("ما هي نصوص القانون؟", "القانون."),
            ("كيف أكتب في النص؟", "يظهر النص في الشاشة."),
            ("", ""),
        ] {
            assert_eq!(mentions_material(question, &[passage]), None, "{question}");
        }
    }

    #[test]
    fn the_fault_names_the_words() {
        let fault = mentions_material("According to the text, why?", &[]).unwrap_or_default();
        assert!(fault.starts_with("the question speaks of \"according to the text\""), "{fault}");
    }
}
