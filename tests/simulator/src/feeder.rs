//! What feeds the sender of a flow, in the place of the server's sink pad.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rivero_plugin_api::{Packet, Upstream};
use rivero_rtp_session::Feed;

/// Packets that can be sent again: the server keeps as many of a source.
const REMEMBERED: usize = 1024;

/// The two ends of a feed share this: the sender asks, the source answers.
#[derive(Debug)]
pub(crate) struct Feeder(Mutex<Wishes>);

/// What the sender wants of the source, and what it may ask for.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// Something can be sent.
    pub(crate) accepted: bool,
    /// A keyframe is asked for.
    pub(crate) keyframe: bool,
    /// Bit/s that the path carries for video.
    pub(crate) limit: u64,
    /// The same as it is assumed before anything has shown a limit.
    pub(crate) start: u64,
    /// Bit/s of the next better encoding.
    pub(crate) next_bitrate: Option<u64>,
    history: VecDeque<Packet>,
}

impl Default for Feeder {
    fn default() -> Self {
        Self(Mutex::new(Wishes {
            accepted: false,
            keyframe: false,
            limit: u64::MAX,
            start: u64::MAX,
            next_bitrate: None,
            history: VecDeque::new(),
        }))
    }
}

impl Feeder {
    /// A run has one thread, so that nobody ever waits here: the lock is what `Feed: Sync` asks for.
    pub(crate) fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps packets that are sent, in case they are asked for again.
    pub(crate) fn keep(&self, packets: &[Packet]) {
        let history = &mut self.wishes().history;
        history.extend(packets.iter().cloned());
        let excess = history.len().saturating_sub(REMEMBERED);
        history.drain(..excess);
    }
}

impl Feed for Feeder {
    fn set_accepted(&self, formats: &[u32]) {
        let mut wishes = self.wishes();
        wishes.accepted = !formats.is_empty();
        // Whoever begins needs a keyframe.
        wishes.keyframe |= wishes.accepted;
    }

    fn upstream(&self, message: Upstream) {
        match message {
            Upstream::KeyframeRequest => self.wishes().keyframe = true,
            Upstream::BandwidthEstimate { bits_per_second } => {
                self.wishes().limit = bits_per_second;
            }
            Upstream::StartBitrate { bits_per_second } => self.wishes().start = bits_per_second,
            _ => {}
        }
    }

    fn history(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        let wishes = self.wishes();
        let wanted = |packet: &&Packet| packet.rtp.ssrc == ssrc && packet.rtp.sequence == sequence;
        wishes.history.iter().rfind(wanted).cloned()
    }

    fn next_bitrate(&self) -> Option<u64> {
        self.wishes().next_bitrate
    }
}
