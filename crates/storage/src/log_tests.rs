//! The log over files that fail, or that wait: what the disk of a test machine does not do.

use super::*;
use isegoria_log::{Identity, Segment};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

/// A disk in memory that does what the test says.
#[derive(Default)]
struct Fake {
    state: Mutex<State>,
    changed: Condvar,
    wake_count: AtomicUsize,
}

#[derive(Default)]
struct State {
    segments: BTreeMap<Position, Vec<u8>>,
    write_count: usize,
    sync_count: usize,
    /// Syncs wait.
    blocked: bool,
    fail_sync: Option<io::ErrorKind>,
    fail_write: Option<io::ErrorKind>,
    fail_create: Option<io::ErrorKind>,
}

struct FakeFile(Arc<Fake>, Position);
struct FakeSource(Arc<Fake>);

impl SegmentFile for FakeFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.write_count += 1;
        self.0.changed.notify_all();
        if let Some(kind) = state.fail_write {
            return Err(kind.into());
        }
        let at = usize::try_from(offset).unwrap();
        state.segments.get_mut(&self.1).unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.sync_count += 1;
        self.0.changed.notify_all();
        while state.blocked {
            self.0.changed.wait(&mut state);
        }
        // Fails once, like Linux: asking again would say that all is well.
        state.fail_sync.take().map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl SegmentSource for FakeSource {
    fn create(&mut self, header: &SegmentHeader) -> io::Result<Box<dyn SegmentFile>> {
        let mut state = self.0.state.lock();
        if let Some(kind) = state.fail_create {
            return Err(kind.into());
        }
        let mut bytes = header.encode().to_vec();
        bytes.resize(usize::try_from(header.segment_bytes).unwrap(), 0);
        state.segments.insert(header.first, bytes);
        Ok(Box::new(FakeFile(Arc::clone(&self.0), header.first)))
    }
}

impl Fake {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    fn wait(&self, mut condition: impl FnMut(&mut State) -> bool) {
        self.changed.wait_while(&mut self.state.lock(), |state| !condition(state));
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        let state = self.state.lock();
        let segments = state.segments.values();
        segments
            .flat_map(|bytes| Segment::new(bytes).unwrap().records())
            .map(|record| record.payload.to_vec())
            .collect()
    }
}

const IDENTITY: Identity = Identity { epoch: 0, cluster: 1, node: 2 };

fn open(durability: Durability) -> (Log, Arc<Fake>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let directory = Arc::new(Directory::open(dir.path()).unwrap());
    let fake = Arc::new(Fake::default());
    let header = SegmentHeader { identity: IDENTITY, first: 0, segment_bytes: 4096 };
    let file = FakeSource(Arc::clone(&fake)).create(&header).unwrap();
    let woken = Arc::clone(&fake);
    let waker = Arc::new(move || {
        woken.wake_count.fetch_add(1, Ordering::SeqCst);
        woken.set(|_| {});
    });
    let end = header.first_frame();
    let shared = Arc::new(Shared::new(end, 0, waker));
    let source = FakeSource(Arc::clone(&fake));
    let log = Log::on_disk(Continue { directory, header, end, shared }, durability, file, source).unwrap();
    (log, fake, dir)
}

fn put(log: &mut Log, payload: &[u8]) -> Position {
    let end = log.append(|bytes| bytes.extend_from_slice(payload)).unwrap();
    log.flush();
    end
}

#[test]
fn what_is_flushed_while_the_disk_is_busy_is_one_write_and_one_sync() {
    let (mut log, fake, _dir) = open(Durability::Fsync);
    fake.set(|state| state.blocked = true);
    let first = put(&mut log, b"first");
    fake.wait(|state| state.sync_count == 1);
    assert!(log.durable() < first, "nothing is durable before its sync returned");
    let last = (0..50u8).map(|i| put(&mut log, &[i; 10])).last().unwrap();
    fake.set(|state| state.blocked = false);
    assert!(log.shared.wait_durable(last));
    let stats = log.stats();
    assert_eq!((stats.batch_count, stats.record_count, stats.fsync_count), (2, 51, 2));
    assert_eq!((log.durable(), log.end()), (last, last));
    assert_eq!(fake.payloads().len(), 51);
    fake.wait(|_| fake.wake_count.load(Ordering::SeqCst) >= 2);
}

