//! Linearizability of histories of the key-value store: is there one order of the
//! operations, each somewhere between its invocation and its return, that explains every
//! answer? (Herlihy and Wing, 1990.) All keys are absent at the beginning.
//!
//! A history is linearizable if and only if it is so key by key, as long as operations
//! are on one key each; so each key is judged by itself. An operation on several keys
//! (`mget`, `mput`) is judged as a read or a write of each. That is necessary, not
//! sufficient: that it happened at *one* moment is what [`crate::list_append`] judges.
//!
//! A key is judged in three steps:
//!
//! 1. **Origins.** Who can have made each value that somebody saw? Where it can only have
//!    been one step, that step certainly happened, and what it found is known too.
//! 2. **Zones.** Contradictions between these certainties are found in one pass, with the
//!    few operations that prove them.
//! 3. **Search** for an order, just in time. It is exact, whatever the operations are,
//!    and needs a handful of configurations an operation where values are unique. What
//!    it cannot do is many appends at once to one key that is overwritten, too: which of
//!    them came together is a puzzle of lengths, and 64 clients make it too large.
//!
//! An operation of unknown outcome may take effect at any time after its invocation, or
//! never.
//!
//! Invariant: "valid" means that an order was found, "violation" that there is none. If
//! the search reaches its limit, the verdict is "undecided", never either of the two.

mod blur;
mod config;
mod conflict;
mod explain;
mod goals;
mod lengths;
mod moves;
mod origin;
mod problem;
mod search;
mod split;
mod step;
mod value;
mod zones;

use crate::history::{Evaluated, Finding, History, Verdict, to_text};
use conflict::Conflict;
use origin::Origins;
use problem::Problem;
use search::{Outcome, Search};
use split::Part;

/// How far to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Configurations of one key that are looked at before the search gives up.
    pub configurations: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { configurations: 1_000_000 }
    }
}

/// Judges a history of the key-value store.
#[must_use]
pub fn check_kv(history: &History) -> Verdict {
    check_kv_within(history, Limits::default())
}

/// Judges a history of the key-value store, within limits.
///
/// The first violation is reported, in the order of the keys; or else the first key that
/// could not be decided.
#[must_use]
pub fn check_kv_within(history: &History, limits: Limits) -> Verdict {
    let mut evaluated = Evaluated::default();
    let mut finding = Finding::Empty;
    evaluated.operations =
        history.operations.iter().filter(|operation| operation.outcome.returned_us().is_some()).count()
            as u64;
    for (key, parts) in split::by_key(history) {
        evaluated.keys += 1;
        let key = to_text(key);
        let found = judge(history, &key, &parts, limits, &mut evaluated);
        let is_violation = matches!(found, Finding::Violation(_));
        if is_violation || matches!(finding, Finding::Empty | Finding::Valid) {
            finding = found;
        }
        if is_violation {
            break;
        }
    }
    if evaluated.operations == 0 {
        finding = Finding::Empty;
    }
    Verdict { evaluated, finding }
}

fn judge(
    history: &History,
    key: &str,
    parts: &[Part<'_>],
    limits: Limits,
    evaluated: &mut Evaluated,
) -> Finding {
    let mut problem = Problem::new(parts);
    let origins = Origins::infer(&mut problem);
    let violation = |problem: &Problem, conflict: &Conflict| {
        Finding::Violation(Box::new(explain::anomaly(history, key, problem, conflict)))
    };
    if let Some(conflict) = zones::conflict(&mut problem, &origins) {
        return violation(&problem, &conflict);
    }
    blur::blur(&mut problem);
    let mut search = Search::new(&mut problem, &origins);
    let outcome = search.run(limits.configurations);
    evaluated.configurations += search.configuration_count();
    match outcome {
        Outcome::Found => Finding::Valid,
        Outcome::None { step, states } => violation(&problem, &Conflict::NoOrder { step, states }),
        Outcome::GaveUp { step } => {
            let operation = &history.operations[problem.step(step).operation];
            Finding::Undecided(format!(
                "{} configurations of key `{key}` were looked at without an order that gets beyond {operation}, \
                 and without a proof that there is none; record with fewer clients a key, or with unique values",
                limits.configurations
            ))
        }
    }
}
