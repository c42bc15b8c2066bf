//! EPaxos\* with three nodes, f = e = 1, whole; and with five nodes, f = e = 2, as far as
//! recoveries of dead leaders' vertices go.
//!
//! What no model has is a crash together with two vertices, and two recoveries of one vertex beside
//! another that conflicts; nor `thrifty`, which only asks fewer.

use super::judge::{
    AGREEMENT, BALLOTS_RACE, CHOSEN_AT_ONCE, NONTRIVIALITY, NOOP_CHOSEN, VALUE_RECOVERED, VISIBILITY,
    WORD_IS_GOOD,
};
use super::member::{Member, NEVER_MS, Part};
use super::plant::Plant;
use super::{
    ALL, BOTH, Graph, RECOVERED, TWO_WRITES, claim, fading_loses_nothing, forgetful_restarts_are_found,
    unheard_of,
};
use crate::checker::{CHOSEN_AFTER_RESTART, TORN, is_full, refute, verify};
use crate::commands::Touch;
use crate::commands::Touch::Write;
use isegoria_epaxos::epaxos::Rule::{R2, R3, R4, V1, V2, V3, V4, W1, W2, W4};
use isegoria_epaxos::epaxos::{Epaxos, Heard, Message, Options, Record, Rule, Timer};
use isegoria_multileader::Value;
use isegoria_types::{DepSet, Vertex};

impl Member for Epaxos {
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
            Message::PreAccept { vertex, .. } | Message::StaleFloor { vertex, .. } => {
                (Some(*vertex), Part::Other)
            }
            Message::Phase1a { vertex, .. }
            | Message::Validate { vertex, .. }
            | Message::Phase2a { vertex, .. } => (Some(*vertex), Part::Request),
            Message::PreAcceptOk { vertex, .. }
            | Message::Phase1b { vertex, .. }
            | Message::ValidateOk { vertex, .. }
            | Message::Phase2b { vertex, .. } => (Some(*vertex), Part::Answer),
            Message::Waiting { vertex, .. }
            | Message::Nack { vertex, .. }
            | Message::Chosen { vertex, .. } => (Some(*vertex), Part::Outcome),
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
            Record::FastChosen { .. } => plant == Plant::ForgottenWord,
            Record::Asked { .. } | Record::Index(_) => plant == Plant::ForgottenIndex,
            _ => false,
        }
    }

    fn heard(plant: Plant, message: Message) -> Message {
        match message {
            Message::PreAcceptOk { vertex, .. } if plant == Plant::EmptyAnswers => {
                Message::PreAcceptOk { vertex, deps: DepSet::default() }
            }
            Message::Phase1b { vertex, ballot, heard } if plant == Plant::DeafRecovery => {
                Message::Phase1b { vertex, ballot, heard: Heard { vote: None, ..heard } }
            }
            Message::ValidateOk { vertex, ballot, .. } if plant == Plant::DeafValidation => {
                Message::ValidateOk { vertex, ballot, conflicts: Vec::new() }
            }
            message => message,
        }
    }
}

fn epaxos(commands: &[(usize, Touch)]) -> Graph<Epaxos> {
    Graph::new(commands)
}

fn names<const N: usize>(rules: [Rule; N]) -> [&'static str; N] {
    rules.map(Rule::name)
}

#[test]
fn one_vertex_with_all_faults() {
    let name = "EPaxos\\*";
    let vertex = || epaxos(&[(0, Write)]);
    verify(
        claim(name, "one vertex; one crash-restart of any node; the leader recovers after its own", 461, 13),
        vertex().crash_of(&ALL).reaching(&[CHOSEN_AT_ONCE, NOOP_CHOSEN, TORN]),
    );
    verify(
        claim(name, "one vertex; one recovery by any node; one crash-restart of any node", 214_803, 23),
        vertex()
            .recoveries(&ALL, 0, 1)
            .crash_of(&ALL)
            .reaching(&RECOVERED)
            .reaching(&[CHOSEN_AFTER_RESTART])
            .resolving(&names([R2, R3, R4, V1, W4])),
    );
    verify(
        claim(
            name,
            "one vertex, and a leader that may give up waiting; two recoveries, by the leader and one other",
            41_854,
            24,
        ),
        vertex().impatient(&[0]).recoveries(&[0, 1], 0, 2).reaching(&RECOVERED).reaching(&[BALLOTS_RACE]),
    );
    if is_full() {
        verify(
            claim(
                name,
                "one vertex, and a leader that may give up waiting; two recoveries, by any two nodes",
                1_795_128,
                27,
            ),
            vertex().impatient(&[0]).recoveries(&ALL, 0, 2).reaching(&RECOVERED).reaching(&[BALLOTS_RACE]),
        );
    }
}

