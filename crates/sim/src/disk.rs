use crate::calls::{Call, Calls, Part, Stop};
use crate::image::{Image, Saved};
use isegoria_check::Applied;
use isegoria_log::{
    Appender, CheckpointReader, Damage, Identity, Piece, Position, RemoveCalls, Repair, RepairCalls,
    SEAL_BYTES, Segment, SegmentHeader, Tail, WriteBatch, WriteCalls, remove_replaced, settle, write_batch,
};
use isegoria_types::KeyHash;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// One node's disk under the log's own code: the files, and the log of the process that
/// runs, with one write under way.
///
/// Every call to the storage goes through [`Calls`], which may end the process before,
/// within or behind it, or let it fail.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) image: Image,
    pub(crate) calls: Calls,
    first: SegmentHeader,
    rng: ChaCha8Rng,
    // ---- of the process -------------------------------------------------------------------------
    appender: Appender,
    writing: WriteBatch,
    durable: Position,
    /// The segment that was written to last.
    open: SegmentHeader,
    /// What would be written if nothing else comes.
    idle_seal: Option<(SegmentHeader, u64, [u8; SEAL_BYTES])>,
    is_space_short: bool,
}

/// What a restart finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) checkpoint: Option<Vec<u8>>,
    /// The checks' view of the checkpoint.
    pub(crate) applied: Applied,
    /// The log behind it, from here on.
    from: Position,
    /// The records there, oldest first.
    pub(crate) records: Vec<Vec<u8>>,
    /// The log's end.
    pub(crate) end: Position,
    /// Whether a torn last write was cut off.
    pub(crate) torn: bool,
}

/// Why a process does not start.
#[derive(Clone, Debug)]
pub(crate) enum Unstarted {
    /// A call to the storage did not do what it was to do: it may be tried again.
    Stopped(Stop),
    /// Something that was durable does not read any more: what.
    Damaged(String),
}

impl From<Stop> for Unstarted {
    fn from(stop: Stop) -> Unstarted {
        Unstarted::Stopped(stop)
    }
}

impl From<Damage> for Unstarted {
    fn from(damage: Damage) -> Unstarted {
        Unstarted::Damaged(damage.to_string())
    }
}

