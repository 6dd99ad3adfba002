//! The pictures of a GIF, each whole, and when they are shown.

use std::{
    io::{Chain, Cursor},
    num::NonZeroU64,
};

use gif::{DecodeOptions, Decoder, DisposalMethod, Frame, MemoryLimit};
use gstreamer as gst;

/// Pixels of the largest picture: as many as level 5.1 of H.264 has (36,864 macroblocks). All that a film needs is bounded by it.
pub(super) const MOST_PIXELS: usize = 36_864 * 256;
/// Bytes of a pixel: red, green, blue, and one that says nothing.
const PIXEL: usize = 4;
/// Where nothing was painted: packets have no transparency, and pages are white.
const BACKDROP: u8 = 0xff;
/// A delay is in hundredths of a second.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(10);
/// Delays below are not meant: browsers take all of them for the usual one.
const SHORTEST_DELAY: u16 = 2;
const USUAL_DELAY: u16 = 10;
/// What ends a GIF (section 27). A file that lacks it is whole as long as it ends behind a picture.
const TRAILER: &[u8] = b";";

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("no GIF that can be read: {0}")]
    Gif(#[from] gif::DecodingError),
    #[error("a picture of {0} x {1} pixels, and {MOST_PIXELS} are the most")]
    Size(usize, usize),
    #[error("a GIF without a picture")]
    Empty,
}

type Reader = Decoder<Chain<Cursor<gst::glib::Bytes>, &'static [u8]>>;

/// A GIF that has a picture at least.
pub(super) struct Film {
    bytes: gst::glib::Bytes,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Up to the end of the last picture.
    pub(super) length: gst::ClockTime,
}

impl Film {
    /// Reads what `bytes` say of the pictures, not these themselves. What fails behind the first one ends what is known.
    ///
    /// # Errors
    /// There is no picture, or one that is too large.
    pub(super) fn read(bytes: gst::glib::Bytes) -> Result<Self, Fault> {
        let mut reader = open(&bytes, true)?;
        let (mut width, mut height) = (reader.width().into(), reader.height().into());
        let mut length = gst::ClockTime::ZERO;
        let Some(first) = reader.next_frame_info()? else {
            return Err(Fault::Empty);
        };
        // There are files whose screen is smaller than the first picture, or nothing at all.
        let area = Area::of(first);
        width = area.right().max(width);
        height = area.bottom().max(height);
        check_size(width, height)?;
        let mut delay = delay(first);
        // The data of a picture ends where the next one begins, or the file does.
        while let Ok(next) = reader.next_frame_info() {
            length = length.saturating_add(delay);
            let Some(next) = next else { break };
            // It may be larger than the screen, or have no pixel.
            check_size(
                usize::from(next.width).max(1),
                usize::from(next.height).max(1),
            )?;
            delay = self::delay(next);
        }
        drop(reader);
        let mut film = Self {
            bytes,
            width,
            height,
            length,
        };
        if length.is_zero() {
            // Either the first picture is cut off, or what follows it is damaged.
            film.pictures()?.advance()?;
            film.length = delay;
        }
        Ok(film)
    }

    /// Its pictures, from the first one on.
    ///
    /// # Errors
    /// None that [`Self::read`] did not have.
    pub(super) fn pictures(&self) -> Result<Pictures, Fault> {
        Ok(Pictures {
            reader: open(&self.bytes, false)?,
            canvas: vec![BACKDROP; self.width * self.height * PIXEL],
            line: self.width * PIXEL,
            left_over: LeftOver::Nothing,
            end: gst::ClockTime::ZERO,
        })
    }
}

fn open(bytes: &gst::glib::Bytes, skips_data: bool) -> Result<Reader, Fault> {
    let mut options = DecodeOptions::new();
    options.skip_frame_decoding(skips_data);
    if let Some(most) = NonZeroU64::new(MOST_PIXELS as u64) {
        options.set_memory_limit(MemoryLimit::Bytes(most));
    }
    let bytes = std::io::Read::chain(Cursor::new(bytes.clone()), TRAILER);
    Ok(options.read_info(bytes)?)
}

