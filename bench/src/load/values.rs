use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Ends a label, where the filling begins.
const END: u8 = b';';

/// Values that are written once: a label of the client and a number, then bytes that are
/// the same in all values, up to the payload's size.
#[derive(Debug)]
pub(crate) struct Values {
    filling: Vec<u8>,
}

impl Values {
    /// Values of `payload_bytes`, or of their label alone if that is longer.
    pub(crate) fn new(payload_bytes: usize, seed: u64) -> Values {
        let mut filling = vec![0; payload_bytes];
        ChaCha8Rng::seed_from_u64(seed).fill(&mut filling[..]);
        Values { filling }
    }

    /// A label that no other client and number has.
    pub(crate) fn label(client: u64, number: u64) -> Bytes {
        format!("{client}.{number}").into()
    }

    /// The value with this label.
    pub(crate) fn value(&self, label: &[u8]) -> Bytes {
        let rest = self.filling.get(label.len() + 1..).unwrap_or_default();
        [label, &[END], rest].concat().into()
    }

    /// The label of a value that was read. Of anything else it is the whole thing, which
    /// nobody wrote: the history then says so.
    pub(crate) fn label_of(&self, value: Bytes) -> Bytes {
        match value.iter().position(|byte| *byte == END) {
            Some(end) if self.value(&value[..end]) == value => value.slice(..end),
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_payloads_size_and_a_label() {
        for size in [0, 3, 5, 6, 100, 4096] {
            let values = Values::new(size, 1);
            let label = Values::label(17, 42);
            let value = values.value(&label);
            assert_eq!(value.len(), size.max(label.len() + 1));
            assert_eq!(values.label_of(value), label);
        }
    }

    #[test]
    fn a_damaged_value_has_no_label() {
        let values = Values::new(100, 1);
        let value = values.value(b"1.2");
        let mut flipped = value.to_vec();
        flipped[60] ^= 1;
        for damaged in [Bytes::from(flipped), value.slice(..99), value.slice(1..), Bytes::new()] {
            assert_eq!(values.label_of(damaged.clone()), damaged);
        }
    }
}
