use crate::simple::message::{Message, Value};
use crate::simple::node::SimpleNode;
use isegoria_node::Inadmissible;
use isegoria_proposer::ROUND_MAX;
use isegoria_types::{Ballot, NodeId, Prefix, Vertex, WINDOW_MAX};

/// Whether a message can have come from a correct peer; see `Node::admit`.
pub(crate) fn admit(node: &SimpleNode, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
    let check = Check { node, from };
    match message {
        Message::DepRequest { vertex, floor, .. } => {
            check.vertex(*vertex)?;
            check.that(vertex.leader == from, "a dependency request for somebody else's vertex")?;
            check.prefix(floor)
        }
        Message::DepReply { vertex, deps } => {
            check.vertex(*vertex)?;
            check.that(node.layout.dependency.contains(from), "an answer of no dependency node")?;
            check.prefix(deps.as_prefix())
        }
        Message::StaleFloor { vertex, floor } => {
            check.vertex(*vertex)?;
            check.prefix(floor)
        }
        Message::Floor { floor } | Message::Gced { floor } => check.prefix(floor),
        Message::Phase1a { vertex, ballot } => {
            check.vertex(*vertex)?;
            check.that(ballot.round > 0, "phase 1 in ballot 0")?;
            check.owned(*vertex, *ballot)
        }
        Message::Phase1b { vertex, ballot, vote } => {
            check.vertex(*vertex)?;
            check.ballot(*vertex, *ballot)?;
            match vote {
                Some((voted, value)) => {
                    check.ballot(*vertex, *voted)?;
                    check.value(value)
                }
                None => Ok(()),
            }
        }
        Message::Phase2a { vertex, ballot, value } => {
            check.vertex(*vertex)?;
            check.owned(*vertex, *ballot)?;
            check.value(value)
        }
        Message::Phase2b { vertex, ballot } => {
            check.vertex(*vertex)?;
            check.ballot(*vertex, *ballot)
        }
        Message::Commit { vertex, ballot } => {
            check.vertex(*vertex)?;
            check.owned(*vertex, *ballot)
        }
        Message::Nack { vertex, ballot, promised } => {
            check.vertex(*vertex)?;
            check.ballot(*vertex, *ballot)?;
            check.ballot(*vertex, *promised)
        }
        Message::Chosen { vertex, value } => {
            check.vertex(*vertex)?;
            check.value(value)
        }
        Message::Fetch { vertex } => check.vertex(*vertex),
    }
}

struct Check<'a> {
    node: &'a SimpleNode,
    from: NodeId,
}

impl Check<'_> {
    fn that(&self, holds: bool, otherwise: &'static str) -> Result<(), Inadmissible> {
        if holds { Ok(()) } else { Err(Inadmissible(otherwise)) }
    }

    fn vertex(&self, vertex: Vertex) -> Result<(), Inadmissible> {
        self.that(vertex.epoch.0 == 0, "a vertex of an unknown epoch")?;
        self.that(self.node.layout.leaders.contains(vertex.leader), "a vertex of no leader")?;
        self.that(self.node.cells.admits(vertex), "a vertex far in the future")
    }

    fn ballot(&self, vertex: Vertex, ballot: Ballot) -> Result<(), Inadmissible> {
        self.that(self.node.layout.leaders.contains(ballot.owner), "a ballot of no leader")?;
        self.that(ballot.round <= ROUND_MAX, "a ballot that no honest run reaches")?;
        self.that(ballot.round > 0 || ballot.owner == vertex.leader, "ballot 0 of another's vertex")
    }

    fn owned(&self, vertex: Vertex, ballot: Ballot) -> Result<(), Inadmissible> {
        self.ballot(vertex, ballot)?;
        self.that(ballot.owner == self.from, "a ballot that its sender does not own")
    }

    fn value(&self, value: &Value) -> Result<(), Inadmissible> {
        self.prefix(value.deps.as_prefix())
    }

    fn prefix(&self, prefix: &Prefix) -> Result<(), Inadmissible> {
        let known = prefix.iter().all(|(leader, below)| {
            let near = self.node.cells.base(leader).saturating_add(WINDOW_MAX);
            below == 0 || self.node.layout.leaders.contains(leader) && below <= near
        });
        self.that(known, "dependencies of an unknown leader, or far in the future")
    }
}
