//! Fast against dumb, the visibility property, bounded memory, and proof that each
//! of these checks can fail.

mod bounded;
mod same_as_naive;
mod scopes;
mod scripts;
mod visibility;

use crate::{Answer, KeyedIndex, NaiveIndex};
use isegoria_types::{Access, Class, Conflicts, DepSet, Footprint, KeyHash, NodeId, NodeSet, Prefix, Vertex};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub(super) const LEADER_COUNT: usize = 3;

pub(super) fn vertex(leader: usize, number: u64) -> Vertex {
    Vertex::new(NodeId::new(leader), number)
}

pub(super) fn write(key: u64) -> Footprint {
    Footprint::keys([(KeyHash(key), Access::Exclusive)])
}

/// Ranges of numbers, which conflict where they overlap.
pub(super) fn conflicts() -> Conflicts {
    Conflicts::pairwise(|a: &(u8, u8), b: &(u8, u8)| a.0 < b.1 && b.0 < a.1)
}

/// Everything, nothing, one key, a batch with several accesses of few keys, or scopes besides.
pub(super) fn random_footprint(dice: &mut ChaCha8Rng, key_count: u64) -> Footprint {
    let access = |dice: &mut ChaCha8Rng| match dice.random_range(0..4u8) {
        0 => Access::Exclusive,
        class => Access::Shared(Class::new(class - 1)),
    };
    let count = match dice.random_range(0..20) {
        0 => return Footprint::Everything,
        1 => 0,
        2..=13 => 1,
        _ => dice.random_range(2..6),
    };
    let mut footprint =
        Footprint::keys((0..count).map(|_| (KeyHash(dice.random_range(0..key_count)), access(dice))));
    for _ in 0..dice.random_range(0..6u8).saturating_sub(3) {
        let begin = dice.random_range(0..20);
        footprint.scope(&(begin, begin + dice.random_range(1..4)));
    }
    // A scope that no node understands is like everything.
    if dice.random_range(0..60) == 0 {
        footprint.scope(&());
    }
    footprint
}

/// What the tests ask of an index, correct or broken.
pub(super) trait Index: Clone {
    fn fresh() -> Self;
    fn compute(&mut self, vertex: Vertex, footprint: &Footprint, floor: &Prefix) -> Answer;
    fn announce(&mut self, leader: NodeId, floor: &Prefix);
    fn collect(&mut self);
}

impl Index for KeyedIndex {
    fn fresh() -> Self {
        KeyedIndex::new(NodeSet::first(LEADER_COUNT), 7, &conflicts())
    }
    fn compute(&mut self, vertex: Vertex, footprint: &Footprint, floor: &Prefix) -> Answer {
        self.compute(vertex, footprint, floor)
    }
    fn announce(&mut self, leader: NodeId, floor: &Prefix) {
        self.announce(leader, floor);
    }
    fn collect(&mut self) {
        self.collect();
    }
}

impl Index for NaiveIndex {
    fn fresh() -> Self {
        NaiveIndex::new(NodeSet::first(LEADER_COUNT), &conflicts())
    }
    fn compute(&mut self, vertex: Vertex, footprint: &Footprint, floor: &Prefix) -> Answer {
        self.compute(vertex, footprint, floor)
    }
    fn announce(&mut self, leader: NodeId, floor: &Prefix) {
        self.announce(leader, floor);
    }
    fn collect(&mut self) {
        self.collect();
    }
}

/// How an index may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// Commands that conflict with everything are recorded like those without keys.
    NoBarrier,
    /// All shared classes commute.
    ClassesCommute,
    /// A batch is recorded under its first access only.
    FirstAccessOnly,
    /// Scopes are looked up and never recorded.
    ScopesForgotten,
    /// Drops as soon as one leader's floor allows it.
    AnyFloor,
    /// Judges what it can no longer judge.
    NeverStale,
}

/// A keyed index with one planted bug.
#[derive(Clone)]
pub(super) struct Broken {
    bug: Bug,
    index: KeyedIndex,
}

thread_local! {
    static PLANTED: std::cell::Cell<Bug> = const { std::cell::Cell::new(Bug::NoBarrier) };
}

/// Runs `check` with [`Broken`] indexes that have this bug.
pub(super) fn with_bug<T>(bug: Bug, check: impl FnOnce() -> T) -> T {
    PLANTED.set(bug);
    check()
}

impl Broken {
    fn recorded_as(&self, footprint: &Footprint) -> Footprint {
        match (self.bug, footprint) {
            (Bug::NoBarrier, Footprint::Everything) => Footprint::default(),
            (Bug::FirstAccessOnly, Footprint::Keys(list)) => {
                Footprint::Keys(list.first().copied().into_iter().collect())
            }
            (Bug::ScopesForgotten, Footprint::Scoped(_)) => {
                Footprint::keys(footprint.accesses().iter().copied())
            }
            _ => footprint.clone(),
        }
    }

    fn seen_as(&self, footprint: &Footprint) -> Footprint {
        match (self.bug, footprint) {
            (Bug::ClassesCommute, Footprint::Keys(list)) => {
                Footprint::keys(list.iter().map(|(key, access)| match access {
                    Access::Shared(_) => (*key, Access::Shared(Class::READ)),
                    Access::Exclusive => (*key, *access),
                }))
            }
            _ => footprint.clone(),
        }
    }
}

impl Index for Broken {
    fn fresh() -> Self {
        Broken { bug: PLANTED.get(), index: KeyedIndex::fresh() }
    }
    fn compute(&mut self, vertex: Vertex, footprint: &Footprint, floor: &Prefix) -> Answer {
        let seen = self.seen_as(footprint);
        let mut judged = floor.clone();
        if self.bug == Bug::NeverStale {
            judged.union(self.index.dropped());
        }
        let answer = match self.index.deps(&seen, &judged) {
            // What the sender's floor would have said, without the help of the dropped one.
            Answer::Deps(deps) if self.bug == Bug::NeverStale => Answer::Deps(without(&deps, &judged, floor)),
            answer => answer,
        };
        if let Answer::Deps(_) = answer {
            self.index.record(vertex, &self.recorded_as(&seen));
        }
        answer
    }
    fn announce(&mut self, leader: NodeId, floor: &Prefix) {
        if self.bug == Bug::AnyFloor {
            (0..LEADER_COUNT).for_each(|other| self.index.announce(NodeId::new(other), floor));
        }
        self.index.announce(leader, floor);
    }
    fn collect(&mut self) {
        self.index.collect();
    }
}

/// `deps` with the columns that only `judged` accounts for put back to `floor`.
fn without(deps: &DepSet, judged: &Prefix, floor: &Prefix) -> DepSet {
    let below = (0..LEADER_COUNT).map(|leader| {
        let leader = NodeId::new(leader);
        if deps.below(leader) == judged.below(leader) { floor.below(leader) } else { deps.below(leader) }
    });
    DepSet::from_prefix(Prefix::new(&below.collect::<Vec<_>>()))
}
