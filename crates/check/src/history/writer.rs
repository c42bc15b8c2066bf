use crate::history::{Model, Operation, Outcome, encode};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

/// Writes a history, an operation a line. It does not buffer: give it a writer that does.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
}

#[derive(Serialize)]
struct Header {
    isegoria_history: u64,
    model: &'static str,
}

#[derive(Serialize)]
struct Line {
    client: u64,
    invoked_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    returned_us: Option<u64>,
    op: Value,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    pub fn new(to: W, model: Model) -> io::Result<Writer<W>> {
        let mut writer = Writer { to };
        writer.line(&Header { isegoria_history: 1, model: model.name() })?;
        Ok(writer)
    }

    /// Writes an operation.
    pub fn record(&mut self, operation: &Operation) -> io::Result<()> {
        let Operation { client, invoked_us, call, outcome } = operation;
        let (word, result) = match outcome {
            Outcome::Ok { answer, .. } => ("ok", Some(encode::answer(call, answer))),
            Outcome::Unknown => ("unknown", None),
            Outcome::Failed => ("failed", None),
        };
        self.line(&Line {
            client: *client,
            invoked_us: *invoked_us,
            returned_us: outcome.returned_us(),
            op: encode::call(call),
            outcome: word,
            result,
        })
    }

    /// Flushes, and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        // In one piece: two writers of one file never mix within a line.
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.to.write_all(&text)
    }
}
