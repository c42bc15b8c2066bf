//! What keys are used for, and the part of a history that is about lists.
//!
//! Operations that make sense of each other's results meet at a key, so that the judge of
//! the history need not guess: appends that a put hid would be a puzzle of lengths. Lists
//! are appended to and read, several at once: they say whether a command on several keys
//! happened at one moment, which no key says alone.

use bytes::Bytes;
use isegoria_check::history::{Answer, Call, History, List, Model, Operation, Outcome, Part};
use isegoria_kv::{Op, Output};

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// append, get, mget
    List,
    /// put, mput, cas, del, get, mget
    Register,
    /// add, incr, get, mget
    Counter,
}

impl Use {
    pub(crate) fn of(number: u64) -> Use {
        [Use::List, Use::Register, Use::Counter][(number % 3) as usize]
    }

    /// The name of a key; its first letter says what it is used for.
    pub(crate) fn key(number: u64, first_use: u64) -> Bytes {
        let letter = match Use::of(number + first_use) {
            Use::List => 'l',
            Use::Register => 'r',
            Use::Counter => 'n',
        };
        format!("{letter}{number}").into()
    }
}

/// What the operation of this number appends or writes: nobody else does.
pub(crate) fn element(number: usize) -> Bytes {
    format!("{number},").into()
}

fn is_list(key: &Bytes) -> bool {
    key.starts_with(b"l")
}

/// The operations on lists, as transactions.
pub(crate) fn of(history: &History) -> History {
    History {
        model: Model::ListAppend,
        operations: history.operations.iter().filter_map(transaction).collect(),
    }
}

fn transaction(operation: &Operation) -> Option<Operation> {
    let Call::Kv(op) = &operation.call else { return None };
    let (keys, outcome) = (op_keys(op), &operation.outcome);
    let lists: Vec<usize> = (0..keys.len()).filter(|place| is_list(keys[*place])).collect();
    let part = |place: &usize| match op {
        Op::Append(key, element) => Part::Append(key.clone(), element.clone()),
        _ => Part::Read(keys[*place].clone()),
    };
    let parts: Vec<Part> = lists.iter().map(part).collect();
    let outcome = match outcome {
        Outcome::Ok { returned_us, answer: Answer::Kv(output) } => {
            let reads = lists.iter().map(|place| read(output, *place)).collect::<Vec<Option<List>>>();
            Outcome::Ok { returned_us: *returned_us, answer: reads.into() }
        }
        other => other.clone(),
    };
    (!parts.is_empty()).then(|| Operation { call: parts.into(), outcome, ..operation.clone() })
}

fn op_keys(op: &Op) -> Vec<&Bytes> {
    match op {
        Op::Append(key, _) | Op::Get(key) => vec![key],
        Op::MultiGet(keys) => keys.iter().collect(),
        _ => Vec::new(),
    }
}

/// What a part read; nothing for an append.
fn read(output: &Output, place: usize) -> Option<List> {
    let value = match output {
        Output::Value(value) => value,
        Output::Values(values) => &values[place],
        _ => return None,
    };
    let text = value.as_deref().unwrap_or_default();
    Some(text.split_inclusive(|byte| *byte == b',').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_lists_is_left() {
        let (list, other) = (Use::key(0, 0), Use::key(1, 0));
        let done = |op: Op, output: Output| Operation {
            client: 1,
            invoked_us: 1,
            call: op.into(),
            outcome: Outcome::Ok { returned_us: 2, answer: output.into() },
        };
        let text = || Some(Bytes::from([element(3), element(14)].concat()));
        let history = History {
            model: Model::Kv,
            operations: vec![
                done(Op::Append(list.clone(), element(3)), Output::Number(2)),
                done(Op::Put(other.clone(), element(4)), Output::Ok),
                done(Op::MultiGet(vec![other.clone(), list.clone()]), Output::Values(vec![None, text()])),
                done(Op::Get(other), Output::Value(None)),
                done(Op::Get(list.clone()), Output::Value(None)),
            ],
        };
        let told: Vec<(Call, Outcome)> = of(&history)
            .operations
            .into_iter()
            .map(|operation| (operation.call, operation.outcome))
            .collect();
        let answered = |reads: Vec<Option<List>>| Outcome::Ok { returned_us: 2, answer: reads.into() };
        let both: List = [element(3), element(14)].iter().collect();
        let reads = || Call::from(vec![Part::Read(list.clone())]);
        let expected = [
            (vec![Part::Append(list.clone(), element(3))].into(), answered(vec![None])),
            (reads(), answered(vec![Some(both)])),
            (reads(), answered(vec![Some(List::new())])),
        ];
        assert_eq!(told, expected);
    }
}
