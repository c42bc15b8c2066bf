use isegoria_epaxos::atlas::{self, Collected};
use isegoria_sim::script::{Dialect, Script, names, value};
use isegoria_types::Layout;

/// Atlas.
pub(crate) struct Atlas;

fn said(Collected { value: held, quorum }: &Collected) -> String {
    let whom = quorum.map_or("a recoverer".to_owned(), names);
    format!("{} to {whom}", value(&held.batch, &held.deps))
}

impl Dialect for Atlas {
    type Protocol = atlas::Atlas;

    fn message(message: &atlas::Message) -> String {
        use atlas::Message;
        match message {
            Message::Collect { vertex, batch, deps, floor, quorum } => {
                let quorum = names(*quorum);
                format!("Collect {vertex} {} floor {floor:?} of {quorum}", value(batch, deps))
            }
            Message::CollectAck { vertex, deps } => format!("CollectAck {vertex} {deps:?}"),
            Message::StaleFloor { vertex, floor } => format!("StaleFloor {vertex} {floor:?}"),
            Message::Floor { floor } => format!("Floor {floor:?}"),
            Message::Phase1a { vertex, ballot, batch } => {
                let with = if batch.is_some() { " with the commands" } else { "" };
                format!("Phase1a {vertex} {ballot}{with}")
            }
            Message::Phase1b { vertex, ballot, heard } => {
                let vote = heard.vote.as_ref().map_or("no vote".to_owned(), |(voted, held)| {
                    format!("vote {voted} {}", value(&held.batch, &held.deps))
                });
                let said =
                    heard.collected.as_ref().map_or(String::new(), |held| format!(", said {}", said(held)));
                format!("Phase1b {vertex} {ballot} {vote}{said}")
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

    fn record(record: &atlas::Record) -> String {
        use atlas::Record;
        match record {
            Record::Reserved { below } => format!("Reserved below {below}"),
            Record::Collected { vertex, collected } => format!("Collected {vertex} {}", said(collected)),
            Record::FastChosen { vertex, deps, quorum } => {
                format!("FastChosen {vertex} {deps:?} by {}", names(*quorum))
            }
            Record::Promised { vertex, ballot } => format!("Promised {vertex} {ballot}"),
            Record::Voted { vertex, ballot, value: held } => {
                format!("Voted {vertex} {ballot} {}", value(&held.batch, &held.deps))
            }
            Record::ChosenVote { vertex } => format!("ChosenVote {vertex}"),
            Record::Decided { vertex, value: held } => {
                format!("Decided {vertex} {}", value(&held.batch, &held.deps))
            }
            Record::Forgotten { floor } => format!("Forgotten {floor:?}"),
            Record::Index(part) => format!("Index seen {:?}, {} entries", part.seen, part.entries.len()),
        }
    }
}

/// A script of Atlas. Recoveries are due at the first look that may find them, requests are
/// repeated late, and answers are waited for.
pub(crate) fn atlas(title: &str, layout: &Layout, f: usize) -> Script<Atlas> {
    let options = atlas::Options {
        f: Some(f),
        tick_ms: 50,
        recovery_ms: 50,
        suspect_ms: 50,
        repeat_ms: 1000,
        slow_ms: 1000,
        ..atlas::Options::default()
    };
    Script::new(title, layout, options)
}
