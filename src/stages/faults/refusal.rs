//! A question that is none: an apology, a refusal, or a remark about the task.
//!
//! The lists hold phrases as [`phrase`] writes words, with `|` between them.

use super::phrase;

/// Words of agreement that a remark may begin with.
const AGREEMENTS: &str = "sure|certainly|of course|okay|ok|great|absolutely|bien sûr|d accord|natürlich|gerne|por supuesto|claro|certo|\
    natuurlijk|بالتأكيد|طبعا|حسنا";

/// Ways to speak of the task instead of doing it, at the start of a message, as words.
const REMARKS: &str = "here is a question|here s a question|here is the question|here s the question|here is the next|here s the next|\
    here is the user|here s the user|here are some questions|here is a possible question|here s a possible question|\
    please provide the answer|please provide an answer|please answer the following|answer the following question|\
    voici une question|voici la question|voici le prochain message|voici le message|hier ist eine frage|\
    hier ist die frage|hier ist die nächste|aquí está la pregunta|aquí tienes una pregunta|aquí tienes la pregunta|\
    ecco una domanda|ecco la domanda|aqui está a pergunta|aqui está uma pergunta|hier is een vraag|hier is de vraag|\
    إليك السؤال|إليك سؤالا|إليك سؤال|\
    this person asks|this person wants to know|this person would ask|cette personne demande|cette personne veut savoir|\
    diese person fragt|diese person möchte wissen|esta persona pregunta|esta persona quiere saber|\
    questa persona chiede|questa persona vuole sapere|esta pessoa pergunta|esta pessoa quer saber|\
    deze persoon vraagt|deze persoon wil weten|يسأل هذا الشخص|هذا الشخص يسأل|يريد هذا الشخص";

/// What stands before a colon where a message is announced, as words.
const LABELS: &str = "user|user message|user question|the user asks|the user would ask|next message|next question|\
    message de l utilisateur|nachricht des nutzers|mensaje del usuario|messaggio dell utente|mensagem do usuário|\
    bericht van de gebruiker|رسالة المستخدم";

/// What only a model says of itself, anywhere in a message, as words.
const CONFESSIONS: &str = "as an ai language model|as a language model i|as an ai i|as an ai assistant i|as an ai model i|\
    i m an ai language model|i am an ai language model|i m just an ai|i cannot assist with that|\
    i can t assist with that|i can t help with that request|i cannot fulfill|i can t fulfill|\
    en tant que modèle de langage|en tant qu ia je|en tant qu intelligence artificielle je|als ki sprachmodell|\
    als ki kann ich|als sprachmodell kann ich|como modelo de lenguaje|come modello linguistico|\
    como modelo de linguagem|als ai taalmodel|als taalmodel kan ik|كنموذج لغوي|بصفتي نموذجا|بصفتي ذكاء اصطناعيا";

/// Refusals and apologies at the start of a message that asks nothing, as words. People say them too, before a question.
const REFUSALS: &str = "i m sorry but i can t|i m sorry but i cannot|i am sorry but i can t|i am sorry but i cannot|i m sorry but i m|\
    i m sorry but i am|i m sorry i can t|i m sorry i cannot|i am sorry i cannot|sorry i can t|sorry i cannot|\
    sorry but i can t|sorry but i cannot|i apologize but i|i apologise but i|my apologies but i|i cannot ask|\
    i can t ask|i cannot generate a question|i can t generate a question|i cannot create a question|\
    i cannot provide|i can t provide|i cannot write a|i am unable to ask|i m unable to ask|i am unable to generate|\
    i m unable to generate|i am unable to provide|i m unable to provide|i won t be able to|\
    i don t have enough information|there are no passages|no passages were|je suis désolé mais je ne|\
    je suis désolée mais je ne|désolé mais je ne|désolé je ne peux pas|je ne peux pas poser|je ne peux pas générer|\
    es tut mir leid aber ich kann|tut mir leid aber ich kann|ich kann keine frage|entschuldigung aber ich kann|\
    lo siento pero no puedo|lo siento no puedo|no puedo formular|no puedo generar|mi dispiace ma non posso|\
    mi dispiace non posso|non posso formulare|desculpe mas não posso|sinto muito mas não posso|\
    lamento mas não posso|não posso formular|het spijt me maar ik kan|sorry maar ik kan geen|آسف لكن لا أستطيع|\
    آسف لا أستطيع|عذرا لا يمكنني";

