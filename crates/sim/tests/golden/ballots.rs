//! Consensus on one vertex: ballots, votes and promises of Simple BPaxos.

use crate::dialects::{Simple, simple, together, voters_apart};
use crate::ops::put;
use crate::ways::{ORDINARY, RECOVER};
use isegoria_bpaxos::Value;
use isegoria_bpaxos::simple::{Message, Timer};
use isegoria_sim::script::{Property, Script, nodes};
use isegoria_types::Vertex;

/// n1 proposes a write in ballot 0, with what n2 answered; nobody else has seen it yet.
fn propose(s: &mut Script<Simple>) {
    let [n1, n2] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "DepRequest");
    s.deliver(n2, n1, "DepReply");
}

/// B2. x in ballot 0 reaches a alone; the noop is chosen by b and c; a promises again;
/// then n1 hears a and b, and b's vote is the younger one.
pub(crate) fn promise_keeps_the_vote() -> String {
    let mut s = simple("B2 (M3), one ballot variable: a promise must not touch the vote", &voters_apart());
    let [n1, n2, a, b, c] = nodes();
    propose(&mut s);
    s.deliver(n1, a, "Phase2a");
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, b, c], RECOVER);
    s.lose("Commit");
    s.lose("Chosen");
    s.note("n1 is refused by b and tries twice: first it reaches a alone, then a and b");
    s.deliver(n1, b, "Phase2a 0.n1");
    s.deliver(b, n1, "Nack");
    s.timer(n1, &Timer::Tick, 2);
    s.deliver(n1, a, "Phase1a 2.n1");
    s.timer(n1, &Timer::Tick, 4);
    s.deliver_in_turn(&[n1, a, b], &["Phase1a 3.n1", "Phase1b 3.n1", "Phase2a 3.n1", "Phase2b 3.n1"]);
    s.finish(&[Property::Agreement, Property::Ballots])
}

/// B19b. n3's old proposal of the noop arrives at n2, which has chosen x since.
pub(crate) fn chosen_is_final() -> String {
    let mut s = simple("B19b, a node that knows the outcome never votes again", &together(3));
    let [n1, n2, n3] = nodes();
    propose(&mut s);
    s.deliver(n1, n3, "DepRequest");
    s.note("n3 recovers with n2 and finds nothing; what it proposes is slow");
    s.timer(n3, &Timer::Tick, 6);
    s.deliver(n3, n2, "Phase1a");
    s.deliver(n2, n3, "Phase1b");
    s.note("n2 recovers with n1 and finds x");
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n1, n2], &["Phase1a", "Phase1b", "Phase2a 2.n2", "Phase2b"]);
    s.deliver(n3, n2, "Phase2a 1.n3");
    s.deliver_in_turn(&[n2, n3], &["Phase2b", "Chosen"]);
    s.finish(&[Property::Agreement])
}

/// M10. The noop is chosen in ballot 1; n1's ballot 0 comes too late.
pub(crate) fn old_ballot_gets_no_vote() -> String {
    let mut s = simple("M10, no vote below the promised ballot", &together(3));
    let [n1, n2, n3] = nodes();
    propose(&mut s);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver(n1, n3, "Phase2a 0.n1");
    s.deliver_in_turn(&[n1, n3], &["Phase2b", "Nack"]);
    s.deliver(n2, n1, "Commit");
    s.deliver(n1, n2, "Fetch");
    s.deliver(n2, n1, "Chosen");
    s.finish(&[Property::Agreement])
}

/// B30. n2 proposes x in a ballot of its own, restarts, and recovers again.
pub(crate) fn restarted_recoverer_takes_a_new_ballot() -> String {
    let mut s = simple("B30, a restarted proposer must not use a ballot again", &voters_apart());
    let [n1, n2, a, b, c] = nodes();
    propose(&mut s);
    s.deliver(n1, a, "Phase2a");
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, a, b], &["Phase1a", "Phase1b"]);
    s.crash(n2);
    s.restart(n2);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, b, c], &["Phase1a 2.n2", "Phase1a 1.n2", "Phase1b"]);
    s.note("what it proposed in its first life arrives late");
    s.deliver(n2, a, "Phase2a 1.n2");
    s.deliver(n2, b, "Phase2a 1.n2");
    s.deliver_among(&[n2, b, c], "Phase2a 2.n2");
    s.deliver_among(&[n2, a, b, c], "Phase2b");
    s.deliver(n2, n1, "Chosen");
    s.finish(&[Property::Ballots, Property::Agreement])
}

