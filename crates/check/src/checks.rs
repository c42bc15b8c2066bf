use crate::history::{Finding, History};
use crate::properties::{
    Agreement, AtMostOnce, Bounded, Digest, Durability, ExecutionOrder, Nontriviality, Progress, Promises,
    Visibility,
};
use crate::{Applied, ChosenValues, Submission, Submissions, Violation, judge};
use bytes::Bytes;
use isegoria_node::{Evidence, FastRule};
use isegoria_types::{Batch, Conflicts, NodeId, Order, Prefix, Quorum, RequestId, Vertex};

/// All properties of one run, fed with what a driver sees. The first violation ends the run.
#[derive(Clone, Debug)]
pub struct Checks {
    agreement: Agreement,
    visibility: Visibility,
    nontriviality: Nontriviality,
    promises: Promises,
    execution_order: ExecutionOrder,
    at_most_once: AtMostOnce,
    digest: Digest,
    durability: Durability,
    progress: Progress,
    bounded: Bounded,
    /// Operations of clients that the linearizability check judged.
    judged_count: u64,
    /// Histories that it could not decide.
    undecided_count: u64,
    submissions: Submissions,
    chosen: ChosenValues,
}

impl Checks {
    /// The checks of a cluster in which `quorum` chooses a value, or votes of ballot 0 by
    /// the rule `fast`, and scopes of footprints conflict by `conflicts`.
    #[must_use]
    pub fn new((quorum, fast): (Quorum, FastRule), conflicts: Conflicts) -> Checks {
        Checks {
            agreement: Agreement::new(quorum, fast),
            visibility: Visibility::new(conflicts),
            nontriviality: Nontriviality::default(),
            promises: Promises::default(),
            execution_order: ExecutionOrder::default(),
            at_most_once: AtMostOnce::default(),
            digest: Digest::default(),
            durability: Durability::default(),
            progress: Progress::default(),
            bounded: Bounded::default(),
            judged_count: 0,
            undecided_count: 0,
            submissions: Submissions::default(),
            chosen: ChosenValues::default(),
        }
    }

