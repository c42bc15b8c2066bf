use crate::redis;
use bytes::Bytes;
use isegoria_types::{Class, Footprint};
use serde::{Deserialize, Serialize};

/// The class of blind additions: they commute with each other.
pub const ADD: Class = Class::new(1);

/// An operation on the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    /// The value of a key.
    Get(Bytes),
    /// Sets a key.
    Put(Bytes, Bytes),
    /// Deletes a key; says whether it was there.
    Delete(Bytes),
    /// Adds to a number and returns the sum, so it conflicts with every access of the key.
    Incr(Bytes, i64),
    /// Adds to a number blindly, so additions commute with each other. A string that is
    /// not a number counts as 0, and sums wrap around: otherwise additions would not commute.
    Add(Bytes, i64),
    /// Appends to a value; returns the new length, bytes.
    Append(Bytes, Bytes),
    /// Sets a key if its value is what is expected (`None`: if it is absent).
    CompareAndSet {
        /// The key.
        key: Bytes,
        /// What must be there.
        expected: Option<Bytes>,
        /// What to set.
        value: Bytes,
    },
    /// The values of several keys, at one moment.
    MultiGet(Vec<Bytes>),
    /// Sets several keys, at one moment.
    MultiPut(Vec<(Bytes, Bytes)>),
    /// Runs commands of Redis in this order, at one moment: from the first one on as many as the
    /// limits leave room for. The others are not done.
    Pipeline(Vec<redis::Command>),
    /// Runs commands of Redis in this order, at one moment, all of them.
    Transaction(Vec<redis::Command>),
}

/// What an operation answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Output {
    /// Done; nothing to say.
    Ok,
    /// The value, if the key is there.
    Value(Option<Bytes>),
    /// One value a key asked for, in that order.
    Values(Vec<Option<Bytes>>),
    /// A number, or the new length in bytes.
    Number(i64),
    /// Whether a deletion found the key.
    Deleted(bool),
    /// A compare-and-set: whether it set.
    Swapped(bool),
    /// The value is not a decimal number, or the sum does not fit into 64 bits; nothing changed.
    NotANumber,
    /// One reply a command of Redis that was run, in that order.
    Redis(Vec<redis::Reply>),
    /// The key holds a hash, a set or a list; nothing changed.
    WrongType,
    /// The values are too long for one answer, or the string would be too long; nothing changed.
    TooLong,
}

impl Op {
    /// Adds what the operation touches to `footprint`.
    pub fn footprint(&self, footprint: &mut Footprint) {
        match self {
            Op::Get(key) => footprint.read(key),
            Op::Add(key, _) => footprint.commute(ADD, key),
            Op::Put(key, _)
            | Op::Delete(key)
            | Op::Incr(key, _)
            | Op::Append(key, _)
            | Op::CompareAndSet { key, .. } => footprint.write(key),
            Op::MultiGet(keys) => {
                for key in keys {
                    footprint.read(key);
                }
            }
            Op::MultiPut(pairs) => {
                for (key, _) in pairs {
                    footprint.write(key);
                }
            }
            Op::Pipeline(commands) | Op::Transaction(commands) => {
                for command in commands {
                    command.footprint(footprint);
                }
            }
        }
    }
}
