//! A bank, by keys with commuting accesses: deposits into one account commute with each other, and
//! are ordered by nobody; withdrawals do not, for the second may find too little.
//!
//!     cargo run --release -p isegoria --example bank
//!
//! Three nodes in one process, each of which takes deposits for the same account.

use isegoria::{Class, Config, Footprint, Replica, StateMachine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Accesses of this class commute: blind additions.
const DEPOSIT: Class = Class::new(1);

#[derive(Default, Serialize, Deserialize)]
struct Bank(BTreeMap<String, u64>);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Op {
    Deposit(String, u64),
    Withdraw(String, u64),
    Balance(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Answer {
    Done,
    TooLittle,
    Amount(u64),
}

impl StateMachine for Bank {
    type Command = Op;
    type Output = Answer;

    fn footprint(op: &Op, footprint: &mut Footprint) {
        match op {
            // It answers nothing about the balance: else the order would show.
            Op::Deposit(account, _) => footprint.commute(DEPOSIT, account.as_bytes()),
            Op::Withdraw(account, _) => footprint.write(account.as_bytes()),
            Op::Balance(account) => footprint.read(account.as_bytes()),
        }
    }

    fn apply(&mut self, op: Op) -> Answer {
        match op {
            Op::Deposit(account, amount) => {
                let balance = self.0.entry(account).or_default();
                *balance = balance.wrapping_add(amount);
                Answer::Done
            }
            Op::Withdraw(account, amount) => match self.0.get_mut(&account) {
                Some(balance) if *balance >= amount => {
                    *balance -= amount;
                    Answer::Done
                }
                _ => Answer::TooLittle,
            },
            Op::Balance(account) => Answer::Amount(self.0.get(&account).copied().unwrap_or(0)),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut nodes = Vec::new();
    for own in ["n1", "n2", "n3"] {
        let config = Config::local(own, 3, directory.path())?;
        nodes.push(Replica::open(config, Bank::default()).await?);
    }
    let account = || "savings".to_owned();
    let deposits: Vec<_> = (0..300)
        .map(|number| {
            let node = nodes[number % 3].clone();
            tokio::spawn(async move { node.submit(Op::Deposit(account(), 10)).await })
        })
        .collect();
    for deposit in deposits {
        deposit.await??;
    }
    println!("300 deposits at three nodes: {:?}", nodes[1].read(Op::Balance(account())).await?);
    println!("withdraw 2,900 at n1: {:?}", nodes[0].submit(Op::Withdraw(account(), 2_900)).await?);
    println!("withdraw 200 at n3: {:?}", nodes[2].submit(Op::Withdraw(account(), 200)).await?);
    println!("left: {:?}", nodes[2].read(Op::Balance(account())).await?);
    for node in nodes {
        node.shutdown().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_relation_tells_the_truth() {
        let (account, amount) = ("[ab]", 0..5u64);
        let operations = prop_oneof![
            (account, amount.clone()).prop_map(|(account, amount)| Op::Deposit(account, amount)),
            (account, amount).prop_map(|(account, amount)| Op::Withdraw(account, amount)),
            account.prop_map(Op::Balance),
        ];
        let report = isegoria::commutes::check(Bank::default, operations.boxed(), 1_000);
        let report = report.unwrap_or_else(|found| panic!("{found}"));
        assert!(report.independent_count > 300 && report.lost.is_empty(), "{report}");
    }
}
