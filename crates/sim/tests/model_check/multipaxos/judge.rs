use super::Log;
use crate::checker::{Evidence, Named, Verdict};
use isegoria_multipaxos::{Content, Entry, Message, MultiPaxosNode, Record, Vote};
use isegoria_node::Node;
use isegoria_replica::LogOrder;
use isegoria_types::{Ballot, Batch, NodeId, NodeSet, Quorum};
use std::collections::BTreeMap;

pub(super) const AGREEMENT: Named = ("S1 one value a slot is chosen", 0);
pub(super) const COMMITS: Named = ("S1 what a node commits is what is chosen", 1);
pub(super) const ONE_VALUE: Named = ("S8 one value a slot and ballot", 2);
pub(super) const NONTRIVIALITY: Named = ("S7 only what was submitted, a noop or StartWorking is chosen", 3);
pub(super) const SERVICE: Named =
    ("a leader proposes a command only once all up to its StartWorking is chosen", 4);
pub(super) const GHOSTS: Named = ("nothing of lower origin is applied after a StartWorking", 5);

pub(super) const REELECTION: Named = ("a re-election", 0);
pub(super) const VALUE_RECOVERED: Named = ("a command chosen in a later ballot than its first", 1);
pub(super) const HOLE_FILLED: Named = ("a noop in a hole chosen", 2);
pub(super) const GHOST_VOID: Named = ("a ghost void", 3);

/// A vote that is durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Voted {
    pub(super) acceptor: NodeId,
    pub(super) vote: Vote,
}

/// What is in one node's hands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Hands {
    promised: Option<Ballot>,
    votes: BTreeMap<u64, (Ballot, Entry)>,
    chosen: BTreeMap<u64, Entry>,
}

impl Hands {
    /// No ballot falls, a ballot's value never changes, and no vote is above the promise.
    pub(super) fn is_kept_by(&self, later: &Hands) -> bool {
        let votes = self.votes.iter().all(|(slot, (ballot, entry))| {
            let kept = |(next, kept): &(Ballot, Entry)| next > ballot || (next == ballot && kept == entry);
            later.votes.get(slot).is_some_and(kept)
        });
        let promised = later.votes.values().all(|(ballot, _)| later.promised >= Some(*ballot));
        votes && promised && later.promised >= self.promised
    }
}

/// What a node would write into a checkpoint.
pub(super) fn in_the_hands_of(node: &MultiPaxosNode) -> Hands {
    let mut records = Vec::new();
    node.checkpoint(&mut records);
    let mut hands = Hands::default();
    for record in records {
        match record {
            Record::Promised(ballot) => hands.promised = Some(ballot),
            Record::Voted(Vote { slot, ballot, entry }) => {
                hands.votes.insert(slot, (ballot, entry));
            }
            Record::ChosenVotes { from_slot, below } => {
                let votes = hands.votes.range(from_slot..below);
                hands.chosen.extend(votes.map(|(slot, (_, entry))| (*slot, entry.clone())));
            }
            Record::Decided { slot, entry } => {
                hands.chosen.insert(slot, entry);
            }
            Record::Campaigned(_) | Record::Collected { .. } => {}
        }
    }
    hands
}

/// The values of each slot for which a quorum has voted in one ballot.
type ChosenSlots<'a> = BTreeMap<u64, Vec<&'a Entry>>;

