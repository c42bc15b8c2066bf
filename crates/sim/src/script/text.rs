//! How the nouns that protocols share read in a trace.

use isegoria_kv::{Op, Output};
use isegoria_node::Event;
use isegoria_replica::{ReplicaMessage, Rest};
use isegoria_types::{
    Access, Batch, Class, DepSet, Footprint, KeyHash, NodeSet, Order, Outcome, Refusal, Reply,
};

/// The commands of a value and what it depends on: `[c1#0] <0 2>`, where the numbers in
/// angle brackets say below which number each leader's vertices are meant.
#[must_use]
pub fn value(batch: &Batch, deps: &DepSet) -> String {
    format!("{batch:?} {deps:?}")
}

/// The accesses of a footprint: `w(k)`, `r(k)`, `add(k)`. Scripts use keys of one
/// letter, which is how a hash is known again.
#[must_use]
pub fn footprint(footprint: &Footprint) -> String {
    let Footprint::Keys(accesses) = footprint else { return "everything".to_owned() };
    let mut texts: Vec<String> = accesses
        .iter()
        .map(|(hash, access)| {
            let letter = (b'a'..=b'z').find(|letter| KeyHash::of(&[*letter]) == *hash).map(char::from);
            let key = letter.expect("keys of scripts are single letters");
            match access {
                Access::Exclusive => format!("w({key})"),
                Access::Shared(Class::READ) => format!("r({key})"),
                Access::Shared(_) => format!("add({key})"),
            }
        })
        .collect();
    texts.sort_unstable_by_key(|text| text.chars().rev().nth(1));
    texts.join(",")
}

/// Where a commit stands, and what stands there.
pub(super) fn commit(order: &Order, batch: &Batch) -> String {
    match order {
        Order::Slot { slot, origin, start_working: true } => format!("slot {slot} StartWorking of {origin}"),
        Order::Slot { slot, origin, .. } => format!("slot {slot} {batch:?} of {origin}"),
        Order::Vertex(vertex, deps) => format!("{vertex} {}", value(batch, deps)),
    }
}

pub(super) fn op(op: &Op) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match op {
        Op::Get(key) => format!("get {}", text(key)),
        Op::Put(key, value) => format!("put {}={}", text(key), text(value)),
        Op::Delete(key) => format!("delete {}", text(key)),
        Op::Incr(key, by) => format!("incr {} by {by}", text(key)),
        Op::Add(key, by) => format!("add {by} to {}", text(key)),
        Op::Append(key, tail) => format!("append {} to {}", text(tail), text(key)),
        Op::CompareAndSet { key, expected, value } => {
            let expected = expected.as_ref().map_or("nil".to_owned(), |bytes| text(bytes));
            format!("set {} from {expected} to {}", text(key), text(value))
        }
        Op::MultiGet(keys) => {
            let keys: Vec<String> = keys.iter().map(|key| text(key)).collect();
            format!("get {}", keys.join(" "))
        }
        Op::MultiPut(pairs) => {
            let pairs: Vec<String> =
                pairs.iter().map(|(key, value)| format!("{}={}", text(key), text(value))).collect();
            format!("put {}", pairs.join(" "))
        }
        Op::Pipeline(commands) | Op::Transaction(commands) => format!("{commands:?}"),
    }
}

/// A state machine's encoded answer.
pub(super) fn output(bytes: &[u8]) -> String {
    let text = |value: &Option<bytes::Bytes>| match value {
        Some(value) => String::from_utf8_lossy(value).into_owned(),
        None => "nil".to_owned(),
    };
    match postcard::from_bytes(bytes) {
        Ok(Output::Ok) => "ok".to_owned(),
        Ok(Output::Value(value)) => text(&value),
        Ok(Output::Values(values)) => values.iter().map(text).collect::<Vec<_>>().join(" "),
        Ok(Output::Number(number)) => number.to_string(),
        Ok(Output::Deleted(done) | Output::Swapped(done)) => done.to_string(),
        Ok(Output::NotANumber) => "not a number".to_owned(),
        Ok(output @ (Output::Redis(_) | Output::WrongType | Output::TooLong)) => format!("{output:?}"),
        Err(error) => format!("an answer that does not decode: {error}"),
    }
}

pub(super) fn reply(reply: &Reply) -> String {
    format!("{:?}: {}", reply.request, outcome(&reply.outcome))
}

pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(answer) => output(answer),
        Outcome::AlreadyAcknowledged => "already acknowledged".to_owned(),
        Outcome::Refused(reason) => refusal(reason),
    }
}

pub(super) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotLeader { leader: Some(leader) } => format!("not the leader, {leader} is"),
        Refusal::NotLeader { leader: None } => "not the leader".to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn event(event: &Event) -> String {
    match event {
        Event::Elected { ballot } => format!("Elected {ballot}"),
        Event::Deposed { by } => format!("Deposed by {by}"),
        Event::Proposed { vertex, conflicting: true } => format!("Proposed {vertex} conflicting"),
        Event::Proposed { vertex, conflicting: false } => format!("Proposed {vertex}"),
        Event::Path { vertex, fast } => format!("Path {vertex} {}", if *fast { "fast" } else { "slow" }),
        Event::Answered { vertex, by } => format!("Answered {vertex} by {by:?}"),
        Event::Added { vertex, by, deps } => format!("Added to {vertex} by {by}: {deps:?}"),
        Event::RecoveryStarted { vertex, ballot } => format!("RecoveryStarted {vertex} {ballot}"),
        Event::NoopProposed { vertex } => format!("NoopProposed {vertex}"),
        Event::HeldBack { at } => format!("HeldBack at {at}"),
        Event::Resolved { vertex, by } => format!("Resolved {vertex} by {by}"),
        Event::Resubmitted { vertex } => format!("Resubmitted {vertex}"),
        Event::StaleFloor { vertex } => format!("StaleFloor {vertex}"),
    }
}

pub(super) fn replica_message(message: &ReplicaMessage) -> String {
    match message {
        ReplicaMessage::Progress { executed, cut } if cut.is_empty() => format!("Progress {executed:?}"),
        ReplicaMessage::Progress { executed, cut } => format!("Progress {executed:?} cut {cut:?}"),
        ReplicaMessage::Fetch { have } => format!("Fetch {have:?}"),
        ReplicaMessage::Commits { commits, have, rest } => {
            let commits: Vec<String> = commits.iter().map(|(order, batch)| commit(order, batch)).collect();
            let rest = match rest {
                Rest::Nothing => "",
                Rest::More => " and more",
                Rest::Forgotten => " and the rest forgotten",
            };
            format!("Commits {have:?}{rest}: {}", commits.join("; "))
        }
        // Numbers and bytes of snapshots are left out: they tell a reader nothing.
        ReplicaMessage::TakeSnapshot { .. } => "TakeSnapshot".to_owned(),
        ReplicaMessage::Preparing => "Preparing".to_owned(),
        ReplicaMessage::NextPiece { offset, .. } => format!("NextPiece from {offset}"),
        ReplicaMessage::Piece { .. } => "Piece".to_owned(),
        ReplicaMessage::Withdrawn { .. } => "Withdrawn".to_owned(),
        ReplicaMessage::Follow => "Follow".to_owned(),
        ReplicaMessage::Following => "Following".to_owned(),
    }
}

/// Names of nodes, apart by spaces.
#[must_use]
pub fn names(nodes: NodeSet) -> String {
    nodes.iter().map(|node| node.to_string()).collect::<Vec<_>>().join(" ")
}
