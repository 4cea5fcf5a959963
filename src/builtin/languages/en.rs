//! English.

use super::super::groups::english;
use super::{Grammar, Sheet, Speech, Trace};
use crate::domain::reply::Difficulty::{Easy, Hard, Medium};
use crate::domain::reply::Intent::{
    Clarify, Compare, Constraints, DecisionSupport, EdgeCase, ExampleRequest, HowTo, Troubleshoot,
};

pub(super) static SHEET: Sheet = Sheet {
    code: "en",
    names: &["english", "british english", "american english"],
    grammar: Grammar {
        articles: &[("the", "the "), ("a", "a "), ("an", "an ")],
        prepositions: "of in on at with from by for into through during between under over near above below around across
            along against within without about after before beneath beside behind inside outside toward towards per via
            onto upon among throughout beyond despite",
        verbs: "is are was were has have had can could may might must should will would does do did that which who whose
            becomes become became remains remain remained makes takes took gives gave keeps kept holds held carries carry
            carried contains contain contained needs reaches reach reached grows grew rises rose falls fell comes came
            goes went stays stay stayed lets helps begins began means meant brings brought produces produce produced
            provides provide provided allows allow allowed forms shows showed uses used depends depend consists consist
            includes include included requires require required runs ran turns moves lies lay leads led lasts lasted
            starts stops loses lose gains covers works belongs absorb absorbs serves follows tells says said makes made prevents",
        stop_words: "and or but nor so yet if then than as because since while although though unless until when where
            why how what whatever whether to not no yes it its they them their theirs he him his she her hers we us our
            ours you your yours i me my mine this these those there here such same other others another each every either
            neither both all any some many much more most less least few fewer several enough too very quite rather almost
            nearly only just even also still already again once twice often usually sometimes always never ever soon
            later early now today well away up down out off back together apart however therefore thus hence instead
            otherwise meanwhile moreover furthermore be been being am having doing one two three four five six seven
            eight nine ten hundred thousand million first second third last next own lot lots kind kinds sort pair
            couple bit someone anyone everyone something anything everything nothing like don't doesn't can't isn't
            it's that's about half quarter dozen whole certain different various whom anything perhaps roughly fully
            simply mostly mainly better worse best worst forward backward sideways upward upwards downward downwards outward inward upright straight slightly exactly directly quickly slowly",
        vague: "thing things north south east west image images way ways part parts number numbers amount amounts
            time times day days year years week weeks month months hour hours minute minutes example examples
            case cases people person rest end side sides result results use fact facts order addition piece
            pieces form forms type types level place places point points moment reason reasons purpose question
            top bottom middle start beginning process need help work group set size length most name names word
            words centre center world century centuries january february march april june july august september
            october november december monday tuesday wednesday thursday friday saturday sunday spring summer
            autumn winter morning evening night noon dusk dawn percent degree degrees gram grams kilogram
            kilograms kilo metre metres meter meters kilometre kilometres millimetre millimetres centimetre
            centimetres litre litres tonne tonnes mile miles watt watts candles hundreds thousands millions
            billions majority front rear back left right direction directions line turn turns minus plus fourth
            fifth sixth seventh eighth ninth tenth fourteenth eighteenth nineteenth twentieth builder range gap
            gaps height width depth distance version row rows stage stages step steps situation small large high
            low long short twenty thirty forty fifty sixty seventy eighty ninety largest highest lowest longest
            oldest brightest heaviest smallest difference differences similarity similarities contrast effect
            effects cause causes change changes problem problems advantage advantages disadvantage disadvantages
            benefit benefits feature features detail details information method methods approach rule rules sign
            signs increase decrease loss gain value values choice choices option options possibility
            possibilities ability chance chances tendency extent position condition conditions quality
            qualities quantity quantities proportion share total average remainder matter matters subject topic
            item items object objects element elements aspect aspects idea ideas issue issues factor factors
            task tasks job uses function functions trick tip tips role roles course period periods interval
            opposite habit attempt attempts success failure attention care experience advice bit one ones other
            others everyone while moments look sight presence absence rise fall risk risks itself themselves
            consequence consequences",
        pointers: "it this that these those they he she such but however then here also both another others its their
            instead otherwise therefore thus meanwhile moreover furthermore and so yet his her once neither either
            similarly likewise afterwards conversely nevertheless consequently",
        abbreviations: "mr mrs ms dr prof st mt no vs e.g i.e approx fig ca cf etc inc ltd jr sr vol pp ch ed est",
        elisions: "",
        connectors: "of",
        prenominal: "",
        adjective_endings: "",
        capitals_tell: true,
        script: None,
        reader: english::groups,
    },
    speech: Speech {
        quotes: ("“", "”"),
        joints: (", ", " and "),
        quotes_nouns: false,
        capital_after_colon: false,
        questions: &[
            (Clarify, Easy, "what should I know about {a}?"),
            (Clarify, Easy, "could you explain {a} in plain words?"),
            (Clarify, Easy, "in a sentence or two, what is there to say about {a}?"),
            (Clarify, Medium, "what is the connection between {a} and {b}?"),
            (HowTo, Easy, "how would you explain {a} to a beginner?"),
            (HowTo, Medium, "what is useful to know in practice about {a}?"),
            (HowTo, Easy, "where should I begin if I want to understand {a}?"),
            (HowTo, Medium, "how do {a} and {b} go together?"),
            (Troubleshoot, Medium, "I am a little confused about {a}. Can you help?"),
            (Troubleshoot, Medium, "I am not sure that I understand {a}. What am I missing?"),
            (Troubleshoot, Medium, "I have read conflicting things about {a}. What is right?"),
            (Troubleshoot, Hard, "I can't see how {a} and {b} fit together. Can you help?"),
            (Compare, Medium, "what is special about {a}?"),
            (Compare, Medium, "what sets {a} apart?"),
            (Compare, Medium, "what makes {a} worth mentioning?"),
            (Compare, Medium, "what part do {a} and {b} each play?"),
            (EdgeCase, Hard, "is there anything unusual about {a}?"),
            (EdgeCase, Hard, "what might surprise me about {a}?"),
            (EdgeCase, Hard, "which details about {a} are easily overlooked?"),
            (EdgeCase, Hard, "is there something that few people know about {a}?"),
            (ExampleRequest, Easy, "could you give me a concrete fact about {a}?"),
            (ExampleRequest, Easy, "can you give me a detail or two about {a}?"),
            (ExampleRequest, Easy, "could you tell me something specific about {a}?"),
            (ExampleRequest, Medium, "is there an example that shows {a} and {b} together?"),
            (DecisionSupport, Medium, "what is the most important thing to know about {a}?"),
            (DecisionSupport, Medium, "if I remember only one thing about {a}, what should it be?"),
            (DecisionSupport, Medium, "why is it worth knowing about {a}?"),
            (DecisionSupport, Medium, "which facts about {a} matter most?"),
            (Constraints, Medium, "what should I keep in mind about {a}?"),
            (Constraints, Medium, "what should I make sure to know about {a}?"),
            (Constraints, Medium, "what should not be forgotten about {a}?"),
            (Constraints, Hard, "what are the key points about {a}?"),
        ],
        how: &["how do", "how can", "how should", "how to"],
        on_topic: &["A question about {t}:", "When it comes to {t},", "I am trying to understand {t}."],
        followup: &[
            "You mentioned {p}.",
            "Let me come back to {p}.",
            "I would like to stay with {p} for a moment.",
            "Thank you, that helps with {p}. Going one step further,",
        ],
        adjacent: &["That makes sense.", "Thank you, that helps.", "Good to know.", "I see. Another question:"],
        off_topic: &[
            "Now for something else entirely:",
            "Let me change the subject.",
            "On a completely different matter:",
        ],
        persona: Some("I am asking as {p}:"),
        tails: &[
            "A short answer is fine.",
            "Please be as specific as you can.",
            "I am looking for a concrete detail.",
            "The essentials are enough for me.",
        ],
        openers: &[
            "where would you suggest I begin?",
            "what is the first thing a newcomer should understand?",
            "which facts would you put first?",
            "could you give me an overview to start with?",
            "what do most people get wrong about this subject?",
            "which question should I be asking first?",
        ],
        note: "Answer from the passage about {a} and name its concrete details.",
        openings: &[
            "Here is what I found.",
            "Here are the essentials.",
            "In short:",
            "Let me explain.",
            "This is what my sources say.",
            "Gladly.",
        ],
        partial: &[
            "My sources answer this only in part.",
            "I can offer part of an answer.",
            "There is no complete answer in my sources, but this comes close.",
        ],
        bridges: &["It also helps to know this:", "Another passage adds:", "Related to that:"],
        section: "the section {t}",
        passage: "a passage on {a}",
        untitled: "a passage of the reference material",
        closings: &["I am drawing on {s} here.", "This is based on {s}.", "For this I rely on {s}."],
        insufficient: &[
            "I found nothing that answers this: the evidence on {x} is insufficient.",
            "The material at hand does not say enough about {x} for a reliable answer.",
        ],
        trace: Trace {
            subject: "The question turns on: {x}.",
            found: "Passages read: {n}; passages used: {k}.",
            covered: "The chosen sentences cover {k} of the {n} terms that matter.",
            premise: "{e} speaks to: {x}.",
            context: "{e} gives the context.",
            uncovered: "No evidence was found on: {x}.",
            nothing: "No passage shares a term with the question.",
        },
        verdict: "Grounding: {g} % of the answer's terms are in the evidence. Relevance: {r} % of the question's terms are \
                  in the answer. Focus: {c} % of the answer's sentences touch on the question. Length: {w} words.",
        missing: "There is no answer.",
    },
};
