//! Atlas: a fast quorum of the leader's choice, whose answers may differ, and what is
//! concluded from those of it that are left.

use crate::dialects::{atlas, together};
use crate::ops::put;
use crate::ways::{RECOVER, TELL};
use isegoria_epaxos::atlas::Timer;
use isegoria_sim::script::{Property, nodes};

const ALL: &[Property] = &[Property::Agreement, Property::Visibility, Property::State];

/// x and y meet on the way. With f = 1 it is enough that one names y as a dependency of x.
pub(crate) fn a_fast_quorum_decides_with_answers_that_differ() -> String {
    let mut s = atlas("Answers that differ, decided in one round trip", &together(3), 1);
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, put("k", "x"));
    let y = s.submit(n2, put("k", "y"));
    s.deliver(n1, n2, "Collect");
    s.deliver(n2, n3, "Collect");
    s.deliver_in_turn(&[n1, n2, n3], &["CollectAck", "Commit", "Chosen"]);
    assert!(s.answer(x).is_some() && s.answer(y).is_some());
    s.finish(ALL)
}

/// B15. x is decided by n1 with n2, without y; n3 knows of y. n1 dies.
pub(crate) fn those_who_were_not_asked_add_nothing() -> String {
    let mut s = atlas("B15, what the leader may have decided is what its fast quorum said", &together(3), 1);
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "Collect");
    s.deliver(n2, n1, "CollectAck");
    assert!(s.answer(x).is_some(), "the client has heard of it");
    s.lose("");
    s.crash(n1);
    s.submit(n3, put("k", "y"));
    s.lose("");
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.note("n3 records x for n2, with y; n2 was asked by n1, and said nothing of y");
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver_in_turn(&[n2, n3], TELL);
    s.finish(&[Property::Agreement])
}

/// B15b. Of the fast quorum of x only n4 knows of y: with f = 2 that is not enough to decide
/// at once. n1 and n4 die; n2 finds x with n3 and n5.
pub(crate) fn a_dependency_that_one_names_may_be_lost_with_it() -> String {
    let mut s = atlas("B15b, f of the fast quorum name each dependency", &together(5), 2);
    let [n1, n2, n3, n4, n5] = nodes();
    s.submit(n4, put("k", "y"));
    s.lose("");
    s.submit(n1, put("k", "x"));
    for member in [n2, n3, n4] {
        s.deliver(n1, member, "Collect");
        s.deliver(member, n1, "CollectAck");
    }
    s.note("x needs ballot 1, and its value gets nowhere");
    s.lose("");
    s.crash(n1);
    s.crash(n4);
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3, n5], RECOVER);
    s.deliver_in_turn(&[n2, n3, n5], TELL);
    s.finish(&[Property::Agreement])
}

/// B7c. n1 decides x with n2, and restarts before it has told anybody but its client; n3
/// knows of y.
pub(crate) fn a_decision_of_a_leader_is_durable() -> String {
    let mut s = atlas("B7c, a leader that decided knows it after a restart", &together(3), 1);
    let [n1, n2, n3] = nodes();
    s.submit(n3, put("k", "y"));
    s.lose("");
    let x = s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "Collect");
    s.deliver(n2, n1, "CollectAck");
    assert!(s.answer(x).is_some());
    s.crash(n1);
    s.lose("");
    s.restart(n1);
    s.note("it recovers the numbers that it had in reserve, and not that of x");
    s.deliver_among(&[n1, n3], "Phase1a n1:0 ");
    s.deliver_among(&[n1, n3], "Phase1b n1:0 ");
    s.deliver_among(&[n1, n3], "Phase2");
    s.finish(&[Property::Agreement])
}

/// n1 asks n2 about x and restarts; what it said itself is on its disk, and in its index.
pub(crate) fn what_a_leader_said_itself_is_durable() -> String {
    let mut s = atlas("A restarted leader remembers what it asked about", &together(3), 1);
    let [n1, n2, n3] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "Collect");
    s.crash(n1);
    s.lose("");
    s.restart(n1);
    s.lose("");
    s.note("n3 decides y with n1, n2 recovers x with n3");
    s.submit(n3, put("k", "y"));
    s.deliver(n3, n1, "Collect");
    s.deliver(n1, n3, "CollectAck");
    s.lose("");
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.finish(&[Property::Agreement, Property::Visibility])
}

