//! A program that ranks: it is started once, reads a query with its passages from each line of its input, and writes a line
//! with their scores.

use super::{RerankOptions, Reranker, Scoring, usable};
use crate::knowledge::KnowledgeError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

/// A program, started with the first ranking, and again after one that failed.
pub(super) struct Program {
    words: Vec<String>,
    model: String,
    instruction: String,
    batch_size: usize,
    max_length: usize,
    timeout: Duration,
    running: Mutex<Option<Running>>,
}

struct Running {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Ends with this value.
    _child: Child,
}

#[derive(Deserialize)]
struct Answer {
    scores: Vec<f32>,
}

impl Program {
    /// The program of these words, the first of which names it.
    pub fn new(options: &RerankOptions, words: &[String]) -> Self {
        Self {
            words: words.to_vec(),
            model: options.model.clone(),
            instruction: options.instruction.clone(),
            batch_size: options.batch_size,
            max_length: options.max_length,
            timeout: Duration::from_secs(options.timeout),
            running: Mutex::new(None),
        }
    }

    fn wrong(&self, cause: impl ToString) -> KnowledgeError {
        KnowledgeError::Rerank { model: format!("`{}`", self.words.join(" ")), cause: cause.to_string() }
    }

    fn start(&self) -> Result<Running, KnowledgeError> {
        let (name, arguments) = self.words.split_first().ok_or_else(|| self.wrong("it has no name"))?;
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| self.wrong(error))?;
        let streams = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = streams else { return Err(self.wrong("it has no input and output")) };
        Ok(Running { input, output: BufReader::new(output).lines(), _child: child })
    }

    async fn ask(&self, running: &mut Running, request: &Value) -> Result<Answer, KnowledgeError> {
        let line = format!("{request}\n");
        let written = async {
            running.input.write_all(line.as_bytes()).await?;
            running.input.flush().await
        };
        match written.await {
            // It has ended, maybe with a word.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => written.map_err(|error| self.wrong(error))?,
        }
        let answer = running.output.next_line().await.map_err(|error| self.wrong(error))?;
        let answer = answer.ok_or_else(|| self.wrong("it has ended"))?;
        serde_json::from_str(&answer)
            .map_err(|error| self.wrong(format!("it wrote no line like {{\"scores\": [0.5]}}: {error}: {answer}")))
    }
}

impl Reranker for Program {
    fn score<'a>(&'a self, query: &'a str, passages: Vec<String>) -> Scoring<'a> {
        Box::pin(async move {
            let request = json!({
                "query": query, "documents": passages, "model": self.model, "instruction": self.instruction,
                "batch_size": self.batch_size, "max_length": self.max_length,
            });
            let mut held = self.running.lock().await;
            // Not put back before all went well: what is left of a failed ranking, or of one whose future was dropped, must
            // not be taken for the next one's.
            let mut running = match held.take() {
                Some(running) => running,
                None => self.start()?,
            };
            let answer = tokio::time::timeout(self.timeout, self.ask(&mut running, &request)).await;
            let answer = answer.map_err(|_| self.wrong(format!("it did not answer within {:?}", self.timeout)))??;
            *held = Some(running);
            usable(answer.scores, passages.len(), |cause| self.wrong(cause))
        })
    }
}
