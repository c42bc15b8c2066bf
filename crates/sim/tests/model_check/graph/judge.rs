use super::Graph;
use super::member::Member;
use crate::checker::{Evidence, Named, Verdict};
use crate::order::{Chosen, conflict, execute};
use isegoria_multileader::Value;
use isegoria_node::{Evidence as Said, Node};
use isegoria_types::{Ballot, Batch, DepSet, NodeId, NodeSet, Order, Vertex};
use std::collections::BTreeMap;

pub(super) const AGREEMENT: Named = ("S1 one value a vertex is chosen", 0);
pub(super) const COMMITS: Named = ("S1 what a node commits is what is chosen", 1);
pub(super) const ONE_VALUE: Named = ("S8 one value a ballot", 2);
pub(super) const NONTRIVIALITY: Named = ("S7 only what was submitted, or a noop, is chosen", 3);
pub(super) const VISIBILITY: Named = ("S2 of two conflicting vertices one sees the other", 4);
pub(super) const ONE_ORDER: Named = ("S3 all replicas execute conflicting commands in one order", 5);
pub(super) const WORD_IS_GOOD: Named = ("S1 a leader decides at once by enough votes", 6);

pub(super) const CHOSEN_AT_ONCE: Named = ("a value chosen in ballot 0", 0);
pub(super) const NOOP_CHOSEN: Named = ("a noop chosen", 1);
pub(super) const VALUE_RECOVERED: Named = ("the leader's value chosen by a recovery", 2);
pub(super) const BOTH_EXECUTED: Named = ("two commands executed", 3);
pub(super) const CYCLE_EXECUTED: Named = ("a cycle executed", 4);
pub(super) const BALLOTS_RACE: Named = ("two values voted for in different ballots", 5);

/// What a node has made durable about ballots and votes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cast {
    pub(super) by: NodeId,
    pub(super) said: Said,
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
        // The votes of a leader's first ballot need no promise.
        let voted = later.vote.as_ref().map(|(ballot, _)| *ballot).filter(|ballot| ballot.round > 0);
        let vote = match (&self.vote, &later.vote) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((ballot, value)), Some((next, kept))) => next > ballot || (next == ballot && kept == value),
        };
        vote && later.promised >= self.promised && later.promised >= voted
    }
}

fn valued(order: &Order, batch: &Batch) -> Option<(Vertex, Value)> {
    let Order::Vertex(vertex, deps) = order else { return None };
    Some((*vertex, Value { batch: batch.clone(), deps: deps.clone() }))
}

