//! What searches find for an answer: passages of the knowledge base and pages of the web.

use super::corpus::{Catalogue, ChunkIndex, Passage};
use serde::{Deserialize, Serialize};

/// A page of the web as a search tells of it: what others wrote, made fit for prompts and rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The title that it gives itself.
    pub title: String,
    /// The address that it is found at.
    pub link: String,
    /// The words of it that the search engine shows.
    pub snippet: String,
}

impl Page {
    /// The line by which a list of results tells of it.
    pub fn line(&self) -> String {
        let Self { title, link, snippet } = self;
        format!("- {title} ({link}): {snippet}")
    }

    /// The name of the machine that has it; nothing where its address names none.
    pub fn host(&self) -> &str {
        let rest = self.link.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default()
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Found {
    /// A chunk of the knowledge base.
    Chunk(ChunkIndex),
    /// A page of the web.
    Page(Page),
}

impl Found {
    /// The chunk, if it is one.
    pub fn chunk(&self) -> Option<ChunkIndex> {
        match self {
            Self::Chunk(chunk) => Some(*chunk),
            Self::Page(_) => None,
        }
    }

    /// The passage of this number, from 1. A page is its snippet under its title and the name of its machine; its address
    /// stands for all that a document has.
    pub fn passage(&self, catalogue: &Catalogue, number: usize) -> Passage {
        match self {
            Self::Chunk(chunk) => catalogue.passage(*chunk, number),
            Self::Page(page) => Passage {
                label: format!("P{number}"),
                topic_id: page.link.clone(),
                source_path: page.link.clone(),
                source_descriptor: page.link.clone(),
                title: match page.host() {
                    "" => page.title.as_str().into(),
                    host => format!("{} ({host})", page.title).into(),
                },
                text: page.snippet.as_str().into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_its_title_and_machine() {
        let page = |link: &str| Page { title: "WAL".into(), link: link.into(), snippet: "A log.".into() };
        for (link, host) in [
            ("https://example.org/1?q=a://b", "example.org"),
            ("http://me@example.org:80#x", "example.org:80"),
            ("No link", ""),
        ] {
            assert_eq!(page(link).host(), host);
        }
        let found = Found::Page(page("https://example.org/1"));
        let passage = found.passage(&Catalogue::default(), 3);
        assert_eq!(passage.to_string(), "[P3] WAL (example.org)\nA log.");
        assert_eq!((found.chunk(), passage.source_path.as_str()), (None, "https://example.org/1"));
        assert_eq!(page("l").line(), "- WAL (l): A log.");
        assert_eq!(Found::Page(page("l")).passage(&Catalogue::default(), 1).to_string(), "[P1] WAL\nA log.");
    }
}
