//! What a track's elements have to be told of its media: where channels go that have no places, and when samples and
//! pictures are to be played that do not say so.

use std::sync::Mutex;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio::AudioInfo;
use gstreamer_video::VideoInfo;
use rivero_plugin_api::supervise::lock;

/// How long a picture is shown that does not say so, where no rate is known.
const PICTURE: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// Has the elements of a raw track fit its media, now and whenever that changes.
pub(crate) fn follow(elements: &[gst::Element], caps: &gst::CapsRef) {
    let Some(pad) = elements.first().and_then(|first| first.static_pad("sink")) else {
        return;
    };
    fit(elements, caps);
    let row: Vec<_> = elements.iter().map(gst::Element::downgrade).collect();
    let clock = Mutex::new(Clock::default());
    let kinds = gst::PadProbeType::BUFFER
        | gst::PadProbeType::EVENT_DOWNSTREAM
        | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(kinds, move |pad, info| {
        match &mut info.data {
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Caps(caps) => {
                    let row: Vec<_> = row.iter().filter_map(gst::glib::WeakRef::upgrade).collect();
                    fit(&row, caps.caps());
                }
                gst::EventView::Segment(_) | gst::EventView::FlushStop(_) => {
                    lock(&clock).next = None;
                }
                _ => {}
            },
            Some(gst::PadProbeData::Buffer(buffer)) => lock(&clock).complete(pad, buffer),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

fn fit(elements: &[gst::Element], caps: &gst::CapsRef) {
    let of = |name: &str| {
        elements.iter().find(|element| {
            element
                .factory()
                .is_some_and(|factory| factory.name() == name)
        })
    };
    if let (Ok(info), Some(converter)) = (AudioInfo::from_caps(caps), of("audioconvert")) {
        converter.set_property("mix-matrix", matrix(&info));
    }
}

/// What becomes of channels that are in no place: `audioconvert` knows nothing to do with more than two of those. They
/// are taken for left and right by turns, as recorders of several microphones have them. Loud enough where only the
/// first two have sound, and not four times as loud where all sixteen have.
fn matrix(info: &AudioInfo) -> gst::Array {
    let channels = info.channels();
    if channels <= 2 || !info.is_unpositioned() {
        return gst::Array::default();
    }
    let pairs = f64::from(channels.div_ceil(2));
    let volume = (1.0 / pairs.sqrt()) as f32;
    let side = |side: u32| {
        let weight = |channel: u32| if channel % 2 == side { volume } else { 0.0 };
        gst::Array::new((0..channels).map(weight))
    };
    gst::Array::new([side(0), side(1)])
}

/// Gives times to what has none. Demultiplexers leave them out of what follows a first buffer (samples of MOV at 96 kHz),
/// and parsers of pictures that are in no container.
#[derive(Default)]
struct Clock {
    /// End of the last buffer; `None` where media begins anew.
    next: Option<gst::ClockTime>,
}

impl Clock {
    fn complete(&mut self, pad: &gst::Pad, buffer: &mut gst::Buffer) {
        let time = match buffer.pts() {
            Some(time) => time,
            None => {
                let time = buffer.dts().or(self.next).or_else(|| beginning(pad));
                let time = time.unwrap_or_default();
                buffer.make_mut().set_pts(time);
                time
            }
        };
        let caps = pad.current_caps();
        let duration = buffer
            .duration()
            .filter(|duration| !duration.is_zero())
            .or_else(|| duration(caps.as_ref()?, buffer.size()));
        self.next = Some(time + duration.unwrap_or(PICTURE));
    }
}

/// Where the media begins that flows through a pad.
fn beginning(pad: &gst::Pad) -> Option<gst::ClockTime> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    segment.segment().downcast_ref::<gst::ClockTime>()?.start()
}

/// How long so many bytes of raw media last.
fn duration(caps: &gst::Caps, size: usize) -> Option<gst::ClockTime> {
    let seconds = |count: u64, per_second: u64| {
        gst::ClockTime::SECOND
            .nseconds()
            .checked_mul(count)?
            .checked_div(per_second)
    };
    let nanoseconds = if let Ok(info) = AudioInfo::from_caps(caps) {
        let frames = u64::try_from(size)
            .ok()?
            .checked_div(u64::from(info.bpf()))?;
        seconds(frames, u64::from(info.rate()))?
    } else {
        let rate = VideoInfo::from_caps(caps).ok()?.fps();
        let (count, per) = (
            u64::try_from(rate.denom()).ok()?,
            u64::try_from(rate.numer()).ok()?,
        );
        seconds(count, per).filter(|duration| *duration > 0)?
    };
    Some(gst::ClockTime::from_nseconds(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(text: &str) -> gst::Caps {
        crate::init().unwrap();
        text.parse().unwrap()
    }

    fn matrix_of(text: &str) -> usize {
        let info = AudioInfo::from_caps(&caps(text)).unwrap();
        matrix(&info).len()
    }

    #[test]
    fn channels_without_places_go_left_and_right() {
        let audio = "audio/x-raw,format=S16LE,layout=interleaved,rate=48000";
        for channels in [3, 4, 5, 8, 16] {
            let text = format!("{audio},channels={channels},channel-mask=(bitmask)0x0");
            assert_eq!(matrix_of(&text), 2, "{channels}");
        }
        for placed in [
            "channels=1",
            "channels=2",
            "channels=2,channel-mask=(bitmask)0x0",
            "channels=6,channel-mask=(bitmask)0x3f",
        ] {
            assert_eq!(matrix_of(&format!("{audio},{placed}")), 0, "{placed}");
        }
    }

    #[test]
    fn samples_last_as_long_as_there_are() {
        let audio = caps("audio/x-raw,format=S16LE,layout=interleaved,rate=96000,channels=2");
        assert_eq!(duration(&audio, 96_000 * 4), Some(gst::ClockTime::SECOND));
        let video = caps("video/x-raw,format=I420,width=64,height=64,framerate=25/1");
        assert_eq!(duration(&video, 1), Some(gst::ClockTime::from_mseconds(40)));
        let still = caps("video/x-raw,format=I420,width=64,height=64,framerate=0/1");
        assert_eq!(duration(&still, 1), None);
    }
}