fn check_size(width: usize, height: usize) -> Result<(), Fault> {
    match width * height {
        0 => Err(Fault::Empty),
        pixels if pixels > MOST_PIXELS => Err(Fault::Size(width, height)),
        _ => Ok(()),
    }
}

fn delay(frame: &Frame) -> gst::ClockTime {
    let ticks = match frame.delay {
        delay if delay < SHORTEST_DELAY => USUAL_DELAY,
        delay => delay,
    };
    TICK * u64::from(ticks)
}

/// The pictures of a [`Film`].
pub(super) struct Pictures {
    reader: Reader,
    /// What is seen.
    canvas: Vec<u8>,
    /// Bytes of a line.
    line: usize,
    left_over: LeftOver,
    /// Of the last picture.
    end: gst::ClockTime,
}

/// What becomes of a picture before the next one is painted (`DisposalMethod`).
enum LeftOver {
    Nothing,
    Clear(Area),
    Restore(Vec<u8>),
}

impl Pictures {
    /// Paints the next picture; returns when it is shown and for how long.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn advance(&mut self) -> Result<Option<(gst::ClockTime, gst::ClockTime)>, Fault> {
        if self.reader.read_next_frame()?.is_none() {
            return Ok(None);
        }
        match std::mem::replace(&mut self.left_over, LeftOver::Nothing) {
            LeftOver::Nothing => {}
            LeftOver::Clear(area) => self.clear(area),
            LeftOver::Restore(canvas) => self.canvas = canvas,
        }
        let Some(frame) = self.reader.current_frame_info() else {
            return Ok(None);
        };
        self.left_over = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => LeftOver::Nothing,
            DisposalMethod::Background => LeftOver::Clear(Area::of(frame)),
            DisposalMethod::Previous => LeftOver::Restore(self.canvas.clone()),
        };
        paint(&mut self.canvas, self.line, frame, self.reader.palette()?);
        let (start, duration) = (self.end, delay(frame));
        self.end = start.saturating_add(duration);
        Ok(Some((start, duration)))
    }

    /// The picture: lines from the top down, four bytes a pixel (`RGBx`).
    pub(super) fn canvas(&self) -> &[u8] {
        &self.canvas
    }

    fn clear(&mut self, area: Area) {
        let lines = self.canvas.chunks_exact_mut(self.line);
        for line in lines.skip(area.top).take(area.height) {
            let pixels = line.chunks_exact_mut(PIXEL);
            for pixel in pixels.skip(area.left).take(area.width) {
                pixel.fill(BACKDROP);
            }
        }
    }
}

/// `line`: bytes of a line of `canvas`. What is beside it is left out, as are colours that the palette does not have.
fn paint(canvas: &mut [u8], line: usize, frame: &Frame, palette: &[u8]) {
    let area = Area::of(frame);
    if area.width == 0 {
        return;
    }
    let lines = canvas.chunks_exact_mut(line).skip(area.top);
    for (line, indexes) in lines.zip(frame.buffer.chunks_exact(area.width)) {
        let pixels = line.chunks_exact_mut(PIXEL).skip(area.left);
        for (pixel, index) in pixels.zip(indexes) {
            let colour = palette.chunks_exact(3).nth(usize::from(*index));
            if let Some(colour) = colour
                && frame.transparent != Some(*index)
            {
                pixel.iter_mut().zip(colour).for_each(|(to, of)| *to = *of);
            }
        }
    }
}

/// Where a picture is painted, in pixels.
struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Area {
    fn of(frame: &Frame) -> Self {
        Self {
            left: frame.left.into(),
            top: frame.top.into(),
            width: frame.width.into(),
            height: frame.height.into(),
        }
    }

    fn right(&self) -> usize {
        self.left + self.width
    }

    fn bottom(&self) -> usize {
        self.top + self.height
    }
}
