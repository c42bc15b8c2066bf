use crate::commands::{CONNECTION_COMMANDS, NoCommand, data_commands, interpret, wrong_word_count};
use crate::pack::{Answer, Pack, Weight};
use crate::protocol::{self, Protocol};
use bytes::{Bytes, BytesMut};
use isegoria_kv::redis::{Command, integer};

/// What a queued command takes besides its words, bytes, about.
const PART_BYTES: usize = 64;

/// What a connection has agreed on, and its open transaction.
#[derive(Debug)]
pub(crate) struct Conversation {
    id: u64,
    request_bytes_max: usize,
    protocol: Protocol,
    name: Bytes,
    transaction: Option<Transaction>,
}

/// What came behind `MULTI`.
#[derive(Debug, Default)]
struct Transaction {
    commands: Vec<Command>,
    parts: Vec<Option<Bytes>>,
    byte_count: usize,
    /// A command was refused, so that none will be executed.
    is_broken: bool,
}

impl Conversation {
    pub(crate) fn new(id: u64, request_bytes_max: usize) -> Conversation {
        Conversation { id, request_bytes_max, protocol: Protocol::Two, name: Bytes::new(), transaction: None }
    }

    pub(crate) fn weight(&self, words: &[Bytes]) -> Weight {
        match &self.transaction {
            Some(transaction) if is_only(words, b"EXEC") => {
                Weight { byte_count: transaction.byte_count, is_transaction: true }
            }
            _ => Weight { byte_count: weight(words), is_transaction: false },
        }
    }

    /// Takes a request of this weight in: what it says at once and what it wants done goes into `pack`.
    pub(crate) fn take(&mut self, words: Vec<Bytes>, weight: Weight, pack: &mut Pack) {
        pack.adds(weight);
        let name = words[0].to_ascii_uppercase();
        match name.as_slice() {
            b"MULTI" | b"EXEC" | b"DISCARD" if words.len() > 1 => {
                let text = wrong_word_count(&String::from_utf8_lossy(&name));
                self.break_off(pack, &text);
            }
            b"MULTI" => self.on_multi(pack),
            b"EXEC" => self.on_exec(pack),
            b"DISCARD" => self.on_discard(pack),
            // A browser that was made to talk to this port says one of these: nothing behind them is for us.
            b"POST" | b"HOST:" => {
                pack.closes = true;
                self.refuse(pack, "ERR this port does not speak HTTP");
            }
            b"QUIT" => {
                pack.closes = true;
                self.say(pack, |to, _| protocol::simple(to, "OK"));
            }
            _ => {
                let known = std::str::from_utf8(&name).ok();
                match known.filter(|name| CONNECTION_COMMANDS.binary_search(name).is_ok()) {
                    Some(name) => self.on_connection_command(name, &words[1..], weight.byte_count, pack),
                    None => self.on_data_command(words, weight.byte_count, pack),
                }
            }
        }
    }

    fn on_multi(&mut self, pack: &mut Pack) {
        if self.transaction.is_some() {
            return self.refuse(pack, "ERR MULTI calls can not be nested");
        }
        self.transaction = Some(Transaction::default());
        self.say(pack, |to, _| protocol::simple(to, "OK"));
    }

    fn on_exec(&mut self, pack: &mut Pack) {
        match self.transaction.take() {
            None => self.refuse(pack, "ERR EXEC without MULTI"),
            Some(transaction) if transaction.is_broken => {
                self.refuse(pack, "EXECABORT Transaction discarded because of previous errors.");
            }
            Some(transaction) => {
                pack.is_transaction = true;
                pack.commands.extend(transaction.commands);
                pack.say((self.protocol, Answer::List(transaction.parts)));
            }
        }
    }

    fn on_discard(&mut self, pack: &mut Pack) {
        match self.transaction.take() {
            None => self.refuse(pack, "ERR DISCARD without MULTI"),
            Some(_) => self.say(pack, |to, _| protocol::simple(to, "OK")),
        }
    }

    fn on_data_command(&mut self, words: Vec<Bytes>, byte_count: usize, pack: &mut Pack) {
        // What waits for the end of a transaction must not keep alive all that was read with it.
        let words = match self.transaction {
            Some(_) => words.iter().map(|word| Bytes::copy_from_slice(word)).collect(),
            None => words,
        };
        match (interpret(words), self.transaction.is_some()) {
            (Err(NoCommand::Unknown(refused)), _) => self.break_off(pack, &refused),
            (Err(NoCommand::Words(refused)), false) => self.refuse(pack, &refused),
            (Ok(command), false) => {
                pack.commands.push(command);
                pack.say((self.protocol, Answer::Reply));
            }
            (Err(NoCommand::Words(refused)), true) => {
                let mut said = BytesMut::new();
                protocol::error(&mut said, &refused);
                self.queue((None, Some(said.freeze())), byte_count, pack);
            }
            (Ok(command), true) => self.queue((Some(command), None), byte_count, pack),
        }
    }

