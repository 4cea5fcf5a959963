//! Every label on a table of texts in five languages: what it must tell, and how often it is on a text where it is wrong.

use super::*;
use crate::stages::{PromptOptions, Prompts};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

const CHECKS: CheckOptions = CheckOptions {
    drop_contaminated: false,
    reject: Vec::new(),
    drop: false,
    repairs: 0,
    max_question_words: Some(60),
    max_answer_words: Some(200),
    min_overlap: 0.3,
};

/// The text of the shipped prompts.
static PROMPTS: LazyLock<PromptText> = LazyLock::new(|| {
    let prompts = Prompts::load(&PromptOptions::default()).unwrap();
    PromptText::new(prompts.sources().values().map(String::as_str), &[])
});

const QUESTIONS: [(&str, &str); 5] = [
    ("en", "Could you tell me more about that, and why does it matter?"),
    ("fr", "Pourriez-vous m'en dire plus, et pourquoi est-ce important ?"),
    ("de", "Könnten Sie mir mehr darüber sagen, und warum ist das wichtig?"),
    ("es", "¿Podría contarme más sobre eso, y por qué es importante?"),
    ("ar", "هل يمكنك أن تخبرني المزيد عن ذلك، ولماذا هو مهم؟"),
];

fn passage(text: &str) -> Passage {
    Passage {
        label: "P1".to_owned(),
        topic_id: "5f0c-1".to_owned(),
        source_path: "docs/guide.md".to_owned(),
        source_descriptor: "guide.md#chunk1".to_owned(),
        title: "".into(),
        text: text.into(),
    }
}

fn found(language: &str, question: &str, answer: &str, text: &str) -> Findings {
    asked(QuestionMode::Fresh, language, question, answer, text)
}

fn asked(mode: QuestionMode, language: &str, question: &str, answer: &str, text: &str) -> Findings {
    let unsupported_numbers = super::super::numbers::unsupported(answer, &[text, question]);
    let turn = Answered {
        held_out: None,
        question,
        mode,
        answer,
        unsupported_numbers: &unsupported_numbers,
        unknown_citations: &[],
        passages: &[passage(text)],
        said: &[],
        target: &Language::of(language),
    };
    CHECKS.findings(&turn, &PROMPTS)
}

/// The paragraphs of the sample knowledge base in a language, each with the document that it stands in.
fn paragraphs(language: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge").join(language);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let of = |text: String| {
        let prose = text.split("\n\n").filter(|block| !block.starts_with(['#', '|', '!', '-', '`']));
        prose.map(|block| (block.replace('\n', " "), text.clone())).collect::<Vec<_>>()
    };
    texts.flat_map(of).collect()
}

#[test]
fn good_answers_have_no_labels() {
    for (language, question) in QUESTIONS {
        let paragraphs = paragraphs(language);
        let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut sentences = 0;
        for (paragraph, document) in &paragraphs {
            // Whole paragraphs, and what is left of them without their first sentence: shorter, with another beginning.
            let rest = paragraph.split_once(". ").map_or("", |(_, rest)| rest);
            for answer in [paragraph.as_str(), rest].into_iter().filter(|answer| !answer.is_empty()) {
                sentences += 1;
                let findings = found(language, question, answer, document);
                for label in findings.question_labels.iter().chain(&findings.answer_labels) {
                    wrong.entry(label.as_str()).or_default().push(answer.to_owned());
                }
                assert!(findings.evidence_overlap.is_none_or(|share| share > 0.99), "{answer}");
            }
        }
        println!("{language}: {sentences} good texts, {} with a label", wrong.values().map(Vec::len).sum::<usize>());
        assert!(sentences >= 20, "{language}: {sentences}");
        assert!(wrong.is_empty(), "{language}, {sentences} texts: {wrong:#?}");
    }
}

/// Sentences that are good answers although they are not in the words of the passage.
#[test]
fn other_words_for_the_same_are_no_fault() {
    for (language, answer, text) in [
        (
            "en",
            "Yes. On Mondays, Venus can be seen at dusk: look west after sunset.",
            "Venus is the evening star, seen in the west.",
        ),
        (
            "fr",
            "Oui, en hiver, la Loire monte vite : deux mètres en une nuit.",
            "L'hiver, le niveau de la Loire peut monter de 2 m en une nuit.",
        ),
        ("de", "Ja, im Winter steigt die Elbe um zwei Meter.", "Im Winter kann der Pegel der Elbe um 2 m steigen."),
        (
            "es",
            "Sí, el refugio de Góriz abre todo el año, a 2.200 metros.",
            "Góriz: refugio abierto todo el año (2200 m).",
        ),
        ("ar", "نعم، يفتح الملجأ طوال السنة على ارتفاع ٢٢٠٠ متر.", "الملجأ مفتوح طوال السنة، الارتفاع 2200 متر."),
    ] {
        let findings = found(language, "Is it?", answer, text);
        let share = findings.evidence_overlap;
        assert_eq!(findings.answer_labels, [], "{answer}: {findings:?}");
        assert!(share.is_none_or(|share| share >= 0.3), "{answer}: {share:?}");
    }
}

