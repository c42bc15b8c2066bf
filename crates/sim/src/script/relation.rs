//! The conflict relation of the key-value store, written down once more: from the
//! operations themselves, so that the observer does not share a mistake with footprints.

use bytes::Bytes;
use isegoria_kv::Op;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Add,
    Write,
}

fn touches(op: &Op) -> Vec<(&Bytes, Kind)> {
    match op {
        Op::Get(key) => vec![(key, Kind::Read)],
        Op::Add(key, _) => vec![(key, Kind::Add)],
        Op::Put(key, _)
        | Op::Delete(key)
        | Op::Incr(key, _)
        | Op::Append(key, _)
        | Op::CompareAndSet { key, .. } => vec![(key, Kind::Write)],
        Op::MultiGet(keys) => keys.iter().map(|key| (key, Kind::Read)).collect(),
        Op::MultiPut(pairs) => pairs.iter().map(|(key, _)| (key, Kind::Write)).collect(),
        Op::Pipeline(_) | Op::Transaction(_) => unreachable!("scripts have no commands of Redis"),
    }
}

/// Whether the order of two operations matters.
pub(super) fn conflict(one: &Op, other: &Op) -> bool {
    let others = touches(other);
    touches(one).iter().any(|(key, kind)| {
        others.iter().any(|(same, with)| key == same && (kind != with || *kind == Kind::Write))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_additions_commute_among_themselves() {
        let [a, b] = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let (get, add, put) = (Op::Get(a.clone()), Op::Add(a.clone(), 1), Op::Put(a.clone(), b.clone()));
        let both = Op::MultiPut(vec![(b.clone(), a.clone()), (a.clone(), b.clone())]);
        assert!(!conflict(&get, &get) && !conflict(&add, &add) && !conflict(&get, &Op::Get(b)));
        for (one, other) in [(&get, &add), (&get, &put), (&add, &put), (&put, &put), (&both, &get)] {
            assert!(conflict(one, other) && conflict(other, one), "{one:?} and {other:?}");
        }
    }
}
