//! Unanimous BPaxos with f = 1, under each of its three rules of ballot 0.
//!
//! What Simple BPaxos has in two parts is one here: the nodes that vote are those that say
//! what a vertex depends on. So one vertex is checked with all faults, and two vertices with
//! few.

use super::judge::{AGREEMENT, BALLOTS_RACE, CHOSEN_AT_ONCE, COMMITS, NONTRIVIALITY, VISIBILITY};
use super::member::{Member, NEVER_MS, Part};
use super::plant::Plant;
use super::{ALL, BOTH, Graph, RECOVERED, TWO_WRITES, claim, fading_loses_nothing};
use crate::checker::{CHOSEN_AFTER_RESTART, TORN, is_full, refute, verify};
use crate::commands::Touch;
use crate::commands::Touch::Write;
use isegoria_bpaxos::unanimous::{Fast, Message, Options, Record, Timer, UnanimousBpaxos};
use isegoria_multileader::Value;
use isegoria_types::{DepSet, Vertex};

impl Member for UnanimousBpaxos {
    const LEADERS_ROUND: u32 = 1;
    const TICK: Timer = Timer::Tick;

    fn unhurried() -> Options {
        Options {
            tick_ms: 50,
            suspect_ms: 50,
            slow_ms: NEVER_MS,
            recovery_ms: NEVER_MS,
            repeat_ms: NEVER_MS,
            ..Options::default()
        }
    }

    fn part(message: &Message) -> (Option<Vertex>, Part) {
        match message {
            Message::FastPropose { vertex, .. } | Message::StaleFloor { vertex, .. } => {
                (Some(*vertex), Part::Other)
            }
            Message::Phase1a { vertex, .. } | Message::Phase2a { vertex, .. } => {
                (Some(*vertex), Part::Request)
            }
            Message::FastVote { vertex, .. }
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
            Record::FastChosen { .. } => plant == Plant::ForgottenWord,
            Record::Recorded { .. } | Record::Index(_) => plant == Plant::ForgottenIndex,
            _ => false,
        }
    }

    fn heard(plant: Plant, message: Message) -> Message {
        match message {
            Message::FastVote { vertex, .. } if plant == Plant::EmptyAnswers => {
                Message::FastVote { vertex, deps: DepSet::default() }
            }
            Message::Phase1b { vertex, ballot, .. } if plant == Plant::DeafRecovery => {
                Message::Phase1b { vertex, ballot, vote: None, unchanged: false }
            }
            message => message,
        }
    }
}

fn model(fast: Fast, commands: &[(usize, Touch)]) -> Graph<UnanimousBpaxos> {
    Graph::of(3, Options { fast, ..UnanimousBpaxos::unhurried() }, commands)
}

fn name(fast: Fast) -> &'static str {
    match fast {
        Fast::Unanimous => "Unanimous BPaxos, fast=unanimous",
        Fast::Threshold => "Unanimous BPaxos",
        Fast::Basic => "Unanimous BPaxos, fast=basic",
    }
}

const ALL_RULES: [Fast; 3] = [Fast::Unanimous, Fast::Threshold, Fast::Basic];

/// The size of a model under each of [`ALL_RULES`].
type Sizes = [(usize, usize); 3];

/// Checks a model under each rule; those without a size are left out.
fn each(bound: &'static str, sizes: Sizes, build: impl Fn(Fast) -> Graph<UnanimousBpaxos>) {
    for (fast, (states, depth)) in ALL_RULES.into_iter().zip(sizes) {
        if states > 0 {
            verify(claim(name(fast), bound, states, depth), build(fast));
        }
    }
}

