//! Which language a document is written in, told by its most frequent words: enough to choose a stemmer.

use super::terms;
use frostem::Algorithm;

/// Words of a document looked at: more would not change the verdict.
const SAMPLE: usize = 1_000;

/// One word in so many must be a known one; less, and the text is code or data, or in a language not listed.
const RARITY: usize = 20;

/// A language whose words can be stemmed.
#[derive(Debug)]
pub(super) struct Language {
    /// Two letters of ISO 639-1, which mark its stems.
    pub code: &'static str,
    /// The Snowball stemmer that its words are stemmed with.
    pub stemmer: Algorithm,
    /// Its most frequent words, folded, separated by spaces: they tell it from the others.
    frequent: &'static str,
    /// Other words, folded, that ask or join and name no subject. Prose has few of them and questions many.
    asking: &'static str,
}

impl Language {
    /// Folded words that say nothing of what a text in this language is about.
    pub fn slight(&self) -> impl Iterator<Item = &'static str> {
        self.frequent.split(' ').chain(self.asking.split(' '))
    }
}

/// The languages known, by code.
static KNOWN: [Language; 10] = [
    Language {
        code: "ar",
        stemmer: Algorithm::Arabic,
        frequent: "في من علي الي عن ان التي الذي هذا هذه ما لا كل او ثم بين كما قد مع بعد قبل حتي عند",
        asking: "ماذا كيف لماذا متي اين كم هل اي ايه لم لن هو هي هم انا انت نحن ذلك تلك الذين اذا لكن بل و يكون كان \
                 كانت يمكن يجب ينبغي مره وما ومن وكيف وهل وفي",
    },
    Language {
        code: "de",
        stemmer: Algorithm::German,
        frequent: "der die das und ist nicht ein eine einen zu den dem mit von auf fur sich im wird sind",
        asking: "was wie warum wann wo wer wen wem welche welcher welches wieviel woher wohin kann konnen soll sollte \
                 muss man ich du er sie es wir ihr des als auch an aus bei nach oder wenn dass hat haben werden einer",
    },
    Language {
        code: "el",
        stemmer: Algorithm::Greek,
        frequent: "και το του να τησ η με για απο που στο τα δεν ειναι οι την των",
        asking: "τι πωσ γιατι ποτε ποιοσ ποια ποιο ποσο ποσα αν ενα μια ο τον στη στην θα πρεπει μπορει εχει",
    },
    Language {
        code: "en",
        stemmer: Algorithm::English,
        frequent: "the of and to is that for with are as it by from this be at or which was when",
        asking: "a an in on what how why where who whose whom do does did can could should would will shall may might \
                 must have has had there their they them you your i me my we us our its if about into than then like \
                 not no so such often many much tell explain please",
    },
    Language {
        code: "es",
        stemmer: Algorithm::Spanish,
        frequent: "el los las y una del es por con para como se su lo al mas que no",
        asking: "de la en un a o cual cuales cuando cuanto cuanta cuantos cuantas donde quien quienes porque puede \
                 pueden debe hay ser son esta este si me te nos le les sus",
    },
    Language {
        code: "fr",
        stemmer: Algorithm::French,
        frequent: "le les des du et une est dans pour qui sur pas avec aux ce par au il sont ou",
        asking: "de la un en a que quoi quel quelle quels quelles comment pourquoi quand combien lequel laquelle peut \
                 peuvent doit faut on je tu nous vous elle ils elles se son sa ses leur leurs cette ces cet si ne plus \
                 y qu t mais comme entre souvent",
    },
    Language {
        code: "it",
        stemmer: Algorithm::Italian,
        frequent: "il di che e una per non con gli sono della del nel piu alla i dei delle si",
        asking: "la le lo un in a o da su come quando quanto quanta quanti quante dove chi cosa quale quali perche puo \
                 possono deve ha hanno al dal mi ti ci",
    },
    Language {
        code: "nl",
        stemmer: Algorithm::Dutch,
        frequent: "het een van en niet dat op te zijn met voor aan wordt door ook naar bij",
        asking: "de in is wat hoe waarom wanneer waar wie welke welk hoeveel kan kunnen moet moeten mag ik je jij u we \
                 wij ze zij hij er of als om dan heeft hebben",
    },
    Language {
        code: "pt",
        stemmer: Algorithm::Portuguese,
        frequent: "o os as um uma do da dos das nao com em se por mais ao na no e",
        asking: "a de que para como qual quais quando quanto quanta quantos quantas onde quem porque pode podem deve \
                 ser sao ha seu sua ou me te nos",
    },
    Language {
        code: "ru",
        stemmer: Algorithm::Russian,
        frequent: "и в не на что с по как это для из от он к но за то же",
        asking: "какои какая какое какие почему когда где кто сколько зачем куда чем ли а у о я ты вы мы она они его ее \
                 их можно нужно надо есть быть",
    },
];

/// The language most words of a text are in; none when few of them are known.
pub(super) fn of<'a>(text: impl Iterator<Item = &'a str>) -> Option<&'static Language> {
    let sample: Vec<String> = text.flat_map(terms::words).take(SAMPLE).map(|word| terms::folded(&word)).collect();
    let hits = |language: &Language| {
        let frequent: Vec<&str> = language.frequent.split(' ').collect();
        sample.iter().filter(|word| frequent.contains(&word.as_str())).count()
    };
    let (hits, language) = KNOWN.iter().map(|language| (hits(language), language)).max_by_key(|(hits, _)| *hits)?;
    (hits > 0 && hits * RARITY >= sample.len()).then_some(language)
}

/// The language with a code.
pub(super) fn named(code: &str) -> Option<&'static Language> {
    KNOWN.iter().find(|language| language.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_tells_its_language() {
        for (text, code) in [
            ("The keeper of the light was paid by the harbour.", "en"),
            ("Le gardien du phare est payé par le port, et les lampes sont à lui.", "fr"),
            ("Der Wärter ist nicht auf dem Turm, und das Licht wird von ihm bewacht.", "de"),
            ("El guardián del faro no es el dueño de las lámparas que cuida.", "es"),
            ("Il guardiano del faro non è il padrone delle lampade che accende.", "it"),
            ("O guarda do farol não é o dono das lâmpadas que acende.", "pt"),
            ("De wachter van het licht is niet op de toren, en het wordt door hem bewaakt.", "nl"),
            ("Смотритель не на башне, и это не то, что он сказал.", "ru"),
            ("Ο φύλακας δεν είναι στο φάρο και το φως του είναι για την πόλη.", "el"),
            ("الحارس في المنارة من الليل إلى الصباح، وهذا عمل لا ينتهي.", "ar"),
        ] {
            assert_eq!(of([text].into_iter()).map(|language| language.code), Some(code), "{text}");
        }
    }

    #[test]
    fn data_has_no_language() {
        for text in ["", "{\"k\": 12, \"m\": 13}", "水の循環"] {
            assert!(of([text].into_iter()).is_none(), "{text}");
        }
    }

    #[test]
    fn the_lists_are_written_as_texts_are_folded() {
        for language in &KNOWN {
            for list in [language.frequent, language.asking] {
                assert_eq!(terms::folded(list), list);
                assert!(list.split(' ').all(|word| !word.is_empty()), "{list}");
            }
        }
    }
}
