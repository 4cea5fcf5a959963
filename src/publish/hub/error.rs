//! Why nothing, or not all, was pushed.

use std::io;
use std::path::PathBuf;

/// Why a folder could not be pushed to the Hub. What has arrived stays there: the next push goes on.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// There is no repository to push to.
    #[error("HF repo_id is required. Name it by --repo-id OWNER/NAME, or set `saving.hf_push.repo_id`.")]
    NoRepoId,
    /// The id is of no repository.
    #[error(
        "`{0}` is no repository of the Hub: `saving.hf_push.repo_id` and --repo-id are OWNER/NAME, of letters, digits, `-`, `_` \
         and `.`"
    )]
    RepoId(String),
    /// There is no token.
    #[error("HF token not found. Pass --token, or set HF_TOKEN or HUGGINGFACE_HUB_TOKEN, also in `.env`.")]
    NoToken,
    /// The token can't be sent.
    #[error("HF token has characters that no token has: look at --token, HF_TOKEN and HUGGINGFACE_HUB_TOKEN")]
    Token,
    /// The endpoint is no address.
    #[error("HF_ENDPOINT must be an address such as https://huggingface.co, without a user, a password or a query")]
    Endpoint,
    /// A file can't be read.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A name that repositories can't have.
    #[error("{}: its name is no UTF-8, which names in repositories are: rename it", .0.display())]
    Name(PathBuf),
    /// There is nothing to push.
    #[error("{}: there is no file to push in it", .0.display())]
    Empty(PathBuf),
    /// A folder has more files than the Hub takes.
    #[error("`{folder}` has {files} files, and the Hub takes {most} of a folder: push fewer, or as tables")]
    Crowded {
        /// The folder, as in the repository.
        folder: String,
        /// How many files are in it.
        files: usize,
        /// How many there may be.
        most: usize,
    },
    /// A request got no reply.
    #[error("failed to {what}: {cause}; what has arrived stays, push again to go on")]
    Unreachable {
        /// What the request was for.
        what: String,
        /// What went wrong on the way.
        cause: String,
    },
    /// A request was refused.
    #[error("failed to {what}: the Hub says {status}{said}{hint}")]
    Refused {
        /// What the request was for.
        what: String,
        /// The status of the reply.
        status: u16,
        /// What the reply says, after `: `; empty where it says nothing.
        said: String,
        /// What may help, after `; `.
        hint: &'static str,
    },
    /// A reply is not as the protocol has it.
    #[error("failed to {what}: the Hub's reply is not understood: {cause}")]
    Reply {
        /// What the request was for.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Others commit all the time.
    #[error("failed to commit: others commit to the repository at the same time; push again to go on")]
    Contended,
}
