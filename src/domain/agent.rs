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

/// What there is for each agent of a run, found by the agent. Not every run asks every agent, and the judge may be several: a
/// jury.
///
/// # Examples
///
/// ```
/// use dlgforge::domain::{Agent, Agents};
///
/// let models: Agents<&str> = [(Agent::Assistant, "m"), (Agent::User, "n")].into_iter().collect();
/// assert_eq!((models[Agent::User], models.get(Agent::Judge)), ("n", None));
/// assert_eq!(models.iter().map(|(agent, _)| agent).collect::<Vec<_>>(), [Agent::User, Agent::Assistant]);
/// let jury: Agents<&str> = [(Agent::Judge, "a"), (Agent::Judge, "b")].into_iter().collect();
/// assert_eq!((jury.get(Agent::Judge), jury.all(Agent::Judge)), (Some(&"a"), &["a", "b"][..]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Agents<T>(BTreeMap<Agent, Vec<T>>);

impl<T> Agents<T> {
    /// What there is for an agent, for the first one where there are several; none when the run does not ask it.
    pub fn get(&self, agent: Agent) -> Option<&T> {
        self.all(agent).first()
    }

    /// What there is for each of an agent, in their order; empty when the run does not ask it.
    pub fn all(&self, agent: Agent) -> &[T] {
        self.0.get(&agent).map_or(&[], Vec::as_slice)
    }

    /// Every agent that the run asks, in the order in which a turn comes to them.
    pub fn iter(&self) -> impl Iterator<Item = (Agent, &T)> {
        self.0.iter().flat_map(|(agent, all)| all.iter().map(|of_it| (*agent, of_it)))
    }
}

impl<T> FromIterator<(Agent, T)> for Agents<T> {
    fn from_iter<I: IntoIterator<Item = (Agent, T)>>(agents: I) -> Self {
        let mut all: BTreeMap<Agent, Vec<T>> = BTreeMap::new();
        agents.into_iter().for_each(|(agent, of_it)| all.entry(agent).or_default().push(of_it));
        Self(all)
    }
}

/// What there is for an agent that every run asks: the user and the assistant. Panics where it is not asked.
impl<T> Index<Agent> for Agents<T> {
    type Output = T;

    fn index(&self, agent: Agent) -> &T {
        &self.0[&agent][0]
    }
}
