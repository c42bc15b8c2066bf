//! Operations on keys of one letter.

use bytes::Bytes;
use isegoria_kv::Op;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Reads a key.
pub(crate) fn get(key: &str) -> Op {
    Op::Get(bytes(key))
}

/// Sets a key.
pub(crate) fn put(key: &str, value: &str) -> Op {
    Op::Put(bytes(key), bytes(value))
}

/// Appends to a key: its answer and its effect tell whether it was done twice.
pub(crate) fn append(key: &str, tail: &str) -> Op {
    Op::Append(bytes(key), bytes(tail))
}

/// Sets several keys at once.
pub(crate) fn put_all(pairs: &[(&str, &str)]) -> Op {
    Op::MultiPut(pairs.iter().map(|(key, value)| (bytes(key), bytes(value))).collect())
}
