//! `web_search`: pages of the web for a query.

use super::tool::{query, with_query};
use super::{Asked, Called, Calling, Domains, Tool, Web, WebReply};
use crate::domain::{Found, Page, Place, ToolDefinition};
use serde_json::{Value, json};
use std::sync::Arc;

/// The name the model calls it by.
pub const WEB_SEARCH: &str = "web_search";

/// Longest query that is sent, in characters: engines read no more.
const LONGEST_QUERY: usize = 400;

/// The search of the web, as a tool.
pub struct WebSearch {
    web: Arc<dyn Web>,
    results: usize,
    domains: Arc<Domains>,
}

impl WebSearch {
    /// Searches this web for so many pages of these domains.
    pub fn new(web: Arc<dyn Web>, results: usize, domains: Arc<Domains>) -> Self {
        Self { web, results, domains }
    }
}

impl Tool for WebSearch {
    fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            name: WEB_SEARCH.to_owned(),
            description:
                "Search the web for what the knowledge base does not tell. Returns pages that match the query, best \
                          first, each with its title, its address and a few of its words."
                    .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "query": { "type": "string", "description": "What to look for, as one would type it into a search engine." },
                },
                "required": ["query"],
                "additionalProperties": false,
            }),
        }
    }

    fn understood(&self, arguments: Value) -> Value {
        with_query(arguments)
    }

    /// The pages for a call: `{query, results: [{title, link, snippet}], rendered}`. A search that has failed has no results,
    /// and says why.
    fn call<'a>(&'a self, place: Place, arguments: &'a Value) -> Calling<'a> {
        Box::pin(async move {
            let query = match query(WEB_SEARCH, arguments) {
                Ok(query) => query,
                Err(error) => return Ok(Called { result: json!({ "error": error }), found: Vec::new() }),
            };
            let sent = query.chars().take(LONGEST_QUERY).collect();
            let asked = Asked { query: sent, results: self.results, domains: self.domains.clone() };
            let (pages, rendered) = match self.web.search(place, &asked).await? {
                WebReply::Failed(detail) => (Vec::new(), format!("Web search failed: {detail}")),
                WebReply::Pages(pages) if pages.is_empty() => {
                    (pages, "No web results were returned for this query.".to_owned())
                }
                WebReply::Pages(pages) => {
                    let lines: Vec<String> = pages.iter().map(Page::line).collect();
                    (pages, lines.join("\n"))
                }
            };
            let result = json!({ "query": query, "results": pages, "rendered": rendered });
            Ok(Called { result, found: pages.into_iter().map(|page| Found::Page(page).into()).collect() })
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::WebSearching;
    use super::*;
    use crate::domain::SearchHit;
    use crate::tools::{Toolbox, WebError};

    /// A web that replies with this, whatever it is asked.
    struct Fixed(Result<WebReply, WebError>);

    impl Web for Fixed {
        fn search<'a>(&'a self, _: Place, asked: &'a Asked) -> WebSearching<'a> {
            assert!(asked.results == 5 && asked.query.chars().count() <= LONGEST_QUERY);
            Box::pin(std::future::ready(self.0.clone()))
        }
    }

    fn toolbox(reply: Result<WebReply, WebError>) -> Toolbox {
        let search: Arc<dyn Tool> = Arc::new(WebSearch::new(Arc::new(Fixed(reply)), 5, Arc::default()));
        Toolbox::new([search])
    }

    async fn called(reply: WebReply, arguments: Value) -> Called {
        toolbox(Ok(reply)).call("web_search", Place::default(), &arguments).await.unwrap()
    }

    #[tokio::test]
    async fn pages_are_told_as_the_contract_has_them() {
        let page = |number: u32| Page {
            title: format!("t{number}"),
            link: format!("https://example.org/{number}"),
            snippet: "s".into(),
        };
        let tea = called(WebReply::Pages(vec![page(1), page(2)]), json!({ "query": " tea " })).await;
        assert_eq!(
            tea.result.to_string(),
            json!({
                "query": "tea",
                "results": [
                    { "title": "t1", "link": "https://example.org/1", "snippet": "s" },
                    { "title": "t2", "link": "https://example.org/2", "snippet": "s" },
                ],
                "rendered": "- t1 (https://example.org/1): s\n- t2 (https://example.org/2): s",
            })
            .to_string()
        );
        assert_eq!(tea.found, [page(1), page(2)].map(|page| SearchHit::from(Found::Page(page))));
        let none = called(WebReply::Pages(vec![]), json!({ "query": "tea" })).await;
        assert_eq!(none.result["rendered"], "No web results were returned for this query.");
        let failed = called(WebReply::Failed("HTTP 500".into()), json!({ "query": "tea" })).await;
        let expected = json!({ "query": "tea", "results": [], "rendered": "Web search failed: HTTP 500" });
        assert_eq!((failed.result, failed.found.len()), (expected, 0));
    }

    #[tokio::test]
    async fn a_call_that_cannot_be_answered_says_why() {
        for arguments in [json!({}), json!({ "query": " \n" }), json!({ "query": 7 }), json!([]), Value::Null] {
            let refused = called(WebReply::Pages(vec![]), arguments.clone()).await;
            assert!(refused.result["error"].as_str().unwrap().starts_with("web_search needs"), "{arguments}");
        }
        let long = called(WebReply::Pages(vec![]), json!({ "query": "ä".repeat(5_000) })).await;
        assert_eq!(long.result["results"], json!([]));
        let stopped = toolbox(Err(WebError::Halted("a wrong key".into())));
        let stopped = stopped.call("web_search", Place::default(), &json!({ "query": "tea" })).await;
        assert_eq!(stopped.unwrap_err().to_string(), "a wrong key");
    }

    #[test]
    fn the_definition_is_strict() {
        let definition = &toolbox(Ok(WebReply::Pages(vec![]))).definitions()[0];
        assert_eq!(definition.name, "web_search");
        assert_eq!(definition.parameters["required"], json!(["query"]));
        assert_eq!(definition.parameters["additionalProperties"], json!(false));
        assert_eq!(definition.parameters["properties"].as_object().map(serde_json::Map::len), Some(1));
    }
}
