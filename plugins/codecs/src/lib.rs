//! Converters between RTP packets, frames and raw media, for whatever the server's peers, players
//! and recorders send and want.
//!
//! RTP is put together and cut in Rust (`rivero-rtp`); decoding, scaling, resampling and encoding
//! are GStreamer's, in rows of elements without threads and queues of their own: the host's worker
//! that brings a packet runs the decoder or the encoder with it, and has the result when it
//! returns.
//!
//! * [`conversions`]: what there is, with its cost.
//! * [`depacketise`], [`packetise`], [`decode`], [`encode`]: the four kinds of converters.
//! * [`passage`]: what decoders and encoders share on their way through GStreamer.

mod colours;
pub mod conversions;
mod decode;
mod depacketise;
mod encode;
mod formats;
mod orientation;
mod packetise;
mod passage;
mod range;
mod settings;
mod silence;

use rivero_gst::picture;

rivero_plugin_api::export_module! { converters: conversions::all }
