//! User models whose replies are plain text: they write the next message of a chat, or end it, and name no passage.

use super::super::exchange::{ReplyError, Usable, chat, joined, withheld};
use super::super::repair::split_reasoning;
use super::super::{reply, text};
use super::candidates::Likely;
use super::{AGENT, Ask, NEARER, Shown};
use crate::domain::reply::{Difficulty, Intent};
use crate::domain::{Conversation, Failure, Place, UserReply};
use crate::llm::{ChatReply, ChatRequest, Finish, Model};

/// Asks for a message until `check` lets it pass, twice at most; the check is given none where the model ends the conversation. The
/// second request is the first once more: such a model takes no orders.
///
/// # Errors
/// [`Failure::Ended`] where the conversation may end; else when the model can't be asked, or neither reply can be used.
pub(super) async fn said(
    model: &dyn Model,
    mut request: ChatRequest,
    end: &str,
    check: impl Fn(Option<&str>) -> Result<(), ReplyError>,
) -> Result<Usable<String>, Failure> {
    let (mut reply, mut calls) = (chat(model, AGENT, &request).await?, 1);
    withheld(&reply, AGENT)?;
    if read(&reply, end, &check).is_err() {
        request.place = request.place.next();
        (reply, calls) = (chat(model, AGENT, &request).await?, 2);
        withheld(&reply, AGENT)?;
    }
    match read(&reply, end, &check).map_err(|fault| fault.failure(AGENT))? {
        (None, _) => Err(Failure::Ended),
        (Some(value), reasoning) => {
            let reasoning = joined([reply.reasoning, reasoning]);
            Ok(Usable { value, reasoning, raw: reply.raw, calls })
        }
    }
}

/// The message of a reply, none where it ends the conversation, and the reasoning before it.
fn read(
    reply: &ChatReply,
    end: &str,
    check: impl Fn(Option<&str>) -> Result<(), ReplyError>,
) -> Result<(Option<String>, Option<String>), ReplyError> {
    let (reasoning, said) = split_reasoning(&reply.text)?;
    if said.contains(end) {
        return check(None).map(|()| (None, reasoning));
    }
    let message = text::clean(said.trim());
    if message.is_empty() {
        let hint = "does the server leave out special tokens, and `llm.agents.user.end` with them?";
        return Err(ReplyError::Form(format!("the reply is empty ({hint})")));
    }
    if reply.finish == Finish::Length {
        return Err(ReplyError::CutOff(format!("it was cut off at llm.agents.{AGENT}.max_tokens")));
    }
    check(Some(&message)).map(|()| (Some(message), reasoning))
}

impl Ask {
    /// Whether the user may end a conversation: once it has as many turns as any must have.
    pub(super) fn may_end(&self, conversation: &Conversation) -> Result<(), ReplyError> {
        let least = self.plan.options().turns.min;
        if conversation.turns.len() >= usize::from(least) {
            return Ok(());
        }
        Err(ReplyError::Content(format!("it ends the conversation before it has `run.turns.min` turns ({least})")))
    }

    /// A message as a reply, with the passage that it is about: of those that were shown the first, unless another one is clearly
    /// nearer to it, or one that a search for it finds.
    pub(super) async fn found(
        &self,
        place: Place,
        said: Usable<String>,
        shown: Shown,
    ) -> Result<(Usable<Vec<Likely>>, Shown), Failure> {
        let Usable { value: message, reasoning, raw, calls } = said;
        let about = if shown.linked { shown } else { self.nearest_passage(place, &message, shown).await? };
        let reply = UserReply {
            user_message: message,
            intent: Intent::Unknown,
            difficulty: Difficulty::Unknown,
            grounding_facts: about.passages.iter().map(reply::fact).collect(),
            coverage_target: about.passages.first().map(|passage| passage.topic_id.clone()).unwrap_or_default(),
            notes_for_assistant: Vec::new(),
            whole_need: String::new(),
        };
        Ok((Usable { value: vec![(reply, 1.0)], reasoning, raw, calls }, about))
    }

