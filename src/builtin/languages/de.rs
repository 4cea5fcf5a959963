//! German.

use super::super::groups::german;
use super::{Grammar, Sheet, Speech, Trace};
use crate::domain::reply::Difficulty::{Easy, Hard, Medium};
use crate::domain::reply::Intent::{
    Clarify, Compare, Constraints, DecisionSupport, EdgeCase, ExampleRequest, HowTo, Troubleshoot,
};

pub(super) static SHEET: Sheet = Sheet {
    code: "de",
    names: &["german", "deutsch"],
    grammar: Grammar {
        articles: &[("der", ""), ("die", ""), ("das", ""), ("dem", ""), ("ein", ""), ("eine", ""), ("einem", ""), ("einer", "")],
        prepositions: "in im an am auf aus bei beim mit nach von vom zu zum zur für durch gegen ohne um über unter vor hinter
            neben zwischen seit während wegen trotz ab bis pro per je entlang ins ans",
        verbs: "ist sind war waren wird werden wurde wurden hat haben hatte hatten kann können konnte konnten muss müssen
            musste soll sollen sollte sollten darf dürfen mag mögen will wollen gibt geht kommt steht liegt bleibt bleiben
            macht lässt",
        stop_words: "den des eines einen und oder aber denn sondern sowie dass ob wenn als wie weil da damit obwohl während
            bevor nachdem sobald solange falls ich du er sie es wir ihr mich dich sich uns euch ihn ihm ihnen mein dein sein
            seine seiner seinem seinen seines ihre ihrer ihrem ihren ihres unser unsere dieser diese dieses diesem diesen
            jener jene jenes jeder jede jedes jedem jeden welcher welche welches manche mancher alle allem allen aller
            alles viel viele vielen vieler wenig wenige mehr weniger meist meisten einige einigen etwas nichts nicht kein
            keine keinen keinem keiner nur auch noch schon sehr zu so dann dort hier jetzt heute immer nie oft manchmal
            selten etwa rund fast ganz gar sonst also daher deshalb dadurch dabei dafür dagegen danach darauf daran darin
            darum davon davor dazu doch jedoch eben erst bereits wieder zwei drei vier fünf sechs sieben acht neun zehn
            hundert tausend man wer was wo wann warum wohin woher worauf womit wofür wodurch sei seien wäre wären sein
            werden worden gewesen haben möglich selbst zwar beide beiden anderen andere anderer anderes gut besser best
            sofort später früher zuerst zuletzt hin her weg statt mal einmal",
        vague: "ding dinge weise art arten teil teile zahl anzahl menge zeit tag tage tagen jahr jahre jahren woche
            wochen monat monate monaten stunde stunden minute minuten beispiel beispiele fall fälle fällen leute
            mensch menschen rest ende seite seiten ergebnis tatsache ordnung form formen stelle ort punkt punkte
            moment grund gründe zweck frage anfang mitte größe länge name namen wort worte hilfe gruppe rolle
            welt prozent grad gramm meter kilogramm liter millimeter zentimeter kilometer januar februar märz
            april mai juni juli august september oktober november dezember montag dienstag mittwoch donnerstag
            freitag samstag sonntag frühling sommer herbst winter morgen abend nacht hunderte tausende millionen
            tonne tonnen hälfte drittel viertel höhe breite tiefe gewicht entfernung abstand schritt schritte
            finger stück stücke unterschied unterschiede gemeinsamkeit wirkung wirkungen ursache ursachen
            änderung änderungen veränderung problem probleme vorteil vorteile nachteil nachteile einzelheit
            einzelheiten information informationen methode methoden regel regeln zeichen anzeichen verlust wert
            werte auswahl wahl möglichkeit möglichkeiten fähigkeit risiko neigung anteil durchschnitt lage
            position bedingung bedingungen qualität bestandteil element elemente aspekt aspekte idee ideen
            faktor aufgabe aufgaben funktion trick gegenteil zeitraum dauer reihe reihen gegenstand thema folge
            folgen erfolg versuch prinzip grundlage grundsatz lösung angabe angaben blick begriff sache sachen
            abschluss beginn person personen zeitpunkt richtung linie mittel zustand ruhe rückweg mittag
            mitternacht vollständigkeit quadratmeter kubikmeter",
        pointers: "er sie es dieser diese dieses diesem diesen aber jedoch dabei dadurch danach dann daher deshalb dafür
            dagegen darauf dort sein seine ihr ihre und oder auch dazu davon damit außerdem zudem so solche jene beide doch
            anschließend hierbei hierzu",
        abbreviations: "z b z.b d.h bzw ca usw nr dr prof st str vgl evtl ggf inkl max min abb bd s u.a o.ä",
        elisions: "",
        connectors: "",
        prenominal: "",
        adjective_endings: "",
        capitals_tell: false,
        script: None,
        reader: german::groups,
    },
    speech: Speech {
        quotes: ("„", "“"),
        joints: (", ", " und "),
        quotes_nouns: true,
        capital_after_colon: true,
        questions: &[
            (Clarify, Easy, "was sollte man über das Thema {a} wissen?"),
            (Clarify, Easy, "können Sie das Stichwort {a} in einfachen Worten erklären?"),
            (Clarify, Easy, "was lässt sich in ein, zwei Sätzen zum Thema {a} sagen?"),
            (Clarify, Medium, "wie hängen {a} und {b} zusammen?"),
            (HowTo, Easy, "wie würden Sie einem Einsteiger das Stichwort {a} erklären?"),
            (HowTo, Medium, "was ist in der Praxis zum Thema {a} nützlich zu wissen?"),
            (HowTo, Easy, "wo fängt man am besten an, wenn man das Thema {a} verstehen will?"),
            (HowTo, Medium, "wie passen {a} und {b} zusammen?"),
            (Troubleshoot, Medium, "beim Thema {a} komme ich durcheinander. Können Sie helfen?"),
            (Troubleshoot, Medium, "ich glaube, ich verstehe das Stichwort {a} nicht ganz. Was entgeht mir?"),
            (Troubleshoot, Medium, "ich habe Widersprüchliches zum Thema {a} gelesen. Was stimmt?"),
            (Troubleshoot, Hard, "ich sehe nicht, was {a} und {b} miteinander zu tun haben. Können Sie helfen?"),
            (Compare, Medium, "was ist das Besondere beim Thema {a}?"),
            (Compare, Medium, "was ist typisch für das Thema {a}?"),
            (Compare, Medium, "was fällt beim Thema {a} besonders auf?"),
            (Compare, Medium, "welche Rolle spielen {a} und {b} jeweils?"),
            (EdgeCase, Hard, "gibt es beim Thema {a} etwas Ungewöhnliches?"),
            (EdgeCase, Hard, "was könnte mich beim Thema {a} überraschen?"),
            (EdgeCase, Hard, "welche Einzelheiten werden beim Thema {a} leicht übersehen?"),
            (EdgeCase, Hard, "was wissen nur wenige über das Thema {a}?"),
            (ExampleRequest, Easy, "können Sie mir eine konkrete Tatsache zum Thema {a} nennen?"),
            (ExampleRequest, Easy, "haben Sie ein, zwei Einzelheiten zum Thema {a}?"),
            (ExampleRequest, Easy, "können Sie mir etwas Genaues zum Thema {a} sagen?"),
            (ExampleRequest, Medium, "gibt es ein Beispiel, das {a} und {b} zusammen zeigt?"),
            (DecisionSupport, Medium, "was ist das Wichtigste, was man über das Thema {a} wissen sollte?"),
            (DecisionSupport, Medium, "wenn ich mir zum Thema {a} nur eines merke, was sollte das sein?"),
            (DecisionSupport, Medium, "warum lohnt es sich, über das Thema {a} Bescheid zu wissen?"),
            (DecisionSupport, Medium, "welche Tatsachen zählen beim Thema {a} am meisten?"),
            (Constraints, Medium, "was sollte ich beim Thema {a} im Blick behalten?"),
            (Constraints, Medium, "worauf sollte man beim Thema {a} achten?"),
            (Constraints, Medium, "was darf man beim Thema {a} nicht vergessen?"),
            (Constraints, Hard, "was sind die wichtigsten Punkte zum Thema {a}?"),
        ],
        how: &["wie kann", "wie soll", "wie muss", "wie mache", "wie wird", "wie geht"],
        on_topic: &["Eine Frage zum Thema {t}:", "Ich beschäftige mich mit dem Thema {t}.", "Zum Abschnitt {t}:"],
        followup: &[
            "Sie haben {p} erwähnt.",
            "Ich komme noch einmal auf das Stichwort {p} zurück.",
            "Danke, das Stichwort {p} ist mir nun klarer.",
            "Ich möchte beim Stichwort {p} noch etwas genauer nachfragen.",
        ],
        adjacent: &["Das leuchtet ein.", "Danke, das hilft mir.", "Gut zu wissen.", "Verstehe. Noch eine Frage:"],
        off_topic: &["Nun zu etwas ganz anderem:", "Ich wechsle das Thema.", "Eine völlig andere Frage:"],
        persona: Some("Ich frage als {p}:"),
        tails: &[
            "Eine kurze Antwort genügt.",
            "Bitte seien Sie so konkret wie möglich.",
            "Mir geht es um eine genaue Angabe.",
            "Das Wesentliche reicht mir.",
        ],
        openers: &[
            "womit sollte ich anfangen?",
            "was sollte man als Einsteiger zuerst verstehen?",
            "welche Tatsachen würden Sie voranstellen?",
            "können Sie mir zum Einstieg einen Überblick geben?",
            "worin irren sich die meisten?",
            "welche Frage sollte ich zuerst stellen?",
        ],
        note: "Aus der Passage zum Thema {a} antworten und konkrete Angaben daraus nennen.",
        openings: &[
            "Das habe ich gefunden.",
            "Hier das Wesentliche.",
            "Kurz gesagt:",
            "Das lässt sich so erklären.",
            "Das sagen meine Quellen.",
            "Gern.",
        ],
        partial: &[
            "Meine Quellen beantworten das nur zum Teil.",
            "Ich kann einen Teil der Antwort geben.",
            "Eine vollständige Antwort geben meine Quellen nicht, aber dies kommt ihr nahe.",
        ],
        bridges: &["Außerdem ist gut zu wissen:", "Eine andere Passage ergänzt:", "Damit verwandt:"],
        section: "den Abschnitt {t}",
        passage: "eine Passage zum Thema {a}",
        untitled: "eine Passage der Unterlagen",
        closings: &["Ich stütze mich dabei auf {s}.", "Ich beziehe mich auf {s}.", "Ich berufe mich hier auf {s}."],
        insufficient: &[
            "Ich habe dazu nichts Verlässliches gefunden: Die Belege reichen nicht aus ({x}).",
            "Meine Quellen sagen zu wenig für eine verlässliche Antwort ({x}).",
        ],
        trace: Trace {
            subject: "In der Frage geht es um: {x}.",
            found: "Gelesene Passagen: {n}; verwendete Passagen: {k}.",
            covered: "Die gewählten Sätze decken {k} von {n} wichtigen Begriffen ab.",
            premise: "{e} behandelt: {x}.",
            context: "{e} gibt den Zusammenhang.",
            uncovered: "Keine Belege gefunden zu: {x}.",
            nothing: "Keine Passage hat einen Begriff mit der Frage gemeinsam.",
        },
        verdict: "Belegt: {g} % der Begriffe der Antwort stehen in den Belegen. Bezug: {r} % der Begriffe der Frage stehen in \
                  der Antwort. Schwerpunkt: {c} % der Sätze der Antwort betreffen die Frage. Länge: {w} Wörter.",
        missing: "Es gibt keine Antwort.",
    },
};
