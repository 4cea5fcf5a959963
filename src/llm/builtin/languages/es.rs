//! Spanish.

use super::super::groups::romance;
use super::{Grammar, Sheet, Speech, Trace};
use crate::words::reply::Difficulty::{Easy, Hard, Medium};
use crate::words::reply::Intent::{
    Clarify, Compare, Constraints, DecisionSupport, EdgeCase, ExampleRequest, HowTo, Troubleshoot,
};

pub(super) static SHEET: Sheet = Sheet {
    code: "es",
    names: &["spanish", "español", "espanol", "castellano"],
    grammar: Grammar {
        articles: &[
            ("el", "el "),
            ("la", "la "),
            ("los", "los "),
            ("las", "las "),
            ("un", "el "),
            ("una", "la "),
            ("unos", "los "),
            ("unas", "las "),
            ("del", "el "),
            ("al", "el "),
        ],
        prepositions: "de a en con sin por para sobre entre desde hasta hacia contra según durante mediante tras ante bajo",
        verbs: "es son era eran fue fueron será serán ha han había habían puede pueden podía debe deben debía hay hace
            hacen está están estaba estaban tiene tienen tenía da dan permite permiten queda quedan sea sean sería serían
            que cual cuales quien quienes donde cuyo cuya se explica indica aplica fabrica significa publica deriva cultiva reposa varía",
        stop_words: "y e o u ni pero sino mas aunque porque pues si como cuando mientras cuanto que qué quién cuál cuáles
            cómo cuándo dónde cuánto cuántos este esta esto estos estas ese esa eso esos esas aquel aquella aquello
            aquellos aquellas él ella ellos ellas yo tú usted ustedes nosotros me te le les lo nos os su sus mi mis tu tus
            nuestro nuestra nuestros nuestras no sí ya muy más menos mucho mucha muchos muchas poco poca pocos pocas tan
            tanto tanta tantos tantas demasiado bastante también tampoco además así entonces aún todavía siempre nunca
            a menudo veces casi solo sólo todo toda todos todas cada algún alguna alguno algunos algunas ningún ninguna
            otro otra otros otras mismo misma mismos mismas tal tales ser estar haber tener hacer sido siendo uno dos tres
            cuatro cinco seis siete ocho nueve diez cien mil luego después antes ahora aquí allí ahí bien mal mejor peor
            cualquier ambos ambas vez medio media mitad mayoría unos alrededor aproximadamente incluso salvo sino
            embargo tanto lugar",
        vague: "cosa cosas forma formas manera modo parte partes número cantidad tiempo día días año años semana semanas
            mes meses hora horas minuto minutos ejemplo ejemplos caso casos gente resto fin lado lados resultado hecho
            hechos orden tipo tipos clase nivel sitio punto puntos momento razón motivo pregunta principio comienzo
            tamaño longitud nombre palabra palabras ayuda conjunto base papel mundo final siglo siglos",
        pointers: "este esta esto estos estas ese esa eso esos esas aquel aquella él ella ellos ellas pero sin embargo
            además también así entonces luego después su sus y o por tanto aunque tampoco ambos ambas lo ello",
        abbreviations: "sr sra sres dr dra prof p.ej ej aprox etc núm pág fig art cf ud uds vol",
        elisions: "",
        connectors: "de del",
        prenominal: "gran grande grandes pequeño pequeña pequeños pequeñas buen buena buenos buenas mal mala nuevo nueva
            nuevos nuevas viejo vieja viejos viejas primer primera primero primeros primeras último última últimos últimas
            segundo segunda tercer tercera largo larga alto alta altos altas doble simple antiguo antigua antiguos antiguas
            verdadero verdadera principal principales mejor mejores peor mayor mayores menor menores único única propio
            propia",
        adjective_endings: "ico ica icos icas oso osa osos osas al ales ivo iva ivos ivas able ables ible ibles ario aria
            arios arias ano ana anos anas ado ada ados adas ido ida idos idas ente entes ante antes",
        capitals_tell: true,
        script: None,
        reader: romance::groups,
    },
    speech: Speech {
        quotes: ("«", "»"),
        joints: (", ", " y "),
        quotes_nouns: false,
        capital_after_colon: false,
        questions: &[
            (Clarify, Easy, "¿qué se entiende exactamente por {a}?"),
            (Clarify, Easy, "¿puede explicar {a} con palabras sencillas?"),
            (Clarify, Easy, "¿qué conviene saber sobre {a} al empezar?"),
            (Clarify, Medium, "¿qué relación hay entre {a} y {b}?"),
            (Clarify, Medium, "¿qué nos dice la cifra de {n} sobre {a}?"),
            (Clarify, Easy, "en una o dos frases, ¿qué se puede decir sobre {a}?"),
            (HowTo, Easy, "¿cómo hay que proceder en la práctica con {a}?"),
            (HowTo, Easy, "¿en qué hay que fijarse con {a}?"),
            (HowTo, Medium, "¿cuál es la mejor manera de abordar {a}?"),
            (HowTo, Medium, "¿cómo se combinan en la práctica {a} y {b}?"),
            (HowTo, Medium, "¿cómo se aplica la cifra de {n} cuando se trabaja con {a}?"),
            (HowTo, Medium, "¿qué pasos prácticos hay que dar con {a}?"),
            (Troubleshoot, Medium, "¿qué suele salir mal con {a}?"),
            (Troubleshoot, Medium, "¿qué debería revisar primero si hay un problema con {a}?"),
            (Troubleshoot, Medium, "¿qué malentendidos son frecuentes sobre {a}?"),
            (Troubleshoot, Hard, "si hay dificultades con {a}, ¿habría que buscar la causa en {b}?"),
            (Troubleshoot, Medium, "¿qué se suele pasar por alto sobre {a}?"),
            (Compare, Medium, "¿qué distingue {a} de otras cosas parecidas?"),
            (Compare, Medium, "¿con qué se puede comparar {a}?"),
            (Compare, Medium, "¿qué diferencia hay entre {a} y {b}?"),
            (Compare, Medium, "¿cómo se comparan {a} y {b}?"),
            (Compare, Medium, "entre {a} y {b}, ¿qué pesa más?"),
            (EdgeCase, Hard, "¿en qué casos dejan de valer las reglas habituales sobre {a}?"),
            (EdgeCase, Hard, "¿hay situaciones poco comunes en las que haya que ver {a} de otro modo?"),
            (EdgeCase, Hard, "¿qué pasaría con {a} sin {b}?"),
            (EdgeCase, Hard, "¿qué cambiaría en {a} muy por encima o por debajo de {n}?"),
            (ExampleRequest, Easy, "¿puede dar un ejemplo concreto sobre {a}?"),
            (ExampleRequest, Easy, "¿en qué situación real se encuentra uno con {a}?"),
            (ExampleRequest, Easy, "¿puede ilustrar {a} con un caso preciso?"),
            (ExampleRequest, Medium, "¿existe algún caso que muestre juntos {a} y {b}?"),
            (ExampleRequest, Easy, "¿hay algún caso típico sobre {a}?"),
            (DecisionSupport, Medium, "¿qué hay que sopesar antes de decidir algo sobre {a}?"),
            (DecisionSupport, Medium, "¿vale la pena estudiar {a} con detalle?"),
            (DecisionSupport, Medium, "¿con qué criterios se decide sobre {a}?"),
            (DecisionSupport, Hard, "si hay que elegir, ¿qué conviene tener más en cuenta, {a} o {b}?"),
            (DecisionSupport, Medium, "¿qué argumentos conviene conocer sobre {a} antes de elegir?"),
            (Constraints, Medium, "¿qué límites hay que tener presentes con {a}?"),
            (Constraints, Medium, "¿qué condiciones importan más para {a}?"),
            (Constraints, Medium, "¿hay reglas que respetar sobre {a}?"),
            (Constraints, Medium, "¿qué no hay que olvidar nunca sobre {a}?"),
            (Constraints, Hard, "¿hasta qué punto vale la cifra de {n} para {a}?"),
            (Constraints, Hard, "¿qué límites comparten {a} y {b}?"),
        ],
        how: &["cómo"],
        on_topic: &["Una pregunta sobre {t}:", "Sobre {t},", "Estoy intentando entender {t}."],
        followup: &[
            "Ha mencionado {p}.",
            "Vuelvo sobre {p}.",
            "Gracias, queda más claro lo que dice sobre {p}. Yendo un poco más lejos,",
            "Me gustaría profundizar en {p}.",
        ],
        adjacent: &[
            "Entendido. En un punto cercano,",
            "Gracias. Sin salir del tema,",
            "Tomo nota. En relación con eso,",
        ],
        off_topic: &["Cambiando por completo de tema,", "Pasemos a otra cosa.", "Sobre un asunto muy distinto:"],
        persona: Some("Pregunto como {p}:"),
        tails: &[
            "Me basta con una respuesta breve.",
            "Sea lo más concreto posible, por favor.",
            "Busco un detalle preciso.",
            "Con lo esencial me basta.",
        ],
        openers: &[
            "¿por dónde me aconseja empezar?",
            "¿qué es lo primero que debe entender un principiante?",
            "¿qué hechos destacaría?",
            "¿puede darme una visión general para empezar?",
            "¿en qué se equivoca la mayoría de la gente?",
            "¿qué pregunta debería hacer primero?",
        ],
        relayed: "Me han hecho esta pregunta y me gustaría conocer la respuesta: {a}",
        note: "Responder a partir del pasaje sobre {a} y citar sus detalles concretos.",
        openings: &[
            (Clarify, "En palabras sencillas:"),
            (Clarify, "Esto es lo esencial."),
            (Clarify, "Se puede explicar así."),
            (HowTo, "En la práctica importan estos puntos."),
            (HowTo, "Esto es lo que ayuda en la práctica."),
            (Troubleshoot, "Estos son los puntos que hay que mirar primero."),
            (Troubleshoot, "Lo siguiente ayuda a acotar el problema."),
            (Compare, "Puestos uno junto a otro, se puede decir esto."),
            (Compare, "Para comparar, son útiles estos datos."),
            (EdgeCase, "Esto es lo que se sabe al respecto."),
            (EdgeCase, "Estos datos dan el marco para esos casos."),
            (ExampleRequest, "He aquí un caso concreto."),
            (ExampleRequest, "Con gusto."),
            (DecisionSupport, "Antes de decidir conviene saber esto."),
            (DecisionSupport, "Estos datos deberían pesar en la decisión."),
            (Constraints, "Esto es lo que hay que tener presente."),
            (Constraints, "Estas son las condiciones que puedo señalar."),
        ],
        partial: &[
            "Mis fuentes solo responden en parte.",
            "Puedo ofrecer una parte de la respuesta.",
            "Mis fuentes no dan una respuesta completa, pero esto se acerca.",
        ],
        bridges: &["También conviene saber esto:", "Otro pasaje añade:", "En relación con eso:"],
        foreign: "Mis fuentes están en otro idioma, así que las cito tal cual:",
        section: "la sección {t}",
        passage: "un pasaje sobre {a}",
        untitled: "un pasaje de la documentación",
        closings: &["Me apoyo aquí en {s}.", "Esta respuesta se basa en {s}.", "Para esto me baso en {s}."],
        insufficient: &[
            "No he encontrado nada que responda a esto: los datos son insuficientes ({x}).",
            "Mis fuentes no dicen lo bastante para una respuesta fiable ({x}).",
        ],
        trace: Trace {
            subject: "La pregunta gira en torno a: {x}.",
            found: "Pasajes leídos: {n}; pasajes utilizados: {k}.",
            covered: "Las frases elegidas cubren {k} de los {n} términos importantes.",
            premise: "{e} trata de: {x}.",
            context: "{e} aporta el contexto.",
            uncovered: "No se encontraron datos sobre: {x}.",
            foreign: "Los datos están en un idioma distinto al de la respuesta.",
            nothing: "Ningún pasaje comparte términos con la pregunta.",
        },
        verdict: "Fundamento: el {g} % de los términos de la respuesta está en los datos. Pertinencia: el {r} % de los \
                  términos de la pregunta está en la respuesta. Enfoque: el {c} % de las frases de la respuesta trata de la pregunta. Longitud: {w} \
                  palabras.",
        missing: "No hay respuesta.",
    },
};
