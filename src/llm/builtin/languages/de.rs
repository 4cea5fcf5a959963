//! German.

use super::super::groups::german;
use super::{Grammar, Sheet, Speech, Trace};
use crate::words::reply::Difficulty::{Easy, Hard, Medium};
use crate::words::reply::Intent::{
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
        vague: "ding dinge weise art arten teil teile zahl anzahl menge zeit tag tage tagen jahr jahre jahren woche wochen
            monat monate monaten stunde stunden minute minuten beispiel beispiele fall fälle fällen leute mensch menschen
            rest ende seite seiten ergebnis tatsache ordnung form formen stelle ort punkt punkte moment grund gründe zweck
            frage anfang mitte größe länge name namen wort worte hilfe gruppe rolle welt prozent grad gramm meter kilogramm
            liter millimeter zentimeter kilometer januar februar märz april mai juni juli august september oktober
            november dezember",
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
            (Clarify, Easy, "was genau ist mit {a} gemeint?"),
            (Clarify, Easy, "können Sie das Stichwort {a} in einfachen Worten erklären?"),
            (Clarify, Easy, "was sollte man als Einsteiger über das Thema {a} wissen?"),
            (Clarify, Medium, "wie hängen {a} und {b} zusammen?"),
            (Clarify, Medium, "was sagt der Wert {n} über das Thema {a} aus?"),
            (Clarify, Easy, "was lässt sich in ein, zwei Sätzen über das Thema {a} sagen?"),
            (HowTo, Easy, "wie geht man beim Thema {a} praktisch vor?"),
            (HowTo, Easy, "worauf sollte man beim Thema {a} achten?"),
            (HowTo, Medium, "worauf kommt es bei {a} in der Praxis an?"),
            (HowTo, Medium, "wie bringt man {a} und {b} in der Praxis zusammen?"),
            (HowTo, Medium, "wie setzt man den Wert {n} beim Thema {a} um?"),
            (HowTo, Medium, "welche praktischen Schritte gehören zum Thema {a}?"),
            (Troubleshoot, Medium, "was geht beim Thema {a} häufig schief?"),
            (Troubleshoot, Medium, "was sollte ich bei Problemen mit {a} zuerst prüfen?"),
            (Troubleshoot, Medium, "welche Irrtümer gibt es häufig zum Thema {a}?"),
            (Troubleshoot, Hard, "kann es bei Schwierigkeiten mit {a} auch an {b} liegen?"),
            (Troubleshoot, Medium, "was wird beim Thema {a} gern übersehen?"),
            (Compare, Medium, "wodurch unterscheidet sich {a} von Ähnlichem?"),
            (Compare, Medium, "womit lässt sich {a} vergleichen?"),
            (Compare, Medium, "worin liegt der Unterschied zwischen {a} und {b}?"),
            (Compare, Medium, "wie verhalten sich {a} und {b} zueinander?"),
            (Compare, Medium, "was zählt hier mehr, {a} oder {b}?"),
            (EdgeCase, Hard, "wann gelten die üblichen Regeln zum Thema {a} nicht mehr?"),
            (EdgeCase, Hard, "gibt es ungewöhnliche Umstände, die das Bild beim Thema {a} ändern?"),
            (EdgeCase, Hard, "was würde sich bei {a} ohne {b} ändern?"),
            (EdgeCase, Hard, "was würde sich bei {a} weit über oder unter dem Wert {n} ändern?"),
            (ExampleRequest, Easy, "können Sie ein konkretes Beispiel zum Thema {a} nennen?"),
            (ExampleRequest, Easy, "wo begegnet man dem Thema {a} im Alltag?"),
            (ExampleRequest, Easy, "können Sie das Thema {a} an einem Fall veranschaulichen?"),
            (ExampleRequest, Medium, "gibt es einen Fall, der {a} und {b} zusammen zeigt?"),
            (ExampleRequest, Easy, "gibt es einen typischen Fall zum Thema {a}?"),
            (DecisionSupport, Medium, "was sollte ich abwägen, bevor ich beim Thema {a} etwas entscheide?"),
            (DecisionSupport, Medium, "wie viel Gewicht sollte ich dem Thema {a} geben?"),
            (DecisionSupport, Medium, "lohnt es sich, sich näher mit dem Thema {a} zu befassen?"),
            (DecisionSupport, Hard, "wenn ich mich entscheiden muss: Ist {a} wichtiger oder {b}?"),
            (DecisionSupport, Medium, "welche Argumente sollte ich zum Thema {a} kennen, bevor ich wähle?"),
            (Constraints, Medium, "welche Grenzen sollte ich beim Thema {a} im Blick behalten?"),
            (Constraints, Medium, "welche Bedingungen sind für {a} entscheidend?"),
            (Constraints, Medium, "gibt es Regeln, die man beim Thema {a} beachten muss?"),
            (Constraints, Medium, "was darf man beim Thema {a} nie vergessen?"),
            (Constraints, Hard, "wie weit gilt der Wert {n} für {a}?"),
            (Constraints, Hard, "welche Grenzen ergeben sich für {a} durch das Thema {b}?"),
        ],
        how: &["wie kann", "wie soll", "wie muss", "wie mache", "wie wird", "wie geht"],
        on_topic: &["Eine Frage zum Thema {t}:", "Ich beschäftige mich mit dem Thema {t}.", "Zum Abschnitt {t}:"],
        followup: &[
            "Sie haben {p} erwähnt.",
            "Ich komme noch einmal auf das Stichwort {p} zurück.",
            "Danke, das Stichwort {p} ist mir nun klarer.",
            "Ich möchte beim Stichwort {p} noch etwas genauer nachfragen.",
        ],
        adjacent: &[
            "Das leuchtet ein. Eine verwandte Frage:",
            "Danke. Ich bleibe in der Nähe des Themas.",
            "Gut zu wissen. Daran schließt sich eine Frage an:",
        ],
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
        relayed: "Mir wurde diese Frage gestellt, und ich wüsste gern die Antwort: {a}",
        note: "Aus der Passage zum Thema {a} antworten und konkrete Angaben daraus nennen.",
        openings: &[
            (Clarify, "In einfachen Worten:"),
            (Clarify, "Hier das Wesentliche."),
            (Clarify, "Das lässt sich so erklären."),
            (HowTo, "In der Praxis zählen diese Punkte."),
            (HowTo, "Das hilft in der Praxis."),
            (Troubleshoot, "Diese Punkte sollte man zuerst prüfen."),
            (Troubleshoot, "Das Folgende hilft, das Problem einzugrenzen."),
            (Compare, "Nebeneinandergestellt ergibt sich Folgendes."),
            (Compare, "Für einen Vergleich sind diese Angaben nützlich."),
            (EdgeCase, "Dazu ist Folgendes bekannt."),
            (EdgeCase, "Diese Angaben geben den Rahmen für solche Fälle."),
            (ExampleRequest, "Hier ein konkreter Fall."),
            (ExampleRequest, "Gern."),
            (DecisionSupport, "Vor der Entscheidung sollte man dies wissen."),
            (DecisionSupport, "Diese Angaben sollten bei der Entscheidung zählen."),
            (Constraints, "Das sollte man im Blick behalten."),
            (Constraints, "Diese Bedingungen kann ich nennen."),
        ],
        partial: &[
            "Meine Quellen beantworten das nur zum Teil.",
            "Ich kann einen Teil der Antwort geben.",
            "Eine vollständige Antwort geben meine Quellen nicht, aber dies kommt ihr nahe.",
        ],
        bridges: &["Außerdem ist gut zu wissen:", "Eine andere Passage ergänzt:", "Damit verwandt:"],
        foreign: "Meine Quellen sind in einer anderen Sprache, daher zitiere ich sie im Wortlaut:",
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
            foreign: "Die Belege sind in einer anderen Sprache als die Antwort.",
            nothing: "Keine Passage hat einen Begriff mit der Frage gemeinsam.",
        },
        verdict: "Belegt: {g} % der Begriffe der Antwort stehen in den Belegen. Bezug: {r} % der Begriffe der Frage stehen in \
                  der Antwort. Schwerpunkt: {c} % der Sätze der Antwort betreffen die Frage. Länge: {w} Wörter.",
        missing: "Es gibt keine Antwort.",
    },
};
