//! What the answers of a fast quorum amount to, and what those of a phase-1 quorum leave
//! open: pure, tested by enumeration.

use crate::Value;
use isegoria_proposer::Tally;
use isegoria_types::{Ballot, Batch, DepSet, NodeId, NodeSet, Quorum};
use serde::{Deserialize, Serialize};

/// What a node said that a vertex depends on. Asked again, it says the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Collected {
    /// The commands, and what conflicts with them here.
    pub value: Value,
    /// The fast quorum, if its leader asked; none, if a recoverer did.
    pub quorum: Option<NodeSet>,
}

/// What a node answers to a request for a promise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heard {
    /// Its last vote, above round 0, if it has voted.
    pub vote: Option<(Ballot, Value)>,
    /// What it said in ballot 0, if it did.
    pub collected: Option<Collected>,
}

/// How a leader stands with the answers of ballot 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The whole fast quorum has answered, and enough of them name each dependency: chosen,
    /// if the leader says so.
    Chosen(DepSet),
    /// That cannot be any more, or is not worth waiting for: propose this in ballot 1.
    Slow(DepSet),
    /// Somebody in the fast quorum is waited for in vain, and too few have answered without it.
    Short,
    /// More answers are needed.
    Open,
}

/// Where the answers of ballot 0 lead a leader. Each dependency that is chosen is named by
/// `count` members of the fast quorum; `given_up` are the nodes that are not waited for.
#[must_use]
pub fn outlook(
    acks: &Tally<DepSet>,
    (quorum, count): (NodeSet, usize),
    dependency: &Quorum,
    given_up: NodeSet,
) -> Outlook {
    let missing = quorum.difference(acks.set());
    let members = || acks.iter().filter(|(node, _)| quorum.contains(*node)).map(|(_, deps)| deps);
    let union = union(members());
    // Whether it may still be that each is named by enough, if those who are missing name all.
    let is_possible = union.as_prefix().iter().all(|(leader, below)| {
        let named = members().filter(|deps| deps.below(leader) == below).count();
        below == 0 || named + missing.len() >= count
    });
    if is_possible && missing.is_empty() {
        return Outlook::Chosen(union);
    }
    if is_possible && missing.intersection(given_up).is_empty() {
        return Outlook::Open;
    }
    // Any dependency quorum will do for ballot 1, and the more the better.
    if acks.is_quorum(dependency) {
        return Outlook::Slow(self::union(acks.iter().map(|(_, deps)| deps)));
    }
    if missing.intersection(given_up).is_empty() { Outlook::Open } else { Outlook::Short }
}

/// What a recoverer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Proposes this value.
    Propose(Value),
    /// Asks again, in a higher ballot and with the commands: those who answered have not all
    /// said what they depend on.
    Ask(Batch),
}

/// Appendix B of protocols.md, `atlas`: what the answers of a phase-1 quorum leave open.
///
/// A vote above round 0 decides. Otherwise, if the leader is among them, it has not decided
/// and never will: the answers of any dependency quorum will do. If it is not, it may have
/// decided the union of what its fast quorum said, and those of it who answer say all of that.
/// If nobody knows of a fast quorum, the leader has not decided either.
///
/// # Panics
/// If two votes in one ballot differ, or two batches.
#[must_use]
pub fn choose(leader: NodeId, answers: &Tally<Heard>, dependency: &Quorum) -> Recovered {
    let votes = answers.iter().map(|(_, heard)| heard.vote.clone());
    if let isegoria_proposer::Choice::Forced(value) = isegoria_proposer::simple(votes) {
        return Recovered::Propose(value);
    }
    let collected =
        || answers.iter().filter_map(|(from, heard)| heard.collected.as_ref().map(|said| (from, said)));
    let Some((batch, quorum)) =
        collected().find_map(|(_, said)| said.quorum.map(|quorum| (said.value.batch.clone(), quorum)))
    else {
        return Recovered::Propose(Value::noop());
    };
    assert!(collected().all(|(_, said)| said.value.batch == batch), "two batches of one vertex: {answers:?}");
    let has_leader = answers.get(leader).is_some();
    let asked = if has_leader { answers.set() } else { answers.set().intersection(quorum) };
    let said: NodeSet = collected().map(|(from, _)| from).filter(|from| asked.contains(*from)).collect();
    let is_enough = if has_leader { dependency.is_quorum(said) } else { said == asked };
    if !is_enough {
        return Recovered::Ask(batch);
    }
    let deps = union(collected().filter(|(from, _)| asked.contains(*from)).map(|(_, said)| &said.value.deps));
    Recovered::Propose(Value { batch, deps })
}

