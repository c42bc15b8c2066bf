use crate::{ClusterConfig, ConfigFileError, Durability, LimitsConfig, NodeConfig, ProtocolSpec};
use isegoria_types::Role;
use std::path::{Path, PathBuf};

/// What one node runs with: the cluster's configuration, and which of its nodes this is.
///
/// ```
/// use isegoria::{Config, Durability};
///
/// let config = Config::builder("n1")
///     .node("n1", "10.0.0.1:7100", "10.0.0.1:7101")
///     .node("n2", "10.0.0.2:7100", "10.0.0.2:7101")
///     .node("n3", "10.0.0.3:7100", "10.0.0.3:7101")
///     .protocol("atlas:f=1")
///     .data_dir("/var/lib/bank")
///     .durability(Durability::Fsync)
///     .build()?;
/// assert_eq!(config.cluster().nodes.len(), 3);
/// # Ok::<(), isegoria::ConfigFileError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    cluster: ClusterConfig,
    node: String,
}

impl Config {
    /// The node `node` of the cluster that a file describes (TOML, the same file for all nodes).
    ///
    /// # Errors
    /// If the file cannot be read, breaks a rule, or has no such node.
    pub fn from_file(path: impl AsRef<Path>, node: &str) -> Result<Config, ConfigFileError> {
        Config::new(ClusterConfig::from_file(path.as_ref())?, node)
    }

    /// The node `node` of a cluster.
    ///
    /// # Errors
    /// If a rule is broken, or there is no such node.
    pub fn new(cluster: ClusterConfig, node: &str) -> Result<Config, ConfigFileError> {
        cluster.settings(node)?;
        Ok(Config { cluster, node: node.to_owned() })
    }

    /// The node `node` of the nodes `n1` to `n{count}` on this machine, which keep their data in
    /// `directory` and meet at sockets there: for examples and tests.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn local(node: &str, count: usize, directory: impl AsRef<Path>) -> Result<Config, ConfigFileError> {
        let directory = directory.as_ref();
        let socket =
            |name: &str, what| format!("unix:{}", directory.join(format!("{name}.{what}")).display());
        let names = (1..=count).map(|number| format!("n{number}"));
        let builder = Config::builder(node).data_dir(directory);
        names
            .fold(builder, |builder, name| {
                builder.node(&name, &socket(&name, "peer"), &socket(&name, "client"))
            })
            .build()
    }

    /// Begins a configuration in code, for the node `node`.
    #[must_use]
    pub fn builder(node: &str) -> ConfigBuilder {
        ConfigBuilder {
            own: node.to_owned(),
            cluster: "isegoria".to_owned(),
            protocol: "epaxos".to_owned(),
            durability: Durability::default(),
            data_dir: None,
            limits: LimitsConfig::default(),
            nodes: Vec::new(),
        }
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &ClusterConfig {
        &self.cluster
    }

    /// The name of this node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }
}

/// Collects a [`Config`]; what is wrong is said by [`ConfigBuilder::build`].
#[derive(Clone, Debug)]
pub struct ConfigBuilder {
    own: String,
    cluster: String,
    protocol: String,
    durability: Durability,
    data_dir: Option<PathBuf>,
    limits: LimitsConfig,
    /// Name, peer address, client address.
    nodes: Vec<(String, String, String)>,
}

impl ConfigBuilder {
    /// Adds a node with every role: its name, where its peers reach it and where clients do
    /// (`HOST:PORT` or `unix:/path`). The same nodes in the same order everywhere.
    #[must_use]
    pub fn node(mut self, name: &str, peer: &str, client: &str) -> ConfigBuilder {
        self.nodes.push((name.to_owned(), peer.to_owned(), client.to_owned()));
        self
    }

    /// The protocol with its options, such as `epaxos` (if left out), `atlas:f=1` or `multipaxos`.
    #[must_use]
    pub fn protocol(mut self, spec: &str) -> ConfigBuilder {
        spec.clone_into(&mut self.protocol);
        self
    }

    /// The cluster's name: nodes of clusters with other names refuse each other.
    #[must_use]
    pub fn cluster(mut self, name: &str) -> ConfigBuilder {
        name.clone_into(&mut self.cluster);
        self
    }

    /// Where nodes keep their logs, each in a directory of its own in this one.
    #[must_use]
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> ConfigBuilder {
        self.data_dir = Some(directory.into());
        self
    }

    /// When a record counts as written; `Durability::Fsync`, if left out.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> ConfigBuilder {
        self.durability = durability;
        self
    }

    /// Limits and times.
    #[must_use]
    pub fn limits(mut self, limits: LimitsConfig) -> ConfigBuilder {
        self.limits = limits;
        self
    }

    /// The configuration, checked.
    ///
    /// # Errors
    /// The first rule that is broken, with the cure.
    pub fn build(self) -> Result<Config, ConfigFileError> {
        let spec: ProtocolSpec = self.protocol.parse()?;
        let Some(data_dir) = self.data_dir else {
            return Err(ConfigFileError("no data directory: name one with `data_dir`".to_owned()));
        };
        let address = |name: &str, text: &str| {
            text.parse().map_err(|error| ConfigFileError(format!("node {name}: address `{text}`: {error}")))
        };
        let node = |(name, peer, client): &(String, String, String)| {
            Ok(NodeConfig {
                name: name.clone(),
                peer: address(name, peer)?,
                client: Some(address(name, client)?),
                resp: None,
                admin: None,
                roles: Role::ALL.to_vec(),
            })
        };
        let cluster = ClusterConfig {
            cluster: self.cluster,
            protocol: spec.name,
            durability: self.durability,
            data_dir,
            options: spec.options,
            quorum: spec.quorum.unwrap_or_default(),
            limits: self.limits,
            geo: None,
            nodes: self.nodes.iter().map(node).collect::<Result<_, _>>()?,
        };
        Config::new(cluster, &self.own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(own: &str) -> ConfigBuilder {
        let builder = Config::builder(own).data_dir("/tmp/none");
        (1..=3).fold(builder, |builder, i| {
            builder.node(&format!("n{i}"), &format!("h{i}:1"), &format!("h{i}:2"))
        })
    }

    fn refusal(builder: ConfigBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn a_configuration_in_code_is_that_of_a_file() {
        let built = three("n2").protocol("atlas:f=1").build().unwrap();
        let text = built.cluster().to_toml();
        assert_eq!(Config::new(text.parse().unwrap(), "n2").unwrap(), built);
        assert_eq!(built.node(), "n2");
    }

    #[test]
    fn refusals_name_the_cure() {
        assert!(refusal(three("n4")).contains("choose one of n1, n2, n3"));
        assert!(refusal(three("n1").protocol("fantasy")).contains("choose one of"));
        assert!(refusal(three("n1").node("n4", "nowhere", "h:4")).contains("node n4: address `nowhere`"));
        assert!(refusal(Config::builder("n1")).contains("data_dir"));
    }
}