/// The fault of a question that is an apology, a refusal or a remark about the task.
pub(in crate::stages) fn refusal(question: &str) -> Option<String> {
    let said = phrase(question);
    let label = question.split_once(':').map(|(label, _)| phrase(label));
    if remarks(&said) || label.is_some_and(|label| LABELS.split('|').any(|known| known == label.trim())) {
        return Some("the message speaks of the question instead of asking it: write the question alone".to_owned());
    }
    let asks = question.contains(['?', '؟', '？']);
    let refuses = confesses(&said) || (!asks && declines(&said));
    refuses.then(|| "the message is a refusal, not a question: write what the person would ask".to_owned())
}

/// Whether an answer is a refusal: what only a model says of itself, or an apology at its start.
pub(in crate::stages) fn refuses(answer: &str) -> bool {
    let said = phrase(answer);
    confesses(&said) || declines(&said)
}

fn confesses(said: &str) -> bool {
    CONFESSIONS.split('|').any(|part| said.contains(&format!(" {part} ")))
}

fn declines(said: &str) -> bool {
    REFUSALS.split('|').any(|start| said.starts_with(&format!(" {start} ")))
}

/// Whether a message opens with a remark about the task, agreement aside.
fn remarks(said: &str) -> bool {
    let said = said.trim_start();
    let agreed = AGREEMENTS.split('|').find_map(|agreement| said.strip_prefix(agreement)?.strip_prefix(' '));
    REMARKS.split('|').any(|remark| agreed.unwrap_or(said).starts_with(&format!("{remark} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_remarks_are_told() {
        for message in [
            "I'm sorry, but I can't help with that.",
            "I’m sorry, but I cannot ask a question about this.",
            "As an AI language model, I don't have questions. Is there anything else?",
            "I cannot ask a question without passages.",
            "Sure! Here is a question: how long does it rest?",
            "Here's the next message: how long does it rest?",
            "User message: how long does it rest?",
            "**User:** how long does it rest?",
            "Please provide the answer to the following question in English: how long does it rest?",
            "Je suis désolé, mais je ne peux pas poser de question.",
            "Voici une question : combien de temps ?",
            "En tant que modèle de langage, je n'ai pas de questions.",
            "Es tut mir leid, aber ich kann dabei nicht helfen.",
            "Hier ist die nächste Nachricht: Wie lange?",
            "Lo siento, pero no puedo ayudar con eso.",
            "¡Claro! Aquí tienes una pregunta: ¿cuánto tiempo?",
            "Mi dispiace, ma non posso aiutarti.",
            "Desculpe, mas não posso ajudar com isso.",
            "Het spijt me, maar ik kan daar niet bij helpen.",
            "آسف، لكن لا أستطيع المساعدة.",
            "بصفتي نموذجًا لغويًا، لا أسأل.",
            "This person asks about the costs of transporting vaccines over a year.",
            "Cette personne veut savoir combien de temps la pâte repose.",
            "يسأل هذا الشخص عن وقت الراحة.",
        ] {
            assert!(refusal(message).is_some(), "{message}");
        }
    }

    #[test]
    fn questions_are_no_refusals() {
        for message in [
            "Sorry, but how do I open it?",
            "Please answer my last question: how do I open it?",
            "Sorry, I can't find the valve. Where is it?",
            "Can I cancel the order?",
            "Sure, here's my setup: two pumps and a tank. What is missing?",
            "User message limits: how long may a message be?",
            "The user asks for a refund, what do I do?",
            "I can't open the valve, what now?",
            "This person at the desk asks for a fee: do I have to pay?",
            "I cannot open the valve",
            "I'm unable to open the valve; what should I check first?",
            "I'm an AI researcher, how do I cite this?",
            "Sure, but how long does it rest?",
            "Here in Norway, is it different?",
            "Désolé, mais comment puis-je l'ouvrir ?",
            "Je ne peux pas ouvrir la vanne, que faire ?",
            "Ich kann das Ventil nicht öffnen, was nun?",
            "Tut mir leid, aber wie lange dauert das?",
            "No puedo abrir la válvula, ¿qué hago?",
            "Non posso aprire la valvola, che faccio?",
            "Não posso abrir a válvula, o que faço?",
            "Ik kan de klep niet openen, wat nu?",
            "لا أستطيع فتح الصمام، ماذا أفعل؟",
            "",
        ] {
            assert_eq!(refusal(message), None, "{message}");
        }
    }
}
