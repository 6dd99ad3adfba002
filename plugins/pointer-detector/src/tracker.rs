//! Learns the colour of an object, and finds it in pictures.

use rivero_filter::{Area, Key, PictureFormat, Reduced, Sample};

/// Pixels across of the copy that is looked at.
const ACROSS: usize = 160;
/// Values of a plane that count as one where colours are counted.
const STEP: u8 = 8;
/// How far from the most telling colour others of the object may be, in each plane.
const NEAR: u8 = 16;
/// Pixels of the copy: what is smaller is noise.
const LEAST: usize = 4;
/// A thing of the object's colour is the object if it has this part of its size at least: it may go away from
/// the camera, or be half covered.
const SHRUNK: usize = 16;

/// The object as it is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spot {
    /// Its middle, in shares of the picture.
    pub(crate) x: f64,
    /// Its middle, in shares of the picture.
    pub(crate) y: f64,
    /// Shares of the picture's width and height.
    pub(crate) size: (f64, f64),
}

/// What is known of the object.
#[derive(Debug)]
pub(crate) struct Tracker {
    key: Key,
    /// Pixels of the copy that it had.
    size: usize,
    last: Option<Spot>,
}

/// Pixels of the object that touch each other.
#[derive(Default)]
struct Blob {
    pixels: usize,
    sums: (usize, usize),
    columns: (usize, usize),
    rows: (usize, usize),
}

impl Tracker {
    /// Learns what is in this area; `None` if the bytes are too few.
    pub(crate) fn learn(format: &PictureFormat, bytes: &[u8], area: &Area) -> Option<Self> {
        let small = Reduced::of(format, bytes, ACROSS)?;
        let cut = |range: &std::ops::Range<usize>, to: usize, of: usize| {
            let begin = (range.start * to / of.max(1)).min(to.saturating_sub(1));
            begin..(range.end * to / of.max(1)).max(begin + 1)
        };
        let columns = cut(&area.columns, small.width, format.width);
        let rows = cut(&area.rows, small.height, format.height);
        let is_inside =
            |at: usize| columns.contains(&(at % small.width)) && rows.contains(&(at / small.width));
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for (at, colour) in small.colours().enumerate() {
            match is_inside(at) {
                true => inside.push(colour),
                false => outside.push(colour),
            }
        }
        let telling = most_telling(&inside, &outside)?;
        let is_near = |colour: &&[u8; 3]| {
            let mut planes = colour.iter().zip(telling);
            planes.all(|(value, telling)| value.abs_diff(telling) <= NEAR)
        };
        let object: Vec<[u8; 3]> = inside.iter().filter(is_near).copied().collect();
        let mut tracker = Self {
            key: Key::new(&sample(&object)),
            size: object.len(),
            last: None,
        };
        // Its size is that of all of it: the area may show a part.
        let whole = tracker
            .blobs(&small)
            .into_iter()
            .map(|blob| blob.pixels)
            .max();
        tracker.size = whole.map_or(tracker.size, |whole| whole.min(4 * tracker.size));
        Some(tracker)
    }

    /// Where the object is. Of several things of its colour the largest, but rather the one near which it was.
    pub(crate) fn find(&mut self, format: &PictureFormat, bytes: &[u8]) -> Option<Spot> {
        let small = Reduced::of(format, bytes, ACROSS)?;
        let least = (self.size / SHRUNK).max(LEAST);
        let spots = self.blobs(&small).into_iter();
        let spots = spots.filter(|blob| blob.pixels >= least).map(|blob| {
            let spot = blob.spot(&small);
            let is_near = self.last.is_some_and(|last| last.is_near(&spot));
            // More than twice as large as it was makes it no likelier.
            let weight = blob.pixels.min(2 * self.size) * if is_near { 3 } else { 2 };
            (weight, spot)
        });
        let found = spots
            .max_by_key(|(weight, _)| *weight)
            .map(|(_, spot)| spot);
        self.last = found.or(self.last);
        found
    }

    /// All that has the object's colour.
    fn blobs(&self, small: &Reduced) -> Vec<Blob> {
        // Pixels of the object that no blob has yet.
        let mut left: Vec<bool> = small
            .colours()
            .map(|colour| self.key.opacity(colour) < 128)
            .collect();
        let mut blobs = Vec::new();
        let mut next = Vec::new();
        for at in 0..left.len() {
            let (mut blob, width) = (Blob::default(), small.width);
            next.push(at);
            while let Some(at) = next.pop() {
                match left.get_mut(at) {
                    Some(is_left) if *is_left => *is_left = false,
                    _ => continue,
                }
                blob.add(at % width, at / width);
                let neighbours = [
                    (at % width > 0).then(|| at - 1),
                    (at % width + 1 < width).then_some(at + 1),
                    at.checked_sub(width),
                    Some(at + width),
                ];
                next.extend(neighbours.into_iter().flatten());
            }
            if blob.pixels > 0 {
                blobs.push(blob);
            }
        }
        blobs
    }
}

