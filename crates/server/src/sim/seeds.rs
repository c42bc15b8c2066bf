use crate::sim::summary::Summary;
use isegoria::registry::ProtocolVisitor;
use isegoria_node::Protocol;
use isegoria_sim::{Run, SimConfig, expected_situations, run};
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Progress is said this often.
const PROGRESS: Duration = Duration::from_secs(5);

/// Many seeds of one configuration.
pub(crate) struct Work {
    pub(crate) config: SimConfig,
    pub(crate) seeds: Range<u64>,
    pub(crate) threads: usize,
}

impl ProtocolVisitor for Work {
    type Output = Summary;

    fn visit<P: Protocol>(self, options: P::Options) -> Summary {
        let mut summary = Summary::new(P::NAME, expected_situations::<P>(&options));
        let next = AtomicU64::new(self.seeds.start);
        let (sender, results) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                let (sender, next, config, options) = (sender.clone(), &next, &self.config, &options);
                let end = self.seeds.end;
                scope.spawn(move || {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || sender.send((seed, run::<P>(config, options, seed))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            collect(&results, &mut summary, self.seeds.end - self.seeds.start);
        });
        summary.finish();
        summary
    }
}

fn collect(results: &mpsc::Receiver<(u64, Run)>, summary: &mut Summary, of: u64) {
    let mut said = Instant::now();
    for (seed, run) in results {
        summary.add(seed, run);
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            let end = if std::io::stderr().is_terminal() { "\r" } else { "\n" };
            eprint!("{} of {of} seeds, {} violations{end}", summary.seed_count, summary.found.len());
            let _ = std::io::stderr().flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_node::{ConfigError, FastRule, OrderKind, RoundTrip};
    use isegoria_types::{Conflicts, Layout, NodeId};
    use std::marker::PhantomData;

    /// A protocol whose node `n2` breaks.
    struct Broken<P>(PhantomData<P>);

    impl<P: Protocol> Protocol for Broken<P> {
        const NAME: &'static str = P::NAME;
        const ORDER: OrderKind = P::ORDER;
        const HAS_FAST_PATH: bool = P::HAS_FAST_PATH;
        const DELAY_COUNT: u32 = P::DELAY_COUNT;
        type Node = P::Node;
        type Options = P::Options;

        fn build_with(
            own: NodeId,
            layout: &Layout,
            options: &P::Options,
            conflicts: &Conflicts,
        ) -> Result<P::Node, ConfigError> {
            assert_ne!(own, NodeId::new(1), "planted at {own}");
            P::build_with(own, layout, options, conflicts)
        }

        fn fast_rule(layout: &Layout, options: &P::Options) -> FastRule {
            P::fast_rule(layout, options)
        }

        fn limit(layout: &Layout, options: &P::Options, at: NodeId, round_trip: RoundTrip<'_>) -> f64 {
            P::limit(layout, options, at, round_trip)
        }
    }

    struct Planted(Work);

    impl ProtocolVisitor for Planted {
        type Output = Summary;

        fn visit<P: Protocol>(self, options: P::Options) -> Summary {
            self.0.visit::<Broken<P>>(options)
        }
    }

    /// The other seeds are run all the same.
    #[test]
    fn a_node_that_panics_is_a_violation_of_its_seed() {
        let work = Work { config: SimConfig::default(), seeds: 4..7, threads: 2 };
        let summary =
            isegoria::registry::visit_protocol("simple-bpaxos", &toml::Table::new(), Planted(work)).unwrap();
        assert_eq!((summary.seed_count, summary.found.len()), (3, 3));
        for (seed, violation) in &summary.found {
            assert!((4..7).contains(seed) && violation.check == "a node's own invariants");
            assert!(violation.what.contains("planted at n2"), "{violation}");
        }
    }
}
