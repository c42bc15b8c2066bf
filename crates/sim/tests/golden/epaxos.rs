//! EPaxos*: what a recovery concludes from what others have heard, and in which order.
//! x is a vertex of n1, y one of the last node; they conflict.

use crate::dialects::{Epaxos, epaxos, together};
use crate::ops::put;
use isegoria_epaxos::epaxos::Timer;
use isegoria_sim::script::{Property, Script, nodes};
use isegoria_types::NodeId;

const CHOSEN: &[Property] = &[Property::Agreement, Property::Visibility];

/// Until those who promised have said what speaks against the vertex.
const VALIDATE: &[&str] = &["Phase1a", "Phase1b", "Validate", "ValidateOk"];

/// A recovery, until it has chosen something.
const RECOVER: &[&str] = &["Phase1a", "Phase1b", "Validate", "ValidateOk", "Phase2a", "Phase2b"];

/// What is chosen is told.
const TELL: &[&str] = &["Commit", "Fetch", "Chosen"];

/// The messages with these words about a vertex, one kind after the other.
fn about(s: &mut Script<Epaxos>, vertex: &str, among: &[NodeId], words: &[&str]) {
    for word in words {
        s.deliver_among(among, &format!("{word} {vertex}"));
    }
}

/// A leader hears what a node says of its vertex.
fn pre_accept(s: &mut Script<Epaxos>, leader: NodeId, node: NodeId) {
    s.deliver(leader, node, "PreAccept");
    s.deliver(node, leader, "PreAcceptOk");
}

/// Looks until a node recovers a vertex; what it asks about others is lost.
fn lose_patience(s: &mut Script<Epaxos>, node: NodeId, vertex: &str, ticks: usize) {
    s.timer(node, &Timer::Tick, ticks);
    s.note(&format!("{node} recovers {vertex}"));
}

/// B3. Each of two hears one of the vertices first; both take the slow path.
pub(crate) fn the_slow_path_proposes_the_union() -> String {
    let mut s = epaxos("B3, every answer goes into the union", &together(3));
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, put("k", "x"));
    let y = s.submit(n3, put("k", "y"));
    s.deliver(n1, n2, "PreAccept n1:0");
    s.deliver(n3, n1, "PreAccept n3:0");
    s.deliver(n1, n3, "PreAccept n1:0");
    s.deliver(n3, n1, "PreAcceptOk n1:0");
    s.deliver(n1, n3, "PreAcceptOk n3:0");
    s.note("both leaders have an answer that is not their own, and may not hope for a better one");
    s.suspect(n1, n2);
    s.suspect(n3, n2);
    s.deliver_in_turn(&[n1, n3], &["Phase2a", "Phase2b", "Commit"]);
    assert!(s.answer(x).is_some() && s.answer(y).is_some());
    s.finish(&[Property::Agreement, Property::Visibility, Property::State])
}

/// B4. x is known to n2 alone; y is decided at once without it. n1 and n5 die.
pub(crate) fn a_conflict_of_a_leader_that_is_gone_ends_it() -> String {
    let mut s = epaxos("B4, V3: y must have been known to all if x was decided, and was not", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "PreAccept");
    s.submit(n5, put("k", "y"));
    pre_accept(&mut s, n5, n4);
    pre_accept(&mut s, n5, n3);
    s.lose("");
    s.crash(n1);
    s.crash(n5);
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n4], RECOVER);
    s.finish(&[Property::Agreement])
}

/// B5. x is decided at once; n4 and n5 know y and not x. n1 dies. A recovery of y ends the wait.
pub(crate) fn a_conflict_that_is_open_is_waited_for() -> String {
    let mut s = epaxos("B5, W2: what may still come out with x is waited for", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    let x = s.submit(n1, put("k", "x"));
    s.submit(n5, put("k", "y"));
    s.deliver(n5, n4, "PreAccept");
    pre_accept(&mut s, n1, n2);
    pre_accept(&mut s, n1, n3);
    assert!(s.answer(x).is_some());
    s.lose("");
    s.crash(n1);
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n4], VALIDATE);
    s.note("n4 recovers y, with n2 and n3");
    s.suspect(n4, n5);
    s.timer(n4, &Timer::Tick, 12);
    about(&mut s, "n5:0", &[n2, n3, n4], RECOVER);
    about(&mut s, "n5:0", &[n2, n3, n4], TELL);
    about(&mut s, "n1:0", &[n2, n3, n4], &["Phase2a", "Phase2b"]);
    s.finish(&[Property::Agreement])
}

