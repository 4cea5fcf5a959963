//! The tools offered to the assistant model, called by name.

use super::passages;
use crate::domain::{Catalogue, ChunkIndex, ToolDefinition};
use crate::knowledge::Index;
use serde_json::{Value, json};
use std::sync::Arc;

/// Name of the knowledge search.
pub const SEARCH: &str = passages::NAME;

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// What it returned; `{"error": …}`, worded for the model that made it, where it can't be answered.
    pub result: Value,
    /// The chunks it found, best first.
    pub chunks: Vec<ChunkIndex>,
}

/// Every tool of a run. Calls are answered from memory, at once: any thread may make them.
pub struct Toolbox {
    index: Arc<Index>,
    top_k: usize,
}

impl Toolbox {
    /// Tools over a knowledge base; a search returns `top_k` passages where the model does not say how many.
    pub fn new(index: Arc<Index>, top_k: usize) -> Self {
        Self { index, top_k }
    }

    /// What the model is told of the tools.
    pub fn definitions(&self) -> Vec<ToolDefinition> {
        vec![passages::definition(self.top_k)]
    }

    /// Whether there is a tool of this name.
    pub fn has(&self, name: &str) -> bool {
        name == SEARCH
    }

    /// A call's arguments in the form that the tool takes, where they can be understood in another one.
    pub fn understood(&self, name: &str, arguments: Value) -> Value {
        if self.has(name) { passages::understood(arguments) } else { arguments }
    }

    /// Calls a tool.
    pub fn call(&self, name: &str, arguments: &Value) -> Called {
        let (result, chunks) = match name {
            SEARCH => passages::call(&self.index, self.top_k, arguments),
            unknown => (json!({ "error": format!("Unknown tool: {unknown}") }), Vec::new()),
        };
        Called { result, chunks }
    }

    /// The `k` chunks nearest to a query, nearest first: the search without the tool around it.
    pub fn nearest(&self, query: &str, k: usize) -> Vec<ChunkIndex> {
        self.index.search(query, k).into_iter().map(|hit| hit.chunk).collect()
    }

    /// The share of a query's telling words that a chunk has, from 0 to 1, rare words weighing more.
    pub fn nearness(&self, query: &str, chunk: ChunkIndex) -> f32 {
        self.index.nearness(query, chunk)
    }

    /// The words of a text that tell what it is about, each once, in order.
    pub fn telling_words(&self, text: &str) -> Vec<String> {
        self.index.telling_words(text)
    }

    /// Passages a search returns by default.
    pub fn top_k(&self) -> usize {
        self.top_k
    }

    /// The knowledge base.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        self.index.catalogue()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{Chunk, Source, SourceIndex};

    /// Sixty chunks in one document, each with its number in words of its own.
    fn toolbox() -> Toolbox {
        let chunks = (0..60).map(|at| Chunk {
            id: format!("{:032x}-{at}", 7),
            text: format!("hive number{at}").into(),
            context: "".into(),
            source: SourceIndex(0),
            chunk_index: at,
            char_start: 0,
            char_end: 20,
        });
        let sources = vec![Source { path: "en/bees.md".to_owned(), language: Some("en".into()), chunks: 0..60 }];
        let catalogue = Catalogue { sources, chunks: chunks.collect() };
        Toolbox::new(Arc::new(Index::build(Arc::new(catalogue), &|_| ()).unwrap()), 4)
    }

    #[test]
    fn a_search_returns_passages_and_their_rendering() {
        assert_eq!(
            toolbox().call("vector_db_search", &json!({ "query": " number7 ", "k": 3 })).result.to_string(),
            json!({
                "query": "number7",
                "results": [{ "source": "en/bees.md", "chunk_index": 7, "content": "hive number7" }],
                "rendered": "[en/bees.md] hive number7",
            })
            .to_string()
        );
        let two = toolbox().call("vector_db_search", &json!({ "query": "number7 number9", "k": 2 }));
        assert_eq!(two.chunks, [ChunkIndex(7), ChunkIndex(9)]);
        assert_eq!(two.result["rendered"], "[en/bees.md] hive number7\n[en/bees.md] hive number9");
        let none = toolbox().call("vector_db_search", &json!({ "query": "zebra" })).result;
        assert_eq!(none["results"], json!([]));
        assert!(none["rendered"].as_str().unwrap().starts_with("No passage"));
    }

    #[test]
    fn the_number_of_passages_is_positive_and_capped() {
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
            let payload = toolbox().call("vector_db_search", &json!({ "query": "hive", "k": k })).result;
            assert_eq!(payload["results"].as_array().unwrap().len(), expected, "{k}");
        }
    }

    #[test]
    fn a_call_that_cannot_be_answered_says_why() {
        let toolbox = toolbox();
        assert_eq!(toolbox.call("rm", &json!({})).result, json!({ "error": "Unknown tool: rm" }));
        for arguments in [json!({}), json!({ "query": " \n" }), json!({ "query": 7 }), json!([]), Value::Null] {
            let payload = toolbox.call("vector_db_search", &arguments).result;
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

    #[test]
    fn nearest_is_the_search_behind_the_tool() {
        let toolbox = toolbox();
        assert_eq!(toolbox.nearest("number9", 5), [ChunkIndex(9)]);
        assert_eq!(toolbox.nearest("hive", 12).len(), 12);
        assert_eq!((toolbox.top_k(), toolbox.catalogue().chunks.len()), (4, 60));
    }
}
