//! Everything the author of a Rivero module needs.
//!
//! A module is a cdylib with a descriptor. Its `build.rs` generates a trait per
//! class from the descriptor; the author implements it and exports the lot:
//!
//! ```ignore
//! mod api { include!(concat!(env!("OUT_DIR"), "/api.rs")); }
//! rivero_plugin_api::export_module! { classes: [api::pass_through::<PassThrough>()] }
//! ```
//!
//! Media comes in through [`SinkPad`]s and goes out through [`SourcePad`]s as
//! [`Packet`]s; [`ElementContext`] raises events; [`host`] gives the clock,
//! timers, configuration and formats. `tracing` macros log into the host.
//! A panic in any callback is an error of that object, never of the server; threads of a module's
//! own are started through [`supervise`]. [`settings`] reads what configurations have as text.

pub mod abi;
mod answer;
mod element;
mod error;
mod export;
mod frame_rate;
mod host;
mod log;
mod media;
mod pad;
pub mod settings;
pub mod supervise;
mod timer;

pub use abi::{
    bytes::{Bytes, BytesMut},
    details::{Details, Metadata},
    packet::{AudioLevel, Extension, ExtensionKind, Extensions, Layer, Packet, Rtp},
    types::{MediaKind, SinkSelection},
};
pub use answer::Answer;
pub use element::{Class, Constructor, Element, ElementContext, Object, ObjectRef};
pub use error::{Error, Result};
pub use export::{
    Conversion, Converter, ConverterFactory, ConverterOutput, CreateConverter, Module,
};
pub use frame_rate::FrameRate;
pub use host::{Host, host};
pub use media::{Encoding, Format, Packaging, Upstream};
pub use pad::{
    DEFAULT_DESCRIPTION, SinkGroup, SinkGroupHandle, SinkHandler, SinkPad, SourceHandler, SourcePad,
};
pub use timer::TimerId;

#[doc(hidden)]
pub use serde_json;
