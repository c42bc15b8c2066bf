use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Ok,
    /// There is no such value.
    Nil,
    /// There is no such list of values.
    NilArray,
    /// A number.
    Number(i64),
    /// A value.
    Bulk(Bytes),
    /// What a key holds, if anything.
    Kind(Option<Kind>),
    /// Values, in the order asked for.
    Array(Vec<Option<Bytes>>),
    /// Fields and their values, by field.
    Map(Vec<(Bytes, Bytes)>),
    /// Members, in order.
    Set(Vec<Bytes>),
    /// Nothing changed.
    Error(Failure),
}

/// What a key can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Bytes.
    String,
    /// Fields with values.
    Hash,
    /// Members.
    Set,
    /// Values in an order.
    List,
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Failure {
    /// The key holds another kind of value.
    WrongType,
    /// The value is no number of 64 bits.
    NotAnInteger,
    /// The value of the field is none.
    FieldNotAnInteger,
    /// The sum does not fit into 64 bits.
    Overflow,
    /// The reply would be too long. What the command changes, it has changed.
    TooLong,
}

/// The most bytes of values that one operation answers, so that no reply is larger than a message may be.
pub(crate) const REPLY_BYTES_MAX: usize = 4 << 20;

impl Reply {
    /// The bytes of its values, and some for each.
    pub(crate) fn byte_count(&self) -> usize {
        const EACH: usize = 8;
        let one = |value: &Bytes| value.len() + EACH;
        match self {
            Reply::Bulk(value) => one(value),
            Reply::Array(values) => values.iter().map(|value| value.as_ref().map_or(EACH, one)).sum(),
            Reply::Map(pairs) => pairs.iter().map(|(field, value)| one(field) + one(value)).sum(),
            Reply::Set(members) => members.iter().map(one).sum(),
            Reply::Ok
            | Reply::Nil
            | Reply::NilArray
            | Reply::Number(_)
            | Reply::Kind(_)
            | Reply::Error(_) => EACH,
        }
    }
}
