//! What of a picture is not its background, and what of that moves.

use std::collections::VecDeque;

use rivero_filter::{Reduced, reduced};

use crate::flow::Luma;

/// Pictures from which the background is learnt at first, at most; how long that may take, ns, since under load there
/// are few looks, and whoever comes meanwhile must not be learnt; and pictures at least.
const FIRST: u32 = 10;
const FIRST_TIME: i64 = 500_000_000;
const LEAST_FIRST: u32 = 3;
/// How long the background takes to follow what looks like it (light changes), and what does not (a parked car
/// becomes part of it, a waiting crowd must not), ns.
const FOLLOWS: f64 = 2e9;
const TAKES_IN: f64 = 120e9;
/// How far Y, U or V of a pixel must be from the background (colours differ less than brightness does), or Y from what
/// it was, and that in units of the noise.
const LEAST_DIFFERENCES: [f32; 3] = [18.0, 9.0, 9.0];
const LEAST_CHANGE: f32 = 14.0;
const DIFFERENCE_IN_NOISE: f32 = 4.0;
/// More, as there is noise in both.
const CHANGE_IN_NOISE: f32 = 5.0;
/// Noise beyond this is none: more than half of the picture moves.
const MOST_NOISE: f32 = 10.0;
/// Movement is seen against a picture so much earlier, ns: slow movement needs time to be seen.
const EARLIER: i64 = 160_000_000;
/// Pictures that are kept for it.
const MOST_PAST: usize = 16;
/// Pixels across, where directions are looked for.
const FLOW_WIDTH: usize = 160;

/// See the head of this file. All pictures have the same size.
pub(crate) struct Scene {
    width: usize,
    /// Y, U and V of each pixel.
    background: [Vec<f32>; 3],
    /// Of Y, U and V: how far pixels are from what they were in the last picture.
    noise: [f32; 3],
    looks: u32,
    /// Of the first picture, ns.
    begin: Option<i64>,
    /// Pictures with their times, the latest last.
    past: VecDeque<(i64, Reduced)>,
}

/// What a picture shows.
pub(crate) struct Seen {
    /// Pixels that are not background, and those of them that move.
    pub(crate) occupied: Vec<bool>,
    pub(crate) moving: Vec<bool>,
    width: usize,
    now: Luma,
    earlier: Luma,
}

/// What a part of a picture shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measures {
    /// Percentage of the part that is occupied, and of that what moves.
    pub(crate) occupancy: f64,
    pub(crate) fluidity: f64,
}

