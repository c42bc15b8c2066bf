use crate::{NodeId, NodeSet};
use serde::{Deserialize, Serialize};

/// The most members for which quorums that are not plain counts are checked by enumeration.
const ENUMERATION_MAX: usize = 20;

/// A monotone predicate on sets of nodes: who must have answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Quorum {
    /// Any `count` of the members.
    AtLeast {
        /// Who counts.
        members: NodeSet,
        /// How many are needed.
        count: usize,
    },
    /// More than half of the members, or exactly half with the tie-breaker among them.
    TieBreaker {
        /// Who counts; an even number.
        members: NodeSet,
        /// The member whose presence decides a tie.
        node: NodeId,
    },
    /// All of at least one of these sets.
    AnyOf(Vec<NodeSet>),
}

impl Quorum {
    /// More than half of `members`.
    #[must_use]
    pub fn majority(members: NodeSet) -> Quorum {
        Quorum::AtLeast { members, count: members.len() / 2 + 1 }
    }

    /// Whether `set` contains a quorum.
    #[must_use]
    pub fn is_quorum(&self, set: NodeSet) -> bool {
        match self {
            Quorum::AtLeast { members, count } => set.intersection(*members).len() >= *count,
            Quorum::TieBreaker { members, node } => {
                let present = set.intersection(*members).len();
                present * 2 > members.len() || (present * 2 == members.len() && set.contains(*node))
            }
            Quorum::AnyOf(sets) => sets.iter().any(|quorum| quorum.difference(set).is_empty()),
        }
    }

    /// Every node that belongs to some minimal quorum.
    #[must_use]
    pub fn members(&self) -> NodeSet {
        match self {
            Quorum::AtLeast { members, .. } | Quorum::TieBreaker { members, .. } => *members,
            Quorum::AnyOf(sets) => sets.iter().fold(NodeSet::EMPTY, |all, set| all.union(*set)),
        }
    }

    /// The size of the smallest quorum, nodes.
    #[must_use]
    pub fn size_min(&self) -> usize {
        match self {
            Quorum::AtLeast { count, .. } => *count,
            Quorum::TieBreaker { members, .. } => members.len() / 2,
            Quorum::AnyOf(sets) => sets.iter().map(|set| set.len()).min().unwrap_or(0),
        }
    }

    /// The least `r` with a quorum among the nodes that are within `r`: when the last answer of
    /// the nearest quorum comes. Infinite if even all of them are none.
    #[must_use]
    pub fn nearest(&self, round_trip: impl Fn(NodeId) -> f64) -> f64 {
        let mut by_distance: Vec<(f64, NodeId)> =
            self.members().iter().map(|node| (round_trip(node), node)).collect();
        by_distance.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut within = NodeSet::EMPTY;
        for (distance, node) in by_distance {
            within.insert(node);
            if self.is_quorum(within) {
                return distance;
            }
        }
        f64::INFINITY
    }

    /// The most nodes, whichever they are, that may be down with a quorum left.
    #[must_use]
    pub fn tolerates(&self) -> usize {
        let members: Vec<NodeId> = self.members().iter().collect();
        let survives = |down: usize| {
            subsets(&members)
                .filter(|set| set.len() == down)
                .all(|set| self.is_quorum(self.members().difference(set)))
        };
        match self {
            Quorum::AtLeast { members, count } => members.len() - count,
            _ => (1..=members.len()).take_while(|down| survives(*down)).count(),
        }
    }
}

fn subsets(members: &[NodeId]) -> impl Iterator<Item = NodeSet> + '_ {
    (0u64..1 << members.len()).map(|bits| {
        members
            .iter()
            .enumerate()
            .filter(|(index, _)| bits >> index & 1 == 1)
            .map(|(_, node)| *node)
            .collect()
    })
}

