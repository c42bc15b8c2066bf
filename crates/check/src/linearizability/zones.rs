//! Contradictions that can be seen without a search.
//!
//! A value that only one step can have made is there once, for one stretch of time: all
//! who saw it did so within that stretch. From the first return of those steps to the
//! last invocation (if that is later) it was *certainly* there: a zone. Zones of two
//! values never overlap, and nothing that does not go with a value lies wholly within
//! its zone. (Gibbons and Korach, *Testing shared memories*, SIAM J. Comput. 26, 1997,
//! for reads and writes; here steps that replace a value have seen it too.)
//!
//! Each rule is a proof that there is no order. That none applies proves nothing.

use crate::linearizability::conflict::{Conflict, Zone};
use crate::linearizability::origin::{Origin, Origins};
use crate::linearizability::problem::Problem;
use crate::linearizability::step::{Action, Moment, Need};
use crate::linearizability::value::{ABSENT, ValueId};

/// The first contradiction, in the order of the values.
pub(crate) fn conflict(problem: &mut Problem, origins: &Origins) -> Option<Conflict> {
    let never = |step: &u32| problem.step(*step).action == Action::Guard(Need::Never);
    if let Some(step) = problem.indices().find(never) {
        return Some(Conflict::Impossible { step });
    }
    let values = origins.values();
    let origin = |value: &ValueId| (*value, origins.of(*value).expect("it is one of them"));
    let closed = || values.iter().map(origin).filter(|(_, origin)| !origin.is_open);
    closed().find_map(|(value, origin)| origin_conflict(problem, value, origin)).or_else(|| {
        stretches_conflict(
            problem,
            closed().filter_map(|(value, origin)| Stretch::new(problem, value, origin)).collect(),
        )
    })
}

fn origin_conflict(problem: &Problem, value: ValueId, origin: &Origin) -> Option<Conflict> {
    let initial = usize::from(value == ABSENT);
    let first = origin.needers.iter().copied().min_by_key(|step| problem.step(*step).returned)?;
    let Some(maker) = origin.makers.first() else {
        return (initial == 0).then_some(Conflict::NobodyMade { value, needer: first });
    };
    if initial == 0 && problem.step(first).returned < problem.step(*maker).invoked {
        return Some(Conflict::FromTheFuture { value, needer: first, maker: *maker });
    }
    let replaces = |step: &u32| !problem.step(*step).action.is_guard();
    let replacers: Vec<u32> = origin.needers.iter().copied().filter(replaces).collect();
    (replacers.len() > origin.makers.len() + initial).then(|| Conflict::ReplacedTooOften {
        value,
        makers: origin.makers.clone(),
        replacers,
    })
}

/// The one stretch of time in which a value is there, if there is only one.
struct Stretch {
    value: ValueId,
    /// Who shows it: its maker and those who need it.
    shown_by: Vec<u32>,
    /// The first return and the last invocation of these.
    from: Moment,
    until: Moment,
    zone: Zone,
    replacer: Option<u32>,
}

impl Stretch {
    fn new(problem: &Problem, value: ValueId, origin: &Origin) -> Option<Stretch> {
        let is_initial = value == ABSENT && origin.makers.is_empty();
        if !is_initial && (origin.makers.len() != 1 || value == ABSENT) {
            return None;
        }
        let shown_by: Vec<u32> = origin.makers.iter().chain(&origin.needers).copied().collect();
        let first = shown_by.iter().copied().min_by_key(|step| problem.step(*step).returned)?;
        let last = shown_by.iter().copied().max_by_key(|step| problem.step(*step).invoked)?;
        let from = if is_initial { 0 } else { problem.step(first).returned };
        let zone = Zone { value, from: (!is_initial).then_some(first), until: last };
        let replacer = origin.needers.iter().copied().find(|step| !problem.step(*step).action.is_guard());
        Some(Stretch { value, shown_by, from, until: problem.step(last).invoked, zone, replacer })
    }

    fn is_zone(&self) -> bool {
        self.from < self.until
    }
}

fn stretches_conflict(problem: &mut Problem, mut stretches: Vec<Stretch>) -> Option<Conflict> {
    for stretch in &stretches {
        if let Some(replacer) = stretch.replacer
            && problem.step(replacer).returned < stretch.until
        {
            let (value, needer) = (stretch.value, stretch.zone.until);
            return Some(Conflict::ReplacedBefore { value, replacer, needer });
        }
    }
    stretches.sort_by_key(|stretch| (stretch.from, stretch.until));
    let (zones, visits): (Vec<Stretch>, Vec<Stretch>) = stretches.into_iter().partition(Stretch::is_zone);
    for pair in zones.windows(2) {
        if pair[1].from < pair[0].until {
            return Some(Conflict::TwoAtOnce { one: pair[0].zone, other: pair[1].zone });
        }
    }
    // They do not overlap: at most one of them contains a given stretch of time.
    let around = |from: Moment, until: Moment| {
        let after = zones.partition_point(|zone| zone.from <= from);
        zones[..after].last().filter(|zone| until < zone.until)
    };
    for step in problem.indices() {
        let (invoked, returned) = (problem.step(step).invoked, problem.step(step).returned);
        let Some(zone) = around(invoked, returned) else { continue };
        let action = problem.steps[step as usize].action.clone();
        if action.apply(zone.value, &mut problem.values) != Some(zone.value) {
            return Some(Conflict::Between { zone: zone.zone, step });
        }
    }
    visits.into_iter().find_map(|visit| {
        let zone = around(visit.until, visit.from)?.zone;
        Some(Conflict::VisitBetween { zone, other: visit.value, steps: visit.shown_by })
    })
}
