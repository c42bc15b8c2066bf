//! What clients ask: our nodes, or a system that others made.

mod etcd;
mod nodes;
mod redis;

use super::LoadPlan;
use crate::BenchError;
use crate::operation::Operation;
use crate::reference::Reference;
use bytes::Bytes;
use etcd::Etcd;
use isegoria_client::SubmitError;
use isegoria_transport::LatenessSummary;
use nodes::Nodes;
use redis::Redis;

/// What the clients of a process ask, over one connection a node: to our own nodes, once they are needed.
///
/// Invariant: a client that submitted gets one end. Not done here: clients do not go elsewhere when a reference's
/// member is gone, as they do with our nodes.
pub(super) enum Service {
    Nodes(Box<Nodes>),
    Redis(Redis),
    Etcd(Etcd),
}

/// A command that ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// The number of the client in this process.
    pub(crate) client: usize,
    /// The output, which of a reference is empty, or why there is none.
    pub(crate) result: Result<Bytes, SubmitError>,
}

impl Service {
    /// Connects all clients of the plan. Nodes of ours are not far away yet; the links of references are as long as
    /// they will be from the beginning.
    pub(super) async fn connect(plan: &LoadPlan) -> Result<Service, BenchError> {
        Ok(match plan.reference {
            None => Service::Nodes(Box::new(Nodes::connect(plan).await?)),
            Some(_) if plan.history.is_some() => {
                return Err(BenchError::Usage("only what our own nodes answer is recorded".to_owned()));
            }
            Some(Reference::Redis) => Service::Redis(Redis::connect(plan).await?),
            Some(Reference::Etcd) => Service::Etcd(Etcd::connect(plan).await?),
        })
    }

    /// Makes clients as far from nodes as the plan says. What links references is held back elsewhere.
    pub(super) fn emulate(&mut self, plan: &LoadPlan) {
        if let (Service::Nodes(nodes), Some(geo)) = (self, &plan.geo) {
            nodes.emulate(geo);
        }
    }

    /// How late what was held back was let go, if anything is held back here.
    pub(super) fn lateness(&self) -> Option<LatenessSummary> {
        match self {
            Service::Nodes(nodes) => nodes.lateness(),
            Service::Redis(_) | Service::Etcd(_) => None,
        }
    }

    /// Issues a client's operation; it leaves with the next [`Service::ends`].
    pub(super) async fn submit(&mut self, client: usize, operation: &Operation) -> Result<(), BenchError> {
        match self {
            Service::Nodes(nodes) => nodes.submit(client, operation).await,
            Service::Redis(redis) => {
                redis.submit(client, operation);
                Ok(())
            }
            Service::Etcd(etcd) => {
                etcd.submit(client, operation);
                Ok(())
            }
        }
    }

    /// As [`Service::submit`], a command that our own nodes understand.
    pub(super) async fn submit_encoded(&mut self, client: usize, command: Bytes) -> Result<(), BenchError> {
        match self {
            Service::Nodes(nodes) => nodes.submit_encoded(client, command).await,
            Service::Redis(_) | Service::Etcd(_) => {
                Err(BenchError::Load("a reference records nothing".to_owned()))
            }
        }
    }

    /// Sends what was issued, then waits until something ended. Dropping the future loses nothing.
    pub(super) async fn ends(&mut self) -> Result<Vec<End>, BenchError> {
        match self {
            Service::Nodes(nodes) => Ok(nodes.ends().await),
            Service::Redis(redis) => redis.ends().await,
            Service::Etcd(etcd) => etcd.ends().await,
        }
    }
}

/// Which of the plan's seats each client of this process has.
pub(super) fn homes(plan: &LoadPlan) -> Vec<usize> {
    let seats = plan.seats.iter().enumerate();
    seats.flat_map(|(home, seats)| std::iter::repeat_n(home, seats.clients)).collect()
}
