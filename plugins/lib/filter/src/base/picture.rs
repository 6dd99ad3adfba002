//! Filters of pictures.

use std::sync::Arc;

use rivero_plugin_api::{Bytes, Class, Packet, Result, host};

use super::object::{Behaviour, Instance, Pads, class};
use crate::{Colours, Formats, Lanes, PictureFormat, Plane, Planes, Treatment};

/// A class that changes pictures. Sound and data pass as they come.
pub trait PictureFilter: Behaviour {
    /// Changes a picture on its way. What takes longer than until the next one loses pictures.
    fn process(&mut self, picture: &mut Picture<'_>, properties: &Self::Properties);
}

/// The class of this name whose objects are filters of pictures, for `export_module!`.
pub fn picture_filter<F: PictureFilter>(name: &'static str) -> Class {
    class::<F, PicturePads>(name)
}

/// A picture (I420): luma for each pixel, and two differences of colour for four pixels each.
pub struct Picture<'a> {
    format: PictureFormat,
    bytes: &'a mut [u8],
    time: i64,
    notes: Vec<(String, Vec<u8>)>,
}

impl<'a> Picture<'a> {
    /// A picture in these bytes; `None` if they are too few for its format.
    pub fn new(format: PictureFormat, bytes: &'a mut [u8], time: i64) -> Option<Self> {
        let bytes = bytes.get_mut(..format.size())?;
        Some(Self {
            format,
            bytes,
            time,
            notes: Vec::new(),
        })
    }

    /// Pixels.
    pub fn width(&self) -> usize {
        self.format.width
    }

    /// Pixels.
    pub fn height(&self) -> usize {
        self.format.height
    }

    /// When it is shown, ns on the pipeline's clock.
    pub fn time(&self) -> i64 {
        self.time
    }

    /// What its values stand for.
    pub fn colours(&self) -> Colours {
        self.format.colours
    }

    /// Luma, row by row: 16 is black and 235 white, unless [`colours`](Self::colours) are of full range.
    pub fn luma(&mut self) -> &mut [u8] {
        let size = self.format.luma_size();
        self.bytes.get_mut(..size).unwrap_or_default()
    }

    /// The planes Y, U and V with their widths; 128 is no colour.
    pub fn planes(&mut self) -> [(&mut [u8], usize); 3] {
        match self.format.planes(self.bytes) {
            Some(Planes(planes)) => planes,
            None => [0; 3].map(|_| (Default::default(), 1)),
        }
    }

    /// All planes, one after the other without gaps.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// It as something to look at.
    pub fn view(&self) -> PictureView<'_> {
        PictureView {
            format: self.format,
            bytes: self.bytes,
            time: self.time,
        }
    }

    /// The colour of each pixel, row by row: red, green and blue.
    pub fn rgb(&self) -> Vec<[u8; 3]> {
        self.view().rgb()
    }

    /// Gives each pixel a colour, row by row: red, green and blue. Four pixels share the mean of theirs.
    pub fn set_rgb(&mut self, pixels: &[[u8; 3]]) {
        let (format, width) = (self.format, self.format.width.max(1));
        let Some(Planes([(luma, _), (blue, half), (red, _)])) = format.planes(self.bytes) else {
            return;
        };
        let size = blue.len();
        let mut sums = vec![[0_u32; 3]; size];
        for (index, (pixel, luma)) in pixels.iter().zip(luma).enumerate() {
            let [value, from_blue, from_red] = format.colours.of_rgb(*pixel);
            *luma = value;
            let at = index / width / 2 * half + index % width / 2;
            if let Some([blue, red, count]) = sums.get_mut(at) {
                *blue += u32::from(from_blue);
                *red += u32::from(from_red);
                *count += 1;
            }
        }
        let mean =
            |sum: u32, count: u32| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX);
        for ([sum_of_blue, sum_of_red, count], (blue, red)) in
            sums.into_iter().zip(blue.iter_mut().zip(red))
        {
            if count > 0 {
                *blue = mean(sum_of_blue, count);
                *red = mean(sum_of_red, count);
            }
        }
    }

    /// Notes something about it that other modules can read ([`Packet::metadata`]). Begin the key with your module's
    /// name.
    pub fn note(&mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.notes.push((key.into(), value.into()));
    }

    /// Puts what was noted into a packet. What is too much is left out, with a line in the log.
    pub fn notes_into(self, packet: &mut Packet) {
        for (key, value) in self.notes {
            if let Err(error) = packet.set_metadata(&key, &value) {
                tracing::warn!(key, "a note of a picture is left out: {error}");
            }
        }
    }
}

