use crate::Value;
use crate::epaxos::choose::{
    Candidate, Conflict, Fate, Heard, Rule, Verdict, choose, late, validated, waited,
};
use crate::epaxos::leader::Stage;
use crate::epaxos::message::Message;
use crate::epaxos::node::EpaxosNode;
use isegoria_node::{Event, Outbox};
use isegoria_proposer::{Progress, Tally};
use isegoria_types::{Ballot, NodeId, Quorum, Vertex};
use std::collections::BTreeMap;

/// An attempt to get a vertex chosen, in one ballot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Attempt {
    /// Asking for promises.
    Asking { ballot: Ballot, answers: Tally<Heard> },
    /// Asking those who have promised what speaks against what the leader may have decided.
    Validating { ballot: Ballot, candidate: Candidate, answers: Tally<Vec<Conflict>> },
    /// Something does, and is not decided.
    Waiting { ballot: Ballot, candidate: Candidate, conflicts: Vec<Vertex> },
    /// Asking for votes.
    Voting(Progress<Value>),
}

impl Attempt {
    fn begin(ballot: Ballot) -> Attempt {
        Attempt::Asking { ballot, answers: Tally::default() }
    }

    fn ballot(&self) -> Ballot {
        match self {
            Attempt::Asking { ballot, .. }
            | Attempt::Validating { ballot, .. }
            | Attempt::Waiting { ballot, .. } => *ballot,
            Attempt::Voting(progress) => progress.ballot(),
        }
    }

    /// The value, with the vote that completes a quorum.
    pub(crate) fn on_vote(&mut self, from: NodeId, voted: Ballot, quorum: &Quorum) -> Option<Value> {
        let Attempt::Voting(progress) = self else { return None };
        progress.on_vote(from, voted, quorum).then(|| progress.value().expect("voted for").clone())
    }
}

impl EpaxosNode {
    /// One look at everything between what is executed and what is known; and at what is waited
    /// for, which a snapshot may have executed here with nobody knowing what it was.
    pub(crate) fn look_for_stuck(&mut self, out: &mut Outbox<Self>) {
        let open = self.instances.beyond(self.layout.leaders, &self.executed);
        let mut unsettled: Vec<Vertex> =
            open.filter(|vertex| !self.is_settled(*vertex) && !self.is_under_way(*vertex)).collect();
        let waiting = self.recovery.attempts().filter_map(|(_, attempt)| match attempt {
            Attempt::Waiting { conflicts, .. } => Some(conflicts),
            _ => None,
        });
        let is_unheard = |vertex: &Vertex| {
            let is_held = self.executed.contains(*vertex) && !self.instances.is_dropped(*vertex);
            is_held && self.chosen(*vertex).is_none()
        };
        unsettled.extend(waiting.flatten().copied().filter(is_unheard));
        unsettled.sort_unstable();
        unsettled.dedup();
        for vertex in self.recovery.look(unsettled.into_iter()) {
            self.recover(vertex, out);
        }
    }

    /// Whether this node's own proposal is still on its ordinary way.
    fn is_under_way(&self, vertex: Vertex) -> bool {
        let proposal = self.leader.proposals.get(vertex);
        proposal.is_some_and(|proposal| !matches!(proposal.stage, Stage::Outbid))
    }

    /// Starts over, in the smallest own ballot above everything seen. An attempt that waits
    /// ends so, too, when its time is up (trace B25).
    pub(crate) fn recover(&mut self, vertex: Vertex, out: &mut Outbox<Self>) {
        self.on_outbid(vertex);
        let promised = self.instances.get(vertex).and_then(|instance| instance.cell.promised());
        // The promise to oneself, in this very step, makes the ballot durable.
        let ballot = self.recovery.begin(vertex, promised, Attempt::begin);
        out.events.push(Event::RecoveryStarted { vertex, ballot });
        out.send(self.layout.nodes(), Message::Phase1a { vertex, ballot });
    }

    pub(crate) fn on_phase1b(
        &mut self,
        from: NodeId,
        (vertex, ballot): (Vertex, Ballot),
        heard: Heard,
        out: &mut Outbox<Self>,
    ) {
        let Some(attempt) = self.recovery.attempt(vertex) else { return };
        if attempt.ballot() != ballot {
            return;
        }
        let verdict = match attempt {
            Attempt::Asking { answers, .. } => {
                if !answers.answer(from, heard) || !answers.is_quorum(&self.quorums.phase1) {
                    return;
                }
                choose(vertex.leader, answers, self.sizes)
            }
            Attempt::Validating { candidate, .. } | Attempt::Waiting { candidate, .. }
                if !candidate.quorum.contains(from) =>
            {
                late(vertex.leader, from, &heard)
            }
            _ => return,
        };
        self.follow((vertex, ballot), verdict, out);
    }

