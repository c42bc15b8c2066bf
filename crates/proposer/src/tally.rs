use isegoria_types::{NodeId, NodeSet, Quorum};

/// Answers by node, at most one each, in the order of nodes. Where only the fact of
/// an answer counts, a [`NodeSet`] does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tally<T> {
    answers: Vec<(NodeId, T)>,
}

impl<T> Default for Tally<T> {
    fn default() -> Tally<T> {
        Tally { answers: Vec::new() }
    }
}

impl<T> Tally<T> {
    /// Notes `node`'s answer; says whether it is the first of this node. A repeated
    /// answer changes nothing, whatever it says.
    pub fn answer(&mut self, node: NodeId, answer: T) -> bool {
        match self.answers.binary_search_by_key(&node, |(from, _)| *from) {
            Ok(_) => false,
            Err(position) => {
                self.answers.insert(position, (node, answer));
                true
            }
        }
    }

    /// The answer of `node`.
    #[must_use]
    pub fn get(&self, node: NodeId) -> Option<&T> {
        let position = self.answers.binary_search_by_key(&node, |(from, _)| *from).ok()?;
        Some(&self.answers[position].1)
    }

    /// Who has answered.
    #[must_use]
    pub fn set(&self) -> NodeSet {
        self.answers.iter().map(|(node, _)| *node).collect()
    }

    /// Whether a quorum has answered.
    #[must_use]
    pub fn is_quorum(&self, quorum: &Quorum) -> bool {
        quorum.is_quorum(self.set())
    }

    /// The answers, in the order of nodes.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &T)> {
        self.answers.iter().map(|(node, answer)| (*node, answer))
    }

    /// The number of answers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether nobody has answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Fast against dumb: every sequence of up to five answers of four nodes.
    #[test]
    fn behaves_like_an_ordered_map_that_keeps_the_first() {
        let quorum = Quorum::majority(NodeSet::first(4));
        for sequence in 0..4usize.pow(5) {
            let (mut tally, mut dumb) = (Tally::default(), BTreeMap::new());
            for time in 0..5u32 {
                let node = NodeId::new(sequence / 4usize.pow(time) % 4);
                let fresh = !dumb.contains_key(&node);
                dumb.entry(node).or_insert(time);
                assert_eq!(tally.answer(node, time), fresh);
                assert_eq!(tally.get(node), dumb.get(&node));
                assert!(tally.iter().eq(dumb.iter().map(|(node, answer)| (*node, answer))));
                assert_eq!((tally.len(), tally.set().len()), (dumb.len(), dumb.len()));
                assert_eq!(tally.is_quorum(&quorum), dumb.len() >= 3);
            }
        }
    }
}
