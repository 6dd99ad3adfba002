//! Learns the colour of a background from a window of several pictures.

use rivero_filter::{Area, Key, Plane, Sample};

/// Pictures that are learnt from, as many as Kurento takes.
const PICTURES: usize = 60;

/// How often each value was there.
#[derive(Clone, Debug)]
struct Histogram(Vec<u64>);

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Calibration {
    seen: usize,
    /// Of Y, U and V.
    planes: [Histogram; 3],
}

impl Default for Histogram {
    fn default() -> Self {
        Self(vec![0; 256])
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            seen: 0,
            planes: std::array::from_fn(|_| Histogram::default()),
        }
    }
}

impl Histogram {
    fn add(&mut self, values: &[u8]) {
        for value in values {
            if let Some(count) = self.0.get_mut(usize::from(*value)) {
                *count += 1;
            }
        }
    }

    /// The value below which this share of all is.
    fn quantile(&self, share: f64) -> f32 {
        let all: u64 = self.0.iter().sum();
        let mut below = 0;
        let mut values = (0u8..=u8::MAX).zip(&self.0);
        let found = values.find(|(_, count)| {
            below += **count;
            below as f64 > all as f64 * share
        });
        found.map_or(0.0, |(value, _)| f32::from(value))
    }

    /// The middle, which some foreign pixels in the window do not move, and how far most are from it.
    fn middle(&self) -> (f32, f32) {
        let spread = (self.quantile(0.9) - self.quantile(0.1)) / 2.0;
        (self.quantile(0.5), spread)
    }
}

impl Calibration {
    /// Learns from a picture. After the last one there is a key.
    pub(crate) fn add(&mut self, planes: &[Plane<'_>; 3], area: &Area) -> Option<Key> {
        for (index, ((plane, width), histogram)) in planes.iter().zip(&mut self.planes).enumerate()
        {
            // The planes of colour have half the resolution.
            let scale = if index == 0 { 1 } else { 2 };
            let cut =
                |range: &std::ops::Range<usize>| range.start / scale..range.end.div_ceil(scale);
            let (columns, rows) = (cut(&area.columns), cut(&area.rows));
            let rows = plane
                .chunks(*width.max(&1))
                .skip(rows.start)
                .take(rows.len());
            for row in rows {
                histogram.add(row.get(columns.clone()).unwrap_or_default());
            }
        }
        self.seen += 1;
        if self.seen < PICTURES {
            return None;
        }
        let [luma, blue, red] = self.planes.each_ref().map(Histogram::middle);
        Some(Key::new(&Sample {
            colour: [luma.0, blue.0, red.0],
            spread: [luma.1, blue.1, red.1],
        }))
    }
}

#[cfg(test)]
mod tests {
    use rivero_filter::{Colours, PictureFormat};

    use super::*;

    #[test]
    fn the_key_is_the_middle_of_the_window_and_nothing_outside() {
        let format = PictureFormat {
            width: 33,
            height: 17,
            colours: Colours::TELEVISION,
        };
        let mut bytes = vec![200; format.luma_size()];
        bytes.resize(format.size(), 90);
        // A window of another colour, with a stripe of a third in it.
        for y in 4..12 {
            for x in 6..16 {
                bytes[y * 33 + x] = if x == 9 { 250 } else { 100 };
                let colour = format.luma_size() + (y / 2) * 17 + x / 2;
                bytes[colour] = 70;
            }
        }
        let area = Area {
            columns: 6..16,
            rows: 4..12,
        };
        let mut calibration = Calibration::default();
        let planes = format.views(&bytes).unwrap();
        for _ in 1..PICTURES {
            assert!(calibration.add(&planes, &area).is_none());
        }
        let key = calibration.add(&planes, &area).unwrap();
        assert_eq!(key.opacity([100, 70, 90]), 0);
        assert_eq!(key.opacity([112, 63, 85]), 0, "the same hue, brighter");
        assert_eq!(key.opacity([200, 128, 200]), 255);
    }
}
