//! What searches find for an answer: passages of the knowledge base and pages of the web.

use super::corpus::{Catalogue, ChunkIndex, Passage};
use serde::{Deserialize, Serialize};
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

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

    /// The name of the machine that has it; none where its address names none.
    pub fn host(&self) -> Option<String> {
        Url::parse(&self.link).ok()?.host_str().map(str::to_owned)
    }

    /// What tells it apart: two snippets of one address are two pages.
    pub fn id(&self) -> String {
        format!(
            "web-{:016x}",
            xxh3_64([&self.title, &self.link, &self.snippet].map(String::as_str).join("\n").as_bytes())
        )
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
                    None => page.title.as_str().into(),
                    Some(host) => format!("{} ({host})", page.title).into(),
                },
                text: page.snippet.as_str().into(),
            },
        }
    }
}

/// How well something fits a query, by each stage of the search that ranked it: greater is better, comparable within one query
/// only.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Scores {
    /// By its words: the BM25 score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical: Option<f32>,
    /// By its vector: the cosine with that of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<f32>,
    /// By the reranker that read it beside the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank: Option<f32>,
}

impl Scores {
    /// The same with four decimals: more tell nothing, and take room in every row.
    pub fn rounded(self) -> Self {
        let round = |score: Option<f32>| score.map(|score| (score * 1e4).round() / 1e4);
        Self { lexical: round(self.lexical), vector: round(self.vector), rerank: round(self.rerank) }
    }

    /// Each that there is, with its name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f32)> {
        let all = [("lexical", self.lexical), ("vector", self.vector), ("rerank", self.rerank)];
        all.into_iter().filter_map(|(name, score)| Some((name, score?)))
    }

    /// The scores of these names.
    pub fn of<'a>(named: impl IntoIterator<Item = (&'a str, f32)>) -> Self {
        let mut scores = Self::default();
        for (name, score) in named {
            match name {
                "lexical" => scores.lexical = Some(score),
                "vector" => scores.vector = Some(score),
                "rerank" => scores.rerank = Some(score),
                _ => {}
            }
        }
        scores
    }
}

/// What a search found, and how well it fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct SearchHit {
    /// What it is, a chunk or a page.
    pub found: Found,
    /// How it was ranked by the search that found it first; a page has no scores.
    pub scores: Scores,
}

/// A hit as it may have been written: the first documents have no scores.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Scored { found: Found, scores: Scores },
    Bare(Found),
}

impl From<Stored> for SearchHit {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Scored { found, scores } => Self { found, scores },
            Stored::Bare(found) => found.into(),
        }
    }
}

impl From<Found> for SearchHit {
    fn from(found: Found) -> Self {
        Self { found, scores: Scores::default() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::fixtures;
    use super::*;

    #[test]
    fn hits_are_read_with_scores_and_without() {
        let scores = Scores { lexical: Some(12.345_678), rerank: Some(-0.5), ..Scores::default() }.rounded();
        let hit = SearchHit { found: Found::Chunk(ChunkIndex(3)), scores };
        let written = serde_json::to_string(&hit).unwrap();
        assert_eq!(written, r#"{"found":3,"scores":{"lexical":12.3457,"rerank":-0.5}}"#);
        assert_eq!(serde_json::from_str::<SearchHit>(&written).unwrap(), hit);
        assert_eq!(serde_json::from_str::<SearchHit>("3").unwrap(), hit.found.clone().into());
        assert_eq!(Scores::of(scores.named()), scores);
    }

    #[test]
    fn a_page_is_told_by_its_title_and_machine() {
        let page = |link: &str| Page { title: "WAL".into(), link: link.into(), snippet: "A log.".into() };
        for (link, host) in [
            ("https://example.org/1?q=a://b", Some("example.org")),
            ("http://me@example.org:80#x", Some("example.org")),
            // As a browser would go there.
            (r"https://evil.net\@example.org/", Some("evil.net")),
            ("https:/evil.net", Some("evil.net")),
            ("No link", None),
        ] {
            assert_eq!(page(link).host().as_deref(), host);
        }
        let (nowhere, found) = (fixtures::catalogue::<&str>([]), Found::Page(page("https://example.org/1")));
        let passage = found.passage(&nowhere, 3);
        assert_eq!(passage.to_string(), "[P3] WAL (example.org)\nA log.");
        assert_eq!((found.chunk(), passage.source_path.as_str()), (None, "https://example.org/1"));
        assert_eq!(page("l").line(), "- WAL (l): A log.");
        assert_eq!(Found::Page(page("l")).passage(&nowhere, 1).to_string(), "[P1] WAL\nA log.");
    }
}
