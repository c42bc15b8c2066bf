use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use smallvec::SmallVec;

/// A 64-bit hash of a key, equal on every node and in every version.
/// A collision only adds a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyHash(pub u64);

impl KeyHash {
    /// The hash of a key's bytes (XXH3, seed 0).
    #[must_use]
    pub fn of(key: &[u8]) -> KeyHash {
        KeyHash(xxhash_rust::xxh3::xxh3_64(key))
    }
}

/// A class of operations that commute with each other on one key: a small
/// constant of the state machine, never a hash of a string. Class 0 is reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Class(u8);

impl Class {
    /// Reads: they commute with each other and with nothing else.
    pub const READ: Class = Class(0);

    /// The class with this number; 0 is [`Class::READ`].
    #[must_use]
    pub const fn new(number: u8) -> Class {
        Class(number)
    }
}

/// How a command touches a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Access {
    /// Commutes with no other access of the key (a write).
    Exclusive,
    /// Commutes with accesses of the same class only.
    Shared(Class),
}

impl Access {
    /// Two accesses of one key commute iff both are shared with the same class.
    #[must_use]
    pub fn commutes(self, other: Access) -> bool {
        matches!((self, other), (Access::Shared(a), Access::Shared(b)) if a == b)
    }
}

type Accesses = SmallVec<[(KeyHash, Access); 1]>;

/// What a command, or a batch of them, touches: the conflict relation in a form
/// that nodes compute with.
///
/// Normal form: accesses and scopes sorted, no repetition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Footprint {
    /// Conflicts with every command.
    Everything,
    /// Conflicts through the keys named; the empty list conflicts with `Everything` only.
    Keys(Accesses),
    /// Conflicts through the keys named, and through scopes.
    Scoped(Box<Scoped>),
}

/// Keys, and at least one scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scoped {
    accesses: Accesses,
    /// Encoded values of a type of the state machine's own; [`crate::Conflicts`] says which conflict.
    scopes: Vec<Bytes>,
}

impl Default for Footprint {
    fn default() -> Footprint {
        Footprint::Keys(SmallVec::new())
    }
}

impl Footprint {
    /// The footprint with these accesses, in any order.
    #[must_use]
    pub fn keys(accesses: impl IntoIterator<Item = (KeyHash, Access)>) -> Footprint {
        let mut list: Accesses = accesses.into_iter().collect();
        if list.len() > 1 {
            list.sort_unstable();
            list.dedup();
        }
        Footprint::Keys(list)
    }

    /// The same with these scopes, in any order.
    #[must_use]
    pub(crate) fn with_scopes(self, mut scopes: Vec<Bytes>) -> Footprint {
        scopes.sort_unstable();
        scopes.dedup();
        match self {
            Footprint::Keys(accesses) if !scopes.is_empty() => {
                Footprint::Scoped(Box::new(Scoped { accesses, scopes }))
            }
            same => same,
        }
    }

    /// The most accesses that one command's footprint names. Footprints travel with
    /// commands and are kept sorted: a command that touches more conflicts with everything.
    pub const ACCESS_COUNT_MAX: usize = 4096;

    /// The most bytes that the scopes of one command take; one with more conflicts with everything.
    pub const SCOPE_BYTES_MAX: usize = 4096;

    /// Adds an access of `key`.
    pub fn access(&mut self, key: &[u8], access: Access) {
        let list = match self {
            Footprint::Everything => return,
            Footprint::Keys(list) => list,
            Footprint::Scoped(scoped) => &mut scoped.accesses,
        };
        let entry = (KeyHash::of(key), access);
        if let Err(position) = list.binary_search(&entry) {
            if list.len() < Footprint::ACCESS_COUNT_MAX {
                list.insert(position, entry);
            } else {
                *self = Footprint::Everything;
            }
        }
    }

    /// Adds a read of `key`.
    pub fn read(&mut self, key: &[u8]) {
        self.access(key, Access::Shared(Class::READ));
    }

    /// Adds a write of `key`.
    pub fn write(&mut self, key: &[u8]) {
        self.access(key, Access::Exclusive);
    }

    /// Adds an access of `key` that commutes with others of `class`.
    pub fn commute(&mut self, class: Class, key: &[u8]) {
        self.access(key, Access::Shared(class));
    }

    /// Adds a scope: a value of which the state machine's [`crate::Conflicts`] says with which
    /// others it conflicts, such as a range or a whole command.
    pub fn scope<S: Serialize>(&mut self, scope: &S) {
        let Ok(encoded) = postcard::to_stdvec(scope) else {
            self.everything();
            return;
        };
        let mut scopes = self.scopes().to_vec();
        scopes.push(encoded.into());
        if scopes.iter().map(Bytes::len).sum::<usize>() > Footprint::SCOPE_BYTES_MAX {
            self.everything();
            return;
        }
        *self = match std::mem::take(self) {
            Footprint::Everything => Footprint::Everything,
            Footprint::Keys(accesses) => Footprint::Keys(accesses).with_scopes(scopes),
            Footprint::Scoped(scoped) => Footprint::Keys(scoped.accesses).with_scopes(scopes),
        };
    }

    /// Makes it conflict with every command.
    pub fn everything(&mut self) {
        *self = Footprint::Everything;
    }