/// B7d. n1 recovers n2's vertex; n1's own promise is part of that very step, so that
/// it is on the disk before anybody can answer.
pub(crate) fn messages_to_oneself_belong_to_the_step() -> String {
    let mut s = simple("B7d (M23), messages to oneself are part of the step", &together(3));
    let [n1, n2, n3] = nodes();
    s.submit(n2, put("k", "x"));
    for other in [n1, n3] {
        s.deliver(n2, other, "DepRequest");
        s.deliver(other, n2, "DepReply");
    }
    s.timer(n1, &Timer::Tick, 6);
    for other in [n3, n2] {
        s.deliver(n1, other, "Phase1a");
        s.deliver(other, n1, "Phase1b");
    }
    s.note("n1 has proposed the noop; it restarts, and hears of x only then");
    s.crash(n1);
    s.lose("1.n1");
    s.restart(n1);
    s.deliver(n2, n1, "Phase2a 0.n2");
    s.timer(n1, &Timer::Tick, 6);
    s.deliver_among(&[n1], "");
    s.deliver(n1, n2, "Phase1a");
    s.deliver(n2, n1, "Phase1b");
    s.deliver_in_turn(&[n1, n2], &["Phase2a 2.n1", "Phase2b 2.n1"]);
    s.finish(&[Property::Ballots, Property::Agreement])
}

/// B20. n1 proposes x, restarts, and is given y.
pub(crate) fn restarted_leader_takes_new_numbers() -> String {
    let mut s = simple("B20 (M21), a vertex number is never used again", &voters_apart());
    let [n1, n2, a, b, c] = nodes();
    propose(&mut s);
    s.deliver(n1, a, "Phase2a");
    s.crash(n1);
    s.lose("Phase2b");
    s.restart(n1);
    let y = s.submit(n1, put("k", "y"));
    s.deliver_in_turn(&[n1, n2], &["DepRequest", "DepReply"]);
    s.deliver_in_turn(&[n1, a, b], &["Phase2a n1:16", "Phase2b n1:16"]);
    s.note("y waits for x, which n1 recovers with all that it may have proposed before");
    s.deliver_in_turn(&[n1, a, c], &["Phase1a n1:0", "Phase1b n1:0", "Phase2a 1.n1 n1:0", "Phase2b n1:0"]);
    assert_eq!(s.answer(y).as_deref(), Some("ok"));
    s.finish(&[Property::Ballots, Property::Visibility])
}

/// M1. Power fails at n2 between its vote and the disk.
pub(crate) fn vote_not_sent_before_durable() -> String {
    let mut s = simple("M1, a vote is told when it is durable", &together(3));
    let [n1, n2, n3] = nodes();
    propose(&mut s);
    s.hold_disk(n2);
    s.deliver(n1, n2, "Phase2a");
    s.deliver_among(&[n1, n2], "Phase2b");
    s.crash(n2);
    s.restart(n2);
    s.note("n2 and n3 know of no vote for x");
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver(n2, n1, "Commit");
    s.deliver_in_turn(&[n1, n2], &["Fetch", "Chosen"]);
    s.finish(&[Property::Agreement])
}

/// The other side of M1: what waited for the disk leaves with one sync, in its order.
pub(crate) fn one_sync_lets_out_all_that_waited() -> String {
    let mut s = simple("What waits for the disk leaves together, in the order of writing", &together(3));
    let [n1, n2, n3] = nodes();
    let [x, y] = [("a", "x"), ("b", "y")].map(|(key, value)| s.submit(n1, put(key, value)));
    s.hold_disk(n2);
    s.deliver_in_turn(&[n1, n2], &["DepRequest", "DepReply"]);
    s.note("nothing has left n2");
    s.sync(n2);
    s.deliver_in_turn(&[n1, n2, n3], ORDINARY);
    assert!(s.answer(x).is_some() && s.answer(y).is_some(), "L1: both are answered");
    s.finish(&[Property::State, Property::Durability])
}

/// M2. Power fails at n3 between its promise and the disk.
pub(crate) fn promise_not_told_before_durable() -> String {
    let mut s = simple("M2, a promise is told when it is durable", &together(3));
    let [n1, n2, n3] = nodes();
    propose(&mut s);
    s.timer(n2, &Timer::Tick, 4);
    s.hold_disk(n3);
    s.deliver(n2, n3, "Phase1a");
    s.deliver_among(&[n2, n3], "Phase1b");
    s.crash(n3);
    s.restart(n3);
    s.note("n3 promised nothing that it told, and votes for x");
    s.deliver(n1, n3, "Phase2a");
    s.deliver(n3, n1, "Phase2b");
    s.deliver_in_turn(&[n2, n3], &["Phase2a", "Phase2b"]);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.finish(&[Property::Agreement])
}

/// M13. Somebody tells n2 of another outcome than the one it knows.
pub(crate) fn second_outcome_changes_nothing() -> String {
    let mut s = simple("M13, what is committed is never overwritten", &together(3));
    let [n1, n2, n3] = nodes();
    propose(&mut s);
    s.deliver(n1, n2, "Phase2a");
    s.deliver(n2, n1, "Phase2b");
    s.deliver(n1, n2, "Commit");
    s.forge(n3, n2, Message::Chosen { vertex: Vertex::new(n1, 0), value: Value::noop() });
    s.note("n3 hears of x too, and what n2 has is what n1 has");
    s.deliver(n1, n3, "Commit");
    s.deliver(n3, n1, "Fetch");
    s.deliver(n1, n3, "Chosen");
    s.finish(&[Property::Agreement, Property::State, Property::Durability])
}
