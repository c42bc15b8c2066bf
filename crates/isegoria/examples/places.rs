//! Things on a map, by an index of one's own: commands conflict where their rectangles overlap,
//! and a grid finds those without comparing with all.
//!
//!     cargo run --release -p isegoria --example places
//!
//! Three nodes in one process; each puts things into its own corner, and all count the whole.

use isegoria::{Config, ConflictIndex, Conflicts, Footprint, Replica, StateMachine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

type Point = (u16, u16);

/// From the first corner up to and with the second; nothing, if they are swapped.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Rectangle(Point, Point);

impl Rectangle {
    fn is_empty(&self) -> bool {
        self.0.0 > self.1.0 || self.0.1 > self.1.1
    }

    fn overlaps(&self, other: &Rectangle) -> bool {
        let meets = |from: u16, to: u16, start: u16, end: u16| from <= end && start <= to;
        let meet = meets(self.0.0, self.1.0, other.0.0, other.1.0);
        meet && meets(self.0.1, self.1.1, other.0.1, other.1.1) && !self.is_empty() && !other.is_empty()
    }
}

/// What lies where.
#[derive(Default, Serialize, Deserialize)]
struct Map(BTreeMap<Point, String>);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Op {
    /// Puts a thing down; says what lay there.
    Put(Point, String),
    /// Takes away everything within; says how much.
    Clear(Rectangle),
    /// How much is within.
    Count(Rectangle),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Answer {
    Was(Option<String>),
    Count(usize),
}

/// What a command touches, and whether it changes that.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Scope(Rectangle, bool);

impl Scope {
    fn conflicts(&self, other: &Scope) -> bool {
        (self.1 || other.1) && self.0.overlaps(&other.0)
    }
}

/// Side of a cell of the grid.
const CELL: u16 = 256;

/// A scope is in every cell that it touches; one that touches many is in a list of its own.
#[derive(Default)]
struct Grid {
    cells: BTreeMap<Point, Vec<(u32, Scope)>>,
    large: Vec<(u32, Scope)>,
}

/// The cells of a rectangle; none if they are many.
fn cells(Rectangle(from, to): &Rectangle) -> Option<impl Iterator<Item = Point> + use<>> {
    let (columns, rows) = (from.0 / CELL..=to.0 / CELL, from.1 / CELL..=to.1 / CELL);
    let few = columns.clone().count() * rows.clone().count() <= 16;
    few.then(|| columns.flat_map(move |column| rows.clone().map(move |row| (column, row))))
}

impl ConflictIndex<Scope> for Grid {
    fn insert(&mut self, id: u32, scope: &Scope) {
        match cells(&scope.0) {
            Some(cells) => cells.for_each(|cell| self.cells.entry(cell).or_default().push((id, *scope))),
            None => self.large.push((id, *scope)),
        }
    }

    fn forget(&mut self, id: u32, scope: &Scope) {
        let Some(cells) = cells(&scope.0) else { return self.large.retain(|held| held.0 != id) };
        for cell in cells {
            if let Some(held) = self.cells.get_mut(&cell) {
                held.retain(|held| held.0 != id);
                if held.is_empty() {
                    self.cells.remove(&cell);
                }
            }
        }
    }

    fn for_each_conflict(&self, scope: &Scope, found: &mut dyn FnMut(u32)) {
        let mut look = |held: &Vec<(u32, Scope)>| {
            held.iter().filter(|(_, other)| scope.conflicts(other)).for_each(|(id, _)| found(*id));
        };
        look(&self.large);
        match cells(&scope.0) {
            Some(cells) => cells.filter_map(|cell| self.cells.get(&cell)).for_each(look),
            None => self.cells.values().for_each(look),
        }
    }
}

impl StateMachine for Map {
    type Command = Op;
    type Output = Answer;

    fn footprint(op: &Op, footprint: &mut Footprint) {
        footprint.scope(&match op {
            Op::Put(at, _) => Scope(Rectangle(*at, *at), true),
            Op::Clear(within) => Scope(*within, true),
            Op::Count(within) => Scope(*within, false),
        });
    }

    fn conflicts() -> Conflicts {
        Conflicts::index(Grid::default)
    }

    fn apply(&mut self, op: Op) -> Answer {
        let is_within = |at: &Point, within: &Rectangle| Rectangle(*at, *at).overlaps(within);
        match op {
            Op::Put(at, thing) => Answer::Was(self.0.insert(at, thing)),
            Op::Clear(within) => {
                let before = self.0.len();
                self.0.retain(|at, _| !is_within(at, &within));
                Answer::Count(before - self.0.len())
            }
            Op::Count(within) => Answer::Count(self.0.keys().filter(|at| is_within(at, &within)).count()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut nodes = Vec::new();
    for own in ["n1", "n2", "n3"] {
        let config = Config::local(own, 3, directory.path())?;
        nodes.push(Replica::open(config, Map::default()).await?);
    }
    let puts: Vec<_> = (0..300u16)
        .map(|number| {
            let (node, corner) = (nodes[usize::from(number % 3)].clone(), 10_000 * (number % 3));
            let op = Op::Put((corner + number, corner), format!("thing {number}"));
            tokio::spawn(async move { node.submit(op).await })
        })
        .collect();
    for put in puts {
        put.await??;
    }
    let everywhere = Rectangle((0, 0), (u16::MAX, u16::MAX));
    println!("everywhere: {:?}", nodes[1].read(Op::Count(everywhere)).await?);
    let corner = Rectangle((10_000, 0), (u16::MAX, 15_000));
    println!("cleared: {:?}", nodes[2].submit(Op::Clear(corner)).await?);
    println!("everywhere: {:?}", nodes[0].read(Op::Count(everywhere)).await?);
    for node in nodes {
        node.shutdown().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_relation_and_the_grid_tell_the_truth() {
        let side = || prop_oneof![0..4u16, 250..260u16, Just(u16::MAX)];
        let rectangle = || ((side(), side()), (side(), side())).prop_map(|(from, to)| Rectangle(from, to));
        let operations = prop_oneof![
            ((side(), side()), "[ab]").prop_map(|(at, thing)| Op::Put(at, thing)),
            rectangle().prop_map(Op::Clear),
            rectangle().prop_map(Op::Count),
        ];
        let report = isegoria::commutes::check(Map::default, operations.boxed(), 3_000);
        let report = report.unwrap_or_else(|found| panic!("{found}"));
        assert!(report.independent_count > 500 && report.lost.is_empty(), "{report}");
    }
}
