use crate::BenchError;
use crate::operation::OperationEncoder;
use isegoria_client::{Pool, SessionIndex};
use std::ops::Range;

/// The most keys that one command writes.
const KEYS_MAX: u64 = 64;
/// The most bytes of values that one command carries.
const BYTES_MAX: usize = 64 << 10;

/// Writes all keys of a range, by all sessions at once, and waits until that is done: what a
/// workload reads has to be there.
pub(crate) async fn run(
    pool: &mut Pool,
    sessions: &[SessionIndex],
    encoder: &mut OperationEncoder,
    keys: Range<u64>,
) -> Result<(), BenchError> {
    let failed =
        |error: &dyn std::fmt::Display| BenchError::Load(format!("writing the keys to read: {error}"));
    let step = KEYS_MAX.min((BYTES_MAX / encoder.payload_bytes().max(1)) as u64).max(1);
    let mut starts = keys.clone().step_by(usize::try_from(step).unwrap_or(1));
    let mut chunk = || starts.next().map(|start| start..keys.end.min(start + step));
    let mut outstanding = 0;
    for session in sessions {
        let Some(keys) = chunk() else { break };
        pool.submit(*session, encoder.put_all(keys)).map_err(|error| failed(&error))?;
        outstanding += 1;
    }
    while outstanding > 0 {
        for end in pool.completions().await {
            outstanding -= 1;
            end.result.map_err(|error| failed(&error))?;
            if let Some(keys) = chunk() {
                pool.submit(end.session, encoder.put_all(keys)).map_err(|error| failed(&error))?;
                outstanding += 1;
            }
        }
    }
    Ok(())
}
