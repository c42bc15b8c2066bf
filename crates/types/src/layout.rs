use crate::{NODE_COUNT_MAX, NodeId, NodeSet, QuorumError, QuorumSystem, Quorums};
use serde::{Deserialize, Serialize};

/// What a node does in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Takes commands from clients, proposes them and recovers others' vertices.
    Leader,
    /// Computes dependency sets.
    Dependency,
    /// Votes.
    Acceptor,
    /// Executes and answers.
    Replica,
}

impl Role {
    /// All roles: what a node has when nothing else is said.
    pub const ALL: [Role; 4] = [Role::Leader, Role::Dependency, Role::Acceptor, Role::Replica];
}

/// The roles of one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Placement {
    /// The roles, in any order.
    pub roles: Vec<Role>,
}

/// Who does what in a cluster, and how quorums are formed: equal on every node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Number of nodes.
    pub node_count: usize,
    /// Nodes that propose.
    pub leaders: NodeSet,
    /// Nodes of the dependency service.
    pub dependency: NodeSet,
    /// Nodes that vote.
    pub acceptors: NodeSet,
    /// Nodes that execute.
    pub replicas: NodeSet,
    /// The quorum predicates.
    pub quorums: Quorums,
}

/// Why a layout is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// No node, or too many.
    #[error("nodes: a cluster has between 1 and {NODE_COUNT_MAX} nodes, not {0}")]
    NodeCount(usize),
    /// A role that nobody holds.
    #[error("roles: no node has the role `{0}`; add it to the roles of at least one node")]
    Missing(&'static str),
    /// A leader that could not answer its clients.
    #[error(
        "roles: node {0} is a leader without a replica, and answers come from the replica at the entry node; give it both roles"
    )]
    LeaderWithoutReplica(NodeId),
    /// An illegal quorum system.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
}

impl Layout {
    /// The layout with these placements, in the order of node ids.
    ///
    /// # Errors
    /// If a role is missing, a leader has no replica, or the quorum system is illegal.
    pub fn new(placements: &[Placement], system: &QuorumSystem) -> Result<Layout, LayoutError> {
        if placements.is_empty() || placements.len() > NODE_COUNT_MAX {
            return Err(LayoutError::NodeCount(placements.len()));
        }
        let holders = |role: Role| -> NodeSet {
            let with = placements.iter().enumerate().filter(|(_, placement)| placement.roles.contains(&role));
            with.map(|(index, _)| NodeId::new(index)).collect()
        };
        let roles = Role::ALL.map(|role| (role, holders(role)));
        for (role, nodes) in roles {
            if nodes.is_empty() {
                return Err(LayoutError::Missing(match role {
                    Role::Leader => "leader",
                    Role::Dependency => "dependency",
                    Role::Acceptor => "acceptor",
                    Role::Replica => "replica",
                }));
            }
        }
        let [(_, leaders), (_, dependency), (_, acceptors), (_, replicas)] = roles;
        if let Some(node) = leaders.difference(replicas).iter().next() {
            return Err(LayoutError::LeaderWithoutReplica(node));
        }
        let quorums = system.build(acceptors, dependency)?;
        Ok(Layout { node_count: placements.len(), leaders, dependency, acceptors, replicas, quorums })
    }

    /// `count` nodes with every role each.
    ///
    /// # Errors
    /// If the count is out of range or the quorum system does not fit it.
    pub fn co_located(count: usize, system: &QuorumSystem) -> Result<Layout, LayoutError> {
        Layout::new(&vec![Placement { roles: Role::ALL.to_vec() }; count], system)
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> NodeSet {
        NodeSet::first(self.node_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_may_be_placed_apart() {
        let only = |roles: &[Role]| Placement { roles: roles.to_vec() };
        let mut placements = vec![only(&[Role::Leader, Role::Replica]); 2];
        placements.extend(vec![only(&[Role::Dependency]); 3]);
        placements.extend(vec![only(&[Role::Acceptor]); 3]);
        let layout = Layout::new(&placements, &QuorumSystem::Majority).unwrap();
        assert_eq!(layout.dependency, (2..5).map(NodeId::new).collect());
        assert!(layout.quorums.phase2.is_quorum((5..7).map(NodeId::new).collect()));
        placements.truncate(5);
        assert_eq!(Layout::new(&placements, &QuorumSystem::Majority), Err(LayoutError::Missing("acceptor")));
    }

    #[test]
    fn a_leader_needs_a_replica() {
        let placements = [Placement { roles: Role::ALL.to_vec() }, Placement { roles: vec![Role::Leader] }];
        let refused = Layout::new(&placements, &QuorumSystem::Majority);
        assert_eq!(refused, Err(LayoutError::LeaderWithoutReplica(NodeId::new(1))));
    }
}
