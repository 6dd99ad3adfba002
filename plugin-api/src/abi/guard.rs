//! Panics stop here.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::Error;

/// Runs `body`; a panic comes back as its text.
pub fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(describe)
}

/// Runs `body`; a panic comes back as the error 40003 that the client sees.
pub fn call<T>(place: &str, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    contain(body).unwrap_or_else(|text| Err(Error::panicked(place, &text)))
}

fn describe(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned());
    // The payload may be a type whose destructor panics again.
    std::mem::forget(payload);
    text
}
