//! Elements that make pictures.

use std::{
    sync::{Arc, Mutex, OnceLock, Weak},
    time::Duration,
};

use rivero_filter::{
    Colours, PictureFormat,
    base::{Behaviour, Instance, Pads, Picture, class},
};
use rivero_plugin_api::{
    Class, DEFAULT_DESCRIPTION, Packet, Result, SourceHandler, SourcePad, host, supervise::lock,
};

use super::{VIDEO, raw_pictures};

/// A class that makes pictures, as long as somebody takes them.
pub trait PictureSource: Behaviour {
    /// Draws the next picture, which is all black to begin with.
    fn draw(&mut self, picture: &mut Picture<'_>, properties: &Self::Properties);

    /// Width and height of the next picture, pixels, 1 to 4096.
    fn size(&self, properties: &Self::Properties) -> (usize, usize) {
        let _ = properties;
        (640, 480)
    }

    /// Pictures a second, 1 to 120.
    fn rate(&self, properties: &Self::Properties) -> f64 {
        let _ = properties;
        25.0
    }
}

/// The class of this name whose objects make pictures, for `export_module!`.
pub fn picture_source<S: PictureSource>(name: &'static str) -> Class {
    class::<S, SourcePads<S>>(name)
}

const SIDES: std::ops::RangeInclusive<usize> = 1..=4096;

struct SourcePads<S: Behaviour>(Arc<Studio<S>>);

/// Where pictures are made, at beats of the pipeline's clock.
struct Studio<S: Behaviour> {
    instance: Arc<Instance<S>>,
    /// Until the object is released.
    pad: OnceLock<SourcePad>,
    beat: Mutex<Beat>,
}

#[derive(Default)]
struct Beat {
    consumers: u32,
    /// A timer is set.
    runs: bool,
    /// When the next picture is due, ns on the pipeline's clock.
    due: i64,
}

/// The studio as its pad knows it.
struct End<S: Behaviour>(Weak<Studio<S>>);

impl<S: PictureSource> Pads<S> for SourcePads<S> {
    fn open(instance: &Arc<Instance<S>>) -> Result<Self> {
        let studio = Arc::new(Studio {
            instance: instance.clone(),
            pad: OnceLock::new(),
            beat: Mutex::default(),
        });
        let end = End(Arc::downgrade(&studio));
        let pad = instance
            .context()
            .source_pad(VIDEO, DEFAULT_DESCRIPTION, end)?;
        if let Some(host) = host() {
            pad.set_format(Some(host.format_id(&raw_pictures())));
        }
        // The studio is new, so the place is empty.
        let _ = studio.pad.set(pad);
        Ok(Self(studio))
    }
}

impl<S: Behaviour> Drop for SourcePads<S> {
    fn drop(&mut self) {
        lock(&self.0.beat).consumers = 0;
    }
}

impl<S: PictureSource> SourceHandler for End<S> {
    fn consumers(&self, count: u32) {
        let Some(studio) = self.0.upgrade() else {
            return;
        };
        let now = host().map_or(0, |host| host.now());
        let mut beat = lock(&studio.beat);
        beat.consumers = count;
        let starts = count > 0 && !beat.runs;
        if starts {
            beat.runs = true;
            beat.due = now;
        }
        drop(beat);
        if starts {
            studio.wait(Duration::ZERO);
        }
    }
}

impl<S: PictureSource> Studio<S> {
    fn wait(self: &Arc<Self>, delay: Duration) {
        let studio = Arc::downgrade(self);
        self.instance.context().after(delay, move || {
            if let Some(studio) = studio.upgrade() {
                studio.work();
            }
        });
    }

    fn work(self: &Arc<Self>) {
        let Some(host) = host() else { return };
        let mut beat = lock(&self.beat);
        if beat.consumers == 0 {
            beat.runs = false;
            return;
        }
        let time = beat.due;
        drop(beat);
        let rate = self
            .instance
            .with(|source, properties| source.rate(properties));
        if let (Some(packet), Some(pad)) = (self.picture(time), self.pad.get()) {
            pad.push(&[packet]);
        }
        #[allow(clippy::cast_possible_truncation)]
        let period = (1e9 / rate.clamp(1.0, 120.0)) as i64;
        let now = host.now();
        // Who is late by more than a picture leaves out what nobody would see.
        let due = (time + period).max(now - period);
        lock(&self.beat).due = due;
        self.wait(Duration::from_nanos(u64::try_from(due - now).unwrap_or(0)));
    }

    fn picture(&self, time: i64) -> Option<Packet> {
        let host = host()?;
        self.instance.with(|source, properties| {
            let (width, height) = source.size(properties);
            let side = |side: usize| side.clamp(*SIDES.start(), *SIDES.end());
            let format = PictureFormat {
                width: side(width),
                height: side(height),
                colours: Colours::TELEVISION,
            };
            let mut bytes = host.buffer(format.size());
            let (luma, colour) = bytes.split_at_mut_checked(format.luma_size())?;
            luma.fill(16);
            colour.fill(128);
            let mut picture = Picture::new(format, &mut bytes, time)?;
            source.draw(&mut picture, properties);
            let mut packet = Packet::default();
            picture.notes_into(&mut packet);
            let numbers = raw_pictures()
                .with("width", format.width.to_string())
                .with("height", format.height.to_string());
            Some(Packet {
                bytes: bytes.freeze(),
                format: host.format_id(&numbers),
                kind: VIDEO,
                flags: Packet::KEYFRAME,
                presentation_time: time,
                ingress_time: time,
                ..packet
            })
        })
    }
}
