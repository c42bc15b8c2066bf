//! What may be forgotten, and how what is forgotten is answered.

use crate::dialects::{multi, simple, together};
use crate::elections::{agree, campaign, elect, give_up};
use crate::ops::put;
use crate::ways::{ORDINARY, TELL};
use isegoria_bpaxos::simple::Timer;
use isegoria_sim::script::{Property, nodes};

/// B11. n3 proposed the noop in an old ballot; before that arrives, x is chosen,
/// executed and forgotten everywhere.
pub(crate) fn forgotten_vertex_gets_no_vote() -> String {
    let mut s = simple("B11, acceptors that forgot a vertex say so", &together(3));
    let [n1, n2, n3] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "DepRequest");
    s.deliver(n2, n1, "DepReply");
    s.deliver(n1, n3, "DepRequest");
    s.timer(n3, &Timer::Tick, 6);
    s.deliver(n3, n2, "Phase1a");
    s.deliver(n2, n3, "Phase1b");
    s.note("n2 recovers with n1 and finds x; n3's noop is on its way");
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n1, n2], &["Phase1a", "Phase1b", "Phase2a 2.n2", "Phase2b"]);
    s.deliver_in_turn(&[n1, n2, n3], TELL);
    for node in [n1, n2, n3] {
        s.gossip(node);
    }
    s.deliver_among(&[n1, n2, n3], "Progress");
    s.deliver(n3, n1, "Phase1a 1.n3");
    s.deliver(n3, n1, "Phase2a 1.n3");
    s.deliver(n3, n2, "Phase2a 1.n3");
    s.deliver_among(&[n1, n2, n3], "");
    s.finish(&[Property::Agreement, Property::State, Property::Durability])
}

/// B11 in a log. n2 campaigns from slot 0; before n1 hears of that, n2 has caught up
/// and n1 has forgotten both slots.
pub(crate) fn takeover_leaves_forgotten_slots_alone() -> String {
    let mut s = multi("B11 in a log, a new leader proposes nothing where somebody forgot", &together(3));
    let [n1, n2, n3] = nodes();
    elect(&mut s, n1, &[n3]);
    agree(&mut s, &[n1, n3]);
    s.submit(n1, put("k", "x"));
    agree(&mut s, &[n1, n3]);
    s.note("n2 heard of the ballot alone; it campaigns with n3");
    s.deliver(n1, n2, "Heartbeat");
    s.lose("");
    give_up(&mut s, &[n2, n3]);
    campaign(&mut s, n2, &[n3]);
    s.note("n2 catches up from n1's replica; that all have both slots is told to n1 alone");
    for node in [n1, n3] {
        s.gossip(node);
    }
    s.deliver(n1, n2, "Progress");
    s.deliver(n3, n1, "Progress");
    s.gossip(n2);
    s.deliver(n2, n1, "Fetch");
    s.deliver(n1, n2, "Commits");
    s.gossip(n2);
    s.deliver(n2, n1, "Progress <2>");
    s.note("now n1 hears the candidate, and n3 votes for what it proposes");
    s.deliver(n2, n1, "Phase1a");
    s.deliver(n1, n2, "Phase1b");
    agree(&mut s, &[n2, n3]);
    s.finish(&[Property::Agreement, Property::State])
}

/// B29. x is executed at n1 and n3, y at n2 and n3; then n3 is lost.
pub(crate) fn nothing_is_forgotten_that_one_lacks() -> String {
    let mut s = simple("B29, component-wise W: somebody must hold all that is forgotten", &together(3));
    let [n1, n2, n3] = nodes();
    s.submit(n1, put("a", "x"));
    s.deliver_in_turn(&[n1, n3], ORDINARY);
    s.submit(n2, put("b", "y"));
    s.deliver_in_turn(&[n2, n3], ORDINARY);
    s.lose("");
    for node in [n1, n2, n3] {
        s.gossip(node);
    }
    s.deliver_among(&[n1, n2, n3], "Progress");
    s.crash(n3);
    s.note("n1 and n2 have everything between them");
    for node in [n1, n2] {
        s.gossip(node);
    }
    s.deliver_in_turn(&[n1, n2], &["Fetch", "Commits"]);
    s.finish(&[Property::Durability, Property::State])
}

/// B12, as far as it goes without snapshots between nodes: n2 has executed request 1
/// above a hole when it writes its checkpoint.
pub(crate) fn checkpoint_holds_what_stands_above_a_hole() -> String {
    let mut s = simple("B12, a restart from a checkpoint keeps what was executed above a hole", &together(3));
    let [n1, n2, n3] = nodes();
    s.submit(n1, put("a", "x"));
    s.submit(n1, put("b", "y"));
    s.deliver_in_turn(&[n1, n2], &["DepRequest", "DepReply"]);
    s.deliver(n1, n2, "Phase2a n1:1");
    s.deliver(n2, n1, "Phase2b n1:1");
    s.deliver(n1, n2, "Commit n1:1");
    s.checkpoint(n2);
    s.crash(n2);
    s.restart(n2);
    s.deliver(n1, n2, "Phase2a n1:0");
    s.deliver(n2, n1, "Phase2b n1:0");
    s.deliver_in_turn(&[n1, n2, n3], TELL);
    s.finish(&[Property::Once, Property::State, Property::Durability])
}

/// B11, behind a cut. n4 and n5 were away while n1, n2 and n3 chose two commands and
/// agreed to forget them. n4 asks for promises before n1 has forgotten, and hears n1's
/// after; n3 would vote for anything in n4's ballot.
pub(crate) fn candidate_behind_the_cut_leads_nothing() -> String {
    let mut s = multi("B11 behind a cut, who lacks what is forgotten does not lead", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    elect(&mut s, n2, &[n1, n3]);
    agree(&mut s, &[n1, n2, n3]);
    for value in ["x", "y"] {
        s.submit(n2, put("k", value));
        agree(&mut s, &[n1, n2, n3]);
    }
    s.lose("");
    for node in [n1, n2, n3] {
        s.gossip(node);
    }
    s.deliver_among(&[n1, n2, n3], "Progress");
    s.note("n2 ought to hold one value at most: it proposes a cut, which n1 votes for");
    s.retain(n2, 1);
    for _ in 0..4 {
        s.gossip(n2);
    }
    s.deliver(n2, n1, "Phase2a");
    s.deliver(n1, n2, "Phase2b");
    s.deliver(n2, n3, "Phase2a");
    s.deliver(n3, n2, "Phase2b");
    s.note("n4 campaigns; n1 forgets before the request for its promise comes");
    give_up(&mut s, &[n1]);
    campaign(&mut s, n4, &[n1, n5]);
    s.deliver(n2, n1, "Chosen 0.n2 below 4");
    s.gossip(n1);
    s.deliver_in_turn(&[n4, n1, n5], &["Phase1a", "Phase1b"]);
    s.note("had n4 taken over, its noops would be chosen now");
    s.deliver_among(&[n3, n4, n5], "Phase2");
    s.note("n4 catches up by n1's snapshot");
    s.lose("Heartbeat");
    for _ in 0..3 {
        s.gossip(n1);
        s.deliver(n1, n4, "Progress");
        s.gossip(n4);
        s.deliver_in_turn(&[n1, n4], &["Fetch", "Commits", "TakeSnapshot", "Preparing", "Piece"]);
    }
    s.finish(&[Property::Agreement, Property::State])
}
