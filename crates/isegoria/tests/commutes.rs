//! `commutes::check` finds wrong relations, and is content with right ones.
#![allow(clippy::disallowed_types)] // A hash map is what one of the tests is about.

use isegoria::commutes::{Counterexample, Lost, Report, check};
use isegoria::{Class, ConflictIndex, Conflicts, Footprint, StateMachine};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const ADD: Class = Class::new(1);

/// Accounts that cannot be overdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Op {
    /// Adds blindly.
    Deposit(u8, u32),
    /// Says whether there was enough.
    Withdraw(u8, u32),
    /// Moves, if there is enough; says whether.
    Move(u8, u8, u32),
    Balance(u8),
    /// The sum of all.
    Total,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Answer {
    Done,
    Enough(bool),
    Amount(u64),
}

/// One of the relations below decides.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Bank<const RELATION: u8>(BTreeMap<u8, u64>);

const RIGHT: u8 = 0;
const WITHDRAWALS_COMMUTE: u8 = 1;
const TARGET_FORGOTTEN: u8 = 2;
const TOTAL_READS_NOTHING: u8 = 3;
const DEPOSITS_READ: u8 = 4;
const DEPOSITS_EXCLUSIVE: u8 = 5;

impl<const RELATION: u8> Bank<RELATION> {
    fn withdraw(&mut self, from: u8, amount: u32) -> bool {
        let balance = self.0.entry(from).or_default();
        let enough = *balance >= u64::from(amount);
        *balance -= if enough { u64::from(amount) } else { 0 };
        enough
    }
}

impl<const RELATION: u8> StateMachine for Bank<RELATION> {
    type Command = Op;
    type Output = Answer;

    fn footprint(op: &Op, footprint: &mut Footprint) {
        match op {
            Op::Deposit(to, _) if RELATION == DEPOSITS_READ => footprint.read(&[*to]),
            Op::Deposit(to, _) if RELATION == DEPOSITS_EXCLUSIVE => footprint.write(&[*to]),
            Op::Deposit(to, _) => footprint.commute(ADD, &[*to]),
            Op::Withdraw(from, _) if RELATION == WITHDRAWALS_COMMUTE => footprint.commute(ADD, &[*from]),
            Op::Withdraw(from, _) => footprint.write(&[*from]),
            Op::Move(from, to, _) => {
                footprint.write(&[*from]);
                if RELATION != TARGET_FORGOTTEN {
                    footprint.write(&[*to]);
                }
            }
            Op::Balance(of) => footprint.read(&[*of]),
            Op::Total if RELATION == TOTAL_READS_NOTHING => {}
            Op::Total => footprint.everything(),
        }
    }

    fn apply(&mut self, op: Op) -> Answer {
        match op {
            Op::Deposit(to, amount) => {
                *self.0.entry(to).or_default() += u64::from(amount);
                Answer::Done
            }
            Op::Withdraw(from, amount) => Answer::Enough(self.withdraw(from, amount)),
            Op::Move(from, to, amount) => {
                let enough = self.withdraw(from, amount);
                *self.0.entry(to).or_default() += if enough { u64::from(amount) } else { 0 };
                Answer::Enough(enough)
            }
            Op::Balance(of) => Answer::Amount(self.0.get(&of).copied().unwrap_or(0)),
            Op::Total => Answer::Amount(self.0.values().sum()),
        }
    }
}

fn operations() -> BoxedStrategy<Op> {
    let (account, amount) = (0..3u8, 0..5u32);
    prop_oneof![
        (account.clone(), amount.clone()).prop_map(|(to, amount)| Op::Deposit(to, amount)),
        (account.clone(), amount.clone()).prop_map(|(from, amount)| Op::Withdraw(from, amount)),
        (account.clone(), account.clone(), amount).prop_map(|(from, to, amount)| Op::Move(from, to, amount)),
        account.prop_map(Op::Balance),
        Just(Op::Total),
    ]
    .boxed()
}

fn found<const RELATION: u8>() -> Counterexample {
    *check(Bank::<RELATION>::default, operations(), 2_000).expect_err("a wrong relation is found")
}

const TOTAL_IS_TOO_STRICT: [(&str, &str); 3] = [("Balance", "Total"), ("Move", "Total"), ("Total", "Total")];

/// The kinds of pairs that need not conflict, in order of names.
fn kinds(report: &Report) -> Vec<(&str, &str)> {
    let mut kinds: Vec<_> =
        report.lost.iter().map(|Lost { kinds: (one, two), .. }| (one.as_str(), two.as_str())).collect();
    kinds.sort_unstable();
    kinds
}

#[test]
fn a_right_relation_passes() {
    let report = check(Bank::<RIGHT>::default, operations(), 2_000).unwrap_or_else(|found| panic!("{found}"));
    assert!(report.independent_count > 500 && report.conflicting_count > 500, "{report}");
    // `Total` says that it touches everything, and is a read, which moving money does not change.
    assert_eq!(kinds(&report), TOTAL_IS_TOO_STRICT, "{report}");
}