/// Whether every quorum of `outer` contains one of `inner` (rule Q4 of protocols.md 1.6,
/// where a fast quorum is everybody).
///
/// # Errors
/// A quorum of `outer` that contains none.
pub fn check_containment(outer: &Quorum, inner: &Quorum) -> Result<(), NodeSet> {
    if let (
        Quorum::AtLeast { members, count },
        Quorum::AtLeast { members: inner_members, count: inner_count },
    ) = (outer, inner)
        && members == inner_members
    {
        let first: NodeSet = members.iter().take(*count).collect();
        return if count >= inner_count { Ok(()) } else { Err(first) };
    }
    let members: Vec<NodeId> = outer.members().iter().take(ENUMERATION_MAX).collect();
    let contains_none = |set: &NodeSet| outer.is_quorum(*set) && !inner.is_quorum(*set);
    subsets(&members).find(contains_none).map_or(Ok(()), Err)
}

/// Two disjoint quorums, one of each kind, if there are any (rules Q1 and Q3 of protocols.md 1.6).
///
/// # Errors
/// The pair that does not intersect.
pub fn check_intersection(one: &Quorum, other: &Quorum) -> Result<(), (NodeSet, NodeSet)> {
    let members: Vec<NodeId> = one.members().union(other.members()).iter().collect();
    let all: NodeSet = members.iter().copied().collect();
    if let (Quorum::AtLeast { count: a, .. }, Quorum::AtLeast { count: b, .. }) = (one, other)
        && one.members() == other.members()
    {
        if a + b > members.len() {
            return Ok(());
        }
        let first: NodeSet = members[..*a].iter().copied().collect();
        return Err((first, members[members.len() - b..].iter().copied().collect()));
    }
    match subsets(&members).find(|set| one.is_quorum(*set) && other.is_quorum(all.difference(*set))) {
        Some(set) => Err((shrink(one, set), shrink(other, all.difference(set)))),
        None => Ok(()),
    }
}

/// A minimal quorum within `set`.
fn shrink(quorum: &Quorum, set: NodeSet) -> NodeSet {
    set.iter().fold(
        set,
        |kept, node| {
            if quorum.is_quorum(kept.without(node)) { kept.without(node) } else { kept }
        },
    )
}

/// How quorums are formed: part of the agreed configuration of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "system", rename_all = "kebab-case", deny_unknown_fields)]
pub enum QuorumSystem {
    /// More than half of the role's nodes, for every phase.
    #[default]
    Majority,
    /// Plain counts (Flexible Paxos): phase 1 and phase 2 must intersect, dependency quorums pairwise.
    Counts {
        /// Promises needed.
        phase1: usize,
        /// Votes needed.
        phase2: usize,
        /// Dependency answers needed; a majority if left out.
        #[serde(default)]
        dependency: Option<usize>,
    },
    /// Acceptors in rows and columns, in the order of the layout: phase 1 takes a
    /// row, phase 2 a column. Dependency quorums need a row and a column.
    Grid {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// What a dependency quorum is.
        #[serde(default)]
        dependency: GridDependency,
    },
    /// Even clusters: majorities of all nodes but one, which votes for nothing.
    MajorityWithout {
        /// The name of the node without a vote, such as `n4`.
        node: String,
    },
    /// Even clusters: more than half, or exactly half with this node among them.
    TieBreaker {
        /// The name of the node that decides a tie, such as `n1`.
        node: String,
    },
}

/// Dependency quorums on a grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GridDependency {
    /// All of one row and all of one column: pairwise intersecting.
    #[default]
    RowAndColumn,
    /// All of one row. Two rows do not meet: refused when there is more than one row.
    Row,
}

/// The quorum predicates of one cluster, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quorums {
    /// Promises: P of protocols.md 1.6.
    pub phase1: Quorum,
    /// Votes in a classic ballot: C.
    pub phase2: Quorum,
    /// Dependency answers: D.
    pub dependency: Quorum,
}

/// Why a quorum system is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// Two quorums that must meet do not.
    #[error(
        "quorum: rule {rule} is violated: {kinds} must share a node, but {one} and {other} do not; {cure}"
    )]
    Disjoint {
        /// Q1 or Q3 of protocols.md 1.6.
        rule: &'static str,
        /// Which two kinds of quorum.
        kinds: &'static str,
        /// One of them.
        one: NodeSet,
        /// The other.
        other: NodeSet,
        /// What to do.
        cure: &'static str,
    },
    /// The system does not fit the number of nodes.
    #[error("quorum: {0}")]
    Shape(String),
}

