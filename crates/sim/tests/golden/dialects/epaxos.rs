use isegoria_epaxos::epaxos::{self, PreAccepted};
use isegoria_sim::script::{Dialect, Script, value};
use isegoria_types::Layout;

/// EPaxos*.
pub(crate) struct Epaxos;

fn asked(PreAccepted { batch, initial, deps }: &PreAccepted) -> String {
    let said = match deps {
        None => "by a recoverer".to_owned(),
        Some(deps) if deps == initial => "unchanged".to_owned(),
        Some(deps) => format!("said {deps:?}"),
    };
    format!("{} {said}", value(batch, initial))
}

impl Dialect for Epaxos {
    type Protocol = epaxos::Epaxos;

    fn message(message: &epaxos::Message) -> String {
        use epaxos::Message;
        match message {
            Message::PreAccept { vertex, batch, deps, floor } => {
                format!("PreAccept {vertex} {} floor {floor:?}", value(batch, deps))
            }
            Message::PreAcceptOk { vertex, deps } => format!("PreAcceptOk {vertex} {deps:?}"),
            Message::StaleFloor { vertex, floor } => format!("StaleFloor {vertex} {floor:?}"),
            Message::Floor { floor, from } => format!("Floor {floor:?} from {from}"),
            Message::Phase1a { vertex, ballot } => format!("Phase1a {vertex} {ballot}"),
            Message::Phase1b { vertex, ballot, heard } => {
                let vote = heard.vote.as_ref().map_or("no vote".to_owned(), |(voted, held)| {
                    format!("vote {voted} {}", value(&held.batch, &held.deps))
                });
                let of =
                    heard.asked.as_ref().map_or(String::new(), |held| format!(", asked {}", asked(held)));
                format!("Phase1b {vertex} {ballot} {vote}{of}")
            }
            Message::Validate { vertex, ballot, value: held } => {
                format!("Validate {vertex} {ballot} {}", value(&held.batch, &held.deps))
            }
            Message::ValidateOk { vertex, ballot, conflicts } => {
                let conflict = |conflict: &epaxos::Conflict| {
                    let committed = if conflict.committed { " committed" } else { "" };
                    format!("{}{committed}", conflict.vertex)
                };
                let against: Vec<String> = conflicts.iter().map(conflict).collect();
                let against = if against.is_empty() { "nothing".to_owned() } else { against.join(", ") };
                format!("ValidateOk {vertex} {ballot} against it {against}")
            }
            Message::Waiting { vertex, unchanged_count } => {
                format!("Waiting {vertex} {unchanged_count} unchanged")
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

    fn record(record: &epaxos::Record) -> String {
        use epaxos::Record;
        match record {
            Record::Reserved { below } => format!("Reserved below {below}"),
            Record::Floor { floor } => format!("Floor {floor:?}"),
            Record::Asked { vertex, asked: held } => format!("Asked {vertex} {}", asked(held)),
            Record::FastChosen { vertex } => format!("FastChosen {vertex}"),
            Record::Promised { vertex, ballot } => format!("Promised {vertex} {ballot}"),
            Record::Voted { vertex, ballot, value: held } => {
                format!("Voted {vertex} {ballot} {}", value(&held.batch, &held.deps))
            }
            Record::ChosenVote { vertex } => format!("ChosenVote {vertex}"),
            Record::ChosenAsked { vertex } => format!("ChosenAsked {vertex}"),
            Record::Decided { vertex, value: held } => {
                format!("Decided {vertex} {}", value(&held.batch, &held.deps))
            }
            Record::Forgotten { floor } => format!("Forgotten {floor:?}"),
            Record::Past(part) => format!("Past {} entries", part.entries.len()),
            Record::PastNoops(noops) => format!("PastNoops {noops:?}"),
            Record::Unheard { vertex, asked: held } => format!("Unheard {vertex} {}", asked(held)),
            Record::Index(part) => format!("Index seen {:?}, {} entries", part.seen, part.entries.len()),
        }
    }
}

/// A script of EPaxos*. Recoveries are due at the first look that may find them, requests are
/// repeated late, and answers are waited for.
pub(crate) fn epaxos(title: &str, layout: &Layout) -> Script<Epaxos> {
    let options = epaxos::Options {
        tick_ms: 50,
        recovery_ms: 50,
        suspect_ms: 50,
        repeat_ms: 1000,
        slow_ms: 1000,
        ..epaxos::Options::default()
    };
    Script::new(title, layout, options)
}