/// A language, a passage in it, and answers with one fault, each with the label of the fault.
type Faulty = (&'static str, &'static str, &'static [(&'static str, Label)]);

const FAULTY: [Faulty; 5] = [
    (
        "en",
        "Green tea is dried within 24 hours of picking, at about 80 °C, so that it keeps its colour and its taste.",
        &[
            (
                "Le thé vert est séché dans les 24 heures, à environ 80 °C, et garde ainsi sa couleur.",
                Label::OtherLanguage,
            ),
            ("I'm sorry, but I can't help with that request about green tea and its colour.", Label::Refusal),
            (
                "As an AI language model I have no taste, but green tea is dried within 24 hours of picking.",
                Label::Refusal,
            ),
            ("Green tea is dried within 24 hours of picking, as docs/guide.md says.", Label::Leak),
            ("Green tea is dried within 24 hours of picking; ask tea@example.org about its colour.", Label::Pii),
            ("Green tea is dried within 36 hours of picking, at about 80 °C.", Label::UnsupportedNumbers),
            ("Green tea is dried within 24 hours of picking, as Robert Fortune wrote.", Label::UnsupportedNames),
            ("Football clubs usually train twice before important matches on grass.", Label::LowOverlap),
            ("I don't know: there is no information about how green tea is dried.", Label::Abstention),
        ],
    ),
    (
        "fr",
        "Le thé vert est séché dans les 24 heures après la cueillette, à environ 80 °C, pour garder sa couleur et son goût.",
        &[
            (
                "Green tea is dried within 24 hours of picking, at about 80 °C, so that it keeps its colour.",
                Label::OtherLanguage,
            ),
            ("Je suis désolé, mais je ne peux pas répondre à cette demande sur le thé vert.", Label::Refusal),
            ("Le thé vert est séché dans les 24 heures (guide.md#chunk1).", Label::Leak),
            ("Le thé vert est séché vite ; appelez le 01 44 50 20 00 pour sa couleur.", Label::Pii),
            ("Le thé vert est séché dans les 36 heures après la cueillette.", Label::UnsupportedNumbers),
            ("Le thé vert est séché dans les 24 heures, selon Louis Pasteur.", Label::UnsupportedNames),
            ("Les équipes de football jouent souvent deux matchs importants chaque semaine.", Label::LowOverlap),
            ("La documentation ne précise pas comment le thé vert est séché.", Label::Abstention),
        ],
    ),
    (
        "de",
        "Grüner Tee wird binnen 24 Stunden nach der Ernte bei etwa 80 °C getrocknet, damit er Farbe und Geschmack behält.",
        &[
            (
                "Green tea is dried within 24 hours of picking, at about 80 °C, so that it keeps its colour.",
                Label::OtherLanguage,
            ),
            ("Es tut mir leid, aber ich kann dabei nicht helfen, auch nicht mit grünem Tee.", Label::Refusal),
            ("Grüner Tee wird binnen 24 Stunden getrocknet, siehe guide.md.", Label::Leak),
            ("Grüner Tee: Zahlung an DE89 3704 0044 0532 0130 00 nach der Ernte.", Label::Pii),
            ("Grüner Tee wird binnen 36 Stunden nach der Ernte getrocknet.", Label::UnsupportedNumbers),
            ("Fußballmannschaften trainieren meistens zweimal wöchentlich auf dem Rasen.", Label::LowOverlap),
            ("Dazu steht nichts in den Unterlagen über grünen Tee.", Label::Abstention),
        ],
    ),
    (
        "es",
        "El té verde se seca en las 24 horas siguientes a la cosecha, a unos 80 °C, para conservar su color y su sabor.",
        &[
            (
                "Green tea is dried within 24 hours of picking, at about 80 °C, so that it keeps its colour.",
                Label::OtherLanguage,
            ),
            ("Lo siento, pero no puedo ayudar con el té verde ni con su color.", Label::Refusal),
            ("El té verde se seca en 24 horas: {\"assistant_message\": \"sí\"}", Label::Leak),
            ("El té verde se seca en 24 horas; llame al +34 912 345 678.", Label::Pii),
            ("El té verde se seca en las 36 horas siguientes a la cosecha.", Label::UnsupportedNumbers),
            ("El té verde se seca en 24 horas, según Miguel de Cervantes.", Label::UnsupportedNames),
            ("Los equipos de fútbol suelen entrenar dos veces antes del partido.", Label::LowOverlap),
            ("No hay información sobre cómo se seca el té verde.", Label::Abstention),
        ],
    ),
    (
        "ar",
        "يجفف الشاي الأخضر خلال 24 ساعة من القطف عند نحو 80 درجة مئوية ليحافظ على لونه وطعمه.",
        &[
            (
                "Green tea is dried within 24 hours of picking, at about 80 °C, so that it keeps its colour.",
                Label::OtherLanguage,
            ),
            ("آسف، لكن لا أستطيع المساعدة في موضوع الشاي الأخضر.", Label::Refusal),
            ("يجفف الشاي الأخضر خلال 24 ساعة كما ورد في docs/guide.md.", Label::Leak),
            ("يجفف الشاي الأخضر، راسلوا tea@example.org لمعرفة لونه.", Label::Pii),
            ("يجفف الشاي الأخضر خلال ٣٦ ساعة من القطف.", Label::UnsupportedNumbers),
            ("تتدرب فرق كرة القدم عادة مرتين قبل المباريات المهمة.", Label::LowOverlap),
            ("لا توجد معلومات عن تجفيف الشاي الأخضر.", Label::Abstention),
        ],
    ),
];