/// x gets to n2 and no further, and n1 forgets to go on: n2 recovers x with n1 and n3 of
/// five, and n3, which has decided y, has never heard of x.
pub(crate) fn who_was_not_asked_is_asked_with_the_commands() -> String {
    let mut s = atlas("Who has not said what x depends on is asked with the commands", &together(5), 2);
    let [n1, n2, n3, n4, n5] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "Collect");
    s.lose("");
    let y = s.submit(n3, put("k", "y"));
    for member in [n4, n5, n1] {
        s.deliver(n3, member, "Collect");
        s.deliver(member, n3, "CollectAck");
    }
    assert!(s.answer(y).is_none(), "n1 named x, alone: ballot 1");
    s.deliver_in_turn(&[n3, n4, n5], &["Phase2a", "Phase2b", "Commit", "Fetch", "Chosen"]);
    s.lose("");
    s.crash(n1);
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3, n4], &RECOVER[..2]);
    s.note("n3 and n4 have recorded x, and say what it depends on");
    s.deliver_in_turn(&[n2, n3, n4], RECOVER);
    s.deliver_in_turn(&[n2, n3, n4], TELL);
    s.finish(&[Property::Agreement, Property::Visibility, Property::State])
}

/// Only n3, which n1 has asked in the place of n2, knows what n1 knew: y. n1 dies; n2, of the
/// fast quorum, has heard of nothing (ledger 24).
pub(crate) fn the_leaders_past_counts_where_only_others_know_it() -> String {
    let mut s =
        atlas("What the leader knew counts, if only others than its fast quorum know it", &together(3), 1);
    let [n1, n2, n3] = nodes();
    s.submit(n1, put("k", "y"));
    s.submit(n1, put("k", "x"));
    s.lose("");
    s.suspect(n1, n2);
    s.deliver_in_turn(&[n1, n3], &["Collect", "CollectAck", "Phase2a n1:0", "Phase2b", "Commit"]);
    s.lose("");
    s.crash(n1);
    s.suspect(n3, n1);
    s.note("y is chosen; n3 recovers x with n2");
    s.timer(n3, &Timer::Tick, 8);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver_in_turn(&[n2, n3], TELL);
    s.finish(&[Property::Agreement, Property::Visibility])
}

/// n2 answers n1; n3, which knows of y, asks n1 for a promise before the answer comes.
pub(crate) fn a_leader_with_a_promise_decides_no_more() -> String {
    let mut s = atlas("A leader that promised does not decide at once any more", &together(3), 1);
    let [n1, n2, n3] = nodes();
    s.submit(n3, put("k", "y"));
    s.lose("");
    let x = s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "Collect");
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver(n2, n3, "Phase1a");
    s.lose("Phase1b");
    s.note("n3 has heard of x now");
    s.suspect(n3, n1);
    s.timer(n3, &Timer::Tick, 12);
    s.deliver_among(&[n1, n3], "Phase1a n1:0");
    s.deliver_among(&[n1, n3], "Phase1b n1:0");
    s.deliver(n2, n1, "CollectAck");
    assert_eq!(s.answer(x), None);
    s.deliver_among(&[n2, n3], "Phase2a n1:0");
    s.deliver_among(&[n2, n3], "Phase2b n1:0");
    s.finish(&[Property::Agreement])
}

/// n3, of the fast quorum of n1, promises to n2 and says what it knows; the power fails when only the
/// first record of that is on the disk. Then n1's question comes, and n1 dies; n4 knows of y
/// (ledger 25).
pub(crate) fn half_an_answer_to_a_recoverer_is_none_to_the_leader() -> String {
    let mut s = atlas("Of a promise with an answer, the promise is written first", &together(5), 1);
    let [n1, n2, n3, n4, n5] = nodes();
    s.submit(n4, put("k", "y"));
    s.lose("");
    let x = s.submit(n1, put("k", "x"));
    s.deliver(n1, n2, "Collect");
    s.deliver(n2, n1, "CollectAck");
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.hold_disk(n3);
    s.deliver(n2, n3, "Phase1a");
    s.crash_after(n3, 1);
    s.restart(n3);
    s.lose("Phase1a");
    s.deliver(n1, n3, "Collect");
    s.deliver_among(&[n1, n3], "CollectAck");
    assert_eq!(s.answer(x), None, "n3 has promised");
    s.lose("");
    s.crash(n1);
    s.timer(n2, &Timer::Tick, 12);
    s.deliver_in_turn(&[n2, n3, n4, n5], RECOVER);
    s.finish(&[Property::Agreement])
}

/// n2, of the fast quorum of n1, is down: n1 asks n3 too and takes two round trips.
pub(crate) fn a_member_that_is_down_is_replaced() -> String {
    let mut s = atlas("Without one of the fast quorum, the answers of a majority", &together(3), 1);
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, put("k", "x"));
    s.lose("");
    s.crash(n2);
    s.suspect(n1, n2);
    s.deliver_in_turn(&[n1, n3], &["Collect", "CollectAck", "Phase2a", "Phase2b", "Commit"]);
    assert!(s.answer(x).is_some());
    let y = s.submit(n1, put("k", "y"));
    s.note("the next one is asked of n3 at once");
    s.deliver_in_turn(&[n1, n3], &["Collect", "CollectAck", "Commit"]);
    assert!(s.answer(y).is_some());
    s.finish(&[Property::Agreement, Property::State])
}
