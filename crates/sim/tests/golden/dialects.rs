//! How the messages and records of the protocols read in a trace, and the clusters that
//! scripts are about.

use isegoria_bpaxos::simple::{self, SimpleBpaxos};
use isegoria_bpaxos::unanimous::{self, Fast, UnanimousBpaxos};
use isegoria_multipaxos::{self as multipaxos, MultiPaxos};
use isegoria_sim::script::{Dialect, Script, footprint, value};
use isegoria_types::{Layout, Placement, QuorumSystem, Role};

#[path = "dialects/atlas.rs"]
mod atlas;
#[path = "dialects/epaxos.rs"]
mod epaxos;

pub(crate) use atlas::atlas;
pub(crate) use epaxos::{Epaxos, epaxos};

/// Simple BPaxos.
pub(crate) struct Simple;

impl Dialect for Simple {
    type Protocol = SimpleBpaxos;

    fn message(message: &simple::Message) -> String {
        use simple::Message;
        match message {
            Message::DepRequest { vertex, footprint: touched, floor } => {
                format!("DepRequest {vertex} {} floor {floor:?}", footprint(touched))
            }
            Message::DepReply { vertex, deps } => format!("DepReply {vertex} {deps:?}"),
            Message::StaleFloor { vertex, floor } => format!("StaleFloor {vertex} {floor:?}"),
            Message::Floor { floor } => format!("Floor {floor:?}"),
            Message::Phase1a { vertex, ballot } => format!("Phase1a {vertex} {ballot}"),
            Message::Phase1b { vertex, ballot, vote: None } => format!("Phase1b {vertex} {ballot} no vote"),
            Message::Phase1b { vertex, ballot, vote: Some((voted, held)) } => {
                format!("Phase1b {vertex} {ballot} vote {voted} {}", value(&held.batch, &held.deps))
            }
            Message::Phase2a { vertex, ballot, value: held } => {
                format!("Phase2a {vertex} {ballot} {}", value(&held.batch, &held.deps))
            }
            Message::Phase2b { vertex, ballot } => format!("Phase2b {vertex} {ballot}"),
            Message::Nack { vertex, ballot, promised } => {
                format!("Nack {vertex} {ballot} promised {promised}")
            }
            Message::Commit { vertex, ballot } => format!("Commit {vertex} {ballot}"),
            Message::Chosen { vertex, value: held } => {
                format!("Chosen {vertex} {}", value(&held.batch, &held.deps))
            }
            Message::Fetch { vertex } => format!("Fetch {vertex}"),
            Message::Gced { floor } => format!("Gced {floor:?}"),
        }
    }

    fn record(record: &simple::Record) -> String {
        use simple::Record;
        match record {
            Record::Reserved { below } => format!("Reserved below {below}"),
            Record::Recorded { vertex, footprint: touched } => {
                format!("Recorded {vertex} {}", footprint(touched))
            }
            Record::Attempted { vertex, ballot } => format!("Attempted {vertex} {ballot}"),
            Record::Promised { vertex, ballot } => format!("Promised {vertex} {ballot}"),
            Record::Voted { vertex, ballot, value: held } => {
                format!("Voted {vertex} {ballot} {}", value(&held.batch, &held.deps))
            }
            Record::ChosenVote { vertex } => format!("ChosenVote {vertex}"),
            Record::Decided { vertex, value: held } => {
                format!("Decided {vertex} {}", value(&held.batch, &held.deps))
            }
            Record::Collected { floor } => format!("Collected {floor:?}"),
            Record::Index(part) => format!("Index seen {:?}, {} entries", part.seen, part.entries.len()),
        }
    }
}

/// Unanimous BPaxos.
pub(crate) struct Unanimous;

impl Dialect for Unanimous {
    type Protocol = UnanimousBpaxos;

