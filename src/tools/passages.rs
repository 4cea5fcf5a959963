//! `vector_db_search`: passages of the knowledge base for a query.

use crate::domain::{ChunkIndex, ToolDefinition};
use crate::knowledge::Index;
use serde_json::{Value, json};

/// The name the model calls it by.
pub const NAME: &str = "vector_db_search";

/// Most passages one call returns, whatever the model asks for.
const MOST: usize = 50;

/// What the model is told.
pub(super) fn definition(top_k: usize) -> ToolDefinition {
    ToolDefinition {
        name: NAME.to_owned(),
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
                    "description": format!("How many passages to return; {top_k} when left out, {MOST} at most."),
                },
            },
            "required": ["query"],
            "additionalProperties": false,
        }),
    }
}

/// The arguments as they are understood: a list for the query is its texts.
pub(super) fn understood(mut arguments: Value) -> Value {
    if let Some(query) = arguments.get_mut("query")
        && let Value::Array(parts) = query
    {
        let texts: Vec<&str> = parts.iter().filter_map(Value::as_str).map(str::trim).collect();
        *query = texts.join(" ").into();
    }
    arguments
}

/// The passages for a call's arguments: `{query, results: [{source, chunk_index, content}], rendered}`, and which chunks
/// they are. A `k` that is no positive integer counts as left out.
pub(super) fn call(index: &Index, top_k: usize, arguments: &Value) -> (Value, Vec<ChunkIndex>) {
    let query = arguments.get("query").and_then(Value::as_str).map(str::trim).filter(|query| !query.is_empty());
    let Some(query) = query else {
        let error = format!("{NAME} needs a non-empty string \"query\", such as {{\"query\": \"words to look for\"}}");
        return (json!({ "error": error }), Vec::new());
    };
    let k =
        arguments.get("k").and_then(Value::as_u64).filter(|&k| k > 0).map_or(top_k, |k| k.min(MOST as u64) as usize);
    let hits = index.search(query, k);
    let results: Vec<Value> = hits.iter().map(|hit| passage(index, hit.chunk)).collect();
    let lines: Vec<String> = hits.iter().map(|hit| line(index, hit.chunk)).collect();
    let rendered = if lines.is_empty() {
        "No passage of the knowledge base matches this query.".to_owned()
    } else {
        lines.join("\n")
    };
    let found = hits.into_iter().map(|hit| hit.chunk).collect();
    (json!({ "query": query, "results": results, "rendered": rendered }), found)
}

fn passage(index: &Index, chunk: ChunkIndex) -> Value {
    let chunk = index.catalogue().chunk(chunk);
    let source = &index.catalogue().source(chunk.source).path;
    json!({ "source": source, "chunk_index": chunk.chunk_index, "content": chunk.text })
}

fn line(index: &Index, chunk: ChunkIndex) -> String {
    let chunk = index.catalogue().chunk(chunk);
    format!("[{}] {}", index.catalogue().source(chunk.source).path, chunk.text)
}
