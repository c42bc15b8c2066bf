use isegoria_log::{
    Appender, CheckpointError, CheckpointReader, Damage, Identity, Piece, Position, Repair, SEAL_BYTES,
    Segment, SegmentHeader, WriteBatch,
};
use isegoria_types::KeyHash;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

/// The smallest unit that a disk writes whole, bytes.
const SECTOR_BYTES: usize = 512;

/// One node's disk under the log's own code: segments as bytes, one write under way, and
/// the newest checkpoint. A crash keeps what was synced, and of the write under way any
/// sectors, the last of them torn.
///
/// It also remembers what was appended, to hold against what a restart recovers.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    appender: Appender,
    writing: WriteBatch,
    segments: BTreeMap<Position, Vec<u8>>,
    durable: Position,
    /// What would be written if nothing else comes.
    idle_seal: Option<(SegmentHeader, u64, [u8; SEAL_BYTES])>,
    checkpoint: Option<(Position, Vec<u8>)>,
    identity: Identity,
    /// End and hash of each record behind the checkpoint.
    appended: VecDeque<(Position, KeyHash)>,
}

/// What a restart finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) checkpoint: Option<Vec<u8>>,
    /// The records behind it, oldest first.
    pub(crate) records: Vec<Vec<u8>>,
    /// The log's end.
    pub(crate) end: Position,
    /// Whether a torn last write was cut off.
    pub(crate) torn: bool,
}

impl Disk {
    /// An empty disk of the node with this index.
    pub(crate) fn new(node: usize, segment_bytes: u64) -> Disk {
        let identity = Identity { epoch: 0, cluster: 1, node: node as u64 };
        let first = SegmentHeader { identity, first: 0, segment_bytes };
        let mut disk = Disk {
            appender: Appender::new(first, first.first_frame()),
            writing: WriteBatch::default(),
            segments: BTreeMap::new(),
            durable: first.first_frame(),
            idle_seal: None,
            checkpoint: None,
            identity,
            appended: VecDeque::new(),
        };
        disk.create(first);
        disk
    }

    /// Appends an encoded record; the log's end behind it.
    pub(crate) fn append(&mut self, record: &[u8]) -> Position {
        let end = self.appender.append(|to| to.extend_from_slice(record)).expect("records fit into segments");
        self.appended.push_back((end, KeyHash::of(record)));
        end
    }

    pub(crate) fn end(&self) -> Position {
        self.appender.end()
    }

    pub(crate) fn durable(&self) -> Position {
        self.durable
    }

    pub(crate) fn is_writing(&self) -> bool {
        !self.writing.is_empty()
    }

    /// Begins to write what was appended; whether there is anything.
    pub(crate) fn begin_write(&mut self) -> bool {
        self.appender.take_into(&mut self.writing);
        self.is_writing()
    }

    /// The write under way is synced.
    pub(crate) fn finish_write(&mut self) {
        let writing = std::mem::take(&mut self.writing);
        for piece in writing.pieces() {
            self.write(&piece, piece.bytes.len());
        }
        self.durable = writing.end();
        self.idle_seal = writing.idle_seal();
    }

    /// Nothing came for a while: a seal says that all up to here is durable.
    pub(crate) fn seal(&mut self) {
        if let Some((header, offset, seal)) = self.idle_seal.take() {
            self.write(&Piece { header, offset, bytes: &seal }, seal.len());
        }
    }

    fn write(&mut self, piece: &Piece<'_>, size: usize) {
        self.create(piece.header);
        let offset = usize::try_from(piece.offset).expect("a segment in memory");
        let segment = self.segments.get_mut(&piece.header.first).expect("just created");
        segment[offset..offset + size].copy_from_slice(&piece.bytes[..size]);
    }

