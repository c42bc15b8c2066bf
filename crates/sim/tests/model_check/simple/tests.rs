use super::Simple;
use super::dependencies::Dependencies;
use super::judge::{
    AGREEMENT, BALLOTS_RACE, BOTH_EXECUTED, CHOSEN_AT_ONCE, CYCLE_EXECUTED, NOOP_CHOSEN, ONE_VALUE,
    VALUE_RECOVERED, VISIBILITY,
};
use super::plant::Plant;
use crate::checker::{
    CHOSEN_AFTER_RESTART, Claim, Named, Size, TORN, WORD, is_full, node_states, refute, verify,
};
use crate::commands::Touch;
use crate::commands::Touch::{Read, Write};

const ALL: [usize; 3] = [0, 1, 2];
const TWO_WRITES: [(usize, Touch); 2] = [(0, Write), (1, Write)];

fn claim(name: &'static str, bound: &'static str, states: usize, depth: usize) -> Claim {
    Claim { name, bound, size: Size { states, depth } }
}

#[test]
fn the_dependency_service() {
    let name = "Simple BPaxos, dependency service";
    let restarts = [CHOSEN_AFTER_RESTART, TORN];
    verify(
        claim(name, "writes at two leaders; one crash-restart of any node", 49_096, 16),
        Dependencies::new(&TWO_WRITES).crash_of(&ALL, &restarts),
    );
    verify(
        claim(name, "reads at two leaders, a write at the third", 277_735, 21),
        Dependencies::new(&[(0, Read), (1, Read), (2, Write)]),
    );
    if is_full() {
        verify(
            claim(
                name,
                "a write and a read at one leader, a write at another; one crash-restart of the former",
                9_056_579,
                25,
            ),
            Dependencies::new(&[(0, Write), (0, Read), (1, Write)]).crash_of(&[0], &restarts),
        );
        verify(
            claim(name, "writes at all three leaders", 7_523_091, 25),
            Dependencies::new(&[(0, Write), (1, Write), (2, Write)]),
        );
    }
}

/// The situations of every model with a recovery.
const RECOVERED: [Named; 3] = [CHOSEN_AT_ONCE, NOOP_CHOSEN, VALUE_RECOVERED];

fn one_vertex() -> Simple {
    Simple::new(&[(0, Write)]).reaching(&RECOVERED)
}

#[test]
fn one_vertex_with_all_faults() {
    let name = "Simple BPaxos, one vertex";
    let restarts = [CHOSEN_AFTER_RESTART, TORN];
    verify(
        claim(name, "one crash-restart of any node; the leader recovers after its own", 8_104, 21),
        one_vertex().crash_of(&ALL).reaching(&restarts),
    );
    verify(
        claim(name, "one recovery by any node; one crash-restart of a node that does not lead", 111_989, 22),
        one_vertex().recoveries(&ALL, 0, 1).crash_of(&[1]).reaching(&[CHOSEN_AFTER_RESTART, BALLOTS_RACE]),
    );
    verify(
        claim(name, "two recoveries, by the leader and one other", 118_448, 27),
        one_vertex().recoveries(&[0, 1], 0, 2).reaching(&[BALLOTS_RACE]),
    );
    verify(
        claim(name, "one recovery by any node; only replicas tell what is chosen", 11_330, 19),
        one_vertex().recoveries(&ALL, 0, 1).losing_news().catching_up().reaching(&[BALLOTS_RACE]),
    );
    if is_full() {
        verify(
            claim(name, "one recovery by any node; one crash-restart of any node", 5_387_672, 31),
            one_vertex().recoveries(&ALL, 0, 1).crash_of(&ALL).reaching(&restarts),
        );
        verify(
            claim(name, "two recoveries, by any two nodes", 3_449_457, 28),
            one_vertex().recoveries(&ALL, 0, 2).reaching(&[BALLOTS_RACE]),
        );
    }
}

#[test]
fn two_vertices() {
    let name = "Simple BPaxos, two vertices";
    let both = [CHOSEN_AT_ONCE, BOTH_EXECUTED, CYCLE_EXECUTED];
    verify(claim(name, "no recovery, no crash", 129_864, 23), Simple::new(&TWO_WRITES).reaching(&both));
    verify(
        claim(name, "no recovery, no crash; only replicas tell what is chosen", 38_920, 21),
        Simple::new(&TWO_WRITES).losing_news().catching_up().reaching(&both),
    );
    if is_full() {
        verify(
            claim(name, "one recovery of one of them by the node that leads neither", 12_196_326, 31),
            Simple::new(&TWO_WRITES).recoveries(&[2], 0, 1).reaching(&both).reaching(&RECOVERED[1..]),
        );
    }
}

/// What may be forgotten is what nobody would miss.
#[test]
fn fading_loses_no_node_state() {
    let restarted = || Simple::new(&[(0, Write)]).crash_of(&ALL);
    assert_eq!(node_states(restarted()), node_states(restarted().unfaded()));
    let both = || Simple::new(&TWO_WRITES).losing_news();
    assert_eq!(node_states(both()), node_states(both().unfaded()));
    let told = || Simple::new(&[(0, Write)]).recoveries(&[1], 0, 1).losing_news().catching_up();
    assert_eq!(node_states(told()), node_states(told().unfaded()));
    if is_full() {
        let recovered = || Simple::new(&[(0, Write)]).recoveries(&[1], 0, 1);
        assert_eq!(node_states(recovered()), node_states(recovered().unfaded()));
    }
}

#[test]
fn planted_faults_are_found() {
    let dependencies = || Dependencies::new(&TWO_WRITES).crash_of(&ALL, &[]);
    refute("the index is forgotten at a restart", dependencies().planted(Plant::ForgottenIndex), VISIBILITY);
    refute(
        "dependencies told before they are durable",
        dependencies().planted(Plant::HastyAnswers),
        VISIBILITY,
    );
    refute("the first answer taken for all", dependencies().planted(Plant::FirstAnswer), VISIBILITY);
    let numbers = Simple::new(&[(0, Write), (0, Write)]).crash_of(&[0]).planted(Plant::ForgottenNumbers);
    refute("numbers forgotten at a restart", numbers, ONE_VALUE);
    let vertex = |count| Simple::new(&[(0, Write)]).recoveries(&ALL, 0, count);
    let restarted = || vertex(1).crash_of(&ALL);
    refute("promises forgotten at a restart", restarted().planted(Plant::ForgottenPromises), AGREEMENT);
    refute("promises told before they are durable", restarted().planted(Plant::HastyAnswers), AGREEMENT);
    refute("a recovery deaf to votes", vertex(1).planted(Plant::DeafRecovery), AGREEMENT);
    let queued =
        || Simple::new(&[(0, Write)]).recoveries(&[1], 0, 2).crash_of(&[1]).planted(Plant::QueuedSelf);
    refute("messages to oneself queued: a ballot used twice", queued(), WORD);
    let whole = Simple::new(&TWO_WRITES).planted(Plant::FirstAnswer);
    refute("the first answer taken for all, in the whole protocol", whole, VISIBILITY);
    if is_full() {
        refute("messages to oneself queued: two values in one ballot", queued(), ONE_VALUE);
    }
}
