use super::*;
use rand::SeedableRng;

/// One random history through both: several leaders, few keys, classes, barriers,
/// batches, repeats, late announcements, collections, stale requests. Says at which
/// step the answers differ.
fn differs<T: Index>(seed: u64) -> Option<String> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let (mut fast, mut dumb) = (T::fresh(), NaiveIndex::fresh());
    let mut issued: Vec<(Vertex, Footprint)> = Vec::new();
    let mut next = [0u64; LEADER_COUNT];
    let mut floors = vec![Prefix::default(); LEADER_COUNT];
    let key_count = dice.random_range(1..8);
    for step in 0..dice.random_range(10..120) {
        let leader = dice.random_range(0..LEADER_COUNT);
        match dice.random_range(0..10) {
            0 => {
                // A floor covers a part of what was issued; announcements may be out of date.
                let column = dice.random_range(0..LEADER_COUNT);
                let target = dice.random_range(0..=next[column]);
                floors[leader].raise(NodeId::new(column), target);
                fast.announce(NodeId::new(leader), &floors[leader]);
                dumb.announce(NodeId::new(leader), &floors[leader]);
            }
            1 => {
                fast.collect();
                dumb.collect();
            }
            2 if !issued.is_empty() => {
                let (again, footprint) = issued[dice.random_range(0..issued.len())].clone();
                let floor = &floors[again.leader.index()];
                let (one, two) =
                    (fast.compute(again, &footprint, floor), dumb.compute(again, &footprint, floor));
                if one != two {
                    return Some(format!("seed {seed} step {step}: {again} again: {one:?}, not {two:?}"));
                }
            }
            kind => {
                // Numbers arrive with gaps, which later repeats do not fill.
                let fresh = vertex(leader, next[leader] + dice.random_range(0..2));
                next[leader] = fresh.number + 1;
                let footprint = random_footprint(&mut dice, key_count);
                let stale = Prefix::default();
                let floor = if kind == 3 { &stale } else { &floors[leader] };
                let (one, two) =
                    (fast.compute(fresh, &footprint, floor), dumb.compute(fresh, &footprint, floor));
                if one != two {
                    return Some(format!(
                        "seed {seed} step {step}: {fresh} {footprint:?}: {one:?}, not {two:?}"
                    ));
                }
                issued.push((fresh, footprint));
            }
        }
    }
    None
}

#[test]
fn the_keyed_index_answers_like_the_naive_one() {
    for seed in 0..5000 {
        if let Some(difference) = differs::<KeyedIndex>(seed) {
            panic!("{difference}");
        }
    }
}

/// The comparison catches what it is for.
#[test]
fn planted_bugs_are_caught() {
    let bugs = [
        Bug::NoBarrier,
        Bug::ClassesCommute,
        Bug::FirstAccessOnly,
        Bug::ScopesForgotten,
        Bug::AnyFloor,
        Bug::NeverStale,
    ];
    for bug in bugs {
        let caught = with_bug(bug, || (0..100).filter(|seed| differs::<Broken>(*seed).is_some()).count());
        assert!(caught >= 10, "{bug:?} was caught by {caught} of 100 seeds");
    }
}

/// Probing says what computing would, and records nothing.
#[test]
fn probing_records_nothing() {
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let mut index = KeyedIndex::fresh();
    for number in 0..500 {
        let footprint = random_footprint(&mut dice, 6);
        let fresh = vertex(dice.random_range(0..LEADER_COUNT), number);
        let before = index.checkpoint();
        let probed = index.deps(&footprint, &Prefix::default());
        assert_eq!(index.checkpoint(), before);
        assert_eq!(index.compute(fresh, &footprint, &Prefix::default()), probed);
    }
}

/// A clone, whose scope index is made anew, goes on like the original.
#[test]
fn a_clone_answers_like_the_original() {
    let mut dice = ChaCha8Rng::seed_from_u64(2);
    let mut index = KeyedIndex::fresh();
    for number in 0..300 {
        let (footprint, floor) = (random_footprint(&mut dice, 10), index.dropped().clone());
        let fresh = vertex(dice.random_range(0..LEADER_COUNT), number);
        let mut clone = index.clone();
        assert_eq!(clone.compute(fresh, &footprint, &floor), index.compute(fresh, &footprint, &floor));
        if number % 30 == 29 {
            let floor = Prefix::new(&[number - 10; LEADER_COUNT]);
            (0..LEADER_COUNT).for_each(|leader| index.announce(NodeId::new(leader), &floor));
            while index.collect().unfinished {}
        }
    }
    let end = Prefix::new(&[300; LEADER_COUNT]);
    (0..LEADER_COUNT).for_each(|leader| index.announce(NodeId::new(leader), &end));
    while index.collect().unfinished {}
    assert!(index.is_empty(), "scopes are dropped, too");
}

/// A checkpoint in pieces, absorbed in any order by an index with another seed,
/// rebuilds the contents and all answers.
#[test]
fn checkpoints_rebuild_the_index() {
    for seed in 0..300 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut index = KeyedIndex::fresh();
        for number in 0..60 {
            let fresh = vertex(dice.random_range(0..LEADER_COUNT), number);
            let floor = index.dropped().clone();
            index.compute(fresh, &random_footprint(&mut dice, 10), &floor);
            if number % 20 == 19 {
                let floor = Prefix::new(&[number - 10, number - 15, number - 5]);
                (0..LEADER_COUNT).for_each(|leader| index.announce(NodeId::new(leader), &floor));
                index.collect();
            }
        }
        let checkpoint = index.checkpoint();
        let mut pieces = checkpoint.clone().pieces(dice.random_range(1..8));
        let shift = dice.random_range(0..pieces.len());
        pieces.rotate_left(shift);
        let mut rebuilt = KeyedIndex::new(NodeSet::first(LEADER_COUNT), seed, &conflicts());
        pieces.iter().chain(&pieces[..1]).for_each(|piece| rebuilt.absorb(piece));
        assert_eq!(rebuilt.checkpoint(), checkpoint, "seed {seed}");
        for _ in 0..20 {
            let footprint = random_footprint(&mut dice, 12);
            let floor = index.dropped().clone();
            assert_eq!(rebuilt.deps(&footprint, &floor), index.deps(&footprint, &floor), "seed {seed}");
            assert_eq!(rebuilt.deps(&footprint, &Prefix::default()), Answer::StaleFloor(floor));
        }
    }
}
