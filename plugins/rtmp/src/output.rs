//! The way out of an element that media comes to: what a peer sends, on its pads.

use std::sync::{Arc, Mutex, atomic::Ordering::Relaxed};

use rivero_plugin_api::{
    Bytes, DEFAULT_DESCRIPTION, ElementContext, Format, Layer, MediaKind, Packet, Result, Rtp,
    SourcePad, host, supervise::lock,
};

use crate::{
    figures::Figures,
    media::{Demuxed, Demuxer, Incoming, Kind, Timeline},
    protocol::Message,
};

/// The source pads of an element. They stay what they are while a peer is away, and so do those that are connected.
pub(crate) struct Output {
    pads: Mutex<Option<Pads>>,
}

struct Pads {
    audio: Lane,
    video: Lane,
}

struct Lane {
    pad: SourcePad,
    kind: MediaKind,
    /// What the pad has, with its number.
    format: Option<(Format, u32)>,
}

impl Output {
    /// Opens the pads.
    ///
    /// # Errors
    /// The element has such pads already.
    pub(crate) fn open(context: &ElementContext) -> Result<Arc<Self>> {
        let open = |kind| -> Result<Lane> {
            Ok(Lane {
                pad: context.source_pad(kind, DEFAULT_DESCRIPTION, ())?,
                kind,
                format: None,
            })
        };
        let pads = Pads {
            audio: open(MediaKind::Audio)?,
            video: open(MediaKind::Video)?,
        };
        Ok(Arc::new(Self {
            pads: Mutex::new(Some(pads)),
        }))
    }

    /// Outside of a server there are no pads.
    #[cfg(test)]
    pub(crate) fn without_pads() -> Arc<Self> {
        Arc::new(Self {
            pads: Mutex::new(None),
        })
    }

    /// Closes the pads.
    pub(crate) fn close(&self) {
        // Not dropped under the lock: the host may ask for something meanwhile.
        let pads = lock(&self.pads).take();
        drop(pads);
    }
}

impl Pads {
    fn lane(&mut self, kind: Kind) -> &mut Lane {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }
}

impl Lane {
    fn set_format(&mut self, format: Format) {
        let Some(host) = host() else {
            return;
        };
        if self.format.as_ref().is_some_and(|(own, _)| *own == format) {
            return;
        }
        let number = host.format_id(&format);
        self.pad.set_format(Some(number));
        self.format = Some((format, number));
    }

    fn packet(&self, frame: Incoming, time: i64, flags: u8, now: i64) -> Option<Packet> {
        let (_, format) = self.format.as_ref()?;
        Some(Packet {
            bytes: Bytes::from(frame.data),
            format: *format,
            origin: self.pad.id(),
            kind: self.kind,
            flags,
            layer: Layer::default(),
            presentation_time: time.saturating_add(frame.offset),
            ingress_time: now,
            duration: 0,
            rtp: Rtp::default(),
            ..Packet::default()
        })
    }
}

/// The media of one connection, on its way to the pads.
pub(crate) struct Reception {
    output: Arc<Output>,
    figures: Arc<Figures>,
    demuxer: Demuxer,
    timeline: Timeline,
    /// Kinds of which nothing has come on this connection.
    begins: [bool; 2],
}

impl Reception {
    pub(crate) fn new(output: Arc<Output>, figures: Arc<Figures>) -> Self {
        Self {
            output,
            figures,
            demuxer: Demuxer::default(),
            timeline: Timeline::default(),
            begins: [true; 2],
        }
    }

    /// Takes messages that came at `now`, ns on the pipeline's clock. Whether there was media among them.
    pub(crate) fn on_messages(&mut self, messages: &[Message], now: i64) -> bool {
        let mut demuxed = Vec::new();
        for message in messages {
            self.demuxer.read(message, &mut demuxed);
        }
        let left_out = self.demuxer.take_left_out();
        self.figures.dropped.fetch_add(left_out, Relaxed);
        let output = self.output.clone();
        if let Some(pads) = &mut *lock(&output.pads) {
            for step in demuxed {
                match step {
                    Demuxed::Format(kind, format) => pads.lane(kind).set_format(format),
                    Demuxed::Frame(frame) => self.push(pads.lane(frame.kind), frame, now),
                }
            }
        }
        messages.iter().any(|message| !message.body.is_empty())
    }

    fn push(&mut self, lane: &Lane, frame: Incoming, now: i64) {
        let time = self.timeline.place(frame.decoded, now);
        let [audio, video] = &mut self.begins;
        let begins = match frame.kind {
            Kind::Audio => audio,
            Kind::Video => video,
        };
        let mut flags = 0;
        if frame.is_keyframe {
            flags |= Packet::KEYFRAME;
        }
        // Pictures of another connection refer to nothing of this one, and sound goes on elsewhere.
        if std::mem::take(begins) {
            flags |= Packet::DISCONTINUITY;
        }
        if let Some(packet) = lane.packet(frame, time, flags, now) {
            lane.pad.push(&[packet]);
        }
    }
}
