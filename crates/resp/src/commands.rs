use bytes::Bytes;
use isegoria_kv::redis::{Command, End, When, integer};

/// The commands that a connection answers by itself.
pub const CONNECTION_COMMANDS: [&str; 14] = [
    "AUTH", "CLIENT", "COMMAND", "CONFIG", "DISCARD", "ECHO", "EXEC", "HELLO", "INFO", "MULTI", "PING",
    "QUIT", "SELECT", "UNWATCH",
];

/// Why words are no command: the text of an error reply.
pub(crate) type Refused = String;

/// The names of the commands on data, sorted.
pub fn data_commands() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.name)
}

/// One command on data.
struct Row {
    name: &'static str,
    /// How many words may follow the name, and how many must.
    words: (usize, usize),
    make: fn(Vec<Bytes>) -> Result<Command, Refused>,
}

const MANY: usize = usize::MAX;

const fn row(
    name: &'static str,
    words: (usize, usize),
    make: fn(Vec<Bytes>) -> Result<Command, Refused>,
) -> Row {
    Row { name, words, make }
}

/// Sorted by name.
const TABLE: [Row; 35] = [
    row("APPEND", (2, 2), |words| two(words, Command::Append)),
    row("DBSIZE", (0, 0), |_| Ok(Command::DbSize)),
    row("DECR", (1, 1), |words| one(words, |key| Command::IncrBy(key, -1))),
    row("DECRBY", (2, 2), |words| {
        let by = number(&words[1])?.checked_neg().ok_or("ERR decrement would overflow")?;
        one(words, |key| Command::IncrBy(key, by))
    }),
    row("DEL", (1, MANY), |words| Ok(Command::Del(words))),
    row("EXISTS", (1, MANY), |words| Ok(Command::Exists(words))),
    row("GET", (1, 1), |words| one(words, Command::Get)),
    row("HDEL", (2, MANY), |words| first_and_rest(words, Command::HDel)),
    row("HEXISTS", (2, 2), |words| two(words, Command::HExists)),
    row("HGET", (2, 2), |words| two(words, Command::HGet)),
    row("HGETALL", (1, 1), |words| one(words, Command::HGetAll)),
    row("HINCRBY", (3, 3), |words| {
        let by = number(&words[2])?;
        two(words, |key, field| Command::HIncrBy(key, field, by))
    }),
    row("HKEYS", (1, 1), |words| one(words, Command::HKeys)),
    row("HLEN", (1, 1), |words| one(words, Command::HLen)),
    row("HMGET", (2, MANY), |words| first_and_rest(words, Command::HMGet)),
    row("HSET", (3, MANY), |words| {
        let mut words = words.into_iter();
        let key = words.next().unwrap_or_default();
        Ok(Command::HSet(key, pairs(words, "hset")?))
    }),
    row("HVALS", (1, 1), |words| one(words, Command::HVals)),
    row("INCR", (1, 1), |words| one(words, |key| Command::IncrBy(key, 1))),
    row("INCRBY", (2, 2), |words| {
        let by = number(&words[1])?;
        one(words, |key| Command::IncrBy(key, by))
    }),
    row("LLEN", (1, 1), |words| one(words, Command::LLen)),
    row("LPOP", (1, 2), |words| pop(words, End::Left)),
    row("LPUSH", (2, MANY), |words| {
        first_and_rest(words, |key, values| Command::Push(key, End::Left, values))
    }),
    row("LRANGE", (3, 3), |words| {
        let (first, last) = (number(&words[1])?, number(&words[2])?);
        one(words, |key| Command::LRange(key, first, last))
    }),
    row("MGET", (1, MANY), |words| Ok(Command::MGet(words))),
    row("MSET", (2, MANY), |words| Ok(Command::MSet(pairs(words.into_iter(), "mset")?))),
    row("RPOP", (1, 2), |words| pop(words, End::Right)),
    row("RPUSH", (2, MANY), |words| {
        first_and_rest(words, |key, values| Command::Push(key, End::Right, values))
    }),
    row("SADD", (2, MANY), |words| first_and_rest(words, Command::SAdd)),
    row("SCARD", (1, 1), |words| one(words, Command::SCard)),
    row("SET", (2, MANY), set),
    row("SISMEMBER", (2, 2), |words| two(words, Command::SIsMember)),
    row("SMEMBERS", (1, 1), |words| one(words, Command::SMembers)),
    row("SREM", (2, MANY), |words| first_and_rest(words, Command::SRem)),
    row("STRLEN", (1, 1), |words| one(words, Command::StrLen)),
    row("TYPE", (1, 1), |words| one(words, Command::Type)),
];

/// Why there is no command, as the text of an error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoCommand {
    /// There is none of this name, or not with so many words: it breaks a transaction.
    Unknown(Refused),
    /// It makes no sense of its words: in a transaction, that is its reply.
    Words(Refused),
}

/// The command that words ask for, if it is one on data.
///
/// # Errors
/// If there is no such command, or not with these words.
pub(crate) fn interpret(words: Vec<Bytes>) -> Result<Command, NoCommand> {
    let mut words = words.into_iter();
    let name = words.next().unwrap_or_default();
    let words: Vec<Bytes> = words.collect();
    let upper = name.to_ascii_uppercase();
    let found = TABLE.binary_search_by(|row| row.name.as_bytes().cmp(&upper));
    let Ok(row) = found.map(|at| &TABLE[at]) else {
        return Err(NoCommand::Unknown(unknown(&name, &words)));
    };
    if words.len() < row.words.0 || words.len() > row.words.1 {
        return Err(NoCommand::Unknown(wrong_word_count(row.name)));
    }
    (row.make)(words).map_err(NoCommand::Words)
}

