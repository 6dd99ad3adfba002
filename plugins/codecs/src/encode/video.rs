//! Pictures into frames.

use std::sync::{Arc, Mutex};

use rivero_gst::gst::prelude::*;
use rivero_gst::{caps, chain::Chain, element, gst};
use rivero_plugin_api::{
    Converter, ConverterOutput, Error, Format, MediaKind, Packet, Result, Upstream, supervise::lock,
};

use super::{
    budget::Budget,
    encode_each,
    encoder::{Encoder, NOMINAL_INTERVAL, NOMINAL_RATE, threads},
    rate::Rate,
    scale::{Demand, Scale},
};
use crate::colours;
use crate::decode::filter;
use crate::formats::PerFormat;
use crate::passage::Passage;
use crate::picture::{self, Layout};
use crate::range::{self, RangeTable};
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
    /// Pictures a second that the encoder gets.
    frame_rate: f64,
    /// The part of the bitrate that it is asked for.
    share: f64,
}

impl Control {
    fn ask(&self, encoder: &Encoder) {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let bitrate = (self.bitrate as f64 * self.share) as u64;
        encoder.set_picture_bitrate(bitrate, self.frame_rate);
    }
}

#[derive(Default)]
struct Stream {
    picture: PerFormat<Picture>,
    /// Decides the size that the encoder gets.
    size: Option<gst::Element>,
    /// That size.
    encoded: Option<Layout>,
    /// Threads that the running encoder has.
    threads: usize,
    rate: Rate,
    scale: Scale,
    budget: Budget,
    /// When the next picture is due at the frame rate that is wanted, ns on the pipeline clock.
    due: Option<i64>,
    /// Of the picture before: when it was presented, ns on the pipeline clock.
    before: Option<i64>,
    /// Of the latest keyframe that was made without being asked for.
    keyframe: Option<i64>,
}

/// How long a picture lasts when nothing else is known, ns.
const USUAL_DURATION: i64 = 33_000_000;
/// Times that go back this far, ns, are those of another source.
const ANOTHER_SOURCE: i64 = 1_000_000_000;

