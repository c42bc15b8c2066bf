//! Which quorum systems a cluster may have.

use isegoria_types::{GridDependency, Layout, Quorum, QuorumSystem};
use std::fmt::Write;

/// B21. What violates Q1 (phase 1 meets phase 2) or Q3 (dependency quorums meet) is
/// refused before anything runs: with it, S1 or S2 would be lost without any fault.
pub(crate) fn illegal_quorums_are_refused() -> String {
    let counts = |phase1, phase2, dependency| QuorumSystem::Counts { phase1, phase2, dependency };
    let grid = |dependency| QuorumSystem::Grid { rows: 2, columns: 2, dependency };
    let systems = [
        ("two disjoint halves of four", 4, counts(2, 2, None), Some("Q1")),
        ("halves of four as dependency quorums", 4, counts(3, 3, Some(2)), Some("Q3")),
        ("one promise, and too few votes", 5, counts(1, 4, None), Some("Q1")),
        ("rows of a grid as dependency quorums", 4, grid(GridDependency::Row), Some("Q3")),
        ("one promise, and all votes", 5, counts(1, 5, None), None),
        ("a grid, with a row and a column for dependencies", 4, grid(GridDependency::RowAndColumn), None),
        ("four with a tie-breaker", 4, QuorumSystem::TieBreaker { node: "n1".to_owned() }, None),
        (
            "four, one of which does not count",
            4,
            QuorumSystem::MajorityWithout { node: "n4".to_owned() },
            None,
        ),
    ];
    let mut trace = "# B21, illegal quorum systems are refused\n".to_owned();
    for (name, count, system, rule) in systems {
        let (line, violated) = match Layout::co_located(count, &system) {
            Ok(layout) => {
                let sizes = [&layout.quorums.phase1, &layout.quorums.phase2, &layout.quorums.dependency];
                (format!("taken; smallest quorums {:?}", sizes.map(Quorum::size_min)), None)
            }
            Err(refusal) => {
                let text = refusal.to_string();
                let violated = ["Q1", "Q3"].into_iter().find(|rule| text.contains(rule));
                (format!("refused; {text}"), violated)
            }
        };
        assert_eq!(violated, rule, "S1, S2: {name}: {line}");
        let _ = writeln!(trace, "> {name}\n  {line}");
    }
    trace
}