    /// How often each check looked, by name.
    #[must_use]
    pub fn evaluations(&self) -> [(&'static str, u64); 11] {
        [
            ("agreement", self.agreement.evaluation_count()),
            ("visibility", self.visibility.evaluation_count()),
            ("nontriviality", self.nontriviality.evaluation_count()),
            ("promises", self.promises.evaluation_count()),
            ("execution order", self.execution_order.evaluation_count()),
            ("at most once", self.at_most_once.evaluation_count()),
            ("digest", self.digest.evaluation_count()),
            ("durability", self.durability.evaluation_count()),
            ("progress", self.progress.evaluation_count()),
            ("bounded", self.bounded.evaluation_count()),
            ("linearizability", self.judged_count),
        ]
    }

    /// Rare things among what was chosen, by name, with their numbers.
    #[must_use]
    pub fn situations(&self) -> [(&'static str, u64); 9] {
        let [noops, ghosts] = self.chosen.situations();
        let cycles = ("cycle chosen", self.visibility.cycle_count());
        let wide = ("component of three leaders chosen", self.visibility.wide_count());
        let again = ("value of an older ballot chosen again", self.agreement.again_count());
        let races = ("two nodes campaigned at one place", self.promises.race_count());
        let (fast_count, union_count) = self.agreement.fast_counts();
        let fast = ("chosen by votes of ballot 0", fast_count);
        let unions = ("union of different votes of ballot 0 chosen", union_count);
        [noops, ghosts, cycles, wide, again, races, fast, unions, ("history undecided", self.undecided_count)]
    }

    /// Everything chosen so far.
    #[must_use]
    pub fn chosen(&self) -> &ChosenValues {
        &self.chosen
    }

    /// How many requests were answered as done.
    #[must_use]
    pub fn answered_count(&self) -> usize {
        self.at_most_once.answered_count()
    }

    /// A client submits a command.
    pub fn submitted(&mut self, request: RequestId, submission: Submission) {
        self.submissions.insert(request, submission);
    }

    /// A record of `node` is durable.
    ///
    /// # Errors
    /// S1, S2, S7 or S8.
    pub fn durable(&mut self, node: NodeId, evidence: &Evidence) -> Result<(), Violation> {
        match evidence {
            Evidence::Promised { place, ballot } => self.promises.promised(node, *place, *ballot),
            Evidence::Voted { ballot, order, batch } => {
                self.promises.voted(node, *ballot, order)?;
                let is_chosen = self.agreement.voted(node, *ballot, (order, batch), &mut self.chosen)?;
                if is_chosen { self.chosen_at(order.place()) } else { Ok(()) }
            }
            Evidence::FastVoted { ballot, order, batch } => {
                self.promises.voted(node, *ballot, order)?;
                let is_chosen = self.agreement.fast_voted(node, *ballot, (order, batch), &mut self.chosen)?;
                if is_chosen { self.chosen_at(order.place()) } else { Ok(()) }
            }
            Evidence::FastChosen { vertex, by } => {
                let is_first = self.agreement.fast_chosen(*vertex, by.as_ref(), &mut self.chosen)?;
                if is_first { self.chosen_at(*vertex) } else { Ok(()) }
            }
            Evidence::Campaigned { .. } | Evidence::Proposed { .. } | Evidence::ToldVote { .. } => Ok(()),
        }
    }

    /// Something was just chosen there.
    fn chosen_at(&mut self, place: Vertex) -> Result<(), Violation> {
        let value = self.chosen.get(place).expect("just chosen");
        self.nontriviality.chosen(value, &self.submissions)?;
        self.visibility.chosen(value, &self.chosen)
    }

    /// A message leaves `node`, which is in its `life`-th life.
    ///
    /// # Errors
    /// S8.
    pub fn sent(&mut self, node: NodeId, life: u64, evidence: &Evidence) -> Result<(), Violation> {
        match evidence {
            Evidence::Campaigned { place, ballot } => self.promises.campaigned((node, life), *place, *ballot),
            Evidence::Promised { place, ballot } => self.promises.told_promise(node, *place, *ballot),
            Evidence::ToldVote { place, ballot } => self.promises.told_vote(node, *place, *ballot),
            Evidence::Proposed { ballot, order, batch } => self.promises.proposed(*ballot, order, batch),
            Evidence::Voted { .. } | Evidence::FastVoted { .. } | Evidence::FastChosen { .. } => Ok(()),
        }
    }

    /// A node hands a value to its replica.
    ///
    /// # Errors
    /// S1.
    pub fn committed(&mut self, node: NodeId, order: &Order, batch: &Batch) -> Result<(), Violation> {
        self.agreement.committed(node, (order, batch), &self.chosen)
    }

    /// A replica applied a request at a place, with this output.
    ///
    /// # Errors
    /// S3 or S5.
    pub fn applied(
        &mut self,
        (node, replica): (NodeId, &mut Applied),
        (place, request, output): (Vertex, RequestId, Bytes),
    ) -> Result<(), Violation> {
        self.at_most_once.applied((node, replica), (place, request), &output)?;
        self.execution_order.applied((node, replica), (place, request), &self.submissions)?;
        self.execution_order.passed((node, replica), place, &self.chosen)
    }

    /// A client is told that its request is done.
    ///
    /// # Errors
    /// S5.
    pub fn answered(&mut self, request: RequestId, answer: &Bytes) -> Result<(), Violation> {
        self.at_most_once.answered_with(request, answer)
    }

    /// A replica has executed this much and has this digest.
    ///
    /// # Errors
    /// S3.
    pub fn digest(
        &mut self,
        node: NodeId,
        executed: (&Prefix, Vec<Vertex>),
        digest: u64,
    ) -> Result<(), Violation> {
        self.digest.seen(node, executed, digest)
    }

    /// A healed cluster took a step.
    ///
    /// # Errors
    /// L1.
    pub fn stepped(&mut self, overdue: bool, waiting: impl FnOnce() -> String) -> Result<(), Violation> {
        self.progress.stepped(overdue, waiting)
    }

    /// `node` holds `count` of something that may number `cap`.
    ///
    /// # Errors
    /// L3.
    pub fn held(&mut self, node: NodeId, what: &str, count_and_cap: (usize, usize)) -> Result<(), Violation> {
        self.bounded.held(node, what, count_and_cap)
    }

    /// The run ends and this replica has caught up.
    ///
    /// # Errors
    /// S4.
    pub fn ended(&mut self, node: NodeId, replica: &Applied) -> Result<(), Violation> {
        self.durability.ended((node, replica), &self.at_most_once)
    }

    /// The run ends, and this is what the clients saw.
    ///
    /// # Errors
    /// S6.
    pub fn history(&mut self, history: &History) -> Result<(), Violation> {
        let verdict = judge(history);
        match verdict.finding {
            Finding::Violation(anomaly) => Err(Violation {
                check: "linearizability",
                invariant: "S6 the clients' history is linearizable, and strictly serializable over all keys",
                place: None,
                what: anomaly.to_string(),
            }),
            // Looked at, and in vain: a long run fails if that happens often.
            Finding::Undecided(_) => {
                self.undecided_count += 1;
                self.judged_count += verdict.evaluated.operations.max(1);
                Ok(())
            }
            Finding::Valid => {
                self.judged_count += verdict.evaluated.operations;
                Ok(())
            }
            Finding::Empty => Ok(()),
        }
    }
}