impl Disk {
    /// An empty disk of the node with this index; `dice` decides what a power cut leaves.
    pub(crate) fn new(node: usize, segment_bytes: u64, dice: u64) -> Disk {
        let identity = Identity { epoch: 0, cluster: 1, node: node as u64 };
        let first = SegmentHeader { identity, first: 0, segment_bytes };
        Disk {
            image: Image::default(),
            calls: Calls::default(),
            first,
            rng: ChaCha8Rng::seed_from_u64(dice),
            appender: Appender::new(first, first.first_frame()),
            writing: WriteBatch::default(),
            durable: first.first_frame(),
            open: first,
            idle_seal: None,
            is_space_short: false,
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        self.first.identity
    }

    /// Appends an encoded record; the log's end behind it.
    pub(crate) fn append(&mut self, record: &[u8]) -> Position {
        let end = self.appender.append(|to| to.extend_from_slice(record)).expect("records fit into segments");
        self.image.appended.push_back((end, KeyHash::of(record)));
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

    /// There is no room for the next segment: the log has the rest of this one, and waits.
    pub(crate) fn is_space_short(&self) -> bool {
        self.is_space_short
    }

    /// Begins to write what was appended; whether there is anything.
    pub(crate) fn begin_write(&mut self) -> bool {
        self.appender.take_into(&mut self.writing);
        self.is_writing()
    }

    /// The write under way is carried out; what waits for space waits on, and the next
    /// segment is made ahead of time.
    ///
    /// # Errors
    /// If a call fails, or the process dies: nothing of the batch counts.
    pub(crate) fn finish_write(&mut self) -> Result<(), Stop> {
        if self.is_writing() {
            let writing = std::mem::take(&mut self.writing);
            match write_batch(&writing, self) {
                Err(Stop::NoSpace(Call::CreateSegment | Call::PublishSegment)) => {
                    (self.writing, self.is_space_short) = (writing, true);
                    return Ok(());
                }
                done => done?,
            }
            self.durable = writing.end();
            self.idle_seal = writing.idle_seal();
        }
        self.is_space_short = false;
        // Making it takes a while: often it is not there before it is needed.
        let is_due = (self.durable - self.open.first) * 2 > self.open.segment_bytes;
        if is_due && self.rng.random_bool(0.2) {
            match self.create(self.open.next()) {
                Err(Stop::NoSpace(_)) => self.is_space_short = true,
                done => done?,
            }
        }
        Ok(())
    }

    /// Nothing came for a while: a seal says that all up to here is durable.
    ///
    /// # Errors
    /// If the call fails, or the process dies.
    pub(crate) fn seal(&mut self) -> Result<(), Stop> {
        match self.idle_seal.take() {
            Some((header, offset, seal)) => {
                self.put(Call::Seal, &Piece { header, offset, bytes: &seal }).map(drop)
            }
            None => Ok(()),
        }
    }

    /// Calls, and does as much of it as is done.
    fn call(&mut self, call: Call, act: impl FnOnce(&mut Image, Part, &mut ChaCha8Rng)) -> Result<(), Stop> {
        let (part, done) = self.calls.next(call);
        act(&mut self.image, part, &mut self.rng);
        done
    }

    fn put(&mut self, call: Call, piece: &Piece<'_>) -> Result<(), Stop> {
        let (first, offset) = (piece.header.first, index(piece.offset));
        self.call(call, |image, part, rng| {
            let size = match part {
                Part::All => piece.bytes.len(),
                Part::Half | Part::Failing => rng.random_range(0..=piece.bytes.len()),
                Part::None => 0,
            };
            image.segment(first).write(offset, &piece.bytes[..size]);
        })
    }

    fn sync_segment(&mut self, first: Position) -> Result<(), Stop> {
        let lies = self.calls.lying_syncs > 0;
        self.calls.lying_syncs = self.calls.lying_syncs.saturating_sub(1);
        self.call(Call::Sync, |image, part, rng| match part {
            Part::All if lies => image.segment(first).lie(),
            Part::All => image.segment(first).sync(),
            Part::Failing => image.segment(first).fail_sync(rng),
            Part::Half | Part::None => {}
        })
    }

    /// Gives, changes or takes a name, or does not: there is nothing between.
    fn rename(&mut self, call: Call, rename: impl FnOnce(&mut Image)) -> Result<(), Stop> {
        self.call(call, |image, part, rng| {
            if part == Part::All || (part == Part::Half && rng.random()) {
                rename(image);
            }
        })
    }

    /// The process ends, in the middle of a write or not. Without a power cut the machine
    /// still knows all that was written.
    pub(crate) fn crash(&mut self, power_cut: bool) {
        let calls = self.calls.clone();
        if self.rng.random_bool(0.75) {
            let reached = self.rng.random_range(1..=2 * self.writing.pieces().count().max(1) as u64);
            self.calls.interruption = Some((calls.count + reached, crate::Interruption::DiesWithin));
            let writing = std::mem::take(&mut self.writing);
            let _ = write_batch(&writing, self);
        }
        self.calls = calls;
        self.writing = WriteBatch::default();
        self.idle_seal = None;
        self.is_space_short = false;
        if power_cut {
            self.image.cut_power(&mut self.rng);
        }
    }

    /// Reads the disk as a starting process does, and cuts off a torn tail.
    ///
    /// # Errors
    /// If the log is damaged where it was durable, or a call fails.
    pub(crate) fn recover(&mut self) -> Result<Recovered, Unstarted> {
        let saved = self.newest_checkpoint()?;
        let from = saved.as_ref().map_or(0, |(position, _)| *position);
        let segments = self.segments_from(from)?;
        let mut repair = Repair::new(self.identity(), from);
        for first in &segments {
            self.call(Call::Read, |_, _, _| {})?;
            repair.segment(*first, self.image.segment(*first).bytes())?;
        }
        let tail = repair.finish()?;
        let (open, end) = match &tail {
            None => {
                self.create(self.first)?;
                (self.first, self.first.first_frame())
            }
            Some(tail) => {
                settle(tail, &segments, self)?;
                (tail.header, tail.end)
            }
        };
        let records = self.records(from);
        self.call(Call::WriteIncarnation, |_, _, _| {})?;
        self.rename(Call::PublishIncarnation, |image| image.start_count += 1)?;
        (self.open, self.durable) = (open, end);
        self.appender = Appender::new(open, end);
        self.writing = WriteBatch::default();
        self.idle_seal = self.appender.idle_seal();
        let (checkpoint, applied) = match saved {
            Some((_, saved)) => (Some(saved.bytes), saved.applied),
            None => (None, Applied::default()),
        };
        let torn = tail.is_some_and(|tail: Tail| tail.torn);
        Ok(Recovered { checkpoint, applied, from, records, end, torn })
    }

    /// The newest checkpoint, which must read.
    fn newest_checkpoint(&mut self) -> Result<Option<(Position, Saved)>, Unstarted> {
        let Some(position) = self.image.checkpoints.keys().next_back().copied() else { return Ok(None) };
        self.call(Call::Read, |_, _, _| {})?;
        let saved = self.image.checkpoints[&position].clone();
        let found = CheckpointReader::new(&saved.bytes[..], self.identity());
        match found.and_then(CheckpointReader::verify) {
            Ok(found) if found == position => Ok(Some((position, saved))),
            other => Err(Unstarted::Damaged(format!("the checkpoint at {position}: {other:?}"))),
        }
    }

    fn segments_from(&mut self, from: Position) -> Result<Vec<Position>, Stop> {
        let mut segments: Vec<Position> = self.image.segments.keys().copied().collect();
        while segments.get(1).is_some_and(|second| *second <= from) {
            RemoveCalls::remove_segment(self, segments.remove(0))?;
        }
        Ok(segments)
    }

    fn records(&self, from: Position) -> Vec<Vec<u8>> {
        let segments = self.image.segments.values().map(|file| Segment::new(file.bytes()).expect("repaired"));
        let records = segments.flat_map(Segment::records);
        records.filter(|record| record.position >= from).map(|record| record.payload.to_vec()).collect()
    }

    /// What is wrong with what was recovered, held against what was appended and, up to
    /// `durable`, synced. Afterwards only what was recovered counts as appended.
    pub(crate) fn judge(&mut self, recovered: &Recovered, durable: Position) -> Option<String> {
        let behind = || self.image.appended.iter().filter(|(end, _)| *end > recovered.from);
        let synced = behind().filter(|(end, _)| *end <= durable).count();
        if recovered.records.len() < synced {
            return Some(format!(
                "{synced} records were synced and {} are recovered",
                recovered.records.len()
            ));
        }
        if recovered.records.len() > behind().count() {
            return Some(format!("{} records were recovered that nobody appended", recovered.records.len()));
        }
        let found = recovered.records.iter().map(|record| KeyHash::of(record));
        let differs = found.zip(behind()).position(|(found, (_, appended))| found != *appended);
        self.image.appended.retain(|(end, _)| *end <= recovered.end);
        differs.map(|number| format!("record {number} behind the checkpoint is not what was appended"))
    }

    /// A checkpoint of everything below `position`, up to which the log is durable, is
    /// written; what it replaces goes.
    ///
    /// # Errors
    /// If a call fails, or the process dies. Then the older one or this one is there.
    pub(crate) fn save(&mut self, position: Position, bytes: Vec<u8>, applied: Applied) -> Result<(), Stop> {
        self.call(Call::WriteCheckpoint, |_, _, _| {})?;
        self.call(Call::SyncCheckpoint, |_, _, _| {})?;
        self.rename(Call::PublishCheckpoint, |image| image.publish(position, Saved { bytes, applied }))?;
        let names = |keys: Vec<&Position>| keys.into_iter().copied().collect::<Vec<Position>>();
        let checkpoints = names(self.image.checkpoints.keys().collect());
        let segments = names(self.image.segments.keys().collect());
        remove_replaced((position, self.first.segment_bytes), (&checkpoints, &segments), self)?;
        let oldest = self.image.segments.keys().next().copied().unwrap_or(0);
        self.image.appended.retain(|(end, _)| *end > oldest);
        Ok(())
    }
}

impl WriteCalls for Disk {
    type Error = Stop;

    fn create(&mut self, next: SegmentHeader) -> Result<(), Stop> {
        if self.image.segments.contains_key(&next.first) {
            return Ok(());
        }
        self.call(Call::CreateSegment, |_, _, _| {})?;
        self.rename(Call::PublishSegment, |image| image.create(next))
    }

    fn write(&mut self, piece: &Piece<'_>) -> Result<(), Stop> {
        self.open = piece.header;
        self.put(Call::Write, piece)
    }

    fn sync(&mut self) -> Result<(), Stop> {
        self.sync_segment(self.open.first)
    }
}

impl RepairCalls for Disk {
    type Error = Stop;

    fn remove_segment(&mut self, first: Position) -> Result<(), Stop> {
        RemoveCalls::remove_segment(self, first)
    }

    fn extend(&mut self, _: &SegmentHeader) -> Result<(), Stop> {
        unreachable!("files have their size")
    }

    fn cut(&mut self, segment: &SegmentHeader, from: Position) -> Result<(), Stop> {
        let (first, offset) = (segment.first, index(from - segment.first));
        self.call(Call::CreateSegment, |_, _, _| {})?;
        self.rename(Call::PublishSegment, |image| image.cut(first, offset))
    }

    fn write_again(&mut self, last: &SegmentHeader, range: Range<Position>) -> Result<(), Stop> {
        let (from, until) = (index(range.start - last.first), index(range.end - last.first));
        let bytes = self.image.segment(last.first).bytes()[from..until].to_vec();
        self.put(Call::Write, &Piece { header: *last, offset: range.start - last.first, bytes: &bytes })
    }

    fn sync(&mut self, last: &SegmentHeader) -> Result<(), Stop> {
        self.sync_segment(last.first)
    }

    fn sync_names(&mut self) -> Result<(), Stop> {
        RemoveCalls::sync_names(self)
    }
}

impl RemoveCalls for Disk {
    type Error = Stop;

    fn remove_checkpoint(&mut self, position: Position) -> Result<(), Stop> {
        self.rename(Call::RemoveCheckpoint, |image| image.remove_checkpoint(position))
    }

    fn remove_segment(&mut self, first: Position) -> Result<(), Stop> {
        self.rename(Call::RemoveSegment, |image| image.remove_segment(first))
    }

    fn sync_names(&mut self) -> Result<(), Stop> {
        self.rename(Call::SyncNames, Image::sync_names)
    }
}

/// An offset inside a segment, which is in memory.
pub(crate) fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a segment in memory")
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