impl Blob {
    fn add(&mut self, x: usize, y: usize) {
        if self.pixels == 0 {
            (self.columns, self.rows) = ((x, x), (y, y));
        }
        self.pixels += 1;
        self.sums = (self.sums.0 + x, self.sums.1 + y);
        self.columns = (self.columns.0.min(x), self.columns.1.max(x));
        self.rows = (self.rows.0.min(y), self.rows.1.max(y));
    }

    fn spot(&self, small: &Reduced) -> Spot {
        let middle =
            |sum: usize, side: usize| (sum as f64 / self.pixels.max(1) as f64 + 0.5) / side as f64;
        let extent = |(from, to): (usize, usize), side: usize| (to - from + 1) as f64 / side as f64;
        Spot {
            x: middle(self.sums.0, small.width),
            y: middle(self.sums.1, small.height),
            size: (
                extent(self.columns, small.width),
                extent(self.rows, small.height),
            ),
        }
    }
}

impl Spot {
    fn is_near(&self, other: &Self) -> bool {
        (self.x - other.x).abs() < 0.15 && (self.y - other.y).abs() < 0.15
    }
}

/// The colour that the inside has most more of than the outside: the object's, also where other things are in the
/// area with it. `None` where there is no inside.
fn most_telling(inside: &[[u8; 3]], outside: &[[u8; 3]]) -> Option<[u8; 3]> {
    let bin = |colour: &[u8; 3]| colour.map(|value| usize::from(value / STEP));
    let bins = usize::from(u8::MAX / STEP) + 1;
    // Colours beside each other are counted together, since noise and light spread one over several.
    let counts = |colours: &[[u8; 3]]| {
        let mut counts = vec![0u32; bins.pow(3)];
        for colour in colours {
            let [luma, blue, red] =
                bin(colour).map(|value| value.saturating_sub(1)..(value + 2).min(bins));
            for luma in luma {
                for blue in blue.clone() {
                    for red in red.clone() {
                        if let Some(count) = counts.get_mut((luma * bins + blue) * bins + red) {
                            *count += 1;
                        }
                    }
                }
            }
        }
        counts
    };
    let (counts_inside, counts_outside) = (counts(inside), counts(outside));
    let telling = |colour: &&[u8; 3]| {
        let [luma, blue, red] = bin(colour);
        let at = (luma * bins + blue) * bins + red;
        let share = |counts: &[u32], of: usize| {
            f64::from(counts.get(at).copied().unwrap_or(0)) / of.max(1) as f64
        };
        share(&counts_inside, inside.len()) - share(&counts_outside, outside.len())
    };
    let most = inside
        .iter()
        .max_by(|one, other| telling(one).total_cmp(&telling(other)));
    most.copied()
}

/// The mean of these colours, and how far they are from it.
fn sample(colours: &[[u8; 3]]) -> Sample {
    let count = colours.len().max(1) as f32;
    let plane = |index: usize| {
        colours
            .iter()
            .filter_map(move |colour| colour.get(index))
            .copied()
            .map(f32::from)
    };
    let mean = [0, 1, 2].map(|index| plane(index).sum::<f32>() / count);
    let mut planes = 0usize..;
    let spread = mean.map(|mean| {
        let index = planes.next().unwrap_or_default();
        let squares: f32 = plane(index).map(|value| (value - mean).powi(2)).sum();
        (squares / count).sqrt()
    });
    Sample {
        colour: mean,
        spread,
    }
}

#[cfg(test)]
mod tests {
    use rivero_filter::Colours;

    use super::*;

    const RED: [u8; 3] = [81, 90, 240];
    const GREEN: [u8; 3] = [145, 54, 34];
    const GREY: [u8; 3] = [110, 128, 128];
    const WHITE: [u8; 3] = [225, 128, 128];

    struct Scene {
        format: PictureFormat,
        bytes: Vec<u8>,
        random: u32,
    }

    impl Scene {
        fn new(width: usize, height: usize, colour: [u8; 3]) -> Self {
            let format = PictureFormat {
                width,
                height,
                colours: Colours::TELEVISION,
            };
            let mut scene = Self {
                format,
                bytes: vec![0; format.size()],
                random: 1,
            };
            scene.draw((0, 0), (width, height), colour);
            scene
        }

        fn draw(
            &mut self,
            (x, y): (usize, usize),
            (width, height): (usize, usize),
            colour: [u8; 3],
        ) {
            let planes = self.format.planes(&mut self.bytes).unwrap().0;
            for (index, (plane, across)) in planes.into_iter().enumerate() {
                let scale = if index == 0 { 1 } else { 2 };
                for row in plane
                    .chunks_mut(across)
                    .skip(y / scale)
                    .take(height.div_ceil(scale))
                {
                    let end = (x / scale + width.div_ceil(scale)).min(across);
                    row[x / scale..end].fill(colour[index]);
                }
            }
        }

