//! A store on a real disk: restart, repair, refusal, checkpoints.

// A test of the disk.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::unwrap_used)]

use isegoria_storage::{
    Durability, Identity, Log, Position, Recovered, Store, StoreError, StoreOptions, Torn,
};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

const OWN: Identity = Identity { epoch: 0, cluster: 77, node: 3 };
const SEGMENT: u64 = 4096;

struct Node {
    log: Log,
    recovered: Vec<Vec<u8>>,
    checkpoint: Option<(Position, Vec<u8>)>,
    torn: Option<Torn>,
    fresh: bool,
    woken: Receiver<()>,
}

fn try_open(dir: &Path, durability: Durability) -> Result<Node, StoreError> {
    let (wake, woken) = channel();
    let waker = Arc::new(move || wake.send(()).unwrap_or_default());
    let options = StoreOptions { segment_bytes: SEGMENT, waker };
    let (found, log) = Store::open(dir, OWN, durability, options)?;
    let Recovered { fresh, checkpoint, records, torn } = found;
    let recovered = records.map(|record| record.unwrap().payload.to_vec()).collect();
    let checkpoint = checkpoint.map(|mut checkpoint| {
        assert_eq!(checkpoint.reader.next_section().unwrap(), Some(0));
        let mut bytes = Vec::new();
        checkpoint.reader.read_to_end(&mut bytes).unwrap();
        (checkpoint.position, bytes)
    });
    Ok(Node { log, recovered, checkpoint, torn, fresh, woken })
}

fn open(dir: &Path) -> Node {
    try_open(dir, Durability::Fsync).unwrap_or_else(|error| panic!("{error}"))
}

impl Node {
    fn append(&mut self, payload: &[u8]) -> Position {
        self.log.append(|bytes| bytes.extend_from_slice(payload)).unwrap()
    }

    fn wait(&mut self) {
        self.log.flush();
        while self.log.durable() < self.log.end() {
            self.woken.recv().unwrap();
            assert_eq!(self.log.error(), None);
        }
    }

    fn put(&mut self, payload: &[u8]) -> Position {
        let end = self.append(payload);
        self.wait();
        end
    }

    fn checkpoint(&mut self, state: &'static [u8]) -> Result<Position, StoreError> {
        let position = self.log.end();
        assert!(self.log.checkpoint(position, Box::new(|to| to.write_all(state))).unwrap());
        loop {
            if let Some(done) = self.log.checkpoint_done() {
                return done;
            }
            self.woken.recv().unwrap();
        }
    }
}

fn payload(number: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + number * 37 % 300, u8::try_from(number % 251).unwrap());
    bytes
}

fn payloads(numbers: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    numbers.map(payload).collect()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Replaces what stands at an offset of a file.
fn overwrite(file: &Path, offset: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(file).unwrap().write_all_at(bytes, offset).unwrap();
}

fn refused(dir: &Path) -> StoreError {
    try_open(dir, Durability::Fsync).err().expect("the directory is refused")
}

#[test]
fn restarts_after_many_batches_over_many_segments() {
    for durability in [Durability::Fsync, Durability::Os] {
        let dir = tempfile::tempdir().unwrap();
        let (mut next, mut end) = (0, 0);
        for round in 1..8 {
            let mut node = try_open(dir.path(), durability).unwrap();
            assert_eq!(node.fresh, round == 1);
            assert_eq!(node.recovered, payloads(0..next));
            assert_eq!(node.torn, None);
            assert!(node.log.end() >= end && node.log.durable() == node.log.end());
            for batch in 0..20 {
                for _ in 0..batch % 4 {
                    node.append(&payload(next));
                    next += 1;
                }
                node.log.flush();
            }
            node.wait();
            end = node.log.end();
            assert!(node.log.stats().fsync_count > 0 || durability == Durability::Os);
            if round % 2 == 0 { node.log.close().unwrap() } else { drop(node) }
        }
        assert!(segments(dir.path()).len() > 5);
    }
}

#[test]
fn a_record_is_there_again_if_it_was_durable_and_not_if_it_was_not_flushed() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path());
    let first = node.put(b"durable");
    let second = node.append(b"only appended");
    assert!(node.log.durable() >= first && node.log.durable() < second);
    drop(node);
    assert_eq!(open(dir.path()).recovered, [b"durable"]);
}

