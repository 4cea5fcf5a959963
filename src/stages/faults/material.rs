//! A message that speaks of the passages it was made from, which the person asking has never seen.

use super::{phrase, plain};
use std::cell::LazyCell;

/// How one language speaks of a text that lies before it: words and phrases as [`phrase`] writes them, with `|` between
/// them.
struct Speech {
    /// Names of material. Where one stands in a passage, the passage is about such things and nothing is said of it.
    nouns: &'static str,
    /// What stands before any of the nouns.
    before: &'static str,
    /// Whole phrases, each with one of the nouns in it.
    phrases: &'static str,
    /// The nouns that name a piece of a text. An answer may name a document as its source, but no piece that only the model
    /// was shown.
    pieces: &'static str,
}

/// Most words of a clause in front of a question that speaks of the material.
const LEAD: usize = 6;

const SPEECH: [Speech; 8] = [
    Speech {
        nouns: "text|document|excerpt|passage|snippet|article|source|context|material|information|knowledge base",
        before: "according to the|according to this|mentioned in the|described in the|stated in the|in the given|\
            in the provided|the provided|based on the given|based on the provided|from the given|as per the",
        phrases: "the passage|this passage|the passages|these passages|the excerpt|this excerpt|the snippet|this snippet|\
            the above text|in this text|in this document|based on the text|based on the document|\
            based on the article|the text say|the text says|the text mention|the text mentions|the document say|\
            the document says|the document mention|the document mentions|the document state|the document describe|\
            the document recommend|the article say|the article says|the article mention|the source say|\
            first passage|second passage|third passage|last passage|the knowledge base|\
            the information provided|the information given",
        pieces: "passage|excerpt|snippet|knowledge base",
    },
    Speech {
        nouns: "texte|document|passage|extrait|informations|base de connaissances",
        before: "selon le|selon l|selon ce|selon cet|d après le|d après l|d après ce|mentionné dans le|\
            mentionnée dans le|décrit dans le|dans cet|que dit le|que dit l",
        phrases: "ce passage|dans le passage|lire le passage|le passage concernant|les informations fournies|\
            le passage dit|le passage mentionne|le passage indique|le passage décrit|\
            le passage précise|l extrait fourni|dans le texte|dans ce texte|dans ce document|la base de connaissances",
        pieces: "passage|extrait|base de connaissances",
    },
    Speech {
        nouns: "text|dokument|abschnitt|auszug|passage|textstelle|wissensdatenbank|wissensbasis",
        before: "laut dem|laut diesem|laut dieser|gemäß dem|nach dem vorliegenden|im vorliegenden|in diesem",
        phrases: "dem text zufolge|laut text|laut dokument|im text|im abschnitt|im auszug|dieser abschnitt|diese passage|\
            der textstelle|im textabschnitt|dem dokument zufolge|der wissensdatenbank|der wissensbasis",
        pieces: "abschnitt|auszug|passage|textstelle|wissensdatenbank|wissensbasis",
    },
    Speech {
        nouns: "texto|documento|pasaje|fragmento|extracto|base de conocimiento",
        before: "según el|según este|de acuerdo con el|mencionado en el|mencionada en el|basado en el|en este|\
            qué dice el",
        phrases: "el pasaje|este pasaje|el fragmento|este fragmento|en el texto|el extracto|\
            la base de conocimiento|la base de conocimientos",
        pieces: "pasaje|fragmento|extracto|base de conocimiento",
    },
    Speech {
        nouns: "testo|documento|brano|passaggio|estratto",
        before: "secondo il|secondo l|secondo questo|in base al|menzionato nel|in questo|citato nel",
        phrases: "il brano|questo brano|nel brano|nel testo|l estratto|cosa dice il documento",
        pieces: "brano|passaggio|estratto",
    },
    Speech {
        nouns: "texto|documento|trecho|excerto|passagem",
        before: "segundo o|de acordo com o|conforme o|mencionado no|mencionada no|com base no|neste",
        phrases: "o trecho|este trecho|no trecho|no texto|o excerto|a passagem do texto",
        pieces: "trecho|excerto|passagem",
    },
    Speech {
        nouns: "tekst|document|passage|fragment",
        before: "volgens de|volgens het|volgens deze|volgens dit|genoemd in de|genoemd in het|in dit",
        phrases: "de passage|deze passage|in de tekst|het fragment|het tekstfragment",
        pieces: "passage|fragment",
    },
    Speech {
        nouns: "نص|مقطع|فقرة|وثيقة|مستند|مقتطف|قاعدة المعرفة",
        before: "",
        phrases: "المقطع|الفقرة|المقتطف|في النص|حسب النص|بحسب النص|وفق النص|من النص|هذا النص|يذكر النص|النص المذكور|\
            النص أعلاه|وفقا للنص|وفقا للمقطع|وفقا للوثيقة|وفقا للمستند|في الوثيقة|هذه الوثيقة|حسب الوثيقة|\
            في المستند|هذا المستند|حسب المستند|قاعدة المعرفة",
        pieces: "مقطع|فقرة|مقتطف|قاعدة المعرفة",
    },
];

