//! The agents of a run: whom a model is asked to be.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;

/// An agent of a run. Each has a model, settings and credentials of its own, under `llm.agents.<agent>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// The model that asks as a user would.
    User,
    /// The model that answers from what is retrieved.
    Assistant,
    /// The model that scores turns or conversations.
    Judge,
}

impl Agent {
    /// Every agent, in the order in which a turn comes to them.
    pub const ALL: [Self; 3] = [Self::User, Self::Assistant, Self::Judge];

    /// The name in settings, messages and files: `user`, `assistant` or `judge`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Judge => "judge",
        }
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What there is for each agent of a run, found by the agent. Not every run asks every agent.
///
/// # Examples
///
/// ```
/// use dlgforge::domain::{Agent, Agents};
///
/// let models: Agents<&str> = [(Agent::Assistant, "m"), (Agent::User, "n")].into_iter().collect();
/// assert_eq!((models[Agent::User], models.get(Agent::Judge)), ("n", None));
/// assert_eq!(models.iter().map(|(agent, _)| agent).collect::<Vec<_>>(), [Agent::User, Agent::Assistant]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Agents<T>(BTreeMap<Agent, T>);

impl<T> Agents<T> {
    /// What there is for an agent; none when the run does not ask it.
    pub fn get(&self, agent: Agent) -> Option<&T> {
        self.0.get(&agent)
    }

    /// Every agent that the run asks, in the order in which a turn comes to them.
    pub fn iter(&self) -> impl Iterator<Item = (Agent, &T)> {
        self.0.iter().map(|(agent, of_it)| (*agent, of_it))
    }
}

impl<T> FromIterator<(Agent, T)> for Agents<T> {
    fn from_iter<I: IntoIterator<Item = (Agent, T)>>(agents: I) -> Self {
        Self(agents.into_iter().collect())
    }
}

/// What there is for an agent that every run asks: the user and the assistant. Panics where it is not asked.
impl<T> Index<Agent> for Agents<T> {
    type Output = T;

    fn index(&self, agent: Agent) -> &T {
        &self.0[&agent]
    }
}
