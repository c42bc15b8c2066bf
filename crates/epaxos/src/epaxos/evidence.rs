//! What records and messages say about ballots and votes, for checks from outside.

use crate::epaxos::{Message, PreAccepted, Record};
use isegoria_node::Evidence;
use isegoria_types::{Ballot, Order};

pub(crate) fn of_record(record: &Record) -> Option<Evidence> {
    match record {
        Record::Promised { vertex, ballot } => {
            Some(Evidence::Promised { place: Some(*vertex), ballot: *ballot })
        }
        // What a recoverer tells is recorded, and is no vote.
        Record::Asked { vertex, asked: PreAccepted { batch, deps: Some(deps), .. } } => {
            let (order, batch) = (Order::Vertex(*vertex, deps.clone()), batch.clone());
            Some(Evidence::FastVoted { ballot: Ballot::initial(vertex.leader), order, batch })
        }
        Record::FastChosen { vertex } => Some(Evidence::FastChosen { vertex: *vertex, by: None }),
        Record::Voted { vertex, ballot, value } => {
            let (order, batch) = value.at(*vertex);
            Some(Evidence::Voted { ballot: *ballot, order, batch })
        }
        _ => None,
    }
}

pub(crate) fn of_message(message: &Message) -> Option<Evidence> {
    match message {
        Message::PreAcceptOk { vertex, .. } => {
            Some(Evidence::ToldVote { place: *vertex, ballot: Ballot::initial(vertex.leader) })
        }
        Message::Phase1a { vertex, ballot } => {
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
