use crate::message::{Message, Vote};
use crate::node::MultiPaxosNode;
use isegoria_node::Inadmissible;
use isegoria_proposer::ROUND_MAX;
use isegoria_types::{Ballot, NodeId, WINDOW_MAX};

/// Whether a message can have come from a correct peer; see `Node::admit`.
pub(crate) fn admit(node: &MultiPaxosNode, from: NodeId, message: &Message) -> Result<(), Inadmissible> {
    let layout = &node.layout;
    let led = |ballot: &Ballot| {
        let owned = ballot.owner == from && layout.leaders.contains(from) && ballot.round <= ROUND_MAX;
        owned.then_some(()).ok_or(Inadmissible("a ballot that its sender does not own"))
    };
    let known = |ballot: &Ballot| {
        let known = layout.leaders.contains(ballot.owner) && ballot.round <= ROUND_MAX;
        known.then_some(()).ok_or(Inadmissible("a ballot of no leader"))
    };
    let near = |slot: u64| {
        let near = slot < node.learner.base().saturating_add(WINDOW_MAX);
        near.then_some(()).ok_or(Inadmissible("a slot far in the future"))
    };
    match message {
        Message::PreVote { ballot, .. } | Message::Phase1a { ballot, .. } => led(ballot),
        Message::Phase2a { ballot, slot, entry } => {
            led(ballot)?;
            known(&entry.origin)?;
            near(*slot)
        }
        // However far it is: nothing is held for it, and a node that was away must hear who leads.
        Message::Chosen { ballot, .. } | Message::Heartbeat { ballot, .. } => led(ballot),
        Message::Decided { slot, entry } => {
            known(&entry.origin)?;
            near(*slot)
        }
        Message::Phase1b { ballot, votes, .. } => {
            known(ballot)?;
            if votes.windows(2).any(|pair| pair[0].slot >= pair[1].slot) {
                return Err(Inadmissible("votes out of order"));
            }
            votes.iter().try_for_each(|Vote { slot, ballot, entry }| {
                known(ballot)?;
                known(&entry.origin)?;
                near(*slot)
            })
        }
        Message::PreVoteOk { ballot } | Message::Phase2b { ballot, .. } | Message::HeartbeatOk { ballot } => {
            known(ballot)
        }
        Message::Nack { ballot, promised } => {
            known(ballot)?;
            known(promised)
        }
    }
}