impl QuorumSystem {
    /// The predicates for these role holders, checked against Q1 (phase 1 meets
    /// phase 2) and Q3 (dependency quorums meet pairwise) by enumeration.
    ///
    /// # Errors
    /// If the system does not fit the nodes or violates a rule.
    pub fn build(&self, acceptors: NodeSet, dependency: NodeSet) -> Result<Quorums, QuorumError> {
        let quorums = self.predicates(acceptors, dependency)?;
        if let Err((one, other)) = check_intersection(&quorums.phase1, &quorums.phase2) {
            let kinds = "every phase-1 quorum and every phase-2 quorum";
            let cure = "raise phase1 or phase2 until together they exceed the number of acceptors";
            return Err(QuorumError::Disjoint { rule: "Q1", kinds, one, other, cure });
        }
        if let Err((one, other)) = check_intersection(&quorums.dependency, &quorums.dependency) {
            let kinds = "any two dependency quorums";
            let cure = "let a dependency quorum be a majority, or a row and a column of a grid";
            return Err(QuorumError::Disjoint { rule: "Q3", kinds, one, other, cure });
        }
        Ok(quorums)
    }

    fn predicates(&self, acceptors: NodeSet, dependency: NodeSet) -> Result<Quorums, QuorumError> {
        match self {
            QuorumSystem::Majority => Ok(Quorums {
                phase1: Quorum::majority(acceptors),
                phase2: Quorum::majority(acceptors),
                dependency: Quorum::majority(dependency),
            }),
            QuorumSystem::Counts { phase1, phase2, dependency: deps } => Ok(Quorums {
                phase1: at_least("phase1", *phase1, acceptors)?,
                phase2: at_least("phase2", *phase2, acceptors)?,
                dependency: at_least("dependency", deps.unwrap_or(dependency.len() / 2 + 1), dependency)?,
            }),
            QuorumSystem::Grid { rows, columns, dependency: kind } => {
                let (row_sets, column_sets) = grid(*rows, *columns, acceptors)?;
                let (deps_rows, deps_columns) = grid(*rows, *columns, dependency)?;
                let dependency = match kind {
                    GridDependency::Row => Quorum::AnyOf(deps_rows),
                    GridDependency::RowAndColumn => Quorum::AnyOf(crosses(&deps_rows, &deps_columns)),
                };
                Ok(Quorums {
                    phase1: Quorum::AnyOf(row_sets),
                    phase2: Quorum::AnyOf(column_sets),
                    dependency,
                })
            }
            QuorumSystem::MajorityWithout { node } => {
                let over = |members: NodeSet| -> Result<Quorum, QuorumError> {
                    Ok(Quorum::majority(members.without(named(node, members)?)))
                };
                Ok(Quorums {
                    phase1: over(acceptors)?,
                    phase2: over(acceptors)?,
                    dependency: over(dependency)?,
                })
            }
            QuorumSystem::TieBreaker { node } => {
                let over = |members: NodeSet| -> Result<Quorum, QuorumError> {
                    Ok(Quorum::TieBreaker { members, node: named(node, members)? })
                };
                Ok(Quorums {
                    phase1: over(acceptors)?,
                    phase2: over(acceptors)?,
                    dependency: over(dependency)?,
                })
            }
        }
    }
}

fn at_least(field: &str, count: usize, members: NodeSet) -> Result<Quorum, QuorumError> {
    if count == 0 || count > members.len() {
        let nodes = members.len();
        return Err(QuorumError::Shape(format!(
            "{field} = {count} is not between 1 and the {nodes} nodes of the role"
        )));
    }
    Ok(Quorum::AtLeast { members, count })
}

