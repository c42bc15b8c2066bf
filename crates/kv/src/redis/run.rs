use super::collection::Contents;
use super::{Command, End, Failure, Kind, Reply, Room, When, integer};
use crate::Kv;
use bytes::Bytes;
use imbl::{OrdMap, OrdSet, Vector};
use std::ops::Range;

type Hash = OrdMap<Bytes, Bytes>;
type Set = OrdSet<Bytes>;
type List = Vector<Bytes>;

impl Kv {
    /// Runs commands in their order, as many as there is room for, and at least one.
    pub(crate) fn run_pipeline(&mut self, commands: Vec<Command>) -> Vec<Reply> {
        let (mut room, mut replies) = (Room::new(self.limits), Vec::new());
        for command in commands {
            match self.run(command, &mut room) {
                Err(Failure::TooLong) if !replies.is_empty() => return replies,
                outcome => replies.push(outcome.unwrap_or_else(Reply::Error)),
            }
        }
        replies
    }

    /// Runs all commands in their order.
    pub(crate) fn run_transaction(&mut self, commands: Vec<Command>) -> Vec<Reply> {
        let mut room = Room::new(self.limits);
        let commands = commands.into_iter();
        commands.map(|command| self.run(command, &mut room).unwrap_or_else(Reply::Error)).collect()
    }

    /// Runs one command. After an error nothing is changed.
    fn run(&mut self, command: Command, room: &mut Room) -> Result<Reply, Failure> {
        match command {
            Command::Del(keys) => count(keys.iter().filter(|key| self.remove(key))),
            Command::Exists(keys) => count(keys.iter().filter(|key| self.kind(key).is_some())),
            Command::Type(key) => Ok(Reply::Kind(self.kind(&key))),
            Command::DbSize => Ok(Reply::Number(signed(self.map.len() + self.collections.len()))),
            strings @ (Command::Get(_)
            | Command::Set { .. }
            | Command::MGet(_)
            | Command::MSet(_)
            | Command::IncrBy(..)
            | Command::Append(..)
            | Command::StrLen(_)) => self.on_string(strings, room),
            sets @ (Command::SAdd(..)
            | Command::SRem(..)
            | Command::SIsMember(..)
            | Command::SMembers(_)
            | Command::SCard(_)) => self.on_set(sets, room),
            lists @ (Command::Push(..) | Command::Pop(..) | Command::LRange(..) | Command::LLen(_)) => {
                self.on_list(lists, room)
            }
            hashes => self.on_hash(hashes, room),
        }
    }

    fn on_string(&mut self, command: Command, room: &mut Room) -> Result<Reply, Failure> {
        Ok(match command {
            Command::Get(key) => self.string_for(&key, room)?.map_or(Reply::Nil, Reply::Bulk),
            Command::StrLen(key) => Reply::Number(signed(self.string(&key)?.map_or(0, <[u8]>::len))),
            Command::MGet(keys) => Reply::Array(self.strings(&keys, room)?),
            Command::Set { key, value, when } => {
                let there = when != When::Always && self.kind(&key).is_some();
                match when {
                    When::Absent if there => return Ok(Reply::Nil),
                    When::Present if !there => return Ok(Reply::Nil),
                    _ => self.set_string(&key, &value),
                }
                Reply::Ok
            }
            Command::MSet(pairs) => {
                pairs.iter().for_each(|(key, value)| self.set_string(key, value));
                Reply::Ok
            }
            Command::IncrBy(key, by) => {
                let number = self.string(&key)?.map_or(Some(0), integer).ok_or(Failure::NotAnInteger)?;
                let sum = number.checked_add(by).ok_or(Failure::Overflow)?;
                self.map.insert(&key, sum.to_string().as_bytes());
                Reply::Number(sum)
            }
            Command::Append(key, tail) => Reply::Number(signed(self.append(&key, &tail, room)?)),
            other => unreachable!("{other:?} is not of strings"),
        })
    }