    /// Adds a command, or what is said in its place, to the open transaction.
    fn queue(&mut self, part: (Option<Command>, Option<Bytes>), byte_count: usize, pack: &mut Pack) {
        let Some(transaction) = &mut self.transaction else { return };
        transaction.byte_count += byte_count + PART_BYTES;
        if transaction.byte_count > self.request_bytes_max {
            return self.break_off(pack, "ERR the transaction is larger than this server takes");
        }
        if !transaction.is_broken {
            transaction.commands.extend(part.0);
            transaction.parts.push(part.1);
        }
        self.say(pack, |to, _| protocol::simple(to, "QUEUED"));
    }

    fn on_connection_command(&mut self, name: &str, words: &[Bytes], byte_count: usize, pack: &mut Pack) {
        let is_queued = matches!(name, "PING" | "ECHO" | "SELECT" | "UNWATCH");
        if self.transaction.is_some() && !is_queued {
            return self.break_off(pack, &format!("ERR {name} is not allowed in transactions"));
        }
        let mut said = BytesMut::new();
        if let Err(refused) = self.reply(name, words, &mut said) {
            if self.transaction.is_none() || refused.starts_with("ERR wrong number") {
                return self.break_off(pack, &refused);
            }
            said.clear();
            protocol::error(&mut said, &refused);
        }
        match self.transaction {
            Some(_) => {
                let byte_count = byte_count + said.len();
                self.queue((None, Some(said.freeze())), byte_count, pack);
            }
            None => pack.say((self.protocol, Answer::Said(said.freeze()))),
        }
    }

    /// What the connection itself replies.
    fn reply(&mut self, name: &str, words: &[Bytes], to: &mut BytesMut) -> Result<(), String> {
        match (name, words) {
            ("PING", []) => protocol::simple(to, "PONG"),
            ("PING" | "ECHO", [text]) => protocol::bulk(to, text),
            ("HELLO", _) => self.on_hello(words, to)?,
            ("SELECT", [number]) => match integer(number) {
                Some(0) => protocol::simple(to, "OK"),
                Some(_) => return Err("ERR DB index is out of range".to_owned()),
                None => return Err("ERR value is not an integer or out of range".to_owned()),
            },
            ("CLIENT", [what, rest @ ..]) => self.on_client(what, rest, to)?,
            ("CONFIG", [what, patterns @ ..]) if what.eq_ignore_ascii_case(b"GET") => {
                self.on_config(patterns, to);
            }
            ("COMMAND", _) => self.on_command(words, to)?,
            ("INFO", _) => protocol::bulk(to, info().as_bytes()),
            ("UNWATCH", []) => protocol::simple(to, "OK"),
            ("AUTH", _) => {
                return Err(
                    "ERR AUTH <password> called without any password configured for the default user. \
                            Are you sure your configuration is correct?"
                        .to_owned(),
                );
            }
            ("CONFIG", [_, ..]) => return Err("ERR only CONFIG GET is supported".to_owned()),
            _ => return Err(wrong_word_count(name)),
        }
        Ok(())
    }

    fn on_hello(&mut self, words: &[Bytes], to: &mut BytesMut) -> Result<(), String> {
        let (mut protocol, mut name, mut rest) = (self.protocol, self.name.clone(), words);
        if let [version, options @ ..] = rest {
            protocol = match integer(version) {
                Some(2) => Protocol::Two,
                Some(3) => Protocol::Three,
                Some(_) => return Err("NOPROTO unsupported protocol version".to_owned()),
                None => return Err("ERR Protocol version is not an integer or out of range".to_owned()),
            };
            rest = options;
        }
        while let [option, value, further @ ..] = rest {
            if !option.eq_ignore_ascii_case(b"SETNAME") {
                break;
            }
            check_name(value)?;
            name = value.clone();
            rest = further;
        }
        if let [option, ..] = rest {
            let option = String::from_utf8_lossy(option);
            return Err(format!("ERR Syntax error in HELLO option '{option}'"));
        }
        (self.protocol, self.name) = (protocol, Bytes::copy_from_slice(&name));
        protocol::map(to, protocol, 7);
        for (field, value) in [("server", "isegoria"), ("version", env!("CARGO_PKG_VERSION"))] {
            protocol::bulk(to, field.as_bytes());
            protocol::bulk(to, value.as_bytes());
        }
        let version = if protocol == Protocol::Three { 3 } else { 2 };
        for (field, number) in [("proto", version), ("id", i64::try_from(self.id).unwrap_or(i64::MAX))] {
            protocol::bulk(to, field.as_bytes());
            protocol::header(to, b':', number);
        }
        for (field, value) in [("mode", "standalone"), ("role", "master")] {
            protocol::bulk(to, field.as_bytes());
            protocol::bulk(to, value.as_bytes());
        }
        protocol::bulk(to, b"modules");
        protocol::count(to, b'*', 0);
        Ok(())
    }

