//! Decoders of hostile bytes may panic; a caller must see an error.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::error::{Error, Result};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Panics inside a guard become errors, so their message must not be printed as well.
fn hush() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
}

/// Run `work`; a panic in it becomes a `Corrupt` error.
///
/// What `work` was changing must not be used after an error: callers drop it.
pub fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    hush();
    let outer = GUARDED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    outcome.unwrap_or_else(|panic| Err(Error::corrupt(format!("the decoder gave up: {}", reason(&*panic)))))
}

fn reason(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no reason given"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_panic_becomes_an_error_that_quotes_it() {
        let error = guard::<()>(|| panic!("index {} out of range", 7)).unwrap_err();
        assert_eq!(error.kind, Kind::Corrupt);
        assert!(error.message.contains("index 7 out of range"), "{error}");
    }

    #[test]
    fn a_value_passes_through() {
        assert_eq!(guard(|| Ok(3)).unwrap(), 3);
    }
}
