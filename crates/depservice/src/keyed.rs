use crate::entry::Entry;
use crate::floors::Floors;
use crate::scopes::Scopes;
use crate::sweep::{SWEEP_PER_ACCESS, SWEEP_PER_COLLECT, Sweep};
use crate::{Answer, Checkpoint, Collected};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use isegoria_types::{Access, Conflicts, DepSet, Footprint, KeyHash, NodeId, NodeSet, Prefix, Vertex};
use std::fmt;
use std::hash::BuildHasher;

/// Entries in one piece of a checkpoint.
const ENTRIES_A_PIECE: usize = 1024;

/// The conflict index for footprints: per key and access, and per scope, the largest
/// vertex number per leader (prefix semantics; protocols.md 2.2).
///
/// Entries lie densely in a vector, and the hash table only finds positions: so a
/// sweep walks memory in order, growing moves 16 bytes a key, and nothing depends
/// on the table's order or seed.
///
/// Invariant: for every vertex recorded, every (key, access) and every scope of its footprint
/// has a mark that covers it, or the dropped floor does.
#[derive(Clone)]
pub struct KeyedIndex {
    hasher: FixedState,
    positions: HashTable<(u64, u32)>,
    entries: Vec<Entry>,
    scopes: Scopes,
    /// Every vertex recorded.
    seen: Prefix,
    /// The vertices that conflict with everything.
    barrier: Prefix,
    floors: Floors,
    sweep: Sweep,
}

impl KeyedIndex {
    /// An empty index in a cluster with these leaders, for footprints whose scopes conflict
    /// by `conflicts`. The seed guards the hash table against keys chosen to collide; it
    /// never changes an answer.
    #[must_use]
    pub fn new(leaders: NodeSet, seed: u64, conflicts: &Conflicts) -> KeyedIndex {
        KeyedIndex {
            hasher: FixedState::with_seed(seed),
            positions: HashTable::new(),
            entries: Vec::new(),
            scopes: Scopes::new(conflicts.clone()),
            seen: Prefix::default(),
            barrier: Prefix::default(),
            floors: Floors::new(leaders),
            sweep: Sweep::Idle,
        }
    }

    /// The dependencies of `footprint`, without recording anything: for quorum reads.
    #[must_use]
    pub fn deps(&self, footprint: &Footprint, sender_floor: &Prefix) -> Answer {
        match self.base(self.scopes.conflicts().is_everything(footprint), sender_floor) {
            Err(stale) => stale,
            Ok(mut deps) => {
                for run in runs(footprint) {
                    if let Ok(position) = self.find(run[0].0.0) {
                        gather(&self.entries[position], run, &mut deps);
                    }
                }
                footprint.scopes().iter().for_each(|scope| self.scopes.gather(scope, &mut deps));
                Answer::Deps(DepSet::from_prefix(deps))
            }
        }
    }

    /// The dependencies of `vertex`, which is then recorded. Asked again, the answer
    /// can only have grown, and may cover the vertex itself, which readers ignore.
    ///
    /// Whoever takes vertices from a network checks first that the number is plausible:
    /// a recorded number stands for all below it.
    pub fn compute(&mut self, vertex: Vertex, footprint: &Footprint, sender_floor: &Prefix) -> Answer {
        let everything = self.scopes.conflicts().is_everything(footprint);
        let mut deps = match self.base(everything, sender_floor) {
            Err(stale) => return stale,
            Ok(deps) => deps,
        };
        let wanted = self.note(vertex, everything);
        for run in runs(footprint) {
            match self.find(run[0].0.0) {
                Ok(position) => {
                    let entry = &mut self.entries[position];
                    // All accesses of the key before any is recorded: a batch that reads
                    // and writes a key does not conflict with itself.
                    gather(entry, run, &mut deps);
                    if wanted {
                        run.iter().for_each(|(_, access)| entry.cover(*access, vertex));
                    }
                }
                Err(hash) if wanted => self.insert(hash, run, vertex),
                Err(_) => {}
            }
        }
        footprint.scopes().iter().for_each(|scope| self.scopes.gather(scope, &mut deps));
        if wanted {
            footprint.scopes().iter().for_each(|scope| self.scopes.cover(scope, vertex));
        }
        self.sweep_for(footprint);
        Answer::Deps(DepSet::from_prefix(deps))
    }

