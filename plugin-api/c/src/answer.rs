//! Answers and failures: `rivero_answer`.

use crate::text::text;
use rivero_plugin_api::{Error, Result};
use serde_json::Value;
use std::ffi::{c_char, c_int};

/// What a call has come to so far.
pub(crate) struct Answer(pub(crate) Option<Result<Value>>);

impl Answer {
    pub(crate) fn new() -> Self {
        Self(None)
    }
}

/// # Safety
/// `answer` is that of the running call, or null.
unsafe fn set(answer: *mut Answer, outcome: Result<Value>) {
    // SAFETY: the caller's promise; nobody else has it during the call.
    if let Some(answer) = unsafe { answer.as_mut() } {
        answer.0 = Some(outcome);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_answer_int(answer: *mut Answer, value: i64) {
    // SAFETY: the header's promise.
    unsafe { set(answer, Ok(value.into())) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_answer_number(answer: *mut Answer, value: f64) {
    // SAFETY: the header's promise.
    unsafe { set(answer, Ok(value.into())) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_answer_boolean(answer: *mut Answer, value: c_int) {
    // SAFETY: the header's promise.
    unsafe { set(answer, Ok((value != 0).into())) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_answer_string(answer: *mut Answer, value: *const c_char) {
    // SAFETY: the header's promise.
    unsafe {
        set(
            answer,
            Ok(text(value).map_or(Value::Null, |text| (*text).into())),
        )
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_answer_json(answer: *mut Answer, json: *const c_char) {
    // SAFETY: the header's promise.
    let json = unsafe { text(json) }.unwrap_or_default();
    let value = serde_json::from_str(&json)
        .map_err(|error| Error::unexpected(format!("the module's answer is no JSON: {error}")));
    // SAFETY: the header's promise.
    unsafe { set(answer, value) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_fail(answer: *mut Answer, code: i32, message: *const c_char) {
    // SAFETY: the header's promise.
    let message = unsafe { text(message) }.unwrap_or_default();
    let error = match code {
        40107 => Error::illegal_parameter(message),
        40111 => Error::not_supported(message),
        49000..=49999 => Error::new(code, "MODULE_ERROR", message),
        _ => Error::unexpected(message),
    };
    // SAFETY: the header's promise.
    unsafe { set(answer, Err(error)) }
}