/// A format of pictures that come in.
struct Picture {
    layout: Layout,
    /// What the encoder's chain is told, after the change of range.
    caps: gst::Caps,
    range: Option<Arc<RangeTable>>,
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
                frame_rate: f64::from(NOMINAL_RATE),
                share: 1.0,
            }),
            passage: Passage::new(output, MediaKind::Video, sink),
            stream: Mutex::default(),
            target,
            settings,
        };
        // Without its plugin it fails here, not at the first picture.
        encode.encoder(None)?;
        Ok(encode)
    }

    /// The encoder for pictures of a size, as far as that is known.
    fn encoder(&self, size: Option<Layout>) -> Result<Encoder> {
        let encoder = Encoder::new(&self.target, &self.settings, size)?;
        let mut control = self.control();
        control.ask(&encoder);
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
        let time = packet.presentation_time;
        let rate = stream.rate.step(time);
        let rate = at_most(rate, self.settings.frame_rate);
        let (picture, changed) = stream
            .picture
            .get(packet.format, |format| self.picture(format))?;
        let (layout, caps) = (picture.layout, picture.caps.clone());
        let range = picture.range.clone();
        let (size, limit) = self.demand(stream, time, layout, rate);
        if !is_due(stream, time, limit) {
            return Ok(());
        }
        let Some(since) = self.advance(stream, packet) else {
            return Ok(());
        };
        let recorded = self.settings.keyframe_interval > 0.0;
        if self.has_bitrate() && !stream.budget.allows(time, recorded) {
            return Ok(());
        }
        self.follow(at_most(rate, limit), stream.budget.share(time));
        let threads = threads(&self.target.encoding, size);
        if threads > stream.threads {
            self.passage.end_chain();
        }
        let mut filter = None;
        let chain = self.passage.chain(|| {
            let (elements, size) = self.elements(size)?;
            filter = Some(size);
            Ok(elements)
        })?;
        let Some(chain) = chain else { return Ok(()) };
        let is_new = filter.is_some();
        if is_new {
            (stream.size, stream.threads) = (filter, threads);
        }
        if is_new || changed || stream.encoded != Some(size) {
            stream.encoded = Some(size);
            let scaled = (size != layout).then_some(size);
            begin(&chain, &caps, scaled, self.colours(), stream.size.as_ref());
        }
        self.make_keyframe(stream, &chain, time);
        let planes = match range {
            Some(range) => range.apply(&packet.bytes, layout),
            None => packet.bytes.clone(),
        };
        let buffer = picture::to_buffer(planes, layout)?;
        let (bytes, keyframes) = self.passage.produced_amount();
        chain.push(self.enter(&lasting(packet, since), buffer))?;
        let (bytes_now, keyframes_now) = self.passage.produced_amount();
        let is_keyframe = keyframes_now > keyframes;
        let bitrate = self.control().bitrate;
        stream.budget.spend(bytes_now - bytes, bitrate, is_keyframe);
        Ok(())
    }

    /// A buffer with the times that the encoder is to see.
    fn enter(&self, packet: &Packet, buffer: gst::Buffer) -> gst::Buffer {
        let encoder = self.control().encoder.clone();
        if encoder.is_some_and(|encoder| encoder.counts_pictures()) {
            self.passage.enter_evenly(packet, buffer, NOMINAL_INTERVAL)
        } else {
            self.passage.enter(packet, buffer)
        }
    }

    /// The size in which a picture is encoded, and the pictures a second that are, 0 for all.
    fn demand(&self, stream: &mut Stream, time: i64, picture: Layout, rate: f64) -> (Layout, f64) {
        let size = self.size(picture);
        let asked = self.settings.frame_rate;
        let fixed = self.settings.width > 0 || self.settings.height > 0;
        if fixed || !self.has_bitrate() {
            return (size, asked);
        }
        let demand = Demand {
            size,
            frame_rate: rate,
            bitrate: self.control().bitrate,
        };
        let size = stream.scale.size(time, &demand);
        (size, stream.scale.frame_rate(&demand).unwrap_or(asked))
    }

    /// What the pictures have to be for the encoder, if its bitstream does not say what they are.
    fn colours(&self) -> Option<&'static str> {
        colours::taken_for(&self.target.encoding)
    }

    fn has_bitrate(&self) -> bool {
        let control = self.control();
        control.encoder.as_ref().is_none_or(Encoder::has_bitrate)
    }

    /// Tells the encoder when it gets pictures at another rate than before, or is asked for another
    /// part of its bitrate.
    fn follow(&self, frame_rate: f64, share: f64) {
        let mut control = self.control();
        let Some(encoder) = control.encoder.clone() else {
            return;
        };
        let share = if encoder.saves_for_pictures_left_out() {
            share
        } else {
            1.0
        };
        let tolerance = encoder.tolerance();
        let of_rate = (frame_rate / control.frame_rate - 1.0).abs();
        let of_share = (share - control.share).abs();
        if of_rate > tolerance || of_share > tolerance {
            (control.frame_rate, control.share) = (frame_rate, share);
            control.ask(&encoder);
        }
    }

    /// Consumers that cannot ask for keyframes get them from time to time.
    fn make_keyframe(&self, stream: &mut Stream, chain: &Chain, time: i64) {
        let interval = self.settings.keyframe_interval;
        if interval <= 0.0 {
            return;
        }
        let since = stream.keyframe.map(|before| time.saturating_sub(before));
        #[allow(clippy::cast_precision_loss)]
        let due = since.is_none_or(|since| since < 0 || since as f64 / 1e9 >= interval);
        let encoder = self.control().encoder.clone();
        let obeys = encoder.is_none_or(|encoder| encoder.obeys_keyframe_requests());
        if due {
            stream.keyframe = Some(time);
        }
        // The first picture is one anyway.
        if due && obeys && since.is_some() {
            chain.force_keyframe();
        }
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

    fn elements(&self, picture: Layout) -> Result<(Vec<gst::Element>, gst::Element)> {
        let encoder = self.encoder(Some(picture))?;
        let size = filter(&gst::Caps::new_empty_simple("video/x-raw"))?;
        let mut elements = Vec::new();
        // PNG takes no planes.
        if self.target.encoding == "PNG" || self.colours().is_some() {
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
        // Without a word GStreamer takes large pictures for BT.709, which browsers do not.
        let stated = caps::parameter(format, colours::PARAMETER).unwrap_or(colours::BT601);
        let is_full = range::is_full(stated);
        let changes = self
            .colours()
            .is_some_and(|wanted| range::is_full(wanted) != is_full);
        let other = range::with_other_range(stated).filter(|_| changes);
        caps_mut.set(colours::PARAMETER, other.as_deref().unwrap_or(stated));
        let range = other.map(|_| Arc::new(RangeTable::new(!is_full)));
        // Nothing that pictures come at: they have their own times, and encoders that count with a
        // rate are told by their bitrate how many come.
        caps_mut.set("framerate", gst::Fraction::new(NOMINAL_RATE, 1));
        Ok(Picture {
            layout,
            caps,
            range,
        })
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
}

/// The packet, lasting for so long, ns, if it does not say for how long it does.
fn lasting(packet: &Packet, since: i64) -> Packet {
    let duration = match packet.duration {
        ..=0 => since,
        own => own,
    };
    Packet {
        duration,
        ..packet.clone()
    }
}

/// The smaller of a rate and a limit, where there is one.
fn at_most(rate: f64, limit: f64) -> f64 {
    if limit > 0.0 { rate.min(limit) } else { rate }
}

/// Has a chain take pictures of these caps, and its encoder get them in another size and with other
/// colours, if need be.
fn begin(
    chain: &Chain,
    caps: &gst::Caps,
    scaled: Option<Layout>,
    colours: Option<&str>,
    filter: Option<&gst::Element>,
) {
    let mut wanted = gst::Caps::builder("video/x-raw");
    if let Some(size) = scaled {
        wanted = wanted
            .field("width", i32::try_from(size.width).unwrap_or(i32::MAX))
            .field("height", i32::try_from(size.height).unwrap_or(i32::MAX))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1));
    }
    if let Some(colours) = colours {
        // The format, too: one with more colour would do as well, which browsers do not decode.
        wanted = wanted
            .field("format", "I420")
            .field(colours::PARAMETER, colours);
    }
    if let Some(filter) = filter {
        filter.set_property("caps", wanted.build());
    }
    chain.set_caps(caps);
}

/// Leaves out pictures above a frame rate, 0 for none.
fn is_due(stream: &mut Stream, time: i64, rate: f64) -> bool {
    if rate <= 0.0 || !rate.is_finite() {
        stream.due = None;
        return true;
    }
    let Ok(interval) =
        i64::try_from(std::time::Duration::from_secs_f64((1.0 / rate).min(3600.0)).as_nanos())
    else {
        return true;
    };
    // Times of a camera tremble: half an interval early is in time.
    let due = stream.due.filter(|due| (time - *due).abs() < interval * 4);
    if due.is_some_and(|due| time < due - interval / 2) {
        return false;
    }
    stream.due = Some(due.unwrap_or(time) + interval);
    true
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
                    control.ask(encoder);
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