impl Scene {
    /// Of pictures of this size.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            background: std::array::from_fn(|_| vec![0.0; width * height]),
            noise: [0.0; 3],
            looks: 0,
            begin: None,
            past: VecDeque::new(),
        }
    }

    /// Looks at the picture of a time (ns); `None` while there is not enough to compare it with.
    pub(crate) fn look(&mut self, picture: Reduced, time: i64) -> Option<Seen> {
        let last = self.past.back().map(|(last, _)| *last);
        if last.is_some_and(|last| time <= last) {
            self.past.clear();
        }
        let elapsed = last
            .map_or(0, |last| time.saturating_sub(last))
            .clamp(0, 1_000_000_000);
        self.measure_noise(&picture);
        self.looks = self.looks.saturating_add(1);
        let different = self.different(&picture);
        let occupied = majority(&different, self.width);
        let lasts = time.saturating_sub(*self.begin.get_or_insert(time));
        let is_learning =
            self.looks <= LEAST_FIRST || (self.looks <= FIRST && (0..FIRST_TIME).contains(&lasts));
        self.learn(&picture, &occupied, (elapsed as f64, is_learning));
        let is_enough = |age: i64| time.saturating_sub(age) >= EARLIER;
        while self.past.get(1).is_some_and(|(age, _)| is_enough(*age))
            || self.past.len() >= MOST_PAST
        {
            self.past.pop_front();
        }
        let earlier = self.past.front().map(|(_, earlier)| earlier);
        let seen = earlier.map(|earlier| self.compared(occupied, &picture, earlier));
        self.past.push_back((time, picture));
        seen.filter(|_| !is_learning)
    }

    fn compared(&self, occupied: Vec<bool>, picture: &Reduced, earlier: &Reduced) -> Seen {
        let [noise, _, _] = self.noise;
        let least = LEAST_CHANGE.max(CHANGE_IN_NOISE * noise);
        let [now, before] = [picture, earlier].map(|picture| picture.planes.first());
        let pairs = now.into_iter().flatten().zip(before.into_iter().flatten());
        let changed: Vec<bool> = pairs
            .map(|(now, before)| f32::from(now.abs_diff(*before)) > least)
            .collect();
        // Things without a pattern change at their edges alone, so what is near a change moves. A few pixels of
        // noise are no change.
        let reach = (self.width / 32).max(2);
        let near = counts(&changed, self.width, reach);
        let moving = occupied.iter().zip(near);
        let moving = moving
            .map(|(is_occupied, count)| *is_occupied && count >= 4)
            .collect();
        Seen {
            occupied,
            moving,
            width: self.width,
            now: luma(picture),
            earlier: luma(earlier),
        }
    }

    fn measure_noise(&mut self, picture: &Reduced) {
        let Some((_, last)) = self.past.back() else {
            return;
        };
        let planes = picture.planes.iter().zip(&last.planes);
        for (known, (now, before)) in self.noise.iter_mut().zip(planes) {
            *known += (median_change(now, before).min(MOST_NOISE) - *known) / 4.0;
        }
    }

    /// Pixels that are far from the background.
    fn different(&self, picture: &Reduced) -> Vec<bool> {
        let mut different = vec![false; self.width * picture.height];
        let planes = picture.planes.iter().zip(&self.background);
        let thresholds = LEAST_DIFFERENCES.iter().zip(self.noise);
        for ((values, background), (least, noise)) in planes.zip(thresholds) {
            let least = least.max(DIFFERENCE_IN_NOISE * noise);
            let pixels = values.iter().zip(background).zip(&mut different);
            for ((value, background), is_different) in pixels {
                *is_different |= (f32::from(*value) - background).abs() > least;
            }
        }
        different
    }

    fn learn(&mut self, picture: &Reduced, occupied: &[bool], (elapsed, is_first): (f64, bool)) {
        // As many as there are count alike at first; what has not come yet cannot be in it.
        let first = 1.0 / f64::from(self.looks);
        let (follows, takes_in) = match is_first {
            true => (first, first),
            false => ((elapsed / FOLLOWS).min(0.5), elapsed / TAKES_IN),
        };
        for (background, values) in self.background.iter_mut().zip(&picture.planes) {
            for ((background, value), is_occupied) in
                background.iter_mut().zip(values).zip(occupied)
            {
                let share = if *is_occupied { takes_in } else { follows };
                *background += (f32::from(*value) - *background) * share as f32;
            }
        }
    }
}

impl Seen {
    /// What the part of the picture shows for which the mask holds.
    pub(crate) fn measures(&self, mask: &[bool]) -> Measures {
        let count = |which: &[bool]| {
            let both = which.iter().zip(mask);
            both.filter(|(is, is_inside)| **is && **is_inside).count() as f64
        };
        let area = mask.iter().filter(|is_inside| **is_inside).count() as f64;
        let occupied = count(&self.occupied);
        let share = |part: f64, of: f64| if of > 0.0 { 100.0 * part / of } else { 0.0 };
        // Of a few pixels no share can be told.
        let is_much = occupied >= 8.0 && occupied >= area / 500.0;
        Measures {
            occupancy: share(occupied, area),
            fluidity: if is_much {
                share(count(&self.moving), occupied)
            } else {
                0.0
            },
        }
    }

    /// Where what is in the part moves, in pixels to the right and down.
    pub(crate) fn flow(&self, mask: &[bool]) -> Option<(f64, f64)> {
        let height = self.occupied.len() / self.width.max(1);
        self.now.flow(&self.earlier, |x, y| {
            let (x, y) = (
                x * self.width / self.now.width.max(1),
                y * height / self.now.height.max(1),
            );
            let at = y * self.width + x;
            let holds = |which: &[bool]| which.get(at).copied().unwrap_or(false);
            // Blocks at the edge of a thing have their middle beside it as often as within.
            holds(mask) && (holds(&self.moving) || holds(&self.occupied))
        })
    }
}