#[test]
fn every_fault_has_its_label_in_every_language() {
    for (language, text, answers) in FAULTY {
        for (answer, label) in answers {
            let findings = found(language, "Why?", answer, text);
            assert!(findings.answer_labels.contains(label), "{answer}: {:?}", findings.answer_labels);
            // What is in another language overlaps with nothing, too, and numbers of telephones stand in no passage.
            let also = [Label::LowOverlap, Label::UnsupportedNumbers];
            let is_mixed = matches!(label, Label::OtherLanguage | Label::Refusal | Label::Pii);
            let others = findings.answer_labels.iter().filter(|other| *other != label);
            let others: Vec<_> = others.filter(|other| !(is_mixed && also.contains(other))).collect();
            assert!(others.is_empty(), "{answer}: {others:?}");
        }
        let long = text.repeat(20);
        assert_eq!(found(language, "Why?", &long, text).answer_labels, [Label::TooLong], "{language}");
        assert_eq!(found(language, &long, text, text).question_labels, [Label::TooLong], "{language}");
        let asked = found(language, "Why? Write to me@example.org, please.", text, text);
        assert_eq!((asked.question_labels, asked.answer_labels), (vec![Label::Pii], vec![]), "{language}");
    }
}

#[test]
fn an_answer_abstains_where_the_question_wants_it_and_only_there() {
    for (language, text, answers) in FAULTY {
        let (abstention, _) = answers.iter().find(|(_, label)| *label == Label::Abstention).unwrap();
        let labels = |mode, answer| asked(mode, language, "Why?", answer, text).answer_labels;
        assert_eq!(labels(QuestionMode::Unanswerable, abstention), [], "{language}");
        assert_eq!(labels(QuestionMode::Unanswerable, text), [Label::MissingAbstention], "{language}");
        let (unrelated, _) = answers.iter().find(|(_, label)| *label == Label::LowOverlap).unwrap();
        for mode in [QuestionMode::Underspecified, QuestionMode::Sharded] {
            assert_eq!(labels(mode, unrelated), [], "{language}: it may ask back");
            assert_eq!(labels(mode, abstention), [], "{language}: what is not told yet is not known");
        }
    }
}

#[test]
fn what_only_the_program_knows_has_its_label_in_every_language() {
    const COPIED: &str = "Say only what the passages say, or what you said before.";
    for (language, text, _) in FAULTY {
        let long = format!("{text} {text}");
        let findings = found(language, &format!("{text} {COPIED}"), &format!("{long} {COPIED}"), text);
        assert!(findings.question_labels.contains(&Label::PromptText), "{language}: {findings:?}");
        assert!(findings.answer_labels.contains(&Label::PromptText), "{language}: {findings:?}");
        assert_eq!(findings.leaks, ["say only what the passages say or what"], "{language}: once, although twice said");
        let numbered = found(language, "Why?", &format!("{long} [P3]"), text);
        assert_eq!((numbered.answer_labels, numbered.leaks), (vec![Label::Leak], vec!["P3".to_owned()]), "{language}");
        // A text that has such a number itself is about such things.
        let about = format!("{text} P3");
        assert_eq!(found(language, "Why?", &about, &about).answer_labels, [], "{language}");
    }
}

#[test]
fn words_are_compared_within_a_language_only() {
    let passage =
        "Le thé vert est séché dans les 24 heures après la cueillette, à environ 80 °C, pour garder sa couleur.";
    let findings = found("en", "Why?", "Green tea from the Loire is dried within 24 hours of picking.", passage);
    assert_eq!((findings.evidence_overlap, findings.unsupported_names), (None, vec![]));
    let dialect =
        found("morocco", "علاش؟", "كيتنشف الشاي الأخضر فظرف 24 ساعة من بعد القطيف ديالو باش يبقى اللون", "الشاي 24");
    assert_eq!((dialect.answer_language.as_deref(), dialect.question_language), (Some("ar"), None));
}
