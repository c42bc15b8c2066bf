//! What records and messages say about ballots and votes, for checks from outside.

use crate::atlas::choose::Collected;
use crate::atlas::{Message, Record};
use isegoria_node::Evidence;
use isegoria_types::Ballot;

pub(crate) fn of_record(record: &Record) -> Option<Evidence> {
    match record {
        Record::Promised { vertex, ballot } => {
            Some(Evidence::Promised { place: Some(*vertex), ballot: *ballot })
        }
        // What is said to a recoverer is an answer, and no vote.
        Record::Collected { vertex, collected: Collected { value, quorum: Some(_) } } => {
            let (order, batch) = value.at(*vertex);
            Some(Evidence::FastVoted { ballot: Ballot::initial(vertex.leader), order, batch })
        }
        Record::FastChosen { vertex, deps, quorum } => {
            Some(Evidence::FastChosen { vertex: *vertex, by: Some((*quorum, deps.clone())) })
        }
        Record::Voted { vertex, ballot, value } => {
            let (order, batch) = value.at(*vertex);
            Some(Evidence::Voted { ballot: *ballot, order, batch })
        }
        _ => None,
    }
}

pub(crate) fn of_message(message: &Message) -> Option<Evidence> {
    match message {
        Message::CollectAck { vertex, .. } => {
            Some(Evidence::ToldVote { place: *vertex, ballot: Ballot::initial(vertex.leader) })
        }
        Message::Phase1a { vertex, ballot, .. } => {
            Some(Evidence::Campaigned { place: Some(*vertex), ballot: *ballot })
        }
        Message::Phase1b { vertex, ballot, .. } => {
            Some(Evidence::Promised { place: Some(*vertex), ballot: *ballot })
        }
        Message::Phase2a { vertex, ballot, value } => {
            let (order, batch) = value.at(*vertex);
            Some(Evidence::Proposed { ballot: *ballot, order, batch })
        }
        Message::Phase2b { vertex, ballot } => Some(Evidence::ToldVote { place: *vertex, ballot: *ballot }),
        _ => None,
    }
}