/// By how much half of the values have changed at most.
fn median_change(now: &[u8], before: &[u8]) -> f32 {
    let mut histogram = [0usize; 256];
    for (now, before) in now.iter().zip(before) {
        if let Some(count) = histogram.get_mut(usize::from(now.abs_diff(*before))) {
            *count += 1;
        }
    }
    let mut below = 0;
    let median = histogram.iter().position(|count| {
        below += count;
        2 * below > now.len()
    });
    median.unwrap_or(0) as f32
}

/// The brightness of a picture, where directions are looked for.
fn luma(picture: &Reduced) -> Luma {
    let width = picture.width.min(FLOW_WIDTH);
    let height = (picture.height * width / picture.width.max(1)).max(1);
    let [values, _, _] = &picture.planes;
    Luma {
        values: reduced((values, picture.width), width, height),
        width,
        height,
    }
}

/// Of each pixel with its eight neighbours what most are.
fn majority(which: &[bool], width: usize) -> Vec<bool> {
    counts(which, width, 1)
        .into_iter()
        .map(|count| count >= 5)
        .collect()
}

/// How many hold among each pixel and those up to `reach` from it in either direction.
fn counts(which: &[bool], width: usize, reach: usize) -> Vec<u16> {
    let width = width.max(1);
    let height = which.len() / width;
    let mut along = Vec::with_capacity(which.len());
    for row in which.chunks(width) {
        let row: Vec<u16> = row.iter().map(|is| u16::from(*is)).collect();
        slide(row.iter().copied(), width, reach, |count| along.push(count));
    }
    let mut counts = vec![0; which.len()];
    for x in 0..width {
        let column = along.iter().skip(x).step_by(width).copied();
        let mut places = counts.iter_mut().skip(x).step_by(width);
        slide(column, height, reach, |count| {
            if let Some(place) = places.next() {
                *place = count;
            }
        });
    }
    counts
}

