use crate::conversation::Conversation;
use crate::pack::Pack;
use crate::parser::Parser;
use bytes::{Bytes, BytesMut};

/// From the bytes of a connection to what goes to the cluster together.
#[derive(Debug)]
pub(crate) struct Intake {
    request_bytes_max: usize,
    parser: Parser,
    conversation: Conversation,
    /// A request that was read and had no room.
    waiting: Option<Vec<Bytes>>,
}

impl Intake {
    pub(crate) fn new(id: u64, request_bytes_max: usize) -> Intake {
        Intake {
            request_bytes_max,
            parser: Parser::new(request_bytes_max),
            conversation: Conversation::new(id, request_bytes_max),
            waiting: None,
        }
    }

    /// What has come, as far as one request to the cluster takes it.
    pub(crate) fn next_pack(&mut self, read: &mut BytesMut) -> Pack {
        let mut pack = Pack::default();
        while !pack.is_full() {
            let words = match self.waiting.take() {
                Some(words) => words,
                None => match self.parser.next(read) {
                    Ok(Some(words)) => words,
                    Ok(None) => break,
                    Err(error) => {
                        pack.fail(&error.to_string());
                        break;
                    }
                },
            };
            let weight = self.conversation.weight(&words);
            if pack.leaves(weight, self.request_bytes_max) {
                self.waiting = Some(words);
                break;
            }
            self.conversation.take(words, weight, &mut pack);
        }
        pack
    }

    /// Whether a request has begun and is not all there.
    pub(crate) fn is_within(&self, read: &BytesMut) -> bool {
        self.parser.is_within(read)
    }
}
