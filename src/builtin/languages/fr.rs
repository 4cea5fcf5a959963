//! French.

use super::super::groups::romance;
use super::{Grammar, Sheet, Speech, Trace};
use crate::domain::reply::Difficulty::{Easy, Hard, Medium};
use crate::domain::reply::Intent::{
    Clarify, Compare, Constraints, DecisionSupport, EdgeCase, ExampleRequest, HowTo, Troubleshoot,
};

pub(super) static SHEET: Sheet = Sheet {
    code: "fr",
    names: &["french", "français", "francais"],
    grammar: Grammar {
        articles: &[
            ("le", "le "),
            ("la", "la "),
            ("les", "les "),
            ("l'", "l'"),
            ("un", "le "),
            ("une", "la "),
            ("du", "le "),
            ("au", "le "),
            ("aux", "les "),
            ("des", "les "),
        ],
        prepositions: "de d' à en dans sur sous avec sans pour par entre vers chez contre depuis pendant avant après selon
            malgré parmi dès hors jusqu' outre",
        verbs: "est sont était étaient sera seront fut a ont avait avaient peut peuvent pouvait doit doivent devait faut
            fait font devient deviennent reste restent donne donnent permet permettent prend prennent met mettent vient
            viennent va vont tient tiennent qui que qu' dont où ayant étant soit soient serait seraient arrive dérive éclaire explique indique applique fabrique
            croise appelle rappelle égale communique",
        stop_words: "et ou mais ni or car donc si comme lorsque lorsqu' quand puisque puisqu' quoique quoiqu' parce ce
            c' cet cette ces ça cela ceci celui celle ceux celles il elle ils elles on nous vous je j' tu me m' te t' se
            s' lui leur leurs y ne n' pas plus moins très trop peu assez aussi ainsi alors encore déjà toujours jamais
            souvent parfois presque environ seulement surtout même mêmes autre autres tout toute tous toutes chaque
            quelque quelques plusieurs aucun aucune certain certaine certains certaines tel telle tels telles mon ma mes
            ton ta tes son sa ses notre nos votre vos quel quelle quels quelles quoi comment pourquoi combien lequel
            laquelle lesquels lesquelles deux trois quatre cinq six sept huit neuf dix cent mille ici là puis ensuite
            enfin d'abord afin être avoir faire été eu beaucoup bien mieux mal tant autant ailleurs
            cependant pourtant toutefois tandis alors non oui voici voilà rien personne demi demie moitié plupart fois
            environ notamment jusque sauf lors tard tôt hui ils",
        vague: "chose choses façon manière partie parties nombre quantité temps jour jours an ans année années
            semaine semaines mois heure heures minute minutes exemple exemples cas gens reste fin côté côtés
            résultat fait faits ordre forme formes type types sorte sortes niveau lieu place point points moment
            raison raisons but question haut bas milieu début taille longueur nom mot mots aide besoin ensemble
            suite base rôle monde sens quinzaine dizaine vingtaine centaine douzaine trentaine part parts siècle
            siècles janvier février mars avril mai juin juillet août septembre octobre novembre décembre lundi
            mardi mercredi jeudi vendredi samedi dimanche printemps été automne hiver matin soir nuit midi
            millier milliers million millions milliard milliards centaines dizaines vingtaines degré degrés
            gramme grammes kilogramme kilogrammes kilo kilos mètre mètres kilomètre kilomètres centimètre
            centimètres millimètre millimètres litre litres tonne tonnes troisième quatrième cinquième sixième
            septième huitième neuvième dixième tiers quart double triple gauche droite avant arrière étape
            étapes situation distance hauteur largeur profondeur poids majorité plupart onze douze treize quinze
            vingt trente quarante cinquante soixante chiffre montée dose différence différences ressemblance
            effet effets cause causes changement changements problème problèmes avantage avantages inconvénient
            inconvénients détail détails information informations méthode méthodes règle règles signe signes
            perte gain valeur valeurs choix option options possibilité possibilités capacité risque risques
            tendance taux proportion proportions total moyenne position condition conditions qualité qualités
            élément éléments aspect aspects idée idées facteur facteurs tâche tâches fonction fonctions usage
            usages emploi astuce contraire période périodes durée série objet objets sujet sujets thème
            conséquence conséquences succès échec essai essais principe principes peine moyen moyens maximum
            minimum quelque présence absence personne personnes attention soin soins vue plan apparition
            maintien rapport rapports fois",
        pointers: "il elle ils elles ce cela ceci cette ces cet celui celle ceux celles ça mais cependant pourtant ensuite
            puis ainsi donc alors enfin toutefois c'est c'était son sa ses leur leurs et or en y lui aussi inversement
            là elles-mêmes eux",
        abbreviations: "m mm mme dr pr st ste env p.ex ex av apr cf art no fig etc vol",
        elisions: "l d qu n s c j m t jusqu lorsqu puisqu quoiqu",
        connectors: "de d' du des",
        prenominal: "grand grande grands grandes petit petite petits petites bon bonne bons bonnes mauvais mauvaise nouveau
            nouvel nouvelle nouveaux nouvelles vieux vieille vieilles premier première premiers premières dernier dernière
            derniers dernières deuxième troisième seconde second long longue longs longues haut haute hauts hautes gros
            grosse gros jeune jeunes beau belle beaux belles double simple simples véritable véritables ancien ancienne
            anciens anciennes large larges léger légère fort forte forts fortes fine fin vaste vastes principal principale principaux principales
            meilleur meilleure meilleurs meilleures seul seule seuls seules",
        adjective_endings: "ique iques eux euse euses al ale ales aux el elle els elles if ive ifs ives aire aires ois oise
            ien ienne iens iennes able ables ible ibles ain aine ains aines uel uelle",
        capitals_tell: true,
        script: None,
        reader: romance::groups,
    },
    speech: Speech {
        quotes: ("«\u{a0}", "\u{a0}»"),
        joints: (", ", " et "),
        quotes_nouns: false,
        capital_after_colon: false,
        questions: &[
            (Clarify, Easy, "que faut-il savoir sur {a}\u{a0}?"),
            (Clarify, Easy, "pouvez-vous expliquer {a} avec des mots simples\u{a0}?"),
            (Clarify, Easy, "en une ou deux phrases, que peut-on dire sur {a}\u{a0}?"),
            (Clarify, Medium, "quel lien y a-t-il entre {a} et {b}\u{a0}?"),
            (HowTo, Easy, "comment présenter {a} à un débutant\u{a0}?"),
            (HowTo, Medium, "qu'est-il utile de savoir en pratique sur {a}\u{a0}?"),
            (HowTo, Easy, "par où commencer pour comprendre {a}\u{a0}?"),
            (HowTo, Medium, "comment relier {a} et {b}\u{a0}?"),
            (Troubleshoot, Medium, "je m'y perds un peu concernant {a}. Pouvez-vous m'aider\u{a0}?"),
            (Troubleshoot, Medium, "je crains de mal comprendre {a}. Qu'est-ce qui m'échappe\u{a0}?"),
            (Troubleshoot, Medium, "j'ai lu des choses contradictoires sur {a}. Qu'en est-il vraiment\u{a0}?"),
            (Troubleshoot, Hard, "je ne vois pas comment {a} et {b} vont ensemble. Pouvez-vous m'aider\u{a0}?"),
            (Compare, Medium, "qu'y a-t-il de particulier concernant {a}\u{a0}?"),
            (Compare, Medium, "qu'est-ce qui distingue {a} du reste\u{a0}?"),
            (Compare, Medium, "qu'est-ce qui caractérise {a}\u{a0}?"),
            (Compare, Medium, "quel rôle jouent ici {a} et {b}\u{a0}?"),
            (EdgeCase, Hard, "y a-t-il quelque chose d'inhabituel à savoir sur {a}\u{a0}?"),
            (EdgeCase, Hard, "qu'est-ce qui pourrait me surprendre concernant {a}\u{a0}?"),
            (EdgeCase, Hard, "quels détails échappent facilement quand on étudie {a}\u{a0}?"),
            (EdgeCase, Hard, "que sait-on rarement sur {a}\u{a0}?"),
            (ExampleRequest, Easy, "pouvez-vous me donner un fait concret sur {a}\u{a0}?"),
            (ExampleRequest, Easy, "pouvez-vous me citer un ou deux détails sur {a}\u{a0}?"),
            (ExampleRequest, Easy, "pouvez-vous me dire quelque chose de précis sur {a}\u{a0}?"),
            (ExampleRequest, Medium, "y a-t-il un exemple qui montre {a} et {b} ensemble\u{a0}?"),
            (DecisionSupport, Medium, "quelle est la chose la plus importante à savoir sur {a}\u{a0}?"),
            (DecisionSupport, Medium, "si je ne devais retenir qu'une chose sur {a}, laquelle serait-ce\u{a0}?"),
            (DecisionSupport, Medium, "pourquoi est-il utile de bien connaître {a}\u{a0}?"),
            (DecisionSupport, Medium, "quels faits comptent le plus concernant {a}\u{a0}?"),
            (Constraints, Medium, "que faut-il garder à l'esprit concernant {a}\u{a0}?"),
            (Constraints, Medium, "que faut-il absolument savoir sur {a}\u{a0}?"),
            (Constraints, Medium, "que ne faut-il pas oublier concernant {a}\u{a0}?"),
            (Constraints, Hard, "quels sont les points clés concernant {a}\u{a0}?"),
        ],
        how: &["comment"],
        on_topic: &["Une question sur {t}\u{a0}:", "Concernant {t},", "J'essaie de comprendre {t}."],
        followup: &[
            "Vous avez mentionné {p}.",
            "Je reviens sur {p}.",
            "Merci, c'est plus clair pour {p}. Pour aller plus loin,",
            "J'aimerais creuser ce que vous dites sur {p}.",
        ],
        adjacent: &["D'accord.", "Merci, c'est plus clair.", "C'est noté.", "Je comprends. Une autre question\u{a0}:"],
        off_topic: &["Rien à voir, mais", "Changeons de sujet.", "Sur un tout autre sujet,"],
        persona: Some("Je pose la question comme {p}\u{a0}:"),
        tails: &[
            "Une réponse courte me suffit.",
            "Soyez aussi précis que possible, s'il vous plaît.",
            "Je cherche un détail concret.",
            "L'essentiel me suffit.",
        ],
        openers: &[
            "par où me conseillez-vous de commencer\u{a0}?",
            "quelle est la première chose à comprendre quand on débute\u{a0}?",
            "quels faits mettriez-vous en avant\u{a0}?",
            "pouvez-vous me donner une vue d'ensemble pour commencer\u{a0}?",
            "sur quoi se trompe-t-on le plus souvent\u{a0}?",
            "quelle question devrais-je poser en premier\u{a0}?",
        ],
        note: "Répondre à partir du passage sur {a} et citer ses détails concrets.",
        openings: &[
            "Voici ce que j'ai trouvé.",
            "Voici l'essentiel.",
            "En bref\u{a0}:",
            "Voici une explication.",
            "Voici ce que disent mes sources.",
            "Volontiers.",
        ],
        partial: &[
            "Mes sources n'y répondent qu'en partie.",
            "Je ne peux donner qu'une partie de la réponse.",
            "Mes sources ne donnent pas de réponse complète, mais ceci s'en approche.",
        ],
        bridges: &["Il est aussi utile de savoir ceci\u{a0}:", "Un autre passage ajoute\u{a0}:", "Dans le même ordre d'idées\u{a0}:"],
        section: "la section {t}",
        passage: "un passage sur {a}",
        untitled: "un passage de la documentation",
        closings: &["Je m'appuie ici sur {s}.", "Cette réponse se fonde sur {s}.", "Je me base pour cela sur {s}."],
        insufficient: &[
            "Je n'ai rien trouvé qui réponde à cette question\u{a0}: les éléments sont insuffisants ({x}).",
            "Mes sources n'en disent pas assez pour une réponse fiable ({x}).",
        ],
        trace: Trace {
            subject: "La question porte sur\u{a0}: {x}.",
            found: "Passages lus\u{a0}: {n}\u{a0}; passages utilisés\u{a0}: {k}.",
            covered: "Les phrases retenues couvrent {k} des {n} termes importants.",
            premise: "{e} traite de\u{a0}: {x}.",
            context: "{e} donne le contexte.",
            uncovered: "Aucun élément trouvé sur\u{a0}: {x}.",
            nothing: "Aucun passage ne partage de terme avec la question.",
        },
        verdict: "Ancrage\u{a0}: {g} % des termes de la réponse sont dans les éléments. Pertinence\u{a0}: {r} % des termes de \
                  la question sont dans la réponse. Centrage\u{a0}: {c} % des phrases de la réponse touchent à la question. Longueur\u{a0}: {w} \
                  mots.",
        missing: "Il n'y a pas de réponse.",
    },
};