/// The fault of a question that speaks of the material: by the number of a passage (`P2`), or in words like "according to
/// the text", unless the passages have that word themselves: there are documents about documents.
pub(in crate::stages) fn mentions_material(question: &str, passages: &[&str]) -> Option<String> {
    let named = passage_number(question, passages).or_else(|| spoken_of(question, |speech| speech.nouns, passages))?;
    Some(format!(
        "the question speaks of {named:?}, which the person asking has never seen: ask about the subject, not about a text"
    ))
}

/// The fault of an answer that speaks of a passage, by its number or in words like "the passage states", unless one of
/// the texts it is made from, the question and the passages, has that word itself.
pub(in crate::stages) fn mentions_passage(answer: &str, known: &[&str]) -> Option<String> {
    let named = passage_number(answer, known).or_else(|| spoken_of(answer, |speech| speech.pieces, known))?;
    Some(format!("the answer speaks of {named:?}, which the reader has never seen: say the same without it"))
}

/// The words of a text that speak of one of these nouns, where no text that is known has the noun.
fn spoken_of(text: &str, nouns: impl Fn(&Speech) -> &'static str, known: &[&str]) -> Option<String> {
    let said = phrase(text).replace(" passage of time ", " time ");
    let folded = LazyCell::new(|| known.iter().map(|text| plain(text)).collect::<Vec<String>>());
    let own = |noun: &str| folded.iter().any(|text| text.contains(noun));
    SPEECH.iter().find_map(|speech| speech.find(nouns(speech), &said, &own))
}

/// A message without a clause such as "Based on the passage," in front of it: what follows is meant. Where one of the texts
/// that are known has the noun itself, the clause may be about that: "In this text field,".
pub(in crate::stages) fn without_lead(message: &str, known: &[&str]) -> String {
    let lead = message.split_once([',', '،']).filter(|(lead, rest)| {
        lead.split_whitespace().count() <= LEAD
            && rest.chars().any(char::is_alphabetic)
            && spoken_of(lead, |speech| speech.nouns, known).is_some()
    });
    let Some((_, rest)) = lead else { return message.to_owned() };
    let mut rest = rest.trim_start().chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

impl Speech {
    /// The first phrase of this language that a text holds and that speaks of one of these nouns, but for the passages' own.
    fn find(&self, nouns: &'static str, said: &str, own: &dyn Fn(&str) -> bool) -> Option<String> {
        let nouns: Vec<&str> = nouns.split('|').filter(|noun| said.contains(noun) && !own(noun)).collect();
        if nouns.is_empty() {
            return None;
        }
        let holds = |part: &str| said.contains(&format!(" {part} "));
        let whole = self.phrases.split('|').filter(|phrase| holds(phrase));
        let whole = whole.map(str::to_owned).find(|phrase| nouns.iter().any(|noun| phrase.contains(noun)));
        whole.or_else(|| {
            let before = self.before.split('|').filter(|before| !before.is_empty());
            let mut phrases = before.flat_map(|before| nouns.iter().map(move |noun| format!("{before} {noun}")));
            phrases.find(|phrase| holds(phrase))
        })
    }
}

/// A passage's number that stands in a text as a word of its own, and in none that is known.
pub(in crate::stages) fn passage_number(said: &str, known: &[&str]) -> Option<String> {
    let of = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
        let number = |word: &&str| {
            let mut chars = word.chars();
            chars.next() == Some('P') && matches!(chars.next(), Some('1'..='9')) && chars.next().is_none()
        };
        words.filter(number).map(str::to_owned).collect()
    };
    of(said).into_iter().find(|number| !known.iter().any(|text| of(text).contains(number)))
}

