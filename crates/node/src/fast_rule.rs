use isegoria_types::{DepSet, NodeId, NodeSet};
use std::collections::BTreeMap;

/// How values are chosen in ballot 0 by votes that each voter makes up itself, for whoever
/// counts votes from outside: written down a second time, apart from the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FastRule {
    /// They are not.
    None,
    /// All voters vote for the same.
    AllEqual {
        /// Who votes.
        voters: NodeSet,
    },
    /// All voters vote, and each dependency that one of them names is named by so many of
    /// them; the union of the dependencies is chosen.
    AllNamed {
        /// Who votes.
        voters: NodeSet,
        /// How many name it.
        count: usize,
    },
    /// The leader of the vertex says so, durably: that its own vote is chosen. It may only if
    /// so many votes are equal to it, its own among them.
    Leader {
        /// How many are equal.
        count: usize,
    },
}

impl FastRule {
    /// The dependencies that these votes choose, if they choose.
    #[must_use]
    pub fn chosen(&self, votes: &BTreeMap<NodeId, DepSet>) -> Option<DepSet> {
        let have_voted: NodeSet = votes.keys().copied().collect();
        let mut union = DepSet::default();
        votes.values().for_each(|deps| union.union(deps));
        let is_named = |count: usize, (leader, below)| {
            below == 0 || votes.values().filter(|deps| deps.below(leader) == below).count() >= count
        };
        let holds = match self {
            FastRule::None | FastRule::Leader { .. } => false,
            FastRule::AllEqual { voters } => {
                have_voted == *voters && votes.values().all(|deps| *deps == union)
            }
            FastRule::AllNamed { voters, count } => {
                have_voted == *voters && union.as_prefix().iter().all(|column| is_named(*count, column))
            }
        };
        holds.then_some(union)
    }

    /// The dependencies that are chosen when this leader says that it decided, if it may.
    #[must_use]
    pub fn decided_by(&self, leader: NodeId, votes: &BTreeMap<NodeId, DepSet>) -> Option<DepSet> {
        let FastRule::Leader { count } = self else { return None };
        let own = votes.get(&leader)?;
        (votes.values().filter(|deps| *deps == own).count() >= *count).then(|| own.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::Prefix;

    fn deps(below: u64) -> DepSet {
        DepSet::from_prefix(Prefix::new(&[0, below]))
    }

    fn chosen(rule: FastRule, votes: &[u64]) -> Option<DepSet> {
        let vote = |(index, below): (usize, &u64)| (NodeId::new(index), deps(*below));
        rule.chosen(&votes.iter().enumerate().map(vote).collect())
    }

    #[test]
    fn votes_choose_by_the_rule() {
        let voters = NodeSet::first(3);
        let (equal, named) = (FastRule::AllEqual { voters }, FastRule::AllNamed { voters, count: 2 });
        assert_eq!(chosen(equal, &[4, 4, 4]), Some(deps(4)));
        assert_eq!(chosen(equal, &[4, 4]), None, "one has not voted");
        assert_eq!(chosen(equal, &[4, 4, 3]), None);
        assert_eq!(chosen(named, &[4, 4, 3]), Some(deps(4)), "the union");
        assert_eq!(chosen(named, &[4, 3, 3]), None, "only one names the fourth");
        assert_eq!(chosen(named, &[0, 0, 0]), Some(deps(0)));
        assert_eq!(chosen(named, &[4, 4]), None);
        assert_eq!(chosen(FastRule::None, &[4, 4, 4]), None);
    }

    #[test]
    fn a_leader_decides_with_votes_like_its_own() {
        let decided = |votes: &[u64]| {
            let vote = |(index, below): (usize, &u64)| (NodeId::new(index), deps(*below));
            let votes = votes.iter().enumerate().map(vote).collect();
            FastRule::Leader { count: 2 }.decided_by(NodeId::new(0), &votes)
        };
        assert_eq!(decided(&[4, 4, 5]), Some(deps(4)));
        assert_eq!(decided(&[4, 5, 5]), None);
        assert_eq!(decided(&[]), None);
        assert_eq!(chosen(FastRule::Leader { count: 2 }, &[4, 4, 4]), None, "the votes alone decide nothing");
    }
}
