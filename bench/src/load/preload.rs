use super::LoadPlan;
use super::service::Service;
use crate::BenchError;
use crate::operation::Operation;

/// The most keys that one command writes.
const KEYS_MAX: u64 = 64;
/// The most bytes of values that one command carries.
const BYTES_MAX: usize = 64 << 10;

/// Writes all keys that the plan names, by all clients at once, and waits until that is done: what a
/// workload reads has to be there.
pub(super) async fn run(
    service: &mut Service,
    client_count: usize,
    plan: &LoadPlan,
) -> Result<(), BenchError> {
    let keys = plan.preload.clone();
    let step = KEYS_MAX.min((BYTES_MAX / plan.payload_bytes.max(1)) as u64).max(1);
    let mut starts = keys.clone().step_by(usize::try_from(step).unwrap_or(1));
    let mut chunk = || starts.next().map(|start| Operation::PutAll(start..keys.end.min(start + step)));
    let mut outstanding = 0;
    for client in 0..client_count {
        let Some(operation) = chunk() else { break };
        service.submit(client, &operation).await?;
        outstanding += 1;
    }
    while outstanding > 0 {
        for end in service.ends().await? {
            outstanding -= 1;
            end.result.map_err(|error| BenchError::Load(format!("writing the keys to read: {error}")))?;
            if let Some(operation) = chunk() {
                service.submit(end.client, &operation).await?;
                outstanding += 1;
            }
        }
    }
    Ok(())
}