pub(super) fn judge(model: &Log, evidence: &Evidence<'_, Log>) -> Verdict {
    let mut verdict = Verdict::default();
    let chosen = chosen(&evidence.ghosts, &model.layout.quorums.phase2);
    verdict.require(AGREEMENT, chosen.values().all(|all| all.len() == 1));
    let is_chosen = |slot: &u64, entry: &Entry| chosen.get(slot).is_some_and(|all| all.contains(&entry));
    let mut commits = evidence.nodes.iter().flat_map(|hands| &hands.chosen);
    verdict.require(COMMITS, commits.all(|(slot, entry)| is_chosen(slot, entry)));
    verdict.require(ONE_VALUE, one_value_a_ballot(evidence));
    let is_legal = |entry: &&&Entry| match &entry.content {
        Content::StartWorking => true,
        Content::Batch(batch) => {
            batch.is_noop() || model.commands.iter().any(|(submitted, _)| submitted == batch)
        }
    };
    verdict.require(NONTRIVIALITY, chosen.values().flatten().all(|entry| is_legal(&entry)));
    verdict.require(SERVICE, evidence.ghosts.iter().all(|voted| is_served_in_time(&voted.vote, &chosen)));
    judge_order(&chosen, &mut verdict);
    let working = chosen.values().filter(|all| all[0].content == Content::StartWorking);
    verdict.note(REELECTION, working.count() > 1);
    let recovered = |voted: &&Voted| {
        let Vote { slot, ballot, entry } = &voted.vote;
        is_command(entry) && *ballot > entry.origin && is_chosen(slot, entry)
    };
    verdict.note(VALUE_RECOVERED, evidence.ghosts.iter().any(recovered));
    let noop = Content::Batch(Batch::noop());
    verdict.note(HOLE_FILLED, chosen.values().any(|all| all[0].content == noop));
    verdict.chosen_count = u8::try_from(chosen.len()).expect("a few");
    verdict
}

pub(super) fn is_command(entry: &Entry) -> bool {
    matches!(&entry.content, Content::Batch(batch) if !batch.is_noop())
}

fn chosen<'a>(votes: &[&'a Voted], quorum: &Quorum) -> ChosenSlots<'a> {
    let mut found = ChosenSlots::new();
    for Voted { vote, .. } in votes {
        let alike = votes.iter().filter(|voted| voted.vote == *vote);
        if quorum.is_quorum(alike.map(|voted| voted.acceptor).collect::<NodeSet>()) {
            let values = found.entry(vote.slot).or_default();
            if !values.contains(&&vote.entry) {
                values.push(&vote.entry);
            }
        }
    }
    found
}

fn one_value_a_ballot(evidence: &Evidence<'_, Log>) -> bool {
    let voted = evidence.ghosts.iter().map(|voted| (voted.vote.slot, voted.vote.ballot, &voted.vote.entry));
    let proposed = evidence.messages.iter().filter_map(|message| match message {
        Message::Phase2a { ballot, slot, entry } => Some((*slot, *ballot, entry)),
        _ => None,
    });
    let mut values: BTreeMap<(u64, Ballot), &Entry> = BTreeMap::new();
    let mut all = voted.chain(proposed);
    all.all(|(slot, ballot, entry)| *values.entry((slot, ballot)).or_insert(entry) == entry)
}

/// A command in its first ballot: `StartWorking` of that ballot, and all before it, is
/// chosen in lower slots.
fn is_served_in_time(vote: &Vote, chosen: &ChosenSlots<'_>) -> bool {
    let starts = |entry: &&Entry| entry.origin == vote.ballot && entry.content == Content::StartWorking;
    let mut known = (0..vote.slot).map_while(|slot| chosen.get(&slot));
    vote.entry.origin != vote.ballot || !is_command(&vote.entry) || known.any(|all| all.iter().any(starts))
}

/// The replicas' log order against the rule itself, on the chosen beginning of the log.
fn judge_order(chosen: &ChosenSlots<'_>, verdict: &mut Verdict) {
    let mut order = LogOrder::default();
    let mut floor: Option<Ballot> = None;
    for entry in (0..).map_while(|slot| chosen.get(&slot)).map(|all| all[0]) {
        let is_working = entry.content == Content::StartWorking;
        let is_applied = order.pass(entry.origin, is_working);
        let is_ghost = Some(entry.origin) < floor;
        verdict.require(GHOSTS, is_applied != is_ghost);
        verdict.note(GHOST_VOID, is_ghost && is_command(entry));
        if is_working {
            floor = floor.max(Some(entry.origin));
        }
    }
}
