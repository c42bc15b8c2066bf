use super::subject::{Msg, Subject};
use hashbrown::HashMap;
use isegoria_types::{Batch, NodeId, Order};
use smallvec::SmallVec;

/// The number of a fact in the [`FactBook`].
pub(crate) type FactId = u16;

/// Something that stays true for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fact<M, G> {
    /// It was sent, and may be delivered from now on.
    Message { from: NodeId, to: NodeId, message: M },
    /// Another node committed it, and its replica may tell `to` from now on.
    Commit { to: NodeId, order: Order, batch: Batch },
    /// It happened, and nobody need know: a vote became durable, a value is chosen.
    Ghost(G),
}

/// What is true, sorted. It only grows, so that loss and duplication come for free: a
/// message may be delivered at any later time, any number of times, or never. Only what
/// provably has no effect any more is taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Facts(SmallVec<[FactId; 32]>);

impl Facts {
    /// Adds a fact; says whether it is new.
    pub(crate) fn insert(&mut self, fact: FactId) -> bool {
        match self.0.binary_search(&fact) {
            Ok(_) => false,
            Err(position) => {
                self.0.insert(position, fact);
                true
            }
        }
    }

    pub(crate) fn contains(&self, fact: FactId) -> bool {
        self.0.binary_search(&fact).is_ok()
    }

    /// The members in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = FactId> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(FactId) -> bool) {
        self.0.retain(|fact| keep(*fact));
    }
}

impl FromIterator<FactId> for Facts {
    /// From facts in order.
    fn from_iter<I: IntoIterator<Item = FactId>>(sorted: I) -> Facts {
        Facts(sorted.into_iter().collect())
    }
}

/// Every fact that was ever met, by number.
pub(crate) struct FactBook<S: Subject> {
    pages: Vec<Page<S>>,
    /// The sender and the receiver of each message; of a commit the receiver alone counts.
    ends: Vec<Option<(NodeId, NodeId)>>,
    ids: HashMap<Fact<Msg<S>, S::Ghost>, FactId>,
}

struct Page<S: Subject> {
    fact: Fact<Msg<S>, S::Ghost>,
    is_evidence: bool,
    is_claim: bool,
    /// Earlier facts with which this one cannot become true.
    forbidden_by: Vec<FactId>,
    /// What may become true by itself once this is.
    opens: Option<FactId>,
}

impl<S: Subject> Default for FactBook<S> {
    fn default() -> FactBook<S> {
        FactBook { pages: Vec::new(), ends: Vec::new(), ids: HashMap::new() }
    }
}

impl<S: Subject> FactBook<S> {
    pub(crate) fn get(&self, fact: FactId) -> &Fact<Msg<S>, S::Ghost> {
        &self.pages[usize::from(fact)].fact
    }

    /// The sender and the receiver, if it is a message.
    pub(crate) fn ends(&self, fact: FactId) -> Option<(NodeId, NodeId)> {
        self.ends[usize::from(fact)]
    }

    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }

    /// The number of a fact.
    pub(crate) fn id(&mut self, subject: &S, fact: Fact<Msg<S>, S::Ghost>) -> FactId {
        if let Some(known) = self.ids.get(&fact) {
            return *known;
        }
        let id = FactId::try_from(self.pages.len()).expect("fewer than 65536 facts");
        let mut page = Page {
            is_evidence: matches!(fact, Fact::Ghost(_)),
            is_claim: false,
            forbidden_by: Vec::new(),
            opens: None,
            fact: fact.clone(),
        };
        let mut possible = None;
        match &fact {
            Fact::Message { message, .. } => {
                page.is_evidence = subject.is_evidence(message);
                page.is_claim = subject.is_claim(message);
                possible = subject.possible_after(message);
            }
            Fact::Commit { .. } => {}
            Fact::Ghost(new) => {
                for (other, known) in (0..).zip(&mut self.pages) {
                    let Fact::Ghost(old) = &known.fact else { continue };
                    if subject.excludes(old, new) {
                        page.forbidden_by.push(other);
                    }
                    if subject.excludes(new, old) {
                        known.forbidden_by.push(id);
                    }
                }
            }
        }
        self.pages.push(page);
        self.ends.push(match &fact {
            Fact::Message { from, to, .. } => Some((*from, *to)),
            Fact::Commit { to, .. } => Some((*to, *to)),
            Fact::Ghost(_) => None,
        });
        self.ids.insert(fact, id);
        self.pages[usize::from(id)].opens = possible.map(|ghost| self.id(subject, Fact::Ghost(ghost)));
        id
    }

    /// The messages for a node.
    pub(crate) fn mail<'a>(&'a self, facts: &'a Facts, node: NodeId) -> impl Iterator<Item = FactId> + 'a {
        facts.iter().filter(move |fact| self.ends(*fact).is_some_and(|(_, to)| to == node))
    }

    /// What a verdict is made of.
    pub(crate) fn evidence(&self, facts: &Facts) -> Facts {
        facts.iter().filter(|fact| self.pages[usize::from(*fact)].is_evidence).collect()
    }

    /// Whether a fact may become true, and is not.
    pub(crate) fn is_news(&self, facts: &Facts, fact: FactId) -> bool {
        let forbidden_by = &self.pages[usize::from(fact)].forbidden_by;
        !facts.contains(fact) && !forbidden_by.iter().any(|earlier| facts.contains(*earlier))
    }

    /// What may become true by itself.
    pub(crate) fn happenings(&self, facts: &Facts) -> Vec<FactId> {
        let opened = facts.iter().filter_map(|fact| self.pages[usize::from(fact)].opens);
        let mut news: Vec<FactId> = opened.filter(|fact| self.is_news(facts, *fact)).collect();
        news.sort_unstable();
        news.dedup();
        news
    }

    /// Whether one of `new` is a claim that was made before.
    pub(crate) fn claims_again(&self, facts: &Facts, new: &[FactId]) -> bool {
        new.iter().any(|fact| self.pages[usize::from(*fact)].is_claim && facts.contains(*fact))
    }

    pub(crate) fn describe(&self, fact: FactId) -> String {
        match self.get(fact) {
            Fact::Message { from, to, message } => format!("{from} → {to}: {message:?}"),
            Fact::Commit { to, order, batch } => {
                format!("{to} learns of another replica: {order:?} {batch:?}")
            }
            Fact::Ghost(ghost) => format!("{ghost:?}"),
        }
    }
}