    /// Whether it conflicts with every command.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self, Footprint::Everything)
    }

    /// The keys named, with how they are accessed.
    #[must_use]
    pub fn accesses(&self) -> &[(KeyHash, Access)] {
        match self {
            Footprint::Everything => &[],
            Footprint::Keys(accesses) => accesses,
            Footprint::Scoped(scoped) => &scoped.accesses,
        }
    }

    /// The scopes, encoded.
    #[must_use]
    pub fn scopes(&self) -> &[Bytes] {
        match self {
            Footprint::Scoped(scoped) => &scoped.scopes,
            Footprint::Everything | Footprint::Keys(_) => &[],
        }
    }

    /// Whether two commands with these footprints conflict where all scopes conflict: the
    /// definition, by comparing all pairs. With a relation of scopes it is
    /// [`crate::Conflicts::conflict`].
    #[must_use]
    pub fn conflicts(&self, other: &Footprint) -> bool {
        crate::Conflicts::default().conflict(self, other)
    }

    /// Whether they conflict through a key.
    pub(crate) fn keys_conflict(one: &Footprint, other: &Footprint) -> bool {
        let other = other.accesses();
        one.accesses().iter().any(|(key, a)| other.iter().any(|(same, b)| key == same && !a.commutes(*b)))
    }
}

impl<'de> Deserialize<'de> for Footprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Footprint, D::Error> {
        #[derive(Deserialize)]
        enum Raw {
            Everything,
            Keys(Accesses),
            Scoped(Box<Scoped>),
        }
        fn is_normal<T: Ord>(list: &[T]) -> bool {
            list.windows(2).all(|pair| pair[0] < pair[1])
        }
        match Raw::deserialize(deserializer)? {
            Raw::Everything => Ok(Footprint::Everything),
            Raw::Keys(list) if is_normal(&list) => Ok(Footprint::Keys(list)),
            Raw::Scoped(scoped)
                if is_normal(&scoped.accesses) && is_normal(&scoped.scopes) && !scoped.scopes.is_empty() =>
            {
                Ok(Footprint::Scoped(scoped))
            }
            Raw::Keys(_) | Raw::Scoped(_) => {
                Err(serde::de::Error::custom("a footprint that is not in normal form"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_shared_classes_commute() {
        let (read, add) = (Access::Shared(Class::READ), Access::Shared(Class::new(1)));
        assert!(read.commutes(read) && add.commutes(add));
        assert!(!read.commutes(add) && !Access::Exclusive.commutes(Access::Exclusive));
        assert!(!Access::Exclusive.commutes(read));
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let mut one = Footprint::default();
        one.write(b"x");
        one.read(b"y");
        one.write(b"x");
        let mut two = Footprint::default();
        two.read(b"y");
        two.write(b"x");
        assert_eq!(one, two);
        assert_eq!(postcard::from_bytes::<Footprint>(&postcard::to_stdvec(&one).unwrap()).unwrap(), two);
    }

    #[test]
    fn a_footprint_of_very_many_keys_is_everything() {
        let mut footprint = Footprint::default();
        for key in 0..Footprint::ACCESS_COUNT_MAX as u64 {
            footprint.read(&key.to_le_bytes());
        }
        assert!(matches!(&footprint, Footprint::Keys(list) if list.len() == Footprint::ACCESS_COUNT_MAX));
        footprint.read(b"one more");
        assert_eq!(footprint, Footprint::Everything);
    }

    #[test]
    fn scopes_are_kept_in_normal_form_and_bounded() {
        let (mut one, mut two) = (Footprint::default(), Footprint::default());
        one.scope(&7u32);
        one.write(b"x");
        one.scope(&5u32);
        two.scope(&5u32);
        two.scope(&7u32);
        two.scope(&5u32);
        two.write(b"x");
        assert_eq!(one, two);
        assert_eq!(one.scopes().len(), 2);
        let bytes = postcard::to_stdvec(&one).unwrap();
        assert_eq!(postcard::from_bytes::<Footprint>(&bytes).unwrap(), one);
        one.scope(&vec![0u8; Footprint::SCOPE_BYTES_MAX]);
        assert!(one.is_everything());
    }

    #[test]
    fn scopes_out_of_order_do_not_decode() {
        let mut footprint = Footprint::default();
        footprint.scope(&7u8);
        footprint.scope(&9u8);
        let mut bytes = postcard::to_stdvec(&footprint).unwrap();
        let at = bytes.iter().position(|byte| *byte == 7).unwrap();
        bytes[at] = 9;
        assert!(postcard::from_bytes::<Footprint>(&bytes).is_err());
    }

    #[test]
    fn everything_conflicts_even_with_nothing() {
        assert!(Footprint::Everything.conflicts(&Footprint::default()));
        assert!(!Footprint::default().conflicts(&Footprint::default()));
    }

    #[test]
    fn key_hashes_never_change() {
        assert_eq!(KeyHash::of(b"isegoria").0, xxhash_rust::xxh3::xxh3_64_with_seed(b"isegoria", 0));
        assert_eq!(KeyHash::of(b"").0, 0x2d06_8005_38d3_94c2);
    }
}
