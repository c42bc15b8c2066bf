//! What a leader and a recoverer conclude from what they hear: pure, tested by enumeration.
//! The rules R, V and W are those of protocols.md 3.6.6.

use crate::Value;
use crate::epaxos::instance::PreAccepted;
use crate::epaxos::options::Sizes;
use isegoria_proposer::{Choice, Tally};
use isegoria_types::{Ballot, DepSet, NodeId, NodeSet, Vertex};
use serde::{Deserialize, Serialize};

/// How a leader stands with the answers to its `PreAccept`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Enough have said what the leader knew already: chosen, if the leader says so.
    Fast,
    /// That cannot be any more, or is not worth waiting for: propose this in ballot 1.
    Slow(DepSet),
    /// More answers are needed.
    Open,
}

/// Where the answers lead a leader, its own among them; `given_up` are the nodes that are not
/// waited for.
///
/// # Panics
/// If the leader has not answered itself.
#[must_use]
pub fn outlook(leader: NodeId, oks: &Tally<DepSet>, sizes: Sizes, given_up: NodeSet) -> Outlook {
    let own = oks.get(leader).expect("a leader answers itself first");
    let same = oks.iter().filter(|(_, deps)| *deps == own).count();
    if same >= sizes.fast() {
        return Outlook::Fast;
    }
    let missing = NodeSet::first(sizes.n).difference(oks.set());
    if oks.len() < sizes.slow() || same + missing.difference(given_up).len() >= sizes.fast() {
        return Outlook::Open;
    }
    Outlook::Slow(oks.iter().fold(DepSet::default(), |mut union, (_, deps)| {
        union.union(deps);
        union
    }))
}

/// What a node answers to a request for a promise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heard {
    /// Its last vote, above round 0, if it has voted.
    pub vote: Option<(Ballot, Value)>,
    /// What the leader asked, if it has heard of that.
    pub asked: Option<PreAccepted>,
}

/// By which rule a recovery came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Somebody has voted.
    R2,
    /// The leader has promised, and has not decided.
    R3,
    /// Too few have said what the leader knew.
    R4,
    /// Nothing speaks against the value.
    V1,
    /// Something conflicting is committed without the vertex.
    V2,
    /// Something conflicting is of a leader that did not answer, and must have for the vertex
    /// to be decided.
    V3,
    /// What speaks against it is not decided: wait.
    V4,
    /// What was waited for is committed without the vertex.
    W1,
    /// All that was waited for is committed with the vertex, or as noops.
    W2,
    /// Whoever recovers what is waited for has met too many that know nothing of the vertex.
    W3,
    /// A late answer: of the leader, or of somebody who has voted.
    W4,
}

impl Rule {
    /// All rules in a sentence each.
    pub(crate) const NAMES: [&'static str; 11] = [
        "R2, a vote is found",
        "R3, the leader has promised",
        "R4, too few unchanged",
        "V1, nothing speaks against it",
        "V2, a conflict is committed without it",
        "V3, a conflict of a leader that does not answer",
        "V4, a conflict is waited for",
        "W1, a conflict was committed without it",
        "W2, all conflicts were committed with it",
        "W3, a conflict may have been decided at once",
        "W4, a late answer",
    ];

    /// In a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        Rule::NAMES[self as usize]
    }
}

/// What the leader may have decided at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The value.
    pub value: Value,
    /// Who has promised: the set Q.
    pub quorum: NodeSet,
    /// How many of them have said what the leader knew: |R|.
    pub unchanged_count: usize,
}

/// What a recoverer does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proposes this value.
    Propose(Value, Rule),
    /// Asks those who promised what speaks against this value.
    Validate(Candidate),
    /// Waits until more is known of what speaks against it.
    Wait,
}

fn noop(by: Rule) -> Verdict {
    Verdict::Propose(Value::noop(), by)
}

/// Rules R2 to R4: what the promises of n−f nodes leave open.
///
/// # Panics
/// If two votes in one ballot differ.
#[must_use]
pub fn choose(leader: NodeId, answers: &Tally<Heard>, sizes: Sizes) -> Verdict {
    let votes = answers.iter().map(|(_, heard)| heard.vote.clone());
    if let Choice::Forced(value) = isegoria_proposer::simple(votes) {
        return Verdict::Propose(value, Rule::R2);
    }
    if answers.get(leader).is_some() {
        return noop(Rule::R3);
    }
    let unchanged =
        || answers.iter().filter_map(|(_, heard)| heard.asked.as_ref().filter(|asked| asked.is_unchanged()));
    let unchanged_count = unchanged().count();
    match unchanged().next() {
        Some(asked) if unchanged_count + sizes.e >= answers.len() => {
            Verdict::Validate(Candidate { value: asked.value(), quorum: answers.set(), unchanged_count })
        }
        _ => noop(Rule::R4),
    }
}