/// B6. n4 recovers y while n1, the leader of x, still waits for answers; then x is decided.
/// n1 and n5 die.
pub(crate) fn a_waiting_recoverer_of_y_does_not_end_x() -> String {
    let mut s = epaxos("B6, W3: as many as may have said the same are not too many", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    let x = s.submit(n1, put("k", "x"));
    s.submit(n5, put("k", "y"));
    s.deliver(n5, n4, "PreAccept");
    s.deliver(n1, n2, "PreAccept");
    s.deliver(n1, n3, "PreAccept");
    s.suspect(n4, n5);
    lose_patience(&mut s, n4, "y", 12);
    about(&mut s, "n5:0", &[n1, n2, n4], VALIDATE);
    s.note("it waits; now x is decided");
    s.deliver(n2, n1, "PreAcceptOk");
    s.deliver(n3, n1, "PreAcceptOk");
    assert!(s.answer(x).is_some());
    s.lose("Commit");
    s.crash(n1);
    s.crash(n5);
    s.deliver(n4, n2, "Waiting");
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n4], &RECOVER[..5]);
    s.finish(&[Property::Agreement])
}

/// B7. As before, but n5, the leader of y, has promised to n4: y was not decided at once.
pub(crate) fn a_leader_that_promised_has_not_decided() -> String {
    let mut s = epaxos("B7, R3: who recovers with the leader proposes the noop", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    let x = s.submit(n1, put("k", "x"));
    s.submit(n5, put("k", "y"));
    s.deliver(n5, n4, "PreAccept");
    s.deliver(n1, n2, "PreAccept");
    s.deliver(n1, n3, "PreAccept");
    s.suspect(n4, n5);
    lose_patience(&mut s, n4, "y", 12);
    about(&mut s, "n5:0", &[n2, n4, n5], VALIDATE);
    s.deliver(n2, n1, "PreAcceptOk");
    s.deliver(n3, n1, "PreAcceptOk");
    assert!(s.answer(x).is_some());
    s.lose("Commit");
    s.lose("Phase2a");
    s.crash(n1);
    s.crash(n5);
    s.deliver_among(&[n2, n4], "Waiting");
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n4], RECOVER);
    s.finish(&[Property::Agreement])
}

/// B7b. x is known to n2 alone; n2 has had it validated by n3 and n4 when y comes there.
pub(crate) fn what_is_validated_is_recorded() -> String {
    let mut s = epaxos("B7b, what was asked about is known from then on", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "PreAccept");
    s.lose("");
    s.crash(n1);
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n4], VALIDATE);
    s.submit(n5, put("k", "y"));
    pre_accept(&mut s, n5, n3);
    pre_accept(&mut s, n5, n4);
    s.note("y does not go without x; now x is voted on");
    about(&mut s, "n1:0", &[n2, n3, n4], &["Phase2a", "Phase2b"]);
    s.suspect(n5, n1);
    s.suspect(n5, n2);
    about(&mut s, "n5:0", &[n3, n4, n5], &["Phase2a", "Phase2b"]);
    s.finish(CHOSEN)
}

/// B7c. n1 decides x with n2 and restarts before it has told anybody but its client.
pub(crate) fn a_decision_of_ones_own_is_durable() -> String {
    let mut s = epaxos("B7c, a leader that decided knows it after a restart", &together(3));
    let [n1, n2] = nodes();
    let x = s.submit(n1, put("k", "x"));
    pre_accept(&mut s, n1, n2);
    assert!(s.answer(x).is_some());
    s.crash(n1);
    s.lose("");
    s.restart(n1);
    s.lose("");
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n1, n2], &["Phase1a", "Phase1b", "Phase2a", "Phase2b", "Chosen"]);
    s.finish(&[Property::Agreement])
}

/// B7e. x is decided with n2; n1 dies; n3 has heard of nothing.
pub(crate) fn one_unchanged_answer_may_be_enough() -> String {
    let mut s = epaxos("B7e, R4: so many unchanged answers as are left of a fast quorum", &together(3));
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, put("k", "x"));
    pre_accept(&mut s, n1, n2);
    assert!(s.answer(x).is_some());
    s.lose("");
    s.crash(n1);
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3], RECOVER);
    s.finish(&[Property::Agreement])
}

