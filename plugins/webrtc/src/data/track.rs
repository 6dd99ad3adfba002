//! Data channels between the peer and the endpoint's DATA pads.

use std::sync::Arc;
use std::time::Instant;

use rivero_plugin_api::{Bytes as SharedBytes, Layer, MediaKind, Packet, Rtp, SinkPad, SourcePad};

use super::{DataEvent, DataTransport};

/// The DATA pads of an endpoint and the channels behind them.
pub(crate) struct DataTrack {
    pub(crate) transport: DataTransport,
    source: Arc<SourcePad>,
    sink: Arc<SinkPad>,
    format: u32,
    /// Messages for the peer that did not reach it.
    lost: u64,
}

impl DataTrack {
    /// `format` is that of messages.
    pub(crate) fn new(
        transport: DataTransport,
        source: Arc<SourcePad>,
        sink: Arc<SinkPad>,
        format: u32,
    ) -> Self {
        Self {
            transport,
            source,
            sink,
            format,
            lost: 0,
        }
    }

    /// Sends a message from another element to the peer.
    pub(crate) fn forward(&mut self, now: Instant, packet: &Packet) {
        let data = bytes::Bytes::copy_from_slice(packet.payload());
        let text = packet.flags & Packet::TEXT != 0;
        let name = u64::from(packet.rtp.timestamp) << 32 | u64::from(packet.rtp.ssrc);
        if let Err(error) = self.transport.send(now, name, text, data) {
            self.lost += 1;
            if self.lost.is_power_of_two() {
                tracing::warn!(%error, lost = self.lost, "a data channel message is lost");
            }
        }
    }

    /// Hands on what the peer sent; gives what the endpoint has to know.
    pub(crate) fn poll_event(&mut self, pipeline_now: i64) -> Option<DataEvent> {
        loop {
            match self.transport.poll_event()? {
                DataEvent::Message { name, text, data } => {
                    self.push(name, text, &data, pipeline_now);
                }
                event => {
                    match event {
                        DataEvent::Up => {
                            self.source.set_format(Some(self.format));
                            self.sink.accept_any();
                        }
                        DataEvent::Down => {
                            self.source.set_format(None);
                            self.sink.set_accepted(&[]);
                        }
                        _ => {}
                    }
                    return Some(event);
                }
            }
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the halves of a number in two fields"
    )]
    fn push(&self, name: u64, text: bool, data: &[u8], now: i64) {
        let text = if text { Packet::TEXT } else { 0 };
        self.source.push(&[Packet {
            bytes: SharedBytes::copy_from(data),
            format: self.format,
            origin: self.source.id(),
            kind: MediaKind::Data,
            flags: Packet::KEYFRAME | text,
            layer: Layer::default(),
            presentation_time: now,
            ingress_time: now,
            duration: 0,
            // The channel's name, by which another endpoint finds its own channel of that name, in
            // two fields that mean nothing else for messages.
            rtp: Rtp {
                ssrc: name as u32,
                timestamp: (name >> 32) as u32,
                ..Rtp::default()
            },
            ..Packet::default()
        }]);
    }
}