#[test]
fn two_vertices() {
    let name = "EPaxos\\*";
    verify(
        claim(name, "two vertices of leaders that may give up waiting; no recovery, no crash", 48_201, 23),
        epaxos(&TWO_WRITES).impatient(&[0, 1]).reaching(&BOTH),
    );
    verify(
        claim(
            name,
            "two vertices; one recovery of one of them by the node that leads neither; only answers tell what is chosen",
            75_676,
            28,
        ),
        epaxos(&TWO_WRITES)
            .recoveries(&[2], 0, 1)
            .losing_news()
            .reaching(&BOTH[..2])
            .reaching(&RECOVERED[1..])
            .resolving(&names([V4])),
    );
    if is_full() {
        verify(
            claim(
                name,
                "two vertices; one recovery of one of them by the node that leads neither",
                779_313,
                33,
            ),
            epaxos(&TWO_WRITES)
                .recoveries(&[2], 0, 1)
                .reaching(&BOTH[..2])
                .reaching(&RECOVERED[1..])
                .resolving(&names([V4, W2])),
        );
        verify(
            claim(
                name,
                "two vertices; one recovery of each by the node that leads neither; only answers tell what is chosen",
                18_467_110,
                39,
            ),
            epaxos(&TWO_WRITES)
                .recoveries(&[2], 0, 1)
                .recoveries(&[2], 1, 1)
                .losing_news()
                .reaching(&BOTH[..2])
                .reaching(&RECOVERED[1..])
                .resolving(&names([R2, R3, R4, V1, V4, W2, W4])),
        );
    }
}

/// f = e = 2. These bounds do not reach W3, for which two recoveries have to wait for each other;
/// the simulator does.
#[test]
fn five_nodes() {
    let name = "EPaxos\\*, five nodes";
    let five = || Graph::<Epaxos>::of(5, Epaxos::unhurried(), &TWO_WRITES).losing_news();
    verify(
        claim(
            name,
            "two vertices of leaders that die once their requests have left; one recovery of each, by two others; only answers tell what is chosen",
            168_856,
            35,
        ),
        five()
            .dead(&[0, 1])
            .recoveries(&[2], 0, 1)
            .recoveries(&[3], 1, 1)
            .reaching(&[NOOP_CHOSEN, VALUE_RECOVERED])
            .resolving(&names([R4, V1, V3, V4])),
    );
    if is_full() {
        verify(
            claim(
                name,
                "two vertices, the leader of one dies once its requests have left; one recovery of that by another; only answers tell what is chosen",
                525_051,
                34,
            ),
            five()
                .dead(&[0])
                .recoveries(&[2], 0, 1)
                .reaching(&RECOVERED)
                .resolving(&names([R4, V1, V2, V3, V4])),
        );
        verify(
            claim(
                name,
                "two vertices of leaders that die once answers are in; one recovery of each, by two others; only answers tell what is chosen",
                5_006_780,
                41,
            ),
            five()
                .dying(&[0, 1])
                .recoveries(&[2], 0, 1)
                .recoveries(&[3], 1, 1)
                .reaching(&RECOVERED)
                .resolving(&names([R2, R4, V1, V3, V4])),
        );
        verify(
            claim(
                name,
                "two vertices, the leader of one dies once its requests have left; one recovery of that by another; two nodes may give up the values of what is executed; answers and replicas tell what is chosen",
                5_180_859,
                42,
            ),
            given_up().reaching(&RECOVERED).resolving(&names([R4, V1, V2, V3, V4, W1, W2])),
        );
    }
}

/// Values are given up while a recovery asks what speaks against another (ADR 8).
fn given_up() -> Graph<Epaxos> {
    let five = Graph::<Epaxos>::of(5, Epaxos::unhurried(), &TWO_WRITES).losing_news().catching_up();
    five.dead(&[0]).recoveries(&[2], 0, 1).cuts_at(&[3, 4])
}

/// What may be forgotten is what nobody would miss.
#[test]
fn fading_loses_no_node_state() {
    fading_loses_nothing(|| epaxos(&[(0, Write)]).crash_of(&ALL));
    fading_loses_nothing(|| epaxos(&TWO_WRITES).losing_news());
    fading_loses_nothing(|| epaxos(&[(0, Write)]).recoveries(&[1], 0, 1).losing_news().catching_up());
    if is_full() {
        fading_loses_nothing(|| epaxos(&TWO_WRITES).recoveries(&[2], 0, 1).losing_news());
    }
}

#[test]
fn planted_faults_are_found() {
    forgetful_restarts_are_found::<Epaxos>();
    let word = epaxos(&[(0, Write)]).recoveries(&[0, 1], 0, 1).crash_of(&[0]);
    refute("a leader's word forgotten at a restart", word.planted(Plant::ForgottenWord), AGREEMENT);
    let unheard = epaxos(&TWO_WRITES).planted(Plant::EmptyAnswers);
    refute("dependencies that a leader does not hear", unheard, WORD_IS_GOOD);
    let numbers = epaxos(&[(0, Write), (0, Write)]).crash_of(&[0]);
    refute("numbers forgotten at a restart", numbers.planted(Plant::ForgottenNumbers), NONTRIVIALITY);
    if is_full() {
        let raced = unheard_of::<Epaxos>().recoveries(&[1, 2], 0, 2).planted(Plant::DeafRecovery);
        refute("a recovery deaf to votes", raced, AGREEMENT);
        refute(
            "what speaks against a value is not heard",
            given_up().planted(Plant::DeafValidation),
            VISIBILITY,
        );
    }
}
