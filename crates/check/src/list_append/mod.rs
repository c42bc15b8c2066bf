//! Strict serializability of histories of transactions on lists, where each transaction
//! appends elements to lists and reads whole lists. All lists are empty at the beginning.
//!
//! Elements are unique, so a list tells the order in which it was appended to, and a read
//! tells which appends it saw (Kingsbury and Alvaro, *Elle*, VLDB 2020). From the longest
//! read of each list come three kinds of dependencies: who appended behind whom
//! (write-write), who read whose append (write-read), and who read a list before whose
//! append (read-write). With the order of time, who returned before who was invoked, they
//! form a graph. There is an order that explains all answers if and only if every read of
//! a list is a beginning of the longest one and the graph has no cycle. A cycle is
//! reported with the strongest class that it has (Adya, 1999): G0, G1c, G-single, G2, and
//! the same with `-realtime` where time takes part. Write skew is a G2.
//!
//! A transaction of unknown outcome has taken effect if somebody saw it, and not if not.
//! One that failed and was seen is an aborted read.
//!
//! Invariant: time and memory are in proportion to the history. Nothing here searches:
//! the verdict is never "undecided", unless the history breaks the rule that elements are
//! unique.

mod cycle;
mod explain;
mod graph;
mod transactions;
mod versions;

use crate::history::{Evaluated, Finding, History, Verdict};
use explain::Words;
use transactions::{Transactions, Unusable};
use versions::Versions;

/// Judges a history of transactions on lists.
#[must_use]
pub fn check_list_append(history: &History) -> Verdict {
    let answered = history.operations.iter().filter(|operation| operation.outcome.returned_us().is_some());
    let mut evaluated = Evaluated { operations: answered.count() as u64, ..Evaluated::default() };
    let finding = match Transactions::collect(history) {
        Ok(transactions) => judge(history, &transactions, &mut evaluated),
        Err(unusable) => Finding::Undecided(sentence(history, &unusable)),
    };
    Verdict { evaluated, finding }
}

fn judge(history: &History, transactions: &Transactions<'_>, evaluated: &mut Evaluated) -> Finding {
    evaluated.keys = transactions.keys.len() as u64;
    let words = Words { history, transactions };
    let versions = match Versions::build(transactions) {
        Ok(versions) => versions,
        Err(flaw) => return Finding::Violation(Box::new(words.flaw(&flaw))),
    };
    let graph = graph::dependencies(transactions, &versions);
    evaluated.dependencies = graph.edge_count() as u64;
    if let Some(cycle) = cycle::find(&graph, transactions.list.len()) {
        return Finding::Violation(Box::new(words.cycle(&cycle, &versions)));
    }
    match evaluated.operations == 0 || evaluated.keys == 0 {
        true => Finding::Empty,
        false => Finding::Valid,
    }
}

fn sentence(history: &History, unusable: &Unusable) -> String {
    let operation = |index: &usize| &history.operations[*index];
    match unusable {
        Unusable::Twice(index) => format!(
            "an element is appended to one list twice, the second time by {}; record a workload whose elements \
             are unique, or nobody can tell which append a read saw",
            operation(index)
        ),
        Unusable::Misfit(index) => {
            format!("the answer to {} does not fit its call; record one result a part", operation(index))
        }
    }
}
