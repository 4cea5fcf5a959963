//! What a repository of the Hub is called, of which kind it is, and at which addresses it is reached.

use super::HubError;
use reqwest::Url;
use std::fmt;

/// The branch that pushes commit to.
pub(super) const BRANCH: &str = "main";

/// The Hub itself, whose addresses its replies may name where another endpoint is asked.
const HUB: &str = "https://huggingface.co";

/// What a repository is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepoType {
    /// A dataset that people load.
    #[default]
    Dataset,
    /// A model that people run.
    Model,
    /// A space that shows its files.
    Space,
}

impl RepoType {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Dataset, Self::Model, Self::Space];

    /// Its name, as settings and the Hub spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Model => "model",
            Self::Space => "space",
        }
    }

    /// What stands before the id of a repository in its address.
    fn prefix(self) -> &'static str {
        match self {
            Self::Dataset => "datasets/",
            Self::Model => "",
            Self::Space => "spaces/",
        }
    }
}

/// The addresses of a repository, all without a slash at the end.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    /// Of which kind it is.
    pub kind: RepoType,
    /// The user or organisation whose it is.
    pub owner: String,
    /// Its name among those of its owner.
    pub name: String,
    /// The root of the Hub.
    pub endpoint: String,
}

impl Repository {
    /// The repository of an id, `OWNER/NAME`, at an endpoint.
    ///
    /// # Errors
    /// When the id names none, or the endpoint is no address.
    pub fn new(endpoint: &str, kind: RepoType, id: &str) -> Result<Self, HubError> {
        let root = Url::parse(endpoint).ok().filter(|url| {
            let plain = url.username().is_empty() && url.password().is_none();
            plain && url.query().is_none() && url.fragment().is_none() && matches!(url.scheme(), "http" | "https")
        });
        let endpoint = root.ok_or(HubError::Endpoint)?.as_str().trim_end_matches('/').to_owned();
        let is_name = |name: &str| {
            let ends = |c: char| c == '-' || c == '.';
            let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            !name.is_empty() && is_plain && !name.starts_with(ends) && !name.ends_with(ends) && !name.contains("..")
        };
        match id.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) && id.len() <= 96 => {
                Ok(Self { kind, owner: owner.to_owned(), name: name.to_owned(), endpoint })
            }
            _ => Err(HubError::RepoId(id.to_owned())),
        }
    }

    /// What the Hub's API knows of it: this, or a place below.
    pub fn api(&self, below: &str) -> String {
        let Self { kind, owner, name, endpoint } = self;
        format!("{endpoint}/api/{}s/{owner}/{name}{below}", kind.name())
    }

    /// Where large files are negotiated.
    pub fn lfs(&self) -> String {
        format!("{self}.git/info/lfs/objects/batch")
    }

    /// An address of a reply, at the endpoint that is asked instead of the Hub itself.
    pub fn reached(&self, href: &str) -> String {
        match href.strip_prefix(HUB) {
            Some(rest) if rest.starts_with('/') => format!("{}{rest}", self.endpoint),
            _ => href.to_owned(),
        }
    }

    /// Whether an address is of the endpoint, which may have the token.
    pub fn has(&self, address: &str) -> bool {
        address.strip_prefix(&self.endpoint).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for Repository {
    /// Its address, where people look at it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, owner, name, endpoint } = self;
        write!(f, "{endpoint}/{}{owner}/{name}", kind.prefix())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_from_kind_and_id() {
        for (kind, api, shown) in [
            (RepoType::Dataset, "https://hub.test/api/datasets/me/d.1", "https://hub.test/datasets/me/d.1"),
            (RepoType::Model, "https://hub.test/api/models/me/d.1", "https://hub.test/me/d.1"),
            (RepoType::Space, "https://hub.test/api/spaces/me/d.1", "https://hub.test/spaces/me/d.1"),
        ] {
            let repository = Repository::new("https://hub.test/", kind, "me/d.1").unwrap();
            assert_eq!((repository.api("").as_str(), repository.to_string().as_str()), (api, shown));
        }
    }

    #[test]
    fn ids_and_endpoints_that_are_none_are_refused() {
        for id in ["", "d", "me/", "/d", "me/d/e", "../d", "me/..", "me/d?x", "me/dé", "me/-d", "me/d."] {
            assert!(matches!(Repository::new(HUB, RepoType::Dataset, id), Err(HubError::RepoId(_))), "{id}");
        }
        for endpoint in ["", "hub.test", "ftp://hub.test", "https://me:secret@hub.test", "https://hub.test/?key=1"] {
            let refused = Repository::new(endpoint, RepoType::Dataset, "me/d").unwrap_err();
            assert!(matches!(refused, HubError::Endpoint), "{endpoint}");
        }
    }

    #[test]
    fn only_addresses_of_the_endpoint_have_the_token() {
        let repository = Repository::new("http://mirror.test:80/hub", RepoType::Dataset, "me/d").unwrap();
        for (href, reached, has) in [
            ("https://huggingface.co/api/complete?x=1", "http://mirror.test/hub/api/complete?x=1", true),
            ("https://huggingface.co.evil.test/x", "https://huggingface.co.evil.test/x", false),
            ("http://mirror.test/hubbub/x", "http://mirror.test/hubbub/x", false),
            ("https://s3.test/x", "https://s3.test/x", false),
        ] {
            assert_eq!(repository.reached(href), reached);
            assert_eq!(repository.has(reached), has, "{reached}");
        }
    }
}
