use crate::jitter::Jitter;
use crate::pending::{After, LastRefusal, Pending, Slot};
use crate::{Completion, Options, Outbox, SubmitError, Targets};
use bytes::Bytes;
use isegoria_types::{ClientId, NodeId, Outcome, Refusal, Reply, Request, RequestId};
use std::collections::VecDeque;

/// Redirects that are followed at once; later ones wait like any retry, so that two
/// nodes that name each other do not make a storm.
const REDIRECTS_AT_ONCE_MAX: u8 = 3;

/// One session: a pure machine, driven by submissions, replies and the time.
#[derive(Clone, Debug)]
pub struct Session {
    client: ClientId,
    generation: u32,
    options: Options,
    targets: Targets,
    state: State,
    /// The lowest number without a completion: the number of `slots[0]`.
    base: u64,
    slots: VecDeque<Slot>,
    pending_count: usize,
    /// No retry or deadline is due before this time, ms.
    due_at: u64,
    jitter: Jitter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Expired,
}

impl Session {
    /// A session that opens with its first request. `client` must be drawn at random.
    #[must_use]
    pub fn new(client: ClientId, generation: u32, targets: Targets, options: Options) -> Session {
        Session {
            client,
            generation,
            options: Options { in_flight_max: options.in_flight_max.max(1), ..options },
            targets,
            state: State::Open,
            base: 0,
            slots: VecDeque::new(),
            pending_count: 0,
            due_at: u64::MAX,
            jitter: Jitter::new(client.0),
        }
    }

    /// The session's id.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Which nodes it asks.
    #[must_use]
    pub fn targets(&self) -> Targets {
        self.targets
    }

    /// Asks `node` from now on, if it may be asked: it is near, or back again.
    pub fn prefer(&mut self, node: NodeId) {
        self.targets.choose(node);
    }

