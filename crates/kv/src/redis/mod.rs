//! Redis's commands on data: what they do ([`Command`], [`Reply`]) and what they conflict with.
//!
//! Invariant: commands on different fields of a hash, and on different members of a set, do not
//! conflict; those that see a whole collection conflict with all that change it. Answers are Redis's,
//! but for the order of fields and members, which is that of their bytes. How they look on a wire is
//! not known here, and nothing expires.
//!
//! What an operation may take is limited ([`Limits`]). Of a pipeline only the beginning is run that fits; in a
//! transaction, which is run whole, a reply that does not fit is an error, and its command changed nothing.

mod collection;
mod command;
mod integer;
mod reply;
mod room;
mod run;

pub(crate) use collection::Collection;
pub use command::{Command, End, When};
pub use integer::integer;
pub use reply::{Failure, Kind, Reply};
pub use room::Limits;
pub(crate) use room::Room;