    fn on_hash(&mut self, command: Command, room: &mut Room) -> Result<Reply, Failure> {
        Ok(match command {
            Command::HSet(key, pairs) => self.change(&key, |hash: &mut Hash| {
                let insert =
                    |(field, value): &(Bytes, Bytes)| hash.insert(owned(field), owned(value)).is_none();
                count_all(pairs.iter().map(insert))
            })?,
            Command::HDel(key, fields) => self.change(&key, |hash: &mut Hash| {
                count_all(fields.iter().map(|field| hash.remove(field).is_some()))
            })?,
            Command::HIncrBy(key, field, by) => self.change(&key, |hash: &mut Hash| {
                let number = hash.get(&field).map_or(Some(0), |value| integer(value));
                let sum =
                    number.ok_or(Failure::FieldNotAnInteger)?.checked_add(by).ok_or(Failure::Overflow)?;
                hash.insert(owned(&field), sum.to_string().into());
                Ok(Reply::Number(sum))
            })??,
            Command::HGet(key, field) => {
                let hash = self.look::<Hash>(&key)?;
                shared(hash.and_then(|hash| hash.get(&field)), room)?.map_or(Reply::Nil, Reply::Bulk)
            }
            Command::HMGet(key, fields) => {
                let hash = self.look::<Hash>(&key)?;
                let mut value = |field: &Bytes| shared(hash.and_then(|hash| hash.get(field)), room);
                Reply::Array(fields.iter().map(&mut value).collect::<Result<_, _>>()?)
            }
            Command::HExists(key, field) => {
                truth(self.look::<Hash>(&key)?.is_some_and(|hash| hash.contains_key(&field)))
            }
            Command::HGetAll(key) => {
                let mut pairs = Vec::new();
                for (field, value) in self.look::<Hash>(&key)?.into_iter().flatten() {
                    room.value(field.len())?;
                    room.value(value.len())?;
                    pairs.push((field.clone(), value.clone()));
                }
                Reply::Map(pairs)
            }
            Command::HKeys(key) => {
                let fields = self.look::<Hash>(&key)?.into_iter().flatten().map(|(field, _)| field);
                Reply::Array(fields.map(|field| shared(Some(field), room)).collect::<Result<_, _>>()?)
            }
            Command::HVals(key) => {
                let values = self.look::<Hash>(&key)?.into_iter().flatten().map(|(_, value)| value);
                Reply::Array(values.map(|value| shared(Some(value), room)).collect::<Result<_, _>>()?)
            }
            Command::HLen(key) => Reply::Number(signed(self.look::<Hash>(&key)?.map_or(0, Hash::len))),
            other => unreachable!("{other:?} is not of hashes"),
        })
    }

    fn on_set(&mut self, command: Command, room: &mut Room) -> Result<Reply, Failure> {
        Ok(match command {
            Command::SAdd(key, members) => self.change(&key, |set: &mut Set| {
                count_all(members.iter().map(|member| set.insert(owned(member)).is_none()))
            })?,
            Command::SRem(key, members) => self.change(&key, |set: &mut Set| {
                count_all(members.iter().map(|member| set.remove(member).is_some()))
            })?,
            Command::SIsMember(key, member) => {
                truth(self.look::<Set>(&key)?.is_some_and(|set| set.contains(&member)))
            }
            Command::SMembers(key) => {
                let mut members = Vec::new();
                for member in self.look::<Set>(&key)?.into_iter().flatten() {
                    room.value(member.len())?;
                    members.push(member.clone());
                }
                Reply::Set(members)
            }
            Command::SCard(key) => Reply::Number(signed(self.look::<Set>(&key)?.map_or(0, Set::len))),
            other => unreachable!("{other:?} is not of sets"),
        })
    }

    fn on_list(&mut self, command: Command, room: &mut Room) -> Result<Reply, Failure> {
        Ok(match command {
            Command::Push(key, end, values) => self.change(&key, |list: &mut List| {
                for value in &values {
                    match end {
                        End::Left => list.push_front(owned(value)),
                        End::Right => list.push_back(owned(value)),
                    }
                }
                Reply::Number(signed(list.len()))
            })?,
            Command::Pop(key, end, wanted) => self.pop(&key, (end, wanted), room)?,
            Command::LRange(key, first, last) => {
                let Some(list) = self.look::<List>(&key)? else { return Ok(Reply::Array(Vec::new())) };
                let wanted = list.focus().narrow(positions(first, last, list.len()));
                Reply::Array(
                    wanted.into_iter().map(|value| shared(Some(value), room)).collect::<Result<_, _>>()?,
                )
            }
            Command::LLen(key) => Reply::Number(signed(self.look::<List>(&key)?.map_or(0, List::len))),
            other => unreachable!("{other:?} is not of lists"),
        })
    }