/// The rows and the columns of a grid, filled row by row.
fn grid(rows: usize, columns: usize, members: NodeSet) -> Result<(Vec<NodeSet>, Vec<NodeSet>), QuorumError> {
    let nodes: Vec<NodeId> = members.iter().collect();
    if rows == 0 || columns == 0 || rows.saturating_mul(columns) != nodes.len() {
        let count = nodes.len();
        return Err(QuorumError::Shape(format!(
            "a grid of {rows} rows and {columns} columns needs {} nodes of each role, and there are {count}",
            rows.saturating_mul(columns)
        )));
    }
    if nodes.len() > ENUMERATION_MAX {
        return Err(QuorumError::Shape(format!("a grid may have at most {ENUMERATION_MAX} nodes")));
    }
    let row = |r: usize| (0..columns).map(|c| nodes[r * columns + c]).collect();
    let column = |c: usize| (0..rows).map(|r| nodes[r * columns + c]).collect();
    Ok(((0..rows).map(row).collect(), (0..columns).map(column).collect()))
}

fn crosses(rows: &[NodeSet], columns: &[NodeSet]) -> Vec<NodeSet> {
    rows.iter().flat_map(|row| columns.iter().map(|column| row.union(*column))).collect()
}

fn named(name: &str, members: NodeSet) -> Result<NodeId, QuorumError> {
    if members.len() % 2 == 1 || members.is_empty() {
        let count = members.len();
        return Err(QuorumError::Shape(format!(
            "this system is for even clusters, and there are {count} nodes; use system = \"majority\""
        )));
    }
    members
        .iter()
        .find(|node| node.to_string() == name)
        .ok_or_else(|| QuorumError::Shape(format!("node = \"{name}\" is not one of {members}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nodes: &[usize]) -> NodeSet {
        nodes.iter().map(|index| NodeId::new(*index)).collect()
    }

    fn build(system: &QuorumSystem, nodes: usize) -> Result<Quorums, QuorumError> {
        system.build(NodeSet::first(nodes), NodeSet::first(nodes))
    }

    #[test]
    fn a_phase_1_quorum_contains_a_dependency_quorum_or_is_named() {
        let majority = build(&QuorumSystem::Majority, 5).unwrap();
        assert_eq!(check_containment(&majority.phase1, &majority.dependency), Ok(()));
        let counts = QuorumSystem::Counts { phase1: 2, phase2: 4, dependency: Some(3) };
        let counts = build(&counts, 5).unwrap();
        let found = check_containment(&counts.phase1, &counts.dependency).unwrap_err();
        assert_eq!(found.len(), 2);
        let grid = QuorumSystem::Grid { rows: 2, columns: 3, dependency: GridDependency::RowAndColumn };
        let grid = build(&grid, 6).unwrap();
        let found = check_containment(&grid.phase1, &grid.dependency).unwrap_err();
        assert!(grid.phase1.is_quorum(found) && !grid.dependency.is_quorum(found), "a row is no cross");
    }

    #[test]
    fn the_nearest_quorum_is_as_far_as_its_farthest_node() {
        let round_trip = |node: NodeId| [0.0, 70.0, 60.0, 150.0, 80.0][node.index()];
        let majority = build(&QuorumSystem::Majority, 5).unwrap();
        assert!((majority.phase2.nearest(round_trip) - 70.0).abs() < f64::EPSILON);
        let grid = QuorumSystem::Grid { rows: 1, columns: 5, dependency: GridDependency::RowAndColumn };
        let grid = build(&grid, 5).unwrap();
        assert!((grid.phase1.nearest(round_trip) - 150.0).abs() < f64::EPSILON, "a row is everybody");
        assert!(grid.phase2.nearest(round_trip).abs() < f64::EPSILON, "a column is one node");
    }

    /// Golden table: smallest quorum and tolerated failures of the majority system.
    #[test]
    fn majorities() {
        let row = |n: usize| {
            let quorums = build(&QuorumSystem::Majority, n).unwrap();
            (quorums.phase2.size_min(), quorums.phase2.tolerates())
        };
        let table: Vec<_> = (1..=9).map(row).collect();
        assert_eq!(table, [(1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (4, 2), (4, 3), (5, 3), (5, 4)]);
    }

    #[test]
    fn both_even_systems_intersect_and_need_half() {
        for nodes in [2, 4, 6, 8] {
            for system in [
                QuorumSystem::MajorityWithout { node: "n2".into() },
                QuorumSystem::TieBreaker { node: "n2".into() },
            ] {
                let quorums = build(&system, nodes).unwrap();
                assert_eq!(quorums.phase1.size_min(), nodes / 2, "{system:?} of {nodes}");
                assert_eq!(check_intersection(&quorums.phase1, &quorums.phase1), Ok(()));
            }
        }
        let tie = build(&QuorumSystem::TieBreaker { node: "n1".into() }, 4).unwrap().phase2;
        assert!(tie.is_quorum(set(&[0, 3])) && !tie.is_quorum(set(&[1, 3])));
        let without = build(&QuorumSystem::MajorityWithout { node: "n4".into() }, 4).unwrap().phase2;
        assert!(without.is_quorum(set(&[0, 1])) && !without.is_quorum(set(&[0, 3])));
    }

    #[test]
    fn a_grid_takes_rows_columns_and_crosses() {
        let system = QuorumSystem::Grid { rows: 2, columns: 3, dependency: GridDependency::RowAndColumn };
        let quorums = build(&system, 6).unwrap();
        assert!(quorums.phase1.is_quorum(set(&[3, 4, 5])) && !quorums.phase1.is_quorum(set(&[0, 1, 5])));
        assert!(quorums.phase2.is_quorum(set(&[1, 4])) && !quorums.phase2.is_quorum(set(&[1, 3])));
        assert!(quorums.dependency.is_quorum(set(&[0, 1, 2, 4])));
        assert_eq!((quorums.phase1.tolerates(), quorums.phase2.tolerates()), (1, 2));
    }

    /// Trace B21: illegal systems are refused with the violated rule and a witness.
    #[test]
    fn illegal_systems_are_refused() {
        let rows = QuorumSystem::Grid { rows: 2, columns: 3, dependency: GridDependency::Row };
        let sentence = build(&rows, 6).unwrap_err().to_string();
        assert!(sentence.contains("Q3") && sentence.contains("{n1, n2, n3} and {n4, n5, n6}"), "{sentence}");

        let halves = QuorumSystem::Counts { phase1: 2, phase2: 2, dependency: None };
        let sentence = build(&halves, 4).unwrap_err().to_string();
        assert!(sentence.contains("Q1") && sentence.contains("{n1, n2} and {n3, n4}"), "{sentence}");

        let halves = QuorumSystem::Counts { phase1: 3, phase2: 2, dependency: Some(2) };
        assert!(build(&halves, 4).unwrap_err().to_string().contains("Q3"));
        assert!(build(&QuorumSystem::Counts { phase1: 9, phase2: 1, dependency: None }, 3).is_err());
        assert!(build(&QuorumSystem::TieBreaker { node: "n1".into() }, 3).is_err());
        assert!(build(&QuorumSystem::TieBreaker { node: "n9".into() }, 4).is_err());
        let grid = QuorumSystem::Grid { rows: 2, columns: 2, dependency: GridDependency::RowAndColumn };
        assert!(build(&grid, 5).is_err());
    }

    /// The enumeration against the arithmetic, for all counts of up to 7 nodes.
    #[test]
    fn enumeration_agrees_with_counting() {
        for n in 1..=7 {
            for a in 1..=n {
                for b in 1..=n {
                    let count = |count| Quorum::AtLeast { members: NodeSet::first(n), count };
                    let listed = |size: usize| {
                        let nodes: Vec<NodeId> = NodeSet::first(n).iter().collect();
                        Quorum::AnyOf(subsets(&nodes).filter(|set| set.len() == size).collect())
                    };
                    let arithmetic = check_intersection(&count(a), &count(b)).is_ok();
                    assert_eq!(arithmetic, a + b > n);
                    assert_eq!(check_intersection(&listed(a), &listed(b)).is_ok(), arithmetic);
                }
            }
        }
    }
}