#[test]
fn a_torn_tail_is_cut_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path());
    node.append(b"first");
    let durable = node.put(b"second");
    drop(node);
    let file = &segments(dir.path())[0];
    let clean = fs::read(file).unwrap();
    // Where the next batch would go: behind the seal of the log that was closed.
    let end = open(dir.path()).log.end();
    assert!(end >= durable);
    fs::write(file, &clean).unwrap();
    for (at, garbage) in [(0, 1), (1, 1), (3, 40), (17, 8), (30, 500), (0, 1000)] {
        fs::write(file, &clean).unwrap();
        overwrite(file, end + at, &vec![0xA5; garbage]);
        let mut node = open(dir.path());
        assert_eq!(node.recovered, [&b"first"[..], b"second"], "garbage at {at}");
        assert_eq!(node.torn, Some(Torn { file: file.clone(), position: end }));
        node.put(b"third");
        drop(node);
        let node = open(dir.path());
        assert_eq!((node.torn, node.recovered.len()), (None, 3), "what was torn is gone");
    }
}

#[test]
fn a_last_batch_cut_anywhere_leaves_the_batches_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path());
    let kept = node.put(b"kept");
    let end = (0..5).map(|i| node.append(&payload(i))).last().unwrap();
    node.wait();
    drop(node);
    let file = &segments(dir.path())[0];
    let full = fs::read(file).unwrap();
    for cut in kept..end {
        let mut torn = full.clone();
        torn[usize::try_from(cut).unwrap()..].fill(0);
        fs::write(file, &torn).unwrap();
        let node = open(dir.path());
        let expected = [vec![b"kept".to_vec()], payloads(0..5)].concat();
        assert!(!node.recovered.is_empty() && expected.starts_with(&node.recovered), "cut at {cut}");
    }
    // A file that lost its end is not the work of a crash.
    fs::write(file, &full[..usize::try_from(end).unwrap() - 3]).unwrap();
    let error = refused(dir.path());
    assert!(matches!(&error, StoreError::Damaged { file: named, .. } if named == file), "{error}");
    // Unless only zeros are gone.
    fs::write(file, &full[..3000]).unwrap();
    assert_eq!(open(dir.path()).recovered.len(), 6);
    assert_eq!(fs::metadata(file).unwrap().len(), SEGMENT);
}

#[test]
fn a_damaged_middle_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path());
    let ends: Vec<Position> = (0..60).map(|i| node.put(&payload(i))).collect();
    drop(node);
    let files = segments(dir.path());
    assert!(files.len() > 2);
    for (at, file) in [(ends[0] - 1, &files[0]), (ends[20] - 1, &files[(ends[20] / SEGMENT) as usize])] {
        let offset = at % SEGMENT;
        let byte = fs::read(file).unwrap()[usize::try_from(offset).unwrap()];
        overwrite(file, offset, &[byte ^ 4]);
        let error = refused(dir.path());
        match &error {
            StoreError::Damaged { file: named, offset: found, .. } => {
                assert_eq!(named, file);
                assert!(*found < offset && offset - found < 400);
            }
            other => panic!("{other}"),
        }
        let sentence = error.to_string();
        assert!(
            sentence.contains(".seg is damaged at offset")
                && sentence.contains("newest sound data directory"),
            "{sentence}"
        );
        overwrite(file, offset, &[byte]);
    }
    let hidden = dir.path().join("hidden");
    fs::rename(&files[1], &hidden).unwrap();
    assert!(matches!(refused(dir.path()), StoreError::Damaged { file, .. } if file == files[1]));
    fs::rename(&hidden, &files[1]).unwrap();
    assert_eq!(open(dir.path()).recovered, payloads(0..60));
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Locked { .. }));
    let sentence = error.to_string();
    let process = format!("process {}", std::process::id());
    for part in [&dir.path().display().to_string(), &process, "stop that process"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    drop(node);
    open(dir.path());
}

#[test]
fn a_node_in_memory_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = try_open(dir.path(), Durability::Memory).unwrap();
    let end = node.append(b"forgotten");
    assert_eq!((node.log.durable(), node.log.end()), (end, end));
    node.log.flush();
    assert_eq!(node.checkpoint(b"unused").unwrap(), end);
    drop(node);
    for durability in [Durability::Memory, Durability::Os, Durability::Fsync] {
        let error = try_open(dir.path(), durability).err().unwrap();
        assert!(matches!(error, StoreError::MemoryRestarted { .. }));
        assert!(error.to_string().contains("it follows the others as a learner"));
    }
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["LOCK", "memory-only"]);
    let durable = tempfile::tempdir().unwrap();
    open(durable.path()).put(b"promise");
    let error = try_open(durable.path(), Durability::Memory).err().unwrap();
    assert!(matches!(error, StoreError::MemoryOverLog { .. }), "{error}");
}

