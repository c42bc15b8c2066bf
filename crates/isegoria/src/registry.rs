//! The one list of protocols, and the place where a name becomes types: for programs that
//! are generic over protocols, such as drivers and tables.

use crate::ConfigFileError;
use isegoria_bpaxos::simple::SimpleBpaxos;
use isegoria_bpaxos::unanimous::UnanimousBpaxos;
use isegoria_epaxos::atlas::Atlas;
use isegoria_epaxos::epaxos::Epaxos;
use isegoria_machine::Machine;
use isegoria_multipaxos::MultiPaxos;
use isegoria_node::{OrderKind, Protocol, RoundTrip};
use isegoria_runtime::{RunError, Settings, Stats};
use isegoria_types::{Layout, NodeId, QuorumSystem};
use std::marker::PhantomData;
use std::pin::Pin;
use toml::Table;

/// A node that runs until its `stop` future resolves.
pub type Running = Pin<Box<dyn Future<Output = Result<Stats, RunError>>>>;

/// What `started` and `stop` are for a node; see [`isegoria_runtime::run`].
pub(crate) type Signals = (Box<dyn FnOnce()>, Pin<Box<dyn Future<Output = ()>>>);

/// Quorum sizes of a protocol with majorities, for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorums {
    /// Crashes that leave the cluster answering.
    pub f: usize,
    /// Promises needed.
    pub phase1: usize,
    /// Votes needed.
    pub phase2: usize,
    /// Dependency answers needed; none in a protocol without a dependency service.
    pub dependency: Option<usize>,
    /// Votes needed on the fast path; none in a protocol without one.
    pub fast: Option<usize>,
}

/// A protocol without its types.
pub trait AnyProtocol: Send + Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// Whether it has a path of one round trip.
    fn has_fast_path(&self) -> bool;

    /// One-way delays between nodes from submission to answer, without failures.
    fn delay_count(&self) -> u32;

    /// Quorum sizes for `n` nodes with every role each.
    fn quorums(&self, n: usize) -> Quorums;

    /// Checks options against a layout.
    ///
    /// # Errors
    /// The first option that is unknown or contradicts another, with the cure.
    fn check(&self, layout: &Layout, options: &Table) -> Result<(), ConfigFileError>;

    /// What of the options all nodes must have in common: see [`Protocol::agreed`].
    ///
    /// # Errors
    /// As [`AnyProtocol::check`].
    fn agreed(&self, layout: &Layout, options: &Table) -> Result<String, ConfigFileError>;

    /// How many nodes may be down with all roles left to do.
    ///
    /// # Errors
    /// As [`AnyProtocol::check`].
    fn tolerates(&self, layout: &Layout, options: &Table) -> Result<usize, ConfigFileError>;

    /// The least time from submission to answer at `at`: see [`Protocol::limit`].
    ///
    /// # Errors
    /// As [`AnyProtocol::check`].
    fn limit(
        &self,
        layout: &Layout,
        options: &Table,
        at: NodeId,
        round_trip: RoundTrip<'_>,
    ) -> Result<f64, ConfigFileError>;

    /// A node of this protocol.
    ///
    /// # Errors
    /// As [`AnyProtocol::check`].
    fn run(
        &self,
        settings: Settings,
        options: &Table,
        machine: Box<dyn Machine>,
        signals: Signals,
    ) -> Result<Running, ConfigFileError>;
}

struct Entry<P>(PhantomData<fn() -> P>);

