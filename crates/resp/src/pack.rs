use crate::protocol::{self, Protocol, encode};
use bytes::{Bytes, BytesMut};
use isegoria_kv::redis::{Command, Reply};
use std::collections::VecDeque;

/// The most commands of one request to the cluster.
const COMMAND_COUNT_MAX: usize = 1024;
/// A request to the cluster takes no further command beyond this, bytes.
const PACK_BYTES: usize = 256 * 1024;

/// Requests of one connection that are answered together: their commands go to the cluster as one.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    /// Commands on data, in order.
    pub(crate) commands: Vec<Command>,
    /// Whether they are those of a transaction.
    pub(crate) is_transaction: bool,
    /// What is said to each request.
    answers: VecDeque<(Protocol, Answer)>,
    byte_count: usize,
    /// Whether the connection ends after these.
    pub(crate) closes: bool,
}

#[derive(Debug)]
pub(crate) enum Answer {
    /// Known already.
    Said(Bytes),
    /// The reply to the next command.
    Reply,
    /// A list of such, of a transaction.
    List(Vec<Option<Bytes>>),
}

impl Pack {
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Whether a request of this weight, or one that is a transaction, is for the next one.
    pub(crate) fn leaves(&self, weight: Weight, bytes_max: usize) -> bool {
        (!self.is_empty() && self.byte_count + weight.byte_count > bytes_max)
            || (!self.commands.is_empty() && weight.is_transaction)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.closes
            || self.is_transaction
            || self.answers.len() >= COMMAND_COUNT_MAX
            || self.byte_count >= PACK_BYTES
    }

    /// Takes a request in, which adds this much; what is said to it comes with [`Pack::say`].
    pub(crate) fn adds(&mut self, weight: Weight) {
        self.byte_count += weight.byte_count;
    }

    /// What is said to the next request.
    pub(crate) fn say(&mut self, answer: (Protocol, Answer)) {
        self.answers.push_back(answer);
    }

    /// Ends the connection with an error behind everything else.
    pub(crate) fn fail(&mut self, text: &str) {
        let mut said = BytesMut::new();
        protocol::error(&mut said, &format!("ERR {text}"));
        self.say((Protocol::Two, Answer::Said(said.freeze())));
        self.closes = true;
    }

    /// Writes the answers that are known now that the next commands were replied to. With a failure, the text
    /// of an error, the others were not done.
    pub(crate) fn answer(&mut self, replies: Vec<Reply>, failure: Option<&str>, to: &mut BytesMut) {
        let mut replies = replies.into_iter();
        while let Some((protocol, answer)) = self.answers.front() {
            let wanted = match answer {
                Answer::Said(_) => 0,
                Answer::Reply => 1,
                Answer::List(parts) => parts.iter().filter(|part| part.is_none()).count(),
            };
            match (answer, failure) {
                (Answer::Said(bytes), _) => to.extend_from_slice(bytes),
                (_, Some(text)) if replies.len() < wanted => protocol::error(to, text),
                (_, None) if replies.len() < wanted => return,
                (Answer::Reply, _) => {
                    replies.by_ref().take(1).for_each(|reply| encode(&reply, *protocol, to));
                }
                (Answer::List(parts), _) => {
                    protocol::count(to, b'*', parts.len());
                    for part in parts {
                        match part {
                            Some(bytes) => to.extend_from_slice(bytes),
                            None => replies.by_ref().take(1).for_each(|reply| encode(&reply, *protocol, to)),
                        }
                    }
                }
            }
            self.answers.pop_front();
        }
    }
}

/// What a request adds to what goes to the cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    /// A little more than it takes there.
    pub(crate) byte_count: usize,
    /// Whether it is a transaction, which goes alone.
    pub(crate) is_transaction: bool,
}
