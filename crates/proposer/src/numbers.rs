/// Numbers reserved by one record: a restart wastes at most this many, as noops.
const RESERVATION: u64 = 512;

/// Where the numbers of a leader's vertices come from: each is used once, also across
/// restarts, for a number used twice carries two values in ballot 0 (trace B20).
///
/// They are reserved in blocks, so that a record is written for a block and not for a
/// vertex. A restarted leader begins above what was reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Numbers {
    next: u64,
    reserved_below: u64,
}

impl Numbers {
    /// The number that [`Numbers::take`] gives.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Numbers below are durably used up, as far as the records were written.
    #[must_use]
    pub fn reserved_below(&self) -> u64 {
        self.reserved_below
    }

    /// The next number; and if it begins a block, the new end of what is reserved, which
    /// is to be durable before the number is told to anyone.
    pub fn take(&mut self) -> (u64, Option<u64>) {
        let number = self.next;
        self.next += 1;
        if number < self.reserved_below {
            return (number, None);
        }
        self.reserved_below = number + RESERVATION;
        (number, Some(self.reserved_below))
    }

    /// Repeats a reservation from the log: begin there.
    pub fn restore(&mut self, below: u64) {
        self.reserved_below = below;
        self.next = below;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_given_twice_whatever_was_lost() {
        let mut numbers = Numbers::default();
        let mut durable = 0;
        let mut given = Vec::new();
        for round in 0..2_000 {
            let (number, reserved) = numbers.take();
            durable = reserved.unwrap_or(durable);
            assert!(number < durable, "{number} is not reserved");
            given.push(number);
            if round % 701 == 700 {
                numbers = Numbers::default();
                numbers.restore(durable);
            }
        }
        assert!(given.is_sorted_by(|one, other| one < other));
        assert!(numbers.reserved_below() - given.len() as u64 <= 3 * RESERVATION);
    }
}