/// Mutant 22: a failed sync that is tried again and then acknowledged.
#[test]
fn a_failed_sync_stops_the_log_for_good() {
    let (mut log, fake, _dir) = open(Durability::Fsync);
    let first = put(&mut log, b"first");
    assert!(log.shared.wait_durable(first));
    fake.set(|state| state.fail_sync = Some(io::ErrorKind::Other));
    let lost = put(&mut log, b"lost");
    assert!(!log.shared.wait_durable(lost));
    let failure = log.error().expect("the log says that it failed");
    assert!(matches!(failure, LogFailure::Io { doing: "syncing", .. }), "{failure}");
    let syncs = fake.state.lock().sync_count;
    let later = put(&mut log, b"later");
    assert!(!log.shared.wait_durable(later));
    assert_eq!(log.durable(), first);
    assert_eq!(fake.state.lock().sync_count, syncs, "no sync is tried again");
    // The event loop is told.
    fake.wait(|_| fake.wake_count.load(Ordering::SeqCst) >= 2);
    assert_eq!(log.close(), Err(failure));
}

#[test]
fn a_full_disk_has_a_name() {
    for (kind, no_space) in [(io::ErrorKind::StorageFull, true), (io::ErrorKind::PermissionDenied, false)] {
        let (mut log, fake, _dir) = open(Durability::Os);
        fake.set(|state| state.fail_write = Some(kind));
        let end = put(&mut log, b"record");
        assert!(!log.shared.wait_durable(end));
        assert_eq!(log.error() == Some(LogFailure::NoSpace), no_space);
    }
}

#[test]
fn without_space_for_a_segment_the_log_waits_and_goes_on() {
    let (mut log, fake, _dir) = open(Durability::Fsync);
    fake.set(|state| state.fail_create = Some(io::ErrorKind::StorageFull));
    let fits = put(&mut log, &[1; 3000]);
    assert!(log.shared.wait_durable(fits), "there is room in the segment");
    let waits = put(&mut log, &[2; 3000]);
    fake.wait(|_| log.is_space_short());
    assert!(log.durable() < waits && log.error().is_none());
    // A crash now finds a segment that was not ended: the next one is not there yet.
    let mut repair = isegoria_log::Repair::new(IDENTITY, 0);
    repair.segment(0, &fake.state.lock().segments[&0]).unwrap();
    assert!(repair.finish().unwrap().unwrap().end >= fits);
    fake.set(|state| state.fail_create = None);
    assert!(log.shared.wait_durable(waits));
    assert!(!log.is_space_short());
    assert_eq!(fake.payloads(), [vec![1; 3000], vec![2; 3000]]);
}

#[test]
fn closing_does_not_wait_for_space() {
    let (mut log, fake, _dir) = open(Durability::Fsync);
    fake.set(|state| state.fail_create = Some(io::ErrorKind::StorageFull));
    put(&mut log, &[1; 3000]);
    put(&mut log, &[2; 3000]);
    fake.wait(|_| log.is_space_short());
    assert!(log.close().is_err());
}

#[test]
fn an_idle_log_is_sealed_without_a_sync() {
    let (mut log, fake, _dir) = open(Durability::Fsync);
    let end = put(&mut log, b"record");
    assert!(log.shared.wait_durable(end));
    fake.wait(|state| state.write_count == 2);
    assert_eq!(fake.state.lock().sync_count, 1);
    let mut repair = isegoria_log::Repair::new(IDENTITY, 0);
    repair.segment(0, &fake.state.lock().segments[&0]).unwrap();
    assert_eq!(repair.finish().unwrap().unwrap().durable, end);
}

#[test]
fn a_checkpoint_waits_for_the_log_and_is_given_up_with_it() {
    let (mut log, fake, dir) = open(Durability::Fsync);
    fake.set(|state| state.blocked = true);
    let end = put(&mut log, b"record");
    fake.wait(|state| state.sync_count == 1);
    assert!(log.checkpoint(end, Box::new(|_| Ok(()))).unwrap());
    assert!(!log.checkpoint(end, Box::new(|_| Ok(()))).unwrap(), "one at a time");
    assert!(log.checkpoint_running() && log.checkpoint_done().is_none());
    fake.set(|state| {
        state.fail_sync = Some(io::ErrorKind::Other);
        state.blocked = false;
    });
    fake.wait(|_| !log.checkpoint_running());
    assert!(matches!(log.checkpoint_done(), Some(Err(StoreError::Stopped))));
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["LOCK"]);
}