/// A picture that is only looked at.
#[derive(Clone, Copy, Debug)]
pub struct PictureView<'a> {
    format: PictureFormat,
    bytes: &'a [u8],
    time: i64,
}

impl<'a> PictureView<'a> {
    /// A packet's picture; `None` if it is too short for this format.
    pub fn new(format: PictureFormat, packet: &'a Packet) -> Option<Self> {
        Some(Self {
            format,
            bytes: packet.bytes.get(..format.size())?,
            time: packet.presentation_time,
        })
    }

    /// Pixels.
    pub fn width(&self) -> usize {
        self.format.width
    }

    /// Pixels.
    pub fn height(&self) -> usize {
        self.format.height
    }

    /// When it is shown, ns on the pipeline's clock.
    pub fn time(&self) -> i64 {
        self.time
    }

    /// Luma, row by row.
    pub fn luma(&self) -> &'a [u8] {
        self.bytes
            .get(..self.format.luma_size())
            .unwrap_or_default()
    }

    /// The planes Y, U and V with their widths; 128 is no colour.
    pub fn planes(&self) -> [Plane<'a>; 3] {
        self.format.views(self.bytes).unwrap_or([(&[], 1); 3])
    }

    /// The colour of each pixel, row by row: red, green and blue.
    pub fn rgb(&self) -> Vec<[u8; 3]> {
        let [luma, blue, red] = self.planes();
        let mut pixels = Vec::with_capacity(luma.0.len());
        for (y, row) in luma.0.chunks(luma.1.max(1)).enumerate() {
            let chroma =
                [blue, red].map(|(plane, width)| plane.get(y / 2 * width..).unwrap_or_default());
            for (x, value) in row.iter().enumerate() {
                let [blue, red] = chroma.map(|row| row.get(x / 2).copied().unwrap_or(128));
                pixels.push(self.format.colours.to_rgb([*value, blue, red]));
            }
        }
        pixels
    }
}

struct PicturePads {
    /// Open until dropped.
    _lanes: Lanes,
}

impl<F: PictureFilter> Pads<F> for PicturePads {
    fn open(instance: &Arc<Instance<F>>) -> Result<Self> {
        let pictures = Pictures {
            instance: instance.clone(),
            formats: Formats::default(),
        };
        let treatment: Arc<dyn Treatment> = Arc::new(pictures);
        let lanes = Lanes::open(instance.context(), &treatment)?;
        Ok(Self { _lanes: lanes })
    }
}

/// The filter as its lanes know it.
struct Pictures<F: Behaviour> {
    instance: Arc<Instance<F>>,
    formats: Formats,
}

impl<F: PictureFilter> Treatment for Pictures<F> {
    fn drawn(&self, packet: &Packet) -> Option<Packet> {
        let format = self.formats.get(packet.format)?;
        let mut bytes = host()?.buffer(packet.bytes.len());
        bytes.copy_from_slice(&packet.bytes);
        let mut picture = Picture::new(format, &mut bytes, packet.presentation_time)?;
        self.instance
            .with(|filter, properties| filter.process(&mut picture, properties));
        let mut drawn = Packet {
            bytes: Bytes::default(),
            ..packet.clone()
        };
        picture.notes_into(&mut drawn);
        drawn.bytes = bytes.freeze();
        Some(drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_back_as_they_were_set() {
        for (width, height) in [(1, 1), (5, 3), (8, 8)] {
            let format = PictureFormat {
                width,
                height,
                colours: Colours::TELEVISION,
            };
            let mut bytes = vec![0; format.size()];
            assert!(Picture::new(format, &mut bytes[1..], 0).is_none());
            let mut picture = Picture::new(format, &mut bytes, 0).unwrap();
            for colour in [[255, 0, 0], [0, 128, 0], [10, 20, 200], [255; 3]] {
                picture.set_rgb(&vec![colour; width * height]);
                let seen = picture.rgb();
                assert_eq!(seen.len(), width * height);
                for (seen, set) in seen.iter().flatten().zip(colour.iter().cycle()) {
                    assert!(seen.abs_diff(*set) <= 4, "{seen} {set}");
                }
            }
            assert!(picture.luma().iter().all(|value| *value == 235));
        }
    }
}
