use crate::{NodeId, Vertex};
use serde::{Deserialize, Deserializer, Serialize};
use smallvec::SmallVec;
use std::fmt;

/// A downward-closed set of vertices: for each leader, all vertices below a number.
///
/// Normal form: no trailing zeros, so equal sets are equal values. A log uses the
/// column of node 0 alone, for its slots.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Prefix(SmallVec<[u64; 5]>);

impl Prefix {
    /// The prefix that holds, of each leader `i`, the vertices below `below[i]`.
    #[must_use]
    pub fn new(below: &[u64]) -> Prefix {
        let mut prefix = Prefix(SmallVec::from_slice(below));
        prefix.normalise();
        prefix
    }

    fn normalise(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// The number below which all vertices of `leader` are members; 0 if none is.
    #[must_use]
    pub fn below(&self, leader: NodeId) -> u64 {
        self.0.get(leader.index()).copied().unwrap_or(0)
    }

    /// Whether `vertex` is a member.
    #[must_use]
    pub fn contains(&self, vertex: Vertex) -> bool {
        vertex.number < self.below(vertex.leader)
    }

    /// Makes every vertex of `leader` below `below` a member; never takes one out.
    pub fn raise(&mut self, leader: NodeId, below: u64) {
        let index = leader.index();
        if below == 0 {
            return;
        }
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0[index] = self.0[index].max(below);
    }

    /// Makes `vertex`, and all before it of its leader, members.
    pub fn cover(&mut self, vertex: Vertex) {
        self.raise(vertex.leader, vertex.number.saturating_add(1));
    }

    /// Adds all members of `other`.
    pub fn union(&mut self, other: &Prefix) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, theirs) in self.0.iter_mut().zip(&other.0) {
            *own = (*own).max(*theirs);
        }
    }

    /// Keeps only the members that `other` has too.
    pub fn intersect(&mut self, other: &Prefix) {
        self.0.truncate(other.0.len());
        for (own, theirs) in self.0.iter_mut().zip(&other.0) {
            *own = (*own).min(*theirs);
        }
        self.normalise();
    }

    /// Whether every member of `other` is a member.
    #[must_use]
    pub fn covers(&self, other: &Prefix) -> bool {
        other.iter().all(|(leader, below)| self.below(leader) >= below)
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of leaders up to and including the last with a member.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.len()
    }

    /// The number of members.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum: u64, below| sum.saturating_add(*below))
    }

    /// Each leader with the number below which its vertices are members, in order of leaders.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, u64)> + '_ {
        self.0.iter().enumerate().map(|(index, below)| (NodeId::new(index), *below))
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Prefix, D::Error> {
        let prefix = Prefix(SmallVec::deserialize(deserializer)?);
        if prefix.0.len() > crate::NODE_COUNT_MAX || prefix.0.last() == Some(&0) {
            return Err(serde::de::Error::custom("a prefix that is too wide or not in normal form"));
        }
        Ok(prefix)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<")?;
        for (index, below) in self.0.iter().enumerate() {
            write!(f, "{}{below}", if index == 0 { "" } else { " " })?;
        }
        write!(f, ">")
    }
}
