use super::Simple;
use crate::checker::{Evidence, Named, Verdict};
use crate::order::{Chosen, conflict, execute};
use isegoria_bpaxos::Value;
use isegoria_bpaxos::simple::{Message, Record, SimpleNode};
use isegoria_node::Node;
use isegoria_types::{Ballot, NodeId, NodeSet, Quorum, Vertex};
use std::collections::BTreeMap;

pub(super) const AGREEMENT: Named = ("S1 one value a vertex is chosen", 0);
pub(super) const COMMITS: Named = ("S1 what a node commits is what is chosen", 1);
pub(super) const ONE_VALUE: Named = ("S8 one value a ballot", 2);
pub(super) const NONTRIVIALITY: Named = ("S7 only what was submitted, or a noop, is chosen", 3);
pub(super) const VISIBILITY: Named = ("S2 of two conflicting vertices one sees the other", 4);
pub(super) const ONE_ORDER: Named = ("S3 all replicas execute conflicting commands in one order", 5);

pub(super) const CHOSEN_AT_ONCE: Named = ("a value chosen in ballot 0", 0);
pub(super) const NOOP_CHOSEN: Named = ("a noop chosen", 1);
pub(super) const VALUE_RECOVERED: Named = ("the leader's value chosen by a recovery", 2);
pub(super) const BOTH_EXECUTED: Named = ("two commands executed", 3);
pub(super) const CYCLE_EXECUTED: Named = ("a cycle executed", 4);
pub(super) const BALLOTS_RACE: Named = ("two values voted for in different ballots", 5);

/// A vote that is durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Vote {
    pub(super) acceptor: NodeId,
    pub(super) vertex: Vertex,
    pub(super) ballot: Ballot,
    pub(super) value: Value,
}

/// What is in one node's hands about a vertex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Held {
    promised: Option<Ballot>,
    vote: Option<(Ballot, Value)>,
    pub(super) decided: Option<Value>,
}

pub(super) type Hands = BTreeMap<Vertex, Held>;

impl Held {
    /// Neither ballot falls, a ballot's value never changes, and no vote is above the promise.
    fn is_kept_by(&self, later: &Held) -> bool {
        let voted = later.vote.as_ref().map(|(ballot, _)| *ballot);
        let vote = match (&self.vote, &later.vote) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((ballot, value)), Some((next, kept))) => next > ballot || (next == ballot && kept == value),
        };
        vote && later.promised >= self.promised && later.promised >= voted
    }
}

/// What a node would write into a checkpoint about votes and outcomes.
pub(super) fn in_the_hands_of(node: &SimpleNode) -> Hands {
    let mut records = Vec::new();
    node.checkpoint(&mut records);
    let mut held = Hands::new();
    for record in records {
        match record {
            Record::Decided { vertex, value } => held.entry(vertex).or_default().decided = Some(value),
            Record::Voted { vertex, ballot, value } => {
                held.entry(vertex).or_default().vote = Some((ballot, value));
            }
            Record::Promised { vertex, ballot } => held.entry(vertex).or_default().promised = Some(ballot),
            _ => {}
        }
    }
    held
}

/// Nothing is taken back. Who knows the outcome is exempt: it answers with that.
pub(super) fn is_word_kept(earlier: &Hands, later: &Hands) -> bool {
    let nothing = Held::default();
    earlier.iter().all(|(vertex, before)| {
        let after = later.get(vertex).unwrap_or(&nothing);
        after.decided.is_some() || before.decided.is_some() || before.is_kept_by(after)
    })
}

