use crate::StoreError;
use crate::directory::{Directory, create_file, publish};
use isegoria_log::{FORMAT_VERSION, Position};
use isegoria_types::{Incarnation, NODE_COUNT_MAX, NodeId};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "incarnations";
const MAGIC: [u8; 8] = *b"isegoinc";
/// Magic, version, whether it joined, the number of incarnations.
const HEADER_BYTES: usize = 8 + 4 + 1 + 4;
/// A node and its incarnation.
const ENTRY_BYTES: usize = 4 * 8;

/// Which start of this node this is, and as what its peers were met: written before a
/// peer is let in, so that a peer that loses its disk later is told from itself.
///
/// The file is `magic | version u32 | joined u8 | count u32 | entries | crc32 u32`, its first
/// entry the node itself; it is replaced as a whole.
#[derive(Debug)]
pub struct Incarnations {
    /// `None` where nothing is kept.
    file: Option<PathBuf>,
    own: (NodeId, Incarnation),
    has_joined: bool,
    peers: BTreeMap<NodeId, Incarnation>,
    /// Up to where each start of a peer has said that its log is durable. Not kept: it guards
    /// against an image of the very start that was met last, which the file cannot tell.
    durable: BTreeMap<NodeId, (Incarnation, Position)>,
}

impl Incarnations {
    /// Counts one start more of node `own` in a data directory that this process has locked,
    /// durably. `dice` gives random numbers.
    ///
    /// # Errors
    /// If the file is damaged or cannot be read or written.
    pub fn open(dir: &Path, own: NodeId, mut dice: impl FnMut() -> u64) -> Result<Incarnations, StoreError> {
        let file = dir.join(FILE);
        let mut all = match fs::read(&file) {
            Ok(bytes) => {
                let damaged = || StoreError::damaged_whole(&file, "it is no list of incarnations");
                Incarnations::decode(&bytes).ok_or_else(damaged)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Incarnations::fresh(own, dice()),
            Err(error) => return Err(StoreError::io("reading", &file)(error)),
        };
        all.own.1.start += 1;
        all.own.1.nonce = dice();
        all.file = Some(file);
        all.write()?;
        Ok(all)
    }

    /// Those of a node that keeps nothing.
    pub fn in_memory(own: NodeId, mut dice: impl FnMut() -> u64) -> Incarnations {
        let mut all = Incarnations::fresh(own, dice());
        all.own.1 = Incarnation { start: 1, nonce: dice(), ..all.own.1 };
        all
    }

    fn fresh(own: NodeId, directory: u64) -> Incarnations {
        let incarnation = Incarnation { directory, start: 0, nonce: 0 };
        Incarnations {
            file: None,
            own: (own, incarnation),
            has_joined: false,
            peers: BTreeMap::new(),
            durable: BTreeMap::new(),
        }
    }

    /// This process.
    #[must_use]
    pub fn own(&self) -> Incarnation {
        self.own.1
    }

    /// Whether this directory once met all peers: until then it may be that of a node which
    /// lost its disk, and has promised what it does not know.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.has_joined
    }