/// B22. y of n3 became the noop at n1 and n3, n2 has pre-accepted it and heard nothing since.
/// n3 decides x with n1, and dies.
pub(crate) fn a_committed_noop_stays_in_the_index() -> String {
    let mut s = epaxos("B22, a noop is a dependency still", &together(3));
    let [n1, n2, n3] = nodes();
    s.submit(n3, put("k", "y"));
    s.deliver(n3, n2, "PreAccept");
    s.lose("");
    s.suspect(n2, n3);
    lose_patience(&mut s, n2, "y, and what it asks n1 is lost", 8);
    s.deliver(n2, n3, "Phase1a");
    s.lose("");
    s.note("n3 gives up ballot 0, and recovers y with n1");
    lose_patience(&mut s, n3, "y", 4);
    about(&mut s, "n3:0", &[n1, n3], &["Phase1a", "Phase1b", "Phase2a", "Phase2b", "Commit"]);
    s.note("the batch of y is submitted again as x");
    s.deliver(n3, n1, "PreAccept n3:1");
    s.deliver(n1, n3, "PreAcceptOk n3:1");
    s.lose("");
    s.crash(n3);
    s.suspect(n1, n3);
    lose_patience(&mut s, n1, "x", 4);
    about(&mut s, "n3:1", &[n1, n2], RECOVER);
    s.finish(&[Property::Agreement])
}

/// B23. x of n1 depends on z of n2, and is the noop in n2's vote alone; n1 has voted for x.
/// y of n3 is asked of n2.
pub(crate) fn a_noop_that_is_voted_for_stays_in_the_index() -> String {
    let mut s = epaxos("B23, a vote for the noop is no decision", &together(3));
    let [n1, n2, n3] = nodes();
    s.submit(n2, put("k", "z"));
    s.lose("");
    s.submit(n1, put("k", "x"));
    s.suspect(n1, n3);
    pre_accept(&mut s, n1, n2);
    s.note("n1 votes for x with z, alone");
    s.lose("");
    s.suspect(n2, n1);
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3], &["Phase1a", "Phase1b"]);
    s.note("n2 votes for the noop, alone");
    s.lose("");
    s.submit(n3, put("k", "y"));
    pre_accept(&mut s, n3, n2);
    s.suspect(n3, n1);
    about(&mut s, "n3:0", &[n2, n3], &["Phase2a", "Phase2b"]);
    s.note("n3 recovers x with n1, where it finds the vote");
    lose_patience(&mut s, n3, "x", 8);
    about(&mut s, "n1:0", &[n1, n3], RECOVER);
    s.finish(CHOSEN)
}

/// B24. n3 has voted for the noop of x when a copy of the question comes whether x was decided.
pub(crate) fn a_late_validation_changes_no_vote() -> String {
    let mut s = epaxos("B24, who has voted is not asked any more", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "PreAccept");
    s.submit(n5, put("k", "y"));
    s.deliver(n5, n4, "PreAccept");
    s.lose("");
    s.crash(n1);
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n4], &["Phase1a", "Phase1b"]);
    s.duplicate(n2, n3, "Validate");
    about(&mut s, "n1:0", &[n2, n4], &["Validate", "ValidateOk"]);
    s.deliver(n3, n2, "ValidateOk");
    about(&mut s, "n1:0", &[n2, n3, n4], &["Phase2a", "Phase2b"]);
    s.lose("Commit");
    s.note("the noop is chosen");
    s.deliver(n2, n3, "Validate");
    s.suspect(n5, n1);
    s.crash(n2);
    lose_patience(&mut s, n4, "x", 12);
    about(&mut s, "n1:0", &[n3, n4, n5], RECOVER);
    s.finish(&[Property::Agreement])
}

/// B25. x is known to n2 alone and y to n4 alone, and each leader has told the other's
/// recoverer that it knows nothing of it. Then both leaders die.
pub(crate) fn two_who_wait_for_each_other_start_again() -> String {
    let mut s = epaxos("B25, a wait ends", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "PreAccept");
    s.submit(n5, put("k", "y"));
    s.deliver(n5, n4, "PreAccept");
    s.lose("");
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n5], VALIDATE);
    s.lose("n1:0");
    s.suspect(n4, n5);
    lose_patience(&mut s, n4, "y", 12);
    about(&mut s, "n5:0", &[n1, n3, n4], VALIDATE);
    s.deliver_among(&[n2, n3, n4], "Waiting");
    s.crash(n1);
    s.crash(n5);
    s.lose("");
    s.note("both wait. n2 starts again, with n4: V3; what n4 waits for is a noop: W2");
    s.timer(n2, &Timer::Tick, 12);
    about(&mut s, "n1:0", &[n2, n3, n4], RECOVER);
    about(&mut s, "n1:0", &[n2, n3, n4], TELL);
    about(&mut s, "n5:0", &[n2, n3, n4], &["Phase2a", "Phase2b"]);
    s.finish(&[Property::Agreement])
}