    fn on_client(&mut self, what: &[u8], words: &[Bytes], to: &mut BytesMut) -> Result<(), String> {
        match (what.to_ascii_uppercase().as_slice(), words) {
            (b"ID", []) => protocol::header(to, b':', i64::try_from(self.id).unwrap_or(i64::MAX)),
            (b"GETNAME", []) if self.name.is_empty() => protocol::nil(to, self.protocol),
            (b"GETNAME", []) => protocol::bulk(to, &self.name),
            (b"SETNAME", [name]) => {
                check_name(name)?;
                self.name = Bytes::copy_from_slice(name);
                protocol::simple(to, "OK");
            }
            // What a library calls itself is heard, and not kept.
            (b"SETINFO", [_, _]) => protocol::simple(to, "OK"),
            _ => {
                let what = String::from_utf8_lossy(what);
                return Err(format!("ERR unknown subcommand or wrong number of arguments for '{what}'"));
            }
        }
        Ok(())
    }

    /// Settings that tools ask for: there is nothing but a log.
    fn on_config(&self, patterns: &[Bytes], to: &mut BytesMut) {
        const SETTINGS: [(&str, &str); 4] =
            [("save", ""), ("appendonly", "yes"), ("databases", "1"), ("maxmemory", "0")];
        let asked = |name: &str| patterns.iter().any(|pattern| pattern.eq_ignore_ascii_case(name.as_bytes()));
        let found: Vec<_> = SETTINGS.iter().filter(|(name, _)| asked(name)).collect();
        protocol::map(to, self.protocol, found.len());
        for (name, value) in found {
            protocol::bulk(to, name.as_bytes());
            protocol::bulk(to, value.as_bytes());
        }
    }

    fn on_command(&self, words: &[Bytes], to: &mut BytesMut) -> Result<(), String> {
        let names = || data_commands().chain(CONNECTION_COMMANDS);
        match words {
            [] => protocol::count(to, b'*', 0),
            [what, ..] if what.eq_ignore_ascii_case(b"DOCS") => protocol::map(to, self.protocol, 0),
            [what] if what.eq_ignore_ascii_case(b"COUNT") => {
                protocol::header(to, b':', i64::try_from(names().count()).unwrap_or(i64::MAX));
            }
            [what] if what.eq_ignore_ascii_case(b"LIST") => {
                protocol::count(to, b'*', names().count());
                names().for_each(|name| protocol::bulk(to, name.to_ascii_lowercase().as_bytes()));
            }
            _ => return Err("ERR of COMMAND, COUNT, LIST and DOCS are supported".to_owned()),
        }
        Ok(())
    }

    fn say(&self, pack: &mut Pack, what: impl FnOnce(&mut BytesMut, Protocol)) {
        let mut said = BytesMut::new();
        what(&mut said, self.protocol);
        pack.say((self.protocol, Answer::Said(said.freeze())));
    }

    fn refuse(&self, pack: &mut Pack, text: &str) {
        self.say(pack, |to, _| protocol::error(to, text));
    }

    /// Refuses a command; a transaction that it was meant for will not be executed.
    fn break_off(&mut self, pack: &mut Pack, text: &str) {
        if let Some(transaction) = &mut self.transaction {
            *transaction = Transaction { is_broken: true, ..Transaction::default() };
        }
        self.refuse(pack, text);
    }
}

/// Names are kept: short ones, of visible letters.
fn check_name(name: &[u8]) -> Result<(), String> {
    const NAME_BYTES_MAX: usize = 256;
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("ERR client names have at most {NAME_BYTES_MAX} bytes"));
    }
    match name.iter().all(u8::is_ascii_graphic) {
        true => Ok(()),
        false => Err("ERR Client names cannot contain spaces, newlines or special characters.".to_owned()),
    }
}

fn is_only(words: &[Bytes], name: &[u8]) -> bool {
    matches!(words, [word] if word.eq_ignore_ascii_case(name))
}

/// Each word with what says its length, and which command it is of.
fn weight(words: &[Bytes]) -> usize {
    words.iter().map(|word| word.len() + 8).sum()
}

