//! Counters of a session for statistics.

use std::time::{Duration, Instant};

use rivero_plugin_api::MediaKind;
use rivero_rtp::rtcp::ReportBlock;

use super::Session;
use crate::{
    receiver::StreamSnapshot,
    sender::{CurrentEncoding, FeedbackCounters},
};

/// Counters of a session.
#[derive(Debug, Default)]
pub struct SessionSnapshot {
    /// Bit/s that the path to the peer carries, once it has shown a limit.
    pub path_estimate: Option<u64>,
    /// Bit/s that arrive at the peer, as far as it reports arrivals.
    pub arriving: Option<u64>,
    /// The streams that the peer sends.
    pub received: Vec<(MediaKind, StreamSnapshot)>,
    /// The streams that the peer is sent.
    pub sent: Vec<(MediaKind, SentSnapshot)>,
}

/// Counters of a sent stream.
#[derive(Debug, Clone, Copy)]
pub struct SentSnapshot {
    /// As the peer gets it.
    pub ssrc: u32,
    /// Packets sent, retransmissions excepted.
    pub packets: u64,
    /// Of their payloads.
    pub bytes: u64,
    /// To the peer and back, once it has answered a report.
    pub round_trip: Option<Duration>,
    /// The peer's latest report about the stream.
    pub remote: Option<ReportBlock>,
    /// What the peer asked for.
    pub feedback: FeedbackCounters,
    /// Packets that waited too long for a weak path, or for a keyframe after such ones.
    pub discarded: u64,
    /// How it is sent now.
    pub sending: CurrentEncoding,
}

impl Session {
    /// Counters of all streams.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> SessionSnapshot {
        let mut snapshot = SessionSnapshot {
            path_estimate: self.bandwidth.estimate(),
            arriving: self.bandwidth.arriving_bitrate(),
            ..SessionSnapshot::default()
        };
        for track in self.tracks.iter() {
            if let Some(receiver) = &track.receiver {
                let streams = receiver.snapshot(now).map(|stream| (track.kind, stream));
                snapshot.received.extend(streams);
            }
            if let Some(sender) = &track.sender {
                let statistics = sender.statistics();
                let sent = SentSnapshot {
                    ssrc: sender.ssrc(),
                    packets: statistics.packets(),
                    bytes: statistics.payload_bytes(),
                    round_trip: statistics.round_trip(),
                    remote: statistics.remote().copied(),
                    feedback: *sender.feedback(),
                    sending: sender.sending(),
                    discarded: match (track.kind, &self.pacer) {
                        (MediaKind::Video, Some(pacer)) => pacer.dropped(),
                        _ => 0,
                    },
                };
                snapshot.sent.push((track.kind, sent));
            }
        }
        snapshot
    }
}
