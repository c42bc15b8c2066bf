//! What dependency nodes record and answer, and what leaders make of it.

use crate::dialects::{apart, simple};
use crate::ops::{get, put, put_all};
use crate::ways::{DECIDE, VOTE};
use isegoria_bpaxos::simple::Timer;
use isegoria_sim::script::{Property, nodes};

const VISIBLE: &[Property] = &[Property::Visibility, Property::Order, Property::State, Property::Durability];

/// B3. d2 sees y and then x; the first answers that the leaders hear know nothing.
pub(crate) fn every_answer_goes_into_the_union() -> String {
    let mut s = simple("B3, missing union: all answers of a quorum go into the dependencies", &apart(2));
    let [n1, n2, d1, d2, d3] = nodes();
    s.submit(n1, put("k", "x"));
    s.submit(n2, put("k", "y"));
    s.deliver(n2, d2, "DepRequest");
    s.deliver(n1, d2, "DepRequest");
    s.deliver(n1, d1, "DepRequest");
    s.deliver(n2, d3, "DepRequest");
    s.deliver(d1, n1, "DepReply");
    s.deliver(d2, n1, "DepReply");
    s.deliver(d3, n2, "DepReply");
    s.deliver(d2, n2, "DepReply");
    s.deliver_in_turn(&nodes::<5>(), DECIDE);
    s.finish(VISIBLE)
}

/// B9. x is recorded at d1 and d2, y at d2 and d3; between the two, d2 restarts.
pub(crate) fn restarted_dependency_node_remembers() -> String {
    let mut s = simple("B9, dependency node amnesia: the index is rebuilt from the records", &apart(2));
    let [n1, n2, d1, d2, d3] = nodes();
    s.submit(n1, put("k", "x"));
    for d in [d1, d2] {
        s.deliver(n1, d, "DepRequest");
        s.deliver(d, n1, "DepReply");
    }
    s.crash(d2);
    s.restart(d2);
    s.submit(n2, put("k", "y"));
    for d in [d2, d3] {
        s.deliver(n2, d, "DepRequest");
        s.deliver(d, n2, "DepReply");
    }
    s.deliver_in_turn(&nodes::<5>(), DECIDE);
    s.finish(VISIBLE)
}

/// M1 at a dependency node. As B9, but power fails before x is on d2's disk.
pub(crate) fn dependency_answer_waits_for_the_disk() -> String {
    let mut s = simple("M1, an answer of a dependency node waits for its record to be durable", &apart(2));
    let [n1, n2, d1, d2, d3] = nodes();
    s.submit(n1, put("k", "x"));
    s.deliver(n1, d1, "DepRequest");
    s.deliver(d1, n1, "DepReply");
    s.hold_disk(d2);
    s.deliver(n1, d2, "DepRequest");
    s.deliver_among(&[n1, d2], "DepReply");
    s.crash(d2);
    s.restart(d2);
    s.submit(n2, put("k", "y"));
    for d in [d2, d3] {
        s.deliver(n2, d, "DepRequest");
        s.deliver(d, n2, "DepReply");
    }
    s.deliver_in_turn(&nodes::<5>(), DECIDE);
    s.note("n1 asks again, and d2 knows y by now");
    s.timer(n1, &Timer::Tick, 20);
    s.deliver_in_turn(&[n1, d2], &["DepRequest", "DepReply"]);
    s.deliver_in_turn(&nodes::<5>(), DECIDE);
    s.finish(VISIBLE)
}

/// B14. w1 = n1:0 and x = n1:1 of one leader, w2 = n2:0 of the other, all on one key:
/// d1 sees x w1, d2 sees w1 x w2, d3 sees x w2. Only because naming x names w1 too are
/// w1 and w2 ordered.
pub(crate) fn naming_a_vertex_names_all_before_it() -> String {
    let mut s = simple("B14, latest-only compaction: a dependency names all earlier ones too", &apart(2));
    let [n1, n2, d1, d2, d3] = nodes();
    s.submit(n1, put("k", "w1"));
    s.submit(n1, put("k", "x"));
    s.submit(n2, put("k", "w2"));
    s.deliver(n1, d1, "DepRequest n1:1");
    s.deliver(n1, d1, "DepRequest n1:0");
    s.deliver(n1, d2, "DepRequest n1:0");
    s.deliver(n1, d2, "DepRequest n1:1");
    s.deliver(n2, d2, "DepRequest n2:0");
    s.deliver(n1, d3, "DepRequest n1:1");
    s.deliver(n2, d3, "DepRequest n2:0");
    for (d, n, reply) in [
        (d1, n1, "DepReply n1:0"),
        (d2, n1, "DepReply n1:0"),
        (d1, n1, "DepReply n1:1"),
        (d3, n1, "DepReply n1:1"),
        (d2, n2, "DepReply n2:0"),
        (d3, n2, "DepReply n2:0"),
    ] {
        s.deliver(d, n, reply);
    }
    s.deliver_in_turn(&nodes::<5>(), VOTE);
    s.note("n2 has w2, then hears of x, and of w1 last");
    s.deliver(n1, n2, "Chosen n1:1");
    s.deliver(n1, n2, "Chosen n1:0");
    s.deliver(n2, n1, "Chosen n2:0");
    s.finish(VISIBLE)
}

