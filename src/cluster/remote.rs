//! The replies of a run as a member reads and writes them: the hub has the store.

use super::{Call, Member, Reply};
use crate::domain::{Digest, Place, Slot};
use crate::store::{Entry, Fact, Replies, Store, StoreError};
use std::sync::Arc;

/// The store of the first process, over the line to it.
pub struct Remote(pub Arc<Member>);

impl Remote {
    fn call(&self, call: Call) -> Result<Reply, StoreError> {
        match self.0.call(call) {
            Reply::Failed(cause) => Err(StoreError::Remote(cause)),
            reply => Ok(reply),
        }
    }
}

impl Replies for Remote {
    fn append(&self, run: &str, replies: &[Entry]) -> Result<(), StoreError> {
        self.call(Call::Append(run.to_owned(), replies.to_vec())).map(drop)
    }

    fn recall(&self, run: &str, place: &Place, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match self.call(Call::Recall(run.to_owned(), *place, digest))? {
            Reply::Recalled(found) => Ok(found.map(|found| found.into_vec())),
            _ => Ok(None),
        }
    }

    fn discard(&self, run: &str, place: &Place, digest: Digest) -> Result<(), StoreError> {
        self.call(Call::Discard(run.to_owned(), *place, digest)).map(drop)
    }

    fn replied(&self, run: &str) -> Result<Vec<Slot>, StoreError> {
        match self.call(Call::Replied(run.to_owned()))? {
            Reply::Replied(slots) => Ok(slots),
            _ => Ok(Vec::new()),
        }
    }
}

impl Remote {
    /// Keeps what was learned of an endpoint.
    ///
    /// # Errors
    /// When the first process can't keep it.
    pub fn learn(&self, fact: &Fact) -> Result<(), StoreError> {
        self.call(Call::Learn(fact.clone())).map(drop)
    }
}

/// Does for a member what concerns replies and facts.
pub fn serve(store: &dyn Store, run: &str, call: Call) -> Reply {
    let done = match call {
        Call::Append(run, replies) => store.append(&run, &replies).map(|()| Reply::Done),
        Call::Recall(run, place, digest) => {
            store.recall(&run, &place, digest).map(|found| Reply::Recalled(found.map(Into::into)))
        }
        Call::Discard(run, place, digest) => store.discard(&run, &place, digest).map(|()| Reply::Done),
        Call::Replied(run) => store.replied(&run).map(Reply::Replied),
        Call::Learn(fact) => store.learn(run, &fact).map(|()| Reply::Done),
        Call::Traffic(_) => Ok(Reply::Done),
    };
    done.unwrap_or_else(|error| Reply::Failed(error.to_string()))
}
