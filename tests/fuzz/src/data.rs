//! The data channels of the module, without its pads.

#![allow(dead_code, reason = "the module uses more of it")]

#[path = "../../../plugins/webrtc/src/data/advance.rs"]
mod advance;
#[path = "../../../plugins/webrtc/src/data/association.rs"]
mod association;
#[path = "../../../plugins/webrtc/src/data/channels.rs"]
mod channels;
#[path = "../../../plugins/webrtc/src/data/dcep.rs"]
mod dcep;

pub(crate) use association::{DataEvent, DataTransport};
pub(crate) use channels::{ChannelOptions, ChannelSnapshot, DataError, Limit};

const MAX_MESSAGE_SIZE: u32 = 262_144;
const SCTP_PORT: u16 = 5000;
