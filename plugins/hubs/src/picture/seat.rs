//! A port's way in and out, for pictures.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use rivero_filter::PictureFormat;
use rivero_mix::{Fit, Picture, Tile};
use rivero_plugin_api::{
    ElementContext, Format, MediaKind, Packaging, Packet, Result, SinkHandler, SourceHandler, host,
    supervise::lock,
};

use super::{
    LONGEST_SHOWN, PictureMix,
    queue::{Arrived, Queue},
    slate,
};
use crate::{common::Common, ends::Ends, lag::Lag};

/// The pictures of one port.
pub(crate) struct Seat {
    pub(super) port: Box<str>,
    ends: Ends,
    input: Mutex<Input>,
    /// Of the port's sound.
    lag: Arc<Lag>,
    mix: Weak<PictureMix>,
}

/// What comes in.
#[derive(Default)]
struct Input {
    queue: Queue,
    /// Shown where there is no picture, or none of late.
    stand_in: Option<Picture>,
    is_stalled: bool,
    /// The latest format of its packets, and the pictures that have it.
    format: Option<(u32, Option<PictureFormat>)>,
}

/// What is seen of a port.
pub(super) struct Sight {
    pub(super) picture: Picture,
    /// When the packet that it was made of entered the server, ns; `None` of what is shown in place of a picture.
    pub(super) ingress: Option<i64>,
    /// The place is grey, whatever its shape.
    is_slate: bool,
    /// It has begun to be late, or has come back.
    pub(super) change: Option<bool>,
}

impl Sight {
    /// The place, as this fills it.
    pub(super) fn within(&self, tile: Tile) -> Tile {
        let fit = if self.is_slate { Fit::Fill } else { tile.fit };
        Tile { fit, ..tile }
    }
}

/// What happened to the pictures of a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Pictures of the mix that showed the same of it as the one before.
    pub(crate) repeated: i64,
    /// Pictures that came before the former one was shown.
    pub(crate) dropped: i64,
    /// When the latest one came, ns.
    pub(crate) arrival: Option<i64>,
}

/// Pictures; size and colours are each packet's own.
pub(super) fn raw_pictures() -> Format {
    Format {
        packaging: Packaging::Raw,
        ..Format::rtp("I420", 0, 0)
    }
}

/// Pictures of one size.
pub(super) fn raw_pictures_of(width: i32, height: i32) -> Format {
    raw_pictures()
        .with("width", width.to_string())
        .with("height", height.to_string())
}

impl Seat {
    pub(super) fn open(
        mix: &Arc<PictureMix>,
        port: &str,
        context: &ElementContext,
        lag: Arc<Lag>,
    ) -> Result<Arc<Self>> {
        let seat = Arc::new(Self {
            port: port.into(),
            ends: Ends::default(),
            input: Mutex::default(),
            lag,
            mix: Arc::downgrade(mix),
        });
        let end = End(Arc::downgrade(&seat));
        seat.ends
            .open(context, MediaKind::Video, &raw_pictures(), end)?;
        Ok(seat)
    }

    fn input(&self) -> MutexGuard<'_, Input> {
        lock(&self.input)
    }

    /// Has the port show what all see, or what is pushed for it alone.
    pub(super) fn show(&self, common: &Common, is_common: impl Fn() -> bool) {
        self.ends.show(common, is_common);
    }

    pub(super) fn is_seen(&self) -> bool {
        self.ends.has_consumers()
    }

    /// What is shown of it now; `None` for nothing.
    pub(super) fn sight(&self, now: i64) -> Option<Sight> {
        let mut input = self.input();
        let Input {
            queue,
            stand_in,
            is_stalled,
            ..
        } = &mut *input;
        // Of what is not connected it shows with the next picture.
        let is_late = queue
            .arrival()
            .map_or(*is_stalled, |arrival| now - arrival > LONGEST_SHOWN);
        let was_stalled = std::mem::replace(is_stalled, is_late);
        let shown = queue.step(now, self.lag.get());
        let (picture, ingress) = match shown.filter(|_| !is_late) {
            Some(shown) => (Some(shown.picture.clone()), Some(shown.ingress)),
            None => (stand_in.clone(), None),
        };
        let is_slate = picture.is_none();
        // As large as what it takes the place of, whose size may be that of the frame.
        let grey = || {
            let format = shown?.picture.format;
            slate(format.width, format.height)
        };
        Some(Sight {
            picture: picture.or_else(grey)?,
            ingress,
            is_slate,
            change: (was_stalled != is_late).then_some(is_late),
        })
    }

    pub(super) fn set_stand_in(&self, picture: Option<Picture>) {
        self.input().stand_in = picture;
    }

    pub(super) fn counts(&self) -> Counts {
        let input = self.input();
        Counts {
            repeated: input.queue.repeated,
            dropped: input.queue.dropped,
            arrival: input.queue.arrival(),
        }
    }

    pub(super) fn push(&self, packet: Packet) {
        self.ends.push(packet);
    }

    fn on_packets(&self, packets: &[Packet]) {
        let (Some(packet), Some(host)) = (packets.last(), host()) else {
            return;
        };
        let mut input = self.input();
        if let Some(format) = input.format(packet.format)
            && packet.bytes.len() >= format.size()
        {
            input.queue.push(Arrived {
                picture: Picture {
                    bytes: packet.bytes.clone(),
                    format,
                },
                time: packet.presentation_time,
                arrival: host.now(),
                ingress: packet.ingress_time,
            });
        }
    }

    fn on_format(&self, format: Option<u32>) {
        if format.is_none() {
            // Whether it is stalled shows with the next picture.
            self.input().queue.clear();
        }
    }

    fn on_consumers(&self, count: u32) {
        if self.ends.count(count)
            && let Some(mix) = self.mix.upgrade()
        {
            mix.wake();
        }
    }
}

impl Input {
    fn format(&mut self, id: u32) -> Option<PictureFormat> {
        match self.format {
            Some((latest, format)) if latest == id => format,
            _ => {
                let format = host()?.format(id).as_ref().and_then(PictureFormat::of);
                self.format = Some((id, format));
                format
            }
        }
    }
}

/// The seat as its pads know it: they do not keep it alive.
#[derive(Clone)]
struct End(Weak<Seat>);

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        if let Some(seat) = self.0.upgrade() {
            seat.on_packets(packets);
        }
    }

    fn format(&self, format: Option<u32>) {
        if let Some(seat) = self.0.upgrade() {
            seat.on_format(format);
        }
    }
}

impl SourceHandler for End {
    fn consumers(&self, count: u32) {
        if let Some(seat) = self.0.upgrade() {
            seat.on_consumers(count);
        }
    }
}
