//! Messages, the unit that chunks are put together to (§5.3.2, §6).

/// Set Chunk Size (§5.4.1).
pub(crate) const SET_CHUNK_SIZE: u8 = 1;
/// Abort Message (§5.4.2).
pub(crate) const ABORT: u8 = 2;
/// Acknowledgement (§5.4.3).
pub(crate) const ACKNOWLEDGEMENT: u8 = 3;
/// User Control (§6.2).
pub(crate) const USER_CONTROL: u8 = 4;
/// Window Acknowledgement Size (§5.4.4).
pub(crate) const WINDOW_SIZE: u8 = 5;
/// Set Peer Bandwidth (§5.4.5).
pub(crate) const PEER_BANDWIDTH: u8 = 6;
/// Audio (§7.1.4).
pub(crate) const AUDIO: u8 = 8;
/// Video (§7.1.5).
pub(crate) const VIDEO: u8 = 9;
/// Command in AMF 3, which begins with a byte that says that AMF 0 follows (§7.1.1).
pub(crate) const COMMAND_3: u8 = 17;
/// Data in AMF 0 (§7.1.2).
pub(crate) const DATA: u8 = 18;
/// Command in AMF 0 (§7.1.1).
pub(crate) const COMMAND: u8 = 20;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Message type id.
    pub(crate) kind: u8,
    /// ms, modulo 2^32.
    pub(crate) time: u32,
    /// Message stream id: 0 is the connection itself.
    pub(crate) stream: u32,
    /// Less than 16 MiB, which is what 24 bits of length can say.
    pub(crate) body: Vec<u8>,
}