    /// Requests without a completion.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.pending_count
    }

    /// How many further requests would be taken now; what ended above one that did
    /// not still counts.
    #[must_use]
    pub fn room(&self) -> usize {
        match self.state {
            State::Open => self.options.in_flight_max.saturating_sub(self.slots.len()),
            State::Expired => 0,
        }
    }

    /// Whether the cluster forgot this session: it takes no request any more.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.state == State::Expired
    }

    /// When [`Session::on_time`] has something to do, ms; perhaps a little early.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        (self.pending_count > 0).then_some(self.due_at)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// If the session is expired, or has as many requests in flight as it may.
    pub fn submit(
        &mut self,
        payload: Bytes,
        now_ms: u64,
        out: &mut Outbox,
    ) -> Result<RequestId, SubmitError> {
        if self.is_expired() {
            return Err(SubmitError::SessionExpired);
        }
        if self.room() == 0 {
            return Err(SubmitError::Overloaded);
        }
        let number = self.base + self.slots.len() as u64;
        let mut pending = Pending {
            payload,
            asked: self.targets.current(),
            send_count: 0,
            refused_count: 0,
            redirect_count: 0,
            last_refusal: LastRefusal::Unavailable,
            retry_at: 0,
            deadline_at: now_ms.saturating_add(self.options.deadline_ms),
        };
        out.sends.push(self.sending(number, &mut pending, now_ms));
        self.slots.push_back(Slot::Pending(pending));
        self.pending_count += 1;
        Ok(RequestId { client: self.client, number })
    }

    /// Takes an answer. One that comes twice, or too late, is ignored.
    pub fn on_reply(&mut self, reply: Reply, now_ms: u64, out: &mut Outbox) {
        let number = reply.request.number;
        if reply.request.client != self.client || self.pending(number).is_none() {
            return;
        }
        match reply.outcome {
            Outcome::Done(output) => self.complete(number, Ok(output), out),
            // We never say that we have an answer before we have it: a confused node. It was executed.
            Outcome::AlreadyAcknowledged => {
                let request = reply.request;
                self.complete(number, Err(SubmitError::Unknown(request)), out);
            }
            Outcome::Refused(Refusal::SessionExpired) => self.expire(number, out),
            Outcome::Refused(refusal) => match self.on_refusal(number, refusal, now_ms) {
                After::Wait => {}
                After::RetryAtOnce => self.retry(number, now_ms, out),
                After::End(error) => self.complete_refused(number, error, out),
            },
        }
    }

    /// The connection to `node` is gone: what it was asked is asked elsewhere, at once.
    pub fn on_node_down(&mut self, node: NodeId, now_ms: u64, out: &mut Outbox) {
        self.targets.leave(node);
        for slot in &mut self.slots {
            if let Slot::Pending(pending) = slot
                && pending.asked == node
                && self.targets.current() != node
            {
                pending.retry_at = now_ms;
                self.due_at = now_ms;
            }
        }
        self.on_time(now_ms, out);
    }

    /// Sends again what waited too long, and ends what is past its deadline.
    pub fn on_time(&mut self, now_ms: u64, out: &mut Outbox) {
        if self.due_at > now_ms {
            return;
        }
        let end = self.base + self.slots.len() as u64;
        for number in self.base..end {
            let Some(pending) = self.pending(number) else { continue };
            if pending.deadline_at <= now_ms {
                let error = self.verdict(number, pending);
                self.complete(number, Err(error), out);
            } else if pending.retry_at <= now_ms {
                self.retry(number, now_ms, out);
            }
        }
        let due = self.slots.iter().filter_map(|slot| match slot {
            Slot::Pending(pending) => Some(pending.due_at()),
            Slot::Completed => None,
        });
        self.due_at = due.min().unwrap_or(u64::MAX);
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.base)?).ok()
    }

    fn pending(&self, number: u64) -> Option<&Pending> {
        match self.slots.get(self.index(number)?)? {
            Slot::Pending(pending) => Some(pending),
            Slot::Completed => None,
        }
    }

    /// What the deadline means for a request: unknown, unless every send was refused.
    fn verdict(&self, number: u64, pending: &Pending) -> SubmitError {
        if pending.may_be_executed() {
            return SubmitError::Unknown(RequestId { client: self.client, number });
        }
        match pending.last_refusal {
            LastRefusal::Overloaded => SubmitError::Overloaded,
            LastRefusal::Unavailable => SubmitError::Unavailable,
            LastRefusal::NoSpace => SubmitError::NoSpace,
        }
    }

    fn on_refusal(&mut self, number: u64, refusal: Refusal, now_ms: u64) -> After {
        match refusal {
            Refusal::TooLarge { size, limit } => After::End(SubmitError::TooLarge { size, limit }),
            Refusal::Undecodable => After::End(SubmitError::Undecodable),
            Refusal::NotLeader { leader } => {
                self.defer(number, LastRefusal::Unavailable, now_ms);
                if self.redirect(number, leader) { After::RetryAtOnce } else { After::Wait }
            }
            Refusal::Overloaded => {
                self.defer(number, LastRefusal::Overloaded, now_ms);
                After::Wait
            }
            Refusal::NoSpace => {
                self.defer(number, LastRefusal::NoSpace, now_ms);
                self.leave_asked(number);
                After::Wait
            }
            Refusal::Unavailable | Refusal::SessionExpired => {
                self.defer(number, LastRefusal::Unavailable, now_ms);
                self.leave_asked(number);
                After::Wait
            }
        }
    }

    /// A refusal that every node would give; certain only if no earlier send was taken.
    fn complete_refused(&mut self, number: u64, error: SubmitError, out: &mut Outbox) {
        let earlier =
            self.pending(number).is_some_and(|pending| pending.send_count > pending.refused_count + 1);
        let unknown = SubmitError::Unknown(RequestId { client: self.client, number });
        self.complete(number, Err(if earlier { unknown } else { error }), out);
    }

    /// Counts a refusal and plans the next attempt after a pause.
    fn defer(&mut self, number: u64, why: LastRefusal, now_ms: u64) {
        let Some(index) = self.index(number) else { return };
        let Some(Slot::Pending(pending)) = self.slots.get_mut(index) else { return };
        pending.refused_count = (pending.refused_count + 1).min(pending.send_count);
        pending.last_refusal = why;
        let doubled = self.options.refused_ms << pending.refused_count.min(16);
        let pause = self.jitter.shorten(doubled.min(self.options.retry_ms_max));
        pending.retry_at = now_ms.saturating_add(pause);
        self.due_at = self.due_at.min(pending.due_at());
    }

    /// Turns to the leader; says whether to ask it at once.
    fn redirect(&mut self, number: u64, leader: Option<NodeId>) -> bool {
        let Some(index) = self.index(number) else { return false };
        let Some(Slot::Pending(pending)) = self.slots.get_mut(index) else { return false };
        pending.redirect_count = pending.redirect_count.saturating_add(1);
        let (asked, at_once) = (pending.asked, pending.redirect_count <= REDIRECTS_AT_ONCE_MAX);
        match leader {
            Some(leader) if leader != asked && self.targets.choose(leader) => at_once,
            _ => {
                self.targets.leave(asked);
                false
            }
        }
    }

    fn leave_asked(&mut self, number: u64) {
        if let Some(asked) = self.pending(number).map(|pending| pending.asked) {
            self.targets.leave(asked);
        }
    }

    /// Sends a pending request again; to another node, if the one it was sent to owes an answer.
    fn retry(&mut self, number: u64, now_ms: u64, out: &mut Outbox) {
        let Some(index) = self.index(number) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Slot::Pending(mut pending) = std::mem::replace(slot, Slot::Completed) else { return };
        if pending.may_be_executed() {
            self.targets.leave(pending.asked);
        }
        out.sends.push(self.sending(number, &mut pending, now_ms));
        self.slots[index] = Slot::Pending(pending);
    }

    /// The next send of a request, and when to give up waiting for its answer.
    fn sending(&mut self, number: u64, pending: &mut Pending, now_ms: u64) -> (NodeId, Request) {
        pending.asked = self.targets.current();
        let doubled = self.options.retry_ms << pending.send_count.min(16);
        let wait = self.jitter.shorten(doubled.min(self.options.retry_ms_max));
        pending.send_count += 1;
        pending.retry_at = now_ms.saturating_add(wait);
        self.due_at = self.due_at.min(pending.due_at());
        let request = Request {
            id: RequestId { client: self.client, number },
            acked_below: self.base,
            generation: self.generation,
            patience_ms: pending.deadline_at.saturating_sub(now_ms),
            payload: pending.payload.clone(),
        };
        (pending.asked, request)
    }

    fn complete(&mut self, number: u64, result: Result<Bytes, SubmitError>, out: &mut Outbox) {
        let Some(index) = self.index(number) else { return };
        let slot = &mut self.slots[index];
        assert!(matches!(slot, Slot::Pending(_)), "request {number} of {:?} completes twice", self.client);
        *slot = Slot::Completed;
        self.pending_count -= 1;
        while let Some(Slot::Completed) = self.slots.front() {
            self.slots.pop_front();
            self.base += 1;
        }
        let request = RequestId { client: self.client, number };
        out.completions.push(Completion { request, result });
    }

    /// The cluster forgot the session. The request that was told so did nothing, if it
    /// was sent only once; the others, and one that was sent before, may have been executed.
    fn expire(&mut self, refused: u64, out: &mut Outbox) {
        self.state = State::Expired;
        let end = self.base + self.slots.len() as u64;
        for number in self.base..end {
            let Some(pending) = self.pending(number) else { continue };
            let sure = number == refused && pending.send_count == pending.refused_count + 1;
            let unknown = SubmitError::Unknown(RequestId { client: self.client, number });
            let error = if sure { SubmitError::SessionExpired } else { unknown };
            self.complete(number, Err(error), out);
        }
    }
}
