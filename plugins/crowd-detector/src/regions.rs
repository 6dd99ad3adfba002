//! Regions of the picture as clients describe them.

use rivero_plugin_api::{Error, Result};

use crate::api::{RegionOfInterest, RegionOfInterestConfig};

/// Regions of a filter, and corners of a region: each takes time of every look.
const MOST_REGIONS: usize = 64;
const MOST_CORNERS: usize = 256;

/// From which percentage on a level is 1, 2 and 3, and how many pictures must have another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Thresholds {
    pub(crate) levels: [i32; 3],
    pub(crate) pictures: u32,
}

/// When directions are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Directions {
    pub(crate) pictures_to_event: u32,
    pub(crate) pictures_to_reset: u32,
    /// Degrees.
    pub(crate) offset: i32,
}

/// A region and what is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) id: String,
    /// Corners, in shares of the picture.
    pub(crate) corners: Vec<(f64, f64)>,
    pub(crate) occupancy: Thresholds,
    pub(crate) fluidity: Thresholds,
    /// Only where they are to be told.
    pub(crate) directions: Option<Directions>,
}

/// Reads what a client asks for.
///
/// # Errors
/// 40107 naming the region and what is wrong with it
pub(crate) fn read(regions: Vec<RegionOfInterest>) -> Result<Vec<Region>> {
    if regions.len() > MOST_REGIONS {
        return Err(Error::illegal_parameter(format!(
            "a filter has {MOST_REGIONS} regions at most"
        )));
    }
    let mut read: Vec<Region> = Vec::with_capacity(regions.len());
    for region in regions {
        let region = Region::read(region)?;
        if read.iter().any(|known| known.id == region.id) {
            return Err(region.refused("another region has the same id"));
        }
        read.push(region);
    }
    Ok(read)
}

impl Region {
    fn read(region: RegionOfInterest) -> Result<Self> {
        let RegionOfInterest {
            points,
            region_of_interest_config: config,
            id,
        } = region;
        let corners = points.iter();
        let region = Self {
            id,
            corners: corners
                .map(|point| (f64::from(point.x), f64::from(point.y)))
                .collect(),
            occupancy: Thresholds::of(
                [
                    config.occupancy_level_min,
                    config.occupancy_level_med,
                    config.occupancy_level_max,
                ],
                config.occupancy_num_frames_to_event,
            ),
            fluidity: Thresholds::of(
                [
                    config.fluidity_level_min,
                    config.fluidity_level_med,
                    config.fluidity_level_max,
                ],
                config.fluidity_num_frames_to_event,
            ),
            directions: Directions::of(&config),
        };
        region.check()
    }

    fn check(self) -> Result<Self> {
        let mut letters = self.id.chars();
        let begins = letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic());
        if !begins
            || !letters.all(|letter| letter.is_ascii_alphanumeric() || "/-_.:+".contains(letter))
        {
            return Err(self
                .refused("its id must begin with a letter, and have letters, digits and /-_.:+"));
        }
        if !(3..=MOST_CORNERS).contains(&self.corners.len()) {
            return Err(self.refused("it must have from 3 to 256 points"));
        }
        let is_share = |at: f64| (0.0..=1.0).contains(&at);
        if !self
            .corners
            .iter()
            .all(|(x, y)| is_share(*x) && is_share(*y))
        {
            return Err(self.refused("its points must be within the picture: x and y from 0 to 1"));
        }
        for thresholds in [self.occupancy, self.fluidity] {
            let [min, med, max] = thresholds.levels;
            if !(0 <= min && min <= med && med <= max && max <= 100) {
                return Err(self.refused(
                    "levels must be percentages, of which none is less than the one before",
                ));
            }
        }
        Ok(self)
    }

    fn refused(&self, reason: &str) -> Error {
        Error::illegal_parameter(format!("region '{}': {reason}", self.id))
    }

    /// Which pixels of a picture of this size are in it: those whose middle is, by the even-odd rule.
    pub(crate) fn mask(&self, width: usize, height: usize) -> Vec<bool> {
        let mut mask = Vec::with_capacity(width * height);
        for row in 0..height {
            let y = (row as f64 + 0.5) / height as f64;
            let ends = self.corners.iter().skip(1).chain(self.corners.first());
            let crossings = self.corners.iter().zip(ends).filter_map(|(from, to)| {
                let crosses = (from.1 > y) != (to.1 > y);
                crosses.then(|| from.0 + (y - from.1) / (to.1 - from.1) * (to.0 - from.0))
            });
            let crossings: Vec<f64> = crossings.collect();
            mask.extend((0..width).map(|column| {
                let x = (column as f64 + 0.5) / width as f64;
                crossings.iter().filter(|crossing| **crossing > x).count() % 2 == 1
            }));
        }
        mask
    }
}

/// Pictures in a row, of what a client gives: at least one.
fn pictures(given: Option<i32>, otherwise: u32) -> u32 {
    given.map_or(otherwise, |given| u32::try_from(given).unwrap_or(1).max(1))
}

