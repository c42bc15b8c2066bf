/// Numbers reserved by the first record after a start, and the most by a later one, each of
/// which reserves twice as many: a restart wastes about as many numbers, as noops, as were
/// used, and at most these.
const RESERVATION: std::ops::RangeInclusive<u64> = 16..=512;

/// Where the numbers of a leader's vertices come from: each is used once, also across
/// restarts, for a number used twice carries two values in ballot 0 (trace B20).
///
/// They are reserved in blocks, so that a record is written for a block and not for a
/// vertex. A restarted leader begins above what was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Numbers {
    next: u64,
    reserved_below: u64,
    /// How many the next record reserves.
    block: u64,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers { next: 0, reserved_below: 0, block: *RESERVATION.start() }
    }
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
        self.reserved_below = number + self.block;
        self.block = (2 * self.block).min(*RESERVATION.end());
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
        let (mut given, mut record_count) = (Vec::new(), 0);
        for round in 0..2_000 {
            let (number, reserved) = numbers.take();
            durable = reserved.unwrap_or(durable);
            record_count += usize::from(reserved.is_some());
            assert!(number < durable, "{number} is not reserved");
            given.push(number);
            if round % 701 == 700 {
                numbers = Numbers::default();
                numbers.restore(durable);
            }
        }
        assert!(given.is_sorted_by(|one, other| one < other));
        assert!(numbers.reserved_below() - given.len() as u64 <= 3 * RESERVATION.end());
        assert!(record_count < 30, "{record_count} records for {} numbers", given.len());
    }

    #[test]
    fn a_restart_after_little_wastes_little() {
        let mut numbers = Numbers::default();
        numbers.take();
        assert_eq!(numbers.reserved_below(), 16);
    }
}