    pub(crate) fn on_validate_ok(
        &mut self,
        from: NodeId,
        (vertex, ballot): (Vertex, Ballot),
        found: Vec<Conflict>,
        out: &mut Outbox<Self>,
    ) {
        let Some(attempt) = self.recovery.attempt(vertex) else { return };
        let Attempt::Validating { ballot: own, candidate, answers } = attempt else { return };
        if *own != ballot || !candidate.quorum.contains(from) {
            return;
        }
        answers.answer(from, found);
        if answers.set() != candidate.quorum {
            return;
        }
        let mut conflicts: Vec<Conflict> = answers.iter().flat_map(|(_, found)| found).copied().collect();
        conflicts.sort_unstable();
        conflicts.dedup();
        let verdict = validated(candidate, &conflicts, self.sizes);
        if verdict != Verdict::Wait {
            return self.follow((vertex, ballot), verdict, out);
        }
        let candidate = candidate.clone();
        let conflicts: Vec<Vertex> = conflicts.iter().map(|conflict| conflict.vertex).collect();
        // Each of them is to be decided: recovered here, if it is not somewhere else.
        for other in &conflicts {
            if self.instances.admits(*other) {
                let _ = self.instance(*other);
            }
        }
        out.events.push(Event::Resolved { vertex, by: Rule::V4.name() });
        let attempt = self.recovery.attempt(vertex).expect("just there");
        *attempt = Attempt::Waiting { ballot, candidate, conflicts };
        self.tell_waiting(out);
        self.reconsider(out);
    }

    /// Repeats what waiting attempts have to say, and asks for what they wait for.
    pub(crate) fn tell_waiting(&self, out: &mut Outbox<Self>) {
        let (all, others) = (self.layout.nodes(), self.layout.nodes().without(self.own));
        for (vertex, attempt) in self.recovery.attempts() {
            let Attempt::Waiting { candidate, conflicts, .. } = attempt else { continue };
            let unchanged_count = u32::try_from(candidate.unchanged_count).expect("no more than nodes");
            out.send(all, Message::Waiting { vertex, unchanged_count });
            for other in conflicts.iter().filter(|other| self.chosen(**other).is_none()) {
                out.send(others, Message::Fetch { vertex: *other });
            }
        }
    }

    /// Somebody recovers that vertex and waits. What it tells is a fact about one of its
    /// ballots, and never expires.
    pub(crate) fn on_waiting(&mut self, vertex: Vertex, unchanged_count: u32, out: &mut Outbox<Self>) {
        if self.is_settled(vertex) {
            return;
        }
        let count = self.waiting.entry(vertex).or_default();
        if unchanged_count as usize > *count {
            *count = unchanged_count as usize;
            self.reconsider(out);
        }
    }

    /// More is known of what is waited for.
    pub(crate) fn reconsider(&mut self, out: &mut Outbox<Self>) {
        let verdicts: BTreeMap<(Vertex, Ballot), Verdict> = self
            .recovery
            .attempts()
            .filter_map(|(vertex, attempt)| {
                let Attempt::Waiting { ballot, candidate, conflicts } = attempt else { return None };
                let fates = conflicts.iter().map(|other| self.fate(vertex, candidate, *other));
                Some(((vertex, *ballot), waited(candidate, fates, self.sizes)))
            })
            .collect();
        for (at, verdict) in verdicts {
            self.follow(at, verdict, out);
        }
    }

    /// What is known here of a vertex that is waited for.
    fn fate(&self, vertex: Vertex, candidate: &Candidate, other: Vertex) -> Fate {
        match self.chosen(other) {
            Some(value) if value.batch.is_noop() || value.deps.contains(vertex) => Fate::With,
            Some(_) => Fate::Without,
            None => {
                let given_up = self.instances.is_dropped(other).then(|| {
                    let Candidate { value, .. } = candidate;
                    self.past.fate(other, &value.batch.footprint(), &value.deps)
                });
                let open = Fate::Open(self.waiting.get(&other).copied().unwrap_or(0));
                given_up.flatten().unwrap_or(open)
            }
        }
    }

    /// Whether a recovery waits for this vertex.
    pub(crate) fn is_waited_for(&self, vertex: Vertex) -> bool {
        let mut attempts = self.recovery.attempts();
        attempts.any(|(_, attempt)| {
            matches!(attempt, Attempt::Waiting { conflicts, .. } if conflicts.contains(&vertex))
        })
    }

    /// Does what a rule says.
    fn follow(&mut self, (vertex, ballot): (Vertex, Ballot), verdict: Verdict, out: &mut Outbox<Self>) {
        let Some(attempt) = self.recovery.attempt(vertex) else { return };
        match verdict {
            Verdict::Wait => {}
            Verdict::Validate(candidate) => {
                let (quorum, value) = (candidate.quorum, candidate.value.clone());
                *attempt = Attempt::Validating { ballot, candidate, answers: Tally::default() };
                out.send(quorum, Message::Validate { vertex, ballot, value });
            }
            Verdict::Propose(value, rule) => {
                *attempt = Attempt::Voting(Progress::phase2(ballot, value.clone()));
                out.events.push(Event::Resolved { vertex, by: rule.name() });
                if value == Value::noop() {
                    out.events.push(Event::NoopProposed { vertex });
                }
                out.send(self.layout.nodes(), Message::Phase2a { vertex, ballot, value });
            }
        }
    }

    /// A node promised more: give way; the next look that finds it due starts over.
    pub(crate) fn on_nack(&mut self, vertex: Vertex, ballot: Ballot, promised: Ballot) {
        if self.is_settled(vertex) {
            return;
        }
        self.recovery.used(vertex, promised);
        if vertex.leader == self.own {
            self.on_own_nack(vertex, ballot, promised);
        }
        if self.recovery.attempt(vertex).is_some_and(|attempt| attempt.ballot() == ballot) {
            self.recovery.abandon(vertex);
        }
    }
}
