//! What distance allows, by hand: the first site of five, ms to the others.

use isegoria_bpaxos::simple::SimpleBpaxos;
use isegoria_bpaxos::unanimous::{Fast, Options, UnanimousBpaxos};
use isegoria_node::Protocol;
use isegoria_types::{Layout, NodeId, QuorumSystem};

fn limit<P: Protocol>(options: &P::Options) -> f64 {
    let layout = Layout::co_located(5, &QuorumSystem::Majority).expect("a legal layout");
    let round_trip = |_: NodeId, to: NodeId| [0.0, 60.0, 73.0, 152.0, 71.0][to.index()];
    P::limit(&layout, options, NodeId::new(0), &round_trip)
}

#[test]
fn a_limit_is_the_way_to_the_nearest_quorums() {
    let unanimous = |fast| limit::<UnanimousBpaxos>(&Options { fast, ..Options::default() });
    let found = [
        limit::<SimpleBpaxos>(&Default::default()),
        unanimous(Fast::Threshold),
        unanimous(Fast::Unanimous),
        unanimous(Fast::Basic),
    ];
    // Two majorities of three; everybody; all but one.
    for (found, expected) in found.into_iter().zip([142.0, 152.0, 152.0, 73.0]) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }
}