#[test]
fn outputs_that_depend_on_the_order_are_found() {
    let Counterexample::DoNotCommute { before, one, two, .. } = found::<WITHDRAWALS_COMMUTE>() else {
        panic!("another counterexample was expected")
    };
    // Shrunk to the least: one coin at most on the way, and nothing that has no part in it.
    assert!(before.len() <= 1, "{before:?}");
    let mut pair = [one, two];
    pair.sort();
    assert!(pair[1].starts_with("Withdraw"), "{pair:?}");
    assert!(pair.iter().all(|op| op.ends_with("1)")), "{pair:?}");
}

#[test]
fn a_key_that_was_forgotten_is_found() {
    let found = found::<TARGET_FORGOTTEN>().to_string();
    assert!(found.contains("Move(") && found.contains("do not commute"), "{found}");
}

#[test]
fn a_read_of_everything_that_names_nothing_is_found() {
    let found = found::<TOTAL_READS_NOTHING>().to_string();
    assert!(found.contains("Total") && found.contains("answers differently"), "{found}");
}

#[test]
fn writes_that_pass_for_reads_are_found() {
    let found = found::<DEPOSITS_READ>().to_string();
    assert!(found.contains("Deposit"), "{found}");
}

#[test]
fn parallelism_given_away_is_reported() {
    let report =
        check(Bank::<DEPOSITS_EXCLUSIVE>::default, operations(), 2_000).expect("it is only too strict");
    let kinds = kinds(&report);
    assert!(
        kinds.contains(&("Deposit", "Deposit")) && kinds.len() == TOTAL_IS_TOO_STRICT.len() + 1,
        "{report}"
    );
    assert!(report.to_string().contains("Deposit and Deposit are declared to conflict, and commuted all"));
}

/// Seats of a row; a booking takes a range.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Seats<const RELATION: u8>(BTreeMap<u8, u32>);

const OVERLAP: u8 = 0;
const LAST_SEAT_LEFT_OUT: u8 = 1;
const ONE_SIDED: u8 = 2;
const GRID: u8 = 3;
const GRID_ONE_CELL: u8 = 4;
const GRID_NEVER_FORGETS: u8 = 5;
const GRID_WITH_TOMBSTONES: u8 = 6;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    who: u32,
    begin: u8,
    end: u8,
}

type Range = (u8, u8);

/// Ids by the cell of four seats that a range touches.
#[derive(Default)]
struct Grid<const RELATION: u8>(BTreeMap<u8, Vec<(u32, Range)>>, BTreeSet<u32>);

impl<const RELATION: u8> Grid<RELATION> {
    fn cells((begin, end): Range) -> std::ops::RangeInclusive<u8> {
        begin / 4..=if RELATION == GRID_ONE_CELL { begin / 4 } else { end.saturating_sub(1) / 4 }
    }
}

impl<const RELATION: u8> ConflictIndex<Range> for Grid<RELATION> {
    fn insert(&mut self, id: u32, scope: &Range) {
        Self::cells(*scope).for_each(|cell| self.0.entry(cell).or_default().push((id, *scope)));
    }

    fn forget(&mut self, id: u32, scope: &Range) {
        if RELATION == GRID_WITH_TOMBSTONES {
            // As if ids never came back.
            self.1.insert(id);
        } else if RELATION != GRID_NEVER_FORGETS {
            Self::cells(*scope).for_each(|cell| self.0.entry(cell).or_default().retain(|held| held.0 != id));
        }
    }

    fn for_each_conflict(&self, scope: &Range, found: &mut dyn FnMut(u32)) {
        for held in Self::cells(*scope).filter_map(|cell| self.0.get(&cell)).flatten() {
            if held.1.0 < scope.1 && scope.0 < held.1.1 && !self.1.contains(&held.0) {
                found(held.0);
            }
        }
    }
}

impl<const RELATION: u8> StateMachine for Seats<RELATION> {
    type Command = Book;
    type Output = bool;

    fn footprint(book: &Book, footprint: &mut Footprint) {
        footprint.scope(&(book.begin, book.end));
    }

    fn conflicts() -> Conflicts {
        match RELATION {
            OVERLAP => Conflicts::pairwise(|a: &Range, b: &Range| a.0 < b.1 && b.0 < a.1),
            LAST_SEAT_LEFT_OUT => Conflicts::pairwise(|a: &Range, b: &Range| a.0 + 1 < b.1 && b.0 + 1 < a.1),
            ONE_SIDED => Conflicts::pairwise(|a: &Range, b: &Range| a.0 <= b.0 && b.0 < a.1),
            _ => Conflicts::index(Grid::<RELATION>::default),
        }
    }

    fn apply(&mut self, Book { who, begin, end }: Book) -> bool {
        let free = self.0.range(begin..end).next().is_none();
        if free {
            self.0.extend((begin..end).map(|seat| (seat, who)));
        }
        free
    }
}

