//! The picture of a hub: made when it is due of what there is then, and waited for by nobody.

mod labels;
mod queue;
mod seat;

use std::sync::{
    Arc, Mutex, OnceLock, Weak,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use rivero_filter::{Colours, Image, Patch, PictureFormat, Place};
use rivero_mix::{Beat, Canvas, Due, Painter, Picture, Rect, Tile};
use rivero_plugin_api::{
    ElementContext, Layer, MediaKind, Packet, Result, Rtp, host, supervise::lock,
};

use crate::{
    clock::{Beats, Clock, Work},
    common::Common,
    lag::Lag,
};
use labels::Labels;
pub(crate) use seat::Counts;
use seat::{Seat, Sight, raw_pictures, raw_pictures_of};

/// A picture that is older than this, ns, is no longer shown: its sender has no network. A
/// screen that stands still is sent once a second by browsers.
const LONGEST_SHOWN: i64 = 5_000_000_000;
/// Who sees what all see: an id of no port.
const NO_PORT: &str = "";
/// What is shown in its place: dark grey, which is told from black and from a picture.
const SLATE: [u8; 3] = [48, 128, 128];

/// Pixels of the longer side of an image in place of a picture.
const LARGEST_STAND_IN: u32 = 1024;

/// What a port has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown<'a> {
    /// The port's id.
    pub(crate) port: &'a str,
    /// Pixels.
    pub(crate) width: i32,
    /// Pixels.
    pub(crate) height: i32,
}

/// What a port is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrangement {
    /// Pixels, even.
    pub(crate) width: i32,
    /// Pixels, even.
    pub(crate) height: i32,
    /// What no picture covers: Y, U and V.
    pub(crate) background: [u8; 3],
    /// Which port is where, those that are nearer later.
    pub(crate) tiles: Vec<Placed>,
}

/// A port in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Its place among those that have something to show.
    pub(crate) number: usize,
    pub(crate) tile: Tile,
    /// Text over its picture.
    pub(crate) label: Option<Arc<str>>,
}

