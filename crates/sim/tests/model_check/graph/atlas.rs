//! Atlas with f = 1 and three nodes, where two are a fast quorum and its answers always
//! fit; and with f = 2 and five.
//!
//! What no model has is a crash together with two vertices.

use super::judge::{AGREEMENT, CHOSEN_AT_ONCE, NONTRIVIALITY, NOOP_CHOSEN, VALUE_RECOVERED, WORD_IS_GOOD};
use super::member::{Member, NEVER_MS, Part};
use super::plant::Plant;
use super::{
    ALL, BOTH, Graph, RECOVERED, TWO_WRITES, claim, fading_loses_nothing, forgetful_restarts_are_found,
    unheard_of,
};
use crate::checker::{CHOSEN_AFTER_RESTART, TORN, is_full, refute, verify};
use crate::commands::Touch;
use crate::commands::Touch::Write;
use isegoria_epaxos::atlas::{Atlas, Heard, Message, Options, Record, Timer};
use isegoria_multileader::Value;
use isegoria_types::{DepSet, Vertex};

impl Member for Atlas {
    const LEADERS_ROUND: u32 = 1;
    const TICK: Timer = Timer::Tick;

    fn unhurried() -> Options {
        Options {
            tick_ms: 50,
            suspect_ms: 50,
            slow_ms: NEVER_MS,
            recovery_ms: NEVER_MS,
            repeat_ms: NEVER_MS,
            tail_ms: NEVER_MS,
            ..Options::default()
        }
    }

    fn part(message: &Message) -> (Option<Vertex>, Part) {
        match message {
            Message::Collect { vertex, .. } | Message::StaleFloor { vertex, .. } => {
                (Some(*vertex), Part::Other)
            }
            Message::Phase1a { vertex, .. } | Message::Phase2a { vertex, .. } => {
                (Some(*vertex), Part::Request)
            }
            Message::CollectAck { vertex, .. }
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
            Record::Collected { .. } | Record::Index(_) => plant == Plant::ForgottenIndex,
            _ => false,
        }
    }

    fn heard(plant: Plant, message: Message) -> Message {
        match message {
            Message::CollectAck { vertex, .. } if plant == Plant::EmptyAnswers => {
                Message::CollectAck { vertex, deps: DepSet::default() }
            }
            Message::Phase1b { vertex, ballot, heard } if plant == Plant::DeafRecovery => {
                Message::Phase1b { vertex, ballot, heard: Heard { vote: None, ..heard } }
            }
            message => message,
        }
    }
}

fn atlas(commands: &[(usize, Touch)]) -> Graph<Atlas> {
    Graph::new(commands)
}

#[test]
fn one_vertex_with_all_faults() {
    let name = "Atlas";
    let vertex = || atlas(&[(0, Write)]);
    verify(
        claim(name, "one vertex; one crash-restart of any node; the leader recovers after its own", 300, 12),
        vertex().crash_of(&ALL).reaching(&[CHOSEN_AT_ONCE, VALUE_RECOVERED, TORN]),
    );
    verify(
        claim(name, "one vertex; one recovery by any node; one crash-restart of any node", 56_265, 22),
        vertex().recoveries(&ALL, 0, 1).crash_of(&ALL).reaching(&RECOVERED).reaching(&[CHOSEN_AFTER_RESTART]),
    );
    verify(
        claim(
            name,
            "one vertex, and a leader that may give up waiting; two recoveries, by the leader and one other",
            63_794,
            27,
        ),
        vertex().impatient(&[0]).recoveries(&[0, 1], 0, 2).reaching(&[CHOSEN_AT_ONCE, VALUE_RECOVERED]),
    );
    if is_full() {
        verify(
            claim(
                name,
                "one vertex, and a leader that may give up waiting; one recovery by any node; one crash-restart of another",
                213_346,
                26,
            ),
            vertex()
                .impatient(&[0])
                .recoveries(&ALL, 0, 1)
                .crash_of(&[1])
                .reaching(&[CHOSEN_AT_ONCE, VALUE_RECOVERED]),
        );
        verify(
            claim(
                name,
                "one vertex, and a leader that may give up waiting; two recoveries, by two nodes that do not lead it; only answers tell what is chosen",
                16_209_434,
                33,
            ),
            vertex()
                .impatient(&[0])
                .losing_news()
                .recoveries(&[1, 2], 0, 2)
                .reaching(&[CHOSEN_AT_ONCE, VALUE_RECOVERED]),
        );
    }
}