/// The union of all answers.
fn union<'a>(answers: impl Iterator<Item = &'a DepSet>) -> DepSet {
    answers.fold(DepSet::default(), |mut union, deps| {
        union.union(deps);
        union
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::{Command, Prefix};

    fn leader() -> NodeId {
        NodeId::new(0)
    }

    /// Dependencies on vertices of two leaders.
    fn deps(code: usize) -> DepSet {
        DepSet::from_prefix(Prefix::new(&[(code % 2) as u64, (code / 2) as u64]))
    }

    fn value(code: usize) -> Value {
        Value { batch: Batch::of(&[Command::expire_sessions(1)]), deps: deps(code) }
    }

    fn set(bits: usize) -> NodeSet {
        (0..usize::BITS as usize).filter(|node| bits >> node & 1 == 1).map(NodeId::new).collect()
    }

    fn subsets(nodes: usize, size: usize) -> impl Iterator<Item = NodeSet> {
        (0..1usize << nodes).filter(move |bits| bits.count_ones() as usize == size).map(set)
    }

    /// A cluster, and how large its quorums are.
    #[derive(Clone, Copy, Debug)]
    struct Sizes {
        nodes: usize,
        f: usize,
        fast: usize,
        /// How many name a dependency that is chosen in ballot 0.
        count: usize,
    }

    const CLUSTERS: [(usize, usize); 4] = [(3, 1), (4, 1), (5, 1), (5, 2)];

    fn sizes((nodes, f): (usize, usize)) -> Sizes {
        Sizes { nodes, f, fast: nodes / 2 + f, count: f }
    }

    /// What each node said, if it did, with the leader's fast quorum. The leader speaks first,
    /// members say at least what it did, and others speak to a recoverer only.
    struct History {
        quorum: NodeSet,
        said: Vec<Option<usize>>,
    }

    fn histories(sizes: Sizes) -> impl Iterator<Item = History> {
        let quorums = subsets(sizes.nodes, sizes.fast).filter(|quorum| quorum.contains(leader()));
        quorums.flat_map(move |quorum| {
            (0..5usize.pow(u32::try_from(sizes.nodes).unwrap())).filter_map(move |code| {
                let said: Vec<Option<usize>> = (0..sizes.nodes)
                    .map(|node| (code / 5usize.pow(u32::try_from(node).unwrap()) % 5).checked_sub(1))
                    .collect();
                let own = said[0]?;
                let follows = (0..sizes.nodes).all(|node| {
                    !quorum.contains(NodeId::new(node)) || said[node].is_none_or(|code| code & own == own)
                });
                follows.then_some(History { quorum, said })
            })
        })
    }

    impl History {
        /// What the leader may have decided, counted dumbly.
        fn chosen(&self, count: usize) -> Option<usize> {
            let members: Vec<usize> =
                self.quorum.iter().map(|node| self.said[node.index()]).collect::<Option<_>>()?;
            let named = |bit: usize| members.iter().filter(|code| *code >> bit & 1 == 1).count();
            let holds = (0..2).all(|bit| named(bit) == 0 || named(bit) >= count);
            holds.then(|| members.iter().fold(0, |all, code| all | code))
        }

        fn answers(&self, from: NodeSet) -> Tally<Heard> {
            let mut answers = Tally::default();
            for node in from.iter() {
                let quorum = self.quorum.contains(node).then_some(self.quorum);
                let said = self.said[node.index()];
                let collected = said.map(|code| Collected { value: value(code), quorum });
                answers.answer(node, Heard { vote: None, collected });
            }
            answers
        }
    }

    type Chooser = fn(NodeId, &Tally<Heard>, &Quorum) -> Recovered;

    /// The omniscient oracle. Whatever a leader may have decided that does not answer is
    /// proposed; and what is proposed has the answers of a dependency quorum in it. Returns
    /// how often something was forced, or the first mistake.
    fn enumerate(sizes: Sizes, chooser: Chooser) -> Result<usize, String> {
        let dependency = Quorum::majority(NodeSet::first(sizes.nodes));
        let mut forced_count = 0;
        for history in histories(sizes) {
            let chosen = history.chosen(sizes.count);
            for heard in subsets(sizes.nodes, sizes.nodes - sizes.f) {
                let recovered = chooser(leader(), &history.answers(heard), &dependency);
                let mistake = || format!("{:?} {:?}, {heard:?}: {recovered:?}", history.quorum, history.said);
                if let (Some(code), false) = (chosen, heard.contains(leader())) {
                    forced_count += 1;
                    if recovered != Recovered::Propose(value(code)) {
                        return Err(mistake());
                    }
                }
                if let Recovered::Propose(Value { deps: proposed, batch }) = &recovered
                    && !batch.is_noop()
                {
                    let covers = |node: &NodeId| {
                        history.said[node.index()]
                            .is_some_and(|code| proposed.as_prefix().covers(deps(code).as_prefix()))
                    };
                    let sources: NodeSet = NodeSet::first(sizes.nodes).iter().filter(covers).collect();
                    if !dependency.is_quorum(sources) {
                        return Err(mistake());
                    }
                }
            }
        }
        Ok(forced_count)
    }

    #[test]
    fn whatever_a_leader_may_have_decided_is_proposed() {
        for cluster in CLUSTERS {
            assert!(enumerate(sizes(cluster), choose).unwrap() > 50);
        }
    }

    /// The enumeration catches plausible mistakes (B15).
    #[test]
    fn wrong_choices_are_caught() {
        let everybody: Chooser =
            |_, answers, dependency| choose(NodeId::new(9), &widened(answers), dependency);
        let members: Chooser = |_, answers, dependency| choose(NodeId::new(9), answers, dependency);
        let noop: Chooser = |_, _, _| Recovered::Propose(Value::noop());
        assert!(enumerate(sizes((3, 1)), everybody).is_err(), "the union over all who answer");
        assert!(enumerate(sizes((5, 2)), members).is_err(), "members alone although the leader answers");
        assert!(enumerate(sizes((3, 1)), noop).is_err());
        assert!(enumerate(Sizes { count: 1, ..sizes((5, 2)) }, choose).is_err(), "named by one fewer");
        assert!(enumerate(Sizes { fast: 3, ..sizes((5, 2)) }, choose).is_err(), "a fast quorum one smaller");
    }

    /// The same answers, of a fast quorum in which everybody is.
    fn widened(answers: &Tally<Heard>) -> Tally<Heard> {
        let mut all = Tally::default();
        for (from, heard) in answers.iter() {
            let mut heard = heard.clone();
            if let Some(said) = &mut heard.collected {
                said.quorum = Some(NodeSet::first(5));
            }
            all.answer(from, heard);
        }
        all
    }

    #[test]
    fn a_vote_above_round_0_decides() {
        let history = History { quorum: set(0b011), said: vec![Some(0), Some(1), None] };
        let mut answers = history.answers(set(0b010));
        let vote = Some((Ballot { round: 1, owner: leader() }, value(3)));
        answers.answer(NodeId::new(2), Heard { vote, collected: None });
        let dependency = Quorum::majority(NodeSet::first(3));
        assert_eq!(choose(leader(), &answers, &dependency), Recovered::Propose(value(3)));
    }

    #[test]
    fn who_has_not_said_is_asked_again_and_nobody_makes_a_noop() {
        let dependency = Quorum::majority(NodeSet::first(3));
        let history = History { quorum: set(0b011), said: vec![Some(0), None, None] };
        let asked = choose(leader(), &history.answers(set(0b011)), &dependency);
        assert_eq!(asked, Recovered::Ask(value(0).batch));
        let nothing = choose(leader(), &history.answers(set(0b110)), &dependency);
        assert_eq!(nothing, Recovered::Propose(Value::noop()));
    }

    /// The leader's view agrees with the definition, and what it proposes in ballot 1 has the
    /// answers of a dependency quorum in it.
    #[test]
    fn a_leader_decides_what_may_be_decided() {
        for sizes in CLUSTERS.map(sizes) {
            let dependency = Quorum::majority(NodeSet::first(sizes.nodes));
            let mut counts = [0; 4];
            for history in histories(sizes) {
                let mut acks = Tally::default();
                for (node, said) in history.said.iter().enumerate() {
                    if let Some(code) = said {
                        acks.answer(NodeId::new(node), deps(*code));
                    }
                }
                for given_up in [NodeSet::EMPTY, NodeSet::first(sizes.nodes).without(leader())] {
                    let whole = (history.quorum, sizes.count);
                    match outlook(&acks, whole, &dependency, given_up) {
                        Outlook::Chosen(union) => {
                            counts[0] += 1;
                            assert_eq!(history.chosen(sizes.count).map(deps), Some(union));
                        }
                        Outlook::Slow(union) => {
                            counts[1] += 1;
                            assert!(history.chosen(sizes.count).is_none());
                            assert!(acks.is_quorum(&dependency));
                            assert!(acks.iter().all(|(_, said)| union.as_prefix().covers(said.as_prefix())));
                        }
                        Outlook::Short => {
                            counts[2] += 1;
                            assert!(!acks.is_quorum(&dependency) && !given_up.is_empty());
                        }
                        Outlook::Open => counts[3] += 1,
                    }
                }
            }
            assert!(counts.iter().all(|count| *count > 0), "{sizes:?}: {counts:?}");
        }
    }
}
