//! What the server does for a module: `rivero_context` and the functions without one.

use crate::text::{for_c, text};
use rivero_plugin_api::{ElementContext, host};
use serde_json::Value;
use std::ffi::{CString, c_char, c_int};

/// An object's connection to the server, as C holds it.
pub(crate) struct Context {
    element: ElementContext,
    id: CString,
}

impl Context {
    pub(crate) fn new(element: ElementContext) -> Self {
        Self {
            id: for_c(element.id()),
            element,
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_id(context: *const Context) -> *const c_char {
    // SAFETY: the header's promise: the module's object lives, and with it the context.
    unsafe { context.as_ref() }.map_or(std::ptr::null(), |context| context.id.as_ptr())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_emit(
    context: *const Context,
    event: *const c_char,
    data: *const c_char,
) {
    // SAFETY: the header's promise.
    let (context, event, data) = unsafe { (context.as_ref(), text(event), text(data)) };
    let (Some(context), Some(event)) = (context, event) else {
        return;
    };
    let data = data.as_deref().unwrap_or("{}");
    match serde_json::from_str::<Value>(data) {
        Ok(data) => context.element.emit(&event, data),
        Err(error) => {
            tracing::error!(%event, %error, "the data of an event is no JSON: it is not raised")
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_error(
    context: *const Context,
    kind: *const c_char,
    code: i32,
    description: *const c_char,
) {
    // SAFETY: the header's promise.
    let (context, kind, description) = unsafe { (context.as_ref(), text(kind), text(description)) };
    if let Some(context) = context {
        let kind = kind.unwrap_or_default();
        let description = description.unwrap_or_default();
        context.element.error(&kind, code, &description);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rivero_log(level: c_int, message: *const c_char) {
    // SAFETY: the header's promise.
    let message = unsafe { text(message) }.unwrap_or_default();
    match level {
        ..=1 => tracing::error!("{message}"),
        2 => tracing::warn!("{message}"),
        3 => tracing::info!("{message}"),
        4 => tracing::debug!("{message}"),
        5.. => tracing::trace!("{message}"),
    }
}

#[unsafe(no_mangle)]
extern "C" fn rivero_now() -> i64 {
    host().map_or(0, rivero_plugin_api::Host::now)
}