impl Thresholds {
    /// What is missing is as the descriptor has it.
    fn of([min, med, max]: [Option<i32>; 3], given: Option<i32>) -> Self {
        Self {
            levels: [min.unwrap_or(10), med.unwrap_or(35), max.unwrap_or(65)],
            pictures: pictures(given, 5),
        }
    }

    /// The level of a percentage, 0 to 3.
    pub(crate) fn level(&self, percentage: f64) -> i32 {
        (0..)
            .zip(self.levels)
            .filter(|(_, from)| percentage >= f64::from(*from))
            .map(|(level, _)| level + 1)
            .max()
            .unwrap_or(0)
    }
}

impl Directions {
    fn of(config: &RegionOfInterestConfig) -> Option<Self> {
        config
            .send_optical_flow_event
            .unwrap_or(false)
            .then(|| Self {
                pictures_to_event: pictures(config.optical_flow_num_frames_to_event, 3),
                pictures_to_reset: pictures(config.optical_flow_num_frames_to_reset, 3),
                offset: config.optical_flow_angle_offset.unwrap_or(0),
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn regions(regions: Value) -> Result<Vec<Region>> {
        read(serde_json::from_value(regions).unwrap())
    }

    fn region(id: &str, points: &[(f64, f64)], config: Value) -> Value {
        let points: Vec<Value> = points
            .iter()
            .map(|(x, y)| json!({"x": x, "y": y}))
            .collect();
        json!({"points": points, "regionOfInterestConfig": config, "id": id})
    }

    const HALF: [(f64, f64); 4] = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)];

    #[test]
    fn what_is_not_given_is_as_the_descriptor_has_it() {
        let read = regions(json!([region("a", &HALF, json!({}))])).unwrap();
        let [region] = &read[..] else {
            panic!("{read:?}")
        };
        let expected = Thresholds {
            levels: [10, 35, 65],
            pictures: 5,
        };
        assert_eq!((region.occupancy, region.fluidity), (expected, expected));
        assert_eq!(region.directions, None);
        let config = json!({"occupancyLevelMed": 40, "sendOpticalFlowEvent": true, "opticalFlowAngleOffset": -90, "fluidityNumFramesToEvent": 0});
        let read = regions(json!([region_with(config)])).unwrap();
        assert_eq!(read[0].occupancy.levels, [10, 40, 65]);
        assert_eq!(read[0].fluidity.pictures, 1);
        assert_eq!(read[0].directions.unwrap().offset, -90);
    }

    fn region_with(config: Value) -> Value {
        region("a", &HALF, config)
    }

    #[test]
    fn what_makes_no_region_is_refused_by_name() {
        for (bad, words) in [
            (region("1a", &HALF, json!({})), "letter"),
            (region("", &HALF, json!({})), "letter"),
            (region("a b", &HALF, json!({})), "letter"),
            (region("a", &HALF[..2], json!({})), "points"),
            (region("a", &[(0.5, 0.5); 257], json!({})), "points"),
            (
                region("a", &[(0.0, 0.0), (1.5, 0.0), (0.5, 1.0)], json!({})),
                "within",
            ),
            (region_with(json!({"occupancyLevelMin": 50})), "levels"),
            (region_with(json!({"fluidityLevelMax": 120})), "levels"),
        ] {
            let error = regions(json!([bad])).unwrap_err();
            assert_eq!(error.code, 40107, "{bad}");
            assert!(error.message.contains(words), "{error}");
        }
        let twice = json!([region_with(json!({})), region_with(json!({}))]);
        assert!(regions(twice).is_err());
        let many: Vec<Value> = (0..65)
            .map(|index| region(&format!("a{index}"), &HALF, json!({})))
            .collect();
        assert!(regions(json!(many)).is_err());
        assert!(regions(json!([])).unwrap().is_empty());
    }

    #[test]
    fn a_mask_has_what_is_within_the_corners() {
        let half = regions(json!([region_with(json!({}))])).unwrap().remove(0);
        let mask = half.mask(8, 4);
        assert!(
            mask.chunks(8)
                .all(|row| row == [true, true, true, true, false, false, false, false])
        );
        let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)];
        let triangle = regions(json!([region("a", &corners, json!({}))]))
            .unwrap()
            .remove(0);
        let inside = triangle
            .mask(100, 100)
            .into_iter()
            .filter(|is_inside| *is_inside)
            .count();
        assert!((4900..5100).contains(&inside), "{inside}");
    }

    #[test]
    fn levels_begin_at_their_percentages() {
        let thresholds = Thresholds {
            levels: [10, 35, 65],
            pictures: 1,
        };
        let levels = [0.0, 9.9, 10.0, 35.0, 64.9, 65.0, 100.0].map(|share| thresholds.level(share));
        assert_eq!(levels, [0, 0, 1, 2, 2, 3, 3]);
    }
}
