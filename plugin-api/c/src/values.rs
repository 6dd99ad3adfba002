//! Parameters: `rivero_values`.

use crate::text::{for_c, text};
use serde_json::Value;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int};
use std::sync::Mutex;

/// The parameters of one call.
pub(crate) struct Values {
    all: Value,
    /// Texts that C was given a pointer to, by name and whether they are JSON. They live as long as the values.
    texts: Mutex<HashMap<(String, bool), CString>>,
}

impl Values {
    pub(crate) fn new(all: Value) -> Self {
        Self {
            all,
            texts: Mutex::new(HashMap::new()),
        }
    }

    /// A pointer to the text, the same for each question.
    fn keep(&self, name: &str, is_json: bool, content: &str) -> *const c_char {
        let mut texts = self
            .texts
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        texts
            .entry((name.to_owned(), is_json))
            .or_insert_with(|| for_c(content))
            .as_ptr()
    }
}

/// The value of a name.
///
/// # Safety
/// As the header says: `values` are those of the running call, `name` is a text.
unsafe fn find<'a>(values: *const Values, name: *const c_char) -> Option<&'a Value> {
    // SAFETY: the caller's promise.
    let (values, name) = unsafe { (values.as_ref()?, text(name)?) };
    values.all.get(&*name)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_int(values: *const Values, name: *const c_char, fallback: i64) -> i64 {
    // SAFETY: the header's promise.
    let found = unsafe { find(values, name) };
    found.and_then(Value::as_i64).unwrap_or(fallback)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_number(
    values: *const Values,
    name: *const c_char,
    fallback: f64,
) -> f64 {
    // SAFETY: the header's promise.
    let found = unsafe { find(values, name) };
    found.and_then(Value::as_f64).unwrap_or(fallback)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_boolean(
    values: *const Values,
    name: *const c_char,
    fallback: c_int,
) -> c_int {
    // SAFETY: the header's promise.
    let found = unsafe { find(values, name) };
    found.and_then(Value::as_bool).map_or(fallback, c_int::from)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_string(
    values: *const Values,
    name: *const c_char,
    fallback: *const c_char,
) -> *const c_char {
    // SAFETY: the header's promise.
    let (found, known, name) = unsafe { (find(values, name), values.as_ref(), text(name)) };
    match (found.and_then(Value::as_str), known, name) {
        (Some(found), Some(values), Some(name)) => values.keep(&name, false, found),
        _ => fallback,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_json(values: *const Values, name: *const c_char) -> *const c_char {
    // SAFETY: the header's promise.
    let (known, name) = unsafe { (values.as_ref(), text(name)) };
    let Some(values) = known else {
        return std::ptr::null();
    };
    let found = match &name {
        Some(name) => values.all.get(&**name),
        None => Some(&values.all),
    };
    // No descriptor has a parameter without a name.
    let key = name.as_deref().unwrap_or_default();
    found.map_or(std::ptr::null(), |found| {
        values.keep(key, true, &found.to_string())
    })
}
