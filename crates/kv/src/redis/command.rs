use bytes::Bytes;
use isegoria_types::{Access, Class, Footprint, KeyHash};
use serde::{Deserialize, Serialize};

/// Every command on a hash touches its key in this class: they leave each other's hash a hash.
const HASH: Class = Class::new(2);
/// The same for sets.
const SET: Class = Class::new(3);
/// Changes of single fields and members of one collection.
const CHANGE: Class = Class::new(4);

/// Tells the contents of a collection from a part of them.
const WHOLE: u8 = 0;
const PART: u8 = 1;

/// A command on data, with Redis's meaning (<https://redis.io/docs/latest/commands/>).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// How many of the keys there were; they are gone.
    Del(Vec<Bytes>),
    /// How many of the keys there are; one that is named twice counts twice.
    Exists(Vec<Bytes>),
    /// What the key holds.
    Type(Bytes),
    /// How many keys there are.
    DbSize,
    /// The value of a string.
    Get(Bytes),
    /// Makes the key a string, if `when` allows it.
    Set {
        /// The key.
        key: Bytes,
        /// Its value.
        value: Bytes,
        /// On which condition.
        when: When,
    },
    /// The values of those keys that are strings, at one moment.
    MGet(Vec<Bytes>),
    /// Makes the keys strings, at one moment.
    MSet(Vec<(Bytes, Bytes)>),
    /// Adds to a number; the sum.
    IncrBy(Bytes, i64),
    /// Appends to a string; its length, bytes.
    Append(Bytes, Bytes),
    /// The length of a string, bytes.
    StrLen(Bytes),
    /// Sets fields; how many are new.
    HSet(Bytes, Vec<(Bytes, Bytes)>),
    /// The value of a field.
    HGet(Bytes, Bytes),
    /// The values of fields.
    HMGet(Bytes, Vec<Bytes>),
    /// Removes fields; how many there were.
    HDel(Bytes, Vec<Bytes>),
    /// Adds to the number in a field; the sum.
    HIncrBy(Bytes, Bytes, i64),
    /// Whether there is such a field.
    HExists(Bytes, Bytes),
    /// All fields and values.
    HGetAll(Bytes),
    /// All fields.
    HKeys(Bytes),
    /// All values, by field.
    HVals(Bytes),
    /// The number of fields.
    HLen(Bytes),
    /// Adds members; how many are new.
    SAdd(Bytes, Vec<Bytes>),
    /// Removes members; how many there were.
    SRem(Bytes, Vec<Bytes>),
    /// Whether it is a member.
    SIsMember(Bytes, Bytes),
    /// All members.
    SMembers(Bytes),
    /// The number of members.
    SCard(Bytes),
    /// Puts values at an end of a list, one after the other; its length.
    Push(Bytes, End, Vec<Bytes>),
    /// Takes one value from an end of a list, or up to a number of them.
    Pop(Bytes, End, Option<u64>),
    /// The values of a list between two positions, both included; negative ones count from the right.
    LRange(Bytes, i64, i64),
    /// The length of a list.
    LLen(Bytes),
}

/// When a key is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum When {
    /// Whatever it holds.
    Always,
    /// If it holds nothing (`NX`).
    Absent,
    /// If it holds something (`XX`).
    Present,
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum End {
    /// Its first value.
    Left,
    /// Its last one.
    Right,
}

impl Command {
    /// Adds what the command touches to `footprint`.
    pub fn footprint(&self, footprint: &mut Footprint) {
        let read = Access::Shared(Class::READ);
        match self {
            Command::DbSize => footprint.everything(),
            Command::Get(key) | Command::StrLen(key) | Command::Type(key) => footprint.read(key),
            Command::LRange(key, ..) | Command::LLen(key) => footprint.read(key),
            Command::Exists(keys) | Command::MGet(keys) => keys.iter().for_each(|key| footprint.read(key)),
            Command::Set { key, .. } | Command::IncrBy(key, _) | Command::Append(key, _) => {
                footprint.write(key);
            }
            Command::Push(key, ..) | Command::Pop(key, ..) => footprint.write(key),
            Command::Del(keys) => keys.iter().for_each(|key| footprint.write(key)),
            Command::MSet(pairs) => pairs.iter().for_each(|(key, _)| footprint.write(key)),
            Command::HSet(key, pairs) => {
                parts(footprint, (HASH, key), Access::Exclusive, pairs.iter().map(|(field, _)| field));
            }
            Command::HDel(key, fields) => parts(footprint, (HASH, key), Access::Exclusive, fields),
            Command::HIncrBy(key, field, _) => parts(footprint, (HASH, key), Access::Exclusive, [field]),
            Command::HGet(key, field) | Command::HExists(key, field) => {
                parts(footprint, (HASH, key), read, [field]);
            }
            Command::HMGet(key, fields) => parts(footprint, (HASH, key), read, fields),
            Command::HGetAll(key) | Command::HKeys(key) | Command::HVals(key) | Command::HLen(key) => {
                whole(footprint, HASH, key);
            }
            Command::SAdd(key, members) | Command::SRem(key, members) => {
                parts(footprint, (SET, key), Access::Exclusive, members);
            }
            Command::SIsMember(key, member) => parts(footprint, (SET, key), read, [member]),
            Command::SMembers(key) | Command::SCard(key) => whole(footprint, SET, key),
        }
    }
}

/// Touches some fields or members of a collection.
fn parts<'a>(
    footprint: &mut Footprint,
    (class, key): (Class, &Bytes),
    access: Access,
    names: impl IntoIterator<Item = &'a Bytes>,
) {
    footprint.commute(class, key);
    if access == Access::Exclusive {
        footprint.commute(CHANGE, &within(key, WHOLE));
    }
    let mut part = within(key, PART);
    let start = part.len();
    for name in names {
        part.truncate(start);
        part.extend_from_slice(name);
        footprint.access(&part, access);
    }
}

/// Sees all of a collection.
fn whole(footprint: &mut Footprint, class: Class, key: &Bytes) {
    footprint.commute(class, key);
    footprint.read(&within(key, WHOLE));
}

/// What stands for the contents of a collection in footprints, and with a name behind it for a part of
/// them. The key's hash will do: a collision only adds conflicts.
fn within(key: &Bytes, tag: u8) -> Vec<u8> {
    let mut within = Vec::with_capacity(48);
    within.extend_from_slice(&KeyHash::of(key).0.to_le_bytes());
    within.push(tag);
    within
}