/// The sums of so many values and those up to `reach` from each.
fn slide(
    values: impl Iterator<Item = u16> + Clone,
    length: usize,
    reach: usize,
    mut give: impl FnMut(u16),
) {
    let (mut entering, mut leaving) = (values.clone(), values);
    let mut sum: u16 = entering.by_ref().take(reach).sum();
    for at in 0..length {
        sum += entering.next().unwrap_or(0);
        if at > reach {
            sum -= leaving.next().unwrap_or(0);
        }
        give(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 160;
    const HEIGHT: usize = 120;
    const FRAME: i64 = 33_333_333;

    struct Film {
        scene: Scene,
        time: i64,
        random: u32,
        noise: u32,
    }

    impl Film {
        fn new(noise: u32) -> Self {
            Self {
                scene: Scene::new(WIDTH, HEIGHT),
                time: 0,
                random: 3,
                noise,
            }
        }

        fn random(&mut self) -> u32 {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 17;
            self.random ^= self.random << 5;
            self.random >> 8
        }

        /// Shows people, 16 by 30 pixels, at these places.
        fn show(&mut self, people: &[(usize, usize)]) -> Option<Seen> {
            let mut luma = vec![120u8; WIDTH * HEIGHT];
            for (x, y) in people {
                for row in *y..(y + 30).min(HEIGHT) {
                    for column in *x..(x + 16).min(WIDTH) {
                        luma[row * WIDTH + column] = pattern(row - y, column - x);
                    }
                }
            }
            for value in &mut luma {
                let noise = self.random() % (2 * self.noise + 1);
                *value = value
                    .saturating_add(noise as u8)
                    .saturating_sub(self.noise as u8);
            }
            self.time += FRAME;
            let mut colours = vec![128u8; WIDTH * HEIGHT];
            for value in &mut colours {
                let noise = self.random() % (2 * self.noise + 1);
                *value = *value + noise as u8 - self.noise as u8;
            }
            let picture = Reduced {
                width: WIDTH,
                height: HEIGHT,
                planes: [luma, colours.clone(), colours],
            };
            self.scene.look(picture, self.time)
        }
    }

    /// Clothes: patches of five by five pixels, which do not repeat.
    fn pattern(row: usize, column: usize) -> u8 {
        let patch = (row / 5 * 7 + column / 5 * 3) * 37;
        40 + (patch % 31) as u8
    }

    static ALL: [bool; WIDTH * HEIGHT] = [true; WIDTH * HEIGHT];

    #[test]
    fn people_are_counted_by_area_and_those_who_stand_do_not_flow() {
        for noise in [0, 5, 12] {
            let mut film = Film::new(noise);
            for _ in 0..FIRST {
                assert!(film.show(&[]).is_none());
            }
            let nobody = film.show(&[]).unwrap().measures(&ALL);
            assert!(
                nobody.occupancy < 0.5 && nobody.fluidity == 0.0,
                "{nobody:?}"
            );
            let crowd = [
                (10, 10),
                (50, 10),
                (90, 10),
                (130, 10),
                (10, 70),
                (50, 70),
                (90, 70),
                (130, 70),
            ];
            let mut standing = film.show(&crowd).unwrap().measures(&ALL);
            for _ in 0..300 {
                standing = film.show(&crowd).unwrap().measures(&ALL);
            }
            // 8 x 16 x 30 of 160 x 120 pixels.
            assert!(
                (18.0..22.0).contains(&standing.occupancy),
                "{noise}: {standing:?}"
            );
            assert!(standing.fluidity < 3.0, "{noise}: {standing:?}");
        }
    }

    #[test]
    fn who_walks_flows_and_has_a_direction() {
        for noise in [0, 5, 12] {
            let mut film = Film::new(noise);
            for _ in 0..20 {
                film.show(&[(120, 80)]);
            }
            let mut walking = None;
            for step in 0..30 {
                walking = film.show(&[(20 + 2 * step, 20), (30 + 2 * step, 70)]);
            }
            let walking = walking.unwrap();
            let measures = walking.measures(&ALL);
            assert!(measures.fluidity > 65.0, "{noise}: {measures:?}");
            let (right, down) = walking.flow(&ALL).unwrap();
            assert!(right > 2.0 && down.abs() < 1.0, "{noise}: {right} {down}");
            // Where nobody is nobody walks.
            let left: Vec<bool> = (0..WIDTH * HEIGHT).map(|at| at % WIDTH < 40).collect();
            assert_eq!(walking.flow(&left), None);
            assert!(walking.measures(&left).occupancy < 1.0);
        }
    }

    #[test]
    fn half_of_a_crowd_that_walks_is_half() {
        let mut film = Film::new(4);
        for _ in 0..20 {
            film.show(&[]);
        }
        let mut seen = None;
        for step in 0..40 {
            seen = film.show(&[
                (20, 10),
                (120, 10),
                (20 + 2 * step, 70),
                (40 + 2 * step, 75),
            ]);
        }
        let measures = seen.unwrap().measures(&ALL);
        assert!((35.0..65.0).contains(&measures.fluidity), "{measures:?}");
    }

    #[test]
    fn slow_changes_of_light_are_no_crowd() {
        let mut scene = Scene::new(32, 24);
        let mut most = 0.0f64;
        for index in 0..400u16 {
            let value = 80 + (index / 8) as u8;
            let picture = Reduced {
                width: 32,
                height: 24,
                planes: [vec![value; 768], vec![128; 768], vec![128; 768]],
            };
            if let Some(seen) = scene.look(picture, i64::from(index) * FRAME) {
                most = most.max(seen.measures(&[true; 768]).occupancy);
            }
        }
        assert_eq!(most, 0.0);
    }

    #[test]
    fn with_few_looks_the_background_is_learnt_from_what_comes_first() {
        let mut film = Film::new(2);
        let crowd = [(10, 10), (50, 10), (90, 10), (130, 10)];
        for look in 0..20 {
            film.time += 300_000_000;
            film.show(if look < 4 { &[] } else { &crowd });
        }
        let gone = film.show(&[]).unwrap().measures(&ALL);
        assert!(gone.occupancy < 0.5, "{gone:?}");
    }

    #[test]
    fn counts_have_their_neighbours() {
        let which = [true, false, false, true, false, true, true, false, true];
        assert_eq!(counts(&which, 3, 1), [2, 3, 1, 3, 5, 2, 2, 4, 2]);
        assert_eq!(counts(&which, 3, 9), [5; 9]);
        assert_eq!(counts(&[], 3, 1), [0u16; 0]);
    }

    #[test]
    fn time_that_goes_back_or_stands_still_does_no_harm() {
        let mut film = Film::new(0);
        for _ in 0..30 {
            film.show(&[]);
        }
        film.time = 0;
        assert!(film.show(&[]).is_none(), "nothing to compare with");
        film.time -= FRAME;
        film.show(&[]);
        assert!(film.scene.past.len() <= MOST_PAST);
    }
}
