//! How many there are of each marker, and which of that is news.

use std::collections::BTreeMap;

/// Looks that must have as many more: one alone may have taken something else for a marker.
const LOOKS: u32 = 2;
/// Fewer must be seen for so long, ns: a marker that moves fast is missed now and then.
const MISSED: i64 = 300_000_000;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Counts(BTreeMap<i32, Count>);

#[derive(Debug, Default)]
struct Count {
    told: i32,
    /// Another number that was seen since a time, in so many looks.
    other: Option<(i32, i64, u32)>,
}

/// There are more or fewer of a marker than before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: i32,
    pub(crate) count: i32,
    pub(crate) difference: i32,
}

impl Counts {
    /// Takes the markers that a picture of a time (ns) shows, and gives what is to be told.
    pub(crate) fn update(&mut self, ids: impl IntoIterator<Item = i32>, time: i64) -> Vec<Change> {
        let mut shown = BTreeMap::<i32, i32>::new();
        for id in ids {
            *shown.entry(id).or_default() += 1;
        }
        for id in shown.keys() {
            self.0.entry(*id).or_default();
        }
        let changes = self.0.iter_mut().filter_map(|(id, known)| {
            let count = shown.get(id).copied().unwrap_or(0);
            let difference = known.update(count, time)?;
            Some(Change {
                id: *id,
                count,
                difference,
            })
        });
        let changes = changes.collect();
        self.0
            .retain(|_, known| known.told > 0 || known.other.is_some());
        changes
    }
}

impl Count {
    fn update(&mut self, count: i32, time: i64) -> Option<i32> {
        if count == self.told {
            self.other = None;
            return None;
        }
        let (since, looks) = match self.other {
            Some((other, since, looks)) if other == count => (since, looks + 1),
            _ => (time, 1),
        };
        self.other = Some((count, since, looks));
        // Time may begin anew.
        let lasts = !(0..MISSED).contains(&time.saturating_sub(since));
        if looks < LOOKS || (count < self.told && !lasts) {
            return None;
        }
        let difference = count - self.told;
        *self = Self {
            told: count,
            other: None,
        };
        Some(difference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 33_000_000;

    fn told(looks: &[&[i32]]) -> Vec<(usize, i32, i32, i32)> {
        let mut counts = Counts::default();
        let mut told = Vec::new();
        for (look, ids) in looks.iter().enumerate() {
            let changes = counts.update(ids.iter().copied(), look as i64 * FRAME);
            told.extend(
                changes
                    .iter()
                    .map(|change| (look, change.id, change.count, change.difference)),
            );
        }
        told
    }

    #[test]
    fn more_are_told_at_the_second_look() {
        assert_eq!(
            told(&[&[7], &[7], &[7], &[7, 7], &[7, 7]]),
            [(1, 7, 1, 1), (4, 7, 2, 1)]
        );
        assert_eq!(told(&[&[7], &[], &[7], &[], &[9]]), []);
    }

    #[test]
    fn fewer_are_told_when_it_lasts() {
        let mut looks: Vec<&[i32]> = vec![&[3, 5]; 2];
        looks.extend([&[3] as &[i32]; 2]);
        looks.extend([&[3, 5] as &[i32]; 2]);
        looks.extend([&[3] as &[i32]; 12]);
        assert_eq!(told(&looks), [(1, 3, 1, 1), (1, 5, 1, 1), (16, 5, 0, -1)]);
    }

    #[test]
    fn what_has_gone_is_forgotten() {
        let mut counts = Counts::default();
        for time in 0..1000 {
            counts.update([time], i64::from(time) * FRAME);
        }
        assert!(counts.0.len() <= 2, "{}", counts.0.len());
    }
}
