//! The properties of a whole cluster, one a file: each is told what happened, compares
//! it with what it knows, and counts how often it looked. What one never looked at, it
//! does not prove.

mod agreement;
mod at_most_once;
mod bounded;
mod digest;
mod durability;
mod execution_order;
mod nontriviality;
mod progress;
mod promises;
mod visibility;

pub use agreement::Agreement;
pub use at_most_once::AtMostOnce;
pub use bounded::Bounded;
pub use digest::Digest;
pub use durability::Durability;
pub use execution_order::ExecutionOrder;
pub use nontriviality::Nontriviality;
pub use progress::{HEALED_STEPS_MAX, Progress};
pub use promises::Promises;
pub use visibility::Visibility;
