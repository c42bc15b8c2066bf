/// How many own proposals are undecided, and what their batches take: more are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct InFlight {
    count: usize,
    bytes: usize,
}

impl InFlight {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether one more of so many bytes stays within `count_max` and `bytes_max`. One is
    /// always let in, however large it is.
    #[must_use]
    pub fn has_room(&self, bytes: usize, (count_max, bytes_max): (usize, usize)) -> bool {
        self.count < count_max && (self.count == 0 || self.bytes + bytes <= bytes_max)
    }

    /// One more.
    pub fn enter(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes;
    }

    /// One less: what is submitted in its place finds room.
    pub fn leave(&mut self, bytes: usize) {
        self.count -= 1;
        self.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_and_bytes_are_bounded_and_the_first_is_let_in() {
        let mut in_flight = InFlight::default();
        assert!(in_flight.has_room(1_000, (2, 10)), "however large");
        in_flight.enter(1_000);
        assert!(!in_flight.has_room(1, (2, 10)));
        in_flight.leave(1_000);
        in_flight.enter(4);
        assert!(in_flight.has_room(6, (2, 10)) && !in_flight.has_room(7, (2, 10)));
        in_flight.enter(6);
        assert!(!in_flight.has_room(0, (2, 10)));
        assert_eq!(in_flight.count(), 2);
    }
}