pub(super) fn judge(model: &Simple, evidence: &Evidence<'_, Simple>) -> Verdict {
    let mut verdict = Verdict::default();
    let chosen = chosen(&evidence.ghosts, &model.layout.quorums.phase2);
    let agree = chosen.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].2 == pair[1].2);
    verdict.require(AGREEMENT, agree);
    verdict.require(COMMITS, evidence.nodes.iter().all(|hands| commits_are(hands, &chosen)));
    verdict.require(ONE_VALUE, one_value_a_ballot(evidence));
    let mut values: Vec<Chosen<'_>> =
        chosen.iter().map(|(vertex, _, value)| (*vertex, &value.batch, &value.deps)).collect();
    values.dedup_by_key(|(vertex, ..)| *vertex);
    let submitted = |(vertex, batch, _): &Chosen<'_>| {
        let mut submissions = model.submissions.iter();
        batch.is_noop() || submissions.any(|(of, submitted, _)| of == vertex && submitted == *batch)
    };
    verdict.require(NONTRIVIALITY, values.iter().all(submitted));
    judge_graph(&values, &mut verdict);
    verdict.note(CHOSEN_AT_ONCE, chosen.iter().any(|(_, ballot, _)| ballot.round == 0));
    verdict.note(NOOP_CHOSEN, values.iter().any(|(_, batch, _)| batch.is_noop()));
    let recovered =
        |(_, ballot, value): &(Vertex, Ballot, &Value)| ballot.round > 0 && !value.batch.is_noop();
    verdict.note(VALUE_RECOVERED, chosen.iter().any(recovered));
    let rivals = |one: &&Vote, two: &&Vote| one.vertex == two.vertex && one.value != two.value;
    let race = evidence.ghosts.iter().any(|one| evidence.ghosts.iter().any(|two| rivals(one, two)));
    verdict.note(BALLOTS_RACE, race);
    verdict.chosen_count = u8::try_from(values.len()).expect("a few");
    verdict
}

/// S2 and S3, and what the replicas come to.
pub(super) fn judge_graph(values: &[Chosen<'_>], verdict: &mut Verdict) {
    let sees = |one: &Chosen<'_>, two: &Chosen<'_>| one.2.contains(two.0) || two.2.contains(one.0);
    let visible = values
        .iter()
        .enumerate()
        .all(|(index, one)| values[..index].iter().all(|two| !conflict(one, two) || sees(one, two)));
    verdict.require(VISIBILITY, visible);
    let execution = execute(values);
    verdict.require(ONE_ORDER, execution.disagreement.is_none());
    let executed = values.iter().filter(|one| !one.1.is_noop() && execution.executed.contains(&one.0));
    verdict.note(BOTH_EXECUTED, executed.count() > 1);
    verdict.note(CYCLE_EXECUTED, execution.has_cycle);
}

/// Every ballot of every vertex in which a quorum has voted, in order.
fn chosen<'a>(votes: &[&'a Vote], quorum: &Quorum) -> Vec<(Vertex, Ballot, &'a Value)> {
    let mut found: Vec<(Vertex, Ballot, &Value)> = Vec::new();
    for Vote { vertex, ballot, value, .. } in votes {
        let alike = |vote: &&&Vote| (vote.vertex, vote.ballot, &vote.value) == (*vertex, *ballot, value);
        let voters: NodeSet = votes.iter().filter(alike).map(|vote| vote.acceptor).collect();
        if quorum.is_quorum(voters) && !found.contains(&(*vertex, *ballot, value)) {
            found.push((*vertex, *ballot, value));
        }
    }
    found.sort_by_key(|(vertex, ballot, _)| (*vertex, *ballot));
    found
}

fn commits_are(hands: &Hands, chosen: &[(Vertex, Ballot, &Value)]) -> bool {
    hands.iter().all(|(vertex, Held { decided, .. })| match decided {
        None => true,
        Some(value) => chosen.iter().any(|(of, _, chosen)| of == vertex && *chosen == value),
    })
}

fn one_value_a_ballot(evidence: &Evidence<'_, Simple>) -> bool {
    let voted = evidence.ghosts.iter().map(|vote| (vote.vertex, vote.ballot, &vote.value));
    let proposed = evidence.messages.iter().filter_map(|message| match message {
        Message::Phase2a { vertex, ballot, value } => Some((*vertex, *ballot, value)),
        _ => None,
    });
    let mut values: BTreeMap<(Vertex, Ballot), &Value> = BTreeMap::new();
    let mut all = voted.chain(proposed);
    all.all(|(vertex, ballot, value)| *values.entry((vertex, ballot)).or_insert(value) == value)
}
