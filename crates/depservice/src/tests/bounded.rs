use super::*;
use crate::sweep::SWEEP_PER_COLLECT;

/// Runs `command_count` commands; all leaders' floors trail by `lag` vertices each.
/// Returns the largest number of entries ever held.
fn peak(command_count: u64, lag: u64, key_of: impl Fn(u64) -> u64) -> (KeyedIndex, usize) {
    let mut index = KeyedIndex::fresh();
    let mut largest = 0;
    for time in 0..command_count {
        let leader = usize::try_from(time).unwrap() % LEADER_COUNT;
        let number = time / LEADER_COUNT as u64;
        let floor = index.dropped().clone();
        index.compute(vertex(leader, number), &write(key_of(time)), &floor);
        if time % 500 == 499 {
            let floor = Prefix::new(&[number.saturating_sub(lag); LEADER_COUNT]);
            (0..LEADER_COUNT).for_each(|leader| index.announce(NodeId::new(leader), &floor));
            index.collect();
        }
        largest = largest.max(index.len());
    }
    (index, largest)
}

#[test]
fn keys_that_are_never_used_again_do_not_pile_up() {
    let lag = 5000;
    let live = usize::try_from(lag).unwrap() * LEADER_COUNT;
    let (mut index, largest) = peak(300_000, lag, |time| time);
    assert!(largest < live * 5 / 2, "{largest} entries for {live} live keys");
    // Without further commands, collecting alone drops the rest.
    let end = Prefix::new(&[100_000; LEADER_COUNT]);
    (0..LEADER_COUNT).for_each(|leader| index.announce(NodeId::new(leader), &end));
    let mut calls = 1;
    while index.collect().unfinished {
        calls += 1;
    }
    assert!(index.is_empty() && index.checkpoint().entries.is_empty());
    assert!(calls <= 2 + 2 * largest / SWEEP_PER_COLLECT, "{calls} calls for {largest} entries");
}

/// The same with batches: what is swept keeps pace with what is added, not with vertices.
#[test]
fn batches_of_fresh_keys_do_not_pile_up() {
    let (batch, lag) = (128, 50);
    let mut index = KeyedIndex::fresh();
    let mut largest = 0;
    for time in 0..6000u64 {
        let leader = usize::try_from(time).unwrap() % LEADER_COUNT;
        let number = time / LEADER_COUNT as u64;
        let keys = (0..batch).map(|key| (KeyHash(time * batch + key), Access::Exclusive));
        let floor = index.dropped().clone();
        index.compute(vertex(leader, number), &Footprint::keys(keys), &floor);
        if time % 50 == 49 {
            let floor = Prefix::new(&[number.saturating_sub(lag); LEADER_COUNT]);
            (0..LEADER_COUNT).for_each(|leader| index.announce(NodeId::new(leader), &floor));
            index.collect();
        }
        largest = largest.max(index.len());
    }
    let live = usize::try_from(lag * batch).unwrap() * LEADER_COUNT;
    assert!(largest < live * 3, "{largest} entries for {live} live keys");
}

/// The first test can fail: without announcements nothing may be dropped.
#[test]
fn one_silent_leader_keeps_everything() {
    let mut index = KeyedIndex::fresh();
    for number in 0..1000 {
        index.compute(vertex(0, number), &write(number), &Prefix::default());
        index.announce(NodeId::new(0), &Prefix::new(&[number]));
        index.announce(NodeId::new(2), &Prefix::new(&[number]));
        assert_eq!(index.collect().dropped_count, 0);
    }
    assert_eq!(index.len(), 1000);
    index.announce(NodeId::new(1), &Prefix::new(&[400]));
    while index.collect_within(&Prefix::new(&[300])).unfinished {}
    assert_eq!((index.len(), index.dropped()), (700, &Prefix::new(&[300])));
    while index.collect().unfinished {}
    assert_eq!(index.len(), 600);
}

#[test]
fn a_fixed_key_space_stays_flat() {
    let (_, largest) = peak(200_000, 100_000, |time| time % 64);
    assert_eq!(largest, 64);
}

/// A late request for something long dropped leaves no entry behind.
#[test]
fn a_vertex_below_the_floor_is_not_recorded() {
    let mut index = KeyedIndex::fresh();
    let floor = Prefix::new(&[5, 5, 5]);
    (0..LEADER_COUNT).for_each(|leader| index.announce(NodeId::new(leader), &floor));
    index.collect();
    index.compute(vertex(0, 4), &write(1), &floor);
    index.record(vertex(1, 2), &write(2));
    assert!(index.is_empty());
    index.record(vertex(1, 5), &write(2));
    assert_eq!(index.len(), 1);
}