    /// Takes from an end of a list what there is room for in the reply: all that is wanted, or nothing.
    fn pop(
        &mut self,
        key: &Bytes,
        (end, wanted): (End, Option<u64>),
        room: &mut Room,
    ) -> Result<Reply, Failure> {
        let Some(list) = self.look::<List>(key)? else {
            return Ok(if wanted.is_some() { Reply::NilArray } else { Reply::Nil });
        };
        let count = wanted.map_or(1, |most| usize::try_from(most).unwrap_or(usize::MAX)).min(list.len());
        let within = if end == End::Left { 0..count } else { list.len() - count..list.len() };
        for value in list.focus().narrow(within) {
            room.value(value.len())?;
        }
        self.change(key, |list: &mut List| {
            let mut take = || if end == End::Left { list.pop_front() } else { list.pop_back() };
            match wanted {
                None => take().map_or(Reply::Nil, Reply::Bulk),
                Some(_) => Reply::Array((0..count).map(|_| take()).collect()),
            }
        })
    }

    /// What a key holds.
    fn kind(&self, key: &[u8]) -> Option<Kind> {
        match self.map.get(key) {
            Some(_) => Some(Kind::String),
            None => self.collections.get(key).map(super::Collection::kind),
        }
    }

    /// A collection, if the key holds one.
    fn look<C: Contents>(&self, key: &[u8]) -> Result<Option<&C>, Failure> {
        match self.collections.get(key) {
            Some(collection) => Ok(Some(C::of(collection).ok_or(Failure::WrongType)?)),
            None if self.map.get(key).is_some() => Err(Failure::WrongType),
            None => Ok(None),
        }
    }

    /// Changes a collection, which comes to be with its first value and goes with its last.
    fn change<C: Contents, R>(&mut self, key: &[u8], change: impl FnOnce(&mut C) -> R) -> Result<R, Failure> {
        if let Some(collection) = self.collections.get_mut(key) {
            let contents = C::of_mut(collection).ok_or(Failure::WrongType)?;
            let outcome = change(contents);
            if contents.is_empty() {
                self.collections.remove(key);
            }
            return Ok(outcome);
        }
        if self.map.get(key).is_some() {
            return Err(Failure::WrongType);
        }
        let mut fresh = C::default();
        let outcome = change(&mut fresh);
        if !fresh.is_empty() {
            self.collections.insert(Bytes::copy_from_slice(key), fresh.into_collection());
        }
        Ok(outcome)
    }
}

/// Bytes of their own, which do not keep alive the message that they came in.
fn owned(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// A value for a reply.
fn shared(value: Option<&Bytes>, room: &mut Room) -> Result<Option<Bytes>, Failure> {
    room.value(value.map_or(0, Bytes::len))?;
    Ok(value.cloned())
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn truth(is: bool) -> Reply {
    Reply::Number(i64::from(is))
}

fn count<T>(found: impl Iterator<Item = T>) -> Result<Reply, Failure> {
    Ok(Reply::Number(signed(found.count())))
}

fn count_all(done: impl Iterator<Item = bool>) -> Reply {
    Reply::Number(signed(done.filter(|done| *done).count()))
}

/// The positions from `first` to `last`, both included, within a list of this length.
fn positions(first: i64, last: i64, length: usize) -> Range<usize> {
    let from_left = |position: i64| {
        let position = if position < 0 { position.saturating_add(signed(length)) } else { position };
        usize::try_from(position).ok()
    };
    let start = from_left(first).unwrap_or(0);
    let end = from_left(last).map_or(0, |last| last.saturating_add(1)).min(length);
    start.min(end)..end
}

#[cfg(test)]
mod tests {
    use super::positions;

    #[test]
    fn positions_are_redis_s() {
        for (first, last, expected) in [
            (0, -1, 0..3),
            (0, 1, 0..2),
            (-2, -1, 1..3),
            (-100, 100, 0..3),
            (2, 1, 2..2),
            (5, 9, 3..3),
            (0, -4, 0..0),
            (i64::MIN, i64::MAX, 0..3),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(positions(first, last, 3), expected, "{first} {last}");
        }
    }
}
