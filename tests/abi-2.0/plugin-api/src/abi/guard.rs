//! Panics stop here.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{Error, supervise};

/// Runs `body`; a panic comes back as its text.
pub fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(describe)
}

/// Runs `body`; a panic comes back as the error 40003 that the client sees.
pub fn call<T>(place: &str, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    contain(body).unwrap_or_else(|text| Err(Error::panicked(place, &text)))
}

/// An author's value whose destructor may panic wherever the last reference goes.
pub struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// The value, to be dropped by the caller; always there.
    pub fn into_inner(mut self) -> Option<T> {
        self.0.take()
    }

    /// The value; `None` only while it is being dropped.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        let Some(value) = self.0.take() else { return };
        if let Err(message) = contain(move || drop(value)) {
            supervise::report("a destructor", &message);
        }
    }
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
