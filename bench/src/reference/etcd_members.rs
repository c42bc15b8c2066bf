//! How members of etcd are started, and n1 made their leader.

use super::etcd_calls::{Caller, Standing};
use isegoria::{Endpoint, GeoConfig};
use std::path::Path;

/// The quota of the store, bytes: as much as etcd takes. A load must not end for want of room.
const QUOTA_BYTES: u64 = 8 << 30;
/// etcd's own interval of heartbeats, ms. Its manual ("Tuning") asks for about the longest round trip, and for
/// ten times as much until an election.
const HEARTBEAT_MS: f64 = 100.0;

/// Where a member is reached.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) name: String,
    /// Where it listens to others.
    pub(super) peer: Endpoint,
    /// Where others believe that it listens.
    pub(super) advertised: Endpoint,
    pub(super) client: Endpoint,
}

/// The arguments of member `index`.
pub(super) fn arguments(
    members: &[Address],
    index: usize,
    dir: &Path,
    geo: Option<&GeoConfig>,
) -> Vec<String> {
    let own = &members[index];
    let url = |endpoint: &Endpoint| format!("http://{endpoint}");
    let everybody: Vec<String> =
        members.iter().map(|member| format!("{}={}", member.name, url(&member.advertised))).collect();
    let heartbeat_ms = heartbeat_ms(geo);
    let settings = [
        ("name", own.name.clone()),
        ("data-dir", dir.display().to_string()),
        ("listen-peer-urls", url(&own.peer)),
        ("initial-advertise-peer-urls", url(&own.advertised)),
        ("listen-client-urls", url(&own.client)),
        ("advertise-client-urls", url(&own.client)),
        ("initial-cluster", everybody.join(",")),
        ("initial-cluster-state", "new".to_owned()),
        ("quota-backend-bytes", QUOTA_BYTES.to_string()),
        ("heartbeat-interval", format!("{heartbeat_ms:.0}")),
        ("election-timeout", format!("{:.0}", 10.0 * heartbeat_ms)),
        ("logger", "zap".to_owned()),
        ("log-level", "warn".to_owned()),
    ];
    settings.into_iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

fn heartbeat_ms(geo: Option<&GeoConfig>) -> f64 {
    let sites = geo.map_or(0, |geo| geo.sites.len());
    let pairs = (0..sites).flat_map(|from| (0..sites).map(move |to| (from, to)));
    let round_trips = pairs.filter_map(|(from, to)| Some(geo?.round_trip_ms(from, to)));
    round_trips.fold(HEARTBEAT_MS, f64::max)
}

/// Whether all members answer, and follow the first of them; if they follow another one, asks that one to
/// hand over.
pub(super) async fn is_ready(clients: &[Endpoint]) -> bool {
    let Some(mut members) = members(clients).await else { return false };
    let standings: Vec<Standing> = members.iter().map(|(_, standing)| *standing).collect();
    match handover(&standings) {
        Some(Handover::Done) => true,
        Some(Handover::From(leader)) => {
            // If that fails, whoever asks whether all are ready asks again.
            let _ = members[leader].0.move_leader(standings[0].member).await;
            false
        }
        None => false,
    }
}

/// Whether all members answer, and follow the first of them.
pub(super) async fn is_led_by_first(clients: &[Endpoint]) -> bool {
    let Some(members) = members(clients).await else { return false };
    let standings: Vec<Standing> = members.into_iter().map(|(_, standing)| standing).collect();
    handover(&standings) == Some(Handover::Done)
}

/// What all members say; none if one does not answer.
async fn members(clients: &[Endpoint]) -> Option<Vec<(Caller, Standing)>> {
    let mut members = Vec::new();
    for client in clients {
        let mut caller = Caller::connect(client).await.ok()?;
        let standing = caller.standing().await.ok()?;
        members.push((caller, standing));
    }
    Some(members)
}

/// What is left to be done until the first leads.
#[derive(Debug, PartialEq, Eq)]
enum Handover {
    Done,
    /// This one leads.
    From(usize),
}

/// None while members do not agree on a leader.
fn handover(standings: &[Standing]) -> Option<Handover> {
    let leader = standings.first()?.leader;
    if standings.iter().any(|standing| standing.leader != leader) {
        return None;
    }
    let index = standings.iter().position(|standing| standing.member == leader)?;
    Some(if index == 0 { Handover::Done } else { Handover::From(index) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_asked_once_all_agree_who_it_is() {
        let of = |leaders: [u64; 3]| {
            let standing = |(member, leader)| Standing { member, leader };
            handover(&[7, 8, 9].into_iter().zip(leaders).map(standing).collect::<Vec<_>>())
        };
        assert_eq!(of([7, 7, 7]), Some(Handover::Done));
        assert_eq!(of([9, 9, 9]), Some(Handover::From(2)));
        assert_eq!(of([9, 9, 8]), None);
        assert_eq!(of([0, 0, 0]), None, "nobody leads yet");
        assert_eq!(handover(&[]), None);
    }
}
