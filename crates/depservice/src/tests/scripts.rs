//! The scripted traces of protocols.md 7.3 that concern the index.

use super::*;

fn union(answers: [&DepSet; 2]) -> DepSet {
    let mut all = answers[0].clone();
    all.union(answers[1]);
    all
}

fn ask(index: &mut KeyedIndex, vertex: Vertex, footprint: &Footprint) -> DepSet {
    index.compute(vertex, footprint, &Prefix::default()).deps().expect("nothing was dropped").clone()
}

/// B9: x from d1 and d2, y from d2 and d3; d2 is the only one that can know both.
#[test]
fn b9_a_dependency_node_must_not_forget() {
    let ordered = |restart: fn(&KeyedIndex) -> KeyedIndex| {
        let [mut d1, mut d2, mut d3] = [(); 3].map(|()| KeyedIndex::fresh());
        let (x, y) = (vertex(0, 0), vertex(1, 0));
        let of_x = union([&ask(&mut d1, x, &write(1)), &ask(&mut d2, x, &write(1))]);
        let mut d2 = restart(&d2);
        let of_y = union([&ask(&mut d2, y, &write(1)), &ask(&mut d3, y, &write(1))]);
        of_x.contains(y) || of_y.contains(x)
    };
    assert!(!ordered(|_| KeyedIndex::fresh()), "amnesia must show");
    assert!(ordered(|before| {
        let mut after = KeyedIndex::fresh();
        after.absorb(&before.checkpoint());
        after
    }));
}

/// A mutant that answers with the latest vertex per leader alone and trusts
/// transitivity for the earlier ones.
fn latest_only(deps: &DepSet) -> Vec<Vertex> {
    deps.as_prefix()
        .iter()
        .filter(|(_, below)| *below > 0)
        .map(|(leader, below)| Vertex::new(leader, below - 1))
        .collect()
}

/// B14: w1 = A.0, x = A.1, w2 = B.0 on one key; d1 sees x w1, d2 sees w1 x w2, d3 sees x w2.
#[test]
fn b14_the_latest_vertex_alone_is_not_enough() {
    let [mut d1, mut d2, mut d3] = [(); 3].map(|()| KeyedIndex::fresh());
    let (w1, x, w2) = (vertex(0, 0), vertex(0, 1), vertex(1, 0));
    let one = [x, w1].map(|vertex| ask(&mut d1, vertex, &write(1)));
    let two = [w1, x, w2].map(|vertex| ask(&mut d2, vertex, &write(1)));
    let three = [x, w2].map(|vertex| ask(&mut d3, vertex, &write(1)));
    let (of_w1, of_x, of_w2) =
        (union([&one[1], &two[0]]), union([&one[0], &three[0]]), union([&two[2], &three[1]]));

    let latest = |answers: [&DepSet; 2]| answers.map(latest_only).concat();
    let (bad_w1, bad_w2) = (latest([&one[1], &two[0]]), latest([&two[2], &three[1]]));
    assert!(!bad_w1.contains(&w2) && !bad_w2.contains(&w1), "the mutant must lose the edge");
    assert!(of_x.is_empty(), "so that nothing carries it transitively");

    assert!(of_w1.contains(w2) || of_w2.contains(w1));
}
