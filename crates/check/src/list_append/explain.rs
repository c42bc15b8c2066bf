//! Flaws and cycles in words.

use crate::history::{Anomaly, History, Operation, to_text};
use crate::list_append::cycle::Cycle;
use crate::list_append::graph::{Edge, Kind};
use crate::list_append::transactions::Transactions;
use crate::list_append::versions::{Flaw, Versions};

pub(crate) struct Words<'t, 'a> {
    pub(crate) history: &'a History,
    pub(crate) transactions: &'t Transactions<'a>,
}

impl Words<'_, '_> {
    fn operation(&self, transaction: u32) -> &Operation {
        &self.history.operations[self.transactions.get(transaction).operation]
    }

    fn who(&self, transaction: u32) -> String {
        self.operation(transaction).who()
    }

    fn text(&self, element: u32) -> String {
        format!("`{}`", to_text(self.transactions.element_of(element).text))
    }

    fn key(&self, key: u32) -> String {
        to_text(self.transactions.keys[key as usize])
    }

    fn anomaly(&self, name: &'static str, key: u32, what: String, involved: &[u32]) -> Anomaly {
        let mut involved: Vec<u32> = involved.to_vec();
        let culprit = involved[0];
        involved.sort_unstable_by_key(|transaction| (self.operation(*transaction).invoked_us, *transaction));
        involved.dedup();
        Anomaly {
            name,
            key: self.key(key),
            what,
            culprit: self.operation(culprit).clone(),
            involved: involved.into_iter().map(|transaction| self.operation(transaction).clone()).collect(),
        }
    }

    pub(crate) fn flaw(&self, flaw: &Flaw) -> Anomaly {
        let of = |element: u32| self.transactions.element_of(element);
        match flaw {
            Flaw::Phantom { reader, key, text } => {
                let what = format!("{} read `{}`, which nobody appended.", self.who(*reader), to_text(text));
                self.anomaly("phantom read", *key, what, &[*reader])
            }
            Flaw::Aborted { reader, element } => {
                let (reader, writer) = (*reader, of(*element).writer);
                let (who, text) = (self.who(reader), self.text(*element));
                let what = format!("{who} read {text}, but {}, which appended it, failed.", self.who(writer));
                self.anomaly("aborted read (G1a)", of(*element).key, what, &[reader, writer])
            }
            Flaw::Doubled { reader, element } => {
                let (reader, writer) = (*reader, of(*element).writer);
                let what = format!(
                    "{} read {} twice in one list, but {} appended it once.",
                    self.who(reader),
                    self.text(*element),
                    self.who(writer)
                );
                self.anomaly("double apply", of(*element).key, what, &[reader, writer])
            }
            Flaw::Incompatible { reader, other, key } => {
                let what = format!(
                    "{} and {} read two lists of which neither is the beginning of the other: \
                     there is no one order in which it grew.",
                    self.who(*reader),
                    self.who(*other)
                );
                self.anomaly("incompatible order", *key, what, &[*reader, *other])
            }
            Flaw::Internal { transaction, key } => {
                let what = format!(
                    "{} does not see its own appends where it made them, or reads differently twice.",
                    self.who(*transaction)
                );
                self.anomaly("internal", *key, what, &[*transaction])
            }
            Flaw::Reordered { writer, first, second } => {
                let what = format!(
                    "{} appended {} before {}, but the list has the second one without the first one before it.",
                    self.who(*writer),
                    self.text(*first),
                    self.text(*second)
                );
                self.anomaly("torn transaction", of(*first).key, what, &[*writer])
            }
        }
    }

    pub(crate) fn cycle(&self, cycle: &Cycle, versions: &Versions) -> Anomaly {
        let next = |place: usize| cycle.links[(place + 1) % cycle.links.len()].0;
        let links = cycle.links.iter().enumerate();
        let sentences: Vec<String> =
            links.map(|(place, (from, edge))| self.link(*from, edge, next(place))).collect();
        let what = format!("{}; so each of them comes before itself.", sentences.join("; "));
        let first_edge = cycle.links.iter().find(|(_, edge)| edge.kind != Kind::RealTime);
        let key = first_edge.map_or(0, |(_, edge)| edge.key);
        let mut involved: Vec<u32> = cycle.links.iter().map(|(transaction, _)| *transaction).collect();
        // Whoever read is to blame, or else whoever came last.
        let latest = |transaction: &u32| self.operation(*transaction).invoked_us;
        involved.sort_unstable_by_key(|transaction| std::cmp::Reverse(latest(transaction)));
        self.anomaly(name(cycle, versions), key, what, &involved)
    }

    fn link(&self, from: u32, edge: &Edge, to: u32) -> String {
        let (from, to) = (self.who(from), self.who(to));
        let of_list = || format!("{} to `{}`", self.text(edge.element), self.key(edge.key));
        match edge.kind {
            Kind::WriteWrite => format!("{to} appended {} behind what {from} had appended", of_list()),
            Kind::WriteRead => {
                format!(
                    "{to} read {} in `{}`, which {from} appended",
                    self.text(edge.element),
                    self.key(edge.key)
                )
            }
            Kind::ReadWrite => format!("{from} read the list before {to} appended {}", of_list()),
            Kind::RealTime | Kind::Way => format!("{from} returned before {to} was invoked"),
        }
    }
}

/// The name of a cycle: of two operations of which one came later in time there are
/// common words for it.
fn name(cycle: &Cycle, versions: &Versions) -> &'static str {
    let [(_, one), (_, other)] = cycle.links.as_slice() else { return cycle.class.name };
    let dependency = if one.kind == Kind::RealTime { other } else { one };
    match (cycle.class.name, dependency.kind) {
        ("G-single-realtime", Kind::ReadWrite) if versions.is_seen(dependency.element) => {
            "stale read (G-single-realtime)"
        }
        ("G-single-realtime", Kind::ReadWrite) => "lost append (G-single-realtime)",
        ("G1c-realtime", Kind::WriteRead) => "read of the future (G1c-realtime)",
        (class, _) => class,
    }
}
