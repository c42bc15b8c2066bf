//! A history key by key. An operation on several keys is a read or a write of each.

use crate::history::{Answer, Call, History, Outcome};
use bytes::Bytes;
use isegoria_kv::{Op, Output};
use std::collections::BTreeMap;

/// What one key sees of an operation.
#[derive(Clone, Debug)]
pub(crate) struct Part<'a> {
    /// The operation's place in the history.
    pub(crate) operation: usize,
    pub(crate) invoked_us: u64,
    /// Nothing if the outcome is unknown.
    pub(crate) returned_us: Option<u64>,
    pub(crate) deed: Deed<'a>,
}

/// What is done with a key, with the answer if there was one.
#[derive(Clone, Debug)]
pub(crate) enum Deed<'a> {
    Read(Option<&'a Bytes>),
    /// One read that returned two values of the key at one moment.
    TornRead,
    Write(&'a Bytes),
    Delete(Option<bool>),
    Increment(i64, Option<Sum>),
    Add(i64),
    Append(&'a Bytes, Option<i64>),
    Swap {
        expected: Option<&'a Bytes>,
        value: &'a Bytes,
        done: Option<bool>,
    },
    /// The answer is none that such a call can get.
    Nonsense,
}

/// What an increment answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Is(i64),
    NotANumber,
}

/// The parts of each key. Operations that failed have none, nor have reads of unknown outcome.
pub(crate) fn by_key(history: &History) -> BTreeMap<&Bytes, Vec<Part<'_>>> {
    let mut keys: BTreeMap<&Bytes, Vec<Part<'_>>> = BTreeMap::new();
    for (index, operation) in history.operations.iter().enumerate() {
        let Call::Kv(op) = &operation.call else { continue };
        let output = match &operation.outcome {
            Outcome::Ok { answer: Answer::Kv(output), .. } => Some(output),
            Outcome::Ok { answer: Answer::List(_), .. } => Some(&Output::Ok),
            Outcome::Unknown => None,
            Outcome::Failed => continue,
        };
        for (key, deed) in deeds(op, output) {
            keys.entry(key).or_default().push(Part {
                operation: index,
                invoked_us: operation.invoked_us,
                returned_us: operation.outcome.returned_us(),
                deed,
            });
        }
    }
    keys
}

fn deeds<'a>(op: &'a Op, output: Option<&'a Output>) -> Vec<(&'a Bytes, Deed<'a>)> {
    match (op, output) {
        (Op::Get(_) | Op::MultiGet(_), None) => Vec::new(),
        (Op::Get(key), Some(Output::Value(value))) => vec![(key, Deed::Read(value.as_ref()))],
        (Op::Put(key, value), None | Some(Output::Ok)) => vec![(key, Deed::Write(value))],
        (Op::Delete(key), None) => vec![(key, Deed::Delete(None))],
        (Op::Delete(key), Some(Output::Deleted(found))) => vec![(key, Deed::Delete(Some(*found)))],
        (Op::Incr(key, by), None) => vec![(key, Deed::Increment(*by, None))],
        (Op::Incr(key, by), Some(Output::Number(sum))) => {
            vec![(key, Deed::Increment(*by, Some(Sum::Is(*sum))))]
        }
        (Op::Incr(key, by), Some(Output::NotANumber)) => {
            vec![(key, Deed::Increment(*by, Some(Sum::NotANumber)))]
        }
        (Op::Add(key, by), None | Some(Output::Ok)) => vec![(key, Deed::Add(*by))],
        (Op::Append(key, tail), None) => vec![(key, Deed::Append(tail, None))],
        (Op::Append(key, tail), Some(Output::Number(length))) => {
            vec![(key, Deed::Append(tail, Some(*length)))]
        }
        // Whether it happened or not, it changed nothing.
        (Op::CompareAndSet { expected: Some(same), value, .. }, None) if same == value => Vec::new(),
        (Op::CompareAndSet { key, expected, value }, None) => {
            vec![(key, Deed::Swap { expected: expected.as_ref(), value, done: None })]
        }
        (Op::CompareAndSet { key, expected, value }, Some(Output::Swapped(done))) => {
            vec![(key, Deed::Swap { expected: expected.as_ref(), value, done: Some(*done) })]
        }
        (Op::MultiGet(keys), Some(Output::Values(values))) if keys.len() == values.len() => {
            reads(keys, values)
        }
        // The last value of a key is the one that stays.
        (Op::MultiPut(pairs), None | Some(Output::Ok)) => {
            let last: BTreeMap<_, _> = pairs.iter().map(|(key, value)| (key, value)).collect();
            last.into_iter().map(|(key, value)| (key, Deed::Write(value))).collect()
        }
        _ => keys_of(op).into_iter().map(|key| (key, Deed::Nonsense)).collect(),
    }
}

fn reads<'a>(keys: &'a [Bytes], values: &'a [Option<Bytes>]) -> Vec<(&'a Bytes, Deed<'a>)> {
    let mut seen: BTreeMap<&Bytes, Deed<'_>> = BTreeMap::new();
    for (key, value) in keys.iter().zip(values) {
        let read = seen.entry(key).or_insert(Deed::Read(value.as_ref()));
        if !matches!(read, Deed::Read(first) if *first == value.as_ref()) {
            *read = Deed::TornRead;
        }
    }
    seen.into_iter().collect()
}

fn keys_of(op: &Op) -> Vec<&Bytes> {
    match op {
        Op::Get(key)
        | Op::Put(key, _)
        | Op::Delete(key)
        | Op::Incr(key, _)
        | Op::Add(key, _)
        | Op::Append(key, _)
        | Op::CompareAndSet { key, .. } => vec![key],
        Op::MultiGet(keys) => keys.iter().collect(),
        Op::MultiPut(pairs) => pairs.iter().map(|(key, _)| key).collect(),
        // Histories have none of these.
        Op::Pipeline(_) | Op::Transaction(_) => Vec::new(),
    }
}