    fn message(message: &unanimous::Message) -> String {
        use unanimous::Message;
        match message {
            Message::FastPropose { vertex, batch, floor, base } => {
                let base = base.as_ref().map_or(String::new(), |base| format!(" base {base:?}"));
                format!("FastPropose {vertex} {batch:?} floor {floor:?}{base}")
            }
            Message::FastVote { vertex, deps } => format!("FastVote {vertex} {deps:?}"),
            Message::StaleFloor { vertex, floor } => format!("StaleFloor {vertex} {floor:?}"),
            Message::Floor { floor } => format!("Floor {floor:?}"),
            Message::Phase1a { vertex, ballot } => format!("Phase1a {vertex} {ballot}"),
            Message::Phase1b { vertex, ballot, vote: None, .. } => {
                format!("Phase1b {vertex} {ballot} no vote")
            }
            Message::Phase1b { vertex, ballot, vote: Some((voted, held)), unchanged } => {
                let like = if *unchanged { " like its leader's" } else { "" };
                format!("Phase1b {vertex} {ballot} vote {voted} {}{like}", value(&held.batch, &held.deps))
            }
            Message::Phase2a { vertex, ballot, value: held } => {
                format!("Phase2a {vertex} {ballot} {}", value(&held.batch, &held.deps))
            }
            Message::Phase2b { vertex, ballot } => format!("Phase2b {vertex} {ballot}"),
            Message::Nack { vertex, ballot, promised } => {
                format!("Nack {vertex} {ballot} promised {promised}")
            }
            Message::Commit { vertex, ballot, deps: None } => format!("Commit {vertex} {ballot}"),
            Message::Commit { vertex, ballot, deps: Some(deps) } => {
                format!("Commit {vertex} {ballot} {deps:?}")
            }
            Message::Chosen { vertex, value: held } => {
                format!("Chosen {vertex} {}", value(&held.batch, &held.deps))
            }
            Message::Fetch { vertex } => format!("Fetch {vertex}"),
            Message::Gced { floor } => format!("Gced {floor:?}"),
        }
    }

    fn record(record: &unanimous::Record) -> String {
        use unanimous::Record;
        match record {
            Record::Reserved { below } => format!("Reserved below {below}"),
            Record::FastVoted { vertex, value: held, unchanged } => {
                let like = if *unchanged { " like its leader" } else { "" };
                format!("FastVoted {vertex} {}{like}", value(&held.batch, &held.deps))
            }
            Record::FastChosen { vertex } => format!("FastChosen {vertex}"),
            Record::Recorded { vertex, footprint: touched } => {
                format!("Recorded {vertex} {}", footprint(touched))
            }
            Record::Promised { vertex, ballot } => format!("Promised {vertex} {ballot}"),
            Record::Voted { vertex, ballot, value: held } => {
                format!("Voted {vertex} {ballot} {}", value(&held.batch, &held.deps))
            }
            Record::ChosenVote { vertex } => format!("ChosenVote {vertex}"),
            Record::Decided { vertex, value: held } => {
                format!("Decided {vertex} {}", value(&held.batch, &held.deps))
            }
            Record::Collected { floor } => format!("Collected {floor:?}"),
            Record::Index(part) => format!("Index seen {:?}, {} entries", part.seen, part.entries.len()),
        }
    }
}

/// Multi-Paxos.
pub(crate) struct Multi;

fn content(entry: &multipaxos::Entry) -> String {
    match &entry.content {
        multipaxos::Content::StartWorking => format!("StartWorking of {}", entry.origin),
        multipaxos::Content::Batch(batch) => format!("{batch:?} of {}", entry.origin),
    }
}

fn vote(vote: &multipaxos::Vote) -> String {
    format!("slot {} {} {}", vote.slot, vote.ballot, content(&vote.entry))
}

impl Dialect for Multi {
    type Protocol = MultiPaxos;

