//! What this program asks of etcd over gRPC: the messages of `etcdserverpb` (etcd 3.4,
//! `rpc.proto`), with the fields that are used here.

use bytes::Bytes;
use isegoria::Endpoint;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

/// `PutRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Put {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

/// `RangeRequest`, linearizable: one key, or those up to an end that is not among them.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Range {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) range_end: Bytes,
}

/// `TxnRequest`, without conditions.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Txn {
    #[prost(message, repeated, tag = "2")]
    pub(crate) success: Vec<TxnStep>,
}

/// `RequestOp`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TxnStep {
    #[prost(message, optional, tag = "2")]
    pub(crate) request_put: Option<Put>,
}

/// An answer of which nothing is looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct Ignored {}

/// `StatusRequest`
#[derive(Clone, PartialEq, prost::Message)]
struct StatusAsked {}

/// `ResponseHeader`
#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(uint64, tag = "2")]
    member_id: u64,
}

/// `StatusResponse`
#[derive(Clone, PartialEq, prost::Message)]
struct StatusTold {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(uint64, tag = "4")]
    leader: u64,
}

/// `MoveLeaderRequest`
#[derive(Clone, PartialEq, prost::Message)]
struct MoveLeader {
    #[prost(uint64, tag = "1")]
    target_id: u64,
}

/// Who a member is, and whom it takes for the leader: 0, if nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) member: u64,
    pub(super) leader: u64,
}

/// A connection to a member. Clones share it.
#[derive(Clone)]
pub(crate) struct Caller(Grpc<Channel>);

impl Caller {
    /// # Errors
    /// If nobody answers there.
    pub(crate) async fn connect(endpoint: &Endpoint) -> Result<Caller, String> {
        let refuse = |error: tonic::transport::Error| format!("etcd at {endpoint}: {error}");
        let address =
            tonic::transport::Endpoint::from_shared(format!("http://{endpoint}")).map_err(refuse)?;
        let channel = address.tcp_nodelay(true).connect().await.map_err(refuse)?;
        // A scan may be longer than what a client takes unless it is told.
        Ok(Caller(Grpc::new(channel).max_decoding_message_size(usize::MAX)))
    }

    pub(crate) async fn put(&mut self, put: Put) -> Result<(), Status> {
        self.call::<_, Ignored>(put, "/etcdserverpb.KV/Put").await.map(drop)
    }

    pub(crate) async fn range(&mut self, range: Range) -> Result<(), Status> {
        self.call::<_, Ignored>(range, "/etcdserverpb.KV/Range").await.map(drop)
    }

    pub(crate) async fn txn(&mut self, txn: Txn) -> Result<(), Status> {
        self.call::<_, Ignored>(txn, "/etcdserverpb.KV/Txn").await.map(drop)
    }

    pub(super) async fn standing(&mut self) -> Result<Standing, Status> {
        let told: StatusTold = self.call(StatusAsked {}, "/etcdserverpb.Maintenance/Status").await?;
        Ok(Standing { member: told.header.unwrap_or_default().member_id, leader: told.leader })
    }

    /// Has the leader, whom this must reach, make another member the leader.
    pub(super) async fn move_leader(&mut self, to: u64) -> Result<(), Status> {
        let asked = MoveLeader { target_id: to };
        self.call::<_, Ignored>(asked, "/etcdserverpb.Maintenance/MoveLeader").await.map(drop)
    }

    async fn call<Q, A>(&mut self, asked: Q, path: &'static str) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let unready = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        self.0.ready().await.map_err(unready)?;
        let codec = ProstCodec::<Q, A>::default();
        let answer = self.0.unary(tonic::Request::new(asked), PathAndQuery::from_static(path), codec).await?;
        Ok(answer.into_inner())
    }
}
