//! The channels of an association, by SCTP stream.

use std::collections::BTreeMap;

/// Channels that may exist at a time; browsers have 1,024 streams.
pub(super) const MAX_CHANNELS: usize = 1024;

/// How a channel treats its messages (RFC 8831 §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelOptions {
    pub(crate) label: String,
    /// Sub-protocol, empty for none.
    pub(crate) protocol: String,
    pub(crate) ordered: bool,
    pub(crate) limit: Limit,
}

/// When a message is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Never.
    None,
    /// After this many retransmissions.
    Retransmits(u32),
    /// After this many milliseconds.
    LifetimeMs(u32),
}

/// Why a message or channel was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DataError {
    #[error("the data channels are not connected")]
    NotConnected,
    #[error("the peer has no open data channel of that label and protocol")]
    NoSuchChannel,
    #[error("there is no data channel {0}")]
    Unknown(u16),
    #[error("there are {MAX_CHANNELS} data channels already")]
    TooMany,
    #[error("a message of {size} bytes, the peer takes {limit}")]
    TooLarge { size: usize, limit: u64 },
    #[error("the peer does not read fast enough")]
    Full,
    #[error("SCTP refused")]
    Refused,
}

/// How far a channel is, in the words of `RTCDataChannelState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelState {
    Connecting,
    Open,
    Closing,
}

/// One channel.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) options: ChannelOptions,
    /// See [`name_of`].
    pub(super) name: u64,
    pub(super) state: ChannelState,
    pub(super) sent: Count,
    pub(super) received: Count,
}

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Count {
    pub(super) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// A channel for `getStats`.
#[derive(Debug, Clone)]
pub(crate) struct ChannelSnapshot {
    pub(crate) id: u16,
    pub(crate) label: String,
    pub(crate) protocol: String,
    pub(crate) state: ChannelState,
    pub(crate) sent: Count,
    pub(crate) received: Count,
}

/// The channels of an association, and the stream of the one to be opened next.
#[derive(Debug, Default)]
pub(super) struct Channels(pub(super) BTreeMap<u16, Channel>, u16);

impl Channels {
    pub(super) fn open(&self) -> impl Iterator<Item = (u16, &Channel)> {
        let open = |(_, channel): &(&u16, &Channel)| channel.state == ChannelState::Open;
        self.0
            .iter()
            .filter(open)
            .map(|(id, channel)| (*id, channel))
    }

    /// A free stream of the side that opens `first`, `first + 2` … (RFC 8832 §6: even ones for
    /// the DTLS client), of at most `streams`: each in turn, because a request to reset a stream
    /// that was lost and comes again would close the next channel on it, too.
    pub(super) fn take(&mut self, first: u16, streams: u16) -> Option<u16> {
        if !self.has_room() {
            return None;
        }
        let last = self.1;
        let later = (first..streams).step_by(2).skip_while(|id| *id < last);
        let mut all = later.chain((first..streams).step_by(2));
        let id = all.find(|id| !self.0.contains_key(id))?;
        self.1 = id + 2;
        Some(id)
    }

    pub(super) fn has_room(&self) -> bool {
        self.0.len() < MAX_CHANNELS
    }

    /// The open channel for a message of a channel called `name` elsewhere: the one of the same
    /// name. Another one would get what was said to somebody else, so without it the message is
    /// lost. What came by no channel is for the first.
    pub(super) fn for_name(&self, name: u64) -> Option<u16> {
        let is_meant = |channel: &Channel| name == NO_CHANNEL || channel.name == name;
        let mut open = self.open();
        open.find(|(_, channel)| is_meant(channel))
            .map(|(id, _)| id)
    }

    pub(super) fn snapshots(&self) -> Vec<ChannelSnapshot> {
        let snapshot = |(id, channel): (&u16, &Channel)| ChannelSnapshot {
            id: *id,
            label: channel.options.label.clone(),
            protocol: channel.options.protocol.clone(),
            state: channel.state,
            sent: channel.sent,
            received: channel.received,
        };
        self.0.iter().map(snapshot).collect()
    }
}

/// The name of what comes from another element than a channel.
pub(super) const NO_CHANNEL: u64 = 0;

/// Label and protocol as a number that travels with messages (FNV-1a), never [`NO_CHANNEL`]. With 64
/// bits nobody meets two labels of one number by chance.
pub(super) fn name_of(options: &ChannelOptions) -> u64 {
    let bytes = options.label.bytes().chain([0]);
    let hash = bytes
        .chain(options.protocol.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    hash.max(1)
}
