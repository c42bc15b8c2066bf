//! A seat map, by a pairwise relation: two bookings conflict where their ranges of seats
//! overlap, and others are ordered by nobody.
//!
//!     cargo run --release -p isegoria --example seats
//!
//! Three nodes in one process, at which people book seats of one row at the same time.

use isegoria::{Config, Conflicts, Footprint, Replica, StateMachine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who sits on which seat.
#[derive(Default, Serialize, Deserialize)]
struct Row(BTreeMap<u16, String>);

/// Seats from the first up to and without the second.
type Range = (u16, u16);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Op {
    /// All of the seats, if all are free; says whether.
    Book(Range, String),
    /// Who sits there.
    Look(Range),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Answer {
    Booked(bool),
    Taken(Vec<(u16, String)>),
}

/// What a command touches: seats, and whether it changes them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Scope {
    seats: Range,
    books: bool,
}

fn conflict(one: &Scope, other: &Scope) -> bool {
    let overlap = one.seats.0 < other.seats.1 && other.seats.0 < one.seats.1;
    overlap && (one.books || other.books)
}

impl StateMachine for Row {
    type Command = Op;
    type Output = Answer;

    fn footprint(op: &Op, footprint: &mut Footprint) {
        footprint.scope(&match op {
            Op::Book(seats, _) => Scope { seats: *seats, books: true },
            Op::Look(seats) => Scope { seats: *seats, books: false },
        });
    }

    fn conflicts() -> Conflicts {
        Conflicts::pairwise(conflict)
    }

    fn apply(&mut self, op: Op) -> Answer {
        match op {
            // Ranges come from clients: the end may lie before the begin.
            Op::Book((begin, end), who) => {
                let free = begin < end && self.0.range(begin..end).next().is_none();
                if free {
                    self.0.extend((begin..end).map(|seat| (seat, who.clone())));
                }
                Answer::Booked(free)
            }
            Op::Look((begin, end)) => {
                let seats = self.0.range(begin.min(end)..end);
                Answer::Taken(seats.map(|(seat, who)| (*seat, who.clone())).collect())
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut nodes = Vec::new();
    for own in ["n1", "n2", "n3"] {
        let config = Config::local(own, 3, directory.path())?;
        nodes.push(Replica::open(config, Row::default()).await?);
    }
    let book = |node: usize, seats: Range, who: &str| {
        let (node, op) = (nodes[node].clone(), Op::Book(seats, who.to_owned()));
        tokio::spawn(async move { node.submit(op).await })
    };
    let (ada, bob, cy) = (book(0, (1, 5), "Ada"), book(1, (5, 9), "Bob"), book(2, (4, 6), "Cy"));
    for (who, booking) in [("Ada, 1 to 4", ada), ("Bob, 5 to 8", bob), ("Cy, 4 and 5", cy)] {
        println!("{who}: {:?}", booking.await??);
    }
    println!("{:?}", nodes[1].read(Op::Look((1, 9))).await?);
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
    fn the_relation_tells_the_truth() {
        let range = || (0..12u16, 0..12u16);
        let operations = prop_oneof![
            (range(), "[AB]").prop_map(|(seats, who)| Op::Book(seats, who)),
            range().prop_map(Op::Look),
        ];
        let report = isegoria::commutes::check(Row::default, operations.boxed(), 2_000);
        let report = report.unwrap_or_else(|found| panic!("{found}"));
        assert!(report.independent_count > 300 && report.lost.is_empty(), "{report}");
    }
}