    /// A new segment is there, zero-filled, before the one in front of it ends.
    fn create(&mut self, header: SegmentHeader) {
        self.segments.entry(header.first).or_insert_with(|| {
            let mut bytes = header.encode().to_vec();
            bytes.resize(usize::try_from(header.segment_bytes).expect("a segment in memory"), 0);
            bytes
        });
    }

    /// Power is cut.
    pub(crate) fn crash(&mut self, rng: &mut ChaCha8Rng) {
        let writing = std::mem::take(&mut self.writing);
        let pieces: Vec<Piece<'_>> = writing.pieces().collect();
        let Some(reached) = pieces.len().checked_sub(1).map(|last| rng.random_range(0..=last)) else {
            return;
        };
        for (number, piece) in pieces.iter().enumerate().take(reached + 1) {
            if let Some(next) = pieces.get(number + 1) {
                self.create(next.header);
            }
            if number < reached {
                self.write(piece, piece.bytes.len());
            } else {
                self.tear(piece, rng);
            }
        }
    }

    /// Some sectors of a write reach the disk, in any order, one of them torn.
    fn tear(&mut self, piece: &Piece<'_>, rng: &mut ChaCha8Rng) {
        let before = self.segments.get(&piece.header.first).cloned();
        let kept = match rng.random_range(0..4) {
            0 => return,
            1 => piece.bytes.len(),
            _ => rng.random_range(0..=piece.bytes.len()),
        };
        self.write(piece, kept);
        if let Some(before) = before
            && rng.random_bool(0.3)
        {
            // A sector in the middle did not make it.
            let offset = usize::try_from(piece.offset).expect("a segment in memory");
            let lost = offset / SECTOR_BYTES + rng.random_range(0..=kept / SECTOR_BYTES);
            let range = lost * SECTOR_BYTES..((lost + 1) * SECTOR_BYTES).min(before.len());
            let segment = self.segments.get_mut(&piece.header.first).expect("it was there before");
            segment[range.clone()].copy_from_slice(&before[range]);
        }
    }

    /// Flips a bit somewhere in the durable log; where. `None`: the log is empty.
    pub(crate) fn flip(&mut self, rng: &mut ChaCha8Rng) -> Option<(Position, usize, u8)> {
        let from = self.segments.keys().next().copied()?;
        if self.durable <= from + 1 {
            return None;
        }
        let at = rng.random_range(from..self.durable);
        let (first, bytes) = self.segments.range_mut(..=at).next_back()?;
        let offset = usize::try_from(at - first).expect("a segment in memory");
        let bit = 1 << rng.random_range(0..8);
        *bytes.get_mut(offset)? ^= bit;
        Some((*first, offset, bit))
    }

    /// Reads the disk as a starting process does, and cuts off a torn tail.
    ///
    /// # Errors
    /// If the log is damaged where it was durable.
    pub(crate) fn recover(&mut self) -> Result<Recovered, Damage> {
        let from = self.checkpoint.as_ref().map_or(0, |(position, _)| *position);
        let mut repair = Repair::new(self.identity, from);
        for (first, bytes) in &self.segments {
            repair.segment(*first, bytes)?;
        }
        let tail = repair.finish()?.expect("the first segment is always there");
        self.segments.retain(|first, _| *first <= tail.header.first);
        let last = self.segments.get_mut(&tail.header.first).expect("the tail's segment");
        last[usize::try_from(tail.end - tail.header.first).expect("a segment in memory")..].fill(0);
        let mut records = Vec::new();
        for bytes in self.segments.values() {
            let segment = Segment::new(bytes).expect("repaired");
            records.extend(
                segment.records().filter(|record| record.position >= from).map(|r| r.payload.to_vec()),
            );
        }
        self.appender = Appender::new(tail.header, tail.end);
        self.writing = WriteBatch::default();
        self.durable = tail.end;
        self.idle_seal = self.appender.idle_seal();
        let checkpoint = self.checkpoint.as_ref().map(|(_, bytes)| bytes.clone());
        Ok(Recovered { checkpoint, records, end: tail.end, torn: tail.torn })
    }