    /// All peers were met, and none knew another directory of this node.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn join(&mut self) -> Result<(), StoreError> {
        self.has_joined = true;
        self.write()
    }

    /// A peer calls, or answers. What it was met as before, if it cannot have become this
    /// without losing something; else it is remembered, durably.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn meet(&mut self, peer: NodeId, now: Incarnation) -> Result<Option<Incarnation>, StoreError> {
        match self.peers.get(&peer) {
            Some(met) if !met.may_become(now) => Ok(Some(*met)),
            Some(met) if *met == now => Ok(None),
            _ => {
                self.peers.insert(peer, now);
                self.write().map(|()| None)
            }
        }
    }

    /// A peer says that its log is durable up to a position.
    pub fn hear_durable(&mut self, peer: NodeId, position: Position) {
        let Some(met) = self.peers.get(&peer) else { return };
        let heard = self.durable.entry(peer).or_insert((*met, position));
        *heard = (*met, heard.1.max(position));
    }

    /// What a peer has lost that calls as `now`, with a log that ended at `log_end` when it
    /// started: the position up to which it had said that its log was durable.
    #[must_use]
    pub fn has_lost(&self, peer: NodeId, now: Incarnation, log_end: Position) -> Option<Position> {
        let (when, said) = self.durable.get(&peer)?;
        (*when != now && log_end < *said).then_some(*said)
    }

    fn write(&self) -> Result<(), StoreError> {
        let Some(file) = &self.file else { return Ok(()) };
        let unfinished = Directory::unfinished(file);
        let written = create_file(&unfinished).and_then(|mut to| {
            to.write_all(&self.encode())?;
            to.sync_all()
        });
        written.and_then(|()| publish(&unfinished, file)).map_err(StoreError::io("writing", file))
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.push(u8::from(self.has_joined));
        bytes.extend(u32::try_from(1 + self.peers.len()).expect("few nodes").to_le_bytes());
        let peers = self.peers.iter().map(|(node, incarnation)| (*node, *incarnation));
        for (node, Incarnation { directory, start, nonce }) in std::iter::once(self.own).chain(peers) {
            for number in [node.index() as u64, directory, start, nonce] {
                bytes.extend(number.to_le_bytes());
            }
        }
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Incarnations> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        let sound = crc32fast::hash(body) == u32::from_le_bytes(*crc) && body.starts_with(&MAGIC);
        let (header, entries) = body.split_at_checked(HEADER_BYTES)?;
        if !sound || header[8..12] != FORMAT_VERSION.to_le_bytes() || entries.len() % ENTRY_BYTES != 0 {
            return None;
        }
        let mut all = entries.chunks_exact(ENTRY_BYTES).map(|entry| {
            let number =
                |at: usize| u64::from_le_bytes(entry[8 * at..8 * at + 8].try_into().expect("eight bytes"));
            let index = usize::try_from(number(0)).ok().filter(|index| *index < NODE_COUNT_MAX)?;
            let node = NodeId::new(index);
            Some((node, Incarnation { directory: number(1), start: number(2), nonce: number(3) }))
        });
        let own = all.next()??;
        let peers = all.collect::<Option<BTreeMap<NodeId, Incarnation>>>()?;
        Some(Incarnations { file: None, own, has_joined: header[12] == 1, peers, durable: BTreeMap::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Incarnations {
        let mut next = u64::from(std::process::id());
        Incarnations::open(dir, NodeId::new(2), || {
            next += 1;
            next
        })
        .unwrap()
    }

    #[test]
    fn starts_are_counted_and_peers_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = open(dir.path());
        let peer = Incarnation { directory: 7, start: 3, nonce: 1 };
        assert_eq!(first.meet(NodeId::new(0), peer).unwrap(), None);
        assert!(!first.has_joined());
        first.join().unwrap();
        let mut second = open(dir.path());
        assert!(second.has_joined() && first.own().may_become(second.own()));
        assert_eq!((first.own().start, second.own().start), (1, 2));
        let emptied = Incarnation { directory: 8, start: 1, nonce: 5 };
        assert_eq!(second.meet(NodeId::new(0), emptied).unwrap(), Some(peer));
        let later = Incarnation { start: 4, ..peer };
        assert_eq!(second.meet(NodeId::new(0), later).unwrap(), None);
        assert_eq!(second.meet(NodeId::new(0), peer).unwrap(), Some(later));
    }

    #[test]
    fn a_log_that_became_shorter_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (mut all, peer) = (open(dir.path()), NodeId::new(0));
        let met = Incarnation { directory: 7, start: 3, nonce: 1 };
        all.hear_durable(peer, 900);
        assert_eq!(all.has_lost(peer, met, 0), None, "nobody it has met");
        all.meet(peer, met).unwrap();
        all.hear_durable(peer, 500);
        all.hear_durable(peer, 400);
        assert_eq!(all.has_lost(peer, met, 100), None, "the same process calls again");
        let later = Incarnation { start: 4, nonce: 2, ..met };
        assert_eq!(all.has_lost(peer, later, 499), Some(500));
        assert_eq!(all.has_lost(peer, later, 500), None);
        all.meet(peer, later).unwrap();
        assert_eq!(all.has_lost(peer, later, 499), Some(500), "before it has said anything itself");
    }

    #[test]
    fn every_flipped_bit_and_truncation_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).join().unwrap();
        let bytes = fs::read(dir.path().join(FILE)).unwrap();
        assert!(Incarnations::decode(&bytes).is_some());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Incarnations::decode(&flipped).is_none(), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|cut| Incarnations::decode(&bytes[..cut]).is_none()));
    }
}
