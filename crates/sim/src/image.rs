use crate::disk::index;
use crate::file::SimFile;
use isegoria_check::Applied;
use isegoria_log::{Identity, Position, Repair, Segment, SegmentHeader};
use isegoria_types::KeyHash;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

/// The files of one node, and what was written to them, to hold against what is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) segments: BTreeMap<Position, SimFile>,
    pub(crate) checkpoints: BTreeMap<Position, Saved>,
    /// Starts of this node.
    pub(crate) start_count: u64,
    /// End and hash of each record that the segments may hold.
    pub(crate) appended: VecDeque<(Position, KeyHash)>,
    /// Removed, but not durably so: a power cut may bring them back.
    removed_segments: BTreeMap<Position, SimFile>,
    removed_checkpoints: BTreeMap<Position, Saved>,
}

/// A checkpoint, with the checks' view of the replica in it.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) bytes: Vec<u8>,
    pub(crate) applied: Applied,
}

/// Files that are damaged: what they ought to be, and what happened.
#[derive(Clone, Debug)]
pub(crate) struct Damaged {
    pub(crate) undamaged: Image,
    pub(crate) rot: Rot,
}

/// What goes wrong in files that nobody has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rot {
    /// A bit flips.
    Flip,
    /// A write that was synced is not there.
    Lost,
    /// A write stands in another place, and may be missing where it should be.
    Misdirected,
}

impl Image {
    /// A segment that is there.
    pub(crate) fn segment(&mut self, first: Position) -> &mut SimFile {
        self.segments.get_mut(&first).expect("a segment that is there")
    }

    /// A new segment is there, zero-filled.
    pub(crate) fn create(&mut self, header: SegmentHeader) {
        let mut bytes = header.encode().to_vec();
        bytes.resize(index(header.segment_bytes), 0);
        self.removed_segments.remove(&header.first);
        self.segments.insert(header.first, SimFile::new(bytes));
    }

    /// A segment is replaced by one that holds zeros from an offset on.
    pub(crate) fn cut(&mut self, first: Position, offset: usize) {
        let file = self.segment(first);
        let mut bytes = file.bytes().to_vec();
        bytes[offset..].fill(0);
        *file = SimFile::new(bytes);
    }

    /// A checkpoint gets its name, durably.
    pub(crate) fn publish(&mut self, position: Position, saved: Saved) {
        self.removed_checkpoints.clear();
        self.checkpoints.insert(position, saved);
    }

    pub(crate) fn remove_checkpoint(&mut self, position: Position) {
        self.removed_checkpoints.extend(self.checkpoints.remove_entry(&position));
    }

    pub(crate) fn remove_segment(&mut self, first: Position) {
        self.removed_segments.extend(self.segments.remove_entry(&first));
    }

    /// What was removed from the log stays so.
    pub(crate) fn sync_names(&mut self) {
        self.removed_segments.clear();
    }

    /// Power is cut: of what was not synced, files and names, any part is there.
    pub(crate) fn cut_power(&mut self, rng: &mut ChaCha8Rng) {
        for (first, file) in std::mem::take(&mut self.removed_segments) {
            if rng.random() {
                self.segments.insert(first, file);
            }
        }
        for (position, saved) in std::mem::take(&mut self.removed_checkpoints) {
            if rng.random() {
                self.checkpoints.insert(position, saved);
            }
        }
        self.segments.values_mut().for_each(|file| file.cut_power(rng));
    }

    /// Damages what a seal or a checkpoint vouches for, and leaves the seal alone, so that
    /// it must be noticed; or puts something behind the end, where it must not count. Where
    /// and what; `None` if there is nothing to damage.
    pub(crate) fn rot(&mut self, own: Identity, rot: Rot, rng: &mut ChaCha8Rng) -> Option<String> {
        let checkpoint = self.checkpoints.last_entry().filter(|_| rot == Rot::Flip && rng.random_bool(0.3));
        if let Some(mut checkpoint) = checkpoint {
            let bytes = &mut checkpoint.get_mut().bytes;
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
            return Some(format!("a bit of the checkpoint flips at {at}"));
        }
        let (from, vouched, end) = self.vouched(own)?;
        if vouched <= from {
            return None;
        }
        let at = rng.random_range(from..vouched);
        match rot {
            Rot::Flip => {
                let bit = 1 << rng.random_range(0..8);
                let (first, offset) = self.place(at);
                let byte = self.segment(first).bytes()[offset] ^ bit;
                self.segment(first).damage(offset, &[byte]);
                Some(format!("a bit flips at {at}"))
            }
            Rot::Lost => {
                let size = self.overwrite(at, vouched, &vec![0; rng.random_range(1..4096)]);
                Some(format!("{size} bytes written at {at} are lost"))
            }
            Rot::Misdirected => {
                let frames = self.frames(from, vouched);
                let (position, bytes) = frames.get(rng.random_range(0..frames.len().max(1)))?.clone();
                let to = match rng.random_range(0..3) {
                    // Exactly where the next frame would be read.
                    0 => end,
                    1 => frames[rng.random_range(0..frames.len())].0,
                    _ => at,
                };
                let until = if to == end { Position::MAX } else { vouched };
                let size = self.overwrite(to, until, &bytes);
                if to != position && rng.random() {
                    self.overwrite(position, vouched, &vec![0; bytes.len()]);
                }
                Some(format!("{size} bytes for {position} are written at {to}"))
            }
        }
    }

    /// From where the log is read, how far it is vouched for, and its end; `None` if it does
    /// not read.
    fn vouched(&self, own: Identity) -> Option<(Position, Position, Position)> {
        let from = self.checkpoints.keys().next_back().copied().unwrap_or(0);
        let mut repair = Repair::new(own, from);
        let behind = self.segments.range(..=from).next_back().map_or(0, |(first, _)| *first);
        for (first, file) in self.segments.range(behind..) {
            repair.segment(*first, file.bytes()).ok()?;
        }
        let tail = repair.finish().ok()??;
        Some((from, tail.durable, tail.end))
    }

    /// The segment in which a position is, and the offset there.
    fn place(&self, at: Position) -> (Position, usize) {
        let first = *self.segments.range(..=at).next_back().expect("a position of the log").0;
        (first, index(at - first))
    }

    /// The records from here to there, as frames.
    fn frames(&self, from: Position, until: Position) -> Vec<(Position, Vec<u8>)> {
        let mut frames = Vec::new();
        for (first, file) in &self.segments {
            let Ok(segment) = Segment::new(file.bytes()) else { continue };
            for record in segment.records().filter(|record| record.position >= from && record.end <= until) {
                let range = index(record.position - first)..index(record.end - first);
                frames.push((record.position, file.bytes()[range].to_vec()));
            }
        }
        frames
    }

    /// Writes behind everybody's back, not over `until` or the end of the segment; how much.
    fn overwrite(&mut self, at: Position, until: Position, bytes: &[u8]) -> usize {
        let (first, offset) = self.place(at);
        let file = self.segment(first);
        let room = (file.bytes().len() - offset).min(usize::try_from(until - at).unwrap_or(usize::MAX));
        let size = bytes.len().min(room);
        file.damage(offset, &bytes[..size]);
        size
    }
}