/// B26. y is decided, executed by all but n1, which is away, and given up by agreement. x was
/// submitted at n1 with the cut and without y, and n2 has pre-accepted it before it heard of y.
/// n1 and n5 die, and n2 recovers x.
pub(crate) fn what_is_given_up_speaks_against_it_still() -> String {
    let mut s = epaxos("B26, a value that is given up speaks against others still", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    let three = [n3, n4, n5];
    s.submit(n4, put("k", "y"));
    pre_accept(&mut s, n4, n3);
    pre_accept(&mut s, n4, n5);
    s.deliver_among(&three, "Commit");
    s.lose("PreAccept");
    for node in three {
        s.gossip(node);
    }
    s.deliver_among(&three, "Progress");
    s.lose("Progress");
    s.note("n3 ought to hold nothing: it proposes a cut");
    s.retain(n3, 0);
    for _ in 0..12 {
        s.gossip(n3);
    }
    s.lose("Progress");
    s.deliver(n3, n1, "PreAccept n3:0");
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "PreAccept n1:0");
    s.lose("n1:0");
    pre_accept(&mut s, n3, n4);
    pre_accept(&mut s, n3, n5);
    s.deliver_among(&[n2, n3, n4, n5], "Commit");
    s.deliver_in_turn(&[n2, n3, n4], &["Fetch", "Chosen"]);
    s.note("all but n1 have executed the cut, and give y up");
    for node in [n2, n3, n4, n5] {
        s.gossip(node);
    }
    s.lose("");
    s.crash(n1);
    s.crash(n5);
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n4], RECOVER);
    s.finish(&[Property::Agreement])
}

/// n2 answers n1, and asks it for a promise before the answer comes.
pub(crate) fn who_promised_decides_no_more() -> String {
    let mut s = epaxos("A leader that promised does not decide at once any more", &together(3));
    let [n1, n2] = nodes();
    let x = s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "PreAccept");
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n1, n2], &["Phase1a", "Phase1b"]);
    s.deliver(n2, n1, "PreAcceptOk");
    assert_eq!(s.answer(x), None);
    about(&mut s, "n1:0", &[n1, n2], &["Phase2a", "Phase2b", "Commit"]);
    s.note("its batch is submitted again");
    s.deliver_in_turn(&[n1, n2], &["PreAccept n1:1", "PreAcceptOk n1:1"]);
    assert!(s.answer(x).is_some());
    s.finish(&[Property::Agreement])
}

/// y of n5 became a noop at n1, n3 and n5, and is given up with a cut; n4 has pre-accepted it and
/// heard nothing since. n2 has a snapshot, and knows nothing of y when it recovers x, which n1
/// decided with n2 and n3 (ledger 28).
pub(crate) fn what_nobody_knows_speaks_against_nothing() -> String {
    let mut s = epaxos("Of what a snapshot has executed nothing is known here", &together(5));
    let [n1, n2, n3, n4, n5] = nodes();
    let three = [n1, n3, n5];
    s.submit(n5, put("k", "y"));
    s.deliver(n5, n4, "PreAccept");
    s.lose("");
    s.crash(n5);
    s.restart(n5);
    s.deliver_in_turn(&three, &["Phase1a", "Phase1b", "Phase2a", "Phase2b", "Commit"]);
    s.lose("");
    s.note("y is a noop at three of five; n3 ought to hold nothing: it proposes a cut");
    three.into_iter().for_each(|node| s.gossip(node));
    s.deliver_among(&three, "Progress");
    s.retain(n3, 0);
    for _ in 0..12 {
        s.gossip(n3);
    }
    s.suspect(n3, n2);
    s.suspect(n3, n4);
    about(&mut s, "n3:0", &three, &["PreAccept", "PreAcceptOk", "Phase2a", "Phase2b"]);
    s.deliver(n3, n5, "Commit n3:0");
    s.lose("");
    s.gossip(n3);
    s.gossip(n5);
    s.lose("");
    s.note("n2 takes a snapshot of n3");
    for _ in 0..3 {
        s.gossip(n3);
        s.deliver(n3, n2, "Progress");
        s.gossip(n2);
        s.deliver_in_turn(&[n2, n3], &["Fetch", "Commits", "TakeSnapshot", "Preparing", "Piece"]);
    }
    s.gossip(n2);
    s.lose("");
    s.submit(n1, put("k", "x"));
    pre_accept(&mut s, n1, n2);
    pre_accept(&mut s, n1, n3);
    s.note("n1 has decided x");
    s.lose("");
    s.crash(n1);
    s.crash(n5);
    s.suspect(n2, n1);
    lose_patience(&mut s, n2, "x", 4);
    about(&mut s, "n1:0", &[n2, n3, n4], VALIDATE);
    s.deliver_among(&[n2, n3], "Fetch n5:0");
    s.deliver_among(&[n2, n3], "Chosen n5:0");
    about(&mut s, "n1:0", &[n2, n3, n4], &["Phase2a", "Phase2b"]);
    s.finish(&[Property::Agreement])
}