/// The fault of an answer that names a tool of the model's, which whoever reads it does not have.
pub(in crate::stages) fn names_tool(answer: &str, tools: &[String]) -> Option<String> {
    let named = tools.iter().find(|name| answer.contains(name.as_str()))?;
    Some(format!("the answer names `{named}`, which the reader does not know: leave it out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_in_front_is_left_out() {
        for (question, expected) in [
            ("Based on the passage, what happens below 15 percent?", "What happens below 15 percent?"),
            ("Selon le texte, à quelle heure ferme l'atelier ?", "À quelle heure ferme l'atelier ?"),
            ("حسب النص، متى تُروى الأشجار؟", "متى تُروى الأشجار؟"),
            ("In winter, how often is it watered?", "In winter, how often is it watered?"),
            ("Based on the passage,", "Based on the passage,"),
            ("Based on the information provided, how far is Sirius?", "How far is Sirius?"),
        ] {
            assert_eq!(without_lead(question, &["Water the trees."]), expected, "{question}");
        }
        let field = "In this text, type your name.";
        assert_eq!(without_lead(field, &["Select the text field."]), field, "the passage is about texts");
    }

    #[test]
    fn answers_speak_of_no_passages() {
        for (answer, known, fault) in [
            ("It is 12 euros, as P2 says.", "It is 12 euros.", true),
            ("It is 12 euros.", "It is 12 euros.", false),
            ("Park on deck P2.", "Deck P2 is free.", false),
            ("The passage states that it is 12 euros.", "It is 12 euros.", true),
            ("Le passage indique 12 euros.", "12 euros.", true),
            ("يذكر المقطع اثني عشر يورو.", "اثنا عشر يورو.", true),
            ("That it is 12 euros is sourced from the first passage in the knowledge base.", "It is 12 euros.", true),
            ("La base de connaissances indique 12 euros.", "12 euros.", true),
            ("In der Wissensdatenbank stehen 12 Euro.", "12 Euro.", true),
            ("Search the knowledge base of the vendor.", "The vendor has a knowledge base.", false),
            ("The manual states that it is 12 euros, and the document says why.", "It is 12 euros.", false),
            ("Use the passage to the cellar.", "Where is the passage to the cellar?", false),
        ] {
            assert_eq!(mentions_passage(answer, &[known]).is_some(), fault, "{answer}");
        }
    }

    #[test]
    fn questions_about_the_material_are_told() {
        for question in [
            "What does P2 say about resting?",
            "According to the text, how long does it rest?",
            "How long does it rest, as mentioned above in the passage?",
            "What does the document say about resting?",
            "How long is the rest that is described in the article?",
            "Selon le texte, combien de temps repose-t-elle ?",
            "D’après l’extrait, combien de temps ?",
            "Que dit le passage sur le repos ?",
            "Je viens de lire le passage concernant le repos : pourquoi ?",
            "How long does it rest, by the information given?",
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
            ("Does a domain notice the passage of time?", "A paused domain notices nothing."),
            ("Does the material shrink, and is it sold in this context?", "Wool."),
            ("Comment se fait le passage à la version 12 ?", "La mise à jour."),
            ("Que prévoit l'article 5 ?", "Art. 5"),
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

    #[test]
    fn a_reader_has_no_tools() {
        let tools = ["vector_db_search".to_owned()];
        let fault = names_tool("You can use the `vector_db_search` function for updates.", &tools);
        assert!(fault.is_some_and(|fault| fault.contains("`vector_db_search`")));
        assert_eq!(names_tool("Search the database of vectors.", &tools), None);
    }
}