    /// What is wrong with what was recovered, held against what was appended and, up to
    /// `durable`, synced. Afterwards only what was recovered counts as appended.
    pub(crate) fn judge(&mut self, recovered: &Recovered, durable: Position) -> Option<String> {
        let synced = self.appended.iter().filter(|(end, _)| *end <= durable).count();
        if recovered.records.len() < synced {
            return Some(format!(
                "{synced} records were synced and {} are recovered",
                recovered.records.len()
            ));
        }
        if recovered.records.len() > self.appended.len() {
            return Some(format!("{} records were recovered that nobody appended", recovered.records.len()));
        }
        self.appended.truncate(recovered.records.len());
        let found = recovered.records.iter().map(|record| KeyHash::of(record));
        let differs = found.zip(&self.appended).position(|(found, (_, appended))| found != *appended);
        differs.map(|number| format!("record {number} behind the checkpoint is not what was appended"))
    }

    /// A checkpoint taken at `position` is complete and durable: what it replaces may go.
    ///
    /// # Errors
    /// If it does not read back.
    pub(crate) fn install(&mut self, position: Position, bytes: Vec<u8>) -> Result<(), CheckpointError> {
        CheckpointReader::new(&bytes[..], self.identity)?.verify()?;
        self.checkpoint = Some((position, bytes));
        self.appended.retain(|(end, _)| *end > position);
        while self.segments.keys().nth(1).is_some_and(|second| *second <= position) {
            self.segments.pop_first();
        }
        Ok(())
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn what_was_synced_survives_every_crash_and_nothing_else_is_made_up() {
        for seed in 0..2_000 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut disk = Disk::new(0, 1024);
            for _ in 0..rng.random_range(1..6) {
                for _ in 0..rng.random_range(0..20) {
                    let record = vec![rng.random::<u8>() | 1; rng.random_range(1..60)];
                    disk.append(&record);
                    if rng.random_bool(0.2) && disk.begin_write() {
                        disk.finish_write();
                        if rng.random() {
                            disk.seal();
                        }
                    }
                }
                disk.begin_write();
                let durable = disk.durable();
                disk.crash(&mut rng);
                let recovered = disk.recover().unwrap_or_else(|damage| panic!("seed {seed}: {damage:?}"));
                assert_eq!(disk.judge(&recovered, durable), None, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_or_harmless() {
        let mut noticed = 0;
        for seed in 0..2_000 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut disk = Disk::new(0, 1024);
            for number in 0..40_u8 {
                disk.append(&[number; 30]);
                if number % 5 == 4 {
                    disk.begin_write();
                    disk.finish_write();
                }
            }
            disk.seal();
            let durable = disk.durable();
            let flipped = disk.flip(&mut rng).expect("a log");
            match disk.recover() {
                Err(_) => noticed += 1,
                Ok(recovered) => {
                    assert_eq!(disk.judge(&recovered, durable), None, "seed {seed} {flipped:?}");
                }
            }
        }
        assert!(noticed > 1_000, "{noticed}");
    }

    #[test]
    fn records_that_are_missing_or_changed_are_found() {
        let mut disk = Disk::new(0, 1024);
        disk.append(b"one");
        disk.append(b"two");
        disk.begin_write();
        disk.finish_write();
        let durable = disk.durable();
        let recovered = disk.recover().unwrap();
        let missing = Recovered { records: recovered.records[..1].to_vec(), ..recovered.clone() };
        assert!(disk.clone().judge(&missing, durable).is_some());
        let changed = Recovered { records: vec![b"one".to_vec(), b"2".to_vec()], ..recovered.clone() };
        assert!(disk.clone().judge(&changed, durable).is_some());
        let phantom = Recovered { records: vec![vec![1]; 3], ..recovered };
        assert!(disk.judge(&phantom, durable).is_some());
    }
}
