//! What processes of a cluster tell each other beside the dataflow.

use crate::domain::{Compared, Digest, Fingerprint, Place, Rank, Slot};
use crate::llm::meter::Reading;
use crate::output::{Options, RunFacts, Stamp};
use crate::store::{Entry, Fact, Reuse};
use crate::tools::SearchReading;
use crate::traffic::desk::{Asked, Told};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Everything that a run's data follow from beside the replies, by name.
pub type Manifest = BTreeMap<String, String>;

/// What all processes of a cluster must have in common before anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The version of the program.
    pub version: String,
    /// How many processes there are.
    pub processes: usize,
    /// Worker threads of each.
    pub workers: usize,
}

/// What a member tells the hub.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToHub {
    /// Its first words.
    Join { secret: String, process: usize, shape: Shape },
    /// It has read all it needs: where it listens, and what its part of the run follows from.
    Ready { address: SocketAddr, manifest: Manifest },
    /// It could not get ready.
    Failed(String),
    /// It wants something done, with the number of the call.
    Call(u64, Call),
    /// What its calls have come to so far.
    Reading(Reading),
    /// It has to stop.
    Stop(Stopping),
    /// Its part of the run is over.
    Done(Totals),
}

/// What the hub tells a member.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToMember {
    /// It can't take part.
    Refused(String),
    /// Which run it is part of.
    Welcome(Box<Welcome>),
    /// Some of the questions of earlier runs that its workers compare with, in order.
    Earlier(Vec<Fingerprint>),
    /// Some of the questions that no other may be too close to, each with its rank.
    Near(Vec<(Rank, Compared)>),
    /// All processes are ready.
    Begin(Begin),
    /// The answer to a call.
    Reply(u64, Reply),
    /// The run stops: nothing new starts and, when it is to be at once, what is in the air ends too.
    Stop { at_once: bool },
    /// The run is over, and so is the process.
    Bye,
}

/// The run that a member is part of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// What is the same for all its conversations.
    pub facts: RunFacts,
    /// How the first process, which has the output folder, wants conversations rendered.
    pub output: Options,
    /// The time that rows tell.
    pub stamp: Stamp,
    /// What the run follows from.
    pub manifest: Manifest,
    /// Another run whose replies serve too.
    pub reuse: Option<Reuse>,
}

/// What a member needs once all processes are ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Begin {
    /// Where each process listens.
    pub addresses: Vec<SocketAddr>,
    /// Tells this start from all others.
    pub start: u128,
    /// The questions of earlier runs, in order: they have come before.
    #[serde(skip)]
    pub earlier: Vec<Fingerprint>,
    /// The questions that no other may be too close to, each with its rank.
    #[serde(skip)]
    pub near: Vec<(Rank, Compared)>,
}

/// What a member has the hub do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Call {
    /// Keep replies of a run.
    Append(String, Vec<Entry>),
    /// Find the reply to this request at this place.
    Recall(String, Place, Digest),
    /// Give up a reply that can't be read.
    Discard(String, Place, Digest),
    /// Find the conversations of a run that have replies.
    Replied(String),
    /// Keep what was learned of an endpoint.
    Learn(Fact),
    /// Decide about traffic or budget.
    Traffic(Asked),
}

/// What comes of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// What was wanted is done.
    Done,
    /// The reply that was kept, if one was.
    Recalled(Option<ByteBuf>),
    /// The conversations that have replies.
    Replied(Vec<Slot>),
    /// What was decided about traffic or budget.
    Traffic(Told),
    /// It could not be done, for this reason.
    Failed(String),
}

/// Why a member has to stop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Stopping {
    /// Something keeps it from going on.
    Failure(String),
    /// It was asked to, by what gives a process this exit status.
    Asked(u8),
}

/// What a member's part of a run came to.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Totals {
    /// What its calls came to.
    pub reading: Reading,
    /// What its searches of the web have come to.
    pub searches: SearchReading,
}