fn info() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nisegoria_version:{version}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_kv::redis::Reply;

    fn take(conversation: &mut Conversation, words: Vec<Bytes>, pack: &mut Pack) {
        let weight = conversation.weight(&words);
        conversation.take(words, weight, pack);
    }

    /// Has lines said in one pack, with every command answered by its number.
    fn said(conversation: &mut Conversation, lines: &[&str]) -> String {
        let mut pack = Pack::default();
        for line in lines {
            let words = line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
            take(conversation, words, &mut pack);
        }
        let replies = (0..).take(pack.commands.len()).map(Reply::Number).collect();
        let mut to = BytesMut::new();
        pack.answer(replies, None, &mut to);
        String::from_utf8(to.to_vec()).unwrap().replace("\r\n", " ")
    }

    #[test]
    fn a_transaction_is_one_answer() {
        let mut conversation = Conversation::new(7, 1000);
        let lines = ["GET a", "MULTI", "GET b", "PING", "GET c", "EXEC", "GET d"];
        let expected = ":0 +OK +QUEUED +QUEUED +QUEUED *3 :1 +PONG :2 :3 ";
        assert_eq!(said(&mut conversation, &lines), expected);
        assert_eq!(said(&mut conversation, &["MULTI", "EXEC"]), "+OK *0 ");
        let all = said(&mut conversation, &["MULTI", "SET a b QQ", "GET b", "EXEC"]);
        assert_eq!(all, "+OK +QUEUED +QUEUED *2 -ERR syntax error :0 ");
        assert_eq!(
            said(&mut conversation, &["MULTI", "GET a", "DISCARD", "EXEC"]),
            "+OK +QUEUED +OK -ERR EXEC without MULTI "
        );
    }

    #[test]
    fn a_refused_command_breaks_its_transaction() {
        let mut conversation = Conversation::new(7, 1000);
        for line in ["GET", "FLY away", "HELLO 3", "MSET a"] {
            let all = said(&mut conversation, &["MULTI", "GET a", line, "GET b", "EXEC", "GET c"]);
            assert!(
                all.ends_with("-EXECABORT Transaction discarded because of previous errors. :0 "),
                "{all}"
            );
        }
        let long = "x".repeat(600);
        let lines = ["MULTI", &format!("APPEND a {long}"), &format!("APPEND a {long}"), "EXEC"];
        assert!(said(&mut conversation, &lines).contains("larger than this server takes -EXECABORT"));
        assert!(said(&mut conversation, &["MULTI", "MULTI", "EXEC"]).contains("can not be nested *0"));
        assert!(said(&mut conversation, &["MULTI", "EXEC x", "EXEC"]).ends_with(
            "-ERR wrong number of arguments for 'exec' command -EXECABORT Transaction discarded because of previous errors. "
        ));
        // Whatever is queued counts, and nothing is kept once it is broken.
        let many: Vec<&str> = std::iter::once("MULTI").chain(std::iter::repeat_n("PING", 500)).collect();
        said(&mut conversation, &many);
        let transaction = conversation.transaction.as_ref().expect("it is open");
        assert!(transaction.is_broken && transaction.parts.is_empty(), "{transaction:?}");
    }

    #[test]
    fn a_connection_changes_its_protocol_between_two_replies() {
        let mut conversation = Conversation::new(7, 1000);
        let all =
            said(&mut conversation, &["CLIENT GETNAME", "HELLO 3 SETNAME me", "CLIENT GETNAME", "HELLO 4"]);
        assert!(all.starts_with("$-1 %7 $6 server $8 isegoria "), "{all}");
        assert!(all.ends_with("$2 me -NOPROTO unsupported protocol version "), "{all}");
        assert!(said(&mut conversation, &["HELLO 2 AUTH a b"]).contains("AUTH"));
        assert!(said(&mut conversation, &["CONFIG GET save nothing"]).starts_with("%1 $4 save $0  "));
    }

    #[test]
    fn an_error_is_said_to_every_command() {
        let mut conversation = Conversation::new(7, 1000);
        let mut pack = Pack::default();
        for name in ["DBSIZE", "MULTI", "DBSIZE", "EXEC", "DBSIZE", "PING"] {
            take(&mut conversation, vec![Bytes::from_static(name.as_bytes())], &mut pack);
        }
        pack.fail("the end");
        assert!(pack.is_full());
        let mut to = BytesMut::new();
        pack.answer(vec![Reply::Ok], Some("ERR no"), &mut to);
        assert_eq!(&to[..], b"+OK\r\n+OK\r\n+QUEUED\r\n-ERR no\r\n-ERR no\r\n+PONG\r\n-ERR the end\r\n");
    }
}
