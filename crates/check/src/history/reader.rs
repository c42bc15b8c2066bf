use crate::history::{Answer, History, Model, Operation, Outcome, decode};
use serde::Deserialize;
use serde_json::Value;
use std::io::{self, BufRead, Read};

/// The longest line that is read, bytes.
pub const LINE_BYTES_MAX: u64 = 64 << 20;

const HEADER: &str = r#"{"isegoria_history":1,"model":"kv"}"#;

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A line is not what belongs there.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it, and the cure.
        what: String,
    },
    /// The input cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    isegoria_history: u64,
    model: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    client: u64,
    invoked_us: u64,
    returned_us: Option<u64>,
    op: Value,
    outcome: Word,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Ok,
    Unknown,
    Failed,
}

impl History {
    /// Reads a history in the model of its header.
    pub fn read(from: impl BufRead) -> Result<History, HistoryError> {
        History::read_as(from, None)
    }

    /// Reads a history, in `model` if that is given and not in that of its header.
    pub fn read_as(from: impl BufRead, model: Option<Model>) -> Result<History, HistoryError> {
        let mut lines = Lines { from, line: 0, text: Vec::new() };
        let named = match lines.next()? {
            Some(text) => header(text).map_err(|what| lines.wrong(what))?,
            None => {
                let what = format!("the file is empty; a history begins with the header {HEADER}");
                return Err(HistoryError::Line { line: 1, what });
            }
        };
        let model = model.unwrap_or(named);
        let mut operations = Vec::new();
        while let Some(text) = lines.next()? {
            operations.push(operation(model, text).map_err(|what| lines.wrong(what))?);
        }
        Ok(History { model, operations })
    }
}

/// The lines of an input, none longer than [`LINE_BYTES_MAX`]; blank ones are passed over.
struct Lines<R> {
    from: R,
    line: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<&[u8]>, HistoryError> {
        loop {
            self.text.clear();
            self.line += 1;
            let length = Read::take(&mut self.from, LINE_BYTES_MAX).read_until(b'\n', &mut self.text)?;
            if length == 0 {
                return Ok(None);
            }
            if length as u64 == LINE_BYTES_MAX {
                return Err(self.wrong(format!(
                    "the line is longer than {} MiB; record shorter lists or values",
                    LINE_BYTES_MAX >> 20
                )));
            }
            if !self.text.trim_ascii().is_empty() {
                return Ok(Some(self.text.trim_ascii()));
            }
        }
    }

    fn wrong(&self, what: String) -> HistoryError {
        HistoryError::Line { line: self.line, what }
    }
}

fn header(text: &[u8]) -> Result<Model, String> {
    let header: Header = serde_json::from_slice(text)
        .map_err(|error| format!("this is no header, {}; begin the file with {HEADER}", place(&error)))?;
    if header.isegoria_history != 1 {
        return Err(format!(
            "the history is of version {}, and this program reads version 1; record it again",
            header.isegoria_history
        ));
    }
    header.model.parse().map_err(|error| format!("`model`: {error}"))
}

fn operation(model: Model, text: &[u8]) -> Result<Operation, String> {
    let line: Line = serde_json::from_slice(text).map_err(|error| {
        format!(
            "this is no operation, {}; write it like {{\"client\":1,\"invoked_us\":120,\"returned_us\":450,\
             \"op\":[…],\"outcome\":\"ok\",\"result\":null}}",
            place(&error)
        )
    })?;
    let call = decode::call(model, &line.op)?;
    let outcome = match (line.outcome, line.returned_us) {
        (Word::Ok, Some(returned_us)) if returned_us < line.invoked_us => {
            return Err(format!(
                "`returned_us` {returned_us} is before `invoked_us` {}; take both from one clock",
                line.invoked_us
            ));
        }
        (Word::Ok, Some(returned_us)) => {
            let answer: Answer = decode::answer(&call, &line.result)?;
            Outcome::Ok { returned_us, answer }
        }
        (Word::Ok, None) => return Err("an operation that is ok needs `returned_us`".to_owned()),
        (_, Some(_)) => return Err("`returned_us` is for operations that are ok; leave it out".to_owned()),
        _ if !line.result.is_null() => {
            return Err("`result` is for operations that are ok; leave it out".to_owned());
        }
        (Word::Unknown, None) => Outcome::Unknown,
        (Word::Failed, None) => Outcome::Failed,
    };
    Ok(Operation { client: line.client, invoked_us: line.invoked_us, call, outcome })
}

/// What JSON's reader says, without the line: it is given one line at a time.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("{what} (column {})", error.column())
}
