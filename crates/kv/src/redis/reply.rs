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
    /// The reply would be too long, or too much is copied.
    TooLong,
    /// The string would be too long.
    StringTooLong,
}
