use super::*;
use isegoria_types::ConflictIndex;

type Range = (u8, u8);

fn of(range: Range) -> Footprint {
    let mut footprint = Footprint::default();
    footprint.scope(&range);
    footprint
}

fn overlap(a: &Range, b: &Range) -> bool {
    a.0 < b.1 && b.0 < a.1
}

/// Finds everything as soon as it holds two scopes.
#[derive(Default)]
struct Coarse(Vec<(u32, Range)>);

impl ConflictIndex<Range> for Coarse {
    fn insert(&mut self, id: u32, scope: &Range) {
        self.0.push((id, *scope));
    }
    fn forget(&mut self, id: u32, _: &Range) {
        self.0.retain(|held| held.0 != id);
    }
    fn for_each_conflict(&self, scope: &Range, found: &mut dyn FnMut(u32)) {
        let is_found = |held: &&(u32, Range)| self.0.len() > 1 || overlap(&held.1, scope);
        self.0.iter().filter(is_found).for_each(|held| found(held.0));
    }
}

/// What an index finds too much is no edge: a recovery would take it for a conflict.
#[test]
fn an_index_that_finds_too_much_adds_no_edge() {
    let conflicts = Conflicts::index(Coarse::default);
    let mut index = KeyedIndex::new(NodeSet::first(LEADER_COUNT), 7, &conflicts);
    for (number, range) in [(0, 4), (4, 8), (8, 12)].into_iter().enumerate() {
        let answer = index.compute(vertex(number, 0), &of(range), &Prefix::default());
        assert_eq!(answer, Answer::Deps(DepSet::default()));
    }
    let mut expected = DepSet::default();
    expected.insert(vertex(1, 0));
    assert_eq!(index.deps(&of((5, 6)), &Prefix::default()), Answer::Deps(expected));
}

/// A checkpoint of another relation: what nobody can look up any more conflicts with everything.
#[test]
fn scopes_of_another_relation_become_barriers() {
    let mut index = KeyedIndex::fresh();
    index.record(vertex(1, 3), &of((2, 5)));
    let strings = Conflicts::pairwise(|a: &String, b: &String| a == b);
    let mut rebuilt = KeyedIndex::new(NodeSet::first(LEADER_COUNT), 7, &strings);
    rebuilt.absorb(&index.checkpoint());
    for footprint in [Footprint::default(), write(1)] {
        let answer = rebuilt.deps(&footprint, &Prefix::default());
        assert!(answer.deps().is_some_and(|deps| deps.contains(vertex(1, 3))), "{answer:?}");
    }
}
