//! Texts of C.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

/// The text behind a pointer; what is no UTF-8 in it is replaced.
///
/// # Safety
/// The pointer is null, or the text ends with a zero and lives as long as the result.
pub(crate) unsafe fn text<'a>(pointer: *const c_char) -> Option<Cow<'a, str>> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy())
}

/// A text for C, which cannot have zeros within.
pub(crate) fn for_c(text: &str) -> CString {
    let without_zeros: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
    CString::new(without_zeros).unwrap_or_default()
}
