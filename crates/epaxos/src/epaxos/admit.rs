use crate::epaxos::choose::Heard;
use crate::epaxos::message::Message;
use crate::epaxos::node::EpaxosNode;
use crate::epaxos::options::RESERVED_ROUND;
use isegoria_multileader::Admission;
use isegoria_node::Inadmissible;
use isegoria_types::NodeId;

/// Whether a message can have come from a correct peer; see `Node::admit`.
pub(crate) fn admit(node: &EpaxosNode, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
    let check =
        Admission { layout: &node.layout, cells: &node.instances, from, reserved_round: RESERVED_ROUND };
    match message {
        Message::PreAccept { vertex, deps, floor, .. } => {
            check.vertex(*vertex)?;
            check.that(vertex.leader == from, "a proposal for somebody else's vertex")?;
            check.prefix(deps.as_prefix())?;
            check.prefix(floor)
        }
        Message::PreAcceptOk { vertex, deps } => {
            check.vertex(*vertex)?;
            check.prefix(deps.as_prefix())
        }
        Message::StaleFloor { vertex, floor } => {
            check.vertex(*vertex)?;
            check.prefix(floor)
        }
        Message::Floor { floor, .. } | Message::Gced { floor } => check.prefix(floor),
        Message::Phase1a { vertex, ballot } => {
            check.vertex(*vertex)?;
            check.campaign(*vertex, *ballot)
        }
        Message::Phase1b { vertex, ballot, heard: Heard { vote, asked } } => {
            check.vertex(*vertex)?;
            check.ballot(*vertex, *ballot)?;
            check.vote(*vertex, vote.as_ref())?;
            let Some(asked) = asked else { return Ok(()) };
            check.prefix(asked.initial.as_prefix())?;
            asked.deps.as_ref().map_or(Ok(()), |deps| check.prefix(deps.as_prefix()))
        }
        Message::Validate { vertex, ballot, value } => {
            check.vertex(*vertex)?;
            check.campaign(*vertex, *ballot)?;
            check.value(value)
        }
        Message::ValidateOk { vertex, ballot, conflicts } => {
            check.vertex(*vertex)?;
            check.ballot(*vertex, *ballot)?;
            conflicts.iter().try_for_each(|conflict| check.vertex(conflict.vertex))
        }
        Message::Waiting { vertex, unchanged_count } => {
            check.vertex(*vertex)?;
            check.that(*unchanged_count as usize <= node.sizes.n, "more answers than nodes")
        }
        Message::Phase2a { vertex, ballot, value } => {
            check.vertex(*vertex)?;
            check.that(ballot.round > 0, "a value for ballot 0, in which nobody votes")?;
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