    /// Records `vertex` under all its accesses: on accept and commit, and on replay.
    pub fn record(&mut self, vertex: Vertex, footprint: &Footprint) {
        if self.note(vertex, self.scopes.conflicts().is_everything(footprint)) {
            for run in runs(footprint) {
                match self.find(run[0].0.0) {
                    Ok(position) => {
                        let entry = &mut self.entries[position];
                        run.iter().for_each(|(_, access)| entry.cover(*access, vertex));
                    }
                    Err(hash) => self.insert(hash, run, vertex),
                }
            }
            footprint.scopes().iter().for_each(|scope| self.scopes.cover(scope, vertex));
        }
        self.sweep_for(footprint);
    }

    /// Whether two commands with these footprints conflict; see [`Conflicts::conflict`].
    #[must_use]
    pub fn conflict(&self, one: &Footprint, other: &Footprint) -> bool {
        self.scopes.conflicts().conflict(one, other)
    }

    /// Remembers that every later request of `leader` carries at least `floor`.
    /// Announcements may come late and in any order.
    pub fn announce(&mut self, leader: NodeId, floor: &Prefix) {
        self.floors.announce(leader, floor);
    }

    /// What every leader has announced to be covered by its floor, and may be dropped.
    #[must_use]
    pub fn drop_floor(&self) -> Prefix {
        self.floors.minimum()
    }

    /// What has been dropped: requests whose floor does not cover it are refused.
    #[must_use]
    pub fn dropped(&self) -> &Prefix {
        self.floors.dropped()
    }

    /// Drops what is covered by the floors of all leaders, a bounded number of entries a call.
    pub fn collect(&mut self) -> Collected {
        let floor = self.drop_floor();
        self.collect_to(&floor)
    }

    /// [`KeyedIndex::collect`] for protocols with a further condition (EPaxos*,
    /// protocols.md 3.6.8): drops nothing beyond `limit`.
    pub fn collect_within(&mut self, limit: &Prefix) -> Collected {
        let mut floor = self.drop_floor();
        floor.intersect(limit);
        self.collect_to(&floor)
    }

    /// Drops what is covered by an agreed cut, whatever the leaders have announced: one
    /// that is away must not fill the memory. It is answered `StaleFloor` when it is back.
    pub fn cut(&mut self, cut: &Prefix) -> Collected {
        self.collect_to(cut)
    }

    fn collect_to(&mut self, floor: &Prefix) -> Collected {
        self.drop_to(floor);
        let dropped_count = self.advance(SWEEP_PER_COLLECT);
        Collected { dropped_count, unfinished: self.sweep != Sweep::Idle || !self.scopes.is_swept() }
    }

    fn drop_to(&mut self, floor: &Prefix) {
        if self.floors.drop_to(floor) {
            self.sweep.restart();
            self.scopes.restart();
        }
    }

