//! Calls and answers as JSON.

use crate::history::text::to_text;
use crate::history::{Answer, Call, List, Part};
use isegoria_kv::{Op, Output};
use serde_json::{Value, json};

pub(super) const NOT_A_NUMBER: &str = "not a number";

pub(crate) fn call(call: &Call) -> Value {
    let name = call.name();
    match call {
        Call::Kv(op) => operation(name, op),
        Call::List(parts) => match (parts.as_slice(), name) {
            ([append], "append") => part(append),
            (_, "read") => json!([name, parts.iter().map(|part| to_text(part.key())).collect::<Vec<_>>()]),
            _ => json!([name, parts.iter().map(part).collect::<Vec<_>>()]),
        },
    }
}

fn operation(name: &str, op: &Op) -> Value {
    match op {
        Op::Get(key) | Op::Delete(key) => json!([name, to_text(key)]),
        Op::Put(key, value) | Op::Append(key, value) => json!([name, to_text(key), to_text(value)]),
        Op::Incr(key, by) | Op::Add(key, by) => json!([name, to_text(key), by]),
        Op::CompareAndSet { key, expected, value } => {
            json!([name, to_text(key), expected.as_deref().map(to_text), to_text(value)])
        }
        Op::MultiGet(keys) => json!([name, keys.iter().map(|key| to_text(key)).collect::<Vec<_>>()]),
        Op::MultiPut(pairs) => {
            let pairs: Vec<_> =
                pairs.iter().map(|(key, value)| json!([to_text(key), to_text(value)])).collect();
            json!([name, pairs])
        }
        // Clients that record histories do not ask for these.
        Op::Pipeline(commands) | Op::Transaction(commands) => json!([name, format!("{commands:?}")]),
    }
}

fn part(part: &Part) -> Value {
    match part {
        Part::Append(key, element) => json!(["append", to_text(key), to_text(element)]),
        Part::Read(key) => json!(["read", to_text(key)]),
    }
}

/// The answer to `call`, which decides how it is written.
pub(crate) fn answer(call: &Call, answer: &Answer) -> Value {
    match answer {
        Answer::Kv(output) => self::output(output),
        Answer::List(reads) => match call {
            Call::List(parts) if matches!(parts.as_slice(), [Part::Append(..)]) => Value::Null,
            _ => json!(reads.iter().map(|read| read.as_ref().map(list)).collect::<Vec<_>>()),
        },
    }
}

fn output(output: &Output) -> Value {
    match output {
        Output::Ok => Value::Null,
        Output::Value(value) => json!(value.as_deref().map(to_text)),
        Output::Values(values) => {
            json!(values.iter().map(|value| value.as_deref().map(to_text)).collect::<Vec<_>>())
        }
        Output::Number(number) => json!(number),
        Output::Deleted(done) | Output::Swapped(done) => json!(done),
        Output::NotANumber => json!(NOT_A_NUMBER),
        Output::Redis(_) | Output::WrongType | Output::TooLong => json!(format!("{output:?}")),
    }
}

fn list(list: &List) -> Vec<String> {
    list.iter().map(to_text).collect()
}