        fn noise(&mut self, size: u32) {
            for value in &mut self.bytes {
                self.random ^= self.random << 13;
                self.random ^= self.random >> 17;
                self.random ^= self.random << 5;
                let noise = (self.random >> 8) % (2 * size + 1);
                *value =
                    (i64::from(*value) + i64::from(noise) - i64::from(size)).clamp(0, 255) as u8;
            }
        }

        fn learn(&self, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> Tracker {
            Tracker::learn(&self.format, &self.bytes, &Area { columns, rows }).unwrap()
        }

        fn find(&self, tracker: &mut Tracker) -> Option<(f64, f64)> {
            let spot = tracker.find(&self.format, &self.bytes)?;
            Some((spot.x, spot.y))
        }
    }

    fn is_at(found: Option<(f64, f64)>, place: (f64, f64)) -> bool {
        found.is_some_and(|(x, y)| (x - place.0).abs() < 0.03 && (y - place.1).abs() < 0.04)
    }

    #[test]
    fn the_object_is_found_wherever_it_goes_and_in_any_size_of_picture() {
        let mut scene = Scene::new(320, 240, GREY);
        scene.draw((10, 10), (40, 40), RED);
        let mut tracker = scene.learn(20..40, 20..40);
        assert!(is_at(
            scene.find(&mut tracker),
            (30.0 / 320.0, 30.0 / 240.0)
        ));
        for (width, height) in [(320, 240), (641, 481), (1280, 720), (176, 144)] {
            for (x, y) in [(0.2, 0.3), (0.5, 0.9), (0.9, 0.5)] {
                let mut scene = Scene::new(width, height, GREY);
                let side = width / 16;
                let place = ((x * width as f64) as usize, (y * height as f64) as usize);
                scene.draw((place.0 - side / 2, place.1 - side / 2), (side, side), RED);
                scene.noise(12);
                assert!(
                    is_at(scene.find(&mut tracker), (x, y)),
                    "{width} x {height}: {x}, {y}"
                );
            }
        }
    }

    #[test]
    fn of_an_area_with_background_in_it_the_object_is_learnt() {
        for (object, background) in [(RED, GREY), (GREEN, WHITE), (WHITE, GREEN), (GREY, WHITE)] {
            let mut scene = Scene::new(320, 240, background);
            scene.draw((40, 40), (30, 30), object);
            scene.noise(6);
            // Two thirds of the area are background.
            let mut tracker = scene.learn(30..90, 35..75);
            assert!(is_at(
                scene.find(&mut tracker),
                (55.0 / 320.0, 55.0 / 240.0)
            ));
        }
    }

    #[test]
    fn in_shade_it_is_the_same_and_things_of_other_colours_are_not() {
        let mut scene = Scene::new(320, 240, GREY);
        scene.draw((100, 100), (40, 40), RED);
        let mut tracker = scene.learn(110..130, 110..130);
        let mut later = Scene::new(320, 240, GREY);
        later.draw((20, 20), (80, 80), GREEN);
        later.draw((20, 140), (80, 80), WHITE);
        later.noise(10);
        assert_eq!(later.find(&mut tracker), None);
        later.draw((220, 160), (24, 24), [60, 103, 194]);
        assert!(is_at(
            later.find(&mut tracker),
            (232.0 / 320.0, 172.0 / 240.0)
        ));
    }

    #[test]
    fn of_two_alike_it_is_the_one_near_which_it_was() {
        let mut scene = Scene::new(320, 240, GREY);
        scene.draw((100, 100), (40, 40), RED);
        let mut tracker = scene.learn(110..130, 110..130);
        assert!(scene.find(&mut tracker).is_some());
        scene.draw((240, 20), (48, 44), RED);
        assert!(is_at(scene.find(&mut tracker), (120.0 / 320.0, 0.5)));
    }

    #[test]
    fn specks_are_no_object_and_short_pictures_none() {
        let mut scene = Scene::new(640, 480, GREY);
        scene.draw((200, 200), (80, 80), RED);
        let mut tracker = scene.learn(210..270, 210..270);
        let mut later = Scene::new(640, 480, GREY);
        for at in 0..20 {
            later.draw((at * 30, at * 20), (6, 6), RED);
        }
        assert_eq!(later.find(&mut tracker), None);
        assert_eq!(tracker.find(&later.format, &[0; 9]), None);
        let area = Area {
            columns: 0..1,
            rows: 0..1,
        };
        assert!(Tracker::learn(&later.format, &[], &area).is_none());
    }
}
