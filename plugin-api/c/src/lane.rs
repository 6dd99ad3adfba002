//! Pads: media that a class does something with comes and goes raw, all else passes as it comes.

use crate::class::{Picture, Sound};
use crate::object::State;
use rivero_plugin_api::{
    BytesMut, DEFAULT_DESCRIPTION, ElementContext, Format, MediaKind, Packaging, Packet, Result,
    SinkHandler, SinkPad, SourceHandler, SourcePad, Upstream, host,
};
use std::sync::{Arc, OnceLock, Weak};

/// The way through for one kind of media.
pub(crate) struct Lane {
    source: OnceLock<SourcePad>,
    sink: OnceLock<SinkPad>,
    kind: MediaKind,
    state: Weak<State>,
}

/// The lane as its pads know it: they do not keep it alive.
struct End(Weak<Lane>);

impl Lane {
    pub(crate) fn open(
        context: &ElementContext,
        kind: MediaKind,
        state: &Arc<State>,
    ) -> Result<Arc<Self>> {
        let lane = Arc::new(Self {
            source: OnceLock::new(),
            sink: OnceLock::new(),
            kind,
            // What is to pass does not need it.
            state: if state.treats(kind) {
                Arc::downgrade(state)
            } else {
                Weak::new()
            },
        });
        let end = || End(Arc::downgrade(&lane));
        let source = context.source_pad(kind, DEFAULT_DESCRIPTION, end())?;
        let sink = context.sink_pad(kind, DEFAULT_DESCRIPTION, end())?;
        // The lane is new, so both places are empty.
        let _ = lane.source.set(source);
        let sink = lane.sink.get_or_init(|| sink);
        match host() {
            Some(host) if state.treats(kind) => sink.set_accepted(&[host.format_id(&raw(kind))]),
            _ => sink.accept_any(),
        }
        Ok(lane)
    }

    /// What goes on instead; what is no media that C could be given goes on as it is.
    fn treated(&self, state: &State, packet: &Packet) -> Option<Packet> {
        let host = host()?;
        let format = host.format(packet.format)?;
        let mut bytes = host.buffer(packet.bytes.len());
        bytes.copy_from_slice(&packet.bytes);
        match self.kind {
            MediaKind::Video => picture(state, &format, packet, &mut bytes)?,
            _ => sound(state, &format, packet, &mut bytes)?,
        }
        Some(Packet {
            bytes: bytes.freeze(),
            ..packet.clone()
        })
    }
}

/// Raw media; size and colours, or rate and channels, are each packet's own.
fn raw(kind: MediaKind) -> Format {
    let encoding = match kind {
        MediaKind::Audio => "S16LE",
        _ => "I420",
    };
    Format {
        packaging: Packaging::Raw,
        ..Format::rtp(encoding, 0, 0)
    }
}

fn picture(state: &State, format: &Format, packet: &Packet, bytes: &mut BytesMut) -> Option<()> {
    let side = |name: &str| {
        let mut parameters = format.parameters.iter();
        let (_, value) = parameters.find(|(known, _)| known == name)?;
        value
            .parse::<u32>()
            .ok()
            .filter(|side| (1..=16_384).contains(side))
    };
    let (width, height) = (side("width")?, side("height")?);
    let (columns, rows) = (width as usize, height as usize);
    let half = columns.div_ceil(2);
    let (luma, colour) = (columns * rows, half * rows.div_ceil(2));
    let size = luma + 2 * colour;
    // One pointer for all, since C may go from one plane to the next.
    let base = bytes.get_mut(..size)?.as_mut_ptr();
    state.picture(&mut Picture {
        width,
        height,
        planes: [0, luma, luma + colour].map(|offset| base.wrapping_add(offset)),
        strides: [columns, half, half],
        size,
        time: packet.presentation_time,
    });
    Some(())
}

fn sound(state: &State, format: &Format, packet: &Packet, bytes: &mut BytesMut) -> Option<()> {
    // In memory of its own, since bytes of a packet need not lie where samples can.
    let mut samples: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|pair| pair.try_into().map_or(0, i16::from_le_bytes))
        .collect();
    state.sound(&mut Sound {
        rate: format.clock_rate,
        channels: u32::from(format.channels),
        samples: samples.as_mut_ptr(),
        count: samples.len(),
        time: packet.presentation_time,
    });
    for (place, sample) in bytes.chunks_exact_mut(2).zip(samples) {
        place.copy_from_slice(&sample.to_le_bytes());
    }
    Some(())
}

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        let Some(lane) = self.0.upgrade() else { return };
        let Some(source) = lane.source.get() else {
            return;
        };
        let Some(state) = lane.state.upgrade() else {
            return source.push(packets);
        };
        let treated = packets.iter().map(|packet| {
            lane.treated(&state, packet)
                .unwrap_or_else(|| packet.clone())
        });
        source.push(&treated.collect::<Vec<_>>());
    }

    fn format(&self, format: Option<u32>) {
        let Some(lane) = self.0.upgrade() else { return };
        if let Some(source) = lane.source.get() {
            source.set_format(format);
        }
    }
}

impl SourceHandler for End {
    fn upstream(&self, message: Upstream) {
        let Some(lane) = self.0.upgrade() else { return };
        if let Some(sink) = lane.sink.get() {
            sink.upstream(message);
        }
    }
}
