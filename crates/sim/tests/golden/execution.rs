//! The order in which replicas execute, and when they answer.

use crate::dialects::{Simple, apart, simple};
use crate::ops::{get, put, put_all};
use crate::ways::{DECIDE, VOTE};
use isegoria_sim::script::{Property, Script, nodes};
use isegoria_types::NodeId;

/// `leader` asks these dependency nodes about a vertex and hears them.
fn ask(s: &mut Script<Simple>, leader: NodeId, vertex: &str, dependency: &[NodeId]) {
    for d in dependency {
        s.deliver_among(&[leader, *d], &format!("DepRequest {vertex}"));
        s.deliver_among(&[leader, *d], &format!("DepReply {vertex}"));
    }
}

/// B8. A = n1:0, B = n2:0, C = n3:0, one key. C depends on B, and was C answered when it
/// was committed, A came later; yet A -> C -> B -> A is a cycle, in which A goes first.
pub(crate) fn answered_after_execution() -> String {
    let mut s = simple("B8, early answer: a command is answered when it is executed", &apart(3));
    let [n1, n2, n3, d1, d2, d3] = nodes();
    s.submit(n2, put("k", "b"));
    s.deliver(n2, d2, "DepRequest");
    let c = s.submit(n3, put("k", "c"));
    ask(&mut s, n3, "n3:0", &[d2, d3]);
    s.deliver_in_turn(&nodes::<6>(), VOTE);
    let a = s.submit(n1, put("k", "a"));
    ask(&mut s, n1, "n1:0", &[d1, d3]);
    ask(&mut s, n2, "n2:0", &[d1, d2]);
    s.deliver_in_turn(&nodes::<6>(), VOTE);
    s.deliver_among(&[n1, n2, n3], "Chosen");
    assert!(s.answer(a).is_some() && s.answer(c).is_some());
    s.note("what is submitted now comes after all of them");
    let last = s.submit(n1, get("k"));
    ask(&mut s, n1, "n1:1", &[d1, d2]);
    s.deliver_in_turn(&nodes::<6>(), VOTE);
    s.deliver_among(&[n1, n2, n3], "Chosen");
    assert_eq!(s.answer(last).as_deref(), Some("c"));
    s.finish(&[Property::RealTime, Property::Order, Property::State, Property::Durability])
}

/// d1 sees x first, d2 sees y first: each depends on the other.
pub(crate) fn deps_cycle_executes_once() -> String {
    let mut s = simple("M11, a cycle is executed in one order, whatever arrived first", &apart(2));
    let [n1, n2, d1, d2] = nodes();
    s.submit(n1, put("k", "x"));
    s.submit(n2, put("k", "y"));
    s.deliver(n1, d1, "DepRequest");
    s.deliver(n2, d1, "DepRequest");
    s.deliver(n2, d2, "DepRequest");
    s.deliver(n1, d2, "DepRequest");
    s.deliver_among(&[n1, n2, d1, d2], "DepReply");
    s.deliver_in_turn(&[n1, n2, d1, d2], DECIDE);
    s.finish(&[Property::Order, Property::Once, Property::State, Property::Durability])
}

/// x writes a, y writes a and b, z writes b: z -> y -> x. n3 has y and z before x.
pub(crate) fn commit_before_dependency_waits() -> String {
    let mut s = simple("M12, nothing is executed before all that it depends on, however far", &apart(3));
    let [n1, n2, n3, d1, d2, _] = nodes();
    s.submit(n1, put("a", "x"));
    ask(&mut s, n1, "n1:0", &[d1, d2]);
    s.submit(n2, put_all(&[("a", "y"), ("b", "y")]));
    ask(&mut s, n2, "n2:0", &[d1, d2]);
    s.submit(n3, put("b", "z"));
    ask(&mut s, n3, "n3:0", &[d1, d2]);
    s.deliver_among(&nodes::<6>(), "Phase2a");
    s.deliver_among(&[n1, d1, d2], "Phase2b");
    s.deliver_among(&[n2, d1, d2], "Phase2b");
    s.deliver(n2, n3, "Chosen n2:0");
    s.deliver_among(&[n3, d1, d2], "Phase2b");
    s.deliver_among(&[n1, n2, n3], "Chosen");
    s.finish(&[Property::Order, Property::State, Property::Durability])
}
