//! What a damaged log means: exhaustive flips and truncations of small logs, and
//! random batches with crashes inside the last write.

#![allow(clippy::unwrap_used)]

use isegoria_log::{
    Appender, Damage, HEADER_BYTES, Identity, Position, Repair, Segment, SegmentHeader, Tail, WriteBatch,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const OWN: Identity = Identity { epoch: 0, cluster: 7, node: 1 };
const SEGMENT: u64 = 256;

/// A disk of zero-filled segments, written as `storage` writes them.
#[derive(Clone, Debug, Default)]
struct Disk(BTreeMap<Position, Vec<u8>>);

impl Disk {
    fn segment(&mut self, header: SegmentHeader) -> &mut Vec<u8> {
        self.0.entry(header.first).or_insert_with(|| {
            let mut bytes = header.encode().to_vec();
            bytes.resize(usize::try_from(header.segment_bytes).unwrap(), 0);
            bytes
        })
    }

    fn write(&mut self, batch: &WriteBatch) {
        for piece in batch.pieces() {
            let at = usize::try_from(piece.offset).unwrap();
            self.segment(piece.header)[at..at + piece.bytes.len()].copy_from_slice(piece.bytes);
        }
    }

    fn repair(&self) -> Result<Option<Tail>, Damage> {
        let mut repair = Repair::new(OWN, 0);
        for (name, bytes) in &self.0 {
            repair.segment(*name, bytes)?;
        }
        repair.finish()
    }

    fn records(&self, tail: Option<Tail>) -> Vec<Vec<u8>> {
        let Some(tail) = tail else { return Vec::new() };
        let segments = self.0.range(..=tail.header.first);
        segments
            .flat_map(|(_, bytes)| Segment::new(bytes).unwrap().records())
            .filter(|record| record.position < tail.end)
            .map(|record| record.payload.to_vec())
            .collect()
    }
}

/// A log and what was appended to it, batch by batch.
struct Written {
    appender: Appender,
    disk: Disk,
    records: Vec<Vec<u8>>,
}

impl Written {
    fn new() -> Written {
        let header = SegmentHeader { identity: OWN, first: 0, segment_bytes: SEGMENT };
        let mut disk = Disk::default();
        disk.segment(header);
        Written { appender: Appender::new(header, header.first_frame()), disk, records: Vec::new() }
    }

    fn append(&mut self, payload: &[u8]) -> Position {
        self.records.push(payload.to_vec());
        self.appender.append(|bytes| bytes.extend_from_slice(payload)).unwrap()
    }

    fn batch(&mut self, payloads: &[Vec<u8>]) -> WriteBatch {
        for payload in payloads {
            self.append(payload);
        }
        let mut batch = WriteBatch::default();
        self.appender.take_into(&mut batch);
        batch
    }

    fn write(&mut self, payloads: &[Vec<u8>]) {
        let batch = self.batch(payloads);
        self.disk.write(&batch);
    }
}

/// Three batches over two segments; the second batch rolls over.
fn small() -> Written {
    let mut log = Written::new();
    log.write(&[b"one".to_vec(), b"two".to_vec()]);
    log.write(&[vec![3; 60], vec![4; 60], vec![5; 20]]);
    log.write(&[b"six".to_vec(), vec![]]);
    assert_eq!(log.disk.0.len(), 2);
    log
}

#[test]
fn what_goes_in_comes_out() {
    let log = small();
    let tail = log.disk.repair().unwrap().unwrap();
    assert_eq!(log.disk.records(Some(tail)), log.records);
    assert_eq!((tail.end, tail.torn), (log.appender.end(), false));
    assert_eq!(Repair::new(OWN, 0).finish(), Ok(None));
}

#[test]
fn a_flipped_bit_below_a_seal_never_ends_the_log() {
    let log = small();
    let durable = log.disk.repair().unwrap().unwrap().durable;
    let (mut refused, mut torn) = (0, 0);
    for name in log.disk.0.keys() {
        for bit in 0..SEGMENT * 8 {
            let mut disk = log.disk.clone();
            disk.0.get_mut(name).unwrap()[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
            let Ok(tail) = disk.repair() else {
                refused += 1;
                continue;
            };
            let records = disk.records(tail);
            assert!(log.records.starts_with(&records), "segment {name} bit {bit}");
            if name + bit / 8 < durable {
                // Only a byte behind the end of a full segment may change unnoticed.
                assert_eq!(records, log.records, "segment {name} bit {bit}");
            } else {
                assert!(tail.unwrap().end >= durable, "segment {name} bit {bit}");
                torn += u32::from(tail.unwrap().torn);
            }
        }
    }
    assert!(refused > 1000 && torn > 100, "refused {refused}, torn {torn}");
}

#[test]
fn a_shortened_file_is_refused_unless_only_zeros_are_gone() {
    let log = small();
    let end = log.appender.end();
    for name in log.disk.0.keys() {
        for size in 0..usize::try_from(SEGMENT).unwrap() {
            let mut disk = log.disk.clone();
            disk.0.get_mut(name).unwrap().truncate(size);
            let Ok(tail) = disk.repair() else { continue };
            assert_eq!(disk.records(tail), log.records, "segment {name} cut at {size}");
            assert!(name + size as u64 >= end || *name == 0);
        }
        let mut disk = log.disk.clone();
        disk.0.get_mut(name).unwrap().truncate(255);
        assert!(disk.repair().is_ok(), "only zeros are gone");
        disk.0.get_mut(name).unwrap().resize(257, 0);
        assert!(matches!(disk.repair(), Err(Damage::Size { .. })));
    }
}

#[test]
fn a_frame_in_a_wrong_place_is_not_a_frame() {
    let mut log = Written::new();
    log.write(&[b"one".to_vec()]);
    let (from, until) = (HEADER_BYTES, usize::try_from(log.appender.end()).unwrap());
    let segment = log.disk.0.get_mut(&0).unwrap();
    // A misdirected write: seal and record once more, where the next ones would go.
    segment.copy_within(from..until, until);
    let tail = log.disk.repair().unwrap().unwrap();
    assert_eq!((log.disk.records(Some(tail)), tail.torn), (log.records, true));
}

#[test]
fn missing_segments_are_refused() {
    let mut log = small();
    log.write(&[vec![7; 130]]);
    log.write(&[vec![8; 100]]);
    let names: Vec<Position> = log.disk.0.keys().copied().collect();
    for name in &names {
        let mut disk = log.disk.clone();
        disk.0.remove(name);
        assert_eq!(disk.repair(), Err(Damage::Missing { position: *name }), "of {names:?}");
    }
    let below = Repair::new(OWN, 300).finish();
    assert_eq!(below, Err(Damage::Missing { position: 300 }), "a checkpoint needs its log");
}

#[test]
fn a_checkpoint_vouches_for_the_log_below_it() {
    let log = small();
    let mut repair = Repair::new(OWN, log.appender.end());
    let mut disk = log.disk.clone();
    let last = disk.0.get_mut(&SEGMENT).unwrap();
    let end = usize::try_from(log.appender.end() - SEGMENT).unwrap();
    last[end - 1] ^= 1;
    let refused = repair.segment(SEGMENT, last);
    assert!(matches!(refused, Err(Damage::Middle { segment: SEGMENT, .. })), "{refused:?}");
}

#[test]
fn strangers_are_refused() {
    let log = small();
    let other = Identity { cluster: 8, ..OWN };
    let refused = Repair::new(other, 0).segment(0, &log.disk.0[&0]).unwrap_err();
    assert!(refused.to_string().contains("node n2 of cluster 7"), "{refused}");
    let refused = Repair::new(OWN, SEGMENT).segment(SEGMENT, &log.disk.0[&0]).unwrap_err();
    assert!(refused.to_string().contains("begins at position 0"), "{refused}");
}

#[test]
fn a_record_too_large_is_refused_and_leaves_no_trace() {
    let mut log = Written::new();
    let header = SegmentHeader { identity: OWN, first: 0, segment_bytes: SEGMENT };
    let largest = usize::try_from(header.record_bytes_max()).unwrap();
    let before = log.appender.end();
    let refused = log.appender.append(|bytes| bytes.resize(bytes.len() + largest + 1, 1)).unwrap_err();
    assert_eq!((refused.size, refused.limit), (largest as u64 + 1, largest as u64));
    assert_eq!((log.appender.end(), log.appender.is_empty()), (before, true));
    log.write(&[vec![1; largest], vec![2; largest], b"small".to_vec()]);
    let tail = log.disk.repair().unwrap();
    assert_eq!(log.disk.records(tail), log.records);
}

#[test]
fn the_idle_seal_is_what_the_next_batch_opens_with() {
    let mut log = Written::new();
    let batch = log.batch(&[b"one".to_vec()]);
    log.disk.write(&batch);
    let (header, offset, seal) = batch.idle_seal().unwrap();
    let at = usize::try_from(offset).unwrap();
    let mut idle = log.disk.clone();
    idle.segment(header)[at..at + seal.len()].copy_from_slice(&seal);
    let tail = idle.repair().unwrap().unwrap();
    assert_eq!(tail.durable, log.appender.end());
    // Now a bit of the last record cannot flip unnoticed any more.
    let mut flipped = idle.clone();
    flipped.0.get_mut(&0).unwrap()[at - 1] ^= 1;
    assert!(matches!(flipped.repair(), Err(Damage::Middle { .. })));
    let next = log.batch(&[b"two".to_vec()]);
    assert_eq!(&next.pieces().next().unwrap().bytes[..seal.len()], &seal[..]);
}

/// However full a segment is, an idle log can be sealed: a bit that flips in its last
/// record must never look like a torn tail.
#[test]
fn there_is_room_for_the_idle_seal_wherever_a_record_ends() {
    let largest =
        Written::new().appender.append(|bytes| bytes.resize(bytes.len() + 1000, 0)).unwrap_err().limit;
    for size in 0..=usize::try_from(largest).unwrap() {
        let mut log = Written::new();
        for _ in 0..4 {
            let batch = log.batch(&[vec![1; size]]);
            log.disk.write(&batch);
            let (header, offset, seal) =
                batch.idle_seal().unwrap_or_else(|| panic!("no room, records of {size}"));
            let at = usize::try_from(offset).unwrap();
            let mut idle = log.disk.clone();
            idle.segment(header)[at..at + seal.len()].copy_from_slice(&seal);
            assert_eq!(idle.repair().unwrap().unwrap().durable, log.appender.end());
        }
    }
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(0u8..4, 0..70), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The last write is cut at every byte, and its blocks reach the disk in any
    /// combination: what was durable before is there, and the rest is a prefix.
    #[test]
    fn a_crash_in_the_last_write_is_a_torn_tail(
        batches in prop::collection::vec((payloads(), any::<bool>()), 1..6),
        last in payloads(),
        lost in any::<u64>(),
    ) {
        let mut log = Written::new();
        let mut pending = WriteBatch::default();
        for (batch, merged) in &batches {
            let mut next = log.batch(batch);
            pending.merge(&mut next);
            if !merged {
                log.disk.write(&pending);
                pending.clear();
            }
        }
        log.disk.write(&pending);
        let durable = log.records.len();
        let mut write = WriteBatch::default();
        for chunk in last.chunks(2) {
            write.merge(&mut log.batch(chunk));
        }
        let mut before = log.disk.clone();
        for piece in write.pieces() {
            // Segments have their names before a piece goes to the first of them.
            before.segment(piece.header);
        }
        for piece in write.pieces() {
            let at = usize::try_from(piece.offset).unwrap();
            let segment = before.0[&piece.header.first].clone();
            let check = |bytes: Vec<u8>| -> Result<(), TestCaseError> {
                let mut disk = before.clone();
                disk.0.insert(piece.header.first, bytes);
                let tail = disk.repair();
                prop_assert!(tail.is_ok(), "{tail:?}");
                let records = disk.records(tail.unwrap());
                prop_assert!(records.len() >= durable && log.records.starts_with(&records));
                Ok(())
            };
            for cut in 0..=piece.bytes.len() {
                let mut bytes = segment.clone();
                bytes[at..at + cut].copy_from_slice(&piece.bytes[..cut]);
                check(bytes)?;
            }
            let mut bytes = segment.clone();
            for (block, part) in piece.bytes.chunks(16).enumerate() {
                if lost >> (block % 64) & 1 == 0 {
                    bytes[at + block * 16..][..part.len()].copy_from_slice(part);
                }
            }
            check(bytes)?;
            // The piece is synced before the next one goes out.
            before.0.get_mut(&piece.header.first).unwrap()[at..at + piece.bytes.len()]
                .copy_from_slice(piece.bytes);
        }
        prop_assert_eq!(before.records(before.repair().unwrap()), log.records);
    }

    /// One bit flips anywhere in a random log: a prefix that reaches the last seal, or refused.
    #[test]
    fn a_flipped_bit_anywhere(batches in prop::collection::vec(payloads(), 1..8), place in any::<u64>()) {
        let mut log = Written::new();
        for batch in &batches {
            log.write(batch);
        }
        let durable = log.disk.repair().unwrap().unwrap().durable;
        let bytes = log.disk.0.len() as u64 * SEGMENT;
        let place = place % (bytes * 8);
        let (name, at) = (place / 8 / SEGMENT * SEGMENT, usize::try_from(place / 8 % SEGMENT).unwrap());
        log.disk.0.get_mut(&name).unwrap()[at] ^= 1 << (place % 8);
        if let Ok(tail) = log.disk.repair() {
            let records = log.disk.records(tail);
            prop_assert!(log.records.starts_with(&records));
            prop_assert!(place / 8 >= durable || records == log.records);
            prop_assert!(tail.unwrap().end >= durable);
        } else {
            prop_assert!(at < HEADER_BYTES || place / 8 < durable);
        }
    }

    /// Random bytes behind a header never panic, and no record is read from them.
    #[test]
    fn noise_is_never_a_record(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let header = SegmentHeader { identity: OWN, first: 0, segment_bytes: SEGMENT };
        let bytes = [&header.encode()[..], &noise].concat();
        let mut repair = Repair::new(OWN, 0);
        if repair.segment(0, &bytes).is_ok() && let Ok(Some(tail)) = repair.finish() {
            prop_assert_eq!(tail.end, header.first_frame());
        }
        let _ = Repair::new(OWN, 0).segment(0, &noise);
    }
}
