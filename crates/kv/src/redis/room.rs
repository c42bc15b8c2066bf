use super::Failure;

/// What one operation may take: a bound on the work and the memory that a request of a megabyte can make
/// every replica spend. The same at all replicas, for outputs depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of values in all replies of an operation.
    pub reply_bytes_max: usize,
    /// The longest string that appending makes, bytes.
    pub string_bytes_max: usize,
    /// The most bytes that the appending of one operation copies.
    pub copy_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { reply_bytes_max: 4 << 20, string_bytes_max: (4 << 20) - EACH, copy_bytes_max: 64 << 20 }
    }
}

/// What a value takes in a reply beside its bytes, at most.
const EACH: usize = 16;

/// What is left of the limits within an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    reply_bytes: usize,
    copy_bytes: usize,
}

impl Room {
    pub(crate) fn new(limits: Limits) -> Room {
        Room { reply_bytes: limits.reply_bytes_max, copy_bytes: limits.copy_bytes_max }
    }

    /// One more value for a reply.
    pub(crate) fn value(&mut self, bytes: usize) -> Result<(), Failure> {
        let left = self.reply_bytes.checked_sub(bytes + EACH);
        // What is too long once makes all later values so: otherwise each would be built up to here.
        self.reply_bytes = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Failure::TooLong)
    }

    /// So many bytes are copied.
    pub(crate) fn copy(&mut self, bytes: usize) -> Result<(), Failure> {
        let left = self.copy_bytes.checked_sub(bytes);
        self.copy_bytes = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Failure::TooLong)
    }
}
