use crate::Kv;
use crate::redis::Collection;
use bytes::Bytes;
use imbl::{OrdMap, OrdSet, Vector};
use isegoria_machine::{Frozen, Snapshot};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// What a snapshot begins with; the one before it began with the number of strings, and had no collections.
const FORMAT: u64 = 1 << 63 | 2;

/// The most bytes of values in one piece of a collection.
const PIECE_BYTES: usize = 64 * 1024;

/// A part of a collection.
#[derive(Serialize, Deserialize)]
enum Piece {
    Hash(Vec<(Bytes, Bytes)>),
    Set(Vec<Bytes>),
    List(Vec<Bytes>),
}

/// The format, the number of strings, 8 bytes each; each string with its key; each piece of a collection with
/// its key; nothing. All of these behind their length, 4 bytes.
impl Snapshot for Kv {
    fn freeze(&self) -> Frozen {
        let frozen = self.clone();
        Box::new(move |to| {
            to.write_all(&FORMAT.to_le_bytes())?;
            to.write_all(&(frozen.map.len() as u64).to_le_bytes())?;
            let mut entries = Entries { to, encoded: Vec::new() };
            frozen.map.iter().try_for_each(|pair| entries.write(&pair))?;
            for (key, collection) in &frozen.collections {
                pieces(collection, |piece| entries.write(&(key, piece)))?;
            }
            entries.to.write_all(&0u32.to_le_bytes())
        })
    }

    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let mut restored = Kv::with_limits(self.limits);
        let first = read_number(from)?;
        if first > FORMAT || (first >> 63 == 1 && first != FORMAT) {
            return Err(invalid(format!("a snapshot of format {}", first & !(1 << 63))));
        }
        let string_count = if first == FORMAT { read_number(from)? } else { first };
        let mut entry = Vec::new();
        for _ in 0..string_count {
            read_entry(from, &mut entry)?;
            let (key, value): (&[u8], &[u8]) = postcard::from_bytes(&entry).map_err(invalid)?;
            restored.map.insert(key, value);
        }
        while first == FORMAT && read_entry(from, &mut entry)? {
            let (key, piece): (Bytes, Piece) = postcard::from_bytes(&entry).map_err(invalid)?;
            restored
                .add(key, piece)
                .ok_or_else(|| invalid("a key that holds nothing, or two kinds of value"))?;
        }
        *self = restored;
        Ok(())
    }
}

impl Kv {
    /// Adds a piece to the collection that it is of; none if there is nothing in it, or the key holds
    /// something else.
    fn add(&mut self, key: Bytes, piece: Piece) -> Option<()> {
        let is_empty = match &piece {
            Piece::Hash(pairs) => pairs.is_empty(),
            Piece::Set(values) | Piece::List(values) => values.is_empty(),
        };
        if is_empty || self.map.get(&key).is_some() {
            return None;
        }
        let empty = match &piece {
            Piece::Hash(_) => Collection::Hash(OrdMap::new()),
            Piece::Set(_) => Collection::Set(OrdSet::new()),
            Piece::List(_) => Collection::List(Vector::new()),
        };
        match (self.collections.entry(key).or_insert(empty), piece) {
            (Collection::Hash(hash), Piece::Hash(pairs)) => hash.extend(pairs),
            (Collection::Set(set), Piece::Set(members)) => set.extend(members),
            (Collection::List(list), Piece::List(values)) => list.extend(values),
            _ => return None,
        }
        Some(())
    }
}

/// A collection piece by piece.
fn pieces(collection: &Collection, mut write: impl FnMut(Piece) -> io::Result<()>) -> io::Result<()> {
    match collection {
        Collection::Hash(hash) => {
            let pairs = hash.iter().map(|(field, value)| (field.clone(), value.clone()));
            runs(pairs, |(field, value)| field.len() + value.len(), |pairs| write(Piece::Hash(pairs)))
        }
        Collection::Set(set) => runs(set.iter().cloned(), Bytes::len, |members| write(Piece::Set(members))),
        Collection::List(list) => runs(list.iter().cloned(), Bytes::len, |values| write(Piece::List(values))),
    }
}

/// Hands over values in runs of about [`PIECE_BYTES`].
fn runs<T>(
    values: impl Iterator<Item = T>,
    size: impl Fn(&T) -> usize,
    mut hand_over: impl FnMut(Vec<T>) -> io::Result<()>,
) -> io::Result<()> {
    let (mut run, mut bytes) = (Vec::new(), 0);
    for value in values {
        bytes += size(&value) + size_of::<T>();
        run.push(value);
        if bytes >= PIECE_BYTES {
            hand_over(std::mem::take(&mut run))?;
            bytes = 0;
        }
    }
    if run.is_empty() { Ok(()) } else { hand_over(run) }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Entries behind their lengths.
struct Entries<'a> {
    to: &'a mut dyn Write,
    encoded: Vec<u8>,
}

impl Entries<'_> {
    fn write(&mut self, entry: &impl Serialize) -> io::Result<()> {
        self.encoded.clear();
        let encoded = std::mem::take(&mut self.encoded);
        self.encoded = postcard::to_extend(entry, encoded).map_err(io::Error::other)?;
        let length = u32::try_from(self.encoded.len()).map_err(io::Error::other)?;
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(&self.encoded)
    }
}

fn read_number(from: &mut dyn Read) -> io::Result<u64> {
    let mut number = [0; 8];
    from.read_exact(&mut number)?;
    Ok(u64::from_le_bytes(number))
}

/// Reads an entry; none if there is nothing in it.
fn read_entry(from: &mut dyn Read, entry: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let wanted = u64::from(u32::from_le_bytes(length));
    entry.clear();
    if from.take(wanted).read_to_end(entry)? as u64 != wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(wanted > 0)
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
        kv.apply(Op::Transaction(vec![
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
        kv.apply(Op::Transaction(vec![
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
    fn a_collection_of_many_pieces_comes_back() {
        let mut kv = Kv::default();
        let pairs =
            (0..5_000).map(|n: u32| (Bytes::from(n.to_string()), Bytes::from(vec![b'x'; 40]))).collect();
        kv.apply(Op::Transaction(vec![Command::HSet(bytes("h"), pairs)]));
        let before = saved(&kv);
        let mut restored = Kv::default();
        restored.restore(&mut &before[..]).unwrap();
        assert_eq!((&restored.collections, saved(&restored)), (&kv.collections, before));
    }

    #[test]
    fn nonsense_is_an_error() {
        let entry = |bytes: Vec<u8>| {
            let mut snapshot = [FORMAT.to_le_bytes(), 0u64.to_le_bytes()].concat();
            snapshot.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
            snapshot.extend(bytes);
            snapshot.extend(0u32.to_le_bytes());
            Kv::default().restore(&mut &snapshot[..])
        };
        // A hash that says that it has very many fields.
        assert!(entry([vec![0, 0], vec![255; 9], vec![1]].concat()).is_err());
        assert!(entry(vec![0, 9, 0]).is_err());
        assert!(entry(vec![0, 1, 0]).is_err(), "an empty set");
        assert!(entry(postcard::to_stdvec(&("k", Piece::Set(vec![bytes("m")]))).unwrap()).is_ok());
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
