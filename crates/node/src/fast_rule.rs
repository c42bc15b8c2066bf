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
    /// The leader of the vertex says so, durably: that the union of some votes is chosen, its
    /// own among them. It may only if they are so many, and each dependency is named by so many.
    LeaderNamed {
        /// How many vote.
        size: usize,
        /// How many of them name it.
        count: usize,
    },
}

impl FastRule {
    /// The dependencies that these votes choose, if they choose.
    #[must_use]
    pub fn chosen(&self, votes: &BTreeMap<NodeId, DepSet>) -> Option<DepSet> {
        let have_voted: NodeSet = votes.keys().copied().collect();
        let union = union(votes);
        let holds = match self {
            FastRule::None | FastRule::Leader { .. } | FastRule::LeaderNamed { .. } => false,
            FastRule::AllEqual { voters } => {
                have_voted == *voters && votes.values().all(|deps| *deps == union)
            }
            FastRule::AllNamed { voters, count } => have_voted == *voters && is_named(votes, &union, *count),
        };
        holds.then_some(union)
    }

    /// The dependencies that are chosen when this leader says that it decided, if it may: `by`
    /// whose votes and for what, where that is not simply its own vote.
    #[must_use]
    pub fn decided_by(
        &self,
        leader: NodeId,
        votes: &BTreeMap<NodeId, DepSet>,
        by: Option<&(NodeSet, DepSet)>,
    ) -> Option<DepSet> {
        let own = votes.get(&leader)?;
        match (self, by) {
            (FastRule::Leader { count }, None) => {
                (votes.values().filter(|deps| *deps == own).count() >= *count).then(|| own.clone())
            }
            (FastRule::LeaderNamed { size, count }, Some((voters, deps))) => {
                let cast: BTreeMap<NodeId, DepSet> = votes
                    .iter()
                    .filter(|(node, _)| voters.contains(**node))
                    .map(|(node, deps)| (*node, deps.clone()))
                    .collect();
                let is_whole = voters.contains(leader) && cast.len() == voters.len() && cast.len() >= *size;
                (is_whole && union(&cast) == *deps && is_named(&cast, deps, *count)).then(|| deps.clone())
            }
            _ => None,
        }
    }
}

fn union(votes: &BTreeMap<NodeId, DepSet>) -> DepSet {
    let mut union = DepSet::default();
    votes.values().for_each(|deps| union.union(deps));
    union
}

/// Whether so many of the votes name each of their dependencies.
fn is_named(votes: &BTreeMap<NodeId, DepSet>, union: &DepSet, count: usize) -> bool {
    union.as_prefix().iter().all(|(leader, below)| {
        below == 0 || votes.values().filter(|deps| deps.below(leader) == below).count() >= count
    })
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
    fn a_leader_decides_with_what_enough_votes_name() {
        let decided = |votes: &[u64], voters: usize, below: u64| {
            let vote = |(index, below): (usize, &u64)| (NodeId::new(index), deps(*below));
            let votes = votes.iter().enumerate().map(vote).collect();
            let rule = FastRule::LeaderNamed { size: 3, count: 2 };
            rule.decided_by(NodeId::new(0), &votes, Some(&(NodeSet::first(voters), deps(below))))
        };
        assert_eq!(decided(&[0, 4, 4, 9], 3, 4), Some(deps(4)), "the fourth is not asked");
        assert_eq!(decided(&[0, 4, 3], 3, 4), None, "only one names the fourth");
        assert_eq!(decided(&[4, 4, 4], 3, 3), None, "less than the union");
        assert_eq!(decided(&[4, 4, 4], 2, 4), None, "too few");
        assert_eq!(decided(&[4, 4], 3, 4), None, "one has not voted");
    }

    #[test]
    fn a_leader_decides_with_votes_like_its_own() {
        let decided = |votes: &[u64]| {
            let vote = |(index, below): (usize, &u64)| (NodeId::new(index), deps(*below));
            let votes = votes.iter().enumerate().map(vote).collect();
            FastRule::Leader { count: 2 }.decided_by(NodeId::new(0), &votes, None)
        };
        assert_eq!(decided(&[4, 4, 5]), Some(deps(4)));
        assert_eq!(decided(&[4, 5, 5]), None);
        assert_eq!(decided(&[]), None);
        assert_eq!(chosen(FastRule::Leader { count: 2 }, &[4, 4, 4]), None, "the votes alone decide nothing");
    }
}