    fn message(message: &multipaxos::Message) -> String {
        use multipaxos::Message;
        match message {
            Message::PreVote { ballot, .. } => format!("PreVote {ballot}"),
            Message::PreVoteOk { ballot } => format!("PreVoteOk {ballot}"),
            Message::Phase1a { ballot, from_slot } => format!("Phase1a {ballot} from slot {from_slot}"),
            Message::Phase1b { ballot, from_slot, votes, next_slot, .. } => {
                let votes: Vec<String> = votes.iter().map(vote).collect();
                let votes = if votes.is_empty() { "no votes".to_owned() } else { votes.join("; ") };
                let next = next_slot.map_or(String::new(), |slot| format!(", next slot {slot}"));
                format!("Phase1b {ballot} from slot {from_slot}: {votes}{next}")
            }
            Message::Phase2a { ballot, slot, entry } => {
                format!("Phase2a {ballot} slot {slot} {}", content(entry))
            }
            Message::Phase2b { ballot, slot } => format!("Phase2b {ballot} slot {slot}"),
            Message::Chosen { ballot, below } => format!("Chosen {ballot} below {below}"),
            Message::Decided { slot, entry } => format!("Decided slot {slot} {}", content(entry)),
            Message::Heartbeat { ballot, below } => format!("Heartbeat {ballot} below {below}"),
            Message::HeartbeatOk { ballot } => format!("HeartbeatOk {ballot}"),
            Message::Nack { ballot, promised } => format!("Nack {ballot} promised {promised}"),
        }
    }

    fn record(record: &multipaxos::Record) -> String {
        use multipaxos::Record;
        match record {
            Record::Promised(ballot) => format!("Promised {ballot}"),
            Record::Voted(held) => format!("Voted {}", vote(held)),
            Record::Campaigned(ballot) => format!("Campaigned {ballot}"),
            Record::ChosenVotes { from_slot, below } => format!("ChosenVotes slots {from_slot} to {below}"),
            Record::Decided { slot, entry } => format!("Decided slot {slot} {}", content(entry)),
            Record::Collected { below } => format!("Collected below {below}"),
        }
    }
}

/// Nodes with every role each.
pub(crate) fn together(count: usize) -> Layout {
    Layout::co_located(count, &QuorumSystem::Majority).expect("a majority fits every count")
}

/// `leaders` nodes that propose and execute, and after them three that record
/// dependencies and vote: the script decides whom a leader hears.
pub(crate) fn apart(leaders: usize) -> Layout {
    let leader = vec![Role::Leader, Role::Replica];
    let acceptor = vec![Role::Dependency, Role::Acceptor];
    of_roles([vec![leader; leaders], vec![acceptor; 3]].concat())
}

/// Two nodes that propose, execute and record dependencies, and after them three that
/// vote: a proposer knows the other's vertices and has no vote of its own.
pub(crate) fn voters_apart() -> Layout {
    let proposer = vec![Role::Leader, Role::Replica, Role::Dependency];
    of_roles([vec![proposer; 2], vec![vec![Role::Acceptor]; 3]].concat())
}

fn of_roles(roles: Vec<Vec<Role>>) -> Layout {
    let placements: Vec<Placement> = roles.into_iter().map(|roles| Placement { roles }).collect();
    Layout::new(&placements, &QuorumSystem::Majority).expect("every role is held")
}

/// A script of Simple BPaxos. Recoveries are due at the first look that may find them,
/// and requests are repeated late.
pub(crate) fn simple(title: &str, layout: &Layout) -> Script<Simple> {
    let options = simple::Options {
        tick_ms: 50,
        recovery_ms: 50,
        suspect_ms: 50,
        repeat_ms: 1000,
        ..simple::Options::default()
    };
    Script::new(title, layout, options)
}

/// A script of Unanimous BPaxos. Recoveries are due at the first look that may find them,
/// requests are repeated late, and votes are waited for.
pub(crate) fn unanimous(title: &str, layout: &Layout, fast: Fast) -> Script<Unanimous> {
    let options = unanimous::Options {
        fast,
        tick_ms: 50,
        recovery_ms: 50,
        suspect_ms: 50,
        repeat_ms: 1000,
        slow_ms: 1000,
        ..unanimous::Options::default()
    };
    Script::new(title, layout, options)
}

/// A script of Multi-Paxos.
pub(crate) fn multi(title: &str, layout: &Layout) -> Script<Multi> {
    Script::new(title, layout, multipaxos::Options::default())
}
