use crate::redis::Collection;
use crate::{Kv, Map};
use bytes::Bytes;
use imbl::OrdMap;
use isegoria_machine::{Frozen, Snapshot};
use serde::Serialize;
use std::io::{self, Read, Write};

/// What a snapshot begins with; the one before it began with the number of strings, and had no collections.
const FORMAT: u64 = 1 << 63 | 2;

/// The format, the number of strings, each with its key, the number of collections, each with its key:
/// numbers of 8 bytes, and every pair behind its length, 4 bytes.
impl Snapshot for Kv {
    fn freeze(&self) -> Frozen {
        let frozen = self.clone();
        Box::new(move |to| {
            to.write_all(&FORMAT.to_le_bytes())?;
            write_pairs(to, frozen.map.len(), frozen.map.iter())?;
            write_pairs(to, frozen.collections.len(), frozen.collections.iter())
        })
    }

    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let (mut map, mut collections) = (Map::default(), OrdMap::new());
        let first = read_number(from)?;
        let string_count = if first == FORMAT { read_number(from)? } else { first };
        if string_count > FORMAT {
            return Err(invalid(format!("a snapshot of format {}", first & !(1 << 63))));
        }
        let mut pair = Vec::new();
        for _ in 0..string_count {
            read_pair(from, &mut pair)?;
            let (key, value): (&[u8], &[u8]) = postcard::from_bytes(&pair).map_err(invalid)?;
            map.insert(key, value);
        }
        let collection_count = if first == FORMAT { read_number(from)? } else { 0 };
        for _ in 0..collection_count {
            read_pair(from, &mut pair)?;
            let (key, collection): (Bytes, Collection) = postcard::from_bytes(&pair).map_err(invalid)?;
            collections.insert(key, collection);
        }
        *self = Kv { map, collections };
        Ok(())
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn write_pairs(
    to: &mut dyn Write,
    count: usize,
    pairs: impl Iterator<Item = impl Serialize>,
) -> io::Result<()> {
    to.write_all(&(count as u64).to_le_bytes())?;
    let mut encoded = Vec::new();
    for pair in pairs {
        encoded = postcard::to_extend(&pair, encoded).map_err(io::Error::other)?;
        to.write_all(&u32::try_from(encoded.len()).map_err(io::Error::other)?.to_le_bytes())?;
        to.write_all(&encoded)?;
        encoded.clear();
    }
    Ok(())
}

fn read_number(from: &mut dyn Read) -> io::Result<u64> {
    let mut number = [0; 8];
    from.read_exact(&mut number)?;
    Ok(u64::from_le_bytes(number))
}

fn read_pair(from: &mut dyn Read, pair: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let wanted = u64::from(u32::from_le_bytes(length));
    pair.clear();
    if from.take(wanted).read_to_end(pair)? as u64 != wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::{Command, End};
    use crate::{Op, Output};
    use isegoria_machine::StateMachine;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn saved(kv: &Kv) -> Vec<u8> {
        let mut saved = Vec::new();
        kv.freeze()(&mut saved).unwrap();
        saved
    }

    fn filled() -> Kv {
        let mut kv = Kv::default();
        kv.apply(Op::MultiPut(vec![(bytes("a"), bytes("1")), (bytes("b"), bytes("2"))]));
        kv.apply(Op::Redis(vec![
            Command::HSet(bytes("h"), vec![(bytes("f"), bytes("v")), (bytes("g"), bytes("w"))]),
            Command::SAdd(bytes("s"), vec![bytes("m")]),
            Command::Push(bytes("l"), End::Left, (0..100).map(|n| bytes(&n.to_string())).collect()),
        ]));
        kv
    }

    #[test]
    fn a_snapshot_is_the_state_at_its_moment() {
        let mut kv = filled();
        let (frozen, before) = (kv.freeze(), saved(&kv));
        kv.apply(Op::Put(bytes("a"), bytes("later")));
        kv.apply(Op::Redis(vec![
            Command::SAdd(bytes("s"), vec![bytes("later")]),
            Command::Del(vec![bytes("h")]),
        ]));
        let mut late = Vec::new();
        frozen(&mut late).unwrap();
        assert_eq!(late, before);
        let mut restored = Kv::default();
        restored.restore(&mut &before[..]).unwrap();
        assert_eq!(saved(&restored), before);
        assert_eq!(restored.collections, filled().collections);
        for cut in 0..before.len() {
            assert!(Kv::default().restore(&mut &before[..cut]).is_err());
        }
    }

    #[test]
    fn a_snapshot_from_before_collections_is_read() {
        let mut old = 1u64.to_le_bytes().to_vec();
        old.extend(4u32.to_le_bytes());
        old.extend(postcard::to_stdvec(&(&b"k"[..], &b"v"[..])).unwrap());
        let mut kv = Kv::default();
        kv.restore(&mut &old[..]).unwrap();
        assert_eq!(kv.apply(Op::Get(bytes("k"))), Output::Value(Some(bytes("v"))));
        let future = (FORMAT + 1).to_le_bytes();
        assert!(kv.restore(&mut &future[..]).unwrap_err().to_string().contains("format 3"));
    }
}