#[test]
fn a_checkpoint_replaces_the_log_below_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path());
    for i in 0..60 {
        node.put(&payload(i));
    }
    let before = segments(dir.path()).len();
    node.checkpoint(b"old state").unwrap();
    for i in 60..90 {
        node.put(&payload(i));
    }
    let position = node.checkpoint(b"state at 90").unwrap();
    for i in 90..100 {
        node.put(&payload(i));
    }
    assert!(node.log.log_bytes() < 3 * SEGMENT, "{}", node.log.log_bytes());
    drop(node);
    let first = segments(dir.path())[0].file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    assert!(segments(dir.path()).len() < before && first <= position);
    assert!(first + SEGMENT > position, "all that is wholly below is gone");
    let mut node = open(dir.path());
    assert_eq!(node.checkpoint, Some((position, b"state at 90".to_vec())));
    assert_eq!(node.recovered, payloads(90..100));
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_str().unwrap().starts_with("checkpoint")).count(), 1);
    // Again at once, without a record in between.
    assert_eq!(node.checkpoint(b"state at 100").unwrap(), node.log.end());
    drop(node);
    let node = open(dir.path());
    assert_eq!((node.recovered.len(), node.checkpoint.unwrap().1), (0, b"state at 100".to_vec()));
}

#[test]
fn unfinished_and_failed_checkpoints_leave_the_old_state() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path());
    node.put(b"one");
    let position = node.checkpoint(b"good").unwrap();
    node.put(b"two");
    let end = node.log.end();
    let fail = Box::new(|_: &mut _| Err(std::io::Error::other("planted")));
    assert!(node.log.checkpoint(end, fail).unwrap());
    let failed = loop {
        if let Some(done) = node.log.checkpoint_done() {
            break done;
        }
        node.woken.recv().unwrap();
    };
    assert!(failed.unwrap_err().to_string().contains("planted"));
    drop(node);
    // A crash before the rename.
    let unfinished = dir.path().join(format!("checkpoint-{end:020}.tmp"));
    fs::write(&unfinished, b"half").unwrap();
    let segment = dir.path().join(format!("log/{SEGMENT:020}.seg.tmp"));
    fs::write(&segment, b"half").unwrap();
    let node = open(dir.path());
    assert_eq!(node.checkpoint, Some((position, b"good".to_vec())));
    assert_eq!(node.recovered, [b"two"]);
    assert!(!unfinished.exists() && !segment.exists());
}

/// Also where the log below it is still there: what a snapshot brought is in no log.
#[test]
fn a_damaged_checkpoint_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path());
    node.put(b"one");
    let position = node.checkpoint(b"state").unwrap();
    node.put(b"two");
    drop(node);
    let file = dir.path().join(format!("checkpoint-{position:020}"));
    let sound = fs::read(&file).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    for damaged in [&flipped[..], &sound[..sound.len() - 1]] {
        fs::write(&file, damaged).unwrap();
        let error = refused(dir.path());
        assert!(matches!(&error, StoreError::Damaged { file: named, .. } if *named == file), "{error}");
    }
    fs::write(&file, &sound).unwrap();
    assert_eq!(open(dir.path()).checkpoint, Some((position, b"state".to_vec())));
}

#[test]
fn another_node_and_a_newer_program_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).put(b"one");
    let other = Identity { node: 4, ..OWN };
    let error = Store::open(dir.path(), other, Durability::Fsync, StoreOptions::default()).err().unwrap();
    assert!(matches!(error, StoreError::Format { .. }), "{error}");
    assert!(error.to_string().contains("node n4 of cluster 4d"), "{error}");
    overwrite(&segments(dir.path())[0], 8, &9u32.to_le_bytes());
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Format { .. }), "{error}");
    assert!(error.to_string().contains("format version 9"), "{error}");
}

#[test]
fn only_the_owner_may_read() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let mut node = open(&dir);
    node.put(b"secret");
    node.checkpoint(b"secret").unwrap();
    drop(node);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for directory in [dir.clone(), dir.join("log")] {
        assert_eq!(mode(&directory), 0o700);
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.is_dir() || mode(&path) == 0o600, "{}", path.display());
        }
    }
}

#[test]
fn too_large_a_record_and_impossible_segments_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path());
    let refused = node.log.append(|bytes| bytes.resize(bytes.len() + 5000, 1)).unwrap_err();
    assert_eq!(refused.size, 5000);
    node.put(b"small");
    drop(node);
    assert_eq!(open(dir.path()).recovered, [b"small"]);
    let options = StoreOptions { segment_bytes: 10, ..StoreOptions::default() };
    let error = Store::open(dir.path(), OWN, Durability::Fsync, options).err().unwrap();
    assert!(matches!(error, StoreError::SegmentBytes { found: 10, .. }));
}