impl<P: Protocol> Entry<P> {
    fn options(options: &Table) -> Result<P::Options, ConfigFileError> {
        options.clone().try_into().map_err(|error: toml::de::Error| {
            ConfigFileError(format!("{}: {}", P::NAME, one_line(error.message())))
        })
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl<P: Protocol> AnyProtocol for Entry<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn has_fast_path(&self) -> bool {
        P::HAS_FAST_PATH
    }

    fn delay_count(&self) -> u32 {
        P::DELAY_COUNT
    }

    fn quorums(&self, n: usize) -> Quorums {
        let layout = Layout::co_located(n, &QuorumSystem::Majority).expect("a majority of any cluster");
        let fast = P::fast_quorum(&layout);
        let quorums = P::quorums(&layout, &P::Options::default());
        Quorums {
            fast,
            f: quorums.phase1.tolerates().min(quorums.phase2.tolerates()),
            phase1: quorums.phase1.size_min(),
            phase2: quorums.phase2.size_min(),
            dependency: (P::ORDER == OrderKind::Graph).then(|| quorums.dependency.size_min()),
        }
    }

    fn check(&self, layout: &Layout, options: &Table) -> Result<(), ConfigFileError> {
        let options = Self::options(options)?;
        match P::build(NodeId::new(0), layout, &options) {
            Ok(_) => Ok(()),
            Err(error) => Err(ConfigFileError(format!("{}: {error}", P::NAME))),
        }
    }

    fn agreed(&self, layout: &Layout, options: &Table) -> Result<String, ConfigFileError> {
        self.check(layout, options)?;
        Ok(P::agreed(layout, &Self::options(options)?))
    }

    fn tolerates(&self, layout: &Layout, options: &Table) -> Result<usize, ConfigFileError> {
        self.check(layout, options)?;
        let quorums = P::quorums(layout, &Self::options(options)?);
        let f = quorums.phase1.tolerates().min(quorums.phase2.tolerates());
        let f = if P::ORDER == OrderKind::Graph { f.min(quorums.dependency.tolerates()) } else { f };
        // Somebody has to lead, and somebody to answer.
        Ok(f.min(layout.leaders.len().saturating_sub(1)).min(layout.replicas.len().saturating_sub(1)))
    }

    fn limit(
        &self,
        layout: &Layout,
        options: &Table,
        at: NodeId,
        round_trip: RoundTrip<'_>,
    ) -> Result<f64, ConfigFileError> {
        self.check(layout, options)?;
        Ok(P::limit(layout, &Self::options(options)?, at, round_trip))
    }

    fn run(
        &self,
        settings: Settings,
        options: &Table,
        machine: Box<dyn Machine>,
        signals: Signals,
    ) -> Result<Running, ConfigFileError> {
        let options = Self::options(options)?;
        Ok(Box::pin(isegoria_runtime::run::<P>(settings, options, machine, signals)))
    }
}

/// Every protocol that is built in, in the order of tables.
#[must_use]
pub fn protocols() -> &'static [&'static dyn AnyProtocol] {
    const SIMPLE_BPAXOS: Entry<SimpleBpaxos> = Entry(PhantomData);
    const UNANIMOUS_BPAXOS: Entry<UnanimousBpaxos> = Entry(PhantomData);
    const EPAXOS: Entry<Epaxos> = Entry(PhantomData);
    const ATLAS: Entry<Atlas> = Entry(PhantomData);
    const MULTIPAXOS: Entry<MultiPaxos> = Entry(PhantomData);
    &[&EPAXOS, &ATLAS, &SIMPLE_BPAXOS, &UNANIMOUS_BPAXOS, &MULTIPAXOS]
}

/// What is done with a protocol whose name is known only when the program runs.
pub trait ProtocolVisitor {
    /// What comes of it.
    type Output;

    /// Does it with the protocol's types.
    fn visit<P: Protocol>(self, options: P::Options) -> Self::Output;
}

/// Calls the visitor with the types and options of the protocol of this name.
///
/// # Errors
/// If there is no such protocol, or an option is unknown to it.
pub fn visit_protocol<V: ProtocolVisitor>(
    name: &str,
    options: &Table,
    visitor: V,
) -> Result<V::Output, ConfigFileError> {
    match protocol(name)?.name() {
        SimpleBpaxos::NAME => Ok(visitor.visit::<SimpleBpaxos>(Entry::<SimpleBpaxos>::options(options)?)),
        UnanimousBpaxos::NAME => {
            Ok(visitor.visit::<UnanimousBpaxos>(Entry::<UnanimousBpaxos>::options(options)?))
        }
        Epaxos::NAME => Ok(visitor.visit::<Epaxos>(Entry::<Epaxos>::options(options)?)),
        Atlas::NAME => Ok(visitor.visit::<Atlas>(Entry::<Atlas>::options(options)?)),
        MultiPaxos::NAME => Ok(visitor.visit::<MultiPaxos>(Entry::<MultiPaxos>::options(options)?)),
        other => unreachable!("{other} is in the list of protocols and not here"),
    }
}

/// The protocol of this name.
///
/// # Errors
/// If there is none; the sentence lists those there are.
pub fn protocol(name: &str) -> Result<&'static dyn AnyProtocol, ConfigFileError> {
    protocols().iter().find(|protocol| protocol.name() == name).copied().ok_or_else(|| {
        let names: Vec<&str> = protocols().iter().map(|protocol| protocol.name()).collect();
        ConfigFileError(format!("unknown protocol `{name}`; choose one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Name;

    impl ProtocolVisitor for Name {
        type Output = &'static str;

        fn visit<P: Protocol>(self, _: P::Options) -> &'static str {
            P::NAME
        }
    }

    #[test]
    fn every_protocol_can_be_visited() {
        for protocol in protocols() {
            assert_eq!(visit_protocol(protocol.name(), &Table::new(), Name).unwrap(), protocol.name());
        }
    }
}
