//! How leaders of Multi-Paxos come and go in scripts.

use crate::dialects::Multi;
use isegoria_multipaxos::Timer;
use isegoria_sim::script::Script;
use isegoria_types::NodeId;

/// These nodes stop believing that they hear a leader.
pub(crate) fn give_up(s: &mut Script<Multi>, nodes: &[NodeId]) {
    for node in nodes {
        s.timer(*node, &Timer::Election, 1);
    }
}

/// `leader` asks these acceptors whether they would support it, and campaigns.
pub(crate) fn campaign(s: &mut Script<Multi>, leader: NodeId, acceptors: &[NodeId]) {
    s.timer(leader, &Timer::Election, 1);
    let among = [&[leader], acceptors].concat();
    s.deliver_in_turn(&among, &["PreVote", "PreVoteOk"]);
}

/// `leader` gets the promises of these acceptors, and takes over. What it proposes then
/// is in flight.
pub(crate) fn elect(s: &mut Script<Multi>, leader: NodeId, acceptors: &[NodeId]) {
    campaign(s, leader, acceptors);
    let among = [&[leader], acceptors].concat();
    s.deliver_in_turn(&among, &["Phase1a", "Phase1b"]);
}

/// What is proposed is voted on among these nodes, and they hear what is chosen.
pub(crate) fn agree(s: &mut Script<Multi>, among: &[NodeId]) {
    s.deliver_in_turn(among, &["Phase2a", "Phase2b", "Chosen", "Decided"]);
}
