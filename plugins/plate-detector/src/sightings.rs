//! Which of the plates that were read is news.

/// So many looks must read the same.
const LOOKS: u32 = 3;
/// Within this time; a plate that was not read for so long may be told again. ns.
const FORGOTTEN: i64 = 5_000_000_000;
/// Characters in which a misreading differs from the plate that it is of.
const MISREAD: usize = 2;
/// Texts that are remembered: a picture has some, and each of them some misreadings.
const MOST: usize = 64;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Sightings(Vec<Sighting>);

#[derive(Debug)]
struct Sighting {
    text: String,
    looks: u32,
    /// ns.
    last: i64,
    is_told: bool,
}

impl Sightings {
    /// Takes what a look at a picture of this time (ns) read, and gives what is to be told.
    pub(crate) fn add(&mut self, read: impl IntoIterator<Item = String>, time: i64) -> Vec<String> {
        // Also where time went back, as with a film that begins again.
        self.0.retain(|known| (time - known.last).abs() < FORGOTTEN);
        let read = read.into_iter();
        read.filter(|text| self.see(text, time)).collect()
    }

    /// Whether this text is to be told.
    fn see(&mut self, text: &str, time: i64) -> bool {
        let rival = self
            .0
            .iter()
            .filter(|known| known.text != text && is_misread(&known.text, text))
            .map(|known| match known.is_told {
                // What was told once is taken to be right unless this is seen far more often.
                true => known.looks.saturating_mul(2),
                false => known.looks,
            })
            .max();
        let Some(known) = self.0.iter_mut().find(|known| known.text == text) else {
            if self.0.len() < MOST {
                self.0.push(Sighting {
                    text: text.to_owned(),
                    looks: 1,
                    last: time,
                    is_told: false,
                });
            }
            return false;
        };
        known.looks = known.looks.saturating_add(1);
        known.last = time;
        let is_news =
            !known.is_told && known.looks >= LOOKS && rival.is_none_or(|rival| known.looks > rival);
        known.is_told |= is_news;
        is_news
    }
}

/// Whether one of both may be the other one, misread: with other characters, or with one more or less.
fn is_misread(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let differing = |one: &[u8], other: &[u8]| {
        let pairs = one.iter().zip(other);
        pairs.filter(|(one, other)| one != other).count()
    };
    match one.len().abs_diff(other.len()) {
        0 => differing(one, other) <= MISREAD,
        1 => {
            let (long, short) = if one.len() > other.len() {
                (one, other)
            } else {
                (other, one)
            };
            let same = long.iter().zip(short).take_while(|(a, b)| a == b).count();
            long.get(same + 1..) == short.get(same..)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: i64 = 100_000_000;

    fn told(sightings: &mut Sightings, texts: &[&str], from: i64) -> Vec<String> {
        let looks = (0..).map(|look| from + look * LOOK).zip(texts);
        looks
            .flat_map(|(time, text)| sightings.add([(*text).to_owned()], time))
            .collect()
    }

    #[test]
    fn a_plate_is_told_once_when_three_looks_read_it() {
        let mut sightings = Sightings::default();
        assert!(told(&mut sightings, &["AB123CD"; 2], 0).is_empty());
        assert_eq!(
            told(&mut sightings, &["AB123CD"; 40], LOOK * 2),
            ["AB123CD"]
        );
        let later = LOOK * 42 + FORGOTTEN;
        assert_eq!(told(&mut sightings, &["AB123CD"; 4], later), ["AB123CD"]);
    }

    #[test]
    fn misreadings_are_not_told() {
        let mut sightings = Sightings::default();
        let read = [
            "AB123CD", "AB123CO", "AB123CD", "AB123CO", "AB123CD", "AB123CO", "AB123CO",
            "AB1I23CD", "AB1I23CD", "AB1I23CD",
        ];
        assert_eq!(told(&mut sightings, &read, 0), ["AB123CD"]);
        let other = ["1234XYZ"; 3];
        assert_eq!(told(&mut sightings, &other, LOOK * 10), ["1234XYZ"]);
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut sightings = Sightings::default();
        for number in 0..1000 {
            sightings.add([format!("AB{number}")], number);
        }
        assert_eq!(sightings.0.len(), MOST);
        assert_eq!(
            told(&mut sightings, &["XY999ZZ"; 3], 2 * FORGOTTEN),
            ["XY999ZZ"]
        );
    }
}
