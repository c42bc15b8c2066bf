//! What becomes of a vertex whose leader does not finish it.

use crate::dialects::{simple, together};
use crate::ops::append;
use crate::ways::{ORDINARY, RECOVER, TELL};
use isegoria_bpaxos::simple::Timer;
use isegoria_sim::script::{Property, nodes};

const ONCE: &[Property] = &[Property::Agreement, Property::Once, Property::State, Property::Durability];

/// n1 dies before anybody votes.
pub(crate) fn recovery_noop_wins() -> String {
    let mut s = simple("A recovery that finds no vote proposes the noop", &together(3));
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, append("k", "x"));
    s.deliver(n1, n2, "DepRequest");
    s.deliver(n1, n3, "DepRequest");
    s.crash(n1);
    s.lose("");
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver_in_turn(&[n2, n3], TELL);
    s.note("the client asks elsewhere");
    s.retry(n2, x);
    s.deliver_in_turn(&[n2, n3], ORDINARY);
    assert_eq!(s.answer(x).as_deref(), Some("1"));
    s.finish(ONCE)
}

/// n1 dies when n2 has voted, so that x may be chosen.
pub(crate) fn recovery_finds_value() -> String {
    let mut s = simple("A recovery that finds a vote proposes its value", &together(3));
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, append("k", "x"));
    s.deliver(n1, n2, "DepRequest");
    s.deliver(n2, n1, "DepReply");
    s.deliver(n1, n2, "Phase2a");
    s.crash(n1);
    s.lose("");
    s.suspect(n2, n1);
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver_in_turn(&[n2, n3], TELL);
    assert_eq!(s.answer(x), None, "its entry node is down");
    s.note("the client asks elsewhere, and gets the answer of the first execution");
    s.retry(n3, x);
    s.deliver_in_turn(&[n2, n3], ORDINARY);
    assert_eq!(s.answer(x).as_deref(), Some("1"));
    s.finish(ONCE)
}

/// n2 and n3 recover the same vertex, and get into each other's way.
pub(crate) fn two_recoverers_duel() -> String {
    let mut s =
        simple("Two recoverers of one vertex: the higher ballot wins, the other learns", &together(3));
    let [n1, n2, n3] = nodes();
    s.submit(n1, append("k", "x"));
    s.deliver(n1, n2, "DepRequest");
    s.deliver(n1, n3, "DepRequest");
    s.crash(n1);
    s.lose("");
    s.timer(n2, &Timer::Tick, 4);
    s.timer(n3, &Timer::Tick, 6);
    s.deliver(n2, n3, "Phase1a 1.n2");
    s.note("n3 has promised its own ballot; n2 promises it too, and gives way");
    s.deliver(n3, n2, "Nack");
    s.deliver(n3, n2, "Phase1a 1.n3");
    s.deliver(n2, n3, "Phase1b 1.n3");
    s.note("before n3's proposal arrives, n2 tries again, above it");
    s.timer(n2, &Timer::Tick, 5);
    s.deliver(n3, n2, "Phase2a 1.n3");
    s.deliver(n2, n3, "Nack");
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver_in_turn(&[n2, n3], TELL);
    s.finish(&[Property::Agreement, Property::Ballots, Property::State])
}

/// n2 recovers n1's vertex too early; n1 lives and submits its command again.
pub(crate) fn resubmission_after_noop() -> String {
    let mut s = simple("A leader whose vertex became the noop submits its command again", &together(3));
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, append("k", "x"));
    s.deliver(n1, n2, "DepRequest");
    s.deliver(n2, n1, "DepReply");
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, n3], RECOVER);
    s.deliver_in_turn(&[n2, n3], TELL);
    s.note("n1 is refused, hears why, and takes a new vertex");
    s.deliver(n1, n2, "Phase2a 0.n1");
    s.deliver(n2, n1, "Chosen");
    s.deliver_in_turn(&[n1, n2, n3], ORDINARY);
    assert_eq!(s.answer(x).as_deref(), Some("1"), "L1: n1 owes its client an answer");
    s.finish(ONCE)
}
