//! What `rivero_idl::rust` generates compiles under the lints of a module, and behaves: calls
//! arrive at the right method with the right values, answers and events have their wire form.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "of the tests; the generated code is checked below"
)]

// Generated code refers to the plugin API by the name of its crate; here that is this test.
extern crate self as rivero_plugin_api;

mod lens;
mod mock;
mod snapshots;
mod standard;

pub use mock::{Class, Element, ElementContext, Error, Object, ObjectRef, Result};

/// Includes a snapshot the way a module includes its `api.rs`, under the lints of this workspace.
macro_rules! generated {
    ($name:ident) => {
        /// A snapshot.
        #[deny(
            warnings,
            missing_docs,
            clippy::unwrap_used,
            clippy::expect_used,
            clippy::panic,
            clippy::indexing_slicing
        )]
        pub mod $name {
            include!(concat!("snapshots/", stringify!($name), ".rs"));
        }
    };
}

/// The snapshots, public so that missing documentation is noticed.
pub mod api {
    generated!(composite);
    generated!(face_overlay_filter);
    generated!(lens);
    generated!(pass_through);
    generated!(recorder_endpoint);
    generated!(web_rtc_endpoint);
}