/// Redis's own sentence, shortened as Redis does.
fn unknown(name: &[u8], words: &[Bytes]) -> Refused {
    const SHOWN_BYTES_MAX: usize = 128;
    let shown =
        |word: &[u8], most: usize| String::from_utf8_lossy(&word[..word.len().min(most)]).into_owned();
    let mut beginning = String::new();
    for word in words {
        let left = SHOWN_BYTES_MAX.saturating_sub(beginning.len());
        if left == 0 {
            break;
        }
        beginning.push_str(&format!("'{}' ", shown(word, left)));
    }
    let name = shown(name, SHOWN_BYTES_MAX);
    format!("ERR unknown command '{name}', with args beginning with: {beginning}")
}

pub(crate) fn wrong_word_count(name: &str) -> Refused {
    format!("ERR wrong number of arguments for '{}' command", name.to_ascii_lowercase())
}

fn number(word: &[u8]) -> Result<i64, Refused> {
    integer(word).ok_or_else(|| "ERR value is not an integer or out of range".to_owned())
}

fn one(words: Vec<Bytes>, make: impl FnOnce(Bytes) -> Command) -> Result<Command, Refused> {
    Ok(make(words.into_iter().next().unwrap_or_default()))
}

fn two(words: Vec<Bytes>, make: impl FnOnce(Bytes, Bytes) -> Command) -> Result<Command, Refused> {
    let mut words = words.into_iter();
    Ok(make(words.next().unwrap_or_default(), words.next().unwrap_or_default()))
}

fn first_and_rest(
    words: Vec<Bytes>,
    make: impl FnOnce(Bytes, Vec<Bytes>) -> Command,
) -> Result<Command, Refused> {
    let mut words = words.into_iter();
    Ok(make(words.next().unwrap_or_default(), words.collect()))
}

fn pairs(mut words: impl Iterator<Item = Bytes>, name: &str) -> Result<Vec<(Bytes, Bytes)>, Refused> {
    let mut pairs = Vec::new();
    while let Some(first) = words.next() {
        pairs.push((first, words.next().ok_or_else(|| wrong_word_count(name))?));
    }
    Ok(pairs)
}

fn pop(words: Vec<Bytes>, end: End) -> Result<Command, Refused> {
    let positive = |word: &Bytes| {
        let count = integer(word).and_then(|count| u64::try_from(count).ok());
        count.ok_or_else(|| "ERR value is out of range, must be positive".to_owned())
    };
    let most = words.get(1).map(positive).transpose()?;
    one(words, |key| Command::Pop(key, end, most))
}

fn set(words: Vec<Bytes>) -> Result<Command, Refused> {
    let mut when = When::Always;
    for option in &words[2..] {
        when = match (when, option.to_ascii_uppercase().as_slice()) {
            (When::Always | When::Absent, b"NX") => When::Absent,
            (When::Always | When::Present, b"XX") => When::Present,
            (_, b"EX" | b"PX" | b"EXAT" | b"PXAT" | b"KEEPTTL") => {
                return Err("ERR nothing expires here: SET takes NX or XX, and no time".to_owned());
            }
            _ => return Err("ERR syntax error".to_owned()),
        };
    }
    two(words, |key, value| Command::Set { key, value, when })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Result<Command, NoCommand> {
        interpret(line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect())
    }

    #[test]
    fn the_table_is_sorted() {
        let names: Vec<&str> = data_commands().collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(CONNECTION_COMMANDS.is_sorted());
    }

    #[test]
    fn words_become_commands() {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(command("get a"), Ok(Command::Get(bytes("a"))));
        assert_eq!(command("DeCrBy a 5"), Ok(Command::IncrBy(bytes("a"), -5)));
        let set = Command::Set { key: bytes("a"), value: bytes("b"), when: When::Absent };
        assert_eq!(command("SET a b nx"), Ok(set));
        assert_eq!(command("LPOP a 2"), Ok(Command::Pop(bytes("a"), End::Left, Some(2))));
        let pairs = vec![(bytes("f"), bytes("v")), (bytes("g"), bytes("w"))];
        assert_eq!(command("HSET a f v g w"), Ok(Command::HSet(bytes("a"), pairs)));
    }

    #[test]
    fn others_are_refused_in_redis_s_words() {
        for (line, sentence) in [
            ("GET", "ERR wrong number of arguments for 'get' command"),
            ("GET a b", "ERR wrong number of arguments for 'get' command"),
            ("MSET a", "ERR wrong number of arguments for 'mset' command"),
            ("MSET a b c", "ERR wrong number of arguments for 'mset' command"),
            ("HSET a b", "ERR wrong number of arguments for 'hset' command"),
            ("INCRBY a x", "ERR value is not an integer or out of range"),
            ("DECRBY a -9223372036854775808", "ERR decrement would overflow"),
            ("LPOP a -1", "ERR value is out of range, must be positive"),
            ("SET a b NX XX", "ERR syntax error"),
            ("SET a b EX 10", "ERR nothing expires here: SET takes NX or XX, and no time"),
            ("FOO bar", "ERR unknown command 'FOO', with args beginning with: 'bar' "),
        ] {
            let (NoCommand::Unknown(text) | NoCommand::Words(text)) = command(line).unwrap_err();
            assert_eq!(text, sentence, "{line}");
        }
        let long = unknown(&[b'x'; 1000], &vec![Bytes::from_static(&[b'y'; 100]); 1000]);
        assert!(long.len() < 400, "{long}");
    }
}