/// A conflicting vertex of which the validated one does not know, and which does not know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Conflict {
    /// The vertex.
    pub vertex: Vertex,
    /// Whether whoever says so knows that it is chosen so.
    pub committed: bool,
}

/// Rules V1 to V4: what all of those say who have promised.
#[must_use]
pub fn validated(candidate: &Candidate, conflicts: &[Conflict], sizes: Sizes) -> Verdict {
    if conflicts.is_empty() {
        return Verdict::Propose(candidate.value.clone(), Rule::V1);
    }
    if conflicts.iter().any(|conflict| conflict.committed) {
        return noop(Rule::V2);
    }
    let is_tight = candidate.unchanged_count + sizes.e == candidate.quorum.len();
    if is_tight && conflicts.iter().any(|conflict| !candidate.quorum.contains(conflict.vertex.leader)) {
        return noop(Rule::V3);
    }
    Verdict::Wait
}

/// What a waiting recoverer knows of a conflicting vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Not chosen, as far as is known; of those who promised to whoever recovers it, at most
    /// so many have said what its leader knew.
    Open(Chance),
    /// Chosen with the vertex that waits, or as the noop.
    With,
    /// Chosen without it.
    Without,
}

/// The largest |R| that recoverers of a vertex have told.
pub type Chance = usize;

/// Rules W1 to W3, of all vertices that are waited for.
#[must_use]
pub fn waited(candidate: &Candidate, fates: impl Iterator<Item = Fate> + Clone, sizes: Sizes) -> Verdict {
    if fates.clone().any(|fate| fate == Fate::Without) {
        return noop(Rule::W1);
    }
    if fates.clone().all(|fate| fate == Fate::With) {
        return Verdict::Propose(candidate.value.clone(), Rule::W2);
    }
    let is_likely = |fate| matches!(fate, Fate::Open(count) if count + sizes.f + sizes.e > sizes.n);
    if fates.clone().any(is_likely) { noop(Rule::W3) } else { Verdict::Wait }
}

