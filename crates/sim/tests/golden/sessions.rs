//! Exactly once, whatever is retried where, and whatever overtakes what.

use crate::dialects::{simple, together};
use crate::ops::{append, put};
use crate::ways::ORDINARY;
use isegoria_sim::script::{Ask, Property, nodes};

const ONCE: &[Property] = &[Property::Once, Property::State, Property::Durability];

/// B10. Requests 0 and 1 of one client touch different keys; 1 is executed first.
pub(crate) fn later_request_first() -> String {
    let mut s =
        simple("B10 (M27), the largest number says nothing: request 1 is executed before 0", &together(3));
    let [n1, n2, n3] = nodes();
    s.ask(n1, Ask { client: 1, number: 0, acked_below: 0 }, put("a", "0"));
    s.ask(n1, Ask { client: 1, number: 1, acked_below: 0 }, put("b", "1"));
    s.deliver_in_turn(&[n1, n2], &["DepRequest", "DepReply"]);
    s.deliver(n1, n2, "Phase2a n1:1");
    s.deliver(n2, n1, "Phase2b n1:1");
    s.deliver(n1, n2, "Phase2a n1:0");
    s.deliver(n2, n1, "Phase2b n1:0");
    s.note("the others have them in their order");
    s.deliver(n1, n2, "Commit n1:0");
    s.deliver(n1, n2, "Commit n1:1");
    s.deliver_among(&[n1, n3], "Phase2a");
    s.deliver(n1, n3, "Commit n1:0");
    s.deliver(n1, n3, "Commit n1:1");
    s.finish(ONCE)
}

/// B27. Request 0 was executed and answered at n2; request 1 says so, and n1 executes
/// it before it has heard of request 0.
pub(crate) fn acknowledged_is_not_executed() -> String {
    let mut s = simple("B27, an acknowledgement does not mean that it was executed here", &together(3));
    let [n1, n2, n3] = nodes();
    s.ask(n2, Ask { client: 1, number: 0, acked_below: 0 }, put("a", "0"));
    s.deliver_in_turn(&[n2, n3], ORDINARY);
    s.ask(n1, Ask { client: 1, number: 1, acked_below: 1 }, put("b", "1"));
    s.deliver_in_turn(&[n1, n3], ORDINARY);
    s.note("n1 and n2 hear of each other's only now");
    s.deliver_in_turn(&[n1, n2], ORDINARY);
    s.finish(ONCE)
}

/// The answer of n1 is lost, and the client asks n2.
pub(crate) fn retry_elsewhere_answers_the_same() -> String {
    let mut s = simple("A retry at another node gets the answer of the first execution", &together(3));
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, append("k", "x"));
    s.deliver_in_turn(&[n1, n2, n3], ORDINARY);
    s.note("its answer is lost on the way to the client");
    s.retry(n2, x);
    s.deliver_in_turn(&[n1, n2, n3], ORDINARY);
    s.finish(ONCE)
}

/// M14, as far as restarts go: the sessions are part of a checkpoint.
pub(crate) fn checkpoint_holds_the_sessions() -> String {
    let mut s = simple("M14, a restart from a checkpoint remembers what was executed", &together(3));
    let [n1, n2, n3] = nodes();
    let x = s.submit(n1, append("k", "x"));
    s.deliver_in_turn(&[n1, n2, n3], ORDINARY);
    for node in [n1, n2, n3] {
        s.gossip(node);
    }
    s.deliver_among(&[n1, n2, n3], "Progress");
    s.checkpoint(n2);
    s.crash(n2);
    s.restart(n2);
    s.retry(n2, x);
    s.deliver_in_turn(&[n1, n2, n3], ORDINARY);
    s.finish(ONCE)
}
