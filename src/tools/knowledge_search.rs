//! `vector_db_search`: passages of the knowledge base for a query.

use super::tool::{query, with_query};
use super::{Called, Calling, Tool};
use crate::domain::{Catalogue, ChunkIndex, Found, Place, Scores, SearchHit, ToolDefinition};
use crate::knowledge::{Hit, Ranked, Retriever};
use serde_json::{Value, json};
use std::sync::Arc;

/// The name the model calls it by.
pub const SEARCH: &str = "vector_db_search";

/// Most passages one call returns, whatever the model asks for.
const MOST: usize = 50;

/// The search of the knowledge base, as a tool.
pub struct KnowledgeSearch {
    retriever: Arc<dyn Retriever>,
    catalogue: Arc<Catalogue>,
    top_k: usize,
}

impl KnowledgeSearch {
    /// Searches with this retriever for passages of this catalogue: `top_k` of them where the model does not say how many.
    pub fn new(retriever: Arc<dyn Retriever>, catalogue: Arc<Catalogue>, top_k: usize) -> Self {
        Self { retriever, catalogue, top_k }
    }

    fn passage(&self, chunk: ChunkIndex) -> Value {
        let chunk = self.catalogue.chunk(chunk);
        let source = &self.catalogue.source(chunk.source).path;
        json!({ "source": source, "chunk_index": chunk.chunk_index, "content": chunk.text })
    }

    fn line(&self, chunk: ChunkIndex) -> String {
        let chunk = self.catalogue.chunk(chunk);
        format!("[{}] {}", self.catalogue.source(chunk.source).path, chunk.text)
    }
}

/// A hit as answers keep it.
fn found(hit: &Hit) -> SearchHit {
    let score = |place: Option<Ranked>| place.map(|place| place.score);
    let scores = Scores { lexical: score(hit.lexical), vector: score(hit.vector), rerank: score(hit.rerank) };
    SearchHit { found: Found::Chunk(hit.chunk), scores: scores.rounded() }
}

