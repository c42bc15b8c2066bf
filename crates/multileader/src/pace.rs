//! Options in ms, and what they are in ticks of a node.

use isegoria_node::ConfigError;
use isegoria_types::Layout;

/// Checks that every node has every role.
///
/// # Errors
/// If not, with the cure.
pub fn check_co_located(layout: &Layout) -> Result<(), ConfigError> {
    let roles = [layout.leaders, layout.dependency, layout.acceptors, layout.replicas];
    if roles.iter().all(|holders| *holders == layout.nodes()) {
        return Ok(());
    }
    Err(ConfigError("roles: every node needs all of them here; leave `roles` out".to_owned()))
}

/// Checks the options that all these protocols have: times, each by its name, in ms,
/// and how much may be undecided at once.
///
/// # Errors
/// The first one out of range, with the cure.
pub fn check(
    tick_ms: u32,
    times: &[(&str, u32)],
    (in_flight_max, in_flight_bytes_max): (usize, usize),
) -> Result<(), ConfigError> {
    let refuse = |sentence: String| Err(ConfigError(sentence));
    if tick_ms == 0 || tick_ms > 1000 {
        return refuse(format!("tick_ms = {tick_ms}: must be between 1 and 1000"));
    }
    if let Some((name, value)) = times.iter().find(|(_, value)| *value < tick_ms) {
        return refuse(format!("{name} = {value}: must be at least tick_ms = {tick_ms}"));
    }
    if in_flight_max == 0 {
        return refuse("in_flight_max = 0: must be at least 1".into());
    }
    if in_flight_bytes_max == 0 {
        return refuse("in_flight_bytes_max = 0: must be at least 1 byte".into());
    }
    Ok(())
}

/// A time in ticks, at least one.
#[must_use]
pub fn ticks(tick_ms: u32, ms: u32) -> u64 {
    u64::from(ms.div_ceil(tick_ms)).max(1)
}
