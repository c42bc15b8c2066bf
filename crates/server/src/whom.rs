use crate::failure::Failure;
use clap::Args;
use isegoria::{ClusterConfig, Endpoint};
use std::path::PathBuf;

/// Which nodes of a running cluster to ask.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whom {
    /// The cluster's configuration: all its nodes are asked
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Client ports of the nodes to ask, HOST:PORT or unix:/path
    #[arg(long, value_name = "ADDR,…", value_delimiter = ',')]
    connect: Vec<String>,
}

impl Whom {
    /// They, by name or address.
    pub(crate) fn nodes(&self) -> Result<Vec<(String, Endpoint)>, Failure> {
        let Some(file) = &self.config else {
            return Ok(self.connect.iter().cloned().zip(endpoints(&self.connect)?).collect());
        };
        let config = ClusterConfig::from_file(file)?;
        Ok(config.nodes.into_iter().filter_map(|node| Some((node.name, node.client?))).collect())
    }
}

/// The addresses given with `--connect`.
pub(crate) fn endpoints(connect: &[String]) -> Result<Vec<Endpoint>, Failure> {
    let parse = |address: &String| match address.parse() {
        Ok(endpoint) => Ok(endpoint),
        Err(error) => Err(Failure::usage(format!("--connect {address}: {error}"))),
    };
    connect.iter().map(parse).collect()
}
