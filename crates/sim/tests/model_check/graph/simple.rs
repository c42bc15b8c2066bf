//! Simple BPaxos with f = 1.
//!
//! **Split.** The aim is the whole with two conflicting commands, one recovery ballot a
//! vertex and one crash-restart of any node. That was tried up to a depth of 12, where it
//! had 9 million states and still tripled with every step. With one recovery of one of the
//! vertices by one node, and no crash, it is 31 deep and has 12 million. The two parts meet in
//! a vertex's value only: consensus does not look into it, and the dependency service does not
//! care who decides it. So consensus is checked with one vertex and all faults, the dependency
//! service with two and three vertices and crashes, and the whole with two vertices and few
//! faults. What no model has is a crash together with two vertices in the whole protocol.

use super::dependencies::Dependencies;
use super::judge::{AGREEMENT, BALLOTS_RACE, ONE_VALUE, VISIBILITY};
use super::member::{Member, NEVER_MS, Part};
use super::plant::Plant;
use super::{ALL, BOTH, Graph, RECOVERED, TWO_WRITES, claim, fading_loses_nothing};
use crate::checker::{CHOSEN_AFTER_RESTART, TORN, WORD, is_full, refute, verify};
use crate::commands::Touch;
use crate::commands::Touch::{Read, Write};
use isegoria_bpaxos::simple::{Message, Options, Record, SimpleBpaxos, Timer};
use isegoria_multileader::Value;
use isegoria_types::Vertex;

impl Member for SimpleBpaxos {
    const LEADERS_ROUND: u32 = 0;
    const TICK: Timer = Timer::Tick;

    fn unhurried() -> Options {
        Options {
            tick_ms: 50,
            suspect_ms: 50,
            recovery_ms: NEVER_MS,
            repeat_ms: NEVER_MS,
            ..Options::default()
        }
    }

    fn part(message: &Message) -> (Option<Vertex>, Part) {
        match message {
            Message::DepRequest { vertex, .. } | Message::StaleFloor { vertex, .. } => {
                (Some(*vertex), Part::Other)
            }
            Message::Phase1a { vertex, .. } | Message::Phase2a { vertex, .. } => {
                (Some(*vertex), Part::Request)
            }
            Message::DepReply { vertex, .. }
            | Message::Phase1b { vertex, .. }
            | Message::Phase2b { vertex, .. } => (Some(*vertex), Part::Answer),
            Message::Nack { vertex, .. } | Message::Chosen { vertex, .. } => (Some(*vertex), Part::Outcome),
            Message::Commit { vertex, .. } => (Some(*vertex), Part::News),
            Message::Fetch { vertex } => (Some(*vertex), Part::Question),
            Message::Floor { .. } | Message::Gced { .. } => (None, Part::Other),
        }
    }

    fn outcome(record: Record) -> Option<(Vertex, Value)> {
        let Record::Decided { vertex, value } = record else { return None };
        Some((vertex, value))
    }

    fn reserved(record: &mut Record) -> Option<&mut u64> {
        let Record::Reserved { below } = record else { return None };
        Some(below)
    }

    fn is_forgotten(plant: Plant, record: &Record) -> bool {
        match record {
            Record::Reserved { .. } => plant == Plant::ForgottenNumbers,
            Record::Promised { .. } => plant == Plant::ForgottenPromises,
            Record::Recorded { .. } | Record::Index(_) => plant == Plant::ForgottenIndex,
            _ => false,
        }
    }

    fn heard(plant: Plant, message: Message) -> Message {
        match message {
            Message::Phase1b { vertex, ballot, .. } if plant == Plant::DeafRecovery => {
                Message::Phase1b { vertex, ballot, vote: None }
            }
            message => message,
        }
    }
}

fn simple(commands: &[(usize, Touch)]) -> Graph<SimpleBpaxos> {
    Graph::new(commands)
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

fn one_vertex() -> Graph<SimpleBpaxos> {
    simple(&[(0, Write)]).reaching(&RECOVERED)
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
    verify(claim(name, "no recovery, no crash", 129_864, 23), simple(&TWO_WRITES).reaching(&BOTH));
    verify(
        claim(name, "no recovery, no crash; only replicas tell what is chosen", 38_920, 21),
        simple(&TWO_WRITES).losing_news().catching_up().reaching(&BOTH),
    );
    if is_full() {
        verify(
            claim(name, "one recovery of one of them by the node that leads neither", 12_196_326, 31),
            simple(&TWO_WRITES).recoveries(&[2], 0, 1).reaching(&BOTH).reaching(&RECOVERED[1..]),
        );
    }
}

/// What may be forgotten is what nobody would miss.
#[test]
fn fading_loses_no_node_state() {
    fading_loses_nothing(|| simple(&[(0, Write)]).crash_of(&ALL));
    fading_loses_nothing(|| simple(&TWO_WRITES).losing_news());
    fading_loses_nothing(|| simple(&[(0, Write)]).recoveries(&[1], 0, 1).losing_news().catching_up());
    if is_full() {
        fading_loses_nothing(|| simple(&[(0, Write)]).recoveries(&[1], 0, 1));
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
    let numbers = simple(&[(0, Write), (0, Write)]).crash_of(&[0]).planted(Plant::ForgottenNumbers);
    refute("numbers forgotten at a restart", numbers, ONE_VALUE);
    let vertex = |count| simple(&[(0, Write)]).recoveries(&ALL, 0, count);
    let restarted = || vertex(1).crash_of(&ALL);
    refute("promises forgotten at a restart", restarted().planted(Plant::ForgottenPromises), AGREEMENT);
    refute("promises told before they are durable", restarted().planted(Plant::HastyAnswers), AGREEMENT);
    refute("a recovery deaf to votes", vertex(1).planted(Plant::DeafRecovery), AGREEMENT);
    let queued = || simple(&[(0, Write)]).recoveries(&[1], 0, 2).crash_of(&[1]).planted(Plant::QueuedSelf);
    refute("messages to oneself queued: a ballot used twice", queued(), WORD);
    let whole = simple(&TWO_WRITES).planted(Plant::FirstAnswer);
    refute("the first answer taken for all, in the whole protocol", whole, VISIBILITY);
    if is_full() {
        refute("messages to oneself queued: two values in one ballot", queued(), ONE_VALUE);
    }
}
