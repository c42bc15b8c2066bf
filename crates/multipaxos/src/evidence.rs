//! What records and messages say about ballots and votes, for checks from outside.

use crate::learner::commit;
use crate::message::{Message, Record};
use isegoria_node::Evidence;
use isegoria_types::{NodeId, Vertex};

pub(crate) fn of_record(record: &Record) -> Option<Evidence> {
    match record {
        Record::Promised(ballot) => Some(Evidence::Promised { place: None, ballot: *ballot }),
        Record::Voted(vote) => {
            let (order, batch) = commit(vote.slot, &vote.entry);
            Some(Evidence::Voted { ballot: vote.ballot, order, batch })
        }
        _ => None,
    }
}

pub(crate) fn of_message(message: &Message) -> Option<Evidence> {
    match message {
        Message::Phase1a { ballot, .. } => Some(Evidence::Campaigned { place: None, ballot: *ballot }),
        Message::Phase1b { ballot, .. } => Some(Evidence::Promised { place: None, ballot: *ballot }),
        Message::Phase2a { ballot, slot, entry } => {
            let (order, batch) = commit(*slot, entry);
            Some(Evidence::Proposed { ballot: *ballot, order, batch })
        }
        Message::Phase2b { ballot, slot } => {
            Some(Evidence::ToldVote { place: Vertex::new(NodeId::new(0), *slot), ballot: *ballot })
        }
        _ => None,
    }
}