impl Tool for KnowledgeSearch {
    fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            name: SEARCH.to_owned(),
            description: "Search the knowledge base. Returns the passages that best match the query, best first, each \
                          with its source."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "query": {
                        "type": "string",
                        "description": "What to look for: a few telling words, in the language of the documents.",
                    },
                    "k": {
                        "type": "integer",
                        "minimum": 1,
                        "description": format!("How many passages to return; {} when left out, {MOST} at most.", self.top_k),
                    },
                },
                "required": ["query"],
                "additionalProperties": false,
            }),
        }
    }

    /// A list for the query is its texts.
    fn understood(&self, arguments: Value) -> Value {
        with_query(arguments)
    }

    /// The passages for a call: `{query, results: [{source, chunk_index, content}], rendered}`. A `k` that is no positive
    /// integer counts as left out.
    fn call<'a>(&'a self, place: Place, arguments: &'a Value) -> Calling<'a> {
        Box::pin(async move {
            let query = match query(SEARCH, arguments) {
                Ok(query) => query,
                Err(error) => return Ok(Called { result: json!({ "error": error }), found: Vec::new() }),
            };
            let k = arguments.get("k").and_then(Value::as_u64).filter(|&k| k > 0);
            let k = k.map_or(self.top_k, |k| k.min(MOST as u64) as usize);
            let hits = self.retriever.search(place, query, k).await?;
            let chunks: Vec<_> = hits.iter().map(|hit| hit.chunk).collect();
            let results: Vec<Value> = chunks.iter().map(|chunk| self.passage(*chunk)).collect();
            let lines: Vec<String> = chunks.iter().map(|chunk| self.line(*chunk)).collect();
            let rendered = if lines.is_empty() {
                "No passage of the knowledge base matches this query.".to_owned()
            } else {
                lines.join("\n")
            };
            let result = json!({ "query": query, "results": results, "rendered": rendered });
            Ok(Called { result, found: hits.iter().map(found).collect() })
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::fixtures;
    use crate::knowledge::Index;
    use crate::tools::Toolbox;

    /// Sixty chunks in one document, each with its number in words of its own.
    fn toolbox() -> Toolbox {
        let texts = (0..60).map(|at| format!("hive number{at}")).collect();
        let mut catalogue = fixtures::catalogue([(format!("{:032x}", 7), "en/bees.md".to_owned(), texts)]);
        catalogue.sources[0].language = Some("en".into());
        let catalogue = Arc::new(catalogue);
        let index = Arc::new(Index::build(catalogue.clone(), &|_| ()).unwrap());
        let search: Arc<dyn Tool> = Arc::new(KnowledgeSearch::new(index, catalogue, 4));
        Toolbox::new([search])
    }

    #[tokio::test]
    async fn a_search_returns_passages_and_their_rendering() {
        assert_eq!(
            toolbox()
                .call("vector_db_search", Place::default(), &json!({ "query": " number7 ", "k": 3 }))
                .await
                .unwrap()
                .result
                .to_string(),
            json!({
                "query": "number7",
                "results": [{ "source": "en/bees.md", "chunk_index": 7, "content": "hive number7" }],
                "rendered": "[en/bees.md] hive number7",
            })
            .to_string()
        );
        let two = toolbox()
            .call("vector_db_search", Place::default(), &json!({ "query": "number7 number9", "k": 2 }))
            .await
            .unwrap();
        let found: Vec<_> = two.found.iter().filter_map(|hit| hit.found.chunk()).collect();
        assert_eq!(found, [ChunkIndex(7), ChunkIndex(9)]);
        assert!(two.found.iter().all(|hit| hit.scores.named().map(|(name, _)| name).eq(["lexical"])));
        assert_eq!(two.result["rendered"], "[en/bees.md] hive number7\n[en/bees.md] hive number9");
        let none =
            toolbox().call("vector_db_search", Place::default(), &json!({ "query": "zebra" })).await.unwrap().result;
        assert_eq!(none["results"], json!([]));
        assert!(none["rendered"].as_str().unwrap().starts_with("No passage"));
    }

    #[tokio::test]
    async fn the_number_of_passages_is_positive_and_capped() {
        for (k, expected) in [
            (json!(2), 2),
            (json!(1000), 50),
            (json!(u64::MAX), 50),
            (json!(0), 4),
            (json!(-1), 4),
            (json!("3"), 4),
            (json!(2.5), 4),
            (Value::Null, 4),
        ] {
            let payload = toolbox()
                .call("vector_db_search", Place::default(), &json!({ "query": "hive", "k": k }))
                .await
                .unwrap()
                .result;
            assert_eq!(payload["results"].as_array().unwrap().len(), expected, "{k}");
        }
    }

    #[tokio::test]
    async fn a_call_that_cannot_be_answered_says_why() {
        let toolbox = toolbox();
        assert_eq!(
            toolbox.call("rm", Place::default(), &json!({})).await.unwrap().result,
            json!({ "error": "Unknown tool: rm" })
        );
        for arguments in [json!({}), json!({ "query": " \n" }), json!({ "query": 7 }), json!([]), Value::Null] {
            let payload = toolbox.call("vector_db_search", Place::default(), &arguments).await.unwrap().result;
            assert!(payload["error"].as_str().unwrap().contains("\"query\""), "{arguments}");
        }
    }

    #[test]
    fn the_definition_is_strict() {
        let definitions = toolbox().definitions();
        assert_eq!(definitions.len(), 1);
        let parameters = &definitions[0].parameters;
        assert_eq!(definitions[0].name, "vector_db_search");
        assert_eq!(parameters["required"], json!(["query"]));
        assert_eq!(parameters["additionalProperties"], json!(false));
        assert_eq!(parameters["properties"]["query"]["type"], "string");
        assert_eq!(parameters["properties"]["k"]["type"], "integer");
        assert_eq!(parameters["properties"]["k"]["minimum"], 1);
    }
}
