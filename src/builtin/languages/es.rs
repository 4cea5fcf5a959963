//! Spanish.

use super::super::groups::romance;
use super::{Grammar, Sheet, Speech, Trace};
use crate::domain::reply::Difficulty::{Easy, Hard, Medium};
use crate::domain::reply::Intent::{
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
        vague: "cosa cosas forma formas manera modo parte partes número cantidad tiempo día días año años semana
            semanas mes meses hora horas minuto minutos segundo segundos ejemplo ejemplos caso casos gente resto fin lado lados
            resultado hecho hechos orden tipo tipos clase nivel sitio punto puntos momento razón motivo pregunta
            principio comienzo tamaño longitud nombre palabra palabras ayuda conjunto base papel mundo final
            siglo siglos enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre
            diciembre lunes martes miércoles jueves viernes sábado domingo primavera verano otoño invierno
            mañana tarde noche millar millares millón millones cientos miles centenar centenares grado grados
            gramo gramos kilo kilos metro metros kilómetro kilómetros centímetro centímetros litro litros
            tonelada toneladas tercero cuarto quinto sexto séptimo octavo noveno décimo izquierda derecha altura
            anchura profundidad peso distancia etapa etapas situación por ciento fecha veinte treinta cuarenta
            cincuenta sesenta virgen diferencia diferencias semejanza efecto efectos causa causas cambio cambios
            problema problemas ventaja ventajas desventaja desventajas detalle detalles información método
            métodos regla reglas signo signos pérdida ganancia valor valores elección opción opciones
            posibilidad posibilidades capacidad riesgo riesgos tendencia tasa proporción total posición
            condición condiciones calidad elemento elementos aspecto aspectos idea ideas factor factores tarea
            tareas función uso usos truco contrario período periodo duración serie objeto objetos tema asunto
            consecuencia consecuencias éxito fracaso intento principios paso pasos medida medidas mediodía
            medianoche persona personas alguien nota notas proceso procesos presencia ausencia aviso cuestión
            contacto mérito méritos descuido descuidos cifra cifras estado diario",
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
            (Clarify, Easy, "¿qué conviene saber sobre {a}?"),
            (Clarify, Easy, "¿puede explicar {a} con palabras sencillas?"),
            (Clarify, Easy, "en una o dos frases, ¿qué se puede decir sobre {a}?"),
            (Clarify, Medium, "¿qué relación hay entre {a} y {b}?"),
            (HowTo, Easy, "¿cómo explicaría {a} en pocas palabras?"),
            (HowTo, Medium, "¿qué es útil saber en la práctica sobre {a}?"),
            (HowTo, Easy, "¿por dónde hay que empezar para entender {a}?"),
            (HowTo, Medium, "¿cómo se relacionan {a} y {b}?"),
            (Troubleshoot, Medium, "me confundo un poco con {a}. ¿Puede ayudarme?"),
            (Troubleshoot, Medium, "creo que no entiendo bien {a}. ¿Qué se me escapa?"),
            (Troubleshoot, Medium, "he leído cosas contradictorias sobre {a}. ¿Qué es lo cierto?"),
            (Troubleshoot, Hard, "no veo cómo encajan {a} y {b}. ¿Puede ayudarme?"),
            (Compare, Medium, "¿qué hay de particular en {a}?"),
            (Compare, Medium, "¿qué hay de especial en {a}?"),
            (Compare, Medium, "¿qué rasgos llaman la atención en {a}?"),
            (Compare, Medium, "¿qué papel desempeñan aquí {a} y {b}?"),
            (EdgeCase, Hard, "¿hay algo poco habitual que saber sobre {a}?"),
            (EdgeCase, Hard, "¿qué podría sorprenderme sobre {a}?"),
            (EdgeCase, Hard, "¿qué detalles sobre {a} se pasan por alto con facilidad?"),
            (EdgeCase, Hard, "¿qué es poco conocido sobre {a}?"),
            (ExampleRequest, Easy, "¿puede darme un dato concreto sobre {a}?"),
            (ExampleRequest, Easy, "¿puede darme uno o dos detalles sobre {a}?"),
            (ExampleRequest, Easy, "¿puede decirme algo preciso sobre {a}?"),
            (ExampleRequest, Medium, "¿hay algún ejemplo que muestre juntos {a} y {b}?"),
            (DecisionSupport, Medium, "¿qué es lo más importante que hay que saber sobre {a}?"),
            (DecisionSupport, Medium, "si solo pudiera recordar una cosa sobre {a}, ¿cuál debería ser?"),
            (DecisionSupport, Medium, "¿por qué vale la pena conocer bien {a}?"),
            (DecisionSupport, Medium, "¿qué datos sobre {a} son los que más cuentan?"),
            (Constraints, Medium, "¿qué hay que tener presente sobre {a}?"),
            (Constraints, Medium, "¿qué hay que saber sin falta sobre {a}?"),
            (Constraints, Medium, "¿qué no hay que olvidar sobre {a}?"),
            (Constraints, Hard, "¿cuáles son los puntos clave sobre {a}?"),
        ],
        how: &["cómo"],
        on_topic: &["Una pregunta sobre {t}:", "Sobre {t},", "Estoy intentando entender {t}."],
        followup: &[
            "Ha mencionado {p}.",
            "Vuelvo sobre {p}.",
            "Gracias, queda más claro lo que dice sobre {p}. Yendo un poco más lejos,",
            "Me gustaría profundizar en {p}.",
        ],
        adjacent: &["Entendido.", "Gracias, queda claro.", "Tomo nota.", "De acuerdo. Otra pregunta:"],
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
        note: "Responder a partir del pasaje sobre {a} y citar sus detalles concretos.",
        openings: &[
            "Esto es lo que he encontrado.",
            "Esto es lo esencial.",
            "En resumen:",
            "Se puede explicar así.",
            "Esto es lo que dicen mis fuentes.",
            "Con gusto.",
        ],
        partial: &[
            "Mis fuentes solo responden en parte.",
            "Puedo ofrecer una parte de la respuesta.",
            "Mis fuentes no dan una respuesta completa, pero esto se acerca.",
        ],
        bridges: &["También conviene saber esto:", "Otro pasaje añade:", "En relación con eso:"],
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
            nothing: "Ningún pasaje comparte términos con la pregunta.",
        },
        verdict: "Fundamento: el {g} % de los términos de la respuesta está en los datos. Pertinencia: el {r} % de los \
                  términos de la pregunta está en la respuesta. Enfoque: el {c} % de las frases de la respuesta trata de la pregunta. Longitud: {w} \
                  palabras.",
        missing: "No hay respuesta.",
    },
};
