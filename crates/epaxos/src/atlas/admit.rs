use crate::atlas::choose::Heard;
use crate::atlas::message::Message;
use crate::atlas::node::AtlasNode;
use crate::atlas::options::RESERVED_ROUND;
use isegoria_multileader::Admission;
use isegoria_node::Inadmissible;
use isegoria_types::NodeId;

/// Whether a message can have come from a correct peer; see `Node::admit`.
pub(crate) fn admit(node: &AtlasNode, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
    let check =
        Admission { layout: &node.layout, cells: &node.instances, from, reserved_round: RESERVED_ROUND };
    match message {
        Message::Collect { vertex, deps, floor, quorum, .. } => {
            check.vertex(*vertex)?;
            check.that(vertex.leader == from, "a proposal for somebody else's vertex")?;
            let is_whole = quorum.contains(from) && quorum.len() == node.fast_quorum.size_min();
            let is_known = quorum.difference(node.layout.nodes()).is_empty();
            check.that(is_whole && is_known, "a fast quorum that is none")?;
            check.prefix(deps.as_prefix())?;
            check.prefix(floor)
        }
        Message::CollectAck { vertex, deps } => {
            check.vertex(*vertex)?;
            check.prefix(deps.as_prefix())
        }
        Message::StaleFloor { vertex, floor } => {
            check.vertex(*vertex)?;
            check.prefix(floor)
        }
        Message::Floor { floor } | Message::Gced { floor } => check.prefix(floor),
        Message::Phase1a { vertex, ballot, .. } => {
            check.vertex(*vertex)?;
            check.campaign(*vertex, *ballot)
        }
        Message::Phase1b { vertex, ballot, heard: Heard { vote, collected } } => {
            check.vertex(*vertex)?;
            check.ballot(*vertex, *ballot)?;
            check.vote(*vertex, vote.as_ref())?;
            collected.as_ref().map_or(Ok(()), |said| check.value(&said.value))
        }
        Message::Phase2a { vertex, ballot, value } => {
            check.vertex(*vertex)?;
            check.that(ballot.round > 0, "a value for ballot 0, in which each node has its own")?;
            check.owned(*vertex, *ballot)?;
            check.value(value)
        }
        Message::Phase2b { vertex, ballot } => {
            check.vertex(*vertex)?;
            check.ballot(*vertex, *ballot)
        }
        Message::Commit { vertex, ballot, deps } => {
            check.vertex(*vertex)?;
            check.owned(*vertex, *ballot)?;
            deps.as_ref().map_or(Ok(()), |deps| check.prefix(deps.as_prefix()))
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
