//! English.

use super::super::groups::english;
use super::{Grammar, Sheet, Speech, Trace};
use crate::words::reply::Difficulty::{Easy, Hard, Medium};
use crate::words::reply::Intent::{
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
            starts stops loses lose gains covers works belongs serves follows tells says said makes made prevents",
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
            simply mostly mainly forward backward sideways upward upwards downward downwards outward inward upright straight slightly exactly directly quickly slowly",
        vague: "thing things way ways part parts number numbers amount amounts time times day days year years week weeks
            month months hour hours minute minutes example examples case cases people person rest end side sides result
            results use fact facts order addition piece pieces form forms type types level place places point points
            moment reason reasons purpose question top bottom middle start beginning process need help work group set
            size length most name names word words centre center use place world century centuries",
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
            (Clarify, Easy, "what exactly should I understand by {a}?"),
            (Clarify, Easy, "could you explain {a} in plain words?"),
            (Clarify, Easy, "what should a newcomer know about {a}?"),
            (Clarify, Easy, "why does one hear so much about {a}?"),
            (Clarify, Medium, "what is the connection between {a} and {b}?"),
            (Clarify, Medium, "what does the figure of {n} tell us about {a}?"),
            (Clarify, Easy, "in a sentence or two, what is there to say about {a}?"),
            (HowTo, Easy, "how should I deal with {a} in practice?"),
            (HowTo, Medium, "what is the practical side of {a}?"),
            (HowTo, Easy, "what should I pay attention to with {a}?"),
            (HowTo, Medium, "how do I handle {a} with {b} in mind?"),
            (HowTo, Medium, "how do I apply the figure of {n} to {a}?"),
            (HowTo, Medium, "which practical steps go with {a}?"),
            (Troubleshoot, Medium, "what usually goes wrong with {a}?"),
            (Troubleshoot, Medium, "what should I check first if there is a problem with {a}?"),
            (Troubleshoot, Medium, "which misunderstandings are common about {a}?"),
            (Troubleshoot, Hard, "if there is trouble with {a}, could {b} have something to do with it?"),
            (Troubleshoot, Medium, "what do people tend to overlook about {a}?"),
            (Compare, Medium, "what sets {a} apart from the alternatives?"),
            (Compare, Medium, "what would be a fair comparison for {a}?"),
            (Compare, Medium, "how do {a} and {b} compare?"),
            (Compare, Medium, "what is the difference between {a} and {b}?"),
            (Compare, Medium, "which matters more, {a} or {b}?"),
            (EdgeCase, Hard, "when might the usual rules about {a} no longer hold?"),
            (EdgeCase, Hard, "are there unusual situations that change the picture of {a}?"),
            (EdgeCase, Hard, "what would happen to {a} without {b}?"),
            (EdgeCase, Hard, "what would change about {a} well above or below {n}?"),
            (ExampleRequest, Easy, "could you give me a concrete example to do with {a}?"),
            (ExampleRequest, Easy, "where would I come across {a} in real life?"),
            (ExampleRequest, Medium, "is there a case that shows {a} and {b} together?"),
            (ExampleRequest, Easy, "can you describe a situation in which {a} would matter?"),
            (ExampleRequest, Easy, "is there a typical case that involves {a}?"),
            (DecisionSupport, Medium, "what should I weigh up before I decide anything about {a}?"),
            (DecisionSupport, Medium, "how much importance should I give to {a}?"),
            (DecisionSupport, Hard, "if I can only pay attention to one of them, should it be {a} or {b}?"),
            (DecisionSupport, Medium, "is it worth my while to think about {a}?"),
            (DecisionSupport, Medium, "what would speak for or against {a}?"),
            (Constraints, Medium, "which limits should I keep in mind with {a}?"),
            (Constraints, Medium, "which conditions matter most for {a}?"),
            (Constraints, Medium, "are there any rules to respect with {a}?"),
            (Constraints, Medium, "what should never be forgotten about {a}?"),
            (Constraints, Hard, "how far does the figure of {n} hold for {a}?"),
            (Constraints, Hard, "what limits might {b} set for {a}?"),
        ],
        how: &["how do", "how can", "how should", "how to"],
        on_topic: &["A question about {t}:", "When it comes to {t},", "I am trying to understand {t}."],
        followup: &[
            "You mentioned {p}.",
            "Let me come back to {p}.",
            "I would like to stay with {p} for a moment.",
            "Thank you, that helps with {p}. Going one step further,",
        ],
        adjacent: &[
            "That makes sense. On a related note,",
            "Thank you. Staying close to the subject,",
            "Good to know. Next to that,",
        ],
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
        relayed: "I was asked this and would like to know the answer: {a}",
        note: "Answer from the passage about {a} and name its concrete details.",
        openings: &[
            (Clarify, "In plain words:"),
            (Clarify, "Here is the short version."),
            (Clarify, "Let me explain."),
            (HowTo, "In practice, these points matter."),
            (HowTo, "Here is what helps in practice."),
            (Troubleshoot, "These are the points to look at first."),
            (Troubleshoot, "The following should help to narrow it down."),
            (Compare, "Side by side, this is what can be said."),
            (Compare, "For a comparison, these facts are useful."),
            (EdgeCase, "This is what is known about it."),
            (EdgeCase, "The following facts set the frame for such cases."),
            (ExampleRequest, "Here is a concrete case."),
            (ExampleRequest, "Gladly."),
            (DecisionSupport, "Before you decide, it helps to know this."),
            (DecisionSupport, "These facts should carry weight in your decision."),
            (Constraints, "This is what to keep in mind."),
            (Constraints, "These are the conditions I can point to."),
        ],
        partial: &[
            "My sources answer this only in part.",
            "I can offer part of an answer.",
            "There is no complete answer in my sources, but this comes close.",
        ],
        bridges: &["It also helps to know this:", "Another passage adds:", "Related to that:"],
        foreign: "My sources are in another language, so I quote them as they stand:",
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
            foreign: "The evidence is in another language than the answer.",
            nothing: "No passage shares a term with the question.",
        },
        verdict: "Grounding: {g} % of the answer's terms are in the evidence. Relevance: {r} % of the question's terms are \
                  in the answer. Focus: {c} % of the answer's sentences touch on the question. Length: {w} words.",
        missing: "There is no answer.",
    },
};