fn bookings() -> BoxedStrategy<Book> {
    (1..9u32, 0..20u8, 1..6u8).prop_map(|(who, begin, count)| Book { who, begin, end: begin + count }).boxed()
}

#[test]
fn right_relations_of_scopes_pass() {
    for report in [
        check(Seats::<OVERLAP>::default, bookings(), 1_000),
        check(Seats::<GRID>::default, bookings(), 1_000),
    ] {
        let report = report.unwrap_or_else(|found| panic!("{found}"));
        assert!(report.independent_count > 200 && report.conflicting_count > 100, "{report}");
    }
}

#[test]
fn wrong_relations_of_scopes_are_found() {
    let found = |result: Result<_, Box<Counterexample>>| *result.map(|_| ()).expect_err("it is wrong");
    let wrong = found(check(Seats::<LAST_SEAT_LEFT_OUT>::default, bookings(), 1_000));
    assert!(matches!(wrong, Counterexample::DoNotCommute { .. }), "{wrong}");
    let wrong = found(check(Seats::<ONE_SIDED>::default, bookings(), 1_000));
    assert!(matches!(wrong, Counterexample::NotSymmetric { .. }), "{wrong}");
    let wrong = found(check(Seats::<GRID_ONE_CELL>::default, bookings(), 1_000));
    assert!(
        matches!(wrong, Counterexample::DoNotCommute { .. } | Counterexample::WrongIndex { .. }),
        "{wrong}"
    );
    for wrong in [
        found(check(Seats::<GRID_NEVER_FORGETS>::default, bookings(), 1_000)),
        found(check(Seats::<GRID_WITH_TOMBSTONES>::default, bookings(), 1_000)),
    ] {
        assert!(matches!(wrong, Counterexample::WrongIndex { .. }), "{wrong}");
    }
}

/// A state whose bytes depend on the process.
#[derive(Default, Serialize, Deserialize)]
struct Hashed(HashMap<u8, u8>);

impl StateMachine for Hashed {
    type Command = u8;
    type Output = ();

    fn footprint(_: &u8, footprint: &mut Footprint) {
        footprint.everything();
    }

    fn apply(&mut self, key: u8) {
        self.0.insert(key, 0);
    }
}

#[test]
fn states_that_are_not_deterministic_are_found() {
    let found = *check(Hashed::default, any::<u8>().boxed(), 500).expect_err("its order is random");
    assert!(matches!(found, Counterexample::NotDeterministic { .. }), "{found}");
}

/// Adds, in one of several wrong ways.
#[derive(Default, Serialize, Deserialize)]
struct Sum<const FAULT: u8>(u64);

const PANICS: u8 = 1;
const BATCHES_DIFFER: u8 = 2;

impl<const FAULT: u8> StateMachine for Sum<FAULT> {
    type Command = u8;
    type Output = u64;

    fn footprint(_: &u8, footprint: &mut Footprint) {
        footprint.everything();
    }

    fn apply(&mut self, by: u8) -> u64 {
        assert!(FAULT != PANICS || by < 200, "too much");
        self.0 += u64::from(by);
        self.0
    }

    fn apply_batch(&mut self, commands: Vec<u8>) -> Vec<u64> {
        let count = commands.len();
        let outputs = commands.into_iter().map(|by| self.apply(by)).collect();
        self.0 += if FAULT == BATCHES_DIFFER { count as u64 } else { 0 };
        outputs
    }
}

#[test]
fn machines_that_panic_are_found() {
    let found = *check(Sum::<PANICS>::default, any::<u8>().boxed(), 500).expect_err("it panics");
    let Counterexample::Panics { commands, what } = &found else { panic!("{found}") };
    assert!(commands.iter().any(|command| command == "200") && what.contains("too much"), "{found}");
}

#[test]
fn batches_that_differ_from_single_commands_are_found() {
    let found = *check(Sum::<BATCHES_DIFFER>::default, any::<u8>().boxed(), 500).expect_err("it differs");
    assert!(matches!(&found, Counterexample::BatchDiffers { commands } if commands.len() == 2), "{found}");
}

/// An output that serde writes and cannot read.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
}

#[derive(Default, Serialize, Deserialize)]
struct Unreadable(u64);

impl StateMachine for Unreadable {
    type Command = u8;
    type Output = Untagged;

    fn footprint(_: &u8, footprint: &mut Footprint) {
        footprint.everything();
    }

    fn apply(&mut self, by: u8) -> Untagged {
        self.0 += u64::from(by);
        Untagged::Number(self.0)
    }
}

#[test]
fn outputs_that_cannot_be_read_are_found() {
    let found = *check(Unreadable::default, any::<u8>().boxed(), 100).expect_err("it cannot be decoded");
    assert!(matches!(&found, Counterexample::DoesNotRoundTrip { is_output: true, .. }), "{found}");
}