#[test]
fn two_vertices() {
    let name = "Atlas";
    verify(
        claim(name, "two vertices of leaders that may give up waiting; no recovery, no crash", 37_205, 23),
        atlas(&TWO_WRITES).impatient(&[0, 1]).reaching(&BOTH),
    );
    verify(
        claim(
            name,
            "two vertices; one recovery of each by the node that leads neither; only answers tell what is chosen",
            30_209,
            26,
        ),
        atlas(&TWO_WRITES).recoveries(&[2], 0, 1).recoveries(&[2], 1, 1).losing_news().reaching(&RECOVERED),
    );
    if is_full() {
        verify(
            claim(name, "two vertices; one recovery of each by the node that leads neither", 235_736, 32),
            atlas(&TWO_WRITES)
                .recoveries(&[2], 0, 1)
                .recoveries(&[2], 1, 1)
                .reaching(&BOTH)
                .reaching(&RECOVERED[1..]),
        );
    }
}

/// f = 2, where a fast quorum is four nodes, and each dependency is to be named by two of them.
#[test]
fn five_nodes() {
    let name = "Atlas, five nodes";
    let five = || Graph::<Atlas>::of(5, Atlas::unhurried(), &TWO_WRITES).losing_news();
    verify(
        claim(
            name,
            "two vertices of leaders that die once their requests have left; one recovery of each, by two others; only answers tell what is chosen",
            31_773,
            26,
        ),
        five().dead(&[0, 1]).recoveries(&[2], 0, 1).recoveries(&[3], 1, 1).reaching(&[VALUE_RECOVERED]),
    );
    if is_full() {
        verify(
            claim(
                name,
                "two vertices, the leader of one dies once its requests have left; one recovery of that by another; answers and replicas tell what is chosen",
                1_111_225,
                38,
            ),
            five().catching_up().dead(&[0]).recoveries(&[2], 0, 1).reaching(&[
                CHOSEN_AT_ONCE,
                NOOP_CHOSEN,
                VALUE_RECOVERED,
            ]),
        );
        verify(
            claim(
                name,
                "two vertices of leaders that die once answers are in; one recovery of each, by two others; only answers tell what is chosen",
                744_724,
                36,
            ),
            five()
                .dying(&[0, 1])
                .recoveries(&[2], 0, 1)
                .recoveries(&[3], 1, 1)
                .reaching(&[CHOSEN_AT_ONCE, VALUE_RECOVERED]),
        );
    }
}

/// What may be forgotten is what nobody would miss.
#[test]
fn fading_loses_no_node_state() {
    fading_loses_nothing(|| atlas(&[(0, Write)]).crash_of(&ALL));
    fading_loses_nothing(|| atlas(&TWO_WRITES).losing_news());
    fading_loses_nothing(|| atlas(&[(0, Write)]).recoveries(&[1], 0, 1).losing_news().catching_up());
}

#[test]
fn planted_faults_are_found() {
    forgetful_restarts_are_found::<Atlas>();
    let unheard = atlas(&TWO_WRITES).planted(Plant::EmptyAnswers);
    refute("dependencies that a leader does not hear", unheard, WORD_IS_GOOD);
    let numbers = atlas(&[(0, Write), (0, Write)]).crash_of(&[0]);
    refute("numbers forgotten at a restart", numbers.planted(Plant::ForgottenNumbers), NONTRIVIALITY);
    if is_full() {
        let raced = unheard_of::<Atlas>().recoveries(&[1, 2], 0, 2).planted(Plant::DeafRecovery);
        refute("a recovery deaf to votes", raced, AGREEMENT);
    }
}
