use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// The most nodes one cluster may have: a [`NodeSet`] is one machine word.
pub const NODE_COUNT_MAX: usize = 64;

/// A node process, numbered from 0 in the order of the layout. Also its address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NodeId(u8);

impl NodeId {
    /// The node with this index in the layout.
    ///
    /// # Panics
    /// If `index` is [`NODE_COUNT_MAX`] or more: layouts are checked before ids are made.
    #[must_use]
    pub fn new(index: usize) -> NodeId {
        assert!(index < NODE_COUNT_MAX, "node index {index} is not below {NODE_COUNT_MAX}");
        NodeId(u8::try_from(index).expect("below 64"))
    }

    /// The other nodes of a cluster of `count`, in the order of the ring: the next one first.
    pub fn ring(self, count: usize) -> impl Iterator<Item = NodeId> {
        (1..count).map(move |step| NodeId::new((self.index() + step) % count))
    }

    /// This node's index in the layout.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
        let index = u8::deserialize(deserializer)?;
        if usize::from(index) < NODE_COUNT_MAX {
            Ok(NodeId(index))
        } else {
            Err(serde::de::Error::custom("node id out of range"))
        }
    }
}

/// `n1` is the node with index 0: people count from one.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0 + 1)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of nodes, one bit a node.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeSet(u64);

impl NodeSet {
    /// The set without members.
    pub const EMPTY: NodeSet = NodeSet(0);

    /// The nodes with index below `count`.
    #[must_use]
    pub fn first(count: usize) -> NodeSet {
        (0..count).map(NodeId::new).collect()
    }

    /// The set whose members are the bits of `bits`, lowest first.
    #[must_use]
    pub fn from_bits(bits: u64) -> NodeSet {
        NodeSet(bits)
    }

    /// The set of this one node.
    #[must_use]
    pub fn only(node: NodeId) -> NodeSet {
        NodeSet(1 << node.0)
    }

    /// Whether `node` is a member.
    #[must_use]
    pub fn contains(self, node: NodeId) -> bool {
        self.0 >> node.0 & 1 == 1
    }

    /// Adds `node`; says whether it was new.
    pub fn insert(&mut self, node: NodeId) -> bool {
        let fresh = !self.contains(node);
        self.0 |= 1 << node.0;
        fresh
    }

    /// This set with `node` taken out.
    #[must_use]
    pub fn without(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 & !(1 << node.0))
    }

    /// The members of both.
    #[must_use]
    pub fn intersection(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & other.0)
    }

    /// The members of either.
    #[must_use]
    pub fn union(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 | other.0)
    }

    /// The members of this set that `other` lacks.
    #[must_use]
    pub fn difference(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & !other.0)
    }

    /// The number of members.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, lowest index first.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            let lowest = bits.trailing_zeros() as usize;
            (lowest < NODE_COUNT_MAX).then(|| {
                bits &= bits - 1;
                NodeId::new(lowest)
            })
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> NodeSet {
        nodes.into_iter().fold(NodeSet::EMPTY, |mut set, node| {
            set.insert(node);
            set
        })
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.iter().map(|node| node.to_string()).collect();
        write!(f, "{{{}}}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_lists_its_members_in_order() {
        let set: NodeSet = [3, 0, 63].into_iter().map(NodeId::new).collect();
        assert_eq!(set.iter().map(NodeId::index).collect::<Vec<_>>(), [0, 3, 63]);
        assert_eq!(set.len(), 3);
        assert_eq!(set.to_string(), "{n1, n4, n64}");
    }

    #[test]
    fn an_out_of_range_id_is_a_decode_error() {
        assert!(postcard::from_bytes::<NodeId>(&[64]).is_err());
        assert_eq!(postcard::from_bytes::<NodeId>(&[63]).map(NodeId::index), Ok(63));
    }
}