/// Says where pictures go.
pub(crate) trait Arrange: Send + Sync + 'static {
    /// What the port `viewer` sees of those ports that have something to show, which are in the order in which they
    /// came. Those who see the same share one picture.
    fn arrange(&self, shown: &[Shown<'_>], viewer: &str) -> Arrangement;

    /// Whether a port sees what all see that have no view of their own, as [`arrange`](Self::arrange) has it for
    /// a port that is not there.
    fn is_common(&self, viewer: &str) -> bool {
        let _ = viewer;
        true
    }

    /// A port sends no pictures any more, or sends them again.
    fn stalled(&self, port: &str, is_stalled: bool) {
        let _ = (port, is_stalled);
    }
}

/// The picture of one hub.
pub(crate) struct PictureMix {
    arrange: Box<dyn Arrange>,
    /// Pictures a second. It stands for itself, so relaxed is enough.
    rate: AtomicU32,
    context: ElementContext,
    clock: Arc<Clock>,
    id: OnceLock<u64>,
    seats: Mutex<Vec<Arc<Seat>>>,
    /// What all ports show that have no view of their own: it is encoded for all of them together.
    common: OnceLock<Arc<Common>>,
    work: Mutex<MixWork>,
}

/// What the thread that draws has at hand.
#[derive(Default)]
struct MixWork {
    /// `None` while nobody looks.
    beat: Option<Beat>,
    painter: Painter,
    labels: Labels,
}

impl PictureMix {
    /// `rate`: pictures a second.
    ///
    /// # Errors
    /// 40003 when there is no thread for it, or no pad
    pub(crate) fn new(
        arrange: impl Arrange,
        rate: u32,
        context: &ElementContext,
    ) -> Result<Arc<Self>> {
        let mix = Arc::new(Self {
            arrange: Box::new(arrange),
            rate: AtomicU32::new(rate),
            context: context.clone(),
            clock: Clock::join(Work::Pictures)?,
            id: OnceLock::new(),
            seats: Mutex::default(),
            common: OnceLock::new(),
            work: Mutex::default(),
        });
        let waking = Arc::downgrade(&mix);
        let wake = move || {
            if let Some(mix) = waking.upgrade() {
                mix.wake();
            }
        };
        let _ = mix.common.set(Common::open(
            context,
            MediaKind::Video,
            raw_pictures(),
            wake,
        )?);
        let beats: Weak<dyn Beats> = Arc::downgrade(&mix) as Weak<dyn Beats>;
        let _ = mix.id.set(mix.clock.add(beats));
        Ok(mix)
    }

    /// A port came, whose pictures wait for its sound.
    ///
    /// # Errors
    /// Why its pads cannot be opened
    pub(crate) fn add_port(
        self: &Arc<Self>,
        id: &str,
        port: &ElementContext,
        lag: Arc<Lag>,
    ) -> Result<()> {
        let seat = Seat::open(self, id, port, lag)?;
        lock(&self.seats).push(seat);
        self.change_view(id);
        Ok(())
    }

    /// What a port is to see may be its own now, or what all see.
    pub(crate) fn change_view(&self, port: &str) {
        let seats = self.seats();
        if let (Some(seat), Some(common)) = (
            seats.iter().find(|seat| *seat.port == *port),
            self.common.get(),
        ) {
            seat.show(common, || self.arrange.is_common(port));
        }
    }

    /// A port went: its place is another's from the next picture on.
    pub(crate) fn remove_port(&self, id: &str) {
        let mut seats = lock(&self.seats);
        let place = seats.iter().position(|seat| *seat.port == *id);
        // Dropped when the lock is let go: a pad that closes calls into the host.
        let gone = place.map(|place| seats.remove(place));
        drop(seats);
        drop(gone);
    }

    /// The hub is released.
    pub(crate) fn close(&self) {
        let seats = std::mem::take(&mut *lock(&self.seats));
        drop(seats);
        if let Some(common) = self.common.get() {
            common.close();
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(id) = self.id.get() {
            self.clock.wake(*id);
        }
    }

    fn seats(&self) -> Vec<Arc<Seat>> {
        lock(&self.seats).clone()
    }

    /// Changes the number of pictures a second.
    pub(crate) fn set_rate(&self, rate: u32) {
        self.rate.store(rate, Relaxed);
    }

    /// What a port has to show: how old it is, ns, and what it was counted. `None` for an unknown port.
    pub(crate) fn counts(&self, port: &str) -> Option<Counts> {
        let seats = self.seats();
        seats
            .iter()
            .find(|seat| *seat.port == *port)
            .map(|seat| seat.counts())
    }

    /// What is shown of a port that has no picture, in place of that, from the next picture on.
    pub(crate) fn set_stand_in(&self, port: &str, image: Option<&Image>) {
        let picture = image.and_then(stand_in);
        for seat in self.seats().iter().filter(|seat| *seat.port == *port) {
            seat.set_stand_in(picture.clone());
        }
    }

    /// Gives the pictures of this beat to those who look.
    fn show(&self, work: &mut MixWork, seats: &[Arc<Seat>], due: Due, now: i64) {
        let sights = seats.iter().map(|seat| (seat, seat.sight(now)));
        let sights: Vec<(&Arc<Seat>, Sight)> = sights
            .filter_map(|(seat, sight)| Some((seat, sight?)))
            .collect();
        for (seat, sight) in &sights {
            if let Some(is_stalled) = sight.change {
                self.arrange.stalled(&seat.port, is_stalled);
            }
        }
        let shown: Vec<Shown<'_>> = sights
            .iter()
            .map(|(seat, sight)| shown(seat, &sight.picture))
            .collect();
        let mut drawn: Vec<(Arrangement, Option<Packet>)> = Vec::new();
        for seat in seats.iter().filter(|seat| seat.is_seen()) {
            let arrangement = self.arrange.arrange(&shown, &seat.port);
            let known = drawn.iter().position(|(known, _)| *known == arrangement);
            let place = known.unwrap_or_else(|| {
                let packet = self.draw(work, &arrangement, &sights, due);
                drawn.push((arrangement, packet));
                drawn.len() - 1
            });
            if let Some((_, Some(packet))) = drawn.get(place) {
                seat.push(packet.clone());
            }
        }
        let Some(common) = self.common.get().filter(|common| common.has_consumers()) else {
            return;
        };
        let arrangement = self.arrange.arrange(&shown, NO_PORT);
        let known = drawn.iter().find(|(known, _)| *known == arrangement);
        let packet = match known {
            Some((_, packet)) => packet.clone(),
            None => self.draw(work, &arrangement, &sights, due),
        };
        if let Some(packet) = packet {
            common.push(packet);
        }
    }

    fn is_seen(&self, seats: &[Arc<Seat>]) -> bool {
        let common = self.common.get();
        common.is_some_and(|common| common.has_consumers())
            || seats.iter().any(|seat| seat.is_seen())
    }

    fn draw(
        &self,
        work: &mut MixWork,
        arrangement: &Arrangement,
        sights: &[(&Arc<Seat>, Sight)],
        due: Due,
    ) -> Option<Packet> {
        let (width, height) = (arrangement.width, arrangement.height);
        let format = PictureFormat {
            width: usize::try_from(width).ok()?,
            height: usize::try_from(height).ok()?,
            colours: Colours::default(),
        };
        let host = host()?;
        let mut bytes = host.buffer(format.size());
        let mut canvas = Canvas::plain(&mut bytes, &format, arrangement.background)?;
        let mut ingress = None;
        for placed in &arrangement.tiles {
            let Some((_, sight)) = sights.get(placed.number) else {
                continue;
            };
            work.painter
                .draw(&mut canvas, &sight.picture, sight.within(placed.tile));
            ingress = ingress.max(sight.ingress);
            let label = placed.label.as_ref();
            if let Some(patch) =
                label.and_then(|text| work.labels.get(text, placed.tile.rect, &format))
            {
                canvas.lay(patch);
            }
        }
        Some(Packet {
            bytes: bytes.freeze(),
            format: host.format_id(&raw_pictures_of(width, height)),
            origin: 0,
            kind: MediaKind::Video,
            flags: Packet::KEYFRAME,
            layer: Layer::default(),
            presentation_time: due.time,
            ingress_time: ingress.unwrap_or(due.time),
            duration: 1_000_000_000 / i64::from(self.rate.load(Relaxed).max(1)),
            rtp: Rtp::default(),
            ..Packet::default()
        })
    }
}

fn shown<'a>(seat: &'a Seat, picture: &Picture) -> Shown<'a> {
    let side = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
    Shown {
        port: &seat.port,
        width: side(picture.format.width),
        height: side(picture.format.height),
    }
}

