//! Pictures into frames.

use std::sync::Mutex;

use rivero_gst::gst::prelude::*;
use rivero_gst::{caps, chain::Chain, element, gst};
use rivero_plugin_api::{
    Converter, ConverterOutput, Error, Format, MediaKind, Packet, Result, Upstream, supervise::lock,
};

use super::{encode_each, encoder::Encoder};
use crate::decode::filter;
use crate::formats::PerFormat;
use crate::passage::Passage;
use crate::picture::{self, Layout};
use crate::settings::Settings;

pub(super) struct VideoEncode {
    target: Format,
    settings: Settings,
    passage: Passage,
    /// Of the chain that runs; and the bitrate that holds for the next, too.
    control: Mutex<Control>,
    stream: Mutex<Stream>,
}

struct Control {
    encoder: Option<Encoder>,
    bitrate: u64,
}

#[derive(Default)]
struct Stream {
    picture: PerFormat<Picture>,
    /// Decides the size that the encoder gets.
    size: Option<gst::Element>,
    /// When the next picture is due at the frame rate asked for, ns on the pipeline clock.
    due: Option<i64>,
    /// Of the picture before: when it was presented, ns on the pipeline clock.
    before: Option<i64>,
}

/// How long a picture lasts when nothing else is known, ns.
const USUAL_DURATION: i64 = 33_000_000;
/// Times that go back this far, ns, are those of another source.
const ANOTHER_SOURCE: i64 = 1_000_000_000;

/// A format of pictures that come in.
struct Picture {
    layout: Layout,
    caps: gst::Caps,
}

impl VideoEncode {
    pub(super) fn new(
        output: u32,
        target: Format,
        settings: Settings,
        sink: ConverterOutput,
    ) -> Result<Self> {
        let encode = Self {
            control: Mutex::new(Control {
                encoder: None,
                bitrate: settings.video_bitrate(),
            }),
            passage: Passage::new(output, MediaKind::Video, sink),
            stream: Mutex::default(),
            target,
            settings,
        };
        // Without its plugin it fails here, not at the first picture.
        encode.encoder()?;
        Ok(encode)
    }

    fn encoder(&self) -> Result<Encoder> {
        let encoder = Encoder::new(&self.target, &self.settings)?;
        let mut control = self.control();
        encoder.set_bitrate(control.bitrate);
        control.encoder = Some(encoder.clone());
        Ok(encoder)
    }