#[test]
fn one_vertex_with_all_faults() {
    let vertex = |fast| model(fast, &[(0, Write)]);
    each(
        "one vertex; one crash-restart of any node; the leader recovers after its own",
        [(1_181, 15), (1_181, 15), (898, 13)],
        |fast| vertex(fast).crash_of(&ALL).reaching(&[CHOSEN_AT_ONCE, TORN]),
    );
    let some = [(385_075, 26), (0, 0), (0, 0)];
    let all = [(385_075, 26), (385_075, 26), (48_874, 21)];
    each(
        "one vertex, and a leader that may give up waiting; one recovery by any node; one crash-restart of another",
        if is_full() { all } else { some },
        |fast| vertex(fast).impatient(&[0]).recoveries(&ALL, 0, 1).crash_of(&[1]).reaching(&RECOVERED),
    );
    if is_full() {
        each(
            "one vertex; one recovery by any node; one crash-restart of any node",
            [(1_634_893, 29), (1_634_893, 29), (920_430, 25)],
            |fast| {
                let recovered = vertex(fast).recoveries(&ALL, 0, 1).crash_of(&ALL);
                recovered.reaching(&RECOVERED).reaching(&[CHOSEN_AFTER_RESTART, TORN])
            },
        );
        each(
            "one vertex, and a leader that may give up waiting; two recoveries, by the leader and one other",
            [(0, 0), (2_419_835, 33), (165_910, 26)],
            |fast| {
                let recovered = vertex(fast).impatient(&[0]).recoveries(&[0, 1], 0, 2);
                recovered.reaching(&RECOVERED).reaching(&[BALLOTS_RACE])
            },
        );
    }
}

#[test]
fn two_vertices() {
    each(
        "two vertices of leaders that may give up waiting; no recovery, no crash",
        [(287_220, 23), (171_412, 23), (55_796, 23)],
        |fast| model(fast, &TWO_WRITES).impatient(&[0, 1]).reaching(&BOTH),
    );
    if is_full() {
        each(
            "two vertices; one recovery of one of them by the node that leads neither; only answers tell what is chosen",
            [(2_899_570, 28), (275_383, 26), (132_457, 25)],
            |fast| {
                model(fast, &TWO_WRITES)
                    .recoveries(&[2], 0, 1)
                    .losing_news()
                    .reaching(&BOTH[..2])
                    .reaching(&RECOVERED[1..])
            },
        );
        each(
            "two vertices; one recovery of one of them by the node that leads neither",
            [(0, 0), (1_069_313, 31), (0, 0)],
            |fast| model(fast, &TWO_WRITES).recoveries(&[2], 0, 1).reaching(&BOTH).reaching(&RECOVERED[1..]),
        );
    }
}

/// What may be forgotten is what nobody would miss.
#[test]
fn fading_loses_no_node_state() {
    for fast in ALL_RULES {
        fading_loses_nothing(|| model(fast, &[(0, Write)]).crash_of(&ALL));
        fading_loses_nothing(|| {
            model(fast, &[(0, Write)]).recoveries(&[1], 0, 1).losing_news().catching_up()
        });
    }
    if is_full() {
        fading_loses_nothing(|| model(Fast::Threshold, &TWO_WRITES).losing_news());
    }
}

#[test]
fn planted_faults_are_found() {
    for fast in [Fast::Unanimous, Fast::Threshold] {
        let vertex = |count| model(fast, &[(0, Write)]).recoveries(&ALL, 0, count);
        let restarted = || vertex(1).crash_of(&ALL);
        refute("promises forgotten at a restart", restarted().planted(Plant::ForgottenPromises), AGREEMENT);
        refute("promises told before they are durable", restarted().planted(Plant::HastyAnswers), AGREEMENT);
        refute("a recovery deaf to votes", vertex(1).planted(Plant::DeafRecovery), AGREEMENT);
    }
    let unheard = model(Fast::Threshold, &TWO_WRITES).planted(Plant::EmptyAnswers);
    refute("dependencies that a leader does not hear", unheard, COMMITS);
    let slow = model(Fast::Threshold, &TWO_WRITES).impatient(&[0, 1]).planted(Plant::EmptyAnswers);
    refute("dependencies that a leader does not hear, on the slow path", slow, VISIBILITY);
    let word = model(Fast::Basic, &[(0, Write)]).recoveries(&[0], 0, 1).crash_of(&[0]);
    refute("a leader's word forgotten at a restart", word.planted(Plant::ForgottenWord), AGREEMENT);
    let numbers = model(Fast::Threshold, &[(0, Write), (0, Write)]).crash_of(&[0]);
    refute("numbers forgotten at a restart", numbers.planted(Plant::ForgottenNumbers), NONTRIVIALITY);
}