/// An image as a picture of its own shape, on what is shown where there is none.
fn stand_in(image: &Image) -> Option<Picture> {
    let ratio = image.aspect_ratio();
    let side = |part: f64| ((f64::from(LARGEST_STAND_IN) * part.min(1.0)) as usize & !1).max(2);
    let (width, height) = (side(ratio), side(1.0 / ratio));
    let mut picture = slate(width, height)?;
    let place = Place {
        x: 0.0,
        y: 0.0,
        width: width as f64,
        height: height as f64,
    };
    let mut bytes = picture.bytes.to_vec();
    let patch = Patch::new(image, place, &picture.format)?;
    patch.draw(&mut picture.format.planes(&mut bytes)?);
    picture.bytes = bytes.into();
    Some(picture)
}

/// A picture of nothing.
fn slate(width: usize, height: usize) -> Option<Picture> {
    let format = PictureFormat {
        width,
        height,
        colours: Colours::default(),
    };
    let mut bytes = vec![0; format.size()];
    Canvas::plain(&mut bytes, &format, SLATE)?;
    Some(Picture {
        bytes: bytes.into(),
        format,
    })
}

/// All of a frame.
pub(crate) fn whole(width: i32, height: i32) -> Rect {
    Rect {
        x: 0,
        y: 0,
        width,
        height,
    }
}

impl Beats for PictureMix {
    fn beat(&self, now: i64) -> Option<i64> {
        let seats = self.seats();
        let mut work = lock(&self.work);
        let work = &mut *work;
        if !self.is_seen(&seats) {
            // Who begins to look meanwhile wakes it again.
            work.beat = None;
            return None;
        }
        let rate = self.rate.load(Relaxed).max(1);
        // Pictures that are overdue are left out: one now is as good.
        let beat = work.beat.get_or_insert_with(|| Beat::new(rate, 0, now));
        if beat.rate() != rate {
            beat.set_rate(rate);
        }
        let due = beat.due(now);
        let next = beat.deadline();
        if let Some(due) = due {
            self.show(work, &seats, due, now);
            work.labels.sweep();
        }
        Some(next)
    }

    fn panicked(&self, text: &str) {
        self.context.panicked("a mix of pictures", text);
    }
}
