use super::{End, homes};
use crate::BenchError;
use crate::load::LoadPlan;
use crate::operation::{Operation, OperationEncoder};
use bytes::Bytes;
use isegoria::{Endpoint, GeoConfig};
use isegoria_client::{ClientOptions, Pool, SessionIndex};
use isegoria_transport::LatenessSummary;

/// Our own nodes: a session a client.
pub(in crate::load) struct Nodes {
    pool: Pool,
    encoder: OperationEncoder,
}

impl Nodes {
    pub(super) async fn connect(plan: &LoadPlan) -> Result<Nodes, BenchError> {
        let endpoints: Vec<Endpoint> = plan.seats.iter().map(|seats| seats.endpoint.clone()).collect();
        let mut pool = Pool::connect(&endpoints, ClientOptions::default())
            .await
            .map_err(|error| BenchError::Load(error.to_string()))?;
        for (client, home) in homes(plan).into_iter().enumerate() {
            let session = pool.add_session(plan.seats[home].node);
            assert_eq!(session, SessionIndex(client), "sessions are numbered as clients are");
        }
        Ok(Nodes { pool, encoder: OperationEncoder::new(plan.payload_bytes, plan.seed) })
    }

    pub(super) fn emulate(&mut self, geo: &GeoConfig) {
        self.pool.emulate((0..geo.sites.len()).map(|site| geo.distances(site)).collect());
    }

    pub(super) fn lateness(&self) -> Option<LatenessSummary> {
        self.pool.lateness()
    }

    pub(super) async fn submit(&mut self, client: usize, operation: &Operation) -> Result<(), BenchError> {
        let command = self.encoder.encode(operation);
        self.submit_encoded(client, command).await
    }

    pub(super) async fn submit_encoded(&mut self, client: usize, command: Bytes) -> Result<(), BenchError> {
        let session = SessionIndex(client);
        if self.pool.is_expired(session) {
            let renewed = self.pool.renew(session).await;
            renewed.map_err(|error| BenchError::Load(format!("a session expired, and: {error}")))?;
        }
        self.pool.submit(session, command).map_err(|error| BenchError::Load(error.to_string()))?;
        Ok(())
    }

    pub(super) async fn ends(&mut self) -> Vec<End> {
        let completed = self.pool.completions().await;
        completed.into_iter().map(|one| End { client: one.session.0, result: one.result }).collect()
    }
}
