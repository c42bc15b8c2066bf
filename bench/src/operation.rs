use crate::generator::{KeyChooser, PutEncoder};
use crate::load::LoadPlan;
use crate::{Workload, ycsb};
use bytes::Bytes;
use isegoria_kv::Op;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// Dice that choose what an operation is, beside those that choose keys.
const DICE_STREAM: u64 = 1 << 42;

/// What a client does next, by the numbers of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Writes a value.
    Put(u64),
    /// Reads a value.
    Get(u64),
    /// Reads the values of these keys at one moment.
    Scan(Range<u64>),
    /// Reads a value, then writes it: two commands, one after the other.
    ReadModifyWrite(u64),
    /// Writes the same value to all of these keys: what is there before anything is measured.
    PutAll(Range<u64>),
}

/// Chooses the operations of one client: the same ones for the same seed and client.
#[derive(Debug)]
pub(crate) struct OperationChooser {
    keys: KeyChooser,
    /// What an operation is; always a put, if none.
    mix: Option<(ycsb::Mix, ChaCha8Rng)>,
}

impl OperationChooser {
    /// The chooser of client number `client` of a run.
    pub(crate) fn new(plan: &LoadPlan, client: usize) -> OperationChooser {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        rng.set_stream(DICE_STREAM + client as u64);
        let mix = match plan.workload {
            Workload::Ycsb(ycsb) => Some((ycsb.mix(), rng)),
            _ => None,
        };
        OperationChooser { keys: KeyChooser::new(&plan.workload, plan.conflict, plan.seed, client), mix }
    }

    /// Keys alone, of whoever chooses operations by itself.
    pub(crate) fn keys(&mut self) -> &mut KeyChooser {
        &mut self.keys
    }

    /// The next operation.
    pub(crate) fn next(&mut self) -> Operation {
        match &mut self.mix {
            None => Operation::Put(self.keys.next_key()),
            Some((mix, rng)) => mix.operation(&mut self.keys, rng),
        }
    }
}

/// Encodes operations: keys of 8 bytes, values of a fixed size.
#[derive(Debug)]
pub(crate) struct OperationEncoder {
    puts: PutEncoder,
    value: Bytes,
}

impl OperationEncoder {
    pub(crate) fn new(payload_bytes: usize, seed: u64) -> OperationEncoder {
        let puts = PutEncoder::new(payload_bytes, seed);
        OperationEncoder { value: puts.value(), puts }
    }

    /// The command of an operation; of a read-modify-write the read.
    pub(crate) fn encode(&mut self, operation: &Operation) -> Bytes {
        match operation {
            Operation::Put(key) => self.puts.put(*key),
            Operation::Get(key) | Operation::ReadModifyWrite(key) => encoded(&Op::Get(name(*key))),
            Operation::Scan(keys) => encoded(&Op::MultiGet(keys.clone().map(name).collect())),
            Operation::PutAll(keys) => {
                encoded(&Op::MultiPut(keys.clone().map(|key| (name(key), self.value.clone())).collect()))
            }
        }
    }
}

/// The key of this number.
pub(crate) fn name(key: u64) -> Bytes {
    Bytes::copy_from_slice(&key.to_be_bytes())
}

fn encoded(op: &Op) -> Bytes {
    postcard::to_stdvec(op).expect("encoding into memory").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_the_state_machine_decodes() {
        let mut encoder = OperationEncoder::new(10, 1);
        let decode = |bytes: Bytes| postcard::from_bytes::<Op>(&bytes).unwrap();
        let Op::Put(key, value) = decode(encoder.encode(&Operation::Put(7))) else { panic!("no put") };
        assert_eq!((key, value.len()), (name(7), 10));
        for read in [Operation::Get(9), Operation::ReadModifyWrite(9)] {
            assert_eq!(decode(encoder.encode(&read)), Op::Get(name(9)));
        }
        assert_eq!(decode(encoder.encode(&Operation::Scan(3..5))), Op::MultiGet(vec![name(3), name(4)]));
        let all = Op::MultiPut(vec![(name(1), value.clone()), (name(2), value)]);
        assert_eq!(decode(encoder.encode(&Operation::PutAll(1..3))), all);
    }
}
