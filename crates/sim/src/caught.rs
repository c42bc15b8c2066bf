use isegoria_check::Violation;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A panic, such as a node's own assertion, is a violation like any other: it has a seed,
/// and what happened until then can be looked at.
///
/// # Errors
/// What the work found, or the panic, with its message.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, Violation>) -> Result<T, Violation> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Violation {
            check: "a node's own invariants",
            invariant: "what the code asserts of itself holds at every step",
            place: None,
            what: message(panic.as_ref()),
        })
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_violation_with_its_message() {
        assert_eq!(caught(|| Ok(7)), Ok(7));
        let what = |work: fn() -> Result<i32, Violation>| caught(work).expect_err("it panics").what;
        assert_eq!(what(|| panic!("a promise is taken back")), "a promise is taken back");
        assert_eq!(what(|| panic!("slot {} is chosen twice", 3)), "slot 3 is chosen twice");
        assert_eq!(what(|| std::panic::panic_any(3)), "a panic without a message");
    }
}
