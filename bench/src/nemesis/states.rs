use super::drill::all_answer;
use super::finding::{Finding, Trouble};
use super::report::Verdict;
use super::stage::Stage;
use isegoria::{Durability, Stats};
use isegoria_check::properties::Digest;
use isegoria_types::NodeId;

/// How often nodes are started again because some had executed less than others.
const TRIES: usize = 10;

/// What a comparison of replicas that stopped says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Comparison {
    /// All have this state; nothing, if none told its own.
    Same(Option<String>),
    /// Their states differ, and so does what they have executed.
    Apart,
    /// Two executed the same and have different states.
    Broken(String),
}

/// Compares the states that all replicas came to: what all stopped nodes said of themselves,
/// and if some had not yet executed all, what they say after they were started once more and
/// answered. Returns the state's hash, if they could be compared.
///
/// # Errors
/// If replicas that have executed the same differ, or do not come to execute the same.
pub(crate) async fn compare_all(
    stage: &mut Stage,
    mut stopped: Vec<(String, Stats)>,
    durability: Durability,
) -> Result<Option<String>, Finding> {
    let found = |verdict, what| Err(Finding { verdict, what });
    for _ in 0..TRIES {
        match compare(&stopped) {
            Comparison::Same(digest) => return Ok(digest),
            Comparison::Broken(what) => return found(Verdict::Violation, what),
            // What they had in memory is gone.
            Comparison::Apart if durability == Durability::Memory => return Ok(None),
            Comparison::Apart => {}
        }
        stopped = match once_more(stage).await {
            Ok(stopped) => stopped,
            Err(Trouble::Finding(finding)) => return Err(finding),
            Err(Trouble::Error(error)) => return found(Verdict::NodeFailed, error.to_string()),
        };
    }
    let what = format!("the replicas did not come to execute the same, started again {TRIES} times");
    found(Verdict::Stuck, what)
}

/// Starts all nodes, waits until each answers, and stops them.
async fn once_more(stage: &mut Stage) -> Result<Vec<(String, Stats)>, Trouble> {
    let nodes = stage.cluster.nodes().to_vec();
    for node in &nodes {
        stage.cluster.restart(&node.name).await?;
    }
    let asked = all_answer(nodes);
    stage.while_none_dies(asked).await?.map_err(|what| Trouble::found(Verdict::Stuck, what))?;
    let mut stopped = Vec::new();
    for (name, stats) in stage.cluster.stop_all().await {
        let what = format!("{name} did not stop well when asked to");
        stopped.push((name, stats.ok_or_else(|| Trouble::found(Verdict::NodeFailed, what))?));
    }
    Ok(stopped)
}

fn compare(stopped: &[(String, Stats)]) -> Comparison {
    let mut check = Digest::default();
    for (index, (_, stats)) in stopped.iter().enumerate() {
        // A node without a replica has none.
        let Ok(digest) = u64::from_str_radix(&stats.state_digest, 16) else { continue };
        let executed = (&stats.executed, stats.extras.clone());
        if let Err(violation) = check.seen(NodeId::new(index), executed, digest) {
            return Comparison::Broken(violation.to_string());
        }
    }
    let mut digests =
        stopped.iter().map(|(_, stats)| &stats.state_digest).filter(|digest| !digest.is_empty());
    let first = digests.next();
    if digests.all(|digest| Some(digest) == first) {
        Comparison::Same(first.cloned())
    } else {
        Comparison::Apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::Prefix;

    fn stats(executed: &[u64], state: u64) -> (String, Stats) {
        let state_digest = format!("{state:016x}");
        (String::new(), Stats { executed: Prefix::new(executed), state_digest, ..Stats::default() })
    }

    #[test]
    fn the_same_executed_is_the_same_state() {
        let same = Comparison::Same(Some("0000000000000007".to_owned()));
        assert_eq!(compare(&[stats(&[3, 4], 7), stats(&[3, 4], 7)]), same);
        // Trailing reads change nothing.
        assert_eq!(compare(&[stats(&[3, 4], 7), stats(&[3, 5], 7)]), same);
        assert_eq!(compare(&[stats(&[3, 4], 7), stats(&[3, 5], 8)]), Comparison::Apart);
        assert_eq!(compare(&[(String::new(), Stats::default())]), Comparison::Same(None));
        let broken = compare(&[stats(&[3, 4], 7), stats(&[3, 5], 8), stats(&[3, 4], 8)]);
        assert!(matches!(&broken, Comparison::Broken(what) if what.contains("digest")), "{broken:?}");
    }
}
