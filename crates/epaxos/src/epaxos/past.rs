use crate::Value;
use crate::epaxos::choose::{Conflict, Fate};
use crate::epaxos::instance::{Instance, PreAccepted};
use isegoria_depservice::{Answer, Checkpoint, KeyedIndex};
use isegoria_types::{Conflicts, DepSet, Footprint, Layout, Prefix, Vertex};
use std::collections::{BTreeMap, BTreeSet};

/// What is left of vertices that are executed here, and whose values were given up although
/// not every leader's requests cover them: one that is away must not fill the memory
/// (protocols.md 3.6.8).
///
/// Invariant: it says what a validation needs to know, exactly. What is given up is closed: all
/// that it depends on is given up, too. So a vertex that is not is none of that, and whatever
/// conflicts with it here was chosen without it. For each key or scope the largest such vertex of
/// each leader is enough. As many entries as keys and scopes were used since, and the noops, of which there
/// are few: a machine whose scopes never come again fills it for as long as a leader is away.
///
/// Of a vertex that nothing here speaks of nothing is known: neither that it was chosen with
/// commands, nor that it is a noop.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// What is chosen with commands.
    index: KeyedIndex,
    noops: BTreeSet<Vertex>,
    /// What a snapshot has executed, so that it is not known here what was chosen.
    unheard: BTreeMap<Vertex, PreAccepted>,
}

impl Past {
    pub(crate) fn new(layout: &Layout, seed: u64, conflicts: &Conflicts) -> Past {
        let index = KeyedIndex::new(layout.leaders, seed, conflicts);
        Past { index, noops: BTreeSet::new(), unheard: BTreeMap::new() }
    }

    /// The value of a vertex is given up.
    pub(crate) fn take(&mut self, vertex: Vertex, instance: Instance) {
        match (instance.cell.chosen(), instance.asked) {
            (Some(value), _) if value.batch.is_noop() => drop(self.noops.insert(vertex)),
            (Some(value), _) => self.index.record(vertex, &value.batch.footprint()),
            (None, Some(asked)) => drop(self.unheard.insert(vertex, asked)),
            (None, None) => {}
        }
    }

    /// What speaks against a vertex with these dependencies, which cover what is forgotten.
    pub(crate) fn against(&self, vertex: Vertex, footprint: &Footprint, deps: &DepSet) -> Vec<Conflict> {
        let Answer::Deps(seen) = self.index.deps(footprint, deps.as_prefix()) else {
            unreachable!("{vertex}: its dependencies cover what is forgotten")
        };
        let beyond = seen.as_prefix().iter().filter(|(leader, below)| deps.below(*leader) < *below);
        let committed = beyond
            .map(|(leader, below)| Conflict { vertex: Vertex::new(leader, below - 1), committed: true });
        let open = self.unheard.iter().filter(|(other, asked)| {
            let knows = asked.initial.contains(vertex) || deps.contains(**other);
            !knows && self.index.conflict(&asked.batch.footprint(), footprint)
        });
        let open = open.map(|(other, _)| Conflict { vertex: *other, committed: false });
        committed.chain(open).collect()
    }

    /// What became of a vertex whose value was given up, for one that waits for it with these
    /// dependencies; none, if it is not known here. Of its leader any vertex is as good that
    /// conflicts and was chosen without the one that waits.
    pub(crate) fn fate(&self, vertex: Vertex, footprint: &Footprint, deps: &DepSet) -> Option<Fate> {
        if self.noops.contains(&vertex) {
            return Some(Fate::With);
        }
        let Answer::Deps(seen) = self.index.deps(footprint, deps.as_prefix()) else { return None };
        (seen.below(vertex.leader) > deps.below(vertex.leader)).then_some(Fate::Without)
    }

    /// Somebody says what was chosen where a value was given up.
    pub(crate) fn learn(&mut self, vertex: Vertex, value: &Value) {
        self.unheard.remove(&vertex);
        if value.batch.is_noop() {
            self.noops.insert(vertex);
        } else {
            self.index.record(vertex, &value.batch.footprint());
        }
    }

    pub(crate) fn is_noop(&self, vertex: Vertex) -> bool {
        self.noops.contains(&vertex)
    }

    /// Every leader's requests cover this: nothing of it need be known.
    pub(crate) fn forget(&mut self, dropped: &Prefix) {
        if !self.index.is_empty() || !self.index.dropped().covers(dropped) {
            self.index.cut(dropped);
        }
        self.noops.retain(|vertex| !dropped.contains(*vertex));
        self.unheard.retain(|vertex, _| !dropped.contains(*vertex));
    }

    /// The contents, for a checkpoint: keys, noops, and what is not known.
    pub(crate) fn pieces(
        &self,
    ) -> (impl Iterator<Item = Checkpoint> + use<>, Vec<Vertex>, impl Iterator<Item = (Vertex, PreAccepted)>)
    {
        let noops = self.noops.iter().copied().collect();
        let unheard = self.unheard.iter().map(|(vertex, asked)| (*vertex, asked.clone()));
        (self.index.pieces(), noops, unheard)
    }

    /// Adds keys from a checkpoint.
    pub(crate) fn absorb(&mut self, keys: &Checkpoint) {
        self.index.absorb(keys);
    }

    /// Adds noops from a checkpoint.
    pub(crate) fn absorb_noops(&mut self, noops: Vec<Vertex>) {
        self.noops.extend(noops);
    }

    /// Adds what is not known from a checkpoint.
    pub(crate) fn absorb_unheard(&mut self, vertex: Vertex, asked: PreAccepted) {
        self.unheard.insert(vertex, asked);
    }

    /// Entries held.
    pub(crate) fn len(&self) -> usize {
        self.index.len() + self.noops.len() + self.unheard.len()
    }

    /// Everything in normal form, for fingerprints.
    pub(crate) fn contents(&self) -> (Checkpoint, &BTreeSet<Vertex>, &BTreeMap<Vertex, PreAccepted>) {
        (self.index.checkpoint(), &self.noops, &self.unheard)
    }
}