    /// The number of keys and scopes with an entry, those included that wait to be swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() + self.scopes.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The contents in normal form: equal contents give equal checkpoints, whatever
    /// the history, the seed and the state of the sweep.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let dropped = self.dropped();
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .flat_map(|entry| {
                entry.accesses().map(|(access, marks)| (KeyHash(entry.key), access, above(marks, dropped)))
            })
            .filter(|(_, _, marks)| !marks.is_empty())
            .collect();
        entries.sort_unstable_by_key(|(key, access, _)| (*key, *access));
        Checkpoint {
            dropped: dropped.clone(),
            announced: self.floors.announced().map(|(leader, floor)| (leader, floor.clone())).collect(),
            seen: self.seen.clone(),
            barrier: self.barrier.clone(),
            entries,
            scopes: self
                .scopes
                .iter()
                .map(|(scope, marks)| (scope.clone(), above(marks, dropped)))
                .filter(|(_, marks)| !marks.is_empty())
                .collect(),
        }
    }

    /// The contents in pieces that fit into records; [`KeyedIndex::absorb`] takes them.
    pub fn pieces(&self) -> impl Iterator<Item = Checkpoint> + use<> {
        self.checkpoint().pieces(ENTRIES_A_PIECE).into_iter()
    }

    /// Adds the contents of a checkpoint, or of a piece of one; in any order, and twice if need be.
    pub fn absorb(&mut self, checkpoint: &Checkpoint) {
        for (leader, floor) in &checkpoint.announced {
            self.announce(*leader, floor);
        }
        self.seen.union(&checkpoint.seen);
        self.barrier.union(&checkpoint.barrier);
        for (key, access, marks) in &checkpoint.entries {
            match self.find(key.0) {
                Ok(position) => self.entries[position].union(*access, marks),
                Err(hash) => self.push(hash, Entry::new(&[(*key, *access)], marks)),
            }
        }
        for (scope, marks) in &checkpoint.scopes {
            self.scopes.union(scope, marks);
            // Of another relation than this one: it is found by nobody, so it conflicts with everything.
            if !self.scopes.conflicts().knows(scope) {
                self.barrier.union(marks);
            }
        }
        self.drop_to(&checkpoint.dropped);
    }

    /// What every answer to this request contains before its keys are looked up.
    fn base(&self, everything: bool, sender_floor: &Prefix) -> Result<Prefix, Answer> {
        if !sender_floor.covers(self.dropped()) {
            return Err(Answer::StaleFloor(self.dropped().clone()));
        }
        let mut deps = sender_floor.clone();
        deps.union(if everything { &self.seen } else { &self.barrier });
        Ok(deps)
    }

    /// Records `vertex` apart from its keys; says whether those are wanted. Not so
    /// below the dropped floor, which every answer covers: an entry would be garbage.
    fn note(&mut self, vertex: Vertex, everything: bool) -> bool {
        self.seen.cover(vertex);
        if everything {
            self.barrier.cover(vertex);
        }
        !self.dropped().contains(vertex)
    }

    /// The position of a key's entry, or else the key's place in the hash table.
    fn find(&self, key: u64) -> Result<usize, u64> {
        let hash = self.hasher.hash_one(key);
        self.positions.find(hash, |(other, _)| *other == key).map(|(_, at)| *at as usize).ok_or(hash)
    }

    fn insert(&mut self, hash: u64, run: &[(KeyHash, Access)], vertex: Vertex) {
        let mut marks = Prefix::default();
        marks.cover(vertex);
        self.push(hash, Entry::new(run, &marks));
    }

    fn push(&mut self, hash: u64, entry: Entry) {
        let position = u32::try_from(self.entries.len()).expect("fewer than four thousand million keys");
        let hasher = &self.hasher;
        self.positions.insert_unique(hash, (entry.key, position), |(key, _)| hasher.hash_one(*key));
        self.entries.push(entry);
    }

    /// Sweeps as much as recording `footprint` may have added.
    fn sweep_for(&mut self, footprint: &Footprint) {
        let count = footprint.accesses().len() + footprint.scopes().len();
        self.advance(SWEEP_PER_ACCESS * count.max(usize::from(footprint.is_everything())));
    }

    /// Examines up to `budget` entries; returns how many of them it dropped.
    fn advance(&mut self, budget: usize) -> usize {
        let mut dropped_count = self.scopes.advance(budget, self.floors.dropped());
        for _ in 0..budget {
            let Some(position) = self.sweep.next(self.entries.len()) else { break };
            if self.entries[position].is_covered(self.floors.dropped()) {
                self.remove(position);
                self.sweep.step_back();
                dropped_count += 1;
            }
        }
        dropped_count
    }

    /// Removes the entry at `position`; the last one, not yet examined, takes its place.
    fn remove(&mut self, position: usize) {
        let key = self.entries.swap_remove(position).key;
        let hash = self.hasher.hash_one(key);
        let found = self.positions.find_entry(hash, |(other, _)| *other == key);
        found.expect("every entry has its position").remove();
        if let Some(moved) = self.entries.get(position) {
            let hash = self.hasher.hash_one(moved.key);
            let place = self.positions.find_mut(hash, |(other, _)| *other == moved.key);
            place.expect("every entry has its position").1 = u32::try_from(position).expect("it shrank");
        }
    }
}

/// A footprint's accesses, key by key: in normal form those of one key are neighbours.
fn runs(footprint: &Footprint) -> impl Iterator<Item = &[(KeyHash, Access)]> {
    footprint.accesses().chunk_by(|one, next| one.0 == next.0)
}

fn gather(entry: &Entry, run: &[(KeyHash, Access)], deps: &mut Prefix) {
    run.iter().for_each(|(_, access)| entry.gather(*access, deps));
}

/// The marks that `floor` does not already say.
fn above(marks: &Prefix, floor: &Prefix) -> Prefix {
    let mut kept = Prefix::default();
    for (leader, below) in marks.iter().filter(|(leader, below)| *below > floor.below(*leader)) {
        kept.raise(leader, below);
    }
    kept
}

/// A summary: the order of the entries is nobody's business.
impl fmt::Debug for KeyedIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedIndex")
            .field("keys", &self.entries.len())
            .field("scopes", &self.scopes.len())
            .field("seen", &self.seen)
            .field("barrier", &self.barrier)
            .field("floors", &self.floors)
            .finish_non_exhaustive()
    }
}