/// Rule W4: an answer that came when others had promised already.
#[must_use]
pub(crate) fn late(leader: NodeId, from: NodeId, heard: &Heard) -> Verdict {
    match &heard.vote {
        Some((_, value)) => Verdict::Propose(value.clone(), Rule::W4),
        None if from == leader => noop(Rule::W4),
        None => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::{Batch, Command};

    /// The order in which a node has heard of two conflicting vertices, x of the first node and
    /// y of the last, each pre-accepted by its leader before it heard of the other.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Order {
        Neither,
        X,
        Y,
        XThenY,
        YThenX,
    }

    const ORDERS: [Order; 5] = [Order::Neither, Order::X, Order::Y, Order::XThenY, Order::YThenX];

    impl Order {
        /// Has said of x what its leader knew: nothing of y.
        fn is_x_unchanged(self) -> bool {
            matches!(self, Order::X | Order::XThenY)
        }

        fn is_y_unchanged(self) -> bool {
            matches!(self, Order::Y | Order::YThenX)
        }

        fn has_y(self) -> bool {
            !matches!(self, Order::Neither | Order::X)
        }
    }

    const CLUSTERS: [Sizes; 6] = [
        Sizes { n: 3, f: 1, e: 1 },
        Sizes { n: 4, f: 1, e: 1 },
        Sizes { n: 5, f: 1, e: 1 },
        Sizes { n: 5, f: 2, e: 1 },
        Sizes { n: 5, f: 2, e: 2 },
        Sizes { n: 7, f: 3, e: 2 },
    ];

    fn x() -> Vertex {
        Vertex::new(NodeId::new(0), 0)
    }

    fn y(sizes: Sizes) -> Vertex {
        Vertex::new(NodeId::new(sizes.n - 1), 0)
    }

    fn histories(sizes: Sizes) -> impl Iterator<Item = Vec<Order>> {
        let all = (0..5usize.pow(u32::try_from(sizes.n).unwrap())).map(move |number| -> Vec<Order> {
            (0..sizes.n).map(|node| ORDERS[number / 5usize.pow(u32::try_from(node).unwrap()) % 5]).collect()
        });
        all.filter(move |history| history[0].is_x_unchanged() && history[sizes.n - 1].is_y_unchanged())
    }

    fn quorums(sizes: Sizes) -> Vec<NodeSet> {
        let set = |bits: usize| -> NodeSet {
            (0..sizes.n).filter(|node| bits >> node & 1 == 1).map(NodeId::new).collect()
        };
        (0..1usize << sizes.n).map(set).filter(|set| set.len() == sizes.slow()).collect()
    }

    /// What the members of a set tell a recoverer of x, or of y.
    fn answers(history: &[Order], heard: NodeSet, of_x: bool) -> Tally<Heard> {
        let (own, other) = (x(), Vertex::new(NodeId::new(history.len() - 1), 0));
        let mut answers = Tally::default();
        for node in heard.iter() {
            let order = history[node.index()];
            let is_unchanged = if of_x { order.is_x_unchanged() } else { order.is_y_unchanged() };
            let has_it = is_unchanged || order == if of_x { Order::YThenX } else { Order::XThenY };
            let mut changed = DepSet::default();
            changed.insert(if of_x { other } else { own });
            let asked = has_it.then(|| PreAccepted {
                batch: Batch::of(&[Command::expire_sessions(1)]),
                initial: DepSet::default(),
                deps: Some(if is_unchanged { DepSet::default() } else { changed }),
            });
            answers.answer(node, Heard { vote: None, asked });
        }
        answers
    }

    /// Whether the leader of x may have decided at once; of y.
    fn may_be_decided(sizes: Sizes, history: &[Order]) -> (bool, bool) {
        let count = |is: fn(Order) -> bool| history.iter().filter(|order| is(**order)).count();
        (count(Order::is_x_unchanged) >= sizes.fast(), count(Order::is_y_unchanged) >= sizes.fast())
    }

    type Chooser = fn(NodeId, &Tally<Heard>, Sizes) -> Verdict;
    type Validator = fn(&Candidate, &[Conflict], Sizes) -> Verdict;
    type Waiter = fn(&Candidate, &[Fate], Sizes) -> Verdict;

    fn waits(candidate: &Candidate, fates: &[Fate], sizes: Sizes) -> Verdict {
        waited(candidate, fates.iter().copied(), sizes)
    }

    /// The omniscient oracle: what may be decided of x is never given up, and never proposed
    /// where y may be decided without it; whoever recovers y at the same time, in any quorum.
    /// Returns how often each verdict came, or the first mistake.
    fn enumerate(
        sizes: Sizes,
        (choose, validated, waited): (Chooser, Validator, Waiter),
    ) -> Result<[usize; 5], String> {
        let mut counts = [0; 5];
        for history in histories(sizes) {
            let (x_decided, y_decided) = may_be_decided(sizes, &history);
            for heard in quorums(sizes).into_iter().filter(|heard| !heard.contains(x().leader)) {
                let mistake = |what: &str| Err(format!("{what}: {history:?}, x recovered with {heard:?}"));
                let candidate = match choose(x().leader, &answers(&history, heard, true), sizes) {
                    Verdict::Validate(candidate) => candidate,
                    Verdict::Propose(..) if x_decided => return mistake("given up by a rule R"),
                    _ => continue,
                };
                let speaks = heard.iter().any(|node| history[node.index()].has_y());
                let conflict = Conflict { vertex: y(sizes), committed: false };
                let conflicts = if speaks { vec![conflict] } else { Vec::new() };
                match validated(&candidate, &conflicts, sizes) {
                    Verdict::Propose(value, _) if value == Value::noop() => {
                        counts[0] += 1;
                        if x_decided {
                            return mistake("given up by a rule V");
                        }
                    }
                    Verdict::Propose(..) => {
                        counts[1] += 1;
                        if y_decided {
                            return mistake("proposed beside y");
                        }
                    }
                    _ => {
                        counts[2] += 1;
                        for others in quorums(sizes) {
                            let told = choose(y(sizes).leader, &answers(&history, others, false), sizes);
                            let Verdict::Validate(Candidate { unchanged_count, .. }) = told else { continue };
                            counts[3] += 1;
                            let verdict = waited(&candidate, &[Fate::Open(unchanged_count)], sizes);
                            if verdict == Verdict::Wait {
                                continue;
                            }
                            counts[4] += 1;
                            if x_decided {
                                return mistake("given up by a rule W");
                            }
                        }
                    }
                }
            }
        }
        Ok(counts)
    }

    #[test]
    fn what_a_leader_may_have_decided_is_never_given_up() {
        let mut sums = [0; 5];
        for sizes in CLUSTERS {
            let counts = enumerate(sizes, (choose, validated, waits)).unwrap();
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        assert!(sums.iter().all(|count| *count > 50), "{sums:?}");
    }

    /// The enumeration catches plausible mistakes.
    #[test]
    fn wrong_rules_are_caught() {
        let five = Sizes { n: 5, f: 2, e: 2 };
        let three = Sizes { n: 3, f: 1, e: 1 };
        let right: (Chooser, Validator, Waiter) = (choose, validated, waits);
        // B7e: one more unchanged answer than there may be.
        let greedy: Chooser =
            |leader, answers, sizes| choose(leader, answers, Sizes { e: sizes.e - 1, ..sizes });
        assert!(enumerate(three, (greedy, right.1, right.2)).is_err());
        // B7: the leader's promise says nothing.
        let deaf: Chooser = |_, answers, sizes| choose(NodeId::new(9), answers, sizes);
        assert!(enumerate(five, (deaf, right.1, right.2)).is_err());
        // B4: nothing speaks against it.
        let blind: Validator = |candidate, _, sizes| validated(candidate, &[], sizes);
        assert!(enumerate(five, (right.0, blind, right.2)).is_err());
        // B5: whatever speaks against it is enough.
        let timid: Validator = |candidate, conflicts, sizes| {
            if conflicts.is_empty() { validated(candidate, conflicts, sizes) } else { noop(Rule::V2) }
        };
        assert!(enumerate(five, (right.0, timid, right.2)).is_err());
        // B6: as many as there may be are too many.
        let hasty: Waiter =
            |candidate, fates, sizes| waits(candidate, fates, Sizes { e: sizes.e + 1, ..sizes });
        assert!(enumerate(five, (right.0, right.1, hasty)).is_err());
    }

    #[test]
    fn a_vote_decides_and_a_leader_that_promises_has_not() {
        let three = Sizes { n: 3, f: 1, e: 1 };
        let history = [Order::X, Order::X, Order::Y];
        let mut heard = answers(&history, [1].into_iter().map(NodeId::new).collect(), true);
        let value = Value { batch: Batch::of(&[Command::expire_sessions(2)]), deps: DepSet::default() };
        let vote = Some((Ballot { round: 1, owner: NodeId::new(0) }, value.clone()));
        heard.answer(NodeId::new(2), Heard { vote, asked: None });
        assert_eq!(choose(x().leader, &heard, three), Verdict::Propose(value, Rule::R2));
        let heard = answers(&history, NodeSet::first(2), true);
        assert_eq!(choose(x().leader, &heard, three), noop(Rule::R3));
    }

    #[test]
    fn what_is_waited_for_decides() {
        let five = Sizes { n: 5, f: 2, e: 2 };
        let value = Value { batch: Batch::of(&[Command::expire_sessions(1)]), deps: DepSet::default() };
        let candidate = Candidate { value: value.clone(), quorum: NodeSet::first(3), unchanged_count: 2 };
        let verdict = |fates: &[Fate]| waits(&candidate, fates, five);
        assert_eq!(verdict(&[Fate::With, Fate::Without]), noop(Rule::W1));
        assert_eq!(verdict(&[Fate::With, Fate::With]), Verdict::Propose(value, Rule::W2));
        assert_eq!(verdict(&[Fate::With, Fate::Open(1)]), Verdict::Wait);
        assert_eq!(verdict(&[Fate::With, Fate::Open(2)]), noop(Rule::W3));
        let committed = Conflict { vertex: y(five), committed: true };
        assert_eq!(validated(&candidate, &[committed], five), noop(Rule::V2));
    }

    /// A leader decides at once with n−e answers like its own, and never gives that up while
    /// it may still have them.
    #[test]
    fn a_leader_waits_for_what_it_may_still_get() {
        for sizes in CLUSTERS {
            let all = NodeSet::first(sizes.n);
            for code in 0..3usize.pow(u32::try_from(sizes.n - 1).unwrap()) {
                let mut oks = Tally::default();
                oks.answer(NodeId::new(0), DepSet::default());
                for node in 1..sizes.n {
                    let mut deps = DepSet::default();
                    match code / 3usize.pow(u32::try_from(node - 1).unwrap()) % 3 {
                        0 => continue,
                        1 => {}
                        _ => deps.insert(y(sizes)),
                    }
                    oks.answer(NodeId::new(node), deps);
                }
                let same = oks.iter().filter(|(_, deps)| **deps == DepSet::default()).count();
                let missing = sizes.n - oks.len();
                let expected = |given_up: bool| {
                    if same >= sizes.fast() {
                        "fast"
                    } else if oks.len() >= sizes.slow() && (given_up || same + missing < sizes.fast()) {
                        "slow"
                    } else {
                        "open"
                    }
                };
                for (given_up, whom) in [(false, NodeSet::EMPTY), (true, all)] {
                    let found = match outlook(NodeId::new(0), &oks, sizes, whom) {
                        Outlook::Fast => "fast",
                        Outlook::Slow(_) => "slow",
                        Outlook::Open => "open",
                    };
                    assert_eq!(found, expected(given_up), "{sizes:?} {oks:?}");
                }
            }
        }
    }
}
