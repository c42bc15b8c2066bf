use super::{End, homes};
use crate::BenchError;
use crate::generator::PutEncoder;
use crate::load::LoadPlan;
use crate::operation::{Operation, name};
use crate::reference::etcd_calls::{Caller, Put, Range, Txn, TxnStep};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use isegoria_client::SubmitError;
use tonic::{Code, Status};

/// Members of etcd: calls of all clients of a site share one HTTP/2 connection.
pub(in crate::load) struct Etcd {
    callers: Vec<Caller>,
    /// Which caller each client has.
    homes: Vec<usize>,
    value: Bytes,
    calls: FuturesUnordered<BoxFuture<'static, (usize, Result<(), Status>)>>,
}

impl Etcd {
    pub(super) async fn connect(plan: &LoadPlan) -> Result<Etcd, BenchError> {
        let mut callers = Vec::new();
        for seats in &plan.seats {
            callers.push(Caller::connect(&seats.endpoint).await.map_err(BenchError::Load)?);
        }
        let value = PutEncoder::new(plan.payload_bytes, plan.seed).value();
        Ok(Etcd { callers, homes: homes(plan), value, calls: FuturesUnordered::new() })
    }

    pub(super) fn submit(&mut self, client: usize, operation: &Operation) {
        let mut caller = self.callers[self.homes[client]].clone();
        let put = |key: u64| Put { key: name(key), value: self.value.clone() };
        let range = |key: u64, end: Option<u64>| Range {
            key: name(key),
            range_end: end.map(name).unwrap_or_default(),
        };
        let call = match operation {
            Operation::Put(key) => {
                let put = put(*key);
                async move { (client, caller.put(put).await) }.boxed()
            }
            Operation::Get(key) | Operation::ReadModifyWrite(key) => {
                let range = range(*key, None);
                async move { (client, caller.range(range).await) }.boxed()
            }
            Operation::Scan(keys) => {
                let range = range(keys.start, Some(keys.end));
                async move { (client, caller.range(range).await) }.boxed()
            }
            Operation::PutAll(keys) => {
                let success = keys.clone().map(|key| TxnStep { request_put: Some(put(key)) }).collect();
                async move { (client, caller.txn(Txn { success }).await) }.boxed()
            }
        };
        self.calls.push(call);
    }

    pub(super) async fn ends(&mut self) -> Result<Vec<End>, BenchError> {
        let mut ends = Vec::new();
        let first = match self.calls.next().await {
            Some(first) => first,
            // Nothing is in flight.
            None => std::future::pending().await,
        };
        let mut next = Some(first);
        while let Some((client, result)) = next {
            let result = match result {
                Ok(()) => Ok(Bytes::new()),
                Err(status) => Err(passing(&status)
                    .ok_or_else(|| BenchError::Load(format!("etcd answered: {}", status.message())))?),
            };
            ends.push(End { client, result });
            next = self.calls.next().now_or_never().flatten();
        }
        Ok(ends)
    }
}

/// What an error of etcd that may pass is among ours, though whether the command was executed is not told.
fn passing(status: &Status) -> Option<SubmitError> {
    match status.code() {
        // Both have one code.
        Code::ResourceExhausted if status.message().contains("space exceeded") => Some(SubmitError::NoSpace),
        Code::ResourceExhausted => Some(SubmitError::Overloaded),
        Code::Unavailable | Code::DeadlineExceeded => Some(SubmitError::Unavailable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_counted_and_what_may_not_ends_the_load() {
        let found = |code, text| passing(&Status::new(code, text));
        let full = "etcdserver: mvcc: database space exceeded";
        assert_eq!(found(Code::ResourceExhausted, full), Some(SubmitError::NoSpace));
        let busy = "etcdserver: too many requests";
        assert_eq!(found(Code::ResourceExhausted, busy), Some(SubmitError::Overloaded));
        assert_eq!(found(Code::Unavailable, "etcdserver: leader changed"), Some(SubmitError::Unavailable));
        assert_eq!(found(Code::InvalidArgument, "etcdserver: key is not provided"), None);
    }
}