/// What a node would write into a checkpoint about promises, votes and outcomes.
pub(super) fn in_the_hands_of<P: Member>(node: &P::Node) -> Hands {
    let mut records = Vec::new();
    node.checkpoint(&mut records);
    let mut held = Hands::new();
    for record in records {
        match P::Node::evidence_of_record(&record) {
            Some(Said::Promised { place: Some(vertex), ballot }) => {
                held.entry(vertex).or_default().promised = Some(ballot);
            }
            Some(Said::Voted { ballot, order, batch } | Said::FastVoted { ballot, order, batch }) => {
                let Some((vertex, value)) = valued(&order, &batch) else { continue };
                let vote = &mut held.entry(vertex).or_default().vote;
                if vote.as_ref().is_none_or(|(voted, _)| *voted < ballot) {
                    *vote = Some((ballot, value));
                }
            }
            _ => {
                if let Some((vertex, value)) = P::outcome(record) {
                    held.entry(vertex).or_default().decided = Some(value);
                }
            }
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

pub(super) fn judge<P: Member>(model: &Graph<P>, evidence: &Evidence<'_, Graph<P>>) -> Verdict {
    let mut verdict = Verdict::default();
    let votes = votes(&evidence.ghosts);
    let mut chosen = by_votes(&votes, model);
    let (by_words, is_good) = by_words(&evidence.ghosts, model);
    verdict.require(WORD_IS_GOOD, is_good);
    chosen.extend(by_words);
    chosen.sort_by_key(|(vertex, ballot, _)| (*vertex, *ballot));
    let agree = chosen.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].2 == pair[1].2);
    verdict.require(AGREEMENT, agree);
    verdict.require(COMMITS, evidence.nodes.iter().all(|hands| commits_are(hands, &chosen)));
    verdict.require(ONE_VALUE, one_value_a_ballot::<P>(&votes, evidence));
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
    let recovered = |(_, ballot, value): &(Vertex, Ballot, Value)| {
        ballot.round > P::LEADERS_ROUND && !value.batch.is_noop()
    };
    verdict.note(VALUE_RECOVERED, chosen.iter().any(recovered));
    let rivals = |one: &Vote, two: &Vote| one.vertex == two.vertex && one.value != two.value;
    verdict.note(BALLOTS_RACE, votes.iter().any(|one| votes.iter().any(|two| rivals(one, two))));
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

/// A vote for a value that a proposer has made.
struct Vote {
    by: NodeId,
    vertex: Vertex,
    ballot: Ballot,
    value: Value,
}

fn votes(casts: &[&Cast]) -> Vec<Vote> {
    let vote = |cast: &&Cast| {
        let Said::Voted { ballot, order, batch } = &cast.said else { return None };
        let (vertex, value) = valued(order, batch)?;
        Some(Vote { by: cast.by, vertex, ballot: *ballot, value })
    };
    casts.iter().filter_map(vote).collect()
}

/// Every ballot of every vertex in which a quorum has voted.
fn by_votes<P: Member>(votes: &[Vote], model: &Graph<P>) -> Vec<(Vertex, Ballot, Value)> {
    let mut found: Vec<(Vertex, Ballot, Value)> = Vec::new();
    for Vote { vertex, ballot, value, .. } in votes {
        let alike = |vote: &&Vote| (vote.vertex, vote.ballot, &vote.value) == (*vertex, *ballot, value);
        let voters: NodeSet = votes.iter().filter(alike).map(|vote| vote.by).collect();
        let this = (*vertex, *ballot, value.clone());
        if model.quorums.phase2.is_quorum(voters) && !found.contains(&this) {
            found.push(this);
        }
    }
    found
}

/// What votes of the voters' own making, and leaders' words about them, have chosen; and
/// whether every word was good.
fn by_words<P: Member>(casts: &[&Cast], model: &Graph<P>) -> (Vec<(Vertex, Ballot, Value)>, bool) {
    let mut ballots: BTreeMap<Vertex, (Batch, BTreeMap<NodeId, DepSet>)> = BTreeMap::new();
    for Cast { by, said } in casts {
        let Said::FastVoted { order: Order::Vertex(vertex, deps), batch, .. } = said else { continue };
        let (_, votes) = ballots.entry(*vertex).or_insert_with(|| (batch.clone(), BTreeMap::new()));
        votes.insert(*by, deps.clone());
    }
    let at_once = |vertex: Vertex, batch: &Batch, deps: DepSet| {
        (vertex, Ballot::initial(vertex.leader), Value { batch: batch.clone(), deps })
    };
    let mut found: Vec<(Vertex, Ballot, Value)> = ballots
        .iter()
        .filter_map(|(vertex, (batch, votes))| Some(at_once(*vertex, batch, model.rule.chosen(votes)?)))
        .collect();
    let mut is_good = true;
    for Cast { said, .. } in casts {
        let Said::FastChosen { vertex, by } = said else { continue };
        let decided = ballots.get(vertex).and_then(|(batch, votes)| {
            Some(at_once(*vertex, batch, model.rule.decided_by(vertex.leader, votes, by.as_ref())?))
        });
        is_good &= decided.is_some();
        found.extend(decided);
    }
    (found, is_good)
}

fn commits_are(hands: &Hands, chosen: &[(Vertex, Ballot, Value)]) -> bool {
    hands.iter().all(|(vertex, Held { decided, .. })| match decided {
        None => true,
        Some(value) => chosen.iter().any(|(of, _, chosen)| of == vertex && chosen == value),
    })
}

fn one_value_a_ballot<P: Member>(votes: &[Vote], evidence: &Evidence<'_, Graph<P>>) -> bool {
    let voted = votes.iter().map(|vote| (vote.vertex, vote.ballot, vote.value.clone()));
    let proposed = evidence.messages.iter().filter_map(|message| {
        let said = P::Node::evidence_of_message(message)?;
        let Said::Proposed { ballot, order, batch } = said else { return None };
        let (vertex, value) = valued(&order, &batch)?;
        Some((vertex, ballot, value))
    });
    let mut values: BTreeMap<(Vertex, Ballot), Value> = BTreeMap::new();
    let mut all = voted.chain(proposed);
    all.all(|(vertex, ballot, value)| {
        *values.entry((vertex, ballot)).or_insert_with(|| value.clone()) == value
    })
}