    fn control(&self) -> std::sync::MutexGuard<'_, Control> {
        lock(&self.control)
    }

    fn force_keyframe(&self) {
        let encoder = self.control().encoder.clone();
        if encoder.is_none_or(|encoder| encoder.obeys_keyframe_requests()) {
            if let Some(chain) = self.passage.running() {
                chain.force_keyframe();
            }
        } else {
            self.passage.end_chain();
        }
    }

    fn encode(&self, stream: &mut Stream, packet: &Packet) -> Result<()> {
        if !self.is_due(stream, packet) {
            return Ok(());
        }
        let Some(since) = self.advance(stream, packet) else {
            return Ok(());
        };
        let mut size = None;
        let chain = self.passage.chain(|| {
            let (elements, filter) = self.elements()?;
            size = Some(filter);
            Ok(elements)
        })?;
        let Some(chain) = chain else { return Ok(()) };
        if size.is_some() {
            stream.size = size;
            stream.picture.forget();
        }
        let Stream { picture, size, .. } = stream;
        let (picture, changed) = picture.get(packet.format, |format| self.picture(format))?;
        if changed {
            self.begin(&chain, picture, size.as_ref());
        }
        let mut buffer = picture::to_buffer(packet.bytes.clone(), picture.layout)?;
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_duration(gst::ClockTime::from_nseconds(since.unsigned_abs()));
        }
        chain.push(self.passage.enter(packet, buffer))?;
        Ok(())
    }

    /// How long ago the picture before was, ns: about what this one lasts. `None` for a picture
    /// that comes no later than the one before, which encoders refuse.
    fn advance(&self, stream: &mut Stream, packet: &Packet) -> Option<i64> {
        let time = packet.presentation_time;
        let since = stream.before.map(|before| time - before);
        match since {
            Some(since) if since < -ANOTHER_SOURCE => self.passage.restart(),
            Some(..=0) => return None,
            _ => {}
        }
        stream.before = Some(time);
        let usual = 1_000_000..ANOTHER_SOURCE;
        Some(
            since
                .filter(|since| usual.contains(since))
                .unwrap_or(USUAL_DURATION),
        )
    }

    fn begin(&self, chain: &Chain, picture: &Picture, size: Option<&gst::Element>) {
        let wanted = self.size(picture.layout);
        let caps = gst::Caps::builder("video/x-raw");
        let caps = if wanted == picture.layout {
            caps.build()
        } else {
            caps.field("width", i32::try_from(wanted.width).unwrap_or(i32::MAX))
                .field("height", i32::try_from(wanted.height).unwrap_or(i32::MAX))
                .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
                .build()
        };
        if let Some(size) = size {
            size.set_property("caps", &caps);
        }
        chain.set_caps(&picture.caps);
    }

    fn elements(&self) -> Result<(Vec<gst::Element>, gst::Element)> {
        let encoder = self.encoder()?;
        let size = filter(&gst::Caps::new_empty_simple("video/x-raw"))?;
        let mut elements = Vec::new();
        if self.target.encoding == "PNG" {
            // It takes no planes.
            elements.push(element::make("videoconvert")?);
        }
        elements.extend([element::make("videoscale")?, size.clone()]);
        let caps = encoder.output_caps(&self.target)?;
        elements.push(encoder.element);
        if let Some(caps) = caps {
            elements.push(filter(&caps)?);
        }
        Ok((elements, size))
    }

    fn picture(&self, format: &Format) -> Result<Picture> {
        let side = |name| caps::parameter(format, name)?.parse().ok();
        let layout = side("width")
            .zip(side("height"))
            .and_then(|(width, height)| Layout::new(width, height));
        let (Some(layout), Some(mut caps)) = (layout, caps::from_format(format)) else {
            return Err(Error::unexpected(format!("{format} is no raw video")));
        };
        let caps_mut = caps.make_mut();
        caps_mut.set("pixel-aspect-ratio", gst::Fraction::new(1, 1));
        caps_mut.set("framerate", self.frame_rate());
        Ok(Picture { layout, caps })
    }

    /// What the rate control counts with; pictures come with their own times.
    fn frame_rate(&self) -> gst::Fraction {
        if self.settings.frame_rate > 0.0 {
            gst::Fraction::approximate_f64(self.settings.frame_rate)
                .unwrap_or(gst::Fraction::new(30, 1))
        } else {
            gst::Fraction::new(30, 1)
        }
    }

    /// The size that is encoded: as asked for, with the picture's proportions if only one side is;
    /// even sides where the encoder has whole blocks of colour only.
    fn size(&self, picture: Layout) -> Layout {
        let Settings { width, height, .. } = self.settings;
        let scaled = |side: u32, to: u32, from: u32| {
            let scaled = u64::from(side) * u64::from(to) / u64::from(from.max(1));
            u32::try_from(scaled).unwrap_or(u32::MAX).max(2)
        };
        let (width, height) = match (width, height) {
            (0, 0) => (picture.width, picture.height),
            (width, 0) => (width, scaled(picture.height, width, picture.width)),
            (0, height) => (scaled(picture.width, height, picture.height), height),
            both => both,
        };
        let even = matches!(self.target.encoding.as_str(), "H264" | "H265");
        let side = |side: u32| if even { (side & !1).max(2) } else { side };
        Layout::new(side(width), side(height)).unwrap_or(picture)
    }

    /// Leaves out pictures above the frame rate asked for.
    fn is_due(&self, stream: &mut Stream, packet: &Packet) -> bool {
        let rate = self.settings.frame_rate;
        if rate <= 0.0 || !rate.is_finite() {
            return true;
        }
        let Ok(interval) =
            i64::try_from(std::time::Duration::from_secs_f64((1.0 / rate).min(3600.0)).as_nanos())
        else {
            return true;
        };
        let time = packet.presentation_time;
        // Times of a camera tremble: half an interval early is in time.
        let due = stream.due.filter(|due| (time - *due).abs() < interval * 4);
        if due.is_some_and(|due| time < due - interval / 2) {
            return false;
        }
        stream.due = Some(due.unwrap_or(time) + interval);
        true
    }
}

impl Converter for VideoEncode {
    fn packets(&self, packets: &[Packet]) {
        let mut stream = lock(&self.stream);
        encode_each(packets, &self.passage, |packet| {
            self.encode(&mut stream, packet)
                .inspect_err(|_| stream.picture.forget())
        });
    }

    fn upstream(&self, message: Upstream) {
        match message {
            Upstream::KeyframeRequest => self.force_keyframe(),
            Upstream::TargetBitrate { bits_per_second } => {
                let mut control = self.control();
                control.bitrate = bits_per_second;
                if let Some(encoder) = &control.encoder {
                    encoder.set_bitrate(control.bitrate);
                }
            }
            // Of the consumers; what follows from it comes as a target.
            _ => {}
        }
    }

    fn stop(&self) {
        self.passage.stop();
        self.control().encoder = None;
    }
}
