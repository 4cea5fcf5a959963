//! The chat-completions protocol: a request as bytes, and bytes as a reply.

mod lenient;
pub(super) mod request;
pub(super) mod response;
