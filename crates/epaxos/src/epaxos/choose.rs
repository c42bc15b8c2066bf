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
    /// In a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rule::R2 => "R2, a vote is found",
            Rule::R3 => "R3, the leader has promised",
            Rule::R4 => "R4, too few unchanged",
            Rule::V1 => "V1, nothing speaks against it",
            Rule::V2 => "V2, a conflict is committed without it",
            Rule::V3 => "V3, a conflict of a leader that does not answer",
            Rule::W1 => "W1, a conflict was committed without it",
            Rule::W2 => "W2, all conflicts were committed with it",
            Rule::W3 => "W3, a conflict may have been decided at once",
            Rule::W4 => "W4, a late answer",
        }
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
