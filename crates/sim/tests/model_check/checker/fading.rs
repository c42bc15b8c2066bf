//! Messages that can have no effect any more are taken out of the network, so that
//! states which differ by nothing else are one.

use super::facts::{Fact, FactId, Facts};
use super::subject::{Fading, NODE_COUNT_MAX, Subject};
use super::tables::{LocalId, Tables};
use isegoria_types::NodeSet;

/// Bits of what one end of a message thinks of it; 0: it was not asked yet.
const KNOWN: u8 = 1;
/// The receiver ignores it for ever, restarts or not.
const IGNORED: u8 = 2;
/// The receiver ignores it until it restarts.
const IGNORED_FOR_GOOD: u8 = 4;
/// This end knows the outcome that it is about.
const SETTLED: u8 = 8;

impl<S: Subject> Tables<S> {
    /// Takes out the messages that have no effect any more. `lasting`: who will not restart.
    pub(crate) fn forget(
        &mut self,
        subject: &S,
        facts: &mut Facts,
        locals: [LocalId; NODE_COUNT_MAX],
        lasting: NodeSet,
    ) {
        facts.retain(|fact| {
            let Some((from, to)) = self.book.ends(fact) else { return true };
            let here = self.opinion(subject, locals[to.index()], fact);
            let is_faded = if here & IGNORED != 0 {
                true
            } else if !lasting.contains(to) {
                false
            } else if here & IGNORED_FOR_GOOD != 0 {
                true
            } else {
                here & SETTLED != 0
                    && lasting.contains(from)
                    && self.opinion(subject, locals[from.index()], fact) & SETTLED != 0
            };
            !is_faded
        });
    }

    /// What the node in this state thinks of a message of which it is one end.
    fn opinion(&mut self, subject: &S, local: LocalId, fact: FactId) -> u8 {
        let place = &mut self.locals[local as usize];
        if place.faded.len() <= usize::from(fact) {
            place.faded.resize(usize::from(fact) + 1, 0);
        }
        let known = place.faded[usize::from(fact)];
        if known != 0 {
            return known;
        }
        let own = place.own;
        let (is_here, is_settled, fading) = match self.book.get(fact) {
            Fact::Message { to, message, .. } => {
                (*to == own, subject.is_settled(self.summary(local), message), subject.fading(message))
            }
            // Whoever knows it ignores it.
            Fact::Commit { .. } => (true, false, Fading::IgnoredForGood),
            Fact::Ghost(_) => unreachable!("only messages and commits fade"),
        };
        let opinion = match fading {
            Fading::Ignored if is_here && self.deliver(subject, local, fact).is_none() => IGNORED,
            Fading::IgnoredForGood if is_here && self.deliver(subject, local, fact).is_none() => {
                IGNORED_FOR_GOOD
            }
            Fading::Settled if is_settled => {
                let step = if is_here { self.deliver(subject, local, fact) } else { None };
                let same = step.is_none_or(|step| self.transition(step).to == local);
                assert!(same, "{} changes its receiver, who knows the outcome", self.book.describe(fact));
                SETTLED
            }
            _ => 0,
        };
        self.locals[local as usize].faded[usize::from(fact)] = KNOWN | opinion;
        KNOWN | opinion
    }
}