/// B14, second variant. What was to lead from w2 to w1 is recovered as the noop, which
/// depends on nothing.
pub(crate) fn noop_carries_no_dependency() -> String {
    let mut s = simple("B14, second variant: the vertex in between becomes the noop", &apart(2));
    let [n1, n2, d1, d2, d3] = nodes();
    s.submit(n1, put("k", "w1"));
    for d in [d1, d2] {
        s.deliver(n1, d, "DepRequest n1:0");
        s.deliver(d, n1, "DepReply n1:0");
    }
    s.deliver_in_turn(&nodes::<5>(), VOTE);
    s.submit(n1, put("k", "x"));
    s.deliver(n1, d2, "DepRequest n1:1");
    s.submit(n2, put("k", "w2"));
    for d in [d2, d3] {
        s.deliver(n2, d, "DepRequest n2:0");
        s.deliver(d, n2, "DepReply n2:0");
    }
    s.deliver_in_turn(&nodes::<5>(), VOTE);
    s.note("n2 recovers what it waits for, and n1:1 first, of which nobody has a vote");
    s.timer(n2, &Timer::Tick, 4);
    s.deliver_in_turn(&[n2, d1, d3], &["Phase1a n1:1", "Phase1b n1:1", "Phase2a n1:1", "Phase2b n1:1"]);
    s.note("then it hears of w1, and n1 of all that n2 chose");
    s.deliver(n1, n2, "Chosen n1:0");
    s.deliver(n2, n1, "Chosen n2:0");
    s.deliver(n2, n1, "Chosen n1:1");
    s.finish(VISIBLE)
}

/// M16. A write of two keys is recorded under both.
pub(crate) fn every_key_of_a_command_conflicts() -> String {
    let mut s = simple("M16, a command of two keys conflicts through each of them", &apart(2));
    let [n1, n2, d1, d2, d3] = nodes();
    s.submit(n1, put_all(&[("a", "1"), ("b", "1")]));
    for d in [d1, d2] {
        s.deliver(n1, d, "DepRequest");
        s.deliver(d, n1, "DepReply");
    }
    s.submit(n2, put("a", "2"));
    s.submit(n2, put("b", "2"));
    for vertex in ["n2:0", "n2:1"] {
        for d in [d2, d3] {
            s.deliver(n2, d, &format!("DepRequest {vertex}"));
            s.deliver(d, n2, &format!("DepReply {vertex}"));
        }
    }
    s.deliver_in_turn(&nodes::<5>(), DECIDE);
    s.finish(VISIBLE)
}

/// M16, the other half. Reads commute with reads, not with writes.
pub(crate) fn reads_conflict_with_writes_alone() -> String {
    let mut s = simple("M16, reads conflict with writes, and not with reads", &apart(2));
    let [n1, n2, d1, d2, d3] = nodes();
    s.submit(n1, put("k", "x"));
    s.submit(n2, get("k"));
    s.submit(n2, get("k"));
    for (n, d, vertex) in [
        (n1, d1, "n1:0"),
        (n1, d2, "n1:0"),
        (n2, d2, "n2:0"),
        (n2, d3, "n2:0"),
        (n2, d2, "n2:1"),
        (n2, d3, "n2:1"),
    ] {
        s.deliver(n, d, &format!("DepRequest {vertex}"));
        s.deliver(d, n, &format!("DepReply {vertex}"));
    }
    s.deliver_in_turn(&nodes::<5>(), DECIDE);
    s.finish(VISIBLE)
}