    async fn nearest_passage(&self, place: Place, message: &str, shown: Shown) -> Result<Shown, Failure> {
        let mut known = shown.chunks;
        let hits = self.nearest(&*self.retriever, place, message).await?;
        known.extend(hits.into_iter().filter(|hit| !known.contains(hit)).collect::<Vec<_>>());
        let near = self.index.nearness(message, &known);
        let nearest = (0..near.len()).fold(0, |best, at| if near[at] > near[best] { at } else { best });
        let at = if nearest > 0 && near[nearest] >= near[0] + NEARER { nearest } else { 0 };
        let chunk = known.get(at).copied();
        let passages = chunk.map(|chunk| self.plan.catalogue().passage(chunk, 1));
        Ok(Shown { chunks: chunk.into_iter().collect(), passages: passages.into_iter().collect(), linked: false })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::tests::{asking, follow_up, options, stage};
    use super::*;
    use crate::domain::{Agent, ChunkIndex};
    use crate::llm::Role;
    use crate::stages::AskOptions;
    use crate::stages::script::{Script, conversation, said as replied};
    use std::sync::Arc;

    const END: &str = "<|endconversation|>";
    const GREEN: &str = "why is green tea dried so soon after it is picked";

    fn plain(model: Arc<Script>) -> Ask {
        stage(model, options()).with(AskOptions { text: Some(END.to_owned()) }, None)
    }

    #[tokio::test]
    async fn a_message_is_a_question_about_the_passage_that_a_search_finds() {
        for (message, expected) in [
            (GREEN, 0),
            ("tell me what black tea is left to do before drying, and why its leaves turn dark", 1),
            ("and then what happens to it?", 0),
        ] {
            let model = Script::texts(&[&format!("<think>tea</think>\n {message}<|eot_id|>")]);
            let mut at = conversation();
            // The first passage is shown.
            at.slot.index = (0..)
                .find(|index| {
                    at.slot.index = *index;
                    let plan = &plain(model.clone()).plan;
                    let brief = plan.brief(asking(&at));
                    plan.passages(asking(&at), &brief, &[])[0].0 == ChunkIndex(0)
                })
                .unwrap();
            let question = plain(model.clone()).ask(asking(&at)).await.unwrap();
            assert_eq!(
                (question.reply.user_message.as_str(), question.used.chunk),
                (message, Some(ChunkIndex(expected)))
            );
            assert_eq!(question.reply.coverage_target, format!("{}-{expected}", "a".repeat(32)));
            assert_eq!(question.reply.grounding_facts.len(), 1);
            assert_eq!((question.reply.intent, question.reply.difficulty), (Intent::Unknown, Difficulty::Unknown));
            assert_eq!((question.reasoning.as_deref(), question.calls), (Some("tea"), 1));
        }
    }

    #[tokio::test]
    async fn the_model_sees_a_chat_and_no_form() {
        let model = Script::texts(&["and how long does that take?"]);
        plain(model.clone()).ask(asking(&follow_up())).await.unwrap();
        let request = model.request(0);
        let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant]);
        assert_eq!((&*request.messages[1].content, &*request.messages[2].content), ("What is tea?", "A plant."));
        assert!(request.schema.is_text() && request.messages[0].content.contains("follow up on the last answer"));
    }

    #[tokio::test]
    async fn a_conversation_ends_where_it_may() {
        let model = Script::texts(&["thanks!<|endconversation|>"]);
        assert_eq!(plain(model.clone()).ask(asking(&follow_up())).await.unwrap_err(), Failure::Ended);
        assert_eq!(model.calls(), 1);
        // It has no turn yet, and must have one.
        let model = Script::texts(&[END, GREEN]);
        let question = plain(model.clone()).ask(asking(&conversation())).await.unwrap();
        assert_eq!((question.reply.user_message.as_str(), question.calls), (GREEN, 2));
        let [first, second] = [0, 1].map(|number| model.request(number));
        assert_eq!((first.messages, first.place.next()), (second.messages, second.place), "the same once more");
        let model = Script::texts(&[END]);
        let failure = plain(model).ask(asking(&conversation())).await.unwrap_err();
        let detail = "it ends the conversation before it has `run.turns.min` turns (1)".to_owned();
        assert_eq!(failure, Failure::Reply { agent: Agent::User, detail });
    }

    #[tokio::test]
    async fn what_is_no_message_is_asked_for_once_more() {
        for (reply, expected) in [
            (replied(" "), "the reply is empty (does the server leave out special tokens"),
            (replied("<think>tea"), "the reasoning is not closed"),
            (ChatReply { finish: Finish::Length, ..replied(GREEN) }, "it was cut off at llm.agents.user.max_tokens"),
            (replied("I'm sorry, but I can't ask anything about this."), ""),
        ] {
            let model = Script::new(move |_, _| Ok(reply.clone()));
            let failure = plain(model.clone()).ask(asking(&conversation())).await.unwrap_err();
            assert!(matches!(&failure, Failure::Reply { detail, .. } if detail.starts_with(expected)), "{failure}");
            assert_eq!(model.calls(), 2);
        }
        let french = "pourquoi le thé vert est-il séché si vite après la cueillette des feuilles ?";
        let model = Script::texts(&[french, GREEN]);
        assert_eq!(plain(model).ask(asking(&conversation())).await.unwrap().reply.user_message, GREEN);
        let refused = ChatReply { finish: Finish::Refused("No.".to_owned()), ..replied("") };
        let model = Script::new(move |_, _| Ok(refused.clone()));
        let failure = plain(model.clone()).ask(asking(&conversation())).await.unwrap_err();
        assert!(matches!(failure, Failure::Refused { .. }) && model.calls() == 1);
    }
}
