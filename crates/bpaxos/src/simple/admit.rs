use crate::simple::message::Message;
use crate::simple::node::SimpleNode;
use isegoria_multileader::Admission;
use isegoria_node::Inadmissible;
use isegoria_types::NodeId;

/// Whether a message can have come from a correct peer; see `Node::admit`.
pub(crate) fn admit(node: &SimpleNode, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
    let check = Admission { layout: &node.layout, cells: &node.cells, from, reserved_round: 0 };
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
            check.campaign(*vertex, *ballot)
        }
        Message::Phase1b { vertex, ballot, vote } => {
            check.vertex(*vertex)?;
            check.ballot(*vertex, *ballot)?;
            check.vote(*vertex, vote.as_ref())
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
