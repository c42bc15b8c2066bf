use isegoria_types::{Access, KeyHash, Prefix, Vertex};

/// One key of the index: for each kind of access, the largest vertex per leader.
///
/// Most keys are only ever accessed in one way, so the first kind is stored in
/// place and the others, if any, in a vector that needs no memory while it is empty.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    access: Access,
    marks: Prefix,
    others: Vec<(Access, Prefix)>,
}

impl Entry {
    /// An entry for a run of accesses of one key.
    ///
    /// # Panics
    /// If the run is empty.
    pub(crate) fn new(run: &[(KeyHash, Access)], marks: &Prefix) -> Entry {
        let (key, access) = run[0];
        let mut entry = Entry { key: key.0, access, marks: marks.clone(), others: Vec::new() };
        for (_, access) in &run[1..] {
            entry.marks_of(*access).union(marks);
        }
        entry
    }

    pub(crate) fn accesses(&self) -> impl Iterator<Item = (Access, &Prefix)> {
        let others = self.others.iter().map(|(access, marks)| (*access, marks));
        std::iter::once((self.access, &self.marks)).chain(others)
    }

    /// Adds to `deps` every mark of an access that does not commute with `access`.
    pub(crate) fn gather(&self, access: Access, deps: &mut Prefix) {
        for (recorded, marks) in self.accesses() {
            if !access.commutes(recorded) {
                deps.union(marks);
            }
        }
    }

    fn marks_of(&mut self, access: Access) -> &mut Prefix {
        if self.access == access {
            return &mut self.marks;
        }
        let position = self.others.iter().position(|(other, _)| *other == access).unwrap_or_else(|| {
            self.others.push((access, Prefix::default()));
            self.others.len() - 1
        });
        &mut self.others[position].1
    }

    pub(crate) fn cover(&mut self, access: Access, vertex: Vertex) {
        self.marks_of(access).cover(vertex);
    }

    pub(crate) fn union(&mut self, access: Access, marks: &Prefix) {
        self.marks_of(access).union(marks);
    }

    /// Whether `floor` says all that this entry does.
    pub(crate) fn is_covered(&self, floor: &Prefix) -> bool {
        self.accesses().all(|(_, marks)| floor.covers(marks))
    }
}
